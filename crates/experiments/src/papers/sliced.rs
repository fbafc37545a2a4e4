//! Sliced generative models: SWAE, SCFWAE, SCWAE, SCvMAE, SKSAE and their relatives.

mod claims;
mod config;
mod figures;
mod measure;
mod models;

use std::path::PathBuf;

use anyhow::Result;
use variata_report::{Metrics, Report};

pub use config::{MeasureConfig, SlicedConfig};
pub use models::Method;

use crate::features::Extractor;
use crate::{Preset, PresetSource, Session};

/// Name of the paper, as in folders.
pub const PAPER: &str = "sliced";
/// What it is run on unless told otherwise.
pub const DATA: &str = "digits";

const PRESETS: PresetSource = &[
    ("quick", include_str!("../../presets/sliced/quick.toml")),
    ("full", include_str!("../../presets/sliced/full.toml")),
    ("cifar10", include_str!("../../presets/sliced/cifar10.toml")),
    ("celeba", include_str!("../../presets/sliced/celeba.toml")),
];

/// An embedded preset by name, or a .toml file.
///
/// # Errors
/// As [`Preset::load`].
pub fn preset(name: &str) -> Result<Preset<SlicedConfig>> {
    Preset::load(name, PRESETS)
}

/// Trains everything for every seed, measures, and writes the report; `None` when the run was asked to stop, or
/// has trained its share.
///
/// # Errors
/// Settings, data, training or files fail.
pub fn reproduce(preset_name: &str, session: &Session) -> Result<Option<PathBuf>> {
    let preset = preset(preset_name)?;
    let config = &preset.config;
    config.check()?;
    // One that cannot be used is told before anything is trained.
    Extractor::of(session)?;
    let seeds = session.seeds(config.seeds);
    let parts = models::prepare(session, config, &seeds)?;
    let (manifest, folder) = session.open(PAPER, &preset, &seeds)?;
    let Some(trained) = models::train_all(session, &folder, config, &seeds, parts)? else {
        return session.leave(folder, &manifest);
    };
    let results = session.each(trained, |set| measure::measure(session, config, &set))?;
    let Some(results) = results else { return Ok(None) };
    let mut metrics = Metrics::new();
    for result in &results {
        result.record(&mut metrics);
    }
    let claims = claims::claims(&results, &config.searched, config.cost);
    let report = Report {
        title: "Sliced generative models".to_owned(),
        subtitle: format!("{} · preset {} · seeds: {}", session.data.name(), preset.name, seeds.len()),
        paper: "Sliced generative models (Knop, Mazur, Tabor, Podolak, Spurek)".to_owned(),
        summary: figures::summary(&results, &claims, config),
        lead: Some(figures::lead(&results[0])?),
        sections: figures::sections(&results, config, session.classes())?,
        claims,
        manifest,
    };
    Ok(Some(session.publish(folder, &report, metrics)?))
}
