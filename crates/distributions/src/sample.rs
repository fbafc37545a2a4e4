//! Element types that samples are read from, and the types that they are computed in.

use std::ops::{Add, Mul, Sub};

use crate::simd::functions;
use crate::simd::lane::Lane;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    #[cfg(feature = "half")]
    impl Sealed for half::f16 {}
    #[cfg(feature = "half")]
    impl Sealed for half::bf16 {}
}

/// An element type of samples: `f32` and `f64`, and with the feature `half` also `half::f16` and `half::bf16`, which are
/// storage only: they count as their exact values in `f32`.
pub trait Sample: sealed::Sealed + Copy + Send + Sync + std::fmt::Debug + 'static {
    /// What projections are computed in, and gradients come back as.
    type Compute: Compute;
    /// The same number, exactly.
    fn compute(self) -> Self::Compute;
}

impl Sample for f32 {
    type Compute = f32;
    #[inline(always)]
    fn compute(self) -> f32 {
        self
    }
}

impl Sample for f64 {
    type Compute = f64;
    #[inline(always)]
    fn compute(self) -> f64 {
        self
    }
}

#[cfg(feature = "half")]
impl Sample for half::f16 {
    type Compute = f32;
    #[inline(always)]
    fn compute(self) -> f32 {
        self.to_f32()
    }
}

#[cfg(feature = "half")]
impl Sample for half::bf16 {
    type Compute = f32;
    #[inline(always)]
    fn compute(self) -> f32 {
        self.to_f32()
    }
}

/// `f32` or `f64`.
pub trait Compute:
    Lane + Sample<Compute = Self> + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
{
    /// Whether this is `f32`.
    #[doc(hidden)]
    const SINGLE: bool;
    /// eˣ for x ≤ 0, branch-free in f32; ≤ 2 ulp, and 0 where that is no normal number. For loops compiled for instructions that
    /// multiply and add at once: elsewhere f32 is slow.
    #[doc(hidden)]
    #[must_use]
    fn exp(self) -> Self;
    /// log x for normal x > 0, branch-free in f32; ≤ 2 ulp. For the same loops as [`exp`](Self::exp).
    #[doc(hidden)]
    #[must_use]
    fn ln(self) -> Self;
    /// The nearest number.
    #[doc(hidden)]
    fn from_i32(x: i32) -> Self;
}

impl Compute for f32 {
    const SINGLE: bool = true;
    #[inline(always)]
    fn exp(self) -> f32 {
        functions::exp_single(self)
    }
    #[inline(always)]
    fn ln(self) -> f32 {
        functions::ln_single(self)
    }
    #[inline(always)]
    fn from_i32(x: i32) -> f32 {
        x as f32
    }
}

impl Compute for f64 {
    const SINGLE: bool = false;
    #[inline(always)]
    fn exp(self) -> f64 {
        if self < -700.0 { 0.0 } else { functions::exp(self) }
    }
    #[inline(always)]
    fn ln(self) -> f64 {
        libm::log(self)
    }
    #[inline(always)]
    fn from_i32(x: i32) -> f64 {
        f64::from(x)
    }
}
