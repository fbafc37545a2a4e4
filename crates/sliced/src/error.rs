//! What can go wrong.

use variata_distributions::ArgumentError;

/// Errors of this crate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument is outside its domain or has the wrong shape.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// A result or a projection is too large for its element type.
    #[error("`{quantity}` overflows {element}")]
    Overflow {
        /// What was computed.
        quantity: &'static str,
        /// The element type.
        element: &'static str,
    },
    /// The law of the distance under the null hypothesis is not known in closed form.
    #[error("the null distribution of {distance} is not known: {why}")]
    UnknownNull {
        /// The distance.
        distance: &'static str,
        /// What is missing.
        why: &'static str,
    },
    /// The distance is not defined against this target.
    #[error("{distance} needs {what}")]
    Unsupported {
        /// The distance.
        distance: &'static str,
        /// What it needs.
        what: &'static str,
    },
    /// A tensor could not be used.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Tensor(#[from] variata_torch_bridge::Error),
    /// A function of `variata_distributions` failed.
    #[error(transparent)]
    Distributions(variata_distributions::Error),
}
