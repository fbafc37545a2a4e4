//! Download with pip, unpack with Python's zipfile: the two tools that every Python brings.

use std::fs;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::SetupError;
use crate::pins::Pins;
use crate::process;

/// How often a line is printed when there is no terminal for a progress bar.
const TICK: Duration = Duration::from_secs(5);

/// Downloads the pinned wheels into `wheels`; pip refuses a file whose hash is not the pinned one.
pub(super) fn download(
    python: &str,
    pins: &Pins,
    work: &Path,
    wheels: &Path,
    env: &[(&'static str, String)],
) -> Result<()> {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary", ":all:"]);
    command.args(["--python-version", "3.11", "--implementation", "cp"]);
    command.args(["--abi", "cp311", "--abi", "abi3", "--abi", "none"]);
    for tag in &pins.tags {
        command.args(["--platform", tag]);
    }
    command.args(["--no-input", "--disable-pip-version-check", "--dest"]).arg(wheels);
    command.arg("--requirement").arg(work.join("requirements.txt"));
    // pip's temporary files belong on the disk whose space was checked, in the folder that is cleaned up.
    command.env("TMPDIR", work).env("PYTHONUNBUFFERED", "1").envs(env.iter().map(|(k, v)| (k, v)));
    let bar = std::io::stdout().is_terminal();
    command.stdout(if bar { Stdio::inherit() } else { Stdio::null() }).stderr(Stdio::piped());

    let mut child = command.spawn().with_context(|| format!("cannot start {python}"))?;
    let stderr = child.stderr.take().context("pip's standard error was piped")?;
    let (done, waiting) = channel::<()>();
    let errors = std::thread::scope(|scope| -> Result<String> {
        if !bar {
            scope.spawn(move || {
                let start = Instant::now();
                while waiting.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    let mb = size(work) / 1_000_000;
                    let (total, time) = (pins.download_mb, process::elapsed(start));
                    eprintln!("   {mb} MB of about {total} MB, {time}");
                }
            });
        }
        let mut text = String::new();
        for line in BufReader::new(stderr).split(b'\n') {
            text += &String::from_utf8_lossy(&line?);
            text.push('\n');
        }
        drop(done);
        Ok(text)
    })?;
    if child.wait()?.success() { Ok(()) } else { Err(explain(&errors, work, pins).into()) }
}

/// Unpacks the parts of the wheels that builds and programs need.
pub(super) fn unpack(python: &str, pins: &Pins, work: &Path, wheels: &Path, site: &Path) -> Result<()> {
    let script = work.join("unpack.py");
    fs::write(&script, include_str!("unpack.py"))?;
    let output = Command::new(python)
        .arg(&script)
        .args([wheels, site])
        .stdout(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {python}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    if is_full(&text) {
        return Err(full(work, pins).into());
    }
    anyhow::bail!("cannot unpack the wheels: {}", text.lines().last().unwrap_or("no message"))
}

/// Which of the usual mishaps pip's messages describe.
fn explain(errors: &str, work: &Path, pins: &Pins) -> SetupError {
    let has = |needles: &[&str]| needles.iter().any(|needle| errors.contains(needle));
    // The last line that pip itself marks as the error, or the last line at all.
    let lines = || errors.lines().map(str::trim).filter(|line| !line.is_empty());
    let marked = lines().rfind(|line| line.starts_with("ERROR:"));
    let detail = marked.or_else(|| lines().next_back()).unwrap_or("no message").to_owned();
    if has(&["DO NOT MATCH THE HASHES", "HashMismatch"]) {
        let wheel = lines().find(|line| line.contains("from ")).unwrap_or(&detail);
        return SetupError::HashMismatch { detail: wheel.to_owned() };
    }
    if is_full(errors) {
        return full(work, pins);
    }
    // Before "not found", with which pip ends when it could not reach the index.
    let network = [
        "Retrying (",
        "NewConnectionError",
        "ConnectTimeout",
        "ReadTimeout",
        "Read timed out",
        "Connection refused",
        "Connection broken",
        "IncompleteRead",
        "Max retries exceeded",
        "ProxyError",
        "SSLError",
        "Name or service not known",
        "Temporary failure in name resolution",
        "Network is unreachable",
    ];
    if has(&network) {
        let cause = lines().rfind(|line| network.iter().any(|needle| line.contains(needle)));
        return SetupError::NoNetwork { detail: cause.unwrap_or(&detail).to_owned() };
    }
    if has(&["No matching distribution", "Could not find a version"]) {
        // This line lists the versions that there are.
        let listed = lines().find(|line| line.contains("Could not find a version"));
        return SetupError::NotFound { detail: listed.unwrap_or(&detail).to_owned() };
    }
    SetupError::Pip { detail }
}

fn is_full(errors: &str) -> bool {
    errors.contains("No space left on device") || errors.contains("Disk quota exceeded")
}

fn full(work: &Path, pins: &Pins) -> SetupError {
    let path = work.parent().unwrap_or(work).to_path_buf();
    SetupError::NoSpace { path, free_mb: None, needed_mb: pins.needed_mb }
}

/// Bytes in a folder; what vanishes while we look does not count.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
