//! One item of the batch: the capacitance matrix C = I + PᵀD⁻¹P and its factor, without forming anything n×n.
//!
//! With A = D^-½P and b = D^-½(x − μ), z = C⁻¹Aᵀb is the least-squares solution of [A; I]·z ≈ [b; 0].

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView1, ArrayView2, s};
use variata_distributions::Real;
use variata_distributions::linalg::{dot, solve_lower, solve_lower_transposed};

use crate::diagonal::Diagonal;
use crate::{Error, LowRankMvn};

/// Rows per block: its f64 copy stays in the cache.
const BLOCK: usize = 256;
/// Smallest ratio of a pivot to its diagonal entry at which the normal equations keep enough digits for elements `F`: they
/// lose as many as the ratio has zeros.
fn worst_pivot<F: Real>() -> f64 {
    if F::UNIT_ROUNDOFF > 1e-10 { 1e-7 } else { 1e-2 }
}

/// One item, by reference.
pub(crate) struct Item<'p, F> {
    pub b: usize,
    pub loc: ArrayView1<'p, F>,
    pub factor: ArrayView2<'p, F>,
    pub diag: Diagonal<'p, F>,
}

/// A block of rows in f64.
pub(crate) struct Block {
    /// First row.
    pub start: usize,
    /// D^-½ of each row.
    pub weights: Vec<f64>,
    /// Rows of A = D^-½P, and, in the last column, of b if there is a point.
    pub rows: Array2<f64>,
}

/// The factorised covariance of one item.
pub(crate) enum Factorised {
    /// r < n: C = L·Lᵀ, r×r.
    Capacitance { l: Vec<f64>, log_det: f64 },
    /// n ≤ r: the covariance itself, L·Lᵀ, n×n.
    Dense { l: Vec<f64>, log_det: f64 },
}

/// What a factorisation says of a point.
#[derive(Default)]
pub(crate) struct Solution {
    /// C⁻¹Aᵀb; empty where n ≤ r.
    pub z: Vec<f64>,
    /// The squared Mahalanobis distance, where it falls out.
    pub q: Option<f64>,
}

impl<F: Real> LowRankMvn<'_, F> {
    /// Item b.
    pub(crate) fn item(&self, b: usize) -> Item<'_, F> {
        Item {
            b,
            loc: self.loc.row(b),
            factor: self.cov_factor.slice(s![b, .., ..]),
            diag: self.cov_diag.item(b),
        }
    }
}

impl<F: Real> Item<'_, F> {
    pub(crate) fn n(&self) -> usize {
        self.loc.len()
    }

    pub(crate) fn r(&self) -> usize {
        self.factor.ncols()
    }

    /// Calls `f` with block after block; `x` adds the column b.
    pub(crate) fn for_each_block(&self, x: Option<ArrayView1<'_, F>>, mut f: impl FnMut(&Block)) {
        let (n, r) = (self.n(), self.r());
        let columns = r + usize::from(x.is_some());
        let mut block = Block { start: 0, weights: Vec::new(), rows: Array2::zeros((BLOCK.min(n), columns)) };
        for start in (0..n).step_by(BLOCK) {
            let len = BLOCK.min(n - start);
            if len != block.rows.nrows() {
                block.rows = Array2::zeros((len, columns));
            }
            block.start = start;
            block.weights.clear();
            block.weights.extend((start..start + len).map(|i| 1.0 / libm::sqrt(self.diag.at(i))));
            let source = self.factor.slice(s![start..start + len, ..]);
            // The inner loop runs along whichever axis lies together in memory.
            ndarray::Zip::indexed(block.rows.slice_mut(s![.., ..r])).and(source).for_each(|(i, _), to, p| {
                *to = block.weights[i] * p.to_f64();
            });
            if let Some(x) = &x {
                for (i, w) in block.weights.iter().enumerate() {
                    block.rows[(i, r)] = w * (x[start + i].to_f64() - self.loc[start + i].to_f64());
                }
            }
            f(&block);
        }
    }

    /// The factor of the covariance, and what it says of a point.
    pub(crate) fn factorise(&self, x: Option<ArrayView1<'_, F>>) -> Result<(Factorised, Solution), Error> {
        if self.n() <= self.r() {
            return Ok((self.dense()?, Solution::default()));
        }
        let r = self.r();
        let log_diag = self.diag.log_det(self.n())?;
        let columns = r + usize::from(x.is_some());
        let mut gram = Array2::zeros((columns, columns));
        self.for_each_block(x, |block| {
            general_mat_mul(1.0, &block.rows.t(), &block.rows, 1.0, &mut gram);
        });
        let mut l: Vec<f64> = gram.slice(s![..r, ..r]).iter().copied().collect();
        if let Some(log_det) = capacitance_factor(&mut l, r, worst_pivot::<F>()) {
            let mut z: Vec<f64> = gram.slice(s![..r, r..]).iter().copied().collect();
            solve_lower(&l, r, &mut z, columns - r);
            solve_lower_transposed(&l, r, &mut z, columns - r);
            return Ok((Factorised::Capacitance { l, log_det: log_diag + log_det }, Solution { z, q: None }));
        }
        let (l, solution) = self.by_reflections(x);
        let log_det: f64 = (0..r).map(|j| 2.0 * libm::log(l[j * r + j].abs())).sum();
        Ok((Factorised::Capacitance { l, log_det: log_diag + log_det }, solution))
    }

    /// L with C = L·Lᵀ and z, by Householder reflections of [I, 0; A, b], block after block.
    ///
    /// For columns that are nearly parallel, where the squares of the normal equations would lose twice as many digits.
    fn by_reflections(&self, x: Option<ArrayView1<'_, F>>) -> (Vec<f64>, Solution) {
        let r = self.r();
        let columns = r + usize::from(x.is_some());
        // Upper triangular, with the rotated right-hand side in the last column.
        let mut top: Vec<Vec<f64>> =
            (0..columns).map(|j| (0..r).map(|i| f64::from(u8::from(i == j))).collect()).collect();
        let mut q = 0.0;
        self.for_each_block(x, |block| {
            let mut stacked: Vec<Vec<f64>> = top
                .iter()
                .zip(block.rows.columns())
                .map(|(top, below)| top.iter().copied().chain(below.iter().copied()).collect())
                .collect();
            for j in 0..r {
                let (done, rest) = stacked.split_at_mut(j + 1);
                reflect(&mut done[j], rest, j);
            }
            // What is rotated out of the right-hand side is the part of b that no z reaches.
            q += stacked[r..].iter().flat_map(|rest| &rest[r..]).map(|b| b * b).sum::<f64>();
            for (top, column) in top.iter_mut().zip(stacked) {
                top.copy_from_slice(&column[..r]);
            }
        });
        // Column i of R is row i of L; its sign is free.
        let l = lower(&top[..r], r);
        let mut z: Vec<f64> = top[r..].iter().flatten().copied().collect();
        if !z.is_empty() {
            solve_lower_transposed(&l, r, &mut z, 1);
        }
        (l, Solution { q: (!z.is_empty()).then_some(q), z })
    }

    /// L with P·Pᵀ + D = L·Lᵀ, by reflections of [Pᵀ; D^½], whose squares would lose twice as many digits.
    fn dense(&self) -> Result<Factorised, Error> {
        let n = self.n();
        let mut columns: Vec<Vec<f64>> = (0..n)
            .map(|i| {
                let own = (0..n).map(|j| if i == j { libm::sqrt(self.diag.at(i)) } else { 0.0 });
                self.factor.row(i).iter().map(|p| p.to_f64()).chain(own).collect()
            })
            .collect();
        let mut log_det = 0.0;
        for j in 0..n {
            let size = libm::sqrt(dot(&columns[j], &columns[j]));
            let (done, rest) = columns.split_at_mut(j + 1);
            reflect(&mut done[j], rest, j);
            let pivot = done[j][j].abs();
            // What rounding leaves of a column that depends on those before it.
            if !(pivot > 8.0 * f64::EPSILON * size && pivot.is_finite()) {
                return Err(Error::SingularCovariance { batch: self.b, rank: j, n });
            }
            log_det += 2.0 * libm::log(pivot);
        }
        Ok(Factorised::Dense { l: lower(&columns, n), log_det })
    }
}

/// Rᵀ from the columns of R.
fn lower(columns: &[Vec<f64>], n: usize) -> Vec<f64> {
    let mut l = vec![0.0; n * n];
    for (i, column) in columns.iter().enumerate() {
        l[i * n..=i * n + i].copy_from_slice(&column[..=i]);
    }
    l
}

impl Factorised {
    pub(crate) fn log_det(&self) -> f64 {
        match self {
            Self::Capacitance { log_det, .. } | Self::Dense { log_det, .. } => *log_det,
        }
    }
}

/// L of I + G in place of G, and log |I + G|; `None` where a pivot is too small beside its diagonal entry.
///
/// Pivots are kept as their excess over 1, so that the determinant of a small G keeps its digits.
fn capacitance_factor(g: &mut [f64], r: usize, worst_pivot: f64) -> Option<f64> {
    let mut log_det = 0.0;
    for i in 0..r {
        let (above, rest) = g.split_at_mut(i * r);
        let row = &mut rest[..r];
        for j in 0..i {
            let other = &above[j * r..j * r + r];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let diagonal = 1.0 + row[i];
        let excess = row[i] - dot(&row[..i], &row[..i]);
        // Also refuses NaN.
        if !(1.0 + excess > worst_pivot * diagonal && diagonal.is_finite()) {
            return None;
        }
        log_det += libm::log1p(excess);
        row[i] = libm::sqrt(1.0 + excess);
        row[i + 1..].fill(0.0);
    }
    Some(log_det)
}

/// The Householder reflection that clears a column below entry j, applied to the rest. Source: Golub & Van Loan,
/// "Matrix Computations" (2013), algorithm 5.1.1.
fn reflect(column: &mut [f64], rest: &mut [Vec<f64>], j: usize) {
    let largest = column[j..].iter().fold(0.0f64, |m, v| m.max(v.abs()));
    if largest == 0.0 {
        return;
    }
    // Scaled, so that squares neither overflow nor vanish.
    let norm = largest * libm::sqrt(column[j..].iter().map(|v| (v / largest) * (v / largest)).sum());
    let alpha = if column[j] > 0.0 { -norm } else { norm };
    let mut v: Vec<f64> = column[j..].iter().map(|v| v / largest).collect();
    v[0] -= alpha / largest;
    let vv = dot(&v, &v);
    column[j] = alpha;
    column[j + 1..].fill(0.0);
    for other in rest {
        let factor = 2.0 * dot(&v, &other[j..]) / vv;
        for (x, v) in other[j..].iter_mut().zip(&v) {
            *x -= factor * v;
        }
    }
}
