//! Densities, KL terms, entropies, special functions and Gaussian distances.

mod error;
mod real;

pub mod check;
pub mod special;

pub use error::{ArgumentError, Error};
pub use real::Real;
