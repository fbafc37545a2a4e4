//! What is measured on the trained models of a seed.

use anyhow::{Context, Result};
use ndarray::{Array1, Array2, Array4, Axis, s};
use variata_distributions::frechet_distance_from_features;
use variata_distributions::special::{log_mean_exp, ndtri};
use variata_models::tch::{Kind, Tensor};
use variata_models::train::EpochRecord;
use variata_models::{Autoencoder, Bounds, Classifier, Condition, Noise, Purpose, bounds, log_weights};
use variata_report::Metrics;
use variata_torch_bridge::{no_grad, tensor_from_array, tensor_from_slice, tensor_into_array};

use super::VaeConfig;
use super::models::{TrainedSet, Variant};
use crate::Session;
use crate::features::{Extractor, Features};
use crate::page::{LINE, OfSeed, lines, pairs};
use crate::tensors::{images, matrix};

/// Addresses of the noise of each measurement, apart from the bounds, which use the low ones.
const PRIOR: u64 = 1 << 40;
const CONDITIONAL: u64 = 1 << 41;
const LOSS: u64 = 1 << 42;
/// Columns and rows of the decoded grid.
pub(super) const GRID: usize = 15;
/// Interpolations shown.
pub(super) const SHOWN_PAIRS: usize = 6;
/// Reconstructions shown.
pub(super) const SHOWN: usize = 12;

/// Posteriors of the test images in one model.
#[derive(Debug)]
pub(super) struct Codes {
    /// [n, latent]
    pub(super) mean: Array2<f64>,
    /// Standard deviations, [n, latent]; 0 for a deterministic code.
    pub(super) sd: Array2<f64>,
    /// Mean KL to N(0, 1) of each latent dimension, nats; empty for a deterministic code.
    pub(super) kl: Vec<f64>,
}

/// Numbers and pictures of one model.
#[derive(Debug)]
pub(super) struct ModelResult {
    pub(super) variant: Variant,
    pub(super) history: Vec<EpochRecord>,
    pub(super) codes: Codes,
    /// Mean −log p(x|z) on the test images, z drawn from the posterior.
    pub(super) distortion: f64,
    /// [SHOWN, c, h, w]
    pub(super) reconstructions: Array4<f32>,
    /// Images of codes drawn from N(0, I); for the conditional model, `per_class` for each class in turn.
    pub(super) samples: Array4<f32>,
    /// Fréchet distance of the samples' features to those of the test images.
    pub(super) frechet: f64,
    /// Classifier's highest probability, mean over samples.
    pub(super) sample_confidence: f64,
    /// Bounds with 1, 2, 4, … weights, the last with all of them; empty without a density.
    pub(super) bounds: Vec<(usize, Bounds)>,
    /// How far the bound with the most weights lies above the negative loss, of other draws, in standard errors; of the VAE alone.
    pub(super) above_loss: f64,
    /// Mean over pairs of the classifier's highest probability half-way between two codes.
    pub(super) midpoint_confidence: f64,
    /// [SHOWN_PAIRS · LINE, c, h, w]; empty for the conditional model.
    pub(super) interpolations: Array4<f32>,
}

/// Everything that the report shows of a seed.
#[derive(Debug)]
pub(super) struct SeedResult {
    pub(super) seed: u64,
    pub(super) models: Vec<ModelResult>,
    /// [SHOWN, c, h, w]
    pub(super) originals: Array4<f32>,
    pub(super) labels: Vec<usize>,
    /// [GRID², c, h, w], decoded from a grid of quantiles in the plane.
    pub(super) grid: Array4<f32>,
    /// Share of test images that the classifier names right; `None` without classes to name.
    pub(super) classifier_accuracy: Option<f64>,
    /// What the distance of the samples is called.
    pub(super) distance: &'static str,
    /// Whether that is one of features that the user's network gives.
    pub(super) from_file: bool,
    /// Share of requested classes that the classifier recognises, for each class; empty without classes.
    pub(super) requested: Vec<f64>,
    pub(super) per_class: usize,
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

    /// Whether the measured images are of several classes; pairs of images are of different ones then.
    pub(super) fn several_classes(&self) -> bool {
        self.labels.windows(2).any(|two| two[0] != two[1])
    }

    /// Share of all requested classes that the classifier recognises; NaN without classes.
    pub(super) fn requested_accuracy(&self) -> f64 {
        self.requested.iter().sum::<f64>() / self.requested.len() as f64
    }

    pub(super) fn record(&self, metrics: &mut Metrics) {
        let seed = format!("seed-{}", self.seed);
        if let Some(accuracy) = self.classifier_accuracy {
            metrics.insert(format!("classifier/{seed}/test-accuracy"), accuracy);
            metrics.insert(format!("cvae/{seed}/requested-accuracy"), self.requested.clone());
        }
        for m in &self.models {
            let key = |what: &str| format!("{}/{seed}/{what}", m.variant.name());
            metrics.insert(key("test-distortion"), m.distortion);
            metrics.insert(key("test-kl-per-dimension"), m.codes.kl.clone());
            metrics.insert(key("frechet-distance"), m.frechet);
            // What a classifier of reflections is sure of says nothing of an image.
            if self.classifier_accuracy.is_some() {
                metrics.insert(key("sample-confidence"), m.sample_confidence);
                metrics.insert(key("midpoint-confidence"), m.midpoint_confidence);
            }
            for (k, b) in &m.bounds {
                metrics.insert(key(&format!("bound-{k}")), b.importance_weighted);
            }
            if let Some((_, b)) = m.bounds.last() {
                metrics.insert(key("elbo"), b.elbo);
            }
            if m.variant == Variant::Vae {
                metrics.insert(key("bound-above-negative-loss"), m.above_loss);
            }
            for (side, get) in [("train", true), ("validation", false)] {
                for name in ["distortion", "kl"] {
                    let curve: Vec<f64> = m
                        .history
                        .iter()
                        .filter_map(|e| if get { e.train(name) } else { e.validation(name) })
                        .collect();
                    if !curve.is_empty() {
                        metrics.insert(key(&format!("{side}-{name}")), curve);
                    }
                }
            }
        }
    }
}

/// The trained loss of each image: the distortion, mean over `samples` draws that [`log_weights`] does not use, and the KL in closed form.
fn losses(
    model: &Autoencoder,
    x: &Tensor,
    condition: Option<&Condition>,
    samples: usize,
    noise: Noise,
) -> Result<Vec<f64>> {
    let q = model.encode(x, condition)?.code.posterior.context("the model has no posterior")?;
    let (rows, width) = (x.size()[0].unsigned_abs(), model.config().latent);
    let mut sum = Tensor::zeros([x.size()[0]], (Kind::Double, model.device()));
    for k in 0..samples as u64 {
        let z = q.rsample(&noise.normal(Purpose::Report, LOSS + k, 0..rows, width, model.device())?)?;
        sum += model.decode(&z, condition)?.distortion(x)?.to_kind(Kind::Double);
    }
    let loss = sum / samples as f64 + q.kl_standard_normal()?.to_kind(Kind::Double);
    Ok(tensor_into_array::<f64>("loss", &loss)?.into_iter().collect())
}

/// How far the importance-weighted bounds of log-weights [n, k] lie above the negative losses, mean over the images in its standard
/// errors. Of the same draws a bound is never below its ELBO; of others it can be, and is where the loss is none.
fn above(log_weights: &Array2<f64>, losses: &[f64]) -> f64 {
    let gaps: Vec<f64> = log_weights
        .rows()
        .into_iter()
        .zip(losses)
        .map(|(row, loss)| log_mean_exp(&row.to_vec()) + loss)
        .collect();
    let n = gaps.len() as f64;
    let mean = gaps.iter().sum::<f64>() / n;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / (n - 1.0);
    mean / (variance / n).sqrt()
}

/// Mean over rows of the classifier's highest probability.
fn confidence(classifier: &Classifier, x: &Tensor) -> Result<f64> {
    let p = classifier.logits(x)?.softmax(-1, Kind::Double);
    Ok(p.amax([1], false).mean(Kind::Double).double_value(&[]))
}

fn codes(q: &variata_models::Code) -> Result<Codes> {
    let mean = matrix(&q.mean)?;
    let Some(posterior) = &q.posterior else {
        let sd = Array2::zeros(mean.dim());
        return Ok(Codes { mean, sd, kl: Vec::new() });
    };
    let s = matrix(posterior.spread())?;
    let sd = s.mapv(|v| (0.5 * v).exp());
    let kl = (&mean * &mean + &s.mapv(|v| v.exp_m1() - v)).mapv(|v| 0.5 * v);
    let kl = kl.mean_axis(Axis(0)).map_or_else(Vec::new, |k| k.to_vec());
    Ok(Codes { mean, sd, kl })
}

fn decode(model: &Autoencoder, z: Array2<f32>) -> Result<Tensor> {
    let z = tensor_from_array(z)?.to_device(model.device());
    Ok(model.decode(&z, None)?.mean())
}

/// The test part as the models see it.
struct TestSet<'a> {
    x: Tensor,
    labels: Vec<i64>,
    /// What Fréchet distances compare.
    judge: &'a Features<'a>,
    /// Its features, [n, features].
    features: Array2<f64>,
    shape: (usize, usize, usize),
}

fn measure_model(
    session: &Session,
    config: &VaeConfig,
    set: &TrainedSet,
    test: &TestSet<'_>,
    variant: Variant,
) -> Result<ModelResult> {
    let trained = set.get(variant);
    let model = &trained.model;
    let noise = Noise::new(set.seed);
    let n = test.x.size()[0];
    let condition = model.condition(&test.labels)?;
    let code = model.encode(&test.x, condition.as_ref())?.code;
    let z = code.rsample(&noise.normal(
        Purpose::Report,
        PRIOR - 1,
        0..n.unsigned_abs(),
        model.config().latent,
        model.device(),
    )?)?;
    let distortion =
        model.decode(&z, condition.as_ref())?.distortion(&test.x)?.mean(Kind::Double).double_value(&[]);
    let best = model.decode(&code.mean, condition.as_ref())?.mean();
    let codes = codes(&code)?;

    let classes = session.classes();
    let per_class = config.measure.per_class as i64;
    let count = classes * per_class;
    let prior = noise.normal(
        Purpose::Report,
        if variant == Variant::Cvae { CONDITIONAL } else { PRIOR },
        0..count.unsigned_abs(),
        model.config().latent,
        model.device(),
    )?;
    let wanted: Vec<i64> = (0..count).map(|i| i / per_class).collect();
    let samples = model.decode(&prior, model.condition(&wanted)?.as_ref())?.mean();
    let features = test.judge.of(&samples)?;
    let frechet = frechet_distance_from_features(&features, &test.features).context("Fréchet distance")?;

    let (mut curve, mut above_loss) = (Vec::new(), f64::NAN);
    if code.posterior.is_some() {
        let k = config.measure.importance_samples;
        let weights = log_weights(model, &test.x, condition.as_ref(), k as i64, &noise, 1)?;
        for size in sizes(k) {
            curve.push((size, bounds(&weights.slice(s![.., ..size]))?));
        }
        if variant == Variant::Vae {
            above_loss = above(&weights, &losses(model, &test.x, condition.as_ref(), k, noise)?);
        }
    }

    let labels: Vec<usize> = test.labels.iter().map(|&l| l as usize).collect();
    let (midpoint_confidence, interpolations) = if variant == Variant::Cvae {
        // A line between codes has no label of its own.
        (f64::NAN, Array4::zeros((0, test.shape.0, test.shape.1, test.shape.2)))
    } else {
        let all = pairs(&labels, config.measure.pairs);
        let middle = decode(model, lines(&codes.mean, &all, 1))?;
        let shown = &all[..SHOWN_PAIRS.min(all.len())];
        (confidence(&set.classifier, &middle)?, images(&decode(model, lines(&codes.mean, shown, LINE))?)?)
    };
    Ok(ModelResult {
        variant,
        history: trained.history.clone(),
        codes,
        distortion,
        reconstructions: images(&best.narrow(0, 0, n.min(SHOWN as i64)))?,
        sample_confidence: confidence(&set.classifier, &samples)?,
        samples: images(&samples)?,
        frechet,
        bounds: curve,
        above_loss,
        midpoint_confidence,
        interpolations,
    })
}

/// Numbers of weights of the bounds: the powers of two below the largest, and that.
fn sizes(most: usize) -> impl Iterator<Item = usize> {
    let doubled = std::iter::successors(Some(1usize), |size| size.checked_mul(2));
    doubled.take_while(move |size| *size < most).chain([most])
}

/// A grid in the plane whose cells have equal probability under N(0, I); the first row is the top.
fn quantile_grid() -> Array2<f32> {
    let q = Array1::from_shape_fn(GRID, |i| ndtri((i as f64 + 0.5) / GRID as f64));
    Array2::from_shape_fn((GRID * GRID, 2), |(i, k)| {
        let (row, column) = (i / GRID, i % GRID);
        (if k == 0 { q[column] } else { q[GRID - 1 - row] }) as f32
    })
}

/// Measures every model of a seed.
pub(super) fn measure(session: &Session, config: &VaeConfig, set: &TrainedSet) -> Result<SeedResult> {
    no_grad(|| {
        let test_indices = &set.parts.test;
        let indices = &test_indices[..config.measure.images.min(test_indices.len())];
        let labels: Vec<i64> = indices.iter().map(|&i| i64::from(session.data.labels()[i])).collect();
        let pixels = session.data.gather(indices)?;
        let (_, c, h, w) = pixels.dim();
        let originals = pixels.slice(s![..SHOWN.min(indices.len()), .., .., ..]).to_owned();
        let x = tensor_from_array(pixels)?.to_device(session.device);
        let extractor = Extractor::of(session)?;
        let judge = Features::best(extractor.as_ref(), &set.classifier);
        let features = judge.of(&x)?;
        let test = TestSet { x, labels, judge: &judge, features, shape: (c, h, w) };

        let models = Variant::ALL
            .iter()
            .map(|&v| measure_model(session, config, set, &test, v))
            .collect::<Result<Vec<_>>>()?;
        let share = |predicted: &[i64], wanted: &[i64]| {
            predicted.iter().zip(wanted).filter(|(a, b)| a == b).count() as f64 / wanted.len().max(1) as f64
        };
        // Without classes the classifier tells reflections apart, and names nothing that could be asked for.
        let named = session.classes() > 1;
        let accuracy = || Ok::<_, anyhow::Error>(share(&set.classifier.predict(&test.x)?, &test.labels));
        let classifier_accuracy = named.then(accuracy).transpose()?;
        let per_class = config.measure.per_class;
        let mut result = SeedResult {
            seed: set.seed,
            models,
            originals,
            labels: test.labels.iter().map(|&l| l as usize).collect(),
            grid: images(&decode(&set.get(Variant::Map).model, quantile_grid())?)?,
            classifier_accuracy,
            distance: judge.distance(),
            from_file: extractor.is_some(),
            requested: Vec::new(),
            per_class,
        };
        if !named {
            return Ok(result);
        }
        let samples = &result.get(Variant::Cvae).samples;
        let shape: Vec<usize> = samples.shape().to_vec();
        let flat: Vec<f32> = samples.iter().copied().collect();
        let predicted = set.classifier.predict(&tensor_from_slice(&flat, &shape)?)?;
        result.requested = predicted
            .chunks(per_class)
            .enumerate()
            .map(|(class, chunk)| share(chunk, &vec![class as i64; chunk.len()]))
            .collect();
        Ok(result)
    })
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;
    use variata_models::tch::Device;
    use variata_models::{Architecture, AutoencoderConfig, ImageShape};

    use super::*;

    #[test]
    fn the_last_bound_has_all_weights() {
        for (most, want) in [(2, &[1, 2][..]), (7, &[1, 2, 4, 7]), (8, &[1, 2, 4, 8]), (1, &[1])] {
            assert_eq!(sizes(most).collect::<Vec<_>>(), want);
        }
        assert_eq!(sizes(1000).last(), Some(1000));
    }

    /// What the claim on the bound compares: a loss is the ELBO of other draws, and one without its KL lies on the wrong side of that.
    #[test]
    fn a_loss_that_is_no_bound_is_found_by_draws_of_its_own() {
        let image = ImageShape { channels: 1, height: 4, width: 4 };
        let config = AutoencoderConfig {
            architecture: Architecture::Mlp { hidden: vec![8] },
            latent: 4,
            ..AutoencoderConfig::default()
        };
        let model = Autoencoder::new(&config, image, 0, 0, Device::Cpu).unwrap();
        let x = Array4::from_shape_fn((60, 1, 4, 4), |(n, _, i, j)| {
            0.5 + 0.5 * ((n * 16 + i * 4 + j) as f32).sin()
        });
        let x = tensor_from_array(x).unwrap();
        let noise = Noise::new(0);
        let losses = losses(&model, &x, None, 256, noise).unwrap();
        let weights = log_weights(&model, &x, None, 256, &noise, 1).unwrap();
        // The same number by other draws, in expectation.
        let single: Vec<f64> = weights.rows().into_iter().map(|row| row.sum() / 256.0).collect();
        let column = Array2::from_shape_vec((60, 1), single).unwrap();
        assert!(above(&column, &losses).abs() < 4.0);
        assert!(above(&weights, &losses) > 4.0);
        let q = model.encode(&x, None).unwrap().code.posterior.unwrap();
        let kl = tensor_into_array::<f64>("kl", &q.kl_standard_normal().unwrap()).unwrap();
        let without: Vec<f64> = losses.iter().zip(&kl).map(|(loss, kl)| loss - kl).collect();
        assert!(above(&column, &without) < -4.0);
    }
}
