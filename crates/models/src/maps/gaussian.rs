//! A map of vectors to a few normal numbers, and back.

use tch::Tensor;
use variata_distributions::torch::DiagonalNormal;

use super::config::GaussianMapConfig;
use crate::bottleneck::LogVariance;
use crate::nn::{Conv2d, ConvTranspose2d, Linear, Window};
use crate::{Error, Init, Path};

/// 3×3 at every second place; transposed with one more row and column, it doubles.
const HALVE: Window = Window { kernel: 3, stride: 2, padding: 1 };

/// [batch, code, h, w] → μ, s [batch, latent] → [batch, code, h, w] in (−1, 1). Source: the authors' code of paper VQ-Diff.
#[derive(Debug)]
pub(super) struct GaussianMap {
    down: [Conv2d; 2],
    mean: Linear,
    log_variance: Linear,
    expand: Linear,
    up: [ConvTranspose2d; 2],
    bound: LogVariance,
    /// Channels, rows and columns of the innermost map.
    inner: [i64; 3],
}

impl GaussianMap {
    pub(super) fn new(
        path: &mut Path<'_>,
        config: &GaussianMapConfig,
        code: i64,
        [height, width]: [i64; 2],
    ) -> Result<Self, Error> {
        let area = HALVE.kernel * HALVE.kernel;
        let mut down = |name: &str, channels: [i64; 2]| {
            let init = Init::torch(channels[0] * area);
            Conv2d::starting(&mut path.sub(name), channels, HALVE, init, Some(init))
        };
        let down = [down("down0", [code, 2 * code])?, down("down1", [2 * code, 4 * code])?];
        let inner = [4 * code, height / 4, width / 4];
        let flat = inner.iter().product();
        let mut linear = |name: &str, sizes: [i64; 2]| {
            Linear::starting(&mut path.sub(name), sizes, [Init::torch(sizes[0]); 2])
        };
        let mean = linear("mean", [flat, config.latent])?;
        let log_variance = linear("log_variance", [flat, config.latent])?;
        let expand = linear("expand", [config.latent, flat])?;
        let mut up = |name: &str, channels: [i64; 2]| {
            // torch counts a transposed convolution's outputs.
            let init = Init::torch(channels[1] * area);
            ConvTranspose2d::starting(&mut path.sub(name), channels, HALVE, [1, 1], [init; 2])
        };
        let up = [up("up0", [4 * code, 2 * code])?, up("up1", [2 * code, code])?];
        let bound = LogVariance::Bounded(config.log_variance_bound);
        Ok(Self { down, mean, log_variance, expand, up, bound, inner })
    }

    pub(super) fn posterior(&self, z: &Tensor) -> Result<DiagonalNormal, Error> {
        let [first, second] = &self.down;
        let inner = second.forward(&first.forward(z)?.relu_())?.relu_().flatten(1, -1);
        let s = self.bound.of(&self.log_variance.forward(&inner)?);
        Ok(DiagonalNormal::from_log_variance(self.mean.forward(&inner)?, s)?)
    }

    /// Numbers [batch, latent] to a map.
    pub(super) fn map(&self, numbers: &Tensor) -> Result<Tensor, Error> {
        let [channels, height, width] = self.inner;
        let [first, second] = &self.up;
        let inner = self.expand.forward(numbers)?.view([-1, channels, height, width]);
        Ok(second.forward(&first.forward(&inner)?.relu_())?.tanh())
    }
}
