//! A value and one directional derivative.

use std::cmp::Ordering;
use std::f64::consts::{FRAC_2_SQRT_PI, PI, SQRT_2};
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::Scalar;

/// value + tangent·ε with ε² = 0. Comparisons look at the value only, so that a formula takes the branch that `f64` takes.
///
/// ```
/// use variata_testkit::dual::{Dual, Scalar};
///
/// let x = Dual::variable(2.0);
/// assert_eq!((x * x).tangent, 4.0);
/// assert_eq!(x.ln().tangent, 0.5);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Dual {
    /// The value.
    pub value: f64,
    /// The derivative.
    pub tangent: f64,
}

impl Dual {
    /// value + tangent·ε
    pub fn new(value: f64, tangent: f64) -> Self {
        Self { value, tangent }
    }

    /// The variable of differentiation: tangent 1.
    pub fn variable(value: f64) -> Self {
        Self::new(value, 1.0)
    }

    /// f(x) with f′(x) given. A zero tangent stays zero where the slope is infinite, as for a constant it must.
    fn chain(self, value: f64, slope: f64) -> Self {
        Self::new(value, if self.tangent == 0.0 { 0.0 } else { slope * self.tangent })
    }
}

impl From<f64> for Dual {
    fn from(value: f64) -> Self {
        Self::new(value, 0.0)
    }
}

impl PartialEq for Dual {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl PartialOrd for Dual {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl Add for Dual {
    type Output = Self;
    fn add(self, b: Self) -> Self {
        Self::new(self.value + b.value, self.tangent + b.tangent)
    }
}

impl Sub for Dual {
    type Output = Self;
    fn sub(self, b: Self) -> Self {
        Self::new(self.value - b.value, self.tangent - b.tangent)
    }
}

impl Mul for Dual {
    type Output = Self;
    fn mul(self, b: Self) -> Self {
        Self::new(self.value * b.value, self.tangent * b.value + self.value * b.tangent)
    }
}

impl Div for Dual {
    type Output = Self;
    fn div(self, b: Self) -> Self {
        let quotient = self.value / b.value;
        Self::new(quotient, (self.tangent - quotient * b.tangent) / b.value)
    }
}

impl Neg for Dual {
    type Output = Self;
    fn neg(self) -> Self {
        Self::new(-self.value, -self.tangent)
    }
}

impl Scalar for Dual {
    fn value(self) -> f64 {
        self.value
    }
    fn exp(self) -> Self {
        let e = self.value.exp();
        self.chain(e, e)
    }
    fn exp_m1(self) -> Self {
        self.chain(self.value.exp_m1(), self.value.exp())
    }
    fn ln(self) -> Self {
        self.chain(self.value.ln(), 1.0 / self.value)
    }
    fn ln_1p(self) -> Self {
        self.chain(self.value.ln_1p(), 1.0 / (1.0 + self.value))
    }
    fn sqrt(self) -> Self {
        let root = self.value.sqrt();
        self.chain(root, 0.5 / root)
    }
    fn powi(self, n: i32) -> Self {
        let slope = if n == 0 { 0.0 } else { f64::from(n) * self.value.powi(n - 1) };
        self.chain(self.value.powi(n), slope)
    }
    fn abs(self) -> Self {
        self.chain(self.value.abs(), 1.0_f64.copysign(self.value))
    }
    fn sin(self) -> Self {
        self.chain(self.value.sin(), self.value.cos())
    }
    fn cos(self) -> Self {
        self.chain(self.value.cos(), -self.value.sin())
    }
    fn tanh(self) -> Self {
        // 1/cosh² keeps its digits where 1 − tanh² cancels.
        self.chain(self.value.tanh(), self.value.cosh().powi(-2))
    }
    fn erf(self) -> Self {
        self.chain(libm::erf(self.value), erf_slope(self.value))
    }
    fn erfc(self) -> Self {
        self.chain(libm::erfc(self.value), -erf_slope(self.value))
    }
    fn lgamma(self) -> Self {
        self.chain(libm::lgamma(self.value), digamma(self.value))
    }
    fn normal_cdf(self) -> Self {
        // Not through erfc's slope: the rounding of x/√2 would grow with x².
        let density = gauss(self.value, 0.5) * FRAC_2_SQRT_PI / (2.0 * SQRT_2);
        self.chain(self.value.normal_cdf(), density)
    }
}

/// 2/√π · exp(−x²)
fn erf_slope(x: f64) -> f64 {
    FRAC_2_SQRT_PI * gauss(x, 1.0)
}

/// exp(−c·x²) for c a power of two, with x² split so that its rounding error does not grow with x.
fn gauss(x: f64, c: f64) -> f64 {
    let square = x * x;
    if square.is_infinite() { 0.0 } else { (-c * square).exp() * (-c * x.mul_add(x, -square)).exp() }
}

/// ψ(x) = d ln Γ/dx: reflection for x < 0, recurrence up to 10, then the asymptotic series with Bernoulli numbers to
/// x⁻¹⁴ (next term 4·10⁻¹⁷ of ln x at 10; Abramowitz & Stegun 6.3.18). NaN at the poles.
fn digamma(x: f64) -> f64 {
    if x <= 0.0 {
        return if x == x.floor() { f64::NAN } else { digamma(1.0 - x) - PI / (PI * x).tan() };
    }
    let mut shift = 0.0;
    let mut x = x;
    while x < 10.0 {
        shift -= 1.0 / x;
        x += 1.0;
    }
    let r = 1.0 / (x * x);
    let series = r
        * (1.0 / 12.0
            - r * (1.0 / 120.0
                - r * (1.0 / 252.0
                    - r * (1.0 / 240.0 - r * (1.0 / 132.0 - r * (691.0 / 32760.0 - r / 12.0))))));
    shift + x.ln() - 0.5 / x - series
}
