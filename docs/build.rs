//! Writes a module for every page that shows Rust of its own, with that as its documentation.

use std::fmt::Write;
use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};

#[path = "../xtask/src/docs/markdown.rs"]
mod markdown;

fn main() -> Result<()> {
    for watched in ["build.rs", "../xtask/src/docs/markdown.rs", "src", "../README.md"] {
        println!("cargo:rerun-if-changed={watched}");
    }
    let mut pages = markdown::below(Path::new("src"))?;
    pages.push("../README.md".into());
    let mut text = String::new();
    for page in &pages {
        let shown = fs::read_to_string(page)?;
        for place in shown.lines().filter_map(|line| line.strip_prefix("{{#include ")?.strip_suffix(":}}")) {
            whole(page, place)?;
        }
        let blocks = rust_of_its_own(&shown)
            .map_err(|line| Error::other(format!("{}:{line}: a block without an end", page.display())))?;
        if !blocks.is_empty() {
            let name = page
                .display()
                .to_string()
                .to_ascii_lowercase()
                .replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            let name = name.trim_matches('_');
            let _ = write!(text, "#[doc = {blocks:?}]\npub mod {name} {{}}\n");
        }
    }
    if text.is_empty() {
        return Err(Error::other("no page shows any Rust: nothing would be compiled"));
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("pages.rs"), text)
}

/// An example that a page shows from some line on: before that line are comments alone.
fn whole(page: &Path, place: &str) -> Result<()> {
    let wrong = || Error::other(format!("{}: {place} leaves out code, or does not begin", page.display()));
    let (file, line) = place.rsplit_once(':').ok_or_else(wrong)?;
    let file = page.parent().unwrap_or(Path::new("")).join(file);
    println!("cargo:rerun-if-changed={}", file.display());
    let text = fs::read_to_string(&file)?;
    let line: usize = line.parse().map_err(|_| wrong())?;
    let mut before = text.lines().take(line.checked_sub(1).ok_or_else(wrong)?);
    let comments = before.all(|line| line.is_empty() || line.starts_with("//"));
    let begins = text.lines().nth(line - 1).is_some_and(|line| !line.is_empty());
    if comments && begins { Ok(()) } else { Err(wrong()) }
}

/// The fenced blocks of Rust that hold code and not the place of an example, without the indentation of their fences; or the line
/// of a fence that nothing closes.
fn rust_of_its_own(text: &str) -> std::result::Result<String, usize> {
    let mut kept = String::new();
    let mut open: Option<(usize, usize, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.trim_start();
        let fence = code.starts_with("```");
        let Some((_, indent, block)) = &mut open else {
            if fence {
                open = Some((number, line.len() - code.len(), format!("{code}\n")));
            }
            continue;
        };
        let spaces = (line.len() - code.len()).min(*indent);
        let _ = writeln!(block, "{}", line.get(spaces..).unwrap_or(code));
        if fence {
            if block.starts_with("```rust") && !block.contains("{{#include") {
                kept.push_str(block);
            }
            open = None;
        }
    }
    open.map_or(Ok(kept), |(number, _, _)| Err(number))
}
