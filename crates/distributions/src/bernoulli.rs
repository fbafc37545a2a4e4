//! The Bernoulli distribution, by its logits.

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, Dimension, IntoDimension, arr0};
use rand::Rng;

use crate::elementwise::{self, broadcasts_to};
use crate::special::{sigmoid, softplus};
use crate::{Error, Real, check, noise};

/// A batch of Bernoulli distributions with log-odds `logits`; ±∞ are the sure outcomes.
///
/// ```text
/// log p(x) = x·logit − softplus(logit) = −x·softplus(−logit) − (1 − x)·softplus(logit)
/// entropy σ(l) softplus(−l) + σ(−l) softplus(l),   mean σ(l),   variance σ(l) σ(−l)
/// ```
/// `x` may be any number in [0, 1]: between 0 and 1 the formula is minus the cross-entropy against that soft target, as
/// used for grey images, and no longer the logarithm of a probability. Outside [0, 1] it is −∞.
///
/// Source: definition; the second form has terms of one sign and no cancellation.
///
/// # Shapes
/// The shape of `logits` is the batch shape, which broadcasts to that of any `x`.
///
/// ```
/// use ndarray::array;
/// use variata_distributions::Bernoulli;
///
/// let p = Bernoulli::new(array![0.0])?;
/// assert_eq!(p.log_prob(&array![0.0, 1.0])?, array![-2_f64.ln(), -2_f64.ln()]);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Bernoulli<F: Real = f64> {
    logits: ArrayD<F>,
}

/// Partial derivatives of `log_prob`, one per element of `x`, with unit cotangent; 0 outside [0, 1].
#[derive(Debug, Clone, PartialEq)]
pub struct BernoulliLogProbGrad<F, D: Dimension> {
    /// In the (soft) target: the logit.
    pub x: Array<F, D>,
    /// In the logits: x − σ(logit).
    pub logits: Array<F, D>,
}

/// Partial derivatives of a divergence in the logits.
#[derive(Debug, Clone, PartialEq)]
pub struct LogitsGrad<F> {
    /// In the logits, with the shape that they broadcast to.
    pub logits: ArrayD<F>,
}

impl<F: Real> Bernoulli<F> {
    /// A batch with these log-odds.
    ///
    /// # Errors
    /// `logits` holds a NaN.
    pub fn new<D: Dimension>(logits: Array<F, D>) -> Result<Self, Error> {
        check::not_nan("logits", &logits)?;
        Ok(Self { logits: logits.into_dyn() })
    }

    /// One distribution, with batch shape `[]`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn scalar(logit: F) -> Result<Self, Error> {
        Self::new(arr0(logit))
    }

    /// The log-odds.
    pub fn logits(&self) -> &ArrayD<F> {
        &self.logits
    }

    /// The shape of the logits.
    pub fn batch_shape(&self) -> &[usize] {
        self.logits.shape()
    }

    /// Log-probability, or minus the cross-entropy for a soft target; −∞ outside [0, 1].
    ///
    /// # Errors
    /// `x` holds a NaN, or the batch does not broadcast to its shape.
    pub fn log_prob<D: Dimension>(&self, x: &ArrayRef<F, D>) -> Result<Array<F, D>, Error> {
        check::not_nan("x", x)?;
        let [value] = self.at("x", x, |x, logit| [log_prob(x, logit)[0]])?;
        Ok(value)
    }

    /// [`log_prob`](Self::log_prob) and its partial derivatives.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn log_prob_with_grad<D: Dimension>(
        &self,
        x: &ArrayRef<F, D>,
    ) -> Result<(Array<F, D>, BernoulliLogProbGrad<F, D>), Error> {
        check::not_nan("x", x)?;
        let [value, x, logits] = self.at("x", x, log_prob)?;
        Ok((value, BernoulliLogProbGrad { x, logits }))
    }

    /// Distribution function P(X ≤ x): 0 below 0, σ(−logit) below 1, then 1.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn cdf<D: Dimension>(&self, x: &ArrayRef<F, D>) -> Result<Array<F, D>, Error> {
        check::not_nan("x", x)?;
        let [value] = self.at("x", x, |x, logit| {
            [if x < 0.0 {
                0.0
            } else if x < 1.0 {
                sigmoid(-logit)
            } else {
                1.0
            }]
        })?;
        Ok(value)
    }

    /// Quantile function: the smallest outcome x with P(X ≤ x) ≥ p.
    ///
    /// # Errors
    /// `p` is outside [0, 1], or the batch does not broadcast to its shape.
    pub fn icdf<D: Dimension>(&self, p: &ArrayRef<F, D>) -> Result<Array<F, D>, Error> {
        check::probability("p", p)?;
        let [value] = self.at("p", p, |p, logit| [if sigmoid(-logit) >= p { 0.0 } else { 1.0 }])?;
        Ok(value)
    }

    /// Entropy of each item, in nats; 0 for a sure outcome.
    pub fn entropy(&self) -> ArrayD<F> {
        self.each(|l| product(sigmoid(l), softplus(-l)) + product(sigmoid(-l), softplus(l)))
    }

    /// Mean of each item, the probability of 1.
    pub fn mean(&self) -> ArrayD<F> {
        self.each(sigmoid)
    }

    /// Variance of each item.
    pub fn variance(&self) -> ArrayD<F> {
        self.each(|l| sigmoid(l) * sigmoid(-l))
    }

    /// Outcome for given noise, which is standard logistic: 1 where logit + noise > 0, else 0.
    ///
    /// This is the deterministic part of [`sample`](Self::sample). It is a step, so its derivative is 0 wherever it
    /// exists: no reparameterised gradient passes through a discrete outcome.
    ///
    /// Source: P(L > −l) = σ(l) for a standard logistic L.
    ///
    /// # Errors
    /// `noise` is not finite, or the batch does not broadcast to its shape.
    pub fn sample_from_noise<D: Dimension>(&self, noise: &ArrayRef<F, D>) -> Result<Array<F, D>, Error> {
        check::finite("noise", noise)?;
        let [value] = self.at("noise", noise, |noise, logit| [step(noise, logit)])?;
        Ok(value)
    }

    /// Independent draws (0 or 1) of the given shape, to which the batch broadcasts.
    ///
    /// # Errors
    /// The batch does not broadcast to `shape`, or `shape` is too large.
    pub fn sample<I: IntoDimension>(&self, shape: I, rng: &mut impl Rng) -> Result<Array<F, I::Dim>, Error> {
        let draw = || noise::logistic(rng);
        elementwise::sample(shape, self.batch_shape(), [self.parameter()], draw, |noise, [logit]| {
            step(noise, logit)
        })
    }

    /// `f(x, logit)` over `x`, with its dimension.
    fn at<D: Dimension, const OUT: usize>(
        &self,
        argument: &'static str,
        x: &ArrayRef<F, D>,
        f: impl Fn(f64, f64) -> [f64; OUT] + Sync + Send,
    ) -> Result<[Array<F, D>; OUT], Error> {
        broadcasts_to("batch", self.batch_shape(), x.shape())?;
        let inputs = [(argument, x.view().into_dyn()), self.parameter()];
        Ok(elementwise::at(&x.raw_dim(), inputs, |[x, logit]| f(x, logit))?)
    }

    /// `f(logit)` over the batch.
    fn each(&self, f: impl Fn(f64) -> f64 + Sync + Send) -> ArrayD<F> {
        elementwise::batch(self.batch_shape(), [self.parameter()], |[logit]| f(logit))
    }

    /// The logits, with their name.
    pub(crate) fn parameter(&self) -> (&'static str, ArrayViewD<'_, F>) {
        ("logits", self.logits.view())
    }
}

/// Value and partials in x and logit.
pub(crate) fn log_prob(x: f64, logit: f64) -> [f64; 3] {
    if !(0.0..=1.0).contains(&x) {
        return [f64::NEG_INFINITY, 0.0, 0.0];
    }
    let value = -product(x, softplus(-logit)) - product(1.0 - x, softplus(logit));
    [value, logit, x * sigmoid(-logit) - (1.0 - x) * sigmoid(logit)]
}

/// The outcome for standard logistic noise.
fn step(noise: f64, logit: f64) -> f64 {
    if logit + noise > 0.0 { 1.0 } else { 0.0 }
}

/// a·b with 0·∞ = 0, as for x log x at 0.
pub(crate) fn product(a: f64, b: f64) -> f64 {
    if a == 0.0 { 0.0 } else { a * b }
}
