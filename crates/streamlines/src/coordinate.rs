//! The number types of coordinates.

use std::ops::{Add, AddAssign, Div, Mul, Sub};

use ndarray::{ArrayRef, Dimension};
use variata_distributions::{ArgumentError, Real};

use crate::Error;

/// `f32` or `f64`: the type of a streamline's coordinates, and of the distances between streamlines of that type.
///
/// Distances are computed in the type itself, as dipy does for `f32`; resampling measures arc lengths in `f64`. Sealed by
/// [`Real`].
pub trait Coordinate:
    Real + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + AddAssign
{
    /// The largest size of a coordinate; squares of differences stay finite below it.
    const LARGEST: f64;

    /// Square root.
    #[must_use]
    fn root(self) -> Self;
}

impl Coordinate for f32 {
    const LARGEST: f64 = 1e18;

    #[inline(always)]
    fn root(self) -> Self {
        self.sqrt()
    }
}

impl Coordinate for f64 {
    const LARGEST: f64 = 1e150;

    #[inline(always)]
    fn root(self) -> Self {
        self.sqrt()
    }
}

/// The smaller of two numbers that are not NaN, in one instruction.
#[inline(always)]
pub(crate) fn smaller<T: Coordinate>(a: T, b: T) -> T {
    if a < b { a } else { b }
}

/// Every coordinate is finite and small enough to be squared.
pub(crate) fn sizes<T: Coordinate, D: Dimension>(
    argument: &'static str,
    x: &ArrayRef<T, D>,
) -> Result<(), Error> {
    match x.iter().position(|v| !(v.to_f64().abs() <= T::LARGEST)) {
        None => Ok(()),
        Some(i) => Err(ArgumentError::Value {
            argument,
            index: Some(i),
            value: x.iter().nth(i).map_or(f64::NAN, |v| v.to_f64()),
            must: if T::LARGEST < 1e20 { "at most 1e18 in size" } else { "at most 1e150 in size" },
        }
        .into()),
    }
}
