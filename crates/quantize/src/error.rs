//! What can go wrong.

use variata_distributions::ArgumentError;

/// Errors of this crate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument is outside its domain or has the wrong shape.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// A row of vectors has an element outside its domain.
    #[error("`{argument}`: row {row} holds {value}, must be {must}")]
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
    #[error("`{argument}[{position}]` is {index}, must be less than {codes}")]
    Index {
        /// Name of the argument.
        argument: &'static str,
        /// Where in it, in row-major order.
        position: usize,
        /// The index found.
        index: usize,
        /// Number of codes.
        codes: usize,
    },
    /// A tensor could not be used.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Tensor(#[from] variata_torch_bridge::Error),
    /// A file could not be read or written.
    #[cfg(feature = "safetensors")]
    #[error("{path}: {what}")]
    File {
        /// The file.
        path: String,
        /// What went wrong.
        what: String,
    },
}
