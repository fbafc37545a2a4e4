//! Settings that the papers' presets share.

use anyhow::{Result, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use variata_datasets::SplitOptions;
use variata_models::train::{OptimizerConfig, Schedule, TrainConfig};
use variata_models::{Architecture, Error};

/// Optimiser and schedule: AdamW with a step of 1e-3, half a cosine after 100 steps of warm-up, a checkpoint every 500 steps, where a
/// paper's settings say nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Training {
    /// The optimiser.
    pub optimizer: OptimizerConfig,
    /// Factor on its step size.
    pub schedule: Schedule,
    /// Steps between checkpoints inside an epoch.
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
    /// Refuses what would be found out when the first step is made, after the data are read, and a warm-up that is longer than one of
    /// the `trainings`, each the name and the value of its number of steps: its end would be that of half a training. `table` is the
    /// name in a preset.
    ///
    /// # Errors
    /// A setting is outside its range; the message names it.
    pub(crate) fn check(&self, table: &str, trainings: &[(&str, u64)]) -> Result<()> {
        for (part, found) in [("optimizer", self.optimizer.check()), ("schedule", self.schedule.check())] {
            in_table(&format!("{table}.{part}"), found)?;
        }
        match self.schedule {
            Schedule::Cosine { warmup_steps, .. } => {
                check_warmup(&format!("{table}.schedule.warmup_steps"), warmup_steps, trainings)
            }
            _ => Ok(()),
        }
    }

    /// A training run of `steps` on epochs of `per_epoch` batches, in whole epochs: as many as are nearest, but no fewer than have the
    /// `least` steps, up to `steps`, and the warm-up.
    pub(crate) fn run(&self, steps: u64, per_epoch: usize, least: u64) -> TrainConfig {
        let per_epoch = per_epoch.max(1) as u64;
        // To the nearest: rounded up, 2000 steps of Fashion-MNIST would be 2532.
        let nearest = (steps.saturating_add(per_epoch / 2) / per_epoch).max(1);
        let warmup = match self.schedule {
            Schedule::Cosine { warmup_steps, .. } => warmup_steps,
            _ => 0,
        };
        let epochs = nearest.max(least.max(warmup).min(steps).div_ceil(per_epoch));
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

/// Batches and splits: 64 images in a batch, a tenth for validation, a fifth for tests, where a paper's settings say nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Images in a batch.
    pub batch_size: usize,
    /// Share for validation.
    pub validation: f64,
    /// Share for tests, where the data has no official test part.
    pub test: f64,
    /// Seed of the split. The same for all seeds of a run, so that these differ in training alone.
    pub split_seed: u64,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { batch_size: 64, validation: 0.1, test: 0.2, split_seed: 0 }
    }
}

impl DataConfig {
    /// Refuses what no data can be divided by.
    ///
    /// # Errors
    /// A setting is outside its range; the message names it.
    pub(crate) fn check(&self) -> Result<()> {
        let share = |x: f64| (0.0..1.0).contains(&x);
        check_counts(&[("data.batch_size", self.batch_size as u64, 1, 1 << 24)])?;
        check_numbers(&[
            ("data.validation", self.validation, share(self.validation), "in [0, 1)"),
            ("data.test", self.test, share(self.test), "in [0, 1)"),
        ])
    }

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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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

/// Refuses a warm-up that is longer than one of the `trainings`, each the name and the value of its number of steps.
///
/// # Errors
/// It is; the message names both.
pub(crate) fn check_warmup(name: &str, warmup: u64, trainings: &[(&str, u64)]) -> Result<()> {
    match trainings.iter().find(|(_, steps)| warmup > *steps) {
        Some((of, steps)) => bail!("`{name}` is {warmup}, must be at most `{of}`, {steps}"),
        None => Ok(()),
    }
}

/// What a part of a model refuses, under the name that the setting has in a preset, where `table` holds the part.
///
/// # Errors
/// That.
pub(crate) fn in_table<T>(table: &str, found: std::result::Result<T, Error>) -> Result<T> {
    match found {
        // Its size is that of the data.
        Err(Error::Config { setting, value, must }) if setting != "image shape" => {
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

/// The largest of some numbers; NaN of none, and where one is NaN, which `f64::max` would leave out.
pub(crate) fn highest(values: impl IntoIterator<Item = f64>) -> f64 {
    let larger = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) };
    values.into_iter().reduce(larger).unwrap_or(f64::NAN)
}

/// The smallest, as [`highest`].
pub(crate) fn lowest(values: impl IntoIterator<Item = f64>) -> f64 {
    -highest(values.into_iter().map(|v| -v))
}

/// A count with its noun: one seed, but two seeds.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_show_what_is_not_a_number() {
        assert_eq!((highest([1.0, 3.0, 2.0]), lowest([1.0, -3.0, 2.0])), (3.0, -3.0));
        assert_eq!(highest([f64::NEG_INFINITY, f64::INFINITY]), f64::INFINITY);
        for at in 0..3 {
            let mut values = [1.0; 3];
            values[at] = f64::NAN;
            assert!(highest(values).is_nan() && lowest(values).is_nan(), "{at}");
        }
        assert!(highest([]).is_nan() && lowest([]).is_nan());
    }

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "seed")), ["0 seeds", "1 seed", "2 seeds"]);
    }

    #[test]
    fn a_training_in_whole_epochs_is_no_shorter_than_its_warm_up() {
        let of = |warmup_steps, steps| {
            let schedule = Schedule::Cosine { warmup_steps, final_factor: 0.0 };
            Training { schedule, ..Training::default() }.run(steps, 20, 0).epochs
        };
        assert_eq!([of(0, 29), of(20, 29), of(21, 29), of(29, 29), of(5, 5)], [1, 1, 2, 2, 1]);
        let plain = Training { schedule: Schedule::Constant, ..Training::default() };
        assert_eq!([20, 26, 100].map(|least| plain.run(29, 20, least).epochs), [1, 2, 2]);
    }

    #[test]
    fn shares_of_the_data_are_named_as_in_a_preset() {
        let bad = |data: DataConfig| data.check().unwrap_err().to_string();
        assert!(
            bad(DataConfig { batch_size: 0, ..DataConfig::default() }).starts_with("`data.batch_size` is 0")
        );
        assert!(
            bad(DataConfig { validation: 1.5, ..DataConfig::default() })
                .starts_with("`data.validation` is 1.5")
        );
        assert!(
            bad(DataConfig { test: f64::NAN, ..DataConfig::default() }).starts_with("`data.test` is NaN")
        );
    }

    #[test]
    fn a_warm_up_ends_within_every_training() {
        let of = |warmup_steps| Training {
            schedule: Schedule::Cosine { warmup_steps, final_factor: 0.0 },
            ..Training::default()
        };
        let trainings = [("steps", 50), ("classifier.steps", 40)];
        of(40).check("training", &trainings).unwrap();
        for (warmup, name) in [(41, "`classifier.steps`, 40"), (51, "`steps`, 50")] {
            let error = of(warmup).check("training", &trainings).unwrap_err().to_string();
            let want = format!("`training.schedule.warmup_steps` is {warmup}, must be at most {name}");
            assert_eq!(error, want);
        }
        let constant = Training { schedule: Schedule::Constant, ..Training::default() };
        constant.check("training", &[("steps", 1)]).unwrap();
    }
}
