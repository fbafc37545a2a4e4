//! Tests of the crate without libtorch.

mod calibration;
mod corruption;
mod heatmap;
mod jsd;
