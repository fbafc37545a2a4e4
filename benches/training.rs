//! A model in training, step by step, in a process that keeps freed memory as the program `variata` does.

use std::hint::black_box;
use std::sync::Arc;

use ndarray::Array4;
use variata_datasets::{ArrayDataset, Batch, Examples, ImageDataset, Loader, LoaderOptions, Position};
use variata_models::tch::Device;
use variata_models::train::{AdamConfig, Multipliers, Optimizer, StepContext, Trainable};
use variata_models::{Autoencoder, AutoencoderConfig, Error, ImageShape, MapAutoencoder, MapConfig, Noise};

use crate::{given, spread};

/// A batch of images of random pixels.
fn batch(image: ImageShape, size: usize) -> Batch {
    let [channels, height, width] = image.dims().map(|n| n as usize);
    let pixels = spread(size, channels * height * width, 0.0, 256.0, 1).mapv(|v| v as u8);
    let images = given(Array4::from_shape_vec((size, channels, height, width), pixels.into_iter().collect()));
    let data = Arc::new(given(ImageDataset::new("noise", images, vec![0; size], 1, u8::MAX)));
    whole(data, size)
}

/// All data as one batch.
fn whole(data: impl Into<Examples>, size: usize) -> Batch {
    let options = LoaderOptions { batch_size: size, prefetch: 0, ..LoaderOptions::default() };
    let loader = given(Loader::new(data, (0..size).collect::<Vec<_>>(), options));
    let first = given(loader.epoch(Position::epoch(0))).next();
    given(first.unwrap_or_else(|| unreachable!("an epoch has a batch")))
}

/// A model with its optimiser, its multipliers and a batch.
#[derive(Debug)]
pub struct Training {
    model: Autoencoder,
    adam: Optimizer,
    multipliers: Multipliers,
    batch: Batch,
    number: u64,
}

impl Training {
    /// At its first step, on the CPU.
    pub fn new(config: &AutoencoderConfig, image: ImageShape, batch_size: usize, learning_rate: f64) -> Self {
        let _ = variata_torch_bridge::keep_freed_memory();
        let model = given(Autoencoder::new(config, image, 1, 0, Device::Cpu));
        let settings = AdamConfig { learning_rate, ..AdamConfig::default() };
        let adam = given(Optimizer::new(settings, model.parameters()));
        let batch = batch(image, batch_size);
        Self { model, adam, multipliers: Multipliers::default(), batch, number: 0 }
    }

    /// One step, as the trainer takes it.
    pub fn step(&mut self) {
        let Self { model, adam, multipliers, batch, number } = self;
        let context = StepContext::new(*number, *number, Noise::new(0));
        given(adam.zero_grad());
        let objective = given(model.objective(black_box(batch), &context));
        let values = objective.values();
        let weights: Vec<f64> = objective
            .terms
            .iter()
            .zip(&values)
            .map(|(term, value)| {
                let Some(constraint) = &term.constraint else { return term.weight };
                let weight = term.weight + multipliers.coefficient(term.name, *value, constraint);
                multipliers.ascend(term.name, *value, constraint);
                weight
            })
            .collect();
        if let Some(loss) = objective.loss(&weights) {
            loss.backward();
        }
        given(adam.step(1.0));
        *number += 1;
    }
}

/// An autoencoder of bundles with its optimiser and a batch.
#[derive(Debug)]
pub struct MapTraining {
    model: MapAutoencoder,
    adam: Optimizer,
    batch: Batch,
    number: u64,
}

impl MapTraining {
    /// At its first step, on the CPU, with bundles of 64 streamlines of 64 points.
    pub fn new(config: &MapConfig, batch_size: usize) -> Self {
        let image = ImageShape { channels: 3, height: 64, width: 64 };
        let _ = variata_torch_bridge::keep_freed_memory();
        let model = given(MapAutoencoder::new(config, image, 0, Device::Cpu));
        let adam = given(Optimizer::new(AdamConfig::default(), model.parameters()));
        let values = spread(batch_size, 3 * 64 * 64, -1.0, 1.0, 1).into_iter().collect();
        let values = given(Array4::from_shape_vec((batch_size, 3, 64, 64), values));
        let data = Arc::new(given(ArrayDataset::new("noise", values, vec![0; batch_size])));
        Self { model, adam, batch: whole(data, batch_size), number: 0 }
    }

    /// One step, as the trainer takes it.
    ///
    /// # Errors
    /// Those of the trainer.
    pub fn step(&mut self) -> Result<(), Error> {
        let context = StepContext::new(self.number, self.number, Noise::new(0));
        self.adam.zero_grad()?;
        let objective = self.model.objective(black_box(&self.batch), &context)?;
        black_box(objective.values());
        let weights: Vec<f64> = objective.terms.iter().map(|t| t.weight).collect();
        if let Some(loss) = objective.loss(&weights) {
            loss.backward();
        }
        self.adam.step(1.0)?;
        self.number += 1;
        Ok(())
    }
}
