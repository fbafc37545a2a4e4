//! The models that are trained for each seed.

use anyhow::Result;
use variata_models::train::Schedule;
use variata_models::{Autoencoder, Classifier};
use variata_report::OutputDir;

use super::VaeConfig;
use crate::features::{classifier, train_classifier};
use crate::session::{Parts, Trained};
use crate::{Session, TrainJob};

/// The autoencoders of the experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    /// Case 3 of the tutorial, both terms, 2-D.
    Map,
    /// Case 1, distortion only, 2-D.
    MapDistortion,
    /// Case 2, KL only, 2-D.
    MapKl,
    /// No noise, no KL.
    Ae,
    /// Both terms.
    Vae,
    /// Both terms, a larger weight on the KL.
    Beta,
    /// Both terms, with the label.
    Cvae,
}

impl Variant {
    pub(super) const ALL: [Self; 7] =
        [Self::Map, Self::MapDistortion, Self::MapKl, Self::Ae, Self::Vae, Self::Beta, Self::Cvae];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Map => "vae-2d",
            Self::MapDistortion => "distortion-only-2d",
            Self::MapKl => "kl-only-2d",
            Self::Ae => "ae",
            Self::Vae => "vae",
            Self::Beta => "beta-vae",
            Self::Cvae => "cvae",
        }
    }

    /// As a person writes it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Map => "VAE, 2-D",
            Self::MapDistortion => "distortion only",
            Self::MapKl => "KL only",
            Self::Ae => "AE",
            Self::Vae => "VAE",
            Self::Beta => "β-VAE",
            Self::Cvae => "CVAE",
        }
    }

    pub(super) fn is_map(self) -> bool {
        matches!(self, Self::Map | Self::MapDistortion | Self::MapKl)
    }
}

/// All models of a seed.
#[derive(Debug)]
pub(super) struct TrainedSet {
    pub(super) seed: u64,
    pub(super) models: Vec<Trained<Variant>>,
    pub(super) classifier: Classifier,
    pub(super) parts: Parts,
}

impl TrainedSet {
    pub(super) fn get(&self, variant: Variant) -> &Trained<Variant> {
        // `train_all` makes one of each.
        self.models.iter().find(|t| t.variant == variant).unwrap_or(&self.models[0])
    }
}

/// What one job trains.
enum Job {
    Autoencoder(Box<Trained<Variant>>),
    Classifier(Box<Classifier>),
}

/// The data of every seed, and that every model can be made of its settings: before anything is trained, and before a folder is opened
/// whose run a restart would remove.
pub(super) fn prepare(session: &Session, config: &VaeConfig, seeds: &[u64]) -> Result<Vec<Parts>> {
    for variant in Variant::ALL {
        build(session, config, variant, 0)?;
    }
    classifier(session, &config.classifier, 0)?;
    seeds.iter().map(|&seed| session.parts(&config.data, seed)).collect()
}

/// Trains every model of every seed; `None` when the run was asked to stop.
pub(super) fn train_all(
    session: &Session,
    folder: &OutputDir,
    config: &VaeConfig,
    seeds: &[u64],
    parts: Vec<Parts>,
) -> Result<Option<Vec<TrainedSet>>> {
    let data = &config.data;
    // One job for each autoencoder and the classifier, seed after seed.
    let width = Variant::ALL.len() + 1;
    let trained = session.train_each(seeds.len() * width, |i| {
        let (seed, parts) = (seeds[i / width], &parts[i / width]);
        if let Some(&variant) = Variant::ALL.get(i % width) {
            let trained = train_variant(session, folder, config, parts, seed, variant)?;
            return Ok(trained.map(|t| Job::Autoencoder(Box::new(t))));
        }
        let settings = (&config.classifier, &config.training, data);
        let trained = train_classifier(session, folder, settings, parts, seed)?;
        Ok(trained.map(|c| Job::Classifier(Box::new(c))))
    })?;
    let Some(trained) = trained else { return Ok(None) };
    let mut sets = Vec::with_capacity(seeds.len());
    let (mut seeds, mut models) = (seeds.iter().zip(parts), Vec::new());
    for job in trained {
        match job {
            Job::Autoencoder(model) => models.push(*model),
            // The last job of its seed.
            Job::Classifier(classifier) => {
                sets.extend(seeds.next().map(|(&seed, parts)| TrainedSet {
                    seed,
                    models: std::mem::take(&mut models),
                    classifier: *classifier,
                    parts,
                }));
            }
        }
    }
    Ok(Some(sets))
}

fn build(session: &Session, config: &VaeConfig, variant: Variant, seed: u64) -> Result<Autoencoder> {
    let settings = config.autoencoder(variant);
    Ok(Autoencoder::new(&settings, session.image(), session.classes(), seed, session.device)?)
}

fn train_variant(
    session: &Session,
    folder: &OutputDir,
    config: &VaeConfig,
    parts: &Parts,
    seed: u64,
    variant: Variant,
) -> Result<Option<Trained<Variant>>> {
    let model = build(session, config, variant, seed)?;
    // The KL alone needs no more than a fraction of the steps, but the learning rate's warm-up is to end.
    let warmup = match config.training.schedule {
        Schedule::Cosine { warmup_steps, .. } => warmup_steps,
        _ => 0,
    };
    let some = config.steps.div_ceil(3).max(warmup).min(config.steps);
    let steps = if variant == Variant::MapKl { some } else { config.steps };
    let job = TrainJob {
        name: variant.name(),
        seed,
        config: config.training.run(
            steps,
            parts.train.batches_per_epoch(),
            config.kl_warmup_steps.min(steps),
        ),
        settings: format!("{:?} {:?}", model.config(), config.data),
        keep_best: None,
    };
    let outcome = session.train(folder, &model, parts, &job)?;
    Ok(outcome.map(|outcome| Trained { variant, model, history: outcome.history }))
}
