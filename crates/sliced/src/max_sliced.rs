//! The direction along which a sample is farthest from the target, or from another sample.

use std::f64::consts::FRAC_PI_2;

use ndarray::{Array1, Array2, ArrayRef2};
use variata_distributions::{Real, check};

use crate::column::{Gradient, Scratch};
use crate::directions::Directions;
use crate::distance::{Discrepancy, LARGEST, not_too_steep, steepness};
use crate::error::Error;
use crate::pairs::points;
use crate::two_sample::{TwoSample, TwoSampleGrad};
use variata_distributions::lanes::Sample;

/// Smallest angle, in radians, that an ascent still turns by.
const STILL: f64 = 1e-9;

/// How the direction is looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
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
    /// As [`sliced_with_grad`](Self::sliced_with_grad); options out of their ranges.
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
        let candidates = options.candidates(x.ncols())?;
        let values = self.sliced(&x, &candidates)?.per_direction;
        let prepared = self.prepare(x.nrows())?;
        let mut scratch = Scratch::default();
        let (direction, found) = ascend(options, &candidates, &values, |direction| {
            let y = x.dot(direction).to_vec();
            let mut slopes = vec![0.0; y.len()];
            let value = prepared.run(&y, Some(Gradient { out: &mut slopes, scale: 1.0 }), &mut scratch);
            let value = self.finite(value)?;
            let slopes = Array1::from(slopes);
            Ok(Along { value, uphill: uphill([(&x, &slopes)]), slopes })
        })?;
        let grad = spread::<S>(&found.slopes, &direction);
        not_too_steep(self.steepness(found.value), grad.as_slice().unwrap_or_default())?;
        Ok(MaxSliced { value: found.value, direction, grad })
    }
}

impl TwoSample<'_> {
    /// The distance between `x` [n, dimensions] and `y` [m, dimensions] along the direction that maximises it, as
    /// [`Discrepancy::max_sliced`]; the gradient is that in `x`.
    ///
    /// # Errors
    /// As [`sliced_with_grad`](Self::sliced_with_grad); options out of their ranges.
    ///
    /// ```
    /// use ndarray::array;
    /// use variata_sliced::{MaxSlicedOptions, TwoSample};
    ///
    /// let (x, y) = (array![[0.0, 0.0], [1.0, 0.0]], array![[3.0, 4.0], [4.0, 4.0]]);
    /// let max = TwoSample::SQUARED.max_sliced(&x, &y, &MaxSlicedOptions::default())?;
    /// assert!((max.value - 25.0).abs() < 1e-9);
    /// # Ok::<(), variata_sliced::Error>(())
    /// ```
    pub fn max_sliced<S: Sample>(
        &self,
        x: &ArrayRef2<S>,
        y: &ArrayRef2<S>,
        options: &MaxSlicedOptions,
    ) -> Result<MaxSliced<S::Compute>, Error> {
        let (x, y) = (points("x", x)?, points("y", y)?);
        let candidates = options.candidates(x.ncols())?;
        let values = self.sliced(&x, &y, &candidates)?.per_direction;
        let (direction, found) = ascend(options, &candidates, &values, |direction| {
            let (value, TwoSampleGrad { x: in_x, y: in_y }) =
                self.value_with_grad(&x.dot(direction), &y.dot(direction))?;
            Ok(Along { value, uphill: uphill([(&x, &in_x), (&y, &in_y)]), slopes: in_x })
        })?;
        let grad = spread::<S>(&found.slopes, &direction);
        not_too_steep(steepness(self.p, found.value), grad.as_slice().unwrap_or_default())?;
        Ok(MaxSliced { value: found.value, direction, grad })
    }
}

impl MaxSlicedOptions {
    /// Where the ascent may start, after the checks.
    fn candidates(&self, dimensions: usize) -> Result<Directions, Error> {
        check::scalar("candidates", self.candidates as f64, "at least 1", self.candidates > 0)?;
        check::scalar("angle", self.angle, "in (0, pi/2]", self.angle > 0.0 && self.angle <= FRAC_PI_2)?;
        Directions::uniform(self.candidates, dimensions, self.seed)
    }
}

/// A distance along a direction: where its derivative in the direction points, and its derivative in the projections of the first sample.
struct Along {
    value: f64,
    uphill: Array1<f64>,
    slopes: Array1<f64>,
}

/// The derivative in the direction, of samples and slopes of their projections; or a multiple of it, where it or its square is no number.
fn uphill<const N: usize>(samples: [(&Array2<f64>, &Array1<f64>); N]) -> Array1<f64> {
    let slopes = samples.iter().flat_map(|(_, slopes)| slopes.iter());
    let largest = slopes.fold(0.0, |most: f64, v| most.max(v.abs()));
    let scale = if (LARGEST.recip()..=LARGEST).contains(&largest) || largest == 0.0 { 1.0 } else { largest };
    let mut all = samples.iter().map(|(points, slopes)| points.t().dot(&slopes.mapv(|slope| slope / scale)));
    let first = all.next().unwrap_or_default();
    all.fold(first, |sum, next| sum + next)
}

/// The best candidate, and from there uphill.
fn ascend(
    options: &MaxSlicedOptions,
    candidates: &Directions,
    values: &Array1<f64>,
    mut at: impl FnMut(&Array1<f64>) -> Result<Along, Error>,
) -> Result<(Array1<f64>, Along), Error> {
    let best = (0..values.len()).fold(0, |best, k| if values[k] > values[best] { k } else { best });
    let mut direction = candidates.vectors().row(best).to_owned();
    let mut found = at(&direction)?;
    let mut turn = options.angle;
    for _ in 0..options.steps {
        let mut tangent = found.uphill.clone();
        // Only its direction counts: squares of large slopes are not to overflow, nor those of small ones to vanish.
        let largest = tangent.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        if largest > 0.0 && !(LARGEST.recip()..=LARGEST).contains(&largest) {
            tangent /= largest;
        }
        let along = tangent.dot(&direction);
        tangent.scaled_add(-along, &direction);
        let norm = libm::sqrt(tangent.dot(&tangent));
        if !(norm > 0.0) || turn < STILL {
            break;
        }
        let mut next = &direction * libm::cos(turn);
        next.scaled_add(libm::sin(turn) / norm, &tangent);
        next /= libm::sqrt(next.dot(&next));
        let there = at(&next)?;
        if there.value > found.value {
            (direction, found) = (next, there);
            turn = (1.5 * turn).min(FRAC_PI_2);
        } else {
            turn *= 0.4;
        }
    }
    Ok((direction, found))
}

/// The gradient in the points: the slopes of their projections along the direction.
fn spread<S: Sample>(slopes: &Array1<f64>, direction: &Array1<f64>) -> Array2<S::Compute> {
    Array2::from_shape_fn((slopes.len(), direction.len()), |(i, d)| {
        S::Compute::from_f64(slopes[i] * direction[d])
    })
}
