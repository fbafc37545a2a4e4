//! What the links of a Markdown text lead to; code left out.

use std::collections::BTreeSet;

/// Lines from 1 outside of blocks of code, without the code in them.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter_map(move |(number, line)| {
        let fence = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        fenced ^= fence;
        // Every second piece between backticks is code.
        let words = |line: &str| {
            line.split('`').enumerate().map(|(i, piece)| if i % 2 == 0 { piece } else { "code" }).collect()
        };
        (!fenced && !fence).then(|| (number, words(line)))
    })
}

/// Name and target of a line that defines one.
fn definition(line: &str) -> Option<(String, &str)> {
    let (name, rest) = line.trim_start().strip_prefix('[')?.split_once("]:")?;
    Some((name.to_lowercase(), rest.split_whitespace().next()?))
}

/// Targets of links, pictures and definitions, with their lines.
pub(super) fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let inline = line.split("](").skip(1).map(|piece| piece.split([')', ' ']).next().unwrap_or_default());
        // `$f[x](y)$` in a formula looks the same; a target that names a file has a dot or a slash.
        let inline =
            inline.filter(|target| target.contains(['.', '/', '#']) && !target.contains(['\\', '$']));
        let pictures = line.split("src=\"").skip(1).map(|piece| piece.split('"').next().unwrap_or_default());
        let defined = definition(&line).map(|(_, target)| target);
        found.extend(inline.chain(pictures).chain(defined).map(|target| (number, target.to_owned())));
    }
    found
}

/// Names that links refer to and no line defines.
pub(super) fn undefined(text: &str) -> Vec<(usize, String)> {
    let defined: BTreeSet<String> = prose(text).filter_map(|(_, line)| Some(definition(&line)?.0)).collect();
    let mut missing = Vec::new();
    for (number, line) in prose(text) {
        for piece in line.split("][").skip(1) {
            let name = piece.split(']').next().unwrap_or_default();
            // Formulas index twice.
            if !name.is_empty() && !line.contains(['$', '\\']) && !defined.contains(&name.to_lowercase()) {
                missing.push((number, name.to_owned()));
            }
        }
    }
    missing
}

/// The names of the sections that a page has, as links say them.
pub(super) fn sections(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let title = line.trim_start_matches('#');
        if fenced || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
        let name: String = title.trim().to_lowercase().chars().filter(|c| kept(*c)).collect();
        let name = name.replace(' ', "-");
        // One that is there already gets a number.
        let numbered = (1..).map(|n| format!("{name}-{n}"));
        let name = std::iter::once(name.clone()).chain(numbered).find(|name| !names.contains(name));
        names.extend(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(expect: &[(usize, &str)]) -> Vec<(usize, String)> {
        expect.iter().map(|(line, target)| (*line, (*target).to_owned())).collect()
    }

    #[test]
    fn links_are_found_and_code_and_formulas_are_not() {
        let text = "a [b](c.md) ![d](e/f.png \"t\")\n```text\n[g](h.md)\n```\n`[i](j.md)` [k](l.md#m) $[x](y)$\n\
                    <img src=\"n.png\">\n[o]: p.md\n";
        let expect = [(1, "c.md"), (1, "e/f.png"), (5, "l.md#m"), (6, "n.png"), (7, "p.md")];
        assert_eq!(targets(text), owned(&expect));
    }

    #[test]
    fn names_that_nothing_defines_are_found() {
        let text = "[a][b] and [c][d]\n$x[i][j]$ and `y[i][j]`\n\n[B]: e.md\n";
        assert_eq!(undefined(text), owned(&[(1, "d")]));
    }

    #[test]
    fn sections_are_named_as_links_name_them() {
        let text = "# Two words\n## Normal‖Gumbel, `kl`\n```sh\n# a comment\n```\n## Two words\n#no\n";
        let expect = ["normalgumbel-kl", "two-words", "two-words-1"].map(str::to_owned);
        assert_eq!(sections(text), BTreeSet::from(expect));
    }
}
