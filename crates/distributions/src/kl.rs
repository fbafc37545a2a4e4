//! Kullback–Leibler divergences in closed form, one pair of families per file, and a Monte-Carlo estimate for the rest.
//!
//! The closed form of two distributions of one family is written as a sum of non-negative terms through
//! [`expm1mx`](crate::special::expm1mx) and [`log1pmx`](crate::special::log1pmx), so that it is never negative, exactly 0 at
//! equality and keeps its digits next to it, where the textbook form is the difference of nearly equal numbers. Of
//! Bernoulli's two terms the second, negative one takes at most half of the first next to equality; where logits are more than
//! 2 apart, and between families, which are never equal, terms have either sign.

pub(crate) mod bernoulli_bernoulli;
pub(crate) mod categorical_categorical;
pub(crate) mod diagonal_diagonal;
mod diagonal_mvn;
pub(crate) mod diagonal_standard;
pub(crate) mod gumbel_gumbel;
pub(crate) mod gumbel_normal;
pub(crate) mod laplace_laplace;
pub(crate) mod laplace_normal;
pub mod monte_carlo;
mod mvn_mvn;
pub(crate) mod normal_gumbel;
pub(crate) mod normal_laplace;
pub(crate) mod normal_normal;
mod pair;
pub(crate) mod unbounded_uniform;
pub(crate) mod uniform_laplace;
pub(crate) mod uniform_normal;
pub(crate) mod uniform_uniform;

pub use categorical_categorical::UniformCategories;
pub use diagonal_standard::{
    StandardMultivariateNormal, kl_standard_normal, kl_standard_normal_with_grad,
    kl_standard_normal_with_grad_into,
};
#[cfg(test)]
pub(crate) use {
    diagonal_diagonal::{FromLogVariances, FromScales, Mixed},
    diagonal_standard::{StandardFromLogVariance, StandardFromScale},
};

/// KL(`self` ‖ `q`) in closed form.
///
/// ```text
/// KL(p‖q) = ∫ p(x) log(p(x)/q(x)) dx
/// ```
/// Source: Kullback & Leibler, "On information and sufficiency" (1951). Each pair states its formula where it is
/// implemented.
///
/// Where the support of `self` is not inside that of `q`, and where the value exceeds the largest number, the result
/// is +∞ and not an error.
///
/// ```
/// use variata_distributions::{KlDivergence, Normal};
///
/// let (p, q) = (Normal::scalar(1.0, 1.0)?, Normal::scalar(0.0, 1.0)?);
/// assert_eq!(p.kl(&q)?.sum(), 0.5);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub trait KlDivergence<Q: ?Sized = Self> {
    /// One divergence per item of the batch.
    type Value;
    /// Partial derivatives of each divergence in the parameters of both sides.
    type Grad;

    /// The divergence.
    ///
    /// # Errors
    /// The parameters of `self` and `q` do not broadcast together.
    fn kl(&self, q: &Q) -> Result<Self::Value, crate::Error>;

    /// The divergence and its partial derivatives.
    ///
    /// # Errors
    /// As [`kl`](Self::kl).
    fn kl_with_grad(&self, q: &Q) -> Result<(Self::Value, Self::Grad), crate::Error>;
}

/// Partial derivatives of a divergence in the parameters of either side.
#[derive(Debug, Clone, PartialEq)]
pub struct KlGrad<P, Q> {
    /// In the parameters of the first argument.
    pub p: P,
    /// In the parameters of the second argument.
    pub q: Q,
}

/// r − 1 − log r and r − 1 of a ratio and its logarithm: next to 1 from the logarithm, which has the digits there, elsewhere from the
/// ratio, of which the exponential of a large logarithm would lose some.
pub(crate) fn rest_and_excess(ratio: f64, log: f64) -> (f64, f64) {
    if log.abs() < 1.0 {
        (crate::special::expm1mx(log), libm::expm1(log))
    } else {
        ((ratio - 1.0) - log, ratio - 1.0)
    }
}

/// log(a/b) of positive finite numbers, exact to a few ulp also next to a = b and where a/b over- or underflows; for the
/// crates of this workspace, no promise is made to others.
#[doc(hidden)]
pub fn log_ratio(a: f64, b: f64) -> f64 {
    let ratio = a / b;
    if (0.5..=2.0).contains(&ratio) {
        libm::log1p((a - b) / b) // a − b is exact here.
    } else if ratio.is_normal() {
        libm::log(ratio)
    } else {
        libm::log(a) - libm::log(b)
    }
}
