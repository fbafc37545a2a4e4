//! Row sums of element-wise terms with their gradients, in one pass over memory.
//!
//! A [`Kernel`] is branch-free f64 arithmetic, so that the compiler vectorises it for each instruction set. Sets with fused
//! multiply-adds all give the same bits, and no result depends on the thread count; a machine without differs by round-off.
#![expect(
    unsafe_code,
    reason = "calls of functions compiled for an instruction set that was detected just before, and outputs that are not \
              zeroed first"
)]

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) mod functions;
pub(crate) mod lane;

use ndarray::{Array1, Array2};

use crate::memory::{in_large_pages, keep_together};
use crate::parallel::for_each;
use crate::sums::two_sum;
use crate::{ArgumentError, Real, check};

pub(crate) use functions::{Comparison, compare, exp_fused, expm1_expm1mx, ln_fused, mul_add};

/// Elements per block: the buffers of a kernel with four inputs and four gradients stay in the first-level cache.
const BLOCK: usize = 64;
/// Partial sums per row, added in a fixed tree.
const LANES: usize = 8;
/// Terms that are added up plainly, 16 in each lane, before their sums are added with what rounding takes.
const FOLD: usize = 128;
/// Elements per task.
const TASK: usize = 1 << 15;

/// Whether the target guarantees fused multiply-adds.
const BASELINE_FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

/// A term of a row sum and its partial derivatives in the inputs.
pub(crate) trait Kernel<const IN: usize, const OUT: usize> {
    /// Term and partials, branch-free, with fused multiply-adds if FUSED. Need not hold where [`rare`](Self::rare).
    fn term<const FUSED: bool>(x: [f64; IN]) -> (f64, [f64; OUT]);
    /// Whether [`term`](Self::term) does not hold here.
    fn rare(x: [f64; IN]) -> bool;
    /// Term and partials, everywhere.
    fn exact(x: [f64; IN]) -> (f64, [f64; OUT]);
}

/// An instruction set with a compiled copy of the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isa {
    /// What the target guarantees.
    Baseline,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, VL and DQ.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// The sets of this machine, the widest last.
    pub(crate) fn available() -> Vec<Self> {
        let mut sets = vec![Self::Baseline];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                sets.push(Self::Avx2);
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
            {
                sets.push(Self::Avx512);
            }
        }
        sets
    }

    fn widest() -> Self {
        static WIDEST: std::sync::OnceLock<Isa> = std::sync::OnceLock::new();
        *WIDEST.get_or_init(|| Self::available().last().copied().unwrap_or(Self::Baseline))
    }
}

/// Where [`sum_rows`] writes: row sums `[rows]`, and the partials [rows, n], one array per input that has one.
pub(crate) struct Outputs<'a, F, const OUT: usize> {
    /// Row sums.
    pub sums: &'a mut [f64],
    /// Partial derivatives.
    pub partials: [&'a mut [MaybeUninit<F>]; OUT],
}

/// The proof that every element of the [`Outputs`] handed to [`sum_rows`], which alone makes it, was written. It does not
/// remember which: a closure given to [`allocate`] hands its argument on and nothing else.
pub(crate) struct Filled {
    rare: bool,
}

impl Filled {
    /// Whether an element was [rare](Kernel::rare).
    pub(crate) fn rare(&self) -> bool {
        self.rare
    }
}

/// Row sums and partials in fresh memory: what `fill`, handed the outputs, has written there.
pub(crate) fn allocate<F: Real, const OUT: usize>(
    rows: usize,
    n: usize,
    fill: impl FnOnce(Outputs<'_, F, OUT>) -> Filled,
) -> (Vec<f64>, [Vec<F>; OUT], Filled) {
    let mut sums = vec![0.0; rows];
    keep_together::<F>(OUT, rows * n);
    let mut partials: [Vec<F>; OUT] = std::array::from_fn(|_| Vec::with_capacity(rows * n));
    let mut spare = partials.each_mut().map(|p| &mut p.spare_capacity_mut()[..rows * n]);
    for memory in &mut spare {
        in_large_pages(memory);
    }
    let filled = fill(Outputs { sums: &mut sums, partials: spare });
    for partial in &mut partials {
        // SAFETY: `filled` proves that `sum_rows` wrote each of the rows·n elements, for which there is capacity.
        unsafe { partial.set_len(rows * n) };
    }
    (sums, partials, filled)
}

/// Row sums `[rows]` of the terms of row-major [rows, n] inputs, and the partials, one per element and input. All
/// lengths must fit each other.
pub(crate) fn sum_rows<K: Kernel<IN, OUT>, F: Real, const IN: usize, const OUT: usize>(
    n: usize,
    inputs: [&[F]; IN],
    outputs: Outputs<'_, F, OUT>,
) -> Filled {
    sum_rows_on::<K, F, IN, OUT>(Isa::widest(), n, inputs, outputs)
}

/// [`sum_rows`] on a given instruction set, which must be [available](Isa::available).
fn sum_rows_on<K: Kernel<IN, OUT>, F: Real, const IN: usize, const OUT: usize>(
    isa: Isa,
    n: usize,
    inputs: [&[F]; IN],
    Outputs { sums, partials }: Outputs<'_, F, OUT>,
) -> Filled {
    let elements = sums.len() * n;
    // What the callers promise, and `set_len` relies on.
    assert!(inputs.iter().all(|x| x.len() == elements) && partials.iter().all(|p| p.len() == elements));
    if n == 0 {
        sums.fill(0.0);
        return Filled { rare: false };
    }
    let per_task = (TASK / n).max(1);
    let mut chunks = partials.map(|p| p.chunks_mut(per_task * n));
    let tasks: Vec<_> = sums
        .chunks_mut(per_task)
        .enumerate()
        .map(|(task, sums)| {
            let start = task * per_task * n;
            let inputs = inputs.map(|input| &input[start..start + sums.len() * n]);
            (inputs, sums, chunks.each_mut().map(|chunk| chunk.next().unwrap_or_default()))
        })
        .collect();
    let rare = AtomicBool::new(false);
    for_each(tasks, |(inputs, sums, partials)| {
        let found = match isa {
            Isa::Baseline => task::<K, F, IN, OUT, BASELINE_FUSED>(n, inputs, sums, partials),
            // SAFETY: `isa` comes from `available`, which detected the features on this machine.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { task_avx2::<K, F, IN, OUT>(n, inputs, sums, partials) },
            // SAFETY: `isa` comes from `available`, which detected the features on this machine.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { task_avx512::<K, F, IN, OUT>(n, inputs, sums, partials) },
        };
        rare.fetch_or(found, Ordering::Relaxed);
    });
    Filled { rare: rare.into_inner() }
}

/// The caller's array for the row sums.
pub(crate) fn sums<'a>(
    argument: &'static str,
    x: &'a mut Array1<f64>,
    rows: usize,
) -> Result<&'a mut [f64], ArgumentError> {
    check::shape(argument, x.shape(), &[rows])?;
    x.as_slice_mut().ok_or_else(|| not_row_major(argument, &[rows]))
}

/// The caller's array for one input's partials.
pub(crate) fn partials<'a, F>(
    argument: &'static str,
    x: &'a mut Array2<F>,
    rows: usize,
    n: usize,
) -> Result<&'a mut [MaybeUninit<F>], ArgumentError> {
    check::shape(argument, x.shape(), &[rows, n])?;
    let x = x.as_slice_mut().ok_or_else(|| not_row_major(argument, &[rows, n]))?;
    // SAFETY: the two types have one layout, and what the kernel writes there is initialised.
    Ok(unsafe { &mut *(std::ptr::from_mut(x) as *mut [MaybeUninit<F>]) })
}

/// The refusal of a caller's array in another order.
pub(crate) fn not_row_major(argument: &'static str, got: &[usize]) -> ArgumentError {
    ArgumentError::Shape { argument, got: got.to_vec(), want: "in row-major order".to_owned() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn task_avx2<K: Kernel<IN, OUT>, F: Real, const IN: usize, const OUT: usize>(
    n: usize,
    inputs: [&[F]; IN],
    sums: &mut [f64],
    partials: [&mut [MaybeUninit<F>]; OUT],
) -> bool {
    task::<K, F, IN, OUT, true>(n, inputs, sums, partials)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
fn task_avx512<K: Kernel<IN, OUT>, F: Real, const IN: usize, const OUT: usize>(
    n: usize,
    inputs: [&[F]; IN],
    sums: &mut [f64],
    partials: [&mut [MaybeUninit<F>]; OUT],
) -> bool {
    task::<K, F, IN, OUT, true>(n, inputs, sums, partials)
}

/// Inlined into each of its callers, so that it is compiled for their instruction set.
#[inline(always)]
fn task<K: Kernel<IN, OUT>, F: Real, const IN: usize, const OUT: usize, const FUSED: bool>(
    n: usize,
    inputs: [&[F]; IN],
    sums: &mut [f64],
    mut partials: [&mut [MaybeUninit<F>]; OUT],
) -> bool {
    // On the stack, where the compiler sees that nothing overlaps.
    let mut last = [[F::ONE; BLOCK]; IN];
    let mut terms = [0.0; BLOCK];
    let mut grads = [[F::ZERO; BLOCK]; OUT];
    let mut lanes = [0.0; LANES];
    let mut long = LongSum::default();
    let (mut row, mut column) = (0, 0);
    let end = sums.len() * n;
    let mut any_rare = 0;
    // Blocks run over the ends of rows, so that short rows fill the vectors, too.
    for start in (0..end).step_by(BLOCK) {
        let len = BLOCK.min(end - start);
        // Always a whole block, a constant: past the end lie ones, whose results are not read.
        let mut x: [&[F; BLOCK]; IN] = last.each_ref();
        if len == BLOCK {
            for (block, input) in x.iter_mut().zip(inputs) {
                if let Some(whole) = input[start..].first_chunk() {
                    *block = whole;
                }
            }
        } else {
            for (block, input) in last.iter_mut().zip(inputs) {
                block[..len].copy_from_slice(&input[start..]);
            }
            x = last.each_ref();
        }
        let mut rare = 0;
        for j in 0..BLOCK {
            let at = x.map(|x| x[j].to_f64());
            let (term, grad) = K::term::<FUSED>(at);
            terms[j] = term;
            for i in 0..OUT {
                grads[i][j] = F::from_f64(grad[i]);
            }
            rare |= u64::from(K::rare(at));
        }
        any_rare |= rare;
        if rare != 0 {
            for j in 0..len {
                let at = x.map(|x| x[j].to_f64());
                if K::rare(at) {
                    let (term, grad) = K::exact(at);
                    terms[j] = term;
                    for i in 0..OUT {
                        grads[i][j] = F::from_f64(grad[i]);
                    }
                }
            }
        }
        for (partial, grad) in partials.iter_mut().zip(&grads) {
            partial[start..start + len].write_copy_of_slice(&grad[..len]);
        }
        let mut at = 0;
        while at < len {
            let stop = len.min(at + n - column);
            if n <= FOLD {
                add_lanes(&mut lanes, column, &terms[at..stop]);
            } else {
                long.add(column, &terms[at..stop]);
            }
            column += stop - at;
            at = stop;
            if column == n {
                sums[row] = if n <= FOLD { reduce(lanes) } else { long.take() };
                (lanes, row, column) = ([0.0; LANES], row + 1, 0);
            }
        }
    }
    any_rare != 0
}

/// Adds the term of each column to the lane `column % LANES`.
#[inline(always)]
fn add_lanes(lanes: &mut [f64; LANES], mut column: usize, mut terms: &[f64]) {
    while !column.is_multiple_of(LANES) {
        let Some((first, rest)) = terms.split_first() else { return };
        lanes[column % LANES] += first;
        (column, terms) = (column + 1, rest);
    }
    let (chunks, rest) = terms.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, term) in lanes.iter_mut().zip(chunk) {
            *lane += term;
        }
    }
    for (lane, term) in lanes.iter_mut().zip(rest) {
        *lane += term;
    }
}

/// The sum of a row of more than [`FOLD`] terms.
#[derive(Default)]
struct LongSum {
    /// Of the terms since the last fold.
    lanes: [f64; LANES],
    /// Of those before, and what rounding took from it.
    folded: [f64; LANES],
    rest: [f64; LANES],
}

impl LongSum {
    /// Adds the terms from a column on. Folds lie at fixed columns, so that no sum depends on where the row lies among the others.
    // By itself, so that short rows keep their lanes in registers.
    #[inline(never)]
    fn add(&mut self, mut column: usize, mut terms: &[f64]) {
        while !terms.is_empty() {
            let (here, after) = terms.split_at(terms.len().min(FOLD - column % FOLD));
            add_lanes(&mut self.lanes, column, here);
            (column, terms) = (column + here.len(), after);
            if column.is_multiple_of(FOLD) {
                self.fold();
            }
        }
    }

    fn fold(&mut self) {
        let Self { lanes, folded, rest } = self;
        for ((lane, folded), rest) in lanes.iter_mut().zip(folded).zip(rest) {
            let (sum, lost) = two_sum(*folded, *lane);
            (*folded, *lane) = (sum, 0.0);
            *rest += lost;
        }
    }

    /// The sum, and 0 in its place.
    fn take(&mut self) -> f64 {
        self.fold();
        let Self { folded, rest, .. } = std::mem::take(self);
        let sum = reduce(folded);
        // Where the sum is infinite the rest is no number.
        if sum.is_finite() { sum + reduce(rest) } else { sum }
    }
}

/// The first `OUT` of the partials of a kernel.
#[inline(always)]
pub(crate) fn take<const IN: usize, const OUT: usize>(all: [f64; IN]) -> [f64; OUT] {
    std::array::from_fn(|i| all[i])
}

/// The sum of the lanes, in a fixed tree.
#[inline(always)]
pub(crate) fn reduce([a, b, c, d, e, f, g, h]: [f64; LANES]) -> f64 {
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagonal_normal::{DensityFromLogVariance, DensityFromScale};
    use crate::kl::{FromLogVariances, FromScales, Mixed, StandardFromLogVariance, StandardFromScale};

    /// Reproducible numbers in (−1, 1).
    pub(in crate::simd) fn numbers(seed: u64, len: usize) -> Vec<f64> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        };
        (0..len).map(|_| next()).collect()
    }

    /// `conditioning`: how far a rounding of an input moves a partial, in units of that rounding; 0 where the inputs
    /// are compared exactly.
    fn same_on_every_set<K: Kernel<IN, OUT>, const IN: usize, const OUT: usize>(
        exponent: f64,
        conditioning: f64,
    ) {
        for n in [1, 2, 7, 8, 63, 64, 65, 130] {
            let rows = 5;
            let columns: [Vec<f64>; IN] = std::array::from_fn(|i| {
                numbers(i as u64 + 1, rows * n).iter().map(|x| (x * exponent).exp()).collect()
            });
            let inputs = columns.each_ref().map(Vec::as_slice);
            let on = |isa| {
                let (sums, partials, _) =
                    allocate(rows, n, |to| sum_rows_on::<K, f64, IN, OUT>(isa, n, inputs, to));
                (sums, partials)
            };
            let want = on(Isa::Baseline);
            // Those with fused multiply-adds.
            let sets = Isa::available();
            let all: Vec<_> = sets[usize::from(!BASELINE_FUSED)..].iter().map(|&isa| on(isa)).collect();
            assert!(all.iter().all(|found| *found == all[0]), "{sets:?}, n = {n}");
            // Against the element-wise form: 64 ulp of each term, and of their (positive) sum.
            for row in 0..rows {
                let mut sum = 0.0;
                for j in row * n..(row + 1) * n {
                    let (term, grad) = K::exact(inputs.map(|x| x[j]));
                    sum += term;
                    for (got, want) in want.1.iter().zip(grad) {
                        let scale = (want.abs() + conditioning) * f64::EPSILON * 64.0;
                        assert!((got[j] - want).abs() <= scale, "{} against {want}", got[j]);
                    }
                }
                let error = (want.0[row] - sum).abs();
                let scale = (sum.abs() + conditioning) * f64::EPSILON * 64.0;
                assert!(error <= scale, "row {row} of {n}: {error}");
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for exponent in [1e-9, 0.3, 3.0] {
            same_on_every_set::<FromScales, 4, 4>(exponent, 0.0);
            same_on_every_set::<FromLogVariances, 4, 4>(exponent, 0.0);
            same_on_every_set::<StandardFromScale, 2, 2>(exponent, 0.0);
            same_on_every_set::<StandardFromLogVariance, 2, 2>(exponent, 0.0);
        }
        // Terms of either sign: the error is of the size of the larger ones.
        same_on_every_set::<DensityFromScale, 3, 3>(0.3, 8.0);
        same_on_every_set::<DensityFromLogVariance, 3, 3>(0.3, 8.0);
        // A logarithm is compared with a standard deviation, of sizes 0.7 to 1.4.
        same_on_every_set::<Mixed<true>, 4, 4>(0.3, 2.0);
        same_on_every_set::<Mixed<false>, 4, 4>(0.3, 2.0);
    }
}
