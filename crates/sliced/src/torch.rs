//! The tensor home: the same distances on `tch::Tensor`, differentiable, on the CPU or a GPU.
//!
//! On plain CPU tensors of kind `Float` or `Double` value and gradient come from the native kernels; elsewhere from the
//! `_composed` forms, which autograd differentiates to any order, block by block of directions and never with a matrix of
//! pairs per direction. What has no composed form (weights, other targets, powers other than 2) is computed natively in f64
//! wherever the tensor lives, and its gradient returned to the tensor's device.
//!
//! Values are scalars of kind `Double`. Shapes, kinds and devices are checked. Values are not where there is a composed form: a NaN
//! or an infinity, which the native home refuses, propagates, but that the composed Cramér–Wold distance has no frequencies for points
//! so far out, and says so ([`Error::Unsupported`]). What has no composed form is refused as natively.
//!
//! ```
//! use variata_sliced::{Directions, Discrepancy, Distance, Loss, torch};
//! use variata_torch_bridge::tch::{Device, Kind, Tensor};
//!
//! let latents = Tensor::randn([64, 8], (Kind::Float, Device::Cpu)).set_requires_grad(true);
//! let directions = Directions::uniform(50, 8, 1)?;
//! let distance = torch::sliced(&Discrepancy::new(Distance::CRAMER_WOLD), &latents, &directions)?;
//! torch::loss(Loss::Log, &distance)?.backward();
//! assert_eq!(latents.grad().size(), [64, 8]);
//! # Ok::<(), variata_sliced::Error>(())
//! ```

mod direct;
mod line;
mod sliced;

use ndarray::{ArrayView2, ArrayViewD, Ix2};
use tch::{Device, Kind, Tensor};
use variata_distributions::torch::support::{lend_all, size};
use variata_torch_bridge::{
    Element, Route, attach_backward, check_floating, grad_is_enabled, route, tensor_from_array,
};

use crate::distance::none;
use crate::error::Error;
use crate::loss::Loss;
use variata_distributions::lanes::{Compute, Sample};

pub use direct::{cramer_wold, cramer_wold_composed, mmd, mmd_composed};
pub use sliced::{sliced, sliced_composed, two_sample, two_sample_composed};

impl From<variata_distributions::Error> for Error {
    fn from(error: variata_distributions::Error) -> Self {
        match error {
            variata_distributions::Error::Argument(error) => Self::Argument(error),
            variata_distributions::Error::Tensor(error) => Self::Tensor(error),
            other => Self::Distributions(other),
        }
    }
}

/// Elements of tensors that native kernels read.
trait Native: Element + Sample<Compute = Self> + Compute {}
impl Native for f32 {}
impl Native for f64 {}

/// [`Loss::apply`] on a tensor of distances; differentiable.
///
/// # Errors
/// `distance` is not dense and floating-point.
///
/// ```
/// use variata_sliced::{Loss, torch};
/// use variata_torch_bridge::tch::Tensor;
/// let d = Tensor::from_slice(&[0.5f64, 0.0]).set_requires_grad(true);
/// torch::loss(Loss::Log, &d)?.sum(variata_torch_bridge::tch::Kind::Double).backward();
/// assert_eq!((d.grad().double_value(&[0]), d.grad().double_value(&[1])), (2.0, 0.0));
/// # Ok::<(), variata_sliced::Error>(())
/// ```
pub fn loss(loss: Loss, distance: &Tensor) -> Result<Tensor, Error> {
    check_floating(&[("distance", distance)])?;
    Ok(match loss {
        Loss::Weight(lambda) => distance * lambda,
        // The derivative of the clamp is 0 below its bound.
        Loss::Log => {
            let tiny = distance.le(f64::MIN_POSITIVE);
            distance.to_kind(Kind::Double).masked_fill(&tiny, f64::MIN_POSITIVE).log()
        }
    })
}

/// The shape is [n, dimensions], neither 0.
fn matrix(argument: &'static str, x: &Tensor) -> Result<[usize; 2], Error> {
    let got = size(x);
    match <[usize; 2]>::try_from(&got[..]) {
        Ok(shape) if !shape.contains(&0) => Ok(shape),
        _ => Err(none(argument, &got, "[n, dimensions], neither 0")),
    }
}

/// A tensor with the name it has in errors.
type Named<'a> = (&'static str, &'a Tensor);

/// A native kernel of one or two samples: the value, and the gradient in each that is wanted.
trait Kernel {
    fn run<F: Native>(&self, inputs: &[ArrayView2<'_, F>], wanted: &[bool]) -> Found<F>;
}

type Found<F> = Result<(f64, Vec<Option<ndarray::Array2<F>>>), Error>;

/// The kernel on the tensors' own memory; `None` where they are not plain CPU memory or the kernel refuses a value.
fn native<K: Kernel, const N: usize>(
    name: &'static str,
    inputs: [Named<'_>; N],
    kernel: &K,
) -> Result<Option<Tensor>, Error> {
    let tensors = inputs.map(|(_, tensor)| tensor);
    let found = match (route(&tensors, &[]), tensors[0].kind()) {
        (Route::Native, Kind::Float) => attached::<f32, K, N>(name, inputs, kernel, tensors),
        (Route::Native, Kind::Double) => attached::<f64, K, N>(name, inputs, kernel, tensors),
        _ => return Ok(None),
    };
    match found {
        Ok(value) => Ok(Some(value)),
        Err(Error::Argument(variata_distributions::ArgumentError::Value { .. })) => Ok(None),
        Err(other) => Err(other),
    }
}

/// The kernel on copies in f64 on the CPU, the gradients returned to where the tensors live.
fn copied<K: Kernel, const N: usize>(
    name: &'static str,
    inputs: [Named<'_>; N],
    kernel: &K,
) -> Result<Tensor, Error> {
    let tensors = inputs.map(|(_, tensor)| tensor);
    let copies = tensors.map(|t| t.detach().to_device(Device::Cpu).to_kind(Kind::Double));
    let named = std::array::from_fn(|i| (inputs[i].0, &copies[i]));
    Ok(attached::<f64, K, N>(name, named, kernel, tensors)?.to_device(tensors[0].device()))
}

/// Runs the kernel on lent memory and attaches its gradients to `tensors`.
fn attached<F: Native, K: Kernel, const N: usize>(
    name: &'static str,
    inputs: [Named<'_>; N],
    kernel: &K,
    tensors: [&Tensor; N],
) -> Result<Tensor, Error> {
    let wanted = tensors.map(|t| grad_is_enabled() && t.requires_grad());
    let (value, grads) = lend_all(inputs, |views: [ArrayViewD<'_, F>; N]| {
        let mut rows = Vec::with_capacity(N);
        for (view, (argument, tensor)) in views.into_iter().zip(inputs) {
            let view = view.into_dimensionality::<Ix2>();
            rows.push(view.map_err(|_| none(argument, &size(tensor), "[n, dimensions]"))?);
        }
        kernel.run(&rows, &wanted)
    })??;
    let value = Tensor::from(value);
    if !wanted.contains(&true) {
        return Ok(value);
    }
    let mut placed = Vec::with_capacity(N);
    for (grad, tensor) in grads.into_iter().zip(tensors) {
        let grad = grad.map(tensor_from_array).transpose()?;
        placed.push(grad.map(|grad| grad.to_device(tensor.device()).to_kind(tensor.kind())));
    }
    Ok(attach_backward(name, value, &tensors, move |upstream| {
        let scaled = |grad: &Tensor| grad * upstream.to_device(grad.device()).to_kind(grad.kind());
        Ok(placed.iter().map(|grad| grad.as_ref().map(scaled)).collect())
    })?)
}
