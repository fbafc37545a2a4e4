//! The Taylor series of the Gaussian: from points to moments of cells, from these to a density on the grid of their centres, and the
//! derivative back the same way.

use std::sync::LazyLock;

use variata_distributions::lanes::{array, mul_add, widest};
use variata_distributions::special::norm_pdf;

/// Numbers of the longest vector.
const LANES: usize = 8;
/// Sums that do not wait for each other.
const CHAINS: usize = 4;

type Vector = [f64; LANES];

/// At the beginning of a cache line: a vector of 64 bytes that lies across two takes twice as long.
#[repr(align(64))]
struct Aligned<T>(T);

/// Moments of the points of a cell about its centre, or coefficients of a polynomial there: by rising powers.
pub(super) type Cell<const Q: usize> = [Vector; Q];

/// The series: `Q` vectors of terms for cells of width `step` (in smoothing widths), and `N` vectors of grid points around a cell that
/// it reaches.
pub(super) struct Series<const Q: usize, const N: usize> {
    pub(super) step: f64,
    /// By powers: N(o·step − s; 0, 1) = Σ by_power[p][o] sᵖ.
    by_power: Aligned<[[[Vector; N]; LANES]; Q]>,
    /// The same by grid points, of the derivative in s: Σ by_offset[o][p] sᵖ⁻¹, of which that for p = 0 is 0.
    by_offset: Aligned<[[[Vector; Q]; LANES]; N]>,
}

/// f64: the remainder of the series is 1e-18, its derivative's 1e-16, and e^(−8.8²/2) = 2e-17 is cut off.
pub(super) static FINE: LazyLock<Series<2, 6>> = LazyLock::new(|| Series::new(0.4));
/// f32: 5e-9, 2e-7 and 5e-10.
pub(super) static COARSE: LazyLock<Series<1, 5>> = LazyLock::new(|| Series::new(0.35));

/// So many cells of zeros.
pub(super) fn zeros<const Q: usize>(cells: usize, memory: &mut Vec<f64>) -> &mut [Cell<Q>] {
    memory.clear();
    memory.resize((cells * Q + 1) * LANES, 0.0);
    let start = memory.as_ptr().align_offset(align_of::<Aligned<f64>>()).min(LANES);
    memory[start..start + cells * Q * LANES].as_chunks_mut::<LANES>().0.as_chunks_mut::<Q>().0
}

impl<const Q: usize, const N: usize> Series<Q, N> {
    /// Terms.
    const TERMS: usize = Q * LANES;
    /// Grid points that a cell reaches; the last is beyond.
    pub(super) const WIDTH: usize = N * LANES;
    /// Of these before the cell's own.
    pub(super) const REACH: usize = (Self::WIDTH - 1) / 2;

    fn new(step: f64) -> Self {
        let mut by_power = [[[[0.0; LANES]; N]; LANES]; Q];
        let mut by_offset = [[[[0.0; LANES]; Q]; LANES]; N];
        for o in 0..Self::WIDTH {
            let z = (o as f64 - Self::REACH as f64) * step;
            // φ(z − s) = φ(z) Σ Heₚ(z)/p! sᵖ, with Heₚ₊₁ = z Heₚ − p Heₚ₋₁.
            let (mut before, mut now) = (0.0, norm_pdf(z));
            for p in 0..Self::TERMS {
                by_power[p / LANES][p % LANES][o / LANES][o % LANES] = now;
                by_offset[o / LANES][o % LANES][p / LANES][p % LANES] = p as f64 * now;
                let next = p as f64 + 1.0;
                (before, now) = (now, (z * now - before) / next);
            }
        }
        Self { step, by_power: Aligned(by_power), by_offset: Aligned(by_offset) }
    }

    /// Adds the smoothed density of the moments to the grid.
    pub(super) fn convolve<const FUSED: bool>(&self, moments: &[Cell<Q>], grid: &mut [f64]) {
        widest(
            #[inline(always)]
            || {
                // Cells a vector apart find what was stored before as the same vectors, which need not have reached the memory.
                for phase in 0..LANES {
                    // Points lie where the whole reach is inside; the margins hold none.
                    let cells = moments.iter().skip(Self::REACH + phase).step_by(LANES);
                    for (k, cell) in cells.enumerate() {
                        let Some(around) = grid.get_mut(k * LANES + phase..) else { break };
                        let around = around.as_chunks_mut::<LANES>().0;
                        if is_empty(cell) {
                            continue;
                        }
                        let Some(around) = around.first_chunk_mut::<N>() else { break };
                        let mut sums = *around;
                        for (moments, columns) in cell.iter().zip(&self.by_power.0) {
                            for (moment, columns) in moments.iter().zip(columns) {
                                for (sums, column) in sums.iter_mut().zip(columns) {
                                    add::<FUSED>(sums, *moment, column);
                                }
                            }
                        }
                        *around = sums;
                    }
                }
            },
        );
    }

    /// Overwrites the moments of each cell that has any with the polynomial of the derivative there, times the factor.
    pub(super) fn slopes<const FUSED: bool>(&self, grid: &[f64], moments: &mut [Cell<Q>], factor: f64) {
        widest(
            #[inline(always)]
            || {
                for (start, cell) in moments.iter_mut().skip(Self::REACH).enumerate() {
                    let Some(around) = grid.get(start..start + Self::WIDTH) else { break };
                    if is_empty(cell) {
                        continue;
                    }
                    let mut sums = [[[0.0; LANES]; Q]; CHAINS];
                    for (r, rows) in around.as_chunks::<LANES>().0.iter().zip(&self.by_offset.0) {
                        for (k, (r, row)) in r.iter().zip(rows).enumerate() {
                            sums[k % CHAINS]
                                .iter_mut()
                                .zip(row)
                                .for_each(|(sums, row)| add::<FUSED>(sums, *r, row));
                        }
                    }
                    for (q, part) in cell.iter_mut().enumerate() {
                        *part = array(|p| {
                            factor * ((sums[0][q][p] + sums[1][q][p]) + (sums[2][q][p] + sums[3][q][p]))
                        });
                    }
                }
            },
        );
    }
}

/// No point was added, but for offsets and weights so small that their moments are 0.
#[inline(always)]
fn is_empty<const Q: usize>(cell: &Cell<Q>) -> bool {
    cell[0][0] == 0.0 && cell[0][2] == 0.0
}

/// sums + x·values.
#[inline(always)]
fn add<const FUSED: bool>(sums: &mut Vector, x: f64, values: &Vector) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum = mul_add::<FUSED>(x, *value, *sum);
    }
}

/// Adds weight·(1, s, s², …) to a cell.
#[inline(always)]
pub(super) fn add_powers<const FUSED: bool, const Q: usize>(cell: &mut Cell<Q>, weight: f64, s: f64) {
    let s2 = s * s;
    let s4 = s2 * s2;
    let mut four = [weight, weight * s, weight * s2, weight * s2 * s];
    for vector in cell {
        let (low, high) = vector.split_at_mut(LANES / 2);
        for ((low, high), power) in low.iter_mut().zip(high).zip(&mut four) {
            *low += *power;
            *high = mul_add::<FUSED>(*power, s4, *high);
            *power *= s4 * s4;
        }
    }
}

/// Σ coefficients·sᵖ⁻¹ from p = 1 on.
#[inline(always)]
pub(super) fn polynomial<const FUSED: bool, const Q: usize>(coefficients: &Cell<Q>, s: f64) -> f64 {
    let [_, lower @ .., highest] = coefficients.as_flattened() else { return 0.0 };
    lower.iter().rev().fold(*highest, |sum, &c| mul_add::<FUSED>(sum, s, c))
}
