//! Bounds on log p(x) of a trained model.

use ndarray::{Array2, ArrayRef2};
use tch::{Kind, Tensor};
use variata_distributions::torch::DiagonalNormal;

use crate::{Autoencoder, Condition, Error, Noise, Purpose};

/// ELBO and importance-weighted bound, means over data, in nats per datum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Mean log-weight: the ELBO by the same draws.
    pub elbo: f64,
    /// log of the mean of k weights.
    pub importance_weighted: f64,
    /// Standard error of `importance_weighted − elbo` over data; one datum has none.
    pub gap_standard_error: Option<f64>,
}

/// Most draws of a datum: addresses of their noise follow each other.
const MOST_DRAWS: u64 = 1 << 20;

/// log w = log p(x|z) + log p(z) − log q(z|x) for `samples` draws of z per row of `x` → [batch, samples], f64, on the
/// CPU. `draw` addresses the noise: other numbers give other draws.
///
/// Source: Burda, Grosse & Salakhutdinov 2016; the tutorial's bound is the mean over draws.
///
/// # Errors
/// The model has no posterior or no density, a shape is wrong, or `samples` is not in 1..=2²⁰.
pub fn log_weights(
    model: &Autoencoder,
    x: &Tensor,
    condition: Option<&Condition>,
    samples: i64,
    noise: &Noise,
    draw: u64,
) -> Result<Array2<f64>, Error> {
    let draws = samples.max(0).unsigned_abs();
    if !(1..=MOST_DRAWS).contains(&draws) {
        return Err(Error::config("samples", samples, format!("in 1..={MOST_DRAWS}")));
    }
    variata_torch_bridge::no_grad(|| {
        let code = model.encode(x, condition)?.code;
        let Some(q) = &code.posterior else {
            return Err(Error::Unsupported("a deterministic bottleneck has no posterior, and so no bound"));
        };
        let (rows, width) = (x.size()[0], model.config().latent);
        let prior = DiagonalNormal::from_log_variance(q.loc().zeros_like(), q.loc().zeros_like())?;
        let mut out = Array2::zeros((rows as usize, draws as usize));
        for (k, mut column) in (0..draws).zip(out.columns_mut()) {
            let address = draw.wrapping_mul(MOST_DRAWS).wrapping_add(k);
            let epsilon =
                noise.normal(Purpose::Report, address, 0..rows.unsigned_abs(), width, model.device())?;
            let z = q.rsample(&epsilon)?;
            let observation = model.decode(&z, condition)?;
            if !observation.is_density() {
                return Err(Error::Unsupported("the squared error is no density, and so gives no bound"));
            }
            let log_w = prior.log_prob(&z)? - q.log_prob(&z)? - observation.distortion(x)?;
            let values =
                variata_torch_bridge::tensor_into_array::<f64>("log_w", &log_w.to_kind(Kind::Double))?;
            column.iter_mut().zip(&values).for_each(|(to, value)| *to = *value);
        }
        Ok(out)
    })
}

/// Means over the rows of log-weights [n, k]; see [`log_weights`]. A weight that is NaN makes them NaN.
///
/// # Errors
/// There are no weights.
pub fn bounds(log_weights: &ArrayRef2<f64>) -> Result<Bounds, Error> {
    let (n, k) = log_weights.dim();
    if n == 0 || k == 0 {
        return Err(Error::config("log_weights", format!("[{n}, {k}]"), "at least [1, 1]"));
    }
    let per_datum: Vec<(f64, f64)> = log_weights
        .rows()
        .into_iter()
        .map(|row| {
            let elbo = row.sum() / k as f64;
            let values = row.to_vec();
            (elbo, variata_distributions::special::log_mean_exp(&values))
        })
        .collect();
    let elbo = per_datum.iter().map(|p| p.0).sum::<f64>() / n as f64;
    let importance_weighted = per_datum.iter().map(|p| p.1).sum::<f64>() / n as f64;
    let gap = importance_weighted - elbo;
    let squares = per_datum.iter().map(|p| (p.1 - p.0 - gap).powi(2)).sum::<f64>();
    let gap_standard_error = (n > 1).then(|| (squares / (n - 1) as f64 / n as f64).sqrt());
    Ok(Bounds { elbo, importance_weighted, gap_standard_error })
}
