//! `cargo xtask docs`: the API documentation with warnings denied, the book, the links between texts, and the lists of docs/api.

mod links;
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

/// Relative links of the texts at the root, of the crates and in the book that lead nowhere, and chapters that the book's
/// summary does not name.
pub(crate) fn broken_links(root: &Path) -> Result<Vec<String>> {
    let mut pages = Vec::new();
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        pages.extend(Some(root.join(name)).filter(|page| page.is_file()));
    }
    for krate in places::crates()? {
        pages.extend(Some(root.join("crates").join(krate).join("README.md")).filter(|page| page.is_file()));
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
        for (line, target) in links::targets(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, section) = target.split_once('#').unwrap_or((&target, ""));
            let path = path.split('?').next().unwrap_or_default();
            let Ok(found) = (if path.is_empty() { page.clone() } else { folder.join(path) }).canonicalize()
            else {
                problems.push(format!("{shown}:{line}: no file `{path}`"));
                continue;
            };
            if !section.is_empty() && found.extension().is_some_and(|ending| ending == "md") {
                let text =
                    fs::read_to_string(&found).with_context(|| format!("cannot read {}", found.display()))?;
                if !links::sections(&text).contains(section) {
                    problems.push(format!("{shown}:{line}: `{path}` has no section `{section}`"));
                }
            }
            if page.ends_with("SUMMARY.md") {
                summary.insert(found);
            }
        }
        let missing = links::undefined(&text);
        problems.extend(
            missing.into_iter().map(|(line, name)| format!("{shown}:{line}: `[{name}]` is defined nowhere")),
        );
    }
    for chapter in chapters.iter().filter(|page| !page.ends_with("SUMMARY.md")) {
        if !summary.contains(&chapter.canonicalize()?) {
            let shown = chapter.strip_prefix(root).unwrap_or(chapter).display();
            problems.push(format!("{shown}: docs/src/SUMMARY.md does not name it"));
        }
    }
    Ok(problems)
}
