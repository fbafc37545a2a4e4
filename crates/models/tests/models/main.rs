//! Parts in every combination, noise, training, and what may go wrong on the way: bad numbers, bad files, crashes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod agreement;
mod checkpoints;
mod classifier;
mod composition;
mod compute;
mod constraints;
mod crash;
mod errata;
mod kill;
mod maps;
mod noise;
mod normal;
mod regularizer;
mod residual;
mod training;
mod workers;

use std::sync::Arc;

use variata_datasets::{ImageDataset, Loader, LoaderOptions, digits};
use variata_models::tch::Device;
use variata_models::{Architecture, Autoencoder, AutoencoderConfig, ImageShape};

const DIGIT: ImageShape = ImageShape { channels: 1, height: 8, width: 8 };

/// Batches of the first `n` digits.
fn loader(n: usize, batch_size: usize) -> Loader {
    let data: Arc<ImageDataset> = Arc::new(digits());
    let options = LoaderOptions { batch_size, seed: 5, ..LoaderOptions::default() };
    Loader::new(data, (0..n).collect::<Vec<_>>(), options).unwrap()
}

fn tiny_config() -> AutoencoderConfig {
    AutoencoderConfig { architecture: Architecture::Mlp { hidden: vec![12] }, ..AutoencoderConfig::default() }
}

fn tiny(seed: u64) -> Autoencoder {
    Autoencoder::new(&tiny_config(), DIGIT, 10, seed, Device::Cpu).unwrap()
}

/// All tensors of a model as bits.
fn bits(model: &impl variata_models::train::Trainable) -> Vec<u32> {
    model
        .parameters()
        .iter()
        .flat_map(|(_, t)| {
            let flat = variata_torch_bridge::tensor_into_array::<f32>("t", t).unwrap();
            flat.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        })
        .collect()
}
