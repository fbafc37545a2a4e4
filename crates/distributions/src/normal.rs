//! The normal distribution.

use rand::Rng;

use crate::special::{self, HALF_LOG_TWO_PI, log_ndtr, log_ndtr_grad, ndtr, ndtri, norm_log_pdf};
use crate::{LocationScale, Standard, noise};

/// Normal (Gaussian) distributions; `scale` is the standard deviation.
///
/// ```text
/// log p(x) = −½ z² − log scale − ½ log 2π,   z = (x − loc)/scale     [errata 000-6]
/// cdf Φ(z),   entropy ½ log 2πe + log scale,   mean loc,   variance scale²
/// ```
/// Source: definition. Shapes, errors and numerics: [`LocationScale`].
///
/// ```
/// use ndarray::array;
/// use variata_distributions::Normal;
///
/// let p = Normal::new(array![0.0, 1.0], array![1.0])?;
/// assert_eq!(p.cdf(&array![0.0, 1.0])?, array![0.5, 0.5]);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub type Normal<F = f64> = LocationScale<StandardNormal, F>;

/// N(0, 1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StandardNormal;

impl Standard for StandardNormal {
    const ENTROPY: f64 = 0.5 + HALF_LOG_TWO_PI;
    const MEAN: f64 = 0.0;
    const VARIANCE: f64 = 1.0;

    fn log_density(z: f64) -> (f64, f64) {
        (norm_log_pdf(z), -z)
    }

    fn cdf(z: f64) -> f64 {
        ndtr(z)
    }

    fn icdf(p: f64) -> f64 {
        ndtri(p)
    }

    fn sf(z: f64) -> f64 {
        special::sf(z)
    }

    fn isf(p: f64) -> f64 {
        special::isf(p)
    }

    fn log_cdf(z: f64) -> f64 {
        log_ndtr(z)
    }

    fn log_sf(z: f64) -> f64 {
        log_ndtr(-z)
    }

    fn log_cdf_grad(z: f64) -> f64 {
        log_ndtr_grad(z)
    }

    fn log_sf_grad(z: f64) -> f64 {
        -log_ndtr_grad(-z)
    }

    fn draw(rng: &mut impl Rng) -> f64 {
        noise::normal(rng)
    }
}
