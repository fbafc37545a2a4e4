//! Augmentation with plane waves: robust and calibrated classifiers.

mod claims;
mod config;
mod figures;
mod measure;
mod models;
mod published;
mod views;

use std::path::PathBuf;

use anyhow::{Result, bail};
use variata_report::{Metrics, Report};

pub use config::{AugmentConfig, FourierAugConfig, MeasureConfig};

use crate::{Preset, PresetSource, Session};

/// Name of the paper, as in folders.
pub const PAPER: &str = "fourier-aug";
/// What it is run on unless told otherwise.
pub const DATA: &str = "digits:16";

const PRESETS: PresetSource = &[
    ("quick", include_str!("../../presets/fourier-aug/quick.toml")),
    ("long", include_str!("../../presets/fourier-aug/long.toml")),
    ("full", include_str!("../../presets/fourier-aug/full.toml")),
];

/// An embedded preset by name, or a .toml file.
///
/// # Errors
/// As [`Preset::load`].
pub fn preset(name: &str) -> Result<Preset<FourierAugConfig>> {
    Preset::load(name, PRESETS)
}

/// Trains a classifier for every seed and set of operations, measures, and writes the report; `None` when the run was asked to stop, or
/// has trained its share.
///
/// # Errors
/// Settings, data, training or files fail.
pub fn reproduce(preset_name: &str, session: &Session) -> Result<Option<PathBuf>> {
    let preset = preset(preset_name)?;
    let config = &preset.config;
    config.check()?;
    if session.classes() < 2 {
        bail!(
            "the images of {} have one class, must have at least 2: a folder of images needs a folder for each",
            session.data.name()
        );
    }
    let seeds = session.seeds(config.seeds);
    // What cannot be read is told before anything is trained.
    measure::TestSet::new(session, config)?.check_files()?;
    models::prepare(session, config, &seeds)?;
    let (manifest, folder) = session.open(PAPER, &preset, &seeds)?;
    let Some(trained) = models::train_all(session, &folder, config, &seeds)? else {
        return session.leave(folder, &manifest);
    };
    let test = measure::TestSet::new(session, config)?;
    let Some(models) = measure::measure(session, config, &test, trained)? else { return Ok(None) };
    let results = measure::grouped(models, &seeds);
    let mut metrics = Metrics::new();
    for result in &results {
        result.record(&mut metrics);
    }
    let claims = claims::claims(&results);
    let report = Report {
        title: "Augmentation with plane waves".to_owned(),
        subtitle: format!("{} · preset {} · seeds: {}", session.data.name(), preset.name, seeds.len()),
        paper: "Fourier-based augmentations for improved robustness and uncertainty calibration (Soklaski, Yee, Tsiligkaridis)"
            .to_owned(),
        summary: figures::summary(&results, &claims, config, &test),
        lead: Some(figures::lead(session, config, &test)?),
        sections: figures::sections(&results, config, &test)?,
        claims,
        manifest,
    };
    Ok(Some(session.publish(folder, &report, metrics)?))
}
