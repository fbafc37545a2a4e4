//! Optimisers, by name in a preset file.

mod adam;
mod sgd;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

pub use adam::AdamConfig;
pub use sgd::SgdConfig;

use super::Workers;
use super::clip::clip_gradients;
use crate::{Error, Parameters};

/// Which optimiser, with its settings.
///
/// ```
/// use variata_models::train::OptimizerConfig;
///
/// let text = r#"{ "kind": "sgd", "learning_rate": 0.05 }"#;
/// assert!(matches!(serde_json::from_str(text)?, OptimizerConfig::Sgd(c) if c.momentum == 0.9));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OptimizerConfig {
    /// Adam or AdamW.
    Adam(AdamConfig),
    /// SGD with momentum.
    Sgd(SgdConfig),
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::Adam(AdamConfig::default())
    }
}

impl From<AdamConfig> for OptimizerConfig {
    fn from(config: AdamConfig) -> Self {
        Self::Adam(config)
    }
}

impl From<SgdConfig> for OptimizerConfig {
    fn from(config: SgdConfig) -> Self {
        Self::Sgd(config)
    }
}

impl OptimizerConfig {
    /// Step size before the schedule.
    pub fn learning_rate(&self) -> f64 {
        match self {
            Self::Adam(config) => config.learning_rate,
            Self::Sgd(config) => config.learning_rate,
        }
    }

    fn check(&self) -> Result<(), Error> {
        match self {
            Self::Adam(config) => config.check(),
            Self::Sgd(config) => config.check(),
        }
    }

    fn clip_norm(&self) -> Option<f64> {
        match self {
            Self::Adam(config) => config.clip_norm,
            Self::Sgd(config) => config.clip_norm,
        }
    }

    /// What is kept of each parameter, by its name in checkpoints.
    fn state(&self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Adam(_) => ("adam", &["mean", "square", STEPS]),
            Self::Sgd(_) => ("sgd", &["momentum"]),
        }
    }
}

/// The one part of a state that is a number and not of its parameter's shape.
const STEPS: &str = "steps";

/// An optimiser over the trained parameters, with its state.
///
/// A parameter that has no gradient in a step (its part of the model took no part) is left alone, its state included.
#[derive(Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    name: String,
    parameter: Tensor,
    state: Vec<Tensor>,
}

impl Optimizer {
    /// Fresh state.
    ///
    /// # Errors
    /// A setting is outside its domain.
    pub fn new(config: impl Into<OptimizerConfig>, parameters: &Parameters) -> Result<Self, Error> {
        let config = config.into();
        config.check()?;
        let (_, parts) = config.state();
        let slot = |(name, p): (&str, &Tensor)| {
            let fresh = |part: &&str| match *part {
                STEPS => Tensor::zeros([], (Kind::Float, p.device())),
                _ => p.detach().zeros_like(),
            };
            let state = parts.iter().map(fresh).collect();
            Slot { name: name.to_owned(), parameter: p.shallow_clone(), state }
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
        self.step_with(factor, &Workers::alone())
    }

    /// The same from the sums of all workers' gradients.
    pub(crate) fn step_with(&mut self, factor: f64, workers: &Workers) -> Result<(), Error> {
        variata_torch_bridge::no_grad(|| {
            let active: Vec<&Slot> = self.slots.iter().filter(|s| s.parameter.grad().defined()).collect();
            let mut gradients: Vec<Tensor> = active.iter().map(|s| s.parameter.grad()).collect();
            workers.sum_gradients(&gradients)?;
            if let Some(limit) = self.config.clip_norm() {
                clip_gradients(&mut gradients, limit);
            }
            let parameters: Vec<Tensor> = active.iter().map(|s| s.parameter.shallow_clone()).collect();
            let part = |k: usize| active.iter().map(|s| s.state[k].shallow_clone()).collect();
            let state: Vec<Vec<Tensor>> = (0..self.config.state().1.len()).map(part).collect();
            match &self.config {
                OptimizerConfig::Adam(config) => config.step(&parameters, &gradients, &state, factor),
                OptimizerConfig::Sgd(config) => config.step(&parameters, &gradients, &state, factor),
            }
        })
    }

    /// Names and tensors of the state, for checkpoints; the tensors share the optimiser's memory.
    pub(crate) fn state(&self) -> Vec<(String, Tensor)> {
        let (kind, parts) = self.config.state();
        let of = |slot: &Slot| {
            let named = parts.iter().zip(&slot.state);
            named
                .map(|(part, t)| (format!("{kind}/{}/{part}", slot.name), t.shallow_clone()))
                .collect::<Vec<_>>()
        };
        self.slots.iter().flat_map(of).collect()
    }
}

/// Refuses the first value that is not as it must be: setting, value, whether it is right, what it must be.
fn check_all(checks: &[(&'static str, f64, bool, &str)]) -> Result<(), Error> {
    match checks.iter().find(|(_, value, ok, _)| !(*ok && value.is_finite())) {
        None => Ok(()),
        Some(&(setting, value, _, must)) => {
            Err(Error::Config { setting, value: value.to_string(), must: must.into() })
        }
    }
}
