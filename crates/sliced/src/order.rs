//! Sorting: packed words of key and position, by radix.

use crate::sample::Compute;

/// Below this length a comparison sort of the words is faster than the tables of a radix sort.
const SMALL: usize = 768;
/// Bits of a digit, and digits of a key.
const BITS: u32 = 11;
const DIGITS: usize = 3;
const BUCKETS: usize = 1 << BITS;

/// Memory of a sort, kept between sorts.
#[derive(Debug, Default)]
pub(crate) struct Order {
    words: Vec<u64>,
    spare: Vec<u64>,
}

impl Order {
    /// The positions of the values in ascending order, ties by position. −0 counts as +0. At most 2³² values, no NaN.
    pub(crate) fn sort<T: Compute>(&mut self, y: &[T]) -> impl ExactSizeIterator<Item = usize> + use<'_, T> {
        self.words.clear();
        // Adding 0 makes −0 to +0.
        let word = |(i, &v): (usize, &T)| u64::from((T::from_f64(v.to_f64() + 0.0)).key()) << 32 | i as u64;
        self.words.extend(y.iter().enumerate().map(word));
        if y.len() < SMALL {
            self.words.sort_unstable();
        } else {
            radix(&mut self.words, &mut self.spare);
        }
        if !T::KEY_IS_EXACT {
            finish(&mut self.words, y);
        }
        self.words.iter().map(|&word| (word & 0xFFFF_FFFF) as usize)
    }
}

/// Sorts by the upper 32 bits, stably: least significant digit first.
fn radix(words: &mut Vec<u64>, spare: &mut Vec<u64>) {
    let mut counts = [[0u32; BUCKETS]; DIGITS];
    let digit = |word: u64, d: usize| (word >> (32 + BITS as usize * d)) as usize & (BUCKETS - 1);
    for &word in words.iter() {
        for (d, counts) in counts.iter_mut().enumerate() {
            counts[digit(word, d)] += 1;
        }
    }
    spare.resize(words.len(), 0);
    for (d, counts) in counts.iter_mut().enumerate() {
        if counts.iter().any(|&count| count as usize == words.len()) {
            continue;
        }
        let mut next = 0;
        for count in counts.iter_mut() {
            (next, *count) = (next + *count, next);
        }
        for &word in words.iter() {
            let at = &mut counts[digit(word, d)];
            spare[*at as usize] = word;
            *at += 1;
        }
        std::mem::swap(words, spare);
    }
}

/// Sorts the runs of equal keys by the numbers themselves.
fn finish<T: Compute>(words: &mut [u64], y: &[T]) {
    for run in words.chunk_by_mut(|a, b| a >> 32 == b >> 32) {
        if run.len() > 1 {
            let value = |word: &u64| y[(word & 0xFFFF_FFFF) as usize].to_f64() + 0.0;
            run.sort_by(|a, b| value(a).total_cmp(&value(b)));
        }
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
            for scale in [1e-310, 1e-30, 1.0, 1e9, 1e300] {
                check(&spread(scale));
                check(&spread(scale.min(1e30)).iter().map(|&v| v as f32).collect::<Vec<_>>());
            }
            // Equal upper halves, zeros of both signs, ties, sorted, reversed.
            check(&(0..n).map(|i| 1.0 + f64::EPSILON * (i * 31 % 17) as f64).collect::<Vec<_>>());
            check(&(0..n).map(|i| if i % 2 == 0 { 0.0 } else { -0.0 }).collect::<Vec<_>>());
            check(&(0..n).map(|i| (i % 5) as f32).collect::<Vec<_>>());
            check(&(0..n).map(|i| i as f32 - 300.0).collect::<Vec<_>>());
            check(&(0..n).map(|i| -(i as f64)).collect::<Vec<_>>());
        }
    }
}
