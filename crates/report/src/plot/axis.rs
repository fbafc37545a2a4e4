//! Axes: from data to a range, round ticks and their labels.

use crate::format::{exponent_of, superscript};
use crate::{decimals, significant};

/// How values map to places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equal distances.
    #[default]
    Linear,
    /// Equal ratios are equal distances; only values > 0 can be shown.
    Log,
}

/// An axis of a plot.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Axis {
    /// What is shown, with its unit.
    pub label: String,
    /// How values map to places.
    pub scale: Scale,
    /// First and last value; from the data where `None` or unusable.
    pub range: Option<[f64; 2]>,
}

impl Axis {
    /// A linear axis over the range of the data.
    #[must_use]
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// Makes it logarithmic.
    #[must_use]
    pub fn log(mut self) -> Self {
        self.scale = Scale::Log;
        self
    }

    /// Fixes the range.
    #[must_use]
    pub fn range(mut self, first: f64, last: f64) -> Self {
        self.range = Some([first, last]);
        self
    }

    /// Whether a value has a place on the axis.
    pub(crate) fn shows(&self, value: f64) -> bool {
        value.is_finite() && (self.scale == Scale::Linear || value > 0.0)
    }

    /// The range for `values`: theirs and a little more, or the fixed one; `None` without any.
    pub(crate) fn domain(&self, values: impl Iterator<Item = f64>, margin: f64) -> Option<Domain> {
        let fixed = self.range.filter(|[a, b]| self.shows(*a) && self.shows(*b) && a < b);
        let (lo, hi) = match fixed {
            Some([a, b]) => (a, b),
            None => values
                .filter(|&v| self.shows(v))
                .map(|v| (v, v))
                .reduce(|(lo, hi), (v, _)| (lo.min(v), hi.max(v)))?,
        };
        let log = self.scale == Scale::Log;
        let (mut lo, mut hi) = if log { (lo.log10(), hi.log10()) } else { (lo, hi) };
        // The largest doubles have no difference; nobody reads such an axis, but it must not fail.
        (lo, hi) = (lo.clamp(-1e300, 1e300), hi.clamp(-1e300, 1e300));
        let magnitude = lo.abs().max(hi.abs());
        if hi - lo <= 1e-12 * magnitude || hi - lo < 1e-290 {
            let pad = if log {
                0.5
            } else if magnitude < 1e-280 {
                1.0
            } else {
                0.1 * magnitude
            };
            (lo, hi) = (lo - pad, hi + pad);
        } else if fixed.is_none() {
            let pad = margin * (hi - lo);
            (lo, hi) = (lo - pad, hi + pad);
        }
        Some(Domain { lo, hi, log })
    }
}

/// A range on the axis' own scale: exponents of ten on a logarithmic one. Always `lo < hi`, finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Domain {
    pub(crate) lo: f64,
    pub(crate) hi: f64,
    pub(crate) log: bool,
}

/// A tick: where, as a part of the axis in [0, 1], and its label; minor ones have none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub(crate) part: f64,
    pub(crate) label: String,
}

impl Domain {
    /// Moves the ends outward to the next round ticks.
    pub(crate) fn rounded(mut self, wanted: usize) -> Self {
        if !self.log {
            let step = step(self.hi - self.lo, wanted);
            self.lo = (self.lo / step).floor() * step;
            self.hi = (self.hi / step).ceil() * step;
        }
        self
    }

    /// Lets it begin or end at zero exactly, where it only just passes it.
    pub(crate) fn with_zero(mut self) -> Self {
        self.lo = self.lo.min(0.0);
        self.hi = self.hi.max(0.0);
        self
    }

    /// The place of `value` as a part of the axis; outside of [0, 1] beyond its ends, but never far.
    pub(crate) fn part(&self, value: f64) -> f64 {
        let value = if self.log { value.log10() } else { value };
        // Scaled before the difference, so that nothing overflows.
        let span = self.hi - self.lo;
        (value / span - self.lo / span).clamp(-4.0, 5.0)
    }

    /// About `wanted` ticks.
    pub(crate) fn ticks(&self, wanted: usize) -> Vec<Tick> {
        let span = self.hi - self.lo;
        if self.log && span >= 1.5 { self.log_ticks(wanted) } else { self.linear_ticks(wanted) }
    }

    fn linear_ticks(&self, wanted: usize) -> Vec<Tick> {
        // Below one and a half decades, a logarithmic axis has the round numbers themselves.
        let (lo, hi) = if self.log { (10f64.powf(self.lo), 10f64.powf(self.hi)) } else { (self.lo, self.hi) };
        let step = step(hi - lo, wanted);
        let first = (lo / step - 1e-9).ceil();
        let values: Vec<f64> = (0..=40_u32)
            .map(|k| (first + f64::from(k)) * step)
            .take_while(|v| *v <= hi + 1e-9 * step)
            .collect();
        let label = labeller(&values, step);
        values.iter().map(|&v| Tick { part: self.part(v), label: label(v) }).collect()
    }

    fn log_ticks(&self, wanted: usize) -> Vec<Tick> {
        let (first, last) = (self.lo.floor().max(-400.0) as i32, self.hi.ceil().min(400.0) as i32);
        // Powers of ten take little room.
        let every = ((last - first) as usize).div_ceil(2 * wanted.max(1)).max(1) as i32;
        // One way for all: 0.01 beside 10⁻⁴ would need a second look.
        let plain = self.lo >= -3.1 && self.hi <= 4.1;
        let mut ticks = Vec::new();
        for decade in first..=last {
            let labelled = decade.rem_euclid(every) == 0;
            let minor = if every == 1 { 9 } else { 1 };
            for k in 1..=minor {
                let place = f64::from(decade) + f64::from(k).log10();
                if !(self.lo - 1e-9..=self.hi + 1e-9).contains(&place) {
                    continue;
                }
                let label = match decade {
                    _ if k > 1 || !labelled => String::new(),
                    _ if plain => decimals(10f64.powi(decade), (-decade).max(0) as usize),
                    _ => format!("10{}", superscript(decade)),
                };
                ticks.push(Tick { part: (place - self.lo) / (self.hi - self.lo), label });
            }
        }
        ticks
    }
}

/// The round step (1, 2 or 5 times a power of ten) that gives about `wanted` ticks.
fn step(span: f64, wanted: usize) -> f64 {
    let raw = span / wanted.max(1) as f64;
    let power = 10f64.powi(exponent_of(raw, 17).clamp(-300, 300));
    match raw / power {
        r if r < 1.5 => power,
        r if r < 3.2 => 2.0 * power,
        r if r < 7.1 => 5.0 * power,
        _ => 10.0 * power,
    }
}

/// One way to write all labels of an axis.
fn labeller(values: &[f64], step: f64) -> impl Fn(f64) -> String {
    let largest = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let (top, place) = (exponent_of(largest, 17), exponent_of(step, 3));
    move |value| {
        // A sum of steps that should be zero is a rounding error.
        let value = if value.abs() < 1e-6 * step { 0.0 } else { value };
        if top >= 6 || place < -4 {
            let digits = (exponent_of(value, 17) - place + 1).clamp(1, 17);
            let text = significant(value, digits as usize);
            text.strip_prefix("1×").map_or(text.clone(), str::to_owned)
        } else {
            let text = decimals(value, (-place).max(0) as usize);
            if top >= 4 { grouped(&text) } else { text }
        }
    }
}

/// Thousands set apart by a thin space.
fn grouped(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    let digits = whole.chars().filter(char::is_ascii_digit).count();
    let mut out = String::new();
    let mut left = digits;
    for c in whole.chars() {
        out.push(c);
        if c.is_ascii_digit() {
            left -= 1;
            if left > 0 && left % 3 == 0 {
                out.push('\u{2009}');
            }
        }
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, values: &[f64]) -> Vec<String> {
        let domain = axis.domain(values.iter().copied(), 0.0).unwrap();
        domain.ticks(5).into_iter().map(|t| t.label).filter(|l| !l.is_empty()).collect()
    }

    #[test]
    fn round_ticks() {
        let axis = Axis::new("");
        assert_eq!(labels(&axis, &[0.0, 1.0]), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&axis, &[-3.0, 3.0]), ["−3", "−2", "−1", "0", "1", "2", "3"]);
        assert_eq!(
            labels(&axis, &[0.0, 20_000.0]),
            ["0", "5\u{2009}000", "10\u{2009}000", "15\u{2009}000", "20\u{2009}000"]
        );
        assert_eq!(labels(&axis, &[0.0, 4e7]), ["0", "10⁷", "2×10⁷", "3×10⁷", "4×10⁷"]);
    }

    #[test]
    fn decades() {
        let axis = Axis::new("").log();
        assert_eq!(labels(&axis, &[1e-4, 1.0]), ["10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "10⁰"]);
        assert_eq!(labels(&axis, &[1e-2, 10.0]), ["0.01", "0.1", "1", "10"]);
        assert_eq!(labels(&axis, &[10.0, 60.0]), ["10", "20", "30", "40", "50", "60"]);
    }

    #[test]
    fn a_domain_is_usable_for_any_values() {
        for values in [
            [0.0, 0.0],
            [5e-324, 5e-324],
            [0.0, 5e-324],
            [f64::MIN, f64::MAX],
            [1e16, 1e16 + 2.0],
            [-1e-300, 1e-300],
        ] {
            let domain = Axis::new("").domain(values.into_iter(), 0.05).unwrap();
            assert!(domain.lo < domain.hi, "{values:?}: {domain:?}");
            for tick in domain.ticks(5) {
                assert!((-1e-6..=1.0 + 1e-6).contains(&tick.part), "{values:?}: {tick:?}");
            }
        }
        assert_eq!(Axis::new("").domain([f64::NAN, f64::INFINITY].into_iter(), 0.05), None);
        assert_eq!(Axis::new("").log().domain([0.0, -1.0].into_iter(), 0.05), None);
    }
}
