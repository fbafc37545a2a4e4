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

    /// Lines from 1, up to the private tests at the end of a Rust file.
    fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = (1..).zip(self.text.lines());
        lines.take_while(|(_, line)| line.trim_start() != "#[cfg(test)]")
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
    let paths = list.split('\0').filter(|path| !path.is_empty());
    Ok(paths
        .filter_map(|path| {
            let text = fs::read_to_string(root.join(path)).ok()?;
            // Short binary files can be UTF-8 by chance.
            let binary = text.contains('\0') || Path::new(path).extension().is_some_and(|end| end == "bin");
            (!binary).then(|| Doc { path: path.to_owned(), text })
        })
        .collect())
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
