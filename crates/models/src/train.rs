//! One training loop for every model: steps, events, checkpoints, exact resume.

mod best;
pub(crate) mod checkpoint;
mod clip;
mod event;
mod file_system;
mod fit;
mod history;
mod multipliers;
mod optimizer;
mod progress;
mod schedule;
mod trainer;
mod workers;

use variata_datasets::Batch;

pub use best::Better;
pub use checkpoint::{Best, CheckpointStore, FORMAT_VERSION, RunState};
pub use event::{Control, Event, Listener, StopFlag};
pub use file_system::{FileSystem, RealFileSystem};
pub use history::{EpochRecord, Mean};
pub use multipliers::{Constraint, Multipliers};
pub use optimizer::{AdamConfig, Optimizer, OptimizerConfig, SgdConfig};
pub use progress::{LogFile, ProgressBar, ProgressGroup};
pub use schedule::Schedule;
pub use trainer::{Measurement, Outcome, TrainConfig, Trainer};
pub use workers::{Collective, CollectiveError, Workers};

use crate::{Error, Noise, Objective, Parameters};

/// What a model may know about the step it is in.
#[derive(Debug, Clone)]
pub struct StepContext {
    /// Training step, counted from 0.
    pub step: u64,
    /// Where to draw noise: the training step, or the number of the validation batch.
    pub draw: u64,
    /// The run's noise.
    pub noise: Noise,
    /// Where the first row of the batch is in the whole one, of which this worker has a share; 0 without others. What is drawn for a row
    /// is drawn for its place in the whole batch.
    pub first_row: u64,
    /// Who trains the model.
    pub workers: Workers,
}

impl StepContext {
    /// Of one process alone.
    pub const fn new(step: u64, draw: u64, noise: Noise) -> Self {
        Self { step, draw, noise, first_row: 0, workers: Workers::alone() }
    }

    /// Numbers of the whole batch's rows that a share of `n` rows has.
    pub fn rows(&self, n: i64) -> std::ops::Range<u64> {
        crate::noise::rows_from(self.first_row, n)
    }
}

/// What the trainer needs of a model.
pub trait Trainable {
    /// The tensors to train and to save.
    fn parameters(&self) -> &Parameters;

    /// What the model has to be made of to take a checkpoint's tensors; nothing by default.
    fn description(&self) -> String {
        String::new()
    }

    /// The objective of a batch, connected to the parameters: of the worker's rows of it. What couples the rows asks
    /// [`StepContext::workers`].
    ///
    /// # Errors
    /// The batch does not fit the model.
    fn objective(&self, batch: &Batch, context: &StepContext) -> Result<Objective, Error>;

    /// Named means over a validation batch; called without gradients.
    ///
    /// # Errors
    /// The batch does not fit the model.
    fn validate(&self, batch: &Batch, context: &StepContext) -> Result<Vec<(&'static str, f64)>, Error>;
}
