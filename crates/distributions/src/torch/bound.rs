//! The bounds on tensors.

use ndarray::{ArrayViewD, Ix2};
use tch::{Kind, Tensor};
use variata_torch_bridge::{Route, check_floating, route};

use super::evaluate::{attached, same_size, size, wanted};
use super::math::select;
use super::team::lend;
use crate::{ArgumentError, Error, check};

/// Evidence lower bound of each row: reconstruction − weight·KL. Formula and source: [`crate::elbo`].
///
/// # Errors
/// A tensor is not dense and floating-point, the devices or shapes differ, or `weight` is negative or not finite.
///
/// ```
/// use variata_distributions::torch::elbo;
/// use variata_torch_bridge::tch::Tensor;
/// let bound = elbo(&Tensor::from_slice(&[-10f64]), &Tensor::from_slice(&[2f64]), 1.0)?;
/// assert_eq!(bound.double_value(&[0]), -12.0);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn elbo(reconstruction: &Tensor, kl: &Tensor, weight: f64) -> Result<Tensor, Error> {
    check_floating(&[("reconstruction", reconstruction), ("kl", kl)])?;
    same_size("kl", kl, &size(reconstruction))?;
    check::scalar("weight", weight, "finite and >= 0", weight >= 0.0 && weight.is_finite())?;
    // A weight of 0 switches the term off, also where it is infinite.
    Ok(if weight == 0.0 { reconstruction + kl.zeros_like() } else { reconstruction - kl * weight })
}

/// Importance-weighted bound of each row of log-weights [batch, K] → `[batch]`, f64. Formula and source:
/// [`crate::iwae_bound`].
///
/// # Errors
/// `log_weights` is not dense and floating-point, has not two axes, or K = 0.
///
/// ```
/// use variata_distributions::torch::iwae_bound;
/// use variata_torch_bridge::tch::Tensor;
/// let bound = iwae_bound(&Tensor::from_slice(&[-5e5, -5e5]).view([1, 2]))?;
/// assert_eq!(bound.double_value(&[0]), -5e5);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn iwae_bound(log_weights: &Tensor) -> Result<Tensor, Error> {
    check_weights(log_weights)?;
    let weights = log_weights.to_kind(Kind::Double);
    if route(&[&weights], &[]) == Route::Composed {
        return Ok(composed(&weights));
    }
    let wanted = wanted(&[&weights]);
    let found = lend("log_weights", &weights, |view: ArrayViewD<'_, f64>| {
        let got = view.shape().to_vec();
        let rows = view.into_dimensionality::<Ix2>().map_err(|_| ArgumentError::Shape {
            argument: "log_weights",
            got,
            want: "[batch, K]".to_owned(),
        })?;
        if !wanted {
            return crate::iwae_bound(&rows).map(|value| (value, Vec::new()));
        }
        crate::iwae_bound_with_grad(&rows).map(|(value, grad)| (value, vec![grad.into_dyn()]))
    })?;
    Ok(attached("iwae_bound", found, &[&weights])?.unwrap_or_else(|| composed(&weights)))
}

/// [`iwae_bound`] as tensor operations: any device, any derivative order.
///
/// # Errors
/// As [`iwae_bound`].
pub fn iwae_bound_composed(log_weights: &Tensor) -> Result<Tensor, Error> {
    check_weights(log_weights)?;
    Ok(composed(&log_weights.to_kind(Kind::Double)))
}

/// Effective sample size (Σw)²/Σw² of each row of log-weights [batch, K] → `[batch]`, f64, in [1, K]; where the largest are
/// infinite, they share the weight.
///
/// # Errors
/// As [`iwae_bound`].
pub fn effective_sample_size(log_weights: &Tensor) -> Result<Tensor, Error> {
    check_weights(log_weights)?;
    let log_weights = log_weights.to_kind(Kind::Double);
    let Infinite { rows, shared } = infinite(&log_weights);
    let finite = log_weights.masked_fill(&rows, f64::NEG_INFINITY).masked_fill(&shared, 0.0);
    let weights = finite.softmax(-1, Kind::Double);
    Ok(weights.square().sum_dim_intlist(-1, false, Kind::Double).reciprocal())
}

fn composed(log_weights: &Tensor) -> Tensor {
    let k = log_weights.size().last().copied().unwrap_or(1) as f64;
    let Infinite { rows, shared } = infinite(log_weights);
    let bound = log_weights.masked_fill(&rows, 0.0).logsumexp([-1i64].as_slice(), true) - k.ln();
    // ∞ − ∞ in log-sum-exp: their mean is as infinite, and its slope is that of equal weights.
    let number = shared.sum_dim_intlist([-1i64].as_slice(), true, Kind::Double).clamp_min(1.0);
    let mean = log_weights.masked_fill(&shared.logical_not(), 0.0).sum_dim_intlist(
        [-1i64].as_slice(),
        true,
        Kind::Double,
    ) / number;
    select(&rows, &mean, &bound).squeeze_dim(-1)
}

/// Rows whose largest log-weight is infinite, [batch, 1], and the elements that share its weight, [batch, K].
struct Infinite {
    rows: Tensor,
    shared: Tensor,
}

fn infinite(log_weights: &Tensor) -> Infinite {
    let largest = log_weights.detach().amax([-1i64].as_slice(), true);
    let rows = largest.isinf();
    let shared = log_weights.eq_tensor(&largest).logical_and(&rows);
    Infinite { rows, shared }
}

fn check_weights(log_weights: &Tensor) -> Result<(), Error> {
    check_floating(&[("log_weights", log_weights)])?;
    let got = size(log_weights);
    if got.len() == 2 && got[1] > 0 {
        return Ok(());
    }
    Err(ArgumentError::Shape { argument: "log_weights", got, want: "[batch, K] with K >= 1".to_owned() }
        .into())
}
