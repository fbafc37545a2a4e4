//! The models that are trained for each seed.

use anyhow::Result;
use variata_models::train::EpochRecord;
use variata_models::{ImageShape, MapAutoencoder};
use variata_report::OutputDir;

use super::VqDiffConfig;
use super::data::Bundles;
use super::usage::Use;
use crate::session::{Parts, Trained};
use crate::{Session, TrainJob};

/// An autoencoder of the paper, or VQ-Diff with a temperature that falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    VqDiff,
    Ae,
    Vae,
    Vq,
    VqEma,
    Annealed,
}

impl Method {
    /// The five of the paper, in the order of its table 1, and the sixth.
    pub(super) const ALL: [Self; 6] =
        [Self::VqDiff, Self::Ae, Self::Vae, Self::Vq, Self::VqEma, Self::Annealed];
    /// The five.
    pub(super) const PAPER: [Self; 5] = [Self::VqDiff, Self::Ae, Self::Vae, Self::Vq, Self::VqEma];
    /// Those with a codebook.
    pub(super) const CODEBOOKS: [Self; 4] = [Self::VqDiff, Self::Vq, Self::VqEma, Self::Annealed];
    /// Those whose codes are mixed.
    pub(super) const MIXED: [Self; 2] = [Self::VqDiff, Self::Annealed];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::VqDiff => "vq-diff",
            Self::Ae => "ae",
            Self::Vae => "vae",
            Self::Vq => "vq-vae",
            Self::VqEma => "vq-ema",
            Self::Annealed => "vq-diff-annealed",
        }
    }

    /// As a person writes it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::VqDiff => "VQ-Diff",
            Self::Ae => "AE",
            Self::Vae => "VAE",
            Self::Vq => "VQ-VAE",
            Self::VqEma => "VQ-EMA",
            Self::Annealed => "VQ-Diff, τ falling",
        }
    }
}

/// All models of a seed, in the order of [`Method::ALL`].
#[derive(Debug)]
pub(super) struct TrainedSet {
    pub(super) seed: u64,
    pub(super) models: Vec<Trained<Method, MapAutoencoder>>,
}

/// A datum as a network takes it.
pub(super) fn shape(data: &Bundles) -> ImageShape {
    let (_, channels, height, width) = data.data.array().dim();
    ImageShape { channels: channels as i64, height: height as i64, width: width as i64 }
}

/// The data of every seed, and that every model can be made of its settings: before anything is trained, and before a folder is opened
/// whose run a restart would remove.
pub(super) fn prepare(
    session: &Session<Bundles>,
    config: &VqDiffConfig,
    seeds: &[u64],
) -> Result<Vec<Parts>> {
    let image = shape(&session.data);
    for method in Method::ALL {
        MapAutoencoder::new(&config.model(method, config.steps), image, 0, session.device)?;
    }
    let parts = |&seed: &u64| {
        let parts = session.data.parts(config.data.batch_size, seed)?;
        session.check_workers(&parts.train)?;
        Ok(parts)
    };
    seeds.iter().map(parts).collect()
}

/// Trains every model of every seed; `None` when the run was asked to stop.
pub(super) fn train_all(
    session: &Session<Bundles>,
    folder: &OutputDir,
    config: &VqDiffConfig,
    seeds: &[u64],
    parts: &[Parts],
) -> Result<Option<Vec<TrainedSet>>> {
    let width = Method::ALL.len();
    let trained = session.train_each(seeds.len() * width, |i| {
        let (k, method) = (i / width, Method::ALL[i % width]);
        train(session, folder, config, (&parts[k], seeds[k]), method)
    })?;
    let Some(trained) = trained else { return Ok(None) };
    let mut trained = trained.into_iter();
    let sets = seeds.iter().map(|&seed| TrainedSet { seed, models: trained.by_ref().take(width).collect() });
    Ok(Some(sets.collect()))
}

fn train(
    session: &Session<Bundles>,
    folder: &OutputDir,
    config: &VqDiffConfig,
    (parts, seed): (&Parts, u64),
    method: Method,
) -> Result<Option<Trained<Method, MapAutoencoder>>> {
    let run = config.training.run(config.steps, parts.train.batches_per_epoch(), 0);
    let steps = run.epochs * parts.train.batches_per_epoch() as u64;
    let settings = config.model(method, steps);
    let model = MapAutoencoder::new(&settings, shape(&session.data), seed, session.device)?;
    let job = TrainJob {
        name: method.name(),
        seed,
        config: run,
        settings: format!("{settings:?} {:?} {:?}", config.data, config.measure),
        keep_best: None,
    };
    let some = session.data.some(&session.data.validation, config.measure.per_tract);
    let mut measure = |_: u64| watch(&session.data, &model, &some).map_err(Into::into);
    let outcome = session.train_measured(folder, &model, parts, &job, &mut measure)?;
    Ok(outcome.map(|outcome| Trained { variant: method, model, history: outcome.history }))
}

/// The use of a codebook as values of a validation.
fn watch(data: &Bundles, model: &MapAutoencoder, indices: &[usize]) -> Result<Vec<(String, f64)>> {
    Ok(Use::of(data, model, indices)?.map_or_else(Vec::new, |found| found.named()))
}

/// A value of each validation.
pub(super) fn over_training(history: &[EpochRecord], name: &str) -> Vec<f64> {
    history.iter().filter_map(|e| e.validation(name)).collect()
}
