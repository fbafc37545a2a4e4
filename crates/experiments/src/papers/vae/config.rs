//! Settings of the experiment.

use anyhow::{Result, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use variata_models::{
    Architecture, AutoencoderConfig, BottleneckConfig, ComputeConfig, KlConfig, ObservationConfig,
};

use crate::settings::{ClassifierSettings, DataConfig, Training, check_counts, check_numbers, check_warmup};

/// Everything that a preset may set. The tutorial gives no settings at all: these are ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Steps over which the KL weight rises from 0, at most `steps`; 200.
    pub kl_warmup_steps: u64,
    /// Networks of the autoencoders.
    pub architecture: Architecture,
    /// How the networks compute.
    pub compute: ComputeConfig,
    /// What the decoder's output says about a pixel; Bernoulli.
    pub observation: ObservationConfig,
    /// Optimiser of the autoencoders and of the classifier.
    pub training: Training,
    /// Batches and splits.
    pub data: DataConfig,
    /// The classifier that judges generated images.
    pub classifier: ClassifierSettings,
    /// What is measured.
    pub measure: MeasureConfig,
}

/// What is measured, on how much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
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
            compute: ComputeConfig::default(),
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
        check_counts(&[
            ("seeds", self.seeds as u64, 1, 1000),
            ("measure.importance_samples", m.importance_samples as u64, 2, 100_000),
            ("measure.images", m.images as u64, 20, 1_000_000),
            ("measure.per_class", m.per_class as u64, 4, 100_000),
            ("measure.pairs", m.pairs as u64, 8, 100_000),
            ("steps", self.steps, 1, 1_000_000_000),
            ("classifier.steps", self.classifier.steps, 1, 1_000_000_000),
        ])?;
        check_numbers(&[("beta", self.beta, self.beta >= 0.0, "finite and >= 0")])?;
        if matches!(self.observation, ObservationConfig::SquaredError) {
            bail!("`observation` is squared_error, must be a density: the bounds need one");
        }
        check_warmup("kl_warmup_steps", self.kl_warmup_steps, &[("steps", self.steps)])?;
        self.data.check()?;
        check_numbers(&[("latent", self.latent as f64, (1..=4096).contains(&self.latent), "in 1..=4096")])?;
        self.training.check("training", &[("steps", self.steps), ("classifier.steps", self.classifier.steps)])
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
            kl: KlConfig { weight: 1.0, warmup_steps: self.kl_warmup_steps, constraint: None },
            compute: self.compute,
            ..AutoencoderConfig::default()
        };
        match variant {
            V::Map | V::Vae => plain,
            V::MapDistortion => {
                AutoencoderConfig { kl: KlConfig { weight: 0.0, warmup_steps: 0, constraint: None }, ..plain }
            }
            V::MapKl => AutoencoderConfig {
                distortion_weight: 0.0,
                kl: KlConfig { weight: 1.0, warmup_steps: 0, constraint: None },
                ..plain
            },
            V::Ae => AutoencoderConfig { bottleneck: BottleneckConfig::Deterministic, ..plain },
            V::Beta => AutoencoderConfig { kl: KlConfig { weight: self.beta, ..plain.kl }, ..plain },
            V::Cvae => AutoencoderConfig { conditional: true, ..plain },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::VaeConfig;

    #[test]
    fn a_warm_up_is_no_longer_than_the_training() {
        let with = |steps, kl_warmup_steps| {
            let config = VaeConfig { steps, kl_warmup_steps, ..VaeConfig::default() };
            config.check().map_err(|error| error.to_string())
        };
        with(200, 200).unwrap();
        let error = with(199, 200).unwrap_err();
        assert_eq!(error, "`kl_warmup_steps` is 200, must be at most `steps`, 199");
        // That of the optimiser, by default 100.
        let error = with(99, 0).unwrap_err();
        assert_eq!(error, "`training.schedule.warmup_steps` is 100, must be at most `steps`, 99");
    }
}
