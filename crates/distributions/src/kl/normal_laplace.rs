//! Normal ‖ Laplace.

use ndarray::ArrayD;

use super::{KlDivergence, KlGrad, log_ratio, pair};
use crate::bernoulli::product;
use crate::location_scale::standardised;
use crate::special::{HALF_LOG_TWO_PI, norm_pdf};
use crate::{Error, Laplace, LocationScaleGrad, Normal, Real};

/// ```text
/// log(2b/σ) − ½ log 2πe + E|X − m|/b,   E|X − m| = 2σφ(δ) + (μ − m)·erf(δ/√2),  δ = (μ − m)/σ
/// ```
/// for p = N(μ, σ²) and q = Laplace(m, b). Derived in docs/src/theory/kl.md: mean of a folded normal.
impl<F: Real> KlDivergence<Laplace<F>> for Normal<F> {
    type Value = ArrayD<F>;
    type Grad = KlGrad<LocationScaleGrad<F>, LocationScaleGrad<F>>;

    fn kl(&self, q: &Laplace<F>) -> Result<ArrayD<F>, Error> {
        pair::value(self.parameters(), q.parameters(), scalar)
    }

    fn kl_with_grad(&self, q: &Laplace<F>) -> Result<(ArrayD<F>, Self::Grad), Error> {
        pair::with_grad(self.parameters(), q.parameters(), scalar)
    }
}

/// Value and partials in μ, σ, m, b.
pub(crate) fn scalar([mu, sigma, m, b]: [f64; 4]) -> [f64; 5] {
    let (d, in_b) = (standardised(mu, m, sigma), standardised(mu, m, b));
    let (folded, erf) = (2.0 * norm_pdf(d), libm::erf(d * std::f64::consts::FRAC_1_SQRT_2));
    let distance = product(folded, sigma / b) + product(erf, in_b);
    let value = std::f64::consts::LN_2 + log_ratio(b, sigma) - HALF_LOG_TWO_PI - 0.5 + distance;
    [value, erf / b, folded / b - 1.0 / sigma, -erf / b, (1.0 - distance) / b]
}
