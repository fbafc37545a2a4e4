//! What can go wrong in a model or a training run.

use std::path::PathBuf;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is outside its domain.
    #[error("`{setting}` is {value}, must be {must}")]
    Config {
        /// Name of the setting.
        setting: &'static str,
        /// The value found.
        value: String,
        /// What is allowed.
        must: String,
    },
    /// A tensor given to a model has the wrong shape.
    #[error("`{argument}` has shape {got:?}, must be {want}")]
    Shape {
        /// Name of the argument.
        argument: &'static str,
        /// The shape found.
        got: Vec<i64>,
        /// What is allowed.
        want: String,
    },
    /// A label is not one of the classes.
    #[error("label {index} is {label}, must be in 0..{classes}")]
    Label {
        /// Position in the batch.
        index: usize,
        /// The label found.
        label: i64,
        /// Number of classes.
        classes: i64,
    },
    /// A conditional model was called without labels, or an unconditional one with.
    #[error("{0}")]
    Condition(&'static str),
    /// The model has no such thing: no posterior, no density, no factor.
    #[error("{0}")]
    Unsupported(&'static str),
    /// A term of the objective, its gradient or a parameter is NaN or infinite; the run stops here and keeps its last good checkpoint.
    #[error("term `{term}` is {value} at step {step}")]
    NonFinite {
        /// Name of the term; `gradient`, with its norm; or name of the parameter.
        term: String,
        /// Upper bound on the step, counted from 0, at which it arose: terms are checked at every step, gradient and parameters only
        /// before a checkpoint or where a term shows them.
        step: u64,
        /// The value found.
        value: f64,
    },
    /// Two parameters or buffers share a name.
    #[error("parameter `{name}` exists already")]
    DuplicateParameter {
        /// The name.
        name: String,
    },
    /// A file of a run cannot be read, written or listed.
    #[error("cannot {action} {}: {source}{}", path.display(), bytes.map(|n| format!(" ({n} bytes needed)")).unwrap_or_default())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// How much was to be written.
        bytes: Option<usize>,
        /// The cause.
        source: std::io::Error,
    },
    /// A checkpoint is damaged.
    #[error("checkpoint {} is damaged: {problem}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A checkpoint is whole but belongs to another run.
    #[error("checkpoint {} does not fit: {problem}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What differs.
        problem: String,
    },
    /// The data could not be read.
    #[error(transparent)]
    Data(#[from] variata_datasets::Error),
    /// A density refused its argument.
    #[error(transparent)]
    Distribution(#[from] variata_distributions::Error),
    /// A distance between distributions refused its argument.
    #[error(transparent)]
    Sliced(#[from] variata_sliced::Error),
    /// A codebook refused its argument.
    #[error(transparent)]
    Quantize(#[from] variata_quantize::Error),
    /// A measurement that was asked for during training failed.
    #[error("measuring at step {step}: {source}")]
    Measurement {
        /// Steps taken.
        step: u64,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A tensor could not be lent or differentiated.
    #[error(transparent)]
    Tensor(#[from] variata_torch_bridge::Error),
    /// The workers of a training could not speak with each other, or differ.
    #[error("between workers: {0}")]
    Workers(#[source] crate::train::CollectiveError),
    /// A worker of a training was started for another run.
    #[error("worker {rank} has other settings, data or parameters than the first")]
    WorkersDiffer {
        /// The first such worker.
        rank: usize,
    },
    /// libtorch failed inside a step: device, memory, or a shape that no check foresaw.
    #[error("libtorch failed at step {step}: {message}")]
    Torch {
        /// The step, counted from 0.
        step: u64,
        /// First line of libtorch's message.
        message: String,
    },
}

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        Self::Tensor(error.into())
    }
}

impl Error {
    /// A setting with a value that it must not have.
    pub(crate) fn config(
        setting: &'static str,
        value: impl std::fmt::Display,
        must: impl Into<String>,
    ) -> Self {
        Self::Config { setting, value: value.to_string(), must: must.into() }
    }
}

/// Refuses a number that is not finite, or not as it must be.
pub(crate) fn check_number(setting: &'static str, value: f64, ok: bool, must: &str) -> Result<(), Error> {
    if ok && value.is_finite() { Ok(()) } else { Err(Error::config(setting, value, must)) }
}
