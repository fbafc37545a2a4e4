//! Directions to project on: points of the unit sphere.

use ndarray::{Array2, ArrayRef2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use variata_distributions::special::ndtri;
use variata_distributions::{ArgumentError, Real, check};

use crate::error::Error;

/// How far the norm of a given direction may be from 1.
const UNIT_TOLERANCE: f64 = 1e-5;
/// Weakly dependent groups that a quasi-random set is made of, so that its error can be estimated.
const SHIFTS: usize = 8;

/// The stream of ChaCha8 that directions are drawn from. A sample of normal numbers is likely drawn from the first, and with the same seed
/// its points would lie along them.
const STREAM: u64 = u64::from_le_bytes(*b"slicedir");

fn generator(seed: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAM);
    rng
}

/// Unit vectors [directions, dimensions], in f64.
///
/// Drawn ones depend on the seed alone, and not on what else is drawn with that seed. In every drawn set each direction by itself is
/// uniform on the sphere, so that the mean over directions is unbiased; the sets differ in how directions go together.
///
/// ```
/// use variata_sliced::Directions;
///
/// let directions = Directions::orthogonal(6, 3, 1)?;
/// assert_eq!(directions.vectors().dim(), (6, 3));
/// let dot = directions.vectors().row(0).dot(&directions.vectors().row(1));
/// assert!(dot.abs() < 1e-15);
/// # Ok::<(), variata_sliced::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Directions {
    vectors: Array2<f64>,
    /// Directions in a row that depend on each other.
    group: usize,
}

impl Directions {
    /// Independent and uniform on the sphere: normal vectors, normalised.
    ///
    /// # Errors
    /// `count` or `dimensions` is 0, or their product does not fit in memory.
    pub fn uniform(count: usize, dimensions: usize, seed: u64) -> Result<Self, Error> {
        let mut vectors = zeros(count, dimensions)?;
        let mut rng = generator(seed);
        for mut row in vectors.rows_mut() {
            loop {
                row.mapv_inplace(|_| StandardNormal.sample(&mut rng));
                let norm = libm::sqrt(row.dot(&row));
                if norm > 0.0 {
                    row /= norm;
                    break;
                }
            }
        }
        Ok(Self { vectors, group: 1 })
    }

    /// Blocks of `dimensions` orthonormal directions, each block a uniformly distributed rotation: the mean over a block has
    /// less variance than that of as many independent directions.
    ///
    /// # Errors
    /// As [`uniform`](Self::uniform).
    pub fn orthogonal(count: usize, dimensions: usize, seed: u64) -> Result<Self, Error> {
        let mut this = Self::uniform(count, dimensions, seed)?;
        let flat = this.vectors.as_slice_mut().unwrap_or_default();
        for block in flat.chunks_mut(dimensions * dimensions) {
            // Gram and Schmidt on normal vectors, twice, which is enough (W. Kahan).
            for i in 0..block.len() / dimensions {
                let (before, rest) = block.split_at_mut(i * dimensions);
                let row = &mut rest[..dimensions];
                for _ in 0..2 {
                    for other in before.chunks(dimensions) {
                        let dot: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
                        row.iter_mut().zip(other).for_each(|(a, b)| *a -= dot * b);
                    }
                    let norm = libm::sqrt(row.iter().map(|a| a * a).sum());
                    for a in row.iter_mut() {
                        *a /= norm;
                    }
                }
            }
        }
        this.group = dimensions;
        Ok(this)
    }

    /// Points of a low-discrepancy sequence, mapped to the sphere by normal quantiles: up to eight sets, each shifted at
    /// random. On the circle the points of a set are evenly spaced.
    ///
    /// The sequence is Kronecker's, of the powers of the root of xᵈ⁺¹ = x + 1; it helps up to some ten dimensions.
    ///
    /// # Errors
    /// As [`uniform`](Self::uniform).
    pub fn quasi_random(count: usize, dimensions: usize, seed: u64) -> Result<Self, Error> {
        let mut vectors = zeros(count, dimensions)?;
        let mut rng = generator(seed);
        let group = count.div_ceil(SHIFTS);
        // x = (1 + x)^(1/(d + 1)) contracts.
        let mut root = 1.5;
        for _ in 0..64 {
            root = libm::pow(1.0 + root, 1.0 / (dimensions as f64 + 1.0));
        }
        for mut rows in vectors.axis_chunks_iter_mut(ndarray::Axis(0), group) {
            let shift: Vec<f64> = (0..dimensions).map(|_| rng.random()).collect();
            let members = rows.nrows() as f64;
            for (k, mut row) in rows.rows_mut().into_iter().enumerate() {
                let k = k as f64;
                if dimensions == 2 {
                    let angle = std::f64::consts::TAU * (shift[0] + k / members);
                    (row[0], row[1]) = (libm::cos(angle), libm::sin(angle));
                    continue;
                }
                let mut step = 1.0;
                for (value, shift) in row.iter_mut().zip(&shift) {
                    step /= root;
                    let u = (shift + k * step).fract();
                    *value = ndtri(u.clamp(f64::EPSILON, 1.0 - f64::EPSILON));
                }
                let norm = libm::sqrt(row.dot(&row));
                if norm > 0.0 {
                    row /= norm;
                } else {
                    row[0] = 1.0;
                }
            }
        }
        Ok(Self { vectors, group })
    }

    /// Given unit vectors [directions, dimensions]; they are normalised in f64.
    ///
    /// # Errors
    /// No vector, no dimension, a value that is not finite, or a norm farther than 1e-5 from 1.
    pub fn given<F: Real>(vectors: &ArrayRef2<F>) -> Result<Self, Error> {
        let (count, dimensions) = vectors.dim();
        zeros(count, dimensions)?;
        check::finite("directions", vectors)?;
        let mut vectors = vectors.map(|v| v.to_f64());
        for (index, mut row) in vectors.rows_mut().into_iter().enumerate() {
            let norm = libm::sqrt(row.dot(&row));
            if !((norm - 1.0).abs() <= UNIT_TOLERANCE) {
                let must = "of norm 1, within 1e-5";
                let argument = "norm of directions";
                return Err(ArgumentError::Value { argument, index: Some(index), value: norm, must }.into());
            }
            row /= norm;
        }
        Ok(Self { vectors, group: 1 })
    }

    /// The vectors, [directions, dimensions].
    pub fn vectors(&self) -> &Array2<f64> {
        &self.vectors
    }

    /// Number of directions.
    pub fn count(&self) -> usize {
        self.vectors.nrows()
    }

    /// Number of dimensions.
    pub fn dim(&self) -> usize {
        self.vectors.ncols()
    }

    /// Estimated standard error of the mean over directions, from the means of groups that are independent of each other;
    /// `None` with fewer than two whole groups.
    pub(crate) fn standard_error(&self, values: &[f64]) -> Option<f64> {
        let (total, size) = (values.len() as f64, self.group as f64);
        let groups = values.chunks_exact(self.group);
        let rest = groups.remainder().len() as f64;
        let means: Vec<f64> = groups.clone().map(|g| g.iter().sum::<f64>() / size).collect();
        let count = means.len() as f64;
        if means.len() < 2 {
            return None;
        }
        let mean = means.iter().sum::<f64>() / count;
        let between = means.iter().map(|m| (m - mean) * (m - mean)).sum::<f64>() / (count - 1.0);
        if rest == 0.0 {
            return Some(libm::sqrt(between / count));
        }
        // A part of a group is a draw from it without replacement: its mean has the variance of groups and that of what it leaves out.
        let off = |(group, mean): (&[f64], &f64)| group.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
        let within = groups.zip(&means).map(off).sum::<f64>() / (count * (size - 1.0));
        let of_part = between + within * (1.0 / rest - 1.0 / size);
        let variance = size * size * count * between + rest * rest * of_part;
        Some(libm::sqrt(variance) / total)
    }
}

/// The array of the vectors, if that is one.
fn zeros(count: usize, dimensions: usize) -> Result<Array2<f64>, ArgumentError> {
    let fits = count.checked_mul(dimensions).is_some_and(|n| n > 0 && n <= isize::MAX as usize / 8);
    if fits {
        return Ok(Array2::zeros((count, dimensions)));
    }
    let want = "[directions, dimensions], neither 0, that fits in memory".to_owned();
    Err(ArgumentError::Shape { argument: "directions", got: vec![count, dimensions], want })
}
