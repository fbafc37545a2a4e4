//! Leading eigenvectors of a sample covariance.

use ndarray::Array2;
use rand_distr::{Distribution, StandardNormal};
use variata_distributions::Real;
use variata_distributions::linalg::{add_scaled, dot, symmetric_eigen};

use super::FitOptions;
use super::samples::Samples;

/// Directions more than are asked for, which converge in their stead.
const SPARE: usize = 8;
/// Blocks of directions between restarts.
const DEPTH: usize = 4;
/// Directions of at least this part of the largest variance are found with it; rounding has 10⁻¹⁶ of that.
const SURE: f64 = 1e-8;

/// Leading eigenvectors and eigenvalues, and the variance in all other directions.
pub(super) struct Leading {
    pub directions: Vec<Vec<f64>>,
    pub variances: Vec<f64>,
    pub residual: f64,
    /// Whether all directions are within the tolerance.
    pub converged: bool,
}

impl Leading {
    /// Direction after direction: those that one iteration finds with variances much smaller than its largest are rounding of that one,
    /// and found again beside those that are sure. Variances are measured along the directions.
    pub(super) fn of<F: Real>(samples: &Samples<'_, F>, rank: usize, options: &FitOptions) -> Self {
        let n = samples.mean().len();
        let (mut directions, mut converged): (Vec<Vec<f64>>, bool) = (Vec::new(), true);
        let mut total = samples.variances().sum();
        while directions.len() < rank {
            let before = directions.len();
            let (found, all) = beside(&directions, samples, rank - before, total, options);
            let largest = found.first().map_or(0.0, |(value, _)| *value);
            // Of constant data, what rounding left of the mean.
            total = total.max(largest);
            for (_, u) in found.into_iter().take_while(|(value, _)| *value >= SURE * largest) {
                extend(&mut directions, u);
            }
            converged &= all;
            if directions.len() == before {
                break;
            }
        }
        for u in &mut directions {
            let largest = u.iter().fold(0.0f64, |m, x| if x.abs() > m.abs() { *x } else { m });
            if largest < 0.0 {
                scale(u, -1.0);
            }
        }
        directions.resize(rank, vec![0.0; n]);
        let u = Array2::from_shape_fn((n, rank), |(i, k)| directions[k][i]);
        // What is left of each sample beside its projection.
        let (_, along, residual) = samples.products(&u, |centred, y| {
            let rest = centred - &y.dot(&u.t());
            rest.iter().map(|v| v * v).sum()
        });
        let mut order: Vec<usize> = (0..rank).collect();
        order.sort_by(|&i, &j| along[(j, j)].total_cmp(&along[(i, i)]));
        let variances = order.iter().map(|&k| along[(k, k)]).collect();
        let directions = order.iter().map(|&k| std::mem::take(&mut directions[k])).collect();
        Self { directions, variances, residual, converged }
    }
}

/// Leading eigenvalues and eigenvectors of the covariance in the complement of `known`, and whether all are within the tolerance: by block
/// Krylov iteration with restarts (Musco & Musco, "Randomized block Krylov methods", 2015; the start is the same for every call), until no
/// residual ‖Su − λu‖ exceeds the tolerance times the largest eigenvalue, or what rounding of the samples makes of it.
fn beside<F: Real>(
    known: &[Vec<f64>],
    samples: &Samples<'_, F>,
    rank: usize,
    total: f64,
    options: &FitOptions,
) -> (Vec<(f64, Vec<f64>)>, bool) {
    let n = samples.mean().len();
    let width = (rank + SPARE).min(n);
    let mut rng = start();
    let mut block: Vec<Vec<f64>> =
        (0..width).map(|_| (0..n).map(|_| StandardNormal.sample(&mut rng)).collect()).collect();
    let mut found: Vec<(f64, Vec<f64>)> = Vec::new();
    let mut converged = false;
    for _ in 0..options.max_iterations.max(1) {
        // Basis vectors, and the covariance times each that is not known.
        let (mut basis, mut images): (Vec<Vec<f64>>, Vec<Vec<f64>>) = (known.to_vec(), Vec::new());
        for _ in 0..DEPTH {
            let before = basis.len();
            for candidate in block.drain(..) {
                extend(&mut basis, candidate);
            }
            if basis.len() == before {
                break;
            }
            let fresh = Array2::from_shape_fn((n, basis.len() - before), |(i, k)| basis[before + k][i]);
            let (back, ..) = samples.products(&fresh, |_, _| 0.0);
            images.extend(back.columns().into_iter().map(|column| column.to_vec()));
            block = images[before - known.len()..].to_vec();
        }
        let whole = basis.len() == n;
        let basis = &basis[known.len()..];
        let k = basis.len();
        let projected: Vec<f64> = (0..k * k)
            .map(|at| (at / k, at % k))
            .map(|(i, j)| 0.5 * (dot(&basis[i], &images[j]) + dot(&basis[j], &images[i])))
            .collect();
        let (values, vectors) = symmetric_eigen(&projected, k);
        let mut order: Vec<usize> = (0..k).collect();
        order.sort_by(|&i, &j| values[j].total_cmp(&values[i]));
        let combine = |of: &[Vec<f64>], which: usize| {
            let mut sum = vec![0.0; n];
            (0..k).for_each(|i| add_scaled(&mut sum, vectors[which * k + i], &of[i]));
            sum
        };
        let largest = order.first().map_or(0.0, |&i| values[i].max(0.0));
        let mut worst = 0.0f64;
        found = order.iter().take(width).map(|&i| (values[i].max(0.0), combine(basis, i))).collect();
        for (&i, (value, u)) in order.iter().zip(found.iter().take(rank)) {
            let mut residual = combine(&images, i);
            add_scaled(&mut residual, -value, u);
            for known in known {
                let along = dot(&residual, known);
                add_scaled(&mut residual, -along, known);
            }
            worst = worst.max(libm::sqrt(dot(&residual, &residual)));
        }
        let rounding = n as f64 * f64::EPSILON * libm::sqrt(total * largest);
        if whole || worst <= (options.tolerance * largest).max(rounding) {
            converged = true;
            break;
        }
        block = found.iter().map(|(_, u)| u.clone()).collect();
    }
    found.truncate(rank);
    (found, converged)
}

fn start() -> rand_chacha::ChaCha8Rng {
    use rand_chacha::rand_core::SeedableRng;
    rand_chacha::ChaCha8Rng::seed_from_u64(0)
}

/// Adds the part of `candidate` that is orthogonal to the basis, normalised, unless rounding is all that it is.
fn extend(basis: &mut Vec<Vec<f64>>, mut candidate: Vec<f64>) {
    let before = libm::sqrt(dot(&candidate, &candidate));
    if !(before > 0.0) {
        return;
    }
    scale(&mut candidate, 1.0 / before);
    // Twice is enough.
    for _ in 0..2 {
        for b in basis.iter() {
            let along = dot(&candidate, b);
            add_scaled(&mut candidate, -along, b);
        }
    }
    let after = libm::sqrt(dot(&candidate, &candidate));
    if after > 1e-12 {
        scale(&mut candidate, 1.0 / after);
        // A third time for what little was left, which the first two have made worse.
        for b in basis.iter() {
            let along = dot(&candidate, b);
            add_scaled(&mut candidate, -along, b);
        }
        let size = libm::sqrt(dot(&candidate, &candidate));
        scale(&mut candidate, 1.0 / size);
        basis.push(candidate);
    }
}

fn scale(x: &mut [f64], by: f64) {
    for x in x {
        *x *= by;
    }
}
