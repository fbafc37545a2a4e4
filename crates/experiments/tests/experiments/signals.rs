//! What asks a run to stop: signals to one of its processes, or to all.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{TINY, command};

/// A process with all that it starts, none of which outlives a failed test.
struct Group(Child);

impl Group {
    fn of(command: &mut Command) -> Self {
        Self(command.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Sends a signal to all of them, or to the first alone.
    fn send(&self, signal: &str, all: bool) {
        let to = format!("{}{}", if all { "-" } else { "" }, self.0.id());
        assert!(
            Command::new("kill").args([signal, "--", &to]).status().unwrap().success(),
            "{signal} to {to}"
        );
    }

    fn wait_for(&mut self, file: &Path, word: &str) {
        let begun = Instant::now();
        while !std::fs::read_to_string(file).is_ok_and(|text| text.contains(word)) {
            assert!(begun.elapsed() < Duration::from_mins(5), "{word} never came into {}", file.display());
            assert!(
                self.0.try_wait().unwrap().is_none(),
                "it ended before {word} came into {}",
                file.display()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The first one's exit code, and what all have written, once none is left that could.
    fn end(mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        (self.0.wait().unwrap().code(), text)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let all = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &all]).stderr(Stdio::null()).status();
    }
}

/// Long enough to be stopped in its middle.
fn long(out: &Path, more: &[&str]) -> Command {
    command(out, &TINY.replace("steps = 60", "steps = 200000"), 1, more)
}

/// Ctrl-C reaches all processes of a terminal; other signals reach the one that they are for, which may have no time to tell the others.
#[test]
fn what_ends_the_run_of_all_papers_leaves_a_checkpoint() {
    for (signal, all) in [("-INT", true), ("-TERM", false), ("-KILL", false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_variata"));
        let mut group = Group::of(command.args(["reproduce", "--threads", "1", "--out"]).arg(folder.path()));
        group.wait_for(&folder.path().join("vae/quick-0/log.jsonl"), "");
        group.send(signal, all);
        let (code, text) = group.end();
        assert_ne!(code, Some(0), "{signal}: {text}");
        assert!(signal == "-KILL" || text.contains("stopped; with --resume it goes on"), "{signal}: {text}");
        assert!(text.contains("stopping after this step, with a checkpoint"), "{signal}: {text}");
        assert!(folder.path().join("vae/quick-0/checkpoints").exists(), "{signal}: {text}");
        assert!(!folder.path().join("sos-vae").exists(), "{signal}: {text}");
        assert!(!folder.path().join("index.html").exists(), "{signal}: a page over what was stopped");
    }
}

#[test]
fn one_process_leaves_a_checkpoint_at_either_signal() {
    for signal in ["-INT", "-TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let mut group = Group::of(&mut long(folder.path(), &[]));
        let run = folder.path().join("runs/vae/tiny-0");
        group.wait_for(&run.join("log.jsonl"), "");
        group.send(signal, false);
        let (code, text) = group.end();
        assert_eq!(code, Some(1), "{signal}: {text}");
        assert!(text.contains("stopped; the same command with --resume goes on"), "{signal}: {text}");
        assert!(run.join("checkpoints").exists(), "{signal}: {text}");
    }
}

/// There is nothing that a checkpoint would keep.
#[test]
fn a_run_that_measures_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let settings = TINY.replace("importance_samples = 4", "importance_samples = 100000");
    let settings = settings.replace("images = 30", "images = 300");
    let mut group = Group::of(&mut command(folder.path(), &settings, 1, &[]));
    let log = folder.path().join("runs/vae/tiny-0/log.jsonl");
    group.wait_for(&log, "\"event\":\"finished\",\"run\":\"classifier-0\"");
    std::thread::sleep(Duration::from_secs(1));
    group.send("-TERM", false);
    let (code, text) = group.end();
    assert_eq!(code, Some(128 + 15), "{text}");
    assert!(
        text.ends_with("stopped while measuring; what is trained stays, and --resume measures it\n"),
        "{text}"
    );
}

/// Nobody trains on, with the lock on the run, when the one that was started is gone.
#[cfg(feature = "mpi")]
#[test]
fn workers_leave_a_checkpoint_when_the_one_that_started_them_is_ended() {
    for (signal, all) in [("-INT", true), ("-INT", false), ("-TERM", false), ("-KILL", false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut group = Group::of(&mut long(folder.path(), &["--workers", "2"]));
        let run = folder.path().join("runs/vae/tiny-0");
        group.wait_for(&run.join("log.jsonl"), "");
        group.send(signal, all);
        let (code, text) = group.end();
        assert_ne!(code, Some(0), "{signal}: {text}");
        assert!(text.contains("stopped; the same command with --resume goes on"), "{signal}: {text}");
        assert!(run.join("checkpoints").exists(), "{signal}: {text}");
    }
}
