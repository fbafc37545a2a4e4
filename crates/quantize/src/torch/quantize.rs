//! Quantisation of tensors with gradients.

use tch::{Kind, Tensor};
use variata_distributions::torch::support::lend_all;
use variata_torch_bridge::{Route, Saved, attach_backward, no_grad, tensor_from_array};

use super::assign::{from_indices, nearest_composed};
use super::ema::of;
use super::{Input, Native, codebook, reported, rows};
use crate::clusters::Of;
use crate::codebook::{LEAST_SQUARE, Metric};
use crate::error::Error;
use crate::quantize::Estimator;

/// What [`quantize`] returns.
#[derive(Debug)]
pub struct Quantized {
    /// The nearest codes [.., D], the very bits of the codebook, of its kind; the gradient goes to the vectors by the
    /// estimator. Not to be changed in place before backward, which reads it.
    pub output: Tensor,
    /// Their indices `[..]`, `Int64`.
    pub indices: Tensor,
    /// Mean of (z − e)² over all elements, a scalar of kind `Double`, 0 without any; its gradient goes to the codes.
    pub codebook_loss: Tensor,
    /// The same value; its gradient goes to the vectors.
    pub commitment_loss: Tensor,
}

/// Tensor form of [`crate::Codebook::quantize`] for vectors `z` [.., D] and `codes` [K, D].
///
/// The weights of the losses are the user's: mostly 1 (0 where an EMA moves the codes) and 0.25.
///
/// # Errors
/// As [`assign`](super::assign).
///
/// ```
/// use variata_quantize::{Estimator, Metric, torch};
/// use variata_torch_bridge::tch::{Kind, Tensor};
///
/// let codes = Tensor::from_slice(&[0f64, 4.0]).view([2, 1]).set_requires_grad(true);
/// let z = Tensor::from_slice(&[3f64]).view([1, 1]).set_requires_grad(true);
/// let quantized = torch::quantize(&codes, Metric::SquaredEuclidean, &z, Estimator::StraightThrough)?;
/// (quantized.output.sum(Kind::Double) + quantized.codebook_loss + quantized.commitment_loss * 0.25).backward();
/// // 1 − 0.25·2, and 2(4 − 3).
/// assert_eq!((z.grad().double_value(&[0, 0]), codes.grad().double_value(&[1, 0])), (0.5, 2.0));
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn quantize(
    codes: &Tensor,
    metric: Metric,
    z: &Tensor,
    estimator: Estimator,
) -> Result<Quantized, Error> {
    stage(codes, metric, z, estimator, false)
}

/// [`quantize`]; of the `rest` that other codes left, zeros are no error, as [`crate::Residual`] says.
pub(super) fn stage(
    codes: &Tensor,
    metric: Metric,
    z: &Tensor,
    estimator: Estimator,
    rest: bool,
) -> Result<Quantized, Error> {
    let input = Input::new(codes, z)?;
    let found = match (input.route(), codes.kind()) {
        (Route::Native, Kind::Float) => native::<f32>(&input, metric, rest)?,
        (Route::Native, Kind::Double) => native::<f64>(&input, metric, rest)?,
        _ => composed(&input, metric, rest),
    };
    attached(codes, z, &input, found, estimator)
}

/// [`quantize`] as tensor operations in blocks of rows.
///
/// # Errors
/// As [`quantize`], values not among them.
pub fn quantize_composed(
    codes: &Tensor,
    metric: Metric,
    z: &Tensor,
    estimator: Estimator,
) -> Result<Quantized, Error> {
    let input = Input::new(codes, z)?;
    attached(codes, z, &input, composed(&input, metric, false), estimator)
}

/// Gives what was found its gradients.
fn attached(
    codes: &Tensor,
    z: &Tensor,
    input: &Input,
    (output, indices, loss): Found,
    estimator: Estimator,
) -> Result<Quantized, Error> {
    let (vectors, chosen) = (input.full(&input.rows), input.full(&output));
    let shaped = input.shaped(&indices);
    let (kind, numel) = (z.kind(), vectors.numel());
    let scale = crate::quantize::mean(2.0, numel);

    let at = [Saved::new("z", &vectors), Saved::new("output", &chosen)];
    let output = attach_backward("quantize", chosen.detach(), &[z], move |upstream| {
        let grad = match estimator {
            Estimator::StraightThrough => upstream.shallow_clone(),
            Estimator::Rotation => rotate(at[0].get()?, at[1].get()?, upstream),
        };
        Ok(vec![Some(grad.to_kind(kind))])
    })?;

    let at = [Saved::new("z", &vectors), Saved::new("output", &chosen)];
    let commitment_loss = attach_backward("commitment_loss", loss.copy(), &[z], move |upstream| {
        let gap = at[0].get()?.to_kind(Kind::Double) - at[1].get()?;
        Ok(vec![Some((gap * (upstream * scale)).to_kind(kind))])
    })?;

    let (codes_kind, at) = (codes.kind(), [Saved::new("z", &input.rows), Saved::new("codes", codes)]);
    let codebook_loss = attach_backward("codebook_loss", loss, &[codes], move |upstream| {
        let (z, codes) = (at[0].get()?, at[1].get()?);
        // Whatever the metric, the loss is that of plain differences.
        let gaps = of(codes, Metric::SquaredEuclidean, z, &indices, Of::Gaps).map_err(reported)?.sums;
        Ok(vec![Some((gaps * (upstream * -scale)).to_kind(codes_kind))])
    })?;
    Ok(Quantized { output, indices: shaped, codebook_loss, commitment_loss })
}

/// Codes [N, D], indices `[N]` and the loss.
type Found = (Tensor, Tensor, Tensor);

fn native<F: Native>(input: &Input, metric: Metric, rest: bool) -> Result<Found, Error> {
    let found = lend_all::<F, _, 2>([("codes", &input.codes), ("z", &input.rows)], |[codes, z]| {
        let (codebook, z) = (codebook(&rows("codes", codes)?, metric)?, rows("z", z)?);
        if rest { codebook.quantize_rest(&z) } else { codebook.quantize(&z) }
    })??;
    Ok((tensor_from_array(found.output)?, from_indices(&found.indices)?, Tensor::from(found.loss)))
}

fn composed(input: &Input, metric: Metric, rest: bool) -> Found {
    let mut indices = nearest_composed(input, metric);
    if rest && metric == Metric::Cosine {
        let nothing = input.rows.to_kind(Kind::Double).square();
        let nothing = nothing.sum_dim_intlist(-1, false, Kind::Double).lt(LEAST_SQUARE);
        indices = indices.masked_fill(&nothing, 0);
    }
    no_grad(|| {
        let output = input.codes.index_select(0, &indices);
        let gap = input.rows.to_kind(Kind::Double) - &output;
        let loss = gap.square().sum(Kind::Double) / (gap.numel().max(1) as f64);
        (output, indices, loss)
    })
}

/// (‖e‖/‖z‖)·Rᵀg of each row, as [`Estimator::Rotation`] says.
fn rotate(z: &Tensor, e: &Tensor, g: &Tensor) -> Tensor {
    let [z, e, g] = [z, e, g].map(|t| t.to_kind(Kind::Double));
    let dot = |a: &Tensor, b: &Tensor| (a * b).sum_dim_intlist(-1, true, Kind::Double);
    let (norm_z, norm_e) = (dot(&z, &z).sqrt(), dot(&e, &e).sqrt());
    let (unit_z, unit_e) = (&z / &norm_z, &e / &norm_e);
    let middle = &unit_z + &unit_e;
    let square = dot(&middle, &middle);
    // The half turn between opposite vectors has no middle.
    let along = (dot(&middle, &g) * 2.0 / &square).masked_fill(&square.le(1e-24), 0.0);
    let turned = (&g - along * middle + dot(&unit_e, &g) * 2.0 * unit_z) * (&norm_e / &norm_z);
    let straight = norm_z.eq(0.0).logical_or(&norm_e.eq(0.0));
    g.where_self(&straight, &turned)
}
