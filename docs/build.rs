//! Writes a module for every page that shows Rust of its own, with that as its documentation.

use std::fmt::Write;
use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src");
    let mut pages = Vec::new();
    markdown_below(Path::new("src"), &mut pages)?;
    pages.sort();
    let mut text = String::new();
    for page in &pages {
        let blocks = rust_of_its_own(&fs::read_to_string(page)?);
        if !blocks.is_empty() {
            let name: String = page.display().to_string().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            let _ = write!(text, "#[doc = {blocks:?}]\npub mod {name} {{}}\n");
        }
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("pages.rs"), text)
}

fn markdown_below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            markdown_below(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
    Ok(())
}

/// The fenced blocks of Rust that hold code and not the place of an example.
fn rust_of_its_own(text: &str) -> String {
    let mut kept = String::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        match &mut open {
            None if line.starts_with("```rust") => open = Some(format!("{line}\n")),
            None => {}
            Some(block) => {
                let _ = writeln!(block, "{line}");
                if line.starts_with("```") {
                    if !block.contains("{{#include") {
                        kept.push_str(block);
                    }
                    open = None;
                }
            }
        }
    }
    kept
}
