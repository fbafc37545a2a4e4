//! Means over an epoch and the record of a run.

use serde::{Deserialize, Serialize};

/// A weighted mean that can be saved and continued bit for bit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Mean {
    /// Σ weight · value.
    pub sum: f64,
    /// Σ weight.
    pub weight: f64,
}

impl Mean {
    /// Adds a value.
    pub fn add(&mut self, value: f64, weight: f64) {
        self.sum += value * weight;
        self.weight += weight;
    }

    /// The mean; NaN when nothing was added.
    pub fn value(&self) -> f64 {
        self.sum / self.weight
    }
}

/// Means of one epoch, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Number of the epoch, counted from 0.
    pub epoch: u64,
    /// Steps taken at its end.
    pub step: u64,
    /// Weighted objective and terms over the training batches, as the model changed.
    #[serde(with = "by_name")]
    pub train: Vec<(String, f64)>,
    /// Metrics over the validation set, at the epoch's end.
    #[serde(with = "by_name")]
    pub validation: Vec<(String, f64)>,
}

/// A number in JSON, which has no NaN and no infinity: these are text.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    Other(String),
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        if value.is_finite() { Self::Finite(value) } else { Self::Other(value.to_string()) }
    }
}

impl Number {
    fn value<E: serde::de::Error>(self) -> Result<f64, E> {
        match self {
            Self::Finite(value) => Ok(value),
            Self::Other(text) => text.parse().map_err(E::custom),
        }
    }
}

/// A value that may not be finite.
pub(super) mod number {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Number;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        Number::from(*value).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Number::deserialize(deserializer)?.value()
    }
}

/// Values by name, which may not be finite.
mod by_name {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Number;

    pub(super) fn serialize<S: Serializer>(
        values: &[(String, f64)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|(name, value)| (name, Number::from(*value))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(String, f64)>, D::Error> {
        let values = Vec::<(String, Number)>::deserialize(deserializer)?;
        values.into_iter().map(|(name, number)| Ok((name, number.value()?))).collect()
    }
}

impl EpochRecord {
    /// A training mean by name.
    pub fn train(&self, name: &str) -> Option<f64> {
        self.train.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
    }

    /// A validation metric by name.
    pub fn validation(&self, name: &str) -> Option<f64> {
        self.validation.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
    }
}

/// Means under names, in the order in which the names came up.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Means(Vec<(String, Mean)>);

impl Means {
    pub(crate) fn add(&mut self, name: &str, value: f64, weight: f64) {
        let at = self.0.iter().position(|(n, _)| n == name).unwrap_or_else(|| {
            self.0.push((name.to_owned(), Mean::default()));
            self.0.len() - 1
        });
        self.0[at].1.add(value, weight);
    }

    pub(crate) fn take(&mut self) -> Vec<(String, f64)> {
        std::mem::take(&mut self.0).into_iter().map(|(name, mean)| (name, mean.value())).collect()
    }
}
