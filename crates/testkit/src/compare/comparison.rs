//! The collector behind every assertion.

use super::{Mismatch, MismatchKind, Row, Summary, ulp_distance, ulp_distance_f32};

/// How an error is measured.
#[derive(Debug, Clone, Copy)]
enum Measure {
    Ulp,
    UlpF32,
    Ratio { unit_roundoff: f64 },
    Relative { floor: f64 },
    Bits,
}

/// Collects pairs, remembers the worst, and judges at the end.
///
/// ```
/// use variata_testkit::compare::Comparison;
///
/// let mut exp = Comparison::ulp("exp", 1);
/// exp.context("f64, seed 7");
/// for x in [0.1, 1.0, 10.0_f64] {
///     exp.push(x.exp(), libm::exp(x));
/// }
/// let summary = exp.finish().expect("both libraries are within half an ulp or little more");
/// assert_eq!(summary.count, 3);
/// ```
#[derive(Debug, Clone)]
pub struct Comparison {
    name: Box<str>,
    context: Box<str>,
    measure: Measure,
    bound: f64,
    nan_equal: bool,
    strict_zero: bool,
    expected: Option<usize>,
    count: usize,
    failed: usize,
    sum_of_squares: f64,
    worst: Option<Row>,
    fault: Option<MismatchKind>,
}

impl Comparison {
    fn new(name: &str, measure: Measure, bound: f64) -> Self {
        let mut new = Self {
            name: name.into(),
            context: Box::default(),
            measure,
            bound,
            nan_equal: false,
            strict_zero: false,
            expected: None,
            count: 0,
            failed: 0,
            sum_of_squares: 0.0,
            worst: None,
            fault: None,
        };
        new.check_bound(bound);
        match measure {
            Measure::Ratio { unit_roundoff } => new.check_bound(unit_roundoff),
            Measure::Relative { floor } => new.check_bound(floor),
            Measure::Ulp | Measure::UlpF32 | Measure::Bits => {}
        }
        new
    }

    /// At most `max_ulp` representable `f64` apart.
    pub fn ulp(name: &str, max_ulp: u64) -> Self {
        Self::new(name, Measure::Ulp, max_ulp as f64)
    }

    /// At most `max_ulp` representable `f32` apart; both values are rounded to `f32` first.
    pub fn ulp_f32(name: &str, max_ulp: u64) -> Self {
        Self::new(name, Measure::UlpF32, max_ulp as f64)
    }

    /// |got − want| / (u · scale) ≤ `limit`, with the scale given pair by pair to [`push_scaled`](Self::push_scaled).
    pub fn ratio(name: &str, unit_roundoff: f64, limit: f64) -> Self {
        Self::new(name, Measure::Ratio { unit_roundoff }, limit)
    }

    /// |got − want| / max(|want|, `floor`) ≤ `rel`.
    pub fn relative(name: &str, rel: f64, floor: f64) -> Self {
        Self::new(name, Measure::Relative { floor }, rel)
    }

    /// The same bits; the error is counted in ulp. Implies [`strict_zero`](Self::strict_zero). A NaN equals the NaN
    /// of the same bits.
    pub fn bits(name: &str) -> Self {
        Self::new(name, Measure::Bits, 0.0)
    }

    /// Says where the numbers come from (seed, dtype, layout); printed on failure.
    pub fn context(&mut self, context: impl Into<Box<str>>) -> &mut Self {
        self.context = context.into();
        self
    }

    /// NaN equals NaN: only where the documentation of the function says that it returns NaN.
    pub fn nan_equal(&mut self) -> &mut Self {
        self.nan_equal = true;
        self
    }

    /// +0 and −0 differ.
    pub fn strict_zero(&mut self) -> &mut Self {
        self.strict_zero = true;
        self
    }

    /// Exactly `count` pairs must have been compared when the comparison is judged: for tests that skip some.
    pub fn expect_count(&mut self, count: usize) -> &mut Self {
        self.expected = Some(count);
        self
    }

    /// Compares one pair; for a ratio the scale is |want|.
    pub fn push(&mut self, got: f64, want: f64) -> &mut Self {
        let scale = if want.is_finite() { want.abs() } else { 0.0 };
        self.push_scaled(got, want, scale)
    }

    /// Compares one pair with the scale of the theory's error bound, as in Σ|terms|. Measures other than the ratio
    /// do not use the scale, but refuse a meaningless one all the same.
    pub fn push_scaled(&mut self, got: f64, want: f64, scale: f64) -> &mut Self {
        let index = self.count;
        if !(scale.is_finite() && scale >= 0.0) {
            self.refuse(MismatchKind::Bound { index, value: scale });
        }
        let error = self.error(got, want, scale);
        if error.is_nan() || error > self.bound {
            self.failed += 1;
        }
        if self.worst.is_none_or(|worst| error > worst.error) {
            self.worst = Some(Row { index, got, want, error, bound: self.bound });
        }
        self.sum_of_squares += error * error;
        self.count += 1;
        self
    }

    /// Compares two sequences pair by pair.
    pub fn push_slices(&mut self, got: &[f64], want: &[f64]) -> &mut Self {
        if got.len() != want.len() {
            self.refuse(MismatchKind::Length { got: got.len(), want: want.len() });
        }
        for (&got, &want) in got.iter().zip(want) {
            self.push(got, want);
        }
        self
    }

    /// What was found so far, whether or not it is within the bound; `None` before the first pair.
    pub fn summary(&self) -> Option<Summary> {
        self.worst.map(|worst| Summary {
            count: self.count,
            max: worst.error,
            rms: (self.sum_of_squares / self.count as f64).sqrt(),
            worst,
        })
    }

    /// Judges.
    ///
    /// # Errors
    /// A [`Mismatch`] if nothing was compared, lengths or counts differ, a scale or bound is meaningless, or a pair
    /// exceeds the bound.
    pub fn finish(&self) -> Result<Summary, Mismatch> {
        let fail = |kind| {
            Err(Mismatch { name: self.name.clone(), context: self.context.clone(), unit: self.unit(), kind })
        };
        if let Some(kind) = &self.fault {
            return fail(kind.clone());
        }
        if let Some(want) = self.expected
            && want != self.count
        {
            return fail(MismatchKind::Count { got: self.count, want });
        }
        match self.summary() {
            None => fail(MismatchKind::Empty),
            Some(Summary { worst, count, .. }) if self.failed > 0 => {
                fail(MismatchKind::Values { worst, failed: self.failed, count })
            }
            Some(summary) => Ok(summary),
        }
    }

    /// [`finish`](Self::finish) for tests.
    ///
    /// # Panics
    /// With the mismatch as message.
    #[track_caller]
    pub fn assert(&self) -> Summary {
        match self.finish() {
            Ok(summary) => summary,
            Err(mismatch) => panic!("{mismatch}"),
        }
    }

    pub(crate) fn refuse(&mut self, kind: MismatchKind) {
        // The first fault is the one to look at.
        self.fault.get_or_insert(kind);
    }

    fn check_bound(&mut self, value: f64) {
        if !(value.is_finite() && value >= 0.0) {
            self.refuse(MismatchKind::Bound { index: 0, value });
        }
    }

    fn unit(&self) -> &'static str {
        match self.measure {
            Measure::Ulp | Measure::Bits => "ulp",
            Measure::UlpF32 => "ulp (f32)",
            Measure::Ratio { .. } => "u·scale",
            Measure::Relative { .. } => "relative",
        }
    }

    fn error(&self, got: f64, want: f64, scale: f64) -> f64 {
        if let Measure::Bits = self.measure {
            return if got.to_bits() == want.to_bits() { 0.0 } else { count(ulp_distance(got, want).max(1)) };
        }
        let (got, want) = match self.measure {
            Measure::UlpF32 => (got as f32 as f64, want as f32 as f64),
            _ => (got, want),
        };
        if got.is_nan() || want.is_nan() {
            let equal = self.nan_equal && got.is_nan() && want.is_nan();
            return if equal { 0.0 } else { f64::INFINITY };
        }
        if got == want {
            let sign_lost =
                self.strict_zero && got == 0.0 && got.is_sign_negative() != want.is_sign_negative();
            return if sign_lost { f64::INFINITY } else { 0.0 };
        }
        if got.is_infinite() || want.is_infinite() {
            return f64::INFINITY;
        }
        // got ≠ want from here on, so that a denominator of 0 gives +∞, as it should.
        match self.measure {
            Measure::Ulp | Measure::Bits => count(ulp_distance(got, want)),
            Measure::UlpF32 => count(ulp_distance_f32(got as f32, want as f32)),
            // Two divisions: u · scale may underflow.
            Measure::Ratio { unit_roundoff } => (got - want).abs() / scale / unit_roundoff,
            Measure::Relative { floor } => (got - want).abs() / want.abs().max(floor),
        }
    }
}

fn count(ulps: u64) -> f64 {
    if ulps == u64::MAX { f64::INFINITY } else { ulps as f64 }
}
