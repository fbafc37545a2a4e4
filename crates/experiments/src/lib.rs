#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

pub mod cli;
mod digest;
mod everything;
mod features;
mod page;
pub mod papers;
mod parallel;
mod pixels;
mod preset;
mod run_data;
mod session;
pub mod settings;
mod shard;
mod stopping;
mod studio;
mod subset;
mod tensors;
mod tsne;
mod workers;

pub use preset::{Preset, PresetSource};
pub use session::{Session, SessionOptions, TrainJob};
pub use shard::{Part, Shard};
pub use workers::Joined;
