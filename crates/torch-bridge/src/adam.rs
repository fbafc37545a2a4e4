//! libtorch's fused Adam update on state that belongs to the caller.

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
    for (argument, list) in [("grads", grads), ("means", means), ("squares", squares), ("steps", steps)] {
        if list.len() != n {
            return Err(Error::Shape {
                argument,
                got: vec![list.len() as i64],
                want: format!("one tensor per parameter, {n}"),
            });
        }
        for (tensor, param) in list.iter().zip(params) {
            if !tensor.defined() {
                return Err(Error::Undefined { argument });
            }
            if argument == "steps" {
                if tensor.kind() != Kind::Float || tensor.numel() != 1 {
                    return Err(Error::Shape { argument, got: tensor.size(), want: "one f32".to_owned() });
                }
            } else if tensor.size() != param.size() {
                return Err(Error::Shape {
                    argument,
                    got: tensor.size(),
                    want: format!("{:?}", param.size()),
                });
            }
        }
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
