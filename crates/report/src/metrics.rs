//! The numbers of a run, as a file that two equal runs write byte for byte alike.

use std::collections::BTreeMap;

use crate::{Claim, Error};

/// One entry of [`Metrics`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Metric {
    /// A count.
    Count(u64),
    /// A number.
    Number(f64),
    /// A curve or one number per dimension.
    Series(Vec<f64>),
    /// A word.
    Text(String),
}

impl From<u64> for Metric {
    fn from(value: u64) -> Self {
        Self::Count(value)
    }
}

impl From<usize> for Metric {
    fn from(value: usize) -> Self {
        Self::Count(value as u64)
    }
}

impl From<f64> for Metric {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<Vec<f64>> for Metric {
    fn from(value: Vec<f64>) -> Self {
        Self::Series(value)
    }
}

impl From<&str> for Metric {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// Named numbers, written sorted by name.
///
/// Floats are written with the fewest digits that read back to the same bits. JSON has no NaN and no
/// infinity: these are the strings `"NaN"`, `"Infinity"` and `"-Infinity"`.
///
/// ```
/// use variata_report::Metrics;
/// let mut metrics = Metrics::new();
/// metrics.insert("vae/seed-0/elbo", -81.25);
/// metrics.insert("vae/seed-0/steps", 1200_u64);
/// assert_eq!(Metrics::parse(&metrics.to_json()).unwrap(), metrics);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    entries: BTreeMap<String, Metric>,
}

impl Metrics {
    /// No entry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry, or replaces the one of that name.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Metric>) {
        self.entries.insert(name.into(), value.into());
    }

    /// Adds the verdict and the values of each claim, under `claim/<id>/`.
    pub fn insert_claims(&mut self, claims: &[Claim]) {
        for claim in claims {
            self.insert(format!("claim/{}/verdict", claim.id), claim.verdict.label());
            for v in &claim.values {
                self.insert(format!("claim/{}/seed-{}", claim.id, v.seed), v.value);
            }
        }
    }

    /// The entry of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Metric> {
        self.entries.get(name)
    }

    /// All entries, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Metric)> {
        self.entries.iter().map(|(name, metric)| (name.as_str(), metric))
    }

    /// The file's text: one entry a line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let lines: Vec<String> = self
            .entries
            .iter()
            .map(|(name, metric)| format!("  {}: {}", quoted(name), value(metric)))
            .collect();
        if lines.is_empty() { "{}\n".to_owned() } else { format!("{{\n{}\n}}\n", lines.join(",\n")) }
    }

    /// Reads what [`to_json`](Self::to_json) wrote; text that is `NaN`, `Infinity` or `-Infinity` comes back as that number.
    ///
    /// # Errors
    /// [`Error::Metrics`] for text that is no such file, naming the line or the entry.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let map: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|e| Error::Metrics { what: e.to_string() })?;
        let entries = map.into_iter().map(|(name, value)| match metric(&value) {
            Some(metric) => Ok((name, metric)),
            None => Err(Error::Metrics {
                what: format!("`{name}` is {value}, must be a number, a list of numbers or text"),
            }),
        });
        Ok(Self { entries: entries.collect::<Result<_, _>>()? })
    }
}

const NON_FINITE: [(&str, f64); 3] =
    [("NaN", f64::NAN), ("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)];

fn number(value: f64) -> String {
    match value {
        v if v.is_nan() => quoted("NaN"),
        v if v == f64::INFINITY => quoted("Infinity"),
        v if v == f64::NEG_INFINITY => quoted("-Infinity"),
        // Debug is the shortest text that reads back the same, with a point or an exponent, so that a
        // number never reads back as a count.
        v => format!("{v:?}"),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn value(metric: &Metric) -> String {
    match metric {
        Metric::Count(n) => n.to_string(),
        Metric::Number(v) => number(*v),
        Metric::Series(values) => {
            format!("[{}]", values.iter().map(|&v| number(v)).collect::<Vec<_>>().join(", "))
        }
        Metric::Text(text) => quoted(text),
    }
}

fn float(value: &serde_json::Value) -> Option<f64> {
    match value {
        serde_json::Value::String(s) => NON_FINITE.iter().find(|(name, _)| name == s).map(|&(_, v)| v),
        other => other.as_f64(),
    }
}

fn metric(value: &serde_json::Value) -> Option<Metric> {
    match value {
        serde_json::Value::Array(list) => list.iter().map(float).collect::<Option<_>>().map(Metric::Series),
        serde_json::Value::String(s) => {
            Some(float(value).map_or_else(|| Metric::Text(s.clone()), Metric::Number))
        }
        serde_json::Value::Number(n) => {
            n.as_u64().map(Metric::Count).or_else(|| n.as_f64().map(Metric::Number))
        }
        _ => None,
    }
}
