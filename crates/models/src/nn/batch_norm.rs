//! Batch norm.

use tch::{Kind, Tensor};

use super::Pass;
use crate::train::Workers;
use crate::{Error, Init, Path};

/// Weight of the newest batch in the running statistics, and what is added to a variance.
const MOMENTUM: f64 = 0.1;
const EPSILON: f64 = 1e-5;

/// Normalises each channel: by the batch in training, which the running statistics follow, and by these afterwards.
#[derive(Debug)]
pub(super) struct BatchNorm {
    scale: Tensor,
    shift: Tensor,
    mean: Tensor,
    variance: Tensor,
}

impl BatchNorm {
    pub(super) fn new(path: &mut Path<'_>, channels: i64) -> Result<Self, Error> {
        Ok(Self {
            scale: path.parameter("scale", &[channels], Init::Constant(1.0))?,
            shift: path.parameter("shift", &[channels], Init::Constant(0.0))?,
            mean: path.buffer("running_mean", &[channels], Init::Constant(0.0))?,
            variance: path.buffer("running_variance", &[channels], Init::Constant(1.0))?,
        })
    }

    pub(super) fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Tensor {
        let (scale, shift) = (Some(&self.scale), Some(&self.shift));
        if let Pass::Training(workers) = pass
            && !workers.is_alone()
        {
            // As libtorch's own operators do, and as they are caught by the trainer.
            return self.together(x, workers).unwrap_or_else(|error| panic!("{error}"));
        }
        let running = (Some(&self.mean), Some(&self.variance));
        x.batch_norm(scale, shift, running.0, running.1, pass.is_training(), MOMENTUM, EPSILON, true)
    }

    /// By the statistics of the batch that the workers have in shares.
    fn together(&self, x: &Tensor, workers: &Workers) -> Result<Tensor, Error> {
        let channels = x.size()[1];
        let x = x.to_kind(Kind::Float);
        let of_channel = |t: &Tensor| t.view([1, channels, 1, 1]);
        let sums = x.sum_dim_intlist(&[0i64, 2, 3][..], false, Kind::Float);
        let own = Tensor::from_slice(&[x.numel() as f32 / channels as f32]).to_device(x.device());
        let all = workers.sum(&Tensor::cat(&[sums, own], 0))?;
        // Exact in f32 up to 2²⁴ numbers a channel, and harmless beyond.
        let count = all.get(channels).detach();
        let mean = all.narrow(0, 0, channels) / &count;
        let centred = x - of_channel(&mean);
        let squares = centred.square().sum_dim_intlist(&[0i64, 2, 3][..], false, Kind::Float);
        let variance = workers.sum(&squares)? / &count;
        variata_torch_bridge::no_grad(|| {
            let unbiased = &variance * (&count / (&count - 1.0));
            for (running, newest) in [(&self.mean, &mean), (&self.variance, &unbiased)] {
                running.shallow_clone().copy_(&(running * (1.0 - MOMENTUM) + newest * MOMENTUM));
            }
        });
        let factor = (variance + EPSILON).rsqrt() * &self.scale;
        Ok(centred * of_channel(&factor) + of_channel(&self.shift))
    }
}
