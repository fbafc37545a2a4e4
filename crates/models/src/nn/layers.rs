//! Layers whose parameters come from [`Path`], so that they start the same for a seed and are saved by name.

use tch::Tensor;

use crate::{Error, Init, Path};

/// `x Wᵀ + b`.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// Weight [outputs, inputs] from `init`, bias 0.
    ///
    /// # Errors
    /// A name is taken or libtorch cannot allocate.
    pub fn new(path: &mut Path<'_>, inputs: i64, outputs: i64, init: Init) -> Result<Self, Error> {
        Ok(Self {
            weight: path.parameter("weight", &[outputs, inputs], init)?,
            bias: path.parameter("bias", &[outputs], Init::Constant(0.0))?,
        })
    }

    /// [batch, inputs] → [batch, outputs].
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}

/// Kernel, stride and padding of the convolutions that halve or double an image.
const KERNEL: i64 = 4;
const STRIDE: i64 = 2;
const PADDING: i64 = 1;

/// Convolution 4×4 with stride 2 and padding 1: halves the image, rounding down.
#[derive(Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Tensor,
}

impl Conv2d {
    /// He-initialised weight, bias 0.
    ///
    /// # Errors
    /// As [`Linear::new`].
    pub fn new(path: &mut Path<'_>, inputs: i64, outputs: i64) -> Result<Self, Error> {
        let init = Init::he(inputs * KERNEL * KERNEL);
        Ok(Self {
            weight: path.parameter("weight", &[outputs, inputs, KERNEL, KERNEL], init)?,
            bias: path.parameter("bias", &[outputs], Init::Constant(0.0))?,
        })
    }

    /// [batch, inputs, h, w] → [batch, outputs, ⌊h/2⌋, ⌊w/2⌋].
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.conv2d(&self.weight, Some(&self.bias), [STRIDE; 2], [PADDING; 2], [1, 1], 1)
    }
}

/// Transposed convolution 4×4 with stride 2 and padding 1: doubles the image, and adds a row or column where the
/// encoder had rounded one away.
#[derive(Debug)]
pub struct ConvTranspose2d {
    weight: Tensor,
    bias: Tensor,
    extra: [i64; 2],
}

impl ConvTranspose2d {
    /// Weight from `init(fan_in)`, bias 0; the output is 2·input + `extra`, `extra` 0 or 1 on each axis.
    ///
    /// # Errors
    /// As [`Linear::new`].
    pub fn new(
        path: &mut Path<'_>,
        inputs: i64,
        outputs: i64,
        extra: [i64; 2],
        init: fn(i64) -> Init,
    ) -> Result<Self, Error> {
        // Each output pixel sees (kernel/stride)² positions of every input channel.
        let fan_in = inputs * (KERNEL / STRIDE) * (KERNEL / STRIDE);
        Ok(Self {
            weight: path.parameter("weight", &[inputs, outputs, KERNEL, KERNEL], init(fan_in))?,
            bias: path.parameter("bias", &[outputs], Init::Constant(0.0))?,
            extra,
        })
    }

    /// [batch, inputs, h, w] → [batch, outputs, 2h + extra, 2w + extra].
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.conv_transpose2d(&self.weight, Some(&self.bias), [STRIDE; 2], [PADDING; 2], self.extra, 1, [1, 1])
    }
}
