//! An unbiased estimate for any pair of distributions that have the same draws.

use ndarray::{Array2, ArrayD, Zip};
use rand::Rng;

use crate::{
    ArgumentError, Bernoulli, Categorical, DiagonalNormal, Error, LocationScale, MultivariateNormal, Real,
    Standard, Uniform, check,
};

/// A distribution whose log-density can be asked for as f64, found in its scalar type where that is f32.
pub trait LogProb<X> {
    /// Log-density of one draw of the whole batch.
    ///
    /// # Errors
    /// The batch does not broadcast to that of `x`.
    fn log_prob_of(&self, x: &X) -> Result<ArrayD<f64>, Error>;
}

/// A distribution from which a whole batch can be drawn. Not `Sample`, which is an element type of samples in this workspace.
pub trait Sampler {
    /// One draw of the whole batch.
    type Draw;

    /// One draw of the whole batch.
    ///
    /// # Errors
    /// The batch is too large to hold.
    fn draw(&self, rng: &mut impl Rng) -> Result<Self::Draw, Error>;
}

/// A Monte-Carlo estimate, one per item of the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub mean: ArrayD<f64>,
    /// Its standard error, √(sample variance/n). +∞ where the mean is infinite.
    pub standard_error: ArrayD<f64>,
    /// Number of draws.
    pub n: usize,
}

/// Estimates KL(`p` ‖ `q`) from `n` draws of `p`, for any two distributions whose draws are of one type: the families on the
/// line among each other, categorical ones, and the normal ones on ℝⁿ.
///
/// ```text
/// (1/n) Σ log p(xᵢ) − log q(xᵢ),   xᵢ ~ p
/// ```
/// Source: the law of large numbers; mean and variance by Welford's recurrence.
///
/// # Errors
/// `n` is below 2, or the batch of `q` does not broadcast to that of `p`; a draw overflows, so that its densities have no ratio.
///
/// # Numerics
/// Unbiased, so it may be negative, but for the rounding of draws and densities to the distributions' scalar type, of which the standard error knows
/// nothing: where scales are not much larger than the distance of neighbouring numbers at the location, take f64. +∞ once a draw falls outside
/// the support of `q`; a thin part of the support that no draw hits goes unnoticed.
///
/// # Examples
/// ```
/// use rand::SeedableRng;
/// use variata_distributions::{Logistic, Normal, kl::monte_carlo};
///
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let (p, q) = (Normal::scalar(0.0, 1.0)?, Logistic::scalar(0.0, 0.6)?);
/// let kl = monte_carlo::kl(&p, &q, 10_000, &mut rng)?;
/// assert!(kl.mean.sum() < 0.1 && kl.standard_error.sum() < 0.01);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn kl<P, Q>(p: &P, q: &Q, n: usize, rng: &mut impl Rng) -> Result<Estimate, Error>
where
    P: Sampler + LogProb<P::Draw>,
    Q: LogProb<P::Draw>,
{
    check::scalar("n", n as f64, ">= 2", n >= 2)?;
    let x = p.draw(rng)?;
    let mut mean = p.log_prob_of(&x)? - q.log_prob_of(&x)?;
    let mut squares = ArrayD::<f64>::zeros(mean.raw_dim());
    for count in 2..=n {
        let x = p.draw(rng)?;
        let sample = p.log_prob_of(&x)? - q.log_prob_of(&x)?;
        Zip::from(&mut mean).and(&mut squares).and(&sample).for_each(|mean, squares, &sample| {
            if *mean == f64::INFINITY || sample == f64::INFINITY {
                (*mean, *squares) = (f64::INFINITY, f64::INFINITY);
            } else {
                let gap = sample - *mean;
                *mean += gap / count as f64;
                *squares += gap * (sample - *mean);
            }
        });
    }
    if let Some(index) = mean.iter().position(|mean| mean.is_nan()) {
        let must = "of draws that are finite";
        return Err(ArgumentError::Value { argument: "p", index: Some(index), value: f64::NAN, must }.into());
    }
    let standard_error = squares.mapv(|s| (s / (n as f64 - 1.0) / n as f64).sqrt());
    Ok(Estimate { mean, standard_error, n })
}

fn to_f64<F: Real>(x: &ArrayD<F>) -> ArrayD<f64> {
    x.mapv(Real::to_f64)
}

impl<S: Standard, F: Real> LogProb<ArrayD<F>> for LocationScale<S, F> {
    fn log_prob_of(&self, x: &ArrayD<F>) -> Result<ArrayD<f64>, Error> {
        Ok(to_f64(&self.log_prob(x)?))
    }
}

impl<S: Standard, F: Real> Sampler for LocationScale<S, F> {
    type Draw = ArrayD<F>;

    fn draw(&self, rng: &mut impl Rng) -> Result<ArrayD<F>, Error> {
        self.sample(self.batch_shape(), rng)
    }
}

impl<F: Real> LogProb<ArrayD<F>> for Uniform<F> {
    fn log_prob_of(&self, x: &ArrayD<F>) -> Result<ArrayD<f64>, Error> {
        Ok(to_f64(&self.log_prob(x)?))
    }
}

impl<F: Real> Sampler for Uniform<F> {
    type Draw = ArrayD<F>;

    fn draw(&self, rng: &mut impl Rng) -> Result<ArrayD<F>, Error> {
        self.sample(self.batch_shape(), rng)
    }
}

impl<F: Real> LogProb<ArrayD<F>> for Bernoulli<F> {
    fn log_prob_of(&self, x: &ArrayD<F>) -> Result<ArrayD<f64>, Error> {
        Ok(to_f64(&self.log_prob(x)?))
    }
}

impl<F: Real> Sampler for Bernoulli<F> {
    type Draw = ArrayD<F>;

    fn draw(&self, rng: &mut impl Rng) -> Result<ArrayD<F>, Error> {
        self.sample(self.batch_shape(), rng)
    }
}

impl<F: Real> LogProb<ArrayD<usize>> for Categorical<F> {
    fn log_prob_of(&self, x: &ArrayD<usize>) -> Result<ArrayD<f64>, Error> {
        Ok(to_f64(&self.log_prob(x)?))
    }
}

impl<F: Real> Sampler for Categorical<F> {
    type Draw = ArrayD<usize>;

    fn draw(&self, rng: &mut impl Rng) -> Result<ArrayD<usize>, Error> {
        self.sample(self.batch_shape(), rng)
    }
}

impl<F: Real> LogProb<Array2<F>> for DiagonalNormal<F> {
    fn log_prob_of(&self, x: &Array2<F>) -> Result<ArrayD<f64>, Error> {
        Ok(self.log_prob(x)?.into_dyn())
    }
}

impl<F: Real> Sampler for DiagonalNormal<F> {
    type Draw = Array2<F>;

    fn draw(&self, rng: &mut impl Rng) -> Result<Array2<F>, Error> {
        Ok(self.sample(rng))
    }
}

impl<F: Real> LogProb<Array2<F>> for MultivariateNormal<F> {
    fn log_prob_of(&self, x: &Array2<F>) -> Result<ArrayD<f64>, Error> {
        Ok(self.log_prob(x)?.into_dyn())
    }
}

impl<F: Real> Sampler for MultivariateNormal<F> {
    type Draw = Array2<F>;

    fn draw(&self, rng: &mut impl Rng) -> Result<Array2<F>, Error> {
        Ok(self.sample(rng))
    }
}
