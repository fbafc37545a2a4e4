//! Gumbel ‖ Gumbel.

use std::f64::consts::EULER_GAMMA;

use ndarray::ArrayD;

use super::{KlDivergence, KlGrad, log_ratio, pair};
use crate::bernoulli::product;
use crate::location_scale::standardised;
use crate::special::{digamma, expm1mx, lgamma, log1pmx};
use crate::{Error, Gumbel, LocationScaleGrad, Real};

/// ζ(k) − 1 for k = 2, 3, …
pub(crate) const ZETA_MINUS_ONE: [f64; 18] = [
    0.6449340668482264365,
    0.2020569031595942854,
    0.08232323371113819152,
    0.03692775514336992633,
    0.01734306198444913971,
    0.008349277381922826839,
    0.004077356197944339379,
    0.002008392826082214418,
    0.0009945751278180853371,
    0.0004941886041194645587,
    0.0002460865533080482986,
    0.0001227133475784891468,
    0.00006124813505870482926,
    0.00003058823630702049355,
    0.00001528225940865187173,
    0.000007637197637899762274,
    0.000003817293264999839856,
    0.000001908212716553938925,
];

/// ```text
/// (eʷ − 1 − w) + h(r),   w = log Γ(1 + r) − δ,  h(r) = log Γ(r) + γ(r − 1)
/// r = β_p/β_q,  δ = (μ_p − μ_q)/β_q
/// ```
/// Both terms are convex with minimum 0. Derived in docs/src/theory/kl.md.
impl<F: Real> KlDivergence<Gumbel<F>> for Gumbel<F> {
    type Value = ArrayD<F>;
    type Grad = KlGrad<LocationScaleGrad<F>, LocationScaleGrad<F>>;

    fn kl(&self, q: &Gumbel<F>) -> Result<ArrayD<F>, Error> {
        pair::value(self.parameters(), q.parameters(), scalar)
    }

    fn kl_with_grad(&self, q: &Gumbel<F>) -> Result<(ArrayD<F>, Self::Grad), Error> {
        pair::with_grad(self.parameters(), q.parameters(), scalar)
    }
}

/// Value and partials in μ_p, β_p, μ_q, β_q.
pub(crate) fn scalar([mp, bp, mq, bq]: [f64; 4]) -> [f64; 5] {
    let (r, d) = (bp / bq, standardised(mp, mq, bq));
    let (h, rh_slope, lgamma_next) = at_ratio(r, (bp - bq) / bq, log_ratio(bp, bq));
    let w = lgamma_next - d;
    let w = if w.is_nan() { f64::INFINITY } else { w }; // Γ outgrows every exponential.
    let e = libm::expm1(w);
    // r·d log Γ(1 + r)/dr. Partials are taken with r∂/∂r, which stays finite where r underflows.
    let r_psi = product(r, digamma(1.0 + r));
    let in_bp = (rh_slope + product(e, r_psi)) / bp;
    let in_bq = (product(e, d - r_psi) - rh_slope) / bq;
    [expm1mx(w) + h, -e / bq, in_bp, e / bq, in_bq]
}

/// h(r), r·h′(r) and log Γ(1 + r) from r, t = r − 1 and log r, all three exact to a few ulp.
fn at_ratio(r: f64, t: f64, log_r: f64) -> (f64, f64, f64) {
    if t.abs() <= 0.25 {
        // h = Σ ζ(k)(−t)ᵏ/k = t − log1p(t) + Σ (ζ(k) − 1)(−t)ᵏ/k.
        let (mut sum, mut slope) = (0.0, 0.0);
        for (i, &zeta) in ZETA_MINUS_ONE.iter().enumerate().rev() {
            sum = zeta / (i + 2) as f64 - t * sum;
            slope = zeta - t * slope;
        }
        let h = t * t * sum - log1pmx(t);
        (h, t * (r * slope + 1.0), log_r - EULER_GAMMA * t + h)
    } else {
        let next = lgamma(1.0 + r);
        (next - log_r + EULER_GAMMA * t, product(r, digamma(1.0 + r) + EULER_GAMMA) - 1.0, next)
    }
}
