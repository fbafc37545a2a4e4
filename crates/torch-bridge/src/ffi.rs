//! The shim's C interface and the one place where its messages become errors.

use std::ffi::{c_char, c_int, c_void};

use tch::Tensor;
use torch_sys::C_tensor;

use crate::Error;

pub(crate) type Backward = unsafe extern "C" fn(
    state: *mut c_void,
    upstream: *mut C_tensor,
    grads: *mut *mut C_tensor,
    n: usize,
    message: *mut c_char,
    capacity: usize,
) -> c_int;
pub(crate) type Task = unsafe extern "C" fn(state: *const c_void);
pub(crate) type Drop = unsafe extern "C" fn(state: *mut c_void);

unsafe extern "C" {
    pub(crate) fn vb_take_error(buffer: *mut c_char, capacity: usize) -> usize;
    pub(crate) fn vb_attach(
        value: *mut C_tensor,
        inputs: *const *const C_tensor,
        n: usize,
        name: *const c_char,
        backward: Backward,
        drop: Drop,
        state: *mut c_void,
    ) -> c_int;
    pub(crate) fn vb_drop_gradients(tensors: *const *const C_tensor, n: usize) -> c_int;
    pub(crate) fn vb_fused_adam(
        params: *const *const C_tensor,
        grads: *const *const C_tensor,
        means: *const *const C_tensor,
        squares: *const *const C_tensor,
        steps: *const *const C_tensor,
        n: usize,
        decoupled: c_int,
        lr: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        eps: f64,
    ) -> c_int;
    pub(crate) fn vb_fused_sgd(
        params: *const *const C_tensor,
        grads: *const *const C_tensor,
        momenta: *const *const C_tensor,
        n: usize,
        nesterov: c_int,
        lr: f64,
        momentum: f64,
        weight_decay: f64,
    ) -> c_int;
    pub(crate) fn vb_thread_count() -> c_int;
    pub(crate) fn vb_on_each_thread(task: Task, state: *const c_void) -> c_int;
    pub(crate) fn vb_from_owned(
        data: *mut c_void,
        sizes: *const i64,
        dims: usize,
        kind: i8,
        drop: Drop,
        state: *mut c_void,
    ) -> *mut C_tensor;
    pub(crate) fn vb_channels_last(tensor: *const C_tensor) -> *mut C_tensor;
    pub(crate) fn vb_set_autocast(device: i8, enabled: *mut c_int, dtype: *mut i8, entering: c_int) -> c_int;
    pub(crate) fn vb_allow_tf32(allowed: c_int) -> c_int;
    pub(crate) fn vb_version_text() -> *const c_char;
    pub(crate) fn vb_version(tensor: *const C_tensor) -> i64;
    pub(crate) fn vb_has_plain_storage(tensor: *const C_tensor) -> c_int;
    pub(crate) fn vb_is_packed(tensor: *const C_tensor) -> c_int;
    pub(crate) fn vb_is_dense(tensor: *const C_tensor) -> c_int;
}

/// The pointers of some tensors, valid while the tensors are borrowed.
pub(crate) fn pointers<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> Vec<*const C_tensor> {
    tensors.into_iter().map(Tensor::as_ptr).collect()
}

/// The shim's message, first line only: the rest is a C++ backtrace.
pub(crate) fn last_error() -> Error {
    let mut buffer = [0u8; 1024];
    // SAFETY: the shim writes at most `capacity` bytes.
    let n = unsafe { vb_take_error(buffer.as_mut_ptr().cast(), buffer.len()) };
    let text = String::from_utf8_lossy(&buffer[..n.min(buffer.len())]);
    Error::Torch { message: text.lines().next().unwrap_or("").to_owned() }
}
