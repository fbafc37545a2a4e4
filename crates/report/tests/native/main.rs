//! Tests of the report crate: one binary.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod claims;
mod index;
mod metrics;
mod output;
mod page;
mod pictures;
mod plots;
mod tables;
mod xml;
