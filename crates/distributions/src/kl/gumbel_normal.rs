//! Gumbel ‖ Normal.

use std::f64::consts::{EULER_GAMMA, PI};

use ndarray::ArrayD;

use super::{KlDivergence, KlGrad, log_ratio, pair};
use crate::location_scale::standardised;
use crate::special::HALF_LOG_TWO_PI;
use crate::{Error, Gumbel, LocationScaleGrad, Normal, Real};

/// Variance of the standard Gumbel.
const VARIANCE: f64 = PI * PI / 6.0;

/// ```text
/// log(σ/β) + ½ log 2π − γ − 1 + ½ [π²/6·(β/σ)² + ((m + γβ − μ)/σ)²]
/// ```
/// for p = Gumbel(m, β) and q = N(μ, σ²). Derived in docs/src/theory/kl.md from entropy, mean and variance of p.
impl<F: Real> KlDivergence<Normal<F>> for Gumbel<F> {
    type Value = ArrayD<F>;
    type Grad = KlGrad<LocationScaleGrad<F>, LocationScaleGrad<F>>;

    fn kl(&self, q: &Normal<F>) -> Result<ArrayD<F>, Error> {
        pair::value(self.parameters(), q.parameters(), scalar)
    }

    fn kl_with_grad(&self, q: &Normal<F>) -> Result<(ArrayD<F>, Self::Grad), Error> {
        pair::with_grad(self.parameters(), q.parameters(), scalar)
    }
}

/// Value and partials in m, β, μ, σ.
pub(crate) fn scalar([m, beta, mu, sigma]: [f64; 4]) -> [f64; 5] {
    let s = beta / sigma;
    let gap = (m - mu) + EULER_GAMMA * beta;
    let d = if gap.is_finite() { gap / sigma } else { standardised(m, mu, sigma) + EULER_GAMMA * s };
    let spread = VARIANCE * s * s;
    let value = log_ratio(sigma, beta) + HALF_LOG_TWO_PI - EULER_GAMMA - 1.0 + 0.5 * (spread + d * d);
    let slope = d / sigma;
    let in_beta = (VARIANCE * s + EULER_GAMMA * d) / sigma - 1.0 / beta;
    [value, slope, in_beta, -slope, (1.0 - spread - d * d) / sigma]
}
