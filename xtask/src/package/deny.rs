//! cargo-deny: licences, sources and bans of all that is depended on, by `deny.toml`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::{pins, places, process};

/// Runs cargo-deny; where there is none, the long run builds the pinned one into the cache and the short one says so.
pub(super) fn run(long: bool) -> Result<()> {
    let Some(program) = program(long)? else {
        println!(
            "cargo-deny was not run: there is none (cargo install cargo-deny --version {}, or --long)",
            pins::CARGO_DENY
        );
        return Ok(());
    };
    let mut command = Command::new(program);
    command.env("CARGO", process::cargo([]).get_program()).current_dir(places::root());
    // Advisories are a repository of their own that changes without us: whoever has it at hand asks for them.
    command.args(["--all-features", "check", "bans", "licenses", "sources"]);
    process::run(command)
}

/// cargo-deny on PATH or in the cache; built if `build`.
fn program(build: bool) -> Result<Option<PathBuf>> {
    if Command::new("cargo-deny").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Ok(Some("cargo-deny".into()));
    }
    let home = places::cache()?.join(format!("cargo-deny-{}", pins::CARGO_DENY));
    let program = home.join("bin/cargo-deny");
    if program.is_file() {
        return Ok(Some(program));
    }
    if !build {
        return Ok(None);
    }
    eprintln!("   cargo-deny is built once; that takes some minutes");
    let mut install =
        process::cargo(["install", "cargo-deny", "--version", pins::CARGO_DENY, "--locked", "--root"]);
    install.arg(&home);
    process::run(install)?;
    Ok(Some(program))
}
