//! The law of W² = n ω², Cramér and von Mises' statistic, when the sample comes from the target.
//!
//! With θ = √(2t) the transform of the limiting law is E e^(−tW²) = √(θ/sinh θ) (Anderson and Darling 1952), and that of n points has the
//! factor 1 + q(θ)/n + O(1/n²), q(θ) = 1/12 − θ csch θ/36 − θ²/144 − θ² csch² θ/32 − 7 θ coth θ/288 (Csörgő and Faraway 1996), whose
//! cumulants to this order are 1/6, (4n − 3)/(180n), (32n² − 61n)/(3780n²) and so on. Powers of sinh are series in e^(−2θ), and θ^(½ + m) e^(−sθ)/t is the
//! transform of (−∂/∂s)^m of G(s, x) = √(s/x) e^(−z) K_¼(z)/π, z = s²/4x: for m = 1 and 2 a combination of K_¼ and K_¾.

use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

/// Beyond this W² the series of the limiting law gives way to its tail: they agree to 3e-4 of p = 5e-10.
const FAR: f64 = 4.0;
/// Below this p-value, the larger one of the law with its correction and of Stephens' is nearest: the first falls to 0 too soon.
const SMALL: f64 = 0.01;

/// P(W² ≥ w) for n points.
pub(super) fn beyond(w: f64, n: f64) -> f64 {
    // Each of the ordered points in the middle of its share.
    if w <= 1.0 / (12.0 * n) {
        return 1.0;
    }
    // All of them at one end.
    if w >= n / 3.0 {
        return 0.0;
    }
    if n == 1.0 {
        // w = 1/12 + (z − ½)² with z uniform.
        return 1.0 - 2.0 * libm::sqrt(w - 1.0 / 12.0);
    }
    if n == 2.0 {
        return beyond_two(libm::sqrt(w - 1.0 / 24.0));
    }
    let p = if w > FAR { 0.0 } else { 1.0 - below(w, n.recip()) };
    if p > SMALL { p.min(1.0) } else { p.max(stephens(w, n)) }
}

/// The limiting law at Stephens' modified statistic (1970).
fn stephens(w: f64, n: f64) -> f64 {
    let x = (w - 0.4 / n + 0.6 / (n * n)) * (1.0 + 1.0 / n);
    if !(x > 0.0) {
        return 1.0;
    }
    if x <= FAR {
        return 1.0 - below(x, 0.0);
    }
    // The tail of Σ Zₖ²/(πk)²: that of its largest part times Π (1 − 1/k²)^(−½) over k ≥ 2, and the next term in 1/x. The series
    // is 1 − p, which has no digits left for p, and needs some 4.2 √x terms.
    SQRT_2 * libm::erfc(PI * libm::sqrt(0.5 * x)) * (1.0 + 3.0 / (8.0 * PI * PI * x))
}

/// P(W² < x) to the order 1/n, the `share` of a point, for 0 < x ≤ [`FAR`]; 0 for the limit.
fn below(x: f64, share: f64) -> f64 {
    let mut sum = 0.0;
    // Γ(k + ½)/(√π k!), the coefficient of e^(−2kθ) in (1 − e^(−2θ))^(−½); those of the powers −3/2 and −5/2 follow from it.
    let mut half = 1.0;
    let mut last = [0.0; 2];
    for k in 0..60 {
        let k = f64::from(k);
        let three = half * (2.0 * k + 1.0);
        let five = three * (2.0 * k + 3.0) / 3.0;
        // e^(−(2k + ½)θ) times √θ, θ√θ and θ²√θ.
        let first = half * (1.0 + share / 12.0);
        let second = -share * 7.0 / 288.0 * (three + last[0]);
        let third = -share * (half / 144.0 + last[1] / 8.0);
        let even = terms(2.0 * k + 0.5, x, [first, second, third]);
        // e^(−(2k + 3/2)θ).
        let odd = terms(2.0 * k + 1.5, x, [0.0, -share / 18.0 * three, 0.0]);
        sum += even + odd;
        if (even.abs() + odd.abs()) <= sum.abs() * 1e-17 && k > 0.0 {
            break;
        }
        half *= (k + 0.5) / (k + 1.0);
        last = [three, five];
    }
    SQRT_2 * sum / (PI * libm::sqrt(x))
}

/// The combination of G, −∂G/∂s and ∂²G/∂s², times π√x.
fn terms(s: f64, x: f64, [g, first, second]: [f64; 3]) -> f64 {
    let z = s * s / (4.0 * x);
    // Nothing in f64.
    if z > 400.0 {
        return 0.0;
    }
    let [quarter, both] = scaled_bessel(z);
    let root = libm::sqrt(s);
    let value = root * quarter;
    let slope = root * s / (2.0 * x) * both;
    let curvature = root / (2.0 * x) * (4.0 * z * both - quarter);
    libm::exp(-2.0 * z) * (g * value + first * slope + second * curvature)
}

/// e^z K_¼(z) and e^z (K_¼(z) + K_¾(z)): the trapezoid rule on ∫₀^∞ e^(−z(cosh t − 1)) cosh(νt) dt, which converges geometrically.
fn scaled_bessel(z: f64) -> [f64; 2] {
    let reach = libm::acosh(1.0 + 40.0 / z);
    let step = reach / 64.0;
    let (mut quarter, mut both) = (0.5, 1.0);
    for k in 1..=64 {
        let t = f64::from(k) * step;
        let half = libm::sinh(0.5 * t);
        let weight = libm::exp(-2.0 * z * half * half);
        let own = weight * libm::cosh(0.25 * t);
        quarter += own;
        both += own + weight * libm::cosh(0.75 * t);
    }
    [step * quarter, step * both]
}

/// P((z₁ − ¼)² + (z₂ − ¾)² ≥ r²) of two sorted uniform numbers: 1 less twice the part of a disc in the triangle 0 < z₁ < z₂ < 1, whose short
/// sides are ¼ from the centre, and the long one as far as the right angle is.
fn beyond_two(r: f64) -> f64 {
    let (near, far) = (0.25, 0.5 * FRAC_1_SQRT_2);
    // The corners (0, 0) and (1, 1).
    if r * r >= 0.625 {
        return 0.0;
    }
    // What is beyond a chord at some distance from the centre.
    let root = |d: f64| libm::sqrt((r - d) * (r + d));
    let beyond = |d: f64| if r > d { r * r * libm::acos(d / r) - d * root(d) } else { 0.0 };
    // What is beyond both short sides.
    let corner = if r > far {
        0.5 * r * r * (libm::acos(near / r) - libm::asin(near / r)) - near * (root(near) - near)
    } else {
        0.0
    };
    1.0 - 2.0 * (PI * r * r - 2.0 * beyond(near) - beyond(far) + corner)
}
