//! The best validation of a run, kept.

use tch::Tensor;

use super::checkpoint::{BEST, Best};
use super::{EpochRecord, RunState, Trainable};
use crate::Error;

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Large ones.
    Higher,
    /// Small ones.
    Lower,
}

/// What a run keeps of its best validation.
pub(super) struct Kept {
    metric: String,
    better: Better,
    copies: Vec<(String, Tensor)>,
}

impl Kept {
    pub(super) fn new(model: &impl Trainable, metric: impl Into<String>, better: Better) -> Self {
        let tensors = model.parameters().iter();
        let copies = tensors.map(|(name, t)| (format!("{BEST}{name}"), t.detach().copy())).collect();
        Self { metric: metric.into(), better, copies }
    }

    /// Makes the model what it was at its best.
    pub(super) fn restore(&self, model: &impl Trainable) -> Result<(), Error> {
        copy(self.copies.iter().map(|(_, t)| t).zip(model.parameters().iter().map(|(_, t)| t)))
    }

    pub(super) fn tensors(&self) -> impl Iterator<Item = (String, Tensor)> {
        self.copies.iter().map(|(name, t)| (name.clone(), t.shallow_clone()))
    }

    /// Takes a copy of the model where an epoch's metric is the best so far.
    pub(super) fn hear(
        &mut self,
        record: &EpochRecord,
        model: &impl Trainable,
        state: &mut RunState,
    ) -> Result<(), Error> {
        if record.validation.is_empty() {
            return Ok(());
        }
        let Some(value) = record.validation(&self.metric).filter(|value| !value.is_nan()) else {
            return Err(Error::config(
                "keep_best",
                &self.metric,
                "a metric that validation gives as a number",
            ));
        };
        let improves = state.best.is_none_or(|best| match self.better {
            Better::Higher => value > best.value,
            Better::Lower => value < best.value,
        });
        if improves {
            state.best = Some(Best { step: record.step, value });
            copy(model.parameters().iter().map(|(_, t)| t).zip(self.copies.iter().map(|(_, t)| t)))?;
        }
        Ok(())
    }
}

/// Copies each first tensor into the second.
fn copy<'t>(pairs: impl Iterator<Item = (&'t Tensor, &'t Tensor)>) -> Result<(), Error> {
    variata_torch_bridge::no_grad(|| {
        for (from, to) in pairs {
            to.shallow_clone().f_copy_(from)?;
        }
        Ok(())
    })
}
