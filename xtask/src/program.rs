//! `cargo xtask reproduce` and `studio`: set-up, build, then the program `variata` with the arguments as they are.

use anyhow::Result;

use crate::{process, setup};

/// Runs a command of the program; its exit code becomes ours.
pub(crate) fn run(command: &str, args: &[String]) -> Result<()> {
    setup::ensure(false)?;
    let mut program = vec!["run", "--release", "--package", "variata-experiments", "--bin", "variata"];
    if args.iter().any(|arg| arg == "--workers" || arg.starts_with("--workers=")) {
        setup::ensure_mpi()?;
        program.extend(["--features", "mpi"]);
    }
    program.extend(["--", command]);
    process::run(process::cargo(program.into_iter().chain(args.iter().map(String::as_str))))
}
