//! Settings of the experiment.

use anyhow::{Result, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use variata_models::{Architecture, BottleneckConfig, ComputeConfig, Error, ImageShape};

use crate::settings::{
    ClassifierSettings, DataConfig, Training, check_counts, check_distinct, check_numbers,
};

/// Everything that a preset may set. The paper's values, where it gives them, are those of the preset `full`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SosVaeConfig {
    /// Number of seeds; 3.
    pub seeds: usize,
    /// Training steps of each autoencoder, rounded to whole epochs, at least one; 3000.
    pub steps: u64,
    /// Of these, steps in which the variance heads learn nothing; 500.
    pub pretrain_steps: u64,
    /// Latent size; 16.
    pub latent: i64,
    /// Rank of the covariance; 25, as in the paper.
    pub rank: i64,
    /// Variance ε of the diagonal; 1e-5, as in the authors' code.
    pub epsilon: f64,
    /// Target of the KL term, nats per image; 20.
    pub kl_target: f64,
    /// Target of the entropy above its floor at P = 0, nats per rank; 5.5, as the paper's for 64×64 grey images.
    pub entropy_per_rank: f64,
    /// Step of the multipliers; the authors' is 1 for sums over a batch, 25 for means over their batches of 25.
    pub multiplier_rate: f64,
    /// Damping of the multipliers, per image of a batch: the authors' is 10 for sums.
    pub damping: f64,
    /// Neighbourhood of the sparse-precision normal, odd; 3, as in its authors' example.
    pub neighbourhood: i64,
    /// Other ranks to compare with; 1, 5, 10.
    pub other_ranks: Vec<i64>,
    /// Steps of the distribution that is learned without a network; 1500.
    pub direct_steps: u64,
    /// Networks of the autoencoders.
    pub architecture: Architecture,
    /// How the networks compute.
    pub compute: ComputeConfig,
    /// What happens between the networks; a Gaussian with bounded log-variances.
    pub bottleneck: BottleneckConfig,
    /// Optimiser of the autoencoders and of the classifier.
    pub training: Training,
    /// Optimiser of the distribution without a network.
    pub direct: Training,
    /// Batches and splits.
    pub data: DataConfig,
    /// The classifier whose features distances are measured in.
    pub classifier: ClassifierSettings,
    /// What is measured.
    pub measure: MeasureConfig,
}

/// What is measured, on how much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MeasureConfig {
    /// Images drawn from each model for a Fréchet distance; 2000. The paper: 50,000.
    pub samples: usize,
    /// Test images at the most; 600.
    pub images: usize,
    /// Weights of the importance-weighted bound; 64.
    pub importance_samples: usize,
    /// Of the test images, those that bounds and densities are measured on, at the most; 100.
    pub bound_images: usize,
    /// Test images that are edited; 64.
    pub edited: usize,
    /// Row and column, from 0, of the pixel whose covariance with all others is shown; the one in the middle.
    pub pixel: Option<[usize; 2]>,
}

impl Default for MeasureConfig {
    fn default() -> Self {
        Self {
            samples: 2000,
            images: 600,
            importance_samples: 64,
            bound_images: 100,
            edited: 64,
            pixel: None,
        }
    }
}

impl MeasureConfig {
    /// Row and column of the pixel whose covariance is shown.
    ///
    /// # Errors
    /// It is outside of the image ([`Error::Config`]).
    pub(super) fn pixel_in(&self, image: ImageShape) -> Result<[usize; 2], Error> {
        let [height, width] = [image.height, image.width].map(|n| n as usize);
        let [row, column] = self.pixel.unwrap_or([height / 2, width / 2]);
        if row < height && column < width {
            return Ok([row, column]);
        }
        Err(Error::Config {
            setting: "measure.pixel",
            value: format!("[{row}, {column}]"),
            must: format!("a row below {height} and a column below {width}"),
        })
    }
}

impl Default for SosVaeConfig {
    fn default() -> Self {
        Self {
            seeds: 3,
            steps: 3000,
            pretrain_steps: 500,
            latent: 16,
            rank: 25,
            epsilon: 1e-5,
            kl_target: 20.0,
            entropy_per_rank: 5.5,
            multiplier_rate: 1.0,
            damping: 10.0,
            neighbourhood: 3,
            other_ranks: vec![1, 5, 10],
            direct_steps: 1500,
            architecture: Architecture::Conv { channels: vec![32, 64, 128], hidden: vec![256] },
            compute: ComputeConfig::default(),
            bottleneck: BottleneckConfig::default(),
            training: Training::default(),
            direct: Training::default(),
            data: DataConfig { batch_size: 32, ..DataConfig::default() },
            classifier: ClassifierSettings::default(),
            measure: MeasureConfig::default(),
        }
    }
}

impl SosVaeConfig {
    /// Refuses what the models would not notice.
    ///
    /// # Errors
    /// A setting is outside its range; the message names it.
    pub fn check(&self) -> Result<()> {
        let (m, k) = (&self.measure, self.neighbourhood);
        check_counts(&[
            ("seeds", self.seeds as u64, 1, 1000),
            ("steps", self.steps, 1, 1_000_000_000),
            ("direct_steps", self.direct_steps, 1, 1_000_000_000),
            ("pretrain_steps", self.pretrain_steps, 0, self.steps.saturating_sub(1)),
            ("classifier.steps", self.classifier.steps, 1, 1_000_000_000),
            ("measure.samples", m.samples as u64, 20, 10_000_000),
            ("measure.images", m.images as u64, 20, 1_000_000),
            ("measure.importance_samples", m.importance_samples as u64, 2, 100_000),
            ("measure.bound_images", m.bound_images as u64, 2, 1_000_000),
            ("measure.edited", m.edited as u64, 1, 1_000_000),
        ])?;
        check_numbers(&[
            ("epsilon", self.epsilon, (1e-12..=1e6).contains(&self.epsilon), "in [1e-12, 1e6]"),
            ("kl_target", self.kl_target, self.kl_target >= 0.0, "finite and >= 0"),
            ("latent", self.latent as f64, (1..=65_536).contains(&self.latent), "in 1..=65536"),
            ("neighbourhood", k as f64, k % 2 == 1 && (1..=63).contains(&k), "odd and in 1..=63"),
            ("entropy_per_rank", self.entropy_per_rank, true, "finite"),
            ("multiplier_rate", self.multiplier_rate, self.multiplier_rate >= 0.0, "finite and >= 0"),
            ("damping", self.damping, self.damping >= 0.0, "finite and >= 0"),
        ])?;
        if matches!(self.bottleneck, BottleneckConfig::Deterministic) {
            bail!(
                "`bottleneck` is deterministic, must have a distribution: the bounds and `kl_target` need one"
            );
        }
        let fits = |rank: &i64| (1..=4096).contains(rank);
        if !(fits(&self.rank) && self.other_ranks.iter().all(fits)) {
            bail!("`rank` is {}, `other_ranks` {:?}, must be in 1..=4096", self.rank, self.other_ranks);
        }
        self.data.check()?;
        let trainings = [("steps", self.steps), ("classifier.steps", self.classifier.steps)];
        self.training.check("training", &trainings)?;
        self.direct.check("direct", &[("direct_steps", self.direct_steps)])?;
        check_distinct("other_ranks", &self.other_ranks, |rank| *rank)
    }
}

#[cfg(test)]
mod tests {
    use super::{ImageShape, MeasureConfig};

    #[test]
    fn the_pixel_is_the_middle_or_the_chosen_one_and_lies_in_the_image() {
        let image = ImageShape { channels: 3, height: 6, width: 9 };
        let at = |pixel| MeasureConfig { pixel, ..MeasureConfig::default() }.pixel_in(image);
        assert_eq!(at(None).ok(), Some([3, 4]));
        assert_eq!(at(Some([5, 8])).ok(), Some([5, 8]));
        for outside in [[6, 0], [0, 9]] {
            let message = at(Some(outside)).map_err(|e| e.to_string()).unwrap_err();
            assert_eq!(
                message,
                format!("`measure.pixel` is {outside:?}, must be a row below 6 and a column below 9")
            );
        }
    }
}
