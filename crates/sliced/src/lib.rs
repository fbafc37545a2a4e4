#![doc = include_str!("../README.md")]

mod anderson_darling;
mod cells;
mod column;
mod cramer_von_mises;
mod cramer_wold;
mod directions;
mod distance;
mod error;
mod kolmogorov_smirnov;
mod order;
mod project;
mod quadrature;
mod sample;
mod sliced;
mod target;
mod wasserstein;

pub use directions::Directions;
pub use distance::{Bandwidth, Discrepancy, Distance};
pub use error::Error;
pub use sample::{Compute, Sample};
pub use sliced::Sliced;
pub use target::{Affine, Target};
