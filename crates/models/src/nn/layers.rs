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
        Self::starting(path, [inputs, outputs], [init, Init::Constant(0.0)])
    }

    /// Weight and bias from their own initial values.
    ///
    /// # Errors
    /// As [`Linear::new`].
    pub fn starting(
        path: &mut Path<'_>,
        [inputs, outputs]: [i64; 2],
        [weight, bias]: [Init; 2],
    ) -> Result<Self, Error> {
        Ok(Self {
            weight: path.parameter("weight", &[outputs, inputs], weight)?,
            bias: path.parameter("bias", &[outputs], bias)?,
        })
    }

    /// [batch, inputs] → [batch, outputs].
    ///
    /// # Errors
    /// As libtorch's for another shape, kind or device.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        Ok(x.f_linear(&self.weight, Some(&self.bias))?)
    }
}

/// The window of a convolution, the same in rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Pixels along a side.
    pub kernel: i64,
    /// Pixels from one place to the next.
    pub stride: i64,
    /// Zeros around the image; around the output, of a transposed convolution.
    pub padding: i64,
}

impl Window {
    /// 4×4 with stride 2: halves an image, rounding down, or doubles it.
    pub const HALVING: Self = Self { kernel: 4, stride: 2, padding: 1 };
}

/// Convolution: [batch, inputs, h, w] → [batch, outputs, ⌊(h + 2·padding − kernel)/stride⌋ + 1, …].
#[derive(Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    window: Window,
}

impl Conv2d {
    /// Weight from `init(fan_in)`, bias 0.
    ///
    /// # Errors
    /// As [`Linear::new`].
    pub fn new(
        path: &mut Path<'_>,
        inputs: i64,
        outputs: i64,
        window: Window,
        init: fn(i64) -> Init,
    ) -> Result<Self, Error> {
        let fan_in = inputs * window.kernel * window.kernel;
        Self::starting(path, [inputs, outputs], window, init(fan_in), Some(Init::Constant(0.0)))
    }

    /// Weight and bias, if there is one, from their own initial values.
    ///
    /// # Errors
    /// As [`Linear::new`].
    pub fn starting(
        path: &mut Path<'_>,
        [inputs, outputs]: [i64; 2],
        window: Window,
        weight: Init,
        bias: Option<Init>,
    ) -> Result<Self, Error> {
        let Window { kernel, .. } = window;
        let weight = path.parameter("weight", &[outputs, inputs, kernel, kernel], weight)?;
        let bias = bias.map(|init| path.parameter("bias", &[outputs], init)).transpose()?;
        Ok(Self { weight, bias, window })
    }

    /// The convolution of x.
    ///
    /// # Errors
    /// As libtorch's for another shape, kind or device.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        let Window { stride, padding, .. } = self.window;
        let found = x.f_conv2d(&self.weight, self.bias.as_ref(), [stride; 2], [padding; 2], [1, 1], 1);
        Ok(found?)
    }
}

/// Transposed convolution: [batch, inputs, h, w] → [batch, outputs, (h − 1)·stride − 2·padding + kernel + extra, …]. Where the
/// encoder had rounded a row or column away, `extra` brings it back.
#[derive(Debug)]
pub struct ConvTranspose2d {
    weight: Tensor,
    bias: Tensor,
    window: Window,
    extra: [i64; 2],
}

impl ConvTranspose2d {
    /// Weight from `init(fan_in)`, bias 0; `extra` rows and columns, each less than the stride.
    ///
    /// # Errors
    /// As [`Linear::new`].
    pub fn new(
        path: &mut Path<'_>,
        inputs: i64,
        outputs: i64,
        window: Window,
        extra: [i64; 2],
        init: fn(i64) -> Init,
    ) -> Result<Self, Error> {
        // Each output pixel sees (kernel/stride)² positions of every input channel.
        let Window { kernel, stride, .. } = window;
        let fan_in = inputs * kernel * kernel / (stride * stride);
        Self::starting(path, [inputs, outputs], window, extra, [init(fan_in), Init::Constant(0.0)])
    }

    /// Weight and bias from their own initial values.
    ///
    /// # Errors
    /// As [`Linear::new`].
    pub fn starting(
        path: &mut Path<'_>,
        [inputs, outputs]: [i64; 2],
        window: Window,
        extra: [i64; 2],
        [weight, bias]: [Init; 2],
    ) -> Result<Self, Error> {
        let Window { kernel, .. } = window;
        Ok(Self {
            weight: path.parameter("weight", &[inputs, outputs, kernel, kernel], weight)?,
            bias: path.parameter("bias", &[outputs], bias)?,
            window,
            extra,
        })
    }

    /// The transposed convolution of x.
    ///
    /// # Errors
    /// As libtorch's for another shape, kind or device.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        let Window { stride, padding, .. } = self.window;
        let (bias, stride, padding) = (Some(&self.bias), [stride; 2], [padding; 2]);
        let found = x.f_conv_transpose2d(&self.weight, bias, stride, padding, self.extra, 1, [1, 1]);
        Ok(found?)
    }
}
