#![doc = include_str!("../README.md")]

mod codebook;
mod error;
mod exact;
mod pack;
mod search;

pub use codebook::{Codebook, Metric};
pub use error::Error;
#[doc(inline)]
pub use variata_distributions::lanes::{Compute, Sample};
