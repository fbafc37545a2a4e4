//! The continuous uniform distribution on tensors.

use tch::{Kind, Tensor};
use variata_torch_bridge::no_grad;

use super::evaluate::{Elementwise, Named, asked, broadcast_shape, common_kind, fits, per_item};
use super::math::select;
use crate::{Error, uniform};

/// Tensor form of [`crate::Uniform`], which gives the formulas and shapes.
///
/// No value is checked: `high` not above `low` and NaN propagate.
#[derive(Debug)]
pub struct Uniform {
    low: Tensor,
    high: Tensor,
    batch: Vec<usize>,
}

type Composed = fn([Tensor; 3]) -> Tensor;

impl Uniform {
    /// A batch with these ends, which broadcast against each other.
    ///
    /// # Errors
    /// A tensor is not dense and floating-point, the devices differ, or the shapes do not broadcast.
    ///
    /// ```
    /// use variata_distributions::torch::Uniform;
    /// use variata_torch_bridge::tch::Tensor;
    ///
    /// let p = Uniform::new(Tensor::from(0f64), Tensor::from(4f64))?;
    /// assert_eq!(p.cdf(&Tensor::from_slice(&[1f64, 9.0]))?.double_value(&[0]), 0.25);
    /// # Ok::<(), variata_distributions::Error>(())
    /// ```
    pub fn new(low: Tensor, high: Tensor) -> Result<Self, Error> {
        let batch = broadcast_shape(&[("low", &low), ("high", &high)])?;
        Ok(Self { low, high, batch })
    }

    /// The lower ends, as given.
    pub fn low(&self) -> &Tensor {
        &self.low
    }

    /// The upper ends, as given.
    pub fn high(&self) -> &Tensor {
        &self.high
    }

    /// The shape to which the parameters broadcast.
    pub fn batch_shape(&self) -> &[usize] {
        &self.batch
    }

    /// Log-density, shaped like `x`; −∞ outside the closed interval.
    ///
    /// # Errors
    /// `x` is not dense and floating-point or on another device, or the batch does not broadcast to its shape.
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor, Error> {
        LOG_PROB.routed(self.with("x", x)?)
    }

    /// [`log_prob`](Self::log_prob) as tensor operations: any device, any derivative order.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn log_prob_composed(&self, x: &Tensor) -> Result<Tensor, Error> {
        LOG_PROB.composed(self.with("x", x)?)
    }

    /// Distribution function P(X ≤ x).
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn cdf(&self, x: &Tensor) -> Result<Tensor, Error> {
        CDF.routed(self.with("x", x)?)
    }

    /// [`cdf`](Self::cdf) as tensor operations.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn cdf_composed(&self, x: &Tensor) -> Result<Tensor, Error> {
        CDF.composed(self.with("x", x)?)
    }

    /// Quantile function of `p` in [0, 1].
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn icdf(&self, p: &Tensor) -> Result<Tensor, Error> {
        BETWEEN.routed(self.with("p", p)?)
    }

    /// [`icdf`](Self::icdf) as tensor operations.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn icdf_composed(&self, p: &Tensor) -> Result<Tensor, Error> {
        BETWEEN.composed(self.with("p", p)?)
    }

    /// Differential entropy of each item of the batch.
    pub fn entropy(&self) -> Tensor {
        per_item(&self.batch, self.parameters(), |[low, high]| (high - low).log())
    }

    /// Mean of each item of the batch.
    pub fn mean(&self) -> Tensor {
        per_item(&self.batch, self.parameters(), |[low, high]| low * 0.5 + high * 0.5)
    }

    /// Variance of each item of the batch.
    pub fn variance(&self) -> Tensor {
        per_item(&self.batch, self.parameters(), |[low, high]| (high - low).square() / 12.0)
    }

    /// Reparameterised sample `(1 − noise)·low + noise·high` from noise uniform on [0, 1].
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn rsample(&self, noise: &Tensor) -> Result<Tensor, Error> {
        BETWEEN.routed(self.with("noise", noise)?)
    }

    /// [`rsample`](Self::rsample) as tensor operations.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn rsample_composed(&self, noise: &Tensor) -> Result<Tensor, Error> {
        BETWEEN.composed(self.with("noise", noise)?)
    }

    /// Independent draws of the given shape, without a gradient, from libtorch's generator.
    ///
    /// # Errors
    /// The batch does not broadcast to `shape`, or `shape` is too large.
    pub fn sample(&self, shape: &[usize]) -> Result<Tensor, Error> {
        let size = asked(shape, &self.batch)?;
        no_grad(|| {
            let noise = Tensor::rand(&size, (Kind::Double, self.low.device()));
            self.rsample(&noise.to_kind(common_kind(&self.parameters())))
        })
    }

    pub(super) fn parameters(&self) -> [Named<'_>; 2] {
        [("low", &self.low), ("high", &self.high)]
    }

    fn with<'a>(&'a self, argument: &'static str, x: &'a Tensor) -> Result<[Named<'a>; 3], Error> {
        fits(&self.batch, (argument, x))?;
        let [low, high] = self.parameters();
        Ok([(argument, x), low, high])
    }
}

type Scalar = fn([f64; 3]) -> [f64; 4];

const LOG_PROB: Elementwise<Scalar, Composed> = Elementwise {
    name: "Uniform::log_prob",
    scalar: |[x, low, high]| uniform::log_prob(x, low, high),
    composed: |[x, low, high]| {
        let outside = x.lt_tensor(&low).logical_or(&x.gt_tensor(&high));
        // x·0 carries the point's shape, its NaN and its derivative 0.
        (x.masked_fill(&outside, 0.0) * 0.0 - (high - low).log()).masked_fill(&outside, f64::NEG_INFINITY)
    },
};

const CDF: Elementwise<Scalar, Composed> = Elementwise {
    name: "Uniform::cdf",
    scalar: |[x, low, high]| {
        let share = uniform::fraction(x, low, high);
        let inside = if (low..=high).contains(&x) { 1.0 / (high - low) } else { 0.0 };
        [share, inside, -(1.0 - share) * inside, -share * inside]
    },
    composed: |[x, low, high]| ((x - &low) / (high - low)).clamp(0.0, 1.0),
};

const BETWEEN: Elementwise<Scalar, Composed> = Elementwise {
    name: "Uniform::rsample",
    scalar: |[t, low, high]| [uniform::between(t, low, high), high - low, 1.0 - t, t],
    composed: |[t, low, high]| {
        let share: Tensor = 1.0 - &t;
        let value = share * &low + &t * &high;
        // Rounding may leave the interval by an ulp; the derivative is that of the formula.
        let kept = value.maximum(&low).minimum(&high);
        select(&value.eq_tensor(&kept), &value, &(&value + (kept - &value).detach()))
    },
};
