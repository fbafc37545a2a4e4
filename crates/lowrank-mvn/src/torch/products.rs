//! The covariance and its inverse, applied and written out; principal components.

use tch::{Kind, Tensor};
use variata_distributions::torch::MultivariateNormal;
use variata_distributions::torch::support::{refused, same_size, size};
use variata_distributions::{ArgumentError, Error};
use variata_torch_bridge::check_floating;

use super::LowRankMvn;

impl LowRankMvn {
    /// Σ·v for `v` [batch, n], f64.
    ///
    /// # Errors
    /// `v` has another shape, is not dense and floating-point, or lies on another device.
    pub fn covariance_times(&self, v: &Tensor) -> Result<Tensor, Error> {
        self.check("v", v)?;
        let (p, v) = (self.factor(), v.to_kind(Kind::Double));
        let low = p.matmul(&p.transpose(1, 2).matmul(&v.unsqueeze(-1))).squeeze_dim(-1);
        Ok(low + self.variances() * v)
    }

    /// Σ⁻¹·v for `v` [batch, n], f64.
    ///
    /// # Errors
    /// As [`covariance_times`](Self::covariance_times).
    pub fn precision_times(&self, v: &Tensor) -> Result<Tensor, Error> {
        self.check("v", v)?;
        let deviations = self.variances().sqrt();
        let [rest, _] = self.basis()?.rest(&(v.to_kind(Kind::Double) / &deviations).unsqueeze(-1))?;
        Ok(rest.squeeze_dim(-1) / deviations)
    }

    /// P·Pᵀ + D, [batch, n, n], f64.
    pub fn covariance_matrix(&self) -> Tensor {
        let p = self.factor();
        p.matmul(&p.transpose(1, 2)) + self.variances().diag_embed(0, -2, -1)
    }

    /// (P·Pᵀ + D)⁻¹, [batch, n, n], f64.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn precision_matrix(&self) -> Result<Tensor, Error> {
        let w = self.variances().rsqrt();
        let hat = self.basis()?.hat()? * w.unsqueeze(-1);
        Ok(w.square().diag_embed(0, -2, -1) - hat.matmul(&hat.transpose(1, 2)))
    }

    /// Lower-triangular L with L·Lᵀ = P·Pᵀ + D, [batch, n, n], f64.
    ///
    /// # Errors
    /// The covariance is indefinite to rounding.
    pub fn scale_tril(&self) -> Result<Tensor, Error> {
        Ok(self.to_dense()?.scale_tril().shallow_clone())
    }

    /// The same distribution with a dense covariance.
    pub(super) fn to_dense(&self) -> Result<MultivariateNormal, Error> {
        MultivariateNormal::from_covariance(self.loc.shallow_clone(), &self.covariance_matrix())
    }

    /// The distribution of the entries at `indices` (`Int64`, one axis), in that order.
    ///
    /// # Errors
    /// `indices` has not one axis of kind `Int64`, lies on another device, or holds a number that is not in 0, …, n − 1 (a copy
    /// to the CPU finds out), or one number twice.
    pub fn marginal(&self, indices: &Tensor) -> Result<Self, Error> {
        self.check_indices(indices)?;
        self.at(indices)
    }

    /// [`marginal`](Self::marginal) of indices that have been checked.
    pub(super) fn at(&self, indices: &Tensor) -> Result<Self, Error> {
        let last = self.cov_diag.dim() as i64 - 1;
        let cov_diag = match last {
            -1 => self.cov_diag.shallow_clone(),
            last => self.cov_diag.index_select(last, indices),
        };
        Self::new(self.loc.index_select(1, indices), self.cov_factor.index_select(1, indices), cov_diag)
    }

    /// Distinct numbers below n on the device of the distribution.
    pub(super) fn check_indices(&self, indices: &Tensor) -> Result<Vec<usize>, Error> {
        use variata_torch_bridge::Error as Bridge;
        if !indices.defined() {
            return Err(Bridge::Undefined { argument: "indices" }.into());
        }
        if indices.kind() != Kind::Int64 || indices.is_sparse() {
            let (got, want) = (indices.kind(), Kind::Int64);
            return Err(Bridge::Kind { argument: "indices", got, want }.into());
        }
        if indices.device() != self.loc.device() {
            let (got, want) = (indices.device(), self.loc.device());
            return Err(Bridge::Devices { argument: "indices", got, want }.into());
        }
        if indices.dim() != 1 {
            let want = "[count]".to_owned();
            return Err(ArgumentError::Shape { argument: "indices", got: size(indices), want }.into());
        }
        let found: Vec<i64> = Vec::try_from(indices).map_err(refused)?;
        let mut seen = vec![false; self.dim()];
        for (at, &i) in found.iter().enumerate() {
            let slot = usize::try_from(i).ok().and_then(|i| seen.get_mut(i));
            let refuse = |must| {
                let (index, value) = (Some(at), i as f64);
                Err(ArgumentError::Value { argument: "indices", index, value, must }.into())
            };
            match slot {
                None => return refuse("in 0..n"),
                Some(true) => return refuse("given once"),
                Some(slot) => *slot = true,
            }
        }
        Ok(found.into_iter().map(|i| i as usize).collect())
    }

    /// The distribution with component k of each item multiplied by `scales` [batch, min(n, r)]; components as those of
    /// [`crate::LowRankMvn::principal_components`], the factor in f64.
    ///
    /// ```text
    /// P' = P + P·V·diag(a − 1)·Vᵀ,   P = U·S·Vᵀ
    /// ```
    /// Gradients flow through P and `scales`; V is a constant, because the rotation within a set of equal components has no
    /// derivative.
    ///
    /// # Errors
    /// `scales` has another shape, is not dense and floating-point, or lies on another device; libtorch's decomposition fails.
    pub fn scale_components(&self, scales: &Tensor) -> Result<Self, Error> {
        check_floating(&[("loc", &self.loc), ("scales", scales)])?;
        same_size("scales", scales, &[self.batch(), self.dim().min(self.rank())])?;
        let factor = self.factor();
        let (_, triangle) = Tensor::f_linalg_qr(&factor.detach(), "r").map_err(refused)?;
        let (.., v) = triangle.f_svd(true, true).map_err(refused)?;
        let less = (scales.to_kind(Kind::Double) - 1.0).unsqueeze(-2);
        let turned = factor.matmul(&v) * less;
        Self::new(
            self.loc.shallow_clone(),
            &factor + turned.matmul(&v.transpose(1, 2)),
            self.cov_diag.shallow_clone(),
        )
    }
}
