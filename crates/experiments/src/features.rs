//! Features of images for Fréchet distances: those of a classifier trained on the data, or of an extractor that the user gives.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use ndarray::{Array2, concatenate};
use variata_models::tch::{CModule, Device, Tensor};
use variata_models::{Classifier, ClassifierConfig, ClassifierTask};
use variata_report::OutputDir;

use crate::digest::sha256_of;
use crate::session::Parts;
use crate::settings::{ClassifierSettings, DataConfig, Training, in_table};
use crate::tensors::matrix;
use crate::{Session, TrainJob};

/// Images at a time, so that a large extractor fits in memory.
const CHUNK: i64 = 64;

/// A feature network in TorchScript, such as the Inception network of the FID.
#[derive(Debug)]
pub(crate) struct Extractor {
    module: CModule,
    device: Device,
    /// Digest of the file.
    pub(crate) sha256: String,
}

impl Extractor {
    /// From a file. The module takes images [n, 3, height, width] in [0, 1], of any size, and gives features [n, features].
    ///
    /// # Errors
    /// The file cannot be read, or is no TorchScript module.
    pub(crate) fn load(path: &Path, device: Device) -> Result<Self> {
        let sha256 = sha256_of(path)?;
        let mut module = CModule::load_on_device(path, device).map_err(|error| {
            // libtorch adds where in its own source it gave up.
            let reason = error.to_string().lines().next().unwrap_or_default().to_owned();
            anyhow!("{} is no TorchScript module: {reason}", path.display())
        })?;
        module.set_eval();
        Ok(Self { module, device, sha256 })
    }

    /// The one that the command line names.
    ///
    /// # Errors
    /// As [`load`](Self::load); it fails on an image of this size.
    pub(crate) fn of(session: &Session) -> Result<Option<Self>> {
        let Some(path) = &session.options.features else { return Ok(None) };
        let extractor = Self::load(path, session.device)?;
        // One that cannot take these images is told before anything is trained.
        let one = Tensor::zeros(
            [&[1], &session.image().dims()[..]].concat(),
            (variata_models::tch::Kind::Float, session.device),
        );
        let _ = variata_torch_bridge::no_grad(|| extractor.features(&one))?;
        Ok(Some(extractor))
    }

    fn features(&self, images: &Tensor) -> Result<Tensor> {
        let (n, channels) = (images.size()[0], images.size()[1]);
        // As pytorch-fid reads grey images: as red, green and blue alike.
        let images = if channels == 1 { images.repeat([1, 3, 1, 1]) } else { images.shallow_clone() };
        let images = images.to_device(self.device);
        let features = self.module.forward_ts(&[images]).context("the feature extractor failed")?;
        match features.size()[..] {
            [rows, _] if rows == n => Ok(features),
            ref size => bail!("the feature extractor gave {size:?}, must be [{n}, features]"),
        }
    }
}

/// What gives features.
#[derive(Debug)]
pub(crate) enum Features<'a> {
    /// A classifier's last hidden layer.
    Classifier(&'a Classifier),
    /// A file of the user's.
    Extractor(&'a Extractor),
}

impl<'a> Features<'a> {
    /// The extractor where there is one.
    pub(crate) fn best(extractor: Option<&'a Extractor>, classifier: &'a Classifier) -> Self {
        extractor.map_or(Self::Classifier(classifier), Self::Extractor)
    }

    /// What the distance is called.
    pub(crate) fn distance(&self) -> &'static str {
        match self {
            Self::Classifier(_) => "Fréchet distance",
            Self::Extractor(_) => "FID",
        }
    }

    /// Features [n, features] of images [n, channels, height, width].
    pub(crate) fn of(&self, images: &Tensor) -> Result<Array2<f64>> {
        let parts = variata_torch_bridge::no_grad(|| {
            let chunk = |start: i64| {
                let part = images.narrow(0, start, CHUNK.min(images.size()[0] - start));
                matrix(&match self {
                    Self::Classifier(c) => c.features(&part.to_device(c.device()))?,
                    Self::Extractor(e) => e.features(&part)?,
                })
            };
            (0..images.size()[0]).step_by(CHUNK as usize).map(chunk).collect::<Result<Vec<_>>>()
        })?;
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        Ok(concatenate(ndarray::Axis(0), &views)?)
    }
}

/// The classifier of a run's data, not trained.
///
/// # Errors
/// A setting is outside its domain.
pub(crate) fn classifier(session: &Session, settings: &ClassifierSettings, seed: u64) -> Result<Classifier> {
    // A folder of images without folders in it has one class.
    let task = if session.classes() > 1 { ClassifierTask::Labels } else { ClassifierTask::Reflections };
    let config =
        ClassifierConfig { architecture: settings.architecture.clone(), task, ..ClassifierConfig::default() };
    let made = Classifier::new(&config, session.image(), session.classes(), seed, session.device);
    in_table("classifier", made)
}

/// Trains a classifier on a run's data; `None` when the run was asked to stop.
///
/// # Errors
/// A setting is outside its domain, or as [`Session::train`].
pub(crate) fn train_classifier(
    session: &Session,
    folder: &OutputDir,
    settings: (&ClassifierSettings, &Training, &DataConfig),
    parts: &Parts,
    seed: u64,
) -> Result<Option<Classifier>> {
    let (own, training, data) = settings;
    let classifier = classifier(session, own, seed)?;
    let job = TrainJob {
        name: "classifier",
        seed,
        config: training.run(own.steps, parts.train.batches_per_epoch(), 0),
        settings: format!("{:?} {data:?}", classifier.config()),
        keep_best: None,
    };
    Ok(session.train(folder, &classifier, parts, &job)?.map(|_| classifier))
}
