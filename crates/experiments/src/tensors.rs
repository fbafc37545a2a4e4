//! Tensors as arrays.

use anyhow::Result;
use ndarray::{Array2, Array4};
use variata_models::tch::Tensor;
use variata_torch_bridge::tensor_into_array;

/// Images [n, channels, height, width].
pub(crate) fn images(x: &Tensor) -> Result<Array4<f32>> {
    Ok(tensor_into_array::<f32>("images", x)?.into_dimensionality()?)
}

/// A matrix in f64.
pub(crate) fn matrix(x: &Tensor) -> Result<Array2<f64>> {
    Ok(tensor_into_array::<f64>("matrix", x)?.into_dimensionality()?)
}
