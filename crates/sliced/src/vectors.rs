//! What the vector loops share.

use variata_distributions::lanes::{Compute, widest};

use crate::distance::LARGEST;

/// Partial sums, or extremes, per loop.
pub(crate) const LANES: usize = 16;

/// The smallest and the largest value; ∞ and −∞ of none.
pub(crate) fn range<T: Compute>(y: &[T]) -> (f64, f64) {
    let Some(&first) = y.first() else { return (f64::INFINITY, f64::NEG_INFINITY) };
    let (low, high) = widest(
        #[inline(always)]
        || {
            let (mut low, mut high) = ([first; 2 * LANES], [first; 2 * LANES]);
            let (chunks, rest) = y.as_chunks::<{ 2 * LANES }>();
            for values in chunks {
                for (low, &v) in low.iter_mut().zip(values) {
                    *low = if v < *low { v } else { *low };
                }
                for (high, &v) in high.iter_mut().zip(values) {
                    *high = if v > *high { v } else { *high };
                }
            }
            for &v in rest {
                low[0] = if v < low[0] { v } else { low[0] };
                high[0] = if v > high[0] { v } else { high[0] };
            }
            (low, high)
        },
    );
    let low = low.iter().fold(f64::INFINITY, |a, v| a.min(v.to_f64()));
    (low, high.iter().fold(f64::NEG_INFINITY, |a, v| a.max(v.to_f64())))
}

/// Whether all values are finite and of a size whose square is.
pub(crate) fn fine<T: Compute>(y: &[T]) -> bool {
    widest(
        #[inline(always)]
        || y.iter().fold(true, |fine, v| fine & (v.to_f64().abs() <= LARGEST)),
    )
}

/// Σ vₖ.
pub(crate) fn sum(v: &[f64]) -> f64 {
    total(
        v,
        #[inline(always)]
        |v| v,
    )
}

/// Σ vₖ².
pub(crate) fn squares(v: &[f64]) -> f64 {
    total(
        v,
        #[inline(always)]
        |v| v * v,
    )
}

/// Sum of `term` over all v; `term` is to have `#[inline(always)]`.
fn total(v: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let sums = widest(
        #[inline(always)]
        || {
            let mut sums = [0.0; LANES];
            let (chunks, rest) = v.as_chunks::<LANES>();
            for v in chunks {
                sums.iter_mut().zip(v).for_each(|(sum, v)| *sum += term(*v));
            }
            sums.iter_mut().zip(rest).for_each(|(sum, v)| *sum += term(*v));
            sums
        },
    );
    sums.iter().sum()
}
