//! `cargo xtask api`: the public items of every published crate as text, so that a breaking change is seen in review.
//!
//! The text is made from rustdoc's JSON, which stable compilers write only when told that they may. Its format changes with the
//! compiler: with another than the one that the files were made with, nothing is compared.

mod listing;
mod types;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{metadata, places, process, setup};

/// Where the lists are, from the root.
const FOLDER: &str = "docs/api";

/// Writes the lists, or compares them.
pub(crate) fn run(check: bool) -> Result<()> {
    setup::ensure(false)?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| places::root().join("target"), PathBuf::from);
    let mut rustdoc =
        process::cargo(["doc", "--no-deps", "--workspace", "--all-features", "--lib", "--quiet"]);
    // Only rustdoc itself is told so: dependencies look for the variable, and would be built anew.
    rustdoc.env("RUSTDOC", permitted(&target)?);
    rustdoc.env("RUSTDOCFLAGS", "-Z unstable-options --output-format json");
    process::run(rustdoc)?;

    let mut breaches = Vec::new();
    let mut count = 0;
    for package in metadata::members()?.iter().filter(|member| member.publishable) {
        let file = target.join("doc").join(format!("{}.json", package.name.replace('-', "_")));
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

/// Lines that only one of the texts has, marked as in a diff.
fn difference(name: &str, kept: &str, fresh: &str) -> Vec<String> {
    let only = |mark: &str, one: &str, other: &str| -> Vec<String> {
        let lines = one.lines().filter(|line| !other.lines().any(|known| known == *line));
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
fn permitted(target: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;

    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = process::capture(std::process::Command::new(rustc).args(["--print", "sysroot"]))?;
    let rustdoc = Path::new(sysroot.trim()).join("bin/rustdoc");
    let program = target.join("xtask-rustdoc.sh");
    fs::create_dir_all(target)?;
    fs::write(&program, format!("#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec '{}' \"$@\"\n", rustdoc.display()))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn differences_are_shown_from_both_sides() {
        assert_eq!(difference("a", "x\ny\n", "y\nz\n"), ["a: - x", "a: + z"]);
        assert_eq!(difference("a", "x\ny\n", "y\nx\n"), ["a: the same lines in another order"]);
        assert_eq!(difference("a", "x\n", "x\n"), Vec::<String>::new());
    }
}
