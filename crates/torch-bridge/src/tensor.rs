//! Tensors from arrays and back.

use std::ffi::c_void;

use ndarray::{Array, ArrayD, Dimension};
use tch::{Kind, Tensor};

use crate::{Error, ffi, lend};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for i64 {}
    impl Sealed for u8 {}
}

/// Element types that tensors and arrays share.
pub trait Element: sealed::Sealed + tch::kind::Element + Copy + Send + Sync + 'static {
    /// libtorch's code of [`tch::kind::Element::KIND`].
    #[doc(hidden)]
    const CODE: i8;
}
impl Element for f32 {
    const CODE: i8 = 6;
}
impl Element for f64 {
    const CODE: i8 = 7;
}
impl Element for i64 {
    const CODE: i8 = 4;
}
impl Element for u8 {
    const CODE: i8 = 0;
}

/// A CPU tensor that copies the slice, after checking that the slice fills the shape exactly (tch's own constructor
/// reads past a slice that is too short).
///
/// # Errors
/// [`Error::Length`].
///
/// # Examples
/// ```
/// let t = variata_torch_bridge::tensor_from_slice(&[1f32, 2.0, 3.0, 4.0], &[2, 2])?;
/// assert_eq!(t.size(), [2, 2]);
/// assert!(variata_torch_bridge::tensor_from_slice(&[1f32], &[2, 2]).is_err());
/// # Ok::<(), variata_torch_bridge::Error>(())
/// ```
pub fn tensor_from_slice<F: Element>(data: &[F], shape: &[usize]) -> Result<Tensor, Error> {
    let want = shape.iter().try_fold(1usize, |a, &n| a.checked_mul(n));
    if want != Some(data.len()) {
        return Err(Error::Length {
            got: data.len(),
            want: want.unwrap_or(usize::MAX),
            shape: shape.to_vec(),
        });
    }
    let size: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
    Ok(Tensor::f_from_slice(data)?.f_reshape(&size)?)
}

/// A CPU tensor that takes the array's memory over: no copy when the array is in standard layout.
///
/// # Errors
/// [`Error::Torch`] when libtorch refuses.
///
/// # Examples
/// ```
/// let t = variata_torch_bridge::tensor_from_array(ndarray::array![[1f64, 2.0], [3.0, 4.0]])?;
/// assert_eq!(t.double_value(&[1, 0]), 3.0);
/// # Ok::<(), variata_torch_bridge::Error>(())
/// ```
pub fn tensor_from_array<F: Element, D: Dimension>(array: Array<F, D>) -> Result<Tensor, Error> {
    unsafe extern "C" fn free<F>(state: *mut c_void) {
        // SAFETY: `state` is the box made below, handed back once by the tensor's deleter.
        drop(unsafe { Box::from_raw(state.cast::<Vec<F>>()) });
    }
    let size: Vec<i64> = array.shape().iter().map(|&n| n as i64).collect();
    if array.is_empty() {
        return Ok(Tensor::f_zeros(&size, (F::KIND, tch::Device::Cpu))?);
    }
    let array = if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() };
    let (vec, offset) = array.into_raw_vec_and_offset();
    let offset = offset.unwrap_or(0);
    let mut owner = Box::new(vec);
    // In standard layout the first element of the array lies `offset` elements into its allocation.
    let data = owner[offset..].as_mut_ptr();
    // SAFETY: `data` points to size.product() elements inside `owner`, which the deleter frees exactly once.
    let raw = unsafe {
        ffi::vb_from_owned(
            data.cast(),
            size.as_ptr(),
            size.len(),
            F::CODE,
            free::<F>,
            Box::into_raw(owner).cast(),
        )
    };
    if raw.is_null() {
        return Err(ffi::last_error());
    }
    // SAFETY: the shim returned an owned tensor.
    Ok(unsafe { Tensor::from_ptr(raw) })
}

/// An array with a copy of the tensor's elements, from any device and any floating kind.
///
/// # Errors
/// The tensor is undefined or cannot be converted to `F`.
///
/// # Examples
/// ```
/// let t = tch::Tensor::from_slice(&[1f32, 2.0]);
/// let a = variata_torch_bridge::tensor_into_array::<f64>("t", &t)?;
/// assert_eq!(a[[1]], 2.0);
/// # Ok::<(), variata_torch_bridge::Error>(())
/// ```
pub fn tensor_into_array<F: Element>(argument: &'static str, tensor: &Tensor) -> Result<ArrayD<F>, Error> {
    if !tensor.defined() {
        return Err(Error::Undefined { argument });
    }
    let mut host =
        tensor.detach().f_to_device(tch::Device::Cpu)?.f_to_kind(<F as tch::kind::Element>::KIND)?;
    // SAFETY: the pointer is that of a live tensor.
    if unsafe { ffi::vb_has_plain_storage(host.as_ptr()) } == 0 {
        // A lazy view, or a zero tensor that autograd made: give it memory.
        let mut filled = Tensor::f_zeros(host.size(), (host.kind(), tch::Device::Cpu))?;
        filled.f_copy_(&host)?;
        host = filled;
    }
    lend(argument, &host, |view: ndarray::ArrayViewD<'_, F>| view.to_owned())
}

/// Float kinds that have a native kernel.
pub(crate) fn has_kernel(kind: Kind) -> bool {
    matches!(kind, Kind::Float | Kind::Double)
}
