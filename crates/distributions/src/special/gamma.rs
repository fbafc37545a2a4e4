//! log Γ and its derivative.

use super::chebyshev;

/// The positive zero of ψ in two parts.
const ZERO_HIGH: f64 = 1.4616321449683622;
const ZERO_LOW: f64 = 9.549995429965697e-17;

/// Chebyshev coefficients of ψ(x)/(x − x₀), t = 2x − 3, on [1, 2]; x₀ the zero. Computed for this crate by
/// `tests/golden/coefficients.py`; the first omitted one is 2e-18.
const DIGAMMA: [f64; 23] = [
    0.98357026044156698801,
    -0.22706408633464439669,
    0.033368899023930108972,
    -0.0053200772715965474438,
    0.00087886569378205053326,
    -0.00014773492650606043282,
    0.00002506054346835914444,
    -4.272103402999332207e-6,
    7.3027692724659230493e-7,
    -1.2502886813559595515e-7,
    2.1425009322359473734e-8,
    -3.6732959185651790393e-9,
    6.2997172361089309069e-10,
    -1.0805930288832660114e-10,
    1.8537351920536378898e-11,
    -3.1802353658255300096e-12,
    5.4561475703227941847e-13,
    -9.3609931310364381561e-14,
    1.6060646362950750099e-14,
    -2.7555431377438813107e-15,
    4.7277361786019113911e-16,
    -8.1114842034650900328e-17,
    1.3917077694741540651e-17,
];

/// B₂ₖ/(2k) for k = 1, 2, …
const ASYMPTOTIC: [f64; 10] = [
    0.083333333333333333333,
    -0.0083333333333333333333,
    0.003968253968253968254,
    -0.0041666666666666666667,
    0.0075757575757575757576,
    -0.021092796092796092796,
    0.083333333333333333333,
    -0.44325980392156862745,
    3.0539543302701197438,
    -26.456212121212121212,
];

/// log |Γ(x)|.
///
/// Source: the `libm` crate. # Numerics: ≤ 4 ulp for x > 0. +∞ at 0 and the negative integers.
///
/// ```
/// use variata_distributions::special::lgamma;
/// assert!((lgamma(5.0) - 24_f64.ln()).abs() < 1e-15);
/// ```
pub fn lgamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// Digamma function ψ(x) = d log Γ(x)/dx.
///
/// ```text
/// 1 ≤ x ≤ 2    (x − x₀)·P(x), x₀ the zero in two parts
/// otherwise    ψ(x) = ψ(x + 1) − 1/x = ψ(x − 1) + 1/(x − 1), into [1, 2]
/// x ≥ 10       log x − 1/(2x) − Σ B₂ₖ/(2k x²ᵏ)
/// x < 0        ψ(1 − x) − π/tan(πf), f = x less the nearest integer, exactly
/// ```
/// Derived in docs/src/theory/special-functions.md.
///
/// # Numerics
/// ≤ 4 ulp for x > 0, also next to the zero 1.4616… where other implementations lose thousands. For x < 0 the error is
/// that on the scale of the two terms. −∞ at 0, ∞ at −0; NaN at the negative integers and −∞.
///
/// ```
/// use variata_distributions::special::digamma;
/// assert!((digamma(1.0) + 0.577_215_664_901_532_9).abs() < 1e-15);
/// ```
pub fn digamma(x: f64) -> f64 {
    if x.is_nan() || x == f64::NEG_INFINITY || (x < 0.0 && x == x.floor()) {
        return f64::NAN;
    }
    if x == 0.0 {
        return -1.0 / x;
    }
    if x < 0.0 {
        // x − ⌊x⌋ would be 1 + x next to 0, rounded; the fraction of πx would be that everywhere.
        let fraction = x - x.round();
        return digamma(1.0 - x) - std::f64::consts::PI / libm::tan(std::f64::consts::PI * fraction);
    }
    if x >= 10.0 {
        let y = 1.0 / (x * x);
        let series = ASYMPTOTIC.iter().rev().fold(0.0, |s, b| y * (s + b));
        return libm::log(x) - (0.5 / x + series);
    }
    if x < 1.0 {
        return on_one_two(x + 1.0) - 1.0 / x;
    }
    let (mut z, mut sum) = (x, 0.0);
    while z > 2.0 {
        z -= 1.0;
        sum += 1.0 / z;
    }
    sum + on_one_two(z)
}

/// Trigamma function ψ′, the slope of [`digamma`].
///
/// ```text
/// x ≥ 16       1/x + 1/(2x²) + Σ B₂ₖ/x²ᵏ⁺¹
/// otherwise    ψ′(x) = ψ′(x + 1) + 1/x²
/// x < 0        π²/sin²(πx) − ψ′(1 − x)
/// ```
/// Some 8 ulp for x > 0, and on the scale of the two terms for x < 0. NaN where [`digamma`] is; ∞ at 0, 0 at +∞.
///
/// ```
/// use std::f64::consts::PI;
/// use variata_distributions::special::trigamma;
///
/// assert!((trigamma(1.0) - PI * PI / 6.0).abs() < 1e-15);
/// ```
pub fn trigamma(x: f64) -> f64 {
    if x.is_nan() || x == f64::NEG_INFINITY || (x < 0.0 && x == x.floor()) {
        return f64::NAN;
    }
    if x < 0.0 {
        let ratio = std::f64::consts::PI / libm::sin(std::f64::consts::PI * (x - x.round()));
        return ratio * ratio - trigamma(1.0 - x);
    }
    let (mut z, mut sum) = (x, 0.0);
    while z < 16.0 {
        sum += 1.0 / (z * z);
        z += 1.0;
    }
    let y = 1.0 / (z * z);
    // B₂ₖ = 2k·(B₂ₖ/(2k)).
    let series =
        ASYMPTOTIC.iter().enumerate().rev().fold(0.0, |s, (i, b)| y * (s + 2.0 * (i as f64 + 1.0) * b));
    sum + (1.0 / z) * (1.0 + 0.5 / z + series)
}

/// ψ on [1, 2].
fn on_one_two(x: f64) -> f64 {
    ((x - ZERO_HIGH) - ZERO_LOW) * chebyshev(&DIGAMMA, 2.0 * x - 3.0)
}
