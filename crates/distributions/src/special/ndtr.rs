//! Density, distribution function and tails of the standard normal.
//!
//! ½ erfc(−x/√2) loses x²u of the tail, because x/√2 is rounded before it is squared (up to 1,000 ulp around −26). Here
//! e^(−x²/2) is evaluated with x² in two exact parts and multiplied by the rest of the tail, which varies slowly.

use super::HALF_LOG_TWO_PI;

/// 1/√(2π).
pub(crate) const INV_SQRT_TWO_PI: f64 = 0.3989422804014326779399461;
/// e^(−700), for results below the normal range.
const EXP_MINUS_700: f64 = 9.859676543759770e-305;
/// Below this |x| the erf form keeps all digits; above, the tail form is used.
pub(super) const CENTRE: f64 = 1.0;

/// Coefficients in powers of t, the highest first, of (x + 1)·Φ(−x)·e^(x²/2), t = (x − 6)/(x + 6), on [0, ∞). Computed for this crate by
/// `tests/golden/coefficients.py`; what is left out is below 4e-18.
const REVERSED_SCALED_TAIL: [f64; 25] = [
    -9.5999925910791979651e-11,
    -3.4141929289232747009e-10,
    1.4592114620754210643e-9,
    3.8581541540956805162e-9,
    -1.4728247327099548048e-8,
    -2.098034439576024211e-8,
    1.3083300821995656191e-7,
    -1.9386236992692281519e-11,
    -9.9826032442100071532e-7,
    1.7838489644739711089e-6,
    4.4117072938493118087e-6,
    -0.000026353518724063330661,
    0.000037795134908269738969,
    0.00011948971779801130299,
    -0.00086899471563358186673,
    0.002935655502172199932,
    -0.0070598194143933522303,
    0.013246864156245518567,
    -0.019766479220487222129,
    0.022592467062614210185,
    -0.016141517332177097505,
    -0.0043733867795874633847,
    0.039811424562429519659,
    -0.085025362305770779862,
    0.45345520027112794564,
];

/// Standard normal density.
///
/// ```text
/// φ(x) = e^(−x²/2) / √(2π)
/// ```
/// Source: definition. # Numerics: ≤ 4 ulp down to the last subnormal (|x| ≈ 38.6), 0 beyond.
///
/// ```
/// use variata_distributions::special::norm_pdf;
/// assert_eq!(norm_pdf(0.0), 0.398_942_280_401_432_7);
/// ```
pub fn norm_pdf(x: f64) -> f64 {
    times_exp_minus_half_square(INV_SQRT_TWO_PI, x)
}

/// Logarithm of the standard normal density.
///
/// ```text
/// log φ(x) = −x²/2 − ½ log 2π
/// ```
/// Source: definition. # Numerics: ≤ 2 ulp; −∞ where x² overflows.
///
/// ```
/// use variata_distributions::special::norm_log_pdf;
/// assert_eq!(norm_log_pdf(0.0), -0.918_938_533_204_672_8);
/// ```
pub fn norm_log_pdf(x: f64) -> f64 {
    -0.5 * x * x - HALF_LOG_TWO_PI
}

/// Standard normal distribution function.
///
/// ```text
/// Φ(x) = ∫₋∞ˣ φ(t) dt
/// ```
/// Source: definition. # Numerics: ≤ 4 ulp for every x, down to the last subnormal near −38.48; 0 below.
/// `ndtr(-x)` and [`sf`]`(x)` are the same bits.
///
/// ```
/// use variata_distributions::special::ndtr;
/// assert_eq!(ndtr(0.0), 0.5);
/// assert!((ndtr(-38.0) / 2.885_428e-316 - 1.0).abs() < 1e-6);
/// ```
pub fn ndtr(x: f64) -> f64 {
    if x < -CENTRE {
        upper_tail(-x)
    } else if x <= CENTRE {
        0.5 + half_erf(x)
    } else {
        1.0 - upper_tail(x)
    }
}

/// Upper tail of the standard normal, 1 − Φ(x) without the subtraction.
///
/// ```text
/// Φ(−x)
/// ```
/// Source: definition. # Numerics: as [`ndtr`].
///
/// ```
/// use variata_distributions::special::{ndtr, sf};
/// assert_eq!(sf(9.0), ndtr(-9.0));
/// ```
pub fn sf(x: f64) -> f64 {
    ndtr(-x)
}

/// Logarithm of the standard normal distribution function.
///
/// ```text
/// log Φ(x) = log1p(−Φ(−x))                  x > 1
///          = −x²/2 + log S(−x)              x < −1,  S(y) = Φ(−y)·e^(y²/2)
/// ```
/// Derived in docs/src/theory/special-functions.md. # Numerics: ≤ 4 ulp down to x = −1e150; −∞ where x² overflows.
///
/// ```
/// use variata_distributions::special::log_ndtr;
/// assert_eq!(log_ndtr(-1e10), -5e19);
/// ```
pub fn log_ndtr(x: f64) -> f64 {
    if x < -CENTRE {
        -0.5 * x * x + libm::log(scaled_tail(-x))
    } else if x < 0.0 {
        libm::log(0.5 + half_erf(x))
    } else if x <= CENTRE {
        libm::log1p(half_erf(x) - 0.5)
    } else {
        libm::log1p(-upper_tail(x))
    }
}

/// Logarithm of the upper tail, log Φ(−x). Source: definition. # Numerics: as [`log_ndtr`].
///
/// ```
/// use variata_distributions::special::log_sf;
/// assert_eq!(log_sf(0.0), -std::f64::consts::LN_2);
/// ```
pub fn log_sf(x: f64) -> f64 {
    log_ndtr(-x)
}

/// Derivative of [`log_ndtr`].
///
/// ```text
/// φ(x)/Φ(x) = 1/(√(2π)·S(−x)),   → −x as x → −∞
/// ```
/// Derived in docs/src/theory/special-functions.md. # Numerics: ≤ 4 ulp; no 0/0, finite for every finite x.
///
/// ```
/// use variata_distributions::special::log_ndtr_grad;
/// assert!((log_ndtr_grad(-1e8) / 1e8 - 1.0).abs() < 1e-15);
/// ```
pub fn log_ndtr_grad(x: f64) -> f64 {
    if x < -CENTRE { INV_SQRT_TWO_PI / scaled_tail(-x) } else { norm_pdf(x) / ndtr(x) }
}

/// ½ erf(x/√2) = Φ(x) − ½, for |x| ≤ 1.
pub(super) fn half_erf(x: f64) -> f64 {
    0.5 * libm::erf(x * std::f64::consts::FRAC_1_SQRT_2)
}

/// Φ(−x) for x > 0.
fn upper_tail(x: f64) -> f64 {
    times_exp_minus_half_square(scaled_tail(x), x)
}

/// Φ(−x)·e^(x²/2) for x ≥ 0.
fn scaled_tail(x: f64) -> f64 {
    if x.is_infinite() {
        return 0.0;
    }
    scaled_tail_from((x - 6.0) / (x + 6.0)) / (x + 1.0)
}

/// (x + 1)·Φ(−x)·e^(x²/2) of t = (x − 6)/(x + 6) in [−1, 1).
#[inline(always)]
pub(crate) fn scaled_tail_from(t: f64) -> f64 {
    let [mut sum, rest @ ..] = REVERSED_SCALED_TAIL;
    for c in rest {
        sum = sum * t + c;
    }
    sum
}

/// `factor`·e^(−x²/2), rounded into the subnormal range once.
///
/// x = h + l with h the upper 26 bits of x, so that h²/2 is exact and (x² − h²)/2 = l(x + h)/2 is tiny.
fn times_exp_minus_half_square(factor: f64, x: f64) -> f64 {
    if x.abs() > 40.0 {
        return 0.0; // e^(−800) is below half the smallest subnormal, and l(x + h) could overflow.
    }
    let h = f64::from_bits(x.to_bits() & !0x7FF_FFFF);
    let (large, small) = (0.5 * h * h, 0.5 * (x - h) * (x + h));
    let excess = if large > 700.0 { 700.0 } else { 0.0 };
    let y = factor * libm::exp(excess - large);
    // 1 − e^(−small) to 1e-19, as small < 5e-5.
    let y = y - y * small * (1.0 - small * (0.5 - small / 6.0));
    if excess > 0.0 { y * EXP_MINUS_700 } else { y }
}
