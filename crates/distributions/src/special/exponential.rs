//! The parts of exp and log that cancel: log(1 − eˣ), log(1 + x) − x, eˣ − 1 − x.

/// log(1 − eˣ) for x ≤ 0.
///
/// ```text
/// log(−expm1(x))    x > −log 2
/// log1p(−eˣ)        otherwise
/// ```
/// Source: the switch at log 2 is where both forms lose equally (M. Mächler, "Accurately computing log(1 − exp(−|a|))",
/// 2012).
///
/// # Numerics
/// ≤ 4 ulp. −∞ at 0, NaN above.
///
/// ```
/// use variata_distributions::special::log1mexp;
/// assert!((log1mexp(-1e-300) - 1e-300_f64.ln()).abs() < 1e-12);
/// ```
pub fn log1mexp(x: f64) -> f64 {
    if x > -std::f64::consts::LN_2 { libm::log(-libm::expm1(x)) } else { libm::log1p(-libm::exp(x)) }
}

/// log(1 + x) − x ≤ 0, without cancellation.
///
/// ```text
/// s = x/(2 + x):   −s·x + 2s³(1/3 + s²/5 + s⁴/7 + …)
/// ```
/// Derived in docs/src/theory/special-functions.md: log1p(x) = 2 artanh s.
///
/// # Numerics
/// ≤ 4 ulp; 0 only at 0 (or where x² underflows). −∞ at −1, NaN below, −∞ at +∞.
///
/// ```
/// use variata_distributions::special::log1pmx;
/// assert!((log1pmx(1e-9) / -5e-19 - 1.0).abs() < 1e-9);
/// ```
pub fn log1pmx(x: f64) -> f64 {
    if x == f64::INFINITY {
        return f64::NEG_INFINITY;
    }
    if !(-0.5..=1.0).contains(&x) {
        return libm::log1p(x) - x;
    }
    let s = x / (2.0 + x);
    let s2 = s * s;
    // |s| ≤ 1/3: the term after 1/37 is below 9⁻¹⁸/39 of the sum.
    let mut tail = 0.0;
    for k in (1..=18).rev() {
        tail = tail * s2 + 1.0 / (2 * k + 1) as f64;
    }
    s * (2.0 * s2 * tail - x)
}

/// eˣ − 1 − x ≥ 0, without cancellation.
///
/// ```text
/// x²/2·(1 + x/3·(1 + x/4·(…)))    |x| ≤ 1
/// ```
/// Source: the exponential series.
///
/// # Numerics
/// ≤ 4 ulp; 0 only at 0 (or where x² underflows). Grows as −x to the left and overflows to +∞ above 709.78.
///
/// ```
/// use variata_distributions::special::expm1mx;
/// assert!((expm1mx(1e-9) / 5e-19 - 1.0).abs() < 1e-9);
/// ```
pub fn expm1mx(x: f64) -> f64 {
    if x == f64::INFINITY {
        return x;
    }
    if x.abs() > 1.0 {
        return libm::expm1(x) - x;
    }
    // 2/20! < 1e-18 is the size of the first omitted term at |x| = 1.
    let mut nest = 1.0;
    for k in (3..=20).rev() {
        nest = 1.0 + x * nest / k as f64;
    }
    0.5 * x * x * nest
}
