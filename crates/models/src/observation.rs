//! What the decoder's output says about a pixel.

mod config;
mod model;

use tch::{Kind, Reduction, Tensor};
use variata_distributions::torch::{Bernoulli, DiagonalNormal};
use variata_lowrank_mvn::PixelGrid;
use variata_lowrank_mvn::torch::{LowRankMvn, SparsePrecisionNormal};

pub use config::{LowRankDiagonal, ObservationConfig, Scale};
pub(crate) use model::ObservationModel;

use crate::{Error, Noise, Purpose};

/// p(x|z) of a batch.
///
/// Values of an image are in the order channel, row, column where they are rows of a matrix: n = channels·height·width.
#[derive(Debug)]
#[non_exhaustive]
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
    /// Normal with covariance P·Pᵀ + D.
    LowRankNormal {
        /// [batch, channels, height, width].
        mean: Tensor,
        /// P, [batch, n, rank], in the memory of [batch, rank, n].
        cov_factor: Tensor,
        /// D, a number or [batch, n].
        cov_diag: Tensor,
    },
    /// Normal with a sparse precision factor.
    SparsePrecision {
        /// [batch, channels, height, width].
        mean: Tensor,
        /// Logarithm of the factor's diagonal, same shape.
        log_diag: Tensor,
        /// The factor's other entries, [batch, offsets, n].
        off_diag: Tensor,
        /// Which pixels are neighbours.
        grid: PixelGrid,
    },
    /// No density.
    SquaredError {
        /// [batch, channels, height, width], in (0, 1).
        mean: Tensor,
    },
}

/// Rows of values of images.
fn rows(argument: &'static str, images: &Tensor) -> Result<Tensor, Error> {
    if images.size().len() < 2 {
        return Err(Error::Shape { argument, got: images.size(), want: "[batch, ..]".to_owned() });
    }
    Ok(images.flatten(1, -1))
}

impl Observation {
    /// The mean image, [batch, channels, height, width]; in [0, 1] but for the low-rank and the sparse-precision normal.
    pub fn mean(&self) -> Tensor {
        match self {
            Self::Bernoulli { logits } => logits.sigmoid(),
            Self::Normal { mean, .. }
            | Self::LowRankNormal { mean, .. }
            | Self::SparsePrecision { mean, .. }
            | Self::SquaredError { mean } => mean.shallow_clone(),
        }
    }

    /// −log p(x|z) of each datum, summed over pixels, in nats → `[batch]`, f64. For the squared error, ‖x − mean‖².
    ///
    /// # Errors
    /// `x` has another shape than the output.
    pub fn distortion(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.check(x)?;
        Ok(match self {
            Self::Bernoulli { logits } => {
                let each = Bernoulli::new(logits.shallow_clone())?.log_prob(x)?;
                -rows("x", &each)?.sum_dim_intlist(1, false, Kind::Double)
            }
            Self::SquaredError { mean } => {
                variata_torch_bridge::check_floating(&[("mean", mean), ("x", x)])?;
                // Of two kinds the loss has no backward pass.
                let kind = if x.kind() == mean.kind() { mean.kind() } else { Kind::Double };
                let each = mean.to_kind(kind).mse_loss(&x.to_kind(kind), Reduction::None);
                rows("x", &each)?.sum_dim_intlist(1, false, Kind::Double)
            }
            Self::Normal { .. } => -self.diagonal()?.log_prob(&rows("x", x)?)?,
            Self::LowRankNormal { .. } => -self.low_rank()?.log_prob(&rows("x", x)?)?,
            Self::SparsePrecision { .. } => -self.sparse()?.log_prob(&rows("x", x)?)?,
        })
    }

    /// [`distortion`](Self::distortion) and the differential entropy of p(x|z), each `[batch]`, f64, in nats: for the low-rank
    /// normal from one factorisation.
    ///
    /// # Errors
    /// As [`distortion`](Self::distortion), or the observation model is no normal distribution.
    pub fn distortion_and_entropy(&self, x: &Tensor) -> Result<(Tensor, Tensor), Error> {
        if let Self::LowRankNormal { .. } = self {
            self.check(x)?;
            let (log_prob, entropy) = self.low_rank()?.log_prob_and_entropy(&rows("x", x)?)?;
            return Ok((-log_prob, entropy));
        }
        Ok((self.distortion(x)?, self.entropy()?))
    }

    /// Differential entropy of p(x|z) → `[batch]`, f64, in nats.
    ///
    /// # Errors
    /// The observation model is no normal distribution.
    pub fn entropy(&self) -> Result<Tensor, Error> {
        match self {
            Self::Normal { .. } => Ok(self.diagonal()?.entropy()),
            Self::LowRankNormal { .. } => Ok(self.low_rank()?.entropy()?),
            Self::SparsePrecision { .. } => Ok(self.sparse()?.entropy()),
            Self::Bernoulli { .. } | Self::SquaredError { .. } => Err(NOT_NORMAL),
        }
    }

    /// One draw of each image, [batch, channels, height, width], with noise of an address; differentiable where it is
    /// reparameterised.
    ///
    /// # Errors
    /// The observation model is no normal distribution, or has a sparse precision, whose draws are native:
    /// [`variata_lowrank_mvn::SparsePrecisionNormal`].
    pub fn rsample(&self, noise: &Noise, purpose: Purpose, draw: u64) -> Result<Tensor, Error> {
        let standard = |mean: &Tensor, columns: i64, step: u64| {
            noise.normal(purpose, step, 0..mean.size()[0].unsigned_abs(), columns, mean.device())
        };
        match self {
            Self::Normal { mean, .. } => {
                let distribution = self.diagonal()?;
                let width = mean.size()[1..].iter().product();
                let drawn = distribution.rsample(&standard(mean, width, draw)?)?;
                Ok(drawn.view_as(mean))
            }
            Self::LowRankNormal { mean, cov_factor, .. } => {
                let distribution = self.low_rank()?;
                // Both noises in one row, so that they are independent.
                let (n, rank) = (cov_factor.size()[1], cov_factor.size()[2]);
                let both = standard(mean, rank + n, draw)?;
                let (factor, own) = (both.narrow(1, 0, rank), both.narrow(1, rank, n));
                Ok(distribution.rsample(&factor, &own)?.view_as(mean))
            }
            Self::SparsePrecision { .. } => {
                Err(Error::Unsupported("draws of a sparse-precision normal are made natively"))
            }
            Self::Bernoulli { .. } | Self::SquaredError { .. } => Err(NOT_NORMAL),
        }
    }

    /// Whether [`Observation::distortion`] is a log-density, so that bounds on log p(x) make sense.
    pub fn is_density(&self) -> bool {
        !matches!(self, Self::SquaredError { .. })
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        let shape = match self {
            Self::Bernoulli { logits } => logits.size(),
            _ => self.mean().size(),
        };
        if x.size() == shape {
            return Ok(());
        }
        Err(Error::Shape { argument: "x", got: x.size(), want: format!("{shape:?}") })
    }

    fn diagonal(&self) -> Result<DiagonalNormal, Error> {
        match self {
            Self::Normal { mean, log_variance } => Ok(DiagonalNormal::from_log_variance(
                rows("mean", mean)?,
                rows("log_variance", log_variance)?,
            )?),
            _ => Err(NOT_NORMAL),
        }
    }

    /// The low-rank normal, for everything else that its tensor form can do.
    ///
    /// # Errors
    /// The observation model is another.
    pub fn low_rank(&self) -> Result<LowRankMvn, Error> {
        match self {
            Self::LowRankNormal { mean, cov_factor, cov_diag } => {
                let (factor, diag) = (cov_factor.shallow_clone(), cov_diag.shallow_clone());
                Ok(LowRankMvn::new(rows("mean", mean)?, factor, diag)?)
            }
            _ => Err(Error::Unsupported("the observation model is no low-rank normal")),
        }
    }

    fn sparse(&self) -> Result<SparsePrecisionNormal, Error> {
        match self {
            Self::SparsePrecision { mean, log_diag, off_diag, grid } => Ok(SparsePrecisionNormal::new(
                *grid,
                rows("mean", mean)?,
                rows("log_diag", log_diag)?,
                off_diag.shallow_clone(),
            )?),
            _ => Err(NOT_NORMAL),
        }
    }
}

const NOT_NORMAL: Error = Error::Unsupported("the observation model is no normal distribution");
