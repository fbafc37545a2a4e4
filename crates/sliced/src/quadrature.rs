//! Quadrature rules: Gauss–Legendre inside, double-exponential at integrable ends.

use std::sync::LazyLock;

/// Nodes of the Gauss–Legendre rule.
pub(crate) const N: usize = 16;

/// Nodes and weights on [−1, 1]: Newton's iteration on the Legendre polynomial.
static RULE: LazyLock<[(f64, f64); N]> = LazyLock::new(|| {
    std::array::from_fn(|i| {
        let mut x = libm::cos(std::f64::consts::PI * (i as f64 + 0.75) / (N as f64 + 0.5));
        let mut slope = 1.0;
        for _ in 0..8 {
            let (mut before, mut now) = (1.0, x);
            for k in 2..=N {
                let k = k as f64;
                (before, now) = (now, ((2.0 * k - 1.0) * x * now - (k - 1.0) * before) / k);
            }
            slope = N as f64 * (x * now - before) / (x * x - 1.0);
            x -= now / slope;
        }
        (x, 2.0 / ((1.0 - x * x) * slope * slope))
    })
});

/// Calls `visit` with the nodes of the rule on [a, b] and their weights.
pub(crate) fn nodes(a: f64, b: f64, mut visit: impl FnMut(f64, f64)) {
    let (mid, half) = (0.5 * (a + b), 0.5 * (b - a));
    for &(x, w) in RULE.iter() {
        visit(mid + half * x, w * half);
    }
}

/// ∫ f over [a, b], for f smooth on that length.
pub(crate) fn smooth<const K: usize>(a: f64, b: f64, mut f: impl FnMut(f64) -> [f64; K]) -> [f64; K] {
    let mut sums = [0.0; K];
    nodes(a, b, |x, w| {
        for (sum, value) in sums.iter_mut().zip(f(x)) {
            *sum += w * value;
        }
    });
    sums
}

/// ∫ over t in [0, length] of functions that behave as a power of t at 0, integer or not: t = length·s⁴.
pub(crate) fn power_end<const K: usize>(length: f64, mut f: impl FnMut(f64) -> [f64; K]) -> [f64; K] {
    smooth(0.0, 1.0, |s| {
        let jacobian = 4.0 * length * s * s * s;
        f(length * (s * s) * (s * s)).map(|value| value * jacobian)
    })
}

/// ∫ over t in (0, length] of functions with an integrable singularity at 0: t = length·e^(−e^(−x))-like, by the
/// trapezoid rule on the double-exponential substitution t = length/(1 + e^(π sinh x)). `f` gets t and what its values there are to be
/// multiplied by, which may be 1e-275.
pub(crate) fn singular_end<const K: usize>(length: f64, mut f: impl FnMut(f64, f64) -> [f64; K]) -> [f64; K] {
    const STEP: f64 = 1.0 / 16.0;
    const REACH: i32 = 96;
    let mut sums = [0.0; K];
    for k in -REACH..=REACH {
        let x = f64::from(k) * STEP;
        let e = libm::exp(std::f64::consts::PI * libm::sinh(x));
        let t = length / (1.0 + e);
        // 1/(1 + e)·e/(1 + e), without overflow.
        let weight = STEP * std::f64::consts::PI * libm::cosh(x) * length / ((1.0 + e) * (1.0 + 1.0 / e));
        if !(weight > 0.0 && t > 0.0) {
            continue;
        }
        sums.iter_mut().zip(f(t, weight)).for_each(|(sum, value)| *sum += value);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_integrate_what_they_are_for() {
        let [even, odd] = smooth(0.0, 2.0, |x| [x.powi(30), x.exp()]);
        assert!((even / (2f64.powi(31) / 31.0) - 1.0).abs() < 1e-14);
        assert!((odd / 2f64.exp_m1() - 1.0).abs() < 1e-14);
        let [half] = power_end(3.0, |t| [t.powf(1.5) * (-t).exp()]);
        assert!((half - 0.922_271_212_307_834).abs() < 1e-9, "{half}");
        let [log, square] = singular_end(0.5, |t, w| [-w * t.ln(), w * t.ln() * t.ln()]);
        let l = 0.5f64.ln();
        assert!((log / (0.5 * (1.0 - l)) - 1.0).abs() < 1e-13, "{log}");
        assert!((square / (0.5 * (l * l - 2.0 * l + 2.0)) - 1.0).abs() < 1e-13, "{square}");
    }
}
