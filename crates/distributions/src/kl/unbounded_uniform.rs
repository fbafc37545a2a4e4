//! Any location-scale family ‖ Uniform: +∞, because the real line is in no interval.

use ndarray::ArrayD;

use super::{KlDivergence, KlGrad, pair};
use crate::{Error, LocationScale, LocationScaleGrad, Real, Standard, Uniform, UniformGrad};

/// ```text
/// +∞
/// ```
/// Source: definition. The derivatives are reported as 0.
impl<S: Standard, F: Real> KlDivergence<Uniform<F>> for LocationScale<S, F> {
    type Value = ArrayD<F>;
    type Grad = KlGrad<LocationScaleGrad<F>, UniformGrad<F>>;

    fn kl(&self, q: &Uniform<F>) -> Result<ArrayD<F>, Error> {
        pair::value(self.parameters(), q.parameters(), scalar)
    }

    fn kl_with_grad(&self, q: &Uniform<F>) -> Result<(ArrayD<F>, Self::Grad), Error> {
        pair::with_grad(self.parameters(), q.parameters(), scalar)
    }
}

/// Value and partials.
pub(crate) fn scalar(_: [f64; 4]) -> [f64; 5] {
    [f64::INFINITY, 0.0, 0.0, 0.0, 0.0]
}
