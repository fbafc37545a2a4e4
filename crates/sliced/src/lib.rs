#![doc = include_str!("../README.md")]

mod anderson_darling;
mod cells;
mod column;
mod cramer_von_mises;
mod cramer_wold;
mod direct;
mod directions;
mod distance;
mod error;
mod kolmogorov_smirnov;
mod kummer;
mod loss;
mod mardia;
mod max_sliced;
mod mmd;
mod network;
mod normal;
mod null;
mod order;
mod pairs;
mod project;
mod quadrature;
mod recent;
mod sliced;
mod target;
#[cfg(feature = "torch")]
pub mod torch;
mod two_sample;
mod vectors;
mod wasserstein;

pub use direct::{CramerWold, SphereMean};
pub use directions::Directions;
pub use distance::{Bandwidth, Discrepancy, Distance};
pub use error::Error;
pub use loss::Loss;
pub use mardia::{Mardia, mardia, mardia_standardised};
pub use max_sliced::{MaxSliced, MaxSlicedOptions};
pub use mmd::{Kernel, Mmd, MmdEstimator};
pub use null::GoodnessOfFit;
pub use sliced::Sliced;
pub use target::{Affine, Target};
pub use two_sample::{TwoSample, TwoSampleGrad};
#[doc(inline)]
pub use variata_distributions::lanes::{Compute, Sample};
