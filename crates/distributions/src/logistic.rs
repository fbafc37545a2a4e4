//! The logistic distribution.

use std::f64::consts::PI;

use rand::Rng;

use crate::special::{logit, sigmoid, softplus};
use crate::{LocationScale, Standard, noise};

/// Logistic distributions.
///
/// ```text
/// log p(x) = −|z| − 2 log1p(e^(−|z|)) − log scale,   z = (x − loc)/scale
/// cdf σ(z),   entropy 2 + log scale,   mean loc,   variance π²/3·scale²
/// ```
/// Source: definition. Shapes, errors and numerics: [`LocationScale`].
///
/// ```
/// use ndarray::array;
/// use variata_distributions::Logistic;
///
/// assert_eq!(Logistic::scalar(1.0, 2.0)?.cdf(&array![1.0])?, array![0.5]);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub type Logistic<F = f64> = LocationScale<StandardLogistic, F>;

/// Logistic(0, 1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StandardLogistic;

impl Standard for StandardLogistic {
    const ENTROPY: f64 = 2.0;
    const MEAN: f64 = 0.0;
    const VARIANCE: f64 = PI * PI / 3.0;

    fn log_density(z: f64) -> (f64, f64) {
        let value = -z.abs() - 2.0 * libm::log1p(libm::exp(-z.abs()));
        (value, -libm::tanh(0.5 * z))
    }

    fn cdf(z: f64) -> f64 {
        sigmoid(z)
    }

    fn icdf(p: f64) -> f64 {
        logit(p)
    }

    fn sf(z: f64) -> f64 {
        Self::cdf(-z)
    }

    fn log_cdf(z: f64) -> f64 {
        -softplus(-z)
    }

    fn log_sf(z: f64) -> f64 {
        -softplus(z)
    }

    fn isf(p: f64) -> f64 {
        -Self::icdf(p)
    }

    fn draw(rng: &mut impl Rng) -> f64 {
        noise::logistic(rng)
    }
}
