//! Rules for the documents and the tables of the tests.

use super::Doc;
use crate::flags;

/// Every crate has a README and a line in the root's table.
pub(super) fn crates_are_presented(files: &[Doc]) -> Vec<String> {
    let mut breaches = Vec::new();
    let pages = ["README.md", "docs/src/introduction.md"]
        .map(|path| (path, files.iter().find(|file| file.path == path)));
    for file in files {
        let Some(krate) = file.path.strip_prefix("crates/").and_then(|p| p.strip_suffix("/Cargo.toml"))
        else {
            continue;
        };
        let own = format!("crates/{krate}/README.md");
        if !files.iter().any(|file| file.path == own) {
            breaches.push(format!("crates/{krate}: no README.md"));
        }
        for (path, page) in pages {
            let name = if path == "README.md" { format!("crates/{krate}") } else { format!("`{krate}`") };
            if page.is_some_and(|page| !page.text.contains(&name)) {
                breaches.push(format!("{path}: does not name {name}"));
            }
        }
    }
    breaches
}

/// The README asks for the Rust that the manifest asks for; clippy takes it from there, and must not be told another.
pub(super) fn one_rust_version(files: &[Doc]) -> Vec<String> {
    let file = |path: &str| files.iter().find(|file| file.path == path);
    let manifest = file("Cargo.toml").map_or("", |file| file.text.as_str());
    let Some(version) = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")) else {
        return Vec::new();
    };
    let said = format!("Rust {}", version.trim_matches('"'));
    let mut breaches = Vec::new();
    if file("README.md").is_some_and(|readme| !readme.text.contains(&said)) {
        breaches.push(format!("README.md: does not ask for {said}"));
    }
    if file("clippy.toml").is_some_and(|clippy| clippy.text.lines().any(|line| line.starts_with("msrv"))) {
        breaches.push("clippy.toml: `msrv` beside the manifest's rust-version".to_owned());
    }
    breaches
}

/// Commands that the documents show are commands, with the flags they have.
pub(super) fn commands_exist(files: &[Doc]) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in files.iter().filter(|file| file.ends_with(".md")) {
        for (number, line) in (1..).zip(file.text.lines()) {
            for command in line.split("cargo xtask ").skip(1) {
                let command = command.split(['`', ';', '&', '#', '|', '(', ')']).next().unwrap_or_default();
                let words =
                    command.split_whitespace().map(|word| word.trim_matches(['[', ']', ',', '.', ':']));
                let words: Vec<&str> = words.collect();
                let Some(name) = words.first().filter(|name| !name.starts_with(['-', '<', '…'])) else {
                    continue;
                };
                let given = words[1..].iter().filter(|word| word.starts_with("--"));
                let given = given.map(|word| word.split('=').next().unwrap_or_default());
                if !flags::known(name, None) {
                    breaches.push(format!("{}:{number}: no command `cargo xtask {name}`", file.path));
                } else if let Some(flag) = given.into_iter().find(|flag| !flags::known(name, Some(flag))) {
                    breaches.push(format!("{}:{number}: `cargo xtask {name}` has no `{flag}`", file.path));
                }
            }
        }
    }
    breaches
}

/// The first line of a golden table is a comment that names the generator beside it.
pub(super) fn golden_tables_name_their_generator(files: &[Doc]) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in files.iter().filter(|file| file.path.contains("/tests/golden/") && !file.ends_with(".py")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let first = file.text.lines().next().unwrap_or_default();
        let words = first.split(|c: char| c.is_whitespace() || ",:;`".contains(c));
        let beside = |word: &str| files.iter().any(|file| file.path == format!("{folder}/{word}"));
        let named = words.into_iter().any(|word| word.contains(".py") && beside(word));
        if !first.starts_with('#') || !named {
            breaches.push(format!("{}:1: does not name the generator beside it", file.path));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn crates_without_a_text_are_found() {
        check(crates_are_presented, "crates/a/Cargo.toml", "", &["crates/a: no README.md"]);
    }

    #[test]
    fn other_rust_versions_are_found() {
        let file = |path: &str, text: &str| Doc { path: path.to_owned(), text: text.to_owned() };
        let manifest = file("Cargo.toml", "[workspace.package]\nrust-version = \"1.95\"\n");
        let good =
            [manifest.clone(), file("README.md", "You need Rust 1.95.\n"), file("clippy.toml", "a = 1\n")];
        assert_eq!(one_rust_version(&good), Vec::<String>::new());
        let bad =
            [manifest, file("README.md", "You need Rust 1.94.\n"), file("clippy.toml", "msrv = \"1.95\"\n")];
        let expect = [
            "README.md: does not ask for Rust 1.95",
            "clippy.toml: `msrv` beside the manifest's rust-version",
        ];
        assert_eq!(one_rust_version(&bad), expect);
    }

    #[test]
    fn commands_that_are_none_are_found() {
        check(commands_exist, "a.md", "`cargo xtask setup [--cuda]`, `cargo xtask --help`\n", &[]);
        check(commands_exist, "a.md", "cargo xtask reproduce vae --data x # or not\n", &[]);
        check(commands_exist, "a.md", "`cargo xtask deploy`\n", &["a.md:1: no command `cargo xtask deploy`"]);
        check(
            commands_exist,
            "a.md",
            "cargo xtask tidy --fix\n",
            &["a.md:1: `cargo xtask tidy` has no `--fix`"],
        );
    }

    #[test]
    fn tables_of_unknown_origin_are_found() {
        let breach = "crates/a/tests/golden/b.tsv:1: does not name the generator beside it";
        check(golden_tables_name_their_generator, "crates/a/tests/golden/b.tsv", "x\ty\n", &[breach]);
        let text = "# generated by generate.py\nx\n";
        check(golden_tables_name_their_generator, "crates/a/tests/golden/b.tsv", text, &[breach]);
        let table = Doc { path: "crates/a/tests/golden/b.tsv".to_owned(), text: text.to_owned() };
        let script = Doc { path: "crates/a/tests/golden/generate.py".to_owned(), text: String::new() };
        assert_eq!(golden_tables_name_their_generator(&[table, script]), Vec::<String>::new());
    }
}
