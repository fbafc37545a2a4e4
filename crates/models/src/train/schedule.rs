//! The learning rate over the steps.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::check_number;

/// A factor on the learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// Always 1.
    #[default]
    #[serde(deserialize_with = "crate::config::nothing_else")]
    Constant,
    /// Linear rise, then half a cosine down to a final factor, which the step after the last would have.
    Cosine {
        /// Steps of the rise.
        #[serde(default)]
        warmup_steps: u64,
        /// Factor at the end, in [0, 1].
        #[serde(default)]
        final_factor: f64,
    },
}

impl Schedule {
    /// Refuses settings that a training would refuse.
    ///
    /// # Errors
    /// [`Error::Config`] with the setting that is outside its range.
    pub fn check(&self) -> Result<(), Error> {
        match *self {
            Self::Constant => Ok(()),
            Self::Cosine { final_factor: f, .. } => {
                // Below 0 the last steps would climb.
                check_number("final_factor", f, (0.0..=1.0).contains(&f), "in [0, 1]")
            }
        }
    }

    /// The factor at `step` of `total`.
    ///
    /// # Examples
    /// ```
    /// use variata_models::train::Schedule;
    /// let s = Schedule::Cosine { warmup_steps: 0, final_factor: 0.0 };
    /// assert_eq!(s.factor(0, 100), 1.0);
    /// assert!((s.factor(50, 100) - 0.5).abs() < 1e-15);
    /// ```
    pub fn factor(&self, step: u64, total: u64) -> f64 {
        match *self {
            Self::Constant => 1.0,
            Self::Cosine { warmup_steps, .. } if step < warmup_steps => {
                (step + 1) as f64 / warmup_steps as f64
            }
            Self::Cosine { warmup_steps, final_factor } => {
                let span = total.saturating_sub(warmup_steps).max(1) as f64;
                let t = ((step - warmup_steps) as f64 / span).min(1.0);
                final_factor + (1.0 - final_factor) * 0.5 * (1.0 + (std::f64::consts::PI * t).cos())
            }
        }
    }
}
