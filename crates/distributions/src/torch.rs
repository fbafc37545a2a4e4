//! The tensor home: the same names on `tch::Tensor`, differentiable, on the CPU or a GPU.
//!
//! On plain CPU tensors of kind `Float` or `Double` the value and the gradient come from the native kernel; elsewhere
//! from the `_composed` form, which autograd differentiates. [`variata_torch_bridge::route`] decides.

mod bernoulli;
mod diagonal_normal;

pub use bernoulli::{Bernoulli, bernoulli_log_prob_composed};
pub use diagonal_normal::{
    DiagonalNormal, diagonal_normal_log_prob_composed, kl_standard_normal, kl_standard_normal_composed,
};
