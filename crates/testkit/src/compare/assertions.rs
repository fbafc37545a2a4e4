//! One line per comparison: slices, single numbers, asserting or not.

use super::{Comparison, Mismatch, MismatchKind, Summary};

/// Every pair is at most `max_ulp` representable `f64` apart.
///
/// # Errors
/// The [`Mismatch`]; also for empty input and unequal lengths.
pub fn try_ulp(name: &str, got: &[f64], want: &[f64], max_ulp: u64) -> Result<Summary, Mismatch> {
    Comparison::ulp(name, max_ulp).push_slices(got, want).finish()
}

/// Every pair is at most `max_ulp` representable `f32` apart.
///
/// # Errors
/// The [`Mismatch`]; also for empty input and unequal lengths.
pub fn try_ulp_f32(name: &str, got: &[f32], want: &[f32], max_ulp: u64) -> Result<Summary, Mismatch> {
    Comparison::ulp_f32(name, max_ulp).push_slices(&widen(got), &widen(want)).finish()
}

/// |gotᵢ − wantᵢ| / (u · scaleᵢ) ≤ `limit` for every i.
///
/// # Errors
/// The [`Mismatch`]; also for empty input, unequal lengths, and a scale that is negative or not finite.
pub fn try_ratio(
    name: &str,
    got: &[f64],
    want: &[f64],
    scale: &[f64],
    unit_roundoff: f64,
    limit: f64,
) -> Result<Summary, Mismatch> {
    let mut comparison = Comparison::ratio(name, unit_roundoff, limit);
    for (len, reference) in [(got.len(), want.len()), (scale.len(), want.len())] {
        if len != reference {
            comparison.refuse(MismatchKind::Length { got: len, want: reference });
        }
    }
    for ((&got, &want), &scale) in got.iter().zip(want).zip(scale) {
        comparison.push_scaled(got, want, scale);
    }
    comparison.finish()
}

/// |gotᵢ − wantᵢ| / max(|wantᵢ|, `floor`) ≤ `rel` for every i.
///
/// # Errors
/// The [`Mismatch`]; also for empty input and unequal lengths.
pub fn try_relative(
    name: &str,
    got: &[f64],
    want: &[f64],
    rel: f64,
    floor: f64,
) -> Result<Summary, Mismatch> {
    Comparison::relative(name, rel, floor).push_slices(got, want).finish()
}

/// Every pair has the same bits: signs of zero and payloads of NaN included.
///
/// # Errors
/// The [`Mismatch`]; also for empty input and unequal lengths.
pub fn try_bits(name: &str, got: &[f64], want: &[f64]) -> Result<Summary, Mismatch> {
    Comparison::bits(name).push_slices(got, want).finish()
}

/// `got` is at most `max_ulp` representable `f64` from `want`.
///
/// ```
/// variata_testkit::compare::assert_ulp("sqrt(2)", 2.0_f64.sqrt(), std::f64::consts::SQRT_2, 0);
/// ```
///
/// # Panics
/// With the mismatch as message.
#[track_caller]
pub fn assert_ulp(name: &str, got: f64, want: f64, max_ulp: u64) {
    settle(try_ulp(name, &[got], &[want], max_ulp));
}

/// [`try_ulp`] for tests.
///
/// # Panics
/// With the mismatch as message.
#[track_caller]
pub fn assert_ulp_slice(name: &str, got: &[f64], want: &[f64], max_ulp: u64) {
    settle(try_ulp(name, got, want, max_ulp));
}

/// `got` is at most `max_ulp` representable `f32` from `want`.
///
/// # Panics
/// With the mismatch as message.
#[track_caller]
pub fn assert_ulp_f32(name: &str, got: f32, want: f32, max_ulp: u64) {
    settle(try_ulp_f32(name, &[got], &[want], max_ulp));
}

/// [`try_ulp_f32`] for tests.
///
/// # Panics
/// With the mismatch as message.
#[track_caller]
pub fn assert_ulp_f32_slice(name: &str, got: &[f32], want: &[f32], max_ulp: u64) {
    settle(try_ulp_f32(name, got, want, max_ulp));
}

/// |got − want| / (u · scale) ≤ `limit`, with the scale as theory has it (Σ|terms| for a sum).
///
/// ```
/// use variata_testkit::compare::{RATIO_LIMIT, UNIT_ROUNDOFF_F64, assert_ratio};
///
/// assert_ratio("sum", 0.1 + 0.2 - 0.3, 0.0, 0.6, UNIT_ROUNDOFF_F64, RATIO_LIMIT);
/// ```
///
/// # Panics
/// With the mismatch as message.
#[track_caller]
pub fn assert_ratio(name: &str, got: f64, want: f64, scale: f64, unit_roundoff: f64, limit: f64) {
    settle(try_ratio(name, &[got], &[want], &[scale], unit_roundoff, limit));
}

/// [`try_ratio`] for tests.
///
/// # Panics
/// With the mismatch as message.
#[track_caller]
pub fn assert_ratio_slice(
    name: &str,
    got: &[f64],
    want: &[f64],
    scale: &[f64],
    unit_roundoff: f64,
    limit: f64,
) {
    settle(try_ratio(name, got, want, scale, unit_roundoff, limit));
}

/// |got − want| / max(|want|, `floor`) ≤ `rel`.
///
/// # Panics
/// With the mismatch as message.
#[track_caller]
pub fn assert_relative(name: &str, got: f64, want: f64, rel: f64, floor: f64) {
    settle(try_relative(name, &[got], &[want], rel, floor));
}

/// [`try_relative`] for tests.
///
/// # Panics
/// With the mismatch as message.
#[track_caller]
pub fn assert_relative_slice(name: &str, got: &[f64], want: &[f64], rel: f64, floor: f64) {
    settle(try_relative(name, got, want, rel, floor));
}

/// [`try_bits`] for tests.
///
/// # Panics
/// With the mismatch as message.
#[track_caller]
pub fn assert_bits(name: &str, got: &[f64], want: &[f64]) {
    settle(try_bits(name, got, want));
}

#[track_caller]
fn settle(result: Result<Summary, Mismatch>) {
    if let Err(mismatch) = result {
        panic!("{mismatch}");
    }
}

fn widen(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| x as f64).collect()
}
