#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod editor;
mod error;
mod generator;
mod link;
mod paint;
mod picture;
mod pixels;
mod serve;
mod server;
mod sessions;
mod state;

pub use error::Error;
pub use generator::{Decoded, Generator};
pub use server::{Options, Server};
