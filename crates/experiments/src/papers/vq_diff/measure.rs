//! What is measured on the test data.

use anyhow::Result;
use ndarray::{Array2, Array3, Array4, Axis};
use variata_models::tch::{Kind, Tensor};
use variata_models::train::EpochRecord;
use variata_models::{MapAutoencoder, MapCode, MapDraw, Noise, Purpose};
use variata_quantize::Metric;
use variata_quantize::torch::{assign, decode};
use variata_report::Metrics;
use variata_streamlines::{ShapeSimilarity, Streamlines, mdf};
use variata_torch_bridge::{no_grad, tensor_from_array};

use super::VqDiffConfig;
use super::data::{Bundles, lines};
use super::models::{Method, over_training};
use super::usage::{BATCH, Use};
use crate::page::OfSeed;
use crate::subset;
use crate::tensors::images;
use crate::tsne::{Tsne, purity, squared_distances};

/// Addresses of the noise of each measurement.
const PASS: u64 = 1 << 40;
const SHIFT: u64 = 1 << 41;
const ORDER: u64 = 1 << 42;
/// Sizes of the noise before the bottleneck.
pub(super) const NOISES: [f64; 7] = [0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0];
/// The constants after it, as in the published code.
pub(super) const CONSTANTS: [f64; 9] = [-0.5, -0.375, -0.25, -0.125, 0.0, 0.125, 0.25, 0.375, 0.5];
/// Data of each tract that pictures of a subject show.
const SHOWN: usize = 4;

/// The tract that is perturbed, as in the paper, or the first that the test data have.
pub(super) fn perturbed_tract(data: &Bundles) -> usize {
    let present = |k: usize| data.test.iter().any(|&i| data.tract(i) == k);
    let named = data.tracts.iter().position(|name| name == "MCP").filter(|&k| present(k));
    named.or_else(|| (0..data.tracts.len()).find(|&k| present(k))).unwrap_or(0)
}

/// Perplexity of the map of so many points: as wanted, and no more than they bear.
pub(super) fn perplexity(wanted: f64, points: usize) -> f64 {
    wanted.min((points as f64 - 1.0) / 3.0).max(1.0)
}

/// BUAN of pairs of bundles, in normalised coordinates.
#[derive(Debug)]
struct Scores {
    similarity: ShapeSimilarity,
    seed: u64,
}

impl Scores {
    fn new(config: &VqDiffConfig, seed: u64) -> Self {
        Self {
            similarity: ShapeSimilarity { threshold: config.measure.threshold, ..ShapeSimilarity::vq_diff() },
            seed,
        }
    }

    fn of(&self, a: &Streamlines<f32>, b: &Streamlines<f32>) -> Result<f64> {
        let mut rng = Noise::new(self.seed).stream(Purpose::Report, ORDER, 0);
        Ok(self.similarity.score(a, b, &mut rng)?)
    }
}

/// Mean distance of each streamline to its own copy, in the coordinates' unit.
fn displacement(a: &Streamlines<f32>, b: &Streamlines<f32>) -> Result<f64> {
    let mut sum = 0.0;
    for (a, b) in a.iter().zip(b.iter()) {
        sum += f64::from(mdf(&a, &b)?);
    }
    Ok(sum / a.len().max(1) as f64)
}

/// What a perturbation of one size does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Perturbed {
    pub(super) epsilon: f64,
    /// Against the model's own reconstruction without a perturbation: BUAN, and MDF in mm.
    pub(super) buan: f64,
    pub(super) moved: f64,
    /// BUAN against the original.
    pub(super) original: f64,
}

/// Mean squared errors of a model that mixes codes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Discrete {
    pub(super) temperature: f64,
    pub(super) with_noise: f64,
    pub(super) without_noise: f64,
    /// With the nearest code in place of the mixture.
    pub(super) nearest: f64,
}

/// Numbers and pictures of one model.
#[derive(Debug)]
pub(super) struct ModelResult {
    pub(super) method: Method,
    pub(super) history: Vec<EpochRecord>,
    /// BUAN of each test datum, by tract.
    pub(super) scores: Vec<Vec<f64>>,
    pub(super) mse: f64,
    /// Mean MDF of a streamline to its reconstruction, mm.
    pub(super) distance: f64,
    /// Root mean square of the maps before the bottleneck.
    pub(super) rms: f64,
    pub(super) noise: Vec<Perturbed>,
    pub(super) constant: Vec<Perturbed>,
    /// t-SNE of the latent vectors.
    pub(super) map: Vec<(f64, f64)>,
    /// `None` where they are of one subject.
    pub(super) purity: Option<f64>,
    pub(super) usage: Option<Use>,
    /// Bits of a datum's code: stored as it is, and by its entropy over the test data.
    pub(super) stored: f64,
    pub(super) entropy: f64,
    pub(super) discrete: Option<Discrete>,
    /// The shown subject, in the order of [`Shared::shown`].
    pub(super) subject: Array4<f32>,
    /// A datum of the perturbed tract at each of [`CONSTANTS`].
    pub(super) shifted: Vec<Array3<f32>>,
}

impl ModelResult {
    /// Mean BUAN of a tract; NaN where the test data have none.
    pub(super) fn tract(&self, k: usize) -> f64 {
        let scores = &self.scores[k];
        scores.iter().sum::<f64>() / scores.len() as f64
    }

    /// Mean over the tracts that there are.
    pub(super) fn buan(&self) -> f64 {
        let all: Vec<f64> = (0..self.scores.len()).map(|k| self.tract(k)).filter(|v| !v.is_nan()).collect();
        all.iter().sum::<f64>() / all.len() as f64
    }
}

/// What does not depend on a model.
#[derive(Debug)]
pub(super) struct Shared {
    /// Test data that are scored.
    pub(super) scored: Vec<usize>,
    /// BUAN of neighbouring parts of one bundle, and of parts of the same tract of different subjects, by tract.
    pub(super) same: Vec<Vec<f64>>,
    pub(super) other: Vec<Vec<f64>>,
    /// Test data whose latent vectors are mapped; their map and its purity with the data themselves as vectors.
    pub(super) mapped: Vec<usize>,
    pub(super) purity: Option<f64>,
    /// Test data of one subject.
    pub(super) shown: Vec<usize>,
    /// Test data of the perturbed tract.
    pub(super) perturbed: Vec<usize>,
}

/// Everything that the report shows of a seed.
#[derive(Debug)]
pub(super) struct SeedResult {
    pub(super) seed: u64,
    pub(super) models: Vec<ModelResult>,
}

impl OfSeed for SeedResult {
    fn seed(&self) -> u64 {
        self.seed
    }
}

impl SeedResult {
    /// The model of a method.
    pub(super) fn get(&self, method: Method) -> &ModelResult {
        // `models` has one of each.
        self.models.iter().find(|m| m.method == method).unwrap_or(&self.models[0])
    }

    pub(super) fn record(&self, tracts: &[String], metrics: &mut Metrics) {
        for m in &self.models {
            let key = |what: &str| format!("{}/seed-{}/{what}", m.method.name(), self.seed);
            for (k, tract) in tracts.iter().enumerate().filter(|(k, _)| !m.scores[*k].is_empty()) {
                metrics.insert(key(&format!("buan-{tract}")), m.tract(k));
            }
            metrics.insert(key("buan"), m.buan());
            metrics.insert(key("mse"), m.mse);
            metrics.insert(key("mdf-mm"), m.distance);
            metrics.insert(key("latent-rms"), m.rms);
            if let Some(purity) = m.purity {
                metrics.insert(key("purity"), purity);
            }
            metrics.insert(key("bits-stored"), m.stored);
            metrics.insert(key("bits-entropy"), m.entropy);
            for (name, all) in [("noise", &m.noise), ("constant", &m.constant)] {
                metrics.insert(key(&format!("{name}-buan")), all.iter().map(|p| p.buan).collect::<Vec<_>>());
                metrics
                    .insert(key(&format!("{name}-mdf-mm")), all.iter().map(|p| p.moved).collect::<Vec<_>>());
            }
            if let Some(found) = &m.usage {
                metrics.insert(key("codes-used"), found.used() as f64);
                metrics.insert(key("perplexity"), found.perplexity);
                metrics.insert(key("codes-rms"), found.rms);
                if let Some(soft) = &found.soft {
                    metrics.insert(key("perplexity-of-a-place"), soft.place_perplexity);
                    metrics.insert(key("perplexity-of-the-mean"), soft.mean_perplexity);
                    metrics.insert(key("largest-weight"), soft.largest);
                }
            }
            if let Some(d) = &m.discrete {
                metrics.insert(key("mse-with-noise"), d.with_noise);
                metrics.insert(key("mse-without-noise"), d.without_noise);
                metrics.insert(key("mse-nearest"), d.nearest);
            }
            for name in ["mse", "perplexity", "nearest", "used", "mean_perplexity", "codes_rms", "kl"] {
                let curve = over_training(&m.history, name);
                if !curve.is_empty() {
                    metrics.insert(key(&format!("validation-{name}")), curve);
                }
            }
        }
    }
}

fn gather(data: &Bundles, model: &MapAutoencoder, indices: &[usize]) -> Result<Tensor> {
    Ok(tensor_from_array(data.data.gather(indices)?)?.to_device(model.device()))
}

impl Shared {
    pub(super) fn new(data: &Bundles, config: &VqDiffConfig) -> Result<Self> {
        let m = &config.measure;
        let scored = data.some(&data.test, m.per_tract);
        let scores = Scores::new(config, 0);
        let tracts = data.tracts.len();
        let (mut same, mut other) = (vec![Vec::new(); tracts], vec![Vec::new(); tracts]);
        for &i in &scored {
            let Some(next) = data.next(i) else { continue };
            let score = scores.of(&data.lines(i)?, &data.lines(next)?)?;
            let of = if data.subjects[i] == data.subjects[next] { &mut same } else { &mut other };
            of[data.tract(i)].push(score);
        }
        // Of all subjects: the nearest of others are asked for.
        let mut mapped = subset::mixed(&data.test, data.data.labels());
        mapped.truncate(m.latents);
        mapped.sort_unstable();
        let rows: Vec<f64> = data.data.gather(&mapped)?.iter().map(|v| f64::from(*v)).collect();
        let rows = Array2::from_shape_vec((mapped.len(), rows.len() / mapped.len().max(1)), rows)?;
        let purity = Self::purity_of(data, &mapped, &squared_distances(&rows), m.neighbours);
        let tract = perturbed_tract(data);
        let of_tract: Vec<usize> = data.test.iter().copied().filter(|&i| data.tract(i) == tract).collect();
        Ok(Self {
            scored,
            same,
            other,
            purity,
            shown: shown(data),
            perturbed: data.some(&of_tract, m.perturbed),
            mapped,
        })
    }

    fn purity_of(data: &Bundles, mapped: &[usize], squared: &Array2<f64>, k: usize) -> Option<f64> {
        let classes: Vec<usize> = mapped.iter().map(|&i| data.tract(i)).collect();
        let subjects: Vec<usize> = mapped.iter().map(|&i| data.subjects[i]).collect();
        purity(squared, &classes, &subjects, k)
    }
}

/// Test data of the subject that has most tracts, the first of them at equal numbers.
fn shown(data: &Bundles) -> Vec<usize> {
    let of = |subject: usize| -> Vec<usize> {
        data.test.iter().copied().filter(|&i| data.subjects[i] == subject).collect()
    };
    let tracts = |all: &[usize]| {
        let mut found: Vec<usize> = all.iter().map(|&i| data.tract(i)).collect();
        found.sort_unstable();
        found.dedup();
        found.len()
    };
    let mut best = Vec::new();
    let mut seen = Vec::new();
    for &i in &data.test {
        let subject = data.subjects[i];
        if !seen.contains(&subject) {
            seen.push(subject);
            let all = of(subject);
            if tracts(&all) > tracts(&best) {
                best = all;
            }
        }
    }
    data.some(&best, SHOWN)
}

/// A model with what it is measured on.
struct Measured<'a> {
    data: &'a Bundles,
    config: &'a VqDiffConfig,
    model: &'a MapAutoencoder,
    seed: u64,
}

impl Measured<'_> {
    /// Maps through the bottleneck, with noise where the settings have it.
    fn through(&self, z: &Tensor, part: usize) -> Result<MapCode> {
        let draw = self.draw(part);
        Ok(self.model.through(z, self.config.noise_in_evaluation.then_some(&draw))?)
    }

    fn draw(&self, part: usize) -> MapDraw {
        MapDraw::new(Noise::new(self.seed), Purpose::Report, PASS + part as u64)
    }

    /// Calls `see` with the numbers of data, their tensor and their maps, some at a time.
    fn parts(
        &self,
        indices: &[usize],
        mut see: impl FnMut(usize, &[usize], &Tensor, &Tensor) -> Result<()>,
    ) -> Result<()> {
        for (k, part) in indices.chunks(BATCH).enumerate() {
            let x = gather(self.data, self.model, part)?;
            see(k, part, &x, &self.model.encode(&x)?)?;
        }
        Ok(())
    }

    fn reconstructions(&self, indices: &[usize]) -> Result<Array4<f32>> {
        let mut all = Vec::new();
        self.parts(indices, |k, _, _, z| {
            all.push(images(&self.model.decode(&self.through(z, k)?.output)?)?);
            Ok(())
        })?;
        let views: Vec<_> = all.iter().map(|x| x.view()).collect();
        Ok(ndarray::concatenate(Axis(0), &views)?)
    }

    /// Mean squared error of what `code` makes of maps.
    fn error(&self, indices: &[usize], code: impl Fn(usize, &Tensor) -> Result<Tensor>) -> Result<f64> {
        let (mut sum, mut count) = (0.0, 0usize);
        self.parts(indices, |k, _, x, z| {
            let gap = self.model.decode(&code(k, z)?)? - x;
            sum += gap.square().sum(Kind::Double).double_value(&[]);
            count += gap.numel();
            Ok(())
        })?;
        Ok(sum / count as f64)
    }

    fn discrete(&self, indices: &[usize]) -> Result<Option<Discrete>> {
        let (Some(temperature), Some(codes)) = (self.model.temperature(), self.model.codes()) else {
            return Ok(None);
        };
        Ok(Some(Discrete {
            temperature,
            with_noise: self.error(indices, |k, z| Ok(self.model.through(z, Some(&self.draw(k)))?.output))?,
            without_noise: self.error(indices, |_, z| Ok(self.model.through(z, None)?.output))?,
            nearest: self.error(indices, |_, z| {
                let rows = z.permute([0, 2, 3, 1]).contiguous();
                let chosen = decode(&codes, &assign(&codes, Metric::default(), &rows)?)?;
                Ok(chosen.permute([0, 3, 1, 2]).contiguous())
            })?,
        }))
    }

    /// Reconstructions of the perturbed tract, by size of the perturbation, against those without one.
    fn perturb(
        &self,
        indices: &[usize],
        sizes: &[f64],
        decoded: impl Fn(&Tensor, f64) -> Result<Tensor>,
    ) -> Result<(Vec<Perturbed>, Vec<Array3<f32>>)> {
        let scores = Scores::new(self.config, self.seed);
        let z = self.model.encode(&gather(self.data, self.model, indices)?)?;
        let still = images(&self.model.decode(&self.through(&z, 0)?.output)?)?;
        let (mut found, mut first) = (Vec::new(), Vec::new());
        for &epsilon in sizes {
            let moved = images(&decoded(&z, epsilon)?)?;
            let mut sums = [0.0; 3];
            for (k, &i) in indices.iter().enumerate() {
                let own = lines(&still.index_axis(Axis(0), k))?;
                let now = lines(&moved.index_axis(Axis(0), k))?;
                sums[0] += scores.of(&own, &now)?;
                sums[1] += displacement(&own, &now)? * self.data.millimetres();
                sums[2] += scores.of(&self.data.lines(i)?, &now)?;
            }
            let [buan, distance, original] = sums.map(|sum| sum / indices.len().max(1) as f64);
            found.push(Perturbed { epsilon, buan, moved: distance, original });
            first.push(moved.index_axis(Axis(0), 0).to_owned());
        }
        Ok((found, first))
    }

    /// Latent vectors of data: the means of a normal posterior, or the maps.
    fn latents(&self, indices: &[usize]) -> Result<Array2<f64>> {
        let mut all = Vec::new();
        self.parts(indices, |_, _, _, z| {
            let posterior = self.model.through(z, None)?.posterior;
            let rows = posterior.map_or_else(|| z.flatten(1, -1), |q| q.mean());
            all.push(crate::tensors::matrix(&rows)?);
            Ok(())
        })?;
        let views: Vec<_> = all.iter().map(|x| x.view()).collect();
        Ok(ndarray::concatenate(Axis(0), &views)?)
    }

    /// Bits of a code: as it is stored, and by the entropy of what is stored, over the test data.
    fn bits(&self, indices: &[usize], usage: Option<&Use>) -> Result<[f64; 2]> {
        let [code, height, width] = self.model.map_shape().map(|n| n as f64);
        let places = height * width;
        let bits = std::f64::consts::LN_2;
        if let Some(found) = usage {
            return Ok(match found.soft {
                // A mixture has to be stored as numbers.
                Some(soft) => [32.0 * code * places, places * soft.information() / bits],
                None => [places * (found.codes as f64).log2(), places * found.perplexity.log2()],
            });
        }
        let (mut nats, mut numbers, mut count) = (0.0, None, 0usize);
        self.parts(indices, |_, part, _, z| {
            if let Some(q) = self.model.through(z, None)?.posterior {
                nats += q.kl_standard_normal()?.sum(Kind::Double).double_value(&[]);
                numbers = Some(q.mean().size()[1] as f64);
                count += part.len();
            }
            Ok(())
        })?;
        Ok(match numbers {
            Some(n) => [32.0 * n, nats / count as f64 / bits],
            None => [32.0 * code * places, f64::NAN],
        })
    }

    fn all(&self, shared: &Shared, method: Method, history: Vec<EpochRecord>) -> Result<ModelResult> {
        let (data, config) = (self.data, self.config);
        let seen = self.reconstructions(&shared.scored)?;
        let scorer = Scores::new(config, self.seed);
        let mut scores = vec![Vec::new(); data.tracts.len()];
        let (mut distance, mut square) = (0.0, 0.0);
        for (k, &i) in shared.scored.iter().enumerate() {
            let (was, now) = (data.lines(i)?, lines(&seen.index_axis(Axis(0), k))?);
            scores[data.tract(i)].push(scorer.of(&was, &now)?);
            distance += displacement(&was, &now)?;
            let gap = &seen.index_axis(Axis(0), k) - &data.data.array().index_axis(Axis(0), i);
            square += gap.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / gap.len() as f64;
        }
        let count = shared.scored.len() as f64;
        let mut squares = 0.0;
        self.parts(&shared.scored, |_, part, _, z| {
            squares += z.square().mean(Kind::Double).double_value(&[]) * part.len() as f64;
            Ok(())
        })?;
        let (noise, _) = self.perturb(&shared.perturbed, &NOISES, |z, epsilon| {
            let (rows, width): (i64, i64) = (z.size()[0], z.size()[1..].iter().product());
            let n =
                Noise::new(0).normal(Purpose::Report, SHIFT, 0..rows.unsigned_abs(), width, z.device())?;
            let moved = z + n.view_as(z) * epsilon;
            Ok(self.model.decode(&self.through(&moved, 0)?.output)?)
        })?;
        let (constant, shifted) = self.perturb(&shared.perturbed, &CONSTANTS, |z, epsilon| {
            Ok(self.model.decode(&(self.through(z, 0)?.output + epsilon))?)
        })?;
        let squared = squared_distances(&self.latents(&shared.mapped)?);
        let measure = &config.measure;
        let perplexity = perplexity(measure.perplexity, shared.mapped.len());
        let tsne = Tsne { perplexity, steps: measure.tsne_steps, seed: 0 };
        let usage = Use::of(data, self.model, &shared.scored)?;
        let [stored, entropy] = self.bits(&shared.scored, usage.as_ref())?;
        Ok(ModelResult {
            method,
            history,
            scores,
            mse: square / count,
            distance: distance / count * data.millimetres(),
            rms: (squares / count).sqrt(),
            noise,
            constant,
            map: tsne.embed(&squared)?,
            purity: Shared::purity_of(data, &shared.mapped, &squared, measure.neighbours),
            usage,
            stored,
            entropy,
            discrete: self.discrete(&shared.scored)?,
            subject: self.reconstructions(&shared.shown)?,
            shifted,
        })
    }
}

/// Measures a trained model.
pub(super) fn measure(
    data: &Bundles,
    config: &VqDiffConfig,
    shared: &Shared,
    (model, history): (&MapAutoencoder, Vec<EpochRecord>),
    (method, seed): (Method, u64),
) -> Result<ModelResult> {
    let measured = Measured { data, config, model, seed };
    no_grad(|| measured.all(shared, method, history))
}
