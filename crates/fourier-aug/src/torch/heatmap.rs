//! Heatmaps of classifiers on tensors.

use std::ops::ControlFlow;

use tch::{Kind, Tensor};
use variata_distributions::ArgumentError;
use variata_distributions::torch::support::size;
use variata_torch_bridge::{check_floating, no_grad};

use super::calibration::outcomes;
use super::waves::{Circles, NUMBERS, numbers};
use super::{checked_labels, upload};
use crate::error::Error;
use crate::heatmap::{Alignment, HeatmapProgress, HeatmapRun};

/// Pixels of waves that are made at a time.
const BLOCK: usize = 1 << 20;

impl HeatmapRun {
    /// [`add`](Self::add) for a classifier of tensors, on the device of the images: move them there once.
    ///
    /// `images` [batch, channels, height, width] in [0, 1], of a floating kind and used as `Float`; `labels` `[batch]`, integers on the
    /// same device. `classify` gets the perturbed batch and returns logits [batch, classes] on that device; no gradient is
    /// recorded. Waves are made on the device, and of each wave's predictions one number an image comes to the host. Perturbed images are the
    /// native ones to the bit on the CPU; a run may go on with either form.
    ///
    /// # Errors
    /// As [`add`](Self::add); images that are not dense or not floating-point, labels of another kind or device.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use variata_fourier_aug::{Error, HeatmapOptions, HeatmapRun};
    /// use variata_torch_bridge::tch::{Device, Kind, Tensor};
    ///
    /// // Class 1 if the mean pixel exceeds 0.55: only a constant shift changes that.
    /// let classify = |images: &Tensor| {
    ///     let logit = images.mean_dim([1i64, 2, 3].as_slice(), false, Kind::Float) - 0.55;
    ///     Ok::<_, Error>(Tensor::stack(&[logit.zeros_like(), logit], 1))
    /// };
    /// let mut run = HeatmapRun::new([1, 4, 6], HeatmapOptions { norm: 1.0, ..Default::default() })?;
    /// let images = Tensor::full([2, 1, 4, 6], 0.5, (Kind::Float, Device::Cpu));
    /// let labels = Tensor::zeros([2], (Kind::Int64, Device::Cpu));
    /// run.add_tensors(&images, &labels, classify, |_| ControlFlow::Continue(()))?;
    /// assert_eq!(run.errors()?.values()[[2, 3]], 1.0);
    /// # Ok::<(), variata_fourier_aug::Error>(())
    /// ```
    pub fn add_tensors<E: std::error::Error + Send + Sync + 'static>(
        &mut self,
        images: &Tensor,
        labels: &Tensor,
        mut classify: impl FnMut(&Tensor) -> Result<Tensor, E>,
        progress: impl FnMut(HeatmapProgress) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        check_floating(&[("images", images)])?;
        let got = size(images);
        let batch = got.first().copied().unwrap_or(0);
        let labels = checked_labels(labels, batch as i64, images)?;
        self.check_batch(&got, batch)?;
        no_grad(|| {
            let images = images.detach().to_kind(Kind::Float);
            check_unit(&images)?;
            let circles = Circles::new(&self.grid, images.device())?;
            let mut block = None;
            let predict = |run: &mut Self, at: usize| {
                let perturbed = run.perturbed(&images, at, &circles, &mut block)?;
                let logits = classify(&perturbed).map_err(|error| Error::Classifier(Box::new(error)))?;
                Ok(outcomes(&logits, &labels)?.into_iter().map(|c| c as f32).collect())
            };
            self.each_wave(batch, predict, progress)
        })
    }

    /// images ± norm·wave; `block` keeps the waves that come next, and the number of the first.
    fn perturbed(
        &self,
        images: &Tensor,
        at: usize,
        circles: &Circles,
        block: &mut Option<(usize, Tensor)>,
    ) -> Result<Tensor, Error> {
        let (grid, waves, options) = (&self.grid, &self.waves, self.state().options);
        let count = (BLOCK / (grid.height() * grid.width())).max(1);
        let have = block.take().filter(|(first, made)| (*first..first + size(made)[0]).contains(&at));
        let (first, made) = if let Some(have) = have {
            have
        } else {
            let next = &waves[at..waves.len().min(at + count)];
            // The sign of the phase is the authors'.
            let all = next.iter().flat_map(|&(k, amplitude)| numbers(k, -options.phase, amplitude));
            let all: Vec<f64> = all.collect();
            let all = upload(&all, &[next.len(), NUMBERS], images.device())?;
            (at, circles.waves(&all, Kind::Float))
        };
        let unit = made.get((at - first) as i64);
        *block = Some((first, made));
        let moved = if options.alignment == Alignment::Aligned {
            images + unit * f64::from(self.scale(at, 0, 0))
        } else {
            let [batch, channels, ..] = size(images)[..] else { return Ok(images.shallow_clone()) };
            let scales = (0..batch).flat_map(|i| (0..channels).map(move |c| (i, c)));
            let scales: Vec<f32> = scales.map(|(i, c)| self.scale(at, i, c)).collect();
            images + unit * upload(&scales, &[batch, channels, 1, 1], images.device())?
        };
        Ok(if options.clip { moved.clamp(0.0, 1.0) } else { moved })
    }
}

/// Pixels are in [0, 1]; waits for the device, once a batch.
fn check_unit(images: &Tensor) -> Result<(), Error> {
    let inside = images.ge(0.0).logical_and(&images.le(1.0)).flatten(0, -1);
    if inside.all().int64_value(&[]) != 0 {
        return Ok(());
    }
    let index = inside.to_kind(Kind::Uint8).argmin(0, false).int64_value(&[]);
    let value = images.reshape([-1]).double_value(&[index]);
    let (argument, must) = ("images", "in [0, 1]");
    Err(ArgumentError::Value { argument, index: Some(index as usize), value, must }.into())
}
