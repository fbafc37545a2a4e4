//! Wide residual networks for classification.
//!
//! Source: Zagoruyko & Komodakis, "Wide residual networks" (2016), in the form that AugMix trains (facts in
//! docs/src/theory/fourier-aug.md): no dropout, no biases in convolutions.

use tch::{Kind, Tensor};

use super::batch_norm::BatchNorm;
use super::{Conv2d, Pass, Window};
use crate::{Condition, Error, ImageShape, Init, Path};

/// Channels of the stem, and of the first group for a widening of 1.
const STEM: i64 = 16;
/// Groups of blocks; each but the first halves the image.
const GROUPS: i64 = 3;

/// Convolution without bias, whose initial weights keep the variance of gradients: N(0, 2/(kernel²·outputs)).
fn convolution(
    path: &mut Path<'_>,
    [inputs, outputs]: [i64; 2],
    kernel: i64,
    stride: i64,
) -> Result<Conv2d, Error> {
    let window = Window { kernel, stride, padding: kernel / 2 };
    Conv2d::starting(path, [inputs, outputs], window, Init::he(kernel * kernel * outputs), None)
}

/// x + F(x) with norm and ReLU before each convolution. Where the width changes, both paths begin after the first ReLU.
#[derive(Debug)]
struct Block {
    norms: [BatchNorm; 2],
    convolutions: [Conv2d; 2],
    shortcut: Option<Conv2d>,
}

impl Block {
    fn new(path: &mut Path<'_>, [inputs, outputs]: [i64; 2], stride: i64) -> Result<Self, Error> {
        let norms = [
            BatchNorm::new(&mut path.sub("first.norm"), inputs)?,
            BatchNorm::new(&mut path.sub("second.norm"), outputs)?,
        ];
        let convolutions = [
            convolution(&mut path.sub("first"), [inputs, outputs], 3, stride)?,
            convolution(&mut path.sub("second"), [outputs, outputs], 3, 1)?,
        ];
        // A group of the same width as the one before is the first, which does not halve the image.
        let shortcut = (inputs != outputs)
            .then(|| convolution(&mut path.sub("shortcut"), [inputs, outputs], 1, stride))
            .transpose()?;
        Ok(Self { norms, convolutions, shortcut })
    }

    fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor, Error> {
        let activated = self.norms[0].forward(x, pass)?.relu_();
        let inner = self.norms[1].forward(&self.convolutions[0].forward(&activated)?, pass)?.relu_();
        let inner = self.convolutions[1].forward(&inner)?;
        Ok(match &self.shortcut {
            Some(shortcut) => inner + shortcut.forward(&activated)?,
            None => inner + x,
        })
    }
}

/// A 3×3 convolution, three groups of blocks, norm, ReLU, and the mean over all places.
#[derive(Debug)]
pub(super) struct WideResidualEncoder {
    stem: Conv2d,
    blocks: Vec<Block>,
    norm: BatchNorm,
    features: i64,
    image: ImageShape,
}

impl WideResidualEncoder {
    pub(crate) fn new(
        path: &mut Path<'_>,
        [depth, widen]: [i64; 2],
        image: ImageShape,
        classes: i64,
    ) -> Result<Self, Error> {
        let stem = convolution(&mut path.sub("stem"), [image.channels + classes, STEM], 3, 1)?;
        let mut blocks = Vec::new();
        let mut inputs = STEM;
        for group in 0..GROUPS {
            let width = (widen * STEM) << group;
            for k in 0..(depth - 4) / 6 {
                let stride = if group > 0 && k == 0 { 2 } else { 1 };
                blocks.push(Block::new(&mut path.sub(&format!("{group}.{k}")), [inputs, width], stride)?);
                inputs = width;
            }
        }
        let norm = BatchNorm::new(&mut path.sub("norm"), inputs)?;
        Ok(Self { stem, blocks, norm, features: inputs, image })
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
        let x = self.stem.forward(&Condition::beside(condition, x, self.image)?)?;
        let inside = self.blocks.iter().try_fold(x, |x, block| block.forward(&x, pass))?;
        Ok(self.norm.forward(&inside, pass)?.relu_().mean_dim(&[2i64, 3][..], false, None::<Kind>))
    }
}
