//! The Laplace distribution.

use std::f64::consts::LN_2;

use rand::Rng;

use crate::{LocationScale, Standard, noise};

/// Laplace (double exponential) distributions.
///
/// ```text
/// log p(x) = −|z| − log 2 − log scale,   z = (x − loc)/scale
/// cdf ½ eᶻ (z < 0), 1 − ½ e⁻ᶻ,   entropy 1 + log 2 + log scale,   mean loc,   variance 2 scale²
/// ```
/// At the kink z = 0 the derivative is taken to be 0. Source: definition. Shapes, errors and numerics:
/// [`LocationScale`].
///
/// ```
/// use ndarray::array;
/// use variata_distributions::Laplace;
///
/// assert_eq!(Laplace::scalar(0.0, 0.5)?.log_prob(&array![0.0])?, array![0.0]);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub type Laplace<F = f64> = LocationScale<StandardLaplace, F>;

/// Laplace(0, 1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StandardLaplace;

impl Standard for StandardLaplace {
    const ENTROPY: f64 = 1.0 + LN_2;
    const MEAN: f64 = 0.0;
    const VARIANCE: f64 = 2.0;

    fn log_density(z: f64) -> (f64, f64) {
        let slope = if z == 0.0 { 0.0 } else { -z.signum() };
        (-z.abs() - LN_2, slope)
    }

    fn cdf(z: f64) -> f64 {
        let tail = 0.5 * libm::exp(-z.abs());
        if z < 0.0 { tail } else { 1.0 - tail }
    }

    fn icdf(p: f64) -> f64 {
        // 1 − p is exact above ½, and so is 2p.
        if p < 0.5 { libm::log(2.0 * p) } else { -libm::log(2.0 * (1.0 - p)) }
    }

    fn sf(z: f64) -> f64 {
        Self::cdf(-z)
    }

    fn log_cdf(z: f64) -> f64 {
        if z < 0.0 { z - LN_2 } else { libm::log1p(-0.5 * libm::exp(-z)) }
    }

    fn log_sf(z: f64) -> f64 {
        Self::log_cdf(-z)
    }

    fn isf(p: f64) -> f64 {
        -Self::icdf(p)
    }

    fn draw(rng: &mut impl Rng) -> f64 {
        noise::laplace(rng)
    }
}
