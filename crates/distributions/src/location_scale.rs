//! Location-scale families: one type, and per family only the scalar functions of its standard member.

use std::marker::PhantomData;

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, Dimension, IntoDimension, arr0};
use rand::Rng;

use crate::elementwise::{self, broadcasts_to, checked_len, common_shape};
use crate::{Error, Real, check};

/// The standard member (location 0, scale 1) of a location-scale family: pure scalar functions.
///
/// Implemented by the unit types [`StandardNormal`](crate::StandardNormal),
/// [`StandardLaplace`](crate::StandardLaplace), [`StandardGumbel`](crate::StandardGumbel) and
/// [`StandardLogistic`](crate::StandardLogistic).
pub trait Standard: Copy + Default + std::fmt::Debug + Send + Sync + 'static {
    /// Differential entropy.
    const ENTROPY: f64;
    /// Mean.
    const MEAN: f64;
    /// Variance.
    const VARIANCE: f64;

    /// Log-density and its derivative. −∞ at ±∞.
    fn log_density(z: f64) -> (f64, f64);
    /// Distribution function.
    fn cdf(z: f64) -> f64;
    /// Quantile of p in [0, 1].
    fn icdf(p: f64) -> f64;
    /// Upper tail, 1 − the distribution function.
    fn sf(z: f64) -> f64 {
        1.0 - Self::cdf(z)
    }
    /// Point with upper tail p in [0, 1].
    fn isf(p: f64) -> f64 {
        Self::icdf(1.0 - p)
    }
    /// Logarithm of the distribution function.
    fn log_cdf(z: f64) -> f64 {
        libm::log(Self::cdf(z))
    }
    /// Logarithm of the upper tail.
    fn log_sf(z: f64) -> f64 {
        libm::log(Self::sf(z))
    }
    /// Derivative of [`log_cdf`](Self::log_cdf): density over distribution function. The provided one is e to the difference of their
    /// logarithms, which has no digits where these are large and not linear.
    fn log_cdf_grad(z: f64) -> f64 {
        libm::exp(Self::log_density(z).0 - Self::log_cdf(z))
    }
    /// Derivative of [`log_sf`](Self::log_sf): −density over upper tail; as [`log_cdf_grad`](Self::log_cdf_grad).
    fn log_sf_grad(z: f64) -> f64 {
        -libm::exp(Self::log_density(z).0 - Self::log_sf(z))
    }
    /// One draw, in f64.
    fn draw(rng: &mut impl Rng) -> f64;
}

/// A batch of independent members of the location-scale family of `S`.
///
/// ```text
/// X = loc + scale·Z,   Z ~ S
/// ```
/// Source: definition. Used through the names [`Normal`](crate::Normal), [`Laplace`](crate::Laplace),
/// [`Gumbel`](crate::Gumbel) and [`Logistic`](crate::Logistic), whose pages give the formulas.
///
/// # Shapes
/// `loc` and `scale` broadcast to the batch shape, and the batch shape to that of any `x`; results have the shape of
/// `x`. Everything is computed in f64 and rounded once.
#[derive(Debug, Clone, PartialEq)]
pub struct LocationScale<S, F: Real = f64> {
    loc: ArrayD<F>,
    scale: ArrayD<F>,
    batch: Vec<usize>,
    standard: PhantomData<S>,
}

/// Partial derivatives of `log_prob`, one per element of `x`.
///
/// With unit cotangent: to get the gradient of a sum in a broadcast parameter, sum over the axes along which it was
/// broadcast.
#[derive(Debug, Clone, PartialEq)]
pub struct LocationScaleLogProbGrad<F, D: Dimension> {
    /// In the point.
    pub x: Array<F, D>,
    /// In the location.
    pub loc: Array<F, D>,
    /// In the scale.
    pub scale: Array<F, D>,
}

/// Partial derivatives of `rsample`, one per element of the noise.
#[derive(Debug, Clone, PartialEq)]
pub struct LocationScaleRsampleGrad<F, D: Dimension> {
    /// In the noise: the scale.
    pub noise: Array<F, D>,
    /// In the location: 1.
    pub loc: Array<F, D>,
    /// In the scale: the noise.
    pub scale: Array<F, D>,
}

/// Partial derivatives of a divergence in the parameters of a location-scale family, one per item of the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct LocationScaleGrad<F> {
    /// In the location.
    pub loc: ArrayD<F>,
    /// In the scale.
    pub scale: ArrayD<F>,
}

impl<S: Standard, F: Real> LocationScale<S, F> {
    /// A batch with these parameters, which broadcast against each other.
    ///
    /// # Errors
    /// `loc` is not finite, `scale` is not finite and > 0, or the shapes do not broadcast.
    pub fn new<D: Dimension, E: Dimension>(loc: Array<F, D>, scale: Array<F, E>) -> Result<Self, Error> {
        check::finite("loc", &loc)?;
        check::positive("scale", &scale)?;
        let batch = common_shape(&[("loc", loc.shape()), ("scale", scale.shape())])?;
        checked_len(&batch)?;
        Ok(Self { loc: loc.into_dyn(), scale: scale.into_dyn(), batch, standard: PhantomData })
    }

    /// One distribution, with batch shape `[]`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn scalar(loc: F, scale: F) -> Result<Self, Error> {
        Self::new(arr0(loc), arr0(scale))
    }

    /// The locations, as given.
    pub fn loc(&self) -> &ArrayD<F> {
        &self.loc
    }

    /// The scales, as given.
    pub fn scale(&self) -> &ArrayD<F> {
        &self.scale
    }

    /// The shape to which the parameters broadcast.
    pub fn batch_shape(&self) -> &[usize] {
        &self.batch
    }

    /// Log-density; −∞ at ±∞.
    ///
    /// ```text
    /// log s((x − loc)/scale) − log scale
    /// ```
    /// Shape of `x`, to which the batch broadcasts. Source: change of variables.
    ///
    /// # Errors
    /// `x` holds a NaN, or the batch does not broadcast to its shape.
    pub fn log_prob<D: Dimension>(&self, x: &ArrayRef<F, D>) -> Result<Array<F, D>, Error> {
        check::not_nan("x", x)?;
        let [value] = self.at("x", x, |x, loc, scale| [log_prob::<S>(x, loc, scale)[0]])?;
        Ok(value)
    }

    /// [`log_prob`](Self::log_prob) and its partial derivatives.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn log_prob_with_grad<D: Dimension>(
        &self,
        x: &ArrayRef<F, D>,
    ) -> Result<(Array<F, D>, LocationScaleLogProbGrad<F, D>), Error> {
        check::not_nan("x", x)?;
        let [value, x, loc, scale] = self.at("x", x, log_prob::<S>)?;
        Ok((value, LocationScaleLogProbGrad { x, loc, scale }))
    }

    /// Distribution function P(X ≤ x).
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn cdf<D: Dimension>(&self, x: &ArrayRef<F, D>) -> Result<Array<F, D>, Error> {
        check::not_nan("x", x)?;
        let [value] = self.at("x", x, |x, loc, scale| [S::cdf(standardised(x, loc, scale))])?;
        Ok(value)
    }

    /// Quantile function: the x with P(X ≤ x) = p; ∓∞ at 0 and 1.
    ///
    /// # Errors
    /// `p` is outside [0, 1], or the batch does not broadcast to its shape.
    pub fn icdf<D: Dimension>(&self, p: &ArrayRef<F, D>) -> Result<Array<F, D>, Error> {
        check::probability("p", p)?;
        let [value] = self.at("p", p, |p, loc, scale| [loc + scale * S::icdf(p)])?;
        Ok(value)
    }

    /// Differential entropy of each item, entropy of the standard member + log scale.
    pub fn entropy(&self) -> ArrayD<F> {
        self.each(|_, scale| S::ENTROPY + libm::log(scale))
    }

    /// Mean of each item.
    pub fn mean(&self) -> ArrayD<F> {
        self.each(|loc, scale| loc + scale * S::MEAN)
    }

    /// Variance of each item.
    pub fn variance(&self) -> ArrayD<F> {
        self.each(|_, scale| scale * scale * S::VARIANCE)
    }

    /// Reparameterised sample from given noise, which is distributed as the standard member.
    ///
    /// ```text
    /// loc + scale·noise
    /// ```
    /// Source: Kingma & Welling, "Auto-Encoding Variational Bayes" (2014), section 2.4. The scale multiplies the noise,
    /// not its square [errata 000-5].
    ///
    /// # Errors
    /// `noise` is not finite, or the batch does not broadcast to its shape.
    pub fn rsample<D: Dimension>(&self, noise: &ArrayRef<F, D>) -> Result<Array<F, D>, Error> {
        check::finite("noise", noise)?;
        let [value] = self.at("noise", noise, |noise, loc, scale| [loc + scale * noise])?;
        Ok(value)
    }

    /// [`rsample`](Self::rsample) and its partial derivatives.
    ///
    /// # Errors
    /// As [`rsample`](Self::rsample).
    pub fn rsample_with_grad<D: Dimension>(
        &self,
        noise: &ArrayRef<F, D>,
    ) -> Result<(Array<F, D>, LocationScaleRsampleGrad<F, D>), Error> {
        check::finite("noise", noise)?;
        let [value, noise, loc, scale] =
            self.at("noise", noise, |noise, loc, scale| [loc + scale * noise, scale, 1.0, noise])?;
        Ok((value, LocationScaleRsampleGrad { noise, loc, scale }))
    }

    /// Independent draws of the given shape, to which the batch broadcasts.
    ///
    /// Noise is drawn in f64 also for f32, so that the tails are not cut where a grid of uniform f32 numbers ends.
    ///
    /// # Errors
    /// The batch does not broadcast to `shape`, or `shape` is too large.
    pub fn sample<I: IntoDimension>(&self, shape: I, rng: &mut impl Rng) -> Result<Array<F, I::Dim>, Error> {
        elementwise::sample(
            shape,
            &self.batch,
            self.parameters(),
            || S::draw(rng),
            |noise, [loc, scale]| loc + scale * noise,
        )
    }

    /// `f(x, loc, scale)` over `x`, with its dimension.
    fn at<D: Dimension, const OUT: usize>(
        &self,
        argument: &'static str,
        x: &ArrayRef<F, D>,
        f: impl Fn(f64, f64, f64) -> [f64; OUT] + Sync + Send,
    ) -> Result<[Array<F, D>; OUT], Error> {
        broadcasts_to("batch", &self.batch, x.shape())?;
        let [loc, scale] = self.parameters();
        let inputs = [(argument, x.view().into_dyn()), loc, scale];
        Ok(elementwise::at(&x.raw_dim(), inputs, |[x, loc, scale]| f(x, loc, scale))?)
    }

    /// `f(loc, scale)` over the batch.
    fn each(&self, f: impl Fn(f64, f64) -> f64 + Sync + Send) -> ArrayD<F> {
        elementwise::batch(&self.batch, self.parameters(), |[loc, scale]| f(loc, scale))
    }

    /// Both parameters, with their names.
    pub(crate) fn parameters(&self) -> [(&'static str, ArrayViewD<'_, F>); 2] {
        [("loc", self.loc.view()), ("scale", self.scale.view())]
    }
}

/// (x − loc)/scale, also where the difference overflows.
pub(crate) fn standardised(x: f64, loc: f64, scale: f64) -> f64 {
    let gap = x - loc;
    if gap.is_finite() { gap / scale } else { 2.0 * ((0.5 * x - 0.5 * loc) / scale) }
}

/// Value and partials in x, loc, scale.
pub(crate) fn log_prob<S: Standard>(x: f64, loc: f64, scale: f64) -> [f64; 4] {
    let z = standardised(x, loc, scale);
    let (value, slope) = S::log_density(z);
    [value - libm::log(scale), slope / scale, -slope / scale, -(1.0 + z * slope) / scale]
}
