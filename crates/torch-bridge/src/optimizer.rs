//! libtorch's fused updates of Adam and SGD on state that belongs to the caller.

use std::ffi::c_int;

use tch::{Kind, Tensor};

use crate::{Error, check_floating, ffi, no_grad};

/// Settings of one update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Learning rate.
    pub learning_rate: f64,
    /// Decay of the first and of the second moment.
    pub betas: (f64, f64),
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// `true`: decoupled from the gradient (AdamW); `false`: added to it (Adam with L2).
    pub decoupled: bool,
}

/// One Adam or AdamW step in place: `params`, first moments, second moments and step counts (one-element f32 tensors),
/// all of the same length and order. The update is one pass over memory, and on
/// the CPU one loop on libtorch's threads, for all of them.
///
/// ```text
/// m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²,   p ← p − η m̂ / (√v̂ + ε)
/// ```
/// Source: Kingma & Ba 2015; decoupled decay: Loshchilov & Hutter 2019.
///
/// A gradient may lie in memory in any way; where it does not lie as its parameter does, a copy is taken.
///
/// # Errors
/// The lists differ in length, a tensor is undefined, a shape, kind or device differs from its parameter's, a parameter is not
/// dense or overlaps itself, or other state does not lie in memory as its parameter does ([`Error::Strides`]). Nothing is
/// changed then. No parameters are no error.
pub fn fused_adam(
    params: &[Tensor],
    grads: &[Tensor],
    means: &[Tensor],
    squares: &[Tensor],
    steps: &[Tensor],
    settings: &AdamStep,
) -> Result<(), Error> {
    let n = params.len();
    check_parameters(params)?;
    let grads = laid_out(params, grads)?;
    check_state(params, "means", means)?;
    check_state(params, "squares", squares)?;
    check_steps(params, steps)?;
    if n == 0 {
        return Ok(());
    }
    let (p, g, m, v, s) = (
        ffi::pointers(params),
        ffi::pointers(&grads),
        ffi::pointers(means),
        ffi::pointers(squares),
        ffi::pointers(steps),
    );
    // SAFETY: five lists of `n` live tensors each, checked above: those of one parameter have one shape, kind, device and order
    // in memory.
    let failed = unsafe {
        ffi::vb_fused_adam(
            p.as_ptr(),
            g.as_ptr(),
            m.as_ptr(),
            v.as_ptr(),
            s.as_ptr(),
            n,
            c_int::from(settings.decoupled),
            settings.learning_rate,
            settings.betas.0,
            settings.betas.1,
            settings.weight_decay,
            settings.eps,
        )
    };
    if failed == 0 { Ok(()) } else { Err(ffi::last_error()) }
}

/// Refuses numbers of steps that are not one f32 each beside their parameters.
fn check_steps(params: &[Tensor], steps: &[Tensor]) -> Result<(), Error> {
    let argument = "steps";
    per_parameter(params.len(), argument, steps)?;
    for (step, param) in steps.iter().zip(params) {
        let got = step.f_kind()?;
        if got != Kind::Float {
            return Err(Error::Kind { argument, got, want: Kind::Float });
        }
        if step.numel() != 1 {
            return Err(Error::Shape { argument, got: step.size(), want: "one element".to_owned() });
        }
        if step.device() != param.device() {
            return Err(Error::Devices { argument, got: step.device(), want: param.device() });
        }
        if !has_storage(step) {
            return Err(Error::Layout { argument });
        }
    }
    Ok(())
}

/// Settings of one update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// Learning rate.
    pub learning_rate: f64,
    /// Share of the last step's direction that is kept.
    pub momentum: f64,
    /// Whether the gradient counts a second time, as if it were taken one step ahead.
    pub nesterov: bool,
    /// Added to the gradient: this times the parameter.
    pub weight_decay: f64,
}

/// One step of SGD in place on parameters and their momenta, which start at 0 and are left alone where μ is 0.
///
/// ```text
/// g ← g + λ p,   m ← μ m + g,   p ← p − η (g + μ m)   (Nesterov; else p − η m)
/// ```
/// Source: Sutskever et al. 2013, as torch has it.
///
/// A gradient may lie in memory in any way; where it does not lie as its parameter does, a copy is taken.
///
/// # Errors
/// The lists differ in length, a tensor is undefined, a shape, kind or device differs from its parameter's, a parameter is not
/// dense or overlaps itself, or other state does not lie in memory as its parameter does ([`Error::Strides`]). Nothing is
/// changed then. No parameters are no error.
pub fn fused_sgd(
    params: &[Tensor],
    grads: &[Tensor],
    momenta: &[Tensor],
    settings: &SgdStep,
) -> Result<(), Error> {
    check_parameters(params)?;
    let grads = laid_out(params, grads)?;
    check_state(params, "momenta", momenta)?;
    if params.is_empty() {
        return Ok(());
    }
    let (p, g, m) = (ffi::pointers(params), ffi::pointers(&grads), ffi::pointers(momenta));
    // SAFETY: three lists of as many live tensors each, checked above as in `fused_adam`.
    let failed = unsafe {
        ffi::vb_fused_sgd(
            p.as_ptr(),
            g.as_ptr(),
            m.as_ptr(),
            params.len(),
            c_int::from(settings.nesterov),
            settings.learning_rate,
            settings.momentum,
            settings.weight_decay,
        )
    };
    if failed == 0 { Ok(()) } else { Err(ffi::last_error()) }
}

/// Refuses what libtorch's kernels would refuse half-way or, as they walk each tensor's memory from end to end, read wrongly:
/// parameters of several devices or with holes or overlaps, and other lists whose tensors are not like them.
fn check_parameters(params: &[Tensor]) -> Result<(), Error> {
    let argument = "params";
    per_parameter(params.len(), argument, params)?;
    let all: Vec<(&'static str, &Tensor)> = params.iter().map(|t| (argument, t)).collect();
    check_floating(&all)?;
    for (index, param) in params.iter().enumerate() {
        if !has_storage(param) {
            return Err(Error::Layout { argument });
        }
        // SAFETY: the pointer is that of a live tensor.
        if unsafe { ffi::vb_is_packed(param.as_ptr()) } == 0 {
            let want = "dense, without an overlap".to_owned();
            return Err(Error::Strides { argument, index, got: param.stride(), want });
        }
    }
    Ok(())
}

/// Refuses a list whose tensors have not the shapes, kinds and devices of the parameters.
fn check_like(params: &[Tensor], argument: &'static str, list: &[Tensor]) -> Result<(), Error> {
    per_parameter(params.len(), argument, list)?;
    for (tensor, param) in list.iter().zip(params) {
        if tensor.size() != param.size() {
            let want = format!("{:?}", param.size());
            return Err(Error::Shape { argument, got: tensor.size(), want });
        }
        let (got, want) = (tensor.f_kind()?, param.f_kind()?);
        if got != want {
            return Err(Error::Kind { argument, got, want });
        }
        if tensor.device() != param.device() {
            return Err(Error::Devices { argument, got: tensor.device(), want: param.device() });
        }
        check_floating(&[(argument, tensor)])?;
    }
    Ok(())
}

/// [`check_like`] of a list that is written to: each tensor must also lie in memory as its parameter does.
fn check_state(params: &[Tensor], argument: &'static str, list: &[Tensor]) -> Result<(), Error> {
    check_like(params, argument, list)?;
    for (index, (tensor, param)) in list.iter().zip(params).enumerate() {
        if !has_storage(tensor) {
            return Err(Error::Layout { argument });
        }
        if !lie_alike(tensor, param) {
            let want = format!("{:?}, those of its parameter", param.stride());
            return Err(Error::Strides { argument, index, got: tensor.stride(), want });
        }
    }
    Ok(())
}

/// The gradients in the memory order of their parameters: as they are, or copied where a backward pass made them otherwise
/// (expanded, transposed, in another memory format).
fn laid_out(params: &[Tensor], grads: &[Tensor]) -> Result<Vec<Tensor>, Error> {
    check_like(params, "grads", grads)?;
    let one = |(grad, param): (&Tensor, &Tensor)| -> Result<Tensor, Error> {
        if has_storage(grad) && lie_alike(grad, param) {
            return Ok(grad.shallow_clone());
        }
        // `empty_like` keeps the strides of what is dense.
        let mut copy = param.detach().f_empty_like()?;
        no_grad(|| copy.f_copy_(&grad.detach()))?;
        Ok(copy)
    };
    grads.iter().zip(params).map(one).collect()
}

/// Whether two tensors of one shape have their elements in the same order in memory; the stride of an axis of one element
/// says nothing.
fn lie_alike(a: &Tensor, b: &Tensor) -> bool {
    a.numel() == 0
        || a.size().iter().zip(a.stride().iter().zip(b.stride())).all(|(&n, (&a, b))| n == 1 || a == b)
}

fn has_storage(tensor: &Tensor) -> bool {
    // SAFETY: the pointer is that of a live tensor.
    unsafe { ffi::vb_has_plain_storage(tensor.as_ptr()) != 0 }
}

/// Refuses a list that has not one defined tensor for each parameter.
fn per_parameter(n: usize, argument: &'static str, list: &[Tensor]) -> Result<(), Error> {
    if list.len() != n {
        let want = format!("one tensor per parameter, {n}");
        return Err(Error::Shape { argument, got: vec![list.len() as i64], want });
    }
    if list.iter().all(Tensor::defined) { Ok(()) } else { Err(Error::Undefined { argument }) }
}
