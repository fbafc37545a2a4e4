//! `cargo xtask package`: each crate as a stranger gets it, packed, unpacked outside the workspace and used from there.

mod consumer;
mod contents;
mod deny;
mod features;
mod readme;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::lock::Lock;
use crate::metadata::{self, Package};
use crate::{places, process};

/// Packs, checks what was packed, runs the README examples from the packages, and checks the crates without features or, in the
/// `long` run, with every set of them.
pub(crate) fn run(long: bool) -> Result<()> {
    let start = Instant::now();
    let members = metadata::members()?;
    let published: Vec<&Package> = members.iter().filter(|member| member.publishable).collect();

    let mut breaches = contents::manifests(&members);
    breaches.extend(rust_versions()?);
    deny::run(long)?;

    let outside = Outside::make()?;
    let packed = pack(&published, &outside.folder)?;
    for package in &published {
        breaches.extend(contents::packed(package, &packed.join(unpacked_name(package)))?);
    }
    if !breaches.is_empty() {
        bail!("{} reasons not to publish:\n  {}", breaches.len(), breaches.join("\n  "));
    }

    let mut programs = 0;
    let native = published.iter().filter(|package| !package.needs_torch(&members));
    let native: Vec<&Package> = native.copied().collect();
    // One for all, below the workspace's, so that what they share is built once.
    let target = metadata::folders()?.target.join("consumers");
    for package in &native {
        programs += consumer::run(package, &published, &packed, &outside.folder, &target)?;
    }
    let consumed = process::elapsed(start);
    let sets = features::check(&native, long)?;
    println!(
        "package: {} crates are packed; {programs} examples of the READMEs of {} crates work from the packages, without \
         libtorch ({}); {sets} sets of features compile ({} in all)",
        published.len(),
        native.len(),
        consumed,
        process::elapsed(start),
    );
    Ok(())
}

/// A folder outside the workspace, in the user's cache; one for each checkout, so that a run that was stopped leaves no more than
/// the next one takes away. Removed when dropped.
#[derive(Debug)]
struct Outside {
    folder: PathBuf,
    _lock: Lock,
}

impl Outside {
    fn make() -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        places::root().hash(&mut hasher);
        let folder = places::cache()?.join(format!("package-{:016x}", hasher.finish()));
        let lock = Lock::take(&folder.with_extension("lock"))?;
        Ok(Self { folder: places::emptied(folder)?, _lock: lock })
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        // What remains goes with the next run.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn unpacked_name(package: &Package) -> String {
    format!("{}-{}", package.name, package.version)
}

/// Packs the crates, together because they depend on each other, and unpacks them below `outside`; returns the folder that
/// holds them all.
fn pack(published: &[&Package], outside: &Path) -> Result<PathBuf> {
    // Not verified by cargo, which would build those that need libtorch as well; the consumers build the others.
    let mut command = process::cargo(["package", "--no-verify", "--allow-dirty", "--quiet", "--target-dir"]);
    command.arg(outside.join("target"));
    for package in published {
        command.args(["--package", &package.name]);
    }
    process::run(command)?;
    let packed = outside.join("packages");
    std::fs::create_dir_all(&packed)?;
    for package in published {
        let archive = outside.join("target/package").join(format!("{}.crate", unpacked_name(package)));
        let mut unpack = Command::new("tar");
        // With the time of now: all archives bear the same, by which cargo would take changed files for those it built before.
        unpack.arg("-xzmf").arg(archive).arg("-C").arg(&packed);
        process::capture(&mut unpack)?;
    }
    Ok(packed)
}

/// Packages that need a newer Rust than the workspace says it needs. That this Rust is enough shows in whatever is built with it,
/// so another one is said.
fn rust_versions() -> Result<Vec<String>> {
    let root = std::fs::read_to_string(places::root().join("Cargo.toml"))?;
    let Some(own) = root.lines().find_map(|line| line.strip_prefix("rust-version = ")) else {
        return Ok(vec!["Cargo.toml: no `rust-version`".to_owned()]);
    };
    let own = own.trim_matches('"');
    let compiler = process::rustc(&["--version"])?;
    if !compiler.starts_with(&format!("rustc {own}.")) {
        println!("this is {}: it does not show that Rust {own} is enough", compiler.trim());
    }
    Ok(newer(&metadata::rust_versions()?, own))
}

fn newer(packages: &[(String, String, String)], own: &str) -> Vec<String> {
    let number = |version: &str| -> Vec<u32> { version.split('.').map(|n| n.parse().unwrap_or(0)).collect() };
    let newer = packages.iter().filter(|(_, _, needed)| {
        let (mut needed, mut own) = (number(needed), number(own));
        needed.resize(3, 0);
        own.resize(3, 0);
        needed > own
    });
    newer
        .map(|(name, version, needed)| {
            format!("{name} {version} needs Rust {needed}, the workspace says {own}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::newer;

    #[test]
    fn packages_that_need_a_newer_rust_are_found() {
        let package = |name: &str, needed: &str| (name.to_owned(), "1.0.0".to_owned(), needed.to_owned());
        let all = [package("a", "1.95"), package("b", "1.95.1"), package("c", "1.100"), package("d", "1.9")];
        let expect = [
            "b 1.0.0 needs Rust 1.95.1, the workspace says 1.95",
            "c 1.0.0 needs Rust 1.100, the workspace says 1.95",
        ];
        assert_eq!(newer(&all, "1.95"), expect);
    }
}
