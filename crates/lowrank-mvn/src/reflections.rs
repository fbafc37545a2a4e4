//! Triangular factors of tall matrices by Householder reflections, block after block.

use variata_distributions::linalg::dot;

/// R of a QR decomposition whose rows come in blocks, with right-hand sides carried along.
pub(crate) struct Triangle {
    /// Columns of R, upper triangular, and after them the rotated right-hand sides.
    columns: Vec<Vec<f64>>,
    r: usize,
    residual: f64,
}

impl Triangle {
    /// For r columns and `right` right-hand sides; starts with the identity, or with nothing.
    pub(crate) fn new(r: usize, right: usize, identity: bool) -> Self {
        let entry = |i: usize, j: usize| f64::from(u8::from(identity && i == j));
        let columns = (0..r + right).map(|j| (0..r).map(|i| entry(i, j)).collect()).collect();
        Self { columns, r, residual: 0.0 }
    }

    /// Adds the first `rows` rows of the columns.
    pub(crate) fn add<'c>(&mut self, rows: usize, column: impl Fn(usize) -> &'c [f64]) {
        let top = self.columns.iter().enumerate();
        let mut stacked: Vec<Vec<f64>> =
            top.map(|(j, top)| top.iter().chain(&column(j)[..rows]).copied().collect()).collect();
        for j in 0..self.r {
            let (done, rest) = stacked.split_at_mut(j + 1);
            reflect(&mut done[j], rest, j);
        }
        // What is rotated out of a right-hand side is the part of it that no combination of the columns reaches.
        self.residual +=
            stacked[self.r..].iter().flat_map(|rest| &rest[self.r..]).map(|b| b * b).sum::<f64>();
        for (top, column) in self.columns.iter_mut().zip(stacked) {
            top.copy_from_slice(&column[..self.r]);
        }
    }

    /// Row-major Rᵀ. The sign of each of its columns is free.
    pub(crate) fn lower(&self) -> Vec<f64> {
        lower(&self.columns[..self.r], self.r)
    }

    /// Columns of R.
    pub(crate) fn upper(&self) -> &[Vec<f64>] {
        &self.columns[..self.r]
    }

    /// Rotated right-hand sides, one after the other.
    pub(crate) fn right(&self) -> Vec<f64> {
        self.columns[self.r..].concat()
    }

    /// Squares of the residuals of all right-hand sides.
    pub(crate) fn residual(&self) -> f64 {
        self.residual
    }
}

/// Row-major Rᵀ from the columns of R.
pub(crate) fn lower(columns: &[Vec<f64>], n: usize) -> Vec<f64> {
    let mut l = vec![0.0; n * n];
    for (i, column) in columns.iter().enumerate() {
        l[i * n..=i * n + i].copy_from_slice(&column[..=i]);
    }
    l
}

/// The Householder reflection that clears a column below entry j, applied to the rest. Source: Golub & Van Loan,
/// "Matrix Computations" (2013), algorithm 5.1.1.
pub(crate) fn reflect(column: &mut [f64], rest: &mut [Vec<f64>], j: usize) {
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
