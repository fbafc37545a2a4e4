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

    pub(super) fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor, Error> {
        let (scale, shift) = (Some(&self.scale), Some(&self.shift));
        // libtorch divides by n − 1 for the running variance, and would leave NaN there for one value a channel.
        if let Pass::Training(workers) = pass
            && (!workers.is_alone() || x.numel() as i64 == x.size()[1])
        {
            return self.together(x, workers);
        }
        let running = (Some(&self.mean), Some(&self.variance));
        let training = pass.is_training();
        let found = x.f_batch_norm(scale, shift, running.0, running.1, training, MOMENTUM, EPSILON, true);
        Ok(found?)
    }

    /// By the statistics of the batch that the workers have in shares.
    fn together(&self, x: &Tensor, workers: &Workers) -> Result<Tensor, Error> {
        let channels = x.size()[1];
        let x = x.to_kind(Kind::Float);
        let of_channel = |t: &Tensor| t.view([1, channels, 1, 1]);
        // One message for both moments: about the running mean, which all have, and in f64, so that no digit is lost in the difference.
        let near = &x - of_channel(&self.mean);
        let sum = |t: &Tensor| t.sum_dim_intlist(&[0i64, 2, 3][..], false, Kind::Double);
        let own = Tensor::from_slice(&[x.numel() as f64 / channels as f64]).to_device(x.device());
        let all =
            workers.sum(&Tensor::cat(&[sum(&near), sum(&near.to_kind(Kind::Double).square()), own], 0))?;
        let count = all.get(2 * channels).detach();
        let off = all.narrow(0, 0, channels) / &count;
        let variance = all.narrow(0, channels, channels) / &count - off.square();
        let variance = variance.clamp_min(0.0).to_kind(Kind::Float);
        let off = off.to_kind(Kind::Float);
        let (mean, centred) = (&self.mean + &off, near - of_channel(&off));
        variata_torch_bridge::no_grad(|| {
            let unbiased = &variance * (&count / (&count - 1.0).clamp_min(1.0)).to_kind(Kind::Float);
            for (running, newest) in [(&self.mean, &mean), (&self.variance, &unbiased)] {
                running.shallow_clone().copy_(&(running * (1.0 - MOMENTUM) + newest * MOMENTUM));
            }
        });
        let factor = (variance + EPSILON).rsqrt() * &self.scale;
        Ok(centred * of_channel(&factor) + of_channel(&self.shift))
    }
}
