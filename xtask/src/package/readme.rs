//! The examples of a README as programs, as rustdoc would make them.

/// One example.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Example {
    /// A whole program.
    pub(super) program: String,
    /// False for `no_run`: it is built only.
    pub(super) runs: bool,
}

/// The Rust examples of a Markdown text in their order.
pub(super) fn examples(text: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut open: Option<(Option<bool>, String)> = None;
    for line in text.lines() {
        match (line.trim().strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some((runs(info), String::new())),
            (Some(_), Some((runs, code))) => {
                found.extend(runs.map(|runs| Example { program: program(code), runs }));
                open = None;
            }
            (None, Some((_, code))) => {
                code.push_str(shown(line));
                code.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

/// Whether a block with this word behind its fence runs; `None` if it is no Rust.
fn runs(info: &str) -> Option<bool> {
    let words: Vec<&str> = info.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    words.iter().all(|word| matches!(*word, "rust" | "no_run")).then(|| !words.contains(&"no_run"))
}

/// A line without the mark that hides it from readers.
fn shown(line: &str) -> &str {
    match line.trim_start() {
        "#" => "",
        hidden => hidden.strip_prefix("# ").unwrap_or(line),
    }
}

/// Code with a `main` around it, unless it has its own. Code that ends in `Ok` may use `?`.
fn program(code: &str) -> String {
    let preface = "//! An example of a README.\n#![allow(unused)]\n";
    if code.contains("fn main()") {
        return format!("{preface}{code}");
    }
    let last = code.trim_end().lines().last().unwrap_or_default().trim();
    if last.starts_with("Ok::<(), ") {
        let head = "fn main() -> Result<(), impl std::fmt::Debug> {\n";
        return format!("{preface}{head}{code}}}\n");
    }
    format!("{preface}fn main() {{\n{code}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_blocks_become_programs_and_others_do_not() {
        let text = "a\n```rust\nuse b;\n# use c;\nd()?;\n# Ok::<(), E>(())\n```\n```sh\nls\n```\n```no_run\n#\ne();\n```\n\
                    ```\nfn main() {}\n```\n";
        let found = examples(text);
        assert_eq!(found.iter().map(|example| example.runs).collect::<Vec<_>>(), [true, false, true]);
        assert!(
            found[0].program.ends_with("{\nuse b;\nuse c;\nd()?;\nOk::<(), E>(())\n}\n"),
            "{:?}",
            found[0]
        );
        assert!(found[0].program.contains("fn main() -> Result<"));
        assert!(found[1].program.ends_with("fn main() {\n\ne();\n}\n"), "{:?}", found[1]);
        assert!(found[2].program.ends_with("#![allow(unused)]\nfn main() {}\n"), "{:?}", found[2]);
    }
}
