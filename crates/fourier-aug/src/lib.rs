#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod element;
mod error;
#[cfg(feature = "serde")]
mod unbounded;

// Waves.
mod heatmap;
#[cfg(feature = "png")]
mod png;
mod wave;

// Images.
mod augmix;
mod corruption;
mod image;
mod operation;
mod random;

// Classifiers.
mod calibration;
mod jsd;

#[cfg(feature = "torch")]
pub mod torch;

pub use augmix::{
    AugMix, AugMixOptions, AugmentationSet, Depth, FlipCrop, Normalize, Pipeline, WeightedOperation,
};
pub use calibration::{
    Bin, Binning, Bootstrap, BrierDecomposition, Interval, Predictions, Reliability, Statistic,
    brier_decomposition, brier_score, classwise_ece, fit_temperature, negative_log_likelihood,
};
pub use corruption::{Corruption, CorruptionGroup, CorruptionPixel, corrupt};
pub use element::Element;
pub use error::Error;
pub use heatmap::{
    Alignment, Heatmap, HeatmapOptions, HeatmapProgress, HeatmapRun, HeatmapState, Picture, pooled,
};
pub use image::{Image, Layout};
pub use jsd::{ConsistencyLoss, JSD_WEIGHT, consistency_loss, consistency_loss_with_grad};
pub use operation::{Action, Operation, Primitive};
#[cfg(feature = "png")]
pub use png::write_png;
pub use random::dirichlet;
pub use variata_distributions::{
    jensen_shannon_batch, jensen_shannon_batch_probabilities, jensen_shannon_batch_with_grad,
    jensen_shannon_batch_with_grad_into,
};
pub use wave::{FrequencyWeights, Grid, PlaneWave, WaveSampler, WaveSamplerOptions, WaveVector};
