//! `cargo xtask test`: conventions, then every crate's tests, with and without libtorch.
//!
//! One target folder and one profile throughout, and the same LIBTORCH, so that nothing is built twice.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::process::{self, Tally};
use crate::{golden, places, setup, tidy};

/// Runs everything; the last line says what ran and adds the tests up.
pub(crate) fn run(long: bool) -> Result<()> {
    let start = Instant::now();
    let crates = places::crates()?;
    tidy::run()?;
    setup::ensure(false)?;
    let mut tally = Tally::default();

    // What `cargo test` runs right after a clone: all that needs no libtorch.
    tally += process::run_tests(cargo(long, &["test"]))?;

    // Each crate alone: in the runs above and below, features of one crate reach the others.
    for name in &crates {
        let package = format!("variata-{name}");
        process::run(cargo(long, &["check", "--package", &package]))?;
    }
    for package in ["variata-distributions", "variata-lowrank-mvn", "variata-sliced", "variata-quantize"] {
        process::run(cargo(long, &["check", "--package", package, "--no-default-features"]))?;
    }

    let with_torch = places::torch_crates()?;
    let packages: Vec<String> = with_torch.iter().map(|name| format!("--package=variata-{name}")).collect();
    let mut args = vec!["test", "--all-features"];
    args.extend(packages.iter().map(String::as_str));
    tally += process::run_tests(cargo(long, &args))?;

    if long {
        golden::run(true, None)?;
    }
    if tally.passed == 0 || tally.failed > 0 {
        bail!("the tests ended well but reported {} passed, {} failed", tally.passed, tally.failed);
    }
    println!(
        "xtask test: conventions, default members, {} crates each alone, and {} with libtorch{}; doc tests included",
        crates.len(),
        with_torch.join(", "),
        if long { ", release mode, 10000 cases a property, golden tables" } else { "" },
    );
    println!(
        "test result: ok. {} passed; {} failed; {} ignored; 0 measured; 0 filtered out; finished in {:.2}s",
        tally.passed,
        tally.failed,
        tally.ignored,
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// A cargo command in the profile and with the variables of this kind of run.
fn cargo(long: bool, args: &[&str]) -> std::process::Command {
    let mut command = process::cargo(args.iter().copied());
    if long {
        command.arg("--release").env("PROPTEST_CASES", "10000").env("VARIATA_LONG", "1");
    }
    command
}
