//! The guards: one line each at the top of every public function.

use ndarray::{ArrayRef, Dimension};

use crate::simd::lane::widest;
use crate::{ArgumentError, Real};

/// Elements that are looked at before an early end.
const RUN: usize = 4096;

fn each<F: Real, D: Dimension>(
    argument: &'static str,
    x: &ArrayRef<F, D>,
    must: &'static str,
    ok: impl Fn(f64) -> bool,
) -> Result<(), ArgumentError> {
    // In runs without a branch, which become vectors.
    let fine = |run: &[F]| {
        widest(
            #[inline(always)]
            || run.iter().fold(true, |fine, v| fine & ok(v.to_f64())),
        )
    };
    if x.as_slice_memory_order().is_some_and(|all| all.chunks(RUN).all(fine)) {
        return Ok(());
    }
    match x.iter().position(|v| !ok(v.to_f64())) {
        None => Ok(()),
        Some(i) => Err(ArgumentError::Value {
            argument,
            index: (x.ndim() > 0).then_some(i),
            value: x.iter().nth(i).map_or(f64::NAN, |v| v.to_f64()),
            must,
        }),
    }
}

/// Every element is finite.
///
/// # Errors
/// [`ArgumentError::Value`] with the first element that is not.
pub fn finite<F: Real, D: Dimension>(
    argument: &'static str,
    x: &ArrayRef<F, D>,
) -> Result<(), ArgumentError> {
    each(argument, x, "finite", f64::is_finite)
}

/// No element is NaN.
///
/// # Errors
/// [`ArgumentError::Value`] with the first element that is not.
pub fn not_nan<F: Real, D: Dimension>(
    argument: &'static str,
    x: &ArrayRef<F, D>,
) -> Result<(), ArgumentError> {
    each(argument, x, "a number", |v| !v.is_nan())
}

/// Every element is finite and > 0.
///
/// # Errors
/// [`ArgumentError::Value`] with the first element that is not.
pub fn positive<F: Real, D: Dimension>(
    argument: &'static str,
    x: &ArrayRef<F, D>,
) -> Result<(), ArgumentError> {
    each(argument, x, "finite and > 0", |v| v > 0.0 && v.is_finite())
}

/// Every element is in [0, 1].
///
/// # Errors
/// [`ArgumentError::Value`] with the first element that is not.
pub fn probability<F: Real, D: Dimension>(
    argument: &'static str,
    x: &ArrayRef<F, D>,
) -> Result<(), ArgumentError> {
    each(argument, x, "in [0, 1]", |v| (0.0..=1.0).contains(&v))
}

/// A scalar satisfies `ok`.
///
/// # Errors
/// [`ArgumentError::Value`] when it does not; `must` says what is allowed.
pub fn scalar(argument: &'static str, value: f64, must: &'static str, ok: bool) -> Result<(), ArgumentError> {
    if ok { Ok(()) } else { Err(ArgumentError::Value { argument, index: None, value, must }) }
}

/// The shape is `want`.
///
/// # Errors
/// [`ArgumentError::Shape`] when it is another.
pub fn shape(argument: &'static str, got: &[usize], want: &[usize]) -> Result<(), ArgumentError> {
    if got == want {
        Ok(())
    } else {
        Err(ArgumentError::Shape { argument, got: got.to_vec(), want: format!("{want:?}") })
    }
}

/// A number as messages show it: not by hundreds of digits.
///
/// ```
/// use variata_distributions::check::shown;
///
/// assert_eq!([shown(2.5), shown(-1e300), shown(1e-50), shown(f64::NAN)], ["2.5", "-1e300", "1e-50", "NaN"]);
/// ```
pub fn shown(value: f64) -> String {
    let plain = value == 0.0 || !value.is_finite() || (1e-5..1e16).contains(&value.abs());
    if plain { format!("{value}") } else { format!("{value:e}") }
}
