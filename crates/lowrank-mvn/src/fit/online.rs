//! Data that come in batches.

use ndarray::{Array1, Array2, ArrayRef2, s};
use variata_distributions::linalg::{orthonormal, symmetric_eigen};
use variata_distributions::{ArgumentError, Real, check};

use super::eigen::Leading;
use super::{FitOptions, ppca};
use crate::storage::Storage;
use crate::{Error, LowRankMvn};

/// Samples that are merged at a time.
const MERGE: usize = 128;

/// Probabilistic principal component analysis of batches that are seen once: mean, variances and leading directions are
/// updated by each, so that memory does not grow.
///
/// Mean and total variance are exact; what is beside the directions is summed from residuals, not by a difference. Directions
/// are those of a truncated decomposition: exact until more than `rank + spare` samples have been seen, and after that as good
/// as the spare directions make them. Source: Ross et al.,
/// "Incremental learning for robust visual tracking" (2008), with the mean's correction.
///
/// ```
/// use ndarray::Array2;
/// use variata_lowrank_mvn::{FitOptions, OnlinePpca};
///
/// let mut fit = OnlinePpca::new(3, 1, 8)?;
/// for batch in 0..4 {
///     fit.update(&Array2::from_shape_fn((20, 3), |(s, i)| ((s * 3 + i + 60 * batch) as f64).sin()))?;
/// }
/// assert_eq!(fit.count(), 80);
/// let p = fit.distribution::<f64>(&FitOptions::default())?;
/// # Ok::<(), variata_lowrank_mvn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct OnlinePpca {
    rank: usize,
    kept: usize,
    count: usize,
    mean: Array1<f64>,
    /// Sum of the squares beside the directions.
    rest: f64,
    /// Directions times the roots of their sums of squares.
    rows: Vec<Vec<f64>>,
}

impl OnlinePpca {
    /// For samples of `n` dimensions: `rank` directions, and up to `spare` more that are carried along, as far as there are dimensions.
    ///
    /// # Errors
    /// `rank` exceeds n, or n numbers are more than can be addressed.
    pub fn new(n: usize, rank: usize, spare: usize) -> Result<Self, Error> {
        check::scalar("n", n as f64, "at most 2^59", n as u64 <= 1 << 59)?;
        check::scalar("rank", rank as f64, "at most n", rank <= n)?;
        let kept = rank.saturating_add(spare).min(n);
        Ok(Self { rank, kept, count: 0, mean: Array1::zeros(n), rest: 0.0, rows: Vec::new() })
    }

    /// Number of samples seen.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Sees a batch [samples, n].
    ///
    /// # Errors
    /// The batch has another number of dimensions, is not finite or exceeds 10⁷⁰ in size; nothing has then changed. Of data that are all below some
    /// 10⁻¹⁴⁰ the squares lose digits: change the units.
    pub fn update<F: Real>(&mut self, batch: &ArrayRef2<F>) -> Result<(), Error> {
        check::shape("batch", batch.shape(), &[batch.nrows(), self.mean.len()])?;
        check::finite("batch", batch)?;
        if let Some((index, v)) = batch.iter().enumerate().find(|(_, v)| v.to_f64().abs() > 1e70) {
            let (index, value, must) = (Some(index), v.to_f64(), "at most 1e70 in size: change the units");
            return Err(ArgumentError::Value { argument: "batch", index, value, must }.into());
        }
        for start in (0..batch.nrows()).step_by(MERGE) {
            let part = batch.slice(s![start..batch.nrows().min(start + MERGE), ..]);
            self.merge(&part.map(|v| v.to_f64()));
        }
        Ok(())
    }

    /// The distribution fitted to what has been seen, a batch of one.
    ///
    /// # Errors
    /// Fewer than 2 samples have been seen, or no more than the rank; no variance is left for the diagonal and the options have
    /// no floor.
    pub fn distribution<F: Real + Storage>(
        &self,
        options: &FitOptions,
    ) -> Result<LowRankMvn<'static, F>, Error> {
        options.check()?;
        if self.count < 2 || self.count <= self.rank {
            let must = "at least 2 and more than the rank";
            let value = self.count as f64;
            return Err(ArgumentError::Value { argument: "samples", index: None, value, must }.into());
        }
        let size = |row: &Vec<f64>| row.iter().map(|v| v * v).sum::<f64>();
        let (leading, spare) = self.rows.split_at(self.rank.min(self.rows.len()));
        let mut variances: Vec<f64> = leading.iter().map(|row| size(row) / self.count as f64).collect();
        let mut directions: Vec<Vec<f64>> = leading
            .iter()
            .map(|row| {
                let size = libm::sqrt(size(row)).max(f64::MIN_POSITIVE);
                row.iter().map(|v| v / size).collect()
            })
            .collect();
        variances.resize(self.rank, 0.0);
        directions.resize(self.rank, vec![0.0; self.mean.len()]);
        let residual = (self.rest + spare.iter().map(size).sum::<f64>()) / self.count as f64;
        ppca(&self.mean, &Leading { directions, variances, residual, converged: true }, options)
    }

    fn merge(&mut self, batch: &Array2<f64>) {
        let (more, n) = batch.dim();
        let (before, after) = (self.count as f64, (self.count + more) as f64);
        let mean = batch.sum_axis(ndarray::Axis(0)) / more as f64;
        let shift = &mean - &self.mean;
        // The two means are one more sample, of this weight.
        let weight = libm::sqrt(before * more as f64 / after);
        let mut rows = std::mem::take(&mut self.rows);
        for row in batch.rows() {
            let centred: Vec<f64> = row.iter().zip(&mean).map(|(v, m)| v - m).collect();
            rows.push(centred);
        }
        rows.push(shift.iter().map(|v| weight * v).collect());
        self.mean = &self.mean + &(&shift * (more as f64 / after));
        self.count += more;
        // Rows·rowsᵀ = V·S²·Vᵀ, so that the new rows, S·Uᵀ, are Vᵀ·rows.
        let all = Array2::from_shape_fn((rows.len(), n), |(k, i)| rows[k][i]);
        let k = rows.len();
        let (values, vectors) = symmetric_eigen(&all.dot(&all.t()).iter().copied().collect::<Vec<_>>(), k);
        let mut order: Vec<usize> = (0..k).collect();
        order.sort_by(|&i, &j| values[j].total_cmp(&values[i]));
        order.truncate(self.kept.min(k));
        let chosen = Array2::from_shape_fn((order.len(), k), |(c, i)| vectors[order[c] * k + i]);
        let rows: Vec<Vec<f64>> = chosen.dot(&all).rows().into_iter().map(|row| row.to_vec()).collect();
        // Made orthogonal, and measured again, because the squares of the products lose half of the digits.
        let directions = orthonormal(rows.iter(), n).unwrap_or_default();
        let u = Array2::from_shape_fn((n, directions.len()), |(i, k)| directions[k][i]);
        let along = all.dot(&u);
        self.rest += (&all - &along.dot(&u.t())).iter().map(|v| v * v).sum::<f64>();
        let sizes = along.columns().into_iter().map(|c| libm::sqrt(c.iter().map(|v| v * v).sum()));
        let mut rows: Vec<(f64, Vec<f64>)> = sizes.zip(directions).collect();
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        self.rows = rows.into_iter().map(|(size, u)| u.into_iter().map(|v| v * size).collect()).collect();
    }
}
