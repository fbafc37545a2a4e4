//! `cargo xtask test`: conventions, then every crate's tests with libtorch and every feature; without libtorch, too, in the long run.
//!
//! One target folder and one profile throughout, and the same LIBTORCH, so that nothing is built twice.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::metadata::{self, Package};
use crate::process::{self, Tally};
use crate::{golden, package, places, setup, tidy};

/// Runs everything; the last line says what ran and adds the tests up.
pub(crate) fn run(long: bool) -> Result<()> {
    let start = Instant::now();
    tidy::run()?;
    setup::workspace(false)?;
    let mut tally = Tally::default();

    // What `cargo test` runs right after a clone: all that needs no libtorch. The same tests are among those below.
    if long {
        tally += process::run_tests(cargo(long, &["test"]))?;
    }

    // Each crate alone: in the run below, features of one crate reach the others. Those that always have libtorch stand on
    // all the rest, and would build its bindings once more. Those that are published are built from their packages, as a
    // stranger gets them.
    let members = metadata::members()?;
    let crates = places::root().join("crates");
    let alone =
        members.iter().filter(|member| member.folder.starts_with(&crates) && !member.needs_torch(&members));
    let alone: Vec<&Package> = alone.collect();
    for package in alone.iter().filter(|member| !member.publishable) {
        process::run(cargo(long, &["check", "--package", &package.name]))?;
    }
    package::run(long)?;

    // The whole workspace, which is what clippy checks: another choice of packages has other features of the bindings' own
    // dependencies, and the bindings would be built again.
    let mut everything = cargo(long, &["test", "--workspace", "--all-features"]);
    // With all features a crate that knows nothing of libtorch is linked with it where another asks for that.
    let libtorch = setup::libraries()?;
    for name in ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
        let given = std::env::var_os(name).unwrap_or_default();
        let given = std::env::split_paths(&given).filter(|folder| !folder.as_os_str().is_empty());
        everything.env(name, std::env::join_paths(std::iter::once(libtorch.clone()).chain(given))?);
    }
    tally += process::run_tests(everything)?;

    if long {
        golden::run(true, None)?;
    }
    if tally.passed == 0 || tally.failed > 0 {
        bail!("the tests ended well but reported {} passed, {} failed", tally.passed, tally.failed);
    }
    println!(
        "xtask test: conventions, {} crates each alone, the published ones from their packages, and all tests with libtorch and every feature{}; \
         doc tests included",
        alone.len(),
        if long {
            ", those of the default members without it, every set of features, release mode, 10000 cases a property, golden tables"
        } else {
            ""
        },
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
