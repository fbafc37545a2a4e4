//! The one-dimensional Cramér–Wold distance: the squared L² distance between densities smoothed by a Gaussian.
//!
//! d² = ∫ r², r the difference of the smoothed densities, by the trapezoid rule, which converges faster than any power for
//! such r. A sum of squares keeps the digits that the double sum over pairs loses: near normality that is a difference of
//! terms of order 1 for a result of 1e-8. Points are gathered into cells of a fraction of the smoothing width as moments
//! about the cell's centre, the moments make r on the grid of centres by the Taylor series of the Gaussian, and the
//! derivative comes back from r as one polynomial per cell: O(n) with a small constant, no sort, no pairs.

mod nodes;
mod pieces;
mod series;

use std::sync::OnceLock;

use variata_distributions::special::norm_pdf;

use crate::column::{Gradient, Scratch};
use crate::vectors::{range, squares};
use variata_distributions::lanes::{Compute, ROUND, fused, widest};

use series::{COARSE, Cell, FINE, Series, add_powers, polynomial, zeros};

pub(crate) use nodes::nodes;

/// Windows that begin within this many steps may meet the target: 1e8 in bandwidth leaves it a few hundred thousand.
const MEETS_TARGET: f64 = 1e9;
/// Points per vector pass.
const BLOCK: usize = 64;
/// Standard deviations of the target's smoothed density that the grid covers; e^(−7.5²) = 4e-25 is what its square has beyond.
const TARGET_REACH: f64 = 7.5;
/// The same where points lie: what they are multiplied by there is e^(−10.5²/2) = 1e-24.
const TABLE_REACH: f64 = 10.5;
/// Up to this many cells, and cells per point, one window holds everything, and all are held at once.
const DENSE: f64 = 4096.0;
const DENSE_PER_POINT: f64 = 4.0;

/// The bandwidth γ, a variance, that Silverman's rule gives for n points. Source: paper sliced, SCWAE.
pub(crate) fn silverman(n: f64) -> f64 {
    libm::pow(4.0 / (3.0 * n), 0.4)
}

/// Cells that are held at once for n points.
fn most(n: usize) -> f64 {
    // Their numbers have 32 bits.
    DENSE.max(DENSE_PER_POINT * n as f64).min(f64::from(1u32 << 31))
}

/// What a sample is compared with, smoothed.
#[derive(Debug)]
pub(crate) struct Smoothed {
    /// One over the smoothing width √γ.
    scale: f64,
    /// Standard deviation of N(0, 1) smoothed, in smoothing widths.
    spread: f64,
    /// Nodes, in smoothing widths, and masses that stand for a target other than N(0, 1).
    nodes: Option<(Vec<f64>, Vec<f64>)>,
    /// N(0, 1) smoothed, on the grid of either series, from 0 on.
    fine: OnceLock<Vec<f64>>,
    coarse: OnceLock<Vec<f64>>,
}

/// A run of cells: `low` lies `lead` steps after the centre of the first, which is at `origin` steps.
#[derive(Debug, Clone, Copy)]
struct Window {
    origin: f64,
    low: f64,
    /// The last point is at most here.
    high: f64,
    lead: f64,
    first: usize,
    cells: usize,
}

impl Window {
    /// Takes the target's smoothed density, on the grid from 0 on, from the cells from number `first` on.
    fn subtract(&self, target: &[f64], first: usize, residual: &mut [f64]) {
        // Far windows are beyond what integers of this size and the table reach.
        let origin = (self.origin as i64).saturating_add(first as i64);
        for (k, r) in residual.iter_mut().enumerate() {
            let at = origin.saturating_add(k as i64).unsigned_abs() as usize;
            *r = -target.get(at).copied().unwrap_or(0.0);
        }
    }
}

impl Smoothed {
    pub(crate) fn new(smoothing: f64, nodes: Option<Vec<(f64, f64)>>) -> Self {
        let spread = libm::sqrt((1.0 + smoothing) / smoothing);
        let scale = 1.0 / libm::sqrt(smoothing);
        let nodes = nodes.map(|nodes| nodes.into_iter().map(|(x, mass)| (x * scale, mass)).unzip());
        Self { scale, spread, nodes, fine: OnceLock::new(), coarse: OnceLock::new() }
    }

    /// d² of a sample.
    pub(crate) fn run<T: Compute>(
        &self,
        y: &[T],
        weights: Option<&[f64]>,
        gradient: Option<Gradient<'_, T>>,
        scratch: &mut Scratch,
    ) -> f64 {
        match (T::SINGLE, fused()) {
            (true, true) => self.solve::<true, T, _, _>(&COARSE, &self.coarse, y, weights, gradient, scratch),
            (true, false) => {
                self.solve::<false, T, _, _>(&COARSE, &self.coarse, y, weights, gradient, scratch)
            }
            (false, true) => self.solve::<true, T, _, _>(&FINE, &self.fine, y, weights, gradient, scratch),
            (false, false) => self.solve::<false, T, _, _>(&FINE, &self.fine, y, weights, gradient, scratch),
        }
    }

    fn solve<const FUSED: bool, T: Compute, const Q: usize, const N: usize>(
        &self,
        series: &Series<Q, N>,
        target: &OnceLock<Vec<f64>>,
        y: &[T],
        weights: Option<&[f64]>,
        mut gradient: Option<Gradient<'_, T>>,
        scratch: &mut Scratch,
    ) -> f64 {
        let scale = self.scale;
        // Everything below is in smoothing widths.
        let v = &mut scratch.sorted;
        v.resize(y.len(), 0.0);
        widest(
            #[inline(always)]
            || v.iter_mut().zip(y).for_each(|(v, y)| *v = y.to_f64() * scale),
        );
        let windows = self.windows::<Q, N>(series, v);
        let cells = windows.last().map_or(0, |w| w.first + w.cells);
        let target = match &self.nodes {
            Some(_) => &[][..],
            None => target.get_or_init(|| {
                let count = (self.spread * TABLE_REACH / series.step) as usize + 2;
                let density = |k: usize| norm_pdf(k as f64 * series.step / self.spread) / self.spread;
                (0..count).map(density).collect()
            }),
        };
        let weights = Weights { equal: 1.0 / y.len() as f64, given: weights };
        // One window has that many and its margins.
        if cells as f64 > most(y.len()) + (2 * Series::<Q, N>::WIDTH) as f64 {
            let squares =
                self.by_pieces::<FUSED, T, Q, N>(series, (&windows, target), weights, &mut gradient, scratch);
            return squares * series.step * scale;
        }
        let moments = zeros(cells, &mut scratch.first);
        let each = Cells { series, windows: &windows };
        match weights.given {
            None => each.add::<FUSED>(v, moments, |_| weights.equal),
            Some(given) => each.add::<FUSED>(v, moments, |i| given[i]),
        }
        if let Some((at, masses)) = &self.nodes {
            each.add::<FUSED>(at, moments, |i| -masses[i]);
        }
        let residual = &mut scratch.second;
        residual.clear();
        residual.resize(cells, 0.0);
        if self.nodes.is_none() {
            for window in &windows {
                window.subtract(target, 0, &mut residual[window.first..window.first + window.cells]);
            }
        }
        series.convolve::<FUSED>(moments, residual);
        // ∫ r² in the sample's units, where r is 1/width times what it is here.
        let squares = squares(residual);
        if let Some(gradient) = &mut gradient {
            series.slopes::<FUSED>(residual, moments, self.slope_factor(series));
            each.read::<FUSED, T>(v, moments, weights, gradient);
        }
        squares * series.step * scale
    }

    /// What a slope is per weight and polynomial.
    fn slope_factor<const Q: usize, const N: usize>(&self, series: &Series<Q, N>) -> f64 {
        2.0 * series.step * self.scale * self.scale
    }

    /// Windows that hold all points and the target, each with the reach of the series to spare. Points farther apart than
    /// that do not interact, so that a gap between windows costs nothing.
    fn windows<const Q: usize, const N: usize>(&self, series: &Series<Q, N>, v: &[f64]) -> Vec<Window> {
        let own = [-self.spread * TARGET_REACH, self.spread * TARGET_REACH];
        let nodes = self.nodes.as_ref().map_or(&[][..], |(at, _)| at);
        // What the windows must hold beside the sample.
        let inner = if self.nodes.is_some() { nodes } else { &own };
        let ((low, high), (first, last)) = (range(v), range(inner));
        let (low, high) = (low.min(first), high.max(last));
        let margin = (Series::<Q, N>::REACH + 1) as f64 * series.step;
        let mut bounds = vec![(low, high)];
        if !((high - low) / series.step <= most(v.len())) {
            let mut points: Vec<f64> = v.iter().chain(inner).copied().collect();
            points.sort_by(f64::total_cmp);
            bounds.clear();
            for point in points {
                match bounds.last_mut() {
                    // The target's window has no gap, however few points fall into it.
                    Some((_, high)) if point <= *high + 2.0 * margin => *high = high.max(point),
                    _ => bounds.push((point, point)),
                }
                if self.nodes.is_none()
                    && point == own[0]
                    && let Some((_, high)) = bounds.last_mut()
                {
                    *high = high.max(own[1]);
                }
            }
        }
        let mut first = 0;
        bounds
            .into_iter()
            .map(|(low, high)| {
                // On the common grid of multiples of the step, unless that is too far out to matter or to be told apart.
                let origin = libm::floor((low - margin) / series.step);
                let near = origin.abs() < MEETS_TARGET;
                let lead = if near { low / series.step - origin } else { margin / series.step };
                let cells = ((high - low + 2.0 * margin) / series.step) as usize + 5;
                let window = Window { origin, low, high, lead, first, cells };
                first += cells;
                window
            })
            .collect()
    }
}

/// How the points count.
#[derive(Debug, Clone, Copy)]
struct Weights<'a> {
    /// One over their number.
    equal: f64,
    given: Option<&'a [f64]>,
}

impl Weights<'_> {
    fn get(&self, i: usize) -> f64 {
        self.given.map_or(self.equal, |given| given[i])
    }
}

struct Cells<'a, const Q: usize, const N: usize> {
    series: &'a Series<Q, N>,
    windows: &'a [Window],
}

impl<const Q: usize, const N: usize> Cells<'_, Q, N> {
    /// Cell of a window, and the offset from its centre.
    #[inline(always)]
    fn place(series: &Series<Q, N>, window: &Window, v: f64) -> (usize, f64) {
        let u = (v - window.low) / series.step + window.lead;
        let cell = (u + 0.5) as usize;
        (cell, (u - cell as f64) * series.step)
    }

    /// Calls `visit` with blocks of points: position of the first, cells and offsets from their centres.
    #[inline(always)]
    fn visit(&self, v: &[f64], mut visit: impl FnMut(usize, &[u32], &[f64])) {
        let (mut cells, mut offsets) = ([0u32; BLOCK], [0.0; BLOCK]);
        // Out of reach of what is written.
        let (windows, step) = (self.windows, self.series.step);
        let inverse = 1.0 / step;
        widest(
            #[inline(always)]
            || {
                for (block, v) in v.chunks(BLOCK).enumerate() {
                    let places = v.iter().zip(&mut cells).zip(&mut offsets);
                    if let &[Window { low, lead, .. }] = windows {
                        for ((&v, cell), offset) in places {
                            let u = (v - low) * inverse + lead;
                            let shifted = u + ROUND;
                            *cell = shifted.to_bits() as u32;
                            *offset = (u - (shifted - ROUND)) * step;
                        }
                    } else {
                        for ((&v, cell), offset) in places {
                            let after = windows.partition_point(|window| window.low <= v);
                            let window = &windows[after.max(1) - 1];
                            let (place, from_centre) = Self::place(self.series, window, v);
                            (*cell, *offset) = ((window.first + place) as u32, from_centre);
                        }
                    }
                    visit(block * BLOCK, &cells[..v.len()], &offsets[..v.len()]);
                }
            },
        );
    }

    /// Adds the powers of the points' offsets to the moments of their cells.
    fn add<const FUSED: bool>(&self, v: &[f64], moments: &mut [Cell<Q>], weight: impl Fn(usize) -> f64) {
        self.visit(
            v,
            #[inline(always)]
            |first, cells, offsets| {
                for (i, (&cell, &s)) in cells.iter().zip(offsets).enumerate() {
                    if let Some(cell) = moments.get_mut(cell as usize) {
                        add_powers::<FUSED, Q>(cell, weight(first + i), s);
                    }
                }
            },
        );
    }

    /// The gradient at the points: the polynomials of their cells, times their weights.
    fn read<const FUSED: bool, T: Compute>(
        &self,
        v: &[f64],
        polynomials: &[Cell<Q>],
        weights: Weights<'_>,
        gradient: &mut Gradient<'_, T>,
    ) {
        let mut slopes = [0.0; BLOCK];
        let factor = if weights.given.is_some() { 1.0 } else { weights.equal };
        self.visit(
            v,
            #[inline(always)]
            |first, cells, offsets| {
                for ((slope, &cell), &s) in slopes.iter_mut().zip(cells).zip(offsets) {
                    *slope =
                        polynomials.get(cell as usize).map_or(0.0, |cell| polynomial::<FUSED, Q>(cell, s));
                }
                let slopes = &mut slopes[..cells.len()];
                if let Some(given) = weights.given {
                    slopes.iter_mut().zip(&given[first..]).for_each(|(slope, weight)| *slope *= weight);
                }
                gradient.set_from(first, slopes, factor);
            },
        );
    }
}
