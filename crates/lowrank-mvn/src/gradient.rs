//! Closed-form gradients of the log-density and of the entropy.

use ndarray::{Array1, Array2, Array3, ArrayRef2, ArrayView1, Axis};
use variata_distributions::Real;
use variata_distributions::linalg::{solve_lower, solve_lower_transposed};
use variata_distributions::parallel::collect;
use variata_distributions::special::HALF_LOG_TWO_PI;

use crate::density::residual;
use crate::factorisation::{Factorised, Item};
use crate::{Error, LowRankMvn};

/// Partial derivatives of a number per item in the parameters of a [`LowRankMvn`].
#[derive(Debug, Clone, PartialEq)]
pub struct LowRankMvnGrad<F> {
    /// In the factor, [batch, n, r].
    pub cov_factor: Array3<F>,
    /// In the diagonal, [batch, n]: one per entry, also where a number or a vector was given. Sum over what was repeated.
    pub cov_diag: Array2<F>,
}

/// Partial derivatives of [`LowRankMvn::log_prob`].
#[derive(Debug, Clone, PartialEq)]
pub struct LowRankMvnLogProbGrad<F> {
    /// In the point, [batch, n].
    pub x: Array2<F>,
    /// In the location, [batch, n]: minus that in the point.
    pub loc: Array2<F>,
    /// In the factor, [batch, n, r].
    pub cov_factor: Array3<F>,
    /// In the diagonal, [batch, n]; see [`LowRankMvnGrad::cov_diag`].
    pub cov_diag: Array2<F>,
}

/// Gradients of one item.
struct Slopes<F> {
    /// α = Σ⁻¹(x − μ).
    alpha: Vec<F>,
    factor: Array2<F>,
    diag: Vec<F>,
}

impl<F: Real> LowRankMvn<'_, F> {
    /// [`log_prob`](Self::log_prob) and its partial derivatives.
    ///
    /// ```text
    /// α = D⁻¹(x − μ − Pz) = Σ⁻¹(x − μ):   ∂x = −α,   ∂μ = α,
    /// ∂P = α·zᵀ − D⁻¹PC⁻¹,   ∂D = ½ (α² − (1 − h)/d),   h = diag(D^-½PC⁻¹PᵀD^-½)
    /// ```
    /// Derived from ∂ log p = ½ ⟨ααᵀ − Σ⁻¹, ∂Σ⟩ with Σ⁻¹P = D⁻¹PC⁻¹ and Pᵀα = z.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn log_prob_with_grad(
        &self,
        x: &ArrayRef2<F>,
    ) -> Result<(Array1<f64>, LowRankMvnLogProbGrad<F>), Error> {
        let constant = 2.0 * self.dim() as f64 * HALF_LOG_TWO_PI;
        let found: Vec<(f64, Slopes<F>)> = self.evaluate(x, |item, found| {
            let value = -0.5 * (found.q + found.factorised.log_det() + constant);
            (value, item.slopes(&found.factorised, Some((x.row(item.b), &found.z))))
        })?;
        let value = found.iter().map(|(value, _)| *value).collect();
        let slopes: Vec<Slopes<F>> = found.into_iter().map(|(_, slopes)| slopes).collect();
        let loc = Array2::from_shape_fn(self.loc.raw_dim(), |(b, i)| slopes[b].alpha[i]);
        let LowRankMvnGrad { cov_factor, cov_diag } = self.stacked(&slopes);
        let x = loc.mapv(|slope| F::from_f64(-slope.to_f64()));
        Ok((value, LowRankMvnLogProbGrad { x, loc, cov_factor, cov_diag }))
    }

    /// [`entropy`](Self::entropy) and its partial derivatives D⁻¹PC⁻¹ and ½ (1 − h)/d, see
    /// [`log_prob_with_grad`](Self::log_prob_with_grad).
    ///
    /// # Errors
    /// As [`entropy`](Self::entropy).
    pub fn entropy_with_grad(&self) -> Result<(Array1<f64>, LowRankMvnGrad<F>), Error> {
        let constant = self.dim() as f64 * (HALF_LOG_TWO_PI + 0.5);
        let found: Vec<Result<(f64, Slopes<F>), Error>> = collect(self.batch(), |b| {
            let item = self.item(b);
            let (factorised, _) = item.factorise(None)?;
            Ok((0.5 * factorised.log_det() + constant, item.slopes(&factorised, None)))
        });
        let found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
        let value = found.iter().map(|(value, _)| *value).collect();
        let slopes: Vec<Slopes<F>> = found.into_iter().map(|(_, slopes)| slopes).collect();
        Ok((value, self.stacked(&slopes)))
    }

    fn stacked(&self, slopes: &[Slopes<F>]) -> LowRankMvnGrad<F> {
        let mut cov_factor = Array3::from_elem(self.cov_factor.raw_dim(), F::ZERO);
        for (mut to, from) in cov_factor.axis_iter_mut(Axis(0)).zip(slopes) {
            to.assign(&from.factor);
        }
        let cov_diag = Array2::from_shape_fn(self.loc.raw_dim(), |(b, i)| slopes[b].diag[i]);
        LowRankMvnGrad { cov_factor, cov_diag }
    }
}

impl<F: Real> Item<'_, F> {
    /// With a point and its z the gradient of the log-density, without them that of the entropy.
    fn slopes(&self, factorised: &Factorised, at: Option<(ArrayView1<'_, F>, &[f64])>) -> Slopes<F> {
        let (n, r) = (self.n(), self.r());
        let mut slopes = Slopes {
            alpha: vec![F::ZERO; if at.is_some() { n } else { 0 }],
            factor: Array2::from_elem((n, r), F::ZERO),
            diag: vec![F::ZERO; n],
        };
        match factorised {
            Factorised::Capacitance { l, .. } => self.by_capacitance(l, at, &mut slopes),
            Factorised::Dense { l, .. } => self.by_covariance(l, at.map(|(x, _)| x), &mut slopes),
        }
        slopes
    }

    fn by_capacitance(&self, l: &[f64], at: Option<(ArrayView1<'_, F>, &[f64])>, to: &mut Slopes<F>) {
        let r = self.r();
        let mut inverse: Vec<f64> = (0..r * r).map(|at| f64::from(u8::from(at / r == at % r))).collect();
        solve_lower(l, r, &mut inverse, r);
        // r×r from r·r numbers.
        let inverse = Array2::from_shape_vec((r, r), inverse).unwrap_or_default();
        let (x, z) = at.map_or((None, &[][..]), |(x, z)| (Some(x), z));
        self.for_each_block(x, |block| {
            let a = block.rows.slice(ndarray::s![.., ..r]);
            let y = a.dot(&inverse.t());
            let solved = y.dot(&inverse);
            for (i, &w) in block.weights.iter().enumerate() {
                let row = block.start + i;
                // 1 − h, of the leverage h in [0, 1).
                let free = 1.0 - y.row(i).iter().map(|y| y * y).sum::<f64>();
                let factor = to.factor.row_mut(row).into_iter().zip(solved.row(i));
                if x.is_none() {
                    to.diag[row] = F::from_f64(0.5 * w * w * free);
                    factor.for_each(|(to, s)| *to = F::from_f64(w * s));
                    continue;
                }
                let alpha = w * residual(&block.rows.row(i), z);
                to.alpha[row] = F::from_f64(alpha);
                to.diag[row] = F::from_f64(0.5 * (alpha * alpha - w * w * free));
                factor.zip(z).for_each(|((to, s), z)| *to = F::from_f64(alpha * z - w * s));
            }
        });
    }

    /// For n ≤ r, from Σ⁻¹ itself: ∂P = 2GP and ∂D = diag G of G = ½(ααᵀ − Σ⁻¹), or of ½Σ⁻¹ for the entropy.
    fn by_covariance(&self, l: &[f64], x: Option<ArrayView1<'_, F>>, to: &mut Slopes<F>) {
        let n = self.n();
        let mut inverse: Vec<f64> = (0..n * n).map(|at| f64::from(u8::from(at / n == at % n))).collect();
        solve_lower(l, n, &mut inverse, n);
        solve_lower_transposed(l, n, &mut inverse, n);
        let mut alpha = vec![0.0; n];
        if let Some(x) = x {
            for (alpha, (x, loc)) in alpha.iter_mut().zip(x.iter().zip(self.loc)) {
                *alpha = x.to_f64() - loc.to_f64();
            }
            solve_lower(l, n, &mut alpha, 1);
            solve_lower_transposed(l, n, &mut alpha, 1);
            to.alpha.iter_mut().zip(&alpha).for_each(|(to, a)| *to = F::from_f64(*a));
        }
        let sign = if x.is_some() { -1.0 } else { 1.0 };
        let g = |i: usize, j: usize| 0.5 * (alpha[i] * alpha[j] + sign * inverse[i * n + j]);
        for i in 0..n {
            to.diag[i] = F::from_f64(g(i, i));
            for (c, to) in to.factor.row_mut(i).iter_mut().enumerate() {
                let sum: f64 = (0..n).map(|j| g(i, j) * self.factor[(j, c)].to_f64()).sum();
                *to = F::from_f64(2.0 * sum);
            }
        }
    }
}
