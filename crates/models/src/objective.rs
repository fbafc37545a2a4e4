//! What a training step minimises, term by term.

use tch::{Kind, Tensor};

/// One term of an objective: a mean over the batch, in nats per datum where it is a log-density.
#[derive(Debug)]
pub struct Term {
    /// Name, as in logs and reports.
    pub name: &'static str,
    /// Scalar, before the weight.
    pub value: Tensor,
    /// Weight in the objective.
    pub weight: f64,
}

/// `Σ weight · value`.
#[derive(Debug, Default)]
pub struct Objective {
    /// The terms. A term of weight 0 is only logged.
    pub terms: Vec<Term>,
}

impl Objective {
    /// The weighted sum, a scalar; terms of weight 0 take no part in the graph. `None` when no term counts.
    pub fn loss(&self) -> Option<Tensor> {
        self.terms
            .iter()
            .filter(|t| t.weight != 0.0)
            .map(|t| t.value.to_kind(Kind::Double) * t.weight)
            .reduce(|a, b| a + b)
    }

    /// The values of all terms in one transfer from the device.
    pub fn values(&self) -> Vec<f64> {
        if self.terms.is_empty() {
            return Vec::new();
        }
        let scalars: Vec<Tensor> =
            self.terms.iter().map(|t| t.value.detach().to_kind(Kind::Double).reshape([1])).collect();
        let all = Tensor::cat(&scalars, 0).to_device(tch::Device::Cpu);
        (0..all.size()[0]).map(|i| all.double_value(&[i])).collect()
    }
}
