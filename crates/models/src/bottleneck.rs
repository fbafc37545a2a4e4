//! What happens between encoder and decoder.

use serde::{Deserialize, Serialize};
use tch::Tensor;
use variata_distributions::torch::DiagonalNormal;

use crate::nn::Linear;
use crate::{Error, Init, Path};

/// Which bottleneck, with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum BottleneckConfig {
    /// The code is the encoder's output.
    #[serde(deserialize_with = "crate::config::nothing_else")]
    Deterministic,
    /// q(z|x) = N(μ(x), diag e^s(x)), z = μ + e^(s/2) ⊙ ε.
    Gaussian {
        /// The log-variance s is kept in (−bound, bound) by `bound · tanh(raw / bound)`.
        #[serde(default = "default_bound")]
        log_variance_bound: f64,
    },
    /// The same with variances softplus(raw) + floor, as the SOS-VAE authors' code has them.
    GaussianSoftplus {
        /// Smallest variance; 1e-5.
        #[serde(default = "default_floor")]
        floor: f64,
    },
}

/// The SOS-VAE authors' floor.
fn default_floor() -> f64 {
    1e-5
}

/// e^±10: standard deviations from 0.7 % to 148.
fn default_bound() -> f64 {
    10.0
}

impl Default for BottleneckConfig {
    fn default() -> Self {
        Self::Gaussian { log_variance_bound: default_bound() }
    }
}

impl BottleneckConfig {
    pub(crate) fn check(&self) -> Result<(), Error> {
        match *self {
            Self::Gaussian { log_variance_bound: b } if !(b > 0.0 && b <= 80.0) => {
                Err(Error::config("log_variance_bound", b, "in (0, 80]: e^80 is still finite in f32"))
            }
            Self::GaussianSoftplus { floor } if !(1e-20..=1.0).contains(&floor) => {
                Err(Error::config("floor", floor, "in [1e-20, 1]"))
            }
            _ => Ok(()),
        }
    }
}

/// What a head says of the log-variance.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LogVariance {
    /// `bound · tanh(raw / bound)`.
    Bounded(f64),
    /// log(softplus(raw) + floor).
    Softplus(f64),
}

impl LogVariance {
    pub(crate) fn of(self, raw: &Tensor) -> Tensor {
        match self {
            Self::Bounded(bound) => (raw / bound).tanh() * bound,
            Self::Softplus(floor) => (raw.softplus() + floor).log(),
        }
    }
}

/// The heads on the encoder's features.
#[derive(Debug)]
pub(crate) enum Bottleneck {
    /// One head.
    Deterministic {
        /// Features to code.
        code: Linear,
    },
    /// Two heads.
    Gaussian {
        /// Features to μ.
        mean: Linear,
        /// Features to the unbounded s.
        log_variance: Linear,
        /// From there to s.
        map: LogVariance,
    },
}

/// What the bottleneck made of a batch.
#[derive(Debug)]
pub struct Code {
    /// The code without noise, [batch, latent].
    pub mean: Tensor,
    /// The posterior, for a Gaussian bottleneck.
    pub posterior: Option<DiagonalNormal>,
}

impl Code {
    /// A draw from the posterior with the given noise [batch, latent]; the code itself without a posterior.
    ///
    /// # Errors
    /// The noise has another shape.
    pub fn rsample(&self, noise: &Tensor) -> Result<Tensor, Error> {
        match &self.posterior {
            Some(q) => Ok(q.rsample(noise)?),
            None => Ok(self.mean.shallow_clone()),
        }
    }
}

impl Bottleneck {
    pub(crate) fn new(
        path: &mut Path<'_>,
        config: &BottleneckConfig,
        features: i64,
        latent: i64,
    ) -> Result<Self, Error> {
        let mut head = |name: &str| Linear::new(&mut path.sub(name), features, latent, Init::lecun(features));
        Ok(match *config {
            BottleneckConfig::Deterministic => Self::Deterministic { code: head("code")? },
            BottleneckConfig::Gaussian { log_variance_bound: bound } => Self::Gaussian {
                mean: head("mean")?,
                log_variance: head("log_variance")?,
                map: LogVariance::Bounded(bound),
            },
            BottleneckConfig::GaussianSoftplus { floor } => Self::Gaussian {
                mean: head("mean")?,
                log_variance: head("log_variance")?,
                map: LogVariance::Softplus(floor),
            },
        })
    }

    /// The code of features [batch, features].
    pub(crate) fn forward(&self, features: &Tensor) -> Result<Code, Error> {
        Ok(match self {
            Self::Deterministic { code } => Code { mean: code.forward(features)?, posterior: None },
            Self::Gaussian { mean, log_variance, map } => {
                let mu = mean.forward(features)?;
                let s = map.of(&log_variance.forward(features)?);
                let posterior = DiagonalNormal::from_log_variance(mu.shallow_clone(), s)?;
                Code { mean: mu, posterior: Some(posterior) }
            }
        })
    }
}
