//! Binaries and tests find libtorch and MPI by rpath: nobody has to set LD_LIBRARY_PATH.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for library in ["DEP_TCH_LIBTORCH_LIB", "DEP_VARIATA_MPI_LIB"] {
        if let Ok(lib) = std::env::var(library) {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
        }
    }
}
