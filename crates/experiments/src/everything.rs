//! All experiments after one another, each in a process of its own, and one page over them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use variata_report::{Index, IndexEntry};

use crate::cli::message;
use crate::stopping::Hold;

/// Runs `reproduce` of the program on each paper with these arguments. One that fails is reported, and the next begins.
///
/// # Errors
/// The page cannot be written, or an experiment failed: then after the others have run and the page is
/// written.
pub(crate) fn run(program: &Path, papers: &[String], arguments: &[OsString], out: &Path) -> Result<PathBuf> {
    let (hold, mut entries, mut reports) = (Hold::default(), Vec::new(), 0);
    let all = each(papers, &hold, |paper| match one(program, paper, arguments, out, &hold) {
        Ok(entry) => {
            entries.push(entry);
            reports += 1;
            Ok(())
        }
        Err(error) => {
            entries.push(IndexEntry::failed(paper, message(&error)));
            Err(error)
        }
    });
    let more =
        [("Edit faces by conditioning", "cargo xtask studio"), ("The book, once built", "cargo xtask docs")];
    if hold.is_over() || reports == 0 {
        // The page over an earlier run of all stays.
        return all.map(|()| out.to_owned());
    }
    let index = Index {
        title: "Five papers".to_owned(),
        entries,
        more: more.map(|(name, target)| (name.to_owned(), target.to_owned())).to_vec(),
    };
    let page = index.write(out)?;
    all.with_context(|| format!("what the others found is in {}", page.display()))?;
    Ok(page)
}

/// As [`run`], for a share of each paper's models, which are only trained.
///
/// # Errors
/// An experiment failed: then after the others have run.
pub(crate) fn train(program: &Path, papers: &[String], arguments: &[OsString]) -> Result<()> {
    let hold = Hold::default();
    each(papers, &hold, |paper| report_of(program, paper, arguments, &hold).map(|_| ()))
}

/// Calls `job` on each paper. One that fails is reported, and the next begins; not after this process was asked to stop, which waits
/// for the paper's.
fn each(papers: &[String], hold: &Hold, mut job: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let _listener = hold.until_asked()?;
    let mut failed = Vec::new();
    for paper in papers {
        eprintln!("== {paper}");
        if let Err(error) = job(paper) {
            eprintln!("{paper} failed: {}", message(&error));
            failed.push(paper.as_str());
        }
        if hold.is_over() {
            bail!("stopped; with --resume it goes on");
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("{} of {} experiments failed: {}", failed.len(), papers.len(), failed.join(", "))
}

fn one(program: &Path, paper: &str, arguments: &[OsString], out: &Path, hold: &Hold) -> Result<IndexEntry> {
    let report = report_of(program, paper, arguments, hold)?.context("it named no report")?;
    Ok(IndexEntry::of_report(paper, out, Path::new(&report))?)
}

/// Runs an experiment; the last line that it printed.
fn report_of(program: &Path, paper: &str, arguments: &[OsString], hold: &Hold) -> Result<Option<String>> {
    let mut command = Command::new(program);
    command.args(["reproduce", paper]).args(arguments).stdout(Stdio::piped());
    let output = hold.start(&mut command).and_then(std::process::Child::wait_with_output);
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    if !output.status.success() {
        bail!("it ended with {}; where it was run says why", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().last().map(str::to_owned))
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    /// A program that writes a report of the paper `good`, and fails with any other.
    const PROGRAM: &str = r#"#!/bin/sh
[ "$2" = good ] || exit 3
mkdir -p "$4/good/quick-0"
echo '{"title":"Good","paper":"P","claims":[{"id":"a","sentence":"It is.","verdict":"held"}]}' >"$4/good/quick-0/claims.json"
echo a line before
echo "$4/good/quick-0/report.html"
"#;

    /// A program of these lines. A shell writes it: a file that this process had open for writing could be
    /// open still in a child that another test has just forked, and then cannot be run.
    fn program(folder: &Path, lines: &str) -> PathBuf {
        let program = folder.join("program");
        let write = r#"printf %s "$1" >"$2" && chmod 755 "$2""#;
        let written = Command::new("sh").args(["-c", write, "sh", lines]).arg(&program).status().unwrap();
        assert!(written.success(), "{written}");
        program
    }

    #[test]
    fn one_that_fails_does_not_keep_the_others_from_the_page() {
        let folder = tempfile::tempdir().unwrap();
        let (program, out) = (program(folder.path(), PROGRAM), folder.path().join("runs of all"));
        let arguments = ["--out".into(), out.clone().into_os_string()];
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let error = format!("{:#}", run(&program, &names(&["bad", "good"]), &arguments, &out).unwrap_err());
        assert!(error.contains("1 of 2 experiments failed: bad"), "{error}");
        let html = std::fs::read_to_string(out.join("index.html")).unwrap().replace("&#x2f;", "/");
        for part in ["1 of 1 claims held", "good/quick-0/report.html#claim-a", "This experiment failed"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert_eq!(run(&program, &names(&["good"]), &arguments, &out).unwrap(), out.join("index.html"));
        // A page over nothing does not take its place.
        run(&program, &names(&["bad", "bad"]), &arguments, &out).unwrap_err();
        assert!(std::fs::read_to_string(out.join("index.html")).unwrap().contains("Good"));
    }

    #[test]
    fn a_share_that_fails_does_not_keep_the_other_papers_from_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let program = program(folder.path(), "#!/bin/sh\n[ \"$2\" = good ] || exit 3\n: >\"$3\"\n");
        let trained = folder.path().join("trained");
        let papers = ["bad", "good"].map(str::to_owned);
        let arguments = [trained.clone().into_os_string()];
        let error = train(&program, &papers, &arguments).unwrap_err().to_string();
        assert!(error.contains("1 of 2 experiments failed: bad") && trained.exists(), "{error}");
        train(&program, &papers[1..], &arguments).unwrap();
    }
}
