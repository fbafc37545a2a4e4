//! Densities, KL terms, entropies, special functions and Gaussian distances.

mod bernoulli;
mod categorical;
mod elementwise;
mod error;
mod gumbel;
mod laplace;
mod location_scale;
mod logistic;
mod noise;
mod normal;
mod real;
mod uniform;

pub mod check;
pub mod kl;
pub mod special;
#[cfg(feature = "torch")]
pub mod torch;

pub use bernoulli::{Bernoulli, BernoulliLogProbGrad, LogitsGrad};
pub use categorical::{Categorical, CategoricalLogProbGrad};
pub use error::{ArgumentError, Error};
pub use gumbel::{Gumbel, StandardGumbel};
pub use kl::{KlDivergence, KlGrad, UniformCategories};
pub use laplace::{Laplace, StandardLaplace};
pub use location_scale::{
    LocationScale, LocationScaleGrad, LocationScaleLogProbGrad, LocationScaleRsampleGrad, Standard,
};
pub use logistic::{Logistic, StandardLogistic};
pub use normal::{Normal, StandardNormal};
pub use real::Real;
pub use uniform::{Uniform, UniformGrad, UniformLogProbGrad, UniformRsampleGrad};
