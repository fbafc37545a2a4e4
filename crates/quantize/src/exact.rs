//! Distances from differences, in f64 and in twice its digits: what decides between codes that round-off cannot tell apart.

use std::cmp::Ordering;

use ndarray::Array2;
use variata_distributions::Real;
use variata_distributions::lanes::{Compute, Sample, widest};

use crate::codebook::Metric;
use crate::pack::power_of_two;

/// Sums side by side.
const LANES: usize = 8;
/// More codes than this are not sorted before the nearest are picked.
const MANY: usize = 16;

/// Σ f(zᵢ, eᵢ) in eight sums, which the compiler puts into vectors.
#[inline(always)]
fn sum<A: Sample, B: Sample>(z: &[A], e: &[B], f: impl Fn(f64, f64) -> f64) -> f64 {
    let mut sums = [0.0; LANES];
    let ((z8, z1), (e8, e1)) = (z.as_chunks::<LANES>(), e.as_chunks::<LANES>());
    for (z, e) in z8.iter().zip(e8) {
        for (sum, (z, e)) in sums.iter_mut().zip(z.iter().zip(e)) {
            *sum += f(z.compute().to_f64(), e.compute().to_f64());
        }
    }
    let rest: f64 = z1.iter().zip(e1).map(|(z, e)| f(z.compute().to_f64(), e.compute().to_f64())).sum();
    let pairs = [sums[0] + sums[4], sums[1] + sums[5], sums[2] + sums[6], sums[3] + sums[7]];
    (pairs[0] + pairs[2]) + (pairs[1] + pairs[3]) + rest
}

/// Σ (zᵢ − eᵢ)².
#[inline(always)]
pub(crate) fn squared_distance<S: Sample<Compute = T>, T: Compute>(z: &[S], e: &[T]) -> f64 {
    sum(z, e, |z, e| (z - e) * (z - e))
}

/// Σ zᵢ².
#[inline(always)]
pub(crate) fn squared_norm<S: Sample>(z: &[S]) -> f64 {
    sum(z, z, |a, b| a * b)
}

/// 1 − cos of the angle, as ½‖z/‖z‖ − e/‖e‖‖², which keeps its digits at small angles.
#[inline(always)]
pub(crate) fn cosine_distance<S: Sample<Compute = T>, T: Compute>(z: &[S], e: &[T]) -> f64 {
    let (a, b) = (1.0 / squared_norm(z).sqrt(), 1.0 / squared_norm(e).sqrt());
    0.5 * sum(z, e, |z, e| (z * a - e * b) * (z * a - e * b))
}

/// The distance of the metric.
#[inline(always)]
pub(crate) fn distance<S: Sample<Compute = T>, T: Compute>(metric: Metric, z: &[S], e: &[T]) -> f64 {
    match metric {
        Metric::SquaredEuclidean => squared_distance(z, e),
        Metric::Cosine => cosine_distance(z, e),
    }
}

/// [`distance`] compiled for the widest instruction set.
pub(crate) fn distance_dispatched<S: Sample<Compute = T>, T: Compute>(
    metric: Metric,
    z: &[S],
    e: &[T],
) -> f64 {
    widest(
        #[inline(always)]
        || distance(metric, z, e),
    )
}

/// A sum of two f64, the second at most half a unit in the last place of the first: some 32 digits.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Double(f64, f64);

impl Double {
    #[inline(always)]
    fn plus(self, (high, low): (f64, f64)) -> Self {
        let (sum, rest) = two_sum(self.0, high);
        let rest = rest + (self.1 + low);
        let high = sum + rest;
        Self(high, rest - (high - sum))
    }

    fn over(self, by: Self) -> Self {
        let quotient = self.0 / by.0;
        let (product, lost) = two_product(quotient, by.0);
        let rest = ((self.0 - product) - lost) + (self.1 - quotient * by.1);
        Self(0.0, 0.0).plus((quotient, rest / by.0))
    }

    /// The square with the sign of the number.
    fn signed_square(self) -> Self {
        let (square, lost) = two_product(self.0, self.0.abs());
        Self(0.0, 0.0).plus((square, lost + 2.0 * self.0.abs() * self.1))
    }

    /// Times a power of two.
    fn scaled(self, by: f64) -> Self {
        Self(self.0 * by, self.1 * by)
    }

    /// Whether rounding may have parted the two.
    fn is_near(self, other: Self) -> bool {
        let gap = (self.0 - other.0) + (self.1 - other.1);
        gap.abs() <= self.0.abs() * f64::EPSILON * f64::EPSILON * 64.0
    }
}

/// The rounded sum and what rounding lost (Knuth).
#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let from_b = sum - a;
    (sum, (a - (sum - from_b)) + (b - from_b))
}

/// The rounded product and what rounding lost.
#[inline(always)]
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

/// What orders codes by their distance from z, with twice the digits of f64.
fn fine<S: Sample<Compute = T>, T: Compute>(metric: Metric, z: &[S], e: &[T]) -> Double {
    widest(
        #[inline(always)]
        || {
            let mut total = Double(0.0, 0.0);
            let mut norm = Double(0.0, 0.0);
            for (z, e) in z.iter().zip(e) {
                let (z, e) = (z.compute().to_f64(), e.to_f64());
                match metric {
                    Metric::SquaredEuclidean => {
                        let (gap, rest) = two_sum(z, -e);
                        let (square, lost) = two_product(gap, gap);
                        total = total.plus((square, 2.0 * gap * rest + lost));
                    }
                    Metric::Cosine => {
                        total = total.plus(two_product(-z, e));
                        norm = norm.plus(two_product(e, e));
                    }
                }
            }
            if metric == Metric::SquaredEuclidean {
                return total;
            }
            // ±(z·e)²/‖e‖² orders as the cosine does. Near 1 by a power of two nothing overflows, and equal ones stay equal.
            let scale = 1.0 / power_of_two(norm.0.sqrt());
            total.scaled(scale).signed_square().over(norm.scaled(scale).scaled(scale))
        },
    )
}

/// Puts codes in the order of their distances from z, ties by number, so that at least the first `count` are where they belong.
///
/// Distances in f64 settle nearly all; those that are within their round-off are compared with twice the digits.
pub(crate) fn order<S: Sample<Compute = T>, T: Compute>(
    metric: Metric,
    z: &[S],
    codes: &Array2<T>,
    count: usize,
    found: &mut [(f64, usize)],
) {
    let row = |k: usize| codes.row(k).to_slice().unwrap_or_default();
    widest(
        #[inline(always)]
        || {
            for (to, k) in found.iter_mut() {
                *to = distance(metric, z, row(*k));
            }
        },
    );
    let unit = 2.0 * f64::EPSILON * (z.len() + 8) as f64;
    let doubt = |d: f64| match metric {
        Metric::SquaredEuclidean => unit * d,
        Metric::Cosine => unit * (d + d.sqrt()) + f64::EPSILON * f64::EPSILON,
    };
    let by_distance = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    let mut found = found;
    if found.len() > MANY && (1..found.len()).contains(&count) {
        // Those that are surely farther than the last stay behind in any order.
        let (_, &mut (last, _), _) = found.select_nth_unstable_by(count - 1, by_distance);
        let mut near = count;
        for at in count..found.len() {
            if !(found[at].0 - last > doubt(found[at].0)) {
                found.swap(at, near);
                near += 1;
            }
        }
        found = &mut found[..near];
    }
    found.sort_unstable_by(by_distance);
    let mut first = 0;
    while first < count.min(found.len()) {
        let tied = found[first..].windows(2).take_while(|w| !(w[1].0 - w[0].0 > doubt(w[1].0))).count() + 1;
        if tied > 1 {
            let tie = &mut found[first..first + tied];
            let mut keys: Vec<_> = tie.iter().map(|&(d, k)| (fine(metric, z, row(k)), d, k)).collect();
            keys.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal).then(a.2.cmp(&b.2)));
            for equal in keys.chunk_by_mut(|a, b| a.0.is_near(b.0)) {
                equal.sort_by_key(|key| key.2);
            }
            tie.iter_mut().zip(keys).for_each(|(to, (_, d, k))| *to = (d, k));
        }
        first += tied;
    }
}
