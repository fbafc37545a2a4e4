//! Element types that a factor can be stored in.

use ndarray::{ArrayRef3, Dimension};
use variata_distributions::ArgumentError;
use variata_distributions::parallel::collect;

use crate::kernel;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    #[cfg(feature = "half")]
    impl Sealed for half::f16 {}
    #[cfg(feature = "half")]
    impl Sealed for half::bf16 {}
}

/// An element type for the factor P: `f32` and `f64`, and with the feature `half` also `half::f16` and `half::bf16`.
///
/// Half types are storage only: every element counts as its exact value, and arithmetic is as for the wider types. Rounding
/// P to them is a change of the model, not an error of the arithmetic: it moves x by ‖δp‖ per dimension, which is harmless
/// while (u·‖row of P‖)² ≪ D, with u = 2⁻¹¹ for f16 and 2⁻⁸ for bf16. At the SOS-VAE paper's D = 10⁻⁵ and rows of norm 5,
/// data drawn with the unrounded P has a Mahalanobis distance four to six times too large under P in bf16.
pub trait Storage:
    sealed::Sealed + Copy + Default + PartialEq + Send + Sync + std::fmt::Debug + 'static
{
    /// The same number as `f64`, exactly.
    fn to_f64(self) -> f64;
    /// Whether all are finite.
    #[doc(hidden)]
    fn all_finite(values: &[Self]) -> bool;
    /// The same numbers as `f32`, in `scratch` where they are not already, or `None` for `f64`.
    #[doc(hidden)]
    fn as_singles<'s>(values: &'s [Self], scratch: &'s mut Vec<f32>) -> Option<&'s [f32]>;
}

impl Storage for f32 {
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn all_finite(values: &[Self]) -> bool {
        kernel::none_saturated(values, |v| v.to_bits() & 0x7f80_0000 == 0x7f80_0000)
    }
    fn as_singles<'s>(values: &'s [Self], _: &'s mut Vec<f32>) -> Option<&'s [f32]> {
        Some(values)
    }
}

impl Storage for f64 {
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    fn all_finite(values: &[Self]) -> bool {
        kernel::none_saturated(values, |v| v.to_bits() & 0x7ff0_0000_0000_0000 == 0x7ff0_0000_0000_0000)
    }
    fn as_singles<'s>(_: &'s [Self], _: &'s mut Vec<f32>) -> Option<&'s [f32]> {
        None
    }
}

#[cfg(feature = "half")]
macro_rules! half_storage {
    ($type:ty, $exponent:literal, $widen:expr) => {
        impl Storage for $type {
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self.to_f64()
            }
            fn all_finite(values: &[Self]) -> bool {
                kernel::none_saturated(values, |v| v.to_bits() & $exponent == $exponent)
            }
            fn as_singles<'s>(values: &'s [Self], scratch: &'s mut Vec<f32>) -> Option<&'s [f32]> {
                scratch.resize(values.len(), 0.0);
                let widen: fn(&[$type], &mut [f32]) = $widen;
                widen(values, scratch);
                Some(scratch)
            }
        }
    };
}
#[cfg(feature = "half")]
half_storage!(half::f16, 0x7c00, |from, to| {
    use half::slice::HalfFloatSliceExt;
    from.convert_to_f32_slice(to);
});
#[cfg(feature = "half")]
// A bf16 is the upper half of an f32.
half_storage!(half::bf16, 0x7f80, |from, to| {
    kernel::map(from, to, |v| f32::from_bits(u32::from(v.to_bits()) << 16));
});

/// Elements per task of the check.
const TASK: usize = 1 << 16;

/// Every element of the factor is finite.
pub(crate) fn check_finite<S: Storage>(factor: &ArrayRef3<S>) -> Result<(), ArgumentError> {
    if let Some(values) = factor.as_slice_memory_order() {
        let tasks = values.len().div_ceil(TASK);
        let found = collect(tasks, |t| S::all_finite(&values[t * TASK..values.len().min((t + 1) * TASK)]));
        if found.into_iter().all(|fine| fine) {
            return Ok(());
        }
    }
    match factor.indexed_iter().find(|(_, v)| !v.to_f64().is_finite()) {
        None => Ok(()),
        Some((at, v)) => {
            // Position in logical order.
            let index =
                factor.raw_dim().slice().iter().zip([at.0, at.1, at.2]).fold(0, |i, (n, k)| i * n + k);
            Err(ArgumentError::Value {
                argument: "cov_factor",
                index: Some(index),
                value: v.to_f64(),
                must: "finite",
            })
        }
    }
}
