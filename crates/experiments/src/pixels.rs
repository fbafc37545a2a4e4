//! p(x|z) of a batch of images as arrays: what figures and measurements work on.

use anyhow::{Result, bail};
use ndarray::{Array2, Array3, Array4, Ix2};
use rand::Rng;
use variata_lowrank_mvn::{CovDiag, LowRankMvn, SparsePrecisionNormal};
use variata_models::tch::Tensor;
use variata_models::{ImageShape, Observation};
use variata_torch_bridge::tensor_into_array;

/// A batch of distributions of images, whose values follow channel after channel, row after row.
#[derive(Debug)]
pub(crate) enum Pixels {
    /// Also independent pixels: a factor of no column.
    LowRank(LowRankMvn<'static, f32>),
    Sparse(SparsePrecisionNormal<f32>),
}

impl Pixels {
    /// From a decoder's output.
    pub(crate) fn of(observation: &Observation) -> Result<Self> {
        let rows = |t: &Tensor| -> Result<Array2<f32>> {
            Ok(tensor_into_array::<f32>("rows", &t.flatten(1, -1))?.into_dimensionality()?)
        };
        Ok(match observation {
            Observation::Normal { mean, log_variance } => {
                let (loc, variance) = (rows(mean)?, rows(log_variance)?.mapv(f32::exp));
                let none = Array3::zeros((loc.nrows(), loc.ncols(), 0));
                Self::LowRank(LowRankMvn::new(loc, none, variance)?)
            }
            Observation::LowRankNormal { mean, cov_factor, cov_diag } => {
                let factor: Array3<f32> =
                    tensor_into_array("cov_factor", cov_factor)?.into_dimensionality()?;
                Self::LowRank(LowRankMvn::new(rows(mean)?, factor, diagonal(cov_diag)?)?)
            }
            Observation::SparsePrecision { mean, log_diag, off_diag, grid } => {
                let off: Array3<f32> = tensor_into_array("off_diag", off_diag)?.into_dimensionality()?;
                Self::Sparse(SparsePrecisionNormal::new(*grid, rows(mean)?, rows(log_diag)?, off)?)
            }
            Observation::Bernoulli { .. } => {
                bail!("its pixels have Bernoulli distributions, not a normal one")
            }
            _ => bail!("its pixels have no normal distribution"),
        })
    }

    pub(crate) fn mean(&self) -> Array2<f32> {
        match self {
            Self::LowRank(p) => p.mean().to_owned(),
            Self::Sparse(p) => p.mean(),
        }
    }

    pub(crate) fn sample(&self, rng: &mut impl Rng) -> Result<Array2<f32>> {
        Ok(match self {
            Self::LowRank(p) => p.sample(rng),
            Self::Sparse(p) => p.sample(rng)?,
        })
    }

    pub(crate) fn variance(&self) -> Result<Array2<f32>> {
        Ok(match self {
            Self::LowRank(p) => p.variance(),
            Self::Sparse(p) => p.variance()?,
        })
    }

    /// Covariance of all values with one of them, [batch, n].
    pub(crate) fn covariance_row(&self, index: usize) -> Result<Array2<f32>> {
        Ok(match self {
            Self::LowRank(p) => p.covariance_row(index)?,
            Self::Sparse(p) => {
                let mut unit = Array2::zeros((p.batch(), p.dim()));
                unit.column_mut(index).fill(1.0);
                p.covariance_times(&unit)?
            }
        })
    }

    /// Entropy of each distribution, nats.
    pub(crate) fn entropy(&self) -> Result<Vec<f64>> {
        Ok(match self {
            Self::LowRank(p) => p.entropy()?.to_vec(),
            Self::Sparse(p) => p.entropy().to_vec(),
        })
    }

    pub(crate) fn low_rank(&self) -> Option<&LowRankMvn<'static, f32>> {
        match self {
            Self::LowRank(p) => Some(p),
            Self::Sparse(_) => None,
        }
    }
}

/// A number, or a matrix.
fn diagonal(tensor: &Tensor) -> Result<CovDiag<'static, f32>> {
    let values = tensor_into_array::<f32>("cov_diag", tensor)?;
    Ok(match values.first() {
        Some(&one) if values.ndim() == 0 => one.into(),
        _ => values.into_dimensionality::<Ix2>()?.into(),
    })
}

/// Rows of values as images [n, channels, height, width].
pub(crate) fn as_images(rows: &Array2<f32>, image: ImageShape) -> Result<Array4<f32>> {
    let [c, h, w] = image.dims().map(|n| n as usize);
    let n = rows.nrows();
    Ok(rows.as_standard_layout().into_owned().into_shape_with_order((n, c, h, w))?)
}

/// Correlation of a field of deviations [n, channels, height, width] with itself 1, 2, …, `far` pixels to the right and below,
/// over all images, channels and places.
pub(crate) fn coherence(deviations: &Array4<f32>, far: usize) -> Vec<f64> {
    let (_, _, height, width) = deviations.dim();
    let correlation = |distance: usize| {
        let (mut product, mut first, mut second) = (0.0, 0.0, 0.0);
        for ((i, c, y, x), &e) in deviations.indexed_iter() {
            let right = (x + distance < width).then(|| deviations[(i, c, y, x + distance)]);
            let below = (y + distance < height).then(|| deviations[(i, c, y + distance, x)]);
            for other in right.into_iter().chain(below) {
                let (e, other) = (f64::from(e), f64::from(other));
                product += e * other;
                first += e * e;
                second += other * other;
            }
        }
        product / (first * second).sqrt()
    };
    (1..=far.min(height.max(width).saturating_sub(1))).map(correlation).collect()
}

/// Variance over rows that come part after part, mean over the columns: how much a model varies its means.
#[derive(Debug, Default)]
pub(crate) struct Variation {
    rows: f64,
    /// Mean of each column, and the sum of its squared deviations.
    columns: Vec<[f64; 2]>,
}

impl Variation {
    /// Takes rows in, by Welford's recurrence.
    pub(crate) fn add(&mut self, part: &Array2<f32>) {
        self.columns.resize(part.ncols(), [0.0; 2]);
        for row in part.rows() {
            self.rows += 1.0;
            for (&v, [mean, squares]) in row.iter().zip(&mut self.columns) {
                let apart = f64::from(v) - *mean;
                *mean += apart / self.rows;
                *squares += apart * (f64::from(v) - *mean);
            }
        }
    }

    /// 0 of a single row.
    pub(crate) fn value(&self) -> f64 {
        let squares: f64 = self.columns.iter().map(|[_, squares]| squares).sum();
        squares / ((self.rows - 1.0).max(1.0) * self.columns.len().max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::Variation;

    #[test]
    fn variation_is_the_mean_variance_however_the_rows_come() {
        // Variances 1 and 100 of the columns.
        let (first, rest) = (array![[1.0f32, 1000.0]], array![[2.0f32, 1010.0], [3.0, 1020.0]]);
        let mut variation = Variation::default();
        variation.add(&first);
        assert_eq!(variation.value(), 0.0);
        variation.add(&rest);
        assert!((variation.value() - 50.5).abs() < 1e-12);
    }
}
