//! Binaries and tests find MPI by rpath, and know the launcher that belongs to it.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=MPICC");
    let mpicc = std::env::var("MPICC").unwrap_or_else(|_| "mpicc".to_owned());
    // Without it the build script of `mpi-sys` has said what is missing.
    let Ok(output) = Command::new(&mpicc).arg("-show").output() else { return };
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    for lib in shown.split_whitespace().filter_map(|word| word.strip_prefix("-L")) {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
        println!("cargo:lib={lib}");
    }
    let beside = Path::new(&mpicc).with_file_name("mpiexec");
    let launcher = if beside.is_file() { beside.display().to_string() } else { "mpiexec".to_owned() };
    println!("cargo:rustc-env=VARIATA_MPIEXEC={launcher}");
    if let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
}
