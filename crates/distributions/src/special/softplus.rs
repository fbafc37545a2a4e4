//! Softplus, the logistic function and their inverses and logarithms.

use std::f64::consts::LN_2;

/// log 2 minus its nearest f64.
const LN_2_LOW: f64 = 2.3190468138462996e-17;

/// log(1 + eˣ).
///
/// ```text
/// max(x, 0) + log1p(e^(−|x|))
/// ```
/// Source: definition. # Numerics: ≤ 4 ulp; never overflows.
///
/// ```
/// use variata_distributions::special::softplus;
/// assert_eq!(softplus(1000.0), 1000.0);
/// assert_eq!(softplus(0.0), std::f64::consts::LN_2);
/// ```
pub fn softplus(x: f64) -> f64 {
    // Written so that NaN passes: `f64::max` would drop it.
    let positive_part = if x < 0.0 { 0.0 } else { x };
    positive_part + libm::log1p(libm::exp(-x.abs()))
}

/// Inverse of [`softplus`]: log(eʸ − 1) for y ≥ 0.
///
/// ```text
/// y + log(−expm1(−y));   log1p(2·expm1(y − log 2)) where that crosses 0
/// ```
/// Derived in docs/src/theory/special-functions.md. # Numerics: ≤ 4 ulp, also near its zero log 2. −∞ at 0, NaN below.
///
/// ```
/// use variata_distributions::special::softplus_inv;
/// assert!((softplus_inv(std::f64::consts::LN_2)).abs() < 1e-15);
/// ```
pub fn softplus_inv(y: f64) -> f64 {
    if y == f64::INFINITY {
        y
    } else if (y - LN_2).abs() < 0.25 {
        libm::log1p(2.0 * libm::expm1((y - LN_2) - LN_2_LOW))
    } else if y < LN_2 {
        libm::log(libm::expm1(y))
    } else {
        y + libm::log1p(-libm::exp(-y))
    }
}

/// Logistic function 1/(1 + e^(−x)).
///
/// Source: definition. # Numerics: ≤ 4 ulp on both sides; `sigmoid(-x)` keeps the digits that 1 − `sigmoid(x)` loses.
///
/// ```
/// use variata_distributions::special::sigmoid;
/// assert_eq!(sigmoid(0.0), 0.5);
/// ```
pub fn sigmoid(x: f64) -> f64 {
    let e = libm::exp(-x.abs());
    if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
}

/// Logarithm of the logistic function, −softplus(−x).
///
/// Source: definition. # Numerics: ≤ 4 ulp.
///
/// ```
/// use variata_distributions::special::log_sigmoid;
/// assert_eq!(log_sigmoid(-1000.0), -1000.0);
/// ```
pub fn log_sigmoid(x: f64) -> f64 {
    -softplus(-x)
}

/// Log-odds log(p/(1 − p)) for p in [0, 1].
///
/// ```text
/// log1p((2p − 1)/(1 − p))    ¼ ≤ p ≤ ¾, where the result crosses 0
/// log p − log1p(−p)          otherwise
/// ```
/// Derived in docs/src/theory/special-functions.md. # Numerics: ≤ 4 ulp. ∓∞ at 0 and 1, NaN outside.
///
/// ```
/// use variata_distributions::special::logit;
/// assert_eq!(logit(0.5), 0.0);
/// ```
pub fn logit(p: f64) -> f64 {
    if (0.25..=0.75).contains(&p) {
        libm::log1p((2.0 * p - 1.0) / (1.0 - p))
    } else {
        libm::log(p) - libm::log1p(-p)
    }
}
