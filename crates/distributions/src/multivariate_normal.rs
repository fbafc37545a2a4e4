//! The normal distribution with a dense covariance.

use ndarray::{Array1, Array2, Array3, ArrayRef2, ArrayRef3, ArrayView2, ArrayView3, Axis};
use rand::Rng;

use crate::elementwise::shaped;
use crate::linalg::{cholesky, identity, solve_lower, solve_lower_transposed};
use crate::parallel::collect;
use crate::special::HALF_LOG_TWO_PI;
use crate::sums::sum;
use crate::{ArgumentError, Error, Real, check, noise};

/// A batch of normal distributions on ℝⁿ with covariances L·Lᵀ.
///
/// ```text
/// log p(x) = −½‖z‖² − Σᵢ log Lᵢᵢ − (n/2) log 2π,   z = L⁻¹(x − μ)
/// ```
/// Source: definition; the sign and the determinant as in erratum 000-6.
///
/// # Shapes
/// `loc` [batch, n], `scale_tril` [batch, n, n]; one f64 per item for everything scalar.
///
/// # Numerics
/// The factor is held in f64 whatever `F`, and nothing is ever inverted: triangular solves only.
///
/// ```
/// use ndarray::array;
/// use variata_distributions::MultivariateNormal;
///
/// let p = MultivariateNormal::from_covariance(array![[0.0, 0.0]], &array![[[4.0, 2.0], [2.0, 5.0]]])?;
/// assert_eq!(p.scale_tril(), array![[[2.0, 0.0], [1.0, 2.0]]]);
/// assert_eq!(p.mahalanobis(&array![[2.0, 1.0]])?[0], 1.0);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MultivariateNormal<F: Real = f64> {
    loc: Array2<F>,
    scale_tril: Array3<f64>,
}

/// Partial derivatives in the parameters of a [`MultivariateNormal`].
#[derive(Debug, Clone, PartialEq)]
pub struct MultivariateNormalGrad<F> {
    /// In the location, [batch, n].
    pub loc: Array2<F>,
    /// In the lower triangle of the factor, [batch, n, n]; 0 above the diagonal.
    pub scale_tril: Array3<F>,
}

/// Partial derivatives of [`MultivariateNormal::log_prob`].
#[derive(Debug, Clone, PartialEq)]
pub struct MultivariateNormalLogProbGrad<F> {
    /// In the point, [batch, n].
    pub x: Array2<F>,
    /// In the location, [batch, n].
    pub loc: Array2<F>,
    /// In the lower triangle of the factor, [batch, n, n]; 0 above the diagonal.
    pub scale_tril: Array3<F>,
}

/// The product of a cotangent with the derivatives of [`MultivariateNormal::rsample`].
#[derive(Debug, Clone, PartialEq)]
pub struct MultivariateNormalRsampleGrad<F> {
    /// In the noise, [batch, n].
    pub noise: Array2<F>,
    /// In the location, [batch, n].
    pub loc: Array2<F>,
    /// In the lower triangle of the factor, [batch, n, n]; 0 above the diagonal.
    pub scale_tril: Array3<F>,
}

impl<F: Real> MultivariateNormal<F> {
    /// From location [batch, n] and lower-triangular factor [batch, n, n].
    ///
    /// # Errors
    /// Wrong shapes, elements that are not finite, a diagonal that is not > 0, or anything but 0 above it.
    pub fn new(loc: Array2<F>, scale_tril: &ArrayRef3<F>) -> Result<Self, Error> {
        check_shapes(&loc, "scale_tril", scale_tril)?;
        for (at, ((_, i, j), value)) in scale_tril.indexed_iter().enumerate() {
            let value = value.to_f64();
            let must = if i == j { "> 0 on the diagonal" } else { "0 above the diagonal" };
            if (i == j && value <= 0.0) || (j > i && value != 0.0) {
                return Err(
                    ArgumentError::Value { argument: "scale_tril", index: Some(at), value, must }.into()
                );
            }
        }
        Ok(Self { loc, scale_tril: row_major(scale_tril) })
    }

    /// From location [batch, n] and covariance [batch, n, n].
    ///
    /// # Errors
    /// Wrong shapes, elements that are not finite, a covariance that is not symmetric to 8 units of roundoff of `F` or
    /// not positive definite ([`Error::NotPositiveDefinite`]).
    pub fn from_covariance(loc: Array2<F>, covariance: &ArrayRef3<F>) -> Result<Self, Error> {
        check_symmetric(&loc, "covariance", covariance)?;
        let mut scale_tril = row_major(covariance);
        factor("covariance", &mut scale_tril)?;
        Ok(Self { loc, scale_tril })
    }

    /// From location [batch, n] and precision (inverse covariance) [batch, n, n].
    ///
    /// With the precision as U·Uᵀ, U upper triangular, the factor of the covariance is U⁻ᵀ.
    ///
    /// # Errors
    /// As [`from_covariance`](Self::from_covariance).
    pub fn from_precision(loc: Array2<F>, precision: &ArrayRef3<F>) -> Result<Self, Error> {
        check_symmetric(&loc, "precision", precision)?;
        let n = loc.ncols();
        // Cholesky of the matrix with both axes reversed gives U reversed.
        let mut reversed = row_major(precision);
        for mut item in reversed.axis_iter_mut(Axis(0)) {
            let flipped = Array2::from_shape_fn((n, n), |(i, j)| item[(n - 1 - i, n - 1 - j)]);
            item.assign(&flipped);
        }
        factor("precision", &mut reversed).map_err(|e| unreversed(e, n))?;
        let mut scale_tril = Array3::zeros(reversed.raw_dim());
        for (mut to, from) in scale_tril.axis_iter_mut(Axis(0)).zip(reversed.axis_iter(Axis(0))) {
            // Uᵀ, lower triangular.
            let ut: Vec<f64> = (0..n * n).map(|at| from[(n - 1 - at % n, n - 1 - at / n)]).collect();
            let mut inverse = identity(n);
            solve_lower(&ut, n, &mut inverse, n);
            to.iter_mut().zip(inverse).for_each(|(to, x)| *to = x);
        }
        Ok(Self { loc, scale_tril })
    }

    /// Number of distributions.
    pub fn batch(&self) -> usize {
        self.loc.nrows()
    }

    /// Number of dimensions n.
    pub fn dim(&self) -> usize {
        self.loc.ncols()
    }

    /// The location.
    pub fn loc(&self) -> ArrayView2<'_, F> {
        self.loc.view()
    }

    /// The factor L, in f64.
    pub fn scale_tril(&self) -> ArrayView3<'_, f64> {
        self.scale_tril.view()
    }

    /// Row-major factor of one item.
    fn factor(&self, b: usize) -> &[f64] {
        let square = self.dim() * self.dim();
        // Every constructor makes the factors contiguous.
        self.scale_tril.as_slice().and_then(|all| all.get(b * square..(b + 1) * square)).unwrap_or_default()
    }

    /// Mean and row-major factor of one item.
    pub(crate) fn item(&self, b: usize) -> (Vec<f64>, Vec<f64>) {
        (self.loc.row(b).iter().map(|x| x.to_f64()).collect(), self.factor(b).to_vec())
    }

    /// `f(b, L⁻¹(x − μ))` of each item.
    fn standardised<T: Send>(
        &self,
        x: &ArrayRef2<F>,
        f: impl Fn(usize, Vec<f64>) -> T + Sync + Send,
    ) -> Result<Vec<T>, Error> {
        check::shape("x", x.shape(), self.loc.shape())?;
        check::not_nan("x", x)?;
        Ok(collect(self.batch(), |b| {
            let gaps = x.row(b).into_iter().zip(self.loc.row(b)).map(|(x, loc)| x.to_f64() - loc.to_f64());
            let mut z: Vec<f64> = gaps.collect();
            if z.iter().all(|z| z.is_finite()) {
                solve_lower(self.factor(b), self.dim(), &mut z, 1);
            } else {
                // Rows of the solve could take ∞ from ∞; the distance is infinite in every direction.
                z.fill(f64::INFINITY);
            }
            f(b, z)
        }))
    }

    /// Squared Mahalanobis distance ‖L⁻¹(x − μ)‖² of each row of `x` [batch, n] → `[batch]`; +∞ at ±∞.
    ///
    /// # Errors
    /// `x` has another shape or holds NaN.
    pub fn mahalanobis(&self, x: &ArrayRef2<F>) -> Result<Array1<f64>, Error> {
        Ok(self.standardised(x, |_, z| squared_norm(&z))?.into())
    }

    /// Log-density of each row of `x` [batch, n] → `[batch]`; −∞ at ±∞.
    ///
    /// # Errors
    /// As [`mahalanobis`](Self::mahalanobis).
    pub fn log_prob(&self, x: &ArrayRef2<F>) -> Result<Array1<f64>, Error> {
        Ok(self.standardised(x, |b, z| log_density(self.factor(b), &z))?.into())
    }

    /// [`log_prob`](Self::log_prob) and its partial derivatives.
    ///
    /// ```text
    /// α = L⁻ᵀz:   ∂x = −α,   ∂μ = α,   ∂L = tril(αzᵀ) − diag(1/Lᵢᵢ)
    /// ```
    ///
    /// # Errors
    /// `x` has another shape or is not finite: at ±∞ the derivatives have no limit.
    pub fn log_prob_with_grad(
        &self,
        x: &ArrayRef2<F>,
    ) -> Result<(Array1<f64>, MultivariateNormalLogProbGrad<F>), Error> {
        let n = self.dim();
        check::finite("x", x)?;
        let items = self.standardised(x, |b, z| {
            let factor = self.factor(b);
            let mut alpha = z.clone();
            solve_lower_transposed(factor, n, &mut alpha, 1);
            let entry = |at: usize| {
                let (i, j) = (at / n, at % n);
                let determinant = if i == j { 1.0 / factor[at] } else { 0.0 };
                if j > i { F::ZERO } else { F::from_f64(alpha[i] * z[j] - determinant) }
            };
            let tril: Vec<F> = (0..n * n).map(entry).collect();
            (log_density(factor, &z), alpha, tril)
        })?;
        let slope = |sign: f64| {
            let all = items.iter().flat_map(|(_, alpha, _)| alpha).map(|a| F::from_f64(sign * a)).collect();
            shaped(self.loc.raw_dim(), all)
        };
        let (x, loc) = (slope(-1.0), slope(1.0));
        let value = items.iter().map(|(value, ..)| *value).collect();
        let trils = items.into_iter().flat_map(|(.., tril)| tril).collect();
        let scale_tril = shaped(self.scale_tril.raw_dim(), trils);
        Ok((value, MultivariateNormalLogProbGrad { x, loc, scale_tril }))
    }

    /// Differential entropy Σᵢ log Lᵢᵢ + (n/2) log 2πe → `[batch]`.
    pub fn entropy(&self) -> Array1<f64> {
        let term = |l: &f64| libm::log(*l) + (HALF_LOG_TWO_PI + 0.5);
        self.scale_tril.axis_iter(Axis(0)).map(|l| sum(l.diag().iter().map(term))).collect()
    }

    /// Mean: the location.
    pub fn mean(&self) -> Array2<F> {
        self.loc.clone()
    }

    /// Variance of each dimension, [batch, n].
    pub fn variance(&self) -> Array2<F> {
        Array2::from_shape_fn(self.loc.raw_dim(), |(b, i)| {
            let row = self.scale_tril.slice(ndarray::s![b, i, ..]);
            F::from_f64(sum(row.iter().map(|x| x * x)))
        })
    }

    /// L·Lᵀ, [batch, n, n].
    pub fn covariance_matrix(&self) -> Array3<F> {
        self.squares(|l| l.dot(&l.t()))
    }

    /// L⁻ᵀL⁻¹, [batch, n, n].
    pub fn precision_matrix(&self) -> Array3<F> {
        let n = self.dim();
        self.squares(|l| {
            let factor: Vec<f64> = l.iter().copied().collect();
            let mut inverse = identity(n);
            solve_lower(&factor, n, &mut inverse, n);
            let inverse = shaped(ndarray::Ix2(n, n), inverse);
            inverse.t().dot(&inverse)
        })
    }

    /// A symmetric matrix per item.
    fn squares(&self, f: impl Fn(ArrayView2<'_, f64>) -> Array2<f64> + Sync + Send) -> Array3<F> {
        let items = collect(self.batch(), |b| {
            let square = f(self.scale_tril.index_axis(Axis(0), b));
            // Both halves from one, so that the result is symmetric to the last bit.
            let entry = |((i, j), _): ((usize, usize), &f64)| F::from_f64(square[(i.max(j), i.min(j))]);
            square.indexed_iter().map(entry).collect::<Vec<F>>()
        });
        shaped(self.scale_tril.raw_dim(), items.concat())
    }

    /// `loc + L·noise`, with noise [batch, n] of N(0, 1).
    ///
    /// # Errors
    /// `noise` has another shape or is not finite.
    pub fn rsample(&self, noise: &ArrayRef2<F>) -> Result<Array2<F>, Error> {
        check::shape("noise", noise.shape(), self.loc.shape())?;
        check::finite("noise", noise)?;
        Ok(self.transform(|b, j| noise[(b, j)].to_f64()))
    }

    /// The cotangent [batch, n] of a sample pulled back through [`rsample`](Self::rsample).
    ///
    /// ```text
    /// noise: Lᵀc,   loc: c,   scale_tril: tril(c·noiseᵀ)
    /// ```
    ///
    /// # Errors
    /// `noise` or `cotangent` has another shape or is not finite.
    pub fn rsample_backward(
        &self,
        noise: &ArrayRef2<F>,
        cotangent: &ArrayRef2<F>,
    ) -> Result<MultivariateNormalRsampleGrad<F>, Error> {
        for (argument, x) in [("noise", noise), ("cotangent", cotangent)] {
            check::shape(argument, x.shape(), self.loc.shape())?;
            check::finite(argument, x)?;
        }
        let n = self.dim();
        let pulled = Array2::from_shape_fn(self.loc.raw_dim(), |(b, j)| {
            let terms = (j..n).map(|i| self.scale_tril[(b, i, j)] * cotangent[(b, i)].to_f64());
            F::from_f64(terms.sum())
        });
        let scale_tril = Array3::from_shape_fn(self.scale_tril.raw_dim(), |(b, i, j)| {
            if j > i { F::ZERO } else { F::from_f64(cotangent[(b, i)].to_f64() * noise[(b, j)].to_f64()) }
        });
        Ok(MultivariateNormalRsampleGrad { noise: pulled, loc: cotangent.to_owned(), scale_tril })
    }

    /// One draw of each distribution, [batch, n].
    pub fn sample(&self, rng: &mut impl Rng) -> Array2<F> {
        let noise = Array2::from_shape_simple_fn(self.loc.raw_dim(), || noise::normal(rng));
        self.transform(|b, j| noise[(b, j)])
    }

    fn transform(&self, noise: impl Fn(usize, usize) -> f64 + Sync + Send) -> Array2<F> {
        let n = self.dim();
        let items = collect(self.batch(), |b| {
            let row = |(i, loc): (usize, &F)| {
                let factor = &self.factor(b)[i * n..=i * n + i];
                let shift: f64 = factor.iter().enumerate().map(|(j, l)| l * noise(b, j)).sum();
                F::from_f64(loc.to_f64() + shift)
            };
            self.loc.row(b).iter().enumerate().map(row).collect::<Vec<F>>()
        });
        shaped(self.loc.raw_dim(), items.concat())
    }
}

fn squared_norm(z: &[f64]) -> f64 {
    sum(z.iter().map(|z| z * z))
}

fn log_density(factor: &[f64], z: &[f64]) -> f64 {
    let n = z.len();
    let log_det = sum((0..n).map(|i| libm::log(factor[i * n + i])));
    -0.5 * squared_norm(z) - log_det - n as f64 * HALF_LOG_TWO_PI
}

fn row_major<F: Real>(x: &ArrayRef3<F>) -> Array3<f64> {
    x.mapv(Real::to_f64).as_standard_layout().into_owned()
}

fn check_shapes<F: Real>(
    loc: &Array2<F>,
    argument: &'static str,
    matrix: &ArrayRef3<F>,
) -> Result<(), Error> {
    check::finite("loc", loc)?;
    check::shape(argument, matrix.shape(), &[loc.nrows(), loc.ncols(), loc.ncols()])?;
    Ok(check::finite(argument, matrix)?)
}

fn check_symmetric<F: Real>(
    loc: &Array2<F>,
    argument: &'static str,
    matrix: &ArrayRef3<F>,
) -> Result<(), Error> {
    check_shapes(loc, argument, matrix)?;
    for (at, ((b, i, j), value)) in matrix.indexed_iter().enumerate() {
        let (value, mirrored) = (value.to_f64(), matrix[(b, j, i)].to_f64());
        let size = matrix[(b, i, i)].to_f64().abs().max(matrix[(b, j, j)].to_f64().abs());
        if (value - mirrored).abs() > 8.0 * F::UNIT_ROUNDOFF * size {
            return Err(ArgumentError::Value { argument, index: Some(at), value, must: "symmetric" }.into());
        }
    }
    Ok(())
}

/// The pivot of a factorisation from the last dimension to the first, as the caller counts.
pub(crate) fn unreversed(error: Error, n: usize) -> Error {
    match error {
        Error::NotPositiveDefinite { argument, batch, pivot, value } => {
            Error::NotPositiveDefinite { argument, batch, pivot: n - 1 - pivot, value }
        }
        other => other,
    }
}

fn factor(argument: &'static str, matrices: &mut Array3<f64>) -> Result<(), Error> {
    let n = matrices.dim().1;
    for (batch, mut item) in matrices.axis_iter_mut(Axis(0)).enumerate() {
        // Contiguous: `row_major` made it so.
        let Some(a) = item.as_slice_mut() else { continue };
        cholesky(a, n).map_err(|(pivot, value)| Error::NotPositiveDefinite {
            argument,
            batch,
            pivot,
            value,
        })?;
    }
    Ok(())
}
