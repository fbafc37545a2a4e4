//! The tensor home: the same on `tch::Tensor`, differentiable, on the CPU or a GPU.
//!
//! Codes are a plain tensor [K, D], so that they are a parameter of any model; vectors are [.., D], and indices have the
//! leading shape. On plain CPU tensors of kind `Float` or `Double` the native kernels compute; elsewhere, and in the
//! `_composed` forms, tensor operations in blocks of rows, which hold some millions of numbers at a time and never all
//! vectors against all codes, forward or backward.
//!
//! Shapes, kinds, devices and indices are checked. Values of vectors are checked where the native kernels compute; elsewhere
//! that would wait for the device, and a NaN propagates. A second derivative is refused. Composed operations are not to be called
//! inside an autocast, which would round their scores to 8 bits.
//!
//! ```
//! use variata_quantize::{Estimator, Metric, torch};
//! use variata_torch_bridge::tch::{Device, Kind, Tensor};
//!
//! let codes = Tensor::randn([8, 4], (Kind::Float, Device::Cpu)).set_requires_grad(true);
//! let z = Tensor::randn([2, 5, 4], (Kind::Float, Device::Cpu)).set_requires_grad(true);
//! let quantized = torch::quantize(&codes, Metric::SquaredEuclidean, &z, Estimator::StraightThrough)?;
//! assert_eq!(quantized.indices.size(), [2, 5]);
//! let loss = quantized.output.square().mean(Kind::Float) + quantized.codebook_loss + quantized.commitment_loss * 0.25;
//! loss.backward();
//! assert_eq!((codes.grad().size(), z.grad().size()), (vec![8, 4], vec![2, 5, 4]));
//! # Ok::<(), variata_quantize::Error>(())
//! ```

mod assign;
mod ema;
mod fsq;
mod gumbel;
mod noise;
mod quantize;
mod soft;
mod stages;

use ndarray::{Array2, ArrayD, ArrayView2, ArrayViewD, Ix2};
use tch::{Device, Kind, Tensor};
use variata_distributions::ArgumentError;
use variata_distributions::torch::support::size;
use variata_torch_bridge::{Element, Route, check_floating, route, tensor_into_array};

use crate::codebook::{Codebook, Metric};
use crate::error::Error;
use variata_distributions::lanes::{Compute, Sample};

pub use assign::{assign, assign_composed, assign_with_distances, decode, top_k, top_k_composed};
pub use ema::{Clusters, Ema, clusters, clusters_composed, revive};
pub use fsq::{FsqQuantized, fsq, fsq_decode};
pub use gumbel::{
    Noise, SoftQuantized, gumbel_softmax, gumbel_softmax_composed, gumbel_softmax_with_temperature,
};
pub use noise::gumbel_noise;
pub use quantize::{Quantized, quantize, quantize_composed};
pub use soft::{soft_usage, soft_usage_composed, soft_weights, soft_weights_composed};
pub use stages::{ResidualQuantized, heads, heads_decode, residual, residual_decode};

/// Most numbers of a block of rows against all codes.
const BLOCK: i64 = 1 << 22;

/// Elements of tensors that native kernels read.
trait Native: Element + Sample<Compute = Self> + Compute {}
impl Native for f32 {}
impl Native for f64 {}

/// Indices as an array of the same shape, for what is native only: [`crate::Usage::add`], [`crate::UsageWindow::push`].
///
/// # Errors
/// [`Error::Tensor`] if the kind is not an integer's; [`Error::Argument`] for a negative index.
///
/// ```
/// use variata_quantize::{Usage, torch};
/// use variata_torch_bridge::tch::Tensor;
///
/// let mut usage = Usage::new(4)?;
/// usage.add(&torch::indices(&Tensor::from_slice(&[0i64, 3, 3]))?)?;
/// assert_eq!(usage.counts(), [1, 0, 0, 2]);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn indices(indices: &Tensor) -> Result<ArrayD<usize>, Error> {
    let found = tensor_into_array::<i64>("indices", &integers(indices)?.to_device(Device::Cpu))?;
    if let Some((at, &value)) = found.iter().enumerate().find(|(_, index)| **index < 0) {
        let (index, value) = (Some(at), value as f64);
        return Err(ArgumentError::Value { argument: "indices", index, value, must: ">= 0" }.into());
    }
    Ok(found.mapv(|index| index as usize))
}

/// Indices of kind `Int64`.
fn integers(indices: &Tensor) -> Result<Tensor, Error> {
    let argument = "indices";
    variata_torch_bridge::check_dense(argument, indices)?;
    match indices.kind() {
        Kind::Int64 => Ok(indices.shallow_clone()),
        Kind::Uint8 | Kind::Int8 | Kind::Int16 | Kind::Int => Ok(indices.to_kind(Kind::Int64)),
        got => Err(variata_torch_bridge::Error::Kind { argument, got, want: Kind::Int64 }.into()),
    }
}

/// Indices `[N]` name codes: on a GPU this waits for the device, where an operation with others would be lost.
fn check_range(indices: &Tensor, count: usize) -> Result<(), Error> {
    let negative = indices.lt(0);
    // Where there are 2⁶³ codes no integer is too large.
    let outside =
        i64::try_from(count).map_or(negative.copy(), |count| negative.logical_or(&indices.ge(count)));
    if indices.numel() == 0 || outside.any().int64_value(&[]) == 0 {
        return Ok(());
    }
    let position = outside.to_kind(Kind::Int64).argmax(0, false).int64_value(&[]);
    let index = indices.int64_value(&[position]).into();
    Err(Error::Index { argument: "indices", position: position as usize, index, codes: count })
}

/// Every row of numbers [K, ..] is finite; waits for the device.
fn check_finite(argument: &'static str, rows: &Tensor) -> Result<(), Error> {
    let finite = rows.reshape([rows.size()[0], -1]).isfinite().all_dim(1, false);
    if finite.numel() == 0 || finite.all().int64_value(&[]) != 0 {
        return Ok(());
    }
    let row = finite.to_kind(Kind::Int64).argmin(0, false).int64_value(&[]);
    let values = rows.get(row);
    let value = values.masked_select(&values.isfinite().logical_not()).double_value(&[0]);
    Err(Error::Row { argument, row: row as usize, value, must: "finite" })
}

/// Codes [K, D] and vectors [.., D] that fit each other, the latter as rows.
struct Input {
    codes: Tensor,
    /// [N, D].
    rows: Tensor,
    /// Shape of the vectors without D.
    leading: Vec<i64>,
    count: i64,
    depth: i64,
}

impl Input {
    fn new(codes: &Tensor, z: &Tensor) -> Result<Self, Error> {
        check_floating(&[("codes", codes), ("z", z)])?;
        let [count, depth] = code_shape(codes)?;
        let (got, mut leading) = (size(z), z.size());
        if leading.pop() != Some(depth) {
            let want = format!("[.., {depth}]");
            return Err(ArgumentError::Shape { argument: "z", got, want }.into());
        }
        let n = leading.iter().product();
        Ok(Self { codes: codes.detach(), rows: z.detach().reshape([n, depth]), leading, count, depth })
    }

    fn route(&self) -> Route {
        route(&[&self.codes, &self.rows], &[])
    }

    /// Rows of a block in which each has `width` numbers.
    fn block(width: i64) -> i64 {
        (BLOCK / width.max(1)).max(1)
    }

    /// Indices `[N]` in the shape that belongs to the vectors.
    fn shaped(&self, indices: &Tensor) -> Tensor {
        indices.reshape(&self.leading)
    }

    /// Rows [N, D] in the shape of the vectors.
    fn full(&self, rows: &Tensor) -> Tensor {
        let mut shape = self.leading.clone();
        shape.push(self.depth);
        rows.reshape(shape)
    }
}

/// The shape of codes, [K, D], neither 0.
fn code_shape(codes: &Tensor) -> Result<[i64; 2], Error> {
    match <[i64; 2]>::try_from(codes.size()) {
        Ok(shape) if !shape.contains(&0) => Ok(shape),
        _ => {
            let want = "[codes, dimensions], neither 0".to_owned();
            Err(ArgumentError::Shape { argument: "codes", got: size(codes), want }.into())
        }
    }
}

/// The kind that arithmetic is done in: at least `Float`.
fn compute_kind(tensor: &Tensor) -> Kind {
    if tensor.kind() == Kind::Double { Kind::Double } else { Kind::Float }
}

/// A power of two near the largest norm of rows in f64; 1e-30 or more.
fn power_of_two(rows: &Tensor) -> Tensor {
    let largest = rows.square().sum_dim_intlist(-1, false, Kind::Double).max().sqrt();
    largest.clamp_min(1e-30).log2().floor().exp2()
}

/// The codebook of codes that were lent.
fn codebook<F: Native>(codes: &ArrayView2<'_, F>, metric: Metric) -> Result<Codebook<F>, Error> {
    Codebook::new(codes.to_owned(), metric)
}

/// Lent memory as rows; `Input` has made them.
fn rows<'a, F: Element>(argument: &'static str, view: ArrayViewD<'a, F>) -> Result<ArrayView2<'a, F>, Error> {
    let got = view.shape().to_vec();
    let want = "[rows, dimensions]".to_owned();
    view.into_dimensionality::<Ix2>().map_err(|_| ArgumentError::Shape { argument, got, want }.into())
}

/// Copies of any tensor [rows, columns] in f64.
fn copy(argument: &'static str, tensor: &Tensor) -> Result<Array2<f64>, Error> {
    let tensor = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Double);
    let (got, want) = (size(&tensor), "[rows, columns]".to_owned());
    let array = tensor_into_array::<f64>(argument, &tensor)?;
    array.into_dimensionality::<Ix2>().map_err(|_| ArgumentError::Shape { argument, got, want }.into())
}

/// What a backward pass reports to autograd.
fn reported(error: Error) -> variata_torch_bridge::Error {
    match error {
        Error::Tensor(error) => error,
        other => variata_torch_bridge::Error::Torch { message: other.to_string() },
    }
}
