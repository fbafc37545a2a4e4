//! Settings of the experiment.

use anyhow::{Result, bail};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use variata_datasets::ImageDataset;
use variata_fourier_aug::{
    AugMix, AugMixOptions, AugmentationSet, Depth, FlipCrop, Grid, HeatmapOptions, HeatmapRun, Layout,
    Normalize, Pipeline, WaveSamplerOptions,
};
use variata_models::train::{OptimizerConfig, SgdConfig};
use variata_models::{Architecture, ClassifierConfig, ComputeConfig};

use crate::settings::{DataConfig, Training, check_counts, check_distinct};

/// Everything that a preset may set. What the paper leaves out is as in AugMix's code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FourierAugConfig {
    /// Number of seeds; 4, as in the paper.
    pub seeds: usize,
    /// Training steps of each classifier, rounded to whole epochs, at least one; 35,200: the paper's 100 epochs of the 45,000 images that
    /// CIFAR leaves for training when a tenth is held out, as the paper holds out some.
    pub steps: u64,
    /// The compared sets of operations, Base among them; all seven.
    #[schemars(schema_with = "names")]
    pub augmentations: Vec<AugmentationSet>,
    /// Weight of the Jensen–Shannon divergence between views; 12.
    pub consistency: f64,
    /// The network; a wide residual network of depth 40, twice as wide.
    pub architecture: Architecture,
    /// How it computes.
    pub compute: ComputeConfig,
    /// Optimiser and schedule: SGD with Nesterov momentum, half a cosine over all steps.
    pub training: Training,
    /// Batches and splits.
    pub data: DataConfig,
    /// What is done to images in training.
    pub augment: AugmentConfig,
    /// What is measured.
    pub measure: MeasureConfig,
}

/// A list of names, which serde has from the enum.
fn names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "enum": AugmentationSet::ALL.map(AugmentationSet::name) } })
}

/// What is done to images in training. Set `flip` to false for data that are not themselves in a mirror, such as digits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Whether left and right are exchanged with even chance; true.
    pub flip: bool,
    /// Pixels of 0 around an image, of which a part of its size is cut; 4.
    pub padding: usize,
    /// Largest strength of operations, 0 to 10; 3.
    pub severity: f64,
    /// Chains; 3.
    pub width: usize,
    /// Operations of a chain at the most; 3.
    pub depth: usize,
    /// Lowest and highest ‖U‖₂ of a wave; 1 and 2.
    pub norm: [f64; 2],
    /// Whether each channel of a wave has a sign of its own; false, as in the authors' code.
    pub random_flip: bool,
}

/// What is measured, on how much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MeasureConfig {
    /// Test images at the most; 10,000.
    pub images: usize,
    /// Of these, images that go through every wave; 10,000.
    pub attacked: usize,
    /// ‖U‖₂ of the waves of the test, all different; 1, 2, 3, 4.
    pub norms: Vec<f64>,
    /// Examples in a bin of the calibration error; 100. The paper does not say.
    pub bin: usize,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            flip: true,
            padding: 4,
            severity: 3.0,
            width: 3,
            depth: 3,
            norm: [1.0, 2.0],
            random_flip: false,
        }
    }
}

impl Default for MeasureConfig {
    fn default() -> Self {
        Self { images: 10_000, attacked: 10_000, norms: vec![1.0, 2.0, 3.0, 4.0], bin: 100 }
    }
}

impl Default for FourierAugConfig {
    fn default() -> Self {
        Self {
            seeds: 4,
            steps: 35_200,
            augmentations: AugmentationSet::ALL.to_vec(),
            consistency: 12.0,
            architecture: Architecture::WideResidual { depth: 40, widen: 2 },
            compute: ComputeConfig::default(),
            training: Training {
                optimizer: OptimizerConfig::Sgd(SgdConfig::default()),
                schedule: variata_models::train::Schedule::Cosine { warmup_steps: 0, final_factor: 1e-5 },
                ..Training::default()
            },
            data: DataConfig { batch_size: 128, ..DataConfig::default() },
            augment: AugmentConfig::default(),
            measure: MeasureConfig::default(),
        }
    }
}

impl FourierAugConfig {
    /// Refuses what the models would not notice.
    ///
    /// # Errors
    /// A setting is outside its range; the message names it.
    pub fn check(&self) -> Result<()> {
        let m = &self.measure;
        check_counts(&[
            ("seeds", self.seeds as u64, 1, 1000),
            ("steps", self.steps, 1, 1_000_000_000),
            ("measure.images", m.images as u64, 10, 10_000_000),
            ("measure.attacked", m.attacked as u64, 1, 10_000_000),
            ("measure.bin", m.bin as u64, 1, 1_000_000),
        ])?;
        self.training.check("training", &[("steps", self.steps)])?;
        self.data.check()?;
        let sets = &self.augmentations;
        if !sets.contains(&AugmentationSet::Base) {
            bail!("`augmentations` is {sets:?}, must have Base, which the others are compared with");
        }
        check_distinct("augmentations", sets, |set| set.name())?;
        let [low, high] = self.augment.norm;
        // Waves have 255 times as much in levels of 8 bits, and these are in f32.
        if !(low >= 0.0 && low <= high && high <= 1e30) {
            bail!("`augment.norm` is [{low}, {high}], must be in [0, 1e30] and in order");
        }
        // What a map bears does not depend on the image.
        let fits = |norm| HeatmapRun::new([1, 1, 1], HeatmapOptions { norm, ..Default::default() }).is_ok();
        if m.norms.is_empty() || m.norms.iter().any(|&n| !(n > 0.0 && fits(n))) {
            bail!("`measure.norms` is {:?}, must be some numbers, finite in f32 and > 0", m.norms);
        }
        check_distinct("measure.norms", &m.norms, |norm| *norm)
    }

    /// The classifier.
    pub(super) fn classifier(&self) -> ClassifierConfig {
        ClassifierConfig {
            architecture: self.architecture.clone(),
            shift: 0.5,
            scale: 0.5,
            consistency: self.consistency,
            compute: self.compute,
            ..ClassifierConfig::default()
        }
    }

    /// What turns images of 8 bits into views.
    ///
    /// # Errors
    /// A setting is outside its range.
    pub(super) fn pipeline(&self, data: &ImageDataset, set: AugmentationSet) -> Result<Pipeline> {
        let AugmentConfig { flip, padding, severity, width, depth, norm, random_flip } = self.augment;
        let [_, rows, columns] = data.image_shape();
        let options =
            WaveSamplerOptions { norm: norm[0]..=norm[1], random_flip, ..WaveSamplerOptions::default() };
        let operations = set.operations_on(Grid::new(rows, columns)?, &options)?;
        let options =
            AugMixOptions { severity, width, depth: Depth::UpTo(depth), ..AugMixOptions::default() };
        let augmix = match set {
            AugmentationSet::Base => None,
            _ => Some(AugMix::new(operations, options)?),
        };
        Ok(Pipeline::new(Layout::Chw, Some(FlipCrop { flip, padding }), augmix, Normalize::none())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_are_those_that_a_map_bears_and_different() {
        let with = |norms: &[f64]| {
            let mut config = FourierAugConfig::default();
            config.measure.norms = norms.to_vec();
            config.check().map_err(|error| error.to_string())
        };
        with(&[1e-3, 1.0, 1e38]).unwrap();
        for norms in [&[1e300][..], &[1e39], &[f64::NAN], &[-1.0], &[0.0], &[]] {
            let error = with(norms).unwrap_err();
            assert!(error.starts_with("`measure.norms` is") && error.contains("finite in f32"), "{error}");
        }
        assert_eq!(with(&[1.0, 2.0, 1.0]).unwrap_err(), "`measure.norms` has 1 twice, must be different");
    }
}
