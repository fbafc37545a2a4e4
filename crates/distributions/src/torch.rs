//! The tensor home: the same names on `tch::Tensor`, differentiable, on the CPU or a GPU.
//!
//! A routed function takes value and gradient from the native kernel on plain CPU tensors of kind `Float` or `Double`, and
//! from its `_composed` form, which autograd differentiates to any order, elsewhere; [`variata_torch_bridge::route`]
//! decides. Where tensor operations are at least as fast there is only one form, and its page says so.
//!
//! Shapes, devices and kinds are checked, and errors name the argument; values are not, because looking at them would
//! stall a GPU: what the native home refuses (NaN, a scale that is not > 0) propagates here. Only a full covariance or precision is
//! refused where it is not positive definite, for which its factorisation is waited for. Draws come from libtorch's generator of the
//! device.
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
mod bound;
mod categorical;
mod diagonal_normal;
mod divergence;
mod evaluate;
mod kl;
mod location_scale;
mod math;
pub mod monte_carlo;
mod multivariate_normal;
pub mod special;
mod team;
mod uniform;

pub use bernoulli::Bernoulli;
pub use bound::{effective_sample_size, elbo, iwae_bound, iwae_bound_composed};
pub use categorical::Categorical;
pub use diagonal_normal::{DiagonalNormal, kl_standard_normal, kl_standard_normal_composed};
pub use divergence::{
    frechet_distance, frechet_distance_from_features, jensen_shannon, jensen_shannon_batch,
    jensen_shannon_batch_composed, jensen_shannon_batch_probabilities, jensen_shannon_composed,
    jensen_shannon_probabilities,
};
pub use kl::KlDivergence;
pub use location_scale::{Gumbel, Laplace, LocationScale, Logistic, Normal, TensorStandard};
pub use multivariate_normal::MultivariateNormal;
pub use uniform::Uniform;

/// What the tensor homes of the other crates share with this one.
#[doc(hidden)]
pub mod support {
    pub use super::evaluate::{refused, same_size, signed, size, wanted};
    pub use super::math::{expm1mx, log_ratio};
    pub use super::team::{lend, lend_all, lend2};
}
