//! Numbers as text: one way for pages, tables, axes and paths, so that they agree everywhere.

/// `value` to `digits` significant digits (1 to 17), trailing zeros kept, with a real minus sign.
///
/// From 10⁻⁴ to below 10⁶ in plain notation, which shows all digits before the point, otherwise as `1.50×10⁷`. NaN is `NaN`, infinities are
/// `∞` and `−∞`, both zeros are `0`.
///
/// ```
/// use variata_report::significant;
/// assert_eq!(significant(-0.012345, 3), "−0.0123");
/// assert_eq!(significant(9.996, 3), "10.0");
/// assert_eq!(significant(1.5e7, 3), "1.50×10⁷");
/// ```
#[must_use]
pub fn significant(value: f64, digits: usize) -> String {
    let digits = digits.clamp(1, 17);
    if let Some(special) = special(value) {
        return special;
    }
    // The exponent after rounding: 9.996 to three digits is 1.00e1.
    let scientific = format!("{:.*e}", digits - 1, value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let magnitude = if (-4..6).contains(&exponent) {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        format!("{:.decimals$}", value.abs())
    } else {
        format!("{mantissa}×10{}", superscript(exponent))
    };
    signed(value, &magnitude)
}

/// `value` with a fixed number of decimals, at most 17, and a real minus sign; never `−0`.
#[must_use]
pub fn decimals(value: f64, decimals: usize) -> String {
    if let Some(special) = special(value).filter(|_| value != 0.0) {
        return special;
    }
    let magnitude = format!("{:.*}", decimals.min(17), value.abs());
    if magnitude.bytes().all(|b| b == b'0' || b == b'.') { magnitude } else { signed(value, &magnitude) }
}

/// Mean and spread of a statistic over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// How many values.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation with n − 1; NaN for fewer than two values.
    pub sd: f64,
}

impl Spread {
    /// Mean and standard deviation of `values`, in two passes; NaN where a value is NaN or there is none.
    ///
    /// ```
    /// let spread = variata_report::Spread::of(&[1.0, 2.0, 3.0]);
    /// assert_eq!((spread.mean, spread.sd), (2.0, 1.0));
    /// ```
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let count = values.len();
        let n = count as f64;
        // Divided before they are added, so that large values do not overflow; equal values are their mean, to the bit.
        let mean = match values {
            [] => f64::NAN,
            [first, rest @ ..] if rest.iter().all(|v| v == first) => *first,
            _ => values.iter().map(|v| v / n).sum(),
        };
        let sd = if count < 2 {
            f64::NAN
        } else {
            // Quarters have a difference where the values themselves do not.
            let unit = if values.iter().any(|v| v.abs() > 0.25 * f64::MAX) { 0.25 } else { 1.0 };
            let gaps = || values.iter().map(|v| v * unit - mean * unit);
            let largest = gaps().map(f64::abs).fold(0.0, f64::max);
            if largest > 0.0 && largest.is_finite() {
                let squares: f64 = gaps().map(|gap| (gap / largest).powi(2)).sum();
                largest * (squares / (n - 1.0)).sqrt() / unit
            } else {
                gaps().sum::<f64>()
            }
        };
        Self { count, mean, sd }
    }
}

/// `0.931 ± 0.012`: the standard deviation to two digits, or to all that it has before the point, and the mean to the same decimal place.
///
/// One value is shown alone, none as `–`. Where a value is not finite, the mean tells.
///
/// ```
/// use variata_report::mean_sd;
/// assert_eq!(mean_sd(&[0.91, 0.93, 0.95]), "0.930 ± 0.020");
/// assert_eq!(mean_sd(&[0.9312]), "0.9312");
/// ```
#[must_use]
pub fn mean_sd(values: &[f64]) -> String {
    let spread = Spread::of(values);
    match spread {
        Spread { count: 0, .. } => "–".to_owned(),
        Spread { count: 1, mean, .. } => significant(mean, 4),
        Spread { mean, sd, .. } if !mean.is_finite() || !sd.is_finite() => significant(mean, 4),
        Spread { mean, sd: 0.0, .. } => format!("{} ± 0", significant(mean, 4)),
        Spread { mean, sd, .. } => {
            let place = 1 - exponent_of(sd, 2);
            let top = exponent_of(mean, 4).max(exponent_of(sd, 2));
            if (-4..6).contains(&top) && place <= 8 {
                let place = place.max(0) as usize;
                format!("{} ± {}", decimals(mean, place), decimals(sd, place))
            } else {
                format!("{} ± {}", significant(mean, 4), significant(sd, 2))
            }
        }
    }
}

/// A coordinate of an SVG path: at most two decimals, no trailing zero, a plain minus.
pub(crate) fn coordinate(value: f64) -> String {
    if !value.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The decimal exponent of `value` after rounding to `digits` digits; 0 for 0 and what is not finite.
pub(crate) fn exponent_of(value: f64, digits: usize) -> i32 {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    let text = format!("{:.*e}", digits.clamp(1, 17) - 1, value);
    text.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0)
}

/// `exponent` in raised digits.
pub(crate) fn superscript(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    exponent
        .to_string()
        .bytes()
        .map(|b| if b == b'-' { '⁻' } else { DIGITS[usize::from(b.saturating_sub(b'0')).min(9)] })
        .collect()
}

/// The escape for text between tags and inside quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Other control characters and the last two of the first plane are not allowed in XML at all.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn special(value: f64) -> Option<String> {
    if value.is_nan() {
        Some("NaN".to_owned())
    } else if value.is_infinite() {
        Some(signed(value, "∞"))
    } else {
        (value == 0.0).then(|| "0".to_owned())
    }
}

fn signed(value: f64, magnitude: &str) -> String {
    if value < 0.0 { format!("−{magnitude}") } else { magnitude.to_owned() }
}
