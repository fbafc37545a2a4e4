//! Short columns sorted side by side, by a network of comparisons that is the same for all of them.
//!
//! Runs of [`RUN`] rows are sorted in registers, then merged: of two sorted halves each word is compared with its mirror image, and
//! halves of halves with each other. All comparisons put the larger word later, so that rows of the largest word, which pad a
//! power of two, stay where they are and need not be looked at. Source: Batcher, Sorting networks and their applications (1968).

use pulp::{Arch, Simd, WithSimd};
use variata_distributions::lanes::array;

/// Columns sorted at once.
pub(crate) const COLUMNS: usize = 16;
/// Rows that are sorted in registers.
const RUN: usize = 8;

/// Words of up to [`COLUMNS`] columns, row by row.
#[derive(Debug, Default)]
pub(crate) struct Network {
    rows: Vec<[u32; COLUMNS]>,
    count: usize,
}

impl Network {
    /// Makes room for columns of `count` words.
    pub(crate) fn clear(&mut self, count: usize) {
        self.count = count;
        self.rows.clear();
        self.rows.resize(count.next_power_of_two().max(RUN), [u32::MAX; COLUMNS]);
    }

    pub(crate) fn set(&mut self, column: usize, words: impl Iterator<Item = u32>) {
        self.rows.iter_mut().take(self.count).zip(words).for_each(|(row, word)| row[column] = word);
    }

    pub(crate) fn sort(&mut self) {
        Arch::new().dispatch(Sort { rows: &mut self.rows, count: self.count });
    }

    /// The words of a column, in ascending order once they are sorted.
    pub(crate) fn column(&self, column: usize) -> impl Iterator<Item = u32> {
        self.rows.iter().take(self.count).map(move |row| row[column])
    }
}

struct Sort<'a> {
    rows: &'a mut [[u32; COLUMNS]],
    count: usize,
}

impl WithSimd for Sort<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        let rows = V::as_mut_simd_u32s(self.rows.as_flattened_mut()).0;
        match V::U32_LANES {
            16 => sort::<V, 1>(simd, rows.as_chunks_mut().0, self.count),
            8 => sort::<V, 2>(simd, rows.as_chunks_mut().0, self.count),
            4 => sort::<V, 4>(simd, rows.as_chunks_mut().0, self.count),
            _ => sort::<V, COLUMNS>(simd, rows.as_chunks_mut().0, self.count),
        }
    }
}

/// Puts the larger of two words second, pair after pair; written out, so that all words stay in registers.
macro_rules! compare {
    ($simd:ident, $words:ident, $($low:literal $high:literal),+) => {$(
        let (low, high) = ($words[$low], $words[$high]);
        ($words[$low], $words[$high]) = compared($simd, low, high);
    )+};
}

#[inline(always)]
fn compared<V: Simd>(simd: V, low: V::u32s, high: V::u32s) -> (V::u32s, V::u32s) {
    let swap = simd.less_than_u32s(high, low);
    (simd.select_u32s(swap, high, low), simd.select_u32s(swap, low, high))
}

/// Sorts rows of `P` vectors, of which `count` are not padding.
#[inline(always)]
fn sort<V: Simd, const P: usize>(simd: V, rows: &mut [[V::u32s; P]], count: usize) {
    for (k, run) in rows.as_chunks_mut::<RUN>().0.iter_mut().enumerate() {
        if k * RUN < count {
            sort_run(simd, run);
        }
    }
    let mut half = RUN;
    while half < count {
        for (k, block) in rows.chunks_exact_mut(2 * half).enumerate() {
            let here = count.saturating_sub(2 * half * k).min(2 * half);
            // Padding is in order.
            if here > half {
                merge(simd, block, half, here);
            }
        }
        half *= 2;
    }
}

/// By the 19 comparisons that eight words need.
#[inline(always)]
fn sort_run<V: Simd, const P: usize>(simd: V, run: &mut [[V::u32s; P]; RUN]) {
    for v in 0..P {
        let mut words = run.map(|row| row[v]);
        compare!(simd, words, 0 2, 1 3, 4 6, 5 7, 0 4, 1 5, 2 6, 3 7, 0 1, 2 3);
        compare!(simd, words, 4 5, 6 7, 2 4, 3 5, 1 4, 3 6, 1 2, 3 4, 5 6);
        run.iter_mut().zip(words).for_each(|(row, word)| row[v] = word);
    }
}

/// Merges two sorted halves, of which `here` rows are not padding.
#[inline(always)]
fn merge<V: Simd, const P: usize>(simd: V, block: &mut [[V::u32s; P]], half: usize, here: usize) {
    let (lower, upper) = block.split_at_mut(half);
    let padding = 2 * half - here;
    for (low, high) in lower.iter_mut().rev().zip(&mut *upper).take(half - padding) {
        for (low, high) in low.iter_mut().zip(high) {
            (*low, *high) = compared(simd, *low, *high);
        }
    }
    // Distances half/2, half/4, …, 1, three at a time while there are three.
    let mut width = half;
    while width > 1 {
        let whole = |chunk: &(usize, &mut [_])| chunk.0 * width < here;
        let chunks = block.chunks_exact_mut(width).enumerate().take_while(whole);
        if width >= 8 {
            chunks.for_each(|(_, chunk)| butterflies::<V, P, 8>(simd, chunk));
            width /= 8;
        } else if width == 4 {
            chunks.for_each(|(_, chunk)| butterflies::<V, P, 4>(simd, chunk));
            width = 1;
        } else {
            chunks.for_each(|(_, chunk)| butterflies::<V, P, 2>(simd, chunk));
            width = 1;
        }
    }
}

/// Comparisons over distances of an `M`-th of the rows times M/2, M/4, …, 1; M is 8, 4 or 2.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "the vector is of several rows")]
fn butterflies<V: Simd, const P: usize, const M: usize>(simd: V, rows: &mut [[V::u32s; P]]) {
    let step = rows.len() / M;
    for first in 0..step {
        for v in 0..P {
            let mut words: [_; 8] = array(|k| rows[first + k % M * step][v]);
            if M == 8 {
                compare!(simd, words, 0 4, 1 5, 2 6, 3 7);
            }
            if M >= 4 {
                compare!(simd, words, 0 2, 1 3, 4 6, 5 7);
            }
            compare!(simd, words, 0 1, 2 3, 4 5, 6 7);
            for (k, word) in words.into_iter().take(M).enumerate() {
                rows[first + k * step][v] = word;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_of_every_length_is_sorted() {
        let mut network = Network::default();
        for count in (0..70).chain([100, 127, 128, 129, 500, 513, 1000, 1024]) {
            let words = |column: usize| {
                (0..count as u32).map(move |i| (i + 1).wrapping_mul(2_654_435_761).rotate_left(column as u32))
            };
            network.clear(count);
            (0..COLUMNS).for_each(|column| network.set(column, words(column)));
            network.sort();
            for column in 0..COLUMNS {
                let mut want: Vec<u32> = words(column).collect();
                want.sort_unstable();
                assert_eq!(network.column(column).collect::<Vec<_>>(), want, "{count}");
            }
        }
    }

    /// A network that sorts every sequence of zeros and ones sorts everything.
    #[test]
    fn all_sequences_of_two_words_are_sorted() {
        let mut network = Network::default();
        for count in 1..=16 {
            for first in (0..1usize << count).step_by(COLUMNS) {
                network.clear(count);
                for column in 0..COLUMNS {
                    network.set(column, (0..count).map(|i| ((first + column) >> i & 1) as u32));
                }
                network.sort();
                for column in 0..COLUMNS {
                    assert!(network.column(column).is_sorted(), "{count} {}", first + column);
                    let ones = ((first + column) & ((1 << count) - 1)).count_ones();
                    assert_eq!(network.column(column).sum::<u32>(), ones);
                }
            }
        }
    }
}
