//! What happens to a map of vectors between encoder and decoder.

use rand::Rng;
use tch::{Kind, Tensor};
use variata_distributions::torch::DiagonalNormal;
use variata_quantize::torch::{self as quantizers, Quantized};
use variata_quantize::{Estimator, GumbelSoftmax, Metric, Schedule};

use super::MapDraw;
use super::config::{GumbelConfig, MapBottleneckConfig, VqConfig};
use super::ema::EmaCodes;
use super::gaussian::GaussianMap;
use crate::nn::Pass;
use crate::{Error, Init, Path, Term};

/// What a bottleneck made of a map.
#[derive(Debug)]
pub struct MapCode {
    /// What the decoder takes, [batch, code, h, w].
    pub output: Tensor,
    /// The code that each vector chose, [batch, h, w], `Int64`, where there is a codebook.
    pub indices: Option<Tensor>,
    /// The posterior, for a Gaussian bottleneck.
    pub posterior: Option<DiagonalNormal>,
    pub(crate) terms: Vec<Term>,
}

/// The parts that a bottleneck has.
#[derive(Debug)]
pub(super) enum MapBottleneck {
    Deterministic,
    Gaussian { map: Box<GaussianMap>, latent: i64, kl_weight: f64 },
    Vq { codes: Tensor, config: VqConfig },
    Ema(EmaCodes),
    Gumbel(GumbelCodes),
}

/// Codes with a temperature, which is a buffer: whoever opens a checkpoint finds the one it ended with.
#[derive(Debug)]
pub(super) struct GumbelCodes {
    codes: Tensor,
    /// [1], Double.
    temperature: Tensor,
    schedule: Schedule,
    hard: bool,
    /// KL(N(0, σ²) ‖ Gumbel(0, β)).
    divergence: f64,
}

/// [batch, code, h, w] → [batch, h, w, code].
fn rows(map: &Tensor) -> Tensor {
    map.permute([0, 2, 3, 1]).contiguous()
}

/// [batch, h, w, code] → [batch, code, h, w], in one piece.
fn map(rows: &Tensor) -> Tensor {
    rows.permute([0, 3, 1, 2]).contiguous()
}

impl MapBottleneck {
    /// For maps of `depth` channels on `grid` rows and columns.
    pub(super) fn new(
        path: &mut Path<'_>,
        config: &MapBottleneckConfig,
        depth: i64,
        grid: [i64; 2],
    ) -> Result<Self, Error> {
        Ok(match config {
            MapBottleneckConfig::Deterministic => Self::Deterministic,
            MapBottleneckConfig::Gaussian(c) => Self::Gaussian {
                map: Box::new(GaussianMap::new(path, c, depth, grid)?),
                latent: c.latent,
                kl_weight: c.kl_weight,
            },
            MapBottleneckConfig::Vq(c) => {
                let init = Init::Uniform(1.0 / c.codes as f64);
                Self::Vq { codes: path.parameter("codes", &[c.codes, depth], init)?, config: *c }
            }
            MapBottleneckConfig::Ema(c) => Self::Ema(EmaCodes::new(path, c, depth)?),
            MapBottleneckConfig::GumbelSoftmax(c) => Self::Gumbel(GumbelCodes::new(path, c, depth)?),
        })
    }

    /// The codes [K, code], where there are any.
    pub(super) fn codes(&self) -> Option<&Tensor> {
        match self {
            Self::Deterministic | Self::Gaussian { .. } => None,
            Self::Vq { codes, .. } => Some(codes),
            Self::Ema(ema) => Some(&ema.codes),
            Self::Gumbel(gumbel) => Some(&gumbel.codes),
        }
    }

    pub(super) fn temperature(&self) -> Option<f64> {
        match self {
            Self::Gumbel(gumbel) => Some(gumbel.temperature.double_value(&[0])),
            _ => None,
        }
    }

    /// In training, buffers follow: moving averages, the temperature.
    pub(super) fn forward(
        &self,
        z: &Tensor,
        draw: Option<&MapDraw>,
        pass: Pass<'_>,
    ) -> Result<MapCode, Error> {
        let training = if let Pass::Training(workers) = pass { Some(workers) } else { None };
        let following = draw.zip(training);
        match self {
            Self::Deterministic => {
                let output = z.shallow_clone();
                Ok(MapCode { output, indices: None, posterior: None, terms: Vec::new() })
            }
            Self::Gaussian { map, latent, kl_weight } => {
                let q = map.posterior(z)?;
                let numbers = match draw {
                    Some(d) => q.rsample(&d.noise.normal(
                        d.purpose,
                        d.step,
                        d.rows(z.size()[0]),
                        *latent,
                        z.device(),
                    )?)?,
                    None => q.mean(),
                };
                let value = q.kl_standard_normal()?.mean(Kind::Double);
                let terms = vec![Term::weighted("kl", value, *kl_weight)];
                Ok(MapCode { output: map.map(&numbers)?, indices: None, posterior: Some(q), terms })
            }
            Self::Vq { codes, config } => {
                let found = nearest(codes, &rows(z))?;
                let terms = vec![
                    Term::weighted("codebook", found.codebook_loss, config.codebook_weight),
                    Term::weighted("commitment", found.commitment_loss, config.commitment_weight),
                ];
                Ok(chosen(&found.output, found.indices, terms))
            }
            Self::Ema(ema) => {
                let vectors = rows(z);
                let found = nearest(&ema.codes, &vectors)?;
                let weight = ema.config.commitment_weight;
                let terms = vec![Term::weighted("commitment", found.commitment_loss, weight)];
                if let Some((draw, workers)) = following {
                    ema.follow(&vectors.detach(), &found.indices, draw, workers)?;
                }
                Ok(chosen(&found.output, found.indices, terms))
            }
            Self::Gumbel(gumbel) => {
                if let Some((draw, _)) = following {
                    let next = Tensor::from_slice(&[gumbel.schedule.at(draw.step)]);
                    gumbel.temperature.shallow_clone().copy_(&next);
                }
                gumbel.mix(&rows(z), draw)
            }
        }
    }
}

fn nearest(codes: &Tensor, vectors: &Tensor) -> Result<Quantized, Error> {
    Ok(quantizers::quantize(codes, Metric::default(), vectors, Estimator::StraightThrough)?)
}

fn chosen(output: &Tensor, indices: Tensor, terms: Vec<Term>) -> MapCode {
    MapCode { output: map(output), indices: Some(indices), posterior: None, terms }
}

impl GumbelCodes {
    fn new(path: &mut Path<'_>, config: &GumbelConfig, depth: i64) -> Result<Self, Error> {
        let codes = path.parameter("codes", &[config.codes, depth], Init::Normal(config.deviation))?;
        let first = config.temperature;
        let temperature = Tensor::from_slice(&[first]).to_device(codes.device());
        let schedule = match config.anneal {
            Some(a) => Schedule::exponential(first, a.to, (first / a.to).ln() / a.steps as f64)?,
            None => Schedule::constant(first)?,
        };
        let temperature = path.state("temperature", &temperature)?;
        Ok(Self { codes, temperature, schedule, hard: config.hard, divergence: config.divergence()? })
    }

    fn mix(&self, vectors: &Tensor, draw: Option<&MapDraw>) -> Result<MapCode, Error> {
        let options = GumbelSoftmax { temperature: self.temperature.double_value(&[0]), hard: self.hard };
        let noise = match draw {
            // A row is a place of a datum: its noise does not depend on the batch that it is in.
            Some(d) => {
                let seed = d.noise.stream(d.purpose, d.step, 0).next_u64();
                let places: i64 = vectors.size()[1..3].iter().product();
                quantizers::Noise::Seeded {
                    seed,
                    first_row: d.first_row.saturating_mul(places.unsigned_abs()),
                }
            }
            None => quantizers::Noise::None,
        };
        let found = quantizers::gumbel_softmax(&options, &self.codes, vectors, noise)?;
        // No gradient: the paper's reason for leaving the term out.
        let terms = vec![Term::weighted("kl", Tensor::from(self.divergence), 0.0)];
        Ok(chosen(&found.output, found.indices, terms))
    }
}
