//! All experiments after one another, each in a process of its own, and one page over them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use variata_report::{Index, IndexEntry};

/// Runs `reproduce` of the program on each paper with these arguments. One that fails is reported, and the next begins.
///
/// # Errors
/// The page cannot be written, or an experiment failed: then after the others have run and the page is
/// written.
pub(crate) fn run(program: &Path, papers: &[String], arguments: &[OsString], out: &Path) -> Result<PathBuf> {
    let mut entries = Vec::new();
    let mut failed = Vec::new();
    for paper in papers {
        eprintln!("== {paper}");
        let entry = one(program, paper, arguments, out).unwrap_or_else(|error| {
            eprintln!("{paper} failed: {error:#}");
            failed.push(paper.as_str());
            IndexEntry::failed(paper.as_str(), format!("{error:#}"))
        });
        entries.push(entry);
    }
    let more =
        [("Edit faces by conditioning", "cargo xtask studio"), ("The book, once built", "cargo xtask docs")];
    let index = Index {
        title: "Five papers".to_owned(),
        entries,
        more: more.map(|(name, target)| (name.to_owned(), target.to_owned())).to_vec(),
    };
    let page = index.write(out)?;
    if failed.is_empty() {
        return Ok(page);
    }
    bail!(
        "{} of {} experiments failed: {}; the others are in {}",
        failed.len(),
        papers.len(),
        failed.join(", "),
        page.display()
    )
}

/// Runs the training of a share of each paper's models. One that fails is reported, and the next begins.
///
/// # Errors
/// One failed: then after the others have run.
pub(crate) fn train(program: &Path, papers: &[String], arguments: &[OsString]) -> Result<()> {
    let mut failed = Vec::new();
    for paper in papers {
        eprintln!("== {paper}");
        let status = Command::new(program).args(["reproduce", paper]).args(arguments).status();
        if !status.with_context(|| format!("cannot run {}", program.display()))?.success() {
            failed.push(paper.as_str());
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("{} of {} shares failed: {}", failed.len(), papers.len(), failed.join(", "))
}

fn one(program: &Path, paper: &str, arguments: &[OsString], out: &Path) -> Result<IndexEntry> {
    let mut command = Command::new(program);
    command.args(["reproduce", paper]).args(arguments).stdout(Stdio::piped());
    let output = command.spawn().and_then(std::process::Child::wait_with_output);
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    if !output.status.success() {
        bail!("it ended with {}; what it wrote is above", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let report = text.lines().last().context("it named no report")?;
    Ok(IndexEntry::of_report(paper, out, Path::new(report))?)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A program that writes a report of the paper `good`, and fails with any other.
    const PROGRAM: &str = r#"#!/bin/sh
[ "$2" = good ] || exit 3
mkdir -p "$4/good/quick-0"
echo '{"title":"Good","paper":"P","claims":[{"id":"a","sentence":"It is.","verdict":"held"}]}' >"$4/good/quick-0/claims.json"
echo a line before
echo "$4/good/quick-0/report.html"
"#;

    #[test]
    fn one_that_fails_does_not_keep_the_others_from_the_page() {
        let folder = tempfile::tempdir().unwrap();
        let (program, out) = (folder.path().join("program"), folder.path().join("runs of all"));
        std::fs::write(&program, PROGRAM).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let arguments = ["--out".into(), out.clone().into_os_string()];
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let error = run(&program, &names(&["bad", "good"]), &arguments, &out).unwrap_err().to_string();
        assert!(error.contains("1 of 2 experiments failed: bad"), "{error}");
        let html = std::fs::read_to_string(out.join("index.html")).unwrap().replace("&#x2f;", "/");
        for part in ["1 of 1 claims held", "good/quick-0/report.html#claim-a", "This experiment failed"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert_eq!(run(&program, &names(&["good"]), &arguments, &out).unwrap(), out.join("index.html"));
    }
}
