//! The Gumbel distribution.

use std::f64::consts::{EULER_GAMMA, PI};

use rand::Rng;

use crate::{LocationScale, Standard, noise};

/// Gumbel (extreme value) distributions of the maximum.
///
/// ```text
/// log p(x) = −z − e⁻ᶻ − log scale,   z = (x − loc)/scale
/// cdf exp(−e⁻ᶻ),   entropy 1 + γ + log scale,   mean loc + γ·scale [errata 001-2],   variance π²/6·scale²
/// ```
/// Noise for `rsample` is −log E with E exponential; drawn that way in f64 it is always finite. Source: definition.
/// Shapes, errors and numerics: [`LocationScale`].
///
/// ```
/// use ndarray::array;
/// use variata_distributions::Gumbel;
///
/// assert_eq!(Gumbel::scalar(0.0, 1.0)?.log_prob(&array![0.0])?, array![-1.0]);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub type Gumbel<F = f64> = LocationScale<StandardGumbel, F>;

/// Gumbel(0, 1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StandardGumbel;

impl Standard for StandardGumbel {
    const ENTROPY: f64 = 1.0 + EULER_GAMMA;
    const MEAN: f64 = EULER_GAMMA;
    const VARIANCE: f64 = PI * PI / 6.0;

    fn log_density(z: f64) -> (f64, f64) {
        let e = libm::exp(-z);
        // −(−∞) − ∞ would be NaN.
        let value = if e == f64::INFINITY { -e } else { -z - e };
        (value, libm::expm1(-z))
    }

    fn cdf(z: f64) -> f64 {
        libm::exp(-libm::exp(-z))
    }

    fn icdf(p: f64) -> f64 {
        // log p next to 1 from 1 − p, which is exact there.
        let log_p = if p > 0.5 { libm::log1p(-(1.0 - p)) } else { libm::log(p) };
        -libm::log(-log_p)
    }

    fn sf(z: f64) -> f64 {
        -libm::expm1(-libm::exp(-z))
    }

    fn isf(p: f64) -> f64 {
        -libm::log(-libm::log1p(-p))
    }

    fn log_cdf(z: f64) -> f64 {
        -libm::exp(-z)
    }

    fn log_sf(z: f64) -> f64 {
        if z < 0.0 {
            return libm::log1p(-Self::cdf(z));
        }
        // log(1 − e^(−t)) with t = e^(−z), which is 0 as a number from 746 on: log t − t/2 + t²/24 − …
        let t = libm::exp(-z);
        if z > 20.0 { -z - 0.5 * t } else { libm::log(-libm::expm1(-t)) }
    }

    fn log_cdf_grad(z: f64) -> f64 {
        libm::exp(-z)
    }

    fn draw(rng: &mut impl Rng) -> f64 {
        noise::gumbel(rng)
    }
}
