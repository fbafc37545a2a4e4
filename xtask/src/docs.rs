//! `cargo xtask docs`: the API documentation with warnings denied, the book, the links between texts, and the lists of docs/api.

mod markdown;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{api, metadata, pins, places, process, setup};

/// Checks the links, builds rustdoc and, unless `no_book`, the book.
pub(crate) fn run(no_book: bool) -> Result<()> {
    let problems = broken_links(&places::root())?;
    if !problems.is_empty() {
        bail!("broken links:\n  {}", problems.join("\n  "));
    }
    setup::workspace(false)?;
    // The lists first: they are the shorter, and what they need is what the pages need.
    api::run(true)?;
    let mut rustdoc = process::cargo(["doc", "--no-deps", "--workspace", "--all-features"]);
    rustdoc.env("RUSTDOCFLAGS", "-D warnings");
    process::run(rustdoc)?;
    let mut built = metadata::folders()?.target.join("doc").display().to_string();
    if !no_book && places::root().join("docs/book.toml").is_file() {
        let mut book = Command::new(mdbook()?);
        book.args(["build", "docs"]).current_dir(places::root());
        process::run(book)?;
        built += " and docs/book";
    }
    println!("documentation is in {built}");
    Ok(())
}

/// mdBook on PATH, or the pinned one in the cache, built if need be.
fn mdbook() -> Result<PathBuf> {
    if process::capture(Command::new("mdbook").arg("--version")).is_ok() {
        return Ok("mdbook".into());
    }
    let home = places::cache()?.join(format!("mdbook-{}", pins::MDBOOK));
    let program = home.join("bin/mdbook");
    if !program.is_file() {
        eprintln!("   mdBook is built once; that takes some minutes");
        let mut install =
            process::cargo(["install", "mdbook", "--version", pins::MDBOOK, "--locked", "--root"]);
        install.arg(&home);
        process::run(install)?;
    }
    Ok(program)
}

/// Relative links of the texts at the root and in the book that lead nowhere, and chapters that the book's
/// summary does not name.
pub(crate) fn broken_links(root: &Path) -> Result<Vec<String>> {
    let mut pages = Vec::new();
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        pages.extend(Some(root.join(name)).filter(|page| page.is_file()));
    }
    let book = root.join("docs/src");
    let chapters = if book.is_dir() { markdown::below(&book)? } else { Vec::new() };
    pages.extend(chapters.iter().cloned());

    let mut problems = Vec::new();
    let mut summary = BTreeSet::new();
    for page in &pages {
        let text = fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
        let folder = page.parent().unwrap_or(root);
        let shown = page.strip_prefix(root).unwrap_or(page).display();
        for (line, target) in links(&text) {
            let path = target.split(['#', '?']).next().unwrap_or_default();
            if path.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            match folder.join(path).canonicalize() {
                Ok(found) if page.ends_with("SUMMARY.md") => _ = summary.insert(found),
                Ok(_) => {}
                Err(_) => problems.push(format!("{shown}:{line}: no file `{path}`")),
            }
        }
    }
    for chapter in chapters.iter().filter(|page| !page.ends_with("SUMMARY.md")) {
        if !summary.contains(&chapter.canonicalize()?) {
            let shown = chapter.strip_prefix(root).unwrap_or(chapter).display();
            problems.push(format!("{shown}: docs/src/SUMMARY.md does not name it"));
        }
    }
    Ok(problems)
}

/// Targets of the inline links and pictures of a Markdown text with their lines, code left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every second piece between backticks is code.
        let prose: String =
            line.split('`').enumerate().map(|(i, piece)| if i % 2 == 0 { piece } else { "code" }).collect();
        for piece in prose.split("](").skip(1) {
            let target = piece.split([')', ' ']).next().unwrap_or_default();
            // `$f[x](y)$` in a formula looks the same; a target that names a file has a dot or a slash.
            if target.contains(['.', '/', '#']) && !target.contains(['\\', '$']) {
                found.push((number + 1, target.to_owned()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::links;

    #[test]
    fn links_are_found_and_code_and_formulas_are_not() {
        let text =
            "a [b](c.md) ![d](e/f.png \"t\")\n```text\n[g](h.md)\n```\n`[i](j.md)` [k](l.md#m) $[x](y)$\n";
        let found = links(text);
        let expect = [(1, "c.md"), (1, "e/f.png"), (5, "l.md#m")];
        assert_eq!(found, expect.map(|(line, target)| (line, target.to_owned())));
    }
}
