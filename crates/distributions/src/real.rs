//! The scalar types that the kernels accept.

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `f32` or `f64`.
///
/// Kernels read and write this type and compute in `f64`: an `f32` result is the `f64` result rounded once. Sealed,
/// so that adding a method here is never a breaking change.
pub trait Real:
    sealed::Sealed + Copy + PartialOrd + Send + Sync + std::fmt::Debug + std::fmt::Display + Default + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Unit roundoff: half the distance from 1 to the next larger number.
    const UNIT_ROUNDOFF: f64;
    /// Name of the type, for messages.
    const NAME: &'static str;

    /// The same number as `f64`, exactly.
    fn to_f64(self) -> f64;
    /// The nearest number of this type.
    fn from_f64(x: f64) -> Self;
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const UNIT_ROUNDOFF: f64 = (f32::EPSILON as f64) / 2.0;
    const NAME: &'static str = "f32";

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self as f64
    }
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x as f32
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const UNIT_ROUNDOFF: f64 = f64::EPSILON / 2.0;
    const NAME: &'static str = "f64";

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x
    }
}
