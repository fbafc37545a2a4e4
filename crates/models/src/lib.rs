#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod autoencoder;
mod bottleneck;
mod classifier;
mod condition;
mod config;
mod direct;
mod error;
mod evaluate;
mod maps;
pub mod nn;
mod noise;
mod objective;
mod observation;
mod parameters;
mod regularizer;
pub mod train;

pub use autoencoder::{Autoencoder, Encoding, entropy_floor};
pub use bottleneck::{BottleneckConfig, Code};
pub use classifier::{Classifier, ClassifierConfig, ClassifierTask};
pub use condition::Condition;
pub use config::{
    Architecture, AutoencoderConfig, ComputeConfig, EntropyConfig, EntropyOrigin, ImageShape, KlConfig,
};
pub use direct::DirectNormal;
pub use error::Error;
pub use evaluate::{Bounds, bounds, log_weights};
pub use maps::{
    Anneal, EmaConfig, EmaRule, GaussianMapConfig, GumbelConfig, MapAutoencoder, MapBottleneckConfig,
    MapCode, MapConfig, MapDraw, VqConfig,
};
pub use noise::{Noise, Purpose};
pub use objective::{Objective, Term};
pub use observation::{LowRankDiagonal, Observation, ObservationConfig, Scale};
pub use parameters::{Init, Parameters, Path};
pub use regularizer::{Cost, LatentDistance, Normality, Prior, RegularizerConfig};

/// The binding and the device choice, so that a user's versions cannot differ from ours.
pub use variata_torch_bridge::{DeviceChoice, tch};
