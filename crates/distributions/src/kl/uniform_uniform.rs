//! Uniform ‖ Uniform.

use ndarray::ArrayD;

use super::{KlDivergence, KlGrad, log_ratio, pair};
use crate::uniform::log_over_width;
use crate::{Error, Real, Uniform, UniformGrad};

/// ```text
/// log(w_q/w_p) where [low_p, high_p] lies inside [low_q, high_q], else +∞;   w = high − low
/// ```
/// Source: definition. Where the divergence is +∞ its derivatives are reported as 0.
impl<F: Real> KlDivergence<Uniform<F>> for Uniform<F> {
    type Value = ArrayD<F>;
    type Grad = KlGrad<UniformGrad<F>, UniformGrad<F>>;

    fn kl(&self, q: &Uniform<F>) -> Result<ArrayD<F>, Error> {
        pair::value(self.parameters(), q.parameters(), scalar)
    }

    fn kl_with_grad(&self, q: &Uniform<F>) -> Result<(ArrayD<F>, Self::Grad), Error> {
        pair::with_grad(self.parameters(), q.parameters(), scalar)
    }
}

/// Value and partials in low_p, high_p, low_q, high_q.
pub(crate) fn scalar([lp, hp, lq, hq]: [f64; 4]) -> [f64; 5] {
    if lp < lq || hp > hq {
        return [f64::INFINITY, 0.0, 0.0, 0.0, 0.0];
    }
    let (inner, outer) = (hp - lp, hq - lq);
    // The margins are exact next to equality; the difference of the widths would not be.
    let excess = ((lp - lq) + (hq - hp)) / inner;
    let value = if excess < 1.0 && outer.is_finite() {
        libm::log1p(excess)
    } else if inner.is_finite() {
        -log_over_width(inner, lq, hq)
    } else {
        log_ratio(0.5 * hq - 0.5 * lq, 0.5 * hp - 0.5 * lp)
    };
    [value, 1.0 / inner, -1.0 / inner, -1.0 / outer, 1.0 / outer]
}
