//! The 2-Wasserstein (Bures) distance.

use ndarray::{Array1, Array2, Axis};
use variata_distributions::parallel::collect;
use variata_distributions::{Real, check, frechet_distance};

use crate::panel::{Item, Weights};
use crate::reflections::Triangle;
use crate::storage::Storage;
use crate::{Error, LowRankMvn};

impl<F: Real, S: Storage> LowRankMvn<'_, F, S> {
    /// Squared 2-Wasserstein distance to `q`, `[batch]`.
    ///
    /// ```text
    /// ‖μ_p − μ_q‖² + tr(Σ_p + Σ_q − 2(Σ_p^½Σ_qΣ_p^½)^½)
    /// ```
    /// Source: Dowson & Landau (1982). Where both diagonals are multiples of the identity, ε_p·I and ε_q·I, as in the SOS-VAE
    /// paper, all but the span of both factors contributes (√ε_p − √ε_q)² per dimension, and the rest is a distance in at most
    /// r_p + r_q dimensions: O(n r²). With other diagonals no such reduction exists, and the dense form costs O(n³). The absolute
    /// error is some 10⁻¹⁴ of the traces, however small the distance.
    ///
    /// # Errors
    /// The shapes differ, or a covariance overflows ([`Error::Overflow`]).
    pub fn wasserstein_squared<T: Storage>(&self, q: &LowRankMvn<'_, F, T>) -> Result<Array1<f64>, Error> {
        check::shape("q", q.loc.shape(), self.loc.shape())?;
        let found = collect(self.batch(), |b| {
            let (p, q) = (self.item(b), q.item(b));
            let mean = p.loc.iter().zip(q.loc).map(|(p, q)| (p.to_f64() - q.to_f64()).powi(2)).sum::<f64>();
            let covariance = match (p.diag.constant(p.n()), q.diag.constant(q.n())) {
                (Some(of_p), Some(of_q)) if p.r() + q.r() < p.n() => isotropic(&p, of_p, &q, of_q),
                _ => bures(&covariance(&p), &covariance(&q)),
            };
            let total = mean + covariance.unwrap_or(f64::NAN);
            let overflow = Error::Overflow { quantity: "wasserstein_squared", batch: b };
            if total.is_finite() { Ok(total) } else { Err(overflow) }
        });
        found.into_iter().collect()
    }
}

/// `None` where a covariance is not finite.
fn bures(p: &Array2<f64>, q: &Array2<f64>) -> Option<f64> {
    let zero = Array1::zeros(p.nrows());
    frechet_distance(&zero, p, &zero, q).ok()
}

fn covariance<F: Real, S: Storage>(item: &Item<'_, F, S>) -> Array2<f64> {
    let p = item.factor.map(|v| v.to_f64());
    let mut dense = p.dot(&p.t());
    (0..item.n()).for_each(|i| dense[(i, i)] += item.diag.at(i));
    dense
}

/// In the coordinates of a QR decomposition of [P, Q].
fn isotropic<F: Real, S: Storage, T: Storage>(
    p: &Item<'_, F, S>,
    of_p: f64,
    q: &Item<'_, F, T>,
    of_q: f64,
) -> Option<f64> {
    let (rp, rq, n) = (p.r(), q.r(), p.n());
    let k = rp + rq;
    let mut triangle = Triangle::new(k, 0, false);
    let mut blocks = Vec::new();
    // Blocks of both run in step.
    for start in (0..n).step_by(crate::panel::ROWS) {
        let end = n.min(start + crate::panel::ROWS);
        blocks.clear();
        p.for_each_block(Weights::One, None, start, end, |block| {
            blocks.extend((0..rp).map(|j| block.column(j).to_vec()));
        });
        q.for_each_block(Weights::One, None, start, end, |block| {
            blocks.extend((0..rq).map(|j| block.column(j).to_vec()));
        });
        triangle.add(end - start, |j| &blocks[j]);
    }
    let columns = Array2::from_shape_fn((k, k), |(i, j)| triangle.upper()[j][i]);
    let (a, b) = columns.view().split_at(Axis(1), rp);
    let unit: Array2<f64> = Array2::eye(k);
    let (dense_p, dense_q) = (a.dot(&a.t()) + &unit * of_p, b.dot(&b.t()) + &unit * of_q);
    let root = (of_p - of_q) / (libm::sqrt(of_p) + libm::sqrt(of_q)).max(f64::MIN_POSITIVE);
    Some((n - k) as f64 * root * root + bures(&dense_p, &dense_q)?)
}
