//! Stochastic gradient descent with momentum, whose state can be saved.

use serde::{Deserialize, Serialize};
use tch::Tensor;
use variata_torch_bridge::{SgdStep, fused_sgd};

use super::super::clip::clip_gradients;
use crate::{Error, Parameters};

/// Settings of the optimiser; the defaults are those of AugMix's classifiers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    fn check(&self) -> Result<(), Error> {
        let clip = self.clip_norm.unwrap_or(1.0);
        let moves = self.momentum > 0.0 || !self.nesterov;
        super::check_all(&[
            ("learning_rate", self.learning_rate, self.learning_rate > 0.0, "finite and > 0"),
            ("momentum", self.momentum, (0.0..1.0).contains(&self.momentum), "in [0, 1)"),
            ("momentum", self.momentum, moves, "> 0 for Nesterov's"),
            ("weight_decay", self.weight_decay, self.weight_decay >= 0.0, "finite and >= 0"),
            ("clip_norm", clip, clip > 0.0, "finite and > 0"),
        ])
    }
}

/// SGD over the trained parameters, updated by libtorch's fused kernel.
///
/// A parameter that has no gradient in a step is left alone, momentum included.
#[derive(Debug)]
pub struct Sgd {
    config: SgdConfig,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    name: String,
    parameter: Tensor,
    momentum: Tensor,
}

impl Sgd {
    /// Fresh state.
    ///
    /// # Errors
    /// A setting is outside its domain.
    pub fn new(config: SgdConfig, parameters: &Parameters) -> Result<Self, Error> {
        config.check()?;
        let slot = |(name, p): (&str, &Tensor)| Slot {
            name: name.to_owned(),
            parameter: p.shallow_clone(),
            momentum: p.detach().zeros_like(),
        };
        Ok(Self { config, slots: parameters.trained().map(slot).collect() })
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
            let parameters: Vec<Tensor> = active.iter().map(|s| s.parameter.shallow_clone()).collect();
            let momenta: Vec<Tensor> = active.iter().map(|s| s.momentum.shallow_clone()).collect();
            let settings = SgdStep {
                learning_rate: self.config.learning_rate * factor,
                momentum: self.config.momentum,
                nesterov: self.config.nesterov,
                weight_decay: self.config.weight_decay,
            };
            fused_sgd(&parameters, &gradients, &momenta, &settings)
        })?;
        Ok(())
    }

    /// Names and tensors of the state, for checkpoints; the tensors share the optimiser's memory.
    pub(super) fn state(&self) -> Vec<(String, Tensor)> {
        let slots = self.slots.iter();
        slots.map(|s| (format!("sgd/{}/momentum", s.name), s.momentum.shallow_clone())).collect()
    }
}
