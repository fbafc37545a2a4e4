//! What an operation has decided to do to one image.

use variata_distributions::check;

use crate::error::Error;
use crate::image::{Image, level};
use crate::wave::{FINITE_LEVELS, Grid, PlaneWave};

/// An operation with its parameter: all chance is spent.
///
/// It is what tensors on a GPU can do too; an [`Operation`](crate::Operation) that can name its action runs there.
///
/// ```
/// use ndarray::array;
/// use variata_fourier_aug::{Action, Image, Layout};
///
/// let mut image = Image::new(&array![[[0, 100, 255]]], Layout::Chw)?;
/// Action::Solarize(128).apply(&mut image)?;
/// assert_eq!(image.to_array(Layout::Chw), array![[[0, 100, 0]]]);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Action {
    /// [`Image::rotate`].
    Rotate(f64),
    /// [`Image::shear_x`].
    ShearX(f64),
    /// [`Image::shear_y`].
    ShearY(f64),
    /// [`Image::translate_x`].
    TranslateX(i64),
    /// [`Image::translate_y`].
    TranslateY(i64),
    /// [`Image::autocontrast`].
    Autocontrast,
    /// [`Image::equalize`].
    Equalize,
    /// [`Image::posterize`].
    Posterize(u32),
    /// [`Image::solarize`].
    Solarize(u32),
    /// [`Image::brightness`].
    Brightness(f32),
    /// [`Image::color`].
    Color(f32),
    /// [`Image::contrast`].
    Contrast(f32),
    /// [`Image::sharpness`].
    Sharpness(f32),
    /// A wave is added in [0, 1]; sums are cut and rounded to the nearest level.
    Wave(PlaneWave),
}

impl Action {
    /// Does it.
    ///
    /// # Errors
    /// As [`Grid::amplitude`] for a wave, or if it is not finite in f32 in levels of 8 bits.
    pub fn apply(self, image: &mut Image) -> Result<(), Error> {
        match self {
            Self::Rotate(degrees) => image.rotate(degrees),
            Self::ShearX(s) => image.shear_x(s),
            Self::ShearY(s) => image.shear_y(s),
            Self::TranslateX(pixels) => image.translate_x(pixels),
            Self::TranslateY(pixels) => image.translate_y(pixels),
            Self::Autocontrast => image.autocontrast(),
            Self::Equalize => image.equalize(),
            Self::Posterize(bits) => image.posterize(bits),
            Self::Solarize(threshold) => image.solarize(threshold),
            Self::Brightness(factor) => image.brightness(factor),
            Self::Color(factor) => image.color(factor),
            Self::Contrast(factor) => image.contrast(factor),
            Self::Sharpness(factor) => image.sharpness(factor),
            Self::Wave(wave) => {
                let [_, height, width] = image.shape();
                image.add_wave(&Grid::new(height, width)?, &wave)?;
            }
        }
        Ok(())
    }
}

/// Amplitude of a wave in levels of 8 bits.
pub(crate) fn levels(grid: &Grid, wave: &PlaneWave) -> Result<f64, Error> {
    let amplitude = grid.amplitude(wave.vector, wave.phase, wave.norm * 255.0)?;
    check::scalar("norm", wave.norm, FINITE_LEVELS, (amplitude as f32).is_finite())?;
    Ok(amplitude)
}

impl Image {
    /// Adds a wave of the image's own grid.
    pub(crate) fn add_wave(&mut self, grid: &Grid, wave: &PlaneWave) -> Result<(), Error> {
        let [channels, height, width] = self.shape();
        check::shape("image", &[channels, height, width], &[channels, grid.height(), grid.width()])?;
        let amplitude = levels(grid, wave)?;
        let plane = height * width;
        let Self { pixels, columns, wave: values, .. } = self;
        values.resize(plane, 0.0);
        grid.fill((wave.vector, wave.phase), amplitude, values, columns, |_, wave| wave);
        for (pixels, flipped) in pixels.chunks_exact_mut(plane).zip(wave.flipped) {
            let sign = if flipped { -1.0 } else { 1.0 };
            pixels.iter_mut().zip(values.iter()).for_each(|(v, w)| *v = level(f32::from(*v) + sign * w));
        }
        Ok(())
    }
}
