//! A run in shares, and their merge.

use std::fs;
use std::path::Path;

use variata_testkit::process::compare_folders;

use crate::{command, of_paper, sliced, stderr};

/// The shares of a run, in no order, give what one process gives; until the last is there, a merge names what is missing.
fn shares_give_the_whole(paper: &str, settings: &str, first_missing: &str) {
    let (want, got) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let run = |out: &Path, more: &[&str]| of_paper(paper, out, settings, 1, more).output().unwrap();
    let output = run(want.path(), &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let output = run(got.path(), &["--merge"]);
    assert!(!output.status.success() && stderr(&output).contains(first_missing), "{}", stderr(&output));
    for share in ["3/3", "1/3"] {
        let output = run(got.path(), &["--shard", share]);
        assert!(output.status.success() && output.stdout.is_empty(), "{}", stderr(&output));
    }
    let output = run(got.path(), &["--merge"]);
    assert!(
        !output.status.success() && stderr(&output).contains("not trained to the end"),
        "{}",
        stderr(&output)
    );
    let report = got.path().join(format!("runs/{paper}/tiny-0/report.html"));
    assert!(!report.exists());
    let output = run(got.path(), &["--shard", "2/3"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let output = run(got.path(), &["--merge"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).trim().ends_with("report.html"));
    let folders = [&want, &got].map(|folder| folder.path().join(format!("runs/{paper}/tiny-0")));
    // The shares keep the logs and the checkpoints before the last.
    let ignored = ["manifest.json", "log.jsonl", "checkpoints"];
    let compared = compare_folders(&folders[1], &folders[0], &ignored).unwrap();
    assert!(compared > 10, "{compared} files");
}

#[test]
fn of_the_tutorial() {
    shares_give_the_whole("vae", &crate::TINY.replace("seeds = 1", "seeds = 2"), "vae-1");
}

/// Its other models are measured by a classifier, which every share trains.
#[test]
fn of_sliced_models() {
    shares_give_the_whole("sliced", sliced::TINY, "classifier-0");
}

#[test]
fn a_share_of_other_settings_is_refused_and_an_interrupted_one_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path(), crate::TINY, 1, &["--shard", "1/2"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let output = command(folder.path(), crate::TINY, 1, &["--shard", "1/2"]).output().unwrap();
    assert!(!output.status.success() && stderr(&output).contains("--resume"), "{}", stderr(&output));
    let output = command(folder.path(), crate::TINY, 1, &["--shard", "1/2", "--resume"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let other = crate::TINY.replace("latent = 3", "latent = 4");
    let output = command(folder.path(), &other, 1, &["--merge"]).output().unwrap();
    assert!(!output.status.success() && stderr(&output).contains("other settings"), "{}", stderr(&output));
    assert!(fs::exists(folder.path().join("runs/shards/1-of-2/vae/tiny-0/checkpoints")).unwrap());
}
