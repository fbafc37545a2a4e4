//! Residual convolutional encoder and decoder with batch norm, for images of any size.
//!
//! Source: the networks of the SOS-VAE authors' code (facts in docs/src/theory/sos-vae.md), with their widths as settings.

use tch::Tensor;

use super::Pass;
use super::batch_norm::BatchNorm;
use crate::{Condition, Error, ImageShape, Init, Path};

/// Smallest number of channels for which every oneDNN kernel computes the gradient of a 1×1 convolution with stride 2 and channels last
/// correctly. With fewer it writes out of bounds: <https://github.com/uxlfoundation/oneDNN/issues/6035>.
const FEWEST: i64 = 16;

/// Refuses widths for which libtorch's gradients would be wrong.
fn check_widths(path: &Path<'_>, widths: &[i64]) -> Result<(), Error> {
    let halved = &widths[..widths.len() - 1];
    if !path.is_channels_last_on_cpu() || halved.iter().all(|&width| width >= FEWEST) {
        return Ok(());
    }
    Err(Error::Config {
        setting: "architecture.widths",
        value: format!("{widths:?}"),
        must: format!(
            "at least {FEWEST}, but for the last, with channels last: oneDNN has no gradient for fewer"
        ),
    })
}

/// Convolution k×k with padding k/2, or its transpose.
#[derive(Debug)]
struct Convolution {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    /// Of a transposed convolution: rows and columns added, so that the output has its size.
    up: Option<[i64; 2]>,
}

impl Convolution {
    fn down(
        path: &mut Path<'_>,
        [inputs, outputs]: [i64; 2],
        kernel: i64,
        stride: i64,
    ) -> Result<Self, Error> {
        let init = Init::torch(inputs * kernel * kernel);
        Ok(Self {
            weight: path.parameter("weight", &[outputs, inputs, kernel, kernel], init)?,
            bias: path.parameter("bias", &[outputs], init)?,
            stride,
            up: None,
        })
    }

    /// Stride 2; `extra` 0 or 1 rows and columns beyond 2h − 1 and 2w − 1.
    fn up(
        path: &mut Path<'_>,
        [inputs, outputs]: [i64; 2],
        kernel: i64,
        extra: [i64; 2],
    ) -> Result<Self, Error> {
        let init = Init::torch(outputs * kernel * kernel);
        Ok(Self {
            weight: path.parameter("weight", &[inputs, outputs, kernel, kernel], init)?,
            bias: path.parameter("bias", &[outputs], init)?,
            stride: 2,
            up: Some(extra),
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        let (stride, padding) = ([self.stride; 2], [self.weight.size()[2] / 2; 2]);
        let found = match self.up {
            None => x.f_conv2d(&self.weight, Some(&self.bias), stride, padding, [1, 1], 1),
            Some(extra) => {
                x.f_conv_transpose2d(&self.weight, Some(&self.bias), stride, padding, extra, 1, [1, 1])
            }
        };
        Ok(found?)
    }
}

/// Convolution, batch norm, ReLU.
#[derive(Debug)]
struct Activated {
    convolution: Convolution,
    norm: BatchNorm,
}

impl Activated {
    fn new(path: &mut Path<'_>, convolution: Convolution) -> Result<Self, Error> {
        let outputs = convolution.bias.size()[0];
        Ok(Self { convolution, norm: BatchNorm::new(&mut path.sub("norm"), outputs)? })
    }

    fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor, Error> {
        Ok(self.norm.forward(&self.convolution.forward(x)?, pass)?.relu_())
    }
}

/// ReLU(x + F(x)), where F is two 3×3 convolutions; x goes through a 1×1 convolution where its shape changes.
#[derive(Debug)]
struct Block {
    first: Activated,
    second: Convolution,
    norm: BatchNorm,
    skip: Option<Convolution>,
}

/// How a block changes the size of an image.
#[derive(Debug, Clone, Copy)]
enum Resize {
    Keep,
    Halve,
    Double { extra: [i64; 2] },
}

impl Block {
    fn new(path: &mut Path<'_>, channels: [i64; 2], resize: Resize) -> Result<Self, Error> {
        let convolution = |path: &mut Path<'_>, kernel: i64| match resize {
            Resize::Keep => Convolution::down(path, channels, kernel, 1),
            Resize::Halve => Convolution::down(path, channels, kernel, 2),
            Resize::Double { extra } => Convolution::up(path, channels, kernel, extra),
        };
        let [inputs, outputs] = channels;
        let changed = inputs != outputs || !matches!(resize, Resize::Keep);
        let first = convolution(&mut path.sub("first"), 3)?;
        let first = Activated::new(&mut path.sub("first"), first)?;
        let second = Convolution::down(&mut path.sub("second"), [outputs, outputs], 3, 1)?;
        let norm = BatchNorm::new(&mut path.sub("second.norm"), outputs)?;
        let skip = if changed { Some(convolution(&mut path.sub("skip"), 1)?) } else { None };
        Ok(Self { first, second, norm, skip })
    }

    fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor, Error> {
        let inner = self.norm.forward(&self.second.forward(&self.first.forward(x, pass)?)?, pass)?;
        let outer = self.skip.as_ref().map_or_else(|| Ok(x.shallow_clone()), |skip| skip.forward(x))?;
        Ok((outer + inner).relu_())
    }
}

/// Sizes of the image before and after each halving, which rounds up.
fn pyramid(image: ImageShape, levels: usize) -> Vec<[i64; 2]> {
    let mut sizes = vec![[image.height, image.width]];
    for _ in 1..levels {
        let [h, w] = sizes[sizes.len() - 1];
        sizes.push([(h + 1) / 2, (w + 1) / 2]);
    }
    sizes
}

/// One level of blocks for each width, each half as large as the one before; then the maximum over all places.
#[derive(Debug)]
pub(super) struct ResidualEncoder {
    stem: Activated,
    blocks: Vec<Block>,
    top: Activated,
    features: i64,
    image: ImageShape,
}

impl ResidualEncoder {
    pub(crate) fn new(
        path: &mut Path<'_>,
        widths: &[i64],
        image: ImageShape,
        classes: i64,
    ) -> Result<Self, Error> {
        check_widths(path, widths)?;
        let (first, last) = (widths[0], widths[widths.len() - 1]);
        let stem = Convolution::down(&mut path.sub("stem"), [image.channels + classes, first], 3, 1)?;
        let stem = Activated::new(&mut path.sub("stem"), stem)?;
        let same = |width: i64| ([width, width], Resize::Keep);
        let mut plan = vec![same(first), same(first)];
        for pair in widths.windows(2) {
            plan.extend([([pair[0], pair[1]], Resize::Halve), same(pair[1])]);
        }
        let blocks = plan.into_iter().enumerate();
        let blocks =
            blocks.map(|(k, (channels, resize))| Block::new(&mut path.sub(&k.to_string()), channels, resize));
        let blocks = blocks.collect::<Result<_, _>>()?;
        let top = Convolution::down(&mut path.sub("top"), [last, last], 1, 1)?;
        let top = Activated::new(&mut path.sub("top"), top)?;
        Ok(Self { stem, blocks, top, features: last, image })
    }

    pub(crate) fn features(&self) -> i64 {
        self.features
    }

    pub(crate) fn forward(
        &self,
        x: &Tensor,
        condition: Option<&Condition>,
        pass: Pass<'_>,
    ) -> Result<Tensor, Error> {
        let x = Condition::beside(condition, x, self.image)?;
        let stem = self.stem.forward(&x, pass)?;
        let inside = self.blocks.iter().try_fold(stem, |x, block| block.forward(&x, pass))?;
        Ok(self.top.forward(&inside, pass)?.amax([2, 3], false))
    }
}

/// The encoder in reverse: the code becomes an image of the smallest size in one step.
#[derive(Debug)]
pub(super) struct ResidualDecoder {
    /// Code to the smallest image, a transposed convolution of a single pixel: [code, code, height, width].
    expand: Tensor,
    bias: Tensor,
    bottom: Activated,
    blocks: Vec<Block>,
    top: Activated,
    heads: Convolution,
}

impl ResidualDecoder {
    pub(crate) fn new(
        path: &mut Path<'_>,
        widths: &[i64],
        image: ImageShape,
        (planes, output): (i64, fn(i64) -> Init),
        code: i64,
    ) -> Result<Self, Error> {
        check_widths(path, widths)?;
        let sizes = pyramid(image, widths.len());
        let (first, last) = (widths[0], widths[widths.len() - 1]);
        let [h, w] = sizes[sizes.len() - 1];
        let expand =
            path.sub("expand").parameter("weight", &[code, code, h, w], Init::torch(code * h * w))?;
        let bias = path.sub("expand").parameter("bias", &[code], Init::torch(code * h * w))?;
        let bottom = Convolution::down(&mut path.sub("bottom"), [code, last], 1, 1)?;
        let bottom = Activated::new(&mut path.sub("bottom"), bottom)?;
        let same = |width: i64| ([width, width], Resize::Keep);
        let mut plan = vec![same(last)];
        for level in (1..widths.len()).rev() {
            let [small, large] = [sizes[level], sizes[level - 1]];
            let extra = [large[0] - (2 * small[0] - 1), large[1] - (2 * small[1] - 1)];
            plan.push(([widths[level], widths[level - 1]], Resize::Double { extra }));
            plan.push(same(widths[level - 1]));
        }
        plan.push(same(first));
        let blocks = plan.into_iter().enumerate();
        let blocks =
            blocks.map(|(k, (channels, resize))| Block::new(&mut path.sub(&k.to_string()), channels, resize));
        let blocks = blocks.collect::<Result<_, _>>()?;
        let top = Convolution::down(&mut path.sub("top"), [first, first], 1, 1)?;
        let top = Activated::new(&mut path.sub("top"), top)?;
        let mut place = path.sub("heads");
        let heads = Convolution {
            weight: place.parameter("weight", &[planes, first, 1, 1], output(first))?,
            bias: place.parameter("bias", &[planes], Init::Constant(0.0))?,
            stride: 1,
            up: None,
        };
        Ok(Self { expand, bias, bottom, blocks, top, heads })
    }

    pub(crate) fn forward(&self, code: &Tensor, pass: Pass<'_>) -> Result<Tensor, Error> {
        let size = self.expand.size();
        let (channels, height, width) = (size[1], size[2], size[3]);
        let smallest = code.f_matmul(&self.expand.flatten(1, -1))?;
        let smallest = smallest.view([-1, channels, height, width]);
        let smallest = self.bottom.forward(&(smallest + self.bias.view([1, channels, 1, 1])), pass)?;
        let inside = self.blocks.iter().try_fold(smallest, |x, block| block.forward(&x, pass))?;
        self.heads.forward(&self.top.forward(&inside, pass)?)
    }
}
