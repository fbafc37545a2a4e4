//! What is measured on the trained models of a seed.

use anyhow::{Context, Result};
use ndarray::{Array2, Array4, Axis, concatenate, s};
use variata_distributions::frechet_distance_from_features;
use variata_models::train::EpochRecord;
use variata_models::{Autoencoder, Bounds, ImageShape, Noise, Purpose, bounds, entropy_floor, log_weights};
use variata_report::Metrics;
use variata_torch_bridge::{no_grad, tensor_from_array};

use super::SosVaeConfig;
use super::direct::{self, DirectResult};
use super::editing::{self, Edits};
use super::models::{TrainedSet, Variant};
use super::observation_space::{self, Views};
use crate::Session;
use crate::features::{Extractor, Features};
use crate::page::OfSeed;
use crate::pixels::{Pixels, Variation, as_images, coherence};

/// Addresses of the noise of each measurement, apart from the bounds, which use the low ones.
const PRIOR: u64 = 1 << 40;
const DRAWS: u64 = 1 << 41;
/// Images decoded at a time.
pub(super) const CHUNK: usize = 50;
/// Images that are kept of many.
pub(super) const KEPT: usize = 200;
/// Columns of the panels of figure 2.
pub(super) const SHOWN: usize = 8;
/// Farthest distance of the coherence, pixels.
pub(super) const FAR: usize = 12;

/// Rows of figure 2.
pub(super) const PANELS: [&str; 6] =
    ["mean", "sample", "sample − mean", "variance", "covariance > 0", "covariance < 0"];

/// Numbers and pictures of one autoencoder.
#[derive(Debug)]
pub(super) struct ModelResult {
    pub(super) variant: Variant,
    pub(super) history: Vec<EpochRecord>,
    /// Distance of means, and of samples, to the test images.
    pub(super) frechet: [f64; 2],
    /// log p(x) of test images, nats.
    pub(super) bounds: Bounds,
    /// Correlation of sample − mean at 1, 2, … pixels.
    pub(super) coherence: Vec<f64>,
    /// Mean variance of a pixel.
    pub(super) variance: f64,
    /// Mean entropy, nats.
    pub(super) entropy: f64,
    /// How much the means vary.
    pub(super) variation: f64,
    /// [SHOWN, c, h, w] of each of [`PANELS`]; scaled to [0, 1] for the eye.
    pub(super) panels: Vec<Array4<f32>>,
    /// Samples, [100 at most, c, h, w].
    pub(super) samples: Array4<f32>,
}

/// Everything that the report shows of a seed.
#[derive(Debug)]
pub(super) struct SeedResult {
    pub(super) seed: u64,
    pub(super) models: Vec<ModelResult>,
    pub(super) direct: DirectResult,
    pub(super) views: Views,
    pub(super) edits: Edits,
    /// What the distance is called.
    pub(super) distance: &'static str,
    /// Distance of training images to test images.
    pub(super) frechet_of_data: f64,
    /// Test images that bounds and densities are of.
    pub(super) bounded: usize,
    /// Entropy at P = 0.
    pub(super) floor: f64,
    /// Row and column of the pixel whose covariance is shown.
    pub(super) pixel: [usize; 2],
}

impl OfSeed for SeedResult {
    fn seed(&self) -> u64 {
        self.seed
    }
}

impl SeedResult {
    pub(super) fn get(&self, variant: Variant) -> &ModelResult {
        // `measure` makes one of each.
        self.models.iter().find(|m| m.variant == variant).unwrap_or(&self.models[0])
    }

    pub(super) fn record(&self, metrics: &mut Metrics) {
        let seed = format!("seed-{}", self.seed);
        metrics.insert(format!("data/{seed}/frechet-train-to-test"), self.frechet_of_data);
        for m in &self.models {
            let key = |what: &str| format!("{}/{seed}/{what}", m.variant.name());
            metrics.insert(key("frechet-means"), m.frechet[0]);
            metrics.insert(key("frechet-samples"), m.frechet[1]);
            metrics.insert(key("importance-weighted-bound"), m.bounds.importance_weighted);
            metrics.insert(key("elbo"), m.bounds.elbo);
            metrics.insert(key("coherence"), m.coherence.clone());
            metrics.insert(key("mean-variance"), m.variance);
            metrics.insert(key("entropy"), m.entropy);
            metrics.insert(key("entropy-above-floor"), m.entropy - self.floor);
            metrics.insert(key("variation-of-means"), m.variation);
            for name in ["distortion", "kl", "entropy", "kl_multiplier", "entropy_multiplier"] {
                let curve: Vec<f64> = m.history.iter().filter_map(|e| e.train(name)).collect();
                if !curve.is_empty() {
                    metrics.insert(key(&format!("train-{name}")), curve);
                }
            }
        }
        self.direct.record(&seed, metrics);
        self.edits.record(&seed, metrics);
    }
}

/// p(x|z) of codes [n, latent].
pub(super) fn decode(model: &Autoencoder, z: Array2<f32>) -> Result<Pixels> {
    let z = tensor_from_array(z)?.to_device(model.device());
    Pixels::of(&model.decode(&z, None)?)
}

/// What generated images are compared with.
pub(super) struct Judge<'a> {
    pub(super) features: Features<'a>,
    /// Features of the test images, [n, features].
    pub(super) test: Array2<f64>,
    pub(super) image: ImageShape,
}

/// Images that come part after part, of which features are kept and a few images: all of them would not fit into memory.
pub(super) struct Seen<'a> {
    judge: &'a Judge<'a>,
    /// The first [`KEPT`] images, rows of values.
    first: Array2<f32>,
    features: Vec<Array2<f64>>,
}

impl<'a> Seen<'a> {
    pub(super) fn new(judge: &'a Judge<'a>) -> Self {
        let first = Array2::zeros((0, judge.image.numel() as usize));
        Self { judge, first, features: Vec::new() }
    }

    /// Takes in images, rows of values that are clipped to [0, 1] for the features.
    pub(super) fn add(&mut self, rows: &Array2<f32>) -> Result<()> {
        let room = KEPT.saturating_sub(self.first.nrows()).min(rows.nrows());
        self.first.append(Axis(0), rows.slice(s![..room, ..]))?;
        let images = as_images(&rows.mapv(|v| v.clamp(0.0, 1.0)), self.judge.image)?;
        self.features.push(self.judge.features.of(&tensor_from_array(images)?)?);
        Ok(())
    }

    /// Fréchet distance to the test images.
    pub(super) fn distance(&self) -> Result<f64> {
        let features: Vec<_> = self.features.iter().map(|part| part.view()).collect();
        let features = concatenate(Axis(0), &features)?;
        frechet_distance_from_features(&features, &self.judge.test).context("Fréchet distance")
    }

    /// The first of them, so many at most, [n, c, h, w].
    pub(super) fn first(&self, count: usize) -> Result<Array4<f32>> {
        let rows = self.first.slice(s![..count.min(self.first.nrows()), ..]);
        as_images(&rows.to_owned(), self.judge.image)
    }
}

/// What is gathered over draws from the prior.
struct Draws<'a> {
    means: Seen<'a>,
    samples: Seen<'a>,
    variation: Variation,
    /// Sums over images.
    variance: f64,
    entropy: f64,
    count: f64,
}

fn draw<'a>(model: &Autoencoder, noise: Noise, count: usize, judge: &'a Judge<'a>) -> Result<Draws<'a>> {
    let (means, samples) = (Seen::new(judge), Seen::new(judge));
    let variation = Variation::default();
    let mut draws = Draws { means, samples, variation, variance: 0.0, entropy: 0.0, count: 0.0 };
    let latent = model.config().latent as usize;
    for start in (0..count).step_by(CHUNK) {
        let rows = CHUNK.min(count - start);
        let range = start as u64..(start + rows) as u64;
        let z =
            Array2::from_shape_vec((rows, latent), noise.normal_rows(Purpose::Report, PRIOR, range, latent))?;
        let p = decode(model, z)?;
        let mut rng = noise.stream(Purpose::Report, DRAWS, start as u64);
        draws.samples.add(&p.sample(&mut rng)?)?;
        draws.entropy += p.entropy()?.iter().sum::<f64>();
        draws.variance +=
            p.variance()?.mean_axis(Axis(1)).map_or(0.0, |m| m.iter().map(|v| f64::from(*v)).sum());
        let means = p.mean();
        draws.means.add(&means)?;
        draws.variation.add(&means);
        draws.count += rows as f64;
    }
    Ok(draws)
}

fn measure_model(
    config: &SosVaeConfig,
    set: &TrainedSet,
    judge: &Judge<'_>,
    bounded: &Array4<f32>,
    index: usize,
) -> Result<ModelResult> {
    let trained = &set.models[index];
    let (model, noise) = (&trained.model, Noise::new(set.seed));
    let draws = draw(model, noise, config.measure.samples, judge)?;
    let x = tensor_from_array(bounded.clone())?.to_device(model.device());
    let weights = log_weights(model, &x, None, config.measure.importance_samples as i64, &noise, 1)?;
    let apart = draws.samples.first(KEPT)? - draws.means.first(KEPT)?;
    Ok(ModelResult {
        variant: trained.variant,
        history: trained.history.clone(),
        frechet: [draws.means.distance()?, draws.samples.distance()?],
        bounds: bounds(&weights)?,
        coherence: coherence(&apart, FAR),
        variance: draws.variance / draws.count,
        entropy: draws.entropy / draws.count,
        variation: draws.variation.value(),
        panels: panels(model, noise, judge.image, config.measure.pixel_in(judge.image)?)?,
        samples: draws.samples.first(100)?,
    })
}

/// The rows of the paper's figure 2, with the covariance to a pixel.
fn panels(
    model: &Autoencoder,
    noise: Noise,
    image: ImageShape,
    [row, column]: [usize; 2],
) -> Result<Vec<Array4<f32>>> {
    let latent = model.config().latent as usize;
    let z = noise.normal_rows(Purpose::Report, PRIOR, 0..SHOWN as u64, latent);
    let p = decode(model, Array2::from_shape_vec((SHOWN, latent), z)?)?;
    let (mean, sample) = (p.mean(), p.sample(&mut noise.stream(Purpose::Report, DRAWS, 0))?);
    let value = row * image.width as usize + column;
    let mut covariance = p.covariance_row(value)?;
    // Its own variance would outshine the rest.
    covariance.column_mut(value).fill(0.0);
    let apart = &sample - &mean;
    let scaled = |rows: Array2<f32>, grey: bool| -> Result<Array4<f32>> {
        let images = as_images(&rows, image)?;
        let images = if grey { grey_of(&images) } else { images };
        let top = images.iter().fold(0f32, |m, v| m.max(v.abs()));
        Ok(images.mapv(|v| if top > 0.0 { v / top } else { 0.0 }))
    };
    let around = scaled(apart, false)?.mapv(|v| 0.5 + 0.5 * v);
    Ok(vec![
        as_images(&mean, image)?,
        as_images(&sample, image)?,
        around,
        scaled(p.variance()?, true)?,
        scaled(covariance.mapv(|v| v.max(0.0)), true)?,
        scaled(covariance.mapv(|v| (-v).max(0.0)), true)?,
    ])
}

/// Mean over channels, in each of them.
fn grey_of(images: &Array4<f32>) -> Array4<f32> {
    let grey = images.mean_axis(Axis(1)).unwrap_or_default().insert_axis(Axis(1));
    grey.broadcast(images.raw_dim()).map_or_else(|| images.clone(), |g| g.to_owned())
}

/// Measures every model of a seed.
pub(super) fn measure(
    session: &Session,
    config: &SosVaeConfig,
    extractor: Option<&Extractor>,
    set: &TrainedSet,
) -> Result<SeedResult> {
    no_grad(|| {
        let gather = |indices: &[usize]| -> Result<Array4<f32>> {
            Ok(session.data.gather(&indices[..config.measure.images.min(indices.len())])?)
        };
        let test = gather(&set.parts.test)?;
        let features = extractor.map_or(Features::Classifier(&set.classifier), Features::Extractor);
        let of = |images: &Array4<f32>| features.of(&tensor_from_array(images.clone())?);
        let distance = features.distance();
        let train = gather(&session.mixed(set.parts.train.indices()))?;
        let of_test = of(&test)?;
        let frechet_of_data =
            frechet_distance_from_features(&of(&train)?, &of_test).context("Fréchet distance")?;
        let judge = Judge { test: of_test, image: session.image(), features };
        let bounded = test.slice(s![..config.measure.bound_images.min(test.dim().0), .., .., ..]).to_owned();
        let models = (0..set.models.len())
            .map(|i| measure_model(config, set, &judge, &bounded, i))
            .collect::<Result<Vec<_>>>()?;
        let sos = set.models.iter().find(|t| t.variant == Variant::Sos).unwrap_or(&set.models[0]);
        Ok(SeedResult {
            seed: set.seed,
            models,
            direct: direct::measure(session, config, set, &judge, &bounded)?,
            bounded: bounded.dim().0,
            views: observation_space::views(&sos.model, Noise::new(set.seed), judge.image)?,
            edits: editing::measure(session, config, set, &sos.model)?,
            distance,
            frechet_of_data,
            floor: entropy_floor(session.image().numel(), config.epsilon),
            pixel: config.measure.pixel_in(session.image())?,
        })
    })
}

#[cfg(test)]
mod tests {
    use variata_models::tch::Device;
    use variata_models::{
        Architecture, Autoencoder, AutoencoderConfig, ImageShape, LowRankDiagonal, Noise, ObservationConfig,
    };

    use super::panels;

    #[test]
    fn covariances_are_those_of_the_chosen_pixel() {
        let image = ImageShape { channels: 1, height: 4, width: 6 };
        let config = AutoencoderConfig {
            architecture: Architecture::Mlp { hidden: vec![5] },
            observation: ObservationConfig::LowRankNormal {
                rank: 3,
                diagonal: LowRankDiagonal::Fixed { value: 1e-3 },
            },
            ..AutoencoderConfig::default()
        };
        let model = Autoencoder::new(&config, image, 1, 0, Device::Cpu).unwrap();
        let panels = panels(&model, Noise::new(0), image, [1, 5]).unwrap();
        let covariance = &panels[4] + &panels[5];
        // Its own variance is left out, and no other pixel has nothing in common with it.
        for ((_, _, row, column), v) in covariance.indexed_iter() {
            assert_eq!(*v == 0.0, [row, column] == [1, 5], "{row}, {column}");
        }
    }
}
