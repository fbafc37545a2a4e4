//! Parameters and dense references.

use ndarray::{Array1, Array2, Array3};
use variata_lowrank_mvn::LowRankMvn;

/// Numbers in (−1, 1), different for each salt.
pub(crate) fn wave(i: usize, salt: usize) -> f64 {
    // A sinusoid alone would span two dimensions.
    let t = (i * 31 + salt * 17) as f64 * 0.618;
    0.6 * t.sin() + 0.4 * (t * t * 0.37).cos()
}

pub(crate) fn matrix(rows: usize, columns: usize, salt: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, columns), |(i, j)| wave(i * columns + j, salt))
}

pub(crate) fn factor(batch: usize, n: usize, r: usize, salt: usize) -> Array3<f64> {
    Array3::from_shape_fn((batch, n, r), |(b, i, j)| wave((b * n + i) * r + j, salt))
}

pub(crate) fn variances(batch: usize, n: usize, salt: usize) -> Array2<f64> {
    matrix(batch, n, salt).mapv(|v| 0.1 + v * v)
}

/// The dense distribution with the same covariance.
pub(crate) fn dense(p: &LowRankMvn<'_, f64>) -> variata_distributions::MultivariateNormal<f64> {
    variata_distributions::MultivariateNormal::from_covariance(p.loc().to_owned(), &p.covariance_matrix())
        .unwrap()
}

/// |got − want| ≤ tolerance·(1 + |want|).
pub(crate) fn assert_close(name: &str, got: &Array1<f64>, want: &Array1<f64>, tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{name}");
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= tolerance * (1.0 + want.abs()), "{name}: {got} against {want}");
    }
}

/// a⁻¹·b by Gaussian elimination with partial pivoting.
pub(crate) fn solve(mut a: Array2<f64>, mut b: Array2<f64>) -> Array2<f64> {
    let n = a.nrows();
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[(i, k)].abs().total_cmp(&a[(j, k)].abs())).unwrap();
        for j in 0..n {
            a.swap((k, j), (pivot, j));
        }
        for j in 0..b.ncols() {
            b.swap((k, j), (pivot, j));
        }
        for i in (0..n).filter(|&i| i != k) {
            let share = a[(i, k)] / a[(k, k)];
            for j in k..n {
                a[(i, j)] -= share * a[(k, j)];
            }
            for j in 0..b.ncols() {
                b[(i, j)] -= share * b[(k, j)];
            }
        }
    }
    for ((i, _), v) in b.indexed_iter_mut() {
        *v /= a[(i, i)];
    }
    b
}

/// Relative error in norm.
pub(crate) fn off<'a>(got: impl IntoIterator<Item = &'a f64>, want: &[f64]) -> f64 {
    let got: Vec<f64> = got.into_iter().copied().collect();
    assert_eq!(got.len(), want.len());
    let size = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
    size(&mut got.iter().zip(want).map(|(a, b)| a - b)) / size(&mut want.iter().copied())
}
