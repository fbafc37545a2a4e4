//! Closed-form gradients of the log-density, the entropy and the Mahalanobis distance.

use ndarray::{Array1, Array2, Array3, ArrayRef2};
use variata_distributions::Real;
use variata_distributions::linalg::dot;

use crate::density::Evaluated;
use crate::factorisation::Solution;
use crate::slopes::{ENTROPY, LOG_PROB, MAHALANOBIS, Parts};
use crate::storage::Storage;
use crate::{Error, LowRankMvn};

/// Partial derivatives of a number per item in the parameters of a [`LowRankMvn`].
#[derive(Debug, Clone, PartialEq)]
pub struct LowRankMvnGrad<F> {
    /// In the factor, [batch, n, r], in the memory layout of the factor.
    pub cov_factor: Array3<F>,
    /// In the diagonal, [batch, n]: one per entry, also where a number or a vector was given. Sum over what was repeated.
    pub cov_diag: Array2<F>,
}

/// Partial derivatives of [`LowRankMvn::log_prob`] and [`LowRankMvn::mahalanobis`].
#[derive(Debug, Clone, PartialEq)]
pub struct LowRankMvnLogProbGrad<F> {
    /// In the point, [batch, n].
    pub x: Array2<F>,
    /// In the location, [batch, n]: minus that in the point.
    pub loc: Array2<F>,
    /// In the factor, [batch, n, r], in the memory layout of the factor.
    pub cov_factor: Array3<F>,
    /// In the diagonal, [batch, n]; see [`LowRankMvnGrad::cov_diag`].
    pub cov_diag: Array2<F>,
}

/// Log-density and entropy with their gradients, see [`LowRankMvn::log_prob_and_entropy_with_grad`].
#[derive(Debug, Clone, PartialEq)]
pub struct LogProbAndEntropy<F> {
    /// Log-density of each row, `[batch]`.
    pub log_prob: Array1<f64>,
    /// Its partial derivatives.
    pub log_prob_grad: LowRankMvnLogProbGrad<F>,
    /// Entropy of each item, `[batch]`.
    pub entropy: Array1<f64>,
    /// Its partial derivatives.
    pub entropy_grad: LowRankMvnGrad<F>,
}

impl<F: Real, S: Storage> LowRankMvn<'_, F, S> {
    /// [`log_prob`](Self::log_prob) and its partial derivatives.
    ///
    /// ```text
    /// α = D⁻¹(x − μ − Pz) = Σ⁻¹(x − μ):   ∂x = −α,   ∂μ = α,
    /// ∂P = α·zᵀ − D⁻¹PC⁻¹,   ∂D = ½ (α² − (1 − h)/d),   h = diag(D^-½PC⁻¹PᵀD^-½)
    /// ```
    /// Derived from ∂ log p = ½ ⟨ααᵀ − Σ⁻¹, ∂Σ⟩ with Σ⁻¹P = D⁻¹PC⁻¹ and Pᵀα = z. Results of `f32` parameters have relative
    /// error ≤ 10⁻⁵ in norm.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn log_prob_with_grad(
        &self,
        x: &ArrayRef2<F>,
    ) -> Result<(Array1<f64>, LowRankMvnLogProbGrad<F>), Error> {
        let (found, loc, [grad]) = self.slopes_at(x, [LOG_PROB])?;
        let value = found.iter().map(|found| self.log_density(found.q, &found.factorised)).collect();
        Ok((value, point_grad(loc, LOG_PROB, grad)))
    }

    /// [`mahalanobis`](Self::mahalanobis) and its partial derivatives 2α, −2α, −2αzᵀ and −α², see
    /// [`log_prob_with_grad`](Self::log_prob_with_grad).
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn mahalanobis_with_grad(
        &self,
        x: &ArrayRef2<F>,
    ) -> Result<(Array1<f64>, LowRankMvnLogProbGrad<F>), Error> {
        let (found, loc, [grad]) = self.slopes_at(x, [MAHALANOBIS])?;
        Ok((found.iter().map(|found| found.q).collect(), point_grad(loc, MAHALANOBIS, grad)))
    }

    /// [`entropy`](Self::entropy) and its partial derivatives D⁻¹PC⁻¹ and ½ (1 − h)/d, see
    /// [`log_prob_with_grad`](Self::log_prob_with_grad).
    ///
    /// # Errors
    /// As [`entropy`](Self::entropy).
    pub fn entropy_with_grad(&self) -> Result<(Array1<f64>, LowRankMvnGrad<F>), Error> {
        let found = self.factorise(None)?;
        let (_, _, [grad]) = self.slopes(None, &found, [ENTROPY]);
        Ok((found.iter().map(|(factorised, _)| self.entropy_of(factorised)).collect(), grad))
    }

    /// Log-density and entropy and the gradients of both, in two passes over the factor: what a training step needs that
    /// holds the entropy at a target (SOS-VAE paper, section 3).
    ///
    /// ```
    /// use ndarray::{Array3, array};
    /// use variata_lowrank_mvn::LowRankMvn;
    ///
    /// let p = LowRankMvn::new(array![[0.0, 0.0]], Array3::from_elem((1, 2, 1), 3.0), 1.0)?;
    /// let both = p.log_prob_and_entropy_with_grad(&array![[1.0, 2.0]])?;
    /// assert_eq!(both.entropy, p.entropy()?);
    /// # Ok::<(), variata_lowrank_mvn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn log_prob_and_entropy_with_grad(&self, x: &ArrayRef2<F>) -> Result<LogProbAndEntropy<F>, Error> {
        let (found, loc, [log_prob_grad, entropy_grad]) = self.slopes_at(x, [LOG_PROB, ENTROPY])?;
        Ok(LogProbAndEntropy {
            log_prob: found.iter().map(|found| self.log_density(found.q, &found.factorised)).collect(),
            log_prob_grad: point_grad(loc, LOG_PROB, log_prob_grad),
            entropy: found.iter().map(|found| self.entropy_of(&found.factorised)).collect(),
            entropy_grad,
        })
    }

    /// What was found at each row of `x`, α, and the gradients that are wanted.
    fn slopes_at<const N: usize>(
        &self,
        x: &ArrayRef2<F>,
        wanted: [Parts; N],
    ) -> Result<(Vec<Evaluated>, Array2<F>, [LowRankMvnGrad<F>; N]), Error> {
        self.check_point(x)?;
        let gap = self.gap(x);
        let found = self.factorise(Some(&gap))?;
        let (squares, alpha, grads) = self.slopes(Some(&gap), &found, wanted);
        let tasks = squares.len() / found.len().max(1);
        let found = found.into_iter().enumerate().map(|(b, (factorised, Solution { z, q }))| {
            let residual: f64 = squares[b * tasks..(b + 1) * tasks].iter().sum();
            let q = q.unwrap_or_else(|| residual + dot(&z, &z));
            Evaluated { factorised, q }
        });
        Ok((found.collect(), alpha, grads))
    }
}

fn point_grad<F: Real>(alpha: Array2<F>, parts: Parts, grad: LowRankMvnGrad<F>) -> LowRankMvnLogProbGrad<F> {
    let scaled = |factor: f64| alpha.mapv(|a| F::from_f64(factor * a.to_f64()));
    let x = scaled(-parts.outer);
    let loc = if parts.outer == 1.0 { alpha } else { scaled(parts.outer) };
    LowRankMvnLogProbGrad { x, loc, cov_factor: grad.cov_factor, cov_diag: grad.cov_diag }
}
