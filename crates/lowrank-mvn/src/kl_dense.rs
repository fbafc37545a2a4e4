//! Divergences between dense covariances: where a side is dense, or has at least as many columns as dimensions.

use ndarray::{Array2, Array3};
use variata_distributions::linalg::{factored_inverse, product, solve_lower, solve_lower_transposed};
use variata_distributions::{KlDivergence, MultivariateNormal, Real};

use crate::kl::Side;
use crate::panel::Item;
use crate::storage::Storage;
use crate::{Error, LowRankMvn};

/// Mean and Cholesky factor, row-major n×n with a positive diagonal.
pub(crate) struct Dense {
    pub loc: Vec<f64>,
    pub l: Vec<f64>,
}

/// Partials in mean and covariance.
#[derive(Default)]
pub(crate) struct Slopes {
    pub loc: Vec<f64>,
    /// Symmetric, entries counted as independent.
    covariance: Vec<f64>,
}

impl Dense {
    pub(crate) fn of<F: Real, S: Storage>(p: &LowRankMvn<'_, F, S>, b: usize) -> Result<Self, Error> {
        let item = p.item(b);
        let (l, _) = item.root()?;
        Ok(Self { loc: item.loc.iter().map(|v| v.to_f64()).collect(), l })
    }

    pub(crate) fn of_dense<F: Real>(p: &MultivariateNormal<F>, b: usize) -> Self {
        let l = p.scale_tril().index_axis(ndarray::Axis(0), b).iter().copied().collect();
        Self { loc: p.loc().row(b).iter().map(|v| v.to_f64()).collect(), l }
    }

    fn distribution(&self) -> Result<MultivariateNormal<f64>, Error> {
        let n = self.loc.len();
        let loc = Array2::from_shape_fn((1, n), |(_, i)| self.loc[i]);
        let l = Array3::from_shape_fn((1, n, n), |(_, i, j)| self.l[i * n + j]);
        // A factor with a pivot that is 0 has been refused before.
        MultivariateNormal::new(loc, &l).map_err(|_| Error::SingularCovariance { batch: 0, rank: 0, n })
    }

    fn precision(&self) -> Vec<f64> {
        factored_inverse(&self.l, self.loc.len())
    }
}

/// A divergence of item b; NaN where its terms have overflowed.
pub(crate) fn number(b: usize, value: f64) -> Result<f64, Error> {
    if value.is_nan() { Err(Error::Overflow { quantity: "kl", batch: b }) } else { Ok(value) }
}

/// KL(p‖q) of item b and, if asked for, the partials of both sides.
pub(crate) fn kl(b: usize, p: &Dense, q: &Dense, with_grad: bool) -> Result<(f64, [Slopes; 2]), Error> {
    let (dense_p, dense_q) = (p.distribution()?, q.distribution()?);
    // The shapes are equal; a NaN is refused.
    let value = number(b, dense_p.kl(&dense_q).map_or(f64::NAN, |value| value.sum()))?;
    if !with_grad {
        return Ok((value, Default::default()));
    }
    let n = p.loc.len();
    let (of_p, of_q) = (p.precision(), q.precision());
    let mut alpha: Vec<f64> = p.loc.iter().zip(&q.loc).map(|(p, q)| p - q).collect();
    solve_lower(&q.l, n, &mut alpha, 1);
    solve_lower_transposed(&q.l, n, &mut alpha, 1);
    // Σ_q⁻¹L_p, whose square is Σ_q⁻¹Σ_pΣ_q⁻¹.
    let half = product(&of_q, &p.l, n);
    let squared = product(&half, &variata_distributions::linalg::transposed(&half, n), n);
    let entry = |i: usize, j: usize| of_q[i * n + j] - squared[i * n + j] - alpha[i] * alpha[j];
    let covariance_q = (0..n * n).map(|at| 0.5 * entry(at / n, at % n)).collect();
    let covariance_p = of_q.iter().zip(&of_p).map(|(q, p)| 0.5 * (q - p)).collect();
    let minus = alpha.iter().map(|a| -a).collect();
    Ok((
        value,
        [Slopes { loc: alpha, covariance: covariance_p }, Slopes { loc: minus, covariance: covariance_q }],
    ))
}

impl Slopes {
    /// In location, factor and diagonal: 2·∂Σ·P and diag ∂Σ.
    pub(crate) fn low_rank<F: Real, S: Storage>(&self, item: &Item<'_, F, S>) -> Side {
        let (n, r) = (item.n(), item.r());
        let mut factor = vec![0.0; n * r];
        for i in 0..n {
            for c in 0..r {
                let products = (0..n).map(|j| self.covariance[i * n + j] * item.factor[(j, c)].to_f64());
                factor[i * r + c] = 2.0 * products.sum::<f64>();
            }
        }
        (self.loc.clone(), factor, (0..n).map(|i| self.covariance[i * n + i]).collect())
    }

    /// In the Cholesky factor: the lower triangle of 2·∂Σ·L.
    pub(crate) fn tril(&self, l: &[f64]) -> Vec<f64> {
        let n = self.loc.len();
        let mut tril = product(&self.covariance, l, n);
        for (at, v) in tril.iter_mut().enumerate() {
            *v = if at % n <= at / n { 2.0 * *v } else { 0.0 };
        }
        tril
    }
}
