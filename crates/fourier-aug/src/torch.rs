//! The tensor home: the same on `tch::Tensor`, on the CPU or a GPU.
//!
//! Waves, the consistency loss and AugMix take native kernels on plain CPU tensors, and tensor operations elsewhere and in the
//! `_composed` forms. Nothing is copied to the host but what a page says: outcomes of predictions. Random numbers come from the host by the same
//! streams as natively, so that image i of a batch has the same fate on every device, and of the parameters of its operations only a few
//! numbers an image go to the device.
//!
//! Shapes, kinds and devices are checked. Values of tensors are checked where they come to the host anyway; elsewhere that would
//! wait for the device, and a NaN propagates.
//!
//! ```
//! use variata_fourier_aug::{
//!     AugMix, AugMixOptions, AugmentationSet, FlipCrop, Grid, JSD_WEIGHT, Layout, Normalize, Pipeline,
//!     WaveSampler, WaveSamplerOptions, torch,
//! };
//! use variata_torch_bridge::tch::{Device, Kind, Tensor};
//!
//! let waves = WaveSampler::new(Grid::new(8, 8)?, &WaveSamplerOptions::default())?;
//! let augmix = AugMix::new(AugmentationSet::AugSVF.operations(&waves), AugMixOptions::default())?;
//! let pipeline = Pipeline::new(Layout::Chw, Some(FlipCrop::default()), Some(augmix), Normalize::default())?;
//! let images = Tensor::rand([4, 3, 8, 8], (Kind::Float, Device::Cpu));
//! let views = Tensor::stack(&torch::fork(&pipeline, &images, 7, 0)?, 0);
//!
//! let weights = Tensor::zeros([3 * 8 * 8, 10], (Kind::Float, Device::Cpu)).set_requires_grad(true);
//! let logits = views.view([3, 4, -1]).matmul(&weights);
//! let labels = Tensor::from_slice(&[3i64, 1, 4, 1]);
//! let loss = torch::consistency_loss(&logits, &labels, JSD_WEIGHT)?;
//! loss.value.backward();
//! assert_eq!(weights.grad().size(), weights.size());
//! # Ok::<(), variata_fourier_aug::Error>(())
//! ```

mod actions;
mod augmix;
mod calibration;
mod consistency;
mod fates;
mod heatmap;
mod schedule;
mod waves;

use tch::{Device, Kind, Tensor};
use variata_distributions::ArgumentError;
use variata_distributions::torch::support::size;
use variata_torch_bridge::{check_floating, tensor_from_slice, tensor_into_array};

use crate::error::Error;

pub use augmix::{augment, augment_composed, clean, fork, fork_composed};
pub use calibration::predictions;
pub use consistency::{ConsistencyLoss, consistency_loss, consistency_loss_composed};
pub use waves::{add_waves, add_waves_, add_waves_composed, waves, waves_composed};

/// Labels `[n]` of kind `Int64` beside logits [.., n, classes].
fn checked_labels(labels: &Tensor, n: i64, like: &Tensor) -> Result<Tensor, Error> {
    let argument = "labels";
    variata_torch_bridge::check_dense(argument, labels)?;
    let labels = match labels.kind() {
        Kind::Int64 => labels.shallow_clone(),
        Kind::Uint8 | Kind::Int8 | Kind::Int16 | Kind::Int => labels.to_kind(Kind::Int64),
        got => return Err(variata_torch_bridge::Error::Kind { argument, got, want: Kind::Int64 }.into()),
    };
    if labels.device() != like.device() {
        let (got, want) = (labels.device(), like.device());
        return Err(variata_torch_bridge::Error::Devices { argument, got, want }.into());
    }
    if labels.size() != [n] {
        return Err(ArgumentError::Shape { argument, got: size(&labels), want: format!("[{n}]") }.into());
    }
    Ok(labels)
}

/// Labels on the host.
fn host_labels(labels: &Tensor, classes: usize) -> Result<Vec<usize>, Error> {
    let found = tensor_into_array::<i64>("labels", labels)?;
    let class = |(index, &label): (usize, &i64)| match usize::try_from(label) {
        Ok(label) if label < classes => Ok(label),
        _ => {
            let (argument, must) = ("labels", "a class, below the number of classes");
            Err(ArgumentError::Value { argument, index: Some(index), value: label as f64, must }.into())
        }
    };
    found.iter().enumerate().map(class).collect()
}

/// The shape of dense floating-point logits of this many axes, none of them 0.
fn logits_shape<const N: usize>(logits: &Tensor, want: &str) -> Result<[i64; N], Error> {
    check_floating(&[("logits", logits)])?;
    match <[i64; N]>::try_from(logits.size()) {
        Ok(shape) if !shape.contains(&0) => Ok(shape),
        _ => {
            let (argument, got) = ("logits", size(logits));
            Err(ArgumentError::Shape { argument, got, want: format!("{want}, not empty") }.into())
        }
    }
}

/// Numbers of the host on a device.
fn upload<T: variata_torch_bridge::Element>(
    numbers: &[T],
    shape: &[usize],
    device: Device,
) -> Result<Tensor, Error> {
    Ok(tensor_from_slice(numbers, shape)?.to_device(device))
}
