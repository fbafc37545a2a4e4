//! What can go wrong.

use variata_distributions::ArgumentError;
use variata_distributions::check::shown;

/// Errors of this crate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument is outside its domain or has the wrong shape.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// A row of vectors has an element outside its domain.
    #[error("`{argument}`: row {row} holds {}, must be {must}", shown(*value))]
    Row {
        /// Name of the argument.
        argument: &'static str,
        /// The first such row.
        row: usize,
        /// The value found.
        value: f64,
        /// What is allowed.
        must: &'static str,
    },
    /// The operation is not defined for the codebook's metric.
    #[error("{operation} needs the squared Euclidean metric, the codebook has {metric:?}")]
    Metric {
        /// What was asked for.
        operation: &'static str,
        /// The metric found.
        metric: crate::Metric,
    },
    /// An index names no code.
    #[error("`{argument}[{position}]` is {index}, must be in 0..{codes}")]
    Index {
        /// Name of the argument.
        argument: &'static str,
        /// Where in it, in row-major order.
        position: usize,
        /// The index found; those of tensors may be negative.
        index: i128,
        /// Number of codes.
        codes: usize,
    },
    /// Averages that move codes by another metric than that asked for.
    #[error("`ema` moves codes by {ema:?}, asked for is {metric:?}")]
    OtherMetric {
        /// That of the averages.
        ema: crate::Metric,
        /// That asked for.
        metric: crate::Metric,
    },
    /// A tensor could not be used.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Tensor(#[from] variata_torch_bridge::Error),
    /// A file could not be read or written.
    #[cfg(feature = "safetensors")]
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What went wrong.
        what: String,
    },
}
