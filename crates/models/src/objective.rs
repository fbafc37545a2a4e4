//! What a training step minimises, term by term.

use tch::{Device, Kind, Tensor};

use crate::train::Constraint;

/// One term of an objective: a mean over the batch, in nats per datum where it is a log-density.
#[derive(Debug)]
pub struct Term {
    /// Name, as in logs and reports.
    pub name: &'static str,
    /// Scalar, before the weight.
    pub value: Tensor,
    /// Weight in the objective.
    pub weight: f64,
    /// What holds it at a target, beside the weight.
    pub constraint: Option<Constraint>,
    /// Whether it is of the whole batch, the same on every worker: a distance of all rows from a distribution, a penalty of parameters.
    /// Otherwise it is the mean over the worker's rows.
    pub whole: bool,
}

impl Term {
    /// A term that counts with a weight.
    pub fn weighted(name: &'static str, value: Tensor, weight: f64) -> Self {
        Self { name, value, weight, constraint: None, whole: false }
    }
}

/// `Σ weight · value`, and what holds terms at their targets.
#[derive(Debug, Default)]
pub struct Objective {
    /// The terms. One of weight 0 that nothing holds is only logged.
    pub terms: Vec<Term>,
}

impl Objective {
    /// The sum of the terms with the given weights, a scalar; those of weight 0 take no part in the graph. `None` when no term
    /// counts.
    pub fn loss(&self, weights: &[f64]) -> Option<Tensor> {
        self.terms
            .iter()
            .zip(weights)
            .filter(|(_, weight)| **weight != 0.0)
            .map(|(term, weight)| term.value.to_kind(Kind::Double) * *weight)
            .reduce(|a, b| a + b)
    }

    /// The values of all terms in one transfer from the device.
    pub fn values(&self) -> Vec<f64> {
        // Constants may lie on the CPU beside terms on a GPU, and are not joined to them there.
        let devices = || self.terms.iter().map(|t| t.value.device());
        let Some(device) = devices().find(|&d| d != Device::Cpu).or_else(|| devices().next()) else {
            return Vec::new();
        };
        let scalar = |t: &Term| t.value.detach().to_device(device).to_kind(Kind::Double).reshape([1]);
        let scalars: Vec<Tensor> = self.terms.iter().map(scalar).collect();
        let all = Tensor::cat(&scalars, 0).to_device(Device::Cpu);
        (0..all.size()[0]).map(|i| all.double_value(&[i])).collect()
    }
}
