//! A run in shares, and their merge.

use std::path::Path;

use variata_testkit::process::compare_folders;

use crate::{command, fails_with, of_paper, sliced, succeeds};

/// The shares of a run, in no order and the last in another division, give what one process gives; until then a merge names what is missing.
fn shares_give_the_whole(paper: &str, settings: &str, missing: &str, shares: [&str; 3]) {
    let (want, got) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let run = |out: &Path, more: &[&str]| of_paper(paper, out, settings, 1, more).output().unwrap();
    let [first, second, last] = shares;
    succeeds(&run(want.path(), &[]));
    fails_with(&run(got.path(), &["--merge"]), missing);
    for share in [first, second] {
        let output = run(got.path(), &["--shard", share]);
        succeeds(&output);
        assert!(output.stdout.is_empty(), "a share has no report");
    }
    // The output of a job, say, in the folder of the shares.
    std::fs::write(got.path().join("runs/shards/0.out"), "").unwrap();
    fails_with(&run(got.path(), &["--merge"]), "not trained to the end");
    let place = format!("runs/{paper}/tiny-0");
    assert!(!got.path().join(&place).join("report.html").exists());
    succeeds(&run(got.path(), &["--shard", last]));
    let output = run(got.path(), &["--merge"]);
    succeeds(&output);
    assert!(String::from_utf8_lossy(&output.stdout).trim().ends_with("report.html"));
    // Collected anew, whatever was collected before.
    let marker = got.path().join(&place).join("checkpoints/of-another-merge");
    std::fs::write(&marker, "").unwrap();
    succeeds(&run(got.path(), &["--merge", "--restart"]));
    assert!(!marker.exists());
    // The shares keep the logs and the checkpoints before the last.
    let ignored = ["manifest.json", "log.jsonl", "checkpoints"];
    let compared = compare_folders(&got.path().join(&place), &want.path().join(&place), &ignored).unwrap();
    assert!(compared > 10, "{compared} files");
}

#[test]
fn of_the_tutorial() {
    let settings = crate::TINY.replace("seeds = 1", "seeds = 2");
    shares_give_the_whole("vae", &settings, "vae-1", ["3/3", "1/3", "2/3"]);
}

/// Its other models are measured by a classifier, which every share trains.
#[test]
fn of_sliced_models() {
    shares_give_the_whole("sliced", sliced::TINY, "classifier-0", ["3/3", "1/3", "1/1"]);
}

#[test]
fn a_share_that_is_done_is_left_as_it_is_and_one_of_other_settings_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = |settings: &str, more: &[&str]| command(folder.path(), settings, 1, more).output().unwrap();
    succeeds(&run(crate::TINY, &["--shard", "1/2"]));
    let again = run(crate::TINY, &["--shard", "1/2"]);
    succeeds(&again);
    assert!(crate::stderr(&again).contains("none is left"), "{}", crate::stderr(&again));
    succeeds(&run(crate::TINY, &["--shard", "1/2", "--resume"]));
    fails_with(&run(&crate::TINY.replace("latent = 3", "latent = 4"), &["--merge"]), "other settings");
    // What such a merge leaves is no dead end.
    fails_with(&run(crate::TINY, &["--merge"]), "--restart");
    fails_with(&run(crate::TINY, &["--merge", "--restart"]), "not trained to the end");
    assert!(folder.path().join("runs/shards/1-of-2/vae/tiny-0/checkpoints").is_dir());
}

#[test]
fn a_merge_that_finds_nothing_interrupts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| command(folder.path(), crate::TINY, 1, more).output().unwrap();
    fails_with(&run(&["--merge"]), "not trained to the end");
    succeeds(&run(&[]));
}

/// A share of an earlier trial does not keep the merge from those that have the models.
#[test]
fn a_stale_share_is_passed_over_and_named_where_no_other_has_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let run = |settings: &str, more: &[&str]| command(folder.path(), settings, 1, more).output().unwrap();
    // By name the first of all.
    succeeds(&run(&crate::TINY.replace("latent = 3", "latent = 4"), &["--shard", "1/1"]));
    succeeds(&run(crate::TINY, &["--shard", "1/2"]));
    let output = run(crate::TINY, &["--merge"]);
    fails_with(&output, "other settings");
    fails_with(&output, "shards/1-of-1/vae/tiny-0");
    succeeds(&run(crate::TINY, &["--shard", "2/2"]));
    succeeds(&run(crate::TINY, &["--merge"]));
}
