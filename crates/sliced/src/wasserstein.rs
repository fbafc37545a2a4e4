//! Wasserstein distances of a sample to a law, and between two samples.

use crate::cells::{Cell, NormalCells, power, weighted_power};
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
    let edge = |u: f64| if u > 0.5 { isf(1.0 - u) } else { ndtri(u) };
    let cell = Cell::new(edge(step.before), edge(step.after));
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
    // Split where the quantile function passes y, and at ½, above which upper tails are what has digits.
    let cut = target.cdf(y).clamp(step.before, step.after);
    let mut edges = [step.before, cut, 0.5f64.clamp(step.before, step.after), step.after];
    edges.sort_by(f64::total_cmp);
    for ends in edges.windows(2) {
        let (a, b) = (ends[0], ends[1]);
        if !(b > a) {
            continue;
        }
        let upper = a >= 0.5;
        let quantile = |u: f64| if upper { target.upper_quantile(1.0 - u) } else { target.quantile(u) };
        if a == 0.0 {
            add(singular_end(b, |t, weight| end(target.quantile(t), weight)));
        } else if b == 1.0 {
            add(singular_end(1.0 - a, |t, weight| end(target.upper_quantile(t), weight)));
        } else if a == cut {
            add(power_end(b - a, |t| term(quantile(a + t))));
        } else if b == cut {
            add(power_end(b - a, |t| term(quantile(b - t))));
        } else {
            add(smooth(a, b, |u| term(quantile(u))));
        }
    }
    (sums[0] / step.weight, sums[1] / step.weight)
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
