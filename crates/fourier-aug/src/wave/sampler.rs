//! Random waves.

use std::f64::consts::{FRAC_PI_4, TAU};
use std::ops::RangeInclusive;
use std::sync::Arc;

use rand::{Rng, RngExt};
use variata_distributions::{ArgumentError, check};

use super::{CHANNELS, FINITE_LEVELS, Grid, PlaneWave, WaveVector};
use crate::error::Error;
use crate::random::pick;

/// How likely each wave vector is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum FrequencyWeights {
    /// Each distinct frequency alike, and its vectors alike: what the paper says.
    #[default]
    Uniform,
    /// In proportion to 1/radius: what the authors' code does, uniform over frequency up to half the side only [errata 004-5].
    InverseRadius,
    /// Each vector alike: mostly high frequencies.
    Vectors,
}

/// What a [`WaveSampler`] draws.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct WaveSamplerOptions {
    /// How likely each vector is.
    pub weights: FrequencyWeights,
    /// Radii that are drawn, in periods over the image ([`Grid::radius`]); 0 never is. The paper: all. In text infinity is "inf".
    #[cfg_attr(feature = "serde", serde(with = "crate::unbounded::range"))]
    pub band: RangeInclusive<f64>,
    /// Norms, drawn uniformly. The paper: from 1 to 2.
    pub norm: RangeInclusive<f64>,
    /// Phases in fractions of a turn on top of π/4, drawn alike. The paper: 0, 1/3, 2/3 [errata 004-4].
    pub offsets: Vec<f64>,
    /// Whether each channel has a sign of its own. The authors' code: no.
    pub random_flip: bool,
}

impl Default for WaveSamplerOptions {
    fn default() -> Self {
        Self {
            weights: FrequencyWeights::Uniform,
            band: 0.0..=f64::INFINITY,
            norm: 1.0..=2.0,
            offsets: vec![0.0, 1.0 / 3.0, 2.0 / 3.0],
            random_flip: false,
        }
    }
}

/// Most pixels of a sampler's grid: 0.4 GB of vectors then, and three times that while they are put in order.
const MOST: usize = 1 << 25;

/// Draws plane waves for training: the paper's augmentation F. Copies share their vectors.
///
/// ```
/// use rand::SeedableRng;
/// use variata_fourier_aug::{Grid, WaveSampler, WaveSamplerOptions};
///
/// let sampler = WaveSampler::new(Grid::new(32, 32)?, &WaveSamplerOptions::default())?;
/// let wave = sampler.draw(&mut rand_chacha::ChaCha8Rng::seed_from_u64(1));
/// assert!((1.0..=2.0).contains(&wave.norm));
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct WaveSampler {
    grid: Grid,
    vectors: Arc<Vec<WaveVector>>,
    /// Sums of weights up to and with each vector.
    cumulative: Arc<Vec<f64>>,
    norm: RangeInclusive<f64>,
    phases: Vec<f64>,
    random_flip: bool,
    excluded: usize,
}

impl WaveSampler {
    /// Waves of this grid. Time and memory are in proportion to its pixels: some 0.2 µs and 12 bytes each.
    ///
    /// # Errors
    /// [`Error::Argument`] for a grid of one pixel or of more than 2²⁵, norms that are negative, not finite, out of order or such that a wave in levels of 8 bits is not finite in f32, no or infinite offsets, or a band without a wave.
    pub fn new(grid: Grid, options: &WaveSamplerOptions) -> Result<Self, Error> {
        let WaveSamplerOptions { weights, band, norm, offsets, random_flip } = options;
        let (height, width) = (grid.height(), grid.width());
        if !(2..=MOST).contains(&(height * width)) {
            let want = format!("[height, width], from 2 to {MOST} pixels");
            return Err(ArgumentError::Shape { argument: "grid", got: vec![height, width], want }.into());
        }
        let (low, high) = (*norm.start(), *norm.end());
        check::scalar("norm.start", low, "finite and >= 0", low >= 0.0 && low.is_finite())?;
        check::scalar("norm.end", high, "finite and >= norm.start", high >= low && high.is_finite())?;
        // As operations need it, in levels of 8 bits.
        let levels = 255.0 * high;
        check::scalar("norm.end", high, FINITE_LEVELS, levels.is_finite())?;
        check::scalar("number of offsets", offsets.len() as f64, "at least 1", !offsets.is_empty())?;
        for offset in offsets {
            check::scalar("offsets", *offset, "finite", offset.is_finite())?;
        }
        let phases: Vec<f64> = offsets.iter().map(|offset| FRAC_PI_4 + TAU * (offset % 1.0)).collect();
        let mut vectors = Vec::new();
        let mut excluded = 0;
        for k in grid.distinct() {
            let radius = grid.radius(k)?;
            if radius == 0.0 || !band.contains(&radius) {
                continue;
            }
            // A vector serves with every phase or not at all.
            let amplitudes = phases.iter().map(|&phase| grid.amplitude(k, phase, levels));
            if let Ok(amplitudes) = amplitudes.collect::<Result<Vec<_>, _>>() {
                let finite = amplitudes.iter().all(|a| (*a as f32).is_finite());
                check::scalar("norm.end", high, FINITE_LEVELS, finite)?;
                vectors.push((frequency_key(&grid, k), radius, k));
            } else {
                excluded += 1;
            }
        }
        let must = "a band that holds a wave other than the constant";
        check::scalar("band", *band.start(), must, !vectors.is_empty())?;
        // No two are equal, so that this has one result; it takes no further memory.
        vectors.sort_unstable_by_key(|&(key, _, k)| (key, k));
        let mut cumulative = Vec::with_capacity(vectors.len());
        let mut total = 0.0;
        for group in vectors.chunk_by(|a, b| a.0 == b.0) {
            for (_, radius, _) in group {
                total += match weights {
                    FrequencyWeights::Uniform => 1.0 / group.len() as f64,
                    FrequencyWeights::InverseRadius => 1.0 / radius,
                    FrequencyWeights::Vectors => 1.0,
                };
                cumulative.push(total);
            }
        }
        let vectors = vectors.iter().map(|(_, _, k)| *k).collect();
        Ok(Self {
            grid,
            vectors: Arc::new(vectors),
            cumulative: Arc::new(cumulative),
            norm: norm.clone(),
            phases,
            random_flip: *random_flip,
            excluded,
        })
    }

    /// The grid.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Vectors that can be drawn, by frequency.
    pub fn vectors(&self) -> &[WaveVector] {
        &self.vectors
    }

    /// Vectors in the band that are left out because they vanish at one of the phases.
    pub fn excluded(&self) -> usize {
        self.excluded
    }

    /// A random wave.
    pub fn draw(&self, rng: &mut (impl Rng + ?Sized)) -> PlaneWave {
        let at = pick(&self.cumulative, rng);
        let phase = self.phases[rng.random_range(0..self.phases.len())];
        let (low, high) = (*self.norm.start(), *self.norm.end());
        let norm = low + (high - low) * rng.random::<f64>();
        let mut flipped = [false; CHANNELS];
        if self.random_flip {
            flipped = flipped.map(|_| rng.random());
        }
        PlaneWave { vector: self.vectors[at], phase, norm, flipped }
    }
}

/// The square of the frequency times (HW)², a whole number, so that equal frequencies are equal.
fn frequency_key(grid: &Grid, k: WaveVector) -> u128 {
    let (height, width) = (grid.height(), grid.width());
    let folded = |k: usize, n: usize, other: usize| (k.min(n - k) as u128 * other as u128).pow(2);
    folded(k.y, height, width) + folded(k.x, width, height)
}
