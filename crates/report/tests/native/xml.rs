//! A checker for markup: every element closed in order, every attribute quoted, no stray `<` or `&`.

/// Elements that have no end in HTML.
const VOID: [&str; 3] = ["meta", "img", "br"];

/// The names of all elements in order, or what is wrong.
pub(crate) fn elements(text: &str) -> Result<Vec<String>, String> {
    let mut open: Vec<String> = Vec::new();
    let mut seen = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        check_text(&rest[..at])?;
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("<!doctype html>") {
            rest = after;
            continue;
        }
        let end = tag_end(rest)?;
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            match open.pop() {
                Some(top) if top == name => {}
                top => return Err(format!("</{name}> closes {top:?}")),
            }
            continue;
        }
        let empty = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        check_attributes(attributes)?;
        if !name.chars().all(|c| c.is_ascii_alphanumeric()) || name.is_empty() {
            return Err(format!("an element is named {name:?}"));
        }
        seen.push(name.to_owned());
        if name == "style" || name == "script" {
            let close = format!("</{name}>");
            let at = rest.find(&close).ok_or_else(|| format!("<{name}> does not end"))?;
            rest = &rest[at + close.len()..];
        } else if !empty && !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    check_text(rest)?;
    if open.is_empty() { Ok(seen) } else { Err(format!("{open:?} do not end")) }
}

/// The `>` that ends the tag at the start of `text`, outside of quotes.
fn tag_end(text: &str) -> Result<usize, String> {
    let mut quoted = false;
    for (i, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '>' if !quoted => return Ok(i),
            _ => {}
        }
    }
    Err(format!("a tag does not end: {text:.60}"))
}

fn check_text(text: &str) -> Result<(), String> {
    for (i, _) in text.match_indices('&') {
        let entity = text[i..].split(';').next().unwrap_or("");
        if !["&amp", "&lt", "&gt", "&quot", "&#39", "&#x27", "&#x2f"].contains(&entity) {
            return Err(format!("stray {entity:.20}"));
        }
    }
    if text.contains('>') { Err(format!("stray > in {text:.60}")) } else { Ok(()) }
}

fn check_attributes(text: &str) -> Result<(), String> {
    let mut names = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) =
            rest.split_once("=\"").ok_or_else(|| format!("an attribute without quotes: {rest:.40}"))?;
        let (value, after) = after.split_once('"').ok_or_else(|| format!("an open quote: {after:.40}"))?;
        if names.contains(&name) || name.contains(char::is_whitespace) {
            return Err(format!("attribute {name:?}"));
        }
        if !value.starts_with("data:") {
            check_text(&value.replace('>', ""))?;
        }
        names.push(name);
        rest = after.trim_start();
    }
    Ok(())
}

#[test]
fn the_checker_rejects_broken_markup() {
    assert_eq!(elements("<p>a <b>b</b></p>").unwrap(), ["p", "b"]);
    for broken in [
        "<p>",
        "</p>",
        "<p><b></p></b>",
        "<p a=b></p>",
        "<p a=\"1\" a=\"2\"></p>",
        "a & b",
        "a < b",
        "a > b",
        "<p a=\"x></p>",
    ] {
        assert!(elements(broken).is_err(), "{broken}");
    }
}
