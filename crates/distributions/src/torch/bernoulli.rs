//! Bernoulli with logits, on tensors.

use tch::Tensor;

use crate::{ArgumentError, Error};

/// Tensor form of the Bernoulli distribution; formula and limits are given at the native one.
#[derive(Debug)]
pub struct Bernoulli {
    logits: Tensor,
}

impl Bernoulli {
    /// A distribution for each element of `logits`.
    pub fn new(logits: Tensor) -> Self {
        Self { logits }
    }

    /// The logits.
    pub fn logits(&self) -> &Tensor {
        &self.logits
    }

    /// `x·l − softplus(l)` for each element, for x in [0, 1]; shapes must be equal.
    ///
    /// # Errors
    /// `x` has another shape than the logits.
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor, Error> {
        if x.size() != self.logits.size() {
            return Err(ArgumentError::Shape {
                argument: "x",
                got: x.size().iter().map(|&n| n as usize).collect(),
                want: format!("{:?}", self.logits.size()),
            }
            .into());
        }
        Ok(bernoulli_log_prob_composed(x, &self.logits))
    }
}

/// The same log-density as tensor operations: any device, any derivative order.
pub fn bernoulli_log_prob_composed(x: &Tensor, logits: &Tensor) -> Tensor {
    x * logits - logits.clamp_min(0.0) - (-logits.abs()).exp().log1p()
}
