//! Networks: layers and the encoders and decoders made of them.

mod batch_norm;
mod conv;
mod conv2x2;
mod layers;
mod mlp;
mod residual;
mod strided;
mod wide_residual;

use tch::Tensor;

pub use conv::{ConvDecoder, ConvEncoder};
pub use conv2x2::{Conv2x2Decoder, Conv2x2Encoder};
pub use layers::{Conv2d, ConvTranspose2d, Linear, Window};
pub use mlp::{MlpDecoder, MlpEncoder};
pub use residual::{ResidualDecoder, ResidualEncoder};
pub use strided::{Skip, StridedConfig, StridedDecoder, StridedEncoder};
pub use wide_residual::WideResidualEncoder;

use crate::train::Workers;
use crate::{Architecture, Condition, Error, ImageShape, Init, Path};

/// What a network is run for.
#[derive(Debug, Clone, Copy)]
pub enum Pass<'a> {
    /// A training step: batch norm takes the statistics of the batch, which these workers have in shares, and its running ones follow.
    Training(&'a Workers),
    /// Everything else: running statistics, nothing changes.
    Evaluation,
}

impl Pass<'_> {
    /// Whether this is a training step.
    pub(crate) fn is_training(self) -> bool {
        matches!(self, Self::Training(_))
    }
}

/// Images (and labels) to features.
#[derive(Debug)]
pub enum Encoder {
    /// Fully connected.
    Mlp(MlpEncoder),
    /// Convolutional.
    Conv(ConvEncoder),
    /// Convolutional with small windows.
    Conv2x2(Conv2x2Encoder),
    /// Residual.
    Residual(ResidualEncoder),
    /// Wide residual.
    WideResidual(WideResidualEncoder),
}

impl Encoder {
    /// The encoder of an architecture; `classes` is 0 for an unconditional model.
    ///
    /// # Errors
    /// A name is taken or libtorch cannot allocate.
    pub fn new(
        path: &mut Path<'_>,
        architecture: &Architecture,
        image: ImageShape,
        classes: i64,
    ) -> Result<Self, Error> {
        Ok(match architecture {
            Architecture::Mlp { hidden } => Self::Mlp(MlpEncoder::new(path, hidden, image, classes)?),
            Architecture::Conv { channels, hidden } => {
                Self::Conv(ConvEncoder::new(path, channels, hidden, image, classes)?)
            }
            Architecture::Conv2x2 { channels, hidden } => {
                Self::Conv2x2(Conv2x2Encoder::new(path, *channels, *hidden, image, classes)?)
            }
            Architecture::Residual { widths } => {
                Self::Residual(ResidualEncoder::new(path, widths, image, classes)?)
            }
            Architecture::WideResidual { depth, widen } => {
                Self::WideResidual(WideResidualEncoder::new(path, [*depth, *widen], image, classes)?)
            }
        })
    }

    /// Width of the features.
    pub fn features(&self) -> i64 {
        match self {
            Self::Mlp(e) => e.features(),
            Self::Conv(e) => e.features(),
            Self::Conv2x2(e) => e.features(),
            Self::Residual(e) => e.features(),
            Self::WideResidual(e) => e.features(),
        }
    }

    /// [batch, channels, height, width] → [batch, features].
    pub fn forward(&self, x: &Tensor, condition: Option<&Condition>, pass: Pass<'_>) -> Tensor {
        match self {
            Self::Mlp(e) => e.forward(x, condition),
            Self::Conv(e) => e.forward(x, condition),
            Self::Conv2x2(e) => e.forward(x, condition),
            Self::Residual(e) => e.forward(x, condition, pass),
            Self::WideResidual(e) => e.forward(x, condition, pass),
        }
    }
}

/// Codes (and labels) to images.
#[derive(Debug)]
pub enum Decoder {
    /// Fully connected.
    Mlp(MlpDecoder),
    /// Convolutional.
    Conv(ConvDecoder),
    /// Convolutional with small windows.
    Conv2x2(Conv2x2Decoder),
    /// Residual.
    Residual(ResidualDecoder),
}

impl Decoder {
    /// The decoder of an architecture, giving `planes` numbers per pixel; `output` starts the weights of the last layer from its
    /// fan-in.
    ///
    /// # Errors
    /// As [`Encoder::new`]; the architecture is for classifiers only.
    pub fn new(
        path: &mut Path<'_>,
        architecture: &Architecture,
        image: ImageShape,
        (planes, output): (i64, fn(i64) -> Init),
        code: i64,
    ) -> Result<Self, Error> {
        let heads = (planes, output);
        Ok(match architecture {
            Architecture::Mlp { hidden } => Self::Mlp(MlpDecoder::new(path, hidden, image, heads, code)?),
            Architecture::Conv { channels, hidden } => {
                Self::Conv(ConvDecoder::new(path, channels, hidden, image, heads, code)?)
            }
            Architecture::Conv2x2 { channels, hidden } => {
                Self::Conv2x2(Conv2x2Decoder::new(path, (*channels, *hidden), image, heads, code)?)
            }
            Architecture::Residual { widths } => {
                Self::Residual(ResidualDecoder::new(path, widths, image, heads, code)?)
            }
            Architecture::WideResidual { .. } => {
                return Err(Error::Config {
                    setting: "architecture",
                    value: "wide_residual".into(),
                    must: "one that has a decoder".into(),
                });
            }
        })
    }

    /// [batch, code] → [batch, planes, height, width].
    pub fn forward(&self, code: &Tensor, pass: Pass<'_>) -> Tensor {
        match self {
            Self::Mlp(d) => d.forward(code),
            Self::Conv(d) => d.forward(code),
            Self::Conv2x2(d) => d.forward(code),
            Self::Residual(d) => d.forward(code, pass),
        }
    }
}
