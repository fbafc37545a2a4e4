//! Distances from differences in f64, and beyond them integers: what decides between codes that round-off cannot tell apart.

use std::cmp::Ordering;

use ndarray::Array2;
use variata_distributions::Real;
use variata_distributions::lanes::{Compute, Sample, two_sum, widest};

use crate::codebook::Metric;
use crate::integer::Integer;

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

/// The rounded product and what rounding lost.
#[inline(always)]
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

/// The distance of z from a against that from b, in exact arithmetic.
fn compare<S: Sample<Compute = T>, T: Compute>(metric: Metric, z: &[S], a: &[T], b: &[T]) -> Ordering {
    let known = if metric == Metric::SquaredEuclidean { by_rounded(z, a, b) } else { None };
    if let Some(known) = known {
        return known;
    }
    let numbers = |e: &[T]| -> Vec<f64> { e.iter().map(|v| v.to_f64()).collect() };
    let (z, a, b): (Vec<f64>, _, _) =
        (z.iter().map(|v| v.compute().to_f64()).collect(), numbers(a), numbers(b));
    if metric == Metric::SquaredEuclidean {
        // ‖z − a‖² − ‖z − b‖² = Σ a² − b² − 2za + 2zb.
        let terms = z.iter().zip(&a).zip(&b);
        let terms = terms.flat_map(|((z, a), b)| [(*a, *a), (-b, *b), (-2.0 * z, *a), (2.0 * z, *b)]);
        return Integer::sum(terms).sign;
    }
    let dot = |a: &[f64], b: &[f64]| Integer::sum(a.iter().copied().zip(b.iter().copied()));
    // The larger ±(z·e)²/‖e‖² is the nearer.
    let (of_a, of_b) = (dot(&z, &a), dot(&z, &b));
    let signs = of_b.sign.cmp(&of_a.sign);
    let sizes = || Integer::compare_squares([&of_a, &dot(&b, &b)], [&of_b, &dot(&a, &a)]);
    signs.then_with(|| match of_a.sign {
        Ordering::Equal => Ordering::Equal,
        Ordering::Less => sizes(),
        Ordering::Greater => sizes().reverse(),
    })
}

/// The sign of ‖z − a‖² − ‖z − b‖² = Σ (b − a)(2z − a − b), unless what was rounded away may turn it.
fn by_rounded<S: Sample<Compute = T>, T: Compute>(z: &[S], a: &[T], b: &[T]) -> Option<Ordering> {
    let (total, lost, exact) = widest(
        #[inline(always)]
        || {
            // Beside what was lost, whether anything was: products of what was may be too small for numbers.
            let (mut total, mut lost, mut exact) = (0.0, 0.0, true);
            for ((z, a), b) in z.iter().zip(a).zip(b) {
                let (z, a, b) = (z.compute().to_f64(), a.to_f64(), b.to_f64());
                let (gap, gap_rest) = two_sum(b, -a);
                let (twice, rest) = two_sum(2.0 * z, -a);
                let (twice, twice_rest) = two_sum(twice, -b);
                let twice_rest = rest.abs() + twice_rest.abs();
                let (product, product_rest) = two_product(gap, twice);
                // What such a product lost may be below the smallest number.
                if product.abs() < 1e-280 && gap != 0.0 && (twice != 0.0 || twice_rest != 0.0) {
                    lost = f64::INFINITY;
                }
                let (sum, rest) = two_sum(total, product);
                total = sum;
                exact &= [gap_rest, twice_rest, product_rest, rest] == [0.0; 4];
                lost += rest.abs() + product_rest.abs();
                lost += gap_rest.abs() * (twice.abs() + twice_rest) + gap.abs() * twice_rest;
            }
            (total, lost, exact)
        },
    );
    // Twice, since the loss is rounded too.
    if exact && lost == 0.0 || total.abs() > 2.0 * lost { total.partial_cmp(&0.0) } else { None }
}

/// Puts codes in the order of their distances from z, ties by number, so that at least the first `count` are where they belong.
///
/// Distances in f64 settle nearly all; those that are within their round-off are compared exactly.
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
        // Squares that are no normal numbers are rounded by more; products that are none are slow.
        Metric::SquaredEuclidean => unit * d.max(1e-280),
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
            order_exactly(metric, z, codes, count - first, tie);
        }
        first += tied;
    }
}

/// [`order`] of codes whose distances in f64 tie.
#[cold]
fn order_exactly<S: Sample<Compute = T>, T: Compute>(
    metric: Metric,
    z: &[S],
    codes: &Array2<T>,
    count: usize,
    mut found: &mut [(f64, usize)],
) {
    let row = |k: usize| codes.row(k).to_slice().unwrap_or_default();
    let exactly =
        |a: &(f64, usize), b: &(f64, usize)| compare(metric, z, row(a.1), row(b.1)).then(a.1.cmp(&b.1));
    if (1..found.len()).contains(&count) {
        found.select_nth_unstable_by(count - 1, exactly);
        found = &mut found[..count];
    }
    found.sort_unstable_by(exactly);
}
