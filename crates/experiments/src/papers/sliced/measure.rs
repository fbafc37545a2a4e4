//! What is measured: during training on the validation set, afterwards on the test set.

use anyhow::{Context, Result};
use ndarray::{Array2, Array4};
use variata_distributions::frechet_distance_from_features;
use variata_models::tch::{Kind, Tensor};
use variata_models::train::EpochRecord;
use variata_models::{Autoencoder, Cost, Noise, Purpose};
use variata_report::Metrics;
use variata_sliced::{Directions, Discrepancy, Distance, mardia};
use variata_torch_bridge::{no_grad, tensor_from_array};

use super::SlicedConfig;
use super::models::{Method, TrainedSet, Variant};
use crate::Session;
use crate::features::{Extractor, Features};
use crate::page::{LINE, OfSeed, lines, pairs};
use crate::session::Parts;
use crate::tensors::{images, matrix};

/// Addresses of the noise of each measurement.
const PRIOR: u64 = 1 << 40;
const LEVEL: u64 = 1 << 41;
const GRADIENT: u64 = 1 << 42;
/// Draws that an expectation under the prior is taken over.
const DRAWS: u64 = 50;
/// Images in a row.
pub(super) const SHOWN: usize = 12;
/// Rows of samples, and lines between codes.
pub(super) const ROWS: usize = 3;
/// Directions of the histograms.
pub(super) const HISTOGRAMS: usize = 3;

/// How far codes are from N(0, I), or what is expected under it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statistics {
    /// Mardia's, not centred.
    pub(super) skewness: f64,
    /// Mardia's less D(D + 2).
    pub(super) kurtosis: f64,
    pub(super) sliced_w2: f64,
}

/// What codes are compared by: directions that all share.
fn directions(config: &SlicedConfig) -> Result<Directions> {
    Ok(Directions::uniform(config.measure.directions, config.latent.unsigned_abs() as usize, 0)?)
}

impl Statistics {
    /// Of codes in units of the prior's scale.
    fn of(codes: &Array2<f64>, directions: &Directions) -> Result<Self> {
        let m = mardia(codes)?;
        let w2 = Discrepancy::new(Distance::WASSERSTEIN_2).sliced(codes, directions)?;
        Ok(Self { skewness: m.skewness, kurtosis: m.normalised_kurtosis, sliced_w2: w2.mean })
    }

    /// On average over samples of `n` draws of N(0, I): skewness and kurtosis by their formulas, the distance by simulation.
    fn expected(n: usize, directions: &Directions) -> Result<Self> {
        let d = directions.dim();
        let mut w2 = 0.0;
        for k in 0..DRAWS {
            let rows = Noise::new(0).normal_rows(Purpose::Report, LEVEL + k, 0..n as u64, d);
            let sample = Array2::from_shape_vec((n, d), rows)?.mapv(f64::from);
            w2 += Discrepancy::new(Distance::WASSERSTEIN_2).sliced(&sample, directions)?.mean;
        }
        let (n, d) = (n as f64, d as f64);
        Ok(Self { skewness: d * (d + 2.0) * (d + 4.0) / n, kurtosis: 0.0, sliced_w2: w2 / DRAWS as f64 })
    }
}

/// Standard deviation of the kurtosis of n draws of N(0, I) in d dimensions: ‖x‖² is χ², whose fourth moment is known.
pub(super) fn kurtosis_deviation(n: usize, d: i64) -> f64 {
    let (n, d) = (n as f64, d as f64);
    (8.0 * d * (d + 2.0) * (d + 3.0) / n).sqrt()
}

/// The codes of images, in units of the prior's scale.
fn codes(model: &Autoencoder, x: &Tensor, scale: f64) -> Result<Array2<f64>> {
    matrix(&(model.encode(x, None)?.code.mean / scale))
}

/// Images that a model makes of draws from the prior.
fn samples(model: &Autoencoder, config: &SlicedConfig, seed: u64, count: usize) -> Result<Tensor> {
    let noise = Noise::new(seed);
    let z =
        config.prior.draw(&noise, Purpose::Report, PRIOR, 0..count as u64, config.latent, model.device())?;
    Ok(model.decode(&z, None)?.mean())
}

/// Images of indices, the first `count` at the most.
fn gather(session: &Session, indices: &[usize], count: usize) -> Result<Tensor> {
    let pixels = session.data.gather(&indices[..count.min(indices.len())])?;
    Ok(tensor_from_array(pixels)?.to_device(session.device))
}

/// What is measured again and again during training.
pub(super) struct Curves {
    x: Tensor,
    features: Array2<f64>,
    directions: Directions,
}

impl Curves {
    pub(super) fn new(
        session: &Session,
        config: &SlicedConfig,
        parts: &Parts,
        features: &Features<'_>,
    ) -> Result<Self> {
        let x = gather(session, &session.mixed(parts.validation.indices()), config.measure.images)?;
        Ok(Self { features: features.of(&x)?, x, directions: directions(config)? })
    }

    /// The values at a step, by name.
    pub(super) fn point(
        &self,
        model: &Autoencoder,
        config: &SlicedConfig,
        seed: u64,
        features: &Features<'_>,
    ) -> Result<Vec<(String, f64)>> {
        let normality = Statistics::of(&codes(model, &self.x, config.scale())?, &self.directions)?;
        let drawn = features.of(&samples(model, config, seed, config.measure.samples.div_ceil(2))?)?;
        let frechet = frechet_distance_from_features(&drawn, &self.features).context("Fréchet distance")?;
        let named = [
            ("skewness", normality.skewness),
            ("kurtosis", normality.kurtosis),
            ("sliced_w2", normality.sliced_w2),
            ("frechet", frechet),
        ];
        Ok(named.map(|(name, value)| (name.to_owned(), value)).to_vec())
    }
}

/// Numbers and pictures of one model.
#[derive(Debug)]
pub(super) struct ModelResult {
    pub(super) variant: Variant,
    pub(super) history: Vec<EpochRecord>,
    pub(super) normality: Statistics,
    /// ‖x − x̂‖², mean over test images.
    pub(super) reconstruction: f64,
    /// Distance of decoded draws of the prior to the test images; of the compared models only.
    pub(super) frechet: f64,
    pub(super) pictures: Option<Pictures>,
    /// The mean of log d over batches drawn from the prior: where the logarithm of the distance stops falling.
    pub(super) level: f64,
}

/// What the compared models show.
#[derive(Debug)]
pub(super) struct Pictures {
    /// [SHOWN, c, h, w]
    pub(super) reconstructions: Array4<f32>,
    /// [ROWS · SHOWN, c, h, w]
    pub(super) samples: Array4<f32>,
    /// [ROWS · LINE, c, h, w]
    pub(super) interpolations: Array4<f32>,
    /// Codes of the test images along each of [`HISTOGRAMS`] directions.
    pub(super) projections: Vec<Vec<f64>>,
}

/// How a gradient varies over draws of directions and prior.
#[derive(Debug, Clone, Copy)]
pub(super) struct GradientNoise {
    pub(super) method: Method,
    /// Sum over the codes' entries of the variances.
    pub(super) variance: f64,
    /// Squared norm of the mean gradient.
    pub(super) signal: f64,
}

/// Everything that the report shows of a seed.
#[derive(Debug)]
pub(super) struct SeedResult {
    pub(super) seed: u64,
    pub(super) models: Vec<ModelResult>,
    /// Under the exact prior, for as many codes as there are test images, and as there are validation images.
    pub(super) expected: [Statistics; 2],
    /// How many test images.
    pub(super) images: usize,
    /// Images of a training batch.
    pub(super) batch: usize,
    /// Whether the test images are of several classes; pairs of images are of different ones then.
    pub(super) several_classes: bool,
    pub(super) gradients: Vec<GradientNoise>,
    /// [SHOWN, c, h, w]
    pub(super) originals: Array4<f32>,
    /// Distance of training images to test images.
    pub(super) frechet_of_data: f64,
    /// What the distance is called.
    pub(super) distance: &'static str,
}

impl OfSeed for SeedResult {
    fn seed(&self) -> u64 {
        self.seed
    }
}

impl SeedResult {
    /// The compared model of a method.
    pub(super) fn get(&self, method: Method) -> &ModelResult {
        let found = self.models.iter().find(|m| m.variant.compared && m.variant.method == method);
        // `measure` makes one of each.
        found.unwrap_or(&self.models[0])
    }

    /// The models of the search for a weight, with the weight.
    pub(super) fn searched(&self, method: Method) -> impl Iterator<Item = (f64, &ModelResult)> {
        self.models.iter().filter_map(move |m| match m.variant.cost {
            Cost::Weight { lambda } if !m.variant.compared && m.variant.method == method => Some((lambda, m)),
            _ => None,
        })
    }

    pub(super) fn record(&self, metrics: &mut Metrics) {
        let seed = format!("seed-{}", self.seed);
        metrics.insert(format!("data/{seed}/frechet-train-to-test"), self.frechet_of_data);
        metrics.insert(format!("prior/{seed}/skewness"), self.expected[0].skewness);
        metrics.insert(format!("prior/{seed}/sliced-w2"), self.expected[0].sliced_w2);
        for g in &self.gradients {
            metrics.insert(format!("{}/{seed}/gradient-variance", g.method.name()), g.variance);
            metrics.insert(format!("{}/{seed}/gradient-signal", g.method.name()), g.signal);
        }
        for m in &self.models {
            let key = |what: &str| format!("{}/{seed}/{what}", m.variant.name());
            metrics.insert(key("skewness"), m.normality.skewness);
            metrics.insert(key("normalised-kurtosis"), m.normality.kurtosis);
            metrics.insert(key("sliced-w2"), m.normality.sliced_w2);
            metrics.insert(key("reconstruction"), m.reconstruction);
            if m.variant.compared {
                metrics.insert(key("frechet"), m.frechet);
            }
            for name in ["distortion", "skewness", "kurtosis", "sliced_w2", "frechet"] {
                let curve: Vec<f64> = m.history.iter().filter_map(|e| e.validation(name)).collect();
                if !curve.is_empty() {
                    metrics.insert(key(&format!("validation-{name}")), curve);
                }
            }
            let curve: Vec<f64> = m.history.iter().filter_map(|e| e.train("log_distance")).collect();
            if !curve.is_empty() {
                metrics.insert(key("train-log_distance"), curve);
                metrics.insert(key("log-distance-of-prior"), m.level);
            }
        }
    }
}

/// Images of a training batch: all there are, where they are fewer than a batch is to have.
fn batch_of(config: &SlicedConfig, images: usize) -> usize {
    config.data.batch_size.min(images)
}

/// The mean of log d over batches of so many draws from the prior, NaN without a distance.
fn level(config: &SlicedConfig, variant: Variant, batch: usize) -> Result<f64> {
    let Some(regularizer) = config.regularizer(variant) else { return Ok(f64::NAN) };
    let noise = Noise::new(0);
    let mut sum = 0.0;
    for k in 0..DRAWS {
        let rows = 0..batch as u64;
        let device = variata_models::tch::Device::Cpu;
        let z = config.prior.draw(&noise, Purpose::Report, LEVEL + k, rows, config.latent, device)?;
        sum += regularizer.distance(&z, &noise, Purpose::Report, LEVEL + k)?.double_value(&[]).ln();
    }
    Ok(sum / DRAWS as f64)
}

/// The gradient of the distance in the codes, over draws of directions and prior at the same codes.
fn gradient_noise(config: &SlicedConfig, method: Method, codes: &Tensor) -> Result<Option<GradientNoise>> {
    let variant = Variant { method, cost: config.cost, compared: true };
    let Some(regularizer) = config.regularizer(variant) else { return Ok(None) };
    let noise = Noise::new(0);
    let count = config.measure.gradients;
    let mut squares = 0.0;
    let mut sum = Tensor::zeros(codes.size(), (Kind::Double, codes.device()));
    for k in 0..count as u64 {
        let z = codes.detach().set_requires_grad(true);
        variata_torch_bridge::with_grad(|| {
            regularizer.distance(&z, &noise, Purpose::Report, GRADIENT + k).map(|d| d.backward())
        })?;
        let gradient = z.grad().to_kind(Kind::Double);
        squares += gradient.square().sum(Kind::Double).double_value(&[]);
        sum += gradient;
    }
    let n = count as f64;
    let mean = (sum / n).square().sum(Kind::Double).double_value(&[]);
    let variance = (squares / n - mean) * n / (n - 1.0);
    // The mean of n gradients varies, too.
    Ok(Some(GradientNoise { method, variance, signal: mean - variance / n }))
}

/// What every model of a seed is measured on.
struct Test<'a> {
    x: Tensor,
    labels: Vec<usize>,
    features: Features<'a>,
    reference: Array2<f64>,
    directions: Directions,
}

impl Test<'_> {
    fn pictures(
        &self,
        model: &Autoencoder,
        config: &SlicedConfig,
        codes: &Array2<f64>,
        drawn: &Tensor,
    ) -> Result<Pictures> {
        let first = |x: &Tensor, count: usize| images(&x.narrow(0, 0, x.size()[0].min(count as i64)));
        let shown = self.x.narrow(0, 0, self.x.size()[0].min(SHOWN as i64));
        let seen = model.decode(&model.encode(&shown, None)?.code.mean, None)?.mean();
        let between = lines(&(codes * config.scale()), &pairs(&self.labels, ROWS), LINE);
        let between = tensor_from_array(between)?.to_device(model.device());
        let vectors = self.directions.vectors();
        let along = |k: usize| codes.dot(&vectors.row(k)).to_vec();
        Ok(Pictures {
            reconstructions: images(&seen)?,
            samples: first(drawn, ROWS * SHOWN)?,
            interpolations: images(&model.decode(&between, None)?.mean())?,
            projections: (0..HISTOGRAMS.min(vectors.nrows())).map(along).collect(),
        })
    }

    fn model(&self, config: &SlicedConfig, set: &TrainedSet, index: usize) -> Result<ModelResult> {
        let trained = &set.models[index];
        let model = &trained.model;
        let codes = codes(model, &self.x, config.scale())?;
        let z = model.encode(&self.x, None)?.code.mean;
        let reconstruction =
            model.decode(&z, None)?.distortion(&self.x)?.mean(Kind::Double).double_value(&[]);
        let (mut frechet, mut pictures) = (f64::NAN, None);
        if trained.variant.compared {
            let drawn = samples(model, config, set.seed, config.measure.samples)?;
            let features = self.features.of(&drawn)?;
            frechet =
                frechet_distance_from_features(&features, &self.reference).context("Fréchet distance")?;
            pictures = Some(self.pictures(model, config, &codes, &drawn)?);
        }
        let batch = batch_of(config, set.parts.train.indices().len());
        Ok(ModelResult {
            variant: trained.variant,
            history: trained.history.clone(),
            normality: Statistics::of(&codes, &self.directions)?,
            reconstruction,
            frechet,
            pictures,
            level: if trained.variant.compared { level(config, trained.variant, batch)? } else { f64::NAN },
        })
    }
}

/// Measures every model of a seed.
pub(super) fn measure(session: &Session, config: &SlicedConfig, set: &TrainedSet) -> Result<SeedResult> {
    no_grad(|| {
        let extractor = Extractor::of(session)?;
        let features = Features::best(extractor.as_ref(), &set.classifier);
        let x = gather(session, &set.parts.test, config.measure.images)?;
        let n = x.size()[0] as usize;
        let labels: Vec<usize> =
            set.parts.test[..n].iter().map(|&i| usize::from(session.data.labels()[i])).collect();
        let of_test = features.of(&x)?;
        let in_training = session.mixed(set.parts.train.indices());
        let train = gather(session, &in_training, config.measure.images)?;
        let frechet_of_data =
            frechet_distance_from_features(&features.of(&train)?, &of_test).context("Fréchet distance")?;
        let distance = features.distance();
        let several_classes = labels.windows(2).any(|two| two[0] != two[1]);
        let test = Test { x, labels, features, reference: of_test, directions: directions(config)? };
        let models = (0..set.models.len()).map(|i| test.model(config, set, i)).collect::<Result<Vec<_>>>()?;
        let scfwae = set.models.iter().find(|t| t.variant.method == Method::Scfwae).unwrap_or(&set.models[0]);
        let batch = gather(session, &in_training, config.data.batch_size)?;
        let at = scfwae.model.encode(&batch, None)?.code.mean;
        let gradients = [Method::Swae, Method::Scfwae].into_iter();
        let gradients = gradients.filter_map(|m| gradient_noise(config, m, &at).transpose());
        let validation = set.parts.validation.indices().len().min(config.measure.images);
        Ok(SeedResult {
            seed: set.seed,
            models,
            expected: [
                Statistics::expected(n, &test.directions)?,
                Statistics::expected(validation, &test.directions)?,
            ],
            images: n,
            batch: batch_of(config, in_training.len()),
            several_classes,
            gradients: gradients.collect::<Result<_>>()?,
            originals: images(&test.x.narrow(0, 0, n.min(SHOWN) as i64))?,
            frechet_of_data,
            distance,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_that_of_batches_as_large_as_there_are() {
        let mut config = SlicedConfig { latent: 2, directions: 3, ..SlicedConfig::default() };
        config.data.batch_size = usize::MAX;
        assert_eq!(batch_of(&config, 40), 40);
        config.data.batch_size = 16;
        assert_eq!(batch_of(&config, 40), 16);
        let variant = Variant { method: Method::Scfwae, cost: Cost::Log, compared: true };
        // Larger batches are nearer to the prior.
        let [few, many] = [8, 512].map(|batch| level(&config, variant, batch).unwrap());
        assert!(many < few - 1.0, "{few} {many}");
    }
}
