//! Normal with a diagonal covariance, on tensors.

use ndarray::{ArrayView2, ArrayViewD, Ix2};
use tch::{Kind, Tensor};
use variata_torch_bridge::{Element, Route, check_floating, no_grad, route};

use super::evaluate::{Rows, common_kind, rows, same_size, size};
use super::math::{expm1mx, log_ratio, over_sigma};
use crate::diagonal_normal::log_prob_rows;
use crate::simd::{Filled, Outputs};
use crate::special::HALF_LOG_TWO_PI;
use crate::{ArgumentError, Error, Real, SpreadKind, check, kl};

/// Tensor form of [`crate::DiagonalNormal`], which gives the formulas and shapes.
///
/// No value is checked: a standard deviation that is not > 0 and a NaN propagate.
#[derive(Debug)]
pub struct DiagonalNormal {
    loc: Tensor,
    spread: Tensor,
    kind: SpreadKind,
    shape: [usize; 2],
}

impl DiagonalNormal {
    /// From location and standard deviation, both [batch, n].
    ///
    /// # Errors
    /// A tensor is not dense and floating-point, the devices or shapes differ, or there are not two axes.
    pub fn new(loc: Tensor, scale: Tensor) -> Result<Self, Error> {
        let shape = two_axes("loc", &loc, ("scale", &scale))?;
        Ok(Self { loc, spread: scale, kind: SpreadKind::Scale, shape })
    }

    /// From location and log-variance, both [batch, n].
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_log_variance(loc: Tensor, log_variance: Tensor) -> Result<Self, Error> {
        let shape = two_axes("loc", &loc, ("log_variance", &log_variance))?;
        Ok(Self { loc, spread: log_variance, kind: SpreadKind::LogVariance, shape })
    }

    /// Number of distributions.
    pub fn batch(&self) -> usize {
        self.shape[0]
    }

    /// Number of dimensions n.
    pub fn dim(&self) -> usize {
        self.shape[1]
    }

    /// The location, [batch, n].
    pub fn loc(&self) -> &Tensor {
        &self.loc
    }

    /// The spread as it was given, see [`spread_kind`](Self::spread_kind).
    pub fn spread(&self) -> &Tensor {
        &self.spread
    }

    /// Whether [`spread`](Self::spread) is a standard deviation or a log-variance.
    pub fn spread_kind(&self) -> SpreadKind {
        self.kind
    }

    /// Log-density of the rows of `x` [batch, n] → `[batch]`, f64.
    ///
    /// # Errors
    /// `x` has another shape, is not dense and floating-point, or lies on another device.
    ///
    /// ```
    /// use variata_distributions::torch::DiagonalNormal;
    /// use variata_torch_bridge::tch::{Device, Kind, Tensor};
    ///
    /// let zeros = || Tensor::zeros([1, 2], (Kind::Float, Device::Cpu));
    /// let p = DiagonalNormal::from_log_variance(zeros(), zeros())?;
    /// let value = p.log_prob(&zeros())?.double_value(&[0]);
    /// assert!((value + (2.0 * std::f64::consts::PI).ln()).abs() < 1e-15);
    /// # Ok::<(), variata_distributions::Error>(())
    /// ```
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.check("x", x)?;
        let inputs = [("x", x), ("loc", &self.loc), ("spread", &self.spread)];
        let native = match (route(&[x, &self.loc, &self.spread], &[]), x.kind()) {
            (Route::Native, Kind::Float) => {
                rows::<f32, _, 3>("DiagonalNormal::log_prob", inputs, &Density(self.kind))?
            }
            (Route::Native, Kind::Double) => {
                rows::<f64, _, 3>("DiagonalNormal::log_prob", inputs, &Density(self.kind))?
            }
            _ => None,
        };
        Ok(native.unwrap_or_else(|| self.density(x)))
    }

    /// [`log_prob`](Self::log_prob) as tensor operations: any device, any derivative order.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn log_prob_composed(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.check("x", x)?;
        Ok(self.density(x))
    }

    fn density(&self, x: &Tensor) -> Tensor {
        let terms = self.standardised(x).square() * 0.5 + self.log_sigma();
        -(terms + HALF_LOG_TWO_PI).sum_dim_intlist(-1, false, Kind::Double)
    }

    /// Squared Mahalanobis distance of each row of `x` [batch, n] → `[batch]`, f64. As tensor operations on every device.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn mahalanobis(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.check("x", x)?;
        Ok(self.standardised(x).square().sum_dim_intlist(-1, false, Kind::Double))
    }

    /// (x − μ)/σ in f64.
    fn standardised(&self, x: &Tensor) -> Tensor {
        self.over_sigma(&(x.to_kind(Kind::Double) - self.loc.to_kind(Kind::Double)))
    }

    /// x/σ in f64.
    fn over_sigma(&self, x: &Tensor) -> Tensor {
        let s = self.spread.to_kind(Kind::Double);
        match self.kind {
            SpreadKind::Scale => x / s,
            SpreadKind::LogVariance => over_sigma(x, &s),
        }
    }

    /// Differential entropy of each item → `[batch]`, f64.
    pub fn entropy(&self) -> Tensor {
        (self.log_sigma() + (HALF_LOG_TWO_PI + 0.5)).sum_dim_intlist(-1, false, Kind::Double)
    }

    /// Mean: the location.
    pub fn mean(&self) -> Tensor {
        self.loc.shallow_clone()
    }

    /// Variance of each dimension, [batch, n].
    pub fn variance(&self) -> Tensor {
        match self.kind {
            SpreadKind::Scale => self.spread.square(),
            SpreadKind::LogVariance => self.spread.exp(),
        }
    }

    /// Standard deviation of each dimension, [batch, n].
    pub fn scale(&self) -> Tensor {
        match self.kind {
            SpreadKind::Scale => self.spread.shallow_clone(),
            SpreadKind::LogVariance => (&self.spread * 0.5).exp(),
        }
    }

    /// `loc + σ·noise`, with noise of N(0, 1) shaped like `loc`.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob), for `noise`.
    pub fn rsample(&self, noise: &Tensor) -> Result<Tensor, Error> {
        self.check("noise", noise)?;
        Ok(&self.loc + self.scale() * noise)
    }

    /// One draw of each distribution, [batch, n], without a gradient, from libtorch's generator.
    pub fn sample(&self) -> Tensor {
        let kind = common_kind(&self.named());
        no_grad(|| &self.loc + self.scale() * Tensor::randn(self.loc.size(), (kind, self.loc.device())))
    }

    /// KL to N(0, I) for each row → `[batch]`, f64.
    ///
    /// # Errors
    /// As [`kl_standard_normal`].
    pub fn kl_standard_normal(&self) -> Result<Tensor, Error> {
        let inputs = [("loc", &self.loc), ("spread", &self.spread)];
        let native = match (route(&[&self.loc, &self.spread], &[]), self.loc.kind()) {
            (Route::Native, Kind::Float) => {
                rows::<f32, _, 2>("kl_standard_normal", inputs, &Standard(self.kind))?
            }
            (Route::Native, Kind::Double) => {
                rows::<f64, _, 2>("kl_standard_normal", inputs, &Standard(self.kind))?
            }
            _ => None,
        };
        Ok(native.unwrap_or_else(|| standard_composed(self)))
    }

    /// log σ in f64.
    pub(super) fn log_sigma(&self) -> Tensor {
        let s = self.spread.to_kind(Kind::Double);
        match self.kind {
            SpreadKind::Scale => s.log(),
            SpreadKind::LogVariance => s * 0.5,
        }
    }

    /// σ in f64.
    pub(super) fn sigma(&self) -> Tensor {
        let s = self.spread.to_kind(Kind::Double);
        match self.kind {
            SpreadKind::Scale => s,
            SpreadKind::LogVariance => (s * 0.5).exp(),
        }
    }

    pub(super) fn named(&self) -> [(&'static str, &Tensor); 2] {
        [("loc", &self.loc), ("spread", &self.spread)]
    }

    fn check(&self, argument: &'static str, x: &Tensor) -> Result<(), Error> {
        check_floating(&[("loc", &self.loc), (argument, x)])?;
        same_size(argument, x, &self.shape)
    }
}

/// The shape of two tensors, which must be equal and [batch, n].
fn two_axes(
    argument: &'static str,
    first: &Tensor,
    second: (&'static str, &Tensor),
) -> Result<[usize; 2], Error> {
    check_floating(&[(argument, first), second])?;
    let got = size(first);
    same_size(second.0, second.1, &got)?;
    <[usize; 2]>::try_from(got)
        .map_err(|got| ArgumentError::Shape { argument, got, want: "[batch, n]".to_owned() }.into())
}

/// KL(N(μ, diag eˢ) ‖ N(0, I)) = ½ Σ (eˢ − 1 − s + μ²) for each row of [batch, n] → `[batch]`, f64.
///
/// On plain CPU tensors the value and the gradient come from [`crate::kl::kl_standard_normal_with_grad`], in one pass over
/// memory; elsewhere from [`kl_standard_normal_composed`].
///
/// Elements that are not finite propagate, as everywhere on tensors, where looking for them would stall a GPU; the native
/// function refuses them.
///
/// # Errors
/// A tensor is not dense and floating-point, the devices or shapes differ, or there are not two axes.
pub fn kl_standard_normal(loc: &Tensor, log_variance: &Tensor) -> Result<Tensor, Error> {
    DiagonalNormal::from_log_variance(loc.shallow_clone(), log_variance.shallow_clone())?.kl_standard_normal()
}

/// [`kl_standard_normal`] as tensor operations: any device, any derivative order.
///
/// # Errors
/// As [`kl_standard_normal`].
pub fn kl_standard_normal_composed(loc: &Tensor, log_variance: &Tensor) -> Result<Tensor, Error> {
    let p = DiagonalNormal::from_log_variance(loc.shallow_clone(), log_variance.shallow_clone())?;
    Ok(standard_composed(&p))
}

/// [`DiagonalNormal::kl_standard_normal`] as tensor operations.
pub(super) fn standard_composed(p: &DiagonalNormal) -> Tensor {
    let log_variance = match p.kind {
        SpreadKind::LogVariance => p.spread.to_kind(Kind::Double),
        SpreadKind::Scale => log_ratio(&p.sigma(), &p.sigma().ones_like()) * 2.0,
    };
    let terms = expm1mx(&log_variance) + p.loc.to_kind(Kind::Double).square();
    terms.sum_dim_intlist(-1, false, Kind::Double) * 0.5
}

struct Standard(SpreadKind);

impl Rows<2> for Standard {
    fn fill<F: Real, const OUT: usize>(&self, n: usize, x: [&[F]; 2], to: Outputs<'_, F, OUT>) -> Filled {
        kl::diagonal_standard::fill(self.0, n, x, to)
    }
}

/// KL of two diagonal normals, by the native kernel where it applies.
pub(super) fn kl_diagonal(p: &DiagonalNormal, q: &DiagonalNormal) -> Result<Tensor, Error> {
    check_pair(p, q)?;
    let native = match (route(&[&p.loc, &p.spread, &q.loc, &q.spread], &[]), p.loc.kind()) {
        (Route::Native, Kind::Float) => diagonal_native::<f32>(p, q)?,
        (Route::Native, Kind::Double) => diagonal_native::<f64>(p, q)?,
        _ => None,
    };
    Ok(native.unwrap_or_else(|| diagonal_composed(p, q)))
}

/// [`kl_diagonal`] as tensor operations.
pub(super) fn kl_diagonal_composed(p: &DiagonalNormal, q: &DiagonalNormal) -> Result<Tensor, Error> {
    check_pair(p, q)?;
    Ok(diagonal_composed(p, q))
}

fn check_pair(p: &DiagonalNormal, q: &DiagonalNormal) -> Result<(), Error> {
    check_floating(&[("p.loc", &p.loc), ("q.loc", &q.loc)])?;
    Ok(check::shape("q", &q.shape, &p.shape)?)
}

fn diagonal_composed(p: &DiagonalNormal, q: &DiagonalNormal) -> Tensor {
    let delta = q.standardised(&p.loc);
    let l = match (p.kind, q.kind) {
        (SpreadKind::Scale, SpreadKind::Scale) => log_ratio(&p.sigma(), &q.sigma()) * 2.0,
        (SpreadKind::LogVariance, SpreadKind::LogVariance) => {
            p.spread.to_kind(Kind::Double) - q.spread.to_kind(Kind::Double)
        }
        _ => (p.log_sigma() - q.log_sigma()) * 2.0,
    };
    let terms = expm1mx(&l) + delta.square();
    terms.sum_dim_intlist(-1, false, Kind::Double) * 0.5
}

fn diagonal_native<F: Real + Element>(
    p: &DiagonalNormal,
    q: &DiagonalNormal,
) -> Result<Option<Tensor>, Error> {
    let inputs = [("p.loc", &p.loc), ("p.spread", &p.spread), ("q.loc", &q.loc), ("q.spread", &q.spread)];
    rows::<F, _, 4>("kl of diagonal normals", inputs, &Pair([p.kind, q.kind]))
}

struct Pair([SpreadKind; 2]);

impl Rows<4> for Pair {
    fn fill<F: Real, const OUT: usize>(&self, n: usize, x: [&[F]; 4], to: Outputs<'_, F, OUT>) -> Filled {
        kl::diagonal_diagonal::fill(self.0, n, x, to)
    }
}

struct Density(SpreadKind);

impl Rows<3> for Density {
    fn fill<F: Real, const OUT: usize>(&self, n: usize, x: [&[F]; 3], to: Outputs<'_, F, OUT>) -> Filled {
        log_prob_rows(self.0, n, x, to)
    }
}

/// The view with two axes, which the constructors have checked.
pub(super) fn matrix<'a, F>(
    argument: &'static str,
    x: ArrayViewD<'a, F>,
) -> Result<ArrayView2<'a, F>, Error> {
    let got = x.shape().to_vec();
    x.into_dimensionality::<Ix2>()
        .map_err(|_| ArgumentError::Shape { argument, got, want: "[batch, n]".to_owned() }.into())
}
