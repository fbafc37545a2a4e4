//! The program as a user runs it: tiny presets, wrong input, interruption.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod command_line;
mod presets;
mod run;
mod sliced;
mod sos_vae;

use std::path::Path;
use std::process::{Command, Output};

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
    let preset = out.join("tiny.toml");
    std::fs::create_dir_all(out).unwrap();
    std::fs::write(&preset, settings).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_variata"));
    command.args(["reproduce", paper, "--device", "cpu", "--threads"]).arg(threads.to_string());
    command.arg("--preset").arg(preset).arg("--out").arg(out.join("runs")).args(more);
    command
}

fn variata(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_variata")).args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
