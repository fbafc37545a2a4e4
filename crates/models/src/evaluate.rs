//! Bounds on log p(x) of a trained model.

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
    /// Standard error of `importance_weighted − elbo` over data.
    pub gap_standard_error: f64,
}

/// log w = log p(x|z) + log p(z) − log q(z|x) for `samples` draws of z per row of `x` → [batch, samples], f64, on the
/// CPU. `draw` addresses the noise: other numbers give other draws.
///
/// Source: Burda, Grosse & Salakhutdinov 2016; the tutorial's bound is the mean over draws.
///
/// # Errors
/// The model has no posterior or no density, or a shape is wrong.
pub fn log_weights(
    model: &Autoencoder,
    x: &Tensor,
    condition: Option<&Condition>,
    samples: i64,
    noise: &Noise,
    draw: u64,
) -> Result<ndarray::Array2<f64>, Error> {
    if samples < 1 {
        return Err(Error::Config { setting: "samples", value: samples.to_string(), must: ">= 1".into() });
    }
    variata_torch_bridge::no_grad(|| {
        let code = model.encode(x, condition)?.code;
        let Some(q) = &code.posterior else {
            return Err(Error::Condition("a deterministic bottleneck has no posterior, and so no bound"));
        };
        let (rows, width) = (x.size()[0], model.config().latent);
        let prior = DiagonalNormal::from_log_variance(q.loc().zeros_like(), q.loc().zeros_like())?;
        let mut out = ndarray::Array2::zeros((rows as usize, samples as usize));
        for k in 0..samples {
            let address = draw.wrapping_mul(1 << 20).wrapping_add(k as u64);
            let epsilon =
                noise.normal(Purpose::Report, address, 0..rows.unsigned_abs(), width, model.device())?;
            let z = q.rsample(&epsilon)?;
            let observation = model.decode(&z, condition)?;
            if !observation.is_density() {
                return Err(Error::Condition("the squared error is no density, and so gives no bound"));
            }
            let log_w = prior.log_prob(&z)? - q.log_prob(&z)? - observation.distortion(x)?;
            let column =
                variata_torch_bridge::tensor_into_array::<f64>("log_w", &log_w.to_kind(Kind::Double))?;
            for (slot, value) in out.column_mut(k as usize).iter_mut().zip(&column) {
                *slot = *value;
            }
        }
        Ok(out)
    })
}

/// Means over the rows of log-weights [n, k]; see [`log_weights`]. A weight that is NaN makes them NaN.
///
/// # Errors
/// There are no weights.
pub fn bounds(log_weights: &ndarray::Array2<f64>) -> Result<Bounds, Error> {
    let (n, k) = log_weights.dim();
    if n == 0 || k == 0 {
        return Err(Error::Config {
            setting: "log_weights",
            value: format!("[{n}, {k}]"),
            must: "at least [1, 1]".into(),
        });
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
    let variance = per_datum.iter().map(|p| (p.1 - p.0 - gap).powi(2)).sum::<f64>() / (n.max(2) - 1) as f64;
    Ok(Bounds { elbo, importance_weighted, gap_standard_error: (variance / n as f64).sqrt() })
}
