//! Bernoulli with logits, on tensors.

use tch::Tensor;
use variata_torch_bridge::{check_floating, no_grad};

use super::evaluate::{Named, asked, broadcast_shape, exponential, fits, per_item, size};
use super::math::{product, softplus};
use crate::Error;

/// Tensor form of [`crate::Bernoulli`], which gives the formulas and shapes.
///
/// Runs as tensor operations on every device, so that derivatives of any order exist: the few passes vectorise better
/// than a scalar kernel. [`log_prob`](Self::log_prob) computes in the kind of its inputs, because no step cancels.
///
/// No value is checked: a NaN propagates.
#[derive(Debug)]
pub struct Bernoulli {
    logits: Tensor,
    batch: Vec<usize>,
}

impl Bernoulli {
    /// A distribution for each element of `logits`.
    ///
    /// # Errors
    /// `logits` is not dense and floating-point.
    ///
    /// ```
    /// use variata_distributions::torch::Bernoulli;
    /// use variata_torch_bridge::tch::Tensor;
    ///
    /// let p = Bernoulli::new(Tensor::from_slice(&[0f64, 800.0]))?;
    /// let value = p.log_prob(&Tensor::from_slice(&[1f64, 0.0]))?;
    /// assert_eq!(value.double_value(&[1]), -800.0);
    /// # Ok::<(), variata_distributions::Error>(())
    /// ```
    pub fn new(logits: Tensor) -> Result<Self, Error> {
        check_floating(&[("logits", &logits)])?;
        let batch = size(&logits);
        Ok(Self { logits, batch })
    }

    /// The logits.
    pub fn logits(&self) -> &Tensor {
        &self.logits
    }

    /// The shape of the logits.
    pub fn batch_shape(&self) -> &[usize] {
        &self.batch
    }

    /// Log-probability, or minus the cross-entropy for a target between 0 and 1; −∞ outside.
    ///
    /// # Errors
    /// `x` is not dense and floating-point or on another device, or the batch does not broadcast to its shape.
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.check("x", x)?;
        let outside = x.lt(0.0).logical_or(&x.gt(1.0));
        let value =
            product(x, &self.logits.log_sigmoid()) + product(&(1.0 - x), &(-&self.logits).log_sigmoid());
        Ok(value.masked_fill(&outside, f64::NEG_INFINITY))
    }

    /// Distribution function P(X ≤ x).
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn cdf(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.check("x", x)?;
        let failure = (-&self.logits).sigmoid() + x * 0.0;
        Ok(failure.masked_fill(&x.lt(0.0), 0.0).masked_fill(&x.ge(1.0), 1.0))
    }

    /// Quantile function: the smallest outcome x with P(X ≤ x) ≥ p.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn icdf(&self, p: &Tensor) -> Result<Tensor, Error> {
        self.check("p", p)?;
        Ok((-&self.logits).sigmoid().lt_tensor(p).to_kind(self.logits.kind()))
    }

    /// Entropy of each item, in nats.
    pub fn entropy(&self) -> Tensor {
        self.each(|l| {
            let sure = |l: &Tensor| product(&l.sigmoid(), &softplus(&-l));
            sure(l) + sure(&-l)
        })
    }

    /// Mean of each item, the probability of 1.
    pub fn mean(&self) -> Tensor {
        self.each(Tensor::sigmoid)
    }

    /// Variance of each item.
    pub fn variance(&self) -> Tensor {
        self.each(|l| l.sigmoid() * (-l).sigmoid())
    }

    /// Outcome for standard logistic noise: 1 where logit + noise > 0, else 0. A step, without a gradient.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn sample_from_noise(&self, noise: &Tensor) -> Result<Tensor, Error> {
        self.check("noise", noise)?;
        Ok((&self.logits + noise).gt(0.0).to_kind(self.logits.kind()))
    }

    /// Independent draws (0 or 1) of the given shape, from libtorch's generator.
    ///
    /// # Errors
    /// The batch does not broadcast to `shape`, or `shape` is too large.
    pub fn sample(&self, shape: &[usize]) -> Result<Tensor, Error> {
        let size = asked(shape, &self.batch)?;
        let draw = || exponential(&size, self.logits.device()).log();
        no_grad(|| self.sample_from_noise(&(draw() - draw())))
    }

    pub(super) fn parameter(&self) -> Named<'_> {
        ("logits", &self.logits)
    }

    fn check(&self, argument: &'static str, x: &Tensor) -> Result<(), Error> {
        fits(&self.batch, (argument, x))?;
        broadcast_shape(&[self.parameter(), (argument, x)]).map(|_| ())
    }

    fn each(&self, f: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
        per_item(&self.batch, [self.parameter()], |[logits]| f(&logits))
    }
}
