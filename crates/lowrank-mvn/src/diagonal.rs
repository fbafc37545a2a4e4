//! The diagonal part of the covariance.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, CowArray, Ix1, Ix2};
use variata_distributions::{ArgumentError, Real, check};

/// The diagonal D, with as little repetition as the caller's.
///
/// Made by `into()` from a number, a vector `[n]` or a matrix [batch, n], owned or as a view.
#[derive(Debug, Clone, PartialEq)]
pub enum CovDiag<'a, F> {
    /// The same variance everywhere.
    Scalar(F),
    /// One variance per dimension, the same for the whole batch: `[n]`.
    Vector(CowArray<'a, F, Ix1>),
    /// [batch, n].
    Batch(CowArray<'a, F, Ix2>),
}

impl<F: Real> From<F> for CovDiag<'_, F> {
    fn from(variance: F) -> Self {
        Self::Scalar(variance)
    }
}

impl<F> From<Array1<F>> for CovDiag<'_, F> {
    fn from(variances: Array1<F>) -> Self {
        Self::Vector(variances.into())
    }
}

impl<F> From<Array2<F>> for CovDiag<'_, F> {
    fn from(variances: Array2<F>) -> Self {
        Self::Batch(variances.into())
    }
}

impl<'a, F> From<ArrayView1<'a, F>> for CovDiag<'a, F> {
    fn from(variances: ArrayView1<'a, F>) -> Self {
        Self::Vector(variances.into())
    }
}

impl<'a, F> From<ArrayView2<'a, F>> for CovDiag<'a, F> {
    fn from(variances: ArrayView2<'a, F>) -> Self {
        Self::Batch(variances.into())
    }
}

impl<F: Real> CovDiag<'_, F> {
    /// The diagonal of item b.
    pub(crate) fn item(&self, b: usize) -> Diagonal<'_, F> {
        match self {
            Self::Scalar(d) => Diagonal::Scalar(d.to_f64()),
            Self::Vector(d) => Diagonal::Values { variances: d.view(), offset: 0 },
            Self::Batch(d) => Diagonal::Values { variances: d.row(b), offset: b * d.ncols() },
        }
    }

    /// The same, borrowed.
    pub(crate) fn view(&self) -> CovDiag<'_, F> {
        match self {
            Self::Scalar(d) => CovDiag::Scalar(*d),
            Self::Vector(d) => CovDiag::Vector(d.view().into()),
            Self::Batch(d) => CovDiag::Batch(d.view().into()),
        }
    }

    /// The same in f64.
    pub(crate) fn promoted<'q>(&self) -> CovDiag<'q, f64> {
        match self {
            Self::Scalar(d) => CovDiag::Scalar(d.to_f64()),
            Self::Vector(d) => CovDiag::from(d.mapv(Real::to_f64)),
            Self::Batch(d) => CovDiag::from(d.mapv(Real::to_f64)),
        }
    }

    /// The same, owned.
    pub(crate) fn owned(&self) -> CovDiag<'static, F> {
        match self {
            Self::Scalar(d) => CovDiag::Scalar(*d),
            Self::Vector(d) => CovDiag::from(d.to_owned()),
            Self::Batch(d) => CovDiag::from(d.to_owned()),
        }
    }

    /// That of item b alone, borrowed.
    pub(crate) fn single(&self, b: usize) -> CovDiag<'_, F> {
        match self {
            Self::Scalar(d) => CovDiag::Scalar(*d),
            Self::Vector(d) => CovDiag::Vector(d.view().into()),
            Self::Batch(d) => CovDiag::Batch(d.slice(ndarray::s![b..=b, ..]).into()),
        }
    }

    /// Shapes fit, and every entry is finite and ≥ 0.
    pub(crate) fn check(&self, batch: usize, n: usize) -> Result<(), ArgumentError> {
        let must = "finite and >= 0";
        let bad = |d: &F| !(d.to_f64() >= 0.0 && d.to_f64().is_finite());
        let refuse = |found: Option<(usize, &F)>| match found {
            None => Ok(()),
            Some((index, value)) => Err(ArgumentError::Value {
                argument: "cov_diag",
                index: Some(index),
                value: value.to_f64(),
                must,
            }),
        };
        match self {
            Self::Scalar(d) => check::scalar("cov_diag", d.to_f64(), must, !bad(d)),
            Self::Vector(d) => {
                check::shape("cov_diag", d.shape(), &[n])?;
                refuse(d.iter().enumerate().find(|(_, d)| bad(d)))
            }
            Self::Batch(d) => {
                check::shape("cov_diag", d.shape(), &[batch, n])?;
                refuse(d.iter().enumerate().find(|(_, d)| bad(d)))
            }
        }
    }
}

/// The diagonal of one item.
#[derive(Clone, Copy)]
pub(crate) enum Diagonal<'p, F> {
    /// The same variance everywhere.
    Scalar(f64),
    /// One per dimension; `offset` is the position of the first in the caller's array.
    Values { variances: ArrayView1<'p, F>, offset: usize },
}

impl<F: Real> Diagonal<'_, F> {
    /// Entry i.
    pub(crate) fn at(&self, i: usize) -> f64 {
        match self {
            Self::Scalar(d) => *d,
            Self::Values { variances, .. } => variances[i].to_f64(),
        }
    }

    /// Where the caller gave entry i; `None` for a number.
    pub(crate) fn place(&self, i: usize) -> Option<usize> {
        match self {
            Self::Scalar(_) => None,
            Self::Values { offset, .. } => Some(offset + i),
        }
    }

    /// The value of all n entries, if it is one.
    pub(crate) fn constant(&self, n: usize) -> Option<f64> {
        match self {
            Self::Scalar(d) => Some(*d),
            Self::Values { .. } => {
                let first = if n > 0 { self.at(0) } else { 0.0 };
                (0..n).all(|i| self.at(i) == first).then_some(first)
            }
        }
    }

    /// D^-½ of the entries from `start` on.
    pub(crate) fn weights(&self, start: usize, to: &mut [f64]) {
        if let Self::Scalar(d) = self {
            return to.fill(1.0 / d.sqrt());
        }
        // A square root is rounded correctly everywhere, and the compiler vectorises this one.
        self.variances(start, to);
        for to in to {
            *to = 1.0 / to.sqrt();
        }
    }

    /// D of the entries from `start` on.
    pub(crate) fn variances(&self, start: usize, to: &mut [f64]) {
        match self {
            Self::Scalar(d) => to.fill(*d),
            Self::Values { variances, .. } => {
                fill(to, &variances.slice(ndarray::s![start..start + to.len()]));
            }
        }
    }

    /// √D of the entries from `start` on.
    pub(crate) fn deviations(&self, start: usize, to: &mut [f64]) {
        self.variances(start, to);
        for to in to {
            *to = to.sqrt();
        }
    }

    /// No entry is 0.
    ///
    /// # Errors
    /// One is; `must` says what is allowed.
    pub(crate) fn check_positive(&self, must: &'static str) -> Result<(), ArgumentError> {
        let zero = match self {
            Self::Scalar(d) if *d > 0.0 => return Ok(()),
            Self::Scalar(_) => None,
            Self::Values { variances, .. } => match variances.iter().position(|d| d.to_f64() == 0.0) {
                Some(i) => self.place(i),
                None => return Ok(()),
            },
        };
        Err(ArgumentError::Value { argument: "cov_diag", index: zero, value: 0.0, must })
    }

    /// log |D| of n entries.
    ///
    /// # Errors
    /// An entry is 0.
    pub(crate) fn log_det(&self, n: usize) -> Result<f64, ArgumentError> {
        self.check_positive("> 0 where the factor has fewer columns than there are dimensions")?;
        Ok(match self {
            Self::Scalar(d) => n as f64 * libm::log(*d),
            Self::Values { variances, .. } => sum_of_logs(variances.iter().map(|d| d.to_f64())),
        })
    }
}

/// `to = from`.
pub(crate) fn fill<F: Real>(to: &mut [f64], from: &ArrayView1<'_, F>) {
    match from.to_slice() {
        // The compiler vectorises a loop over slices only.
        Some(from) => to.iter_mut().zip(from).for_each(|(to, v)| *to = v.to_f64()),
        None => to.iter_mut().zip(from).for_each(|(to, v)| *to = v.to_f64()),
    }
}

/// Σ log d of positive finite numbers: products of the significands, sums of the exponents, one logarithm per 512 numbers.
fn sum_of_logs(numbers: impl Iterator<Item = f64>) -> f64 {
    const ONE: u64 = 1023 << 52;
    let (mut exponents, mut product, mut logs) = (0i64, 1.0, 0.0);
    for (i, d) in numbers.enumerate() {
        // Subnormal numbers have no implicit leading bit: as normal ones, 2⁶⁴ times as large.
        let (d, shift) = if d < f64::MIN_POSITIVE { (d * 2f64.powi(64), -64) } else { (d, 0) };
        let bits = d.to_bits();
        exponents += (bits >> 52) as i64 - 1023 + shift;
        // In [1, 2), so that 512 of them do not overflow.
        product *= f64::from_bits((bits & ((1 << 52) - 1)) | ONE);
        if i % 512 == 511 {
            logs += libm::log(product);
            product = 1.0;
        }
    }
    exponents as f64 * std::f64::consts::LN_2 + (logs + libm::log(product))
}

#[cfg(test)]
mod tests {
    use super::sum_of_logs;

    #[test]
    fn logs_of_all_sizes() {
        let numbers = [5e-324, 1e-310, f64::MIN_POSITIVE, 1e-12, 0.7, 1.0, 1.5, 3.0, 1e4, f64::MAX];
        for copies in [1, 51, 52, 300] {
            let all = || numbers.iter().copied().cycle().take(copies * numbers.len());
            let want: f64 = all().map(libm::log).sum();
            let got = sum_of_logs(all());
            assert!(
                (got - want).abs() <= 1e-14 * all().map(|d| libm::log(d).abs()).sum::<f64>(),
                "{got} {want}"
            );
        }
        assert_eq!(sum_of_logs(std::iter::empty()), 0.0);
    }
}
