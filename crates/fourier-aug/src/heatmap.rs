//! Susceptibility of a classifier to every plane wave.
//!
//! Source: paper fourier-aug, section 3.2, figure 1 and table 2; Yin et al., "A Fourier perspective on model robustness in
//! computer vision" (2019).

mod map;
mod render;

use std::ops::ControlFlow;

use ndarray::{Array4, ArrayRef2, ArrayRef4, ArrayView4};
use variata_distributions::{ArgumentError, check, parallel};

pub use map::{Heatmap, pooled};
pub use render::Picture;

use crate::calibration::not_empty;
use crate::{Error, Grid, Predictions, WaveVector};

/// Sign of the wave in each channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Alignment {
    /// The same wave in every channel.
    Aligned,
    /// A sign of ±1 for each channel of each image, drawn anew for each wave from this seed.
    RandomFlip(u64),
}

/// What is added to the images.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct HeatmapOptions {
    /// ‖U‖₂ of the wave in each channel, ≥ 0 and finite in f32. The paper: 1, 2, 3, 4.
    pub norm: f64,
    /// Signs of the channels. The paper: both.
    pub alignment: Alignment,
    /// Phase in radians with the authors' sign, cos(2πk·r + phase): a [`PlaneWave`](crate::PlaneWave) of this k has φ = −phase. The default is
    /// that of the paper's evaluation, π/4 + ¾·2π [errata 004-4].
    pub phase: f64,
    /// Whether sums are cut to [0, 1]. The paper says so; the authors' code does not.
    pub clip: bool,
}

impl Default for HeatmapOptions {
    fn default() -> Self {
        let phase = std::f64::consts::FRAC_PI_4 + 1.5 * std::f64::consts::PI;
        Self { norm: 4.0, alignment: Alignment::Aligned, phase, clip: true }
    }
}

/// What pixels in f32 bear.
const NORM: &str = "finite in f32 and >= 0";

/// Most pixels of a channel: larger maps would take years.
const PIXELS: usize = 1 << 22;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeatmapProgress {
    /// Waves that the present batch has been through.
    pub waves_done: usize,
    /// Waves that it has to go through.
    pub waves: usize,
    /// Batches that are done.
    pub batches_done: usize,
}

/// A run as plain data: what to save, and to give to [`HeatmapRun::resume`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct HeatmapState {
    /// Channels, height, width.
    pub shape: [usize; 3],
    /// What is added.
    pub options: HeatmapOptions,
    /// Batches that are done.
    pub batches_done: usize,
    /// Images in them.
    pub images_done: usize,
    /// Waves that the next batch has been through.
    pub waves_done: usize,
    /// For each wave the confidence of every prediction so far, negative where it is wrong (−0 included).
    pub outcomes: Vec<Vec<f32>>,
}

/// The predictions of a classifier under every distinct wave, collected batch by batch.
///
/// Each batch is handed over once; all waves are added to it in turn. A run that is stopped goes on where it was, with the same
/// bits as one that was not.
///
/// ```
/// use std::convert::Infallible;
/// use std::ops::ControlFlow;
/// use ndarray::{Array2, Array4, Axis};
/// use variata_fourier_aug::{HeatmapOptions, HeatmapRun};
///
/// // Class 1 if the mean pixel exceeds 0.55: only a constant shift changes that.
/// let classify = |images: ndarray::ArrayView4<'_, f32>| {
///     let logit = |i: usize| images.index_axis(Axis(0), i).mean().unwrap_or(0.0) - 0.55;
///     let logits = Array2::from_shape_fn((images.len_of(Axis(0)), 2), |(i, k)| k as f32 * logit(i));
///     Ok::<_, Infallible>(logits)
/// };
/// let mut run = HeatmapRun::new([1, 4, 6], HeatmapOptions { norm: 1.0, ..Default::default() })?;
/// run.add(&Array4::from_elem((2, 1, 4, 6), 0.5), &[0, 0], classify, |_| ControlFlow::Continue(()))?;
/// let errors = run.errors()?;
/// assert_eq!(errors.values()[[2, 3]], 1.0); // the centre: frequency 0
/// assert_eq!(errors.max(), 1.0);
/// assert!((errors.mean() - 1.0 / 14.0).abs() < 1e-12); // one of 14 distinct waves
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct HeatmapRun {
    state: HeatmapState,
    pub(crate) grid: Grid,
    /// Distinct wave vectors, with the amplitude that makes the norm 1.
    pub(crate) waves: Vec<(WaveVector, f64)>,
    /// Self-conjugate wave vectors at which a cosine of this phase is 0 everywhere.
    excluded: Vec<WaveVector>,
    buffer: Array4<f32>,
    /// The present wave [height][width], and what makes it.
    unit: Vec<f32>,
    columns: Vec<[f32; 2]>,
}

impl HeatmapRun {
    /// An empty run for images of these channels, height and width.
    ///
    /// # Errors
    /// A shape with a 0 or of more than 2²² pixels, a norm that is negative or not finite in f32, a phase that is not finite.
    pub fn new(shape: [usize; 3], options: HeatmapOptions) -> Result<Self, Error> {
        let [_, height, width] = shape;
        if shape.contains(&0) {
            let want = "[channels, height, width], not empty".to_owned();
            return Err(ArgumentError::Shape { argument: "shape", got: shape.to_vec(), want }.into());
        }
        let HeatmapOptions { norm, phase, .. } = options;
        check::scalar("norm", norm, NORM, norm >= 0.0 && (norm as f32).is_finite())?;
        check::scalar("phase", phase, "finite", phase.is_finite())?;
        if height.checked_mul(width).is_none_or(|pixels| pixels > PIXELS) {
            let want = format!("[channels, height, width], height * width at most {PIXELS}");
            return Err(ArgumentError::Shape { argument: "shape", got: shape.to_vec(), want }.into());
        }
        let grid = Grid::new(height, width)?;
        let (mut waves, mut excluded) = (Vec::new(), Vec::new());
        for k in grid.distinct() {
            match grid.amplitude(k, phase, 1.0) {
                Ok(amplitude) => waves.push((k, amplitude)),
                Err(_) => excluded.push(k),
            }
        }
        let outcomes = vec![Vec::new(); waves.len()];
        let state = HeatmapState { shape, options, batches_done: 0, images_done: 0, waves_done: 0, outcomes };
        let (unit, columns) = (Vec::new(), Vec::new());
        Ok(Self { state, grid, waves, excluded, buffer: Array4::zeros((0, 0, 0, 0)), unit, columns })
    }

    /// The run that left this state.
    ///
    /// # Errors
    /// As [`new`](Self::new); outcomes that do not fit the counts, or that are no confidences.
    pub fn resume(state: HeatmapState) -> Result<Self, Error> {
        let mut run = Self::new(state.shape, state.options)?;
        let fits = state.outcomes.len() == run.waves.len() && state.waves_done < run.waves.len().max(1);
        let counts: Vec<usize> = state.outcomes.iter().map(Vec::len).collect();
        let (done, rest) = counts.split_at(state.waves_done.min(counts.len()));
        let started = done.first().copied().unwrap_or(state.images_done);
        // So many that all that can come are still counted.
        let countable = isize::try_from(state.images_done).is_ok();
        let same = countable
            && done.iter().all(|&n| n == started && n > state.images_done)
            && (state.batches_done == 0) == (state.images_done == 0)
            && state.batches_done <= state.images_done
            && rest.iter().all(|&n| n == state.images_done);
        if !fits || !same {
            let want = format!("{} outcomes of {} images each", run.waves.len(), state.images_done);
            return Err(ArgumentError::Shape { argument: "outcomes", got: counts, want }.into());
        }
        for outcomes in &state.outcomes {
            if let Some(index) = outcomes.iter().position(|c| !(c.abs() <= 1.0)) {
                let (value, must) = (f64::from(outcomes[index]), "in [-1, 1]");
                let argument = "outcomes";
                return Err(ArgumentError::Value { argument, index: Some(index), value, must }.into());
            }
        }
        run.state = state;
        Ok(run)
    }

    /// What to save. Cheap beside a batch: four bytes for each image and wave.
    pub fn state(&self) -> &HeatmapState {
        &self.state
    }

    /// Number of distinct waves that are tried.
    pub fn waves(&self) -> usize {
        self.waves.len()
    }

    /// Wave vectors that are left out because a cosine of this phase is 0 in every pixel.
    pub fn excluded(&self) -> &[WaveVector] {
        &self.excluded
    }

    /// Adds a batch of images [batch, channels, height, width] in [0, 1] with its labels `[batch]`.
    ///
    /// `classify` gets the perturbed batch and returns logits [batch, classes]; normalise inside it. `progress` is called after
    /// each wave; if it breaks before the last one, the batch is left unfinished, the result is `Break`, and the next call has to bring the same
    /// batch again, of which the waves that are done are skipped.
    ///
    /// # Errors
    /// An image of another shape, an empty batch, a pixel that is not in [0, 1], labels of another length; another number of
    /// images than the unfinished batch had; an error of `classify`, after which the batch can be brought again; logits of the
    /// wrong shape, or not numbers; a label that is no class.
    pub fn add<E: std::error::Error + Send + Sync + 'static>(
        &mut self,
        images: &ArrayRef4<f32>,
        labels: &[usize],
        mut classify: impl FnMut(ArrayView4<'_, f32>) -> Result<ndarray::Array2<f32>, E>,
        progress: impl FnMut(HeatmapProgress) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let batch = labels.len();
        self.check_batch(images.shape(), batch)?;
        check::probability("images", images)?;
        if self.buffer.dim() != images.dim() {
            self.buffer = Array4::zeros(images.dim());
        }
        let images = images.as_standard_layout();
        let predict = |run: &mut Self, at: usize| {
            run.perturb(images.as_slice().unwrap_or_default(), at);
            let logits = classify(run.buffer.view()).map_err(|error| Error::Classifier(Box::new(error)))?;
            outcomes(&logits, labels)
        };
        self.each_wave(batch, predict, progress)
    }

    /// Images of this shape with this number of labels can come next.
    pub(crate) fn check_batch(&self, got: &[usize], batch: usize) -> Result<(), Error> {
        let [channels, height, width] = self.state.shape;
        let images = got.first().copied().unwrap_or_default();
        check::shape("images", got, &[images, channels, height, width])?;
        not_empty("images", got)?;
        check::shape("labels", &[batch], &[images])?;
        if self.state.waves_done > 0 {
            let had = self.state.outcomes[0].len() - self.state.images_done;
            check::shape("labels", &[batch], &[had])?;
        }
        Ok(())
    }

    /// Takes in the outcomes that `predict` finds under each wave that is left.
    pub(crate) fn each_wave(
        &mut self,
        batch: usize,
        mut predict: impl FnMut(&mut Self, usize) -> Result<Vec<f32>, Error>,
        mut progress: impl FnMut(HeatmapProgress) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        while self.state.waves_done < self.waves.len() {
            let at = self.state.waves_done;
            let outcomes = predict(self, at)?;
            self.state.outcomes[at].extend(outcomes);
            self.state.waves_done += 1;
            let (waves, batches_done) = (self.waves.len(), self.state.batches_done);
            let stop = progress(HeatmapProgress { waves_done: at + 1, waves, batches_done }).is_break();
            // After the last wave nothing is left to come back for.
            if stop && at + 1 < waves {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.finish(batch);
        Ok(ControlFlow::Continue(()))
    }

    /// Scale of the unit wave in a channel of an image of the present batch.
    pub(crate) fn scale(&self, at: usize, image: usize, channel: usize) -> f32 {
        let HeatmapOptions { norm, alignment, .. } = self.state.options;
        match alignment {
            Alignment::Aligned => norm as f32,
            Alignment::RandomFlip(seed) => {
                norm as f32 * sign(seed, at, self.state.images_done + image, channel)
            }
        }
    }

    fn finish(&mut self, batch: usize) {
        self.state.waves_done = 0;
        self.state.batches_done += 1;
        self.state.images_done += batch;
    }

    /// The buffer becomes images + ±norm·wave.
    fn perturb(&mut self, images: &[f32], at: usize) {
        let HeatmapOptions { clip, phase, .. } = self.state.options;
        let [channels, height, width] = self.state.shape;
        let pixels = height * width;
        let (wave, amplitude) = self.waves[at];
        let (mut unit, mut buffer) = (std::mem::take(&mut self.unit), std::mem::take(&mut self.buffer));
        unit.resize(pixels, 0.0);
        // The sign of the phase is the authors'.
        self.grid.fill((wave, -phase), amplitude, &mut unit, &mut self.columns, |_, u| u);
        let goals = buffer.as_slice_mut().unwrap_or_default().chunks_mut(channels * pixels);
        let tasks: Vec<_> = goals.zip(images.chunks(channels * pixels)).enumerate().collect();
        parallel::for_each(tasks, |(i, (goal, image))| {
            for (c, (goal, image)) in goal.chunks_mut(pixels).zip(image.chunks(pixels)).enumerate() {
                let scale = self.scale(at, i, c);
                for ((to, x), u) in goal.iter_mut().zip(image).zip(&unit) {
                    let sum = x + scale * u;
                    *to = if clip { sum.clamp(0.0, 1.0) } else { sum };
                }
            }
        });
        (self.unit, self.buffer) = (unit, buffer);
    }

    /// Share of wrong predictions under each wave.
    ///
    /// # Errors
    /// No batch is finished.
    pub fn errors(&self) -> Result<Heatmap, Error> {
        self.metric(|predictions| Ok(predictions.error_rate()))
    }

    /// Any quantity of the predictions under each wave, such as
    /// `|p| Ok(p.reliability(Binning::Adaptive { size: 100 })?.rms())`. Only finished batches count.
    ///
    /// # Errors
    /// No batch is finished; an error of `metric`.
    pub fn metric(
        &self,
        metric: impl Fn(&Predictions) -> Result<f64, Error> + Sync,
    ) -> Result<Heatmap, Error> {
        let images = self.state.images_done;
        check::scalar("batches", self.state.batches_done as f64, "at least 1", images > 0)?;
        let values = parallel::collect(self.waves.len(), |w| {
            let outcomes = self.state.outcomes[w].iter().take(images);
            metric(&Predictions::from_signed(outcomes.map(|c| f64::from(*c)))?)
        });
        let values: Vec<f64> = values.into_iter().collect::<Result<_, _>>()?;
        let [_, height, width] = self.state.shape;
        let cells = self.waves.iter().map(|(wave, _)| *wave).zip(values).collect();
        Ok(Heatmap::new(height, width, cells))
    }
}

/// Confidence of each prediction, negative where it is wrong.
fn outcomes(logits: &ArrayRef2<f32>, labels: &[usize]) -> Result<Vec<f32>, Error> {
    if logits.nrows() != labels.len() {
        let (got, want) = (logits.shape().to_vec(), format!("[{}, classes]", labels.len()));
        return Err(ArgumentError::Shape { argument: "logits", got, want }.into());
    }
    Ok(Predictions::from_logits(logits, labels)?.signed().map(|c| c as f32).collect())
}

/// +1 or −1: the last step of SplitMix64 over the four numbers.
fn sign(seed: u64, wave: usize, image: usize, channel: usize) -> f32 {
    let mix = |state: u64, next: u64| {
        let mut z = (state ^ next).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let word = [wave as u64, image as u64, channel as u64].into_iter().fold(mix(seed, 0), mix);
    if word & 1 == 0 { 1.0 } else { -1.0 }
}
