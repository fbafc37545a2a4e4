//! Tests that need no libtorch.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod analytic;
mod cramer_wold;
mod directions;
mod errata;
mod errors;
mod far_out;
mod golden;
mod gradients;
mod layouts;
mod null;
mod pairs;
mod support;
mod wasserstein;
