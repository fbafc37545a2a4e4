//! The little markup that texts of a report may have.

use crate::format::escape;

/// Escaped text in which `**strong**`, `*emphasis*` and `` `code` `` are set as such. A mark without its
/// partner stays as it is; code is not searched for marks.
pub(crate) fn inline(text: &str) -> String {
    let mut out = String::new();
    let text = text.replace("\r\n", "\n");
    let mut rest = &text[..];
    while let Some(at) = rest.find(['*', '`']) {
        let (before, from) = rest.split_at(at);
        out.push_str(&escape(before));
        let (mark, tag) = if from.starts_with("**") {
            ("**", "strong")
        } else if from.starts_with('*') {
            ("*", "em")
        } else {
            ("`", "code")
        };
        let inner = &from[mark.len()..];
        // A mark holds on to a word: `2 * 3` is no emphasis.
        let closes = closing(inner, mark)
            .filter(|&end| end > 0 && !inner.starts_with(' ') && !inner[..end].ends_with(' '));
        if let Some(end) = closes {
            let (inside, after) = (&inner[..end], &inner[end + mark.len()..]);
            let inside = if tag == "code" { escape(inside) } else { inline(inside) };
            out.extend(["<", tag, ">", &inside, "</", tag, ">"]);
            rest = after;
        } else {
            out.push_str(mark);
            rest = inner;
        }
    }
    out.push_str(&escape(rest));
    out
}

/// Where a mark is the next time, outside of code.
fn closing(text: &str, mark: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find(mark)?;
        let code = text[from..at].find('`').map(|begin| from + begin);
        let after = code.and_then(|begin| Some(begin + 2 + text[begin + 1..].find('`')?));
        match after {
            Some(after) if mark != "`" => from = after,
            _ => return Some(at),
        }
    }
}

/// Paragraphs, parted by empty lines.
pub(crate) fn paragraphs(text: &str) -> Vec<String> {
    text.replace("\r\n", "\n").split("\n\n").map(str::trim).filter(|p| !p.is_empty()).map(inline).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks() {
        assert_eq!(inline("a **b** *c* `d*e*`"), "a <strong>b</strong> <em>c</em> <code>d*e*</code>");
        assert_eq!(inline("2*x and `a*b` c"), "2*x and <code>a*b</code> c");
        assert_eq!(inline("*x `a*b` c* `d"), "<em>x <code>a*b</code> c</em> `d");
        assert_eq!(inline("a\r\nb"), "a\nb");
        assert_eq!(inline("2 * 3 * 4, **open, `x"), "2 * 3 * 4, **open, `x");
        assert_eq!(inline("*<b>*"), "<em>&lt;b&gt;</em>");
        assert_eq!(paragraphs("a\nb\n\n\n c "), ["a\nb", "c"]);
    }
}
