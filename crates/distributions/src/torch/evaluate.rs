//! From formulas to differentiable tensors: guards, the choice of the home, rounding.

use super::team::lend_all;
use ndarray::{Array1, ArrayD, ArrayViewD, IxDyn};
use tch::{Device, Kind, Tensor};
use variata_torch_bridge::{
    Element, Route, attach_gradient, check_floating, grad_is_enabled, route, tensor_from_array,
};

use crate::elementwise::{self, broadcasts_to, checked_len, common_shape, shaped};
use crate::simd::{self, Filled, Outputs};
use crate::{ArgumentError, Error, Real};

/// A tensor with the name it has in errors.
pub(super) type Named<'a> = (&'static str, &'a Tensor);

/// Element-wise function of its inputs, broadcast together.
pub(super) struct Elementwise<S, C> {
    /// Name in errors of the backward pass.
    pub name: &'static str,
    /// Value and partials of one element.
    pub scalar: S,
    /// The value by tensor operations, of f64 inputs.
    pub composed: C,
}

impl<S, C> Elementwise<S, C> {
    /// By the native kernel on plain CPU tensors of one kind, else composed.
    ///
    /// # Errors
    /// A tensor that [`check_floating`] refuses, or shapes that do not broadcast.
    pub(super) fn routed<const IN: usize, const OUT: usize>(
        self,
        inputs: [Named<'_>; IN],
    ) -> Result<Tensor, Error>
    where
        S: Fn([f64; IN]) -> [f64; OUT] + Sync + Send,
        C: FnOnce([Tensor; IN]) -> Tensor,
    {
        let shape = broadcast_shape(&inputs)?;
        let tensors = inputs.map(|(_, tensor)| tensor);
        match (route(&tensors, &[]), tensors[0].kind()) {
            (Route::Native, Kind::Float) => native::<f32, IN, OUT>(self.name, &shape, inputs, self.scalar),
            (Route::Native, Kind::Double) => native::<f64, IN, OUT>(self.name, &shape, inputs, self.scalar),
            _ => Ok(per_item(&shape, inputs, self.composed)),
        }
    }

    /// Composed on any device.
    ///
    /// # Errors
    /// As [`routed`](Self::routed).
    pub(super) fn composed<const IN: usize>(self, inputs: [Named<'_>; IN]) -> Result<Tensor, Error>
    where
        C: FnOnce([Tensor; IN]) -> Tensor,
    {
        Ok(per_item(&broadcast_shape(&inputs)?, inputs, self.composed))
    }
}

fn native<F: Real + Element, const IN: usize, const OUT: usize>(
    name: &'static str,
    shape: &[usize],
    inputs: [Named<'_>; IN],
    scalar: impl Fn([f64; IN]) -> [f64; OUT] + Sync + Send,
) -> Result<Tensor, Error> {
    let tensors = inputs.map(|(_, tensor)| tensor);
    let wanted = wanted(&tensors);
    let run = |views: [ArrayViewD<'_, F>; IN]| -> Result<(ArrayD<F>, Vec<ArrayD<F>>), ArgumentError> {
        let mut views = views.into_iter();
        // The iterator has one view per name.
        let named = inputs.map(|(name, _)| (name, views.next().unwrap_or_else(|| no_view::<F>())));
        if wanted {
            let outputs: [ArrayD<F>; OUT] = elementwise::at(&IxDyn(shape), named, scalar)?;
            let mut outputs = outputs.into_iter();
            let value = outputs.next().unwrap_or_default();
            Ok((value, outputs.collect()))
        } else {
            let [value] = elementwise::at(&IxDyn(shape), named, |arguments| [scalar(arguments)[0]])?;
            Ok((value, Vec::new()))
        }
    };
    let (value, grads) = lend_all(inputs, run)??;
    let value = tensor_from_array(value)?;
    if !wanted {
        return Ok(value);
    }
    // Expanded inputs: autograd sums the gradient of a broadcast one.
    let spread = tensors.map(|t| t.expand(signed(shape), true));
    let grads = grads.into_iter().map(tensor_from_array).collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<(&Tensor, Tensor)> = spread.iter().zip(grads).collect();
    Ok(attach_gradient(name, value, &parts)?)
}

fn no_view<'a, F>() -> ArrayViewD<'a, F> {
    ndarray::ArrayView1::from(&[]).into_dyn()
}

/// The shape to which the tensors broadcast, after the guard of [`check_floating`].
pub(super) fn broadcast_shape(inputs: &[Named<'_>]) -> Result<Vec<usize>, Error> {
    check_floating(inputs)?;
    let shapes: Vec<(&'static str, Vec<usize>)> = inputs.iter().map(|(name, t)| (*name, size(t))).collect();
    let borrowed: Vec<(&'static str, &[usize])> = shapes.iter().map(|(name, s)| (*name, &s[..])).collect();
    let shape = common_shape(&borrowed)?;
    checked_len(&shape)?;
    Ok(shape)
}

/// A batch of parameters broadcasts to the shape of the argument, which is dense and floating-point.
pub(super) fn fits(batch: &[usize], argument: Named<'_>) -> Result<(), Error> {
    check_floating(&[argument])?;
    Ok(broadcasts_to("batch", batch, &size(argument.1))?)
}

/// The kind of a result: that of the inputs, or the widest of them and at least `Float` where they differ.
pub(super) fn common_kind(inputs: &[Named<'_>]) -> Kind {
    let mut kinds = inputs.iter().map(|(_, t)| t.kind());
    let first = kinds.next().unwrap_or(Kind::Double);
    kinds.fold(first, |a, b| match (a, b) {
        (a, b) if a == b => a,
        (Kind::Double, _) | (_, Kind::Double) => Kind::Double,
        _ => Kind::Float,
    })
}

/// `f` in f64 of the parameters of a batch, expanded to its shape and rounded to their kind.
pub(super) fn per_item<const IN: usize>(
    batch: &[usize],
    parameters: [Named<'_>; IN],
    f: impl FnOnce([Tensor; IN]) -> Tensor,
) -> Tensor {
    let value = f(parameters.map(|(_, t)| t.to_kind(Kind::Double)));
    value.to_kind(common_kind(&parameters)).expand(signed(batch), true)
}

/// What libtorch refused.
pub fn refused(error: tch::TchError) -> Error {
    variata_torch_bridge::Error::from(error).into()
}

/// Shape as unsigned numbers, as the native errors have it.
pub fn size(t: &Tensor) -> Vec<usize> {
    t.size().iter().map(|&n| n as usize).collect()
}

/// Shape as libtorch wants it.
pub fn signed(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&n| n as i64).collect()
}

/// A shape that is asked for, as libtorch wants it.
///
/// # Errors
/// It does not fit in memory, or the batch does not broadcast to it.
pub(super) fn asked(shape: &[usize], batch: &[usize]) -> Result<Vec<i64>, Error> {
    checked_len(shape)?;
    broadcasts_to("batch", batch, shape)?;
    Ok(signed(shape))
}

/// Standard exponential noise in f64 on a device, > 0.
pub(super) fn exponential(size: &[i64], device: Device) -> Tensor {
    let mut noise = Tensor::empty(size, (Kind::Double, device));
    // Never 0, whose logarithm a caller may take.
    noise.exponential_(1.0).clamp_min(f64::MIN_POSITIVE)
}

/// The argument has the shape wanted.
///
/// # Errors
/// Names the argument.
pub fn same_size(argument: &'static str, got: &Tensor, want: &[usize]) -> Result<(), Error> {
    Ok(crate::check::shape(argument, &size(got), want)?)
}

/// Whether a native kernel has to give its gradient.
pub fn wanted(inputs: &[&Tensor]) -> bool {
    grad_is_enabled() && inputs.iter().any(|t| t.requires_grad())
}

/// What a native kernel found, one value per row: its tensor, with the gradients, if any, attached to the inputs in
/// their order. `None` where the kernel refused a value, which the composed form lets propagate.
pub(super) fn attached<F: Element>(
    name: &'static str,
    found: Result<(Array1<f64>, Vec<ArrayD<F>>), Error>,
    inputs: &[&Tensor],
) -> Result<Option<Tensor>, Error> {
    let (value, grads) = match found {
        Ok(found) => found,
        Err(Error::Argument(ArgumentError::Value { .. })) => return Ok(None),
        Err(other) => return Err(other),
    };
    let value = tensor_from_array(value)?;
    if grads.is_empty() {
        return Ok(Some(value));
    }
    let grads = grads.into_iter().map(tensor_from_array).collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<(&Tensor, Tensor)> = inputs.iter().copied().zip(grads).collect();
    Ok(Some(attach_gradient(name, value, &parts)?))
}

/// A kernel that gives one f64 per row of [rows, n], and one gradient per input.
pub(super) trait Rows<const IN: usize> {
    /// Runs it on row-major inputs; `OUT` is 0 or `IN`.
    fn fill<F: Real, const OUT: usize>(&self, n: usize, x: [&[F]; IN], to: Outputs<'_, F, OUT>) -> Filled;
}

/// The rows of a kernel on lent tensors of one shape [rows, n], with the gradients attached where they are wanted.
/// `None` where the kernel met an element that is extreme or not finite, which the composed form lets propagate.
pub(super) fn rows<F: Real + Element, K: Rows<IN>, const IN: usize>(
    name: &'static str,
    inputs: [Named<'_>; IN],
    kernel: &K,
) -> Result<Option<Tensor>, Error> {
    let tensors = inputs.map(|(_, tensor)| tensor);
    let wanted = wanted(&tensors);
    let (size, found) = (size(tensors[0]), |[rows, n]: [usize; 2]| {
        lend_all(inputs, |views: [ArrayViewD<'_, F>; IN]| {
            let views = views.each_ref().map(|view| view.as_standard_layout());
            let slices = views.each_ref().map(|view| view.as_slice().unwrap_or_default());
            if wanted {
                let (value, grads, filled) =
                    simd::allocate::<F, IN>(rows, n, |to| kernel.fill(n, slices, to));
                (value, grads.map(|grad| shaped(IxDyn(&[rows, n]), grad)).to_vec(), filled)
            } else {
                let (value, [], filled) = simd::allocate::<F, 0>(rows, n, |to| kernel.fill(n, slices, to));
                (value, Vec::new(), filled)
            }
        })
    });
    let Ok(shape) = <[usize; 2]>::try_from(size) else { return Ok(None) };
    let (value, grads, filled) = found(shape)?;
    if filled.rare() {
        return Ok(None);
    }
    attached(name, Ok((value.into(), grads)), &tensors)
}
