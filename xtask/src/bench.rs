//! `cargo xtask bench`: criterion, alone or in turn with the Python peers.

mod archive;
mod page;

pub(crate) use page::{stale, write as write_page};

use std::process::Command;

use anyhow::{Result, bail};

use crate::{places, process, setup, venv};

/// Benches that need libtorch, by the feature `torch` of the package.
const TORCH: [&str; 3] = ["sliced-models", "sos-vae", "vq-diff"];

/// Runs the benches of one crate or of all, or those `rows` of them that contain a text; with `peers`, the comparison of
/// `benches/peers`.
pub(crate) fn run(krate: Option<&str>, peers: bool, rounds: u32, rows: Option<&str>) -> Result<()> {
    let benches = names("benches/benches", ".rs")?;
    if let Some(name) = krate.filter(|name| !benches.iter().any(|known| known == name)) {
        bail!("no benches for `{name}`; there are {}", benches.join(", "));
    }
    let features =
        |name: Option<&str>| if name.is_none_or(|name| TORCH.contains(&name)) { "torch" } else { "" };
    if features(krate) == "torch" {
        setup::ensure(false)?;
    }
    if !peers {
        let mut args = vec!["bench", "--package", "variata-benches", "--features", features(krate)];
        match krate {
            Some(name) => args.extend(["--bench", name]),
            None => args.push("--benches"),
        }
        if let Some(rows) = rows {
            args.extend(["--", rows]);
        }
        return process::run(process::cargo(args));
    }
    // torch.compile translates to C++: without a compiler it fails late and obscurely.
    setup::compiler()?;
    let compared = names("benches/peers", ".py")?;
    let chosen: Vec<&String> = benches
        .iter()
        .filter(|name| compared.contains(name) && krate.is_none_or(|wanted| *name == wanted))
        .collect();
    if chosen.is_empty() {
        bail!("no peers for `{}`: benches/peers has no such file", krate.unwrap_or("any bench"));
    }
    let folder = places::root().join("benches/peers");
    let (python, _lock) = venv::ensure("peers-python", &folder.join("requirements.txt"))?;
    for name in chosen {
        // Built before the first measurement, so that no round competes with the compiler.
        let build =
            ["bench", "--package", "variata-benches", "--features", features(Some(name)), "--bench", name];
        process::run(process::cargo(build.into_iter().chain(["--no-run"])))?;
        let mut command = Command::new(&python);
        command.arg(folder.join("compare.py")).arg(name);
        command.args(["--rounds", &rounds.to_string()]).current_dir(places::root());
        if let Some(rows) = rows {
            command.args(["--rows", rows]);
        }
        command.env("CARGO", process::cargo([]).get_program());
        process::run(command)?;
        // After every crate: a run that is stopped keeps what it has.
        write_page()?;
    }
    Ok(())
}

/// Names of the files in a folder of the workspace that end so, without the ending, sorted.
fn names(folder: &str, ending: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(places::root().join(folder))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(ending).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}
