//! From the decoder's output to a distribution.

use tch::Tensor;
use variata_distributions::special::softplus_inv;
use variata_lowrank_mvn::PixelGrid;

use super::{LowRankDiagonal, Observation, ObservationConfig, Scale};
use crate::{Error, ImageShape, Init, Path};

/// Learned log-variances are kept in (−14, 4): a standard deviation below 1e-3 of the pixel range models rounding.
const LOG_VARIANCE: (f64, f64) = (-14.0, 4.0);
/// Where a mean without an activation starts: the middle of the pixel range.
const MIDDLE: f64 = 0.5;
/// Where a learned diagonal starts above its floor.
const START: f64 = 1e-5;

/// From planes to a distribution, with the parameters that do not depend on the code.
#[derive(Debug)]
pub(crate) struct ObservationModel {
    family: Family,
    /// Planes of the mean, and of the rest.
    planes: [i64; 2],
    image: ImageShape,
}

#[derive(Debug)]
enum Family {
    Bernoulli,
    SquaredError,
    /// Normal with a known log-variance.
    Known(f64),
    /// Normal with one learned log-variance.
    Shared(Tensor),
    /// Normal with predicted log-variances.
    Predicted,
    LowRank {
        rank: i64,
        diagonal: LowRankDiagonal,
    },
    Sparse(PixelGrid),
}

/// In (−14, 4).
fn bounded(raw: &Tensor) -> Tensor {
    raw.sigmoid() * (LOG_VARIANCE.1 - LOG_VARIANCE.0) + LOG_VARIANCE.0
}

impl ObservationModel {
    pub(crate) fn new(
        path: &mut Path<'_>,
        config: ObservationConfig,
        image: ImageShape,
    ) -> Result<Self, Error> {
        let family = match config {
            ObservationConfig::Bernoulli => Family::Bernoulli,
            ObservationConfig::SquaredError => Family::SquaredError,
            ObservationConfig::Normal { scale: Scale::Fixed { value } } => Family::Known(2.0 * value.ln()),
            ObservationConfig::Normal { scale: Scale::Shared } => {
                Family::Shared(path.parameter("raw_log_variance", &[1], Init::Constant(0.0))?)
            }
            ObservationConfig::Normal { scale: Scale::Head } => Family::Predicted,
            ObservationConfig::LowRankNormal { rank, diagonal } => Family::LowRank { rank, diagonal },
            ObservationConfig::SparsePrecision { neighbourhood } => {
                let [channels, height, width] = image.dims().map(|n| n as usize);
                // The neighbourhood has been checked, and is positive.
                let grid = PixelGrid::new(height, width, channels, neighbourhood.unsigned_abs() as usize);
                Family::Sparse(grid.map_err(|error| Error::Config {
                    setting: "observation.neighbourhood",
                    value: neighbourhood.to_string(),
                    must: error.to_string(),
                })?)
            }
        };
        Ok(Self { family, planes: config.planes(image.channels), image })
    }

    /// The distribution of a batch from the decoder's output [batch, planes, height, width]. With `frozen`, no gradient reaches
    /// what it says beyond the mean.
    pub(crate) fn observe(&self, output: &Tensor, frozen: bool) -> Observation {
        let [own, rest] = self.planes;
        let (mean, spread) = if rest == 0 {
            (output.shallow_clone(), output.narrow(1, own, 0))
        } else {
            // One split: two slices would each have a backward pass over all planes.
            let mut parts = output.split_with_sizes([own, rest], 1);
            let spread = parts.swap_remove(1);
            (parts.swap_remove(0), if frozen { spread.detach() } else { spread })
        };
        let normal = |log_variance: &dyn Fn(&Tensor) -> Tensor| {
            let mean = mean.sigmoid();
            Observation::Normal { log_variance: log_variance(&mean), mean }
        };
        match &self.family {
            Family::Bernoulli => Observation::Bernoulli { logits: mean },
            Family::SquaredError => Observation::SquaredError { mean: mean.sigmoid() },
            Family::Known(log_variance) => normal(&|mean| mean.full_like(*log_variance)),
            Family::Shared(raw) => {
                let raw = if frozen { raw.detach() } else { raw.shallow_clone() };
                normal(&|mean| bounded(&raw).view([1, 1, 1, 1]).expand_as(mean))
            }
            Family::Predicted => normal(&|_| bounded(&spread)),
            Family::LowRank { rank, diagonal } => self.low_rank(&mean, &spread, *rank, *diagonal),
            Family::Sparse(grid) => self.sparse(&mean, &spread, *grid),
        }
    }

    /// Planes of the factor: those of the first column, channel after channel, then those of the second, …
    fn low_rank(&self, mean: &Tensor, spread: &Tensor, rank: i64, diagonal: LowRankDiagonal) -> Observation {
        let (batch, n) = (mean.size()[0], self.image.numel());
        let planes = rank * self.image.channels;
        let (factor, cov_diag) = match diagonal {
            LowRankDiagonal::Fixed { value } => {
                let options = (mean.kind(), mean.device());
                (spread.shallow_clone(), Tensor::full([0i64; 0], value, options))
            }
            LowRankDiagonal::Learned { floor } => {
                let own = spread.narrow(1, planes, self.image.channels).flatten(1, -1);
                let variance = (own + softplus_inv(START)).softplus() + floor;
                (spread.narrow(1, 0, planes), variance)
            }
        };
        let cov_factor = factor.reshape([batch, rank, n]).transpose(1, 2);
        Observation::LowRankNormal { mean: mean + MIDDLE, cov_factor, cov_diag }
    }

    fn sparse(&self, mean: &Tensor, spread: &Tensor, grid: PixelGrid) -> Observation {
        let (batch, n, channels) = (mean.size()[0], self.image.numel(), self.image.channels);
        let offsets = spread.size()[1] / channels - 1;
        let log_diag = bounded(&spread.narrow(1, 0, channels)) * -0.5;
        let off_diag = spread.narrow(1, channels, offsets * channels).reshape([batch, offsets, n]);
        Observation::SparsePrecision { mean: mean + MIDDLE, log_diag, off_diag, grid }
    }
}
