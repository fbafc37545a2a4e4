//! DiagonalNormal ‖ MultivariateNormal, and back: the dense pair with a diagonal factor.

use ndarray::{Array1, Array2, Array3};

use super::mvn_mvn::{Item, batched, dense};
use super::{KlDivergence, KlGrad};
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
        Ok(collect(self.batch(), |b| dense(self.dim(), diagonal(self, b), q.item(b), false).0).into())
    }

    fn kl_with_grad(&self, q: &MultivariateNormal<F>) -> Result<(Self::Value, Self::Grad), Error> {
        check::shape("q", q.loc().shape(), self.loc().shape())?;
        let (value, [dp, dq]) = batched(self.batch(), self.dim(), |b| (diagonal(self, b), q.item(b)));
        Ok((value, KlGrad { p: on_diagonal(self, dp), q: full(dq) }))
    }
}

/// One divergence per item, in f64: the formula of MultivariateNormal ‖ MultivariateNormal with L_q = diag(σ).
impl<F: Real> KlDivergence<DiagonalNormal<F>> for MultivariateNormal<F> {
    type Value = Array1<f64>;
    type Grad = KlGrad<MultivariateNormalGrad<F>, DiagonalNormalGrad<F>>;

    fn kl(&self, q: &DiagonalNormal<F>) -> Result<Self::Value, Error> {
        check::shape("q", q.loc().shape(), self.loc().shape())?;
        Ok(collect(self.batch(), |b| dense(self.dim(), self.item(b), diagonal(q, b), false).0).into())
    }

    fn kl_with_grad(&self, q: &DiagonalNormal<F>) -> Result<(Self::Value, Self::Grad), Error> {
        check::shape("q", q.loc().shape(), self.loc().shape())?;
        let (value, [dp, dq]) = batched(self.batch(), self.dim(), |b| (self.item(b), diagonal(q, b)));
        Ok((value, KlGrad { p: full(dp), q: on_diagonal(q, dq) }))
    }
}

fn diagonal<F: Real>(p: &DiagonalNormal<F>, b: usize) -> Item {
    let n = p.dim();
    let mut factor = vec![0.0; n * n];
    for (i, &spread) in p.spread().row(b).iter().enumerate() {
        factor[i * n + i] = p.sigma(spread);
    }
    (p.loc().row(b).iter().map(|x| x.to_f64()).collect(), factor)
}

fn full<F: Real>((loc, tril): (Array2<f64>, Array3<f64>)) -> MultivariateNormalGrad<F> {
    MultivariateNormalGrad { loc: loc.mapv(F::from_f64), scale_tril: tril.mapv(F::from_f64) }
}

/// From partials in σ on the diagonal to those in the spread as it was given.
fn on_diagonal<F: Real>(
    p: &DiagonalNormal<F>,
    (loc, tril): (Array2<f64>, Array3<f64>),
) -> DiagonalNormalGrad<F> {
    let spread = Array2::from_shape_fn(loc.raw_dim(), |(b, i)| {
        let partial = tril[(b, i, i)];
        F::from_f64(match p.spread_kind() {
            SpreadKind::Scale => partial,
            SpreadKind::LogVariance => 0.5 * p.sigma(p.spread()[(b, i)]) * partial,
        })
    });
    DiagonalNormalGrad { loc: loc.mapv(F::from_f64), spread }
}
