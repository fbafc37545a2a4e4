//! Nearest codes of tensors.

use ndarray::Array1;
use tch::{Kind, Tensor};
use variata_torch_bridge::{Route, lend_all, no_grad, tensor_from_array};

use super::{Input, Native, check_range, code_shape, codebook, compute_kind, integers, power_of_two, rows};
use crate::codebook::Metric;
use crate::error::Error;

/// Codes whose distances are found from differences, of each row.
const CANDIDATES: i64 = 4;

/// Tensor form of [`crate::Codebook::assign`]: the index of the code nearest to each vector of `z` [.., D] among `codes`
/// [K, D], the lowest at ties; shape `[..]`, kind `Int64`.
///
/// # Errors
/// A tensor is not dense and floating-point or the shapes do not fit; natively also as [`crate::Codebook::assign`].
///
/// ```
/// use variata_quantize::{Metric, torch};
/// use variata_torch_bridge::tch::{Kind, Tensor};
///
/// let codes = Tensor::from_slice(&[0f32, 4.0]).view([2, 1]);
/// let z = Tensor::from_slice(&[1f32, 3.0, 2.0]).view([3, 1]);
/// let indices = torch::assign(&codes, Metric::SquaredEuclidean, &z)?;
/// assert_eq!(Vec::<i64>::try_from(&indices).unwrap_or_default(), [0, 1, 0]);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn assign(codes: &Tensor, metric: Metric, z: &Tensor) -> Result<Tensor, Error> {
    let input = Input::new(codes, z)?;
    Ok(input.shaped(&nearest(&input, metric)?))
}

/// [`assign`] as tensor operations: the nearest by differences in f64 among the four codes of the best scores. Of five or
/// more codes that are equal, or as near as round-off of the scores, any four are looked at. A row with a NaN has an index of no
/// meaning.
///
/// # Errors
/// As [`assign`], values not among them.
pub fn assign_composed(codes: &Tensor, metric: Metric, z: &Tensor) -> Result<Tensor, Error> {
    let input = Input::new(codes, z)?;
    Ok(input.shaped(&nearest_composed(&input, metric)))
}

/// Indices `[N]`.
pub(super) fn nearest_composed(input: &Input, metric: Metric) -> Tensor {
    no_grad(|| composed(input, metric))
}

/// Indices `[N]`.
pub(super) fn nearest(input: &Input, metric: Metric) -> Result<Tensor, Error> {
    match (input.route(), input.codes.kind()) {
        (Route::Native, Kind::Float) => native::<f32>(input, metric),
        (Route::Native, Kind::Double) => native::<f64>(input, metric),
        _ => Ok(nearest_composed(input, metric)),
    }
}

fn native<F: Native>(input: &Input, metric: Metric) -> Result<Tensor, Error> {
    let found = lend_all::<F, _, 2>([("codes", &input.codes), ("z", &input.rows)], |[codes, z]| {
        codebook(&rows("codes", codes)?, metric)?.assign(&rows("z", z)?)
    })??;
    from_indices(&found)
}

/// Indices as a tensor.
pub(super) fn from_indices(indices: &Array1<usize>) -> Result<Tensor, Error> {
    Ok(tensor_from_array(indices.mapv(|index| index as i64))?)
}

fn composed(input: &Input, metric: Metric) -> Tensor {
    let Input { codes, rows, count, depth, .. } = input;
    let kind = compute_kind(codes);
    // Under the cosine metric both are of unit length, and ½‖z − e‖² is 1 − cos.
    let exact = |x: &Tensor| {
        let x = x.to_kind(Kind::Double);
        let norms = || x.square().sum_dim_intlist(-1, true, Kind::Double).sqrt();
        if metric == Metric::Cosine { &x / norms() } else { x }
    };
    let codes = exact(codes);
    let centre = codes.mean_dim(0, true, Kind::Double);
    let centred = &codes - &centre;
    let scale = power_of_two(&centred);
    let centred = centred / &scale;
    let bias = (centred.square().sum_dim_intlist(-1, false, Kind::Double) * 0.5).to_kind(kind);
    let turned = centred.to_kind(kind).tr();
    let candidates = CANDIDATES.min(*count);
    let parts = rows.split(Input::block(count + candidates * depth), 0).into_iter().map(|z| {
        let z = exact(&z);
        let scores = &bias - ((&z - &centre) / &scale).to_kind(kind).matmul(&turned);
        // Ascending, so that the first of equal distances has the lowest index.
        let (found, _) = scores.topk(candidates, -1, false, false).1.sort(-1, false);
        let gaps =
            z.unsqueeze(1) - codes.index_select(0, &found.flatten(0, 1)).view([-1, candidates, *depth]);
        let distances = gaps.square().sum_dim_intlist(-1, false, Kind::Double);
        let least = distances.amin([-1i64].as_slice(), true);
        // Where nothing is equal to the least, it is NaN, and any index will do.
        found.masked_fill(&distances.not_equal_tensor(&least), count - 1).amin([-1i64].as_slice(), false)
    });
    let parts: Vec<Tensor> = parts.collect();
    if parts.is_empty() { Tensor::zeros([0], (Kind::Int64, rows.device())) } else { Tensor::cat(&parts, 0) }
}

/// The codes [.., D] of indices `[..]`, the very bits of `codes` [K, D]; differentiable in the codes.
///
/// # Errors
/// As [`assign`]; `indices` is not of an integer kind; [`Error::Index`] with the first index that is not in [0, K).
///
/// ```
/// use variata_quantize::torch;
/// use variata_torch_bridge::tch::Tensor;
///
/// let codes = Tensor::from_slice(&[0f32, 4.0]).view([2, 1]);
/// let output = torch::decode(&codes, &Tensor::from_slice(&[1i64, 1, 0]).view([1, 3]))?;
/// assert_eq!(output.size(), [1, 3, 1]);
/// assert!(torch::decode(&codes, &Tensor::from(2i64)).is_err());
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn decode(codes: &Tensor, indices: &Tensor) -> Result<Tensor, Error> {
    variata_torch_bridge::check_floating(&[("codes", codes)])?;
    let [count, depth] = code_shape(codes)?;
    let indices = integers(indices)?.to_device(codes.device());
    let flat = indices.flatten(0, -1);
    check_range(&flat, count)?;
    let mut shape = indices.size();
    shape.push(depth);
    Ok(codes.index_select(0, &flat).reshape(shape))
}
