//! VQ-Diff: bundles of streamlines through five autoencoders.

mod claims;
mod config;
mod data;
mod figures;
mod measure;
mod models;
mod usage;
mod view;

use std::path::PathBuf;

use anyhow::Result;
use variata_report::{Metrics, Report};

pub use config::{BundleConfig, MeasureConfig, NormalizeBy, SplitBy, VqDiffConfig};

use crate::session::SessionOptions;
use crate::{Preset, PresetSource, Session};

/// Name of the paper, as in folders.
pub const PAPER: &str = "vq-diff";

const PRESETS: PresetSource = &[
    ("quick", include_str!("../../presets/vq-diff/quick.toml")),
    ("long", include_str!("../../presets/vq-diff/long.toml")),
    ("full", include_str!("../../presets/vq-diff/full.toml")),
    ("published", include_str!("../../presets/vq-diff/published.toml")),
];

/// An embedded preset by name, or a .toml file.
///
/// # Errors
/// As [`Preset::load`].
pub fn preset(name: &str) -> Result<Preset<VqDiffConfig>> {
    Preset::load(name, PRESETS)
}

/// Loads the bundles, trains everything for every seed, measures, and writes the report; `None` when the run was asked to stop, or
/// has trained its share.
///
/// # Errors
/// Settings, data, training or files fail.
pub fn reproduce(preset_name: &str, options: SessionOptions) -> Result<Option<PathBuf>> {
    let preset = preset(preset_name)?;
    let config = &preset.config;
    config.check()?;
    let session = Session::begin_with(options, data::PHANTOM, |name| data::load(name, config))?;
    let data = &session.data;
    let seeds = session.seeds(config.seeds);
    let parts = models::prepare(&session, config, &seeds)?;
    let (manifest, folder) = session.open(PAPER, &preset, &seeds)?;
    let Some(trained) = models::train_all(&session, &folder, config, &seeds, &parts)? else {
        return session.leave(folder, &manifest);
    };
    let shared = measure::Shared::new(data, config)?;
    let width = models::Method::ALL.len();
    let all = trained.into_iter().flat_map(|set| set.models.into_iter().map(move |model| (set.seed, model)));
    let results = session.each(all.collect(), |(seed, trained)| {
        measure::measure(data, config, &shared, (&trained.model, trained.history), (trained.variant, seed))
    })?;
    let Some(results) = results else { return Ok(None) };
    let mut results = results.into_iter();
    let results: Vec<_> = seeds
        .iter()
        .map(|&seed| measure::SeedResult { seed, models: results.by_ref().take(width).collect() })
        .collect();
    let mut metrics = Metrics::new();
    for result in &results {
        result.record(&data.tracts, &mut metrics);
    }
    if let Some(purity) = shared.purity {
        metrics.insert("data/purity", purity);
    }
    metrics.insert("data/millimetres-of-a-unit", data.millimetres());
    let claims = claims::claims(&results, config.diff.scale);
    let report = Report {
        title: "VQ-Diff".to_owned(),
        subtitle: format!("{} · preset {} · seeds: {}", crate::run_data::RunData::name(&**data), preset.name, seeds.len()),
        paper: "Differentiable VQ-VAE's for robust white matter streamline encodings (Lizarraga, Taraku, Honig, Wu, Joshi)".to_owned(),
        summary: figures::summary(&results, &claims, data, config),
        lead: Some(figures::subject(&results[0], data, &shared)?),
        sections: figures::sections(&results, data, &shared, config)?,
        claims,
        manifest,
    };
    Ok(Some(session.publish(folder, &report, metrics)?))
}
