//! What can go wrong.

use variata_distributions::ArgumentError;

/// Errors of this crate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument is outside its domain or has the wrong shape.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The covariance has no inverse: some diagonal entries are 0 and, although the factor has at least n columns, these do not span the
    /// missing dimensions. With fewer than n columns a zero in the diagonal is refused as an [argument](Self::Argument).
    #[error("the covariance of batch item {batch} is singular: rank {rank} of {n}")]
    SingularCovariance {
        /// Item of the batch.
        batch: usize,
        /// Rank found.
        rank: usize,
        /// Dimensions.
        n: usize,
    },
    /// Two exact values for one entry. Give them a noise variance to have them averaged.
    #[error(
        "entry {index} of batch item {batch} is set to {first} and to {second}; at most one exact value is possible"
    )]
    ConflictingEdit {
        /// Item of the batch.
        batch: usize,
        /// The entry.
        index: usize,
        /// The value given first.
        first: f64,
        /// The value given after it.
        second: f64,
    },
    /// A result is too large for its element type.
    #[error("`{quantity}` of batch item {batch} overflows")]
    Overflow {
        /// What was computed.
        quantity: &'static str,
        /// Item of the batch.
        batch: usize,
    },
}

impl From<Error> for variata_distributions::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Argument(error) => error.into(),
            Error::SingularCovariance { batch, rank, .. } => {
                Self::NotPositiveDefinite { argument: "covariance", batch, pivot: rank, value: 0.0 }
            }
            Error::Overflow { quantity, .. } => {
                ArgumentError::Value { argument: quantity, index: None, value: f64::INFINITY, must: "finite" }
                    .into()
            }
            Error::ConflictingEdit { second, .. } => ArgumentError::Value {
                argument: "values",
                index: None,
                value: second,
                must: "the same where an entry is given twice",
            }
            .into(),
        }
    }
}
