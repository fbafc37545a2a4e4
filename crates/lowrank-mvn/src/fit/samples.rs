//! Data in blocks of samples, centred.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayRef2, s};
use variata_distributions::parallel::collect;
use variata_distributions::{ArgumentError, Real, check};

use crate::Error;

/// Numbers per block.
const BLOCK: usize = 1 << 18;
/// Partial sums of products, which are as large as their result.
const PARTS: usize = 4;

/// Variances whose products, of which iterations make several, neither over- nor underflow.
pub(super) fn check_range(argument: &'static str, total: f64) -> Result<(), Error> {
    if total == 0.0 || (1e-140..=1e140).contains(&total) {
        return Ok(());
    }
    let must = "of a total variance from 1e-140 to 1e140, or of none: change the units";
    Err(ArgumentError::Value { argument, index: None, value: total, must }.into())
}

/// Samples, their mean, and their variances.
pub(super) struct Samples<'d, F> {
    data: &'d ArrayRef2<F>,
    mean: Array1<f64>,
    variances: Array1<f64>,
}

impl<'d, F: Real> Samples<'d, F> {
    pub(super) fn new(data: &'d ArrayRef2<F>) -> Result<Self, Error> {
        check::finite("data", data)?;
        let (count, n) = data.dim();
        if count < 2 {
            let must = "at least 2";
            return Err(
                ArgumentError::Value { argument: "samples", index: None, value: count as f64, must }.into()
            );
        }
        let mut samples = Self { data, mean: Array1::zeros(n), variances: Array1::zeros(n) };
        let mut sums = Array1::<f64>::zeros(n);
        for row in data.rows() {
            sums.zip_mut_with(&row, |sum, v| *sum += v.to_f64());
        }
        samples.mean = sums / count as f64;
        // Around the mean, and corrected for what rounding left of it.
        let (mut squares, mut rest) = (Array1::<f64>::zeros(n), Array1::<f64>::zeros(n));
        for row in data.rows() {
            ndarray::Zip::from(&mut squares).and(&mut rest).and(&samples.mean).and(row).for_each(
                |square, rest, mean, v| {
                    let gap = v.to_f64() - mean;
                    *square += gap * gap;
                    *rest += gap;
                },
            );
        }
        check::finite("variance", &squares)?;
        ndarray::Zip::from(&mut squares).and(&rest).for_each(|square, rest| {
            *square = (*square - rest * rest / count as f64).max(0.0) / count as f64;
        });
        check_range("data", squares.sum())?;
        samples.variances = squares;
        Ok(samples)
    }

    pub(super) fn mean(&self) -> &Array1<f64> {
        &self.mean
    }

    /// Variance of each dimension, divided by the number of samples.
    pub(super) fn variances(&self) -> &Array1<f64> {
        &self.variances
    }

    /// (XᵀXB/N, BᵀXᵀXB/N) of the centred data X for B [n, k], and whatever `f` makes of each block of X and X·B, summed.
    pub(super) fn products(
        &self,
        b: &Array2<f64>,
        f: impl Fn(&Array2<f64>, &Array2<f64>) -> f64 + Sync + Send,
    ) -> (Array2<f64>, Array2<f64>, f64) {
        let (count, n) = self.data.dim();
        let k = b.ncols();
        let rows = (BLOCK / n.max(1)).max(1);
        let blocks = count.div_ceil(rows);
        let parts = collect(PARTS.min(blocks), |part| {
            let (mut back, mut inner, mut sum) = (Array2::zeros((n, k)), Array2::zeros((k, k)), 0.0);
            for at in (part..blocks).step_by(PARTS) {
                let range = at * rows..count.min((at + 1) * rows);
                let data = self.data.slice(s![range, ..]);
                let centred =
                    Array2::from_shape_fn(data.raw_dim(), |(i, j)| data[(i, j)].to_f64() - self.mean[j]);
                let y = centred.dot(b);
                general_mat_mul(1.0, &centred.t(), &y, 1.0, &mut back);
                general_mat_mul(1.0, &y.t(), &y, 1.0, &mut inner);
                sum += f(&centred, &y);
            }
            (back, inner, sum)
        });
        let mut total = (Array2::zeros((n, k)), Array2::zeros((k, k)), 0.0);
        for (back, inner, sum) in parts {
            total.0 += &back;
            total.1 += &inner;
            total.2 += sum;
        }
        let scale = 1.0 / count as f64;
        (total.0 * scale, total.1 * scale, total.2 * scale)
    }
}
