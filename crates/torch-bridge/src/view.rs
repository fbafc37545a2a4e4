//! Lending the memory of CPU tensors to native kernels, without a copy.

use ndarray::{ArrayView, ArrayViewD, Dimension, IxDyn, ShapeBuilder};
use tch::{Device, Tensor};

use crate::{Element, Error, ffi};

/// Why `tensor` cannot be lent as elements `F`, if it cannot.
fn check<F: Element>(argument: &'static str, tensor: &Tensor) -> Result<(), Error> {
    if !tensor.defined() {
        return Err(Error::Undefined { argument });
    }
    // Fails for kinds that tch does not know.
    let got = tensor.f_kind()?;
    if got != F::KIND {
        return Err(Error::Kind { argument, got, want: F::KIND });
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
/// The view lives no longer than the call, on the calling thread; `f` may hand it to rayon, or to libtorch's own threads
/// ([`on_each_thread`](crate::on_each_thread)). Nothing is copied.
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
    lend_all([(argument, tensor)], |[view]| f(view))
}

/// Lends any number of tensors at once; see [`lend`].
///
/// # Errors
/// As [`lend`].
///
/// # Examples
/// ```
/// use tch::Tensor;
/// use variata_torch_bridge::lend_all;
/// let (a, b) = (Tensor::from_slice(&[1f64, 2.0]), Tensor::from_slice(&[3f64, 4.0]));
/// let sums = lend_all::<f64, _, 2>([("a", &a), ("b", &b)], |views| views.map(|v| v.sum()))?;
/// assert_eq!(sums, [3.0, 7.0]);
/// # Ok::<(), variata_torch_bridge::Error>(())
/// ```
pub fn lend_all<F: Element, R, const N: usize>(
    tensors: [(&'static str, &Tensor); N],
    f: impl FnOnce([ArrayViewD<'_, F>; N]) -> R,
) -> Result<R, Error> {
    for (argument, tensor) in tensors {
        check::<F>(argument, tensor)?;
    }
    let versions = || tensors.map(|(_, tensor)| version(tensor));
    let before = versions();
    let result = f(tensors.map(|(_, tensor)| view(tensor)));
    match versions().iter().zip(before).position(|(after, before)| *after != before) {
        None => Ok(result),
        Some(i) => Err(Error::Mutated { argument: tensors[i].0 }),
    }
}

/// A tensor that a backward pass will read, kept as autograd keeps its own: one that was changed in place meanwhile is
/// refused, because its gradient would be that of another point.
///
/// # Examples
/// ```
/// use tch::Tensor;
/// use variata_torch_bridge::{Error, Saved};
/// let mut t = Tensor::from_slice(&[1f32, 2.0]);
/// let saved = Saved::new("t", &t);
/// assert!(saved.get().is_ok());
/// let _ = t.fill_(3.0);
/// assert!(matches!(saved.get(), Err(Error::Mutated { argument: "t" })));
/// ```
#[derive(Debug)]
pub struct Saved {
    argument: &'static str,
    tensor: Tensor,
    version: Option<i64>,
}

impl Saved {
    /// Keeps `tensor`, apart from its graph; its memory is shared.
    pub fn new(argument: &'static str, tensor: &Tensor) -> Self {
        let version = tensor.defined().then(|| version(tensor));
        let tensor = if tensor.defined() { tensor.detach() } else { Tensor::new() };
        Self { argument, tensor, version }
    }

    /// The tensor.
    ///
    /// # Errors
    /// [`Error::Mutated`] where it was changed in place, [`Error::Undefined`] where there was none.
    pub fn get(&self) -> Result<&Tensor, Error> {
        let argument = self.argument;
        match self.version {
            None => Err(Error::Undefined { argument }),
            Some(before) if version(&self.tensor) != before => Err(Error::Mutated { argument }),
            Some(_) => Ok(&self.tensor),
        }
    }
}

fn version(tensor: &Tensor) -> i64 {
    // SAFETY: the pointer is that of a live, defined tensor.
    unsafe { ffi::vb_version(tensor.as_ptr()) }
}

/// The memory of a tensor that has passed [`check`].
fn view<F: Element>(tensor: &Tensor) -> ArrayViewD<'_, F> {
    let shape: Vec<usize> = tensor.size().iter().map(|&n| n as usize).collect();
    if shape.contains(&0) {
        // The data pointer of an empty tensor is null, which no view may hold.
        let dangling = std::ptr::NonNull::<F>::dangling().as_ptr();
        // SAFETY: no element is ever reached, and the pointer is aligned and not null.
        return unsafe { ArrayView::from_shape_ptr(IxDyn(&shape), dangling) };
    }
    let strides: Vec<usize> = tensor.stride().iter().map(|&s| s as usize).collect();
    // SAFETY: `check` found plain host memory of this kind; libtorch keeps shape and non-negative strides within it,
    // and the borrow of `tensor` keeps it alive. The elements are only read.
    unsafe {
        ArrayView::from_shape_ptr(IxDyn(&shape).strides(IxDyn(&strides)), tensor.data_ptr() as *const F)
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
