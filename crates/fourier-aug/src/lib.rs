#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod element;
mod error;

// Waves.
mod wave;

// Images.
mod augmix;
mod image;
mod operation;

pub use augmix::{
    AugMix, AugMixOptions, AugmentationSet, Depth, FlipCrop, Normalize, Pipeline, WeightedOperation,
    dirichlet,
};
pub use element::Element;
pub use error::Error;
pub use image::{Image, Layout};
pub use operation::{Operation, Primitive};
pub use wave::{FrequencyWeights, Grid, PlaneWave, PlaneWaves, WaveSampler, WaveSamplerOptions, WaveVector};
