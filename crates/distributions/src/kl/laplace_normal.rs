//! Laplace ‖ Normal.

use std::f64::consts::LN_2;

use ndarray::ArrayD;

use super::{KlDivergence, KlGrad, log_ratio, pair};
use crate::location_scale::standardised;
use crate::special::HALF_LOG_TWO_PI;
use crate::{Error, Laplace, LocationScaleGrad, Normal, Real};

/// ```text
/// log(σ/(2b)) + ½ log 2π − 1 + (b/σ)² + ½ ((m − μ)/σ)²
/// ```
/// for p = Laplace(m, b) and q = N(μ, σ²). Derived in docs/src/theory/kl.md from entropy, mean and variance of p.
impl<F: Real> KlDivergence<Normal<F>> for Laplace<F> {
    type Value = ArrayD<F>;
    type Grad = KlGrad<LocationScaleGrad<F>, LocationScaleGrad<F>>;

    fn kl(&self, q: &Normal<F>) -> Result<ArrayD<F>, Error> {
        pair::value(self.parameters(), q.parameters(), scalar)
    }

    fn kl_with_grad(&self, q: &Normal<F>) -> Result<(ArrayD<F>, Self::Grad), Error> {
        pair::with_grad(self.parameters(), q.parameters(), scalar)
    }
}

/// Value and partials in m, b, μ, σ.
pub(crate) fn scalar([m, b, mu, sigma]: [f64; 4]) -> [f64; 5] {
    let (s, d) = (b / sigma, standardised(m, mu, sigma));
    let value = log_ratio(sigma, b) - LN_2 + HALF_LOG_TWO_PI - 1.0 + (s * s + 0.5 * d * d);
    let slope = d / sigma;
    [value, slope, 2.0 * s / sigma - 1.0 / b, -slope, (1.0 - 2.0 * s * s - d * d) / sigma]
}
