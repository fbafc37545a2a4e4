//! Sums over all pairs of points, in blocks: never a matrix of pairs.
//!
//! Squared distances are ‖x‖² + ‖y‖² − 2x·y about a centre where that keeps their digits, and sums of squared differences where it does
//! not: half as many operations, and a quarter with the gradients, Σⱼ sⱼ(x − yⱼ) = x Σⱼ sⱼ − Σⱼ sⱼyⱼ. Each pair of blocks is looked at
//! once, for the gradients of both sides.

mod block;

use std::sync::{Mutex, PoisonError};

use ndarray::{Array2, ArrayRef2, s};
use pulp::Arch;
use variata_distributions::Real;
use variata_distributions::lanes::{Sample, Sum};
use variata_distributions::parallel::{collect, within};

use block::{Block, Slopes, Task};
pub(crate) use block::{PANEL, Pairs};

use crate::distance::{none, sizes};
use crate::error::Error;

/// Blocks are looked at in groups, so that of large samples not all comes from the memory for each pair: up to so many of a group,
const GROUP: usize = 8;
/// and at least so many groups, for many threads to share.
const GROUPS: usize = 32;

/// A sample as contiguous f64 rows, checked: [n, dimensions], neither 0.
pub(crate) fn points<S: Sample>(argument: &'static str, x: &ArrayRef2<S>) -> Result<Array2<f64>, Error> {
    if x.is_empty() {
        return Err(none(argument, x.shape(), "[n, dimensions], neither 0"));
    }
    sizes(argument, x.iter().map(|v| v.compute().to_f64()))?;
    let mut points = Array2::zeros(x.dim());
    points.zip_mut_with(x, |to, v| *to = v.compute().to_f64());
    Ok(points)
}

/// For each two of N samples a, b: Sₐᵦ = Σᵢⱼ k(‖aᵢ − bⱼ‖²), all pairs, those of a point with itself included; and for each sample that is
/// `wanted` the gradient of Σₐᵦ wₐᵦ Sₐᵦ in its points, w symmetric. `kernel` gives k and its derivative at squared distances, and is to
/// be inlined. The samples are in standard layout and have equally many dimensions, at least 1.
pub(crate) fn sums<const N: usize>(
    samples: [&Array2<f64>; N],
    wanted: [bool; N],
    weights: [[f64; N]; N],
    kernel: impl Fn(&Pairs) -> (Pairs, Pairs) + Sync + Send,
) -> ([[f64; N]; N], [Array2<f64>; N]) {
    // Two operations for a pair in each dimension, and those of the kernel.
    let [points, dimensions] = [0, 1].map(|axis| samples.iter().map(|x| x.shape()[axis] as f64).sum::<f64>());
    let nanoseconds = points * points * (4.0 + dimensions / (16.0 * N as f64));
    within(nanoseconds, || sums_within(samples, wanted, weights, kernel))
}

fn sums_within<const N: usize>(
    samples: [&Array2<f64>; N],
    wanted: [bool; N],
    weights: [[f64; N]; N],
    kernel: impl Fn(&Pairs) -> (Pairs, Pairs) + Sync + Send,
) -> ([[f64; N]; N], [Array2<f64>; N]) {
    let centre = centre(&samples);
    let rows = samples.iter().enumerate().flat_map(|(sample, points)| {
        let rows = points.as_slice().unwrap_or_default().chunks(PANEL * centre.len());
        rows.map(move |rows| (sample, rows))
    });
    let rows: Vec<_> = rows.collect();
    let blocks = collect(rows.len(), |k| Block::new(rows[k].0, rows[k].1, &centre));
    let groups: Vec<&[Block]> = blocks.chunks((blocks.len() / GROUPS).clamp(1, GROUP)).collect();
    let slopes = groups.iter().map(|group| {
        let of = |block: &Block| Slopes::new(wanted[block.sample], block.depth());
        Mutex::new(group.iter().map(of).collect::<Vec<_>>())
    });
    let slopes: Vec<_> = slopes.collect();
    let look = |x: &Block, y: &Block, [own, other]: [Option<&mut Slopes>; 2]| {
        Arch::new().dispatch(Task {
            x,
            y,
            slopes: [own.filter(|_| wanted[x.sample]), other.filter(|_| wanted[y.sample])],
            weight: weights[x.sample][y.sample],
            kernel: &kernel,
        })
    };
    let mut found = Found::<N>::default();
    for round in 0..rounds(groups.len()) {
        // No group is in two pairs of a round: nobody waits, and what a block is given comes in one order.
        let pairs: Vec<[usize; 2]> = pairs_of_round(groups.len(), round).collect();
        let parts = collect(pairs.len(), |k| {
            let [a, b] = pairs[k];
            let locked = |at: usize| slopes[at].lock().unwrap_or_else(PoisonError::into_inner);
            let (mut of_a, mut of_b) = (locked(a), (a != b).then(|| locked(b)));
            let mut found = Found::default();
            for (i, x) in groups[a].iter().enumerate() {
                let (own, rest) = of_a[i..].split_at_mut(1);
                if a == b {
                    found.add(x, x, look(x, x, [own.first_mut(), None]));
                }
                // Within a group each two once.
                let (others, of_others) = match &mut of_b {
                    Some(of_b) => (groups[b], &mut of_b[..]),
                    None => (&groups[a][i + 1..], rest),
                };
                for (y, other) in others.iter().zip(of_others) {
                    found.add(x, y, look(x, y, [own.first_mut(), Some(other)]));
                }
            }
            found
        });
        for part in &parts {
            found.merge(part);
        }
    }
    let mut grads = std::array::from_fn(|k| Array2::zeros(if wanted[k] { samples[k].dim() } else { (0, 0) }));
    let slopes =
        slopes.into_iter().flat_map(|slopes| slopes.into_inner().unwrap_or_else(PoisonError::into_inner));
    let mut firsts = [0; N];
    for (block, slopes) in blocks.iter().zip(slopes).filter(|(block, _)| wanted[block.sample]) {
        let first = &mut firsts[block.sample];
        slopes.gradient(block, grads[block.sample].slice_mut(s![*first..*first + block.points, ..]));
        *first += block.points;
    }
    (found.0.map(|row| row.map(Sum::value)), grads)
}

/// Sums over the pairs of two samples each.
struct Found<const N: usize>([[Sum; N]; N]);

impl<const N: usize> Default for Found<N> {
    fn default() -> Self {
        Self([[Sum::default(); N]; N])
    }
}

impl<const N: usize> Found<N> {
    fn add(&mut self, x: &Block, y: &Block, sum: f64) {
        self.0[x.sample][y.sample].add(sum);
        // (i, j) and (j, i) agree.
        if !std::ptr::eq(x, y) {
            self.0[y.sample][x.sample].add(sum);
        }
    }

    fn merge(&mut self, other: &Self) {
        let both = self.0.iter_mut().flatten().zip(other.0.iter().flatten());
        both.for_each(|(to, sum)| to.add(sum.value()));
    }
}

/// Each two of so many blocks once, and each with itself: the circle method of tournaments.
fn rounds(blocks: usize) -> usize {
    if blocks < 2 { 1 } else { blocks.next_multiple_of(2) }
}

/// Those of a round, of which no two share a block.
fn pairs_of_round(blocks: usize, round: usize) -> impl Iterator<Item = [usize; 2]> {
    let circle = blocks.next_multiple_of(2) - 1;
    let count = if round == 0 { blocks } else { circle.div_ceil(2) };
    let pair = move |k: usize| match (round, k) {
        (0, _) => [k, k],
        (_, 0) => [round - 1, circle],
        _ => [(round - 1 + k) % circle, (round - 1 + circle - k) % circle],
    };
    (0..count).map(pair).filter(move |pair| pair.iter().all(|&block| block < blocks))
}

/// In each dimension the middle of its range, or 0 where a difference from that might be rounded: x − c is exact for x from c/2 to 2c. Where
/// is 0 the points are about as far from each other as from 0.
fn centre(samples: &[&Array2<f64>]) -> Vec<f64> {
    let depth = samples[0].ncols();
    let (mut low, mut high) = (vec![f64::INFINITY; depth], vec![f64::NEG_INFINITY; depth]);
    for row in samples.iter().flat_map(|points| points.as_slice().unwrap_or_default().chunks_exact(depth)) {
        low.iter_mut().zip(row).for_each(|(low, &v)| *low = if v < *low { v } else { *low });
        high.iter_mut().zip(row).for_each(|(high, &v)| *high = if v > *high { v } else { *high });
    }
    let exact = |low: f64, high: f64| (low > 0.0 && high <= 2.0 * low) || (high < 0.0 && low >= 2.0 * high);
    let middle = |(low, high): (f64, f64)| if exact(low, high) { low + 0.5 * (high - low) } else { 0.0 };
    low.into_iter().zip(high).map(middle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_two_blocks_meet_once_and_none_twice_in_a_round() {
        for blocks in 1..12 {
            let mut met = std::collections::BTreeSet::new();
            for round in 0..rounds(blocks) {
                let pairs: Vec<[usize; 2]> = pairs_of_round(blocks, round).collect();
                let mut busy: Vec<usize> =
                    pairs.iter().flat_map(|[a, b]| [*a, *b][usize::from(a == b)..].to_vec()).collect();
                let count = busy.len();
                busy.sort_unstable();
                busy.dedup();
                assert_eq!(busy.len(), count, "{blocks} {round}");
                for [a, b] in pairs {
                    assert!(met.insert((a.min(b), a.max(b))), "{a} {b}");
                }
            }
            assert_eq!(met.len(), blocks * (blocks + 1) / 2);
        }
    }
}
