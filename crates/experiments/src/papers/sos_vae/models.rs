//! The models that are trained for each seed.

use anyhow::Result;
use variata_models::train::Constraint;
use variata_models::{
    Autoencoder, AutoencoderConfig, Classifier, DirectNormal, EntropyConfig, EntropyOrigin, KlConfig,
    LowRankDiagonal, ObservationConfig,
};
use variata_report::OutputDir;

use super::SosVaeConfig;
use crate::features::{classifier, train_classifier};
use crate::session::{Parts, Trained};
use crate::{Session, TrainJob};

/// The autoencoders of the experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    /// Independent normal pixels.
    Beta,
    /// Sparse precision (Dorta et al.).
    Sparse,
    /// The paper's model.
    Sos,
    /// The paper's model without the constraint on the entropy.
    Free,
    /// Without that, and with a learned diagonal: appendix A.
    Loose,
    /// The paper's model at another rank.
    Rank(i64),
}

impl Variant {
    /// Those that table 1 compares, the paper's last.
    pub(super) const COMPARED: [Self; 3] = [Self::Beta, Self::Sparse, Self::Sos];

    /// All that are trained.
    pub(super) fn all(config: &SosVaeConfig) -> Vec<Self> {
        let ranks = config.other_ranks.iter().map(|&r| Self::Rank(r));
        Self::COMPARED.into_iter().chain([Self::Free, Self::Loose]).chain(ranks).collect()
    }

    pub(super) fn name(self) -> String {
        match self {
            Self::Beta => "beta-vae".into(),
            Self::Sparse => "sparse-precision".into(),
            Self::Sos => "sos-vae".into(),
            Self::Free => "free-entropy".into(),
            Self::Loose => "free-entropy-and-diagonal".into(),
            Self::Rank(r) => format!("sos-vae-rank-{r}"),
        }
    }

    /// As a person writes it.
    pub(super) fn title(self) -> String {
        match self {
            Self::Beta => "β-VAE".into(),
            Self::Sparse => "Dorta et al.".into(),
            Self::Sos => "SOS-VAE".into(),
            Self::Free => "no entropy constraint".into(),
            Self::Loose => "no constraint, learned D".into(),
            Self::Rank(r) => format!("SOS-VAE, rank {r}"),
        }
    }
}

/// All models of a seed.
#[derive(Debug)]
pub(super) struct TrainedSet {
    pub(super) seed: u64,
    pub(super) models: Vec<Trained<Variant>>,
    pub(super) direct: DirectNormal,
    pub(super) classifier: Classifier,
    pub(super) parts: Parts,
}

/// What one job trains.
enum Job {
    Autoencoder(Box<Trained<Variant>>),
    Direct(Box<DirectNormal>),
    Classifier(Box<Classifier>),
}

/// The data of every seed, and that every model can be made of its settings: before anything is trained, and before a folder is opened
/// whose run a restart would remove.
pub(super) fn prepare(session: &Session, config: &SosVaeConfig, seeds: &[u64]) -> Result<Vec<Parts>> {
    for variant in Variant::all(config) {
        build(session, config, variant, 0)?;
    }
    DirectNormal::new(session.image(), config.rank, config.epsilon, 0, session.device)?;
    classifier(session, &config.classifier, 0)?;
    seeds.iter().map(|&seed| session.parts(&config.data, seed)).collect()
}

/// Trains every model of every seed; `None` when the run was asked to stop.
pub(super) fn train_all(
    session: &Session,
    folder: &OutputDir,
    config: &SosVaeConfig,
    seeds: &[u64],
    parts: Vec<Parts>,
) -> Result<Option<Vec<TrainedSet>>> {
    let data = &config.data;
    let variants = Variant::all(config);
    // The autoencoders, the normal without a network and the classifier, seed after seed.
    let width = variants.len() + 2;
    let trained = session.train_each(seeds.len() * width, |i| {
        let (seed, parts) = (seeds[i / width], &parts[i / width]);
        Ok(match i % width {
            k if k < variants.len() => train_variant(session, folder, config, parts, seed, variants[k])?
                .map(|t| Job::Autoencoder(Box::new(t))),
            k if k == variants.len() => {
                train_direct(session, folder, config, parts, seed)?.map(|d| Job::Direct(Box::new(d)))
            }
            _ => {
                let settings = (&config.classifier, &config.training, data);
                train_classifier(session, folder, settings, parts, seed)?
                    .map(|c| Job::Classifier(Box::new(c)))
            }
        })
    })?;
    let Some(trained) = trained else { return Ok(None) };
    let mut sets = Vec::with_capacity(seeds.len());
    let (mut seeds, mut models, mut normal) = (seeds.iter().zip(parts), Vec::new(), None);
    for job in trained {
        match job {
            Job::Autoencoder(model) => models.push(*model),
            Job::Direct(direct) => normal = Some(*direct),
            // The last job of its seed.
            Job::Classifier(classifier) => {
                if let (Some((&seed, parts)), Some(direct)) = (seeds.next(), normal.take()) {
                    let models = std::mem::take(&mut models);
                    sets.push(TrainedSet { seed, models, direct, classifier: *classifier, parts });
                }
            }
        }
    }
    Ok(Some(sets))
}

/// An autoencoder with this experiment's parts.
fn settings(config: &SosVaeConfig, variant: Variant) -> AutoencoderConfig {
    let held = |target| Constraint { target, damping: config.damping, learning_rate: config.multiplier_rate };
    let low_rank = |rank, diagonal| ObservationConfig::LowRankNormal { rank, diagonal };
    let fixed = LowRankDiagonal::Fixed { value: config.epsilon };
    let observation = match variant {
        // As the authors' code has it: a linear mean, and softplus of a head above ε.
        Variant::Beta => low_rank(0, LowRankDiagonal::Learned { floor: config.epsilon }),
        Variant::Sparse => ObservationConfig::SparsePrecision { neighbourhood: config.neighbourhood },
        Variant::Sos | Variant::Free => low_rank(config.rank, fixed),
        Variant::Loose => low_rank(config.rank, LowRankDiagonal::Learned { floor: config.epsilon }),
        Variant::Rank(rank) => low_rank(rank, fixed),
    };
    let rank = match variant {
        Variant::Sos => Some(config.rank),
        Variant::Rank(rank) => Some(rank),
        _ => None,
    };
    let entropy = match rank {
        Some(rank) => EntropyConfig {
            constraint: Some(held(config.entropy_per_rank * rank as f64)),
            origin: EntropyOrigin::Floor,
            ..EntropyConfig::default()
        },
        None => EntropyConfig::default(),
    };
    AutoencoderConfig {
        architecture: config.architecture.clone(),
        latent: config.latent,
        bottleneck: config.bottleneck,
        observation,
        kl: KlConfig::held(held(config.kl_target)),
        entropy: Some(entropy),
        pretrain_steps: config.pretrain_steps,
        compute: config.compute,
        ..AutoencoderConfig::default()
    }
}

fn build(session: &Session, config: &SosVaeConfig, variant: Variant, seed: u64) -> Result<Autoencoder> {
    let settings = settings(config, variant);
    Ok(Autoencoder::new(&settings, session.image(), session.classes(), seed, session.device)?)
}

pub(super) fn train_variant(
    session: &Session,
    folder: &OutputDir,
    config: &SosVaeConfig,
    parts: &Parts,
    seed: u64,
    variant: Variant,
) -> Result<Option<Trained<Variant>>> {
    let model = build(session, config, variant, seed)?;
    let job = TrainJob {
        name: &variant.name(),
        seed,
        config: config.training.run(config.steps, parts.train.batches_per_epoch(), config.pretrain_steps + 1),
        settings: format!("{:?} {:?}", model.config(), config.data),
        keep_best: None,
    };
    let outcome = session.train(folder, &model, parts, &job)?;
    Ok(outcome.map(|outcome| Trained { variant, model, history: outcome.history }))
}

fn train_direct(
    session: &Session,
    folder: &OutputDir,
    config: &SosVaeConfig,
    parts: &Parts,
    seed: u64,
) -> Result<Option<DirectNormal>> {
    let model = DirectNormal::new(session.image(), config.rank, config.epsilon, seed, session.device)?;
    let job = TrainJob {
        name: "no-network",
        seed,
        config: config.direct.run(config.direct_steps, parts.train.batches_per_epoch(), 0),
        settings: format!("{} {} {:?}", config.rank, config.epsilon, config.data),
        keep_best: None,
    };
    Ok(session.train(folder, &model, parts, &job)?.map(|_| model))
}
