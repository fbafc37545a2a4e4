//! Adam and AdamW.

use serde::{Deserialize, Serialize};
use tch::Tensor;
use variata_torch_bridge::{AdamStep, fused_adam};

use crate::Error;
use crate::error::check_number;

/// Settings of the optimiser.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AdamConfig {
    /// Step size before the schedule.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Decouple the decay from the gradient (AdamW).
    pub decoupled: bool,
    /// Largest global gradient norm; none by default.
    pub clip_norm: Option<f64>,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
            decoupled: true,
            clip_norm: None,
        }
    }
}

impl AdamConfig {
    pub(super) fn check(&self) -> Result<(), Error> {
        let Self { learning_rate: rate, beta1, beta2, eps, weight_decay: decay, .. } = *self;
        check_number("learning_rate", rate, rate > 0.0, "finite and > 0")?;
        check_number("beta1", beta1, (0.0..1.0).contains(&beta1), "in [0, 1)")?;
        check_number("beta2", beta2, (0.0..1.0).contains(&beta2), "in [0, 1)")?;
        check_number("eps", eps, eps > 0.0, "finite and > 0")?;
        check_number("weight_decay", decay, decay >= 0.0, "finite and >= 0")?;
        let clip = self.clip_norm.unwrap_or(1.0);
        check_number("clip_norm", clip, clip > 0.0, "finite and > 0")
    }

    /// One step by libtorch's fused kernel; `state` holds first moments, second moments and numbers of steps.
    pub(super) fn step(
        &self,
        parameters: &[Tensor],
        gradients: &[Tensor],
        state: &[Vec<Tensor>],
        factor: f64,
    ) -> Result<(), Error> {
        let settings = AdamStep {
            learning_rate: self.learning_rate * factor,
            betas: (self.beta1, self.beta2),
            eps: self.eps,
            weight_decay: self.weight_decay,
            decoupled: self.decoupled,
        };
        Ok(fused_adam(parameters, gradients, &state[0], &state[1], &state[2], &settings)?)
    }
}
