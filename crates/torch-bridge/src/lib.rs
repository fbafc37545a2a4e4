#![doc = include_str!("../README.md")]

mod device;
mod error;
mod ffi;
mod grad_mode;
mod gradient;
mod memory;
mod mixed;
mod optimizer;
mod route;
mod tensor;
mod threads;
mod variables;
mod view;

pub use device::{DeviceChoice, allow_tf32, cuda_problem, libtorch_version, load_cuda};
pub use error::Error;
pub use grad_mode::{grad_is_enabled, no_grad, with_grad};
pub use gradient::{attach_backward, attach_gradient, drop_gradients};
pub use memory::keep_freed_memory;
pub use mixed::{autocast_bf16, channels_last};
pub use optimizer::{AdamStep, SgdStep, fused_adam, fused_sgd};
pub use route::{Route, check_dense, check_floating, route};
pub use tensor::{Element, tensor_from_array, tensor_from_slice, tensor_into_array};
pub use threads::{Threads, configure_threads, on_each_thread, thread_count};
pub use variables::ordered_variables;
pub use view::{Saved, lend, lend_all, lend2, lend3};

/// The binding itself, so that a user's version cannot differ from ours.
pub use tch;
