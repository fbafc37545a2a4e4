//! What a model is made of, as a preset file says it.

use serde::{Deserialize, Deserializer, Serialize};
use tch::{Device, Kind, Tensor};
use variata_torch_bridge::{autocast_bf16, channels_last};

use crate::error::check_number;
use crate::train::Constraint;
use crate::{BottleneckConfig, Error, ObservationConfig, RegularizerConfig, Scale};

/// Size of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ImageShape {
    /// Colour channels.
    pub channels: i64,
    /// Rows.
    pub height: i64,
    /// Columns.
    pub width: i64,
}

impl ImageShape {
    /// Channels × rows × columns.
    pub fn numel(&self) -> i64 {
        self.channels * self.height * self.width
    }

    /// [channels, height, width].
    pub fn dims(&self) -> [i64; 3] {
        [self.channels, self.height, self.width]
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.dims().iter().all(|&n| (1..=65_536).contains(&n)) {
            return Ok(());
        }
        Err(Error::config("image shape", format!("{:?}", self.dims()), "1 to 65536 on each axis"))
    }
}

/// Which networks lie on the two sides of the bottleneck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Architecture {
    /// Fully connected with ReLU; the decoder mirrors the encoder.
    Mlp {
        /// Widths of the encoder's hidden layers, from the image inwards.
        hidden: Vec<i64>,
    },
    /// Convolutions 4×4 with stride 2 and ReLU, then fully connected layers; the decoder mirrors it.
    Conv {
        /// Channels after each convolution, from the image inwards; each halves the image.
        channels: Vec<i64>,
        /// Widths of the fully connected layers, from the convolutions inwards; a number for one layer.
        #[serde(deserialize_with = "one_or_more")]
        #[cfg_attr(feature = "schemars", schemars(with = "OneOrMore"))]
        hidden: Vec<i64>,
    },
    /// Four convolutions 2×2 with ReLU, the second of which halves the image, then a fully connected layer; the decoder goes back
    /// in four steps: what the authors of paper sliced use for CIFAR-10 in their other code. Height and width must be even.
    Conv2x2 {
        /// Channels of all convolutions but the first, which keeps the image's. Theirs: 32.
        channels: i64,
        /// Width of the fully connected layer. Theirs: 128.
        hidden: i64,
    },
    /// Residual blocks with batch norm, and the maximum over all places before the bottleneck: the SOS-VAE authors' networks.
    Residual {
        /// Channels of each level, from the image inwards, each half as large as the one before. Theirs: 64, 128, 256, 512.
        widths: Vec<i64>,
    },
    /// A wide residual network, which has no decoder: for classifiers. AugMix and paper fourier-aug: depth 40, widen 2.
    WideResidual {
        /// Layers with weights: 6n + 4.
        depth: i64,
        /// Channels of the first group of blocks, in sixteens.
        widen: i64,
    },
}

/// What a table says of a variant without fields, beside its kind: nothing. serde itself accepts anything there.
pub(crate) fn nothing_else<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    Nothing::deserialize(deserializer).map(|Nothing {}| ())
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "a number or a list of numbers")]
enum OneOrMore {
    One(i64),
    More(Vec<i64>),
}

/// A number, or a list of them.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<i64>, D::Error> {
    Ok(match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(width) => vec![width],
        OneOrMore::More(widths) => widths,
    })
}

impl Default for Architecture {
    fn default() -> Self {
        Self::Mlp { hidden: vec![256, 128] }
    }
}

impl Architecture {
    pub(crate) fn check(&self, image: ImageShape) -> Result<(), Error> {
        let width = |setting, n: i64| {
            let fits = (1..=1_048_576).contains(&n);
            if fits { Ok(()) } else { Err(Error::config(setting, n, "in 1..=1048576")) }
        };
        match self {
            Self::Mlp { hidden } => hidden.iter().try_for_each(|&n| width("architecture.hidden", n)),
            Self::Residual { widths } if widths.is_empty() => {
                Err(Error::config("architecture.widths", "none", "at least one"))
            }
            Self::Residual { widths } => widths.iter().try_for_each(|&n| width("architecture.widths", n)),
            Self::WideResidual { depth, widen } => match (*depth, *widen) {
                (d, _) if !(10..=10_000).contains(&d) || d % 6 != 4 => {
                    Err(Error::config("architecture.depth", d, "6n + 4 in 10..=10000"))
                }
                (_, w) if !(1..=4096).contains(&w) => {
                    Err(Error::config("architecture.widen", w, "in 1..=4096"))
                }
                _ => Ok(()),
            },
            Self::Conv2x2 { channels, hidden } => {
                width("architecture.channels", *channels)?;
                width("architecture.hidden", *hidden)?;
                let fits = |n: i64| n >= 8 && n % 2 == 0;
                if fits(image.height) && fits(image.width) {
                    return Ok(());
                }
                let size = format!("{}×{}", image.height, image.width);
                let must = "even on both sides, and at least 8, for convolutions 2×2";
                Err(Error::config("image shape", size, must))
            }
            Self::Conv { channels, hidden } => {
                hidden.iter().try_for_each(|&n| width("architecture.hidden", n))?;
                channels.iter().try_for_each(|&n| width("architecture.channels", n))?;
                let (mut h, mut w) = (image.height, image.width);
                for _ in channels {
                    (h, w) = (h / 2, w / 2);
                }
                if channels.is_empty() || h == 0 || w == 0 {
                    let must = format!(
                        "at least 1 and few enough to halve {}×{} each time",
                        image.height, image.width
                    );
                    return Err(Error::config(
                        "architecture.channels",
                        format!("{} convolutions", channels.len()),
                        must,
                    ));
                }
                Ok(())
            }
        }
    }
}

/// The weight of the KL term.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct KlConfig {
    /// Weight after the warm-up: 1 for the ELBO, more for a β-VAE, 0 for distortion only.
    pub weight: f64,
    /// Steps over which the weight rises linearly from 0; 0 for none.
    pub warmup_steps: u64,
    /// Holds the term at a target, in nats per datum. With it `weight` is usually 0.
    pub constraint: Option<Constraint>,
}

impl Default for KlConfig {
    fn default() -> Self {
        Self { weight: 1.0, warmup_steps: 0, constraint: None }
    }
}

impl KlConfig {
    /// Held at a target, with no weight beside.
    pub fn held(constraint: Constraint) -> Self {
        Self { weight: 0.0, warmup_steps: 0, constraint: Some(constraint) }
    }

    /// The weight at a step, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        if step >= self.warmup_steps {
            self.weight
        } else {
            self.weight * step as f64 / self.warmup_steps as f64
        }
    }
}

/// What the target of an entropy is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EntropyOrigin {
    /// 0: the target is a differential entropy in nats per datum.
    #[default]
    Zero,
    /// The entropy at P = 0 of a low-rank normal with a fixed diagonal, n/2·(1 + log 2πε): the target is what the factor adds,
    /// and carries over to images of any size. The paper's targets are 5.5 to 7.6 nats per rank.
    Floor,
}

/// The entropy of p(x|z) as a term of the objective.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct EntropyConfig {
    /// Weight; above 0 the entropy is lowered, 0 by default: it is only logged.
    pub weight: f64,
    /// Holds it at a target, in nats per datum.
    pub constraint: Option<Constraint>,
    /// What the target is counted from.
    pub origin: EntropyOrigin,
}

impl EntropyConfig {
    /// Whether the term is only logged.
    pub(crate) fn is_idle(self) -> bool {
        self.weight == 0.0 && self.constraint.is_none()
    }
}

/// How the networks compute. The latent distribution, the distribution of the pixels and the objective are as exact as without.
///
/// ```
/// let config: variata_models::AutoencoderConfig = serde_json::from_str(r#"{ "compute": { "bf16": true } }"#)?;
/// assert!(config.compute.bf16 && !config.compute.channels_last);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ComputeConfig {
    /// Images and weights of convolutions with the channels of a pixel next to each other in memory: the same sums in another
    /// order. On the CPU, residual networks must then have 16 channels at least on all levels but the last.
    pub channels_last: bool,
    /// Operands of convolutions and matrix products of encoder and decoder rounded to bf16, which has 8 bits; parameters, their
    /// gradients and what the networks give are f32. Processors without instructions for it are slower with it by far.
    pub bf16: bool,
}

impl ComputeConfig {
    /// An image as the networks want it in memory.
    pub(crate) fn laid_out(self, x: &Tensor) -> Result<Tensor, Error> {
        Ok(if self.channels_last { channels_last(x)? } else { x.shallow_clone() })
    }

    /// What a network gives, in f32.
    pub(crate) fn run(
        self,
        device: Device,
        network: impl FnOnce() -> Result<Tensor, Error>,
    ) -> Result<Tensor, Error> {
        if !self.bf16 {
            return network();
        }
        Ok(autocast_bf16(device, network)??.to_kind(Kind::Float))
    }
}

/// An autoencoder, put together from parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AutoencoderConfig {
    /// Networks.
    pub architecture: Architecture,
    /// Size of the latent code.
    pub latent: i64,
    /// What happens between the networks.
    pub bottleneck: BottleneckConfig,
    /// What the decoder's output says about a pixel.
    pub observation: ObservationConfig,
    /// Give the label to both sides.
    pub conditional: bool,
    /// Weight of the distortion; 0 leaves only the regulariser (case 2 of the tutorial).
    pub distortion_weight: f64,
    /// The KL term (Gaussian bottleneck only).
    pub kl: KlConfig,
    /// What draws the codes of a batch towards the prior, beside the KL term or in its place.
    pub regularizer: Option<RegularizerConfig>,
    /// The entropy of p(x|z), for normal observation models.
    pub entropy: Option<EntropyConfig>,
    /// Steps at the beginning in which no gradient reaches what the decoder says about variances.
    pub pretrain_steps: u64,
    /// How the networks compute.
    pub compute: ComputeConfig,
}

impl Default for AutoencoderConfig {
    fn default() -> Self {
        Self {
            architecture: Architecture::default(),
            latent: 2,
            bottleneck: BottleneckConfig::default(),
            observation: ObservationConfig::default(),
            conditional: false,
            distortion_weight: 1.0,
            kl: KlConfig::default(),
            regularizer: None,
            entropy: None,
            pretrain_steps: 0,
            compute: ComputeConfig::default(),
        }
    }
}

impl AutoencoderConfig {
    pub(crate) fn check(&self, image: ImageShape) -> Result<(), Error> {
        image.check()?;
        self.architecture.check(image)?;
        self.bottleneck.check()?;
        self.observation.check()?;
        if !(1..=65_536).contains(&self.latent) {
            return Err(Error::config("latent", self.latent, "in 1..=65536"));
        }
        for constraint in [self.kl.constraint, self.entropy.and_then(|e| e.constraint)].into_iter().flatten()
        {
            constraint.check()?;
        }
        // A divergence is never negative: the multiplier would grow to the end.
        if let Some(target) = self.kl.constraint.map(|c| c.target) {
            check_number("kl.constraint.target", target, target >= 0.0, "finite and >= 0")?;
        }
        if self.kl.constraint.is_some() && matches!(self.bottleneck, BottleneckConfig::Deterministic) {
            return Err(Error::config(
                "kl.constraint",
                "given",
                "left out for a code without a distribution",
            ));
        }
        if let Some(regularizer) = &self.regularizer {
            regularizer.check()?;
        }
        if let Some(entropy) = &self.entropy {
            self.check_entropy(entropy)?;
        }
        for (setting, value) in [("distortion_weight", self.distortion_weight), ("kl.weight", self.kl.weight)]
        {
            check_number(setting, value, value >= 0.0, "finite and >= 0")?;
        }
        let has_kl = !matches!(self.bottleneck, BottleneckConfig::Deterministic)
            && (self.kl.weight > 0.0 || self.kl.constraint.is_some());
        if self.distortion_weight == 0.0
            && !has_kl
            && self.regularizer.as_ref().is_none_or(RegularizerConfig::is_idle)
            && self.entropy.is_none_or(EntropyConfig::is_idle)
        {
            return Err(Error::config("distortion_weight", 0, "> 0, or another term must count"));
        }
        Ok(())
    }

    fn check_entropy(&self, entropy: &EntropyConfig) -> Result<(), Error> {
        check_number("entropy.weight", entropy.weight, true, "finite")?;
        let observation = self.observation;
        if matches!(observation, ObservationConfig::Bernoulli | ObservationConfig::SquaredError) {
            let must = "left out for an observation model that is no normal distribution";
            return Err(Error::config("entropy", "a term", must));
        }
        if !entropy.is_idle()
            && matches!(observation, ObservationConfig::Normal { scale: Scale::Fixed { .. } })
        {
            return Err(Error::config("entropy", "a term", "only logged where the variance is fixed"));
        }
        if entropy.origin == EntropyOrigin::Floor && observation.fixed_diagonal().is_none() {
            let must = "zero, unless the low-rank normal has a fixed diagonal";
            return Err(Error::config("entropy.origin", "floor", must));
        }
        Ok(())
    }
}
