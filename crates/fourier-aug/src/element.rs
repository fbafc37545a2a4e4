//! What pixels of images and waves are stored in.

use half::{bf16, f16};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for super::f16 {}
    impl Sealed for super::bf16 {}
}

/// `f32`, or `f16` and `bf16` as storage: arithmetic is in f32, and rounded once.
pub trait Element: sealed::Sealed + Copy + Send + Sync + std::fmt::Debug + 'static {
    /// Nothing.
    const ZERO: Self;
    /// Rounds to the nearest.
    fn from_f32(value: f32) -> Self;
    /// The exact value.
    fn to_f32(self) -> f32;
}

impl Element for f32 {
    const ZERO: Self = 0.0;
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        value
    }
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
}

macro_rules! stored {
    ($($type:ty)*) => {$(
        impl Element for $type {
            const ZERO: Self = <$type>::ZERO;
            #[inline(always)]
            fn from_f32(value: f32) -> Self {
                Self::from_f32(value)
            }
            #[inline(always)]
            fn to_f32(self) -> f32 {
                self.to_f32()
            }
        }
    )*};
}
stored!(f16 bf16);
