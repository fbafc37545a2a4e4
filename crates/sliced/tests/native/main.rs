//! Tests that need no libtorch.

mod analytic;
mod directions;
mod errata;
mod errors;
mod golden;
mod gradients;
mod layouts;
mod null;
mod support;
