//! The normal distribution of an image whose precision has a sparse Cholesky factor: the SOS-VAE paper's baseline.

use ndarray::{Array1, Array2, Array3, ArrayRef2, ArrayView2, ArrayView3, Axis};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use variata_distributions::linalg::dot;
use variata_distributions::parallel::collect;
use variata_distributions::special::HALF_LOG_TWO_PI;
use variata_distributions::{ArgumentError, Real, check};

use crate::Error;
use crate::grid::PixelGrid;

/// A batch of normal distributions N(μ, (L·Lᵀ)⁻¹) of images, L lower triangular with entries between neighbouring pixels only.
///
/// Column i of L has exp(log_diag_i) on the diagonal, and at each later neighbour of pixel i the value that `off_diag` has for
/// that neighbour.
///
/// Source: Dorta et al., "Structured uncertainty prediction networks" (2018), section 3; the baseline of the SOS-VAE paper.
///
/// # Shapes
/// `loc` and `log_diag` [batch, n], `off_diag` [batch, [offsets](PixelGrid::offsets), n], n = channels·height·width as the [`PixelGrid`]
/// says. Entries for neighbours outside the image count for nothing, and their gradient is 0. A neighbourhood of 1 is a
/// diagonal normal.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use variata_lowrank_mvn::{PixelGrid, SparsePrecisionNormal};
///
/// let grid = PixelGrid::new(4, 4, 1, 3)?;
/// let (zero, off) = (Array2::<f64>::zeros((1, 16)), Array3::from_elem((1, 4, 16), -0.2));
/// let p = SparsePrecisionNormal::new(grid, zero.clone(), zero.clone(), off)?;
/// assert!(p.variance()?.iter().all(|v| *v >= 1.0) && p.log_prob(&zero)?[0] < 0.0);
/// # Ok::<(), variata_lowrank_mvn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SparsePrecisionNormal<F: Real = f64> {
    grid: PixelGrid,
    loc: Array2<F>,
    log_diag: Array2<F>,
    off_diag: Array3<F>,
}

/// Partial derivatives of a number per item in the parameters of a [`SparsePrecisionNormal`].
#[derive(Debug, Clone, PartialEq)]
pub struct SparsePrecisionNormalLogProbGrad<F> {
    /// In the point, [batch, n].
    pub x: Array2<F>,
    /// In the location, [batch, n].
    pub loc: Array2<F>,
    /// In the logarithm of the factor's diagonal, [batch, n].
    pub log_diag: Array2<F>,
    /// In the factor's other entries, [batch, offsets, n].
    pub off_diag: Array3<F>,
}

/// One item in f64.
struct Item {
    diag: Vec<f64>,
    /// One plane per offset.
    off: Vec<Vec<f64>>,
}

impl<F: Real> SparsePrecisionNormal<F> {
    /// From `loc` and `log_diag` [batch, n], the logarithms of the factor's diagonal, and `off_diag` [batch, offsets, n].
    ///
    /// # Errors
    /// The shapes do not fit, an element is not finite, or `log_diag` exceeds 350.
    pub fn new(
        grid: PixelGrid,
        loc: Array2<F>,
        log_diag: Array2<F>,
        off_diag: Array3<F>,
    ) -> Result<Self, Error> {
        let (batch, n) = (loc.nrows(), grid.len());
        check::shape("loc", loc.shape(), &[batch, n])?;
        check::finite("loc", &loc)?;
        check::shape("log_diag", log_diag.shape(), &[batch, n])?;
        check::finite("log_diag", &log_diag)?;
        // The square of its exponential stays within f64.
        if let Some((index, v)) = log_diag.iter().enumerate().find(|(_, v)| v.to_f64() > 350.0) {
            let (index, value, must) = (Some(index), v.to_f64(), "at most 350");
            return Err(ArgumentError::Value { argument: "log_diag", index, value, must }.into());
        }
        check::shape("off_diag", off_diag.shape(), &[batch, grid.offsets().len(), n])?;
        check::finite("off_diag", &off_diag)?;
        Ok(Self { grid, loc, log_diag, off_diag })
    }

    /// Number of distributions.
    pub fn batch(&self) -> usize {
        self.loc.nrows()
    }

    /// Number of dimensions.
    pub fn dim(&self) -> usize {
        self.grid.len()
    }

    /// The image's layout.
    pub fn grid(&self) -> PixelGrid {
        self.grid
    }

    /// The location, [batch, n].
    pub fn loc(&self) -> ArrayView2<'_, F> {
        self.loc.view()
    }

    /// Logarithms of the diagonal of L, [batch, n].
    pub fn log_diag(&self) -> ArrayView2<'_, F> {
        self.log_diag.view()
    }

    /// The entries of L beside its diagonal, [batch, [offsets](PixelGrid::offsets), n].
    pub fn off_diag(&self) -> ArrayView3<'_, F> {
        self.off_diag.view()
    }

    /// Mean, [batch, n].
    pub fn mean(&self) -> Array2<F> {
        self.loc.clone()
    }

    /// Log-density of each row of `x` [batch, n] → `[batch]`, by a filter: O(n k²).
    ///
    /// ```text
    /// Σ log_diag − ½‖Lᵀ(x − μ)‖² − n/2·log 2π
    /// ```
    ///
    /// # Errors
    /// `x` has another shape or is not finite; a product overflows to something that is no number.
    pub fn log_prob(&self, x: &ArrayRef2<F>) -> Result<Array1<f64>, Error> {
        let q = self.mahalanobis(x)?;
        let constant = self.dim() as f64 * HALF_LOG_TWO_PI;
        Ok((0..self.batch()).map(|b| -0.5 * q[b] - constant - 0.5 * self.log_det_of(b)).collect())
    }

    /// Squared Mahalanobis distance of each row of `x` [batch, n] → `[batch]`.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn mahalanobis(&self, x: &ArrayRef2<F>) -> Result<Array1<f64>, Error> {
        self.check_vector("x", x)?;
        let found = collect(self.batch(), |b| {
            let white = self.item(b).transposed_times(self.grid, &self.gap(b, x));
            number("mahalanobis", b, white.iter().map(|y| y * y).sum())
        });
        found.into_iter().collect()
    }

    /// log |Σ| of each item, `[batch]`: −2·Σ log_diag.
    pub fn log_det(&self) -> Array1<f64> {
        (0..self.batch()).map(|b| self.log_det_of(b)).collect()
    }

    /// Differential entropy of each item, `[batch]`.
    pub fn entropy(&self) -> Array1<f64> {
        self.log_det().mapv(|log_det| 0.5 * log_det + self.dim() as f64 * (HALF_LOG_TWO_PI + 0.5))
    }

    /// [`log_prob`](Self::log_prob) and its partial derivatives.
    ///
    /// ```text
    /// y = Lᵀ(x − μ):   ∂x = −L·y,   ∂μ = L·y,   ∂log_diag_i = 1 − exp(log_diag_i)·y_i·(x − μ)_i,   ∂L_ji = −y_i·(x − μ)_j
    /// ```
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn log_prob_with_grad(
        &self,
        x: &ArrayRef2<F>,
    ) -> Result<(Array1<f64>, SparsePrecisionNormalLogProbGrad<F>), Error> {
        let value = self.log_prob(x)?;
        let found = collect(self.batch(), |b| {
            let (item, gap) = (self.item(b), self.gap(b, x));
            let white = item.transposed_times(self.grid, &gap);
            let mut off = vec![vec![0.0; self.dim()]; item.off.len()];
            for (off, offset) in off.iter_mut().zip(self.grid.offsets()) {
                self.grid.for_each_run(offset, |from, to, len| {
                    let ends = white[from..from + len].iter().zip(&gap[to..to + len]);
                    off[from..from + len].iter_mut().zip(ends).for_each(|(off, (y, r))| *off = -y * r);
                });
            }
            let own: Vec<f64> =
                item.diag.iter().zip(white.iter().zip(&gap)).map(|(d, (y, r))| 1.0 - d * y * r).collect();
            let slopes = item.times(self.grid, &white);
            let mut all = slopes.iter().chain(&own).chain(off.iter().flatten());
            let overflow = Error::Overflow { quantity: "the gradient", batch: b };
            if all.any(|v| v.is_nan()) { Err(overflow) } else { Ok((slopes, own, off)) }
        });
        let found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
        let shape = self.loc.raw_dim();
        let slope = |sign: f64| Array2::from_shape_fn(shape, |(b, i)| F::from_f64(sign * found[b].0[i]));
        let grad = SparsePrecisionNormalLogProbGrad {
            x: slope(-1.0),
            loc: slope(1.0),
            log_diag: Array2::from_shape_fn(shape, |(b, i)| F::from_f64(found[b].1[i])),
            off_diag: Array3::from_shape_fn(self.off_diag.raw_dim(), |(b, o, i)| {
                F::from_f64(found[b].2[o][i])
            }),
        };
        Ok((value, grad))
    }

    /// Reparameterised sample from given noise of N(0, 1), [batch, n] → [batch, n]: μ + L⁻ᵀ·noise by back substitution.
    ///
    /// # Errors
    /// `noise` has another shape or is not finite; the solution overflows ([`Error::Overflow`]).
    pub fn rsample(&self, noise: &ArrayRef2<F>) -> Result<Array2<F>, Error> {
        self.check_vector("noise", noise)?;
        self.each("sample", |b| {
            let mut x = self.item(b).solve_transposed(self.grid, row(noise, b));
            x.iter_mut().zip(self.loc.row(b)).for_each(|(x, loc)| *x += loc.to_f64());
            x
        })
    }

    /// One draw of each distribution, [batch, n].
    ///
    /// # Errors
    /// The solution overflows ([`Error::Overflow`]).
    pub fn sample(&self, rng: &mut impl Rng) -> Result<Array2<F>, Error> {
        let noise = Array2::from_shape_simple_fn(self.loc.raw_dim(), || {
            F::from_f64(rng.sample::<f64, _>(StandardNormal))
        });
        self.rsample(&noise)
    }

    /// Σ⁻¹·v for each item, [batch, n].
    ///
    /// # Errors
    /// `v` has another shape or is not finite; a product overflows.
    pub fn precision_times(&self, v: &ArrayRef2<F>) -> Result<Array2<F>, Error> {
        self.check_vector("v", v)?;
        self.each("precision_times", |b| {
            let item = self.item(b);
            item.times(self.grid, &item.transposed_times(self.grid, &row(v, b)))
        })
    }

    /// Σ·v for each item, by two sparse triangular solves, [batch, n].
    ///
    /// # Errors
    /// `v` has another shape or is not finite; a solution overflows.
    pub fn covariance_times(&self, v: &ArrayRef2<F>) -> Result<Array2<F>, Error> {
        self.check_vector("v", v)?;
        self.each("covariance_times", |b| {
            let item = self.item(b);
            item.solve_transposed(self.grid, item.solve(self.grid, row(v, b)))
        })
    }

    /// Variance of each dimension, [batch, n], by the recursion of Takahashi, Fagan & Chen (1973) on the band that the
    /// neighbourhood spans: O(n·k³·width) time, O(k·n·width) memory. Its sums cancel where neighbours hang together strongly: what may have
    /// lost more than ten digits is found again by a triangular solve, in O(n·k²) for each such dimension.
    ///
    /// # Errors
    /// A variance overflows.
    pub fn variance(&self) -> Result<Array2<F>, Error> {
        self.each("variance", |b| self.item(b).inverse_diagonal(self.grid))
    }

    /// L, [batch, n, n], for small images.
    pub fn precision_tril(&self) -> Array3<F> {
        let (batch, n) = self.loc.dim();
        let mut l = Array3::from_elem((batch, n, n), F::ZERO);
        for (b, mut l) in l.axis_iter_mut(Axis(0)).enumerate() {
            let item = self.item(b);
            (0..n).for_each(|i| l[(i, i)] = F::from_f64(item.diag[i]));
            for (off, offset) in item.off.iter().zip(self.grid.offsets()) {
                self.grid.for_each_run(offset, |from, to, len| {
                    (0..len).for_each(|k| l[(to + k, from + k)] = F::from_f64(off[from + k]));
                });
            }
        }
        l
    }

    fn check_vector(&self, argument: &'static str, v: &ArrayRef2<F>) -> Result<(), Error> {
        check::shape(argument, v.shape(), self.loc.shape())?;
        Ok(check::finite(argument, v)?)
    }

    fn gap(&self, b: usize, x: &ArrayRef2<F>) -> Vec<f64> {
        x.row(b).iter().zip(self.loc.row(b)).map(|(x, loc)| x.to_f64() - loc.to_f64()).collect()
    }

    fn log_det_of(&self, b: usize) -> f64 {
        -2.0 * self.log_diag.row(b).iter().map(|v| v.to_f64()).sum::<f64>()
    }

    fn item(&self, b: usize) -> Item {
        let planes = self.off_diag.index_axis(Axis(0), b);
        Item {
            diag: self.log_diag.row(b).iter().map(|v| libm::exp(v.to_f64())).collect(),
            off: planes.rows().into_iter().map(|plane| plane.iter().map(|v| v.to_f64()).collect()).collect(),
        }
    }

    fn each(
        &self,
        quantity: &'static str,
        f: impl Fn(usize) -> Vec<f64> + Sync + Send,
    ) -> Result<Array2<F>, Error> {
        let rows = collect(self.batch(), |b| {
            let row = f(b);
            let fine = row.iter().all(|v| F::from_f64(*v).to_f64().is_finite());
            if fine { Ok(row) } else { Err(Error::Overflow { quantity, batch: b }) }
        });
        let rows = rows.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Array2::from_shape_fn(self.loc.raw_dim(), |(b, i)| F::from_f64(rows[b][i])))
    }
}

fn row<F: Real>(v: &ArrayRef2<F>, b: usize) -> Vec<f64> {
    v.row(b).iter().map(|v| v.to_f64()).collect()
}

fn number(quantity: &'static str, batch: usize, value: f64) -> Result<f64, Error> {
    if value.is_nan() { Err(Error::Overflow { quantity, batch }) } else { Ok(value) }
}

/// Units of rounding that a variance may have lost.
const LOST: f64 = 1e5;

impl Item {
    /// Lᵀ·v: y_i = d_i·v_i + Σ off_i·v_(later neighbour).
    fn transposed_times(&self, grid: PixelGrid, v: &[f64]) -> Vec<f64> {
        let mut y: Vec<f64> = self.diag.iter().zip(v).map(|(d, v)| d * v).collect();
        for (off, offset) in self.off.iter().zip(grid.offsets()) {
            grid.for_each_run(offset, |from, to, len| {
                let terms = off[from..from + len].iter().zip(&v[to..to + len]);
                y[from..from + len].iter_mut().zip(terms).for_each(|(y, (off, v))| *y += off * v);
            });
        }
        y
    }

    /// L·v.
    fn times(&self, grid: PixelGrid, v: &[f64]) -> Vec<f64> {
        let mut y: Vec<f64> = self.diag.iter().zip(v).map(|(d, v)| d * v).collect();
        for (off, offset) in self.off.iter().zip(grid.offsets()) {
            grid.for_each_run(offset, |from, to, len| {
                let terms = off[from..from + len].iter().zip(&v[from..from + len]);
                y[to..to + len].iter_mut().zip(terms).for_each(|(y, (off, v))| *y += off * v);
            });
        }
        y
    }

    /// L⁻ᵀ·v, from the last pixel to the first.
    fn solve_transposed(&self, grid: PixelGrid, mut v: Vec<f64>) -> Vec<f64> {
        let later = grid.later();
        for i in (0..v.len()).rev() {
            let known: f64 = later.of(i).map(|(o, j)| self.off[o][i] * v[j]).sum();
            v[i] = (v[i] - known) / self.diag[i];
        }
        v
    }

    /// L⁻¹·v, from the first pixel to the last.
    fn solve(&self, grid: PixelGrid, mut v: Vec<f64>) -> Vec<f64> {
        let later = grid.later();
        for i in 0..v.len() {
            v[i] /= self.diag[i];
            for (o, j) in later.of(i) {
                v[j] -= self.off[o][i] * v[i];
            }
        }
        v
    }

    /// Diagonal of (L·Lᵀ)⁻¹ = Z, of which a band is known from the last row up: Z_ij = −(1/L_ii)·Σ_k L_ki·Z_kj for j > i, and
    /// 1/L_ii more of 1/L_ii on the diagonal.
    fn inverse_diagonal(&self, grid: PixelGrid) -> Vec<f64> {
        let (n, later) = (self.diag.len(), grid.later());
        let width = later.reach() + 1;
        let mut z = vec![0.0; n * width];
        // Roundings drawn by chance, some units each, and what becomes of them: bounds of the errors would grow beyond all measure.
        let mut errors = z.clone();
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        let mut drawn = move || {
            // Marsaglia's xorshift; from −2 to 2.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 51) as f64 - 2.0
        };
        for i in (0..n).rev() {
            for d in (0..width.min(n - i)).rev() {
                let j = i + d;
                let own = if d == 0 { 1.0 / self.diag[i] } else { 0.0 };
                let (mut sum, mut error, mut size) = (own, 0.0, own);
                for (o, k) in later.of(i) {
                    let (off, at) = (self.off[o][i], k.min(j) * width + k.abs_diff(j));
                    sum -= off * z[at];
                    error -= off * errors[at];
                    size += (off * z[at]).abs();
                }
                z[i * width + d] = sum / self.diag[i];
                errors[i * width + d] = (error + size * drawn()) / self.diag[i];
            }
        }
        let again = |i: usize| {
            let mut unit = vec![0.0; n];
            unit[i] = 1.0;
            let found = self.solve(grid, unit);
            dot(&found, &found)
        };
        let lost = |i: usize| !(errors[i * width].abs() <= LOST * z[i * width]);
        collect(n, |i| if lost(i) { again(i) } else { z[i * width] })
    }
}
