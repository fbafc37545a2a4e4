//! Optimisers, by name in a preset file.

mod adam;
mod sgd;

use serde::{Deserialize, Serialize};
use tch::Tensor;

pub use adam::{Adam, AdamConfig};
pub use sgd::{Sgd, SgdConfig};

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
}

/// An optimiser with its state.
#[derive(Debug)]
pub enum Optimizer {
    /// Adam or AdamW.
    Adam(Adam),
    /// SGD with momentum.
    Sgd(Sgd),
}

impl Optimizer {
    /// Fresh state.
    ///
    /// # Errors
    /// A setting is outside its domain.
    pub fn new(config: OptimizerConfig, parameters: &Parameters) -> Result<Self, Error> {
        Ok(match config {
            OptimizerConfig::Adam(config) => Self::Adam(Adam::new(config, parameters)?),
            OptimizerConfig::Sgd(config) => Self::Sgd(Sgd::new(config, parameters)?),
        })
    }

    /// Drops the gradients of the last step.
    pub fn zero_grad(&mut self) {
        match self {
            Self::Adam(adam) => adam.zero_grad(),
            Self::Sgd(sgd) => sgd.zero_grad(),
        }
    }

    /// One update from the gradients that backward left, with the learning rate times `factor`.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn step(&mut self, factor: f64) -> Result<(), Error> {
        match self {
            Self::Adam(adam) => adam.step(factor),
            Self::Sgd(sgd) => sgd.step(factor),
        }
    }

    /// Names and tensors of the state, for checkpoints; the tensors share the optimiser's memory.
    pub(crate) fn state(&self) -> Vec<(String, Tensor)> {
        match self {
            Self::Adam(adam) => adam.state(),
            Self::Sgd(sgd) => sgd.state(),
        }
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
