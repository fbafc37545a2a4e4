//! From images of 8 bits to what a network is trained on.

use std::sync::{Mutex, PoisonError};

use ndarray::{Array4, ArrayRef4, ArrayView3, ArrayView4, Axis};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use variata_distributions::{ArgumentError, check, parallel};

use super::AugMix;
use crate::error::Error;
use crate::image::{Image, Layout};
use crate::wave::CHANNELS;

/// A random reflection and a random crop, the same for all views of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
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
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Normalize {
    /// Means of pixels in [0, 1].
    pub mean: [f32; CHANNELS],
    /// Their scales, greater than 0, and not so small that normalised pixels are no numbers in f32.
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
    pub(crate) layout: Layout,
    pub(crate) base: Option<FlipCrop>,
    pub(crate) augmix: Option<AugMix>,
    pub(crate) normalize: Normalize,
    /// Memory of earlier calls: an image, and one that operations change.
    pool: Mutex<Vec<[Image; 2]>>,
}

/// Which random streams images have.
#[derive(Debug, Clone, Copy)]
struct Draw {
    seed: u64,
    /// Of the first image.
    first: u64,
}

/// Numbers that a thread takes at a time, or one image.
const GROUP: usize = 3 << 14;

impl Pipeline {
    /// For images of 8 bits in this layout; without `augmix` all views are clean.
    ///
    /// # Errors
    /// [`Error::Argument`] for a mean that is not finite, a scale that is not greater than 0 or too small for it, or a padding of more than 2¹⁶.
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
            // As pixels will be.
            let ok = [0.0, 1.0].iter().all(|v| ((v - mean) * (1.0 / std)).is_finite());
            check::scalar("std", f64::from(std), "such that normalised pixels are finite", ok)?;
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
        let mut views = [self.blank(images)?, self.blank(images)?, self.blank(images)?];
        self.fork_into(images, seed, first, &mut views)?;
        Ok(views)
    }

    /// One view of AugMix, [N, C, H, W]: the second of [`fork`](Self::fork).
    ///
    /// # Errors
    /// As [`fork`](Self::fork).
    pub fn augment(&self, images: &ArrayRef4<u8>, seed: u64, first: u64) -> Result<Array4<f32>, Error> {
        let mut views = [self.blank(images)?];
        self.run(images, Some(Draw { seed, first }), &mut views, 1)?;
        let [view] = views;
        Ok(view)
    }

    /// Images as they are, normalised only, for evaluation.
    ///
    /// # Errors
    /// As [`fork`](Self::fork).
    pub fn clean(&self, images: &ArrayRef4<u8>) -> Result<Array4<f32>, Error> {
        let mut views = [self.blank(images)?];
        self.run(images, None, &mut views, 0)?;
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
        self.run(images, Some(Draw { seed, first }), views, 0)
    }

    fn sizes(&self, images: &ArrayRef4<u8>) -> Result<[usize; 3], Error> {
        let (_, a, b, c) = images.dim();
        crate::image::check([a, b, c], self.layout)
    }

    fn blank(&self, images: &ArrayRef4<u8>) -> Result<Array4<f32>, Error> {
        let [channels, height, width] = self.sizes(images)?;
        Ok(Array4::zeros((images.dim().0, channels, height, width)))
    }

    /// Views from number `from` on; 0 is the clean one. Without a draw images stay where they are.
    fn run<const V: usize>(
        &self,
        images: &ArrayRef4<u8>,
        draw: Option<Draw>,
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
        let mut errors: Vec<Option<Error>> = outputs.iter().map(|_| None).collect();
        let tasks = images.axis_chunks_iter(Axis(0), group).zip(outputs).zip(&mut errors).enumerate();
        parallel::for_each(tasks.collect(), |(task, ((images, outputs), error))| {
            let at = (task * group) as u64;
            let draw = draw.map(|draw| Draw { first: draw.first.wrapping_add(at), ..draw });
            *error = self.group(&images, draw, outputs, from).err();
        });
        errors.into_iter().flatten().next().map_or(Ok(()), Err)
    }

    fn group<const V: usize>(
        &self,
        images: &ArrayView4<'_, u8>,
        draw: Option<Draw>,
        mut outputs: [&mut [f32]; V],
        from: usize,
    ) -> Result<(), Error> {
        let lock = || self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let mut space = lock().pop().unwrap_or_else(|| [Image::empty(), Image::empty()]);
        let mut rng = ChaCha8Rng::seed_from_u64(draw.map_or(0, |draw| draw.seed));
        let mut one = |i: usize, image: &ArrayView3<'_, u8>| {
            let [moved, chain] = &mut space;
            moved.load(image, self.layout)?;
            if let Some(Draw { first, .. }) = draw {
                begin(&mut rng, first.wrapping_add(i as u64));
                self.draw_base(&mut rng).apply(moved);
            }
            let size = moved.pixels.len();
            for (v, output) in outputs.iter_mut().enumerate() {
                begin_view(&mut rng, from + v);
                let output = &mut output[i * size..(i + 1) * size];
                self.view(moved, chain, from + v, output, &mut rng)?;
            }
            Ok(())
        };
        let result = images.outer_iter().enumerate().try_for_each(|(i, image)| one(i, &image));
        lock().push(space);
        result
    }

    fn view(
        &self,
        moved: &Image,
        chain: &mut Image,
        number: usize,
        output: &mut [f32],
        rng: &mut ChaCha8Rng,
    ) -> Result<(), Error> {
        match &self.augmix {
            Some(augmix) if number > 0 => augmix.mix(moved, chain, output, rng)?,
            _ => output.iter_mut().zip(&moved.pixels).for_each(|(to, v)| *to = f32::from(*v) / 255.0),
        }
        let plane = moved.plane_len();
        let Normalize { mean, std } = self.normalize;
        for (output, (mean, std)) in output.chunks_exact_mut(plane).zip(mean.into_iter().zip(std)) {
            let scale = 1.0 / std;
            for v in output {
                *v = (*v - mean) * scale;
            }
        }
        Ok(())
    }

    pub(crate) fn draw_base(&self, rng: &mut impl Rng) -> Base {
        let mut base = Base::default();
        let Some(FlipCrop { flip, padding }) = self.base else { return base };
        base.flip = flip && rng.random::<bool>();
        if padding > 0 {
            let mut shift = || rng.random_range(0..=2 * padding) as i64 - padding as i64;
            base.shift = [shift(), shift()];
        }
        base
    }
}

/// To the stream of an image.
pub(crate) fn begin(rng: &mut ChaCha8Rng, image: u64) {
    rng.set_stream(image);
    rng.set_word_pos(0);
}

/// To a view's place in the stream, so that it can be had without the others.
pub(crate) fn begin_view(rng: &mut ChaCha8Rng, view: usize) {
    rng.set_word_pos((view + 1) as u128 * (1 << 40));
}

/// A reflection, and then a movement to the left and upwards.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Base {
    pub(crate) flip: bool,
    pub(crate) shift: [i64; 2],
}

impl Base {
    fn apply(self, image: &mut Image) {
        let [_, _, width] = image.shape();
        if self.flip {
            image.pixels.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
        let [x, y] = self.shift;
        image.translate_x(x);
        image.translate_y(y);
    }
}
