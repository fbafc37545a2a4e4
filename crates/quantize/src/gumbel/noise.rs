//! Standard Gumbel noise that is a function of where it is used: backward draws what forward drew, in any order of blocks.
//!
//! The words are Threefry-2x32 with 13 rounds (Salmon et al. 2011) of the seed as key and (row, pair of codes) as counter. A word gives
//! a side and 31 bits of v in (0, ½); where few of the 31 bits are left, v gets 32 more, so that both tails go on to 2⁻⁶⁵.

use ndarray::Array2;
use variata_distributions::lanes::Compute;

use crate::pack::ROWS;

/// Where 31 bits leave fewer than twelve, more are drawn.
const COARSE: u32 = 1 << 12;
/// Marks counters of further bits.
const FURTHER: u32 = 1 << 31;
/// Rotations of Threefry-2x32.
const ROTATIONS: [u32; 8] = [13, 15, 26, 6, 17, 29, 16, 24];
const ROUNDS: usize = 13;

/// The two words of each row of a panel for the codes 2·`pair` and 2·`pair` + 1.
#[inline(always)]
fn words(seed: u64, first: u64, counter: u32) -> [[u32; ROWS]; 2] {
    let keys = [seed as u32, (seed >> 32) as u32];
    let keys = [keys[0], keys[1], keys[0] ^ keys[1] ^ 0x1BD1_1BDA];
    let mut x = [[0u32; ROWS]; 2];
    for i in 0..ROWS {
        let row = first.wrapping_add(i as u64);
        // Pairs of codes take 23 bits; the row's high bits go above them, below the mark.
        x[0][i] = (row as u32).wrapping_add(keys[0]);
        x[1][i] = (counter ^ (((row >> 32) as u32 & 0x7F) << 24)).wrapping_add(keys[1]);
    }
    for round in 0..ROUNDS {
        for i in 0..ROWS {
            x[0][i] = x[0][i].wrapping_add(x[1][i]);
            x[1][i] = x[1][i].rotate_left(ROTATIONS[round % 8]) ^ x[0][i];
        }
        if round % 4 == 3 {
            let s = round / 4 + 1;
            for i in 0..ROWS {
                x[0][i] = x[0][i].wrapping_add(keys[s % 3]);
                x[1][i] = x[1][i].wrapping_add(keys[(s + 1) % 3]).wrapping_add(s as u32);
            }
        }
    }
    x
}

/// Gumbel noise of the rows from `first` on for a pair of codes.
#[inline(always)]
pub(crate) fn pair<T: Compute>(seed: u64, first: u64, pair: u32) -> [[T; ROWS]; 2] {
    let words_here = words(seed, first, pair);
    let coarse = words_here.iter().flatten().fold(false, |any, w| any | (w >> 1 < COARSE));
    let further = if coarse || !T::SINGLE { words(seed, first, pair | FURTHER) } else { [[0; ROWS]; 2] };
    let half = T::from_f64(0.5);
    let tiny = T::from_f64(1.0 / 4_294_967_296.0);
    let mut out = [[T::ZERO; ROWS]; 2];
    for c in 0..2 {
        for i in 0..ROWS {
            let word = words_here[c][i];
            // Where there are none, the middle.
            let rest = (T::from_i32((further[c][i] >> 1) as i32) + half) * T::from_f64(1.0 / 2_147_483_648.0);
            let rest = if further[c][i] == 0 { half } else { rest };
            let rest = if T::SINGLE && word >> 1 >= COARSE { half } else { rest };
            let v = (T::from_i32((word >> 1) as i32) + rest) * tiny;
            let upper = word & 1 == 1;
            let other = T::ONE - v;
            let y = if upper { v } else { other };
            // What 1 − v lost, to first order: y is 1 where it matters.
            let lost = if upper { T::ZERO } else { (T::ONE - other) - v };
            let exponential = T::ZERO - (y.ln() + lost * (T::ONE + v));
            out[c][i] = T::ZERO - exponential.ln();
        }
    }
    out
}

/// Standard Gumbel noise [rows, codes] of a seed: what [`Noise::Seeded`](super::Noise::Seeded) adds, for rows from `first_row` on.
///
/// Every element is a function of seed, row and code; its law is Gumbel(0, 1), of location 0 and mean 0.5772 [errata 001-2], with tails to
/// e^−45, finite for every seed. f32 noise is the f64 noise rounded, but for the last bits of its uniform number.
///
/// ```
/// use variata_quantize::gumbel_noise;
///
/// let all = gumbel_noise::<f64>(7, 0, 100, 20);
/// assert_eq!(all.row(42), gumbel_noise::<f64>(7, 42, 1, 20).row(0));
/// ```
pub fn gumbel_noise<T: Compute>(seed: u64, first_row: u64, rows: usize, codes: usize) -> Array2<T> {
    let mut out = Array2::from_elem((rows, codes), T::ZERO);
    for first in (0..rows).step_by(ROWS) {
        for code in (0..codes).step_by(2) {
            let noise = pair::<T>(seed, first_row.wrapping_add(first as u64), (code / 2) as u32);
            for (c, noise) in noise.iter().enumerate().take(codes - code) {
                let rows = out.column_mut(code + c).into_iter().skip(first).take(ROWS);
                rows.zip(noise).for_each(|(to, g)| *to = *g);
            }
        }
    }
    out
}
