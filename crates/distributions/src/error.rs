//! What can be wrong with an argument, and what can go wrong after that.

use crate::check::shown;

/// An argument that a function refuses: which one, where in it, what was found and what is allowed.
///
/// Shared by the crates of the workspace, so that the same mistake reads the same everywhere.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// An element is outside the argument's domain.
    #[error("`{argument}{}` is {}, must be {must}", index.map(|i| format!("[{i}]")).unwrap_or_default(), shown(*value))]
    Value {
        /// Name of the argument.
        argument: &'static str,
        /// Position in logical (row-major) order; `None` for a scalar.
        index: Option<usize>,
        /// The value found.
        value: f64,
        /// What is allowed, as in "finite" or "> 0".
        must: &'static str,
    },
    /// An array has the wrong shape.
    #[error("`{argument}` has shape {got:?}, must be {want}")]
    Shape {
        /// Name of the argument.
        argument: &'static str,
        /// The shape found.
        got: Vec<usize>,
        /// What is allowed, as in "[batch, 3]" or "broadcastable to [4, 2]".
        want: String,
    },
}

/// Errors of this crate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument is outside its domain or has the wrong shape.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// A matrix that must be positive definite is not.
    #[error("`{argument}` of batch item {batch} is not positive definite: pivot {pivot} is {}", shown(*value))]
    NotPositiveDefinite {
        /// Name of the argument.
        argument: &'static str,
        /// Item of the batch.
        batch: usize,
        /// The first pivot that is not > 0.
        pivot: usize,
        /// Its value.
        value: f64,
    },
    /// All logits of a row are −∞, so that the row is no distribution.
    #[error("`{argument}`: every logit of row {row} is -inf")]
    AllLogitsNegInf {
        /// Name of the argument.
        argument: &'static str,
        /// The row.
        row: usize,
    },
    /// An iteration did not converge.
    #[error("{what} did not converge in {iterations} iterations")]
    NoConvergence {
        /// What was computed.
        what: &'static str,
        /// How many iterations were tried.
        iterations: usize,
    },
    /// A tensor could not be used.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Tensor(#[from] variata_torch_bridge::Error),
}
