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
    pub train: Vec<(String, f64)>,
    /// Metrics over the validation set, at the epoch's end.
    pub validation: Vec<(String, f64)>,
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
