//! DiagonalNormal ‖ DiagonalNormal.

use ndarray::{Array1, Array2};

use super::{KlDivergence, KlGrad, log_ratio};
use crate::diagonal_normal::over_sigma;
use crate::elementwise::shaped;
use crate::simd::{self, Kernel};
use crate::special::expm1mx;
use crate::{DiagonalNormal, DiagonalNormalGrad, Error, Real, SpreadKind, check};

/// One divergence per row, in f64.
///
/// ```text
/// ½ Σᵢ [eˡ − 1 − l + δ²],   l = log(σ²_p/σ²_q),  δ = (μ_p − μ_q)/σ_q
/// ```
/// Derived in docs/src/theory/distributions.md. With t = σ_p/σ_q − 1 the bracket is also t² − 2(log(1 + t) − t) + δ²,
/// which needs no logarithm of a standard deviation.
impl<F: Real> KlDivergence<DiagonalNormal<F>> for DiagonalNormal<F> {
    type Value = Array1<f64>;
    type Grad = KlGrad<DiagonalNormalGrad<F>, DiagonalNormalGrad<F>>;

    fn kl(&self, q: &DiagonalNormal<F>) -> Result<Self::Value, Error> {
        Ok(run::<F, 0>(self, q)?.0)
    }

    fn kl_with_grad(&self, q: &DiagonalNormal<F>) -> Result<(Self::Value, Self::Grad), Error> {
        let (value, [loc_p, spread_p, loc_q, spread_q]) = run::<F, 4>(self, q)?;
        Ok((
            value,
            KlGrad {
                p: DiagonalNormalGrad { loc: loc_p, spread: spread_p },
                q: DiagonalNormalGrad { loc: loc_q, spread: spread_q },
            },
        ))
    }
}

/// Chooses the kernel by how the spreads were given; `OUT` = 0 leaves the gradient out.
fn run<F: Real, const OUT: usize>(
    p: &DiagonalNormal<F>,
    q: &DiagonalNormal<F>,
) -> Result<(Array1<f64>, [Array2<F>; OUT]), Error> {
    check::shape("q", q.loc().shape(), p.loc().shape())?;
    let ([a, b], [c, d]) = (p.slices(), q.slices());
    let (rows, n, inputs) = (p.batch(), p.dim(), [a, b, c, d]);
    let (value, grads) = match (p.spread_kind(), q.spread_kind()) {
        (SpreadKind::Scale, SpreadKind::Scale) => simd::sum_rows::<FromScales, F, 4, OUT>(rows, n, inputs),
        (SpreadKind::LogVariance, SpreadKind::LogVariance) => {
            simd::sum_rows::<FromLogVariances, F, 4, OUT>(rows, n, inputs)
        }
        (SpreadKind::Scale, SpreadKind::LogVariance) => {
            simd::sum_rows::<Mixed<true>, F, 4, OUT>(rows, n, inputs)
        }
        (SpreadKind::LogVariance, SpreadKind::Scale) => {
            simd::sum_rows::<Mixed<false>, F, 4, OUT>(rows, n, inputs)
        }
    };
    Ok((value.into(), grads.map(|grad| shaped(ndarray::Ix2(rows, n), grad))))
}

/// The first `OUT` of four partials.
#[inline(always)]
fn take<const OUT: usize>(all: [f64; 4]) -> [f64; OUT] {
    std::array::from_fn(|i| all[i])
}

/// Both spreads are standard deviations.
pub(crate) struct FromScales;

impl<const OUT: usize> Kernel<4, OUT> for FromScales {
    #[inline(always)]
    fn term([mp, sp, mq, sq]: [f64; 4]) -> (f64, [f64; OUT]) {
        // One division for both reciprocals: divisions are what the loop waits for.
        let product = 1.0 / (sp * sq);
        let (over_p, over_q) = (sq * product, sp * product);
        let t = (sp - sq) * over_q;
        let delta = (mp - mq) * over_q;
        let term = 0.5 * (t * t + delta * delta) - simd::log1pmx(sp * over_q, t);
        let slope = delta * over_q;
        let excess = t * (t + 2.0);
        (term, take([slope, excess * over_p, -slope, -(excess + delta * delta) * over_q]))
    }

    #[inline(always)]
    fn rare([_, sp, _, sq]: [f64; 4]) -> bool {
        // Neither the product nor the ratio of the scales over- or underflows inside.
        !(sp > 1e-150 && sp < 1e150 && sq > 1e-150 && sq < 1e150)
    }

    fn exact([mp, sp, mq, sq]: [f64; 4]) -> (f64, [f64; OUT]) {
        let l = 2.0 * log_ratio(sp, sq);
        let delta = (mp - mq) / sq;
        let (slope, excess) = (delta / sq, libm::expm1(l));
        let term = 0.5 * (expm1mx(l) + delta * delta);
        (term, take([slope, excess / sp, -slope, -(excess + delta * delta) / sq]))
    }
}

/// Both spreads are log-variances.
pub(crate) struct FromLogVariances;

impl<const OUT: usize> Kernel<4, OUT> for FromLogVariances {
    #[inline(always)]
    fn term([mp, lp, mq, lq]: [f64; 4]) -> (f64, [f64; OUT]) {
        let (excess, rest) = simd::expm1_expm1mx(lp - lq);
        let precision = simd::exp(-lq);
        let delta = mp - mq;
        let slope = delta * precision;
        let squares = delta * slope;
        (0.5 * (rest + squares), take([slope, 0.5 * excess, -slope, -0.5 * (excess + squares)]))
    }

    #[inline(always)]
    fn rare([_, lp, _, lq]: [f64; 4]) -> bool {
        !((lp - lq).abs() < 700.0 && lq.abs() < 700.0)
    }

    fn exact([mp, lp, mq, lq]: [f64; 4]) -> (f64, [f64; OUT]) {
        let l = lp - lq;
        let delta = 2.0 * over_sigma(0.5 * mp - 0.5 * mq, lq);
        let (slope, excess) = (over_sigma(delta, lq), libm::expm1(l));
        let term = 0.5 * (expm1mx(l) + delta * delta);
        (term, take([slope, 0.5 * excess, -slope, -0.5 * (excess + delta * delta)]))
    }
}

/// One spread of each kind; `SCALE_P`: the first is the standard deviation.
struct Mixed<const SCALE_P: bool>;

impl<const SCALE_P: bool, const OUT: usize> Kernel<4, OUT> for Mixed<SCALE_P> {
    fn term(x: [f64; 4]) -> (f64, [f64; OUT]) {
        Self::exact(x)
    }

    fn rare(_: [f64; 4]) -> bool {
        false
    }

    fn exact([mp, p, mq, q]: [f64; 4]) -> (f64, [f64; OUT]) {
        let l = if SCALE_P { 2.0 * libm::log(p) - q } else { p - 2.0 * libm::log(q) };
        let over_q = |x: f64| if SCALE_P { over_sigma(x, q) } else { x / q };
        let delta = 2.0 * over_q(0.5 * mp - 0.5 * mq);
        let (slope, excess) = (over_q(delta), libm::expm1(l));
        let both = excess + delta * delta;
        let (dp, dq) = if SCALE_P { (excess / p, -0.5 * both) } else { (0.5 * excess, -both / q) };
        (0.5 * (expm1mx(l) + delta * delta), take([slope, dp, -slope, dq]))
    }
}
