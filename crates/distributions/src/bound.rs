//! The evidence lower bound and its importance-weighted refinement, from log-weights in f64.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2};

use crate::special::log_mean_exp;
use crate::sums::sum;
use crate::{ArgumentError, Error, check};

/// Evidence lower bound of each row: reconstruction − weight·KL.
///
/// ```text
/// ELBO = E_q[log p(x|z)] − β·KL(q(z|x) ‖ p(z)) ≤ log p(x)     (β ≥ 1)
/// ```
/// Source: Kingma & Welling, "Auto-encoding variational Bayes" (2014), eq. 3; the tutorial's sign is erratum 000-7. β as
/// in Higgins et al. (2017).
///
/// # Errors
/// The shapes differ, an element is NaN, `kl` or `weight` is negative, `weight` is not finite, or both terms are +∞, which have no difference.
///
/// ```
/// use ndarray::array;
/// assert_eq!(variata_distributions::elbo(&array![-10.0], &array![2.0], 1.0)?, array![-12.0]);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn elbo(reconstruction: &ArrayRef1<f64>, kl: &ArrayRef1<f64>, weight: f64) -> Result<Array1<f64>, Error> {
    check::not_nan("reconstruction", reconstruction)?;
    check::shape("kl", kl.shape(), reconstruction.shape())?;
    if let Some((index, &value)) = kl.iter().enumerate().find(|(_, v)| !(**v >= 0.0)) {
        return Err(ArgumentError::Value { argument: "kl", index: Some(index), value, must: ">= 0" }.into());
    }
    check::scalar("weight", weight, "finite and >= 0", weight >= 0.0 && weight.is_finite())?;
    // A weight of 0 switches the term off, also where it is infinite.
    let term = |kl: f64| if weight == 0.0 { 0.0 } else { weight * kl };
    let bound: Array1<f64> = reconstruction.iter().zip(kl).map(|(r, &kl)| r - term(kl)).collect();
    match bound.iter().position(|v| v.is_nan()) {
        None => Ok(bound),
        Some(i) => {
            let must = "finite where `reconstruction` is infinite";
            Err(ArgumentError::Value { argument: "kl", index: Some(i), value: kl[i], must }.into())
        }
    }
}

/// Importance-weighted bound of each row of log-weights log p(x, z_k) − log q(z_k|x), [batch, K] → `[batch]`.
///
/// ```text
/// log (1/K) Σ_k exp(w_k)
/// ```
/// Source: Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders" (2016), eq. 8. K = 1 is the ELBO's
/// estimate.
///
/// # Errors
/// K = 0, or an element is NaN.
///
/// # Numerics
/// Shifted by the row's maximum; a row of −∞ gives −∞.
///
/// ```
/// use ndarray::array;
/// let bound = variata_distributions::iwae_bound(&array![[-5e5, -5e5]])?;
/// assert_eq!(bound, array![-5e5]);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn iwae_bound(log_weights: &ArrayRef2<f64>) -> Result<Array1<f64>, Error> {
    check_weights(log_weights)?;
    Ok(log_weights.rows().into_iter().map(|row| log_mean_exp(&row.to_vec())).collect())
}

/// [`iwae_bound`] and its partial derivatives in the log-weights: the normalised weights softmax(w), [batch, K].
///
/// A row of −∞ has the limit of equal weights, 1/K each; weights of +∞ share the derivative equally.
///
/// # Errors
/// As [`iwae_bound`].
pub fn iwae_bound_with_grad(log_weights: &ArrayRef2<f64>) -> Result<(Array1<f64>, Array2<f64>), Error> {
    Ok((iwae_bound(log_weights)?, normalised(log_weights)))
}

/// Effective sample size (Σw)²/Σw² of each row of log-weights, in [1, K].
///
/// Source: Kong, "A note on importance sampling using standardized weights" (1992).
///
/// # Errors
/// As [`iwae_bound`].
///
/// ```
/// use ndarray::array;
/// let ess = variata_distributions::effective_sample_size(&array![[3.0, 3.0], [0.0, -800.0]])?;
/// assert_eq!(ess, array![2.0, 1.0]);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn effective_sample_size(log_weights: &ArrayRef2<f64>) -> Result<Array1<f64>, Error> {
    check_weights(log_weights)?;
    let most = log_weights.ncols() as f64;
    let size = |row: ndarray::ArrayView1<'_, f64>| (1.0 / sum(row.iter().map(|w| w * w))).clamp(1.0, most);
    Ok(normalised(log_weights).rows().into_iter().map(size).collect())
}

fn check_weights(log_weights: &ArrayRef2<f64>) -> Result<(), Error> {
    if log_weights.ncols() == 0 {
        let got = log_weights.shape().to_vec();
        let want = "[batch, K] with K >= 1".to_owned();
        return Err(ArgumentError::Shape { argument: "log_weights", got, want }.into());
    }
    Ok(check::not_nan("log_weights", log_weights)?)
}

/// softmax of each row.
fn normalised(log_weights: &ArrayRef2<f64>) -> Array2<f64> {
    let mut weights = log_weights.to_owned();
    for mut row in weights.rows_mut() {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // ∞ − ∞: those at an infinite maximum share it.
        row.mapv_inplace(|w| if w == largest { 1.0 } else { libm::exp(w - largest) });
        let sum = sum(row.iter().copied());
        row.mapv_inplace(|w| w / sum);
    }
    weights
}
