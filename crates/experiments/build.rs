//! Binaries and tests find libtorch and MPI by rpath: nobody has to set LD_LIBRARY_PATH. Reports name the commit that was built.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for library in ["DEP_TCH_LIBTORCH_LIB", "DEP_VARIATA_MPI_LIB"] {
        if let Ok(lib) = std::env::var(library) {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
        }
    }
    if let Some(commit) = commit() {
        println!("cargo:rustc-env=VARIATA_COMMIT={commit}");
    }
}

/// The commit checked out, twelve digits, with `+` where tracked files that are built were changed; none where there is no git or no repository.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("--no-optional-locks").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    // The head changes by a checkout, what it names by a commit, and what is built by hand.
    for name in ["HEAD", "refs/heads", "packed-refs"] {
        let place = git(&["rev-parse", "--git-path", name]);
        if let Some(place) = place.filter(|place| Path::new(place).exists()) {
            println!("cargo:rerun-if-changed={place}");
        }
    }
    let built =
        ["..", "../../Cargo.toml", "../../Cargo.lock"].into_iter().filter(|place| Path::new(place).exists());
    let built: Vec<&str> = built.collect();
    for place in &built {
        println!("cargo:rerun-if-changed={place}");
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let status = [&["status", "--porcelain", "--untracked-files=no", "--"][..], &built].concat();
    let changed = git(&status).is_some_and(|changes| !changes.is_empty());
    Some(if changed { commit + "+" } else { commit })
}
