#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod autoencoder;
mod bottleneck;
mod classifier;
mod condition;
mod config;
mod error;
mod evaluate;
pub mod nn;
mod noise;
mod objective;
mod observation;
mod parameters;
pub mod train;

pub use autoencoder::{Autoencoder, Encoding};
pub use bottleneck::{Bottleneck, BottleneckConfig, Code};
pub use classifier::{Classifier, ClassifierConfig};
pub use condition::Condition;
pub use config::{Architecture, AutoencoderConfig, ImageShape, KlConfig};
pub use error::Error;
pub use evaluate::{Bounds, bounds, log_weights};
pub use noise::{Noise, Purpose};
pub use objective::{Objective, Term};
pub use observation::{Observation, ObservationConfig, Scale};
pub use parameters::{Init, Parameters, Path};

/// The binding and the device choice, so that a user's versions cannot differ from ours.
pub use variata_torch_bridge::{DeviceChoice, tch};
