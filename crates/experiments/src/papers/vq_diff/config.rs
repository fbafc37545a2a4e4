//! Settings of the experiment.

use anyhow::{Result, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use variata_models::nn::StridedConfig;
use variata_models::{
    Anneal, ComputeConfig, EmaConfig, GaussianMapConfig, GumbelConfig, MapBottleneckConfig, MapConfig,
    VqConfig,
};
use variata_streamlines::Tract;

use super::models::Method;
use crate::settings::{Training, check_counts, check_distinct, check_numbers, in_table};

/// Everything that a preset may set. Defaults are the paper's, or those of its authors' code, but for the slips of that code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VqDiffConfig {
    /// Number of seeds; 1.
    pub seeds: usize,
    /// Training steps of each model, rounded to whole epochs, at least one; 15,000.
    pub steps: u64,
    /// Validates and measures with the noise of the bottlenecks, as the published code does; no.
    pub noise_in_evaluation: bool,
    /// Temperature at the end of the run in which it falls, beside the paper's constant one; 0.1.
    pub annealed_to: f64,
    /// Share of the steps over which it falls; 0.8.
    pub annealed_over: f64,
    /// Encoder and decoder of all models.
    pub networks: StridedConfig,
    /// How the networks compute.
    pub compute: ComputeConfig,
    /// Bottleneck of the VAE.
    pub vae: GaussianMapConfig,
    /// Bottleneck of VQ-VAE.
    pub vq: VqConfig,
    /// Bottleneck of VQ-EMA.
    pub ema: EmaConfig,
    /// Bottleneck of VQ-Diff.
    pub diff: GumbelConfig,
    /// Optimiser of all models.
    pub training: Training,
    /// Bundles, batches and splits.
    pub data: BundleConfig,
    /// What is measured.
    pub measure: MeasureConfig,
}

/// What a part of the data is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// Whole subjects.
    #[default]
    Subjects,
    /// Data, so that a bundle has its parts on both sides: the published code.
    Chunks,
}

impl SplitBy {
    /// What the tests are made of.
    pub(super) fn tested(self) -> &'static str {
        match self {
            Self::Subjects => "test subjects",
            Self::Chunks => "test data, whose subjects are in the training data as well",
        }
    }

    /// What test data that follow each other, of a tract of a subject, are of each other.
    pub(super) fn parts(self) -> &'static str {
        match self {
            Self::Subjects => "neighbouring parts of one bundle",
            // Those between them may be training data.
            Self::Chunks => "parts of one bundle",
        }
    }
}

/// What the coordinates' smallest and largest number are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NormalizeBy {
    /// The training data.
    #[default]
    Training,
    /// All data: the published code.
    All,
}

impl NormalizeBy {
    pub(super) fn data(self) -> &'static str {
        match self {
            Self::Training => "the training data",
            Self::All => "all data, those of the tests among them",
        }
    }
}

/// Bundles, batches and splits. A datum is 64 streamlines of 64 points of one tract of one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BundleConfig {
    /// Data in a batch; 256.
    pub batch_size: usize,
    /// Share for validation; 0.1.
    pub validation: f64,
    /// Share for tests; 0.2.
    pub test: f64,
    /// Seed of the split; 0. The same for all seeds of a run.
    pub split_seed: u64,
    /// What is split.
    pub split: SplitBy,
    /// What the normalisation is taken from.
    pub normalize: NormalizeBy,
    /// Names of the tracts; the paper's twelve.
    pub tracts: Vec<String>,
    /// Made-up subjects, where no folder is given; 200.
    pub subjects: u64,
    /// Streamlines of a made-up bundle, about; 640.
    pub streamlines: usize,
    /// Seed of the made-up cohort; 0.
    pub cohort: u64,
}

/// What is measured, on how much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MeasureConfig {
    /// Streamlines nearer than this are adjacent, in normalised coordinates; 0.05.
    pub threshold: f64,
    /// Test data of each tract at the most, and validation data during training; 100.
    pub per_tract: usize,
    /// Data of the perturbed tract; 8.
    pub perturbed: usize,
    /// Test data whose latent vectors are mapped; 600.
    pub latents: usize,
    /// Perplexity of t-SNE; 30.
    pub perplexity: f64,
    /// Steps of t-SNE; 1000.
    pub tsne_steps: usize,
    /// Neighbours of the purity; 10.
    pub neighbours: usize,
}

impl Default for VqDiffConfig {
    fn default() -> Self {
        Self {
            seeds: 1,
            steps: 15_000,
            noise_in_evaluation: false,
            annealed_to: 0.1,
            annealed_over: 0.8,
            networks: StridedConfig::default(),
            compute: ComputeConfig::default(),
            vae: GaussianMapConfig::default(),
            vq: VqConfig::default(),
            ema: EmaConfig::default(),
            diff: GumbelConfig::default(),
            training: Training::default(),
            data: BundleConfig::default(),
            measure: MeasureConfig::default(),
        }
    }
}

impl Default for BundleConfig {
    fn default() -> Self {
        Self {
            batch_size: 256,
            validation: 0.1,
            test: 0.2,
            split_seed: 0,
            split: SplitBy::Subjects,
            normalize: NormalizeBy::Training,
            tracts: Tract::PAPER.map(|tract| tract.name().to_owned()).to_vec(),
            subjects: 200,
            streamlines: 640,
            cohort: 0,
        }
    }
}

impl Default for MeasureConfig {
    fn default() -> Self {
        Self {
            threshold: 0.05,
            per_tract: 100,
            perturbed: 8,
            latents: 600,
            perplexity: 30.0,
            tsne_steps: 1000,
            neighbours: 10,
        }
    }
}

impl VqDiffConfig {
    /// Refuses what models and data would not notice.
    ///
    /// # Errors
    /// A setting is outside its range; the message names it.
    pub fn check(&self) -> Result<()> {
        let (d, m) = (&self.data, &self.measure);
        check_counts(&[
            ("seeds", self.seeds as u64, 1, 1000),
            ("steps", self.steps, 1, 1_000_000_000),
            ("data.batch_size", d.batch_size as u64, 1, 1_000_000),
            ("data.subjects", d.subjects, 3, 100_000),
            ("data.streamlines", d.streamlines as u64, 128, 1_000_000),
            ("data.tracts", d.tracts.len() as u64, 2, 256),
            ("measure.per_tract", m.per_tract as u64, 1, 100_000),
            ("measure.perturbed", m.perturbed as u64, 1, 10_000),
            ("measure.latents", m.latents as u64, 10, 5000),
            ("measure.tsne_steps", m.tsne_steps as u64, 1, 100_000),
            ("measure.neighbours", m.neighbours as u64, 1, 1000),
        ])?;
        check_numbers(&[
            ("annealed_to", self.annealed_to, self.annealed_to > 0.0, "finite and > 0"),
            (
                "annealed_over",
                self.annealed_over,
                self.annealed_over > 0.0 && self.annealed_over <= 1.0,
                "in (0, 1]",
            ),
            ("measure.threshold", m.threshold, m.threshold > 0.0, "finite and > 0"),
            ("measure.perplexity", m.perplexity, m.perplexity >= 2.0, "finite and >= 2"),
            ("data.validation", d.validation, d.validation > 0.0 && d.validation < 1.0, "in (0, 1)"),
            (
                "data.test",
                d.test,
                d.test > 0.0 && d.test + d.validation < 1.0,
                "in (0, 1), and less than 1 with the validation",
            ),
        ])?;
        for (table, bottleneck) in [
            ("vae", MapBottleneckConfig::Gaussian(self.vae)),
            ("vq", MapBottleneckConfig::Vq(self.vq)),
            ("ema", MapBottleneckConfig::Ema(self.ema)),
            ("diff", MapBottleneckConfig::GumbelSoftmax(self.diff)),
        ] {
            in_table(table, bottleneck.check())?;
        }
        let (from, to) = (self.diff.temperature, self.annealed_to);
        if to > from {
            bail!("`annealed_to` is {to}, must be at most `diff.temperature`, {from}, from which it falls");
        }
        self.training.check("training", &[("steps", self.steps)])?;
        check_distinct("data.tracts", &d.tracts, Clone::clone)
    }

    /// The model of a method, for a training of so many steps.
    pub(super) fn model(&self, method: Method, steps: u64) -> MapConfig {
        let bottleneck = match method {
            Method::Ae => MapBottleneckConfig::Deterministic,
            Method::Vae => MapBottleneckConfig::Gaussian(self.vae),
            Method::Vq => MapBottleneckConfig::Vq(self.vq),
            Method::VqEma => MapBottleneckConfig::Ema(self.ema),
            Method::VqDiff => MapBottleneckConfig::GumbelSoftmax(self.diff),
            Method::Annealed => {
                let steps = ((steps as f64 * self.annealed_over) as u64).max(1);
                let anneal = Some(Anneal { to: self.annealed_to, steps });
                MapBottleneckConfig::GumbelSoftmax(GumbelConfig { anneal, ..self.diff })
            }
        };
        MapConfig {
            networks: self.networks,
            bottleneck,
            noise_in_evaluation: self.noise_in_evaluation,
            compute: self.compute,
        }
    }
}
