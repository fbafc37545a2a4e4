//! A model of one's own in the trainer: a linear autoencoder with eight numbers for each digit.
//!
//! ```text
//! cargo run --release -p variata-models --example own_model
//! ```

use std::sync::Arc;

use variata_datasets::{Batch, Loader, LoaderOptions, SplitOptions, Splits, digits};
use variata_models::nn::Linear;
use variata_models::tch::{Device, Kind, Tensor};
use variata_models::train::{CheckpointStore, StepContext, TrainConfig, Trainable, Trainer};
use variata_models::{Error, Init, Noise, Objective, Parameters, Term};
use variata_torch_bridge::tensor_from_array;

struct LinearAutoencoder {
    parameters: Parameters,
    encoder: Linear,
    decoder: Linear,
}

impl LinearAutoencoder {
    fn new(pixels: i64, codes: i64, seed: u64) -> Result<Self, Error> {
        let mut parameters = Parameters::new(Noise::new(seed), Device::Cpu);
        let mut root = parameters.root();
        let encoder = Linear::new(&mut root.sub("encoder"), pixels, codes, Init::torch(pixels))?;
        let decoder = Linear::new(&mut root.sub("decoder"), codes, pixels, Init::torch(codes))?;
        Ok(Self { parameters, encoder, decoder })
    }

    /// The mean over the batch of the squared error of an image.
    fn squared_error(&self, batch: &Batch) -> Result<Tensor, Error> {
        let x = tensor_from_array(batch.images.clone())?.flatten(1, -1);
        let error: Tensor = self.decoder.forward(&self.encoder.forward(&x)?)? - x;
        Ok(error.square().sum(Kind::Float) / batch.len() as f64)
    }
}

impl Trainable for LinearAutoencoder {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn objective(&self, batch: &Batch, _context: &StepContext) -> Result<Objective, Error> {
        let error = self.squared_error(batch)?;
        Ok(Objective { terms: vec![Term::weighted("squared_error", error, 1.0)] })
    }

    fn validate(&self, batch: &Batch, _context: &StepContext) -> Result<Vec<(&'static str, f64)>, Error> {
        Ok(vec![("squared_error", self.squared_error(batch)?.double_value(&[]))])
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = Arc::new(digits());
    let splits = Splits::new(&data, &SplitOptions::default())?;
    let train = Loader::new(data.clone(), splits.train, LoaderOptions::default())?;
    let validation = Loader::new(data, splits.validation, LoaderOptions::default())?;
    let model = LinearAutoencoder::new(64, 8, 0)?;
    let config = TrainConfig { epochs: 20, ..TrainConfig::default() };
    // A folder of your own keeps the checkpoints; run again, the training goes on from the newest.
    let folder = tempfile::tempdir()?;
    let store = CheckpointStore::new(folder.path());
    let outcome = Trainer::new(&model, &train, config, 0)
        .validation(&validation)
        .checkpoints(&store, "linear, 8 codes, seed 0")
        .run()?;
    for record in outcome.history.iter().step_by(5) {
        let error = record.validation("squared_error").unwrap_or(f64::NAN);
        println!("epoch {:2}: squared error of an image {error:.2}", record.epoch);
    }
    let later = LinearAutoencoder::new(64, 8, 1)?;
    later.parameters.load(folder.path())?;
    println!("loaded: {} numbers", later.parameters.count());
    Ok(())
}
