//! What a model is made of, as a preset file says it.

use serde::{Deserialize, Serialize};

use crate::{BottleneckConfig, Error, ObservationConfig};

/// Size of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
        Err(Error::Config {
            setting: "image shape",
            value: format!("{:?}", self.dims()),
            must: "1 to 65536 on each axis".into(),
        })
    }
}

/// Which networks lie on the two sides of the bottleneck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Architecture {
    /// Fully connected with ReLU; the decoder mirrors the encoder.
    Mlp {
        /// Widths of the encoder's hidden layers, from the image inwards.
        hidden: Vec<i64>,
    },
    /// Convolutions 4×4 with stride 2 and ReLU, then one hidden layer; the decoder mirrors it.
    Conv {
        /// Channels after each convolution, from the image inwards; each halves the image.
        channels: Vec<i64>,
        /// Width of the fully connected layer.
        hidden: i64,
    },
}

impl Default for Architecture {
    fn default() -> Self {
        Self::Mlp { hidden: vec![256, 128] }
    }
}

impl Architecture {
    pub(crate) fn check(&self, image: ImageShape) -> Result<(), Error> {
        let width = |setting, n: i64| {
            if (1..=1_048_576).contains(&n) {
                Ok(())
            } else {
                Err(Error::Config { setting, value: n.to_string(), must: "in 1..=1048576".into() })
            }
        };
        match self {
            Self::Mlp { hidden } => hidden.iter().try_for_each(|&n| width("hidden", n)),
            Self::Conv { channels, hidden } => {
                width("hidden", *hidden)?;
                channels.iter().try_for_each(|&n| width("channels", n))?;
                let (mut h, mut w) = (image.height, image.width);
                for _ in channels {
                    (h, w) = (h / 2, w / 2);
                }
                if channels.is_empty() || h == 0 || w == 0 {
                    return Err(Error::Config {
                        setting: "channels",
                        value: format!("{} convolutions", channels.len()),
                        must: format!(
                            "at least 1 and few enough to halve {}×{} each time",
                            image.height, image.width
                        ),
                    });
                }
                Ok(())
            }
        }
    }
}

/// The weight of the KL term.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KlConfig {
    /// Weight after the warm-up: 1 for the ELBO, more for a β-VAE, 0 for distortion only.
    pub weight: f64,
    /// Steps over which the weight rises linearly from 0; 0 for none.
    pub warmup_steps: u64,
}

impl Default for KlConfig {
    fn default() -> Self {
        Self { weight: 1.0, warmup_steps: 0 }
    }
}

impl KlConfig {
    /// The weight at a step, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        if step >= self.warmup_steps {
            self.weight
        } else {
            self.weight * step as f64 / self.warmup_steps as f64
        }
    }
}

/// An autoencoder, put together from parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Weight of the KL term (Gaussian bottleneck only).
    pub kl: KlConfig,
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
            return Err(Error::Config {
                setting: "latent",
                value: self.latent.to_string(),
                must: "in 1..=65536".into(),
            });
        }
        for (setting, value) in [("distortion_weight", self.distortion_weight), ("kl.weight", self.kl.weight)]
        {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::Config {
                    setting,
                    value: value.to_string(),
                    must: "finite and >= 0".into(),
                });
            }
        }
        Ok(())
    }
}
