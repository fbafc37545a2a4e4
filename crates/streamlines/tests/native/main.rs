//! Tests of the crate, as one binary.

#![expect(clippy::unwrap_used, reason = "in a test a failure is a panic")]

mod bad_input;
mod bundles;
mod clusters;
mod determinism;
mod distances;
mod files;
mod folder;
mod fuzz;
mod golden;
mod group;
mod headers;
mod memory;
mod normalization;
mod resample;
mod streamlines;
mod support;
mod tractogram;
mod truncation;
mod writing;
