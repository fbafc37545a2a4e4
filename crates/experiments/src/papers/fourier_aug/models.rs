//! The classifiers that are trained for each seed.

use std::sync::Arc;

use anyhow::{Context, Result};
use variata_datasets::{ExampleSource, Loader, LoaderOptions};
use variata_fourier_aug::AugmentationSet;
use variata_models::Classifier;
use variata_models::train::Better;
use variata_report::OutputDir;

use super::FourierAugConfig;
use super::views::Views;
use crate::session::{Parts, Trained};
use crate::{Session, TrainJob};

pub(super) type TrainedClassifier = Trained<AugmentationSet, Classifier>;

/// That every classifier and its data can be made of the settings: before anything is trained, and before a folder is opened whose run a
/// restart would remove.
pub(super) fn prepare(session: &Session, config: &FourierAugConfig, seeds: &[u64]) -> Result<()> {
    new_classifier(session, config, 0)?;
    for &set in &config.augmentations {
        config.pipeline(&session.data, set)?;
    }
    for &seed in seeds {
        session.parts(&config.data, seed)?;
    }
    Ok(())
}

/// Trains every classifier of every seed; `None` when the run was asked to stop. The features of each are written as TorchScript.
pub(super) fn train_all(
    session: &Session,
    folder: &OutputDir,
    config: &FourierAugConfig,
    seeds: &[u64],
) -> Result<Option<Vec<(u64, TrainedClassifier)>>> {
    let sets = &config.augmentations;
    let trained = session.train_each(seeds.len() * sets.len(), |i| {
        let (seed, set) = (seeds[i / sets.len()], sets[i % sets.len()]);
        Ok(train(session, folder, config, set, seed)?.map(|trained| (seed, trained)))
    })?;
    if let Some(trained) = &trained {
        for (seed, Trained { variant, model, .. }) in trained {
            export(folder, &format!("{}-{seed}", variant.name().to_lowercase()), model)?;
        }
    }
    Ok(trained)
}

fn new_classifier(session: &Session, config: &FourierAugConfig, seed: u64) -> Result<Classifier> {
    Ok(Classifier::new(&config.classifier(), session.image(), session.classes(), seed, session.device)?)
}

fn train(
    session: &Session,
    folder: &OutputDir,
    config: &FourierAugConfig,
    set: AugmentationSet,
    seed: u64,
) -> Result<Option<TrainedClassifier>> {
    let model = new_classifier(session, config, seed)?;
    let plain = session.parts(&config.data, seed)?;
    let views: Arc<dyn ExampleSource> = Arc::new(Views::new(&session.data, config, set, seed)?);
    let options =
        LoaderOptions { batch_size: config.data.batch_size, seed, prefetch: 4, ..LoaderOptions::default() };
    let train = Loader::new(views, plain.train.indices().to_vec(), options)?;
    let parts = Parts { train, ..plain };
    let job = TrainJob {
        name: &set.name().to_lowercase(),
        seed,
        config: config.training.run(config.steps, parts.train.batches_per_epoch(), 0),
        settings: format!("{:?} {:?} {:?}", config.classifier(), config.data, config.augment),
        keep_best: Some(("accuracy", Better::Higher)),
    };
    let outcome = session.train(folder, &model, &parts, &job)?;
    Ok(outcome.map(|outcome| Trained { variant: set, model, history: outcome.history }))
}

/// Writes the features of a classifier as TorchScript, whole or not at all.
fn export(folder: &OutputDir, name: &str, model: &Classifier) -> Result<()> {
    // libtorch writes to a path of its own accord.
    let place = tempfile::tempdir().context("cannot make a temporary folder")?;
    let path = place.path().join("module.pt");
    model.trace_features()?.save(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    folder.write(&format!("features/{name}.pt"), &bytes)?;
    Ok(())
}
