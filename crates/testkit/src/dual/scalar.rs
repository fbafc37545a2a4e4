//! What a textbook formula needs of a number.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// `f64` or [`Dual`](super::Dual).
#[expect(
    clippy::return_self_not_must_use,
    reason = "as with the inherent methods of `f64`, whose names these are"
)]
pub trait Scalar:
    Copy
    + PartialOrd
    + From<f64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// The number without its tangent.
    fn value(self) -> f64;
    /// eˣ
    fn exp(self) -> Self;
    /// eˣ − 1
    fn exp_m1(self) -> Self;
    /// ln x
    fn ln(self) -> Self;
    /// ln(1 + x)
    fn ln_1p(self) -> Self;
    /// √x
    fn sqrt(self) -> Self;
    /// xⁿ
    fn powi(self, n: i32) -> Self;
    /// |x|; the derivative at 0 is that of the sign bit.
    fn abs(self) -> Self;
    /// sin x
    fn sin(self) -> Self;
    /// cos x
    fn cos(self) -> Self;
    /// tanh x
    fn tanh(self) -> Self;
    /// erf x
    fn erf(self) -> Self;
    /// 1 − erf x
    fn erfc(self) -> Self;
    /// ln |Γ(x)|
    fn lgamma(self) -> Self;

    /// Φ(x), the standard normal distribution function; the value loses x²·u to the rounding of x/√2.
    fn normal_cdf(self) -> Self {
        (-self / Self::from(std::f64::consts::SQRT_2)).erfc() * Self::from(0.5)
    }

    /// The larger by value; `self` if they are equal.
    fn larger(self, other: Self) -> Self {
        if self < other { other } else { self }
    }
}

impl Scalar for f64 {
    fn value(self) -> f64 {
        self
    }
    fn exp(self) -> Self {
        self.exp()
    }
    fn exp_m1(self) -> Self {
        self.exp_m1()
    }
    fn ln(self) -> Self {
        self.ln()
    }
    fn ln_1p(self) -> Self {
        self.ln_1p()
    }
    fn sqrt(self) -> Self {
        self.sqrt()
    }
    fn powi(self, n: i32) -> Self {
        self.powi(n)
    }
    fn abs(self) -> Self {
        self.abs()
    }
    fn sin(self) -> Self {
        self.sin()
    }
    fn cos(self) -> Self {
        self.cos()
    }
    fn tanh(self) -> Self {
        self.tanh()
    }
    fn erf(self) -> Self {
        libm::erf(self)
    }
    fn erfc(self) -> Self {
        libm::erfc(self)
    }
    fn lgamma(self) -> Self {
        libm::lgamma(self)
    }
}
