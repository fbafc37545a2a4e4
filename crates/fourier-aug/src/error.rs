//! What can be wrong with an argument.

use variata_distributions::ArgumentError;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument is outside its domain or has the wrong shape.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// A wave vector is outside the grid.
    #[error("wave vector {vector:?} is not in the grid {grid:?}")]
    WaveVector {
        /// k_y and k_x.
        vector: [usize; 2],
        /// Height and width.
        grid: [usize; 2],
    },
    /// A plane wave is 0 in every pixel.
    #[error("the plane wave {vector:?} of phase {phase} is 0 everywhere")]
    DegenerateWave {
        /// k_y and k_x, its own opposite.
        vector: [usize; 2],
        /// The phase in radians, at which the cosine vanishes.
        phase: f64,
    },
    /// A Brier score of a binning that drops examples.
    #[error("`binning` drops examples, must hold every one for the parts of a Brier score")]
    PublishedBinning,
    /// Logits that no temperature fits best.
    #[error("no temperature fits best: {why}")]
    NoTemperature {
        /// What is so.
        why: &'static str,
    },
    /// Logits or probabilities that are no distributions.
    #[error(transparent)]
    Distributions(variata_distributions::Error),
    /// Nothing of this kind has such a name.
    #[error("no {kind} `{name}`; there are {known}")]
    UnknownName {
        /// What was asked for.
        kind: &'static str,
        /// The name.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// An operation that tensors cannot do.
    #[error("the operation {operation} names no action, so that it cannot be done on tensors")]
    NoAction {
        /// Its `Debug` form.
        operation: String,
    },
    /// A tensor could not be used.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Tensor(#[from] variata_torch_bridge::Error),
    /// A file could not be written.
    #[cfg(feature = "png")]
    #[error("cannot write {}: {source}", file.display())]
    File {
        /// The file.
        file: std::path::PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The classifier that was handed in failed.
    #[error("the classifier failed: {0}")]
    Classifier(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A name that is none of the known ones.
    pub(crate) fn unknown_name(
        kind: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        Self::UnknownName { kind, name: name.to_owned(), known }
    }
}

impl From<variata_distributions::Error> for Error {
    fn from(error: variata_distributions::Error) -> Self {
        match error {
            variata_distributions::Error::Argument(error) => Self::Argument(error),
            other => Self::Distributions(other),
        }
    }
}
