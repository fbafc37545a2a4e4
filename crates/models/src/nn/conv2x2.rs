//! The small convolutional encoder and decoder that the authors of paper sliced use for CIFAR-10 in their other code.

use tch::Tensor;

use super::{Conv2d, ConvTranspose2d, Linear, Window};
use crate::{Condition, Error, ImageShape, Init, Path};

/// 2×2 without padding, at every place.
const STEP: Window = Window { kernel: 2, stride: 1, padding: 0 };
/// 2×2 without padding, at every second place.
const HALVE: Window = Window { kernel: 2, stride: 2, padding: 0 };
/// 3×3 without padding, at every second place.
const DOUBLE: Window = Window { kernel: 3, stride: 2, padding: 0 };

/// Four convolutions and a fully connected layer; the label enters as constant planes.
#[derive(Debug)]
pub(super) struct Conv2x2Encoder {
    convs: Vec<Conv2d>,
    hidden: Linear,
    features: i64,
    image: ImageShape,
}

impl Conv2x2Encoder {
    pub(crate) fn new(
        path: &mut Path<'_>,
        channels: i64,
        hidden: i64,
        image: ImageShape,
        classes: i64,
    ) -> Result<Self, Error> {
        let mut width = image.channels + classes;
        let mut convs = Vec::new();
        let plan = [(image.channels, STEP), (channels, HALVE), (channels, STEP), (channels, STEP)];
        for (i, (outputs, window)) in plan.into_iter().enumerate() {
            convs.push(Conv2d::new(&mut path.sub(&i.to_string()), width, outputs, window, Init::he)?);
            width = outputs;
        }
        // One row goes at each step, and the half rounds down.
        let side = |n: i64| (n - 1) / 2 - 2;
        let flat = channels * side(image.height) * side(image.width);
        let dense = Linear::new(&mut path.sub("hidden"), flat, hidden, Init::he(flat))?;
        Ok(Self { convs, hidden: dense, features: hidden, image })
    }

    pub(crate) fn features(&self) -> i64 {
        self.features
    }

    pub(crate) fn forward(&self, x: &Tensor, condition: Option<&Condition>) -> Result<Tensor, Error> {
        let x = Condition::beside(condition, x, self.image)?;
        let inside = self.convs.iter().try_fold(x, |h, conv| Ok::<_, Error>(conv.forward(&h)?.relu_()))?;
        Ok(self.hidden.forward(&inside.flatten(1, -1))?.relu_())
    }
}

/// Two fully connected layers, two transposed convolutions at half size, one that doubles, and a convolution to the pixels.
#[derive(Debug)]
pub(super) struct Conv2x2Decoder {
    hidden: Linear,
    expand: Linear,
    same: [ConvTranspose2d; 2],
    double: ConvTranspose2d,
    output: Conv2d,
    half: [i64; 3],
}

impl Conv2x2Decoder {
    pub(crate) fn new(
        path: &mut Path<'_>,
        (channels, hidden): (i64, i64),
        image: ImageShape,
        (planes, init): (i64, fn(i64) -> Init),
        code: i64,
    ) -> Result<Self, Error> {
        let half = [channels, image.height / 2, image.width / 2];
        let first = Linear::new(&mut path.sub("hidden"), code, hidden, Init::he(code))?;
        let expand = Linear::new(&mut path.sub("expand"), hidden, half.iter().product(), Init::he(hidden))?;
        let mut up = |name: &str, window| {
            ConvTranspose2d::new(&mut path.sub(name), channels, channels, window, [0, 0], Init::he)
        };
        let same = [up("same0", STEP)?, up("same1", STEP)?];
        let double = up("double", DOUBLE)?;
        let output = Conv2d::new(&mut path.sub("output"), channels, planes, STEP, init)?;
        Ok(Self { hidden: first, expand, same, double, output, half })
    }

    pub(crate) fn forward(&self, code: &Tensor) -> Result<Tensor, Error> {
        let [channels, height, width] = self.half;
        let inner = self.expand.forward(&self.hidden.forward(code)?.relu_())?.relu_();
        // A transposed convolution adds a row and a column, which "same" leaves out.
        let same = |h: Tensor, conv: &ConvTranspose2d| {
            Ok::<_, Error>(conv.forward(&h)?.narrow(2, 0, height).narrow(3, 0, width).relu())
        };
        let h = self.same.iter().try_fold(inner.view([-1, channels, height, width]), same)?;
        self.output.forward(&self.double.forward(&h)?.relu_())
    }
}
