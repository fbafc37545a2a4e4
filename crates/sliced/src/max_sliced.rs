//! The direction along which a sample is farthest from the target.

use ndarray::{Array1, Array2, ArrayRef2};
use variata_distributions::{Real, check};

use crate::column::{Gradient, Scratch};
use crate::directions::Directions;
use crate::distance::{Discrepancy, none};
use crate::error::Error;
use crate::pairs::points;
use crate::sample::Sample;

/// Smallest angle, in radians, that an ascent still turns by.
const STILL: f64 = 1e-9;

/// How the direction is looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxSlicedOptions {
    /// Random directions of which the best is where the ascent starts; ≥ 1.
    pub candidates: usize,
    /// Steps of the ascent at most; 0 takes the best candidate.
    pub steps: usize,
    /// First angle turned by, in radians, in (0, π/2]. It grows after a success and shrinks after a failure.
    pub angle: f64,
    /// Seed of the candidates.
    pub seed: u64,
}

impl Default for MaxSlicedOptions {
    fn default() -> Self {
        Self { candidates: 16, steps: 100, angle: 0.3, seed: 0 }
    }
}

/// The largest distance found over directions.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MaxSliced<F> {
    /// The distance along it.
    pub value: f64,
    /// The direction, of norm 1.
    pub direction: Array1<f64>,
    /// Gradient of the distance in the sample, the direction held (Danskin's theorem: that of the maximum).
    pub grad: Array2<F>,
}

impl Discrepancy<'_> {
    /// The distance of `x` [n, dimensions] along the direction that maximises it: ascent on the sphere by great circles along
    /// the gradient, each step taken only if it gains.
    ///
    /// A local maximum, never below the best candidate; in f64.
    ///
    /// # Errors
    /// As [`sliced`](Self::sliced); options out of their ranges.
    ///
    /// ```
    /// use ndarray::array;
    /// use variata_sliced::{Discrepancy, Distance, MaxSlicedOptions};
    ///
    /// // Spread along the diagonal only.
    /// let x = array![[-3.0, -3.0], [-1.0, -1.0], [1.0, 1.0], [3.0, 3.0]];
    /// let max = Discrepancy::new(Distance::WASSERSTEIN_2).max_sliced(&x, &MaxSlicedOptions::default())?;
    /// assert!((max.direction[0].abs() - 0.5f64.sqrt()).abs() < 1e-6);
    /// # Ok::<(), variata_sliced::Error>(())
    /// ```
    pub fn max_sliced<S: Sample>(
        &self,
        x: &ArrayRef2<S>,
        options: &MaxSlicedOptions,
    ) -> Result<MaxSliced<S::Compute>, Error> {
        let x = points("x", x)?;
        let angle = options.angle;
        check::scalar("candidates", options.candidates as f64, "at least 1", options.candidates > 0)?;
        let quarter = std::f64::consts::FRAC_PI_2;
        check::scalar("angle", angle, "in (0, pi/2]", angle > 0.0 && angle <= quarter)?;
        let candidates = Directions::uniform(options.candidates, x.ncols(), options.seed)?;
        let values = self.sliced(&x, &candidates)?.per_direction;
        let best = (0..values.len()).fold(0, |best, k| if values[k] > values[best] { k } else { best });
        let prepared = self.prepare(x.nrows())?;
        let mut scratch = Scratch::default();
        let mut along = |direction: &Array1<f64>| {
            let y = x.dot(direction);
            let mut slopes = Array1::zeros(y.len());
            let (Some(y), Some(out)) = (y.as_slice(), slopes.as_slice_mut()) else {
                return Err(none("x", x.shape(), "[n, dimensions]"));
            };
            let value = prepared.run(y, Some(Gradient { out, scale: 1.0 }), &mut scratch);
            Ok((value, slopes))
        };
        let mut direction = candidates.vectors().row(best).to_owned();
        let (mut value, mut slopes) = along(&direction)?;
        let mut turn = angle;
        for _ in 0..options.steps {
            let mut tangent = x.t().dot(&slopes);
            let radial = tangent.dot(&direction);
            tangent.scaled_add(-radial, &direction);
            let norm = libm::sqrt(tangent.dot(&tangent));
            if !(norm > 0.0) || turn < STILL {
                break;
            }
            let mut next = &direction * libm::cos(turn);
            next.scaled_add(libm::sin(turn) / norm, &tangent);
            next /= libm::sqrt(next.dot(&next));
            let (reached, there) = along(&next)?;
            if reached > value {
                (direction, value, slopes) = (next, reached, there);
                turn = (1.5 * turn).min(quarter);
            } else {
                turn *= 0.4;
            }
        }
        let grad = Array2::from_shape_fn(x.dim(), |(i, d)| S::Compute::from_f64(slopes[i] * direction[d]));
        Ok(MaxSliced { value, direction, grad })
    }
}
