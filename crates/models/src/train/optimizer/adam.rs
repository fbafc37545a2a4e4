//! Adam and AdamW with state that can be saved.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};
use variata_torch_bridge::{AdamStep, fused_adam};

use super::super::clip::clip_gradients;
use crate::{Error, Parameters};

/// Settings of the optimiser.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    fn check(&self) -> Result<(), Error> {
        let checks = [
            ("learning_rate", self.learning_rate, self.learning_rate > 0.0, "finite and > 0"),
            ("beta1", self.beta1, (0.0..1.0).contains(&self.beta1), "in [0, 1)"),
            ("beta2", self.beta2, (0.0..1.0).contains(&self.beta2), "in [0, 1)"),
            ("eps", self.eps, self.eps > 0.0, "finite and > 0"),
            ("weight_decay", self.weight_decay, self.weight_decay >= 0.0, "finite and >= 0"),
            (
                "clip_norm",
                self.clip_norm.unwrap_or(1.0),
                self.clip_norm.unwrap_or(1.0) > 0.0,
                "finite and > 0",
            ),
        ];
        super::check_all(&checks)
    }
}

/// Adam over the trained parameters, updated by libtorch's fused kernel.
///
/// A parameter that has no gradient in a step (its part of the model took no part) is left alone, moments included.
#[derive(Debug)]
pub struct Adam {
    config: AdamConfig,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    name: String,
    parameter: Tensor,
    mean: Tensor,
    square: Tensor,
    steps: Tensor,
}

impl Adam {
    /// Fresh state.
    ///
    /// # Errors
    /// A setting is outside its domain.
    pub fn new(config: AdamConfig, parameters: &Parameters) -> Result<Self, Error> {
        config.check()?;
        let slots = parameters
            .trained()
            .map(|(name, p)| Slot {
                name: name.to_owned(),
                parameter: p.shallow_clone(),
                mean: p.detach().zeros_like(),
                square: p.detach().zeros_like(),
                steps: Tensor::zeros([], (Kind::Float, p.device())),
            })
            .collect();
        Ok(Self { config, slots })
    }

    /// Drops the gradients of the last step.
    pub fn zero_grad(&mut self) {
        for slot in &mut self.slots {
            slot.parameter.zero_grad();
        }
    }

    /// One update from the gradients that backward left, with the learning rate times `factor`.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn step(&mut self, factor: f64) -> Result<(), Error> {
        variata_torch_bridge::no_grad(|| {
            let active: Vec<&Slot> = self.slots.iter().filter(|s| s.parameter.grad().defined()).collect();
            let mut gradients: Vec<Tensor> = active.iter().map(|s| s.parameter.grad()).collect();
            if let Some(limit) = self.config.clip_norm {
                clip_gradients(&mut gradients, limit);
            }
            let pick = |f: fn(&Slot) -> &Tensor| -> Vec<Tensor> {
                active.iter().map(|s| f(s).shallow_clone()).collect()
            };
            let settings = AdamStep {
                learning_rate: self.config.learning_rate * factor,
                betas: (self.config.beta1, self.config.beta2),
                eps: self.config.eps,
                weight_decay: self.config.weight_decay,
                decoupled: self.config.decoupled,
            };
            fused_adam(
                &pick(|s| &s.parameter),
                &gradients,
                &pick(|s| &s.mean),
                &pick(|s| &s.square),
                &pick(|s| &s.steps),
                &settings,
            )
        })?;
        Ok(())
    }

    /// Names and tensors of the state, for checkpoints; the tensors share the optimiser's memory.
    pub(super) fn state(&self) -> Vec<(String, Tensor)> {
        self.slots
            .iter()
            .flat_map(|s| {
                [("mean", &s.mean), ("square", &s.square), ("steps", &s.steps)]
                    .map(|(part, t)| (format!("adam/{}/{part}", s.name), t.shallow_clone()))
            })
            .collect()
    }
}
