//! The little markup that texts of a report may have.

use crate::format::escape;

/// Escaped text in which `**strong**`, `*emphasis*` and `` `code` `` are set as such. A mark without its
/// partner stays as it is; code is not searched for marks.
pub(crate) fn inline(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
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
        let closes = inner
            .find(mark)
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
        assert_eq!(inline("2 * 3 * 4, **open, `x"), "2 * 3 * 4, **open, `x");
        assert_eq!(inline("*<b>*"), "<em>&lt;b&gt;</em>");
        assert_eq!(paragraphs("a\nb\n\n\n c "), ["a\nb", "c"]);
    }
}
