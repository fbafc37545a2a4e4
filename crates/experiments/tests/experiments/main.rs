//! The program as a user runs it: tiny presets, wrong input, interruption.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod command_line;
mod cuda;
mod faults;
mod fourier_aug;
mod presets;
mod run;
mod shards;
#[cfg(unix)]
mod signals;
mod sliced;
mod sos_vae;
mod vq_diff;
#[cfg(feature = "mpi")]
mod workers;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use variata_testkit::process::{KillAt, compare_folders, kill_and_resume};

/// Settings that train everything in seconds.
const TINY: &str = r#"
seeds = 1
steps = 60
latent = 3
kl_warmup_steps = 10

[architecture]
kind = "mlp"
hidden = [16]

[training]
checkpoint_steps = 7

[training.schedule]
warmup_steps = 5

[classifier]
steps = 40

[classifier.architecture]
kind = "mlp"
hidden = [16]

[measure]
importance_samples = 4
images = 30
per_class = 4
pairs = 10
"#;

/// `variata reproduce vae` on the tiny preset, one thread, into `out`.
fn tiny(out: &Path, more: &[&str]) -> Command {
    command(out, TINY, 1, more)
}

fn command(out: &Path, settings: &str, threads: usize, more: &[&str]) -> Command {
    of_paper("vae", out, settings, threads, more)
}

fn of_paper(paper: &str, out: &Path, settings: &str, threads: usize, more: &[&str]) -> Command {
    on_device("cpu", paper, out, settings, threads, more)
}

fn on_device(
    device: &str,
    paper: &str,
    out: &Path,
    settings: &str,
    threads: usize,
    more: &[&str],
) -> Command {
    let preset = out.join("tiny.toml");
    std::fs::create_dir_all(out).unwrap();
    std::fs::write(&preset, settings).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_variata"));
    command.args(["reproduce", paper, "--device", device, "--threads"]).arg(threads.to_string());
    command.arg("--preset").arg(preset).arg("--out").arg(out.join("runs")).args(more);
    command
}

/// A whole run of the command, whose files below `run` are these and whose report and metrics have these words.
fn writes_every_part(
    command: impl Fn(&Path, &[&str]) -> Command,
    run: &str,
    words: &[&str],
    files: &[&str],
    metrics: &[&str],
) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path(), &[]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let run = folder.path().join(run);
    for (file, wanted) in [("report.html", words), ("metrics.json", metrics)] {
        let text = std::fs::read_to_string(run.join(file)).unwrap();
        for word in wanted {
            assert!(text.contains(word), "{word}");
        }
    }
    for file in files {
        assert!(run.join(file).exists(), "{file}");
    }
    folder
}

/// A run of the command that is killed when that training has a checkpoint, and once more later, goes on to the bytes that `want`
/// holds under `run`, in more files than so many.
fn killed_resumes_to_the_same_bytes(
    command: impl Fn(&Path, &[&str]) -> Command,
    run: &str,
    training: &str,
    want: &Path,
    more_files_than: usize,
) {
    // The manifest has the times, the log has the order of events over restarts.
    let ignored = ["manifest.json", "log.jsonl", "checkpoints"];
    let got = tempfile::tempdir().unwrap();
    let kills = [
        KillAt::File(got.path().join(run).join("checkpoints").join(training)),
        KillAt::Delay(Duration::from_secs(1)),
    ];
    let resume = || command(got.path(), &["--resume"]);
    let (found, wanted) = (got.path().join(run), want.join(run));
    let resumed = kill_and_resume(resume, &kills, Duration::from_mins(5), &found, &wanted, &ignored).unwrap();
    assert!(resumed.kills >= 1 && resumed.files > more_files_than, "{resumed:?}");
    assert!(compare_folders(&wanted, &found, &ignored).unwrap() > more_files_than);
}

/// Each of these settings ends a run with an error that has its name.
fn settings_are_refused(paper: &str, more: &[&str], cases: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    for (text, name) in cases {
        let arguments = [more, &["--restart"]].concat();
        let output = of_paper(paper, folder.path(), text, 1, &arguments).output().unwrap();
        fails_with(&output, name);
    }
}

fn variata(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_variata")).args(arguments).output().unwrap()
}

fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
}

/// With a message that has this in it, and no panic.
fn fails_with(output: &Output, reason: &str) {
    let message = stderr(output);
    assert!(!output.status.success() && message.contains(reason), "{reason}: {message}");
    assert!(!message.contains("panicked"), "{message}");
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
