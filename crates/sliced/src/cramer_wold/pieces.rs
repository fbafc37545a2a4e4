//! Samples so thinly spread that their cells would take far more memory than they do: the cells are made a piece at a time.

use super::series::{Series, add_powers, polynomial, zeros};
use super::{Cells, Smoothed, Weights, Window};
use crate::column::{Gradient, Scratch};
use crate::vectors::squares;
use variata_distributions::lanes::Compute;

/// Cells of a piece.
const PIECE: usize = 1 << 13;

/// Points in ascending order: their positions in the sample, and how many of them lie before each cell that is asked for.
struct Ascending<'a> {
    values: &'a [f64],
    order: Vec<u32>,
}

impl<'a> Ascending<'a> {
    fn new(values: &'a [f64]) -> Self {
        let mut order: Vec<u32> = (0u32..).zip(values).map(|(i, _)| i).collect();
        let value = |&i: &u32| values[i as usize];
        order.sort_unstable_by(|a, b| value(a).total_cmp(&value(b)).then(a.cmp(b)));
        Self { values, order }
    }

    /// Calls `visit` with position, cell and offset of the points in some cells of a window.
    fn visit<const Q: usize, const N: usize>(
        &self,
        series: &Series<Q, N>,
        window: &Window,
        cells: std::ops::Range<usize>,
        mut visit: impl FnMut(usize, usize, f64),
    ) {
        let at = |&i: &u32| Cells::<Q, N>::place(series, window, self.values[i as usize]);
        // Cells rise with the values, but only of points in this window.
        let first = self.order.partition_point(|i| {
            let v = self.values[*i as usize];
            v < window.low || at(i).0 < cells.start
        });
        for i in &self.order[first..] {
            if self.values[*i as usize] > window.high {
                break;
            }
            let (cell, s) = at(i);
            if cell >= cells.end {
                break;
            }
            visit(*i as usize, cell, s);
        }
    }
}

impl Smoothed {
    /// As `solve`, of the sample `v` in smoothing widths.
    pub(super) fn by_pieces<const FUSED: bool, T: Compute, const Q: usize, const N: usize>(
        &self,
        series: &Series<Q, N>,
        (windows, target): (&[Window], &[f64]),
        weights: Weights<'_>,
        gradient: &mut Option<Gradient<'_, T>>,
        Scratch { sorted, first: moments, second: residual, .. }: &mut Scratch,
    ) -> f64 {
        // Cells on either side from which nothing reaches the residual, and from that the slopes, of the piece.
        let halo = 2 * Series::<Q, N>::WIDTH;
        // Visited by code of the baseline's instructions, for which a fused multiply-add is a call.
        let points = Ascending::new(sorted);
        let nodes = self.nodes.as_ref().map(|(at, masses)| (Ascending::new(at), masses));
        let mut total = 0.0;
        for window in windows {
            for start in (0..window.cells).step_by(PIECE) {
                let end = window.cells.min(start + PIECE);
                let (low, high) = (start.saturating_sub(halo), window.cells.min(end + halo));
                let moments = zeros(high - low, moments);
                points.visit(series, window, low..high, |i, cell, s| {
                    add_powers::<false, Q>(&mut moments[cell - low], weights.get(i), s);
                });
                if let Some((nodes, masses)) = &nodes {
                    nodes.visit(series, window, low..high, |i, cell, s| {
                        add_powers::<false, Q>(&mut moments[cell - low], -masses[i], s);
                    });
                }
                residual.clear();
                residual.resize(high - low, 0.0);
                window.subtract(target, low, residual);
                series.convolve::<FUSED>(moments, residual);
                total += squares(&residual[start - low..end - low]);
                let Some(gradient) = gradient else { continue };
                series.slopes::<FUSED>(residual, moments, self.slope_factor(series));
                points.visit(series, window, start..end, |i, cell, s| {
                    let slope = polynomial::<false, Q>(&moments[cell - low], s);
                    gradient.set(i, weights.get(i) * slope);
                });
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_does_not_grow_with_gaps() {
        // Lone points, and a chain of them whose gaps are no gaps to windows.
        for gap in [1e3, 0.15] {
            let y: Vec<f64> = (0..50_000).map(|i| gap * f64::from(i)).collect();
            let (mut scratch, mut slopes) = (Scratch::default(), vec![0.0; y.len()]);
            let gradient = Gradient { out: &mut slopes[..], scale: 1.0 };
            Smoothed::new(1e-4, None).run(&y, None, Some(gradient), &mut scratch);
            assert!(scratch.first.capacity() <= 2 * (PIECE + 4 * 48) * 16, "{}", scratch.first.capacity());
            assert!(scratch.second.capacity() <= 2 * (PIECE + 4 * 48));
        }
    }
}
