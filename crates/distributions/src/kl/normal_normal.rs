//! Normal ‖ Normal.

use ndarray::ArrayD;

use super::{KlDivergence, KlGrad, log_ratio, pair, rest_and_excess};
use crate::location_scale::standardised;
use crate::{Error, LocationScaleGrad, Normal, Real};

/// ```text
/// ½ [eˡ − 1 − l + δ²],   l = 2 log(σ_p/σ_q),  δ = (μ_p − μ_q)/σ_q
/// ```
/// Derived in docs/src/theory/kl.md.
impl<F: Real> KlDivergence<Normal<F>> for Normal<F> {
    type Value = ArrayD<F>;
    type Grad = KlGrad<LocationScaleGrad<F>, LocationScaleGrad<F>>;

    fn kl(&self, q: &Normal<F>) -> Result<ArrayD<F>, Error> {
        pair::value(self.parameters(), q.parameters(), scalar)
    }

    fn kl_with_grad(&self, q: &Normal<F>) -> Result<(ArrayD<F>, Self::Grad), Error> {
        pair::with_grad(self.parameters(), q.parameters(), scalar)
    }
}

/// Value and partials in μ_p, σ_p, μ_q, σ_q.
pub(crate) fn scalar([mp, sp, mq, sq]: [f64; 4]) -> [f64; 5] {
    let l = 2.0 * log_ratio(sp, sq);
    let d = standardised(mp, mq, sq);
    let (rest, excess) = rest_and_excess((sp / sq) * (sp / sq), l);
    let (value, slope) = (0.5 * (rest + d * d), d / sq);
    [value, slope, excess / sp, -slope, -(excess + d * d) / sq]
}
