//! Uniform ‖ Laplace.

use ndarray::ArrayD;

use super::{KlDivergence, KlGrad, pair};
use crate::location_scale::standardised;
use crate::uniform::{fraction, log_over_width};
use crate::{Error, Laplace, LocationScaleGrad, Real, Uniform, UniformGrad};

/// ```text
/// log(2b/w) + E|X − m|/b,   w = high − low
/// E|X − m| = |c − m| for m outside [low, high],  ((m − low)² + (high − m)²)/(2w) inside;  c the centre
/// ```
/// for p = U[low, high] and q = Laplace(m, b). Derived in docs/src/theory/kl.md.
impl<F: Real> KlDivergence<Laplace<F>> for Uniform<F> {
    type Value = ArrayD<F>;
    type Grad = KlGrad<UniformGrad<F>, LocationScaleGrad<F>>;

    fn kl(&self, q: &Laplace<F>) -> Result<ArrayD<F>, Error> {
        pair::value(self.parameters(), q.parameters(), scalar)
    }

    fn kl_with_grad(&self, q: &Laplace<F>) -> Result<(ArrayD<F>, Self::Grad), Error> {
        pair::with_grad(self.parameters(), q.parameters(), scalar)
    }
}

/// Value and partials in low, high, m, b.
pub(crate) fn scalar([low, high, m, b]: [f64; 4]) -> [f64; 5] {
    let width = high - low;
    // Shares of the interval on either side of m, each in [0, 1], and the distances to the ends in units of b.
    let (below, above) = (fraction(m, low, high), fraction(-m, -high, -low));
    let (to_low, to_high) = (standardised(m, low, b), standardised(high, m, b));
    let distance = if (low..=high).contains(&m) {
        0.5 * (below * to_low + above * to_high)
    } else {
        0.5 * to_high.abs() + 0.5 * to_low.abs()
    };
    let value = std::f64::consts::LN_2 + log_over_width(b, low, high) + distance;
    // d E|X − m|/d(low) = (E|X − m| − |low − m|)/w, and with the other sign at the upper end; outside, ½ of either sign, and inside
    // by the shares: the distances themselves cancel where the interval is short or far.
    let squares = 0.5 * (below * below + above * above);
    let (in_low, in_high) = ((squares - below) / b, (above - squares) / b);
    let (in_low, in_high) = (1.0 / width + in_low, in_high - 1.0 / width);
    [value, in_low, in_high, (below - above) / b, (1.0 - distance) / b]
}
