//! DiagonalNormal ‖ MultivariateNormal, and back: the dense pair with a diagonal factor, whose logarithm stays at hand where
//! the factor itself over- or underflows.

use ndarray::{Array1, Array2, Array3};

use super::mvn_mvn::{Item, in_factor_q, stacked, sum_of_terms};
use super::{KlDivergence, KlGrad, log_ratio};
use crate::diagonal_normal::over_sigma;
use crate::linalg::{solve_lower, solve_lower_transposed};
use crate::parallel::collect;
use crate::{
    DiagonalNormal, DiagonalNormalGrad, Error, MultivariateNormal, MultivariateNormalGrad, Real, SpreadKind,
    check,
};

/// One divergence per item, in f64: the formula of MultivariateNormal ‖ MultivariateNormal with L_p = diag(σ).
impl<F: Real> KlDivergence<MultivariateNormal<F>> for DiagonalNormal<F> {
    type Value = Array1<f64>;
    type Grad = KlGrad<DiagonalNormalGrad<F>, MultivariateNormalGrad<F>>;

    fn kl(&self, q: &MultivariateNormal<F>) -> Result<Self::Value, Error> {
        check::shape("q", q.loc().shape(), self.loc().shape())?;
        Ok(collect(self.batch(), |b| diagonal_first(&Axes::of(self, b), q.item(b), false).0).into())
    }

    fn kl_with_grad(&self, q: &MultivariateNormal<F>) -> Result<(Self::Value, Self::Grad), Error> {
        check::shape("q", q.loc().shape(), self.loc().shape())?;
        let item = |b| diagonal_first(&Axes::of(self, b), q.item(b), true);
        let (value, [dp, dq]) = stacked(self.batch(), self.dim(), item);
        Ok((value, KlGrad { p: on_diagonal(dp), q: full(dq) }))
    }
}

/// One divergence per item, in f64: the formula of MultivariateNormal ‖ MultivariateNormal with L_q = diag(σ).
impl<F: Real> KlDivergence<DiagonalNormal<F>> for MultivariateNormal<F> {
    type Value = Array1<f64>;
    type Grad = KlGrad<MultivariateNormalGrad<F>, DiagonalNormalGrad<F>>;

    fn kl(&self, q: &DiagonalNormal<F>) -> Result<Self::Value, Error> {
        check::shape("q", q.loc().shape(), self.loc().shape())?;
        Ok(collect(self.batch(), |b| diagonal_second(self.item(b), &Axes::of(q, b), false).0).into())
    }

    fn kl_with_grad(&self, q: &DiagonalNormal<F>) -> Result<(Self::Value, Self::Grad), Error> {
        check::shape("q", q.loc().shape(), self.loc().shape())?;
        let item = |b| diagonal_second(self.item(b), &Axes::of(q, b), true);
        let (value, [dp, dq]) = stacked(self.batch(), self.dim(), item);
        Ok((value, KlGrad { p: full(dp), q: on_diagonal(dq) }))
    }
}

/// One item with a diagonal covariance.
struct Axes {
    loc: Vec<f64>,
    spread: Vec<f64>,
    kind: SpreadKind,
}

impl Axes {
    fn of<F: Real>(p: &DiagonalNormal<F>, b: usize) -> Self {
        let row = |x: ndarray::ArrayView2<'_, F>| x.row(b).iter().map(|x| x.to_f64()).collect();
        Self { loc: row(p.loc()), spread: row(p.spread()), kind: p.spread_kind() }
    }

    /// σ of one dimension where it is a normal number, and so is its reciprocal.
    fn sigma(&self, i: usize) -> Option<f64> {
        match self.kind {
            SpreadKind::Scale => Some(self.spread[i]),
            SpreadKind::LogVariance if self.spread[i].abs() < 1400.0 => Some(libm::exp(0.5 * self.spread[i])),
            SpreadKind::LogVariance => None,
        }
    }

    /// x/σ.
    fn over(&self, x: f64, i: usize) -> f64 {
        self.sigma(i).map_or_else(|| over_sigma(x, self.spread[i]), |sigma| x / sigma)
    }

    /// x·σ.
    fn times(&self, x: f64, i: usize) -> f64 {
        self.sigma(i).map_or_else(|| over_sigma(x, -self.spread[i]), |sigma| x * sigma)
    }

    /// log(σ/l).
    fn log_sigma_over(&self, l: f64, i: usize) -> f64 {
        self.sigma(i).map_or_else(|| 0.5 * self.spread[i] - libm::log(l), |sigma| log_ratio(sigma, l))
    }

    /// log(l/σ).
    fn log_over_sigma(&self, l: f64, i: usize) -> f64 {
        self.sigma(i).map_or_else(|| libm::log(l) - 0.5 * self.spread[i], |sigma| log_ratio(l, sigma))
    }

    /// The partial in the spread from that in log σ.
    fn in_spread(&self, in_log: f64, i: usize) -> f64 {
        match self.kind {
            SpreadKind::Scale => in_log / self.spread[i],
            SpreadKind::LogVariance => 0.5 * in_log,
        }
    }

    /// Partials in the spread as the diagonal of a matrix.
    fn diagonal(&self, in_log: impl Fn(usize) -> f64) -> Vec<f64> {
        let n = self.loc.len();
        let mut all = vec![0.0; n * n];
        for i in 0..n {
            all[i * n + i] = self.in_spread(in_log(i), i);
        }
        all
    }
}

/// Value and partials of a diagonal p; those in its spread on the diagonal.
fn diagonal_first(p: &Axes, (mq, lq): Item, with_grad: bool) -> (f64, [Item; 2]) {
    let n = mq.len();
    let mut w: Vec<f64> = p.loc.iter().zip(&mq).map(|(a, b)| a - b).collect();
    solve_lower(&lq, n, &mut w, 1);
    // L_q⁻¹(L_p − L_q); where σ is no number, the column is σ·L_q⁻¹eⱼ − eⱼ.
    let mut e: Vec<f64> = lq.iter().map(|l| -l).collect();
    for j in 0..n {
        match p.sigma(j) {
            Some(sigma) => e[j * n + j] += sigma,
            None => (0..n).for_each(|i| e[i * n + j] = f64::from(u8::from(i == j))),
        }
    }
    solve_lower(&lq, n, &mut e, n);
    for j in (0..n).filter(|&j| p.sigma(j).is_none()) {
        for i in j..n {
            e[i * n + j] = p.times(e[i * n + j], j) - f64::from(u8::from(i == j));
        }
    }
    let value = sum_of_terms(n, &e, &w, |i| p.log_sigma_over(lq[i * n + i], i));
    if !with_grad {
        return (value, Default::default());
    }
    let mut pulled = e.clone();
    solve_lower_transposed(&lq, n, &mut pulled, n);
    let spread = p.diagonal(|i| p.times(pulled[i * n + i], i) + e[i * n + i]);
    let dlq = in_factor_q(n, &lq, &e, &w);
    solve_lower_transposed(&lq, n, &mut w, 1);
    let negative = w.iter().map(|x| -x).collect();
    (value, [(w, spread), (negative, dlq)])
}

/// Value and partials of a diagonal q; those in its spread on the diagonal.
///
/// ```text
/// ∂log σ_q = −(2Eᵢᵢ + Σⱼ Eᵢⱼ² + wᵢ²)
/// ```
fn diagonal_second((mp, lp): Item, q: &Axes, with_grad: bool) -> (f64, [Item; 2]) {
    let n = mp.len();
    let w: Vec<f64> = (0..n).map(|i| q.over(mp[i] - q.loc[i], i)).collect();
    let mut e = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..i {
            e[i * n + j] = q.over(lp[i * n + j], i);
        }
        let l = lp[i * n + i];
        e[i * n + i] = q.sigma(i).map_or_else(|| q.over(l, i) - 1.0, |sigma| (l - sigma) / sigma);
    }
    let value = sum_of_terms(n, &e, &w, |i| q.log_over_sigma(lp[i * n + i], i));
    if !with_grad {
        return (value, Default::default());
    }
    let mut dlp = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            dlp[i * n + j] = q.over(e[i * n + j], i);
        }
        dlp[i * n + i] += e[i * n + i] / lp[i * n + i];
    }
    let spread = q.diagonal(|i| {
        let squares: f64 = e[i * n..=i * n + i].iter().map(|x| x * x).sum();
        -(2.0 * e[i * n + i] + squares + w[i] * w[i])
    });
    let slope: Vec<f64> = (0..n).map(|i| q.over(w[i], i)).collect();
    let negative = slope.iter().map(|x| -x).collect();
    (value, [(slope, dlp), (negative, spread)])
}

fn full<F: Real>((loc, tril): (Array2<f64>, Array3<f64>)) -> MultivariateNormalGrad<F> {
    MultivariateNormalGrad { loc: loc.mapv(F::from_f64), scale_tril: tril.mapv(F::from_f64) }
}

/// The partials in the spread from the diagonal.
fn on_diagonal<F: Real>((loc, tril): (Array2<f64>, Array3<f64>)) -> DiagonalNormalGrad<F> {
    let spread = Array2::from_shape_fn(loc.raw_dim(), |(b, i)| F::from_f64(tril[(b, i, i)]));
    DiagonalNormalGrad { loc: loc.mapv(F::from_f64), spread }
}
