//! Sums of exponentials on the logarithmic scale.

use crate::sums::sum;

/// log Σ exp(xᵢ).
///
/// ```text
/// m + log1p(Σ' exp(xᵢ − m)),   m = max xᵢ, Σ' without one maximal term
/// ```
/// Source: definition.
///
/// # Numerics
/// Error ≤ 5u on the scale max(1, |result|), for n up to some 10⁸. Empty or all −∞ gives −∞, any +∞ gives +∞, any NaN gives NaN.
/// Its gradient is the softmax exp(xᵢ − result).
///
/// ```
/// use variata_distributions::special::log_sum_exp;
/// assert!((log_sum_exp(&[1000.0, 1000.0]) - (1000.0 + 2_f64.ln())).abs() < 1e-12);
/// ```
pub fn log_sum_exp(x: &[f64]) -> f64 {
    let (mut at, mut max) = (0, f64::NEG_INFINITY);
    for (i, &v) in x.iter().enumerate() {
        if v.is_nan() {
            return v;
        }
        if v > max {
            (at, max) = (i, v);
        }
    }
    if max.is_infinite() {
        return max; // −∞ − (−∞) would be NaN.
    }
    let rest = sum(x.iter().enumerate().filter(|&(i, _)| i != at).map(|(_, v)| libm::exp(v - max)));
    max + libm::log1p(rest)
}

/// log((1/n) Σ exp(xᵢ)), as used by importance-weighted bounds.
///
/// Source: definition. # Numerics: [`log_sum_exp`] − log n, subtracted last. NaN for an empty slice.
///
/// ```
/// use variata_distributions::special::log_mean_exp;
/// assert_eq!(log_mean_exp(&[-5e5, -5e5]), -5e5);
/// ```
pub fn log_mean_exp(x: &[f64]) -> f64 {
    if x.is_empty() {
        return f64::NAN;
    }
    log_sum_exp(x) - libm::log(x.len() as f64)
}

/// log(eᵃ + eᵇ).
///
/// ```text
/// max(a, b) + log1p(e^(−|a − b|))
/// ```
/// Source: definition. # Numerics: as [`log_sum_exp`] of two terms.
///
/// ```
/// use variata_distributions::special::log_add_exp;
/// assert_eq!(log_add_exp(0.0, 0.0), std::f64::consts::LN_2);
/// ```
pub fn log_add_exp(a: f64, b: f64) -> f64 {
    log_sum_exp(&[a, b])
}
