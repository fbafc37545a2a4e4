//! `cargo xtask api`: the public items of every published crate as text, so that a breaking change is seen in review.
//!
//! The text is made from rustdoc's JSON, which stable compilers write only when told that they may. Its format changes with the
//! compiler: with another than the one that the files were made with, nothing is compared.
//!
//! It goes to `target/api`: cargo, which does not know of the JSON, empties the folder of a crate's pages before rustdoc runs.
//! What is between stays in the folder of all builds, so that nothing is built twice.

mod listing;
mod types;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::metadata::{Folders, Package};
use crate::{metadata, places, process, setup};

/// Where the lists are, from the root.
const FOLDER: &str = "docs/api";

/// Writes the lists, or compares them.
pub(crate) fn run(check: bool) -> Result<()> {
    setup::workspace(false)?;
    let Folders { target, build } = metadata::folders()?;
    let out = target.join("api");
    let mut rustdoc =
        process::cargo(["doc", "--no-deps", "--workspace", "--all-features", "--lib", "--quiet"]);
    rustdoc.arg("--target-dir").arg(&out).env("CARGO_BUILD_BUILD_DIR", build);
    // Only rustdoc itself is told so: dependencies look for the variable, and would be built anew.
    rustdoc.env("RUSTDOC", permitted(&out)?);
    rustdoc.env("RUSTDOCFLAGS", "-Z unstable-options --output-format json");
    process::run(rustdoc)?;

    let mut breaches = Vec::new();
    let mut count = 0;
    let members = metadata::members()?;
    let published: Vec<&Package> = members.iter().filter(|member| member.publishable).collect();
    for package in &published {
        let file = out.join("doc").join(format!("{}.json", package.name.replace('-', "_")));
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let json: Value = serde_json::from_str(&text).with_context(|| format!("in {}", file.display()))?;
        let format = json["format_version"].as_u64();
        if format != Some(listing::FORMAT) {
            println!(
                "the public API was not listed: this compiler's rustdoc writes format {}, the lists are of {}",
                format.unwrap_or_default(),
                listing::FORMAT
            );
            return Ok(());
        }
        let fresh = page(&package.name, &listing::lines(json));
        let kept = places::root().join(FOLDER).join(format!("{}.txt", package.short()));
        count += fresh.lines().count();
        if check {
            breaches.extend(difference(
                package.short(),
                &fs::read_to_string(&kept).unwrap_or_default(),
                &fresh,
            ));
        } else {
            fs::create_dir_all(places::root().join(FOLDER))?;
            fs::write(&kept, fresh).with_context(|| format!("cannot write {}", kept.display()))?;
        }
    }
    for name in orphans(&published)? {
        if check {
            breaches.push(format!("{name}: no published crate has this name"));
        } else {
            fs::remove_file(places::root().join(FOLDER).join(format!("{name}.txt")))?;
            println!("removed: {FOLDER}/{name}.txt, since no published crate has this name");
        }
    }
    if !breaches.is_empty() {
        bail!(
            "the public API is not as {FOLDER} says; if that is meant, `cargo xtask api` writes it anew:\n  {}",
            breaches.join("\n  ")
        );
    }
    println!(
        "api: {count} lines in {FOLDER} {}",
        if check { "are what the crates export" } else { "written" }
    );
    Ok(())
}

/// The text of one crate's list.
fn page(name: &str, lines: &[String]) -> String {
    format!("# Public items of {name}, all features. Written by `cargo xtask api`.\n{}\n", lines.join("\n"))
}

/// Names of lists that belong to none of the crates, sorted.
fn orphans(published: &[&Package]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(places::root().join(FOLDER)).with_context(|| format!("cannot read {FOLDER}"))? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        let name = file.strip_suffix(".txt").filter(|name| published.iter().all(|one| one.short() != *name));
        found.extend(name.map(str::to_owned));
    }
    found.sort();
    Ok(found)
}

/// Lines that one of the texts has more often than the other, marked as in a diff. Two types of a crate can have the same line.
fn difference(name: &str, kept: &str, fresh: &str) -> Vec<String> {
    let only = |mark: &str, one: &str, other: &str| -> Vec<String> {
        let mut open: BTreeMap<&str, usize> = BTreeMap::new();
        for line in other.lines() {
            *open.entry(line).or_default() += 1;
        }
        let lines = one.lines().filter(|line| match open.get_mut(line) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        });
        lines.map(|line| format!("{name}: {mark} {line}")).collect()
    };
    let mut found = only("-", kept, fresh);
    found.extend(only("+", fresh, kept));
    if found.is_empty() && kept != fresh {
        found.push(format!("{name}: the same lines in another order"));
    }
    found
}

/// A program that is rustdoc with unstable options allowed.
fn permitted(folder: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;

    let sysroot = process::rustc(&["--print", "sysroot"])?;
    let rustdoc = Path::new(sysroot.trim()).join("bin/rustdoc");
    let program = folder.join("rustdoc.sh");
    fs::create_dir_all(folder)?;
    fs::write(&program, format!("#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec '{}' \"$@\"\n", rustdoc.display()))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::{difference, orphans};
    use crate::metadata::{self, Package};

    #[test]
    fn differences_are_shown_from_both_sides() {
        assert_eq!(difference("a", "x\ny\n", "y\nz\n"), ["a: - x", "a: + z"]);
        assert_eq!(difference("a", "x\ny\n", "y\nx\n"), ["a: the same lines in another order"]);
        assert_eq!(difference("a", "x\n", "x\n"), Vec::<String>::new());
    }

    #[test]
    fn a_line_that_is_there_more_than_once_is_counted() {
        assert_eq!(difference("a", "x\nx\ny\n", "x\ny\n"), ["a: - x"]);
        assert_eq!(difference("a", "x\n", "x\nx\nx\n"), ["a: + x", "a: + x"]);
        assert_eq!(difference("a", "x\nx\ny\n", "x\ny\nx\n"), ["a: the same lines in another order"]);
    }

    #[test]
    fn the_list_of_a_crate_that_is_gone_is_found() {
        let members = metadata::members().unwrap();
        let published: Vec<&Package> = members.iter().filter(|member| member.publishable).collect();
        assert_eq!(orphans(&published).unwrap(), Vec::<String>::new());
        let fewer: Vec<&Package> = published.into_iter().filter(|one| one.short() != "sliced").collect();
        assert_eq!(orphans(&fewer).unwrap(), ["sliced"]);
    }
}
