//! `cargo xtask reproduce`, `studio` and `preset`: set-up, build, then the program `variata` with the arguments as they are.

use std::ffi::OsString;

use anyhow::{Context, Result};

use crate::{places, process, setup};

/// Runs a command of the program in the folder where this one was called; its exit code becomes ours.
pub(crate) fn run(command: &str, args: &[OsString]) -> Result<()> {
    setup::ensure(false)?;
    let manifest = places::root().join("Cargo.toml");
    let manifest = manifest.to_str().context("the path of this workspace is no text")?;
    let mut program = vec!["run", "--release", "--manifest-path", manifest];
    program.extend(["--package", "variata-experiments", "--bin", "variata"]);
    let workers = |arg: &OsString| arg == "--workers" || arg.as_encoded_bytes().starts_with(b"--workers=");
    if args.iter().any(workers) {
        setup::ensure_mpi()?;
        program.extend(["--features", "mpi"]);
    }
    program.extend(["--", command]);
    let mut cargo = process::cargo(program);
    cargo.args(args);
    // Relative paths among the arguments are the caller's, as long as cargo finds the workspace's settings from there.
    let here = std::env::current_dir().context("cannot find the present folder")?;
    if here.starts_with(places::root()) {
        cargo.current_dir(here);
    }
    process::become_it(cargo)
}
