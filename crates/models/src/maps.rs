//! Autoencoders whose code is a map of vectors: AE, VAE, VQ-VAE, VQ-EMA and VQ-Diff share encoder and decoder.

mod autoencoder;
mod bottleneck;
mod config;
mod ema;
mod gaussian;

pub use autoencoder::{MapAutoencoder, MapDraw};
pub use bottleneck::MapCode;
pub use config::{
    Anneal, EmaConfig, EmaRule, GaussianMapConfig, GumbelConfig, MapBottleneckConfig, MapConfig, VqConfig,
};
