//! Stochastic gradient descent with momentum.

use serde::{Deserialize, Serialize};
use tch::Tensor;
use variata_torch_bridge::{SgdStep, fused_sgd};

use crate::Error;
use crate::error::check_number;

/// Settings of the optimiser; the defaults are those of AugMix's classifiers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SgdConfig {
    /// Step size before the schedule.
    pub learning_rate: f64,
    /// Share of the last step's direction that is kept, below 1.
    pub momentum: f64,
    /// Nesterov's momentum.
    pub nesterov: bool,
    /// Weight decay, of every trained parameter.
    pub weight_decay: f64,
    /// Largest global gradient norm; none by default.
    pub clip_norm: Option<f64>,
}

impl Default for SgdConfig {
    fn default() -> Self {
        Self { learning_rate: 0.1, momentum: 0.9, nesterov: true, weight_decay: 5e-4, clip_norm: None }
    }
}

impl SgdConfig {
    pub(super) fn check(&self) -> Result<(), Error> {
        let Self { learning_rate: rate, momentum, weight_decay: decay, .. } = *self;
        check_number("learning_rate", rate, rate > 0.0, "finite and > 0")?;
        check_number("momentum", momentum, (0.0..1.0).contains(&momentum), "in [0, 1)")?;
        check_number("momentum", momentum, momentum > 0.0 || !self.nesterov, "> 0 for Nesterov's")?;
        check_number("weight_decay", decay, decay >= 0.0, "finite and >= 0")?;
        let clip = self.clip_norm.unwrap_or(1.0);
        check_number("clip_norm", clip, clip > 0.0, "finite and > 0")
    }

    /// One step by libtorch's fused kernel; `state` holds the momenta.
    pub(super) fn step(
        &self,
        parameters: &[Tensor],
        gradients: &[Tensor],
        state: &[Vec<Tensor>],
        factor: f64,
    ) -> Result<(), Error> {
        let settings = SgdStep {
            learning_rate: self.learning_rate * factor,
            momentum: self.momentum,
            nesterov: self.nesterov,
            weight_decay: self.weight_decay,
        };
        Ok(fused_sgd(parameters, gradients, &state[0], &settings)?)
    }
}
