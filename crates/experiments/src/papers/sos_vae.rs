//! SOS-VAE: the low-rank normal over pixels; models, run, report.

mod claims;
mod config;
mod dense;
mod direct;
mod editing;
mod figures;
mod measure;
mod models;
mod observation_space;

use std::path::PathBuf;

use anyhow::Result;
use variata_report::{Metrics, Report};

pub use config::{MeasureConfig, SosVaeConfig};
use measure::SeedResult;
use models::Variant;

use crate::features::Extractor;
use crate::{Preset, PresetSource, Session};

/// Name of the paper, as in folders.
pub const PAPER: &str = "sos-vae";
/// What it is run on unless told otherwise.
pub const DATA: &str = "faces";

const PRESETS: PresetSource = &[
    ("quick", include_str!("../../presets/sos-vae/quick.toml")),
    ("long", include_str!("../../presets/sos-vae/long.toml")),
    ("full", include_str!("../../presets/sos-vae/full.toml")),
];

/// An embedded preset by name, or a .toml file.
///
/// # Errors
/// As [`Preset::load`].
pub fn preset(name: &str) -> Result<Preset<SosVaeConfig>> {
    Preset::load(name, PRESETS)
}

/// Trains the paper's model alone, by the quick preset, and says where its checkpoints are; `None` when it was asked to stop.
///
/// # Errors
/// Training or files fail.
pub(crate) fn train_for_studio(session: &Session) -> Result<Option<PathBuf>> {
    let preset = preset("quick")?;
    let seeds = session.seeds(1);
    let parts = session.parts(&preset.config.data, seeds[0])?;
    let (manifest, folder) = session.open(PAPER, &preset, &seeds)?;
    let path = folder.path().join("checkpoints").join(format!("{}-{}", Variant::Sos.name(), seeds[0]));
    let trained = models::train_variant(session, &folder, &preset.config, &parts, seeds[0], Variant::Sos)?;
    if trained.is_none() {
        return Ok(None);
    }
    session.finish(folder, &manifest)?;
    Ok(Some(path))
}

/// Trains everything for every seed, measures, and writes the report; `None` when the run was asked to stop, or
/// has trained its share.
///
/// # Errors
/// Settings, data, training or files fail.
pub fn reproduce(preset_name: &str, session: &Session) -> Result<Option<PathBuf>> {
    let preset = preset(preset_name)?;
    preset.config.check()?;
    preset.config.measure.pixel_in(session.image())?;
    let extractor = Extractor::of(session)?;
    let seeds = session.seeds(preset.config.seeds);
    let parts = models::prepare(session, &preset.config, &seeds)?;
    let (manifest, folder) = session.open(PAPER, &preset, &seeds)?;
    let Some(trained) = models::train_all(session, &folder, &preset.config, &seeds, parts)? else {
        return session.leave(folder, &manifest);
    };
    // One after the other: an extractor belongs to one thread.
    let mut results: Vec<SeedResult> = Vec::with_capacity(trained.len());
    for set in trained {
        if session.is_stopping() {
            return Ok(None);
        }
        results.push(measure::measure(session, &preset.config, extractor.as_ref(), &set)?);
    }
    let claims = claims::claims(&results, &preset.config);
    let mut metrics = Metrics::new();
    for result in &results {
        result.record(&mut metrics);
    }
    let report = Report {
        title: "SOS-VAE: structured observation spaces".to_owned(),
        subtitle: format!("{} · preset {} · seeds: {}", session.data.name(), preset.name, seeds.len()),
        paper: "Structured observation space VAE (Langley, Monteiro, Jones, Pawlowski, Glocker)".to_owned(),
        summary: figures::summary(&results, &claims, &preset.config, extractor.as_ref()),
        lead: Some(figures::lead(&results[0])?),
        sections: figures::sections(&results, &preset.config)?,
        claims,
        manifest,
    };
    Ok(Some(session.publish(folder, &report, metrics)?))
}
