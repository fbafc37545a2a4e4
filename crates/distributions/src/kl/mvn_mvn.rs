//! MultivariateNormal ‖ MultivariateNormal.

use ndarray::{Array1, Array2, Array3, Ix2, Ix3};

use super::{KlDivergence, KlGrad, log_ratio};
use crate::elementwise::shaped;
use crate::linalg::{product, solve_lower, solve_lower_transposed, transposed};
use crate::parallel::collect;
use crate::special::log1pmx;
use crate::sums::sum;
use crate::{Error, MultivariateNormal, MultivariateNormalGrad, Real, check};

/// One divergence per item, in f64.
///
/// ```text
/// E = L_q⁻¹(L_p − L_q),   w = L_q⁻¹(μ_p − μ_q)
/// ½ [Σᵢⱼ Eᵢⱼ² + ‖w‖²] + Σᵢ −(log(1 + Eᵢᵢ) − Eᵢᵢ)
/// ```
/// Derived in docs/src/theory/kl.md from ½[log|Σ_q|/|Σ_p| − n + tr(Σ_q⁻¹Σ_p) + ‖w‖²], whose printed form in
/// the tutorial is wrong (erratum 000-1). I + E is triangular, so every term is ≥ 0.
impl<F: Real> KlDivergence<MultivariateNormal<F>> for MultivariateNormal<F> {
    type Value = Array1<f64>;
    type Grad = KlGrad<MultivariateNormalGrad<F>, MultivariateNormalGrad<F>>;

    fn kl(&self, q: &MultivariateNormal<F>) -> Result<Self::Value, Error> {
        check::shape("q", q.loc().shape(), self.loc().shape())?;
        Ok(collect(self.batch(), |b| dense(self.dim(), self.item(b), q.item(b), false).0).into())
    }

    fn kl_with_grad(&self, q: &MultivariateNormal<F>) -> Result<(Self::Value, Self::Grad), Error> {
        check::shape("q", q.loc().shape(), self.loc().shape())?;
        let (value, [p, q]) = batched(self.batch(), self.dim(), |b| (self.item(b), q.item(b)));
        let round = |(loc, tril): (Array2<f64>, Array3<f64>)| MultivariateNormalGrad {
            loc: loc.mapv(F::from_f64),
            scale_tril: tril.mapv(F::from_f64),
        };
        Ok((value, KlGrad { p: round(p), q: round(q) }))
    }
}

/// Mean and row-major Cholesky factor.
pub(super) type Item = (Vec<f64>, Vec<f64>);

/// [`dense`] of each item, stacked: the values, and per side the partials in the mean and in the factor.
pub(super) fn batched(
    batch: usize,
    n: usize,
    item: impl Fn(usize) -> (Item, Item) + Sync + Send,
) -> (Array1<f64>, [(Array2<f64>, Array3<f64>); 2]) {
    stacked(batch, n, |b| {
        let (p, q) = item(b);
        dense(n, p, q, true)
    })
}

/// Values and partials of the items, stacked.
pub(super) fn stacked(
    batch: usize,
    n: usize,
    item: impl Fn(usize) -> (f64, [Item; 2]) + Sync + Send,
) -> (Array1<f64>, [(Array2<f64>, Array3<f64>); 2]) {
    let items = collect(batch, item);
    let stacked = |side: usize| {
        let (locs, trils): (Vec<&[f64]>, Vec<&[f64]>) =
            items.iter().map(|(_, sides)| (&sides[side].0[..], &sides[side].1[..])).unzip();
        (shaped(Ix2(batch, n), locs.concat()), shaped(Ix3(batch, n, n), trils.concat()))
    };
    (items.iter().map(|(value, _)| *value).collect(), [stacked(0), stacked(1)])
}

/// The divergence and, if asked for, the partials in (μ, L) of both sides.
///
/// ```text
/// ∂μ_p = L_q⁻ᵀw = −∂μ_q
/// ∂L_p = tril(L_q⁻ᵀE) + diag(Eᵢᵢ/(L_p)ᵢᵢ)
/// ∂L_q = −tril(L_q⁻ᵀ(E + Eᵀ + EEᵀ + wwᵀ))
/// ```
/// The identity parts of both matrix gradients have been cancelled by hand, so that they too keep their digits next
/// to equality.
pub(super) fn dense(n: usize, p: Item, q: Item, with_grad: bool) -> (f64, [Item; 2]) {
    let ((mp, lp), (mq, lq)) = (p, q);
    let mut w: Vec<f64> = mp.iter().zip(&mq).map(|(a, b)| a - b).collect();
    solve_lower(&lq, n, &mut w, 1);
    let mut e: Vec<f64> = lp.iter().zip(&lq).map(|(a, b)| a - b).collect();
    solve_lower(&lq, n, &mut e, n);
    let value = sum_of_terms(n, &e, &w, |i| log_ratio(lp[i * n + i], lq[i * n + i]));
    if !with_grad {
        return (value, Default::default());
    }
    let mut dlp = e.clone();
    solve_lower_transposed(&lq, n, &mut dlp, n);
    for i in 0..n {
        dlp[i * n + i] += e[i * n + i] / lp[i * n + i];
        dlp[i * n + i + 1..(i + 1) * n].fill(0.0);
    }
    let dlq = in_factor_q(n, &lq, &e, &w);
    solve_lower_transposed(&lq, n, &mut w, 1);
    let negative = w.iter().map(|x| -x).collect();
    (value, [(w, dlp), (negative, dlq)])
}

/// The divergence of E and w; `log_ratio(i)` is log((L_p)ᵢᵢ/(L_q)ᵢᵢ).
pub(super) fn sum_of_terms(n: usize, e: &[f64], w: &[f64], log_ratio: impl Fn(usize) -> f64) -> f64 {
    let squares = sum(e.iter().chain(w).map(|x| x * x));
    let determinant = |i: usize| {
        let excess = e[i * n + i];
        // Towards −1 the sum 1 + E has lost the digits of a ratio that is small.
        if excess < -0.5 { excess - log_ratio(i) } else { -log1pmx(excess) }
    };
    0.5 * squares + sum((0..n).map(determinant))
}

/// ∂L_q of [`dense`].
pub(super) fn in_factor_q(n: usize, lq: &[f64], e: &[f64], w: &[f64]) -> Vec<f64> {
    let et = transposed(e, n);
    let mut dlq = product(e, &et, n);
    for i in 0..n {
        for j in 0..n {
            dlq[i * n + j] += e[i * n + j] + et[i * n + j] + w[i] * w[j];
        }
    }
    solve_lower_transposed(lq, n, &mut dlq, n);
    for i in 0..n {
        for x in &mut dlq[i * n..=i * n + i] {
            *x = -*x;
        }
        dlq[i * n + i + 1..(i + 1) * n].fill(0.0);
    }
    dlq
}
