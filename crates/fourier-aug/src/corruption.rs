//! The common corruptions of CIFAR-10-C for images of any size.
//!
//! Source: Hendrycks, Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations" (2019);
//! constants of its 32×32 generator. Where that needs photographs of frost or ImageMagick, a procedure stands in, and says so
//! at [`Corruption`].

mod blur;
mod digital;
mod jpeg;
mod noise;
mod planes;
mod weather;

use std::fmt;
use std::str::FromStr;

use ndarray::{Array4, ArrayRef4, ArrayView3, Axis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use variata_distributions::{ArgumentError, check, parallel};

use crate::Error;
use planes::Planes;

/// A corruption. The names of the variants are those of the files of CIFAR-10-C, see [`name`](Self::name).
///
/// All but those marked *stand-in* follow the original's arithmetic at every severity; random ones follow its law, not its
/// numbers. Lengths that the original states for 32 × 32 pixels are in pixels, except those of
/// [`ElasticTransform`](Self::ElasticTransform), which are shares of the shorter side there too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Corruption {
    /// Independent normal noise.
    GaussianNoise,
    /// Poisson counts of photons.
    ShotNoise,
    /// Salt and pepper, for each channel by itself.
    ImpulseNoise,
    /// Convolution with a blurred disc.
    DefocusBlur,
    /// Neighbours exchanged at random between two Gaussian blurs. The original's exchange overwrites one of the two pixels by
    /// a slip; here they are exchanged.
    GlassBlur,
    /// Half a Gaussian along a random direction within 45° of the horizontal. *Stand-in* for ImageMagick's motion blur: the
    /// same weights, read between pixels by bilinear interpolation instead of at the nearest ones.
    MotionBlur,
    /// Mean over magnifications.
    ZoomBlur,
    /// Moving flakes. The streaks are made by the *stand-in* of [`MotionBlur`](Self::MotionBlur).
    Snow,
    /// *Stand-in* for six photographs of frost: ridges of a random fractal, bluish white, added with the original's weights.
    Frost,
    /// A random fractal of light.
    Fog,
    /// A shift of the value in HSV.
    Brightness,
    /// Distance from the mean of each channel scaled down.
    Contrast,
    /// A random affine map and random smooth displacements.
    ElasticTransform,
    /// Boxes: Pillow's before its version 13, along x first; from then on Pillow resizes tall narrow images along y first.
    Pixelate,
    /// The loss of JPEG with 4:2:0 subsampling: what libjpeg's decoder returns, to the level, without the file.
    JpegCompression,
    /// Normal noise in proportion to the pixel; one of the four extra ones.
    SpeckleNoise,
    /// Gaussian blur; extra.
    GaussianBlur,
    /// Water or mud; extra. *Stand-in* at severities 1 to 3: the original shades its drops with OpenCV's edge detector and
    /// distance transform; here drops are as bright as they are thick.
    Spatter,
    /// A change of the saturation in HSV; extra. Leaves images of one channel as they are.
    Saturate,
}

impl Corruption {
    /// The fifteen that averages are over, in the original's order.
    pub const COMMON: [Self; 15] = [
        Self::GaussianNoise,
        Self::ShotNoise,
        Self::ImpulseNoise,
        Self::DefocusBlur,
        Self::GlassBlur,
        Self::MotionBlur,
        Self::ZoomBlur,
        Self::Snow,
        Self::Frost,
        Self::Fog,
        Self::Brightness,
        Self::Contrast,
        Self::ElasticTransform,
        Self::Pixelate,
        Self::JpegCompression,
    ];

    /// The four that are not in averages.
    pub const EXTRA: [Self; 4] = [Self::SpeckleNoise, Self::GaussianBlur, Self::Spatter, Self::Saturate];

    /// The common ones, then the extra ones.
    pub const ALL: [Self; 19] = {
        let mut all = [Self::GaussianNoise; 19];
        let (common, extra) = all.split_at_mut(Self::COMMON.len());
        common.copy_from_slice(&Self::COMMON);
        extra.copy_from_slice(&Self::EXTRA);
        all
    };

    /// Name of the file in CIFAR-10-C, without its ending; by it serde writes a corruption.
    pub fn name(self) -> &'static str {
        match self {
            Self::GaussianNoise => "gaussian_noise",
            Self::ShotNoise => "shot_noise",
            Self::ImpulseNoise => "impulse_noise",
            Self::DefocusBlur => "defocus_blur",
            Self::GlassBlur => "glass_blur",
            Self::MotionBlur => "motion_blur",
            Self::ZoomBlur => "zoom_blur",
            Self::Snow => "snow",
            Self::Frost => "frost",
            Self::Fog => "fog",
            Self::Brightness => "brightness",
            Self::Contrast => "contrast",
            Self::ElasticTransform => "elastic_transform",
            Self::Pixelate => "pixelate",
            Self::JpegCompression => "jpeg_compression",
            Self::SpeckleNoise => "speckle_noise",
            Self::GaussianBlur => "gaussian_blur",
            Self::Spatter => "spatter",
            Self::Saturate => "saturate",
        }
    }

    /// Whether each pixel becomes a mean of pixels.
    fn averages(self) -> bool {
        // The two bilinear reads of elastic maps are means as well.
        self.group() == CorruptionGroup::Blur || self == Self::ElasticTransform
    }

    /// Group in the paper's figures.
    pub fn group(self) -> CorruptionGroup {
        match self {
            Self::GaussianNoise | Self::ShotNoise | Self::ImpulseNoise | Self::SpeckleNoise => {
                CorruptionGroup::Noise
            }
            Self::DefocusBlur | Self::GlassBlur | Self::MotionBlur | Self::ZoomBlur | Self::GaussianBlur => {
                CorruptionGroup::Blur
            }
            Self::Snow | Self::Frost | Self::Fog | Self::Brightness | Self::Spatter => {
                CorruptionGroup::Weather
            }
            _ => CorruptionGroup::Digital,
        }
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The corruption of a [`name`](Corruption::name) in upper or lower case, or [`Error::UnknownName`], which lists the names.
///
/// ```
/// use variata_fourier_aug::Corruption;
///
/// assert_eq!("fog".parse::<Corruption>()?, Corruption::Fog);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
impl FromStr for Corruption {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|c| c.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| Error::unknown_name("corruption", name, Self::ALL.map(Self::name)))
    }
}

/// The original's groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CorruptionGroup {
    /// Noise of each pixel.
    Noise,
    /// Loss of sharpness.
    Blur,
    /// Weather and light.
    Weather,
    /// What processing does.
    Digital,
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for f32 {}
}

/// Longest side of an image with fog or frost, whose fractal is a square: 512 MB then.
const FRACTAL: usize = 8192;

/// Type of the pixels: `u8` from 0 to 255, or `f32` from 0 to 1.
pub trait CorruptionPixel: sealed::Sealed + Copy + Send + Sync + Default {
    /// In [0, 1].
    #[doc(hidden)]
    fn unit(self) -> f64;
    /// Of a number that has been cut to [0, 1]; truncated, as the original does, if this is `u8`.
    #[doc(hidden)]
    fn from_unit(x: f64) -> Self;
    /// Whether values are rounded to 8 bits.
    #[doc(hidden)]
    const EIGHT_BITS: bool;
}

impl CorruptionPixel for u8 {
    const EIGHT_BITS: bool = true;
    fn unit(self) -> f64 {
        f64::from(self) / 255.0
    }
    fn from_unit(x: f64) -> Self {
        (x * 255.0) as u8
    }
}

impl CorruptionPixel for f32 {
    const EIGHT_BITS: bool = false;
    fn unit(self) -> f64 {
        f64::from(self)
    }
    fn from_unit(x: f64) -> Self {
        x as f32
    }
}

/// The images [batch, height, width, channels] with a corruption; other orders of the axes by permuted views.
///
/// Image i draws from stream `first + i` of `seed`: the result does not depend on how a set is cut into batches or on the
/// number of threads. Severities share their draws, except of [`ShotNoise`](Corruption::ShotNoise), whose law takes more or fewer.
///
/// # Shapes
/// Any height and width of at least 1; 1 or 3 channels. `severity` 1 to 5.
///
/// # Errors
/// An empty image, another number of channels, a severity outside 1 to 5, an `f32` outside [0, 1]; fog or frost on a side of more than 8192
/// pixels.
///
/// # Numerics
/// f64 inside, JPEG in libjpeg's integers. `u8` results are truncated where the original truncates; boxes and JPEG are rounded, as by Pillow. A blur or an
/// elastic map leaves an even area as it is: what rounding takes of a mean is not truncated.
///
/// ```
/// use ndarray::Array4;
/// use variata_fourier_aug::{Corruption, corrupt};
///
/// let images = Array4::<u8>::from_elem((2, 8, 12, 3), 100);
/// let brighter = corrupt(&images, Corruption::Brightness, 2, 0, 0)?;
/// assert_eq!(brighter[[0, 0, 0, 0]], 125); // 100 + 0.1 · 255, truncated
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
pub fn corrupt<P: CorruptionPixel>(
    images: &ArrayRef4<P>,
    corruption: Corruption,
    severity: u8,
    seed: u64,
    first: u64,
) -> Result<Array4<P>, Error> {
    let (batch, height, width, channels) = images.dim();
    if height == 0 || width == 0 || !(channels == 1 || channels == 3) {
        let want = "[batch, height, width, 1 or 3], not empty".to_owned();
        return Err(ArgumentError::Shape { argument: "images", got: images.shape().to_vec(), want }.into());
    }
    let must = "1, 2, 3, 4 or 5";
    check::scalar("severity", f64::from(severity), must, (1..=5).contains(&severity))?;
    if let Some((index, value)) =
        images.iter().map(|p| p.unit()).enumerate().find(|(_, v)| !(0.0..=1.0).contains(v))
    {
        let must = "in [0, 1]";
        return Err(ArgumentError::Value { argument: "images", index: Some(index), value, must }.into());
    }
    if matches!(corruption, Corruption::Fog | Corruption::Frost) && height.max(width) > FRACTAL {
        let want = format!(
            "[batch, height, width, channels], at most {FRACTAL} pixels along a side for {}",
            corruption.name()
        );
        return Err(ArgumentError::Shape { argument: "images", got: images.shape().to_vec(), want }.into());
    }
    let level = usize::from(severity) - 1;
    let mut result = Array4::from_elem(images.dim(), P::default());
    let size = height * width * channels;
    let goals = result.as_slice_mut().unwrap_or_default().chunks_mut(size);
    let tasks: Vec<_> = images.axis_iter(Axis(0)).zip(goals).enumerate().collect();
    debug_assert_eq!(tasks.len(), batch);
    parallel::for_each(tasks, |(i, (image, goal))| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(first.wrapping_add(i as u64));
        let found = one(&image, corruption, level, &mut rng);
        let even = if P::EIGHT_BITS && corruption.averages() { blur::EVEN / 255.0 } else { 0.0 };
        for (to, from) in goal.iter_mut().zip(found.data) {
            *to = P::from_unit((from + even).clamp(0.0, 1.0));
        }
    });
    Ok(result)
}

/// One image; `level` from 0 to 4.
fn one<P: CorruptionPixel>(
    view: &ArrayView3<'_, P>,
    corruption: Corruption,
    level: usize,
    rng: &mut ChaCha8Rng,
) -> Planes {
    let image = Planes::new(view);
    match corruption {
        Corruption::GaussianNoise => noise::gaussian(image, level, rng),
        Corruption::ShotNoise => noise::shot(image, level, rng),
        Corruption::ImpulseNoise => noise::impulse(image, level, rng),
        Corruption::SpeckleNoise => noise::speckle(image, level, rng),
        Corruption::DefocusBlur => blur::defocus(&image, level),
        Corruption::GlassBlur => blur::glass(&image, level, P::EIGHT_BITS, rng),
        Corruption::MotionBlur => blur::motion(&image, level, rng),
        Corruption::ZoomBlur => blur::zoom(&image, level),
        Corruption::GaussianBlur => blur::gaussian(&image, level),
        Corruption::Snow => weather::snow(image, level, rng),
        Corruption::Frost => weather::frost(image, level, rng),
        Corruption::Fog => weather::fog(image, level, rng),
        Corruption::Spatter => weather::spatter(image, level, rng),
        Corruption::Brightness => digital::brightness(image, level),
        Corruption::Contrast => digital::contrast(image, level),
        Corruption::Saturate => digital::saturate(image, level),
        Corruption::ElasticTransform => digital::elastic(&image, level, rng),
        Corruption::Pixelate => digital::pixelate(&image, level, P::EIGHT_BITS),
        Corruption::JpegCompression => jpeg::compressed(&image, level),
    }
}
