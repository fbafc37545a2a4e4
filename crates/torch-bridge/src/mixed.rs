//! What makes convolutions faster on some processors: the memory format channels-last, and arithmetic in bf16.

use std::ffi::c_int;

use tch::{Device, Tensor};

use crate::{Error, ffi};

/// libtorch's code of [`tch::Kind::BFloat16`].
const BF16: i8 = 15;

/// The same images or weights, [n, channels, height, width], with the channels of a pixel next to each other in memory; a copy
/// unless they lie so already. Shape and values stay, and gradients flow through it.
///
/// On the CPU, keep 1×1 convolutions of such images with a stride to 16 input channels and more (output channels where they are
/// transposed): oneDNN writes beyond its memory in the gradient of fewer, <https://github.com/uxlfoundation/oneDNN/issues/6035>.
///
/// # Errors
/// The tensor is undefined, has no plain dense memory, or has another number of axes than four.
///
/// # Examples
/// ```
/// use variata_torch_bridge::{channels_last, tch::{Device, Kind, Tensor}};
/// let x = Tensor::zeros([2, 3, 4, 5], (Kind::Float, Device::Cpu));
/// assert_eq!(x.stride(), [60, 20, 5, 1]);
/// assert_eq!(channels_last(&x)?.stride(), [60, 1, 15, 3]);
/// # Ok::<(), variata_torch_bridge::Error>(())
/// ```
pub fn channels_last(tensor: &Tensor) -> Result<Tensor, Error> {
    let argument = "tensor";
    if !tensor.defined() {
        return Err(Error::Undefined { argument });
    }
    // SAFETY: the pointer is that of a live tensor.
    if unsafe { ffi::vb_is_dense(tensor.as_ptr()) } == 0 {
        return Err(Error::Layout { argument });
    }
    if tensor.dim() != 4 {
        return Err(Error::Shape { argument, got: tensor.size(), want: "of rank 4".to_owned() });
    }
    // SAFETY: as above.
    let raw = unsafe { ffi::vb_channels_last(tensor.as_ptr()) };
    if raw.is_null() {
        return Err(ffi::last_error());
    }
    // SAFETY: the shim returned an owned tensor.
    Ok(unsafe { Tensor::from_ptr(raw) })
}

/// Runs `f` with libtorch's autocast to bf16 on a type of device: convolutions and matrix products round their f32 operands to 8 bits
/// of mantissa and give bf16; what needs the digits, such as the statistics of batch norm, stays in f32. Weights are rounded once for the
/// whole of `f`. The earlier state comes back also when `f` panics.
///
/// It is the state of this thread alone. Backward passes belong outside: they follow the kinds of the forward pass by themselves.
///
/// # Errors
/// libtorch has no autocast for the device; `f` is not called then.
///
/// # Examples
/// ```
/// use variata_torch_bridge::{autocast_bf16, tch::{Device, Kind, Tensor}};
/// let a = Tensor::ones([2, 2], (Kind::Float, Device::Cpu));
/// assert_eq!(autocast_bf16(Device::Cpu, || a.matmul(&a))?.kind(), Kind::BFloat16);
/// assert_eq!(a.matmul(&a).kind(), Kind::Float);
/// # Ok::<(), variata_torch_bridge::Error>(())
/// ```
pub fn autocast_bf16<R>(device: Device, f: impl FnOnce() -> R) -> Result<R, Error> {
    struct Restore(i8, State);
    impl Drop for Restore {
        fn drop(&mut self) {
            // What was set once can be set again.
            let _ = self.1.swap(self.0, false);
        }
    }
    let device = type_code(device);
    let before = State { enabled: 1, dtype: BF16 }.swap(device, true)?;
    let _restore = Restore(device, before);
    Ok(f())
}

/// Autocast of a type of device.
#[derive(Clone, Copy)]
struct State {
    enabled: c_int,
    dtype: i8,
}

impl State {
    /// Makes it this thread's and returns the one before.
    fn swap(mut self, device: i8, entering: bool) -> Result<Self, Error> {
        // SAFETY: both pointers are of this frame; the shim reads and writes one number through each.
        let failed = unsafe {
            ffi::vb_set_autocast(device, &raw mut self.enabled, &raw mut self.dtype, c_int::from(entering))
        };
        if failed == 0 { Ok(self) } else { Err(ffi::last_error()) }
    }
}

/// libtorch's code of a type of device.
fn type_code(device: Device) -> i8 {
    match device {
        Device::Cpu => 0,
        Device::Cuda(_) => 1,
        Device::Vulkan => 10,
        Device::Mps => 13,
    }
}
