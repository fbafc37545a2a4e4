//! One wave for each image of a batch.

use ndarray::{Array3, ArrayRef3, ArrayRef4};
use variata_distributions::ArgumentError;
use variata_distributions::lanes::widest;
use variata_distributions::parallel;

use super::{FINITE_WAVE, Grid, WaveVector};
use crate::element::Element;
use crate::error::Error;

/// Most channels of an image.
pub(crate) const CHANNELS: usize = 3;

/// A wave to be added to an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlaneWave {
    /// k.
    pub vector: WaveVector,
    /// φ in radians.
    pub phase: f64,
    /// ‖U‖₂ of each channel: an image of three channels is moved by √3 as much [errata 004-3].
    pub norm: f64,
    /// Whether the sign is turned in each channel; an image of one channel has the first.
    pub flipped: [bool; CHANNELS],
}

impl PlaneWave {
    /// The same wave in all channels.
    pub fn aligned(vector: WaveVector, phase: f64, norm: f64) -> Self {
        Self { vector, phase, norm, flipped: [false; CHANNELS] }
    }
}

/// Batches of waves, on all cores.
impl Grid {
    /// The waves themselves [N, H, W], of the first channel's sign.
    ///
    /// # Errors
    /// As [`amplitude`](Self::amplitude), for the first wave that is refused; [`Error::Argument`] for a norm whose wave is not finite in f32
    /// or in `T`: `f16` ends at 65504.
    ///
    /// ```
    /// use std::f64::consts::FRAC_PI_4;
    /// use variata_fourier_aug::{Grid, PlaneWave, WaveVector};
    ///
    /// let wave = PlaneWave::aligned(WaveVector { y: 1, x: 2 }, FRAC_PI_4, 1.0);
    /// let found = Grid::new(4, 6)?.waves::<f32>(&[wave])?;
    /// assert!((found.iter().map(|u| u * u).sum::<f32>() - 1.0).abs() < 1e-6);
    /// # Ok::<(), variata_fourier_aug::Error>(())
    /// ```
    pub fn waves<T: Element>(&self, waves: &[PlaneWave]) -> Result<Array3<T>, Error> {
        let mut out = Array3::from_elem((waves.len(), self.height, self.width), T::ZERO);
        self.write_waves(waves, &mut out)?;
        Ok(out)
    }

    /// [`waves`](Self::waves) into memory that is there [N, H, W], in standard layout.
    ///
    /// # Errors
    /// As [`waves`](Self::waves); [`Error::Argument`] for another shape or layout.
    pub fn write_waves<T: Element>(&self, waves: &[PlaneWave], out: &mut ArrayRef3<T>) -> Result<(), Error> {
        let shape = [waves.len(), self.height, self.width];
        let got = out.shape().to_vec();
        let Some(out) = out.as_slice_mut().filter(|_| got == shape) else {
            let want = format!("{shape:?} in standard layout");
            return Err(ArgumentError::Shape { argument: "out", got, want }.into());
        };
        let plane = self.height * self.width;
        let finite = |amplitude| T::from_f32(amplitude).to_f32().is_finite();
        self.each(waves, out, plane, finite, |_: T, wave| T::from_f32(wave))
    }

    /// Adds wave i to image i of `images` [N, C, H, W], with C = 1 or 3; `clip` cuts sums to [0, 1], as the paper has it [errata 004-6].
    ///
    /// Pixels are not looked at: NaN stays NaN. Sums that are not cut may leave the range of `f16`, and are infinite then.
    ///
    /// # Errors
    /// As [`waves`](Self::waves) of `f32`; [`Error::Argument`] if the images have another shape, number or layout than the standard one. No
    /// image is changed then.
    ///
    /// ```
    /// use ndarray::Array4;
    /// use variata_fourier_aug::{Grid, PlaneWave, WaveVector};
    ///
    /// let wave = PlaneWave::aligned(WaveVector { y: 1, x: 2 }, 0.0, 1.0);
    /// let mut images = Array4::<f32>::from_elem((1, 3, 4, 6), 0.5);
    /// Grid::new(4, 6)?.add_waves(&[wave], &mut images, true)?;
    /// assert!(images[[0, 2, 0, 0]] > 0.5);
    /// # Ok::<(), variata_fourier_aug::Error>(())
    /// ```
    pub fn add_waves<T: Element>(
        &self,
        waves: &[PlaneWave],
        images: &mut ArrayRef4<T>,
        clip: bool,
    ) -> Result<(), Error> {
        let (height, width) = (self.height, self.width);
        let got = images.shape().to_vec();
        let fits = got[0] == waves.len() && [1, CHANNELS].contains(&got[1]) && got[2..] == [height, width];
        let Some(images) = images.as_slice_mut().filter(|_| fits) else {
            let want = format!("[{}, 1 or 3, {height}, {width}] in standard layout", waves.len());
            return Err(ArgumentError::Shape { argument: "images", got, want }.into());
        };
        let size = got[1] * height * width;
        if clip {
            self.each(waves, images, size, f32::is_finite, |v: T, wave| {
                T::from_f32((v.to_f32() + wave).clamp(0.0, 1.0))
            })
        } else {
            self.each(waves, images, size, f32::is_finite, |v: T, wave| T::from_f32(v.to_f32() + wave))
        }
    }

    /// Joins every plane of every image of `size` numbers with its wave, of an amplitude that is `finite`.
    fn each<T: Element>(
        &self,
        waves: &[PlaneWave],
        out: &mut [T],
        size: usize,
        finite: impl Fn(f32) -> bool,
        join: impl Fn(T, f32) -> T + Copy + Send + Sync,
    ) -> Result<(), Error> {
        let amplitudes = waves.iter().map(|w| self.amplitude(w.vector, w.phase, w.norm));
        let amplitudes: Vec<f64> = amplitudes.collect::<Result<_, _>>()?;
        if let Some(i) = amplitudes.iter().position(|a| !finite(*a as f32)) {
            let (argument, index, value) = ("norm", Some(i), waves[i].norm);
            return Err(ArgumentError::Value { argument, index, value, must: FINITE_WAVE }.into());
        }
        let plane = self.height * self.width;
        // Images of a task: some hundred kilobytes.
        let group = (1 << 16).max(size) / size.max(1);
        let tasks = waves.chunks(group).zip(amplitudes.chunks(group)).zip(out.chunks_mut(group * size));
        parallel::for_each(tasks.collect(), |((waves, amplitudes), out)| {
            let mut columns = Vec::with_capacity(self.width);
            let columns = &mut columns;
            widest(
                #[inline(always)]
                || {
                    for ((wave, &amplitude), image) in
                        waves.iter().zip(amplitudes).zip(out.chunks_exact_mut(size))
                    {
                        for (to, flipped) in image.chunks_exact_mut(plane).zip(wave.flipped) {
                            let amplitude = if flipped { -amplitude } else { amplitude };
                            self.fill((wave.vector, wave.phase), amplitude, to, columns, join);
                        }
                    }
                },
            );
        });
        Ok(())
    }
}
