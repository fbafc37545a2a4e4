//! Sorting: packed words of a scaled value and a position, by radix.
//!
//! The values are mapped linearly onto 31-bit integers, which keeps their order but for ties, so that two passes over a few
//! more bits than the number of values has put nearly all in place; what shares those bits is put in order by the values
//! themselves.

use variata_distributions::lanes::Compute;

/// Below this length a comparison sort of the words is faster than the tables of a radix sort.
const SMALL: usize = 400;
/// Largest integer of the map, with room for rounding.
const RANGE: f64 = 2_147_483_000.0;
/// Bits that say where in the word the integer is.
const SHIFT: u32 = 32;
/// Bits of the integer.
const BITS: u32 = 31;

/// Memory of a sort, kept between sorts.
#[derive(Debug, Default)]
pub(crate) struct Order {
    words: Vec<u64>,
    spare: Vec<u64>,
    counts: Vec<u32>,
}

impl Order {
    /// The positions of the values in ascending order, ties by position. −0 counts as +0. At most 2³² values, all finite
    /// and none above 1e150 in size.
    pub(crate) fn sort<T: Compute>(&mut self, y: &[T]) -> impl ExactSizeIterator<Item = usize> + use<'_, T> {
        let n = y.len();
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for v in y {
            (low, high) = (low.min(v.to_f64()), high.max(v.to_f64()));
        }
        let scale = RANGE / (high - low);
        // 0·∞, where all values agree, becomes 0.
        let word = |(i, v): (usize, &T)| {
            let integer = ((v.to_f64() - low) * scale) as i32;
            u64::from(integer as u32) << SHIFT | i as u64
        };
        self.words.clear();
        self.words.extend(y.iter().enumerate().map(word));
        let seen = if n < SMALL {
            self.words.sort_unstable();
            BITS
        } else {
            // Two digits, that have six bits more than the number of values.
            let digit = (n.ilog2() + 7).div_ceil(2).min(12);
            self.radix(digit);
            2 * digit
        };
        finish(&mut self.words, y, SHIFT + BITS - seen);
        self.words.iter().map(|&word| place(word))
    }

    /// Sorts by the two uppermost digits, stably: the lower one first.
    fn radix(&mut self, digit: u32) {
        let Self { words, spare, counts } = self;
        let buckets = 1usize << digit;
        let shifts = [SHIFT + BITS - 2 * digit, SHIFT + BITS - digit];
        counts.clear();
        counts.resize(2 * buckets, 0);
        let (lower, upper) = counts.split_at_mut(buckets);
        let mask = buckets - 1;
        for &word in words.iter() {
            lower[(word >> shifts[0]) as usize & mask] += 1;
            upper[(word >> shifts[1]) as usize & mask] += 1;
        }
        spare.resize(words.len(), 0);
        for (counts, shift) in [(lower, shifts[0]), (upper, shifts[1])] {
            let mut next = 0;
            for count in counts.iter_mut() {
                (next, *count) = (next + *count, next);
            }
            for &word in words.iter() {
                let at = &mut counts[(word >> shift) as usize & mask];
                spare[*at as usize] = word;
                *at += 1;
            }
            std::mem::swap(words, spare);
        }
    }
}

#[inline(always)]
fn place(word: u64) -> usize {
    (word & 0xFFFF_FFFF) as usize
}

/// Sorts the runs that agree above `shift` by the values themselves.
fn finish<T: Compute>(words: &mut [u64], y: &[T], shift: u32) {
    // −0 and +0 are one.
    let value = |word: u64| y[place(word)].to_f64() + 0.0;
    let mut at = 0;
    while at + 1 < words.len() {
        if words[at] >> shift != words[at + 1] >> shift {
            at += 1;
            continue;
        }
        let run = words[at..].iter().take_while(|&&word| word >> shift == words[at] >> shift).count();
        words[at..at + run]
            .sort_unstable_by(|&a, &b| value(a).total_cmp(&value(b)).then(place(a).cmp(&place(b))));
        at += run;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Compute>(y: &[T]) {
        let mut want: Vec<usize> = (0..y.len()).collect();
        want.sort_by(|&a, &b| (y[a].to_f64() + 0.0).total_cmp(&(y[b].to_f64() + 0.0)));
        assert_eq!(Order::default().sort(y).collect::<Vec<_>>(), want);
    }

    #[test]
    fn order_is_that_of_a_stable_comparison_sort() {
        for n in [0, 1, 2, 100, SMALL, 5000] {
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
}
