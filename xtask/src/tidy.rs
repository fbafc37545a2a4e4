//! `cargo xtask tidy`: the conventions of the workspace as checks, on the files that git tracks.
//!
//! Each rule is a function from the files to the list of its breaches, so that its own test can feed it bad
//! ones. What the texts alone show is a test of this package too.

mod documents;
mod manifests;
mod sources;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::{bench, docs, places, process};

/// A tracked text file: its path from the root, and its text.
#[derive(Debug, Clone)]
struct Doc {
    path: String,
    text: String,
}

impl Doc {
    fn ends_with(&self, ending: &str) -> bool {
        self.path.ends_with(ending)
    }

    fn is_rust(&self) -> bool {
        self.ends_with(".rs")
    }

    /// Lines from 1, up to the private tests at the end of a Rust file, without what else is for tests alone.
    fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        let gate = |line: &str| line.trim_start() == "#[cfg(test)]";
        let mut lines = (1..).zip(self.text.lines()).peekable();
        let mut over = false;
        std::iter::from_fn(move || {
            while let Some((number, line)) = lines.next() {
                if over {
                    return None;
                }
                if !gate(line) {
                    return Some((number, line));
                }
                // A module or an import of one line, or all the rest.
                match lines.peek() {
                    Some((_, next)) if next.trim_end().ends_with(';') => _ = lines.next(),
                    _ => over = true,
                }
            }
            None
        })
    }
}

type Rule = fn(&[Doc]) -> Vec<String>;

const RULES: &[Rule] = &[
    sources::module_docs,
    sources::file_sizes,
    sources::unfinished,
    sources::torch_gates,
    sources::unexplained_panics,
    sources::trailing_space,
    sources::private_names,
    manifests::inherited,
    manifests::internal_dev_dependencies,
    documents::crates_are_presented,
    documents::commands_exist,
    documents::one_rust_version,
    documents::golden_tables_name_their_generator,
];

/// Checks everything; the error lists every breach with its place.
pub(crate) fn run() -> Result<()> {
    let files = tracked()?;
    let mut breaches = in_texts(&files)?;
    // Not in the test: cargo may have to download what the default members do not need.
    breaches.extend(manifests::torch_in_default_members()?);
    if !breaches.is_empty() {
        bail!("{} breaches of the conventions:\n  {}", breaches.len(), breaches.join("\n  "));
    }
    println!("tidy: {} files keep the conventions", files.len());
    Ok(())
}

/// Breaches that the texts alone show.
fn in_texts(files: &[Doc]) -> Result<Vec<String>> {
    let mut breaches: Vec<String> = RULES.iter().flat_map(|rule| rule(files)).collect();
    breaches.extend(docs::broken_links(&places::root())?);
    breaches.extend(bench::stale(&places::root())?);
    Ok(breaches)
}

/// The text files that git tracks and that are there; binary files are left out.
fn tracked() -> Result<Vec<Doc>> {
    let root = places::root();
    let list = process::capture(Command::new("git").args(["ls-files", "-z"]).current_dir(&root))?;
    let mut files = Vec::new();
    for path in list.split('\0').filter(|path| !path.is_empty()) {
        let Ok(bytes) = fs::read(root.join(path)) else { continue };
        let ending = Path::new(path).extension().and_then(|end| end.to_str()).unwrap_or_default();
        match String::from_utf8(bytes) {
            // Short binary files can be UTF-8 by chance.
            Ok(text) if !text.contains('\0') && ending != "bin" => {
                files.push(Doc { path: path.to_owned(), text });
            }
            Err(_) if ["rs", "md", "py", "toml"].contains(&ending) => bail!("{path} is not in UTF-8"),
            _ => {}
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs one rule on one made-up file.
    #[track_caller]
    pub(super) fn check(rule: Rule, path: &str, text: &str, expect: &[&str]) {
        let file = Doc { path: path.to_owned(), text: text.to_owned() };
        assert_eq!(rule(&[file]), expect, "{path}");
    }

    #[test]
    fn the_workspace_is_tidy() {
        if !places::root().join(".git").exists() {
            println!("skipped: not a git checkout");
            return;
        }
        let breaches = in_texts(&tracked().unwrap()).unwrap();
        assert!(breaches.is_empty(), "breaches of the conventions:\n  {}", breaches.join("\n  "));
    }
}
