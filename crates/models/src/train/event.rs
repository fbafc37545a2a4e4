//! What happens during training, and who listens.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::EpochRecord;

/// Something that happened in a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The run begins or goes on.
    Started {
        /// First step to take.
        step: u64,
        /// Steps in the whole run.
        total_steps: u64,
        /// Epochs in the whole run.
        epochs: u64,
        /// The checkpoint it goes on from.
        resumed_from: Option<PathBuf>,
    },
    /// A step was taken.
    Step {
        /// Its number, counted from 0.
        step: u64,
        /// Its epoch, counted from 0.
        epoch: u64,
        /// The weighted objective.
        loss: f64,
        /// Names and values of the terms.
        terms: Vec<(&'static str, f64)>,
        /// Learning rate.
        learning_rate: f64,
    },
    /// An epoch is over.
    Epoch(EpochRecord),
    /// A checkpoint is safe on disk.
    Checkpoint {
        /// Steps taken.
        step: u64,
        /// The file.
        path: PathBuf,
    },
    /// Something that the user should know and that does not stop the run.
    Warning {
        /// What.
        message: String,
    },
    /// The run is over or was stopped.
    Finished {
        /// Steps taken.
        step: u64,
        /// Whether all epochs were run.
        completed: bool,
        /// What of the time the loop waited for batches.
        waited: Duration,
        /// Time of the loop in this process.
        elapsed: Duration,
    },
}

/// What a listener wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// Write a checkpoint and stop.
    Stop,
}

/// Hears every event, in order, on the training thread.
pub trait Listener {
    /// Called for each event.
    fn on_event(&mut self, event: &Event) -> Control;
}

impl<F: FnMut(&Event) -> Control> Listener for F {
    fn on_event(&mut self, event: &Event) -> Control {
        self(event)
    }
}

/// Asks a run from outside (a signal handler, another thread) to write a checkpoint and stop after the current step.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicUsize>);

impl StopFlag {
    /// Asks; returns how often it was asked before.
    pub fn request(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    /// Whether it was asked.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}
