//! What keeps a tensor from being lent or a gradient from being attached.

use tch::{Device, Kind, TchError};

/// Errors of the bridge.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tensor was never given a value.
    #[error("`{argument}` is an undefined tensor")]
    Undefined {
        /// Name of the argument.
        argument: &'static str,
    },
    /// The element type is not the one asked for.
    #[error("`{argument}` has kind {got:?}, must be {want:?}")]
    Kind {
        /// Name of the argument.
        argument: &'static str,
        /// Kind found.
        got: Kind,
        /// Kind wanted.
        want: Kind,
    },
    /// The name of no device.
    #[error("device `{name}` is not one of auto, cpu, cuda, cuda:0, cuda:1, ...")]
    DeviceName {
        /// The name found.
        name: String,
    },
    /// Only host memory can be lent.
    #[error("`{argument}` lives on {got:?}, must be on the CPU")]
    Device {
        /// Name of the argument.
        argument: &'static str,
        /// Device found.
        got: Device,
    },
    /// All arguments must be on one device.
    #[error("`{argument}` lives on {got:?}, must be on {want:?} like the arguments before it")]
    Devices {
        /// Name of the argument.
        argument: &'static str,
        /// Device found.
        got: Device,
        /// Device of the first argument.
        want: Device,
    },
    /// Only kinds of real floating-point numbers.
    #[error("`{argument}` has kind {got:?}, must be a floating-point kind")]
    Floating {
        /// Name of the argument.
        argument: &'static str,
        /// Kind found.
        got: Kind,
    },
    /// Sparse, quantised, meta and lazily conjugated or negated tensors have no plain memory.
    #[error("`{argument}` has no plain dense memory (sparse, quantised, meta, or a lazy view)")]
    Layout {
        /// Name of the argument.
        argument: &'static str,
    },
    /// The shape is not the one asked for.
    #[error("`{argument}` has shape {got:?}, must be {want}")]
    Shape {
        /// Name of the argument.
        argument: &'static str,
        /// Shape found.
        got: Vec<i64>,
        /// What is allowed.
        want: String,
    },
    /// The elements do not lie in memory as a kernel walks it.
    #[error("`{argument}[{index}]` has strides {got:?}, must be {want}")]
    Strides {
        /// Name of the argument, a list of tensors.
        argument: &'static str,
        /// Place in the list.
        index: usize,
        /// Strides found.
        got: Vec<i64>,
        /// What is allowed.
        want: String,
    },
    /// Fewer or more elements than the shape needs.
    #[error("{got} elements for shape {shape:?}, which holds {want}")]
    Length {
        /// Elements found.
        got: usize,
        /// Elements needed.
        want: usize,
        /// The shape.
        shape: Vec<usize>,
    },
    /// The memory was written through another alias while it was lent, or after it was saved for a gradient.
    #[error("`{argument}` was changed in place while it was lent or saved for a gradient")]
    Mutated {
        /// Name of the argument.
        argument: &'static str,
    },
    /// CUDA was asked for and cannot be used.
    #[error("CUDA cannot be used: {reason}; `cargo xtask setup --cuda` fetches what libtorch needs for it")]
    Cuda {
        /// Why, as the loader or libtorch says it.
        reason: String,
    },
    /// More threads than anybody can mean.
    #[error("{asked} threads were asked for, must be at most 65536")]
    TooManyThreads {
        /// How many.
        asked: usize,
    },
    /// A thread pool was already started with another size.
    #[error("the {pool} thread pool has {got} threads, asked for {want}")]
    Threads {
        /// Which pool.
        pool: &'static str,
        /// Threads running.
        got: usize,
        /// Threads asked for.
        want: usize,
    },
    /// libtorch failed; the first line of its message.
    #[error("libtorch: {message}")]
    Torch {
        /// The message.
        message: String,
    },
}

impl From<TchError> for Error {
    fn from(error: TchError) -> Self {
        let text = error.to_string();
        Self::Torch { message: text.lines().next().unwrap_or("").to_owned() }
    }
}
