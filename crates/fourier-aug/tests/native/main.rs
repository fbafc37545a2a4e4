//! Tests of the crate without libtorch.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod augmix;
mod calibration;
mod corruption;
mod heatmap;
mod jsd;
mod operation;
#[cfg(feature = "png")]
mod png;
mod wave;
