//! Networks: layers and the encoders and decoders made of them.

mod batch_norm;
mod conv;
mod conv2x2;
mod layers;
mod mlp;
mod residual;
mod strided;
mod wide_residual;

use tch::{Device, Kind, Tensor};

use conv::{ConvDecoder, ConvEncoder};
use conv2x2::{Conv2x2Decoder, Conv2x2Encoder};
use mlp::{MlpDecoder, MlpEncoder};
use residual::{ResidualDecoder, ResidualEncoder};
use wide_residual::WideResidualEncoder;

pub use layers::{Conv2d, ConvTranspose2d, Linear, Window};
pub use strided::{Skip, StridedConfig};
pub(crate) use strided::{StridedDecoder, StridedEncoder};

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
pub struct Encoder {
    network: EncoderNetwork,
    /// Sizes of an image.
    input: [i64; 3],
    classes: i64,
}

#[derive(Debug)]
enum EncoderNetwork {
    Mlp(MlpEncoder),
    Conv(ConvEncoder),
    Conv2x2(Conv2x2Encoder),
    Residual(ResidualEncoder),
    WideResidual(WideResidualEncoder),
}

impl Encoder {
    /// The encoder of an architecture; `classes` is 0 for an unconditional model.
    ///
    /// # Errors
    /// The architecture is not possible or not for such images, a name is taken, or libtorch cannot allocate.
    pub fn new(
        path: &mut Path<'_>,
        architecture: &Architecture,
        image: ImageShape,
        classes: i64,
    ) -> Result<Self, Error> {
        image.check()?;
        architecture.check(image)?;
        let network = match architecture {
            Architecture::Mlp { hidden } => {
                EncoderNetwork::Mlp(MlpEncoder::new(path, hidden, image, classes)?)
            }
            Architecture::Conv { channels, hidden } => {
                EncoderNetwork::Conv(ConvEncoder::new(path, channels, hidden, image, classes)?)
            }
            Architecture::Conv2x2 { channels, hidden } => {
                EncoderNetwork::Conv2x2(Conv2x2Encoder::new(path, *channels, *hidden, image, classes)?)
            }
            Architecture::Residual { widths } => {
                EncoderNetwork::Residual(ResidualEncoder::new(path, widths, image, classes)?)
            }
            Architecture::WideResidual { depth, widen } => EncoderNetwork::WideResidual(
                WideResidualEncoder::new(path, [*depth, *widen], image, classes)?,
            ),
        };
        Ok(Self { network, input: image.dims(), classes })
    }

    /// Width of the features.
    pub fn features(&self) -> i64 {
        match &self.network {
            EncoderNetwork::Mlp(e) => e.features(),
            EncoderNetwork::Conv(e) => e.features(),
            EncoderNetwork::Conv2x2(e) => e.features(),
            EncoderNetwork::Residual(e) => e.features(),
            EncoderNetwork::WideResidual(e) => e.features(),
        }
    }

    /// [batch, channels, height, width] → [batch, features].
    ///
    /// # Errors
    /// Another shape, kind or device; labels that the network was not made for; workers that cannot speak with each other.
    pub fn forward(
        &self,
        x: &Tensor,
        condition: Option<&Condition>,
        pass: Pass<'_>,
    ) -> Result<Tensor, Error> {
        check_shape("x", x, &self.input)?;
        let classes = condition.map_or(0, |c| c.tensor().size()[1]);
        if classes != self.classes || condition.is_some_and(|c| c.tensor().size()[0] != x.size()[0]) {
            return Err(Error::Shape {
                argument: "condition",
                got: condition.map_or_else(Vec::new, |c| c.tensor().size()),
                want: format!("[{}, {}]", x.size()[0], self.classes),
            });
        }
        match &self.network {
            EncoderNetwork::Mlp(e) => e.forward(x, condition),
            EncoderNetwork::Conv(e) => e.forward(x, condition),
            EncoderNetwork::Conv2x2(e) => e.forward(x, condition),
            EncoderNetwork::Residual(e) => e.forward(x, condition, pass),
            EncoderNetwork::WideResidual(e) => e.forward(x, condition, pass),
        }
    }
}

/// Codes (and labels) to images.
#[derive(Debug)]
pub struct Decoder {
    network: DecoderNetwork,
    /// Size of a code.
    input: i64,
}

#[derive(Debug)]
enum DecoderNetwork {
    Mlp(MlpDecoder),
    Conv(ConvDecoder),
    Conv2x2(Conv2x2Decoder),
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
        image.check()?;
        architecture.check(image)?;
        let network = match architecture {
            Architecture::Mlp { hidden } => {
                DecoderNetwork::Mlp(MlpDecoder::new(path, hidden, image, heads, code)?)
            }
            Architecture::Conv { channels, hidden } => {
                DecoderNetwork::Conv(ConvDecoder::new(path, channels, hidden, image, heads, code)?)
            }
            Architecture::Conv2x2 { channels, hidden } => {
                DecoderNetwork::Conv2x2(Conv2x2Decoder::new(path, (*channels, *hidden), image, heads, code)?)
            }
            Architecture::Residual { widths } => {
                DecoderNetwork::Residual(ResidualDecoder::new(path, widths, image, heads, code)?)
            }
            Architecture::WideResidual { .. } => {
                return Err(Error::config("architecture", "wide_residual", "one that has a decoder"));
            }
        };
        Ok(Self { network, input: code })
    }

    /// [batch, code] → [batch, planes, height, width].
    ///
    /// # Errors
    /// Another shape, kind or device; workers that cannot speak with each other.
    pub fn forward(&self, code: &Tensor, pass: Pass<'_>) -> Result<Tensor, Error> {
        check_shape("code", code, &[self.input])?;
        match &self.network {
            DecoderNetwork::Mlp(d) => d.forward(code),
            DecoderNetwork::Conv(d) => d.forward(code),
            DecoderNetwork::Conv2x2(d) => d.forward(code),
            DecoderNetwork::Residual(d) => d.forward(code, pass),
        }
    }
}

/// A batch of tensors of these sizes, in f32 and plain memory, where the networks are.
pub(crate) fn check_input(
    argument: &'static str,
    x: &Tensor,
    sizes: &[i64],
    device: Device,
) -> Result<(), Error> {
    variata_torch_bridge::check_floating(&[(argument, x)])?;
    let (got, want) = (x.kind(), Kind::Float);
    if got != want {
        return Err(variata_torch_bridge::Error::Kind { argument, got, want }.into());
    }
    if x.device() != device {
        return Err(variata_torch_bridge::Error::Devices { argument, got: x.device(), want: device }.into());
    }
    check_shape(argument, x, sizes)
}

/// A batch of dense tensors of these sizes.
fn check_shape(argument: &'static str, x: &Tensor, sizes: &[i64]) -> Result<(), Error> {
    variata_torch_bridge::check_dense(argument, x)?;
    let got = x.size();
    if got.len() == 1 + sizes.len() && got[1..] == *sizes {
        return Ok(());
    }
    let sizes: Vec<String> = sizes.iter().map(i64::to_string).collect();
    Err(Error::Shape { argument, got, want: format!("[batch, {}]", sizes.join(", ")) })
}
