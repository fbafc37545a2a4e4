#![doc = include_str!("../README.md")]

mod bernoulli;
mod bound;
mod categorical;
mod diagonal_normal;
mod divergence;
mod elementwise;
mod error;
mod frechet;
mod gumbel;
mod laplace;
mod location_scale;
mod logistic;
mod memory;
mod multivariate_normal;
mod noise;
mod normal;
mod real;
mod sample;
mod simd;
mod sums;
mod uniform;

pub mod check;
pub mod kl;
/// What vectorised loops of the other crates of this workspace need; no promise is made to others.
#[doc(hidden)]
pub mod lanes {
    pub use crate::memory::{in_large_pages, keep_together};
    pub use crate::sample::{Compute, Sample};
    pub use crate::simd::functions::{
        Comparison, ROUND, coarse_tail_and_density, compare, exp, mul_add, upper_tail_and_density,
    };
    pub use crate::simd::lane::{Lane, NARROW, STEP, array, fused, step, tile, transpose, widest};
    pub use crate::sums::{Sum, sum, two_sum};
}
#[doc(hidden)]
pub mod linalg;
#[doc(hidden)]
pub mod parallel;
pub mod special;
#[cfg(feature = "torch")]
pub mod torch;

pub use bernoulli::{Bernoulli, BernoulliLogProbGrad, LogitsGrad};
pub use bound::{effective_sample_size, elbo, iwae_bound, iwae_bound_with_grad};
pub use categorical::{Categorical, CategoricalLogProbGrad};
pub use diagonal_normal::{DiagonalNormal, DiagonalNormalGrad, DiagonalNormalLogProbGrad, SpreadKind};
pub use divergence::{
    jensen_shannon, jensen_shannon_batch, jensen_shannon_batch_probabilities, jensen_shannon_batch_with_grad,
    jensen_shannon_batch_with_grad_into, jensen_shannon_probabilities, jensen_shannon_with_grad,
};
pub use error::{ArgumentError, Error};
pub use frechet::{
    FrechetGrad, frechet_distance, frechet_distance_from_features, frechet_distance_with_grad,
};
pub use gumbel::{Gumbel, StandardGumbel};
pub use kl::{
    KlDivergence, KlGrad, StandardMultivariateNormal, UniformCategories, kl_standard_normal,
    kl_standard_normal_with_grad, kl_standard_normal_with_grad_into,
};
pub use laplace::{Laplace, StandardLaplace};
pub use location_scale::{
    LocationScale, LocationScaleGrad, LocationScaleLogProbGrad, LocationScaleRsampleGrad, Standard,
};
pub use logistic::{Logistic, StandardLogistic};
pub use multivariate_normal::{
    MultivariateNormal, MultivariateNormalGrad, MultivariateNormalLogProbGrad, MultivariateNormalRsampleGrad,
};
pub use normal::{Normal, StandardNormal};
pub use real::Real;
pub use uniform::{Uniform, UniformGrad, UniformLogProbGrad, UniformRsampleGrad};
