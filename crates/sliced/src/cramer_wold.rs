//! The one-dimensional Cramér–Wold distance: the squared L² distance between densities smoothed by a Gaussian.
//!
//! d² = ∫ r², r the difference of the smoothed densities, by the trapezoid rule, which converges faster than any power for
//! such r. A sum of squares keeps the digits that the double sum over pairs loses: near normality that is a difference of
//! terms of order 1 for a result of 1e-8. Points are gathered into cells of a fraction of the smoothing width as moments
//! about the cell's centre, the moments make r on the grid of centres by the Taylor series of the Gaussian, and the
//! derivative comes back from r as one polynomial per cell: O(n) with a small constant, no sort, no pairs.

mod nodes;
mod pieces;

use std::sync::{LazyLock, OnceLock};

use variata_distributions::special::norm_pdf;

use crate::column::{Gradient, Scratch};
use crate::vectors::{range, squares};
use variata_distributions::lanes::{Compute, ROUND, widest};

pub(crate) use nodes::nodes;

/// Windows that begin within this many steps may meet the target: 1e8 in bandwidth leaves it a few hundred thousand.
const MEETS_TARGET: f64 = 1e9;
/// Points per vector pass.
const BLOCK: usize = 64;
/// Standard deviations of the target's smoothed density that the grid covers; e^(−7.5²) = 4e-25 is what r² has beyond.
const TARGET_REACH: f64 = 7.5;
/// Up to this many cells, and cells per point, one window holds everything, and all are held at once.
const DENSE: f64 = 4096.0;
const DENSE_PER_POINT: f64 = 4.0;

/// The series: `P` terms for cells of width `step` (in smoothing widths), and `W` grid points around a cell that it reaches.
struct Series<const P: usize, const W: usize> {
    step: f64,
    /// Column p: N(o·step − s; 0, 1) = Σ by_power[p][o] sᵖ, for o from −(W − 1)/2.
    by_power: [[f64; W]; P],
    /// The same, transposed.
    by_offset: [[f64; P]; W],
}

impl<const P: usize, const W: usize> Series<P, W> {
    fn new(step: f64) -> Self {
        let (mut by_power, mut by_offset) = ([[0.0; W]; P], [[0.0; P]; W]);
        for o in 0..W {
            let z = (o as f64 - Self::reach() as f64) * step;
            // φ(z − s) = φ(z) Σ Heₚ(z)/p! sᵖ, with Heₚ₊₁ = z Heₚ − p Heₚ₋₁.
            let (mut before, mut now) = (0.0, norm_pdf(z));
            for p in 0..P {
                (by_power[p][o], by_offset[o][p]) = (now, now);
                let next = p as f64 + 1.0;
                (before, now) = (now, (z * now - before) / next);
            }
        }
        Self { step, by_power, by_offset }
    }

    /// Grid points on either side; a last one pads an even W.
    const fn reach() -> usize {
        (W - 1) / 2
    }
}

/// f64: the remainder of the series is 1e-18, its derivative's 1e-16, and e^(−8.8²/2) = 2e-17 is cut off.
static FINE: LazyLock<Series<16, 48>> = LazyLock::new(|| Series::new(0.4));
/// f32: 5e-9, 2e-7 and 5e-10.
static COARSE: LazyLock<Series<8, 40>> = LazyLock::new(|| Series::new(0.35));

/// The bandwidth γ, a variance, that Silverman's rule gives for n points. Source: paper sliced, SCWAE.
pub(crate) fn silverman(n: f64) -> f64 {
    libm::pow(4.0 / (3.0 * n), 0.4)
}

/// Cells that are held at once for n points.
fn most(n: usize) -> f64 {
    DENSE.max(DENSE_PER_POINT * n as f64)
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
        if T::SINGLE {
            self.solve(&COARSE, &self.coarse, y, weights, gradient, scratch)
        } else {
            self.solve(&FINE, &self.fine, y, weights, gradient, scratch)
        }
    }

    fn solve<T: Compute, const P: usize, const W: usize>(
        &self,
        series: &Series<P, W>,
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
        let windows = self.windows::<P, W>(series, v);
        let cells = windows.last().map_or(0, |w| w.first + w.cells);
        let target = match &self.nodes {
            Some(_) => &[][..],
            None => target.get_or_init(|| {
                let count = (self.spread * TARGET_REACH / series.step) as usize + 2;
                let density = |k: usize| norm_pdf(k as f64 * series.step / self.spread) / self.spread;
                (0..count).map(density).collect()
            }),
        };
        let equal = 1.0 / y.len() as f64;
        let weight = |i: usize| weights.map_or(equal, |weights| weights[i]);
        // One window has that many and its margins.
        if cells as f64 > most(y.len()) + (2 * W) as f64 {
            let squares = self.by_pieces(series, (&windows, target), weight, &mut gradient, scratch);
            return squares * series.step * scale;
        }
        let moments = &mut scratch.first;
        moments.clear();
        moments.resize(cells * P, 0.0);
        let each = Cells { series, windows: &windows };
        each.visit(
            v,
            #[inline(always)]
            |i, cell, s| add_powers::<P>(&mut moments[cell * P..], weight(i), s),
        );
        if let Some((at, masses)) = &self.nodes {
            each.visit(at, |i, cell, s| add_powers::<P>(&mut moments[cell * P..], -masses[i], s));
        }
        let residual = &mut scratch.second;
        residual.clear();
        residual.resize(cells, 0.0);
        if self.nodes.is_none() {
            for window in &windows {
                window.subtract(target, 0, &mut residual[window.first..window.first + window.cells]);
            }
        }
        convolve(series, moments, residual);
        // ∫ r² in the sample's units, where r is 1/width times what it is here.
        let squares = squares(residual);
        if let Some(gradient) = &mut gradient {
            slopes(series, residual, moments);
            let factor = self.slope_factor(series);
            each.visit(
                v,
                #[inline(always)]
                |i, cell, s| gradient.set(i, factor * weight(i) * polynomial::<P>(&moments[cell * P..], s)),
            );
        }
        squares * series.step * scale
    }

    /// What a slope is per weight and polynomial.
    fn slope_factor<const P: usize, const W: usize>(&self, series: &Series<P, W>) -> f64 {
        2.0 * series.step * self.scale * self.scale
    }

    /// Windows that hold all points and the target, each with the reach of the series to spare. Points farther apart than
    /// that do not interact, so that a gap between windows costs nothing.
    fn windows<const P: usize, const W: usize>(&self, series: &Series<P, W>, v: &[f64]) -> Vec<Window> {
        let own = [-self.spread * TARGET_REACH, self.spread * TARGET_REACH];
        let nodes = self.nodes.as_ref().map_or(&[][..], |(at, _)| at);
        // What the windows must hold beside the sample.
        let inner = if self.nodes.is_some() { nodes } else { &own };
        let ((low, high), (first, last)) = (range(v), range(inner));
        let (low, high) = (low.min(first), high.max(last));
        let margin = (Series::<P, W>::reach() + 1) as f64 * series.step;
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

struct Cells<'a, const P: usize, const W: usize> {
    series: &'a Series<P, W>,
    windows: &'a [Window],
}

impl<const P: usize, const W: usize> Cells<'_, P, W> {
    /// Cell of a window, and the offset from its centre.
    #[inline(always)]
    fn place(series: &Series<P, W>, window: &Window, v: f64) -> (usize, f64) {
        let u = (v - window.low) / series.step + window.lead;
        let cell = (u + 0.5) as usize;
        (cell, (u - cell as f64) * series.step)
    }

    /// Calls `visit` with position, cell and offset from its centre of every point.
    #[inline(always)]
    fn visit(&self, v: &[f64], mut visit: impl FnMut(usize, usize, f64)) {
        let [window] = self.windows else {
            for (i, &v) in v.iter().enumerate() {
                let after = self.windows.partition_point(|window| window.low <= v);
                let window = &self.windows[after.max(1) - 1];
                let (cell, offset) = Self::place(self.series, window, v);
                visit(i, window.first + cell, offset);
            }
            return;
        };
        let (mut cells, mut offsets) = ([0u32; BLOCK], [0.0; BLOCK]);
        let inverse = 1.0 / self.series.step;
        widest(
            #[inline(always)]
            || {
                for (block, v) in v.chunks(BLOCK).enumerate() {
                    for ((&v, cell), offset) in v.iter().zip(&mut cells).zip(&mut offsets) {
                        let u = (v - window.low) * inverse + window.lead;
                        let shifted = u + ROUND;
                        *cell = shifted.to_bits() as u32;
                        *offset = (u - (shifted - ROUND)) * self.series.step;
                    }
                    for i in 0..v.len() {
                        visit(block * BLOCK + i, cells[i] as usize, offsets[i]);
                    }
                }
            },
        );
    }
}

/// Adds weight·(1, s, s², …) to a cell.
#[inline(always)]
fn add_powers<const P: usize>(cell: &mut [f64], weight: f64, s: f64) {
    let Some(cell) = cell.first_chunk_mut::<P>() else { return };
    let s2 = s * s;
    let s4 = s2 * s2;
    let mut four = [weight, weight * s, weight * s2, weight * s2 * s];
    for quarter in cell.chunks_exact_mut(4) {
        for (sum, power) in quarter.iter_mut().zip(&mut four) {
            *sum += *power;
            *power *= s4;
        }
    }
}

/// Σ coefficients·sᵖ without the last, which the derivative does not have.
#[inline(always)]
fn polynomial<const P: usize>(cell: &[f64], s: f64) -> f64 {
    let Some(cell) = cell.first_chunk::<P>() else { return 0.0 };
    // Even and odd powers apart: half the length of the chain.
    let s2 = s * s;
    let (mut even, mut odd) = (cell[P - 2], cell[P - 3]);
    for p in (0..P - 3).rev().step_by(2) {
        even = even * s2 + cell[p];
        if p > 0 {
            odd = odd * s2 + cell[p - 1];
        }
    }
    even + s * odd
}

/// Adds the smoothed density of the moments to the grid.
fn convolve<const P: usize, const W: usize>(series: &Series<P, W>, moments: &[f64], grid: &mut [f64]) {
    widest(
        #[inline(always)]
        || {
            for (cell, moments) in moments.chunks_exact(P).enumerate() {
                // Points lie where the whole reach is inside; the margins hold none.
                let Some(start) = cell.checked_sub(Series::<P, W>::reach()) else { continue };
                let Some(around) = grid.get_mut(start..start + W).and_then(|g| g.first_chunk_mut::<W>())
                else {
                    continue;
                };
                if moments[0] == 0.0 && moments[2] == 0.0 {
                    continue;
                }
                let mut sums = *around;
                for (moment, column) in moments.iter().zip(&series.by_power) {
                    for (sum, value) in sums.iter_mut().zip(column) {
                        *sum += moment * value;
                    }
                }
                *around = sums;
            }
        },
    );
}

/// Overwrites the moments of each cell that has any with the polynomial of the derivative there.
fn slopes<const P: usize, const W: usize>(series: &Series<P, W>, grid: &[f64], moments: &mut [f64]) {
    widest(
        #[inline(always)]
        || {
            for (cell, moments) in moments.chunks_exact_mut(P).enumerate() {
                let Some(start) = cell.checked_sub(Series::<P, W>::reach()) else { continue };
                let Some(around) = grid.get(start..start + W) else { continue };
                if moments[0] == 0.0 && moments[2] == 0.0 {
                    continue;
                }
                let mut sums = [0.0; P];
                for (r, row) in around.iter().zip(&series.by_offset) {
                    for (sum, value) in sums.iter_mut().zip(row) {
                        *sum += r * value;
                    }
                }
                for p in 1..P {
                    moments[p - 1] = p as f64 * sums[p];
                }
            }
        },
    );
}
