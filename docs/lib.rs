//! The Rust of the book's pages as documentation tests, so that what a page shows compiles: `cargo test --package variata-book`.
//!
//! `build.rs` collects it. What a page includes from an example is left out, because it is compiled there.

#[cfg(doctest)]
include!(concat!(env!("OUT_DIR"), "/pages.rs"));
