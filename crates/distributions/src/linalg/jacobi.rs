//! Singular values and vectors by one-sided Jacobi rotations.

use ndarray::ArrayRef2;

use crate::Error;

/// A = U diag(s) Vᵀ of a square A, columns as rows: `u[i]` and `v[i]` belong to `s[i]`. `u[i]` is 0 where `s[i]` is.
#[derive(Debug)]
pub(crate) struct Svd {
    pub(crate) u: Vec<Vec<f64>>,
    pub(crate) s: Vec<f64>,
    pub(crate) v: Vec<Vec<f64>>,
}

/// A column of AV with the same column of V.
struct Column {
    a: Vec<f64>,
    v: Vec<f64>,
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    // Eight accumulators, so that the compiler may use vectors; a fixed tree, so that the result is always the same.
    let mut sums = [0.0; 8];
    let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
    let tail: f64 = xs.remainder().iter().zip(ys.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in xs.zip(ys) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + tail
}

/// Makes two columns orthogonal; returns the cosine of their angle before.
fn rotate(p: &mut Column, q: &mut Column) -> f64 {
    let (alpha, beta, gamma) = (dot(&p.a, &p.a), dot(&q.a, &q.a), dot(&p.a, &q.a));
    let scale = alpha.sqrt() * beta.sqrt();
    if gamma == 0.0 || scale == 0.0 {
        return 0.0;
    }
    let cosine = gamma.abs() / scale;
    // Below rounding there is nothing to rotate.
    if cosine < f64::EPSILON * (p.a.len() as f64).sqrt() {
        return cosine;
    }
    let zeta = (beta - alpha) / (2.0 * gamma);
    let t = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = c * t;
    let turn = |x: &mut [f64], y: &mut [f64]| {
        for (x, y) in x.iter_mut().zip(y) {
            (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
        }
    };
    turn(&mut p.a, &mut q.a);
    turn(&mut p.v, &mut q.v);
    cosine
}

/// Singular value decomposition of a square matrix; singular values descend.
///
/// Each sweep takes the pairs of columns in the rounds of a tournament: the pairs of a round are disjoint, so that they
/// turn in parallel and the result does not depend on the number of threads. Singular values are accurate to
/// u ‖A‖ at least. Source: Hestenes 1958; Brent & Luk 1985 for the order.
///
/// # Errors
/// [`Error::NoConvergence`], which no finite matrix is known to cause.
pub(crate) fn svd(a: &ArrayRef2<f64>) -> Result<Svd, Error> {
    const SWEEPS: usize = 40;
    let n = a.ncols();
    // A power of two, so that scaling is exact: squares of columns must neither overflow nor vanish.
    let largest = a.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let scale = if largest > 0.0 { libm::exp2(-f64::from(libm::ilogb(largest))) } else { 1.0 };
    let mut columns: Vec<Option<Column>> = a
        .columns()
        .into_iter()
        .enumerate()
        .map(|(j, c)| {
            let mut v = vec![0.0; n];
            v[j] = 1.0;
            Some(Column { a: c.iter().map(|x| x * scale).collect(), v })
        })
        .collect();
    let limit = f64::EPSILON * (a.nrows().max(1) as f64).sqrt();
    let players = n + n % 2;
    let mut converged = n < 2;
    for _ in 0..SWEEPS {
        if converged {
            break;
        }
        let mut worst = 0.0f64;
        for round in 0..players - 1 {
            let mut pairs = Vec::with_capacity(players / 2);
            for k in 0..players / 2 {
                // The last player stays, the others move round.
                let (i, j) = if k == 0 {
                    (players - 1, round)
                } else {
                    ((round + k) % (players - 1), (round + players - 1 - k) % (players - 1))
                };
                let (i, j) = (i.min(j), i.max(j));
                if j < n
                    && let (Some(p), Some(q)) = (columns[i].take(), columns[j].take())
                {
                    pairs.push((i, j, p, q, 0.0));
                }
            }
            crate::elementwise::for_each(pairs.iter_mut().collect(), |(_, _, p, q, cosine)| {
                *cosine = rotate(p, q);
            });
            for (i, j, p, q, cosine) in pairs {
                worst = worst.max(cosine);
                (columns[i], columns[j]) = (Some(p), Some(q));
            }
        }
        converged = worst <= limit;
    }
    if !converged {
        return Err(Error::NoConvergence { what: "the singular value decomposition", iterations: SWEEPS });
    }
    let mut all: Vec<(f64, Column)> =
        columns.into_iter().flatten().map(|c| (dot(&c.a, &c.a).sqrt(), c)).collect();
    all.sort_by(|x, y| y.0.total_cmp(&x.0));
    let mut out = Svd { u: Vec::new(), s: Vec::new(), v: Vec::new() };
    for (s, column) in all {
        out.s.push(s / scale);
        out.u.push(column.a.iter().map(|x| if s > 0.0 { x / s } else { 0.0 }).collect());
        out.v.push(column.v);
    }
    Ok(out)
}

/// Replaces the vectors that are not of unit length, or not orthogonal to those before them, by others, so that all are
/// an orthonormal basis. Vectors of tiny singular values are rounding noise: they come last and are the ones replaced.
pub(crate) fn complete(u: &mut [Vec<f64>]) {
    let n = u.len();
    for i in 0..n {
        let (done, rest) = u.split_at_mut(i);
        let candidate = &mut rest[0];
        let project = |x: &mut Vec<f64>| {
            // Twice is enough (Kahan; Parlett 1980).
            for _ in 0..2 {
                for other in done.iter() {
                    let d = dot(x, other);
                    for (x, o) in x.iter_mut().zip(other) {
                        *x -= d * o;
                    }
                }
            }
            dot(x, x).sqrt()
        };
        let mut norm = project(candidate);
        if norm < 0.5 {
            // Of the unit vectors one has at least √((n − i)/n) of its length outside the span.
            let mut best = (0.0, Vec::new());
            for k in 0..n {
                let mut unit = vec![0.0; n];
                unit[k] = 1.0;
                let norm = project(&mut unit);
                if norm > best.0 {
                    best = (norm, unit);
                }
                if norm * norm * (n as f64) >= 0.9 * (n - i) as f64 {
                    break;
                }
            }
            (norm, *candidate) = best;
        }
        if norm > 0.0 {
            for x in candidate.iter_mut() {
                *x /= norm;
            }
        }
    }
}
