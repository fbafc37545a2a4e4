//! Batch norm.

use tch::Tensor;

use super::Pass;
use crate::{Error, Init, Path};

/// Weight of the newest batch in the running statistics, and what is added to a variance.
const MOMENTUM: f64 = 0.1;
const EPSILON: f64 = 1e-5;

/// Normalises each channel: by the batch in training, which the running statistics follow, and by these afterwards.
#[derive(Debug)]
pub(super) struct BatchNorm {
    scale: Tensor,
    shift: Tensor,
    mean: Tensor,
    variance: Tensor,
}

impl BatchNorm {
    pub(super) fn new(path: &mut Path<'_>, channels: i64) -> Result<Self, Error> {
        Ok(Self {
            scale: path.parameter("scale", &[channels], Init::Constant(1.0))?,
            shift: path.parameter("shift", &[channels], Init::Constant(0.0))?,
            mean: path.buffer("running_mean", &[channels], Init::Constant(0.0))?,
            variance: path.buffer("running_variance", &[channels], Init::Constant(1.0))?,
        })
    }

    pub(super) fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        let (scale, shift) = (Some(&self.scale), Some(&self.shift));
        let running = (Some(&self.mean), Some(&self.variance));
        let training = pass == Pass::Training;
        x.batch_norm(scale, shift, running.0, running.1, training, MOMENTUM, EPSILON, true)
    }
}
