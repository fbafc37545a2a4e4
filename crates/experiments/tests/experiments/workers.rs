//! Several processes that train each model together, of every paper, and one of them that dies.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::faults::PAPERS;
use crate::{TINY, command, fails_with, succeeds};

/// Means of the first epoch of each training, by its name and theirs.
fn first_epochs(run: &Path) -> BTreeMap<String, f64> {
    let log = fs::read_to_string(run.join("log.jsonl")).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut all = BTreeMap::new();
    for line in lines.filter(|line| line["event"] == "epoch" && line["record"]["epoch"] == 0) {
        for pair in line["record"]["train"].as_array().unwrap() {
            let name = format!("{} {}", line["run"].as_str().unwrap(), pair[0].as_str().unwrap());
            all.insert(name, pair[1].as_f64().unwrap());
        }
    }
    all
}

#[test]
fn every_paper_is_trained_as_by_one_process_but_for_round_off() {
    for (tiny, run, _) in PAPERS {
        let (alone, together) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        succeeds(&tiny(alone.path(), &[]).output().unwrap());
        let output = tiny(together.path(), &["--workers", "2"]).output().unwrap();
        succeeds(&output);
        let page = String::from_utf8_lossy(&output.stdout);
        assert_eq!(page.lines().count(), 1, "one report: {page}");
        let report = fs::read_to_string(together.path().join(run).join("report.html")).unwrap();
        assert!(report.contains("Workers"), "{run}");
        // Measured again by one, it is still the work of two.
        if run.contains("vae/") {
            succeeds(&tiny(together.path(), &[]).output().unwrap());
            let again = fs::read_to_string(together.path().join(run).join("manifest.json")).unwrap();
            assert!(again.contains("\"workers\": 2"), "{again}");
        }
        let (want, got) = (first_epochs(&alone.path().join(run)), first_epochs(&together.path().join(run)));
        assert!(want.len() > 3 && want.keys().eq(got.keys()), "{want:?} {got:?}");
        for (name, value) in &want {
            let off = (got[name] - value).abs() / value.abs().max(1e-2);
            assert!(off < 1e-3, "{run} {name}: {} and {value}", got[name]);
        }
    }
}

/// The process of a run in `folder` that MPI counts as the second.
#[cfg(target_os = "linux")]
fn second(folder: &Path) -> Option<i32> {
    let of = |pid: i32, what: &str| fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
    let has = |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).any(|part| part == word);
    let all = fs::read_dir("/proc").unwrap();
    let mut pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.find(|&pid| {
        has(&of(pid, "cmdline"), folder.to_str().unwrap().as_bytes())
            && has(&of(pid, "environ"), b"\0PMI_RANK=1\0")
    })
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_that_dies_ends_the_run_and_one_process_goes_on() {
    let (folder, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let settings = TINY.replace("steps = 60", "steps = 2000");
    let run = |more: &[&str]| command(folder.path(), &settings, 1, more);
    let checkpoints = folder.path().join("runs/vae/tiny-0/checkpoints");
    let mut child = run(&["--workers", "2"]);
    child.env("TMPDIR", temporary.path());
    let child =
        child.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while !checkpoints.exists() {
        assert!(start.elapsed() < Duration::from_mins(2), "no checkpoint");
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = second(folder.path()).expect("a second process");
    assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    fails_with(&output, "with any number of workers");
    let left = fs::read_dir(temporary.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with(".tmp")).collect();
    assert!(left.is_empty(), "the killed worker's folder: {left:?}");

    let output = run(&["--resume"]).output().unwrap();
    succeeds(&output);
    let log = fs::read_to_string(folder.path().join("runs/vae/tiny-0/log.jsonl")).unwrap();
    assert!(log.contains("\"resumed_from\":\""), "{log}");
    assert!(folder.path().join("runs/vae/tiny-0/report.html").exists());
}

#[test]
fn what_all_workers_refuse_is_said_and_papers_are_trained_one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let settings = TINY.replace("latent = 3", "latent = 0");
    fails_with(&command(folder.path(), &settings, 1, &["--workers", "2"]).output().unwrap(), "latent");
    let output = crate::variata(&["reproduce", "vae", "--workers", "0"]);
    fails_with(&output, "--workers");
    let output = crate::variata(&["reproduce", "vae", "--workers", "2", "--shard", "1/2"]);
    fails_with(&output, "--shard");
}

/// The others, who wait for it in MPI's beginning, end with it.
#[test]
fn a_worker_that_is_refused_before_it_begins_ends_the_others() {
    for (more, reason) in [
        (&[][..], "worker 1: cannot read the preset mine.toml"),
        (&["--seeds=3"], "worker 1: error: unexpected argument"),
    ] {
        let (with, without) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(with.path().join("mine.toml"), TINY).unwrap();
        let mut command = std::process::Command::new(variata_mpi::launcher());
        for (folder, between, more) in [(&with, None, &[][..]), (&without, Some(":"), more)] {
            command
                .args(between)
                .args(["-n", "1", "-wdir"])
                .arg(folder.path())
                .arg(env!("CARGO_BIN_EXE_variata"));
            command.args(["reproduce", "vae", "--preset", "mine.toml", "--workers", "2", "--threads", "1"]);
            command.args(more);
        }
        let finished = variata_testkit::process::run_to_end(&mut command, Duration::from_mins(1)).unwrap();
        assert!(!finished.status.success(), "{finished}");
        assert!(finished.stderr.contains(reason), "{finished}");
    }
}

/// One that starts nothing, for example.
#[test]
fn a_launcher_without_a_report_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path(), TINY, 1, &["--workers", "2"]);
    let output = command.env("VARIATA_MPIEXEC", "true").output().unwrap();
    fails_with(&output, "true ended without an error, and no worker came to its end");
}
