//! Settings of the experiment.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use variata_models::train::{AdamConfig, Schedule, TrainConfig};
use variata_models::{Architecture, AutoencoderConfig, BottleneckConfig, KlConfig, ObservationConfig};

/// Everything that a preset may set. The tutorial gives no settings at all (facts §0): these are ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VaeConfig {
    /// Number of seeds; 3.
    pub seeds: usize,
    /// Training steps of each autoencoder, rounded to whole epochs, at least one; 2000.
    pub steps: u64,
    /// Latent size of the models that are sampled; 8. The latent maps use 2.
    pub latent: i64,
    /// Weight of the KL term in the β-VAE; 2 (4 collapses on 8×8 digits, whose distortion is some 20 nats).
    pub beta: f64,
    /// Steps over which the KL weight rises from 0; 200.
    pub kl_warmup_steps: u64,
    /// Networks of the autoencoders.
    pub architecture: Architecture,
    /// What the decoder's output says about a pixel; Bernoulli.
    pub observation: ObservationConfig,
    /// Optimiser of the autoencoders.
    pub training: Training,
    /// Batches and splits.
    pub data: DataConfig,
    /// The classifier that judges generated images.
    pub classifier: ClassifierSettings,
    /// What is measured.
    pub measure: MeasureConfig,
}

/// Optimiser and schedule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Training {
    /// AdamW; 1e-3.
    pub optimizer: AdamConfig,
    /// Half a cosine after 100 steps of warm-up.
    pub schedule: Schedule,
    /// Steps between checkpoints inside an epoch; 500.
    pub checkpoint_steps: u64,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            optimizer: AdamConfig::default(),
            schedule: Schedule::Cosine { warmup_steps: 100, final_factor: 0.0 },
            checkpoint_steps: 500,
        }
    }
}

/// Batches and splits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Images in a batch; 64.
    pub batch_size: usize,
    /// Share for validation; 0.1.
    pub validation: f64,
    /// Share for tests, where the data has no official test part; 0.2.
    pub test: f64,
    /// Seed of the split; 0. The same for all seeds of a run, so that these differ in training alone.
    pub split_seed: u64,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { batch_size: 64, validation: 0.1, test: 0.2, split_seed: 0 }
    }
}

/// The classifier that judges generated images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierSettings {
    /// Its networks.
    pub architecture: Architecture,
    /// Its training steps, rounded to whole epochs, at least one; 1500.
    pub steps: u64,
}

impl Default for ClassifierSettings {
    fn default() -> Self {
        Self { architecture: Architecture::Mlp { hidden: vec![128, 64] }, steps: 1500 }
    }
}

/// What is measured, on how much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeasureConfig {
    /// Largest number of weights in the importance-weighted bound; 64.
    pub importance_samples: usize,
    /// Test images that bounds, codes and distances are measured on, at the most; 400.
    pub images: usize,
    /// Images drawn for each requested class; 100.
    pub per_class: usize,
    /// Pairs of test images that are interpolated; 200.
    pub pairs: usize,
}

impl Default for MeasureConfig {
    fn default() -> Self {
        Self { importance_samples: 64, images: 400, per_class: 100, pairs: 200 }
    }
}

impl Default for VaeConfig {
    fn default() -> Self {
        Self {
            seeds: 3,
            steps: 2000,
            latent: 8,
            beta: 2.0,
            kl_warmup_steps: 200,
            architecture: Architecture::default(),
            observation: ObservationConfig::default(),
            training: Training::default(),
            data: DataConfig::default(),
            classifier: ClassifierSettings::default(),
            measure: MeasureConfig::default(),
        }
    }
}

impl VaeConfig {
    /// Refuses what the models would not notice.
    ///
    /// # Errors
    /// A count is outside its range; the message names it.
    pub fn check(&self) -> Result<()> {
        let m = &self.measure;
        let counts = [
            ("seeds", self.seeds, 1, 1000),
            ("measure.importance_samples", m.importance_samples, 2, 100_000),
            ("measure.images", m.images, 20, 1_000_000),
            ("measure.per_class", m.per_class, 4, 100_000),
            ("measure.pairs", m.pairs, 8, 100_000),
        ];
        for (name, value, low, high) in counts {
            if !(low..=high).contains(&value) {
                bail!("`{name}` is {value}, must be in {low}..={high}");
            }
        }
        for (name, value) in [("steps", self.steps), ("classifier.steps", self.classifier.steps)] {
            if !(1..=1_000_000_000).contains(&value) {
                bail!("`{name}` is {value}, must be in 1..=1000000000");
            }
        }
        if matches!(self.observation, ObservationConfig::SquaredError) {
            bail!("`observation` is squared_error, must be a density: the bounds need one");
        }
        Ok(())
    }

    /// An autoencoder with this experiment's parts.
    pub(super) fn autoencoder(&self, variant: super::models::Variant) -> AutoencoderConfig {
        use super::models::Variant as V;
        let plain = AutoencoderConfig {
            architecture: self.architecture.clone(),
            latent: if variant.is_map() { 2 } else { self.latent },
            bottleneck: BottleneckConfig::default(),
            observation: self.observation,
            conditional: false,
            distortion_weight: 1.0,
            kl: KlConfig { weight: 1.0, warmup_steps: self.kl_warmup_steps },
        };
        match variant {
            V::Map | V::Vae => plain,
            V::MapDistortion => AutoencoderConfig { kl: KlConfig { weight: 0.0, warmup_steps: 0 }, ..plain },
            V::MapKl => AutoencoderConfig {
                distortion_weight: 0.0,
                kl: KlConfig { weight: 1.0, warmup_steps: 0 },
                ..plain
            },
            V::Ae => AutoencoderConfig { bottleneck: BottleneckConfig::Deterministic, ..plain },
            V::Beta => AutoencoderConfig { kl: KlConfig { weight: self.beta, ..plain.kl }, ..plain },
            V::Cvae => AutoencoderConfig { conditional: true, ..plain },
        }
    }

    /// A training run of `steps` on epochs of `per_epoch` batches.
    pub(super) fn training(&self, steps: u64, per_epoch: usize) -> TrainConfig {
        let per_epoch = per_epoch.max(1) as u64;
        // To the nearest: rounded up, 2000 steps of Fashion-MNIST would be 2532.
        let epochs = (steps.saturating_add(per_epoch / 2) / per_epoch).max(1);
        TrainConfig {
            epochs,
            optimizer: self.training.optimizer,
            schedule: self.training.schedule,
            checkpoint_steps: self.training.checkpoint_steps,
            // At most some forty points on a curve.
            validate_epochs: epochs.div_ceil(40),
        }
    }
}
