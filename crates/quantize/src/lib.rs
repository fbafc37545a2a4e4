#![doc = include_str!("../README.md")]

mod candidates;
mod clusters;
mod codebook;
mod ema;
mod error;
mod exact;
mod fsq;
mod gumbel;
mod heads;
mod init;
mod integer;
mod pack;
mod quantize;
mod residual;
mod revive;
mod screen;
mod search;
#[cfg(any(feature = "serde", feature = "safetensors"))]
mod store;
#[cfg(feature = "torch")]
pub mod torch;
mod usage;

pub use clusters::Clusters;
pub use codebook::{Codebook, Metric};
pub use ema::{Ema, Smoothing};
pub use error::Error;
pub use fsq::{Fsq, FsqQuantized};
pub use gumbel::{GumbelGrad, GumbelSoftmax, Noise, Schedule, SoftQuantized, gumbel_noise};
pub use heads::{Heads, HeadsGrad, HeadsQuantized};
pub use init::KMeans;
pub use quantize::{Estimator, Quantized, QuantizedGrad, Upstream};
pub use residual::{Residual, ResidualGrad, ResidualQuantized};
pub use revive::Revival;
pub use usage::{SoftUsage, Usage, UsageWindow};
#[doc(inline)]
pub use variata_distributions::lanes::{Compute, Sample};
