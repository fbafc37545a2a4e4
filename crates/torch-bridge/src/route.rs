//! The one decision between the native kernel and the composed tensor operations.

use tch::{Device, Kind, Tensor};

use crate::{Error, ffi, grad_is_enabled, tensor};

/// Which home of a formula computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The native kernel, on the tensors' own memory, with its closed-form gradient.
    Native,
    /// The composition of libtorch's operations, differentiated by autograd.
    Composed,
}

/// Decides by the tensors alone: no environment variable, no global switch.
///
/// `differentiable` are the inputs for which the kernel has a partial derivative, `constant` those for which it has
/// none. [`Route::Native`] asks that all of them are defined, plain, on the CPU, of one kind (`Float` or `Double`),
/// and that no constant requires a gradient while gradients are recorded. Strides do not matter.
///
/// # Examples
/// ```
/// use variata_torch_bridge::{Route, route, tch::{Kind, Tensor}};
/// let x = Tensor::from_slice(&[1f32, 2.0]);
/// assert_eq!(route(&[&x], &[]), Route::Native);
/// assert_eq!(route(&[&x.to_kind(Kind::Half)], &[]), Route::Composed);
/// let y = x.copy().set_requires_grad(true);
/// assert_eq!(route(&[&x], &[&y]), Route::Composed);
/// ```
pub fn route(differentiable: &[&Tensor], constant: &[&Tensor]) -> Route {
    let mut all = differentiable.iter().chain(constant);
    let Some(first) = all.clone().next() else { return Route::Composed };
    if !first.defined() {
        return Route::Composed;
    }
    let Ok(kind) = first.f_kind() else { return Route::Composed };
    let plain = all.all(|t| {
        t.defined()
            && t.device() == Device::Cpu
            && t.f_kind().is_ok_and(|own| own == kind)
            // SAFETY: the pointer is that of a live tensor.
            && unsafe { ffi::vb_has_plain_storage(t.as_ptr()) } != 0
    });
    let blocked = grad_is_enabled() && constant.iter().any(|t| t.requires_grad());
    if plain && tensor::has_kernel(kind) && !blocked { Route::Native } else { Route::Composed }
}

/// The guard of functions that take integers too: the tensor is defined and dense.
///
/// # Errors
/// [`Error::Undefined`] or [`Error::Layout`], naming the argument.
///
/// # Examples
/// ```
/// use variata_torch_bridge::{Error, check_dense, tch::Tensor};
/// let k = Tensor::from_slice(&[1i64, 0, 0, 1]).view([2, 2]);
/// assert!(check_dense("k", &k).is_ok());
/// assert_eq!(check_dense("k", &k.to_sparse_csr(None)), Err(Error::Layout { argument: "k" }));
/// ```
pub fn check_dense(argument: &'static str, tensor: &Tensor) -> Result<(), Error> {
    if !tensor.defined() {
        return Err(Error::Undefined { argument });
    }
    // SAFETY: the pointer is that of a live tensor.
    if unsafe { ffi::vb_is_dense(tensor.as_ptr()) } == 0 { Err(Error::Layout { argument }) } else { Ok(()) }
}

/// The guard of composed functions: every tensor is defined, dense, of a floating-point kind, and on the device of the
/// first, so that libtorch's operations on them can fail by their shapes only.
///
/// # Errors
/// [`Error::Undefined`], [`Error::Layout`], [`Error::Floating`] or [`Error::Devices`], naming the argument.
///
/// # Examples
/// ```
/// use variata_torch_bridge::{Error, check_floating, tch::Tensor};
/// let (x, k) = (Tensor::from_slice(&[1f32]), Tensor::from_slice(&[1i64]));
/// assert!(check_floating(&[("x", &x)]).is_ok());
/// assert!(matches!(check_floating(&[("x", &x), ("k", &k)]), Err(Error::Floating { argument: "k", .. })));
/// ```
pub fn check_floating(tensors: &[(&'static str, &Tensor)]) -> Result<(), Error> {
    let mut device = None;
    for &(argument, t) in tensors {
        check_dense(argument, t)?;
        let got = t.f_kind()?;
        if !matches!(got, Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double) {
            return Err(Error::Floating { argument, got });
        }
        let want = *device.get_or_insert(t.device());
        if t.device() != want {
            return Err(Error::Devices { argument, got: t.device(), want });
        }
    }
    Ok(())
}
