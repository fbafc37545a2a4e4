//! Codes and vectors in the order in which the micro-kernel reads them.
//!
//! Distances do not change when a common offset is taken from both sides. The codes' mean is taken off, and what is left is
//! scaled by a power of two to a size near 1, so that ½‖e‖² − z·e neither cancels at a common offset nor overflows.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ndarray::Array2;
use pulp::Simd;
use variata_distributions::lanes::{Compute, Sample, step, transpose, widest};

use crate::codebook::Metric;
use crate::screen::Screen;

/// Rows of a panel: two vectors of the widest f32.
pub(crate) const ROWS: usize = 32;
/// Codes per block of a mixture: a multiple of both steps, and even.
pub(crate) const BLOCK: usize = 96;
/// Elements of a task's panels: they stay in the second-level cache.
const TASK: usize = 1 << 16;
/// Powers of two that scales stay between, so that they and their reciprocals are normal numbers.
const LARGEST_SCALE: f64 = (1u128 << 100) as f64;

/// Largest element that is accepted: squares of larger ones overflow f64.
pub(crate) fn largest<T: Compute>() -> f64 {
    if T::SINGLE { f32::MAX as f64 } else { 1e150 }
}

/// Rows per task: whole panels, which fit into the second-level cache.
pub(crate) fn task_rows(depth: usize) -> usize {
    (TASK / depth.max(1) / ROWS).clamp(1, 64) * ROWS
}

/// Elements in a vector.
#[inline(always)]
pub(crate) fn lanes<T: Compute, V: Simd>() -> usize {
    ROWS / T::vectors::<V>(&[T::ZERO; ROWS]).len().max(1)
}

/// Codes [group][dimension][step], centred, scaled and negated, with what is added to −z·e.
#[derive(Debug, Clone)]
pub(crate) struct Packed<T> {
    pub(crate) depth: usize,
    pub(crate) step: usize,
    pub(crate) data: Vec<T>,
    /// ½‖e‖², or 0 for the cosine; ∞ for what pads the last group.
    pub(crate) bias: Vec<T>,
    /// Positions among the packed codes, as numbers.
    pub(crate) numbers: Vec<T>,
    /// Code of each position.
    pub(crate) ids: Vec<usize>,
    /// Codes that are equal to that of a position, which is the first of them: (position, code), in order.
    twins: Vec<(usize, usize)>,
    pub(crate) centre: Vec<T>,
    pub(crate) scale: T,
    /// Largest norm of a packed code.
    reach: f64,
    half_square: f64,
    /// The codes in bf16, where a first look at them saves time.
    pub(crate) screen: Option<Screen>,
}

impl<T: Compute> Packed<T> {
    /// Each code once if they are to be `distinct`; all of them are what a mixture needs.
    pub(crate) fn new(codes: &Array2<T>, metric: Metric, distinct: bool) -> Self {
        let (count, depth) = codes.dim();
        let cosine = metric == Metric::Cosine;
        // Of equal codes the first is chosen; the others would only make every row a tie.
        let (mut ids, mut twins, mut seen) = (Vec::new(), Vec::new(), HashMap::new());
        for k in 0..count {
            if distinct {
                // −0 + 0 is 0.
                let bits: Vec<u64> = codes.row(k).iter().map(|v| (v.to_f64() + 0.0).to_bits()).collect();
                match seen.entry(bits) {
                    Entry::Occupied(first) => {
                        twins.push((*first.get(), k));
                        continue;
                    }
                    Entry::Vacant(free) => free.insert(ids.len()),
                };
            }
            ids.push(k);
        }
        // The keys are twice the size of an f32 codebook: they go before its copy is made.
        drop(seen);
        twins.sort_unstable();
        let centre: Vec<T> = if cosine {
            vec![T::ZERO; depth]
        } else {
            let mean = |d| codes.column(d).iter().map(|v| v.to_f64() / count as f64).sum::<f64>();
            (0..depth).map(|d| T::from_f64(mean(d))).collect()
        };
        let centred = |k: usize, scale: f64| {
            let row = codes.row(k);
            let row: Vec<f64> =
                row.iter().zip(&centre).map(|(v, c)| (v.to_f64() - c.to_f64()) * scale).collect();
            let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            if cosine { (row.iter().map(|v| v / norm).collect(), 1.0) } else { (row, norm) }
        };
        // A mixture has noise of size 1 beside the logits: nothing is gained where the codes are smaller than that.
        let most = if distinct { LARGEST_SCALE } else { 1.0 };
        let scale_of = |reach: f64| (1.0 / power_of_two(reach)).clamp(1.0 / LARGEST_SCALE, most);
        // By the largest element first: squares of the smallest are no normal numbers.
        let gap = |(v, c): (&T, &T)| (v.to_f64() - c.to_f64()).abs();
        let widest = codes.rows().into_iter().flat_map(|row| row.into_iter().zip(&centre)).map(gap);
        let first = if cosine { 1.0 } else { scale_of(widest.fold(0.0, f64::max)) };
        let reach = ids.iter().map(|&k| centred(k, first).1).fold(0.0, f64::max) / first;
        let scale = scale_of(reach);
        let step = step();
        let groups = ids.len().div_ceil(step);
        let mut data = vec![T::ZERO; groups * step * depth];
        let mut bias = vec![T::from_f64(f64::INFINITY); groups * step];
        for (position, &k) in ids.iter().enumerate() {
            let (row, norm) = centred(k, scale);
            let to = &mut data[position / step * step * depth..][position % step..];
            to.iter_mut().step_by(step).zip(&row).for_each(|(to, v)| *to = T::from_f64(-v));
            bias[position] = if cosine { T::ZERO } else { T::from_f64(0.5 * norm * norm) };
        }
        let numbers = (0..bias.len()).map(|k| T::from_f64(k as f64)).collect();
        let reach = reach * scale;
        let half_square = if cosine { 0.0 } else { 0.5 * reach * reach };
        let scale = T::from_f64(scale);
        let mut packed = Self {
            depth,
            step,
            data,
            bias,
            numbers,
            ids,
            twins,
            centre,
            scale,
            reach,
            half_square,
            screen: None,
        };
        if distinct {
            packed.screen = Screen::new(&packed);
        }
        packed
    }

    /// All codes of a position, ascending.
    pub(crate) fn codes_at(&self, position: usize) -> impl Iterator<Item = usize> {
        let first = self.twins.partition_point(|twin| twin.0 < position);
        let twins = self.twins[first..].iter().take_while(move |twin| twin.0 == position);
        std::iter::once(self.ids[position]).chain(twins.map(|twin| twin.1))
    }

    /// An element as it is packed, which is negated.
    pub(crate) fn element(&self, position: usize, d: usize) -> T {
        self.data[position / self.step * self.step * self.depth + d * self.step + position % self.step]
    }

    /// Largest norm of a packed code.
    pub(crate) fn reach(&self) -> f64 {
        self.reach
    }

    /// How far two scores ½‖e‖² − z·e of a vector of norm `norm`, as packed, may be apart while round-off decides.
    ///
    /// A score is a sum of D products and one more term. Each partial sum is at most ½b² + ‖z‖b, each of the D + 1
    /// roundings loses that times u at most, and both factors and ½b² are rounded before.
    pub(crate) fn doubt(&self, norm: f64) -> f64 {
        // Squares of a smaller vector, which has no bias beside it, lose their digits; so do those of codes that near to each other.
        let least = if T::SINGLE { 1e-15 } else { 1e-140 };
        let size = if self.half_square == 0.0 { norm } else { self.reach };
        if size < least {
            return f64::INFINITY;
        }
        let (product, depth) = (norm * self.reach, self.depth as f64);
        // 1 % for powers of 1 + u and the rounding of the norm.
        2.02 * T::UNIT_ROUNDOFF * ((depth + 4.0) * product + (depth + 3.0) * self.half_square)
    }

    /// How much of a [`doubt`](Self::doubt) each packed code has by itself, as (per norm of the vector, and beside that): codes that
    /// are near the centre are told apart though another one is far out.
    pub(crate) fn doubts(&self) -> impl Iterator<Item = (f64, f64)> {
        let depth = self.depth as f64;
        // Norms whose squares are no normal numbers count as this.
        let tiny = if T::SINGLE { 1e-18 } else { 1e-150 };
        let cosine = self.half_square == 0.0;
        self.bias.iter().map(move |bias| {
            let norm = if cosine { self.reach } else { (2.0 * bias.to_f64()).sqrt() + tiny };
            let half_square = if cosine { 0.0 } else { 0.5 * norm * norm };
            // 1 % as there, and one rounding more: that of the score's bounds.
            let unit = 1.01 * T::UNIT_ROUNDOFF;
            (unit * (depth + 5.0) * norm, unit * (depth + 4.0) * half_square)
        })
    }

    /// Rows [rows, depth] into panels [panel][dimension][row], and the norms of what is packed. `panels` and `norms` are
    /// resized.
    pub(crate) fn rows<S: Sample<Compute = T>>(&self, rows: &[S], panels: &mut Vec<T>, norms: &mut Vec<T>) {
        let count = rows.len() / self.depth;
        panels.resize(count.next_multiple_of(ROWS) * self.depth, T::ZERO);
        norms.clear();
        let size = ROWS * self.depth;
        for (panel, rows) in panels.chunks_exact_mut(size).zip(rows.chunks(size)) {
            widest(
                #[inline(always)]
                || {
                    let scale = self.scale;
                    let map = |d: usize, v: S| (v.compute() - self.centre[d]) * scale;
                    transpose::<S, T, ROWS>(rows, self.depth, map, panel);
                    let mut squares = [T::ZERO; ROWS];
                    for column in panel.as_chunks::<ROWS>().0 {
                        squares.iter_mut().zip(column).for_each(|(to, v)| *to = *to + *v * *v);
                    }
                    norms.extend_from_slice(&squares);
                },
            );
        }
        norms.truncate(count);
    }
}

/// Codes in the same blocks in two orders: for products with vectors, and for sums of codes with weights.
#[derive(Debug, Clone)]
pub(crate) struct Mixture<T> {
    pub(crate) packed: Packed<T>,
    /// [block of codes][group of dimensions][code][step].
    dimensions: Vec<T>,
}

impl<T: Compute> Mixture<T> {
    pub(crate) fn new(codes: &Array2<T>) -> Self {
        let packed = Packed::new(codes, Metric::SquaredEuclidean, false);
        let (step, depth) = (packed.step, packed.depth);
        let groups = depth.div_ceil(step);
        let mut dimensions = vec![T::ZERO; codes.nrows() * groups * step];
        for (b, to) in dimensions.chunks_mut(BLOCK * groups * step).enumerate() {
            let inside = to.len() / (groups * step);
            for (g, to) in to.chunks_exact_mut(inside * step).enumerate() {
                for (k, to) in to.chunks_exact_mut(step).enumerate() {
                    let here = (g * step..depth).zip(to);
                    here.for_each(|(d, to)| *to = T::ZERO - packed.element(b * BLOCK + k, d));
                }
            }
        }
        Self { packed, dimensions }
    }

    /// How many codes block `b` has, and their elements, [group of dimensions][code][step].
    #[inline(always)]
    pub(crate) fn block(&self, b: usize) -> (usize, &[T]) {
        let inside = BLOCK.min(self.packed.ids.len() - b * BLOCK);
        let width = self.width();
        (inside, &self.dimensions[b * BLOCK * width..][..inside * width])
    }

    /// Dimensions with those that pad the last group.
    pub(crate) fn width(&self) -> usize {
        self.packed.depth.next_multiple_of(self.packed.step)
    }

    /// Blocks of codes.
    pub(crate) fn blocks(&self) -> usize {
        self.packed.ids.len().div_ceil(BLOCK)
    }
}

/// The largest power of two that is not greater, for positive normal numbers; 2⁻¹⁰⁰ otherwise.
pub(crate) fn power_of_two(x: f64) -> f64 {
    let power = f64::from_bits(x.to_bits() & 0x7FF0_0000_0000_0000);
    if power.is_normal() { power } else { 1.0 / LARGEST_SCALE }
}
