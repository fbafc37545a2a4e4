//! Sorting: by radix on a linear map of the values to integers, or, of several short columns at once, by a network.
//!
//! The map keeps their order but for ties, so that a few more bits than the number of values has put nearly all in place; the rest
//! is put in order by the values themselves, each moving a place or two.

use variata_distributions::lanes::{Compute, ROUND, STEP, step, widest};

use crate::network::Network;
use crate::vectors::range;

/// Below this length a comparison sort of packed words is faster than the tables of a radix sort.
const SMALL: usize = 96;
/// Bits of the integers for that sort.
const SMALL_BITS: u32 = 30;
/// Moves per value after which the map is taken to have failed: most values share an integer.
const MOVES: usize = 8;

/// Up to this length several columns are sorted sooner by a network, which gains by longer vectors.
pub(crate) fn short() -> usize {
    if step() == STEP { 1024 } else { 256 }
}

/// Memory of a sort, kept between sorts.
#[derive(Debug, Default)]
pub(crate) struct Order {
    network: Network,
    /// The column of the network that is to be sorted next.
    ahead: Option<usize>,
    integers: Vec<u32>,
    short: Vec<u32>,
    long: Vec<u64>,
    counts: Vec<u32>,
}

impl Order {
    /// Gets up to [`COLUMNS`](crate::network::COLUMNS) columns of one length, at most [`short`], ready to be sorted.
    pub(crate) fn prepare<'a, T: Compute>(&mut self, columns: impl Iterator<Item = &'a [T]>) {
        for (k, y) in columns.enumerate() {
            if k == 0 {
                self.network.clear(y.len());
                self.integers.resize(y.len(), 0);
            }
            // A word is an integer and a position, so that ties keep their order.
            let places = y.len().next_power_of_two().ilog2();
            map(y, u32::BITS - places, &mut self.integers);
            self.network.set(k, (0..).zip(&self.integers).map(|(i, &q)| q << places | i));
        }
        self.network.sort();
    }

    /// Says that the next column to be sorted is the one that was `column`-th when they were prepared, if it was one of them.
    pub(crate) fn next_is(&mut self, column: Option<usize>) {
        self.ahead = column;
    }

    /// The positions of the values in ascending order, ties by position, and the values in that order. −0 counts as +0. At most
    /// 2³² values, all finite and none above 1e150 in size.
    pub(crate) fn sort<T: Compute>(&mut self, y: &[T], places: &mut Vec<u32>, sorted: &mut Vec<f64>) {
        let n = y.len();
        self.integers.resize(n, 0);
        places.resize(n, 0);
        sorted.resize(n, 0.0);
        if let Some(column) = self.ahead.take() {
            let mask = n.next_power_of_two() as u32 - 1;
            places.iter_mut().zip(self.network.column(column)).for_each(|(to, word)| *to = word & mask);
        } else if n < SMALL {
            map(y, SMALL_BITS, &mut self.integers);
            self.long.clear();
            self.long.extend((0u64..).zip(&self.integers).map(|(i, &q)| u64::from(q) << 32 | i));
            self.long.sort_unstable();
            places.iter_mut().zip(&self.long).for_each(|(to, word)| *to = *word as u32);
        } else {
            // Two digits, that have six bits more than the number of values.
            let digit = (3 + n.ilog2() / 2).min(12);
            map(y, 2 * digit, &mut self.integers);
            let Self { integers, short, long, counts, .. } = self;
            if n <= 1 << (u32::BITS - digit) {
                radix(integers, digit, short, counts, places);
            } else {
                radix(integers, digit, long, counts, places);
            }
        }
        settle(y, places, sorted);
    }
}

/// Integers of `bits` bits that do not fall where the values rise.
fn map<T: Compute>(y: &[T], bits: u32, integers: &mut [u32]) {
    let (low, high) = range(y);
    // Room for rounding. Where all values agree, 0·∞ is not a number, and its low bits are 0.
    let scale = ((1u64 << bits) as f64 - 4.0) / (high - low);
    widest(
        #[inline(always)]
        || {
            // A cast would not become a vector.
            for (integer, v) in integers.iter_mut().zip(y) {
                *integer = ((v.to_f64() - low) * scale + ROUND).to_bits() as u32;
            }
        },
    );
}

/// An upper digit and a position in one word.
trait Word: Copy {
    const ZERO: Self;
    fn pack(upper: u32, place: usize, digit: u32) -> Self;
    fn upper(self, digit: u32) -> usize;
    fn place(self, digit: u32) -> u32;
}

impl Word for u32 {
    const ZERO: Self = 0;
    #[inline(always)]
    fn pack(upper: u32, place: usize, digit: u32) -> Self {
        upper << (Self::BITS - digit) | place as Self
    }
    #[inline(always)]
    fn upper(self, digit: u32) -> usize {
        (self >> (Self::BITS - digit)) as usize
    }
    #[inline(always)]
    fn place(self, digit: u32) -> u32 {
        self & ((1 << (Self::BITS - digit)) - 1)
    }
}

impl Word for u64 {
    const ZERO: Self = 0;
    #[inline(always)]
    fn pack(upper: u32, place: usize, _: u32) -> Self {
        Self::from(upper) << 32 | place as Self
    }
    #[inline(always)]
    fn upper(self, _: u32) -> usize {
        (self >> 32) as usize
    }
    #[inline(always)]
    fn place(self, _: u32) -> u32 {
        self as u32
    }
}

/// Positions by two digits of the integers, stably: the lower one first.
fn radix<W: Word>(
    integers: &[u32],
    digit: u32,
    words: &mut Vec<W>,
    counts: &mut Vec<u32>,
    places: &mut [u32],
) {
    let buckets = 1usize << digit;
    let mask = buckets - 1;
    counts.clear();
    counts.resize(2 * buckets, 0);
    let (lower, upper) = counts.split_at_mut(buckets);
    for &q in integers {
        lower[q as usize & mask] += 1;
        upper[(q >> digit) as usize & mask] += 1;
    }
    let (mut before, mut above) = (0, 0);
    for (lower, upper) in lower.iter_mut().zip(&mut *upper) {
        (before, *lower) = (before + *lower, before);
        (above, *upper) = (above + *upper, above);
    }
    words.resize(integers.len(), W::ZERO);
    for (place, &q) in integers.iter().enumerate() {
        let at = &mut lower[q as usize & mask];
        words[*at as usize] = W::pack((q >> digit) & mask as u32, place, digit);
        *at += 1;
    }
    for word in words.iter() {
        let at = &mut upper[word.upper(digit) & mask];
        places[*at as usize] = word.place(digit);
        *at += 1;
    }
}

/// The values at `places`. What shares an integer moves to where its value belongs, past larger values only, so that ties stay
/// in their order.
fn settle<T: Compute>(y: &[T], places: &mut [u32], sorted: &mut [f64]) {
    let (mut last, mut moves) = (f64::NEG_INFINITY, 0);
    for i in 0..sorted.len() {
        let place = places[i];
        let value = y[place as usize].to_f64();
        if last <= value {
            (sorted[i], last) = (value, value);
            continue;
        }
        let mut at = i;
        while at > 0 && sorted[at - 1] > value {
            (sorted[at], places[at]) = (sorted[at - 1], places[at - 1]);
            at -= 1;
        }
        (sorted[at], places[at]) = (value, place);
        moves += i - at;
        if moves > MOVES * sorted.len() {
            // One far out squeezes all others into few integers.
            let value = |place: u32| y[place as usize].to_f64() + 0.0;
            places.sort_unstable_by(|&a, &b| value(a).total_cmp(&value(b)).then(a.cmp(&b)));
            sorted.iter_mut().zip(places).for_each(|(to, place)| *to = y[*place as usize].to_f64());
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Compute>(y: &[T]) {
        let mut want: Vec<usize> = (0..y.len()).collect();
        want.sort_by(|&a, &b| (y[a].to_f64() + 0.0).total_cmp(&(y[b].to_f64() + 0.0)));
        let (mut places, mut sorted) = (Vec::new(), Vec::new());
        Order::default().sort(y, &mut places, &mut sorted);
        assert_eq!(places.iter().map(|&i| i as usize).collect::<Vec<_>>(), want);
        assert!(sorted.iter().zip(&want).all(|(got, &i)| got.to_bits() == y[i].to_f64().to_bits()));
        if y.len() > 1024 {
            return;
        }
        // Beside others by the network, where it is sorted last and first.
        let reversed: Vec<T> = y.iter().rev().copied().collect();
        let mut order = Order::default();
        order.prepare([y, &reversed, y].into_iter());
        for column in [2, 0] {
            order.next_is(Some(column));
            order.sort(y, &mut places, &mut sorted);
            assert!(places.iter().zip(&want).all(|(&got, &i)| got as usize == i));
            assert!(sorted.iter().zip(&want).all(|(got, &i)| got.to_bits() == y[i].to_f64().to_bits()));
        }
    }

    #[test]
    fn order_is_that_of_a_stable_comparison_sort() {
        for n in [0, 1, 2, SMALL - 1, SMALL, 400, 1024, 5000] {
            let spread = |scale: f64| -> Vec<f64> {
                (0..n).map(|i| scale * ((i * 7919 % 10007) as f64 / 5000.0 - 1.0)).collect()
            };
            for scale in [1e-310, 1e-30, 1.0, 1e9, 1e150] {
                check(&spread(scale));
                check(&spread(scale.min(1e30)).iter().map(|&v| v as f32).collect::<Vec<_>>());
            }
            // One bit apart, zeros of both signs, ties, sorted, reversed, and one far out that squeezes all others.
            check(&(0..n).map(|i| 1.0 + f64::EPSILON * (i * 31 % 17) as f64).collect::<Vec<_>>());
            check(&(0..n).map(|i| if i % 2 == 0 { 0.0 } else { -0.0 }).collect::<Vec<_>>());
            check(&(0..n).map(|i| (i % 5) as f32).collect::<Vec<_>>());
            check(&(0..n).map(|i| i as f32 - 300.0).collect::<Vec<_>>());
            check(&(0..n).map(|i| -(i as f64)).collect::<Vec<_>>());
            check(
                &(0..n).map(|i| if i == 7 { 1e150 } else { (i * 7919 % 10007) as f64 }).collect::<Vec<_>>(),
            );
        }
    }
    #[test]
    fn long_words_sort_as_short_ones() {
        let integers: Vec<u32> = (0..3000u32).map(|i| i.wrapping_mul(2_654_435_761) >> 12).collect();
        let (mut short, mut long) = (vec![0; 3000], vec![0; 3000]);
        radix::<u32>(&integers, 10, &mut Vec::new(), &mut Vec::new(), &mut short);
        radix::<u64>(&integers, 10, &mut Vec::new(), &mut Vec::new(), &mut long);
        assert_eq!(short, long);
        assert!(short.is_sorted_by_key(|&i| (integers[i as usize], i)));
    }
}
