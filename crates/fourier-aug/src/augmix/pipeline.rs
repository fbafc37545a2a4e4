//! From images of 8 bits to what a network is trained on.

use std::sync::{Mutex, PoisonError};

use ndarray::{Array4, ArrayRef4, ArrayView4, Axis};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use variata_distributions::{ArgumentError, check, parallel};

use super::AugMix;
use crate::error::Error;
use crate::image::{Image, Layout};
use crate::wave::CHANNELS;

/// A random reflection and a random crop, the same for all views of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlipCrop {
    /// Whether left and right are exchanged with even chance.
    pub flip: bool,
    /// Pixels of 0 around the image, of which a part of the image's size is cut.
    pub padding: usize,
}

impl Default for FlipCrop {
    /// As the paper: a flip, and 4 pixels.
    fn default() -> Self {
        Self { flip: true, padding: 4 }
    }
}

/// (v − mean)/std of each channel; an image of one channel has the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalize {
    /// Means of pixels in [0, 1].
    pub mean: [f32; CHANNELS],
    /// Their scales, greater than 0.
    pub std: [f32; CHANNELS],
}

impl Default for Normalize {
    /// ½ and ½, which takes [0, 1] to [−1, 1] [errata 004-8].
    fn default() -> Self {
        Self { mean: [0.5; CHANNELS], std: [0.5; CHANNELS] }
    }
}

impl Normalize {
    /// Leaves numbers in [0, 1].
    pub fn none() -> Self {
        Self { mean: [0.0; CHANNELS], std: [1.0; CHANNELS] }
    }
}

/// Flip and crop, AugMix, normalisation, for batches on all cores.
///
/// Image i of a call has a random stream of its own, a function of the seed and of `first` + i alone: results do not depend on the number
/// of threads, nor on how a data set is cut into batches.
///
/// ```
/// use ndarray::Array4;
/// use variata_fourier_aug::{
///     AugMix, AugMixOptions, AugmentationSet, FlipCrop, Grid, Layout, Normalize, Pipeline, WaveSampler,
///     WaveSamplerOptions,
/// };
///
/// let waves = WaveSampler::new(Grid::new(32, 32)?, &WaveSamplerOptions::default())?;
/// let augmix = AugMix::new(AugmentationSet::AugSVF.operations(&waves), AugMixOptions::default())?;
/// let pipeline = Pipeline::new(Layout::Chw, Some(FlipCrop::default()), Some(augmix), Normalize::default())?;
/// let images = Array4::from_elem((2, 3, 32, 32), 100u8);
/// let [clean, first, second] = pipeline.fork(&images, 7, 0)?;
/// assert_eq!(clean.dim(), (2, 3, 32, 32));
/// assert!(first != second);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
#[derive(Debug)]
pub struct Pipeline {
    layout: Layout,
    base: Option<FlipCrop>,
    augmix: Option<AugMix>,
    normalize: Normalize,
    /// Memory of earlier calls.
    pool: Mutex<Vec<Workspace>>,
}

/// Memory of one thread.
#[derive(Debug)]
struct Workspace {
    original: Image,
    moved: Image,
    chain: Image,
    mixed: Vec<f32>,
}

/// Numbers that a thread takes at a time, or one image.
const GROUP: usize = 3 << 14;

impl Pipeline {
    /// For images of 8 bits in this layout; without `augmix` all views are clean.
    ///
    /// # Errors
    /// [`Error::Argument`] for a mean that is not finite, a scale that is not greater than 0, or a padding of more than 2¹⁶.
    pub fn new(
        layout: Layout,
        base: Option<FlipCrop>,
        augmix: Option<AugMix>,
        normalize: Normalize,
    ) -> Result<Self, Error> {
        for (mean, std) in normalize.mean.into_iter().zip(normalize.std) {
            check::scalar("mean", f64::from(mean), "finite", mean.is_finite())?;
            let ok = std > 0.0 && std.is_finite();
            check::scalar("std", f64::from(std), "finite and > 0", ok)?;
        }
        let padding = base.map_or(0, |base| base.padding);
        check::scalar("padding", padding as f64, "at most 65536", padding <= 1 << 16)?;
        Ok(Self { layout, base, augmix, normalize, pool: Mutex::new(Vec::new()) })
    }

    /// The clean images, flipped and cropped, and two views of AugMix, [N, C, H, W] each, whatever the layout of the images.
    ///
    /// # Errors
    /// [`Error::Argument`] for images that are empty or have other than 1 or 3 channels, or an operation that changes their size.
    pub fn fork(&self, images: &ArrayRef4<u8>, seed: u64, first: u64) -> Result<[Array4<f32>; 3], Error> {
        let views = [(); 3].map(|()| self.blank(images));
        let mut views = {
            let [a, b, c] = views;
            [a?, b?, c?]
        };
        self.fork_into(images, seed, first, &mut views)?;
        Ok(views)
    }

    /// One view of AugMix, [N, C, H, W]: the second of [`fork`](Self::fork).
    ///
    /// # Errors
    /// As [`fork`](Self::fork).
    pub fn augment(&self, images: &ArrayRef4<u8>, seed: u64, first: u64) -> Result<Array4<f32>, Error> {
        let mut views = [self.blank(images)?];
        self.run(images, (seed, first), &mut views, 1)?;
        let [view] = views;
        Ok(view)
    }

    /// Images as they are, normalised only, for evaluation.
    ///
    /// # Errors
    /// As [`fork`](Self::fork).
    pub fn clean(&self, images: &ArrayRef4<u8>) -> Result<Array4<f32>, Error> {
        let plain = Self::new(self.layout, None, None, self.normalize)?;
        let mut views = [self.blank(images)?];
        plain.run(images, (0, 0), &mut views, 0)?;
        let [view] = views;
        Ok(view)
    }

    /// [`fork`](Self::fork) into memory that is there, in standard layout: no memory is asked for per image.
    ///
    /// # Errors
    /// As [`fork`](Self::fork); [`Error::Argument`] for views of another shape or layout.
    pub fn fork_into(
        &self,
        images: &ArrayRef4<u8>,
        seed: u64,
        first: u64,
        views: &mut [Array4<f32>; 3],
    ) -> Result<(), Error> {
        self.run(images, (seed, first), views, 0)
    }

    fn sizes(&self, images: &ArrayRef4<u8>) -> Result<[usize; 3], Error> {
        let (_, a, b, c) = images.dim();
        crate::image::check([a, b, c], self.layout)
    }

    fn blank(&self, images: &ArrayRef4<u8>) -> Result<Array4<f32>, Error> {
        let [channels, height, width] = self.sizes(images)?;
        Ok(Array4::zeros((images.dim().0, channels, height, width)))
    }

    /// Views from number `from` on; 0 is the clean one.
    fn run<const V: usize>(
        &self,
        images: &ArrayRef4<u8>,
        (seed, first): (u64, u64),
        views: &mut [Array4<f32>; V],
        from: usize,
    ) -> Result<(), Error> {
        let [channels, height, width] = self.sizes(images)?;
        let count = images.dim().0;
        let shape = [count, channels, height, width];
        let size = channels * height * width;
        let group = (GROUP / size).max(1);
        let mut outputs: Vec<[&mut [f32]; V]> =
            (0..count.div_ceil(group)).map(|_| [(); V].map(|()| Default::default())).collect();
        for (v, view) in views.iter_mut().enumerate() {
            let got = view.shape().to_vec();
            let Some(view) = view.as_slice_mut().filter(|_| got == shape) else {
                let want = format!("{shape:?} in standard layout");
                return Err(ArgumentError::Shape { argument: "views", got, want }.into());
            };
            for (output, part) in outputs.iter_mut().zip(view.chunks_mut(group * size)) {
                output[v] = part;
            }
        }
        let failed = Mutex::new(None);
        let tasks: Vec<_> = images.axis_chunks_iter(Axis(0), group).zip(outputs).enumerate().collect();
        parallel::for_each(tasks, |(task, (images, outputs))| {
            let first = first.wrapping_add((task * group) as u64);
            if let Err(error) = self.group(&images, (seed, first), outputs, from) {
                // A poisoned lock holds an error just as well.
                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn group<const V: usize>(
        &self,
        images: &ArrayView4<'_, u8>,
        (seed, first): (u64, u64),
        mut outputs: [&mut [f32]; V],
        from: usize,
    ) -> Result<(), Error> {
        let lock = || self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let mut space = lock().pop().unwrap_or_else(|| Workspace {
            original: Image::empty(),
            moved: Image::empty(),
            chain: Image::empty(),
            mixed: Vec::new(),
        });
        let mut result = Ok(());
        for (i, image) in images.outer_iter().enumerate() {
            let stream = first.wrapping_add(i as u64);
            result = space.original.load(&image, self.layout);
            let size = space.original.pixels.len();
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            self.move_base(&space.original, &mut space.moved, &mut rng);
            for (v, output) in outputs.iter_mut().enumerate() {
                let output = &mut output[i * size..(i + 1) * size];
                // Each view begins at a place of its own, so that one can be had without the others.
                rng.set_word_pos((from + v + 1) as u128 * (1 << 40));
                result = result.and_then(|()| self.view(&mut space, from + v, output, &mut rng));
            }
            if result.is_err() {
                break;
            }
        }
        lock().push(space);
        result
    }

    fn view(
        &self,
        space: &mut Workspace,
        number: usize,
        output: &mut [f32],
        rng: &mut ChaCha8Rng,
    ) -> Result<(), Error> {
        let Workspace { moved, chain, mixed, .. } = space;
        mixed.resize(output.len(), 0.0);
        match &self.augmix {
            Some(augmix) if number > 0 => augmix.mix(moved, chain, mixed, rng)?,
            _ => mixed.iter_mut().zip(&moved.pixels).for_each(|(to, v)| *to = f32::from(*v) / 255.0),
        }
        let plane = moved.plane_len();
        let Normalize { mean, std } = self.normalize;
        let channels =
            output.chunks_exact_mut(plane).zip(mixed.chunks_exact(plane)).zip(mean.into_iter().zip(std));
        for ((output, mixed), (mean, std)) in channels {
            let scale = 1.0 / std;
            output.iter_mut().zip(mixed).for_each(|(to, v)| *to = (v - mean) * scale);
        }
        Ok(())
    }

    /// Flips and crops.
    fn move_base(&self, from: &Image, to: &mut Image, rng: &mut impl Rng) {
        to.copy_from(from);
        let Some(FlipCrop { flip, padding }) = self.base else { return };
        let [_, _, width] = to.shape();
        if flip && rng.random::<bool>() {
            to.pixels.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
        if padding > 0 {
            let mut shift = || rng.random_range(0..=2 * padding) as i64 - padding as i64;
            let (x, y) = (shift(), shift());
            to.translate_x(x);
            to.translate_y(y);
        }
    }
}
