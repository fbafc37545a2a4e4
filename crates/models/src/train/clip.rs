//! Gradient clipping by the global norm.

use tch::{Kind, Tensor};

/// The Euclidean norm of each tensor, in f64 on its device.
pub(crate) fn norms(tensors: &[Tensor]) -> Vec<Tensor> {
    tensors.iter().map(|t| t.norm_scalaropt_dtype(2.0, Kind::Double)).collect()
}

/// Scales the gradients in place so that their joint Euclidean norm is at most `limit`; stays on the device.
pub(crate) fn clip_gradients(gradients: &mut [Tensor], limit: f64) {
    if gradients.is_empty() {
        return;
    }
    let norm = Tensor::stack(&norms(gradients), 0).norm_scalaropt_dtype(2.0, Kind::Double);
    // A zero norm divides to +inf, which the clamp turns into 1. An infinite one leaves NaN, which the loop finds.
    let factor = (norm.reciprocal() * limit).clamp_max(1.0);
    for gradient in gradients {
        let _ = gradient.g_mul_(&factor.to_kind(gradient.kind()));
    }
}
