//! What is measured of the trained classifiers.

use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use ndarray::{Array4, Axis, s};
use variata_datasets::{ImageDataset, Splits, read_corrupted_cifar};
use variata_fourier_aug::torch::predictions;
use variata_fourier_aug::{
    Alignment, AugmentationSet, Binning, Corruption, Heatmap, HeatmapOptions, HeatmapRun, Predictions,
    corrupt, pooled,
};
use variata_models::Classifier;
use variata_models::tch::{Device, Tensor};
use variata_models::train::EpochRecord;
use variata_report::Metrics;

use super::FourierAugConfig;
use super::models::TrainedClassifier;
use super::views::eight_bits;
use crate::Session;
use crate::page::OfSeed;

/// Images at a time through a network.
const CHUNK: usize = 256;
/// Bins of a reliability diagram.
const BINS: usize = 10;
/// Severities of a corruption.
pub(super) const SEVERITIES: usize = 5;

/// The images that everything is measured on, the same for all models.
#[derive(Debug)]
pub(super) struct TestSet {
    /// [n, channels, height, width].
    pub(super) images: Array4<u8>,
    labels: Vec<i64>,
    /// Where corrupted images are read from; they are made here without it.
    files: Option<Files>,
    device: Device,
}

/// A folder of the corrupted images of an official test part.
#[derive(Debug)]
struct Files {
    folder: PathBuf,
    /// Of all images of the part: what the folder's labels have to be.
    labels: Vec<u8>,
    /// [channels, height, width] of the data.
    shape: [usize; 3],
    classes: usize,
    /// Which of the part's images are measured on.
    rows: Vec<usize>,
}

impl Files {
    fn read(&self, corruption: Corruption, severity: u8) -> Result<Array4<u8>> {
        let folder = self.folder.display();
        let data = read_corrupted_cifar(&self.folder, corruption.name(), severity, self.classes)?;
        if data.image_shape() != self.shape {
            bail!(
                "{folder} has images of {:?}, must have those of the data, {:?}: the corrupted images are of other data",
                data.image_shape(),
                self.shape
            );
        }
        if data.len() != self.labels.len() {
            bail!(
                "{folder} has {} images of {}, must have the {} of the test part",
                data.len(),
                corruption.name(),
                self.labels.len()
            );
        }
        if let Some(at) = (0..data.len()).find(|&i| data.labels()[i] != self.labels[i]) {
            bail!(
                "{folder} has label {} at image {at} of {}, must have {} as in the test part: the corrupted images are of other data",
                data.labels()[at],
                corruption.name(),
                self.labels[at]
            );
        }
        Ok(data.images().select(Axis(0), &self.rows))
    }
}

impl TestSet {
    /// # Errors
    /// A fraction of the split is outside its range, or no image is left.
    pub(super) fn new(session: &Session, config: &FourierAugConfig) -> Result<Self> {
        let data: &ImageDataset = &session.data;
        let mut test = session.mixed(&Splits::new(data, &config.data.split())?.test);
        test.truncate(config.measure.images);
        if test.is_empty() {
            bail!("`data.test` is {}, must leave an image for tests", config.data.test);
        }
        let files = match (session.options.corrupted.clone(), data.official_test()) {
            (None, _) => None,
            (Some(folder), None) => bail!(
                "{} belongs to CIFAR: run it with --data cifar10:FOLDER or cifar100:FOLDER",
                folder.display()
            ),
            (Some(folder), Some(part)) => Some(Files {
                folder,
                labels: data.labels()[part.clone()].to_vec(),
                shape: data.image_shape(),
                classes: data.classes(),
                rows: test.iter().map(|&i| i - part.start).collect(),
            }),
        };
        Ok(Self {
            images: eight_bits(data, &test),
            labels: test.iter().map(|&i| i64::from(data.labels()[i])).collect(),
            files,
            device: session.device,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether corrupted images come from files.
    pub(super) fn has_files(&self) -> bool {
        self.files.is_some()
    }

    /// That the files of corrupted images are there and whole, and of the test part.
    pub(super) fn check_files(&self) -> Result<()> {
        let Some(files) = &self.files else { return Ok(()) };
        for corruption in Corruption::COMMON {
            let file = files.folder.join(format!("{}.npy", corruption.name()));
            if !file.is_file() {
                bail!("{} is not there", file.display());
            }
        }
        Corruption::COMMON.iter().try_for_each(|corruption| files.read(*corruption, 1).map(|_| ()))
    }

    /// The images under a corruption.
    pub(super) fn corrupted(&self, corruption: Corruption, severity: u8) -> Result<Array4<u8>> {
        if let Some(files) = &self.files {
            return files.read(corruption, severity);
        }
        let images = self.images.view().permuted_axes([0, 2, 3, 1]);
        Ok(corrupt(&images, corruption, severity, 0, 0)?.permuted_axes([0, 3, 1, 2]))
    }

    fn tensors(&self, images: &Array4<u8>, from: usize, to: usize) -> Result<(Tensor, Tensor)> {
        let part = images.slice(s![from..to, .., .., ..]).mapv(|grey| f32::from(grey) / 255.0);
        let part = variata_torch_bridge::tensor_from_array(part.as_standard_layout().into_owned())?;
        let labels = Tensor::from_slice(&self.labels[from..to]);
        Ok((part.to_device(self.device), labels.to_device(self.device)))
    }

    fn predict(&self, model: &Classifier, images: &Array4<u8>) -> Result<Predictions> {
        variata_torch_bridge::no_grad(|| {
            let mut all: Option<Predictions> = None;
            for (from, to) in chunks(self.len()) {
                let (x, labels) = self.tensors(images, from, to)?;
                let found = predictions(&model.logits(&x)?, &labels)?;
                match &mut all {
                    Some(all) => all.merge(&found),
                    None => all = Some(found),
                }
            }
            all.context("no test image")
        })
    }

    /// Predictions under every wave.
    fn attacked(&self, model: &Classifier, count: usize, options: HeatmapOptions) -> Result<HeatmapRun> {
        let (_, channels, height, width) = self.images.dim();
        let mut run = HeatmapRun::new([channels, height, width], options)?;
        for (from, to) in chunks(count.min(self.len())) {
            let (x, labels) = self.tensors(&self.images, from, to)?;
            let _ = run.add_tensors(&x, &labels, |x| model.logits(x), |_| ControlFlow::Continue(()))?;
        }
        Ok(run)
    }
}

/// First and last index of parts that a network takes at once.
fn chunks(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).step_by(CHUNK).map(move |from| (from, (from + CHUNK).min(count)))
}

/// Error and calibration error, shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    pub(super) error: f64,
    pub(super) rms: f64,
}

/// Means over waves, and their largest.
#[derive(Debug, Clone)]
pub(super) struct Attack {
    pub(super) norm: f64,
    /// Waves with the same sign in all channels, then with signs of their own where there are several channels.
    pub(super) maps: Vec<Heatmap>,
    pub(super) error: (f64, f64),
    pub(super) rms: (f64, f64),
}

/// One classifier.
#[derive(Debug)]
pub(super) struct ModelResult {
    pub(super) seed: u64,
    pub(super) set: AugmentationSet,
    pub(super) history: Vec<EpochRecord>,
    pub(super) clean: Score,
    /// Each of the fifteen at its severities.
    pub(super) corrupted: Vec<[Score; SEVERITIES]>,
    pub(super) attacks: Vec<Attack>,
    /// Mean confidence and accuracy of the bins: clean, and all corrupted images.
    pub(super) reliability: [Vec<(f64, f64)>; 2],
}

impl ModelResult {
    pub(super) fn mean_corrupted(&self) -> Score {
        let all: Vec<&Score> = self.corrupted.iter().flatten().collect();
        let mean = |f: fn(&Score) -> f64| all.iter().map(|s| f(s)).sum::<f64>() / all.len() as f64;
        Score { error: mean(|s| s.error), rms: mean(|s| s.rms) }
    }

    /// Mean error over corruptions at a severity, counted from 0.
    pub(super) fn at_severity(&self, severity: usize) -> f64 {
        self.corrupted.iter().map(|of| of[severity].error).sum::<f64>() / self.corrupted.len() as f64
    }

    /// The strongest attack.
    pub(super) fn strongest(&self) -> Option<&Attack> {
        self.attacks.iter().max_by(|a, b| a.norm.total_cmp(&b.norm))
    }
}

/// All classifiers of a seed.
#[derive(Debug)]
pub(super) struct SeedResult {
    seed: u64,
    pub(super) models: Vec<ModelResult>,
}

impl OfSeed for SeedResult {
    fn seed(&self) -> u64 {
        self.seed
    }
}

impl SeedResult {
    pub(super) fn get(&self, set: AugmentationSet) -> Option<&ModelResult> {
        self.models.iter().find(|m| m.set == set)
    }

    pub(super) fn record(&self, metrics: &mut Metrics) {
        for m in &self.models {
            let name = |what: &str| format!("{}/seed-{}/{what}", m.set.name().to_lowercase(), self.seed);
            let corrupted = m.mean_corrupted();
            metrics.insert(name("error"), m.clean.error);
            metrics.insert(name("rms-calibration"), m.clean.rms);
            metrics.insert(name("corrupted-error"), corrupted.error);
            metrics.insert(name("corrupted-rms-calibration"), corrupted.rms);
            for (corruption, scores) in Corruption::COMMON.into_iter().zip(&m.corrupted) {
                for (k, score) in scores.iter().enumerate() {
                    metrics.insert(name(&format!("{}-{}-error", corruption.name(), k + 1)), score.error);
                }
            }
            for Attack { norm, error, rms, .. } in &m.attacks {
                for (what, (mean, max)) in [("error", error), ("rms-calibration", rms)] {
                    metrics.insert(name(&format!("attack-{norm}-{what}-mean")), *mean);
                    metrics.insert(name(&format!("attack-{norm}-{what}-max")), *max);
                }
            }
        }
    }
}

/// The models of each seed together, in the order of the seeds.
pub(super) fn grouped(models: Vec<ModelResult>, seeds: &[u64]) -> Vec<SeedResult> {
    let mut results: Vec<_> = seeds.iter().map(|&seed| SeedResult { seed, models: Vec::new() }).collect();
    for model in models {
        if let Some(result) = results.iter_mut().find(|r| r.seed == model.seed) {
            result.models.push(model);
        }
    }
    results
}

/// A classifier that is being measured.
#[derive(Debug)]
struct Subject {
    seed: u64,
    trained: TrainedClassifier,
    corrupted: Vec<[Score; SEVERITIES]>,
    /// Its predictions under all corruptions so far.
    all: Option<Predictions>,
}

/// Measures the classifiers, side by side; `None` when the run was asked to stop. Each corruption is made or read once for all.
///
/// # Errors
/// libtorch fails, or a file of corrupted images cannot be read.
pub(super) fn measure(
    session: &Session,
    config: &FourierAugConfig,
    test: &TestSet,
    trained: Vec<(u64, TrainedClassifier)>,
) -> Result<Option<Vec<ModelResult>>> {
    let subject = |(seed, trained)| Subject { seed, trained, corrupted: Vec::new(), all: None };
    let mut subjects: Vec<Subject> = trained.into_iter().map(subject).collect();
    for corruption in Corruption::COMMON {
        let severities = 1..=SEVERITIES as u8;
        let sets = severities.map(|k| test.corrupted(corruption, k)).collect::<Result<Vec<_>>>()?;
        let next = session.each(subjects, |subject| subject.under(config, test, &sets))?;
        let Some(next) = next else { return Ok(None) };
        subjects = next;
    }
    session.each(subjects, |subject| subject.finish(config, test))
}

fn score(config: &FourierAugConfig, predictions: &Predictions) -> Result<Score> {
    let binning = Binning::Adaptive { size: config.measure.bin };
    Ok(Score { error: predictions.error_rate(), rms: predictions.reliability(binning)?.rms() })
}

/// Mean confidence and accuracy of bins.
fn diagram(predictions: &Predictions) -> Result<Vec<(f64, f64)>> {
    let found = predictions.reliability(Binning::EqualWidth { bins: BINS })?;
    Ok(found.bins().iter().filter_map(|bin| bin.confidence().zip(bin.accuracy())).collect())
}

impl Subject {
    /// With a corruption more, given at all its severities.
    fn under(mut self, config: &FourierAugConfig, test: &TestSet, sets: &[Array4<u8>]) -> Result<Self> {
        let mut scores = [Score { error: f64::NAN, rms: f64::NAN }; SEVERITIES];
        for (to, images) in scores.iter_mut().zip(sets) {
            let found = test.predict(&self.trained.model, images)?;
            *to = score(config, &found)?;
            match &mut self.all {
                Some(all) => all.merge(&found),
                None => self.all = Some(found),
            }
        }
        self.corrupted.push(scores);
        Ok(self)
    }

    /// With clean images and under attack.
    fn finish(self, config: &FourierAugConfig, test: &TestSet) -> Result<ModelResult> {
        let model = &self.trained.model;
        let clean = test.predict(model, &test.images)?;
        let all = self.all.context("no corruption")?;
        let attacks = config.measure.norms.iter().map(|&norm| attack(config, test, model, norm));
        Ok(ModelResult {
            seed: self.seed,
            set: self.trained.variant,
            clean: score(config, &clean)?,
            attacks: attacks.collect::<Result<_>>()?,
            reliability: [diagram(&clean)?, diagram(&all)?],
            corrupted: self.corrupted,
            history: self.trained.history,
        })
    }
}

/// All waves of a norm, aligned and, where there are several channels to be aligned, with signs of their own.
fn attack(config: &FourierAugConfig, test: &TestSet, model: &Classifier, norm: f64) -> Result<Attack> {
    let count = if test.images.dim().1 > 1 { 2 } else { 1 };
    let binning = Binning::Adaptive { size: config.measure.bin };
    let (mut maps, mut calibration) = (Vec::new(), Vec::new());
    for alignment in [Alignment::Aligned, Alignment::RandomFlip(0)].into_iter().take(count) {
        let options = HeatmapOptions { norm, alignment, ..HeatmapOptions::default() };
        let run = test.attacked(model, config.measure.attacked, options)?;
        maps.push(run.errors()?);
        calibration.push(run.metric(|p| Ok(p.reliability(binning)?.rms()))?);
    }
    let pool = |maps: &[Heatmap]| pooled(maps).context("no wave");
    Ok(Attack { norm, error: pool(&maps)?, rms: pool(&calibration)?, maps })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SessionOptions;

    /// Class after class, as in a folder: what is measured, and the first of it, which are attacked, are of all classes.
    #[test]
    fn the_first_test_images_are_of_all_classes() {
        let options = SessionOptions { threads: 1, ..SessionOptions::default() };
        let session = Session::begin_with(options, "sorted", |_| {
            let labels = (0..200).map(|i| u8::from(i >= 100)).collect();
            let images = Array4::from_shape_fn((200, 1, 2, 2), |(i, ..)| i as u8);
            Ok(ImageDataset::new("sorted", images, labels, 2, 255)?)
        });
        let session = session.unwrap();
        let mut config = FourierAugConfig::default();
        config.measure.images = 20;
        let test = TestSet::new(&session, &config).unwrap();
        for count in [10, 20] {
            assert_eq!(test.labels[..count].iter().sum::<i64>(), count as i64 / 2, "{count}");
        }
        // Images and labels belong together.
        for (image, label) in test.images.outer_iter().zip(&test.labels) {
            assert_eq!(i64::from(image[(0, 0, 0)] >= 100), *label);
        }
    }
}
