//! Builds the C++ shim against the headers that torch-sys was built against, and sets the rpath.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=shim/shim.cpp");
    let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") else {
        println!("cargo::error=libtorch was not found: run `cargo xtask setup`, or set LIBTORCH");
        return;
    };
    let mut include = PathBuf::from(&lib);
    include.pop();
    include.push("include");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .pic(true)
        .warnings(false)
        .flag_if_supported("-Wno-unused-parameter")
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .file("shim/shim.cpp")
        .compile("variata_torch_shim");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
}
