//! Log-density, Mahalanobis distance, determinant, entropy.

use ndarray::{Array1, ArrayRef2, ArrayView1};
use variata_distributions::linalg::{dot, solve_lower};
use variata_distributions::parallel::collect;
use variata_distributions::special::HALF_LOG_TWO_PI;
use variata_distributions::{Real, check};

use crate::factorisation::{Factorised, Item, Solution};
use crate::{Error, LowRankMvn};

/// What a density needs of one item.
pub(crate) struct Evaluated {
    pub factorised: Factorised,
    /// C⁻¹Aᵀb, empty where n ≤ r.
    pub z: Vec<f64>,
    /// The squared Mahalanobis distance.
    pub q: f64,
}

impl<F: Real> LowRankMvn<'_, F> {
    /// Log-density of each row of `x` [batch, n] → `[batch]`.
    ///
    /// ```text
    /// −½ (q + log |Σ| + n log 2π),   q = ‖D^-½(x − μ − Pz)‖² + ‖z‖²,   z = C⁻¹PᵀD⁻¹(x − μ),   C = I + PᵀD⁻¹P
    /// ```
    /// Source: Woodbury's identity in its least-squares form; the textbook's q = ‖b‖² − ‖L⁻¹Aᵀb‖² subtracts numbers
    /// whose difference is smaller by σ²/ε.
    ///
    /// # Errors
    /// `x` has another shape or is not finite; the covariance has no density: [`Error::SingularCovariance`] where n ≤ r, and
    /// a 0 in `cov_diag` otherwise.
    pub fn log_prob(&self, x: &ArrayRef2<F>) -> Result<Array1<f64>, Error> {
        let constant = 2.0 * self.dim() as f64 * HALF_LOG_TWO_PI;
        self.evaluate(x, |_, found| -0.5 * (found.q + found.factorised.log_det() + constant))
    }

    /// Squared Mahalanobis distance (x − μ)ᵀΣ⁻¹(x − μ) of each row of `x` [batch, n] → `[batch]`.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn mahalanobis(&self, x: &ArrayRef2<F>) -> Result<Array1<f64>, Error> {
        self.evaluate(x, |_, found| found.q)
    }

    /// log |P·Pᵀ + D| of each item → `[batch]`.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob), but for `x`.
    pub fn log_det(&self) -> Result<Array1<f64>, Error> {
        let found = collect(self.batch(), |b| Ok(self.item(b).factorise(None)?.0.log_det()));
        found.into_iter().collect()
    }

    /// Differential entropy ½(log |Σ| + n log 2πe) of each item → `[batch]`.
    ///
    /// # Errors
    /// As [`log_det`](Self::log_det).
    pub fn entropy(&self) -> Result<Array1<f64>, Error> {
        let constant = self.dim() as f64 * (HALF_LOG_TWO_PI + 0.5);
        Ok(self.log_det()?.mapv(|log_det| 0.5 * log_det + constant))
    }

    /// `f` of each item and what was found at its row of `x`, in parallel.
    pub(crate) fn evaluate<T: Send, C: FromIterator<T>>(
        &self,
        x: &ArrayRef2<F>,
        f: impl Fn(&Item<'_, F>, Evaluated) -> T + Sync + Send,
    ) -> Result<C, Error> {
        check::shape("x", x.shape(), self.loc.shape())?;
        check::finite("x", x)?;
        let found = collect(self.batch(), |b| {
            let item = self.item(b);
            let found = item.at(&x.row(b))?;
            Ok(f(&item, found))
        });
        found.into_iter().collect()
    }
}

impl<F: Real> Item<'_, F> {
    fn at(&self, x: &ArrayView1<'_, F>) -> Result<Evaluated, Error> {
        let (factorised, Solution { z, q }) = self.factorise(Some(*x))?;
        let q = match &factorised {
            Factorised::Capacitance { .. } => q.unwrap_or_else(|| {
                let mut sum: f64 = z.iter().map(|z| z * z).sum();
                self.for_each_block(Some(*x), |block| {
                    sum += block
                        .rows
                        .rows()
                        .into_iter()
                        .map(|row| residual(&row, &z))
                        .map(|r| r * r)
                        .sum::<f64>();
                });
                sum
            }),
            Factorised::Dense { l, .. } => {
                let mut gap: Vec<f64> =
                    x.iter().zip(self.loc).map(|(x, loc)| x.to_f64() - loc.to_f64()).collect();
                solve_lower(l, self.n(), &mut gap, 1);
                gap.iter().map(|g| g * g).sum()
            }
        };
        Ok(Evaluated { factorised, z, q })
    }
}

/// b − a·z of a row [a, b] of a block.
pub(crate) fn residual(row: &ArrayView1<'_, f64>, z: &[f64]) -> f64 {
    // Blocks are made in standard layout.
    let row = row.to_slice().unwrap_or_default();
    let (a, b) = row.split_at(z.len().min(row.len()));
    b.iter().sum::<f64>() - dot(a, z)
}
