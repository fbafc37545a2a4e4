//! The incomplete gamma function, for the χ² law.

/// Relative size at which sums and fractions are complete.
const NEGLIGIBLE: f64 = 1e-17;
/// Enough for a ≤ 10⁸: both expansions need about 10·√a terms near x = a.
const MOST_TERMS: usize = 200_000;

/// Q(a, x) = Γ(a, x)/Γ(a), the regularised upper incomplete gamma function, a > 0 and x ≥ 0; NaN elsewhere.
///
/// Series of 1 − Q for x < a + 1, continued fraction (modified Lentz) otherwise. The relative error is about
/// 10⁻¹⁵·(1 + |a·ln x − x − ln Γ(a)|), which is far more than a p-value needs.
///
/// ```
/// let q = variata_testkit::statistics::gamma_q(1.0, 20.0);
/// assert!((q / (-20.0_f64).exp() - 1.0).abs() < 1e-13);
/// ```
pub fn gamma_q(a: f64, x: f64) -> f64 {
    if !(a > 0.0 && a.is_finite() && x >= 0.0) {
        return f64::NAN;
    }
    if x == 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    let front = (a * x.ln() - x - libm::lgamma(a)).exp();
    if x < a + 1.0 { 1.0 - front * lower_series(a, x) } else { front * upper_fraction(a, x) }
}

/// P(X > x) for X with the χ² law of `df` > 0 degrees of freedom: Q(df/2, x/2).
///
/// ```
/// let p = variata_testkit::statistics::chi_square_survival(2.0, 2.0);
/// assert!((p - (-1.0_f64).exp()).abs() < 1e-15);
/// ```
pub fn chi_square_survival(x: f64, df: f64) -> f64 {
    gamma_q(df / 2.0, x / 2.0)
}

/// Σₖ xᵏ / (a(a+1)…(a+k))
fn lower_series(a: f64, x: f64) -> f64 {
    let mut term = 1.0 / a;
    let mut sum = term;
    for k in 1..MOST_TERMS {
        term *= x / (a + k as f64);
        sum += term;
        if term < sum * NEGLIGIBLE {
            break;
        }
    }
    sum
}

/// 1/(x+1−a− 1(1−a)/(x+3−a− 2(2−a)/(x+5−a− …)))
fn upper_fraction(a: f64, x: f64) -> f64 {
    // x ≥ a + 1 keeps every denominator away from 0.
    let mut b = x + 1.0 - a;
    let mut c = f64::INFINITY;
    let mut d = 1.0 / b;
    let mut value = d;
    for k in 1..MOST_TERMS {
        let k = k as f64;
        let an = -k * (k - a);
        b += 2.0;
        d = 1.0 / (an * d + b);
        c = b + an / c;
        let factor = c * d;
        value *= factor;
        if (factor - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    value
}
