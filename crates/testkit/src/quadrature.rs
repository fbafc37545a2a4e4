//! Integrals to 10⁻¹² by double-exponential (tanh-sinh) quadrature, for every kind of interval.
//!
//! The substitution makes the integrand decay doubly exponentially, so that the trapezoid rule converges
//! geometrically (Takahasi and Mori 1974), integrable singularities at an end that is 0 included (at another the distance to it has lost its digits). Kinks and jumps inside
//! are for the caller to split at.

use std::f64::consts::FRAC_PI_2;

/// Relative change between two levels at which the result is taken for converged.
const TOLERANCE: f64 = 1e-13;
/// Spacing 2⁻⁹ at the last level.
const LEVELS: u32 = 9;

/// An integral and how far the last two levels differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Integral {
    /// The value.
    pub value: f64,
    /// |last level − level before|, relative to ∫|f|.
    pub error: f64,
}

/// The levels do not settle: the integrand has a kink or a jump inside, oscillates, diverges, or is NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NotConverged {
    /// What the last level gave.
    pub last: Integral,
}

impl std::fmt::Display for NotConverged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the integral did not converge: {:e}, relative change {:e}",
            self.last.value, self.last.error
        )
    }
}

impl std::error::Error for NotConverged {}

/// ∫ f from `a` to `b`, either of which may be infinite; a > b changes the sign.
///
/// - finite: x = mid + half·tanh(½π sinh t)
/// - [a, ∞): x = a + exp(t − e^(−t)), for integrands that decay like exp(−x) or faster
/// - (−∞, ∞): x = sinh(½π sinh t)
///
/// The accuracy is 10⁻¹² of ∫|f|, for f that varies on a scale of about 1 on infinite intervals: scale the variable
/// first. Values of f that are not finite at an end are left out, as their weight vanishes.
///
/// ```
/// use variata_testkit::quadrature::integrate;
///
/// let gauss = integrate(|x| (-x * x / 2.0).exp(), f64::NEG_INFINITY, f64::INFINITY)?;
/// assert!((gauss.value / std::f64::consts::TAU.sqrt() - 1.0).abs() < 1e-12);
/// # Ok::<(), variata_testkit::quadrature::NotConverged>(())
/// ```
///
/// # Errors
/// [`NotConverged`] if two successive levels never agree to 10⁻¹³, or an end is NaN.
pub fn integrate(f: impl Fn(f64) -> f64, a: f64, b: f64) -> Result<Integral, NotConverged> {
    if a.is_nan() || b.is_nan() {
        return Err(NotConverged { last: Integral { value: f64::NAN, error: f64::NAN } });
    }
    if a == b {
        return Ok(Integral { value: 0.0, error: 0.0 });
    }
    if a > b {
        let flip = |i: Integral| Integral { value: -i.value, ..i };
        return integrate(f, b, a).map(flip).map_err(|e| NotConverged { last: flip(e.last) });
    }
    match (a.is_finite(), b.is_finite()) {
        (true, true) => {
            let half = b / 2.0 - a / 2.0;
            trapezoid(
                |t| {
                    let s = FRAC_PI_2 * t.sinh();
                    // 1 − tanh|s| = 2/(1 + e^(2|s|)): the distance to the nearer end keeps its digits.
                    let gap = half * (2.0 / (1.0 + (2.0 * s.abs()).exp()));
                    let x = if s < 0.0 { a + gap } else { b - gap };
                    let weight = half * FRAC_PI_2 * t.cosh() / s.cosh().powi(2);
                    // A node rounded onto an end would ask f for a value it need not have.
                    if x <= a || x >= b { 0.0 } else { f(x) * weight }
                },
                4.0,
            )
        }
        (true, false) => half_line(|r| f(a + r)),
        (false, true) => half_line(|r| f(b - r)),
        (false, false) => trapezoid(
            |t| {
                let s = FRAC_PI_2 * t.sinh();
                f(s.sinh()) * (s.cosh() * FRAC_PI_2 * t.cosh())
            },
            6.0,
        ),
    }
}

fn half_line(f: impl Fn(f64) -> f64) -> Result<Integral, NotConverged> {
    trapezoid(
        |t| {
            let r = (t - (-t).exp()).exp();
            f(r) * (r * (1.0 + (-t).exp()))
        },
        7.0,
    )
}

/// h·Σ g(kh) over |kh| ≤ `reach`, halving h until two levels agree.
fn trapezoid(g: impl Fn(f64) -> f64, reach: f64) -> Result<Integral, NotConverged> {
    let term = |t: f64| {
        let y = g(t);
        // Beyond the nodes that count, weights overflow against vanishing values: ∞·0.
        if y.is_finite() || t.abs() < 0.5 * reach { y } else { 0.0 }
    };
    let (mut sum, mut sum_abs) = (Compensated::default(), 0.0);
    let mut add = |t: f64, sum: &mut Compensated| {
        let y = term(t);
        sum.add(y);
        sum_abs += y.abs();
        sum_abs
    };
    add(0.0, &mut sum);
    let mut previous = f64::NAN;
    let mut last = Integral { value: f64::NAN, error: f64::NAN };
    for level in 0..=LEVELS {
        let h = (-f64::from(level)).exp2();
        // Level 0 has every multiple of h, the others the odd ones that are new.
        let (first, step) = if level == 0 { (1.0, 1.0) } else { (1.0, 2.0) };
        let mut k = first;
        let mut total_abs = 0.0;
        while k * h <= reach {
            add(k * h, &mut sum);
            total_abs = add(-k * h, &mut sum);
            k += step;
        }
        let value = sum.value() * h;
        let scale = total_abs * h;
        let error = if scale == 0.0 { 0.0 } else { (value - previous).abs() / scale };
        last = Integral { value, error };
        // The first levels may agree by accident, as when all nodes miss a narrow peak.
        if level >= 4 && error <= TOLERANCE {
            return Ok(last);
        }
        previous = value;
    }
    Err(NotConverged { last })
}

/// Neumaier's sum.
#[derive(Default)]
struct Compensated {
    sum: f64,
    correction: f64,
}

impl Compensated {
    fn add(&mut self, x: f64) {
        let t = self.sum + x;
        self.correction += if self.sum.abs() >= x.abs() { (self.sum - t) + x } else { (x - t) + self.sum };
        self.sum = t;
    }

    fn value(&self) -> f64 {
        self.sum + self.correction
    }
}
