//! Claims of a paper: what was said, how it was tested here, and what came out.

use serde::Serialize;

use crate::{mean_sd, significant};

/// What came out of testing a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// The criterion was met.
    Held,
    /// The criterion was not met.
    NotHeld,
    /// No verdict, and why.
    NotTested(String),
}

impl Verdict {
    /// The verdict in words, as the badge shows it.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::NotHeld => "did not hold",
            Self::NotTested(_) => "not tested",
        }
    }
}

/// What a statistic has to satisfy. NaN satisfies none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Criterion {
    /// value ≥ threshold
    AtLeast(f64),
    /// value ≤ threshold
    AtMost(f64),
    /// value > threshold
    Above(f64),
    /// value < threshold
    Below(f64),
    /// low ≤ value ≤ high
    Within {
        /// Smallest value allowed.
        low: f64,
        /// Largest value allowed.
        high: f64,
    },
}

impl Criterion {
    /// Whether `value` satisfies the criterion.
    ///
    /// ```
    /// use variata_report::Criterion;
    /// assert!(Criterion::AtLeast(0.9).accepts(0.9));
    /// assert!(!Criterion::Above(0.9).accepts(0.9));
    /// assert!(!Criterion::AtMost(f64::INFINITY).accepts(f64::NAN));
    /// ```
    #[must_use]
    pub fn accepts(self, value: f64) -> bool {
        match self {
            Self::AtLeast(threshold) => value >= threshold,
            Self::AtMost(threshold) => value <= threshold,
            Self::Above(threshold) => value > threshold,
            Self::Below(threshold) => value < threshold,
            Self::Within { low, high } => (low..=high).contains(&value),
        }
    }

    /// The criterion as text, as in `≥ 0.9`.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::AtLeast(threshold) => format!("≥ {}", short(threshold)),
            Self::AtMost(threshold) => format!("≤ {}", short(threshold)),
            Self::Above(threshold) => format!("> {}", short(threshold)),
            Self::Below(threshold) => format!("< {}", short(threshold)),
            Self::Within { low, high } => format!("{} to {}", short(low), short(high)),
        }
    }
}

/// A threshold as a person wrote it: without the zeros that end it.
fn short(value: f64) -> String {
    // As many digits as it was written with, as far as rounding lets them be seen.
    let tells = |digits: &usize| {
        let shown: f64 = format!("{value:.*e}", digits - 1).parse().unwrap_or(f64::NAN);
        (shown - value).abs() <= 1e-14 * value.abs()
    };
    let text = significant(value, (4..15).find(tells).unwrap_or(15));
    if text.contains('.') && !text.contains('×') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// The value of a statistic in the run of one seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SeedValue {
    /// The seed.
    pub seed: u64,
    /// The value.
    pub value: f64,
}

/// A claim of a paper, its test and its outcome.
///
/// The verdict is given per seed: a claim is held only if the run of every seed satisfies the
/// criterion, so that a good mean cannot hide a run that failed.
///
/// ```
/// use variata_report::{Claim, Criterion, Verdict};
/// let claim = Claim::new("kl-order", "A larger β lowers the KL term.", "§3.2")
///     .tested_by("two presets trained alike but for β", "KL(β = 1) − KL(β = 4), nats")
///     .judge(Criterion::Above(0.0), &[(0, 4.1), (1, 3.7)]);
/// assert_eq!(claim.verdict, Verdict::Held);
/// assert_eq!(claim.result(), "3.90 ± 0.28");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claim {
    /// Short name, stable between versions; the key in metrics.json.
    pub id: String,
    /// The claim in one sentence.
    pub sentence: String,
    /// Where the paper makes it.
    pub source: String,
    /// How it was tested here.
    pub test: String,
    /// The statistic, with its unit.
    pub statistic: String,
    /// What the paper reports, where it reports a number.
    pub paper: Option<String>,
    /// The statistic in each seed's run.
    pub values: Vec<SeedValue>,
    /// What each value has to satisfy; `None` before the claim is judged.
    pub criterion: Option<Criterion>,
    /// What came out.
    pub verdict: Verdict,
}

impl Claim {
    /// A claim that has not been tested yet.
    #[must_use]
    pub fn new(id: impl Into<String>, sentence: impl Into<String>, source: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            sentence: sentence.into(),
            source: source.into(),
            test: String::new(),
            statistic: String::new(),
            paper: None,
            values: Vec::new(),
            criterion: None,
            verdict: Verdict::NotTested("no run has judged it".to_owned()),
        }
    }

    /// Says how the claim is tested and by which statistic.
    #[must_use]
    pub fn tested_by(mut self, test: impl Into<String>, statistic: impl Into<String>) -> Self {
        self.test = test.into();
        self.statistic = statistic.into();
        self
    }

    /// Adds what the paper reports.
    #[must_use]
    pub fn paper_reports(mut self, value: impl Into<String>) -> Self {
        self.paper = Some(value.into());
        self
    }

    /// Judges the claim on the value of each seed's run: held if all satisfy the criterion, not tested
    /// if there is none.
    #[must_use]
    pub fn judge(mut self, criterion: Criterion, values: &[(u64, f64)]) -> Self {
        self.values = values.iter().map(|&(seed, value)| SeedValue { seed, value }).collect();
        self.criterion = Some(criterion);
        self.verdict = if values.is_empty() {
            Verdict::NotTested("no run produced a value".to_owned())
        } else if values.iter().all(|&(_, value)| criterion.accepts(value)) {
            Verdict::Held
        } else {
            Verdict::NotHeld
        };
        self
    }

    /// Says why the claim was not tested.
    #[must_use]
    pub fn not_tested(mut self, reason: impl Into<String>) -> Self {
        self.values.clear();
        self.verdict = Verdict::NotTested(reason.into());
        self
    }

    /// How many of some claims held, as a sentence; those that were not tested are counted apart.
    ///
    /// ```
    /// use variata_report::{Claim, Criterion};
    /// let claim = Claim::new("id", "It is so.", "§1");
    /// let claims = [claim.clone().judge(Criterion::Above(0.0), &[(0, 1.0)]), claim];
    /// assert_eq!(Claim::outcome(&claims), "1 of 1 tested claims held; 1 was not tested.");
    /// ```
    #[must_use]
    pub fn outcome(claims: &[Self]) -> String {
        let held = claims.iter().filter(|c| c.verdict == Verdict::Held).count();
        let open = claims.iter().filter(|c| matches!(c.verdict, Verdict::NotTested(_))).count();
        outcome(held, claims.len() - open, open)
    }

    /// Mean ± standard deviation over the seeds, as the table shows it.
    #[must_use]
    pub fn result(&self) -> String {
        mean_sd(&self.values.iter().map(|v| v.value).collect::<Vec<_>>())
    }
}

/// How many of the tested claims held, and how many were not tested, as a sentence.
pub(crate) fn outcome(held: usize, tested: usize, open: usize) -> String {
    match (tested, open) {
        (_, 0) => format!("{held} of {tested} claims held."),
        (0, 1) => "The one claim was not tested.".to_owned(),
        (0, _) => format!("None of the {open} claims was tested."),
        (_, 1) => format!("{held} of {tested} tested claims held; 1 was not tested."),
        _ => format!("{held} of {tested} tested claims held; {open} were not tested."),
    }
}
