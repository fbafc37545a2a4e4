//! The codes that round-off leaves undecided: all whose scores may be among the best.

use pulp::{Arch, Simd, WithSimd};
use variata_distributions::lanes::{Compute, NARROW, STEP, array, tile};

use crate::pack::{Packed, ROWS, lanes};

/// For each row of some panels, of these squared norms, the positions of all codes that may be among its `count` nearest, ascending.
pub(crate) fn candidates<T: Compute>(
    packed: &Packed<T>,
    panels: &[T],
    squares: &[T],
    count: usize,
) -> Vec<Vec<usize>> {
    let norms = squares.iter().map(|square| square.to_f64().sqrt());
    let mut kept: Vec<Kept> =
        norms.map(|norm| Kept::new(norm, packed.doubt(norm).is_finite(), count)).collect();
    let doubts: Vec<(f64, f64)> = packed.doubts().collect();
    for (panel, kept) in panels.chunks_exact(ROWS * packed.depth).zip(kept.chunks_mut(ROWS)) {
        for (group, bias) in packed.bias.chunks_exact(packed.step).enumerate() {
            let size = packed.step * packed.depth;
            let codes = &packed.data[group * size..(group + 1) * size];
            let mut scores = [[T::ZERO; ROWS]; STEP];
            Arch::new().dispatch(Scores { panel, codes, bias, out: &mut scores });
            let inside = (packed.ids.len() - group * packed.step).min(packed.step);
            for (j, scores) in scores.iter().enumerate().take(inside) {
                let position = group * packed.step + j;
                for (kept, score) in kept.iter_mut().zip(scores) {
                    kept.offer(score.to_f64(), doubts[position], position);
                }
            }
        }
    }
    kept.into_iter().map(Kept::finish).collect()
}

/// Codes of a row that may be among the nearest.
struct Kept {
    /// Norm of the row.
    norm: f64,
    /// Whether scores say anything.
    certain: bool,
    count: usize,
    /// No score that is surely above this is among the nearest.
    limit: f64,
    /// The scores that codes have at most and at least, and their positions.
    codes: Vec<(f64, f64, usize)>,
    /// Codes at which those above the limit are dropped.
    full: usize,
}

impl Kept {
    fn new(norm: f64, certain: bool, count: usize) -> Self {
        Self { norm, certain, count, limit: f64::INFINITY, codes: Vec::new(), full: 2 * count + 64 }
    }

    #[inline(always)]
    fn offer(&mut self, score: f64, (product, alone): (f64, f64), position: usize) {
        let doubt = product * self.norm + alone;
        // Scores that are not finite say nothing.
        if !(score - doubt > self.limit) || self.limit.is_infinite() {
            self.codes.push((score + doubt, score - doubt, position));
            if self.codes.len() >= self.full {
                self.prune();
                // Where most stay, the next time is not soon: all in all a few looks at each.
                self.full = self.full.max(2 * self.codes.len());
            }
        }
    }

    fn prune(&mut self) {
        if self.codes.len() <= self.count || !self.certain {
            return;
        }
        let (_, last, _) = self.codes.select_nth_unstable_by(self.count - 1, |a, b| a.0.total_cmp(&b.0));
        self.limit = last.0;
        let limit = self.limit;
        self.codes.retain(|(_, least, _)| !(*least > limit));
    }

    fn finish(mut self) -> Vec<usize> {
        self.prune();
        let mut positions: Vec<usize> = self.codes.into_iter().map(|(_, _, position)| position).collect();
        positions.sort_unstable();
        positions
    }
}

/// Scores of one panel and one group of codes.
struct Scores<'a, T> {
    panel: &'a [T],
    codes: &'a [T],
    bias: &'a [T],
    out: &'a mut [[T; ROWS]; STEP],
}

impl<T: Compute> WithSimd for Scores<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        if self.bias.len() == STEP { self.run::<V, STEP>(simd) } else { self.run::<V, NARROW>(simd) }
    }
}

impl<T: Compute> Scores<'_, T> {
    #[inline(always)]
    fn run<V: Simd, const J: usize>(self, simd: V) {
        let lanes = lanes::<T, V>();
        for first in (0..ROWS).step_by(2 * lanes) {
            let start: [_; J] = array(|j| [T::splat(simd, self.bias[j]); 2]);
            let tile = tile::<T, V, ROWS, J>(simd, (self.panel, first), self.codes, start);
            for (scores, tile) in self.out.iter_mut().zip(tile) {
                T::vectors_mut::<V>(&mut scores[first..])[..2].copy_from_slice(&tile);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::codebook::Metric;

    /// Numbers in [−1, 1].
    fn numbers(rows: usize, depth: usize) -> Array2<f32> {
        Array2::from_shape_fn((rows, depth), |(i, d)| ((i * depth + d) * 7919 % 10_007) as f32 / 5003.5 - 1.0)
    }

    /// One code far out does not leave all others undecided.
    #[test]
    fn doubts_are_those_of_each_code() {
        let mut codes = numbers(2000, 16);
        codes.row_mut(0).mapv_inplace(|v| v * 1e4);
        let packed = Packed::new(&codes, Metric::SquaredEuclidean, true);
        let (mut panels, mut norms) = (Vec::new(), Vec::new());
        packed.rows(numbers(32, 16).as_slice().unwrap(), &mut panels, &mut norms);
        for found in candidates(&packed, &panels, &norms, 1) {
            assert!(found.len() < 100, "{}", found.len());
        }
    }

    /// Codes that stay are not looked at again and again.
    #[test]
    fn looks_do_not_add_up() {
        let mut kept = Kept::new(1.0, true, 1);
        let mut looks = 0;
        for position in 0..1 << 16 {
            let before = kept.full;
            kept.offer(1.0, (0.0, 1.0), position);
            looks += if kept.full == before { 0 } else { kept.codes.len() };
        }
        assert!(looks <= 1 << 17, "{looks}");
        assert_eq!(kept.finish().len(), 1 << 16);
    }
}
