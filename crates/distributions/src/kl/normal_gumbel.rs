//! Normal ‖ Gumbel: the regulariser of VQ-Diff.

use std::f64::consts::LN_2;

use ndarray::ArrayD;

use super::{KlDivergence, KlGrad, log_ratio, pair};
use crate::elementwise;
use crate::location_scale::standardised;
use crate::special::HALF_LOG_TWO_PI;
use crate::{Error, Gumbel, LocationScaleGrad, Normal, Real};

/// ```text
/// log(β/σ) − ½ log 2π − ½ + δ + e^(σ²/(2β²) − δ),   δ = (μ − m)/β
/// ```
/// for p = N(μ, σ²) and q = Gumbel(m, β).
///
/// Source: VQ-Diff paper, last line of the KL derivation, for μ = m = 0; extended to any locations here. The line before
/// it has a wrong sign [errata 001-1], and the Gumbel of location 0 has mean γβ, not 0 [errata 001-2].
///
/// The exponential overflows for σ ≫ β: the divergence is then +∞ and [`log_kl`](Normal::log_kl) stays finite.
impl<F: Real> KlDivergence<Gumbel<F>> for Normal<F> {
    type Value = ArrayD<F>;
    type Grad = KlGrad<LocationScaleGrad<F>, LocationScaleGrad<F>>;

    fn kl(&self, q: &Gumbel<F>) -> Result<ArrayD<F>, Error> {
        pair::value(self.parameters(), q.parameters(), scalar)
    }

    fn kl_with_grad(&self, q: &Gumbel<F>) -> Result<(ArrayD<F>, Self::Grad), Error> {
        pair::with_grad(self.parameters(), q.parameters(), scalar)
    }
}

impl<F: Real> Normal<F> {
    /// log KL(`self` ‖ `q`) against a Gumbel, finite also where the divergence itself overflows.
    ///
    /// ```text
    /// σ²/(2β²) − δ once the exponential dwarfs the other terms
    /// ```
    /// Source: as the divergence.
    ///
    /// # Errors
    /// The parameters of `self` and `q` do not broadcast together.
    ///
    /// ```
    /// use variata_distributions::{Gumbel, KlDivergence, Normal};
    ///
    /// let (p, q) = (Normal::scalar(0.0, 1000.0)?, Gumbel::scalar(0.0, 1.0)?);
    /// assert_eq!(p.kl(&q)?.sum(), f64::INFINITY);
    /// assert_eq!(p.log_kl(&q)?.sum(), 500_000.0);
    /// # Ok::<(), variata_distributions::Error>(())
    /// ```
    pub fn log_kl(&self, q: &Gumbel<F>) -> Result<ArrayD<F>, Error> {
        let ([a, b], [c, d]) = (self.parameters(), q.parameters());
        let [out] = elementwise::broadcast([a, b, c, d], |parameters| {
            // Above 600 the other terms, at most |δ| + 1500, are less than u of the exponential.
            let exponent = exponent(parameters);
            let [mu, _, m, beta] = parameters;
            let value = scalar(parameters)[0];
            // Of a divergence that overflows beside such an exponential, the gap is all.
            let of_gap = || LN_2 + log_ratio(0.5 * mu - 0.5 * m, beta);
            [if exponent > 600.0 {
                exponent
            } else if value.is_finite() {
                libm::log(value)
            } else {
                of_gap()
            }]
        })?;
        Ok(out)
    }
}

/// σ²/(2β²) − δ.
fn exponent([mu, sigma, m, beta]: [f64; 4]) -> f64 {
    let s = sigma / beta;
    let exponent = 0.5 * s * s - standardised(mu, m, beta);
    // ∞ − ∞: the square, which grew from the smaller ratio, is the larger infinity.
    if exponent.is_nan() { f64::INFINITY } else { exponent }
}

/// Value and partials in μ, σ, m, β.
pub(crate) fn scalar([mu, sigma, m, beta]: [f64; 4]) -> [f64; 5] {
    let (s, d) = (sigma / beta, standardised(mu, m, beta));
    let exponent = exponent([mu, sigma, m, beta]);
    let e = libm::exp(exponent);
    if e == f64::INFINITY {
        // All partials share the exponential; its factor δ − s² in the last one is negative here.
        return [e, -e, e, e, -e];
    }
    let value = log_ratio(beta, sigma) - HALF_LOG_TWO_PI - 0.5 + (d + e);
    // 1 − e, which keeps its digits where σ and the gap are small beside β.
    let lack = -libm::expm1(exponent);
    // 0·∞ where s² overflows.
    let tilt = if e == 0.0 { 0.0 } else { e * s * s };
    let in_mu = lack / beta;
    [value, in_mu, (tilt - 1.0) / sigma, -in_mu, (1.0 - d * lack - tilt) / beta]
}
