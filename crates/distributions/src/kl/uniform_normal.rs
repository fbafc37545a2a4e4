//! Uniform ‖ Normal.

use ndarray::ArrayD;

use super::{KlDivergence, KlGrad, pair};
use crate::location_scale::standardised;
use crate::special::HALF_LOG_TWO_PI;
use crate::uniform::{centre, log_over_width};
use crate::{Error, LocationScaleGrad, Normal, Real, Uniform, UniformGrad};

/// ```text
/// log(σ/w) + ½ log 2π + (w/σ)²/24 + ½ ((c − μ)/σ)²,   w = high − low,  c = (low + high)/2
/// ```
/// for p = U[low, high] and q = N(μ, σ²). Derived in docs/src/theory/kl.md from entropy, mean and variance of p.
impl<F: Real> KlDivergence<Normal<F>> for Uniform<F> {
    type Value = ArrayD<F>;
    type Grad = KlGrad<UniformGrad<F>, LocationScaleGrad<F>>;

    fn kl(&self, q: &Normal<F>) -> Result<ArrayD<F>, Error> {
        pair::value(self.parameters(), q.parameters(), scalar)
    }

    fn kl_with_grad(&self, q: &Normal<F>) -> Result<(ArrayD<F>, Self::Grad), Error> {
        pair::with_grad(self.parameters(), q.parameters(), scalar)
    }
}

/// Value and partials in low, high, μ, σ.
pub(crate) fn scalar([low, high, mu, sigma]: [f64; 4]) -> [f64; 5] {
    let width = high - low;
    // Halves, because the width may overflow where width/σ does not.
    let (s, d) = (2.0 * ((0.5 * high - 0.5 * low) / sigma), standardised(centre(low, high), mu, sigma));
    let value = log_over_width(sigma, low, high) + HALF_LOG_TWO_PI + (s * s / 24.0 + 0.5 * d * d);
    let (in_width, in_centre) = (s / (12.0 * sigma) - 1.0 / width, d / sigma);
    let [in_low, in_high] = [0.5 * in_centre - in_width, 0.5 * in_centre + in_width];
    [value, in_low, in_high, -in_centre, (1.0 - s * s / 12.0 - d * d) / sigma]
}
