//! Ill-conditioned matrices with known properties.

use ndarray::{Array1, Array2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Symmetric positive definite, n × n, with eigenvalues spaced geometrically from 1 down to 1/`condition`: Q·Λ·Qᵀ with Q
/// a product of n random Householder reflections. Exactly symmetric.
///
/// ```
/// use variata_testkit::families::{condition_of, spd};
///
/// let a = spd(5, 1e6, 7);
/// assert!((condition_of(&a) / 1e6 - 1.0).abs() < 1e-8);
/// ```
pub fn spd(n: usize, condition: f64, seed: u64) -> Array2<f64> {
    let steps = n.saturating_sub(1).max(1) as f64;
    let eigenvalues = Array1::from_shape_fn(n, |i| condition.powf(-(i as f64) / steps));
    let mut a = Array2::from_diag(&eigenvalues);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..n {
        // A ← HAH with H = I − 2vvᵀ, |v| = 1: an orthogonal similarity.
        let mut v: Array1<f64> = Array1::from_shape_fn(n, |_| rng.random_range(-1.0..1.0));
        let norm = v.dot(&v).sqrt();
        if norm > 0.0 {
            v /= norm;
            let w = a.dot(&v);
            let vav = v.dot(&w);
            for i in 0..n {
                for j in 0..n {
                    a[[i, j]] += 4.0 * vav * v[i] * v[j] - 2.0 * (v[i] * w[j] + w[i] * v[j]);
                }
            }
        }
    }
    symmetric(a)
}

/// Symmetric positive definite and graded: D·A·D with A well conditioned (10) and dᵢ = `ratio`ⁱ. Its condition number is
/// about `ratio`^(−2(n−1)) for ratio < 1, yet small relative changes of the entries change the factor little, so that a good
/// kernel loses nothing.
pub fn graded_spd(n: usize, ratio: f64, seed: u64) -> Array2<f64> {
    let mut a = spd(n, 10.0, seed);
    let d = Array1::from_shape_fn(n, |i| ratio.powf(i as f64));
    for ((i, j), a) in a.indexed_iter_mut() {
        *a *= d[i] * d[j];
    }
    symmetric(a)
}

/// rows × columns, every column one common vector plus `gap` times noise, all uniform in [−1, 1): collinear to `gap`, and
/// exactly so for gap = 0.
pub fn near_collinear(rows: usize, columns: usize, gap: f64, seed: u64) -> Array2<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let common = Array1::from_shape_fn(rows, |_| rng.random_range(-1.0..1.0));
    Array2::from_shape_fn((rows, columns), |(i, _)| common[i] + gap * rng.random_range(-1.0..1.0))
}

/// λmax/λmin of a symmetric matrix, by cyclic Jacobi rotations; +∞ if λmin ≤ 0, NaN for an empty matrix.
pub fn condition_of(a: &Array2<f64>) -> f64 {
    let n = a.nrows().min(a.ncols());
    let mut a = a.clone();
    // Convergence is quadratic; 60 sweeps are far more than the handful that is needed.
    for _ in 0..60 {
        let mut rotated = false;
        for p in 0..n {
            for q in p + 1..n {
                rotated |= rotate(&mut a, n, p, q);
            }
        }
        if !rotated {
            break;
        }
    }
    let eigenvalues = (0..n).map(|i| a[[i, i]]);
    let (min, max) =
        eigenvalues.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| (lo.min(x), hi.max(x)));
    if n == 0 {
        f64::NAN
    } else if min <= 0.0 {
        f64::INFINITY
    } else {
        max / min
    }
}

/// One Jacobi rotation; false where the entry is negligible already.
fn rotate(a: &mut Array2<f64>, n: usize, p: usize, q: usize) -> bool {
    let apq = a[[p, q]];
    if apq.abs() <= f64::EPSILON / 4.0 * (a[[p, p]] * a[[q, q]]).abs().sqrt() {
        return false;
    }
    let theta = (a[[q, q]] - a[[p, p]]) / (2.0 * apq);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for k in 0..n {
        let (x, y) = (a[[k, p]], a[[k, q]]);
        (a[[k, p]], a[[k, q]]) = (c * x - s * y, s * x + c * y);
    }
    for k in 0..n {
        let (x, y) = (a[[p, k]], a[[q, k]]);
        (a[[p, k]], a[[q, k]]) = (c * x - s * y, s * x + c * y);
    }
    true
}

fn symmetric(mut a: Array2<f64>) -> Array2<f64> {
    for i in 0..a.nrows() {
        for j in 0..i {
            let mean = a[[i, j]] / 2.0 + a[[j, i]] / 2.0;
            (a[[i, j]], a[[j, i]]) = (mean, mean);
        }
    }
    a
}
