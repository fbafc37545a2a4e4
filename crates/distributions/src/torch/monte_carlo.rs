//! An unbiased estimate of KL for any pair of distributions that have the same draws, on tensors.

use tch::{Kind, Tensor};
use variata_torch_bridge::no_grad;

use super::{
    Bernoulli, Categorical, DiagonalNormal, LocationScale, MultivariateNormal, TensorStandard, Uniform,
};
use crate::{Error, check};

/// A density on tensors.
pub trait LogProb {
    /// Log-density of one draw of the whole batch.
    ///
    /// # Errors
    /// The batch does not broadcast to `x`, or `x` is not of the kind and device of the parameters.
    fn log_prob_of(&self, x: &Tensor) -> Result<Tensor, Error>;
}

/// A distribution that draws tensors. Not `Sample`, which is an element type of samples in this workspace.
pub trait Sampler: LogProb {
    /// One draw of the whole batch, without a gradient, from libtorch's generator.
    ///
    /// # Errors
    /// The batch is too large to hold.
    fn draw(&self) -> Result<Tensor, Error>;
}

/// An estimate with its standard error; see [`crate::kl::monte_carlo::Estimate`].
#[derive(Debug)]
pub struct Estimate {
    /// The estimate, f64.
    pub mean: Tensor,
    /// Its standard error, f64.
    pub standard_error: Tensor,
    /// Number of draws.
    pub n: usize,
}

/// Mean of `log p(x) − log q(x)` over `n` draws from p, without a gradient. Formula and source:
/// [`crate::kl::monte_carlo::kl`].
///
/// # Errors
/// `n` < 2, or the batches do not broadcast.
///
/// ```
/// use variata_distributions::torch::{Laplace, Logistic, monte_carlo};
/// use variata_torch_bridge::tch::Tensor;
/// let p = Logistic::new(Tensor::from(0f64), Tensor::from(1f64))?;
/// let q = Laplace::new(Tensor::from(0f64), Tensor::from(1f64))?;
/// assert!(monte_carlo::kl(&p, &q, 100)?.standard_error.double_value(&[]) < 1.0);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn kl(p: &impl Sampler, q: &impl LogProb, n: usize) -> Result<Estimate, Error> {
    check::scalar("n", n as f64, ">= 2", n >= 2)?;
    no_grad(|| {
        let sample = || -> Result<Tensor, Error> {
            let x = p.draw()?;
            Ok(p.log_prob_of(&x)?.to_kind(Kind::Double) - q.log_prob_of(&x)?.to_kind(Kind::Double))
        };
        let mut mean = sample()?;
        let mut squares = mean.zeros_like();
        for count in 2..=n {
            let gap = sample()? - &mean;
            // ∞ − ∞, once a draw was infinite: the mean stays so.
            let infinite = mean.isinf().logical_or(&gap.isinf());
            let moved = &mean + &gap / count as f64;
            squares = (squares + &gap * (&gap + &mean - &moved)).masked_fill(&infinite, f64::INFINITY);
            mean = moved.masked_fill(&infinite, f64::INFINITY);
        }
        let standard_error = (squares / (n as f64 - 1.0) / n as f64).sqrt();
        Ok(Estimate { mean, standard_error, n })
    })
}

impl<S: TensorStandard> LogProb for LocationScale<S> {
    fn log_prob_of(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.log_prob(x)
    }
}

impl<S: TensorStandard> Sampler for LocationScale<S> {
    fn draw(&self) -> Result<Tensor, Error> {
        self.sample(self.batch_shape())
    }
}

impl LogProb for Uniform {
    fn log_prob_of(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.log_prob(x)
    }
}

impl Sampler for Uniform {
    fn draw(&self) -> Result<Tensor, Error> {
        self.sample(self.batch_shape())
    }
}

impl LogProb for Bernoulli {
    fn log_prob_of(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.log_prob(x)
    }
}

impl Sampler for Bernoulli {
    fn draw(&self) -> Result<Tensor, Error> {
        self.sample(self.batch_shape())
    }
}

impl LogProb for Categorical {
    fn log_prob_of(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.log_prob(x)
    }
}

impl Sampler for Categorical {
    fn draw(&self) -> Result<Tensor, Error> {
        self.sample(self.batch_shape())
    }
}

impl LogProb for DiagonalNormal {
    fn log_prob_of(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.log_prob(x)
    }
}

impl Sampler for DiagonalNormal {
    fn draw(&self) -> Result<Tensor, Error> {
        Ok(self.sample())
    }
}

impl LogProb for MultivariateNormal {
    fn log_prob_of(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.log_prob(x)
    }
}

impl Sampler for MultivariateNormal {
    fn draw(&self) -> Result<Tensor, Error> {
        self.sample()
    }
}
