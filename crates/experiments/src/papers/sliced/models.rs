//! The models that are trained for each seed.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use variata_models::{Autoencoder, Classifier, Cost, LatentDistance, Normality};
use variata_report::OutputDir;

use super::SlicedConfig;
use super::measure::Curves;
use crate::features::{Extractor, Features, classifier, train_classifier};
use crate::session::{Parts, Trained};
use crate::{Session, TrainJob};

/// An autoencoder of the paper, or of its related work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// No term for the codes.
    Ae,
    /// Sliced W₂ to draws of the prior.
    Swae,
    /// Sliced W₂ to the prior in closed form.
    Scfwae,
    /// Sliced Cramér–Wold distance.
    Scwae,
    /// Sliced Cramér–von Mises statistic.
    Scvmae,
    /// Sliced Kolmogorov–Smirnov statistic.
    Sksae,
    /// Cramér–Wold distance over all directions.
    Cwae,
    /// Maximum mean discrepancy to draws of the prior.
    WaeMmd,
}

impl Method {
    pub(super) const ALL: [Self; 8] = [
        Self::Ae,
        Self::Swae,
        Self::Scfwae,
        Self::Scwae,
        Self::Scvmae,
        Self::Sksae,
        Self::Cwae,
        Self::WaeMmd,
    ];
    /// The paper's distances between samples.
    pub(super) const DISTANCES: [Self; 3] = [Self::Swae, Self::Scfwae, Self::Scwae];
    /// The paper's tests of normality.
    pub(super) const TESTS: [Self; 2] = [Self::Scvmae, Self::Sksae];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ae => "ae",
            Self::Swae => "swae",
            Self::Scfwae => "scfwae",
            Self::Scwae => "scwae",
            Self::Scvmae => "scvmae",
            Self::Sksae => "sksae",
            Self::Cwae => "cwae",
            Self::WaeMmd => "wae-mmd",
        }
    }

    /// As a person writes it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Ae => "AE",
            Self::Swae => "SWAE",
            Self::Scfwae => "SCFWAE",
            Self::Scwae => "SCWAE",
            Self::Scvmae => "SCvMAE",
            Self::Sksae => "SKSAE",
            Self::Cwae => "CWAE",
            Self::WaeMmd => "WAE-MMD",
        }
    }

    pub(super) fn distance(self, directions: usize) -> Option<LatentDistance> {
        let sliced = |normality| Some(LatentDistance::Sliced { normality, directions });
        match self {
            Self::Ae => None,
            Self::Swae => Some(LatentDistance::SlicedToDraws { directions }),
            Self::Scfwae => sliced(Normality::Wasserstein),
            Self::Scwae => sliced(Normality::CramerWold),
            Self::Scvmae => sliced(Normality::CramerVonMises),
            Self::Sksae => sliced(Normality::KolmogorovSmirnov),
            Self::Cwae => Some(LatentDistance::CramerWold),
            Self::WaeMmd => Some(LatentDistance::Mmd),
        }
    }
}

/// One training: a method, and how its distance enters the objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Variant {
    pub(super) method: Method,
    pub(super) cost: Cost,
    /// Whether it is one of the compared models, or of the search for a weight.
    pub(super) compared: bool,
}

impl Variant {
    /// The compared models, then the search.
    pub(super) fn all(config: &SlicedConfig) -> Vec<Self> {
        let compared = Method::ALL.map(|method| Self { method, cost: config.cost, compared: true });
        let with = |method| {
            let weights = config.weights.iter();
            weights.map(move |&lambda| Self { method, cost: Cost::Weight { lambda }, compared: false })
        };
        compared.into_iter().chain(config.searched.iter().copied().flat_map(with)).collect()
    }

    pub(super) fn name(self) -> String {
        match self.cost {
            // Hundreds of digits would be no name for a folder.
            Cost::Weight { lambda } if !self.compared && !(1e-6..1e9).contains(&lambda) => {
                format!("{}-weight-{lambda:e}", self.method.name())
            }
            Cost::Weight { lambda } if !self.compared => format!("{}-weight-{lambda}", self.method.name()),
            _ => self.method.name().to_owned(),
        }
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

/// The data of every seed, and that every model can be made of its settings: before anything is trained, and before a folder is opened
/// whose run a restart would remove.
pub(super) fn prepare(session: &Session, config: &SlicedConfig, seeds: &[u64]) -> Result<Vec<Parts>> {
    for variant in Variant::all(config) {
        build(session, config, variant, 0)?;
    }
    classifier(session, &config.classifier, 0)?;
    seeds.iter().map(|&seed| session.parts(&config.data, seed)).collect()
}

fn build(session: &Session, config: &SlicedConfig, variant: Variant, seed: u64) -> Result<Autoencoder> {
    let settings = config.autoencoder(variant);
    Ok(Autoencoder::new(&settings, session.image(), session.classes(), seed, session.device)?)
}

/// Trains every model of every seed, the classifiers first: they judge during training. `None` when the run was asked to stop.
pub(super) fn train_all(
    session: &Session,
    folder: &OutputDir,
    config: &SlicedConfig,
    seeds: &[u64],
    parts: Vec<Parts>,
) -> Result<Option<Vec<TrainedSet>>> {
    let data = &config.data;
    let variants = Variant::all(config);
    let classifiers = session.side_by_side(seeds.len(), |i| {
        let settings = (&config.classifier, &config.training, data);
        train_classifier(session, folder, settings, &parts[i], seeds[i])
    })?;
    let Some(classifiers) = classifiers else { return Ok(None) };
    // A model is lent to one thread at a time.
    let classifiers: Vec<_> = classifiers.into_iter().map(Mutex::new).collect();
    let width = variants.len();
    let trained = session.train_each(seeds.len() * width, |i| {
        let (k, variant) = (i / width, variants[i % width]);
        train_variant(session, folder, config, (&parts[k], seeds[k]), &classifiers[k], variant)
    })?;
    let Some(trained) = trained else { return Ok(None) };
    let mut trained = trained.into_iter();
    let sets = seeds.iter().zip(parts).zip(classifiers).map(|((&seed, parts), classifier)| TrainedSet {
        seed,
        models: trained.by_ref().take(width).collect(),
        classifier: classifier.into_inner().unwrap_or_else(PoisonError::into_inner),
        parts,
    });
    Ok(Some(sets.collect()))
}

fn train_variant(
    session: &Session,
    folder: &OutputDir,
    config: &SlicedConfig,
    (parts, seed): (&Parts, u64),
    classifier: &Mutex<Classifier>,
    variant: Variant,
) -> Result<Option<Trained<Variant>>> {
    let settings = config.autoencoder(variant);
    let model = build(session, config, variant, seed)?;
    let extractor = if variant.compared { Extractor::of(session)? } else { None };
    // What is measured during training is part of its record, and so is what it is measured by.
    let judged = extractor.as_ref().map_or_else(|| format!("{:?}", config.classifier), |e| e.sha256.clone());
    let job = TrainJob {
        name: &variant.name(),
        seed,
        config: config.training.run(config.steps, parts.train.batches_per_epoch(), 0),
        settings: format!("{settings:?} {:?} {:?} {:?} {judged}", config.prior, config.data, config.measure),
        keep_best: None,
    };
    let outcome = if variant.compared {
        let judge = || classifier.lock().unwrap_or_else(PoisonError::into_inner);
        let curves = {
            let judge = judge();
            Curves::new(session, config, parts, &Features::best(extractor.as_ref(), &judge))?
        };
        let mut measure = |_: u64| {
            let judge = judge();
            curves
                .point(&model, config, seed, &Features::best(extractor.as_ref(), &judge))
                .map_err(Into::into)
        };
        session.train_measured(folder, &model, parts, &job, &mut measure)?
    } else {
        session.train(folder, &model, parts, &job)?
    };
    Ok(outcome.map(|outcome| Trained { variant, model, history: outcome.history }))
}
