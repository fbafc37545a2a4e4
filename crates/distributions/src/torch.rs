//! The tensor home: the same names on `tch::Tensor`, differentiable, on the CPU or a GPU.
//!
//! A routed function takes value and gradient from the native kernel on plain CPU tensors of kind `Float` or `Double`, and
//! from its `_composed` form, which autograd differentiates, elsewhere; [`variata_torch_bridge::route`] decides. Routed
//! so far: [`kl_standard_normal`]. The other functions here run composed everywhere.
//!
//! ```
//! use variata_distributions::torch::DiagonalNormal;
//! use variata_torch_bridge::tch::{Kind, Tensor};
//!
//! let loc = Tensor::from_slice(&[0.5f64, -1.0]).view([1, 2]).set_requires_grad(true);
//! let q = DiagonalNormal::from_log_variance(loc.shallow_clone(), loc.zeros_like())?;
//! let kl = q.kl_standard_normal()?;
//! assert_eq!(kl.double_value(&[0]), 0.625);
//! kl.sum(Kind::Double).backward();
//! assert_eq!(loc.grad().double_value(&[0, 1]), -1.0);
//! # Ok::<(), variata_distributions::Error>(())
//! ```

mod bernoulli;
mod diagonal_normal;

pub use bernoulli::{Bernoulli, bernoulli_log_prob_composed};
pub use diagonal_normal::{
    DiagonalNormal, diagonal_normal_log_prob_composed, kl_standard_normal, kl_standard_normal_composed,
};
