//! Codes that follow their vectors, as tensors that are saved with the model.

use tch::{Kind, Tensor};
use variata_quantize::torch::{Clusters, Ema, clusters, indices as as_array, revive};
use variata_quantize::{Metric, Revival, Smoothing, Usage};

use super::MapDraw;
use super::config::{EmaConfig, EmaRule};
use crate::train::Workers;
use crate::{Error, Init, Path, Purpose};

/// The codes and all that moves them: buffers, so that a resumed run goes on to the bit.
#[derive(Debug)]
pub(super) struct EmaCodes {
    /// [K, code], Float.
    pub(super) codes: Tensor,
    /// Averaged sizes [K] and sums [K, code], Double.
    sizes: Tensor,
    sums: Tensor,
    /// Steps since a vector chose the code [K], Int64.
    idle: Tensor,
    pub(super) config: EmaConfig,
}

impl EmaCodes {
    pub(super) fn new(path: &mut Path<'_>, config: &EmaConfig, depth: i64) -> Result<Self, Error> {
        let init = Init::Normal(config.deviation);
        let codes = path.buffer("codes", &[config.codes, depth], init)?;
        let (sizes, sums) = match config.rule {
            EmaRule::Agreeing => {
                let ema = Ema::new(&codes, Metric::default(), config.decay, config.smoothing())?;
                (ema.sizes().shallow_clone(), ema.sums().shallow_clone())
            }
            EmaRule::Published => {
                let drawn = path.buffer("first_sums", &[config.codes, depth], init)?;
                let sizes = Tensor::zeros([config.codes], (Kind::Double, codes.device()));
                (sizes, drawn.to_kind(Kind::Double))
            }
        };
        let idle = Tensor::zeros([config.codes], (Kind::Int64, codes.device()));
        Ok(Self {
            sizes: path.state("sizes", &sizes)?,
            sums: path.state("sums", &sums)?,
            idle: path.state("idle", &idle)?,
            codes,
            config: *config,
        })
    }

    /// One step with the vectors [.., code] of a batch and the codes that they chose, all workers' together.
    pub(super) fn follow(
        &self,
        z: &Tensor,
        indices: &Tensor,
        draw: &MapDraw,
        workers: &Workers,
    ) -> Result<(), Error> {
        let own = clusters(&self.codes, Metric::default(), z, indices)?;
        variata_torch_bridge::no_grad(|| {
            let found = Clusters { sizes: workers.sum(&own.sizes)?, sums: workers.sum(&own.sums)? };
            let mut idle = self.idle.shallow_clone();
            idle.copy_(&((&idle + 1) * found.sizes.eq(0.0).to_kind(Kind::Int64)));
            match self.config.rule {
                EmaRule::Agreeing => self.agreeing([z, indices], &found, draw, workers),
                EmaRule::Published => {
                    self.published(&found);
                    Ok(())
                }
            }
        })
    }

    fn agreeing(
        &self,
        [z, indices]: [&Tensor; 2],
        found: &Clusters,
        draw: &MapDraw,
        workers: &Workers,
    ) -> Result<(), Error> {
        let mut codes = self.codes.shallow_clone();
        let (metric, decay, smoothing) = (Metric::default(), self.config.decay, self.config.smoothing());
        let mut ema = Ema::from_averages(&codes, metric, decay, smoothing, &self.sizes, &self.sums)?;
        ema.update(&mut codes, found)?;
        if self.config.revive_after > 0 {
            let limit = i64::try_from(self.config.revive_after).unwrap_or(i64::MAX);
            let dead = as_array(&self.idle.ge(limit).nonzero().flatten(0, -1))?;
            // The same codes for every worker, which revives them from the same vectors.
            if !dead.is_empty() {
                let (z, indices) = (&workers.gather_rows(z)?, &workers.gather_rows(indices)?);
                let mut usage = Usage::new(self.config.codes.unsigned_abs() as usize)?;
                usage.add(&as_array(indices)?)?;
                let dead: Vec<usize> = dead.into_iter().collect();
                let mut rng = draw.noise.stream(Purpose::Revival, draw.step, 0);
                let changed =
                    revive(&mut codes, metric, &dead, Revival::Batch, (z, &usage), Some(&mut ema), &mut rng)?;
                let changed: Vec<i64> = changed.into_iter().map(|k| k as i64).collect();
                let changed = Tensor::from_slice(&changed).to_device(self.idle.device());
                let _ = self.idle.shallow_clone().index_fill_(0, &changed, 0);
            }
        }
        self.sizes.shallow_clone().copy_(ema.sizes());
        self.sums.shallow_clone().copy_(ema.sums());
        Ok(())
    }

    /// Source: the published code of paper VQ-Diff, as the facts in docs/src/theory/vq-diff.md have it.
    fn published(&self, found: &Clusters) {
        let (decay, alpha) = (self.config.decay, self.config.smoothing);
        let sizes = &self.sizes * decay + &found.sizes * (1.0 - decay);
        let sums = &self.sums * decay + &found.sums * (1.0 - decay);
        let total = sizes.sum(Kind::Double);
        let sizes = (sizes + alpha) / (&total + self.config.codes as f64 * alpha) * &total;
        self.codes.shallow_clone().copy_(&(&sums / sizes.unsqueeze(1)).to_kind(Kind::Float));
        self.sizes.shallow_clone().copy_(&sizes);
        self.sums.shallow_clone().copy_(&sums);
    }
}

impl EmaConfig {
    fn smoothing(&self) -> Smoothing {
        Smoothing::Laplace(self.smoothing)
    }
}
