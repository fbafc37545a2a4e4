//! Nearest codes of tensors.

use ndarray::{Array, ArrayView2, Dimension};
use tch::{Kind, Tensor};
use variata_distributions::check;
use variata_distributions::torch::support::lend_all;
use variata_torch_bridge::{Route, no_grad, tensor_from_array};

use super::{Input, Native, check_range, code_shape, codebook, compute_kind, integers, power_of_two, rows};
use crate::codebook::{Codebook, Metric};
use crate::error::Error;

/// Codes beyond those asked for whose distances are found from differences, of each row.
const MORE: i64 = 3;

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

/// Tensor form of [`crate::Codebook::assign_with_distances`]: indices `[..]` and, in `Double`, distances `[..]`, which have no
/// gradient.
///
/// # Errors
/// As [`assign`].
///
/// ```
/// use variata_quantize::{Metric, torch};
/// use variata_torch_bridge::tch::Tensor;
///
/// let codes = Tensor::from_slice(&[0f32, 4.0]).view([2, 1]);
/// let z = Tensor::from_slice(&[1f32, 3.0, 2.0]).view([3, 1]);
/// let (_, distances) = torch::assign_with_distances(&codes, Metric::SquaredEuclidean, &z)?;
/// assert_eq!(Vec::<f64>::try_from(&distances).unwrap_or_default(), [1.0, 1.0, 4.0]);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn assign_with_distances(codes: &Tensor, metric: Metric, z: &Tensor) -> Result<(Tensor, Tensor), Error> {
    let input = Input::new(codes, z)?;
    let (indices, distances) = match (input.route(), input.codes.kind()) {
        (Route::Native, Kind::Float) => with_distances::<f32>(&input, metric)?,
        (Route::Native, Kind::Double) => with_distances::<f64>(&input, metric)?,
        _ => no_grad(|| best(&input, metric, 1)),
    };
    Ok((input.shaped(&indices), input.shaped(&distances)))
}

/// Tensor form of [`crate::Codebook::top_k`]: the `count` nearest codes of each vector, nearest first and the lower index at ties,
/// indices and, in `Double`, distances, [.., count] each.
///
/// # Errors
/// As [`assign`]; `count` is 0 or more than K.
///
/// ```
/// use variata_quantize::{Metric, torch};
/// use variata_torch_bridge::tch::Tensor;
///
/// let codes = Tensor::from_slice(&[0f32, 4.0, 7.0]).view([3, 1]);
/// let (indices, _) = torch::top_k(&codes, Metric::SquaredEuclidean, &Tensor::from_slice(&[5f32]), 2)?;
/// assert_eq!(Vec::<i64>::try_from(&indices).unwrap_or_default(), [1, 2]);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn top_k(codes: &Tensor, metric: Metric, z: &Tensor, count: usize) -> Result<(Tensor, Tensor), Error> {
    top(codes, metric, z, count, false)
}

/// [`top_k`] as tensor operations: sorted by differences in f64 among the `count` + 3 codes of the best scores, with what that means
/// for equal codes as in [`assign_composed`].
///
/// # Errors
/// As [`top_k`], values not among them.
pub fn top_k_composed(
    codes: &Tensor,
    metric: Metric,
    z: &Tensor,
    count: usize,
) -> Result<(Tensor, Tensor), Error> {
    top(codes, metric, z, count, true)
}

fn top(
    codes: &Tensor,
    metric: Metric,
    z: &Tensor,
    count: usize,
    composed: bool,
) -> Result<(Tensor, Tensor), Error> {
    let input = Input::new(codes, z)?;
    let ok = (1..=input.count as usize).contains(&count);
    check::scalar("count", count as f64, "from 1 to the number of codes", ok)?;
    let (indices, distances) = match (input.route(), input.codes.kind()) {
        (Route::Native, Kind::Float) if !composed => top_native::<f32>(&input, metric, count)?,
        (Route::Native, Kind::Double) if !composed => top_native::<f64>(&input, metric, count)?,
        _ => no_grad(|| best(&input, metric, count as i64)),
    };
    let mut shape = input.leading.clone();
    shape.push(count as i64);
    Ok((indices.reshape(&shape), distances.reshape(&shape)))
}

/// Indices `[N]`.
pub(super) fn nearest_composed(input: &Input, metric: Metric) -> Tensor {
    no_grad(|| best(input, metric, 1).0.squeeze_dim(-1))
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
    from_indices(&with_codebook::<F, _>(input, metric, |codebook, z| codebook.assign(&z))?)
}

fn with_distances<F: Native>(input: &Input, metric: Metric) -> Result<(Tensor, Tensor), Error> {
    let (indices, distances) =
        with_codebook::<F, _>(input, metric, |codebook, z| codebook.assign_with_distances(&z))?;
    Ok((from_indices(&indices)?, tensor_from_array(distances)?))
}

fn top_native<F: Native>(input: &Input, metric: Metric, count: usize) -> Result<(Tensor, Tensor), Error> {
    let (indices, distances) = with_codebook::<F, _>(input, metric, |codebook, z| codebook.top_k(&z, count))?;
    Ok((from_indices(&indices)?, tensor_from_array(distances)?))
}

fn with_codebook<F: Native, R>(
    input: &Input,
    metric: Metric,
    f: impl FnOnce(&Codebook<F>, ArrayView2<'_, F>) -> Result<R, Error>,
) -> Result<R, Error> {
    lend_all::<F, _, 2>([("codes", &input.codes), ("z", &input.rows)], |[codes, z]| {
        f(&codebook(&rows("codes", codes)?, metric)?, rows("z", z)?)
    })?
}

/// Indices as a tensor.
pub(super) fn from_indices<D: Dimension>(indices: &Array<usize, D>) -> Result<Tensor, Error> {
    Ok(tensor_from_array(indices.mapv(|index| index as i64))?)
}

/// The `count` nearest codes of each row, indices and distances [N, count], nearest first.
fn best(input: &Input, metric: Metric, count: i64) -> (Tensor, Tensor) {
    let Input { codes, rows, count: codes_in_all, depth, .. } = input;
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
    let candidates = (count + MORE).min(*codes_in_all);
    let none = |kind| Tensor::zeros([0, count], (kind, rows.device()));
    let (mut indices, mut distances) = (vec![none(Kind::Int64)], vec![none(Kind::Double)]);
    for z in rows.split(Input::block(codes_in_all + candidates * depth), 0) {
        let z = exact(&z);
        let scores = &bias - ((&z - &centre) / &scale).to_kind(kind).matmul(&turned);
        // Ascending, so that of equal distances the lowest index comes first.
        let (found, _) = scores.topk(candidates, -1, false, false).1.sort(-1, false);
        let gaps =
            z.unsqueeze(1) - codes.index_select(0, &found.flatten(0, 1)).view([-1, candidates, *depth]);
        let squares = gaps.square().sum_dim_intlist(-1, false, Kind::Double);
        let (squares, order) = squares.sort_stable(true, -1, false);
        indices.push(found.gather(-1, &order.narrow(-1, 0, count), false));
        distances.push(squares.narrow(-1, 0, count));
    }
    let distances = Tensor::cat(&distances, 0);
    let distances = if metric == Metric::Cosine { distances * 0.5 } else { distances };
    (Tensor::cat(&indices, 0), distances)
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
    check_range(&flat, count as usize)?;
    let mut shape = indices.size();
    shape.push(depth);
    Ok(codes.index_select(0, &flat).reshape(shape))
}
