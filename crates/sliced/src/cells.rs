//! The pieces into which a sample cuts the standard normal: the part of the law that is nearest to each sorted point in the
//! optimal plan.
//!
//! All is computed in offsets from a point of the cell, as sums of positive terms: differences of densities at the ends, the
//! textbook's form, leave no digits for the spread within narrow cells.

use std::sync::Arc;

use variata_distributions::parallel::collect;
use variata_distributions::special::ndtri;

use crate::quadrature::{power_end, smooth};
use crate::recent::Recent;

/// e^(−45) is what is cut off.
const REACH: f64 = 45.0;
/// Powers up to this one are smooth to the rule, with an end where they are 0; higher ones on lengths of this many e-folds.
const SMOOTH_POWER: f64 = 6.0;
/// No cell is cut finer: what would be overflows, or is nothing.
const MOST_PIECES: f64 = 4096.0;
/// Cells per task.
const TASK: usize = 512;

/// Means of the n cells of mass 1/n, and the mean variance within them.
#[derive(Debug)]
pub(crate) struct NormalCells {
    /// Mean of each cell, ascending: the expected position of each sorted point in the optimal plan.
    pub means: Vec<f64>,
    /// (1/n) Σ variance of the cell: what a sample of n points cannot do better than.
    pub within: f64,
}

impl NormalCells {
    /// For n ≥ 1 points of equal weight.
    pub(crate) fn of(n: usize) -> Arc<Self> {
        static RECENT: Recent<NormalCells> = Recent::new();
        RECENT.get(n, || Self::new(n))
    }

    fn new(n: usize) -> Self {
        let half = n.div_ceil(2);
        let edge = |k: usize| ndtri(k as f64 / n as f64);
        let parts = collect(half.div_ceil(TASK), |task| {
            let cells = task * TASK..half.min((task + 1) * TASK);
            // The middle cell of an odd number is symmetric.
            cells.map(|k| Cell::new(edge(k), if 2 * k + 1 == n { -edge(k) } else { edge(k + 1) }).moments())
        });
        let (mut means, mut within) = (vec![0.0; n], 0.0);
        for (k, (mean, variance)) in parts.into_iter().flatten().enumerate() {
            let other = n - 1 - k;
            (means[k], means[other]) = (mean, -mean);
            within += if other == k { variance } else { 2.0 * variance };
        }
        if n % 2 == 1 {
            means[n / 2] = 0.0;
        }
        Self { means, within: within / n as f64 }
    }
}

/// The standard normal between two quantiles, a < b, either of which may be infinite.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    a: f64,
    b: f64,
    /// The bounds, with what is below e^(−45) of the largest density cut off.
    low: f64,
    high: f64,
    /// Where the density is largest.
    peak: f64,
}

/// How far from its largest value a function falls to e^(−45) of it, whose logarithm begins with a slope ≥ 0 downward and bends at least as
/// −x²/2 does: slope·t + t²/2 = 45.
fn reach(slope: f64) -> f64 {
    2.0 * REACH / (slope + libm::sqrt(slope * slope + 2.0 * REACH))
}

impl Cell {
    pub(crate) fn new(a: f64, b: f64) -> Self {
        // Quantiles of neighbouring numbers may come out in the wrong order.
        let b = b.max(a);
        let peak = 0.0f64.clamp(a, b);
        let reach = reach(peak.abs());
        Self { a, b, low: a.max(peak - reach), high: b.min(peak + reach), peak }
    }

    /// Calls `visit` with pieces of [from, to] on which the density is smooth to the rule, each at most as long as `limit` says where it begins.
    fn pieces(from: f64, to: f64, limit: impl Fn(f64) -> f64, mut visit: impl FnMut(f64, f64)) {
        let (mut at, least) = (from, (to - from) / MOST_PIECES);
        while at < to {
            let width = (2.5 / at.abs().max(1.0)).min(0.75).min(limit(at)).max(least);
            // No sliver at the end.
            let next = if to - at < 1.5 * width || at + width == at { to } else { at + width };
            visit(at, next);
            at = next;
        }
    }

    /// Density relative to that at the peak.
    fn density(&self, x: f64) -> f64 {
        libm::exp(-0.5 * (x - self.peak) * (x + self.peak))
    }

    /// Mean and variance.
    pub(crate) fn moments(&self) -> (f64, f64) {
        if !(self.low < self.high) {
            return (self.low, 0.0);
        }
        let (mut mass, mut first, mid) = (0.0, 0.0, f64::midpoint(self.low, self.high));
        let centre = if self.high - self.low < 1.0 { mid } else { self.peak };
        let no_limit = |_| f64::INFINITY;
        Self::pieces(self.low, self.high, no_limit, |a, b| {
            let [m, f] = smooth(a - centre, b - centre, |t| {
                let density = self.density(centre + t);
                [density, t * density]
            });
            (mass, first) = (mass + m, first + f);
        });
        let offset = first / mass;
        let mut second = 0.0;
        Self::pieces(self.low, self.high, no_limit, |a, b| {
            let [s] =
                smooth(a - centre, b - centre, |t| [(t - offset) * (t - offset) * self.density(centre + t)]);
            second += s;
        });
        (centre + offset, second / mass)
    }

    /// Mean over the cell of |y − x|ᵖ and its derivative in y.
    pub(crate) fn cost(&self, y: f64, p: f64) -> (f64, f64) {
        if !(self.low < self.high) {
            let gap = y - self.low;
            return (power(gap.abs(), p), p * power(gap.abs(), p - 1.0) * gap.signum());
        }
        let mirrored = Self { a: -self.b, b: -self.a, low: -self.high, high: -self.low, peak: -self.peak };
        let (above, below) = (self.above(y, p), mirrored.above(-y, p));
        let mass = above[0] + below[0];
        ((above[1] + below[1]) / mass, (below[2] - above[2]) / mass)
    }

    /// Over the part of the cell above y: the integrals of the density relative to its peak, of that times (x − y)ᵖ, and times p(x − y)ᵖ⁻¹.
    fn above(&self, y: f64, p: f64) -> [f64; 3] {
        let mut sums = [0.0; 3];
        let from = self.a.max(y);
        if !(from < self.b) {
            return sums;
        }
        // (x − y)ᵖ e^(−x²/2) is largest at the upper root of x² − xy = p, and its logarithm bends more than −x²/2 does.
        let root = libm::sqrt(y * y + 4.0 * p);
        let top = if y < 0.0 { 2.0 * p / (root - y) } else { 0.5 * (y + root) };
        let (low, high) = if top < from {
            (from, from + reach(from - p / (from - y)))
        } else if top > self.b {
            (self.b - reach(p / (self.b - y) - self.b), self.b)
        } else {
            // Where the root is, its gap is p/x; log(1 + s) ≤ s − s²/(2 + 2s) bounds what the power adds beyond it.
            let steep = REACH / p;
            let far = steep + libm::sqrt(steep * (steep + 2.0));
            (top - reach(0.0), top + reach(0.0).min(p / top * far))
        };
        let top = top.max(from).min(self.b);
        let (from, to) = (self.low.min(low).max(from), self.high.max(high).min(self.b));
        // Gaps whose power is nothing beside the largest, for the density, too.
        let nearest = from.max(0.0).min(top);
        let rise = 0.5 * (top - nearest) * (top + nearest);
        let nothing = (top - y) * libm::exp(-(REACH + rise) / p);
        let integer = p == libm::floor(p);
        let term = |x: f64, gap: f64| {
            let density = self.density(x);
            let [power, slope] = weighted_power(density, gap, p);
            [density, power, slope]
        };
        let limit = |at: f64| {
            if integer && p <= SMOOTH_POWER { f64::INFINITY } else { smooth_width(at - y, nothing, p) }
        };
        Self::pieces(from, to, limit, |a, b| {
            let part = if a == y && !integer {
                power_end(b - a, |t| term(y + t, t))
            } else {
                smooth(a, b, |x| term(x, (x - y).max(0.0)))
            };
            sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        });
        sums
    }
}

/// How far from a gap on its p-th power is smooth to the rule, or to its end where it is 0; gaps up to `nothing` do not matter where p is large.
pub(crate) fn smooth_width(gap: f64, nothing: f64, p: f64) -> f64 {
    if p > SMOOTH_POWER {
        if gap < 0.99 * nothing { nothing - gap } else { SMOOTH_POWER * gap / p }
    } else if gap > 0.0 {
        2.0 * gap
    } else {
        f64::INFINITY
    }
}

/// weight·gapᵖ and weight·p·gapᵖ⁻¹ of a gap ≥ 0, also where only the power is no number.
pub(crate) fn weighted_power(weight: f64, gap: f64, p: f64) -> [f64; 2] {
    let power = power(gap, p - 1.0);
    if (power * gap).is_finite() {
        return [weight * (power * gap), p * (weight * power)];
    }
    if !(weight > 0.0) {
        return [0.0; 2];
    }
    let (weight, gap) = (libm::log(weight), libm::log(gap));
    [libm::exp(weight + p * gap), p * libm::exp(weight + (p - 1.0) * gap)]
}

/// xᵖ for x ≥ 0, exactly 1 for p = 0.
pub(crate) fn power(x: f64, p: f64) -> f64 {
    if p == 0.0 {
        1.0
    } else if p == 1.0 {
        x
    } else {
        libm::pow(x, p)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_one_and_two_points_are_known() {
        let one = NormalCells::of(1);
        assert_eq!(one.means, [0.0]);
        assert!((one.within - 1.0).abs() < 1e-14);
        let two = NormalCells::of(2);
        let mean = libm::sqrt(2.0 / std::f64::consts::PI);
        assert!((two.means[1] - mean).abs() < 1e-15 && two.means[0] == -two.means[1]);
        assert!((two.within - (1.0 - mean * mean)).abs() < 1e-14);
    }

    #[test]
    fn the_law_of_total_variance_holds() {
        for n in [3, 10, 101, 1000] {
            let cells = NormalCells::of(n);
            let between = cells.means.iter().map(|m| m * m).sum::<f64>() / n as f64;
            assert!((between + cells.within - 1.0).abs() < 1e-14, "{n}: {}", between + cells.within);
            assert_eq!(cells.means.len(), n);
        }
    }

    #[test]
    fn costs_of_the_whole_law_are_absolute_moments() {
        let whole = Cell::new(f64::NEG_INFINITY, f64::INFINITY);
        for p in [1.0, 1.5, 2.0, 2.25, 3.0, 7.3] {
            let want = 2f64.powf(p / 2.0) * libm::tgamma(f64::midpoint(p, 1.0)) / std::f64::consts::PI.sqrt();
            let (cost, slope) = whole.cost(0.0, p);
            assert!((cost / want - 1.0).abs() < 1e-12 && slope.abs() < 1e-12, "{p}: {cost} {want} {slope}");
        }
        let (cost, slope) = Cell::new(3.0, f64::INFINITY).cost(-1.0, 2.0);
        let (mean, variance) = Cell::new(3.0, f64::INFINITY).moments();
        assert!((cost / ((mean + 1.0) * (mean + 1.0) + variance) - 1.0).abs() < 1e-14);
        assert!((slope / (-2.0 * (mean + 1.0)) - 1.0).abs() < 1e-14);
    }
}
