//! Settings of the experiment.

use anyhow::{Result, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use variata_models::{
    Architecture, AutoencoderConfig, BottleneckConfig, ComputeConfig, Cost, KlConfig, ObservationConfig,
    Prior, RegularizerConfig,
};

use super::models::{Method, Variant};
use crate::settings::{
    ClassifierSettings, DataConfig, Training, check_counts, check_distinct, check_numbers,
};

/// Everything that a preset may set. What the paper leaves out is as in the same authors' other code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SlicedConfig {
    /// Number of seeds; 3.
    pub seeds: usize,
    /// Training steps of each autoencoder, rounded to whole epochs, at least one; 3000.
    pub steps: u64,
    /// Latent size; 20, as in the paper for MNIST.
    pub latent: i64,
    /// Directions of a sliced distance, drawn anew at each step; 50.
    pub directions: usize,
    /// The prior; N(0, I).
    pub prior: Prior,
    /// How the distance enters the objective of the compared models; its logarithm.
    pub cost: Cost,
    /// Weights λ that are tried beside it; 0.1, 1, 10, 100, 1000.
    pub weights: Vec<f64>,
    /// The models that they are tried on; SCFWAE, SCWAE, SCvMAE.
    pub searched: Vec<Method>,
    /// Networks; three layers of 200, as in the paper for MNIST.
    pub architecture: Architecture,
    /// How the networks compute.
    pub compute: ComputeConfig,
    /// Optimiser of the autoencoders and of the classifier.
    pub training: Training,
    /// Batches and splits.
    pub data: DataConfig,
    /// The classifier whose features Fréchet distances are measured in.
    pub classifier: ClassifierSettings,
    /// What is measured.
    pub measure: MeasureConfig,
}

/// What is measured, on how much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MeasureConfig {
    /// Test images, and validation images during training, at the most; 10,000.
    pub images: usize,
    /// Images drawn from each model for a Fréchet distance; 1000, and a half of them during training.
    pub samples: usize,
    /// Directions of the sliced W₂ distance that models are compared by; 200, the same for all.
    pub directions: usize,
    /// Draws of directions and prior over which the variance of a gradient is taken; 200.
    pub gradients: usize,
}

impl Default for MeasureConfig {
    fn default() -> Self {
        Self { images: 10_000, samples: 1000, directions: 200, gradients: 200 }
    }
}

impl Default for SlicedConfig {
    fn default() -> Self {
        Self {
            seeds: 3,
            steps: 3000,
            latent: 20,
            directions: 50,
            prior: Prior::default(),
            cost: Cost::default(),
            weights: vec![0.1, 1.0, 10.0, 100.0, 1000.0],
            searched: vec![Method::Scfwae, Method::Scwae, Method::Scvmae],
            architecture: Architecture::Mlp { hidden: vec![200; 3] },
            compute: ComputeConfig::default(),
            training: Training::default(),
            data: DataConfig { batch_size: 128, ..DataConfig::default() },
            classifier: ClassifierSettings::default(),
            measure: MeasureConfig::default(),
        }
    }
}

impl SlicedConfig {
    /// Refuses what the models would not notice.
    ///
    /// # Errors
    /// A setting is outside its range; the message names it.
    pub fn check(&self) -> Result<()> {
        let m = &self.measure;
        check_counts(&[
            ("seeds", self.seeds as u64, 1, 1000),
            ("steps", self.steps, 1, 1_000_000_000),
            ("directions", self.directions as u64, 1, 1_000_000),
            ("classifier.steps", self.classifier.steps, 1, 1_000_000_000),
            ("measure.images", m.images as u64, 20, 1_000_000),
            ("measure.samples", m.samples as u64, 20, 1_000_000),
            ("measure.directions", m.directions as u64, 2, 1_000_000),
            ("measure.gradients", m.gradients as u64, 2, 1_000_000),
        ])?;
        let trainings = [("steps", self.steps), ("classifier.steps", self.classifier.steps)];
        self.training.check("training", &trainings)?;
        check_numbers(&[("latent", self.latent as f64, (1..=4096).contains(&self.latent), "in 1..=4096")])?;
        self.data.check()?;
        let Prior::Normal { scale } = self.prior else {
            bail!(
                "`prior` is {:?}, must be normal: most of the models measure the distance from it",
                self.prior
            );
        };
        check_numbers(&[("prior.scale", scale, scale > 0.0, "finite and > 0")])?;
        if self.searched.contains(&Method::Ae) {
            bail!("`searched` has ae, which has no weight, must be others");
        }
        check_distinct("searched", &self.searched, |method| method.name())?;
        for weight in &self.weights {
            if !(*weight > 0.0 && weight.is_finite()) {
                bail!("`weights` has {weight}, must be finite and > 0");
            }
        }
        check_distinct("weights", &self.weights, |weight| *weight)
    }

    /// The term of a model, `None` for the plain autoencoder.
    pub(super) fn regularizer(&self, variant: Variant) -> Option<RegularizerConfig> {
        let distance = variant.method.distance(self.directions)?;
        Some(RegularizerConfig { distance, cost: variant.cost, prior: self.prior })
    }

    /// An autoencoder with this experiment's parts.
    pub(super) fn autoencoder(&self, variant: Variant) -> AutoencoderConfig {
        AutoencoderConfig {
            architecture: self.architecture.clone(),
            latent: self.latent,
            bottleneck: BottleneckConfig::Deterministic,
            observation: ObservationConfig::SquaredError,
            kl: KlConfig { weight: 0.0, ..KlConfig::default() },
            regularizer: self.regularizer(variant),
            compute: self.compute,
            ..AutoencoderConfig::default()
        }
    }

    /// The standard deviation of the prior.
    pub(super) fn scale(&self) -> f64 {
        match self.prior {
            Prior::Normal { scale } => scale,
            _ => 1.0,
        }
    }
}
