#![doc = include_str!("../README.md")]

mod error;

mod calibration;
mod corruption;
mod heatmap;
mod jsd;

pub use error::Error;

pub use calibration::{
    Bin, Binning, Bootstrap, BrierDecomposition, Interval, Predictions, Reliability, Statistic,
    brier_decomposition, brier_score,
};
pub use corruption::{Corruption, CorruptionGroup, CorruptionPixel, corrupt};
pub use heatmap::{
    Alignment, Heatmap, HeatmapOptions, HeatmapProgress, HeatmapRun, HeatmapState, Picture, pooled,
};
pub use jsd::{ConsistencyLoss, JSD_WEIGHT, consistency_loss, consistency_loss_with_grad};
pub use variata_distributions::{
    jensen_shannon_batch, jensen_shannon_batch_probabilities, jensen_shannon_batch_with_grad,
    jensen_shannon_batch_with_grad_into,
};
