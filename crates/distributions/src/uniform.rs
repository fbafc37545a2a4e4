//! The continuous uniform distribution.

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, Dimension, IntoDimension, arr0};
use rand::Rng;

use crate::elementwise::{self, broadcasts_to, checked_len, common_shape};
use crate::kl::log_ratio;
use crate::{ArgumentError, Error, Real, check, noise};

/// A batch of uniform distributions on the closed intervals [low, high].
///
/// ```text
/// log p(x) = −log(high − low) inside, −∞ outside
/// cdf (x − low)/(high − low),   entropy log(high − low),   mean (low + high)/2,   variance (high − low)²/12
/// ```
/// Source: definition.
///
/// # Shapes
/// `low` and `high` broadcast to the batch shape, and the batch shape to that of any `x`. Everything is computed in f64
/// and rounded once.
///
/// ```
/// use ndarray::array;
/// use variata_distributions::Uniform;
///
/// let p = Uniform::scalar(0.0, 4.0)?;
/// assert_eq!(p.log_prob(&array![1.0, 5.0])?, array![-4_f64.ln(), f64::NEG_INFINITY]);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Uniform<F: Real = f64> {
    low: ArrayD<F>,
    high: ArrayD<F>,
    batch: Vec<usize>,
}

/// Partial derivatives of `log_prob`, one per element of `x`, with unit cotangent; 0 outside the support.
#[derive(Debug, Clone, PartialEq)]
pub struct UniformLogProbGrad<F, D: Dimension> {
    /// In the point: 0.
    pub x: Array<F, D>,
    /// In the lower end.
    pub low: Array<F, D>,
    /// In the upper end.
    pub high: Array<F, D>,
}

/// Partial derivatives of `rsample`, one per element of the noise.
#[derive(Debug, Clone, PartialEq)]
pub struct UniformRsampleGrad<F, D: Dimension> {
    /// In the noise: high − low.
    pub noise: Array<F, D>,
    /// In the lower end: 1 − noise.
    pub low: Array<F, D>,
    /// In the upper end: the noise.
    pub high: Array<F, D>,
}

/// Partial derivatives of a divergence in the ends of the interval, one per item of the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct UniformGrad<F> {
    /// In the lower end.
    pub low: ArrayD<F>,
    /// In the upper end.
    pub high: ArrayD<F>,
}

impl<F: Real> Uniform<F> {
    /// A batch with these ends, which broadcast against each other.
    ///
    /// # Errors
    /// An end is not finite, `high` is not above `low`, or the shapes do not broadcast.
    pub fn new<D: Dimension, E: Dimension>(low: Array<F, D>, high: Array<F, E>) -> Result<Self, Error> {
        check::finite("low", &low)?;
        check::finite("high", &high)?;
        let (low, high) = (low.into_dyn(), high.into_dyn());
        let batch = common_shape(&[("low", low.shape()), ("high", high.shape())])?;
        checked_len(&batch)?;
        let inputs = [("low", low.view()), ("high", high.view())];
        // The value of a `high` that is not above `low`, NaN elsewhere.
        let bad = elementwise::batch(&batch, inputs, |[low, high]| if high > low { f64::NAN } else { high });
        if let Some((index, value)) = bad.iter().map(|v| v.to_f64()).enumerate().find(|(_, v)| !v.is_nan()) {
            let index = (!batch.is_empty()).then_some(index);
            return Err(ArgumentError::Value { argument: "high", index, value, must: "> low" }.into());
        }
        Ok(Self { low, high, batch })
    }

    /// One distribution, with batch shape `[]`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn scalar(low: F, high: F) -> Result<Self, Error> {
        Self::new(arr0(low), arr0(high))
    }

    /// The lower ends, as given.
    pub fn low(&self) -> &ArrayD<F> {
        &self.low
    }

    /// The upper ends, as given.
    pub fn high(&self) -> &ArrayD<F> {
        &self.high
    }

    /// The shape to which the parameters broadcast.
    pub fn batch_shape(&self) -> &[usize] {
        &self.batch
    }

    /// Log-density, −log(high − low); −∞ outside the closed interval. Shape of `x`, to which the batch broadcasts.
    ///
    /// Source: definition.
    ///
    /// # Errors
    /// `x` holds a NaN, or the batch does not broadcast to its shape.
    pub fn log_prob<D: Dimension>(&self, x: &ArrayRef<F, D>) -> Result<Array<F, D>, Error> {
        check::not_nan("x", x)?;
        let [value] = self.at("x", x, |x, low, high| [log_prob(x, low, high)[0]])?;
        Ok(value)
    }

    /// [`log_prob`](Self::log_prob) and its partial derivatives.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn log_prob_with_grad<D: Dimension>(
        &self,
        x: &ArrayRef<F, D>,
    ) -> Result<(Array<F, D>, UniformLogProbGrad<F, D>), Error> {
        check::not_nan("x", x)?;
        let [value, x, low, high] = self.at("x", x, log_prob)?;
        Ok((value, UniformLogProbGrad { x, low, high }))
    }

    /// Distribution function P(X ≤ x).
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn cdf<D: Dimension>(&self, x: &ArrayRef<F, D>) -> Result<Array<F, D>, Error> {
        check::not_nan("x", x)?;
        let [value] = self.at("x", x, |x, low, high| [fraction(x, low, high)])?;
        Ok(value)
    }

    /// Quantile function: the x with P(X ≤ x) = p.
    ///
    /// # Errors
    /// `p` is outside [0, 1], or the batch does not broadcast to its shape.
    pub fn icdf<D: Dimension>(&self, p: &ArrayRef<F, D>) -> Result<Array<F, D>, Error> {
        check::probability("p", p)?;
        let [value] = self.at("p", p, |p, low, high| [between(p, low, high)])?;
        Ok(value)
    }

    /// Differential entropy of each item, log(high − low).
    pub fn entropy(&self) -> ArrayD<F> {
        self.each(log_width)
    }

    /// Mean of each item.
    pub fn mean(&self) -> ArrayD<F> {
        self.each(centre)
    }

    /// Variance of each item.
    pub fn variance(&self) -> ArrayD<F> {
        self.each(|low, high| (high - low) / 12.0 * (high - low))
    }

    /// Reparameterised sample from given noise, which is uniform on [0, 1].
    ///
    /// ```text
    /// (1 − noise)·low + noise·high
    /// ```
    /// Source: definition.
    ///
    /// # Errors
    /// `noise` is outside [0, 1], or the batch does not broadcast to its shape.
    pub fn rsample<D: Dimension>(&self, noise: &ArrayRef<F, D>) -> Result<Array<F, D>, Error> {
        check::probability("noise", noise)?;
        let [value] = self.at("noise", noise, |noise, low, high| [between(noise, low, high)])?;
        Ok(value)
    }

    /// [`rsample`](Self::rsample) and its partial derivatives.
    ///
    /// # Errors
    /// As [`rsample`](Self::rsample).
    pub fn rsample_with_grad<D: Dimension>(
        &self,
        noise: &ArrayRef<F, D>,
    ) -> Result<(Array<F, D>, UniformRsampleGrad<F, D>), Error> {
        check::probability("noise", noise)?;
        let [value, noise, low, high] = self.at("noise", noise, |noise, low, high| {
            [between(noise, low, high), high - low, 1.0 - noise, noise]
        })?;
        Ok((value, UniformRsampleGrad { noise, low, high }))
    }

    /// Independent draws of the given shape, to which the batch broadcasts.
    ///
    /// # Errors
    /// The batch does not broadcast to `shape`, or `shape` is too large.
    pub fn sample<I: IntoDimension>(&self, shape: I, rng: &mut impl Rng) -> Result<Array<F, I::Dim>, Error> {
        elementwise::sample(
            shape,
            &self.batch,
            self.parameters(),
            || noise::uniform(rng),
            |noise, [low, high]| between(noise, low, high),
        )
    }

    /// `f(x, low, high)` over `x`, with its dimension.
    fn at<D: Dimension, const OUT: usize>(
        &self,
        argument: &'static str,
        x: &ArrayRef<F, D>,
        f: impl Fn(f64, f64, f64) -> [f64; OUT] + Sync + Send,
    ) -> Result<[Array<F, D>; OUT], Error> {
        broadcasts_to("batch", &self.batch, x.shape())?;
        let [low, high] = self.parameters();
        let inputs = [(argument, x.view().into_dyn()), low, high];
        Ok(elementwise::at(&x.raw_dim(), inputs, |[x, low, high]| f(x, low, high))?)
    }

    /// `f(low, high)` over the batch.
    fn each(&self, f: impl Fn(f64, f64) -> f64 + Sync + Send) -> ArrayD<F> {
        elementwise::batch(&self.batch, self.parameters(), |[low, high]| f(low, high))
    }

    /// Both parameters, with their names.
    pub(crate) fn parameters(&self) -> [(&'static str, ArrayViewD<'_, F>); 2] {
        [("low", self.low.view()), ("high", self.high.view())]
    }
}

/// Value and partials in x, low, high.
pub(crate) fn log_prob(x: f64, low: f64, high: f64) -> [f64; 4] {
    if x < low || x > high {
        return [f64::NEG_INFINITY, 0.0, 0.0, 0.0];
    }
    let density = 1.0 / (high - low);
    // 0·x hands a NaN on.
    [0.0 * x - log_width(low, high), 0.0 * x, density, -density]
}

/// log(high − low), also where the difference overflows.
pub(crate) fn log_width(low: f64, high: f64) -> f64 {
    let width = high - low;
    if width.is_finite() {
        libm::log(width)
    } else {
        libm::log(0.5 * high - 0.5 * low) + std::f64::consts::LN_2
    }
}

/// log(x/(high − low)) of a positive x.
pub(crate) fn log_over_width(x: f64, low: f64, high: f64) -> f64 {
    let width = high - low;
    if width.is_finite() {
        log_ratio(x, width)
    } else {
        log_ratio(x, 0.5 * high - 0.5 * low) - std::f64::consts::LN_2
    }
}

/// (x − low)/(high − low), kept in [0, 1].
pub(crate) fn fraction(x: f64, low: f64, high: f64) -> f64 {
    let width = high - low;
    let share =
        if width.is_finite() { (x - low) / width } else { (0.5 * x - 0.5 * low) / (0.5 * high - 0.5 * low) };
    share.clamp(0.0, 1.0)
}

/// (low + high)/2.
pub(crate) fn centre(low: f64, high: f64) -> f64 {
    let sum = low + high;
    if sum.is_finite() { 0.5 * sum } else { 0.5 * low + 0.5 * high }
}

/// (1 − t)·low + t·high, which does not overflow, kept inside the interval.
pub(crate) fn between(t: f64, low: f64, high: f64) -> f64 {
    let value = (1.0 - t) * low + t * high;
    // Not `clamp`, which panics on ends that the tensor home does not check.
    if value < low {
        low
    } else if value > high {
        high
    } else {
        value
    }
}
