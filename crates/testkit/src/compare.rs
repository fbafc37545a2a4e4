//! Comparing numbers with a bound that was derived: ulp, error over theory's scale, relative error with a floor.
//!
//! Every form goes through a [`Comparison`], whose rules hold everywhere:
//! - NaN equals nothing, unless [`Comparison::nan_equal`] was called; then NaN equals NaN only.
//! - An infinity equals the infinity of the same sign only, whatever the bound.
//! - +0 and −0 are equal, unless [`Comparison::strict_zero`] was called.
//! - Comparing nothing fails ("nothing compared"), and so do sequences of unequal length.
//!
//! The `assert_*` forms panic with the message of [`Mismatch`]; the `try_*` forms return it.

mod assertions;
mod comparison;
mod mismatch;
mod ulp;

pub use assertions::{
    assert_bits, assert_ratio, assert_ratio_slice, assert_relative, assert_relative_slice, assert_ulp,
    assert_ulp_f32, assert_ulp_f32_slice, assert_ulp_slice, try_bits, try_ratio, try_relative, try_ulp,
    try_ulp_f32,
};
pub use comparison::Comparison;
pub use mismatch::{Mismatch, MismatchKind, Row, Summary};
pub use ulp::{ulp_distance, ulp_distance_f32};

/// Unit roundoff of `f64`, 2⁻⁵³.
pub const UNIT_ROUNDOFF_F64: f64 = f64::EPSILON / 2.0;
/// Unit roundoff of `f32`, 2⁻²⁴.
pub const UNIT_ROUNDOFF_F32: f64 = f32::EPSILON as f64 / 2.0;
/// The workspace's limit for error / (u · scale), after LAPACK's test programs.
pub const RATIO_LIMIT: f64 = 30.0;
