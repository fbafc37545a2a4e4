//! The pipeline on batches of tensors.

use std::array;

use ndarray::{ArrayRef4, ArrayViewD, Ix4};
use tch::{Device, Kind, Tensor};
use variata_distributions::ArgumentError;
use variata_distributions::torch::support::{lend, size};
use variata_torch_bridge::{no_grad, tensor_from_array};

use super::actions::{Kernel, Tables};
use super::fates::{Fates, draw};
use super::schedule::{Schedule, base};
use super::upload;
use crate::augmix::Pipeline;
use crate::error::Error;
use crate::image::{Layout, check};
use crate::wave::Grid;

/// Levels of chains that are held at a time.
const BLOCK: usize = 1 << 24;

/// [`Pipeline::fork`] on tensors: the clean images, flipped and cropped, and two views of AugMix, [N, C, H, W] each, in `Float` on the
/// device of the images.
///
/// Image i has the same fate as natively, drawn on the host from `seed` and `first` + i: of a few numbers for each operation. On the CPU the
/// native pipeline computes. Elsewhere images that take the same kind of operation at the same step of their chains are
/// changed together, by tensor operations that round as the native ones. No gradient passes.
///
/// # Shapes
/// `images` [N, C, H, W], or [N, H, W, C] for a pipeline of [`Layout::Hwc`], with 1 or 3 channels: levels of kind `Uint8`, or numbers in
/// [0, 1] of a floating kind, which are rounded to the nearest of 256 levels, as AugMix works on 8 bits. What is outside of [0, 1] is
/// cut, and NaN is 0.
///
/// # Errors
/// As [`Pipeline::fork`]; images that are not dense or of another kind. Where tensor operations compute, an operation that
/// names no [action](crate::Operation::action).
///
/// ```
/// use variata_fourier_aug::{
///     AugMix, AugMixOptions, Layout, Normalize, Pipeline, Primitive, WeightedOperation, torch,
/// };
/// use variata_torch_bridge::tch::{Device, Kind, Tensor};
///
/// let operations = Primitive::SPATIAL.map(|operation| WeightedOperation::new(operation, 1.0));
/// let augmix = AugMix::new(operations.into(), AugMixOptions::default())?;
/// let pipeline = Pipeline::new(Layout::Chw, None, Some(augmix), Normalize::none())?;
/// let images = Tensor::full([2, 3, 16, 16], 0.4, (Kind::Float, Device::Cpu)); // 102 levels
/// let [clean, first, second] = torch::fork(&pipeline, &images, 7, 0)?;
/// assert!((clean - images).abs().max().double_value(&[]) < 1e-7);
/// assert!((first - second).abs().max().double_value(&[]) > 0.0);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
pub fn fork(pipeline: &Pipeline, images: &Tensor, seed: u64, first: u64) -> Result<[Tensor; 3], Error> {
    let levels = levels(images)?;
    let native = |images: &ArrayRef4<u8>| pipeline.fork(images, seed, first);
    match on_cpu(&levels, native)? {
        Some([a, b, c]) => Ok([tensor_from_array(a)?, tensor_from_array(b)?, tensor_from_array(c)?]),
        None => composed(pipeline, &levels, seed, first, [0, 1, 2]),
    }
}

/// [`fork`] as tensor operations on any device.
///
/// # Errors
/// As [`fork`].
pub fn fork_composed(
    pipeline: &Pipeline,
    images: &Tensor,
    seed: u64,
    first: u64,
) -> Result<[Tensor; 3], Error> {
    composed(pipeline, &levels(images)?, seed, first, [0, 1, 2])
}

/// One view of AugMix, the second of [`fork`].
///
/// # Errors
/// As [`fork`].
pub fn augment(pipeline: &Pipeline, images: &Tensor, seed: u64, first: u64) -> Result<Tensor, Error> {
    let levels = levels(images)?;
    match on_cpu(&levels, |images: &ArrayRef4<u8>| pipeline.augment(images, seed, first))? {
        Some(view) => Ok(tensor_from_array(view)?),
        None => composed(pipeline, &levels, seed, first, [1]).map(|[view]| view),
    }
}

/// [`augment`] as tensor operations on any device.
///
/// # Errors
/// As [`fork`].
pub fn augment_composed(
    pipeline: &Pipeline,
    images: &Tensor,
    seed: u64,
    first: u64,
) -> Result<Tensor, Error> {
    composed(pipeline, &levels(images)?, seed, first, [1]).map(|[view]| view)
}

/// [`Pipeline::clean`] on tensors: images as they are, rounded to levels and normalised, by tensor operations on every device.
///
/// # Errors
/// As [`fork`].
pub fn clean(pipeline: &Pipeline, images: &Tensor) -> Result<Tensor, Error> {
    let levels = arranged(pipeline, &levels(images)?)?;
    no_grad(|| Ok(Finish::new(pipeline, &levels)?.clean(&levels)))
}

/// Images as levels of 8 bits in the layout that they have.
fn levels(images: &Tensor) -> Result<Tensor, Error> {
    let argument = "images";
    if images.defined() && images.kind() == Kind::Uint8 {
        variata_torch_bridge::check_dense(argument, images)?;
        return Ok(images.shallow_clone());
    }
    variata_torch_bridge::check_floating(&[(argument, images)])?;
    Ok(no_grad(|| {
        let values = images.detach().to_kind(Kind::Float) * 255.0;
        (values.clamp(0.0, 255.0).nan_to_num(0.0, 255.0, 0.0) + 0.5).to_kind(Kind::Uint8)
    }))
}

/// What the native pipeline makes of levels on the CPU; `None` for those elsewhere.
fn on_cpu<R>(
    levels: &Tensor,
    native: impl FnOnce(&ArrayRef4<u8>) -> Result<R, Error>,
) -> Result<Option<R>, Error> {
    if levels.device() != Device::Cpu {
        return Ok(None);
    }
    let found = lend("images", levels, |view: ArrayViewD<'_, u8>| {
        let got = view.shape().to_vec();
        let view = view.into_dimensionality::<Ix4>().map_err(|_| wrong_rank(got))?;
        native(&view)
    })?;
    found.map(Some)
}

fn wrong_rank(got: Vec<usize>) -> ArgumentError {
    ArgumentError::Shape { argument: "images", got, want: "[batch, …] with four axes".to_owned() }
}

/// Levels [N, C, H, W] that operations take.
fn arranged(pipeline: &Pipeline, levels: &Tensor) -> Result<Tensor, Error> {
    let got = size(levels);
    let [_, a, b, c] = got[..] else { return Err(wrong_rank(got).into()) };
    check([a, b, c], pipeline.layout)?;
    Ok(match pipeline.layout {
        Layout::Chw => levels.contiguous(),
        Layout::Hwc => levels.permute([0, 3, 1, 2]).contiguous(),
    })
}

fn composed<const V: usize>(
    pipeline: &Pipeline,
    levels: &Tensor,
    seed: u64,
    first: u64,
    views: [usize; V],
) -> Result<[Tensor; V], Error> {
    let levels = arranged(pipeline, levels)?;
    let [n, channels, height, width] = size(&levels)[..] else {
        return Err(wrong_rank(size(&levels)).into());
    };
    let shape = [channels, height, width];
    let grid = Grid::new(height, width)?;
    no_grad(|| {
        let tables = Tables::new(&grid, levels.device())?;
        let finish = Finish::new(pipeline, &levels)?;
        let mut found: [Vec<Tensor>; V] = array::from_fn(|_| Vec::new());
        let chains = V * pipeline.augmix.as_ref().map_or(1, |augmix| augmix.options().width);
        let block = (BLOCK / (channels * height * width * chains)).max(1);
        for start in (0..n).step_by(block) {
            let len = block.min(n - start);
            let from = first.wrapping_add(start as u64);
            let fates = draw(pipeline, shape, (seed, from, len), &views)?;
            let mut moved = levels.narrow(0, start as i64, len as i64);
            if pipeline.base.is_some() {
                moved = tables.apply(Kernel::Move, &moved, &base(&fates, width, levels.device())?);
            }
            let parts = mixed::<V>(&moved, &fates, &grid, &tables, &finish)?;
            found.iter_mut().zip(parts).for_each(|(found, part)| found.push(part));
        }
        if n == 0 {
            for found in &mut found {
                found.push(finish.clean(&levels));
            }
        }
        Ok(found.map(|found| Tensor::cat(&found, 0)))
    })
}

/// The views of images of levels that have been moved.
fn mixed<const V: usize>(
    moved: &Tensor,
    fates: &[Fates],
    grid: &Grid,
    tables: &Tables,
    finish: &Finish,
) -> Result<[Tensor; V], Error> {
    let n = fates.len();
    let chains = fates.first().map_or(0, |fates| fates.views.iter().flatten().map(|f| f.chains.len()).sum());
    let mut levels = moved.repeat([chains as i64, 1, 1, 1]);
    Schedule::new(fates, grid)?.run(&mut levels, tables)?;
    // Of each view the weight of the images, then those of the chains.
    let mut weights = Vec::new();
    for view in 0..V {
        let of = || fates.iter().filter_map(|fates| fates.views[view].as_ref());
        weights.extend(of().map(|fate| fate.clean));
        for chain in 0..of().next().map_or(0, |fate| fate.chains.len()) {
            weights.extend(of().map(|fate| fate.chains[chain].0));
        }
    }
    let weights = upload(&weights, &[weights.len() / n, n, 1, 1, 1], moved.device())?;
    let (mut row, mut chain) = (0, 0);
    let mut views = Vec::with_capacity(V);
    for view in 0..V {
        let Some(fate) = &fates[0].views[view] else {
            views.push(finish.clean(moved));
            continue;
        };
        let mut sum = moved.to_kind(Kind::Float) * weights.get(row);
        row += 1;
        for _ in &fate.chains {
            let part = levels.narrow(0, chain * n as i64, n as i64).to_kind(Kind::Float);
            sum = (sum + part * weights.get(row)).clamp_max(1.0);
            (row, chain) = (row + 1, chain + 1);
        }
        views.push(finish.normalized(&sum));
    }
    let count = views.len();
    views.try_into().map_err(|_| wrong_rank(vec![count]).into())
}

/// From levels to what a network takes.
struct Finish {
    /// [1, C, 1, 1].
    mean: Tensor,
    scale: Tensor,
    /// 255, as a tensor: by a number a GPU multiplies with the rounded reciprocal.
    most: Tensor,
}

impl Finish {
    fn new(pipeline: &Pipeline, levels: &Tensor) -> Result<Self, Error> {
        let (channels, device) = (size(levels)[1], levels.device());
        let normalize = pipeline.normalize;
        let of = |numbers: &[f32; 3]| upload(&numbers[..channels], &[1, channels, 1, 1], device);
        let (mean, scale) = (of(&normalize.mean)?, of(&normalize.std.map(|std| 1.0 / std))?);
        Ok(Self { mean, scale, most: upload(&[255f32], &[1], device)? })
    }

    fn clean(&self, levels: &Tensor) -> Tensor {
        self.normalized(&(levels.to_kind(Kind::Float) / &self.most))
    }

    fn normalized(&self, values: &Tensor) -> Tensor {
        (values - &self.mean) * &self.scale
    }
}
