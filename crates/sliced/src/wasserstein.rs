//! Wasserstein distances of a sample to a law, and between two samples.

use crate::cells::{Cell, NormalCells, power, smooth_width, weighted_power};
use crate::column::{Against, Gradient, Scratch, Step, steps};
use crate::quadrature::{power_end, singular_end, smooth};
use crate::target::Target;
use crate::vectors::squares;
use variata_distributions::lanes::{Compute, widest};
use variata_distributions::special::{isf, ndtri};

/// W₂² to N(0, 1) of equally weighted points, (1/n) Σ (y₍ₖ₎ − mₖ)² + the mean variance within cells.
pub(crate) fn run_normal_squared<T: Compute>(
    y: &[T],
    cells: &NormalCells,
    gradient: Option<Gradient<'_, T>>,
    scratch: &mut Scratch,
) -> f64 {
    scratch.sort(y);
    squared(scratch, &cells.means, gradient) + cells.within
}

/// Mean square of the differences between the sorted sample and as many numbers, in the order of its values.
pub(crate) fn squared<T: Compute>(
    Scratch { places, sorted, .. }: &mut Scratch,
    others: &[f64],
    gradient: Option<Gradient<'_, T>>,
) -> f64 {
    let per_point = 1.0 / sorted.len() as f64;
    subtract(sorted, others);
    let squares = squares(sorted);
    if let Some(mut gradient) = gradient {
        gradient.scatter(places, sorted, 2.0 * per_point);
    }
    squares * per_point
}

/// a becomes a − b.
fn subtract(a: &mut [f64], b: &[f64]) {
    widest(
        #[inline(always)]
        || a.iter_mut().zip(b).for_each(|(a, b)| *a -= b),
    );
}

/// Wₚᵖ to a law, cell by cell by quadrature.
pub(crate) fn run<T: Compute>(
    y: &[T],
    p: f64,
    against: Against<'_>,
    mut gradient: Option<Gradient<'_, T>>,
    scratch: &mut Scratch,
) -> f64 {
    scratch.sort(y);
    let mut sum = 0.0;
    for ((place, step), &y) in steps(&scratch.places, against.weights).zip(&scratch.sorted) {
        // Weights that round away at the upper end leave nothing of the law to a point.
        let (cost, slope) = if !(step.weight > 0.0 && step.before < 1.0) {
            (0.0, 0.0)
        } else if let Some(target) = against.target {
            target_cost(target, step, y, p)
        } else {
            normal_cost(step, y, p)
        };
        sum += step.weight * cost;
        if let Some(gradient) = &mut gradient {
            gradient.set(place, step.weight * slope);
        }
    }
    sum
}

/// Mean over the step's cell of N(0, 1) of |y − x|ᵖ, and its derivative in y.
fn normal_cost(step: Step, y: f64, p: f64) -> (f64, f64) {
    // Upper quantiles from upper tails, which still have digits there.
    let edge = |u: f64, rest: f64| if u > 0.5 { isf(rest) } else { ndtri(u) };
    let cell = Cell::new(edge(step.before, step.before_rest), edge(step.after, step.after_rest));
    if p == 2.0 {
        let (mean, variance) = cell.moments();
        return ((y - mean) * (y - mean) + variance, 2.0 * (y - mean));
    }
    cell.cost(y, p)
}

/// Mean over u in the step of |y − Q(u)|ᵖ, and its derivative in y.
fn target_cost(target: &dyn Target, step: Step, y: f64, p: f64) -> (f64, f64) {
    let weighted = |x: f64, weight: f64| {
        let gap = y - x;
        let [power, slope] = weighted_power(weight, gap.abs(), p);
        [power, slope * gap.signum()]
    };
    let term = |x: f64| weighted(x, 1.0);
    // Quantiles of 1e-275 may be no numbers. Powers that are none have to be seen.
    let end = |x: f64, weight: f64| if x.is_finite() { weighted(x, weight) } else { [0.0; 2] };
    let mut sums = [0.0; 2];
    let mut add = |part: [f64; 2]| sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    // Either half of the law by its own tail t, split where its quantile passes y.
    let halves = [
        (false, step.before, step.after, target.cdf(y)),
        (true, step.after_rest, step.before_rest, target.sf(y)),
    ];
    for (upper, near, far, cut) in halves {
        let far = far.min(0.5);
        if !(near < far) {
            continue;
        }
        let quantile = |t: f64| if upper { target.upper_quantile(t) } else { target.quantile(t) };
        // `min` and `max` take the bound where the tail is no number.
        let (at, cut) = (cut, cut.max(near).min(far));
        let outside = (at - cut).abs().max(0.0);
        if near == 0.0 {
            let first = if cut > 0.0 { cut } else { far };
            add(singular_end(first, |t, weight| end(quantile(t), weight)));
        } else {
            // A tail far below the roundings of the cut is no difference from it.
            let down = |s: f64| term(quantile((cut - s).max(near)));
            pieces(cut, near, outside, p, |a, b| {
                add(if a == 0.0 && outside == 0.0 { power_end(b, down) } else { smooth(a, b, down) });
            });
        }
        if cut > 0.0 {
            pieces(cut, far, outside, p, |a, b| {
                add(if a == 0.0 && outside == 0.0 {
                    power_end(b, |s| term(quantile(cut + s)))
                } else {
                    smooth(a, b, |s| term(quantile(cut + s)))
                });
            });
        }
    }
    (sums[0] / step.weight, sums[1] / step.weight)
}

/// Calls `visit` with pieces of the way from `cut` > 0 to `end`, as distances from `cut`: short beside their own from 0, where quantile functions
/// are singular, and so that powers of the distance are smooth to the rule, which are 0 `outside` before the cut.
fn pieces(cut: f64, end: f64, outside: f64, p: f64, mut visit: impl FnMut(f64, f64)) {
    // What would be cut finer overflows, or is nothing.
    let p = p.min(300.0);
    let length = (end - cut).abs();
    // The power of what is nearer is nothing beside those of the way.
    let nothing = length.min(cut) * libm::exp(-45.0 / p);
    let mut at = 0.0;
    while at < length {
        // Three halves of it, at the end, leave either bound of a piece 7/4 of the other at most.
        let width = if end > cut { 0.5 * (cut + at) } else { (cut - at) / 3.5 };
        let width = width.min(smooth_width(at + outside, nothing, p));
        // No sliver at the end.
        let next = if length - at < 1.5 * width || at + width == at { length } else { at + width };
        visit(at, next);
        at = next;
    }
}

/// A sample of the other side: sorted, with its weights.
#[derive(Debug)]
pub(crate) struct Sorted<'a> {
    pub values: &'a [f64],
    pub places: &'a [u32],
    pub weights: Option<&'a [f64]>,
}

/// Wₚᵖ between two sorted samples; `slope` gets what each pair adds to the derivatives: place in x, place in y, derivative in
/// the x value. That in the y value is its negative.
pub(crate) fn between(
    x: &Sorted<'_>,
    y: &Sorted<'_>,
    p: f64,
    mut slope: impl FnMut(usize, usize, f64),
) -> f64 {
    let mut pair = |mass: f64, i: usize, j: usize, gap: f64| {
        if p == 2.0 {
            slope(i, j, 2.0 * mass * gap);
            return mass * gap * gap;
        }
        let power = power(gap.abs(), p - 1.0);
        slope(i, j, if gap == 0.0 { 0.0 } else { mass * p * power * gap.signum() });
        mass * power * gap.abs()
    };
    let mut sum = 0.0;
    if x.weights.is_none() && y.weights.is_none() && x.values.len() == y.values.len() {
        let mass = 1.0 / x.values.len() as f64;
        for k in 0..x.values.len() {
            let gap = x.values[k] - y.values[k];
            sum += pair(mass, x.places[k] as usize, y.places[k] as usize, gap);
        }
        return sum;
    }
    if x.weights.is_none() && y.weights.is_none() {
        // The steps of both in nm-ths, of which there are at most 2⁶⁴: rounded, those of samples that agree would not.
        let (n, m) = (x.values.len() as u64, y.values.len() as u64);
        let mass = 1.0 / (n as f64 * m as f64);
        let (mut i, mut j, mut at) = (0, 0, 0);
        while let (Some(&u), Some(&v)) = (x.values.get(i), y.values.get(j)) {
            let ends = [(i as u64 + 1).saturating_mul(m), (j as u64 + 1).saturating_mul(n)];
            let end = ends[0].min(ends[1]);
            sum += pair((end - at) as f64 * mass, x.places[i] as usize, y.places[j] as usize, u - v);
            at = end;
            i += usize::from(ends[0] == end);
            j += usize::from(ends[1] == end);
        }
        return sum;
    }
    // The steps of both, merged.
    let mut left = steps(x.places, x.weights).zip(x.values);
    let mut right = steps(y.places, y.weights).zip(y.values);
    let (mut a, mut b, mut at) = (left.next(), right.next(), 0.0);
    while let (Some(((i, step), &u)), Some(((j, other), &v))) = (a, b) {
        let end = step.after.min(other.after);
        if end > at {
            sum += pair(end - at, i, j, u - v);
            at = end;
        }
        if step.after <= end {
            a = left.next();
        }
        if other.after <= end {
            b = right.next();
        }
    }
    sum
}
