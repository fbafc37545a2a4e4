//! Row sums of element-wise terms with their gradients, in one pass over memory.
//!
//! A [`Kernel`] is branch-free f64 arithmetic without fused multiply-adds, so that the compiler vectorises it for each
//! instruction set and every set gives the same bits: a result does not depend on the machine or on the thread count.
#![expect(
    unsafe_code,
    reason = "calls of functions compiled for an instruction set that was detected just before"
)]

use crate::{Real, elementwise::for_each};

/// Elements per block: the buffers of a kernel with four inputs and four gradients stay in the first-level cache.
const BLOCK: usize = 64;
/// Partial sums per row, added in a fixed tree.
const LANES: usize = 8;
/// Elements per task.
const TASK: usize = 1 << 15;

/// A term of a row sum and its partial derivatives in the inputs.
pub(crate) trait Kernel<const IN: usize, const OUT: usize> {
    /// Term and partials, branch-free. Need not hold where [`rare`](Self::rare).
    fn term(x: [f64; IN]) -> (f64, [f64; OUT]);
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
    /// AVX2.
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
            if is_x86_feature_detected!("avx2") {
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

/// Row sums `[rows]` of the terms of row-major [rows, n] inputs, and the partials, one per element and input.
pub(crate) fn sum_rows<K: Kernel<IN, OUT>, F: Real, const IN: usize, const OUT: usize>(
    rows: usize,
    n: usize,
    inputs: [&[F]; IN],
) -> (Vec<f64>, [Vec<F>; OUT]) {
    sum_rows_on::<K, F, IN, OUT>(Isa::widest(), rows, n, inputs)
}

/// [`sum_rows`] on a given instruction set, which must be [available](Isa::available).
fn sum_rows_on<K: Kernel<IN, OUT>, F: Real, const IN: usize, const OUT: usize>(
    isa: Isa,
    rows: usize,
    n: usize,
    inputs: [&[F]; IN],
) -> (Vec<f64>, [Vec<F>; OUT]) {
    let mut sums = vec![0.0; rows];
    let mut partials: [Vec<F>; OUT] = std::array::from_fn(|_| vec![F::ZERO; rows * n]);
    if n == 0 {
        return (sums, partials);
    }
    let per_task = (TASK / n).max(1);
    let mut chunks = partials.each_mut().map(|p| p.chunks_mut(per_task * n));
    let tasks: Vec<_> = sums
        .chunks_mut(per_task)
        .enumerate()
        .map(|(task, sums)| {
            let start = task * per_task * n;
            let inputs = inputs.map(|input| &input[start..start + sums.len() * n]);
            (inputs, sums, chunks.each_mut().map(|chunk| chunk.next().unwrap_or_default()))
        })
        .collect();
    for_each(tasks, |(inputs, sums, partials)| match isa {
        Isa::Baseline => task::<K, F, IN, OUT>(n, inputs, sums, partials),
        // SAFETY: `isa` comes from `available`, which detected the feature on this machine.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { task_avx2::<K, F, IN, OUT>(n, inputs, sums, partials) },
        // SAFETY: `isa` comes from `available`, which detected the features on this machine.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { task_avx512::<K, F, IN, OUT>(n, inputs, sums, partials) },
    });
    (sums, partials)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn task_avx2<K: Kernel<IN, OUT>, F: Real, const IN: usize, const OUT: usize>(
    n: usize,
    inputs: [&[F]; IN],
    sums: &mut [f64],
    partials: [&mut [F]; OUT],
) {
    task::<K, F, IN, OUT>(n, inputs, sums, partials);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
fn task_avx512<K: Kernel<IN, OUT>, F: Real, const IN: usize, const OUT: usize>(
    n: usize,
    inputs: [&[F]; IN],
    sums: &mut [f64],
    partials: [&mut [F]; OUT],
) {
    task::<K, F, IN, OUT>(n, inputs, sums, partials);
}

/// Inlined into each of its callers, so that it is compiled for their instruction set.
#[inline(always)]
fn task<K: Kernel<IN, OUT>, F: Real, const IN: usize, const OUT: usize>(
    n: usize,
    inputs: [&[F]; IN],
    sums: &mut [f64],
    mut partials: [&mut [F]; OUT],
) {
    // On the stack, where the compiler sees that nothing overlaps.
    let mut x = [[1.0; BLOCK]; IN];
    let mut terms = [0.0; BLOCK];
    let mut grads = [[0.0; BLOCK]; OUT];
    for (row, sum) in sums.iter_mut().enumerate() {
        let mut lanes = [0.0; LANES];
        let mut start = row * n;
        let end = start + n;
        while start < end {
            let len = BLOCK.min(end - start);
            for (block, input) in x.iter_mut().zip(inputs) {
                for (to, from) in block.iter_mut().zip(&input[start..start + len]) {
                    *to = from.to_f64();
                }
            }
            // The lanes past the row hold old inputs and are not read.
            let padded = len.next_multiple_of(LANES).min(BLOCK);
            let mut rare = 0;
            for j in 0..padded {
                let at = std::array::from_fn(|i| x[i][j]);
                let (term, grad) = K::term(at);
                terms[j] = term;
                for i in 0..OUT {
                    grads[i][j] = grad[i];
                }
                rare |= u64::from(K::rare(at));
            }
            if rare != 0 {
                for j in 0..len {
                    let at = std::array::from_fn(|i| x[i][j]);
                    if K::rare(at) {
                        let (term, grad) = K::exact(at);
                        terms[j] = term;
                        for i in 0..OUT {
                            grads[i][j] = grad[i];
                        }
                    }
                }
            }
            terms[len..padded].fill(0.0);
            for chunk in terms[..padded].chunks_exact(LANES) {
                for (lane, term) in lanes.iter_mut().zip(chunk) {
                    *lane += term;
                }
            }
            for (partial, grad) in partials.iter_mut().zip(&grads) {
                for (to, from) in partial[start..start + len].iter_mut().zip(grad) {
                    *to = F::from_f64(*from);
                }
            }
            start += len;
        }
        let [a, b, c, d, e, f, g, h] = lanes;
        *sum = ((a + e) + (c + g)) + ((b + f) + (d + h));
    }
}

/// 1.5·2⁵²: adding it rounds to an integer and leaves that in the low bits.
const ROUND: f64 = 6755399441055744.0;
/// log 2 in two parts; multiples of the first by integers below 2¹¹ are exact.
const LN2_HIGH: f64 = 6.93147180369123816490e-01;
const LN2_LOW: f64 = 1.90821492927058770002e-10;

/// eˣ − 1 and eˣ − 1 − x for |x| < 700, branch-free; ≤ 4 ulp and ≤ 32 ulp (next to |x| = ½ log 2).
///
/// x = k log 2 + r: with m = eʳ − 1 − r by its series, eˣ − 1 = 2ᵏ(r + m) + (2ᵏ − 1), and m itself for k = 0.
#[inline(always)]
pub(crate) fn expm1_expm1mx(x: f64) -> (f64, f64) {
    let (power, r, m) = split_exp(x);
    let expm1 = power * (r + m) + (power - 1.0);
    let rest = power * m + (power * r + ((power - 1.0) - x));
    (expm1, if power == 1.0 { m } else { rest })
}

/// eˣ for |x| < 700, branch-free; ≤ 2 ulp.
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    let (power, r, m) = split_exp(x);
    power * (1.0 + (r + m))
}

/// 2ᵏ, r and eʳ − 1 − r with x = k log 2 + r and |r| ≤ ½ log 2.
#[inline(always)]
fn split_exp(x: f64) -> (f64, f64, f64) {
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let mut series = 1.0 / 87178291200.0;
    for c in INVERSE_FACTORIALS {
        series = series * r + c;
    }
    (power, r, r * r * series)
}

/// 1/13! … 1/2!.
const INVERSE_FACTORIALS: [f64; 12] = [
    1.0 / 6227020800.0,
    1.0 / 479001600.0,
    1.0 / 39916800.0,
    1.0 / 3628800.0,
    1.0 / 362880.0,
    1.0 / 40320.0,
    1.0 / 5040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
];

/// log(ratio) − t where ratio = 1 + t is normal and > 0, branch-free; ≤ 32 ulp.
///
/// ratio = 2ᵉ·m with m in [√½, √2): log m − (m − 1) through artanh, as in `special::log1pmx`.
#[inline(always)]
pub(crate) fn log1pmx(ratio: f64, t: f64) -> f64 {
    let bits = ratio.to_bits();
    let biased = bits.wrapping_add(ONE_BITS - SQRT_HALF_BITS) >> 52;
    let m = f64::from_bits(bits.wrapping_sub(biased << 52).wrapping_add(ONE_BITS));
    let e = f64::from_bits(biased | 0x4330_0000_0000_0000) - (4503599627370496.0 + 1023.0);
    let tm = if e == 0.0 { t } else { m - 1.0 };
    let s = tm / (2.0 + tm);
    let s2 = s * s;
    let mut tail = 1.0 / 23.0;
    for c in ODD_INVERSES {
        tail = tail * s2 + c;
    }
    s * (2.0 * s2 * tail - tm) + ((tm - t) + e * std::f64::consts::LN_2)
}

const ONE_BITS: u64 = 0x3FF0_0000_0000_0000;
const SQRT_HALF_BITS: u64 = 0x3FE6_A09E_667F_3BCD;
/// 1/21, 1/19 … 1/3.
const ODD_INVERSES: [f64; 10] = [
    1.0 / 21.0,
    1.0 / 19.0,
    1.0 / 17.0,
    1.0 / 15.0,
    1.0 / 13.0,
    1.0 / 11.0,
    1.0 / 9.0,
    1.0 / 7.0,
    1.0 / 5.0,
    1.0 / 3.0,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kl::{FromLogVariances, FromScales, StandardFromLogVariance, StandardFromScale};
    use crate::special;

    /// Reproducible numbers in (−1, 1).
    fn numbers(seed: u64, len: usize) -> Vec<f64> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        };
        (0..len).map(|_| next()).collect()
    }

    fn same_on_every_set<K: Kernel<IN, OUT>, const IN: usize, const OUT: usize>(exponent: f64) {
        for n in [1, 2, 7, 8, 63, 64, 65, 130] {
            let rows = 5;
            let columns: [Vec<f64>; IN] = std::array::from_fn(|i| {
                numbers(i as u64 + 1, rows * n).iter().map(|x| (x * exponent).exp()).collect()
            });
            let inputs = columns.each_ref().map(Vec::as_slice);
            let want = sum_rows_on::<K, f64, IN, OUT>(Isa::Baseline, rows, n, inputs);
            for isa in Isa::available() {
                assert_eq!(sum_rows_on::<K, f64, IN, OUT>(isa, rows, n, inputs), want, "{isa:?}, n = {n}");
            }
            // Against the element-wise form: 64 ulp of each term, and of their (positive) sum.
            for row in 0..rows {
                let mut sum = 0.0;
                for j in row * n..(row + 1) * n {
                    let (term, grad) = K::exact(inputs.map(|x| x[j]));
                    sum += term;
                    for (got, want) in want.1.iter().zip(grad) {
                        let scale = want.abs() * f64::EPSILON * 64.0;
                        assert!((got[j] - want).abs() <= scale, "{} against {want}", got[j]);
                    }
                }
                let error = (want.0[row] - sum).abs() / sum;
                assert!(error <= 64.0 * f64::EPSILON || sum == 0.0, "row {row} of {n}: {error}");
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for exponent in [1e-9, 0.3, 3.0] {
            same_on_every_set::<FromScales, 4, 4>(exponent);
            same_on_every_set::<FromLogVariances, 4, 4>(exponent);
            same_on_every_set::<StandardFromScale, 2, 2>(exponent);
            same_on_every_set::<StandardFromLogVariance, 2, 2>(exponent);
        }
    }

    #[test]
    fn vector_functions_agree_with_the_scalar_ones() {
        for size in [1e-12, 1e-3, 0.3, 0.4, 1.0, 20.0, 690.0] {
            for x in numbers(7, 2000).iter().map(|x| x * size) {
                let (expm1, rest) = expm1_expm1mx(x);
                let relative = |got: f64, want: f64| ((got - want) / want).abs() / f64::EPSILON;
                assert!(relative(expm1, libm::expm1(x)) <= 4.0, "expm1({x})");
                assert!(relative(rest, special::expm1mx(x)) <= 32.0, "expm1mx({x})");
                let t = libm::expm1(x);
                assert!(
                    t + 1.0 < 1e-300 || relative(log1pmx(1.0 + t, t), special::log1pmx(t)) <= 32.0,
                    "{t}"
                );
            }
        }
        assert_eq!(expm1_expm1mx(0.0), (0.0, 0.0));
        assert_eq!(log1pmx(1.0, 0.0), 0.0);
    }
}
