//! Kullback–Leibler divergences.

use ndarray::{Array1, ArrayViewD};
use tch::{Kind, Tensor};
use variata_distributions::kl::KlGrad;
use variata_distributions::torch::support::{expm1mx, lend_all, log_ratio, wanted};
use variata_distributions::torch::{DiagonalNormal, KlDivergence, MultivariateNormal};
use variata_distributions::{Error, KlDivergence as _, SpreadKind, StandardMultivariateNormal, check};
use variata_torch_bridge::{Route, attach_gradient, check_floating, route, tensor_from_array};

use super::LowRankMvn;
use super::basis::squares;
use super::native::{TensorElement, in_place, kept, parameters};
use crate::LowRankMvnGrad;

/// One divergence per item → `[batch]`, f64; formulas at the native implementations. Composed, an absolute error of some
/// 10⁻¹⁵ times the sum of the terms r and log |I + PᵀD⁻¹P| remains; the covariances' part is never below 0.
impl KlDivergence for LowRankMvn {
    fn kl(&self, q: &Self) -> Result<Tensor, Error> {
        check_pair(self, q)?;
        let tensors = [&self.loc, &self.cov_factor, &self.cov_diag, &q.loc, &q.cov_factor, &q.cov_diag];
        let found = match (route(&tensors, &[]), self.loc.kind()) {
            (Route::Native, Kind::Float) => kept(native::<f32>(self, q))?,
            (Route::Native, _) => kept(native::<f64>(self, q))?,
            (Route::Composed, _) => None,
        };
        match found {
            Some(value) => Ok(value),
            None => composed(self, q),
        }
    }

    fn kl_composed(&self, q: &Self) -> Result<Tensor, Error> {
        check_pair(self, q)?;
        composed(self, q)
    }
}

/// As between two low-rank normals of which one has no columns.
impl KlDivergence<DiagonalNormal> for LowRankMvn {
    fn kl(&self, q: &DiagonalNormal) -> Result<Tensor, Error> {
        promoted(self)?.kl(&without_columns(q)?)
    }

    fn kl_composed(&self, q: &DiagonalNormal) -> Result<Tensor, Error> {
        promoted(self)?.kl_composed(&without_columns(q)?)
    }
}

/// As between two low-rank normals of which one has no columns.
impl KlDivergence<LowRankMvn> for DiagonalNormal {
    fn kl(&self, q: &LowRankMvn) -> Result<Tensor, Error> {
        without_columns(self)?.kl(&promoted(q)?)
    }

    fn kl_composed(&self, q: &LowRankMvn) -> Result<Tensor, Error> {
        without_columns(self)?.kl_composed(&promoted(q)?)
    }
}

/// From N(0, I).
impl KlDivergence<StandardMultivariateNormal> for LowRankMvn {
    fn kl(&self, _: &StandardMultivariateNormal) -> Result<Tensor, Error> {
        self.kl(&self.standard()?)
    }

    fn kl_composed(&self, _: &StandardMultivariateNormal) -> Result<Tensor, Error> {
        self.kl_composed(&self.standard()?)
    }
}

/// By way of the dense covariance: O(n³).
impl KlDivergence<MultivariateNormal> for LowRankMvn {
    fn kl(&self, q: &MultivariateNormal) -> Result<Tensor, Error> {
        self.to_dense()?.kl(q)
    }

    fn kl_composed(&self, q: &MultivariateNormal) -> Result<Tensor, Error> {
        self.to_dense()?.kl_composed(q)
    }
}

/// By way of the dense covariance: O(n³).
impl KlDivergence<LowRankMvn> for MultivariateNormal {
    fn kl(&self, q: &LowRankMvn) -> Result<Tensor, Error> {
        self.kl(&q.to_dense()?)
    }

    fn kl_composed(&self, q: &LowRankMvn) -> Result<Tensor, Error> {
        self.kl_composed(&q.to_dense()?)
    }
}

impl LowRankMvn {
    /// N(0, I) of the same size.
    fn standard(&self) -> Result<Self, Error> {
        let loc = self.loc.zeros_like();
        let factor = loc.unsqueeze(-1).narrow(2, 0, 0);
        Self::new(loc, factor, Tensor::ones(&[] as &[i64], (self.loc.kind(), self.loc.device())))
    }
}

fn check_pair(p: &LowRankMvn, q: &LowRankMvn) -> Result<(), Error> {
    check_floating(&[("p.loc", &p.loc), ("q.loc", &q.loc)])?;
    Ok(check::shape("q", &q.shape[..2], &p.shape[..2])?)
}

/// The same distribution, in f64: squares of an f32 would be rounded, or 0 or infinite.
fn without_columns(p: &DiagonalNormal) -> Result<LowRankMvn, Error> {
    let (loc, spread) = (p.loc().to_kind(Kind::Double), p.spread().to_kind(Kind::Double));
    let variance = match p.spread_kind() {
        SpreadKind::Scale => spread.square(),
        SpreadKind::LogVariance => spread.exp(),
    };
    let factor = loc.unsqueeze(-1).narrow(2, 0, 0);
    LowRankMvn::new(loc, factor, variance)
}

/// The same distribution, in f64.
fn promoted(p: &LowRankMvn) -> Result<LowRankMvn, Error> {
    let [loc, factor, diag] = [&p.loc, &p.cov_factor, &p.cov_diag].map(|t| t.to_kind(Kind::Double));
    LowRankMvn::new(loc, factor, diag)
}

fn composed(p: &LowRankMvn, q: &LowRankMvn) -> Result<Tensor, Error> {
    let (own_p, own_q) = (p.variances(), q.variances());
    let w = own_q.rsqrt();
    // Through D_q^-½: Σ_p is T + AAᵀ, Σ_q is I + BBᵀ.
    let (a, t) = (p.factor() * w.unsqueeze(-1), &own_p / &own_q);
    let gap = (p.loc.to_kind(Kind::Double) - q.loc.to_kind(Kind::Double)) * &w;
    let (of_p, of_q) = (p.basis()?, q.basis()?);
    let sum = |t: &Tensor| t.sum_dim_intlist(-1, false, Kind::Double);
    let leverage = of_q.hat()?.square().sum_dim_intlist(-1, false, Kind::Double);
    let own = sum(&(expm1mx(&log_ratio(&own_p, &own_q)) - t * leverage));
    let spread = own + squares(&of_q.rest(&a)?) + &of_q.log_det - &of_p.log_det;
    // Rounding may leave less than nothing. The value alone is raised: the derivatives at equality are those of the sum.
    let raised = &spread + (spread.clamp_min(0.0) - &spread).detach();
    Ok((raised + squares(&of_q.rest(&gap.unsqueeze(-1))?)) * 0.5)
}

fn native<F: TensorElement>(p: &LowRankMvn, q: &LowRankMvn) -> Result<Tensor, Error> {
    type Found<F> = (Array1<f64>, Option<KlGrad<LowRankMvnGrad<F>, LowRankMvnGrad<F>>>);
    let (spread_p, spread_q) = (p.spread(), q.spread());
    let inputs = [&p.loc, &p.cov_factor, &spread_p, &q.loc, &q.cov_factor, &spread_q];
    let with_grad = wanted(&inputs);
    let names = ["p.loc", "p.cov_factor", "p.cov_diag", "q.loc", "q.cov_factor", "q.cov_diag"];
    let tensors = [&p.loc, &p.cov_factor, &p.cov_diag, &q.loc, &q.cov_factor, &q.cov_diag];
    let named: [_; 6] = std::array::from_fn(|i| (names[i], tensors[i]));
    let (value, grad) =
        lend_all(named, |[a, b, c, d, e, f]: [ArrayViewD<'_, F>; 6]| -> Result<Found<F>, Error> {
            let (p, q) = (parameters(a, b, c)?, parameters(d, e, f)?);
            if !with_grad {
                return Ok((p.kl(&q)?, None));
            }
            let (value, grad) = p.kl_with_grad(&q)?;
            Ok((value, Some(grad)))
        })??;
    let value = tensor_from_array(value)?;
    let Some(KlGrad { p, q }) = grad else { return Ok(value) };
    let mut grads = Vec::with_capacity(inputs.len());
    for LowRankMvnGrad { loc, cov_factor, cov_diag } in [p, q] {
        grads.extend([tensor_from_array(loc)?, in_place(cov_factor)?, tensor_from_array(cov_diag)?]);
    }
    let parts: Vec<(&Tensor, Tensor)> = inputs.into_iter().zip(grads).collect();
    Ok(attach_gradient("kl of low-rank normals", value, &parts)?)
}
