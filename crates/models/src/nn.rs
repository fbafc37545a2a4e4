//! Networks: layers and the encoders and decoders made of them.

mod conv;
mod layers;
mod mlp;

use tch::Tensor;

pub use conv::{ConvDecoder, ConvEncoder};
pub use layers::{Conv2d, ConvTranspose2d, Linear};
pub use mlp::{MlpDecoder, MlpEncoder};

use crate::{Architecture, Condition, Error, ImageShape, Path};

/// Images (and labels) to features.
#[derive(Debug)]
pub enum Encoder {
    /// Fully connected.
    Mlp(MlpEncoder),
    /// Convolutional.
    Conv(ConvEncoder),
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
                Self::Conv(ConvEncoder::new(path, channels, *hidden, image, classes)?)
            }
        })
    }

    /// Width of the features.
    pub fn features(&self) -> i64 {
        match self {
            Self::Mlp(e) => e.features(),
            Self::Conv(e) => e.features(),
        }
    }

    /// [batch, channels, height, width] → [batch, features].
    pub fn forward(&self, x: &Tensor, condition: Option<&Condition>) -> Tensor {
        match self {
            Self::Mlp(e) => e.forward(x, condition),
            Self::Conv(e) => e.forward(x, condition),
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
}

impl Decoder {
    /// The decoder of an architecture, giving `heads` numbers per pixel and channel.
    ///
    /// # Errors
    /// As [`Encoder::new`].
    pub fn new(
        path: &mut Path<'_>,
        architecture: &Architecture,
        image: ImageShape,
        heads: i64,
        code: i64,
    ) -> Result<Self, Error> {
        Ok(match architecture {
            Architecture::Mlp { hidden } => Self::Mlp(MlpDecoder::new(path, hidden, image, heads, code)?),
            Architecture::Conv { channels, hidden } => {
                Self::Conv(ConvDecoder::new(path, channels, *hidden, image, heads, code)?)
            }
        })
    }

    /// [batch, code] → [batch, heads · channels, height, width].
    pub fn forward(&self, code: &Tensor) -> Tensor {
        match self {
            Self::Mlp(d) => d.forward(code),
            Self::Conv(d) => d.forward(code),
        }
    }
}
