//! Tests of the report crate: one binary.
#![allow(missing_docs, reason = "tests")]

mod claims;
mod metrics;
mod output;
mod page;
mod pictures;
mod plots;
mod tables;
mod xml;
