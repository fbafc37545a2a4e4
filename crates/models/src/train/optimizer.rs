//! Optimisers, by name in a preset file.

mod adam;
mod sgd;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

pub use adam::AdamConfig;
pub use sgd::SgdConfig;

use super::Workers;
use super::clip::{clip_gradients, norms};
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
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
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

    /// Refuses settings that [`Optimizer::new`] would refuse.
    ///
    /// # Errors
    /// [`Error::Config`] with the setting that is outside its range.
    pub fn check(&self) -> Result<(), Error> {
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
/// A parameter that backward gave nothing since [`zero_grad`](Self::zero_grad) (its part of the model took no part) is left alone, its
/// state included.
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

impl Slot {
    /// Whether backward has given a gradient since the last one was dropped.
    fn is_active(&self) -> bool {
        self.parameter.grad().defined()
    }
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
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn zero_grad(&mut self) -> Result<(), Error> {
        Ok(variata_torch_bridge::drop_gradients(self.slots.iter().map(|slot| &slot.parameter))?)
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
            let active = workers.any(self.slots.iter().map(Slot::is_active).collect())?;
            let active = self.slots.iter().zip(active).filter(|(_, active)| *active);
            let active: Vec<&Slot> = active.map(|(slot, _)| slot).collect();
            let gradient = |s: &&Slot| match s.parameter.grad() {
                gradient if gradient.defined() => gradient,
                // Another worker's share has moved it.
                _ => s.parameter.zeros_like(),
            };
            let mut gradients: Vec<Tensor> = active.iter().map(gradient).collect();
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

    /// The norm of the last step's gradient, or else a parameter by name with its norm, where that is not a finite number; one transfer
    /// from the device.
    pub(crate) fn nonfinite(&self) -> Result<Option<(String, f64)>, Error> {
        variata_torch_bridge::no_grad(|| {
            let gradients: Vec<Tensor> =
                self.slots.iter().map(|s| s.parameter.grad()).filter(Tensor::defined).collect();
            let parameters: Vec<Tensor> = self.slots.iter().map(|s| s.parameter.shallow_clone()).collect();
            let all: Vec<Tensor> = norms(&gradients).into_iter().chain(norms(&parameters)).collect();
            if all.is_empty() {
                return Ok(None);
            }
            let all = Tensor::f_stack(&all, 0).and_then(Vec::<f64>::try_from);
            let all = all?;
            let (of_gradients, of_parameters) = all.split_at(gradients.len());
            let norm = of_gradients.iter().map(|n| n * n).sum::<f64>().sqrt();
            if !norm.is_finite() {
                return Ok(Some(("gradient".to_owned(), norm)));
            }
            let found = self.slots.iter().zip(of_parameters).find(|(_, norm)| !norm.is_finite());
            Ok(found.map(|(slot, norm)| (slot.name.clone(), *norm)))
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
