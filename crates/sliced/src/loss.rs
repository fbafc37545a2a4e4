//! From a distance to a term of a training loss.

use variata_distributions::check;

use crate::error::Error;

/// How a distance d ≥ 0 enters a loss.
///
/// ```
/// use variata_sliced::Loss;
///
/// assert_eq!(Loss::weight(10.0)?.apply(0.5), (5.0, 10.0));
/// assert_eq!(Loss::Log.apply(0.5), (-std::f64::consts::LN_2, 2.0));
/// assert_eq!(Loss::Log.apply(0.0), (f64::MIN_POSITIVE.ln(), 0.0));
/// # Ok::<(), variata_sliced::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Loss {
    /// λ d.
    Weight(f64),
    /// log d, which has no weight to choose. Source: paper sliced, eq. 2.
    ///
    /// The distances of this crate to a law are > 0 for every finite sample. Two samples may agree: at and below the smallest
    /// positive normal number the logarithm stays at that number's, with derivative 0.
    Log,
}

impl Loss {
    /// λ d, with λ checked.
    ///
    /// # Errors
    /// λ is not finite or < 0.
    pub fn weight(lambda: f64) -> Result<Self, Error> {
        check::scalar("lambda", lambda, "finite and >= 0", lambda >= 0.0 && lambda.is_finite())?;
        Ok(Self::Weight(lambda))
    }

    /// The term, and its derivative in the distance.
    pub fn apply(self, distance: f64) -> (f64, f64) {
        match self {
            Self::Weight(lambda) => (lambda * distance, lambda),
            Self::Log if distance <= f64::MIN_POSITIVE => (libm::log(f64::MIN_POSITIVE), 0.0),
            // NaN as well: a distance that broke is no small one.
            Self::Log => (libm::log(distance), 1.0 / distance),
        }
    }
}
