//! What is done to images: the sets S, V, C and F of the paper, and operations of the user.

pub(crate) mod action;
pub(crate) mod color;
pub(crate) mod spatial;
pub(crate) mod vision;

use std::fmt::Debug;

pub use action::Action;
use rand::{Rng, RngExt};
use variata_distributions::check;

use crate::error::Error;
use crate::image::Image;
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

    /// What [`apply`](Self::apply) would do to an image of this shape, [channels, height, width], by the same draws: this is how an operation
    /// runs on tensors. `None`, as an operation has it that says nothing, refuses them.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    fn action(
        &self,
        _shape: [usize; 3],
        _severity: f64,
        _rng: &mut dyn Rng,
    ) -> Result<Option<Action>, Error> {
        Ok(None)
    }
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
/// | `Color`, `Contrast`, `Brightness`, `Sharpness` | factor 0.18u + 0.1, which weakens as long as u < 5 |
///
/// Source: Hendrycks et al., "AugMix" (2020), code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
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
        self.decide(image.shape(), severity, rng).apply(image)
    }

    fn action(&self, shape: [usize; 3], severity: f64, rng: &mut dyn Rng) -> Result<Option<Action>, Error> {
        Ok(Some(self.decide(shape, severity, rng)))
    }
}

impl Primitive {
    fn decide(self, [_, height, width]: [usize; 3], severity: f64, rng: &mut dyn Rng) -> Action {
        let severity = severity.clamp(0.0, 10.0);
        let low = severity.min(0.1);
        let u = low + (severity - low) * rng.random::<f64>();
        let sign = |rng: &mut dyn Rng, v: f64| if rng.random::<bool>() { -v } else { v };
        let pixels = |side: usize| (u * side as f64 / 30.0).floor();
        let factor = (0.18 * u + 0.1) as f32;
        match self {
            Self::Rotate => Action::Rotate(sign(rng, (3.0 * u).floor())),
            Self::ShearX => Action::ShearX(sign(rng, 0.03 * u)),
            Self::ShearY => Action::ShearY(sign(rng, 0.03 * u)),
            Self::TranslateX => Action::TranslateX(sign(rng, pixels(width)) as i64),
            Self::TranslateY => Action::TranslateY(sign(rng, pixels(height)) as i64),
            Self::Autocontrast => Action::Autocontrast,
            Self::Equalize => Action::Equalize,
            Self::Posterize => Action::Posterize(4 - (0.4 * u) as u32),
            Self::Solarize => Action::Solarize(256 - (25.6 * u) as u32),
            Self::Brightness => Action::Brightness(factor),
            Self::Color => Action::Color(factor),
            Self::Contrast => Action::Contrast(factor),
            Self::Sharpness => Action::Sharpness(factor),
        }
    }
}

/// F: a plane wave, whatever the severity; sums are cut to [0, 1] and rounded to the nearest level. An image of another size than the
/// sampler's grid is refused.
impl Operation for WaveSampler {
    fn apply(&self, image: &mut Image, _: f64, rng: &mut dyn Rng) -> Result<(), Error> {
        self.fits(image.shape())?;
        let wave = self.draw(rng);
        image.add_wave(self.grid(), &wave)
    }

    fn action(&self, shape: [usize; 3], _: f64, rng: &mut dyn Rng) -> Result<Option<Action>, Error> {
        self.fits(shape)?;
        Ok(Some(Action::Wave(self.draw(rng))))
    }
}

impl WaveSampler {
    /// The image is one of the sampler's grid.
    fn fits(&self, [channels, height, width]: [usize; 3]) -> Result<(), Error> {
        let want = [channels, self.grid().height(), self.grid().width()];
        Ok(check::shape("image", &[channels, height, width], &want)?)
    }
}
