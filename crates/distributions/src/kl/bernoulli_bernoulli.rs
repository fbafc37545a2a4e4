//! Bernoulli ‖ Bernoulli.

use ndarray::ArrayD;

use super::{KlDivergence, KlGrad};
use crate::special::{expm1mx, log1pmx, sigmoid, softplus};
use crate::{Bernoulli, Error, LogitsGrad, Real, elementwise};

/// ```text
/// softplus(b) − softplus(a) − π·d = π·(eᵈ − 1 − d) + log1pmx(π·(eᵈ − 1)),   π = σ(a),  d = b − a
/// ```
/// for logits a of p and b of q, on the side where π ≤ ½ (a and b change sign together). Derived in docs/src/theory/kl.md: the
/// Bregman divergence of softplus.
///
/// Infinite logits are sure outcomes: equal ones give 0, and q sure of what p is not gives +∞.
impl<F: Real> KlDivergence<Bernoulli<F>> for Bernoulli<F> {
    type Value = ArrayD<F>;
    type Grad = KlGrad<LogitsGrad<F>, LogitsGrad<F>>;

    fn kl(&self, q: &Bernoulli<F>) -> Result<ArrayD<F>, Error> {
        let [value] = elementwise::broadcast([self.parameter(), q.parameter()], |[a, b]| [scalar(a, b)[0]])?;
        Ok(value)
    }

    fn kl_with_grad(&self, q: &Bernoulli<F>) -> Result<(ArrayD<F>, Self::Grad), Error> {
        let [value, p, q] = elementwise::broadcast([self.parameter(), q.parameter()], |[a, b]| scalar(a, b))?;
        Ok((value, KlGrad { p: LogitsGrad { logits: p }, q: LogitsGrad { logits: q } }))
    }
}

/// Value and partials in the logits of p and q.
pub(crate) fn scalar(a: f64, b: f64) -> [f64; 3] {
    if a > 0.0 {
        let [value, in_a, in_b] = scalar(-a, -b);
        return [value, -in_a, -in_b];
    }
    if a == f64::NEG_INFINITY {
        return [softplus(b), 0.0, sigmoid(b)];
    }
    let (pi, d) = (sigmoid(a), b - a);
    if b.is_infinite() {
        return [f64::INFINITY, -d, if b > 0.0 { sigmoid(-a) } else { -pi }];
    }
    // A difference of logits may be infinite; that of an impossible outcome does not count.
    let weighted = if pi == 0.0 { 0.0 } else { pi * d };
    let in_a = -weighted * sigmoid(-a);
    if d.abs() <= 2.0 {
        let growth = pi * libm::expm1(d);
        // σ(b) − σ(a) without the subtraction.
        let in_b = growth * sigmoid(-a) / (1.0 + growth);
        [pi * expm1mx(d) + log1pmx(growth), in_a, in_b]
    } else {
        [softplus(b) - softplus(a) - weighted, in_a, sigmoid(b) - pi]
    }
}
