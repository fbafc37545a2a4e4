//! Weights of Gumbel-softmax and what they tell about the codes.

use tch::{Kind, Tensor};
use variata_distributions::check;
use variata_distributions::torch::support::lend_all;
use variata_torch_bridge::{Route, no_grad, tensor_from_array, tensor_into_array};

use super::gumbel::{Blocks, Drawn};
use super::{Input, Native, Noise, codebook, rows};
use crate::codebook::Metric;
use crate::error::Error;
use crate::gumbel::GumbelSoftmax;
use crate::usage::SoftUsage;

/// Tensor form of [`GumbelSoftmax::weights`]: [.., K], without a gradient; for a look at few vectors, since nothing else makes a tensor of
/// this size.
///
/// # Errors
/// As [`gumbel_softmax`](super::gumbel_softmax).
///
/// ```
/// use variata_quantize::{GumbelSoftmax, torch};
/// use variata_torch_bridge::tch::Tensor;
///
/// let codes = Tensor::from_slice(&[0f64, 2.0]).view([2, 1]);
/// let options = GumbelSoftmax { temperature: 1.0, hard: false };
/// let weights = torch::soft_weights(&options, &codes, &Tensor::from_slice(&[1f64]), torch::Noise::None)?;
/// assert_eq!(Vec::<f64>::try_from(&weights).unwrap_or_default(), [0.5, 0.5]);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn soft_weights(
    options: &GumbelSoftmax,
    codes: &Tensor,
    z: &Tensor,
    noise: Noise<'_>,
) -> Result<Tensor, Error> {
    weights(options, codes, z, noise, false)
}

/// [`soft_weights`] as tensor operations.
///
/// # Errors
/// As [`soft_weights`], values not among them.
pub fn soft_weights_composed(
    options: &GumbelSoftmax,
    codes: &Tensor,
    z: &Tensor,
    noise: Noise<'_>,
) -> Result<Tensor, Error> {
    weights(options, codes, z, noise, true)
}

/// Tensor form of [`GumbelSoftmax::usage`]; waits for the device once.
///
/// # Errors
/// As [`gumbel_softmax`](super::gumbel_softmax), and if there are no vectors.
///
/// ```
/// use variata_quantize::{GumbelSoftmax, torch};
/// use variata_torch_bridge::tch::Tensor;
///
/// let codes = Tensor::from_slice(&[0f64, 2.0]).view([2, 1]);
/// let options = GumbelSoftmax { temperature: 1.0, hard: false };
/// let usage = torch::soft_usage(&options, &codes, &Tensor::from_slice(&[1f64]))?;
/// assert!((usage.row_entropy - 2f64.ln()).abs() < 1e-15);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn soft_usage(options: &GumbelSoftmax, codes: &Tensor, z: &Tensor) -> Result<SoftUsage, Error> {
    usage(options, codes, z, false)
}

/// [`soft_usage`] as tensor operations in blocks of rows.
///
/// # Errors
/// As [`soft_usage`], values not among them.
pub fn soft_usage_composed(options: &GumbelSoftmax, codes: &Tensor, z: &Tensor) -> Result<SoftUsage, Error> {
    usage(options, codes, z, true)
}

fn weights(
    options: &GumbelSoftmax,
    codes: &Tensor,
    z: &Tensor,
    noise: Noise<'_>,
    composed: bool,
) -> Result<Tensor, Error> {
    let options = soft(options)?;
    let input = Input::new(codes, z)?;
    let drawn = Drawn::new(&input, noise)?;
    let found = match input.codes.kind() {
        Kind::Float if !composed && drawn.native(&input) => native_weights::<f32>(&options, &input, &drawn)?,
        Kind::Double if !composed && drawn.native(&input) => native_weights::<f64>(&options, &input, &drawn)?,
        kind => no_grad(|| {
            let blocks = Blocks::new(&options, &input, drawn);
            let mut parts = vec![Tensor::zeros([0, input.count], (kind, input.rows.device()))];
            for part in blocks.all_weights(&input.rows) {
                parts.push(part?.to_kind(kind));
            }
            Ok::<_, Error>(Tensor::cat(&parts, 0))
        })?,
    };
    let mut shape = input.leading.clone();
    shape.push(input.count);
    Ok(found.reshape(shape))
}

fn native_weights<F: Native>(options: &GumbelSoftmax, input: &Input, noise: &Drawn) -> Result<Tensor, Error> {
    let found = lend_all::<F, _, 2>([("codes", &input.codes), ("z", &input.rows)], |[codes, z]| {
        let book = codebook(&rows::<F>("codes", codes)?, Metric::SquaredEuclidean)?;
        noise.lend(|noise| options.weights(&book, &rows("z", z)?, noise))
    })??;
    Ok(tensor_from_array(found)?)
}

fn usage(options: &GumbelSoftmax, codes: &Tensor, z: &Tensor, composed: bool) -> Result<SoftUsage, Error> {
    let options = soft(options)?;
    let input = Input::new(codes, z)?;
    let count = input.rows.size()[0];
    check::scalar("rows of z", count as f64, "at least 1", count > 0)?;
    match input.codes.kind() {
        Kind::Float if !composed && input.route() == Route::Native => native_usage::<f32>(&options, &input),
        Kind::Double if !composed && input.route() == Route::Native => native_usage::<f64>(&options, &input),
        _ => no_grad(|| {
            let blocks = Blocks::new(&options, &input, Drawn::None);
            let place = (Kind::Double, input.rows.device());
            // Sums of weights, and in the last place of the entropies.
            let mut sums = Tensor::zeros([input.count + 1], place);
            for part in blocks.all_weights(&input.rows) {
                let part = part?.to_kind(Kind::Double);
                let entropy = -part.xlogy(&part).sum(Kind::Double).reshape([1]);
                sums += Tensor::cat(&[part.sum_dim_intlist(0, false, Kind::Double), entropy], 0);
            }
            let sums = tensor_into_array::<f64>("weights", &sums.to_device(tch::Device::Cpu))?;
            let mut weights: Vec<f64> = sums.into_iter().collect();
            let entropy = weights.pop().unwrap_or(0.0);
            Ok(SoftUsage::from_sums(weights.into(), entropy, count as u64))
        }),
    }
}

fn native_usage<F: Native>(options: &GumbelSoftmax, input: &Input) -> Result<SoftUsage, Error> {
    lend_all::<F, _, 2>([("codes", &input.codes), ("z", &input.rows)], |[codes, z]| {
        let book = codebook(&rows::<F>("codes", codes)?, Metric::SquaredEuclidean)?;
        options.usage(&book, &rows("z", z)?)
    })?
}

/// The same without straight-through: weights are soft.
fn soft(options: &GumbelSoftmax) -> Result<GumbelSoftmax, Error> {
    check::scalar("temperature", options.temperature, ">= 0", options.temperature >= 0.0)?;
    Ok(GumbelSoftmax { hard: false, ..*options })
}
