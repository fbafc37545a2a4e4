//! All experiments after one another, each in a process of its own, and one page over them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use variata_report::{Index, IndexEntry};

/// Runs `reproduce` of this program on each paper with these arguments. One that fails is reported, and the next begins.
///
/// # Errors
/// The program cannot be found, the page cannot be written, or an experiment failed: then after the others have run and the page is
/// written.
pub(crate) fn run(papers: &[String], arguments: &[String], out: &Path) -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut entries = Vec::new();
    let mut failed = Vec::new();
    for paper in papers {
        eprintln!("== {paper}");
        let entry = one(&program, paper, arguments, out).unwrap_or_else(|error| {
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

fn one(program: &Path, paper: &str, arguments: &[String], out: &Path) -> Result<IndexEntry> {
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
