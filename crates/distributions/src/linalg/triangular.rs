//! Cholesky factor and solves with it.

use ndarray::{Array2, ArrayRef1, ArrayRef2, s};

/// A pivot that is not > 0: its index and value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BadPivot {
    pub(crate) pivot: usize,
    pub(crate) value: f64,
}

/// Lower factor L of A = LLᵀ; reads the lower triangle of `a` only, the upper one of the result is 0.
///
/// Row-oriented (Cholesky–Banachiewicz), so that every inner loop runs along rows. Backward error ≤ (n + 1) u ‖A‖.
/// Source: Higham, "Accuracy and Stability of Numerical Algorithms" (2002), theorem 10.3.
pub(crate) fn cholesky(a: &ArrayRef2<f64>) -> Result<Array2<f64>, BadPivot> {
    let n = a.nrows();
    let mut l = Array2::<f64>::zeros((n, n));
    for i in 0..n {
        for j in 0..=i {
            let dot = l.slice(s![i, ..j]).dot(&l.slice(s![j, ..j]));
            let rest = a[[i, j]] - dot;
            if i == j {
                // NaN fails here too.
                if !(rest > 0.0 && rest.is_finite()) {
                    return Err(BadPivot { pivot: i, value: rest });
                }
                l[[i, i]] = rest.sqrt();
            } else {
                l[[i, j]] = rest / l[[j, j]];
            }
        }
    }
    Ok(l)
}

/// Solves L x = b in place, for a lower triangular L with a diagonal that is not 0.
pub(crate) fn solve_lower(l: &ArrayRef2<f64>, x: &mut ArrayRef1<f64>) {
    for i in 0..x.len() {
        let dot = l.slice(s![i, ..i]).dot(&x.slice(s![..i]));
        x[i] = (x[i] - dot) / l[[i, i]];
    }
}

/// Solves Lᵀ x = b in place.
pub(crate) fn solve_lower_transposed(l: &ArrayRef2<f64>, x: &mut ArrayRef1<f64>) {
    for i in (0..x.len()).rev() {
        let value = x[i] / l[[i, i]];
        x[i] = value;
        // Row i of L is column i of Lᵀ.
        let row = l.slice(s![i, ..i]);
        x.slice_mut(s![..i]).zip_mut_with(&row, |x, l| *x -= l * value);
    }
}
