//! VAE and conditional VAE (tutorial): models, run, report.

mod claims;
mod config;
mod figures;
mod measure;
mod models;

use std::path::PathBuf;

use anyhow::Result;
use variata_report::{Metrics, Report};

pub use config::{MeasureConfig, VaeConfig};

use crate::features::Extractor;
use crate::{Preset, PresetSource, Session};

/// Name of the paper, as in folders.
pub const PAPER: &str = "vae";
/// What it is run on unless told otherwise.
pub const DATA: &str = "digits";

const PRESETS: PresetSource = &[
    ("quick", include_str!("../../presets/vae/quick.toml")),
    ("full", include_str!("../../presets/vae/full.toml")),
];

/// An embedded preset by name, or a .toml file.
///
/// # Errors
/// As [`Preset::load`].
pub fn preset(name: &str) -> Result<Preset<VaeConfig>> {
    Preset::load(name, PRESETS)
}

/// Trains everything for every seed, measures, and writes the report; `None` when the run was asked to stop, or
/// has trained its share.
///
/// # Errors
/// Settings, data, training or files fail.
pub fn reproduce(preset_name: &str, session: &Session) -> Result<Option<PathBuf>> {
    let preset = preset(preset_name)?;
    preset.config.check()?;
    // One that cannot be used is told before anything is trained.
    Extractor::of(session)?;
    let seeds = session.seeds(preset.config.seeds);
    let parts = models::prepare(session, &preset.config, &seeds)?;
    let (manifest, folder) = session.open(PAPER, &preset, &seeds)?;
    let Some(trained) = models::train_all(session, &folder, &preset.config, &seeds, parts)? else {
        return session.leave(folder, &manifest);
    };
    let results = session.each(trained, |set| measure::measure(session, &preset.config, &set))?;
    let Some(results) = results else { return Ok(None) };
    let claims = claims::claims(&results);
    let mut metrics = Metrics::new();
    for result in &results {
        result.record(&mut metrics);
    }
    let report = Report {
        title: "Variational and conditional variational autoencoders".to_owned(),
        subtitle: format!("{} · preset {} · seeds: {}", session.data.name(), preset.name, seeds.len()),
        paper: "Variational Autoencoder (VAE), tutorial".to_owned(),
        summary: figures::summary(&results, &claims),
        lead: Some(figures::lead(&results[0], session)?),
        claims,
        sections: figures::sections(&results, session)?,
        manifest,
    };
    Ok(Some(session.publish(folder, &report, metrics)?))
}
