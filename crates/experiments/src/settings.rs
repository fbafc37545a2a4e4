//! Settings that the papers' presets share.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use variata_datasets::SplitOptions;
use variata_models::train::{OptimizerConfig, Schedule, TrainConfig};
use variata_models::{Architecture, Error};

/// Optimiser and schedule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Training {
    /// AdamW; 1e-3.
    pub optimizer: OptimizerConfig,
    /// Half a cosine after 100 steps of warm-up.
    pub schedule: Schedule,
    /// Steps between checkpoints inside an epoch; 500.
    pub checkpoint_steps: u64,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            optimizer: OptimizerConfig::default(),
            schedule: Schedule::Cosine { warmup_steps: 100, final_factor: 0.0 },
            checkpoint_steps: 500,
        }
    }
}

impl Training {
    /// Refuses what would be found out when the first step is made, after the data are read; `table` is the name in a preset.
    ///
    /// # Errors
    /// A setting is outside its range; the message names it.
    pub(crate) fn check(&self, table: &str) -> Result<()> {
        for (part, found) in [("optimizer", self.optimizer.check()), ("schedule", self.schedule.check())] {
            in_table(&format!("{table}.{part}"), found)?;
        }
        Ok(())
    }

    /// A training run of `steps` on epochs of `per_epoch` batches, in whole epochs.
    pub(crate) fn run(&self, steps: u64, per_epoch: usize) -> TrainConfig {
        let per_epoch = per_epoch.max(1) as u64;
        // To the nearest: rounded up, 2000 steps of Fashion-MNIST would be 2532.
        let epochs = (steps.saturating_add(per_epoch / 2) / per_epoch).max(1);
        TrainConfig {
            epochs,
            optimizer: self.optimizer,
            schedule: self.schedule,
            checkpoint_steps: self.checkpoint_steps,
            // At most some forty points on a curve.
            validate_epochs: epochs.div_ceil(40),
        }
    }
}

/// Batches and splits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Images in a batch; 64.
    pub batch_size: usize,
    /// Share for validation; 0.1.
    pub validation: f64,
    /// Share for tests, where the data has no official test part; 0.2.
    pub test: f64,
    /// Seed of the split; 0. The same for all seeds of a run, so that these differ in training alone.
    pub split_seed: u64,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { batch_size: 64, validation: 0.1, test: 0.2, split_seed: 0 }
    }
}

impl DataConfig {
    /// How the data is divided.
    pub(crate) fn split(&self) -> SplitOptions {
        SplitOptions {
            seed: self.split_seed,
            validation: self.validation,
            test: self.test,
            ..SplitOptions::default()
        }
    }
}

/// The classifier that judges generated images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierSettings {
    /// Its networks.
    pub architecture: Architecture,
    /// Its training steps, rounded to whole epochs, at least one; 1500.
    pub steps: u64,
}

impl Default for ClassifierSettings {
    fn default() -> Self {
        Self { architecture: Architecture::Mlp { hidden: vec![128, 64] }, steps: 1500 }
    }
}

/// What a part of a model refuses, under the name that the setting has in a preset, where `table` holds the part.
///
/// # Errors
/// That.
pub(crate) fn in_table(table: &str, found: std::result::Result<(), Error>) -> Result<()> {
    match found {
        Err(Error::Config { setting, value, must }) => {
            // The part's place in its model is the table's in the preset.
            let setting = setting.strip_prefix("bottleneck.").unwrap_or(setting);
            bail!("`{table}.{setting}` is {value}, must be {must}")
        }
        other => Ok(other?),
    }
}

/// Refuses a list that has something twice.
///
/// # Errors
/// It has; the message names the list, and the item as `name` gives it.
pub(crate) fn check_distinct<T: PartialEq, N: std::fmt::Display>(
    list: &str,
    items: &[T],
    name: impl Fn(&T) -> N,
) -> Result<()> {
    match (1..items.len()).find(|&i| items[..i].contains(&items[i])) {
        Some(twice) => bail!("`{list}` has {} twice, must be different", name(&items[twice])),
        None => Ok(()),
    }
}

/// Refuses a number that is not finite or not what it must be: name, value, whether it is, what it must be besides finite.
///
/// # Errors
/// One is; the message names it.
pub(crate) fn check_numbers(numbers: &[(&str, f64, bool, &str)]) -> Result<()> {
    for (name, value, ok, must) in numbers {
        if !(*ok && value.is_finite()) {
            bail!("`{name}` is {value}, must be {must}");
        }
    }
    Ok(())
}

/// Refuses a count outside its range: name, value, lowest, highest.
///
/// # Errors
/// One is; the message names it.
pub(crate) fn check_counts(counts: &[(&str, u64, u64, u64)]) -> Result<()> {
    for (name, value, low, high) in counts {
        if !(low..=high).contains(&value) {
            bail!("`{name}` is {value}, must be in {low}..={high}");
        }
    }
    Ok(())
}
