//! Log-density, Mahalanobis distance, determinant, entropy.

use ndarray::{Array1, ArrayRef2};
use variata_distributions::linalg::dot;
use variata_distributions::parallel::collect;
use variata_distributions::special::HALF_LOG_TWO_PI;
use variata_distributions::{Real, check};

use crate::factorisation::{Factorised, Solution, TASK};
use crate::storage::Storage;
use crate::{Error, LowRankMvn};

/// What densities need of each item.
#[derive(Debug)]
pub(crate) struct Evaluated {
    pub found: Vec<(Factorised, Solution)>,
    /// The squared Mahalanobis distances.
    pub q: Vec<f64>,
}

impl<F: Real, S: Storage> LowRankMvn<'_, F, S> {
    /// Log-density of each row of `x` [batch, n] → `[batch]`.
    ///
    /// ```text
    /// −½ (q + log |Σ| + n log 2π),   q = ‖D^-½(x − μ − Pz)‖² + ‖z‖²,   z = C⁻¹PᵀD⁻¹(x − μ),   C = I + PᵀD⁻¹P
    /// ```
    /// Source: Woodbury's identity in its least-squares form; the textbook's q = ‖b‖² − ‖L⁻¹Aᵀb‖² subtracts numbers
    /// whose difference is smaller by σ²/ε, and is taken only where that does no harm ([`LowRankMvn`]).
    ///
    /// # Errors
    /// `x` has another shape or is not finite; the covariance has no density: [`Error::SingularCovariance`] where n ≤ r, and
    /// a 0 in `cov_diag` otherwise; differences or products overflow ([`Error::Overflow`]).
    pub fn log_prob(&self, x: &ArrayRef2<F>) -> Result<Array1<f64>, Error> {
        Ok(self.log_densities(&self.evaluate(x)?))
    }

    /// Squared Mahalanobis distance (x − μ)ᵀΣ⁻¹(x − μ) of each row of `x` [batch, n] → `[batch]`.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn mahalanobis(&self, x: &ArrayRef2<F>) -> Result<Array1<f64>, Error> {
        Ok(self.evaluate(x)?.q.into())
    }

    /// log |P·Pᵀ + D| of each item → `[batch]`.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob), but for `x`.
    pub fn log_det(&self) -> Result<Array1<f64>, Error> {
        Ok(self.factorise(None)?.iter().map(|(factorised, _)| factorised.log_det()).collect())
    }

    /// Differential entropy ½(log |Σ| + n log 2πe) of each item → `[batch]`.
    ///
    /// # Errors
    /// As [`log_det`](Self::log_det).
    pub fn entropy(&self) -> Result<Array1<f64>, Error> {
        Ok(self.entropies(&self.factorise(None)?))
    }

    /// Log-density of each row of `x` [batch, n] and entropy of each item, `[batch]` each, from one factorisation.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn log_prob_and_entropy(&self, x: &ArrayRef2<F>) -> Result<(Array1<f64>, Array1<f64>), Error> {
        let evaluated = self.evaluate(x)?;
        Ok((self.log_densities(&evaluated), self.entropies(&evaluated.found)))
    }

    pub(crate) fn log_densities(&self, Evaluated { found, q }: &Evaluated) -> Array1<f64> {
        let constant = 2.0 * self.dim() as f64 * HALF_LOG_TWO_PI;
        found.iter().zip(q).map(|((factorised, _), q)| -0.5 * (q + factorised.log_det() + constant)).collect()
    }

    pub(crate) fn entropies(&self, found: &[(Factorised, Solution)]) -> Array1<f64> {
        let constant = self.dim() as f64 * (HALF_LOG_TWO_PI + 0.5);
        found.iter().map(|(factorised, _)| 0.5 * factorised.log_det() + constant).collect()
    }

    pub(crate) fn check_point(&self, x: &ArrayRef2<F>) -> Result<(), Error> {
        check::shape("x", x.shape(), self.loc.shape())?;
        Ok(check::finite("x", x)?)
    }

    /// What was found at each row of `x`.
    pub(crate) fn evaluate(&self, x: &ArrayRef2<F>) -> Result<Evaluated, Error> {
        self.check_point(x)?;
        let gap = self.gap(x);
        let found = self.factorise(Some(&gap))?;
        // One more pass over the factor, for the items that need it: the sum of the squares of the residuals.
        let open: Vec<usize> = (0..found.len()).filter(|&b| found[b].1.q.is_none()).collect();
        let tasks = self.tasks();
        let squares = collect(open.len() * tasks, |at| {
            let (b, start) = (open[at / tasks], at % tasks * TASK);
            let end = self.dim().min(start + TASK);
            self.item(b).residual_squares(&gap, &found[b].1.z, start, end)
        });
        let mut squares = squares.chunks(tasks).map(|parts| parts.iter().sum::<f64>());
        let distance = |Solution { z, q }: &Solution| {
            q.unwrap_or_else(|| squares.next().unwrap_or_default() + dot(z, z))
        };
        let q = found.iter().map(|(_, solution)| solution).map(distance).collect();
        Ok(Evaluated { found, q })
    }
}
