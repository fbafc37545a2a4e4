//! What a model with a map of vectors is made of.

use serde::{Deserialize, Serialize};
use variata_distributions::{Gumbel, KlDivergence, Normal};

use crate::error::check_number as number;
use crate::nn::StridedConfig;
use crate::{ComputeConfig, Error, ImageShape};

/// The bottleneck between the networks, with its settings; defaults are those of the authors' code of paper VQ-Diff.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum MapBottleneckConfig {
    /// The code is the encoder's output: AE.
    #[default]
    #[serde(deserialize_with = "crate::config::nothing_else")]
    Deterministic,
    /// A few normal numbers for the whole map: VAE.
    Gaussian(GaussianMapConfig),
    /// The nearest code of each vector, straight through: VQ-VAE.
    Vq(VqConfig),
    /// The same with codes that follow their vectors: VQ-EMA.
    Ema(EmaConfig),
    /// The sum of all codes by weights of a Gumbel-softmax: VQ-Diff.
    GumbelSoftmax(GumbelConfig),
}

/// The map through two halving convolutions to μ and s of N(μ, diag e^s), and back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct GaussianMapConfig {
    /// Numbers of the code; 20.
    pub latent: i64,
    /// Weight of the KL term, in nats per datum; 2.56e-5: theirs is 1e-7 of the sum over a batch of 256.
    pub kl_weight: f64,
    /// s is kept in (−bound, bound); 10. Theirs is not bounded.
    pub log_variance_bound: f64,
}

impl Default for GaussianMapConfig {
    fn default() -> Self {
        Self { latent: 20, kl_weight: 2.56e-5, log_variance_bound: 10.0 }
    }
}

/// Codes that the gradient of their own loss moves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct VqConfig {
    /// Number of codes K; 512. They start from U(−1/K, 1/K).
    pub codes: i64,
    /// Weight of mean (sg z − e)²; 1.
    pub codebook_weight: f64,
    /// Weight of mean (z − sg e)²; 0.25.
    pub commitment_weight: f64,
}

impl Default for VqConfig {
    fn default() -> Self {
        Self { codes: 512, codebook_weight: 1.0, commitment_weight: 0.25 }
    }
}

/// How averages of sizes and sums become codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EmaRule {
    /// [`variata_quantize::Ema`]: averages that agree with the codes from the start, and unused codes that stay.
    #[default]
    Agreeing,
    /// The published code of paper VQ-Diff: sizes start at 0 and sums apart from the codes, smoothed sizes are written back, and all
    /// codes become sum/size. Unused ones jump far away in the first step.
    Published,
}

/// Codes that follow the moving averages of their vectors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct EmaConfig {
    /// Number of codes K; 512.
    pub codes: i64,
    /// They start from N(0, deviation²); 1.
    pub deviation: f64,
    /// γ; 0.99.
    pub decay: f64,
    /// Laplace smoothing of the sizes; 1e-5.
    pub smoothing: f64,
    /// Weight of mean (z − sg e)²; 0.25.
    pub commitment_weight: f64,
    /// How codes follow.
    pub rule: EmaRule,
    /// A code that no vector chose for so many steps begins anew at a vector of the batch; 0, never. With [`EmaRule::Agreeing`] only.
    pub revive_after: u64,
}

impl Default for EmaConfig {
    fn default() -> Self {
        Self {
            codes: 512,
            deviation: 1.0,
            decay: 0.99,
            smoothing: 1e-5,
            commitment_weight: 0.25,
            rule: EmaRule::Agreeing,
            revive_after: 0,
        }
    }
}

/// A temperature that falls: τ(step) = τ·(to/τ)^(step/steps), then `to`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Anneal {
    /// The last temperature, above 0 and at most the first.
    pub to: f64,
    /// Steps of the fall.
    pub steps: u64,
}

/// Codes that the gradient of the reconstruction moves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct GumbelConfig {
    /// Number of codes K; 512.
    pub codes: i64,
    /// σ: they start from N(0, σ²); 2, a standard deviation [errata 001-4].
    pub deviation: f64,
    /// τ, which divides logits and noise; 10.
    pub temperature: f64,
    /// Lets τ fall in training; no.
    pub anneal: Option<Anneal>,
    /// β of the density in the paper's divergence KL(N(0, σ²) ‖ Gumbel(0, β)), which is logged and has no gradient; 10. The noise itself
    /// has scale 1 [errata 001-6].
    pub scale: f64,
    /// The output is the code of the largest logit, with the gradient of the weighted sum; no.
    pub hard: bool,
}

impl Default for GumbelConfig {
    fn default() -> Self {
        Self { codes: 512, deviation: 2.0, temperature: 10.0, anneal: None, scale: 10.0, hard: false }
    }
}

impl GumbelConfig {
    /// KL(N(0, deviation²) ‖ Gumbel(0, scale)), in nats: erratum 001-4 of the paper.
    pub(super) fn divergence(&self) -> Result<f64, Error> {
        let gumbel = Gumbel::<f64>::scalar(0.0, self.scale)?;
        Ok(Normal::<f64>::scalar(0.0, self.deviation)?.kl(&gumbel)?.sum())
    }
}

/// An autoencoder with a map of vectors, put together from parts.
///
/// ```
/// use variata_models::{MapBottleneckConfig, MapConfig};
///
/// let text = r#"{ "bottleneck": { "kind": "gumbel_softmax", "temperature": 1.0 } }"#;
/// let config: MapConfig = serde_json::from_str(text)?;
/// let MapBottleneckConfig::GumbelSoftmax(gumbel) = config.bottleneck else { unreachable!() };
/// assert_eq!((gumbel.temperature, gumbel.codes), (1.0, 512));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct MapConfig {
    /// Encoder and decoder.
    pub networks: StridedConfig,
    /// What lies between them.
    pub bottleneck: MapBottleneckConfig,
    /// Validates with noise too, as the published code does; no: with the mean of the normal and the weights without noise.
    pub noise_in_evaluation: bool,
    /// How the networks compute.
    pub compute: ComputeConfig,
}

fn codes(count: i64) -> Result<(), Error> {
    number("bottleneck.codes", count as f64, (1..=65_536).contains(&count), "in 1..=65536")
}

fn weight(setting: &'static str, value: f64) -> Result<(), Error> {
    number(setting, value, value >= 0.0, "finite and >= 0")
}

fn positive(setting: &'static str, value: f64) -> Result<(), Error> {
    number(setting, value, value > 0.0, "finite and > 0")
}

impl MapBottleneckConfig {
    /// Refuses settings with which no model can be made or trained.
    ///
    /// # Errors
    /// One is outside of its range.
    ///
    /// ```
    /// use variata_models::{GumbelConfig, MapBottleneckConfig};
    ///
    /// let narrow = GumbelConfig { scale: 0.01, ..GumbelConfig::default() };
    /// assert!(MapBottleneckConfig::GumbelSoftmax(narrow).check().is_err());
    /// ```
    pub fn check(&self) -> Result<(), Error> {
        match self {
            Self::Deterministic => Ok(()),
            Self::Gaussian(c) => {
                let latent = (1..=65_536).contains(&c.latent);
                number("bottleneck.latent", c.latent as f64, latent, "in 1..=65536")?;
                weight("bottleneck.kl_weight", c.kl_weight)?;
                let bound = c.log_variance_bound;
                number("bottleneck.log_variance_bound", bound, bound > 0.0 && bound <= 80.0, "in (0, 80]")
            }
            Self::Vq(c) => {
                codes(c.codes)?;
                weight("bottleneck.codebook_weight", c.codebook_weight)?;
                weight("bottleneck.commitment_weight", c.commitment_weight)
            }
            Self::Ema(c) => {
                codes(c.codes)?;
                positive("bottleneck.deviation", c.deviation)?;
                number("bottleneck.decay", c.decay, (0.0..1.0).contains(&c.decay), "in [0, 1)")?;
                weight("bottleneck.smoothing", c.smoothing)?;
                let divides = c.smoothing > 0.0 || c.rule == EmaRule::Agreeing;
                let must = "finite and > 0 with the published rule, which divides by sizes that start at 0";
                number("bottleneck.smoothing", c.smoothing, divides, must)?;
                weight("bottleneck.commitment_weight", c.commitment_weight)?;
                let alone = c.revive_after == 0 || c.rule == EmaRule::Agreeing;
                number("bottleneck.revive_after", c.revive_after as f64, alone, "0 with the published rule")
            }
            Self::GumbelSoftmax(c) => {
                codes(c.codes)?;
                positive("bottleneck.deviation", c.deviation)?;
                weight("bottleneck.temperature", c.temperature)?;
                positive("bottleneck.scale", c.scale)?;
                let must = "so large beside the deviation that the divergence is finite";
                number("bottleneck.scale", c.scale, c.divergence()?.is_finite(), must)?;
                let Some(anneal) = c.anneal else { return Ok(()) };
                let to = anneal.to;
                let must = "above 0 and at most the temperature";
                number("bottleneck.anneal.to", to, to > 0.0 && to <= c.temperature, must)?;
                number("bottleneck.anneal.steps", anneal.steps as f64, anneal.steps > 0, "at least 1")
            }
        }
    }
}

impl MapConfig {
    pub(crate) fn check(&self, image: ImageShape) -> Result<(), Error> {
        image.check()?;
        self.networks.check()?;
        self.bottleneck.check()?;
        // The encoder halves twice, and the Gaussian bottleneck twice more.
        let least = if matches!(self.bottleneck, MapBottleneckConfig::Gaussian(_)) { 16 } else { 4 };
        if image.height % least == 0 && image.width % least == 0 {
            return Ok(());
        }
        let size = format!("{}×{}", image.height, image.width);
        Err(Error::config("image shape", size, format!("multiples of {least}")))
    }
}
