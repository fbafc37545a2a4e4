//! Special functions on `f64` scalars: the normal distribution's tails, the cancelling halves of exp and log, sums of
//! exponentials, and the gamma family.
//!
//! All are total: NaN gives NaN, and a point outside the domain gives NaN or the limit named in the function's text.
//! Errors are stated in ulp (units in the last place of the exact result) and are checked against mpmath by the golden
//! tables.

mod exponential;
mod gamma;
mod log_sum_exp;
pub(crate) mod ndtr;
mod ndtri;
mod softplus;

pub use exponential::{expm1mx, log1mexp, log1pmx};
pub use gamma::{digamma, lgamma, trigamma};
pub use log_sum_exp::{log_add_exp, log_mean_exp, log_sum_exp};
pub use ndtr::{log_ndtr, log_ndtr_grad, log_sf, ndtr, norm_log_pdf, norm_pdf, sf};
pub use ndtri::{isf, ndtri};
pub use softplus::{log_sigmoid, logit, sigmoid, softplus, softplus_inv};

/// ½ log 2π.
pub const HALF_LOG_TWO_PI: f64 = 0.918938533204672741780329736406;

/// Σ' cₖ Tₖ(t) by Clenshaw's recurrence, c₀ taken whole.
pub(crate) fn chebyshev(coefficients: &[f64], t: f64) -> f64 {
    let (mut b1, mut b2) = (0.0, 0.0);
    for &c in coefficients.iter().skip(1).rev() {
        (b1, b2) = (2.0 * t * b1 - b2 + c, b1);
    }
    t * b1 - b2 + coefficients.first().copied().unwrap_or(0.0)
}
