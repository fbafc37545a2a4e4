//! Laplace ‖ Laplace.

use ndarray::ArrayD;

use super::{KlDivergence, KlGrad, log_ratio, pair, rest_and_excess};
use crate::location_scale::standardised;
use crate::special::expm1mx;
use crate::{Error, Laplace, LocationScaleGrad, Real};

/// ```text
/// (r − 1 − log r) + r·(e⁻ᵃ − 1 + a),   r = b_p/b_q,  a = |μ_p − μ_q|/b_p
/// ```
/// Derived in docs/src/theory/kl.md. Where the locations are equal, the derivative in them is 0.
impl<F: Real> KlDivergence<Laplace<F>> for Laplace<F> {
    type Value = ArrayD<F>;
    type Grad = KlGrad<LocationScaleGrad<F>, LocationScaleGrad<F>>;

    fn kl(&self, q: &Laplace<F>) -> Result<ArrayD<F>, Error> {
        pair::value(self.parameters(), q.parameters(), scalar)
    }

    fn kl_with_grad(&self, q: &Laplace<F>) -> Result<(ArrayD<F>, Self::Grad), Error> {
        pair::with_grad(self.parameters(), q.parameters(), scalar)
    }
}

/// Value and partials in μ_p, b_p, μ_q, b_q.
pub(crate) fn scalar([mp, bp, mq, bq]: [f64; 4]) -> [f64; 5] {
    let l = log_ratio(bp, bq);
    let ratio = bp / bq;
    let gap = mp - mq;
    let a = standardised(mp, mq, bp).abs();
    let slope = if gap == 0.0 { 0.0 } else { -libm::expm1(-a) / bq * gap.signum() };
    if ratio == f64::INFINITY {
        return [ratio, slope, ratio, -slope, -ratio];
    }
    // For large a the product r·a is |Δ|/b_q, without a detour through an overflowing a.
    let shift =
        if a > 1.0 { standardised(mp, mq, bq).abs() + ratio * libm::expm1(-a) } else { ratio * expm1mx(-a) };
    let (rest, excess) = rest_and_excess(ratio, l);
    // r·e⁻ᵃ(1 + a) − 1, where both factors are near 1 from what they lack.
    let e = libm::exp(-a);
    let in_bp = if a < 1.0 {
        let fading = -e * expm1mx(a);
        excess * (fading + 1.0) + fading
    } else {
        ratio * poly_exp(a, e) - 1.0
    };
    [rest + shift, slope, in_bp / bp, -slope, -(excess + shift) / bq]
}

/// (1 + a)·e with e = e⁻ᵃ; 0 where a is infinite.
fn poly_exp(a: f64, e: f64) -> f64 {
    if e == 0.0 { 0.0 } else { (1.0 + a) * e }
}
