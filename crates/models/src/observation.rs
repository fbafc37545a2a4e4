//! What the decoder's output says about a pixel.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};
use variata_distributions::torch::{Bernoulli, DiagonalNormal};

use crate::{Error, ImageShape, Init, Path};

/// The spread of an independent normal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Scale {
    /// The same known standard deviation everywhere.
    Fixed {
        /// The standard deviation, in units of the pixel range.
        value: f64,
    },
    /// One standard deviation for all pixels, learned.
    Shared,
    /// One for each pixel and datum, from the decoder.
    Head,
}

/// Which observation model, with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ObservationConfig {
    /// Cross-entropy with logits; the binary case of grey levels in [0, 1].
    #[default]
    Bernoulli,
    /// Independent normal around a mean in (0, 1).
    Normal {
        /// Its spread.
        scale: Scale,
    },
    /// Squared error summed over pixels; no density.
    SquaredError,
}

/// Learned log-variances are kept in (−14, 4): a standard deviation below 1e-3 of the pixel range models rounding.
const LOG_VARIANCE: (f64, f64) = (-14.0, 4.0);

impl ObservationConfig {
    pub(crate) fn check(&self) -> Result<(), Error> {
        match *self {
            Self::Normal { scale: Scale::Fixed { value } } if !(1e-6..=1e6).contains(&value) => {
                Err(Error::Config {
                    setting: "observation.scale.value",
                    value: value.to_string(),
                    must: "in [1e-6, 1e6]".into(),
                })
            }
            _ => Ok(()),
        }
    }

    /// How many numbers per pixel and channel the decoder has to give.
    pub(crate) fn heads(&self) -> i64 {
        match self {
            Self::Normal { scale: Scale::Head } => 2,
            _ => 1,
        }
    }
}

/// Parameters of the observation model that do not depend on the code.
#[derive(Debug)]
pub(crate) struct ObservationModel {
    config: ObservationConfig,
    shared: Option<Tensor>,
    image: ImageShape,
}

impl ObservationModel {
    pub(crate) fn new(
        path: &mut Path<'_>,
        config: ObservationConfig,
        image: ImageShape,
    ) -> Result<Self, Error> {
        let shared = match config {
            // e^-2 = 0.37²: near the spread of pixels in [0, 1] before anything is learned.
            ObservationConfig::Normal { scale: Scale::Shared } => {
                Some(path.parameter("raw_log_variance", &[1], Init::Constant(0.0))?)
            }
            _ => None,
        };
        Ok(Self { config, shared, image })
    }

    /// The distribution of a batch from the decoder's output [batch, heads · channels, height, width].
    pub(crate) fn observe(&self, output: &Tensor) -> Observation {
        let bounded = |raw: &Tensor| raw.sigmoid() * (LOG_VARIANCE.1 - LOG_VARIANCE.0) + LOG_VARIANCE.0;
        match self.config {
            ObservationConfig::Bernoulli => Observation::Bernoulli { logits: output.shallow_clone() },
            ObservationConfig::SquaredError => Observation::SquaredError { mean: output.sigmoid() },
            ObservationConfig::Normal { scale } => {
                let mean = output.narrow(1, 0, self.image.channels).sigmoid();
                let log_variance = match (scale, &self.shared) {
                    (Scale::Fixed { value }, _) => mean.full_like(2.0 * value.ln()),
                    (Scale::Shared, Some(raw)) => bounded(raw).view([1, 1, 1, 1]).expand_as(&mean),
                    (Scale::Shared | Scale::Head, _) => {
                        bounded(&output.narrow(1, self.image.channels, self.image.channels))
                    }
                };
                Observation::Normal { mean, log_variance }
            }
        }
    }
}

/// p(x|z) of a batch.
#[derive(Debug)]
pub enum Observation {
    /// Independent Bernoulli pixels.
    Bernoulli {
        /// [batch, channels, height, width].
        logits: Tensor,
    },
    /// Independent normal pixels.
    Normal {
        /// [batch, channels, height, width], in (0, 1).
        mean: Tensor,
        /// Same shape.
        log_variance: Tensor,
    },
    /// No density.
    SquaredError {
        /// [batch, channels, height, width], in (0, 1).
        mean: Tensor,
    },
}

impl Observation {
    /// The mean image, [batch, channels, height, width], in [0, 1].
    pub fn mean(&self) -> Tensor {
        match self {
            Self::Bernoulli { logits } => logits.sigmoid(),
            Self::Normal { mean, .. } | Self::SquaredError { mean } => mean.shallow_clone(),
        }
    }

    /// −log p(x|z) of each datum, summed over pixels, in nats → `[batch]`, f64. For the squared error, ‖x − mean‖².
    ///
    /// # Errors
    /// `x` has another shape than the output.
    pub fn distortion(&self, x: &Tensor) -> Result<Tensor, Error> {
        let shape = match self {
            Self::Bernoulli { logits } => logits.size(),
            Self::Normal { mean, .. } | Self::SquaredError { mean } => mean.size(),
        };
        if x.size() != shape {
            return Err(Error::Shape { argument: "x", got: x.size(), want: format!("{shape:?}") });
        }
        let sum = |t: &Tensor| t.flatten(1, -1).sum_dim_intlist(1, false, Kind::Double);
        Ok(match self {
            Self::Bernoulli { logits } => -sum(&Bernoulli::new(logits.shallow_clone())?.log_prob(x)?),
            Self::SquaredError { mean } => sum(&(x - mean).square()),
            Self::Normal { mean, log_variance } => {
                let rows = |t: &Tensor| t.flatten(1, -1);
                -DiagonalNormal::from_log_variance(rows(mean), rows(log_variance))?.log_prob(&rows(x))?
            }
        })
    }

    /// Whether [`Observation::distortion`] is a log-density, so that bounds on log p(x) make sense.
    pub fn is_density(&self) -> bool {
        !matches!(self, Self::SquaredError { .. })
    }
}
