//! The functions of one number of [`crate::special`] on tensors, element by element, differentiable. Sums of exponentials are
//! libtorch's own, and the slopes of [`log_ndtr`] and [`digamma`] are what autograd gives.
//!
//! On plain CPU tensors they have the native accuracy (computed in f64 and rounded once); elsewhere they are composed from
//! libtorch's functions in f64. Outside its domain a function is NaN.

use std::f64::consts::FRAC_1_SQRT_2;

use tch::Tensor;

use super::evaluate::Elementwise;
use super::math;
use crate::Error;
use crate::special::{self, HALF_LOG_TWO_PI};

type Scalar = fn([f64; 1]) -> [f64; 2];
type Composed = fn([Tensor; 1]) -> Tensor;

fn apply(name: &'static str, x: &Tensor, scalar: Scalar, composed: Composed) -> Result<Tensor, Error> {
    Elementwise { name, scalar, composed }.routed([("x", x)])
}

/// φ(x), the density of N(0, 1).
///
/// # Errors
/// `x` is not dense and floating-point, here and for every function of this module.
pub fn norm_pdf(x: &Tensor) -> Result<Tensor, Error> {
    apply(
        "norm_pdf",
        x,
        |[x]| {
            let density = special::norm_pdf(x);
            [density, if density == 0.0 { 0.0 } else { -x * density }]
        },
        // 0 from 39 on, with its derivative, which would be 0·∞ at the ends.
        |[x]| (x.clamp(-39.0, 39.0).square() * -0.5 - HALF_LOG_TWO_PI).exp(),
    )
}

/// log φ(x).
///
/// # Errors
/// As [`norm_pdf`].
pub fn norm_log_pdf(x: &Tensor) -> Result<Tensor, Error> {
    apply("norm_log_pdf", x, |[x]| [special::norm_log_pdf(x), -x], |[x]| x.square() * -0.5 - HALF_LOG_TWO_PI)
}

/// Φ(x), the distribution function of N(0, 1).
///
/// # Errors
/// As [`norm_pdf`].
///
/// ```
/// use variata_distributions::torch::special::{log_ndtr, ndtr};
/// use variata_torch_bridge::tch::Tensor;
/// let x = Tensor::from_slice(&[0f64, -40.0]).set_requires_grad(true);
/// assert_eq!(ndtr(&x)?.double_value(&[0]), 0.5);
/// assert!((log_ndtr(&x)?.double_value(&[1]) + 804.608_442_013_754).abs() < 1e-9);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn ndtr(x: &Tensor) -> Result<Tensor, Error> {
    apply("ndtr", x, |[x]| [special::ndtr(x), special::norm_pdf(x)], |[x]| (x * -FRAC_1_SQRT_2).erfc() * 0.5)
}

/// 1 − Φ(x).
///
/// # Errors
/// As [`norm_pdf`].
pub fn sf(x: &Tensor) -> Result<Tensor, Error> {
    apply("sf", x, |[x]| [special::sf(x), -special::norm_pdf(x)], |[x]| (x * FRAC_1_SQRT_2).erfc() * 0.5)
}

/// log Φ(x).
///
/// # Errors
/// As [`norm_pdf`].
pub fn log_ndtr(x: &Tensor) -> Result<Tensor, Error> {
    apply("log_ndtr", x, |[x]| [special::log_ndtr(x), special::log_ndtr_grad(x)], |[x]| x.special_log_ndtr())
}

/// log(1 − Φ(x)).
///
/// # Errors
/// As [`norm_pdf`].
pub fn log_sf(x: &Tensor) -> Result<Tensor, Error> {
    apply("log_sf", x, |[x]| [special::log_sf(x), -special::log_ndtr_grad(-x)], |[x]| (-x).special_log_ndtr())
}

/// Φ⁻¹(x), the quantile of N(0, 1).
///
/// # Errors
/// As [`norm_pdf`].
pub fn ndtri(x: &Tensor) -> Result<Tensor, Error> {
    apply(
        "ndtri",
        x,
        |[p]| {
            let z = special::ndtri(p);
            [z, 1.0 / special::norm_pdf(z)]
        },
        |[p]| p.special_ndtri(),
    )
}

/// Φ⁻¹(1 − x), the upper quantile of N(0, 1).
///
/// # Errors
/// As [`norm_pdf`].
pub fn isf(x: &Tensor) -> Result<Tensor, Error> {
    apply(
        "isf",
        x,
        |[p]| {
            let z = special::isf(p);
            [z, -1.0 / special::norm_pdf(z)]
        },
        |[p]| -p.special_ndtri(),
    )
}

/// 1/(1 + e⁻ˣ).
///
/// # Errors
/// As [`norm_pdf`].
pub fn sigmoid(x: &Tensor) -> Result<Tensor, Error> {
    let scalar: Scalar = |[x]| [special::sigmoid(x), special::sigmoid(x) * special::sigmoid(-x)];
    apply("sigmoid", x, scalar, |[x]| x.sigmoid())
}

/// log(1/(1 + e⁻ˣ)).
///
/// # Errors
/// As [`norm_pdf`].
pub fn log_sigmoid(x: &Tensor) -> Result<Tensor, Error> {
    apply("log_sigmoid", x, |[x]| [special::log_sigmoid(x), special::sigmoid(-x)], |[x]| x.log_sigmoid())
}

/// log(1 + eˣ).
///
/// # Errors
/// As [`norm_pdf`].
pub fn softplus(x: &Tensor) -> Result<Tensor, Error> {
    apply("softplus", x, |[x]| [special::softplus(x), special::sigmoid(x)], |[x]| math::softplus(&x))
}

/// The inverse of [`softplus`], log(eˣ − 1), of x > 0.
///
/// # Errors
/// As [`norm_pdf`].
pub fn softplus_inv(x: &Tensor) -> Result<Tensor, Error> {
    apply(
        "softplus_inv",
        x,
        |[y]| [special::softplus_inv(y), -1.0 / libm::expm1(-y)],
        |[y]| &y + (-(-&y).expm1()).log(),
    )
}

/// log(x/(1 − x)) of x in [0, 1].
///
/// # Errors
/// As [`norm_pdf`].
pub fn logit(x: &Tensor) -> Result<Tensor, Error> {
    apply("logit", x, |[p]| [special::logit(p), 1.0 / p / (1.0 - p)], |[p]| p.log() - (-p).log1p())
}

/// log(1 − eˣ) of x < 0.
///
/// # Errors
/// As [`norm_pdf`].
pub fn log1mexp(x: &Tensor) -> Result<Tensor, Error> {
    apply(
        "log1mexp",
        x,
        |[x]| [special::log1mexp(x), -1.0 / libm::expm1(-x)],
        |[x]| {
            let near = x.gt(-std::f64::consts::LN_2);
            let by_expm1 = (-x.masked_fill(&near.logical_not(), -1.0).expm1()).log();
            let by_log1p = (-x.masked_fill(&near, -1.0).exp()).log1p();
            math::select(&near, &by_expm1, &by_log1p)
        },
    )
}

/// log(1 + x) − x.
///
/// # Errors
/// As [`norm_pdf`].
pub fn log1pmx(x: &Tensor) -> Result<Tensor, Error> {
    apply("log1pmx", x, |[x]| [special::log1pmx(x), -x / (1.0 + x)], |[x]| math::log1pmx(&x))
}

/// eˣ − 1 − x.
///
/// # Errors
/// As [`norm_pdf`].
pub fn expm1mx(x: &Tensor) -> Result<Tensor, Error> {
    apply("expm1mx", x, |[x]| [special::expm1mx(x), libm::expm1(x)], |[x]| math::expm1mx(&x))
}

/// log Γ(x).
///
/// # Errors
/// As [`norm_pdf`].
pub fn lgamma(x: &Tensor) -> Result<Tensor, Error> {
    apply("lgamma", x, |[x]| [special::lgamma(x), special::digamma(x)], |[x]| x.lgamma())
}

/// ψ(x), the derivative of log Γ(x).
///
/// # Errors
/// As [`norm_pdf`].
pub fn digamma(x: &Tensor) -> Result<Tensor, Error> {
    apply("digamma", x, |[x]| [special::digamma(x), special::trigamma(x)], |[x]| x.digamma())
}
