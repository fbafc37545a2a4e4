//! Coordinates to [−1, 1] and back.

use ndarray::{Array, ArrayRef, Dimension};
use variata_distributions::ArgumentError;

use crate::Error;
use crate::coordinate::{Coordinate, sizes};
use crate::error::scalar;

/// The map of [min, max] to [−1, 1], one for all three coordinates, so that shapes keep their proportions.
///
/// ```text
/// y = 2 (x − min)/(max − min) − 1,   x = min + (y + 1)(max − min)/2
/// ```
/// Where max = min, y = 0 and x = min. Computed in `f64`, with one rounding, of numbers times a power of two, so that max − min
/// neither overflows nor loses its half.
///
/// Source: paper vq-diff's code, which takes min and max over all axes of all data, validation included; whoever compares
/// models takes them from training data alone ([`fit`](Self::fit) on those).
///
/// ```
/// use ndarray::array;
/// use variata_streamlines::Normalization;
///
/// let train = array![[-80.0, -30.0, 20.0], [45.0, 120.0, -55.0]];
/// let scale = Normalization::fit(&train)?;
/// assert_eq!((scale.min(), scale.max()), (-80.0, 120.0));
/// let small = scale.apply(&train);
/// assert_eq!(small, array![[-1.0, -0.5, 0.0], [0.25, 1.0, -0.75]]);
/// assert_eq!(scale.invert(&small), train);
/// // A distance, such as a threshold of 5 mm, in the new unit.
/// assert_eq!(scale.scale() * 5.0, 0.05);
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Unchecked"))]
pub struct Normalization {
    min: f64,
    max: f64,
}

/// As it comes from a file.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    min: f64,
    max: f64,
}

#[cfg(feature = "serde")]
impl TryFrom<Unchecked> for Normalization {
    type Error = Error;

    fn try_from(read: Unchecked) -> Result<Self, Error> {
        Self::new(read.min, read.max)
    }
}

impl Normalization {
    /// The map of [min, max].
    ///
    /// # Errors
    /// [`Error::Argument`] unless both are finite and min ≤ max.
    pub fn new(min: f64, max: f64) -> Result<Self, Error> {
        if !min.is_finite() {
            return Err(scalar("min", min, "finite"));
        }
        if !(max >= min && max.is_finite()) {
            return Err(scalar("max", max, "finite and at least `min`"));
        }
        Ok(Self { min, max })
    }

    /// The map of the smallest and the largest number in `x`, an array of any shape.
    ///
    /// # Errors
    /// [`Error::Argument`] when `x` is empty or a number is not finite.
    pub fn fit<T: Coordinate, D: Dimension>(x: &ArrayRef<T, D>) -> Result<Self, Error> {
        sizes("x", x)?;
        if x.is_empty() {
            let (argument, got, want) = ("x", x.shape().to_vec(), "not empty".to_owned());
            return Err(ArgumentError::Shape { argument, got, want }.into());
        }
        let ends = x.iter().map(|x| x.to_f64());
        let (min, max) =
            ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), x| (x.min(min), x.max(max)));
        Ok(Self { min, max })
    }

    /// The map of the union of both intervals, for data that come in parts.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }

    /// What becomes −1.
    pub fn min(&self) -> f64 {
        self.min
    }

    /// What becomes 1.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// How much a distance of 1 becomes: 2/(max − min), 0 where max = min; ∞ where max − min is below 2⁻¹⁰²² and that overflows.
    pub fn scale(&self) -> f64 {
        let half = self.max / 2.0 - self.min / 2.0;
        // Halves of the smallest numbers are rounded.
        match half.is_normal() {
            true => 1.0 / half,
            false if self.max > self.min => 2.0 / (self.max - self.min),
            false => 0.0,
        }
    }

    /// y of every x; numbers outside of [min, max] come out outside of [−1, 1].
    pub fn apply<T: Coordinate, D: Dimension>(&self, x: &ArrayRef<T, D>) -> Array<T, D> {
        let unit = self.unit();
        let min = self.min * unit;
        let range = self.max * unit - min;
        x.map(|x| {
            let y = if range > 0.0 { 2.0 * ((x.to_f64() * unit - min) / range) - 1.0 } else { 0.0 };
            T::from_f64(y)
        })
    }

    /// x of every y.
    pub fn invert<T: Coordinate, D: Dimension>(&self, y: &ArrayRef<T, D>) -> Array<T, D> {
        let unit = self.unit();
        let min = self.min * unit;
        let half = (self.max * unit - min) / 2.0;
        y.map(|y| T::from_f64((min + (y.to_f64() + 1.0) * half) / unit))
    }

    /// The power of two that ends are multiplied by: differences of large ones would overflow, halves of small ones are rounded.
    fn unit(&self) -> f64 {
        match self.min.abs().max(self.max.abs()) {
            size if size > 1.0 => 0.5,
            size if size < 1e-280 => (1u128 << 100) as f64,
            _ => 1.0,
        }
    }
}
