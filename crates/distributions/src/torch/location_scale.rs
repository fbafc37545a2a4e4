//! Location-scale families on tensors.

use std::f64::consts::LN_2;
use std::marker::PhantomData;

use tch::{Device, Kind, Tensor};
use variata_torch_bridge::no_grad;

use super::evaluate::{Elementwise, Named, asked, broadcast_shape, common_kind, exponential, fits, per_item};
use super::math::select;
use crate::bernoulli::product as scalar_product;
use crate::special::HALF_LOG_TWO_PI;
use crate::{
    Error, Standard, StandardGumbel, StandardLaplace, StandardLogistic, StandardNormal, location_scale,
};

/// The standard member of a location-scale family as tensor operations in f64.
pub trait TensorStandard: Standard {
    /// [`Standard::log_density`].
    fn log_density_composed(z: &Tensor) -> Tensor;
    /// [`Standard::cdf`].
    fn cdf_composed(z: &Tensor) -> Tensor;
    /// [`Standard::icdf`].
    fn icdf_composed(p: &Tensor) -> Tensor;
    /// Independent draws in f64, from libtorch's generator of the device.
    fn draws(size: &[i64], device: Device) -> Tensor;
}

/// Tensor form of a location-scale family; formulas and limits are given at [`crate::LocationScale`].
///
/// # Shapes
/// As there: `loc` and `scale` broadcast to the batch shape, and the batch shape to that of any `x`.
///
/// # Numerics
/// Values are computed in f64 and rounded once to the kind of the inputs. No value is checked: a scale that is not > 0
/// and a NaN propagate.
#[derive(Debug)]
pub struct LocationScale<S> {
    loc: Tensor,
    scale: Tensor,
    batch: Vec<usize>,
    standard: PhantomData<S>,
}

/// Tensor form of [`crate::Normal`].
pub type Normal = LocationScale<StandardNormal>;
/// Tensor form of [`crate::Laplace`].
pub type Laplace = LocationScale<StandardLaplace>;
/// Tensor form of [`crate::Gumbel`].
pub type Gumbel = LocationScale<StandardGumbel>;
/// Tensor form of [`crate::Logistic`].
pub type Logistic = LocationScale<StandardLogistic>;

impl<S: TensorStandard> LocationScale<S> {
    /// A batch with these parameters, which broadcast against each other.
    ///
    /// # Errors
    /// A tensor is not dense and floating-point, the devices differ, or the shapes do not broadcast.
    ///
    /// ```
    /// use variata_distributions::torch::Laplace;
    /// use variata_torch_bridge::tch::Tensor;
    ///
    /// let p = Laplace::new(Tensor::from_slice(&[0f64, 1.0]), Tensor::from(1f64))?;
    /// let x = Tensor::from_slice(&[0f64, 1.0]).set_requires_grad(true);
    /// assert_eq!(p.log_prob(&x)?.double_value(&[1]), -std::f64::consts::LN_2);
    /// # Ok::<(), variata_distributions::Error>(())
    /// ```
    pub fn new(loc: Tensor, scale: Tensor) -> Result<Self, Error> {
        let batch = broadcast_shape(&[("loc", &loc), ("scale", &scale)])?;
        Ok(Self { loc, scale, batch, standard: PhantomData })
    }

    /// The locations, as given.
    pub fn loc(&self) -> &Tensor {
        &self.loc
    }

    /// The scales, as given.
    pub fn scale(&self) -> &Tensor {
        &self.scale
    }

    /// The shape to which the parameters broadcast.
    pub fn batch_shape(&self) -> &[usize] {
        &self.batch
    }

    /// Log-density, shaped like `x`.
    ///
    /// # Errors
    /// `x` is not dense and floating-point or on another device, or the batch does not broadcast to its shape.
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor, Error> {
        log_prob::<S>().routed(self.with("x", x)?)
    }

    /// [`log_prob`](Self::log_prob) as tensor operations: any device, any derivative order.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn log_prob_composed(&self, x: &Tensor) -> Result<Tensor, Error> {
        log_prob::<S>().composed(self.with("x", x)?)
    }

    /// Distribution function P(X ≤ x).
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn cdf(&self, x: &Tensor) -> Result<Tensor, Error> {
        cdf::<S>().routed(self.with("x", x)?)
    }

    /// [`cdf`](Self::cdf) as tensor operations.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn cdf_composed(&self, x: &Tensor) -> Result<Tensor, Error> {
        cdf::<S>().composed(self.with("x", x)?)
    }

    /// Quantile function of `p` in [0, 1].
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn icdf(&self, p: &Tensor) -> Result<Tensor, Error> {
        icdf::<S>().routed(self.with("p", p)?)
    }

    /// [`icdf`](Self::icdf) as tensor operations.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn icdf_composed(&self, p: &Tensor) -> Result<Tensor, Error> {
        icdf::<S>().composed(self.with("p", p)?)
    }

    /// Differential entropy of each item of the batch.
    pub fn entropy(&self) -> Tensor {
        per_item(&self.batch, self.parameters(), |[_, scale]| scale.log() + S::ENTROPY)
    }

    /// Mean of each item of the batch.
    pub fn mean(&self) -> Tensor {
        per_item(&self.batch, self.parameters(), |[loc, scale]| loc + scale * S::MEAN)
    }

    /// Variance of each item of the batch.
    pub fn variance(&self) -> Tensor {
        per_item(&self.batch, self.parameters(), |[_, scale]| scale.square() * S::VARIANCE)
    }

    /// Reparameterised sample `loc + scale·noise` from given noise of the standard member.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn rsample(&self, noise: &Tensor) -> Result<Tensor, Error> {
        rsample().routed(self.with("noise", noise)?)
    }

    /// [`rsample`](Self::rsample) as tensor operations.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn rsample_composed(&self, noise: &Tensor) -> Result<Tensor, Error> {
        rsample().composed(self.with("noise", noise)?)
    }

    /// Independent draws of the given shape, without a gradient, from libtorch's generator.
    ///
    /// # Errors
    /// The batch does not broadcast to `shape`, or `shape` is too large.
    pub fn sample(&self, shape: &[usize]) -> Result<Tensor, Error> {
        let size = asked(shape, &self.batch)?;
        no_grad(|| {
            let noise = S::draws(&size, self.loc.device()).to_kind(common_kind(&self.parameters()));
            self.rsample(&noise)
        })
    }

    pub(super) fn parameters(&self) -> [Named<'_>; 2] {
        [("loc", &self.loc), ("scale", &self.scale)]
    }

    fn with<'a>(&'a self, argument: &'static str, x: &'a Tensor) -> Result<[Named<'a>; 3], Error> {
        fits(&self.batch, (argument, x))?;
        let [loc, scale] = self.parameters();
        Ok([(argument, x), loc, scale])
    }
}

type Composed = fn([Tensor; 3]) -> Tensor;

fn log_prob<S: TensorStandard>() -> Elementwise<impl Fn([f64; 3]) -> [f64; 4] + Sync + Send, Composed> {
    Elementwise {
        name: "LocationScale::log_prob",
        scalar: |[x, loc, scale]: [f64; 3]| location_scale::log_prob::<S>(x, loc, scale),
        composed: |[x, loc, scale]| S::log_density_composed(&((x - loc) / &scale)) - scale.log(),
    }
}

fn cdf<S: TensorStandard>() -> Elementwise<impl Fn([f64; 3]) -> [f64; 4] + Sync + Send, Composed> {
    Elementwise {
        name: "LocationScale::cdf",
        scalar: |[x, loc, scale]: [f64; 3]| {
            let z = (x - loc) / scale;
            let density = libm::exp(S::log_density(z).0) / scale;
            [S::cdf(z), density, -density, -scalar_product(density, z)]
        },
        composed: |[x, loc, scale]| S::cdf_composed(&((x - loc) / scale)),
    }
}

fn icdf<S: TensorStandard>() -> Elementwise<impl Fn([f64; 3]) -> [f64; 4] + Sync + Send, Composed> {
    Elementwise {
        name: "LocationScale::icdf",
        scalar: |[p, loc, scale]: [f64; 3]| {
            let z = S::icdf(p);
            [loc + scale * z, scale / libm::exp(S::log_density(z).0), 1.0, z]
        },
        composed: |[p, loc, scale]| loc + scale * S::icdf_composed(&p),
    }
}

fn rsample() -> Elementwise<impl Fn([f64; 3]) -> [f64; 4] + Sync + Send, Composed> {
    Elementwise {
        name: "LocationScale::rsample",
        scalar: |[noise, loc, scale]: [f64; 3]| [loc + scale * noise, scale, 1.0, noise],
        composed: |[noise, loc, scale]| loc + scale * noise,
    }
}

impl TensorStandard for StandardNormal {
    fn log_density_composed(z: &Tensor) -> Tensor {
        z.square() * -0.5 - HALF_LOG_TWO_PI
    }

    fn cdf_composed(z: &Tensor) -> Tensor {
        (z * -std::f64::consts::FRAC_1_SQRT_2).erfc() * 0.5
    }

    fn icdf_composed(p: &Tensor) -> Tensor {
        p.special_ndtri()
    }

    fn draws(size: &[i64], device: Device) -> Tensor {
        Tensor::randn(size, (Kind::Double, device))
    }
}

impl TensorStandard for StandardLaplace {
    fn log_density_composed(z: &Tensor) -> Tensor {
        -z.abs() - LN_2
    }

    fn cdf_composed(z: &Tensor) -> Tensor {
        let tail = (-select(&z.lt(0.0), &-z, z)).exp() * 0.5;
        select(&z.lt(0.0), &tail, &(1.0 - &tail))
    }

    fn icdf_composed(p: &Tensor) -> Tensor {
        let low = p.lt(0.5);
        // Twice the nearer tail, whose logarithm is the quantile's size.
        let size = (select(&low, p, &(1.0 - p)) * 2.0).log();
        select(&low, &size, &-&size)
    }

    fn draws(size: &[i64], device: Device) -> Tensor {
        exponential(size, device) - exponential(size, device)
    }
}

impl TensorStandard for StandardGumbel {
    fn log_density_composed(z: &Tensor) -> Tensor {
        let e = (-z).exp();
        // −(−∞) − ∞ would be NaN.
        -select(&e.isinf(), &e, &(z + &e))
    }

    fn cdf_composed(z: &Tensor) -> Tensor {
        (-(-z).exp()).exp()
    }

    fn icdf_composed(p: &Tensor) -> Tensor {
        let high = p.gt(0.5);
        // 1 − p is exact above ½.
        let upper = (p.masked_fill(&high.logical_not(), 1.0) - 1.0).log1p();
        let log_p = select(&high, &upper, &p.masked_fill(&high, 1.0).log());
        -(-log_p).log()
    }

    fn draws(size: &[i64], device: Device) -> Tensor {
        -exponential(size, device).log()
    }
}

impl TensorStandard for StandardLogistic {
    fn log_density_composed(z: &Tensor) -> Tensor {
        // log σ(z) + log σ(−z), smooth at 0.
        z.log_sigmoid() + (-z).log_sigmoid()
    }

    fn cdf_composed(z: &Tensor) -> Tensor {
        z.sigmoid()
    }

    fn icdf_composed(p: &Tensor) -> Tensor {
        p.log() - (-p).log1p()
    }

    fn draws(size: &[i64], device: Device) -> Tensor {
        exponential(size, device).log() - exponential(size, device).log()
    }
}
