//! Standard Gumbel noise that is a function of where it is used: backward draws what forward drew, in any order of blocks.
//!
//! The words are Threefry-2x32 with 13 rounds (Salmon et al. 2011) of the seed as key and (row, pair of codes) as counter. A word gives
//! a side and 31 bits of v in (0, ½); where few of the 31 bits are left, v gets 32 more, so that both tails go on to 2⁻⁶⁴.

use ndarray::{Array2, s};
use variata_distributions::lanes::{Compute, widest};

use crate::error::Error;
use crate::init::zeros;
use crate::pack::ROWS;

/// Where 31 bits leave fewer than twelve, more are drawn.
pub(crate) const COARSE: u32 = 1 << 12;
/// Marks counters of further bits.
pub(crate) const FURTHER: u32 = 1 << 31;
/// Rotations of the rounds, in groups of four.
pub(crate) const EVEN: [u32; 4] = [13, 15, 26, 6];
pub(crate) const ODD: [u32; 4] = [17, 29, 16, 24];

/// The seed as key, with its parity.
pub(crate) fn keys(seed: u64) -> [u32; 3] {
    let (low, high) = (seed as u32, (seed >> 32) as u32);
    [low, high, low ^ high ^ 0x1BD1_1BDA]
}

/// One round after the other; the arrays stay in registers, sixteen rows at a time.
#[inline(always)]
fn rounds<const N: usize>(a: &mut [u32; ROWS], b: &mut [u32; ROWS], rotations: [u32; N]) {
    for i in 0..ROWS {
        let (mut x, mut y) = (a[i], b[i]);
        for by in rotations {
            x = x.wrapping_add(y);
            y = y.rotate_left(by) ^ x;
        }
        (a[i], b[i]) = (x, y);
    }
}

/// Adds the keys.
#[inline(always)]
fn inject(a: &mut [u32; ROWS], b: &mut [u32; ROWS], key_a: u32, key_b: u32) {
    for i in 0..ROWS {
        a[i] = a[i].wrapping_add(key_a);
        b[i] = b[i].wrapping_add(key_b);
    }
}

/// The two words of each row of a panel for the codes 2·`pair` and 2·`pair` + 1.
#[inline(always)]
fn words(seed: u64, first: u64, counter: u32) -> [[u32; ROWS]; 2] {
    let keys = keys(seed);
    let mut x = [[0u32; ROWS]; 2];
    let [a, b] = &mut x;
    for (i, (a, b)) in a.iter_mut().zip(b).enumerate() {
        let row = first.wrapping_add(i as u64);
        // Pairs of codes take 23 bits; the row's high bits go above them, below the mark.
        *a = (row as u32).wrapping_add(keys[0]);
        *b = (counter ^ (((row >> 32) as u32 & 0x7F) << 24)).wrapping_add(keys[1]);
    }
    let [a, b] = &mut x;
    rounds(a, b, EVEN);
    inject(a, b, keys[1], keys[2].wrapping_add(1));
    rounds(a, b, ODD);
    inject(a, b, keys[2], keys[0].wrapping_add(2));
    rounds(a, b, EVEN);
    inject(a, b, keys[0], keys[1].wrapping_add(3));
    rounds(a, b, [ODD[0]]);
    x
}

/// More bits, for all in f64, and where few are left in f32.
#[inline(always)]
fn refine<T: Compute>(words: &[u32; ROWS], further: &[u32; ROWS], v: &mut [T; ROWS]) {
    let (half, tiny) = (T::from_f64(0.5), T::from_f64(1.0 / 4_294_967_296.0));
    for i in 0..ROWS {
        let bits = words[i] >> 1;
        if !T::SINGLE || bits < COARSE {
            let rest = (T::from_i32((further[i] >> 1) as i32) + half) * tiny;
            v[i] = (T::from_i32(bits as i32) + (rest + rest)) * tiny;
        }
    }
}

/// Apart, so that the loop around it stays short.
#[cold]
#[inline(never)]
fn refine_rarely<T: Compute>(words: &[u32; ROWS], further: impl Fn() -> [u32; ROWS], v: &mut [T; ROWS]) {
    refine(words, &further(), v);
}

/// Gumbel noise of words; `further` gives as many again, which are asked for where they matter.
#[inline(always)]
fn noise<T: Compute>(words: &[u32; ROWS], further: impl Fn() -> [u32; ROWS]) -> [T; ROWS] {
    let (half, tiny) = (T::from_f64(0.5), T::from_f64(1.0 / 4_294_967_296.0));
    let mut out = [T::ZERO; ROWS];
    let mut coarse = 0;
    for i in 0..ROWS {
        let bits = words[i] >> 1;
        out[i] = (T::from_i32(bits as i32) + half) * tiny;
        coarse |= u32::from(bits < COARSE);
    }
    if !T::SINGLE {
        refine(words, &further(), &mut out);
    } else if coarse != 0 {
        refine_rarely(words, further, &mut out);
    }
    for i in 0..ROWS {
        let v = out[i];
        let other = T::ONE - v;
        // What 1 − v lost, to first order: 1 − v is 1 where it matters.
        let lost = ((T::ONE - other) - v) * (T::ONE + v);
        let near_zero = words[i] & 1 == 1;
        let y = if near_zero { v } else { other };
        let lost = if near_zero { T::ZERO } else { lost };
        out[i] = T::ZERO - (T::ZERO - (y.ln() + lost)).ln();
    }
    out
}

/// Gumbel noise of the rows from `first` on for a pair of codes.
#[inline(always)]
pub(crate) fn pair<T: Compute>(seed: u64, first: u64, pair: u32) -> [[T; ROWS]; 2] {
    let [a, b] = words(seed, first, pair);
    // One after the other: `array::from_fn` would call a function compiled for the shortest vectors.
    let first_word = noise(
        &a,
        #[inline(always)]
        || words(seed, first, pair | FURTHER)[0],
    );
    let second_word = noise(
        &b,
        #[inline(always)]
        || words(seed, first, pair | FURTHER)[1],
    );
    [first_word, second_word]
}

/// Standard Gumbel noise [rows, codes] of a seed: what [`Noise::Seeded`](super::Noise::Seeded) adds, for rows from `first_row` on.
///
/// Every element is a function of seed, row (below 2³⁹; from there on rows repeat) and code (below 2²⁵); its law is Gumbel(0, 1), of location 0 and mean 0.5772 [errata 001-2], with tails to
/// e^−44, finite for every seed. f32 noise is the f64 noise rounded, but for the last bits of its uniform number.
///
/// ```
/// use variata_quantize::gumbel_noise;
///
/// let all = gumbel_noise::<f64>(7, 0, 100, 20)?;
/// assert_eq!(all.row(42), gumbel_noise::<f64>(7, 42, 1, 20)?.row(0));
/// # Ok::<(), variata_quantize::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for more elements than there is memory for.
pub fn gumbel_noise<T: Compute>(
    seed: u64,
    first_row: u64,
    rows: usize,
    codes: usize,
) -> Result<Array2<T>, Error> {
    let mut out = zeros("rows times codes", rows, codes)?;
    for first in (0..rows).step_by(ROWS) {
        for code in (0..codes).step_by(2) {
            let start = first_row.wrapping_add(first as u64);
            let noise = widest(
                #[inline(always)]
                || pair::<T>(seed, start, (code / 2) as u32),
            );
            for (c, noise) in noise.iter().enumerate().take(codes - code) {
                let to = out.slice_mut(s![first..rows.min(first + ROWS), code + c]);
                to.into_iter().zip(noise).for_each(|(to, g)| *to = *g);
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_go_on_below_the_first_word() {
        // The smallest v there is, 2⁻⁶⁴, and one with some bits, counted from 0 and from 1.
        for (bits, rest) in
            [(0u32, 0u32), (0, 1 << 30), (1, 77), (COARSE - 1, u32::MAX), (COARSE, 5), (u32::MAX >> 1, 9)]
        {
            let mut drawn = [0; ROWS];
            (drawn[0], drawn[1]) = (bits << 1, bits << 1 | 1);
            let further = || [rest; ROWS];
            let (single, double) = (noise::<f32>(&drawn, further), noise::<f64>(&drawn, further));
            let v = (f64::from(bits) + (f64::from(rest >> 1) + 0.5) / f64::from(1u32 << 31)) / 2f64.powi(32);
            let want = [-libm::log(-libm::log1p(-v)), -libm::log(-libm::log(v))];
            for (end, want) in want.into_iter().enumerate() {
                assert!((double[end] - want).abs() <= 1e-14 * (1.0 + want.abs()), "{bits} {rest}: {want}");
                // In f32 v has the first word only where that has twelve bits: half a step in 2¹².
                let tolerance = 1e-6 * (1.0 + want.abs()) + if bits < COARSE { 0.0 } else { 2f64.powi(-13) };
                assert!((f64::from(single[end]) - want).abs() <= tolerance, "{bits} {rest}: {want}");
            }
        }
    }
}
