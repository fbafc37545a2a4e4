//! Sums whose rounding does not grow with the number of their terms.

/// a + b and what rounding took from it, exactly. Source: Knuth, "The Art of Computer Programming" 2, 4.2.2, theorem B.
#[inline(always)]
pub fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

/// A running sum that carries along what its additions round off: right to a rounding of itself and n²u² of the
/// sizes of n terms. Source: Ogita, Rump & Oishi, "Accurate sum and dot product" (2005), proposition 4.5.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum {
    sum: f64,
    rest: f64,
}

impl Sum {
    /// Adds a term.
    #[inline]
    pub fn add(&mut self, term: f64) {
        let (sum, rest) = two_sum(self.sum, term);
        *self = Self { sum, rest: self.rest + rest };
    }

    /// The sum so far.
    #[must_use]
    #[inline]
    pub fn value(self) -> f64 {
        // Where the sum is infinite the rest is no number.
        if self.sum.is_finite() { self.sum + self.rest } else { self.sum }
    }
}

/// Σ terms.
pub fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = Sum::default();
    terms.into_iter().for_each(|term| sum.add(term));
    sum.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_right_to_the_last_digit_and_infinite_where_a_term_is() {
        assert_eq!(sum([1e16, 1.0, -1e16]), 1.0);
        assert_eq!(sum(std::iter::repeat_n(0.1, 10_000_000)), 1_000_000.0);
        assert_eq!(sum([1.0, f64::INFINITY, 2.0]), f64::INFINITY);
        assert_eq!(sum([f64::MAX, f64::MAX]), f64::INFINITY);
        assert!(sum([f64::INFINITY, f64::NEG_INFINITY]).is_nan() && sum([f64::NAN, 1.0]).is_nan());
        assert_eq!(sum([]), 0.0);
    }
}
