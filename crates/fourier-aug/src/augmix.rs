//! AugMix: chains of operations, mixed with each other and with the image.

pub(crate) mod pipeline;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rand::{Rng, RngExt};
use variata_distributions::{ArgumentError, check};

pub use pipeline::{FlipCrop, Normalize, Pipeline};

use crate::error::Error;
use crate::image::Image;
use crate::operation::{Operation, Primitive};
use crate::random::{pick, weights_into};
use crate::wave::{Grid, WaveSampler, WaveSamplerOptions};

/// Number of operations in a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Depth {
    /// Always the same.
    Fixed(usize),
    /// From 1 up to this, all alike, for each chain.
    UpTo(usize),
}

impl Depth {
    pub(crate) fn draw(self, rng: &mut dyn Rng) -> usize {
        match self {
            Self::Fixed(depth) => depth,
            Self::UpTo(most) => rng.random_range(1..=most),
        }
    }
}

/// Which operations AugMix draws from; the names are the paper's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum AugmentationSet {
    /// No AugMix: flip, crop and normalisation only.
    Base,
    /// Plane waves.
    AugF,
    /// Movements.
    AugS,
    /// Movements and plane waves.
    AugSF,
    /// Movements and levels: AugMix.
    AugSV,
    /// These and the enhancements, which are among the corruptions of the tests.
    AugSVC,
    /// Movements, levels and plane waves.
    AugSVF,
}

impl AugmentationSet {
    /// All seven, as the paper orders them.
    pub const ALL: [Self; 7] =
        [Self::Base, Self::AugF, Self::AugS, Self::AugSF, Self::AugSV, Self::AugSVC, Self::AugSVF];

    /// The paper's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "Base",
            Self::AugF => "AugF",
            Self::AugS => "AugS",
            Self::AugSF => "AugSF",
            Self::AugSV => "AugSV",
            Self::AugSVC => "AugSVC",
            Self::AugSVF => "AugSVF",
        }
    }

    /// Its operations, all with the same weight; F takes its waves from `waves`.
    pub fn operations(self, waves: &WaveSampler) -> Vec<WeightedOperation> {
        let mut operations = self.primitives();
        if self.has_waves() {
            operations.push(WeightedOperation::new(waves.clone(), 1.0));
        }
        operations
    }

    /// Its operations for images of this grid, all with the same weight. A sampler of these waves is made only for F: it takes time and
    /// memory where images are large.
    ///
    /// # Errors
    /// Those of [`WaveSampler::new`], in sets with F.
    ///
    /// ```
    /// use variata_fourier_aug::{AugmentationSet, Grid, WaveSamplerOptions};
    ///
    /// let (grid, waves) = (Grid::new(32, 32)?, WaveSamplerOptions::default());
    /// assert_eq!(AugmentationSet::AugSVF.operations_on(grid, &waves)?.len(), 10);
    /// // A single pixel has no wave, but can be moved.
    /// assert!(AugmentationSet::AugSF.operations_on(Grid::new(1, 1)?, &waves).is_err());
    /// assert_eq!(AugmentationSet::AugS.operations_on(Grid::new(1, 1)?, &waves)?.len(), 5);
    /// # Ok::<(), variata_fourier_aug::Error>(())
    /// ```
    pub fn operations_on(
        self,
        grid: Grid,
        waves: &WaveSamplerOptions,
    ) -> Result<Vec<WeightedOperation>, Error> {
        if self.has_waves() {
            return Ok(self.operations(&WaveSampler::new(grid, waves)?));
        }
        Ok(self.primitives())
    }

    fn has_waves(self) -> bool {
        matches!(self, Self::AugF | Self::AugSF | Self::AugSVF)
    }

    fn primitives(self) -> Vec<WeightedOperation> {
        let (s, v, c) = (&Primitive::SPATIAL[..], &Primitive::VISION[..], &Primitive::COLOR[..]);
        let groups: &[&[Primitive]] = match self {
            Self::Base | Self::AugF => &[],
            Self::AugS | Self::AugSF => &[s],
            Self::AugSV | Self::AugSVF => &[s, v],
            Self::AugSVC => &[s, v, c],
        };
        groups.iter().flat_map(|group| group.iter()).map(|p| WeightedOperation::new(*p, 1.0)).collect()
    }
}

impl fmt::Display for AugmentationSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The set of a [`name`](AugmentationSet::name) in upper or lower case, or [`Error::UnknownName`], which lists the names.
///
/// ```
/// use variata_fourier_aug::AugmentationSet;
///
/// assert_eq!("AugSVF".parse::<AugmentationSet>()?, AugmentationSet::AugSVF);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
impl FromStr for AugmentationSet {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|set| set.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| Error::unknown_name("set of augmentations", name, Self::ALL.map(Self::name)))
    }
}

/// An operation and how likely it is to be drawn beside the others.
#[derive(Debug, Clone)]
pub struct WeightedOperation {
    /// The operation.
    pub operation: Arc<dyn Operation>,
    /// In proportion to its probability.
    pub weight: f64,
}

impl WeightedOperation {
    /// An operation with a weight.
    pub fn new(operation: impl Operation + 'static, weight: f64) -> Self {
        Self { operation: Arc::new(operation), weight }
    }
}

/// Settings of [`AugMix`]; the defaults are the paper's.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct AugMixOptions {
    /// Largest strength that operations draw, from 0 to 10.
    pub severity: f64,
    /// Number of chains.
    pub width: usize,
    /// Operations of a chain.
    pub depth: Depth,
    /// α of the Dirichlet law of the chains' weights: near 0 one chain takes all, at infinity, in text "inf", all are
    /// alike.
    #[cfg_attr(feature = "serde", serde(with = "crate::unbounded"))]
    pub chains: f64,
    /// α of the Beta(α, α) law of the mixture's weight m; at infinity m is ½.
    #[cfg_attr(feature = "serde", serde(with = "crate::unbounded"))]
    pub mixture: f64,
}

impl Default for AugMixOptions {
    fn default() -> Self {
        Self { severity: 3.0, width: 3, depth: Depth::UpTo(3), chains: 1.0, mixture: 1.0 }
    }
}

/// Chains of random operations, mixed with the image.
///
/// ```text
/// x′ = (1 − m)·x + m Σᵢ wᵢ chainᵢ(x),   w ~ Dirichlet(α),   m ~ Beta(α, α)
/// ```
/// Operations act on 8 bits; the mixture is in f32 and not rounded.
/// Source: paper fourier-aug, eq. (2); Hendrycks et al., "AugMix" (2020), algorithm 1.
#[derive(Debug, Clone)]
pub struct AugMix {
    pub(crate) operations: Vec<Arc<dyn Operation>>,
    /// Sums of weights.
    pub(crate) cumulative: Vec<f64>,
    options: AugMixOptions,
}

impl AugMix {
    /// From these operations.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no operations, a weight is negative or not finite or all are 0, the severity is not from 0 to 10, the
    /// width or depth is 0 or more than 64, or an α is not greater than 0.
    pub fn new(operations: Vec<WeightedOperation>, options: AugMixOptions) -> Result<Self, Error> {
        let AugMixOptions { severity, width, depth, chains, mixture } = options;
        check::scalar("severity", severity, "from 0 to 10", (0.0..=10.0).contains(&severity))?;
        let (Depth::Fixed(most) | Depth::UpTo(most)) = depth;
        check::scalar("width", width as f64, "from 1 to 64", (1..=64).contains(&width))?;
        check::scalar("depth", most as f64, "from 1 to 64", (1..=64).contains(&most))?;
        check::scalar("chains", chains, "> 0", chains > 0.0)?;
        check::scalar("mixture", mixture, "> 0", mixture > 0.0)?;
        let count = operations.len();
        check::scalar("number of operations", count as f64, "at least 1", count > 0)?;
        let mut total = 0.0;
        let mut cumulative = Vec::with_capacity(operations.len());
        for (index, WeightedOperation { weight, .. }) in operations.iter().enumerate() {
            if !(*weight >= 0.0 && weight.is_finite()) {
                let (argument, must) = ("weight", "finite and >= 0");
                let (index, value) = (Some(index), *weight);
                return Err(ArgumentError::Value { argument, index, value, must }.into());
            }
            total += weight;
            cumulative.push(total);
        }
        let must = "> 0 and finite";
        check::scalar("sum of weights", total, must, total > 0.0 && total.is_finite())?;
        let operations = operations.into_iter().map(|o| o.operation).collect();
        Ok(Self { operations, cumulative, options })
    }

    /// The settings.
    pub fn options(&self) -> &AugMixOptions {
        &self.options
    }

    /// Writes the mixture of one image, numbers in [0, 1] in the order [channels, height, width], to `out`.
    pub(crate) fn mix(
        &self,
        image: &Image,
        chain: &mut Image,
        out: &mut [f32],
        rng: &mut dyn Rng,
    ) -> Result<(), Error> {
        let AugMixOptions { severity, width, depth, .. } = self.options;
        let mut weights = [0.0; 64];
        let [clean, mixed] = self.draw_weights(&mut weights, rng);
        // Levels are divided once, in the weights.
        let scale = (clean / 255.0) as f32;
        out.iter_mut().zip(&image.pixels).for_each(|(to, v)| *to = scale * f32::from(*v));
        for weight in &weights[..width] {
            chain.copy_from(image);
            for _ in 0..depth.draw(rng) {
                let at = pick(&self.cumulative, rng);
                self.operations[at].apply(chain, severity, rng)?;
                check::shape("image after an operation", &chain.shape(), &image.shape())?;
            }
            let scale = (mixed * weight / 255.0) as f32;
            // Rounded weights may add to a little more than 1.
            out.iter_mut()
                .zip(&chain.pixels)
                .for_each(|(to, v)| *to = (*to + scale * f32::from(*v)).min(1.0));
        }
        Ok(())
    }

    /// Weights of the chains; returned, those of the image and of the mixture of chains.
    pub(crate) fn draw_weights(&self, weights: &mut [f64; 64], rng: &mut dyn Rng) -> [f64; 2] {
        let AugMixOptions { width, chains, mixture, .. } = self.options;
        let mut sides = [0.0; 2];
        weights_into(chains, &mut weights[..width], rng);
        weights_into(mixture, &mut sides, rng);
        sides
    }
}
