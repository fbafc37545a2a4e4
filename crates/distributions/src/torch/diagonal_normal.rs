//! Normal with a diagonal covariance, on tensors.

use ndarray::ArrayView2;
use tch::{Kind, Tensor};
use variata_torch_bridge::{
    Element, Route, attach_gradient, grad_is_enabled, lend2, route, tensor_from_array,
};

use crate::{ArgumentError, Error, Real, kl};

const LOG_TWO_PI: f64 = 1.837_877_066_409_345_5;

/// Tensor form of the diagonal normal; formulas and limits are given at the native one.
#[derive(Debug)]
pub struct DiagonalNormal {
    loc: Tensor,
    log_variance: Tensor,
}

fn same_shape(argument: &'static str, got: &Tensor, want: &Tensor) -> Result<(), Error> {
    if got.size() == want.size() {
        return Ok(());
    }
    Err(ArgumentError::Shape {
        argument,
        got: got.size().iter().map(|&n| n as usize).collect(),
        want: format!("{:?}", want.size()),
    }
    .into())
}

fn two_axes(argument: &'static str, x: &Tensor) -> Result<(), Error> {
    if x.dim() == 2 {
        return Ok(());
    }
    Err(ArgumentError::Shape {
        argument,
        got: x.size().iter().map(|&n| n as usize).collect(),
        want: "[batch, n]".to_owned(),
    }
    .into())
}

impl DiagonalNormal {
    /// From location and log-variance, both [batch, n].
    ///
    /// # Errors
    /// The shapes differ or have not two axes.
    pub fn from_log_variance(loc: Tensor, log_variance: Tensor) -> Result<Self, Error> {
        same_shape("log_variance", &log_variance, &loc)?;
        two_axes("loc", &loc)?;
        Ok(Self { loc, log_variance })
    }

    /// The location, [batch, n].
    pub fn loc(&self) -> &Tensor {
        &self.loc
    }

    /// The log-variance, [batch, n].
    pub fn log_variance(&self) -> &Tensor {
        &self.log_variance
    }

    /// Log-density of the rows of `x` [batch, n] → `[batch]`, f64.
    ///
    /// # Errors
    /// `x` has another shape.
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor, Error> {
        same_shape("x", x, &self.loc)?;
        Ok(diagonal_normal_log_prob_composed(x, &self.loc, &self.log_variance))
    }

    /// `loc + exp(log_variance/2) · noise`, with noise of N(0, 1) shaped like `loc`.
    ///
    /// # Errors
    /// `noise` has another shape.
    pub fn rsample(&self, noise: &Tensor) -> Result<Tensor, Error> {
        same_shape("noise", noise, &self.loc)?;
        Ok(&self.loc + (&self.log_variance * 0.5).exp() * noise)
    }

    /// KL to N(0, I) for each row → `[batch]`, f64.
    ///
    /// # Errors
    /// As [`kl_standard_normal`].
    pub fn kl_standard_normal(&self) -> Result<Tensor, Error> {
        kl_standard_normal(&self.loc, &self.log_variance)
    }
}

/// KL(N(μ, diag eˢ) ‖ N(0, I)) = ½ Σ (eˢ − 1 − s + μ²) for each row of [batch, n] → `[batch]`, f64.
///
/// On plain CPU tensors the value and the gradient come from [`crate::kl::kl_standard_normal_with_grad`], in one pass over
/// memory; elsewhere from [`kl_standard_normal_composed`].
///
/// Elements that are not finite propagate, as everywhere on tensors, where looking for them would stall a GPU; the native
/// function refuses them.
///
/// # Errors
/// The shapes differ or have not two axes.
pub fn kl_standard_normal(loc: &Tensor, log_variance: &Tensor) -> Result<Tensor, Error> {
    same_shape("log_variance", log_variance, loc)?;
    two_axes("loc", loc)?;
    let native = match (route(&[loc, log_variance], &[]), loc.kind()) {
        (Route::Native, Kind::Float) => kl_native::<f32>(loc, log_variance)?,
        (Route::Native, Kind::Double) => kl_native::<f64>(loc, log_variance)?,
        _ => None,
    };
    Ok(native.unwrap_or_else(|| kl_standard_normal_composed(loc, log_variance)))
}

/// The native value with its gradient attached; `None` where the kernel refuses an element that is not finite.
fn kl_native<F: Real + Element>(loc: &Tensor, log_variance: &Tensor) -> Result<Option<Tensor>, Error> {
    let wanted = grad_is_enabled() && (loc.requires_grad() || log_variance.requires_grad());
    let found = lend2(
        ("loc", loc),
        ("log_variance", log_variance),
        |mu: ArrayView2<'_, F>, s: ArrayView2<'_, F>| {
            if wanted {
                kl::kl_standard_normal_with_grad(&mu, &s).map(|(value, grad)| (value, Some(grad)))
            } else {
                kl::kl_standard_normal(&mu, &s).map(|value| (value, None))
            }
        },
    )?;
    let (value, grad) = match found {
        Ok(found) => found,
        Err(Error::Argument(ArgumentError::Value { .. })) => return Ok(None),
        Err(other) => return Err(other),
    };
    let value = tensor_from_array(value)?;
    let Some(grad) = grad else { return Ok(Some(value)) };
    let parts = [(loc, tensor_from_array(grad.loc)?), (log_variance, tensor_from_array(grad.spread)?)];
    Ok(Some(attach_gradient("kl_standard_normal", value, &parts)?))
}

/// The same divergence as tensor operations: any device, any derivative order.
pub fn kl_standard_normal_composed(loc: &Tensor, log_variance: &Tensor) -> Tensor {
    let s = log_variance.to_kind(Kind::Double);
    let mu = loc.to_kind(Kind::Double);
    ((s.expm1() - s) + mu.square()).sum_dim_intlist(-1, false, Kind::Double) * 0.5
}

/// The same log-density as tensor operations: any device, any derivative order.
pub fn diagonal_normal_log_prob_composed(x: &Tensor, loc: &Tensor, log_variance: &Tensor) -> Tensor {
    let s = log_variance.to_kind(Kind::Double);
    let r = x.to_kind(Kind::Double) - loc.to_kind(Kind::Double);
    let terms = r.square() * (-&s).exp() + s + LOG_TWO_PI;
    terms.sum_dim_intlist(-1, false, Kind::Double) * -0.5
}
