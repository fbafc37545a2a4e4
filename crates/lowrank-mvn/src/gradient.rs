//! Closed-form gradients of the log-density, the entropy and the Mahalanobis distance.

use ndarray::{Array1, Array2, Array3, ArrayRef1, ArrayRef2, ArrayView1, Axis};
use variata_distributions::linalg::dot;
use variata_distributions::{Real, check};

use crate::density::Evaluated;
use crate::factorisation::{Factorised, Solution};
use crate::slopes::{ENTROPY, LOG_PROB, MAHALANOBIS, Parts, Target};
use crate::storage::Storage;
use crate::{Error, LowRankMvn, kernel};

/// Partial derivatives of a number per item in the parameters of a [`LowRankMvn`].
#[derive(Debug, Clone, PartialEq)]
pub struct LowRankMvnEntropyGrad<F> {
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
    /// In the diagonal, [batch, n]; see [`LowRankMvnEntropyGrad::cov_diag`].
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
    pub entropy_grad: LowRankMvnEntropyGrad<F>,
}

impl<F: Real> LowRankMvnEntropyGrad<F> {
    /// Zeros for the parameters of `p`: memory for the `_into` forms.
    pub fn zeros<S: Storage>(p: &LowRankMvn<'_, F, S>) -> Self {
        Self { cov_factor: p.like_factor(), cov_diag: Array2::from_elem(p.loc.raw_dim(), F::ZERO) }
    }

    fn check(&self, shape: (usize, usize, usize)) -> Result<(), Error> {
        let (batch, n, r) = shape;
        check::shape("grad.cov_factor", self.cov_factor.shape(), &[batch, n, r])?;
        Ok(check::shape("grad.cov_diag", self.cov_diag.shape(), &[batch, n])?)
    }

    fn target<'t>(&'t mut self, parts: &'t [Parts]) -> Target<'t, F> {
        Target { parts, cov_factor: &mut self.cov_factor, cov_diag: &mut self.cov_diag }
    }
}

impl<F: Real> LowRankMvnLogProbGrad<F> {
    /// Zeros for a point and the parameters of `p`: memory for the `_into` forms.
    pub fn zeros<S: Storage>(p: &LowRankMvn<'_, F, S>) -> Self {
        let LowRankMvnEntropyGrad { cov_factor, cov_diag } = LowRankMvnEntropyGrad::zeros(p);
        Self { x: cov_diag.clone(), loc: cov_diag.clone(), cov_factor, cov_diag }
    }

    fn check(&self, shape: (usize, usize, usize)) -> Result<(), Error> {
        let (batch, n, r) = shape;
        check::shape("grad.x", self.x.shape(), &[batch, n])?;
        check::shape("grad.loc", self.loc.shape(), &[batch, n])?;
        check::shape("grad.cov_factor", self.cov_factor.shape(), &[batch, n, r])?;
        Ok(check::shape("grad.cov_diag", self.cov_diag.shape(), &[batch, n])?)
    }

    /// From α in `loc`: what the parts make of it.
    fn finish(&mut self, parts: &[Parts]) {
        for (parts, (mut x, mut loc)) in
            parts.iter().zip(self.x.rows_mut().into_iter().zip(self.loc.rows_mut()))
        {
            ndarray::Zip::from(&mut x).and(&mut loc).for_each(|x, loc| {
                let slope = parts.outer * loc.to_f64();
                (*x, *loc) = (F::from_f64(-slope), F::from_f64(slope));
            });
        }
    }
}

impl<F: Real> LogProbAndEntropy<F> {
    /// Zeros for the parameters of `p`: memory for [`LowRankMvn::log_prob_and_entropy_with_grad_into`].
    pub fn zeros<S: Storage>(p: &LowRankMvn<'_, F, S>) -> Self {
        Self {
            log_prob: Array1::zeros(p.batch()),
            log_prob_grad: LowRankMvnLogProbGrad::zeros(p),
            entropy: Array1::zeros(p.batch()),
            entropy_grad: LowRankMvnEntropyGrad::zeros(p),
        }
    }
}

impl<F: Real, S: Storage> LowRankMvn<'_, F, S> {
    /// [`log_prob`](Self::log_prob) and its partial derivatives.
    ///
    /// ```text
    /// α = D⁻¹(x − μ − Pz) = Σ⁻¹(x − μ):   ∂x = −α,   ∂μ = α,
    /// ∂P = α·zᵀ − D⁻¹PC⁻¹,   ∂D = ½ (α² − (1 − h)/d),   h = diag(D^-½PC⁻¹PᵀD^-½)
    /// ```
    /// Derived from ∂ log p = ½ ⟨ααᵀ − Σ⁻¹, ∂Σ⟩ with Σ⁻¹P = D⁻¹PC⁻¹ and Pᵀα = z. Gradients of `f32` parameters have a
    /// relative error ≤ 10⁻⁵ in norm down to D = 10⁻¹⁰, where rows of P are of order 1 and its columns independent. Along
    /// dependent columns z and PC⁻¹ are known to u·κ², κ² = 1 + ‖D^-½P‖² and u = 2⁻⁵³, by whatever method in f64. Values do not
    /// depend on the layout of the factor, nor do gradients of `f64` parameters; those of `f32` do in their last bits, where
    /// rows of 8 elements and more that lie one after the other have a kernel of their own.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob); [`Error::Overflow`] where terms of a gradient overflow and leave no number. One that is
    /// itself too large is infinite.
    pub fn log_prob_with_grad(
        &self,
        x: &ArrayRef2<F>,
    ) -> Result<(Array1<f64>, LowRankMvnLogProbGrad<F>), Error> {
        let mut grad = LowRankMvnLogProbGrad::zeros(self);
        let found = self.slopes_at(x, &self.everywhere(LOG_PROB), &mut grad, None)?;
        Ok((self.log_densities(&found), grad))
    }

    /// [`mahalanobis`](Self::mahalanobis) and its partial derivatives 2α, −2α, −2αzᵀ and −α², see
    /// [`log_prob_with_grad`](Self::log_prob_with_grad).
    ///
    /// # Errors
    /// As [`log_prob_with_grad`](Self::log_prob_with_grad).
    pub fn mahalanobis_with_grad(
        &self,
        x: &ArrayRef2<F>,
    ) -> Result<(Array1<f64>, LowRankMvnLogProbGrad<F>), Error> {
        let mut grad = LowRankMvnLogProbGrad::zeros(self);
        let found = self.slopes_at(x, &self.everywhere(MAHALANOBIS), &mut grad, None)?;
        Ok((found.q.into(), grad))
    }

    /// [`entropy`](Self::entropy) and its partial derivatives D⁻¹PC⁻¹ and ½ (1 − h)/d, see
    /// [`log_prob_with_grad`](Self::log_prob_with_grad).
    ///
    /// # Errors
    /// As [`entropy`](Self::entropy); [`Error::Overflow`] as for [`log_prob_with_grad`](Self::log_prob_with_grad).
    pub fn entropy_with_grad(&self) -> Result<(Array1<f64>, LowRankMvnEntropyGrad<F>), Error> {
        let found = self.factorise(None)?;
        let grad = self.entropy_gradient_from(&found, &self.everywhere(ENTROPY));
        self.check_overflow(None, &grad.cov_factor, &grad.cov_diag)?;
        Ok((self.entropies(&found), grad))
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
    /// As [`log_prob_with_grad`](Self::log_prob_with_grad).
    pub fn log_prob_and_entropy_with_grad(&self, x: &ArrayRef2<F>) -> Result<LogProbAndEntropy<F>, Error> {
        let mut to = LogProbAndEntropy::zeros(self);
        self.log_prob_and_entropy_with_grad_into(x, &mut to)?;
        Ok(to)
    }

    /// [`log_prob_and_entropy_with_grad`](Self::log_prob_and_entropy_with_grad) into memory that is there already, as in every
    /// training step but the first: two gradients as large as the factor are then not asked for anew.
    ///
    /// # Errors
    /// As [`log_prob_with_grad`](Self::log_prob_with_grad), or an array in `to` has another shape. `to` is then as it was or
    /// partly overwritten.
    pub fn log_prob_and_entropy_with_grad_into(
        &self,
        x: &ArrayRef2<F>,
        to: &mut LogProbAndEntropy<F>,
    ) -> Result<(), Error> {
        check::shape("to.log_prob", to.log_prob.shape(), &[self.batch()])?;
        check::shape("to.entropy", to.entropy.shape(), &[self.batch()])?;
        let LogProbAndEntropy { log_prob_grad, entropy_grad, .. } = to;
        let found = self.slopes_at(x, &self.everywhere(LOG_PROB), log_prob_grad, Some(entropy_grad))?;
        to.log_prob.assign(&self.log_densities(&found));
        to.entropy.assign(&self.entropies(&found.found));
        Ok(())
    }

    /// Log-density and entropy of each item, and in `to` the gradient of Σ_b (u_b·log p_b(x_b) + v_b·H_b) for the `weights` u and
    /// v, both `[batch]`: a training step's backward pass, which writes one gradient of the factor's size instead of two.
    ///
    /// ```
    /// use ndarray::{Array3, array};
    /// use variata_lowrank_mvn::{LowRankMvn, LowRankMvnLogProbGrad};
    ///
    /// let p = LowRankMvn::new(array![[0.0, 0.0]], Array3::from_elem((1, 2, 1), 3.0), 1.0)?;
    /// let mut grad = LowRankMvnLogProbGrad::zeros(&p);
    /// let x = array![[1.0, 2.0]];
    /// let (log_prob, entropy) = p.weighted_log_prob_and_entropy_with_grad_into(&x, [&array![2.0], &array![0.5]], &mut grad)?;
    /// assert_eq!((log_prob, entropy), (p.log_prob(&x)?, p.entropy()?));
    /// # Ok::<(), variata_lowrank_mvn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`log_prob_with_grad`](Self::log_prob_with_grad), weights that are not finite or of another shape, or an array in `to`
    /// of another shape. `to` is then as it was or partly overwritten.
    pub fn weighted_log_prob_and_entropy_with_grad_into(
        &self,
        x: &ArrayRef2<F>,
        [of_density, of_entropy]: [&ArrayRef1<f64>; 2],
        to: &mut LowRankMvnLogProbGrad<F>,
    ) -> Result<(Array1<f64>, Array1<f64>), Error> {
        for weights in [of_density, of_entropy] {
            check::shape("weights", weights.shape(), &[self.batch()])?;
            check::finite("weights", weights)?;
        }
        let weights = of_density.iter().zip(of_entropy);
        let parts: Vec<Parts> = weights.map(|(u, v)| Parts { outer: *u, inner: v - u }).collect();
        let found = self.slopes_at(x, &parts, to, None)?;
        Ok((self.log_densities(&found), self.entropies(&found.found)))
    }

    /// No number of a gradient is NaN. One may be where α or the gradient in the diagonal overflows.
    fn check_overflow(
        &self,
        loc: Option<&Array2<F>>,
        cov_factor: &Array3<F>,
        cov_diag: &Array2<F>,
    ) -> Result<(), Error> {
        let infinite = |v: F| !v.to_f64().is_finite();
        let finite = |a: ArrayView1<'_, F>| match a.to_slice() {
            Some(a) => kernel::none_saturated(a, infinite),
            None => !a.iter().any(|v| infinite(*v)),
        };
        for b in 0..self.batch() {
            if finite(cov_diag.row(b)) && loc.is_none_or(|loc| finite(loc.row(b))) {
                continue;
            }
            let nan = |v: &F| v.to_f64().is_nan();
            let factor = cov_factor.index_axis(Axis(0), b);
            if factor.iter().chain(cov_diag.row(b)).chain(loc.iter().flat_map(|loc| loc.row(b))).any(nan) {
                return Err(Error::Overflow { quantity: "the gradient", batch: b });
            }
        }
        Ok(())
    }

    /// The gradient of Σ_b vᵦ·Hᵦ in `parts`, from the factorised covariances.
    pub(crate) fn entropy_gradient_from(
        &self,
        found: &[(Factorised, Solution)],
        parts: &[Parts],
    ) -> LowRankMvnEntropyGrad<F> {
        let mut grad = LowRankMvnEntropyGrad::zeros(self);
        self.slopes(None, found, None, vec![grad.target(parts)]);
        grad
    }

    /// The same for every item.
    fn everywhere(&self, parts: Parts) -> Vec<Parts> {
        vec![parts; self.batch()]
    }

    /// What was found at each row of `x`; writes the gradient of `parts`, and that of the entropy where it is wanted.
    fn slopes_at(
        &self,
        x: &ArrayRef2<F>,
        parts: &[Parts],
        grad: &mut LowRankMvnLogProbGrad<F>,
        mut entropy: Option<&mut LowRankMvnEntropyGrad<F>>,
    ) -> Result<Evaluated, Error> {
        self.check_point(x)?;
        grad.check(self.cov_factor.dim())?;
        if let Some(entropy) = &entropy {
            entropy.check(self.cov_factor.dim())?;
        }
        let found = self.factorise(Some(&self.gap(x)))?;
        let squares = self.slopes_from(x, &found, parts, grad, entropy.as_deref_mut());
        self.check_overflow(Some(&grad.loc), &grad.cov_factor, &grad.cov_diag)?;
        if let Some(entropy) = entropy {
            self.check_overflow(None, &entropy.cov_factor, &entropy.cov_diag)?;
        }
        let runs = squares.len() / found.len().max(1);
        let distance = |(b, (_, Solution { z, q })): (usize, &(Factorised, Solution))| {
            let residual: f64 = squares[b * runs..(b + 1) * runs].iter().sum();
            q.unwrap_or_else(|| residual + dot(z, z))
        };
        let q = found.iter().enumerate().map(distance).collect();
        Ok(Evaluated { found, q })
    }

    /// The second pass, from what the first has found at `x`; returns the squares of the residuals per run of rows. The shapes
    /// must fit.
    pub(crate) fn slopes_from(
        &self,
        x: &ArrayRef2<F>,
        found: &[(Factorised, Solution)],
        parts: &[Parts],
        grad: &mut LowRankMvnLogProbGrad<F>,
        entropy: Option<&mut LowRankMvnEntropyGrad<F>>,
    ) -> Vec<f64> {
        let LowRankMvnLogProbGrad { loc, cov_factor, cov_diag, .. } = grad;
        let mut targets = vec![Target { parts, cov_factor, cov_diag }];
        let of_entropy = self.everywhere(ENTROPY);
        if let Some(entropy) = entropy {
            targets.push(entropy.target(&of_entropy));
        }
        let squares = self.slopes(Some(&self.gap(x)), found, Some(loc), targets);
        grad.finish(parts);
        squares
    }
}
