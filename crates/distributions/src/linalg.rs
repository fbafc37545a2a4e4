//! Dense f64 factorisations and triangular solves on row-major n×n slices, for the crates of this workspace; no promise
//! is made to others.

#[cfg(feature = "faer")]
use faer::{
    Spec,
    dyn_stack::{MemBuffer, MemStack},
    linalg::{
        matmul::matmul,
        svd::{self, ComputeSvdVectors},
    },
};

/// Products of two slices, in four partial sums.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a4.remainder().iter().zip(b4.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a4.zip(b4) {
        for (lane, (x, y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
            *lane += x * y;
        }
    }
    (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]) + rest
}

/// y += c·x.
pub fn add_scaled(y: &mut [f64], c: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += c * x;
    }
}

/// Lower L with a = L·Lᵀ, in place; reads the lower triangle and clears the upper one.
///
/// # Errors
/// The first pivot that is not > 0, and its value.
pub fn cholesky(a: &mut [f64], n: usize) -> Result<(), (usize, f64)> {
    for i in 0..n {
        let (above, rest) = a.split_at_mut(i * n);
        let row = &mut rest[..n];
        for j in 0..i {
            let other = &above[j * n..j * n + n];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let pivot = row[i] - dot(&row[..i], &row[..i]);
        // Also refuses NaN.
        if !(pivot > 0.0 && pivot.is_finite()) {
            return Err((i, pivot));
        }
        row[i] = pivot.sqrt();
        row[i + 1..].fill(0.0);
    }
    Ok(())
}

/// n×r factor X with a ≈ X·Xᵀ of a positive semidefinite matrix, by Cholesky with complete pivoting, and the rank r.
/// X has n columns, those from r on are 0.
///
/// Takes no pivot ≤ n·u·aᵢᵢ, the size of its rounding errors, whatever the sizes of the others: a row of 1 beside one of 10²⁰ counts.
///
/// # Errors
/// A pivot that is more negative than rounding explains, and its value; or a row in which more is left beside the diagonal, and minus its size.
pub fn semidefinite_factor(a: &[f64], n: usize) -> Result<(Vec<f64>, usize), (usize, f64)> {
    let mut x = vec![0.0; n * n];
    let mut left: Vec<f64> = (0..n).map(|i| a[i * n + i]).collect();
    let noise: Vec<f64> = left.iter().map(|v| n as f64 * f64::EPSILON * v).collect();
    let mut done = vec![false; n];
    let mut rank = 0;
    while rank < n {
        let open = (0..n).filter(|&i| !done[i] && left[i] > noise[i]);
        let Some(p) = open.max_by(|&i, &j| left[i].total_cmp(&left[j])) else { break };
        let pivot = left[p].sqrt();
        done[p] = true;
        let row_p = x[p * n..p * n + rank].to_vec();
        x[p * n + rank] = pivot;
        for i in (0..n).filter(|&i| !done[i]) {
            let row = &mut x[i * n..i * n + n];
            // The lower triangle is read, as in `cholesky`.
            let element = if i > p { a[i * n + p] } else { a[p * n + i] };
            row[rank] = (element - dot(&row[..rank], &row_p)) / pivot;
            left[i] -= row[rank] * row[rank];
        }
        rank += 1;
    }
    // What is left is 0 but for rounding, beside the diagonal too: else it has a negative eigenvalue of that size.
    let noise = 100.0 * noise.into_iter().fold(0.0, f64::max);
    let open: Vec<usize> = (0..n).filter(|&i| !done[i]).collect();
    for (at, &i) in open.iter().enumerate() {
        for &j in &open[..at] {
            let rest = a[i * n + j] - dot(&x[i * n..i * n + rank], &x[j * n..j * n + rank]);
            if !(rest.abs() <= noise) {
                return Err((i, -rest.abs()));
            }
        }
    }
    let refused = |&(_, &v): &(usize, &f64)| !(v >= -noise);
    match left.iter().enumerate().filter(|(i, _)| !done[*i]).find(refused) {
        Some((i, &value)) => Err((i, value)),
        None => Ok((x, rank)),
    }
}

/// The unit matrix, row-major n×n.
pub fn identity(n: usize) -> Vec<f64> {
    (0..n * n).map(|at| f64::from(u8::from(at / n == at % n))).collect()
}

/// (L·Lᵀ)⁻¹, row-major n×n.
pub fn factored_inverse(l: &[f64], n: usize) -> Vec<f64> {
    let mut inverse = identity(n);
    solve_lower(l, n, &mut inverse, n);
    solve_lower_transposed(l, n, &mut inverse, n);
    inverse
}

/// b ← L⁻¹b for each of the `columns` columns of row-major b.
pub fn solve_lower(l: &[f64], n: usize, b: &mut [f64], columns: usize) {
    for i in 0..n {
        let (above, rest) = b.split_at_mut(i * columns);
        let row = &mut rest[..columns];
        for (j, above) in above.chunks_exact(columns.max(1)).enumerate() {
            if l[i * n + j] != 0.0 {
                add_scaled(row, -l[i * n + j], above);
            }
        }
        for x in row.iter_mut() {
            *x /= l[i * n + i];
        }
    }
}

/// b ← L⁻ᵀb for each of the `columns` columns of row-major b.
pub fn solve_lower_transposed(l: &[f64], n: usize, b: &mut [f64], columns: usize) {
    for i in (0..n).rev() {
        let (above, rest) = b.split_at_mut(i * columns);
        let row = &mut rest[..columns];
        for x in row.iter_mut() {
            *x /= l[i * n + i];
        }
        for (j, above) in above.chunks_exact_mut(columns.max(1)).enumerate() {
            if l[i * n + j] != 0.0 {
                add_scaled(above, -l[i * n + j], row);
            }
        }
    }
}

/// aᵀ.
pub fn transposed(a: &[f64], n: usize) -> Vec<f64> {
    let mut t = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..n {
            t[j * n + i] = a[i * n + j];
        }
    }
    t
}

/// a·b.
pub fn product(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
    let mut c = vec![0.0; n * n];
    let rows: Vec<_> = c.chunks_exact_mut(n.max(1)).zip(a.chunks_exact(n.max(1))).collect();
    crate::parallel::for_each(rows, |(c, a)| {
        for (&a, b) in a.iter().zip(b.chunks_exact(n)) {
            if a != 0.0 {
                add_scaled(c, a, b);
            }
        }
    });
    c
}

/// Eigenvalues of a symmetric row-major matrix, in no order, and its eigenvectors as the rows of the second result, by
/// cyclic Jacobi rotations: absolute errors of a few u·‖a‖.
pub fn symmetric_eigen(a: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    // The largest entry near 1, by a power of two: squares of others would over- or underflow.
    let exponent = exponent_of_largest(a);
    let mut a: Vec<f64> = a.iter().map(|&v| libm::scalbn(v, -exponent)).collect();
    let mut vectors = identity(n);
    let size: f64 = a.iter().map(|v| v * v).sum();
    // Quadratic convergence; what 30 sweeps leave is rounding.
    for _ in 0..30 {
        let off: f64 =
            (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * n + j].powi(2)).sum();
        if !(off > f64::EPSILON * f64::EPSILON * size) {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                let x = a[p * n + q];
                if x == 0.0 {
                    continue;
                }
                // The smaller angle that makes the entry 0.
                let half = (a[q * n + q] - a[p * n + p]) / (2.0 * x);
                let tangent = half.signum() / (half.abs() + half.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = tangent * cosine;
                for k in 0..n {
                    let (u, v) = (a[k * n + p], a[k * n + q]);
                    (a[k * n + p], a[k * n + q]) = (cosine * u - sine * v, sine * u + cosine * v);
                }
                for k in 0..n {
                    let (u, v) = (a[p * n + k], a[q * n + k]);
                    (a[p * n + k], a[q * n + k]) = (cosine * u - sine * v, sine * u + cosine * v);
                    let (u, v) = (vectors[p * n + k], vectors[q * n + k]);
                    (vectors[p * n + k], vectors[q * n + k]) = (cosine * u - sine * v, sine * u + cosine * v);
                }
            }
        }
    }
    ((0..n).map(|i| libm::scalbn(a[i * n + i], exponent)).collect(), vectors)
}

/// ⌊log₂⌋ of the largest size; 0 where that is 0 or infinite.
fn exponent_of_largest(a: &[f64]) -> i32 {
    let largest = a.iter().fold(0.0, |largest: f64, v| largest.max(v.abs()));
    if largest > 0.0 && largest.is_finite() { libm::ilogb(largest) } else { 0 }
}

/// The orthogonal factor W = U·Vᵀ of a square matrix m = U·S·Vᵀ.
///
/// One-sided Jacobi (Hestenes), which finds small singular values to their own digits when the columns are graded.
/// Directions of singular value 0 are completed to an orthonormal basis.
///
/// With the feature `faer`, large matrices go through its blocked singular value decomposition instead: small singular
/// values lose digits there, but W is orthogonal whatever they are, and only its error counts.
///
/// Returns `None` when 60 sweeps do not orthogonalise the columns to 1e-9.
pub fn polar(m: &[f64], n: usize) -> Option<Vec<f64>> {
    #[cfg(feature = "faer")]
    if n >= LARGE
        && let Some(w) = polar_by_svd(m, n)
    {
        return Some(w);
    }
    polar_by_jacobi(m, n)
}

/// From here on the blocked decomposition is faster.
#[cfg(feature = "faer")]
const LARGE: usize = 96;

/// How the decomposition splits its sums: a constant and not, as faer's own default, the number of threads, which would show
/// in the result.
#[cfg(feature = "faer")]
const SPLIT: faer::Par = faer::Par::Rayon(std::num::NonZeroUsize::MIN.saturating_add(7));

/// `None` where it finds no finite one: for some matrices whose singular values lie close together its vectors are NaN.
#[cfg(feature = "faer")]
fn polar_by_svd(m: &[f64], n: usize) -> Option<Vec<f64>> {
    let largest = m.iter().fold(0.0, |largest: f64, v| largest.max(v.abs()));
    let scale = if largest > 0.0 { libm::scalbn(1.0, -libm::ilogb(largest) / 2) } else { 1.0 };
    let m = faer::Mat::from_fn(n, n, |i, j| m[i * n + j] * scale * scale);
    let (mut u, mut v, mut s) = (faer::Mat::zeros(n, n), faer::Mat::zeros(n, n), faer::diag::Diag::zeros(n));
    let all = ComputeSvdVectors::Full;
    let room = svd::svd_scratch::<f64>(n, n, all, all, SPLIT, Spec::default());
    let mut room = MemBuffer::try_new(room).ok()?;
    let stack = MemStack::new(&mut room);
    let (to_s, to_u, to_v) = (s.as_mut(), u.as_mut(), v.as_mut());
    svd::svd(m.as_ref(), to_s, Some(to_u), Some(to_v), SPLIT, stack, Spec::default()).ok()?;
    let mut w = faer::Mat::zeros(n, n);
    matmul(w.as_mut(), faer::Accum::Replace, u.as_ref(), v.transpose(), 1.0, SPLIT);
    let w: Vec<f64> = (0..n * n).map(|at| w[(at / n, at % n)]).collect();
    w.iter().all(|w| w.is_finite()).then_some(w)
}

fn polar_by_jacobi(m: &[f64], n: usize) -> Option<Vec<f64>> {
    // W does not depend on the scale of m, but squares of its columns would over- or underflow.
    let largest = m.iter().fold(0.0, |largest: f64, v| largest.max(v.abs()));
    let scale = if largest > 0.0 { libm::scalbn(1.0, -libm::ilogb(largest) / 2) } else { 1.0 };
    let columns = (0..n).map(|j| (0..n).map(|i| m[i * n + j] * scale * scale).collect()).collect();
    let columns = one_sided_jacobi(columns)?;
    let basis = orthonormal(columns.iter().map(|(column, _)| column), n)?;
    let mut w = vec![0.0; n * n];
    for (u, (_, v)) in basis.iter().zip(&columns) {
        for (row, &u) in w.chunks_exact_mut(n).zip(u) {
            add_scaled(row, u, v);
        }
    }
    Some(w)
}

/// Columns of m·V, which are orthogonal, and of the orthogonal V, the longest first: m = U·S·Vᵀ with m·V = U·S. Columns so
/// long or short that their squares over- or underflow must be scaled before.
///
/// Returns `None` when 60 sweeps do not orthogonalise them to 1e-9.
pub fn one_sided_jacobi(m: Vec<Vec<f64>>) -> Option<Vec<(Vec<f64>, Vec<f64>)>> {
    let n = m.len();
    let unit = |j: usize| (0..n).map(|i| f64::from(u8::from(i == j))).collect();
    let mut columns: Vec<(Vec<f64>, Vec<f64>)> =
        m.into_iter().enumerate().map(|(j, c)| (c, unit(j))).collect();
    // The largest cosine between two columns that the last sweep still found.
    let mut worst = if n < 2 { 0.0 } else { 1.0 };
    for _ in 0..60 {
        if worst == 0.0 {
            break;
        }
        worst = sweep(&mut columns);
    }
    // Directions are made orthogonal below whatever the columns are: what rounding keeps turning at this size no longer shows.
    if !(worst <= 1e-9) {
        return None;
    }
    columns.sort_by(|(a, _), (b, _)| dot(b, b).total_cmp(&dot(a, a)));
    Some(columns)
}

/// Orthonormal vectors of length n along columns that are orthogonal to rounding, the longest first. A column of 0, or one that lies in
/// the span of those before, gets any direction that is left; there must be at most n columns.
pub fn orthonormal<'c>(columns: impl Iterator<Item = &'c Vec<f64>>, n: usize) -> Option<Vec<Vec<f64>>> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let mut spare = 0;
    for column in columns {
        let size = norm(column);
        // However short beside the others: a short column of graded ones has digits of its own.
        let mut u: Vec<f64> = if size > 0.0 { column.iter().map(|x| x / size).collect() } else { Vec::new() };
        while !orthonormalise(&mut u, &basis) {
            if spare == n {
                return None; // n unit vectors span the space.
            }
            u = vec![0.0; n];
            u[spare] = 1.0;
            spare += 1;
        }
        basis.push(u);
    }
    Some(basis)
}

fn norm(x: &[f64]) -> f64 {
    let largest = x.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let scaled: f64 = x.iter().map(|v| (v / largest) * (v / largest)).sum();
    largest * scaled.sqrt()
}

/// Gram–Schmidt, twice; false where too little of `u` is left to be a direction.
fn orthonormalise(u: &mut [f64], basis: &[Vec<f64>]) -> bool {
    if u.is_empty() {
        return false;
    }
    for _ in 0..2 {
        for b in basis {
            let c = dot(u, b);
            add_scaled(u, -c, b);
        }
        let size = norm(u);
        if size < 0.01 / (u.len() as f64).sqrt() {
            return false;
        }
        for x in u.iter_mut() {
            *x /= size;
        }
    }
    true
}

/// One round-robin of rotations over all pairs of columns; the largest cosine that needed one, 0 when none did.
fn sweep(columns: &mut Vec<(Vec<f64>, Vec<f64>)>) -> f64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    let n = columns.len();
    let even = n + n % 2;
    // The bits of non-negative numbers are ordered as the numbers are, NaN above all.
    let worst = AtomicU64::new(0);
    // Circle method: each of even − 1 rounds pairs every column once, so the pairs of a round can run in parallel.
    let mut slots: Vec<Option<(Vec<f64>, Vec<f64>)>> = columns.drain(..).map(Some).collect();
    slots.resize_with(even, || None);
    for _ in 0..even.saturating_sub(1) {
        let (left, right) = slots.split_at_mut(even / 2);
        let pairs: Vec<_> = left.iter_mut().zip(right.iter_mut().rev()).collect();
        let rotate_pair = |(a, b): (&mut Option<_>, &mut Option<_>)| {
            if let (Some(a), Some(b)) = (a.as_mut(), b.as_mut()) {
                worst.fetch_max(rotate(a, b).to_bits(), Ordering::Relaxed);
            }
        };
        // Small rounds are not worth a task.
        if n >= 64 {
            crate::parallel::for_each(pairs, rotate_pair);
        } else {
            pairs.into_iter().for_each(rotate_pair);
        }
        slots[1..].rotate_right(1);
    }
    columns.extend(slots.into_iter().flatten());
    f64::from_bits(worst.into_inner())
}

/// Makes two columns orthogonal; the cosine of their angle before, 0 when they were orthogonal to rounding.
fn rotate((a, va): &mut (Vec<f64>, Vec<f64>), (b, vb): &mut (Vec<f64>, Vec<f64>)) -> f64 {
    let (alpha, beta, gamma) = (dot(a, a), dot(b, b), dot(a, b));
    let tolerance = f64::EPSILON * (a.len() as f64).sqrt();
    let size = alpha.sqrt() * beta.sqrt();
    // A column whose square has lost its digits to underflow is nothing beside the largest, which is near 1: turning it
    // would go on for ever.
    if alpha.min(beta) < 1e-280 {
        return 0.0;
    }
    if gamma == 0.0 || gamma.abs() <= tolerance * size {
        return 0.0;
    }
    let zeta = (beta - alpha) / (2.0 * gamma);
    let t = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = c * t;
    for (a, b) in [(a, b), (va, vb)] {
        for (a, b) in a.iter_mut().zip(b.iter_mut()) {
            (*a, *b) = (c * *a - s * *b, s * *a + c * *b);
        }
    }
    (gamma / size).abs()
}

#[cfg(test)]
mod tests;
