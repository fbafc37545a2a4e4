//! The triangular factor of a tall matrix.

use ndarray::{Array2, ArrayRef2};

/// Upper triangular R of A = QR, [k, d] with k = min(n, d), for A [n, d]; RᵀR = AᵀA without forming the product, whose
/// small eigenvalues would be lost in rounding.
///
/// Householder reflections, column by column. Source: Golub & Van Loan, "Matrix Computations" (2013), algorithm 5.2.1.
pub(crate) fn upper_factor(a: &ArrayRef2<f64>) -> Array2<f64> {
    let (n, d) = a.dim();
    let k = n.min(d);
    let mut columns: Vec<Vec<f64>> = a.columns().into_iter().map(|c| c.to_vec()).collect();
    let mut r = Array2::zeros((k, d));
    for j in 0..k {
        let (done, rest) = columns.split_at_mut(j + 1);
        let column = &mut done[j];
        // Scaled, so that squares neither overflow nor vanish.
        let scale = column[j..].iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for i in 0..j {
            r[[i, j]] = column[i];
        }
        if scale == 0.0 {
            continue;
        }
        let norm = scale * column[j..].iter().map(|v| (v / scale) * (v / scale)).sum::<f64>().sqrt();
        let alpha = if column[j] > 0.0 { -norm } else { norm };
        r[[j, j]] = alpha;
        // v = x − α e₁, normalised by its largest element; H = I − 2 v vᵀ / vᵀv.
        column[j] -= alpha;
        let largest = column[j..].iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for v in &mut column[j..] {
            *v /= largest;
        }
        let vv: f64 = column[j..].iter().map(|v| v * v).sum();
        let v = &column[j..];
        let reflect = |other: &mut Vec<f64>| {
            let dot: f64 = v.iter().zip(&other[j..]).map(|(v, x)| v * x).sum();
            let factor = 2.0 * dot / vv;
            for (x, v) in other[j..].iter_mut().zip(v) {
                *x -= factor * v;
            }
        };
        crate::elementwise::for_each(rest.iter_mut().collect(), reflect);
    }
    for j in k..d {
        for i in 0..k {
            r[[i, j]] = columns[j][i];
        }
    }
    r
}
