//! A training run before it begins: its settings, and what goes with it.

use serde::{Deserialize, Serialize};
use variata_datasets::Loader;

use super::best::{Better, Kept};
use super::{
    CheckpointStore, EpochRecord, FileSystem, Listener, OptimizerConfig, RealFileSystem, Schedule, StopFlag,
    Trainable, Workers,
};
use crate::Noise;

/// Settings of a training run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training set.
    pub epochs: u64,
    /// The optimiser.
    pub optimizer: OptimizerConfig,
    /// The learning rate over the steps.
    pub schedule: Schedule,
    /// Steps between checkpoints, beside those after validations; 0: only these.
    pub checkpoint_steps: u64,
    /// Epochs between validations and checkpoints; the last epoch always has both.
    pub validate_epochs: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 10,
            optimizer: OptimizerConfig::default(),
            schedule: Schedule::Constant,
            checkpoint_steps: 0,
            validate_epochs: 1,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Whether all epochs were run; `false` after a stop.
    pub completed: bool,
    /// Steps taken.
    pub step: u64,
    /// The epochs.
    pub history: Vec<EpochRecord>,
}

/// A training run: a model, its data, its settings, and who listens.
///
/// With a checkpoint store, a run goes on from the newest checkpoint of the same identity, and gives bit for bit what
/// an uninterrupted run gives (on the CPU, with the same number of threads and instruction set).
#[expect(missing_debug_implementations, reason = "listeners are closures")]
pub struct Trainer<'a, M, F = RealFileSystem> {
    pub(super) model: &'a M,
    pub(super) train: &'a Loader,
    pub(super) validation: Option<&'a Loader>,
    pub(super) config: TrainConfig,
    pub(super) noise: Noise,
    pub(super) identity: String,
    pub(super) store: Option<&'a CheckpointStore<F>>,
    pub(super) listeners: Vec<&'a mut dyn Listener>,
    pub(super) measurement: Option<&'a mut Measurement<'a>>,
    pub(super) kept: Option<Kept>,
    pub(super) stop: StopFlag,
    pub(super) workers: Workers,
}

/// Named values of a model after so many steps, beside its own metrics.
pub type Measurement<'a> =
    dyn FnMut(u64) -> Result<Vec<(String, f64)>, Box<dyn std::error::Error + Send + Sync>> + 'a;

impl<'a, M: Trainable> Trainer<'a, M> {
    /// A run without validation, checkpoints or listeners.
    pub fn new(model: &'a M, train: &'a Loader, config: TrainConfig, seed: u64) -> Self {
        Self {
            model,
            train,
            validation: None,
            config,
            noise: Noise::new(seed),
            identity: String::new(),
            store: None,
            listeners: Vec::new(),
            measurement: None,
            kept: None,
            stop: StopFlag::default(),
            workers: Workers::alone(),
        }
    }
}

impl<'a, M: Trainable, F: FileSystem> Trainer<'a, M, F> {
    /// Validates on this data.
    #[must_use]
    pub fn validation(mut self, data: &'a Loader) -> Self {
        self.validation = Some(data);
        self
    }

    /// Keeps checkpoints; `identity` names settings and data, so that another run's checkpoints are refused.
    #[must_use]
    pub fn checkpoints<G: FileSystem>(
        self,
        store: &'a CheckpointStore<G>,
        identity: impl Into<String>,
    ) -> Trainer<'a, M, G> {
        let Self {
            model, train, validation, config, noise, listeners, measurement, kept, stop, workers, ..
        } = self;
        let (store, identity) = (Some(store), identity.into());
        Trainer {
            model,
            train,
            validation,
            config,
            noise,
            identity,
            store,
            listeners,
            measurement,
            kept,
            stop,
            workers,
        }
    }

    /// Adds a listener.
    #[must_use]
    pub fn listen(mut self, listener: &'a mut dyn Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Also records these values at each validation: what takes the whole set at once, or other models.
    ///
    /// A resumed run repeats none of them; they must depend on the model, fixed data and the number of steps alone for it to end
    /// with the same record.
    #[must_use]
    pub fn measure(mut self, measurement: &'a mut Measurement<'a>) -> Self {
        self.measurement = Some(measurement);
        self
    }

    /// At the end the model becomes what it was at the validation with the best value of a metric, the first at a tie. Checkpoints
    /// hold both.
    #[must_use]
    pub fn keep_best(mut self, metric: impl Into<String>, better: Better) -> Self {
        self.kept = Some(Kept::new(self.model, metric, better));
        self
    }

    /// Stops after the current step when the flag is set.
    #[must_use]
    pub fn stop_flag(mut self, flag: StopFlag) -> Self {
        self.stop = flag;
        self
    }

    /// Trains together with others, each of which makes the same run: the model with the same seed, the same data and settings, which is
    /// checked. Validation batches are dealt out. Only the first worker's checkpoint store, identity and measurement are used; those
    /// given to other workers are ignored. Listeners run on every worker that has them.
    ///
    /// A run goes on from a checkpoint with any number of workers; with another number the result differs by round-off.
    #[must_use]
    pub fn workers(mut self, workers: Workers) -> Self {
        self.workers = workers;
        self
    }
}
