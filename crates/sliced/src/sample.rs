//! Element types that samples are read from, and the types that they are computed in.

use pulp::Simd;
use variata_distributions::Real;

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

/// `f32` or `f64`, with its vectors.
pub trait Compute: Real + Sample<Compute = Self> + std::ops::Add<Output = Self> {
    /// Whether this is `f32`.
    #[doc(hidden)]
    const SINGLE: bool;
    /// A vector of an instruction set.
    #[doc(hidden)]
    type Vector<S: Simd>: Copy + Send + Sync + std::fmt::Debug;
    /// The slice as vectors, without its tail.
    #[doc(hidden)]
    fn vectors<S: Simd>(x: &[Self]) -> &[Self::Vector<S>];
    /// The slice as vectors, without its tail.
    #[doc(hidden)]
    fn vectors_mut<S: Simd>(x: &mut [Self]) -> &mut [Self::Vector<S>];
    /// The number in every lane.
    #[doc(hidden)]
    fn splat<S: Simd>(simd: S, x: Self) -> Self::Vector<S>;
    /// a·b + c, rounded once.
    #[doc(hidden)]
    fn mul_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;
}

macro_rules! compute {
    ($type:ty, $vector:ident, $as_simd:ident, $as_mut_simd:ident, $splat:ident, $mul_add:ident, $single:literal) => {
        impl Compute for $type {
            const SINGLE: bool = $single;
            type Vector<S: Simd> = S::$vector;
            #[inline(always)]
            fn vectors<S: Simd>(x: &[Self]) -> &[S::$vector] {
                S::$as_simd(x).0
            }
            #[inline(always)]
            fn vectors_mut<S: Simd>(x: &mut [Self]) -> &mut [S::$vector] {
                S::$as_mut_simd(x).0
            }
            #[inline(always)]
            fn splat<S: Simd>(simd: S, x: Self) -> S::$vector {
                simd.$splat(x)
            }
            #[inline(always)]
            fn mul_add<S: Simd>(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$mul_add(a, b, c)
            }
        }
    };
}

compute!(f32, f32s, as_simd_f32s, as_mut_simd_f32s, splat_f32s, mul_add_f32s, true);
compute!(f64, f64s, as_simd_f64s, as_mut_simd_f64s, splat_f64s, mul_add_f64s, false);
