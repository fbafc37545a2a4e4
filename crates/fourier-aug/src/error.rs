//! What can be wrong with an argument.

use variata_distributions::ArgumentError;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument is outside its domain or has the wrong shape.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// Logits or probabilities that are no distributions.
    #[error(transparent)]
    Distributions(variata_distributions::Error),
    /// The classifier that was handed in failed.
    #[error("the classifier failed: {0}")]
    Classifier(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<variata_distributions::Error> for Error {
    fn from(error: variata_distributions::Error) -> Self {
        match error {
            variata_distributions::Error::Argument(error) => Self::Argument(error),
            other => Self::Distributions(other),
        }
    }
}
