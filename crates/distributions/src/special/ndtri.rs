//! Quantiles of the standard normal.

use statrs::function::erf::erfc_inv;

use super::ndtr::{CENTRE, half_erf, log_ndtr, log_ndtr_grad, norm_pdf};

/// Standard normal quantile: the x with Φ(x) = p.
///
/// Source: inverse complementary error function of `statrs`, then one Newton step in log Φ (tails) or Φ − ½ (centre),
/// which leaves the error of our own Φ only.
///
/// # Numerics
/// ≤ 4 ulp for p from 5e-324 to 1 − 2⁻⁵³. p = 0 gives −∞, p = 1 gives +∞, p outside [0, 1] gives NaN. Close to 1 the
/// rounding of p itself dominates: pass the upper tail to [`isf`] instead.
///
/// ```
/// use variata_distributions::special::ndtri;
/// assert_eq!(ndtri(0.5), 0.0);
/// assert!((ndtri(0.975) - 1.959_963_984_540_054).abs() < 1e-15);
/// ```
pub fn ndtri(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        f64::NAN
    } else if p > 0.5 {
        -lower_half(1.0 - p) // 1 − p is exact here.
    } else {
        lower_half(p)
    }
}

/// Upper-tail quantile: the x with Φ(−x) = p, the accurate choice when p is a small upper tail.
///
/// Source and numerics: −[`ndtri`]`(p)`, the same bits.
///
/// ```
/// use variata_distributions::special::isf;
/// assert!((isf(1e-300) - 37.047_1).abs() < 1e-4);
/// ```
pub fn isf(p: f64) -> f64 {
    -ndtri(p)
}

/// The quantile of p in [0, ½].
fn lower_half(p: f64) -> f64 {
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    let x = -std::f64::consts::SQRT_2 * erfc_inv(2.0 * p);
    if x < -CENTRE {
        x - (log_ndtr(x) - libm::log(p)) / log_ndtr_grad(x)
    } else {
        x - (half_erf(x) - (p - 0.5)) / norm_pdf(x)
    }
}
