//! Lending the memory of CPU tensors to native kernels, without a copy.

use ndarray::{ArrayView, ArrayViewD, Dimension, IxDyn, ShapeBuilder};
use tch::{Device, Tensor};

use crate::{Element, Error, ffi};

/// Why `tensor` cannot be lent as elements `F`, if it cannot.
fn check<F: Element>(argument: &'static str, tensor: &Tensor) -> Result<(), Error> {
    if !tensor.defined() {
        return Err(Error::Undefined { argument });
    }
    if tensor.kind() != F::KIND {
        return Err(Error::Kind { argument, got: tensor.kind(), want: F::KIND });
    }
    if tensor.device() != Device::Cpu {
        return Err(Error::Device { argument, got: tensor.device() });
    }
    // SAFETY: the pointer is that of a live tensor.
    if unsafe { ffi::vb_has_plain_storage(tensor.as_ptr()) } == 0 {
        return Err(Error::Layout { argument });
    }
    Ok(())
}

/// Calls `f` with a view of the tensor's own memory, whatever its strides.
///
/// The view lives no longer than the call, on the calling thread; `f` may hand it to rayon. Nothing is copied.
///
/// # Errors
/// `tensor` is undefined, not of kind `F`, not on the CPU, or without plain memory; or `f`, through an alias of the
/// tensor, changed it in place meanwhile (found out afterwards by libtorch's version counter).
///
/// # Examples
/// ```
/// use tch::Tensor;
/// let t = Tensor::from_slice(&[1f32, 2.0, 3.0]);
/// let sum = variata_torch_bridge::lend("t", &t, |v: ndarray::ArrayViewD<'_, f32>| v.sum())?;
/// assert_eq!(sum, 6.0);
/// # Ok::<(), variata_torch_bridge::Error>(())
/// ```
pub fn lend<F: Element, R>(
    argument: &'static str,
    tensor: &Tensor,
    f: impl FnOnce(ArrayViewD<'_, F>) -> R,
) -> Result<R, Error> {
    check::<F>(argument, tensor)?;
    let shape: Vec<usize> = tensor.size().iter().map(|&n| n as usize).collect();
    // SAFETY: the pointer is that of a live tensor.
    let before = unsafe { ffi::vb_version(tensor.as_ptr()) };
    let result = if shape.contains(&0) {
        // The data pointer of an empty tensor is null, which no view may hold.
        let empty: &[F] = &[];
        // A shape with a zero axis has no elements, so that the empty slice always fits.
        match ArrayViewD::from_shape(IxDyn(&shape), empty) {
            Ok(view) => f(view),
            Err(_) => return Err(Error::Layout { argument }),
        }
    } else {
        let strides: Vec<usize> = tensor.stride().iter().map(|&s| s as usize).collect();
        // SAFETY: `check` found plain host memory of this kind; libtorch keeps shape and non-negative strides within
        // it, and the borrow of `tensor` keeps it alive. The elements are only read.
        f(unsafe {
            ArrayView::from_shape_ptr(IxDyn(&shape).strides(IxDyn(&strides)), tensor.data_ptr() as *const F)
        })
    };
    // SAFETY: as above.
    if unsafe { ffi::vb_version(tensor.as_ptr()) } == before {
        Ok(result)
    } else {
        Err(Error::Mutated { argument })
    }
}

/// [`lend`] with the number of dimensions fixed.
fn lend_dim<F: Element, D: Dimension, R>(
    argument: &'static str,
    tensor: &Tensor,
    f: impl FnOnce(ArrayView<'_, F, D>) -> R,
) -> Result<R, Error> {
    let wrong = |got: Vec<i64>| Error::Shape {
        argument,
        got,
        want: D::NDIM.map_or("of any rank".to_owned(), |n| format!("of rank {n}")),
    };
    if D::NDIM.is_some_and(|n| n != tensor.dim()) {
        return Err(wrong(tensor.size()));
    }
    lend(argument, tensor, |view| view.into_dimensionality::<D>().map(f))?.map_err(|_| wrong(tensor.size()))
}

/// Lends two tensors at once; see [`lend`].
///
/// # Errors
/// As [`lend`], and when a tensor has not the rank that the view's type asks for.
pub fn lend2<F: Element, A: Dimension, B: Dimension, R>(
    (name_a, a): (&'static str, &Tensor),
    (name_b, b): (&'static str, &Tensor),
    f: impl FnOnce(ArrayView<'_, F, A>, ArrayView<'_, F, B>) -> R,
) -> Result<R, Error> {
    lend_dim(name_a, a, |a| lend_dim(name_b, b, |b| f(a, b)))?
}

/// Lends three tensors at once; see [`lend`].
///
/// # Errors
/// As [`lend2`].
pub fn lend3<F: Element, A: Dimension, B: Dimension, C: Dimension, R>(
    (name_a, a): (&'static str, &Tensor),
    (name_b, b): (&'static str, &Tensor),
    (name_c, c): (&'static str, &Tensor),
    f: impl FnOnce(ArrayView<'_, F, A>, ArrayView<'_, F, B>, ArrayView<'_, F, C>) -> R,
) -> Result<R, Error> {
    lend_dim(name_a, a, |a| lend2((name_b, b), (name_c, c), |b, c| f(a, b, c)))?
}
