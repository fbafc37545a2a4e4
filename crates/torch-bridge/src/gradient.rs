//! Giving a natively computed value a place in libtorch's graph, with its closed-form gradient.

use std::ffi::{CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use tch::Tensor;
use torch_sys::C_tensor;

use crate::{Error, ffi, grad_is_enabled, no_grad};

type Callback = Box<dyn Fn(&Tensor) -> Result<Vec<Option<Tensor>>, Error> + Send>;

/// Makes `value` a function of `inputs` whose backward pass is `backward`: upstream gradient (shaped like `value`) in,
/// one gradient per input out, in order; `None` where it is zero.
///
/// `value` must be fresh: computed natively or under [`no_grad`]. When no input requires a gradient, or gradients are
/// not recorded, `value` comes back unchanged and `backward` is dropped.
///
/// The backward pass may run on another thread; of several threads that run it over aliases of one loss, each waits for the one before, so that
/// they must not be those of a pool that `backward` itself waits for. A panic in `backward`, an error, a wrong number or a wrong shape of
/// gradients surface as an error of `f_backward`. A second derivative is refused by name, never silently zero.
///
/// # Errors
/// An input is undefined, or libtorch refuses.
///
/// # Examples
/// ```
/// use variata_torch_bridge::{attach_backward, tch::Tensor};
/// let x = Tensor::from_slice(&[3f64]).set_requires_grad(true);
/// let square = Tensor::from_slice(&[9f64]);
/// let y = attach_backward("square", square, &[&x], |up| Ok(vec![Some(up * 6.0)]))?;
/// y.sum(None).backward();
/// assert_eq!(x.grad().double_value(&[0]), 6.0);
/// # Ok::<(), variata_torch_bridge::Error>(())
/// ```
pub fn attach_backward(
    name: &str,
    mut value: Tensor,
    inputs: &[&Tensor],
    backward: impl Fn(&Tensor) -> Result<Vec<Option<Tensor>>, Error> + Send + 'static,
) -> Result<Tensor, Error> {
    if inputs.iter().any(|t| !t.defined()) {
        return Err(Error::Undefined { argument: "inputs" });
    }
    if !grad_is_enabled() || !inputs.iter().any(|t| t.requires_grad()) {
        return Ok(value);
    }
    let shapes: Vec<Vec<i64>> = inputs.iter().map(|t| t.size()).collect();
    let callback: Callback = Box::new(move |upstream| {
        let grads = backward(upstream)?;
        if grads.len() != shapes.len() {
            return Err(Error::Torch {
                message: format!("backward returned {} gradients for {} inputs", grads.len(), shapes.len()),
            });
        }
        for (grad, shape) in grads.iter().zip(&shapes) {
            if let Some(grad) = grad
                && grad.size() != *shape
            {
                return Err(Error::Shape {
                    argument: "gradient",
                    got: grad.size(),
                    want: format!("{shape:?}"),
                });
            }
        }
        Ok(grads)
    });
    // NUL bytes cannot occur in our own names; a foreign one is replaced, not refused.
    let label = CString::new(name.replace('\0', "?")).unwrap_or_default();
    let pointers = ffi::pointers(inputs.iter().copied());
    let state = Box::into_raw(Box::new(callback)).cast::<c_void>();
    // SAFETY: all pointers are of live tensors; the shim takes `state` over and calls `drop_callback` on it once.
    let failed = unsafe {
        ffi::vb_attach(
            value.as_mut_ptr(),
            pointers.as_ptr(),
            pointers.len(),
            label.as_ptr(),
            run_callback,
            drop_callback,
            state,
        )
    };
    if failed == 0 { Ok(value) } else { Err(ffi::last_error()) }
}

/// [`attach_backward`] for gradients that are already there: `(input, ∂value/∂input)` pairs.
///
/// Each gradient has the shape of its input, and its leading axes are those of `value`: element i of `value` depends
/// on row i of the input alone (a scalar `value` depends on everything). The backward pass is `upstream · gradient`
/// over those axes.
///
/// # Errors
/// As [`attach_backward`], and when a gradient's shape is not its input's or does not start with `value`'s.
///
/// # Examples
/// ```
/// use variata_torch_bridge::{attach_gradient, tch::{Kind, Tensor}};
/// let x = Tensor::from_slice(&[1f64, 2.0, 3.0, 4.0]).reshape([2, 2]).set_requires_grad(true);
/// let norms = Tensor::from_slice(&[5f64, 25.0]); // ‖row‖²
/// let y = attach_gradient("norms", norms, &[(&x, x.detach() * 2.0)])?;
/// y.sum(Kind::Double).backward();
/// assert_eq!(x.grad().double_value(&[1, 1]), 8.0);
/// # Ok::<(), variata_torch_bridge::Error>(())
/// ```
pub fn attach_gradient(name: &str, value: Tensor, parts: &[(&Tensor, Tensor)]) -> Result<Tensor, Error> {
    let leading = value.size();
    for (input, grad) in parts {
        if input.size() != grad.size() {
            return Err(Error::Shape {
                argument: "gradient",
                got: grad.size(),
                want: format!("{:?}, its input's", input.size()),
            });
        }
        if !grad.size().starts_with(&leading) {
            return Err(Error::Shape {
                argument: "gradient",
                got: grad.size(),
                want: format!("{leading:?} followed by the row's own axes"),
            });
        }
    }
    let inputs: Vec<&Tensor> = parts.iter().map(|(input, _)| *input).collect();
    // Only what autograd will ask for is kept alive.
    let saved: Vec<Option<Tensor>> =
        parts.iter().map(|(input, grad)| input.requires_grad().then(|| grad.shallow_clone())).collect();
    attach_backward(name, value, &inputs, move |upstream| {
        saved
            .iter()
            .map(|grad| {
                let Some(grad) = grad else { return Ok(None) };
                let mut shape = upstream.size();
                shape.resize(grad.dim(), 1);
                let scale = upstream.f_to_kind(grad.kind())?.f_reshape(&shape)?;
                Ok(Some(grad.f_mul(&scale)?))
            })
            .collect()
    })
}

/// Takes the gradients of `tensors` away, as `zero_grad(set_to_none=True)` does in Python: the next backward pass leaves its own there,
/// where zeros would have to be written and added to, two passes over every parameter at each step.
///
/// # Errors
/// A tensor is undefined; nothing is changed then.
///
/// # Examples
/// ```
/// use variata_torch_bridge::{drop_gradients, tch::Tensor};
/// let x = Tensor::from_slice(&[3f64]).set_requires_grad(true);
/// (&x * &x).backward();
/// drop_gradients([&x])?;
/// assert!(!x.grad().defined());
/// (&x * &x).backward();
/// assert_eq!(x.grad().double_value(&[0]), 6.0);
/// # Ok::<(), variata_torch_bridge::Error>(())
/// ```
pub fn drop_gradients<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> Result<(), Error> {
    let tensors: Vec<&Tensor> = tensors.into_iter().collect();
    if tensors.iter().any(|t| !t.defined()) {
        return Err(Error::Undefined { argument: "tensors" });
    }
    let pointers = ffi::pointers(tensors);
    // SAFETY: the pointers are those of live, defined tensors.
    let failed = unsafe { ffi::vb_drop_gradients(pointers.as_ptr(), pointers.len()) };
    if failed == 0 { Ok(()) } else { Err(ffi::last_error()) }
}

unsafe extern "C" fn drop_callback(state: *mut c_void) {
    // A panic in a destructor must not cross into C++.
    // SAFETY: `state` is the box made in `attach_backward`, handed back once.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(unsafe { Box::from_raw(state.cast::<Callback>()) })));
}

unsafe extern "C" fn run_callback(
    state: *mut c_void,
    upstream: *mut C_tensor,
    grads: *mut *mut C_tensor,
    n: usize,
    message: *mut c_char,
    capacity: usize,
) -> c_int {
    let outcome = catch_unwind(AssertUnwindSafe(|| -> Result<(), Error> {
        // SAFETY: the shim passes the box of `attach_backward`, alive during the call.
        let callback = unsafe { &*state.cast::<Callback>() };
        // SAFETY: `upstream` is a live tensor; the clone shares its memory and owns its handle.
        let upstream = unsafe { Tensor::clone_from_ptr(upstream) };
        // Autograd hands negations on that are not carried out yet, and whoever reads the memory would read the wrong sign.
        let upstream = upstream.f_resolve_neg()?;
        let found = no_grad(|| callback(&upstream))?;
        for (i, grad) in found.into_iter().enumerate().take(n) {
            if let Some(mut grad) = grad {
                let raw = grad.as_mut_ptr();
                std::mem::forget(grad);
                // SAFETY: `grads` has `n` slots; the shim takes the tensor over.
                unsafe { *grads.add(i) = raw };
            }
        }
        Ok(())
    }));
    let text = match outcome {
        Ok(Ok(())) => return 0,
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "the backward pass panicked".to_owned()),
    };
    let bytes = text.as_bytes();
    let len = bytes.len().min(capacity.saturating_sub(1));
    // SAFETY: the shim gives `capacity` zeroed bytes; one is left for the NUL.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), message.cast(), len) };
    1
}
