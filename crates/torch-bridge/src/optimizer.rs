//! libtorch's fused updates of Adam and SGD on state that belongs to the caller.

use std::ffi::c_int;

use tch::{Kind, Tensor};

use crate::{Error, ffi};

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
/// all of the same length and order. The update is one pass over memory for all of them.
///
/// ```text
/// m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²,   p ← p − η m̂ / (√v̂ + ε)
/// ```
/// Source: Kingma & Ba 2015; decoupled decay: Loshchilov & Hutter 2019.
///
/// # Errors
/// The lists differ in length, a shape differs from its parameter's, or libtorch refuses.
pub fn fused_adam(
    params: &[Tensor],
    grads: &[Tensor],
    means: &[Tensor],
    squares: &[Tensor],
    steps: &[Tensor],
    settings: &AdamStep,
) -> Result<(), Error> {
    let n = params.len();
    like(params, &[("grads", grads), ("means", means), ("squares", squares)])?;
    per_parameter(n, "steps", steps)?;
    if let Some(step) = steps.iter().find(|t| t.kind() != Kind::Float || t.numel() != 1) {
        return Err(Error::Shape { argument: "steps", got: step.size(), want: "one f32".to_owned() });
    }
    let (p, g, m, v, s) = (
        ffi::pointers(params),
        ffi::pointers(grads),
        ffi::pointers(means),
        ffi::pointers(squares),
        ffi::pointers(steps),
    );
    // SAFETY: five lists of `n` live tensors each, checked above.
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
/// # Errors
/// The lists differ in length, a shape differs from its parameter's, or libtorch refuses.
pub fn fused_sgd(
    params: &[Tensor],
    grads: &[Tensor],
    momenta: &[Tensor],
    settings: &SgdStep,
) -> Result<(), Error> {
    like(params, &[("grads", grads), ("momenta", momenta)])?;
    let (p, g, m) = (ffi::pointers(params), ffi::pointers(grads), ffi::pointers(momenta));
    // SAFETY: three lists of as many live tensors each, checked above.
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

/// Refuses lists whose tensors are not of the parameters' shapes.
fn like(params: &[Tensor], lists: &[(&'static str, &[Tensor])]) -> Result<(), Error> {
    for &(argument, list) in lists {
        per_parameter(params.len(), argument, list)?;
        if let Some((tensor, param)) = list.iter().zip(params).find(|(t, p)| t.size() != p.size()) {
            let want = format!("{:?}", param.size());
            return Err(Error::Shape { argument, got: tensor.size(), want });
        }
    }
    Ok(())
}

/// Refuses a list that has not one defined tensor for each parameter.
fn per_parameter(n: usize, argument: &'static str, list: &[Tensor]) -> Result<(), Error> {
    if list.len() != n {
        let want = format!("one tensor per parameter, {n}");
        return Err(Error::Shape { argument, got: vec![list.len() as i64], want });
    }
    if list.iter().all(Tensor::defined) { Ok(()) } else { Err(Error::Undefined { argument }) }
}
