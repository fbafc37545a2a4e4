//! The convolutional encoder and decoder of VQ-VAE, whose code is a map of vectors.
//!
//! Source: van den Oord, Vinyals and Kavukcuoglu 2017, section 4.1; sizes and the transposed order of layers are those of the
//! authors' code of paper VQ-Diff (facts in docs/src/theory/vq-diff.md).

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Conv2d, ConvTranspose2d, Window};
use crate::{Error, Init, Path};

/// 3×3 at every place, and 1×1.
const SAME: Window = Window { kernel: 3, stride: 1, padding: 1 };
const POINT: Window = Window { kernel: 1, stride: 1, padding: 0 };

/// What a residual unit adds its branch to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// Its input x, as the paper of residual networks has it.
    #[default]
    Input,
    /// ReLU(x): the published code of paper VQ-Diff, whose first ReLU is in place.
    Activated,
}

/// Sizes of both networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct StridedConfig {
    /// Channels within; half as many after the first convolution. Theirs: 128.
    pub channels: i64,
    /// Channels within a residual unit. Theirs: 32.
    pub residual_channels: i64,
    /// Residual units on each side. Theirs: 2.
    pub residual_units: usize,
    /// What they add to.
    pub skip: Skip,
    /// Dimensions of the vectors of the map. Theirs: 64.
    pub code: i64,
}

impl Default for StridedConfig {
    fn default() -> Self {
        Self { channels: 128, residual_channels: 32, residual_units: 2, skip: Skip::Input, code: 64 }
    }
}

impl StridedConfig {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let sizes = [
            ("channels", self.channels),
            ("residual_channels", self.residual_channels),
            ("residual_units", i64::try_from(self.residual_units).unwrap_or(i64::MAX)),
            ("code", self.code),
        ];
        for (setting, n) in sizes {
            let least = i64::from(setting != "residual_units") + i64::from(setting == "channels");
            if !(least..=65_536).contains(&n) {
                return Err(Error::Config {
                    setting,
                    value: n.to_string(),
                    must: format!("in {least}..=65536"),
                });
            }
        }
        Ok(())
    }
}

fn conv(path: &mut Path<'_>, channels: [i64; 2], window: Window, biased: bool) -> Result<Conv2d, Error> {
    let init = Init::torch(channels[0] * window.kernel * window.kernel);
    Conv2d::starting(path, channels, window, init, biased.then_some(init))
}

/// Doubles rows and columns.
fn up(path: &mut Path<'_>, channels: [i64; 2]) -> Result<ConvTranspose2d, Error> {
    // torch counts a transposed convolution's outputs.
    let init = Init::torch(channels[1] * Window::HALVING.kernel.pow(2));
    ConvTranspose2d::starting(path, channels, Window::HALVING, [0, 0], [init; 2])
}

/// ReLU, 3×3, ReLU, 1×1, added to its input, some times; then ReLU.
#[derive(Debug)]
struct Units {
    units: Vec<[Conv2d; 2]>,
    skip: Skip,
}

impl Units {
    fn new(path: &mut Path<'_>, config: &StridedConfig) -> Result<Self, Error> {
        let (outer, inner) = (config.channels, config.residual_channels);
        let unit = |i: usize| {
            let mut path = path.sub(&i.to_string());
            let first = conv(&mut path.sub("first"), [outer, inner], SAME, false)?;
            Ok::<_, Error>([first, conv(&mut path.sub("second"), [inner, outer], POINT, false)?])
        };
        Ok(Self { units: (0..config.residual_units).map(unit).collect::<Result<_, _>>()?, skip: config.skip })
    }

    fn forward(&self, x: Tensor) -> Result<Tensor, Error> {
        let step = |x: Tensor, [first, second]: &[Conv2d; 2]| {
            let active = x.relu();
            let branch = second.forward(&first.forward(&active)?.relu_())?;
            Ok::<_, Error>(match self.skip {
                Skip::Input => x + branch,
                Skip::Activated => active + branch,
            })
        };
        Ok(self.units.iter().try_fold(x, step)?.relu())
    }
}

/// [batch, channels, h, w] → [batch, code, h/4, w/4].
#[derive(Debug)]
pub(crate) struct StridedEncoder {
    down: [Conv2d; 2],
    same: Conv2d,
    units: Units,
    code: Conv2d,
}

impl StridedEncoder {
    pub(crate) fn new(path: &mut Path<'_>, config: &StridedConfig, channels: i64) -> Result<Self, Error> {
        let (half, full) = (config.channels / 2, config.channels);
        Ok(Self {
            down: [
                conv(&mut path.sub("down0"), [channels, half], Window::HALVING, true)?,
                conv(&mut path.sub("down1"), [half, full], Window::HALVING, true)?,
            ],
            same: conv(&mut path.sub("same"), [full, full], SAME, true)?,
            units: Units::new(&mut path.sub("units"), config)?,
            code: conv(&mut path.sub("code"), [full, config.code], POINT, true)?,
        })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        let [first, second] = &self.down;
        let inside = self.same.forward(&second.forward(&first.forward(x)?.relu_())?.relu_())?;
        self.code.forward(&self.units.forward(inside)?)
    }
}

/// [batch, code, h/4, w/4] → [batch, channels, h, w]; the last layer is linear.
#[derive(Debug)]
pub(crate) struct StridedDecoder {
    same: Conv2d,
    units: Units,
    up: [ConvTranspose2d; 2],
}

impl StridedDecoder {
    pub(crate) fn new(path: &mut Path<'_>, config: &StridedConfig, channels: i64) -> Result<Self, Error> {
        let (half, full) = (config.channels / 2, config.channels);
        Ok(Self {
            same: conv(&mut path.sub("same"), [config.code, full], SAME, true)?,
            units: Units::new(&mut path.sub("units"), config)?,
            up: [up(&mut path.sub("up0"), [full, half])?, up(&mut path.sub("up1"), [half, channels])?],
        })
    }

    pub(crate) fn forward(&self, code: &Tensor) -> Result<Tensor, Error> {
        let inside = self.units.forward(self.same.forward(code)?)?;
        let [first, second] = &self.up;
        second.forward(&first.forward(&inside)?.relu_())
    }
}
