//! Which observation model, with its settings.

use serde::{Deserialize, Serialize};

use crate::{Error, Init};

/// The spread of an independent normal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Scale {
    /// The same known standard deviation everywhere.
    Fixed {
        /// The standard deviation, in units of the pixel range.
        value: f64,
    },
    /// One standard deviation for all pixels, learned.
    #[serde(deserialize_with = "crate::config::nothing_else")]
    Shared,
    /// One for each pixel and datum, from the decoder.
    #[serde(deserialize_with = "crate::config::nothing_else")]
    Head,
}

/// The diagonal D of a low-rank normal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LowRankDiagonal {
    /// The same known variance everywhere: the paper's ε.
    Fixed {
        /// The variance, in units of the squared pixel range. The paper: 1e-5.
        value: f64,
    },
    /// One for each pixel and datum, softplus(head) + floor.
    Learned {
        /// Smallest variance.
        floor: f64,
    },
}

/// Which observation model, with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ObservationConfig {
    /// Cross-entropy with logits; the binary case of grey levels in [0, 1].
    #[default]
    #[serde(deserialize_with = "crate::config::nothing_else")]
    Bernoulli,
    /// Independent normal around a mean in (0, 1).
    Normal {
        /// Its spread.
        scale: Scale,
    },
    /// Normal with covariance P·Pᵀ + D: SOS-VAE.
    LowRankNormal {
        /// Columns of P; 0 for independent pixels, whose mean and variance are then as those of the others.
        rank: i64,
        /// D.
        diagonal: LowRankDiagonal,
    },
    /// Normal whose precision has a sparse Cholesky factor (Dorta et al.); channels are independent.
    SparsePrecision {
        /// Rows and columns of a pixel's neighbourhood, odd.
        neighbourhood: i64,
    },
    /// Squared error summed over pixels; no density.
    #[serde(deserialize_with = "crate::config::nothing_else")]
    SquaredError,
}

impl ObservationConfig {
    pub(crate) fn check(&self) -> Result<(), Error> {
        match *self {
            Self::Normal { scale: Scale::Fixed { value } } if !(1e-6..=1e6).contains(&value) => {
                Err(Error::config("observation.scale.value", value, "in [1e-6, 1e6]"))
            }
            Self::LowRankNormal { rank, .. } if !(0..=4096).contains(&rank) => {
                Err(Error::config("observation.rank", rank, "in 0..=4096"))
            }
            Self::LowRankNormal {
                diagonal: LowRankDiagonal::Fixed { value } | LowRankDiagonal::Learned { floor: value },
                ..
            } if !(1e-12..=1e6).contains(&value) => {
                Err(Error::config("observation.diagonal", value, "in [1e-12, 1e6]"))
            }
            Self::SparsePrecision { neighbourhood: k } if !(k % 2 == 1 && (1..=63).contains(&k)) => {
                Err(Error::config("observation.neighbourhood", k, "odd and in 1..=63"))
            }
            _ => Ok(()),
        }
    }

    /// Variance of a diagonal that is known and the same everywhere.
    pub(crate) fn fixed_diagonal(&self) -> Option<f64> {
        match *self {
            Self::LowRankNormal { diagonal: LowRankDiagonal::Fixed { value }, .. } => Some(value),
            _ => None,
        }
    }

    /// How many planes the decoder has to give for an image of so many channels: those of the mean, and those of the rest.
    pub(crate) fn planes(&self, channels: i64) -> [i64; 2] {
        let rest = match *self {
            Self::Normal { scale: Scale::Head } => 1,
            Self::LowRankNormal { rank, diagonal: LowRankDiagonal::Fixed { .. } } => rank,
            Self::LowRankNormal { rank, diagonal: LowRankDiagonal::Learned { .. } } => rank + 1,
            Self::SparsePrecision { neighbourhood: k } => 1 + k * k / 2,
            _ => 0,
        };
        [channels, rest * channels]
    }

    /// How the weights of the decoder's last layer start, from its fan-in. Distributions that are wrong by a little where they
    /// are narrow have enormous losses: theirs start at nothing, as in the SOS-VAE authors' code.
    pub(crate) fn output_init(&self) -> fn(i64) -> Init {
        match self {
            Self::LowRankNormal { .. }
            | Self::SparsePrecision { .. }
            | Self::Normal { scale: Scale::Head } => |_| Init::Normal(1e-5),
            _ => Init::lecun,
        }
    }
}
