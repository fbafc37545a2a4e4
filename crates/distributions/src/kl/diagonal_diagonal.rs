//! DiagonalNormal ‖ DiagonalNormal.

use ndarray::{Array1, Array2};

use super::{KlDivergence, KlGrad, log_ratio, rest_and_excess};
use crate::diagonal_normal::over_sigma;
use crate::elementwise::shaped;
use crate::location_scale::standardised;
use crate::simd::{self, Comparison, Filled, Kernel, Outputs, exp_fused, expm1_expm1mx, mul_add, take};
use crate::special::expm1mx;
use crate::{DiagonalNormal, DiagonalNormalGrad, Error, Real, SpreadKind, check};

/// One divergence per row, in f64.
///
/// ```text
/// ½ Σᵢ [eˡ − 1 − l + δ²],   l = log(σ²_p/σ²_q),  δ = (μ_p − μ_q)/σ_q
/// ```
/// Derived in docs/src/theory/kl.md. With t = σ_p/σ_q − 1 the bracket is also t² − 2(log(1 + t) − t) + δ²,
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

impl<F: Real> DiagonalNormal<F> {
    /// [`KlDivergence::kl_with_grad`] into the arrays of an earlier call, for loops in which fresh memory would cost more
    /// than the arithmetic. Nothing in them is read.
    ///
    /// # Errors
    /// The shapes of `q`, `value` or `grad` are not those of `self`, or an array is not in row-major order.
    ///
    /// ```
    /// use ndarray::array;
    /// use variata_distributions::{DiagonalNormal, KlDivergence};
    ///
    /// let p = DiagonalNormal::new(array![[1.0, 0.0]], array![[1.0, 1.0]])?;
    /// let q = DiagonalNormal::new(array![[0.0, 0.0]], array![[1.0, 1.0]])?;
    /// let (mut value, mut grad) = p.kl_with_grad(&q)?;
    /// q.kl_with_grad_into(&q, &mut value, &mut grad)?;
    /// assert_eq!(value, array![0.0]);
    /// # Ok::<(), variata_distributions::Error>(())
    /// ```
    pub fn kl_with_grad_into(
        &self,
        q: &Self,
        value: &mut Array1<f64>,
        grad: &mut KlGrad<DiagonalNormalGrad<F>, DiagonalNormalGrad<F>>,
    ) -> Result<(), Error> {
        check::shape("q", q.loc().shape(), self.loc().shape())?;
        let (rows, n) = (self.batch(), self.dim());
        let sums = simd::sums("value", value, rows)?;
        let partials = [
            simd::partials("grad.p.loc", &mut grad.p.loc, rows, n)?,
            simd::partials("grad.p.spread", &mut grad.p.spread, rows, n)?,
            simd::partials("grad.q.loc", &mut grad.q.loc, rows, n)?,
            simd::partials("grad.q.spread", &mut grad.q.spread, rows, n)?,
        ];
        fill(kinds(self, q), n, inputs(self, q), Outputs { sums, partials });
        Ok(())
    }
}

/// Value and, for `OUT` = 4, gradient in fresh memory.
fn run<F: Real, const OUT: usize>(
    p: &DiagonalNormal<F>,
    q: &DiagonalNormal<F>,
) -> Result<(Array1<f64>, [Array2<F>; OUT]), Error> {
    check::shape("q", q.loc().shape(), p.loc().shape())?;
    let (rows, n) = (p.batch(), p.dim());
    let (value, grads, _) = simd::allocate(rows, n, |outputs| fill(kinds(p, q), n, inputs(p, q), outputs));
    Ok((value.into(), grads.map(|grad| shaped(ndarray::Ix2(rows, n), grad))))
}

fn kinds<F: Real>(p: &DiagonalNormal<F>, q: &DiagonalNormal<F>) -> [SpreadKind; 2] {
    [p.spread_kind(), q.spread_kind()]
}

fn inputs<'a, F: Real>(p: &'a DiagonalNormal<F>, q: &'a DiagonalNormal<F>) -> [&'a [F]; 4] {
    let ([a, b], [c, d]) = (p.slices(), q.slices());
    [a, b, c, d]
}

/// Chooses the kernel by how the spreads were given; inputs are location and spread of both sides, row-major [rows, n].
pub(crate) fn fill<F: Real, const OUT: usize>(
    kinds: [SpreadKind; 2],
    n: usize,
    inputs: [&[F]; 4],
    outputs: Outputs<'_, F, OUT>,
) -> Filled {
    match kinds {
        [SpreadKind::Scale, SpreadKind::Scale] => simd::sum_rows::<FromScales, F, 4, OUT>(n, inputs, outputs),
        [SpreadKind::LogVariance, SpreadKind::LogVariance] => {
            simd::sum_rows::<FromLogVariances, F, 4, OUT>(n, inputs, outputs)
        }
        [SpreadKind::Scale, SpreadKind::LogVariance] => {
            simd::sum_rows::<Mixed<true>, F, 4, OUT>(n, inputs, outputs)
        }
        [SpreadKind::LogVariance, SpreadKind::Scale] => {
            simd::sum_rows::<Mixed<false>, F, 4, OUT>(n, inputs, outputs)
        }
    }
}

/// Both spreads are standard deviations.
pub(crate) struct FromScales;

impl<const OUT: usize> Kernel<4, OUT> for FromScales {
    #[inline(always)]
    fn term<const FUSED: bool>([mp, sp, mq, sq]: [f64; 4]) -> (f64, [f64; OUT]) {
        let Comparison { excess: t, log1pmx, over_a, over_b } = simd::compare::<FUSED>(sp, sq);
        let delta = (mp - mq) * over_b;
        let squares = delta * delta;
        let term = mul_add::<FUSED>(0.5, mul_add::<FUSED>(t, t, squares), -log1pmx);
        let (slope, excess) = (delta * over_b, t * (t + 2.0));
        (term, take([slope, excess * over_a, -slope, -(excess + squares) * over_b]))
    }

    #[inline(always)]
    fn rare([_, sp, _, sq]: [f64; 4]) -> bool {
        // No product of the scales over- or underflows inside.
        !(sp > 1e-100 && sp < 1e100 && sq > 1e-100 && sq < 1e100)
    }

    fn exact([mp, sp, mq, sq]: [f64; 4]) -> (f64, [f64; OUT]) {
        let l = 2.0 * log_ratio(sp, sq);
        let delta = standardised(mp, mq, sq);
        let (rest, excess) = rest_and_excess((sp / sq) * (sp / sq), l);
        let (slope, term) = (delta / sq, 0.5 * (rest + delta * delta));
        (term, take([slope, excess / sp, -slope, -(excess + delta * delta) / sq]))
    }
}

/// Both spreads are log-variances.
pub(crate) struct FromLogVariances;

impl<const OUT: usize> Kernel<4, OUT> for FromLogVariances {
    #[inline(always)]
    fn term<const FUSED: bool>([mp, lp, mq, lq]: [f64; 4]) -> (f64, [f64; OUT]) {
        let (excess, rest) = expm1_expm1mx::<FUSED>(lp - lq);
        let precision = exp_fused::<FUSED>(-lq);
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
pub(crate) struct Mixed<const SCALE_P: bool>;

impl<const SCALE_P: bool, const OUT: usize> Kernel<4, OUT> for Mixed<SCALE_P> {
    #[inline(always)]
    fn term<const FUSED: bool>([mp, p, mq, q]: [f64; 4]) -> (f64, [f64; OUT]) {
        let (sp, sq) =
            if SCALE_P { (p, exp_fused::<FUSED>(0.5 * q)) } else { (exp_fused::<FUSED>(0.5 * p), q) };
        let Comparison { excess: t, log1pmx, over_a, over_b } = simd::compare::<FUSED>(sp, sq);
        let delta = (mp - mq) * over_b;
        let squares = delta * delta;
        let term = mul_add::<FUSED>(0.5, mul_add::<FUSED>(t, t, squares), -log1pmx);
        let (slope, excess) = (delta * over_b, t * (t + 2.0));
        let both = excess + squares;
        let (dp, dq) = if SCALE_P { (excess * over_a, -0.5 * both) } else { (0.5 * excess, -both * over_b) };
        (term, take([slope, dp, -slope, dq]))
    }

    #[inline(always)]
    fn rare([_, p, _, q]: [f64; 4]) -> bool {
        let (scale, log_variance) = if SCALE_P { (p, q) } else { (q, p) };
        !(scale > 1e-100 && scale < 1e100 && log_variance.abs() < 400.0)
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
