//! The distribution: parameters, moments.

use ndarray::{Array2, ArrayView2, ArrayView3, CowArray, Ix2, Ix3, s};
use variata_distributions::{Real, check};

use crate::storage::{Storage, check_finite};
use crate::{CovDiag, Error};

/// A batch of normal distributions on ℝⁿ with covariance P·Pᵀ + D, P of r columns and D diagonal.
///
/// ```text
/// x = μ + P·ω_p + √D·ω_d,   ω_p ~ N(0, I_r),  ω_d ~ N(0, I_n)
/// ```
/// Source: SOS-VAE paper, section 3; there D = 10⁻⁵·I.
///
/// # Shapes
/// `loc` [batch, n], `cov_factor` [batch, n, r] in any layout (the memory [batch, r, n] of a convolutional head is a
/// transposed view), `cov_diag` a number, `[n]` or [batch, n]. Parameters are owned or borrowed. r = 0 is a diagonal
/// normal; r may exceed n. An empty batch is allowed and has empty results. The factor may be stored in another type than the rest, see [`Storage`].
///
/// # Numerics
/// Nothing n×n is ever formed unless asked for, and nothing is inverted. The Mahalanobis distance is the sum of squares of a
/// least-squares residual, or, where that loses no more than 10⁻⁹ (f32) or a few ulp (f64), the textbook's difference in f64.
/// Arithmetic is f64, results that sum over n are f64 whatever `F`. Entries of D may be 0 where n ≤ r and P makes up for them.
///
/// ```
/// use ndarray::{Array3, array};
/// use variata_lowrank_mvn::LowRankMvn;
///
/// let p = LowRankMvn::new(array![[0.0, 0.0]], Array3::from_elem((1, 2, 1), 3.0), 1.0)?;
/// assert_eq!(p.variance(), array![[10.0, 10.0]]);
/// # Ok::<(), variata_lowrank_mvn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LowRankMvn<'a, F: Real = f64, S = F> {
    pub(crate) loc: CowArray<'a, F, Ix2>,
    pub(crate) cov_factor: CowArray<'a, S, Ix3>,
    pub(crate) cov_diag: CovDiag<'a, F>,
}

impl<'a, F: Real + Storage> LowRankMvn<'a, F> {
    /// From location, factor and diagonal.
    ///
    /// # Errors
    /// The shapes do not fit, an element is not finite, or a diagonal entry is < 0.
    pub fn new(
        loc: impl Into<CowArray<'a, F, Ix2>>,
        cov_factor: impl Into<CowArray<'a, F, Ix3>>,
        cov_diag: impl Into<CovDiag<'a, F>>,
    ) -> Result<Self, Error> {
        Self::with_storage(loc, cov_factor, cov_diag)
    }
}

impl<'a, F: Real, S: Storage> LowRankMvn<'a, F, S> {
    /// From location, factor and diagonal, the factor in a type of its own.
    ///
    /// # Errors
    /// As [`new`](LowRankMvn::new).
    pub fn with_storage(
        loc: impl Into<CowArray<'a, F, Ix2>>,
        cov_factor: impl Into<CowArray<'a, S, Ix3>>,
        cov_diag: impl Into<CovDiag<'a, F>>,
    ) -> Result<Self, Error> {
        let p = Self::trusted(loc, cov_factor, cov_diag)?;
        check_finite(&p.cov_factor)?;
        Ok(p)
    }

    /// [`with_storage`](Self::with_storage) without a look at the numbers of the factor, for a caller who knows that they are
    /// finite: one pass over the factor less. Where they are not, densities are refused all the
    /// same, and products and samples are not numbers.
    ///
    /// # Errors
    /// As [`new`](LowRankMvn::new), but for the numbers of `cov_factor`.
    pub fn trusted(
        loc: impl Into<CowArray<'a, F, Ix2>>,
        cov_factor: impl Into<CowArray<'a, S, Ix3>>,
        cov_diag: impl Into<CovDiag<'a, F>>,
    ) -> Result<Self, Error> {
        let (loc, cov_factor, cov_diag) = (loc.into(), cov_factor.into(), cov_diag.into());
        let (batch, n) = loc.dim();
        check::finite("loc", &loc)?;
        check::shape("cov_factor", cov_factor.shape(), &[batch, n, cov_factor.dim().2])?;
        cov_diag.check(batch, n)?;
        Ok(Self { loc, cov_factor, cov_diag })
    }

    /// Number of distributions.
    pub fn batch(&self) -> usize {
        self.loc.nrows()
    }

    /// Number of dimensions n.
    pub fn dim(&self) -> usize {
        self.loc.ncols()
    }

    /// Number of columns r of the factor.
    pub fn rank(&self) -> usize {
        self.cov_factor.dim().2
    }

    /// The location, [batch, n].
    pub fn loc(&self) -> ArrayView2<'_, F> {
        self.loc.view()
    }

    /// The factor P, [batch, n, r].
    pub fn cov_factor(&self) -> ArrayView3<'_, S> {
        self.cov_factor.view()
    }

    /// The diagonal D, as given.
    pub fn cov_diag(&self) -> &CovDiag<'a, F> {
        &self.cov_diag
    }

    /// The same, borrowed.
    pub fn view(&self) -> LowRankMvn<'_, F, S> {
        LowRankMvn {
            loc: self.loc.view().into(),
            cov_factor: self.cov_factor.view().into(),
            cov_diag: self.cov_diag.view(),
        }
    }

    /// One distribution of the batch, borrowed: a batch of one.
    ///
    /// # Errors
    /// There is no such item.
    pub fn single(&self, item: usize) -> Result<LowRankMvn<'_, F, S>, Error> {
        check::scalar("item", item as f64, "below the number of items", item < self.batch())?;
        Ok(self.nth(item))
    }

    /// Item `b` alone, which exists, borrowed.
    pub(crate) fn nth(&self, b: usize) -> LowRankMvn<'_, F, S> {
        LowRankMvn {
            loc: self.loc.slice(s![b..=b, ..]).into(),
            cov_factor: self.cov_factor.slice(s![b..=b, .., ..]).into(),
            cov_diag: self.cov_diag.single(b),
        }
    }

    /// Mean: the location.
    pub fn mean(&self) -> Array2<F> {
        self.loc.to_owned()
    }

    /// Variance of each dimension, [batch, n].
    pub fn variance(&self) -> Array2<F> {
        Array2::from_shape_fn(self.loc.raw_dim(), |(b, i)| F::from_f64(self.covariance_entry(b, i, i)))
    }
}
