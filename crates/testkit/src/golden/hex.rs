//! Hexadecimal floats.

/// Reads `[-]0x1.8p+3`, as Python's `float.hex` and C's `%a` print it. Only exactly representable values are accepted, so that
/// nothing is ever rounded; `None` for everything else.
///
/// ```
/// use variata_testkit::golden::parse_hex;
///
/// assert_eq!(parse_hex("-0x1.8p+3"), Some(-12.0));
/// assert_eq!(parse_hex("0x0.0000000000001p-1022"), Some(5e-324));
/// assert_eq!(parse_hex("0x1.00000000000001p+0"), None);
/// ```
pub fn parse_hex(text: &str) -> Option<f64> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.strip_prefix("0x")?.split_once('p')?;
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if integer.is_empty() && fraction.is_empty() {
        return None;
    }

    let mut digits: u64 = 0;
    for c in integer.chars().chain(fraction.chars()) {
        // More than 64 bits cannot be exact unless they are zeros, which no printer emits.
        if digits >> 60 != 0 {
            return None;
        }
        digits = digits << 4 | u64::from(c.to_digit(16)?);
    }
    if digits == 0 {
        return Some(if negative { -0.0 } else { 0.0 });
    }
    // Nothing representable has an exponent outside ±5000 here; the bound keeps the sums from overflowing.
    let exponent: i64 = exponent.parse().ok().filter(|e: &i64| e.abs() < 5000)?;
    let shift = exponent - 4 * i64::try_from(fraction.len()).ok()?;
    let trailing = digits.trailing_zeros();
    let significand = digits >> trailing;
    let shift = shift + i64::from(trailing);
    if significand >> 53 != 0 {
        return None;
    }
    // Exact: 53 bits, and the two factors meet only in the result, checked by undoing the scaling.
    let value = libm::scalbn(significand as f64, i32::try_from(shift).ok()?);
    let exact = value.is_finite() && libm::scalbn(value, i32::try_from(-shift).ok()?) == significand as f64;
    exact.then_some(if negative { -value } else { value })
}
