//! Kullback–Leibler divergences, linear in n.

use ndarray::{Array1, Array2, Array3, Axis};
use variata_distributions::kl::{KlGrad, StandardMultivariateNormal};
use variata_distributions::parallel::collect;
use variata_distributions::{
    ArgumentError, DiagonalNormal, DiagonalNormalGrad, KlDivergence, MultivariateNormal,
    MultivariateNormalGrad, Real, SpreadKind, check,
};

use crate::kl_dense::{self, Dense, number, numbers};
use crate::kl_pair::{Pair, Sides};
use crate::storage::Storage;
use crate::{Error, LowRankMvn};

/// Partial derivatives of a number per item in all parameters of a [`LowRankMvn`].
#[derive(Debug, Clone, PartialEq)]
pub struct LowRankMvnGrad<F> {
    /// In the location, [batch, n].
    pub loc: Array2<F>,
    /// In the factor, [batch, n, r].
    pub cov_factor: Array3<F>,
    /// In the diagonal, [batch, n]: one per entry, also where a number or a vector was given.
    pub cov_diag: Array2<F>,
}

type Refused = variata_distributions::Error;

/// One divergence per item, in f64, in O(n r²).
///
/// ```text
/// ½ [tr(Σ_q⁻¹Σ_p) − n + log(|Σ_q|/|Σ_p|) + (μ_p − μ_q)ᵀΣ_q⁻¹(μ_p − μ_q)]
/// ```
/// Where the terms nearly cancel, as a sum of terms of second order in the difference of the two distributions: derived in
/// docs/src/theory/lowrank-mvn.md. Exactly 0 at equality.
///
/// Gradients: ∂μ_p = Σ_q⁻¹(μ_p − μ_q), ∂Σ_p = ½(Σ_q⁻¹ − Σ_p⁻¹), ∂Σ_q = ½(Σ_q⁻¹ − Σ_q⁻¹(Σ_p + δδᵀ)Σ_q⁻¹), of which the factors
/// see 2·∂Σ·P and the diagonals the diagonal, in terms of the size of Σ_p − Σ_q: Σ_q⁻¹ − Σ_p⁻¹ = Σ_q⁻¹(Σ_p − Σ_q)Σ_p⁻¹.
///
/// Numerics: where a row alone determines a direction (a leverage near 1), the divergence has an error of some u·‖pᵢ‖²/dᵢ nats, u = 2⁻⁵³, and
/// gradients in that row one of u·‖pᵢ‖²/dᵢ, or of its diagonal up to u·(‖pᵢ‖²/dᵢ)², of their size where the diagonals of both sides differ there; a
/// divergence of which nothing is known is an error. For few dimensions a dense side, [`scale_tril`](LowRankMvn::scale_tril), has none of this.
impl<F: Real, S: Storage, T: Storage> KlDivergence<LowRankMvn<'_, F, T>> for LowRankMvn<'_, F, S> {
    type Value = Array1<f64>;
    type Grad = KlGrad<LowRankMvnGrad<F>, LowRankMvnGrad<F>>;

    fn kl(&self, q: &LowRankMvn<'_, F, T>) -> Result<Self::Value, Refused> {
        Ok(kl_of(self, q, false)?.0)
    }

    fn kl_with_grad(&self, q: &LowRankMvn<'_, F, T>) -> Result<(Self::Value, Self::Grad), Refused> {
        let (value, sides) = kl_of(self, q, true)?;
        let (p, q) = stacked(&sides, self.loc.dim(), self.rank(), q.rank());
        Ok((value, KlGrad { p, q }))
    }
}

/// One divergence per item, as between two low-rank normals of which the second has no columns.
impl<F: Real + Storage, S: Storage> KlDivergence<DiagonalNormal<F>> for LowRankMvn<'_, F, S> {
    type Value = Array1<f64>;
    type Grad = KlGrad<LowRankMvnGrad<F>, DiagonalNormalGrad<F>>;

    fn kl(&self, q: &DiagonalNormal<F>) -> Result<Self::Value, Refused> {
        Ok(kl_of(&self.promoted(), &from_diagonal(q)?, false)?.0)
    }

    fn kl_with_grad(&self, q: &DiagonalNormal<F>) -> Result<(Self::Value, Self::Grad), Refused> {
        let (value, sides) = kl_of(&self.promoted(), &from_diagonal(q)?, true)?;
        let p = side_of(sides.iter().map(|sides| &sides.p), self.loc.dim(), self.rank());
        let grad: LowRankMvnGrad<f64> = side_of(sides.iter().map(|sides| &sides.q), self.loc.dim(), 0);
        Ok((value, KlGrad { p, q: on_spread(q, &grad) }))
    }
}

/// One divergence per item, as between two low-rank normals of which the first has no columns.
impl<F: Real + Storage, S: Storage> KlDivergence<LowRankMvn<'_, F, S>> for DiagonalNormal<F> {
    type Value = Array1<f64>;
    type Grad = KlGrad<DiagonalNormalGrad<F>, LowRankMvnGrad<F>>;

    fn kl(&self, q: &LowRankMvn<'_, F, S>) -> Result<Self::Value, Refused> {
        Ok(kl_of(&from_diagonal(self)?, &q.promoted(), false)?.0)
    }

    fn kl_with_grad(&self, q: &LowRankMvn<'_, F, S>) -> Result<(Self::Value, Self::Grad), Refused> {
        let (value, sides) = kl_of(&from_diagonal(self)?, &q.promoted(), true)?;
        let grad: LowRankMvnGrad<f64> = side_of(sides.iter().map(|sides| &sides.p), q.loc.dim(), 0);
        let q = side_of(sides.iter().map(|sides| &sides.q), q.loc.dim(), q.rank());
        Ok((value, KlGrad { p: on_spread(self, &grad), q }))
    }
}

/// One divergence per item from N(0, I).
impl<F: Real + Storage, S: Storage> KlDivergence<StandardMultivariateNormal> for LowRankMvn<'_, F, S> {
    type Value = Array1<f64>;
    type Grad = LowRankMvnGrad<F>;

    fn kl(&self, _: &StandardMultivariateNormal) -> Result<Self::Value, Refused> {
        Ok(kl_of(self, &self.standard()?, false)?.0)
    }

    fn kl_with_grad(&self, _: &StandardMultivariateNormal) -> Result<(Self::Value, Self::Grad), Refused> {
        let (value, KlGrad { p, .. }) = self.kl_with_grad(&self.standard()?)?;
        Ok((value, p))
    }
}

/// One divergence per item. The dense side costs O(n³).
impl<F: Real, S: Storage> KlDivergence<MultivariateNormal<F>> for LowRankMvn<'_, F, S> {
    type Value = Array1<f64>;
    type Grad = KlGrad<LowRankMvnGrad<F>, MultivariateNormalGrad<F>>;

    fn kl(&self, q: &MultivariateNormal<F>) -> Result<Self::Value, Refused> {
        check::shape("q", q.loc().shape(), self.loc.shape())?;
        let found = collect(self.batch(), |b| {
            kl_dense::kl(b, &Dense::of(self, b)?, &Dense::of_dense(q, b), false).map(|(value, _)| value)
        });
        Ok(found.into_iter().collect::<Result<_, _>>()?)
    }

    fn kl_with_grad(&self, q: &MultivariateNormal<F>) -> Result<(Self::Value, Self::Grad), Refused> {
        check::shape("q", q.loc().shape(), self.loc.shape())?;
        let found = collect(self.batch(), |b| {
            let (p, q) = (Dense::of(self, b)?, Dense::of_dense(q, b));
            let (value, sides) = kl_dense::kl(b, &p, &q, true)?;
            Ok((value, sides.p, kl_dense::of_tril(sides.q)))
        });
        let found = found.into_iter().collect::<Result<Vec<_>, Error>>()?;
        let p = side_of(found.iter().map(|(_, side, _)| side), self.loc.dim(), self.rank());
        let q = dense_of(found.iter().map(|(.., side)| side), self.loc.dim());
        Ok((found.iter().map(|found| found.0).collect(), KlGrad { p, q }))
    }
}

/// One divergence per item. The dense side costs O(n³).
impl<F: Real, S: Storage> KlDivergence<LowRankMvn<'_, F, S>> for MultivariateNormal<F> {
    type Value = Array1<f64>;
    type Grad = KlGrad<MultivariateNormalGrad<F>, LowRankMvnGrad<F>>;

    fn kl(&self, q: &LowRankMvn<'_, F, S>) -> Result<Self::Value, Refused> {
        check::shape("q", q.loc.shape(), self.loc().shape())?;
        let found = collect(self.batch(), |b| {
            kl_dense::kl(b, &Dense::of_dense(self, b), &Dense::of(q, b)?, false).map(|(value, _)| value)
        });
        Ok(found.into_iter().collect::<Result<_, _>>()?)
    }

    fn kl_with_grad(&self, q: &LowRankMvn<'_, F, S>) -> Result<(Self::Value, Self::Grad), Refused> {
        check::shape("q", q.loc.shape(), self.loc().shape())?;
        let found = collect(self.batch(), |b| {
            let (p, q) = (Dense::of_dense(self, b), Dense::of(q, b)?);
            let (value, sides) = kl_dense::kl(b, &p, &q, true)?;
            Ok((value, kl_dense::of_tril(sides.p), sides.q))
        });
        let found = found.into_iter().collect::<Result<Vec<_>, Error>>()?;
        let p = dense_of(found.iter().map(|(_, side, _)| side), q.loc.dim());
        let q = side_of(found.iter().map(|(.., side)| side), q.loc.dim(), q.rank());
        Ok((found.iter().map(|found| found.0).collect(), KlGrad { p, q }))
    }
}

impl<F: Real, S: Storage> LowRankMvn<'_, F, S> {
    /// The same distribution with location and diagonal in f64; the factor is borrowed.
    fn promoted(&self) -> LowRankMvn<'_, f64, S> {
        LowRankMvn {
            loc: self.loc.mapv(Real::to_f64).into(),
            cov_factor: self.cov_factor.view().into(),
            cov_diag: self.cov_diag.promoted(),
        }
    }
}

impl<F: Real + Storage, S: Storage> LowRankMvn<'_, F, S> {
    /// N(0, I) of the same size, as a low-rank normal without columns.
    fn standard(&self) -> Result<LowRankMvn<'static, F>, Error> {
        let (batch, n) = self.loc.dim();
        LowRankMvn::new(
            Array2::from_elem((batch, n), F::ZERO),
            Array3::from_elem((batch, n, 0), F::ZERO),
            F::ONE,
        )
    }
}

fn kl_of<F: Real, S: Storage, T: Storage>(
    p: &LowRankMvn<'_, F, S>,
    q: &LowRankMvn<'_, F, T>,
    with_grad: bool,
) -> Result<(Array1<f64>, Vec<Sides>), Error> {
    check::shape("q", q.loc.shape(), p.loc.shape())?;
    let found = if p.dim() <= p.rank().max(q.rank()) {
        collect(p.batch(), |b| kl_dense::kl(b, &Dense::of(p, b)?, &Dense::of(q, b)?, with_grad))
    } else {
        let (of_p, of_q) = (p.factorise(None)?, q.factorise(None)?);
        collect(p.batch(), |b| {
            let pair = Pair::new(p.item(b), q.item(b), &of_p[b].0, &of_q[b].0);
            let value = number(b, pair.kl()?)?;
            Ok((value, if with_grad { numbers(b, pair.slopes())? } else { Sides::default() }))
        })
    };
    let found = found.into_iter().collect::<Result<Vec<_>, Error>>()?;
    Ok((found.iter().map(|found| found.0).collect(), found.into_iter().map(|found| found.1).collect()))
}

/// Gradients in one item's location, factor (row-major n×r) and diagonal.
pub(crate) type Side = (Vec<f64>, Vec<f64>, Vec<f64>);

fn stacked<F: Real>(
    sides: &[Sides],
    shape: (usize, usize),
    rank_p: usize,
    rank_q: usize,
) -> (LowRankMvnGrad<F>, LowRankMvnGrad<F>) {
    (
        side_of(sides.iter().map(|sides| &sides.p), shape, rank_p),
        side_of(sides.iter().map(|sides| &sides.q), shape, rank_q),
    )
}

fn side_of<'s, F: Real>(
    sides: impl Iterator<Item = &'s Side>,
    (batch, n): (usize, usize),
    r: usize,
) -> LowRankMvnGrad<F> {
    let mut grad = LowRankMvnGrad {
        loc: Array2::from_elem((batch, n), F::ZERO),
        cov_factor: Array3::from_elem((batch, n, r), F::ZERO),
        cov_diag: Array2::from_elem((batch, n), F::ZERO),
    };
    for (b, (loc, factor, diag)) in sides.enumerate() {
        grad.loc.row_mut(b).iter_mut().zip(loc).for_each(|(to, v)| *to = F::from_f64(*v));
        grad.cov_factor
            .index_axis_mut(Axis(0), b)
            .iter_mut()
            .zip(factor)
            .for_each(|(to, v)| *to = F::from_f64(*v));
        grad.cov_diag.row_mut(b).iter_mut().zip(diag).for_each(|(to, v)| *to = F::from_f64(*v));
    }
    grad
}

fn dense_of<'s, F: Real>(
    sides: impl Iterator<Item = &'s (Vec<f64>, Vec<f64>)>,
    (batch, n): (usize, usize),
) -> MultivariateNormalGrad<F> {
    let mut grad = MultivariateNormalGrad {
        loc: Array2::from_elem((batch, n), F::ZERO),
        scale_tril: Array3::from_elem((batch, n, n), F::ZERO),
    };
    for (b, (loc, tril)) in sides.enumerate() {
        grad.loc.row_mut(b).iter_mut().zip(loc).for_each(|(to, v)| *to = F::from_f64(*v));
        grad.scale_tril
            .index_axis_mut(Axis(0), b)
            .iter_mut()
            .zip(tril)
            .for_each(|(to, v)| *to = F::from_f64(*v));
    }
    grad
}

/// The same distribution, without columns. Its variances are f64: the squares of an f32 would be rounded.
fn from_diagonal<F: Real + Storage>(p: &DiagonalNormal<F>) -> Result<LowRankMvn<'static, f64>, Error> {
    let (batch, n) = (p.batch(), p.dim());
    let variances = deviations(p).mapv(|v| v * v);
    let argument = match p.spread_kind() {
        SpreadKind::Scale => "scale",
        SpreadKind::LogVariance => "log_variance",
    };
    if let Some(at) = variances.iter().position(|v| !(*v > 0.0 && v.is_finite())) {
        let value = p.spread().iter().nth(at).map_or(f64::NAN, |s| Real::to_f64(*s));
        let must = "such that the variance is > 0 and finite in f64";
        return Err(ArgumentError::Value { argument, index: Some(at), value, must }.into());
    }
    LowRankMvn::new(p.loc().mapv(Real::to_f64), Array3::zeros((batch, n, 0)), variances)
}

/// Standard deviations in f64.
fn deviations<F: Real>(p: &DiagonalNormal<F>) -> Array2<f64> {
    p.spread().mapv(|s| match p.spread_kind() {
        SpreadKind::Scale => s.to_f64(),
        SpreadKind::LogVariance => libm::exp(0.5 * s.to_f64()),
    })
}

/// From partials in σ² to those in the spread as it was given.
fn on_spread<F: Real>(p: &DiagonalNormal<F>, grad: &LowRankMvnGrad<f64>) -> DiagonalNormalGrad<F> {
    let sigma = deviations(p);
    let spread = |at: (usize, usize)| {
        let (slope, sigma) = (grad.cov_diag[at], sigma[at]);
        F::from_f64(match p.spread_kind() {
            SpreadKind::Scale => 2.0 * sigma * slope,
            SpreadKind::LogVariance => sigma * sigma * slope,
        })
    };
    DiagonalNormalGrad {
        loc: grad.loc.mapv(F::from_f64),
        spread: Array2::from_shape_fn(grad.loc.raw_dim(), spread),
    }
}
