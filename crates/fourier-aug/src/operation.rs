//! What is done to images: the sets S, V, C and F of the paper, and operations of the user.

mod color;
mod spatial;
mod vision;

use std::fmt::Debug;

use rand::{Rng, RngExt};
use variata_distributions::check;

use crate::error::Error;
use crate::image::{Image, level};
use crate::wave::WaveSampler;

/// A random operation on an image of 8 bits.
///
/// ```
/// use rand::Rng;
/// use variata_fourier_aug::{Error, Image, Operation};
///
/// #[derive(Debug)]
/// struct Negative;
///
/// impl Operation for Negative {
///     fn apply(&self, image: &mut Image, _: f64, _: &mut dyn Rng) -> Result<(), Error> {
///         image.solarize(0);
///         Ok(())
///     }
/// }
/// ```
pub trait Operation: Debug + Send + Sync {
    /// Changes the image; `severity` is from 0 to 10, and all chance comes from `rng`.
    ///
    /// # Errors
    /// What the operation refuses, which makes the call that asked for it fail; so does another size of the image.
    fn apply(&self, image: &mut Image, severity: f64, rng: &mut dyn Rng) -> Result<(), Error>;
}

/// The thirteen operations of AugMix.
///
/// Each draws u ~ U(0.1, severity), or U(0, severity) if that is less than 0.1, and a sign where it has one, with even chance.
///
/// | | parameter |
/// |---|---|
/// | `Rotate` | ±⌊3u⌋ degrees |
/// | `ShearX`, `ShearY` | ±0.03u |
/// | `TranslateX`, `TranslateY` | ±⌊u·side/30⌋ pixels |
/// | `Autocontrast`, `Equalize` | none |
/// | `Posterize` | 4 − ⌊0.4u⌋ bits |
/// | `Solarize` | threshold 256 − ⌊25.6u⌋ |
/// | `Color`, `Contrast`, `Brightness`, `Sharpness` | factor 0.18u + 0.1, which only weakens |
///
/// Source: Hendrycks et al., "AugMix" (2020), code; facts of paper fourier-aug, section 3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Primitive {
    /// [`Image::rotate`].
    Rotate,
    /// [`Image::shear_x`].
    ShearX,
    /// [`Image::shear_y`].
    ShearY,
    /// [`Image::translate_x`].
    TranslateX,
    /// [`Image::translate_y`].
    TranslateY,
    /// [`Image::autocontrast`].
    Autocontrast,
    /// [`Image::equalize`].
    Equalize,
    /// [`Image::posterize`].
    Posterize,
    /// [`Image::solarize`].
    Solarize,
    /// [`Image::brightness`].
    Brightness,
    /// [`Image::color`].
    Color,
    /// [`Image::contrast`].
    Contrast,
    /// [`Image::sharpness`].
    Sharpness,
}

impl Primitive {
    /// S: movements.
    pub const SPATIAL: [Self; 5] =
        [Self::Rotate, Self::ShearX, Self::ShearY, Self::TranslateX, Self::TranslateY];
    /// V: what changes levels.
    pub const VISION: [Self; 4] = [Self::Autocontrast, Self::Equalize, Self::Posterize, Self::Solarize];
    /// C: the enhancements, which are among the common corruptions.
    pub const COLOR: [Self; 4] = [Self::Brightness, Self::Color, Self::Contrast, Self::Sharpness];
}

impl Operation for Primitive {
    fn apply(&self, image: &mut Image, severity: f64, rng: &mut dyn Rng) -> Result<(), Error> {
        let severity = severity.clamp(0.0, 10.0);
        let low = severity.min(0.1);
        let u = low + (severity - low) * rng.random::<f64>();
        let sign = |rng: &mut dyn Rng, v: f64| if rng.random::<bool>() { -v } else { v };
        let [_, height, width] = image.shape();
        let pixels = |side: usize| (u * side as f64 / 30.0).floor();
        let factor = 0.18 * u + 0.1;
        match self {
            Self::Rotate => image.rotate(sign(rng, (3.0 * u).floor())),
            Self::ShearX => image.shear_x(sign(rng, 0.03 * u)),
            Self::ShearY => image.shear_y(sign(rng, 0.03 * u)),
            Self::TranslateX => image.translate_x(sign(rng, pixels(width)) as i64),
            Self::TranslateY => image.translate_y(sign(rng, pixels(height)) as i64),
            Self::Autocontrast => image.autocontrast(),
            Self::Equalize => image.equalize(),
            Self::Posterize => image.posterize(4 - (0.4 * u) as u32),
            Self::Solarize => image.solarize(256 - (25.6 * u) as u32),
            Self::Brightness => image.brightness(factor as f32),
            Self::Color => image.color(factor as f32),
            Self::Contrast => image.contrast(factor as f32),
            Self::Sharpness => image.sharpness(factor as f32),
        }
        Ok(())
    }
}

/// F: a plane wave, whatever the severity; sums are cut to [0, 1] and rounded to the nearest level. An image of another size than the
/// sampler's grid is refused.
impl Operation for WaveSampler {
    fn apply(&self, image: &mut Image, _: f64, rng: &mut dyn Rng) -> Result<(), Error> {
        let (grid, [channels, height, width]) = (self.grid(), image.shape());
        check::shape("image", &[channels, height, width], &[channels, grid.height(), grid.width()])?;
        let wave = self.draw(rng);
        let amplitude = grid.amplitude(wave.vector, wave.phase, wave.norm * 255.0)?;
        let plane = height * width;
        let Image { pixels, columns, wave: values, .. } = image;
        values.resize(plane, 0.0);
        grid.fill((wave.vector, wave.phase), amplitude, values, columns, |_, wave| wave);
        for (pixels, flipped) in pixels.chunks_exact_mut(plane).zip(wave.flipped) {
            let sign = if flipped { -1.0 } else { 1.0 };
            pixels.iter_mut().zip(values.iter()).for_each(|(v, w)| *v = level(f32::from(*v) + sign * w));
        }
        Ok(())
    }
}
