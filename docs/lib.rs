//! The Rust of the book's pages and of the README at the root as documentation tests, so that what they show
//! compiles: `cargo test --package variata-book`.
//!
//! `build.rs` collects it. What a page includes from an example is left out, because it is compiled there.

#[cfg(doctest)]
include!(concat!(env!("OUT_DIR"), "/pages.rs"));
