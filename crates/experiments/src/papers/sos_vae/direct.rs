//! The observation distribution learned without a network, against principal components (section 4.5, figure 7).

use anyhow::{Context, Result};
use ndarray::{Array2, Array4, Axis, s};
use variata_lowrank_mvn::{FitOptions, LowRankMvn, fit_ppca, pca};
use variata_models::{Noise, Purpose};
use variata_report::Metrics;

use super::SosVaeConfig;
use super::measure::{CHUNK, Judge, Seen};
use super::models::TrainedSet;
use crate::Session;
use crate::pixels::Pixels;

/// Address of the noise.
const SAMPLES: u64 = 1 << 44;
/// Samples in the figure.
const SHOWN: usize = 50;

/// The learned distribution and its references.
#[derive(Debug)]
pub(super) struct DirectResult {
    /// Fréchet distances of samples: learned, PCA.
    pub(super) frechet: [f64; 2],
    /// Share of the learned factor's space that lies in PCA's: mean squared cosine of the principal angles.
    pub(super) overlap: f64,
    /// Variance along the components: learned over PCA, the sum.
    pub(super) variance_ratio: f64,
    /// Mean log-density of the test images that the models' bounds are of: learned, and probabilistic PCA in closed form.
    pub(super) log_prob: [f64; 2],
    /// [SHOWN, c, h, w]: learned, PCA.
    pub(super) samples: [Array4<f32>; 2],
}

impl DirectResult {
    pub(super) fn record(&self, seed: &str, metrics: &mut Metrics) {
        let key = |what: &str| format!("no-network/{seed}/{what}");
        metrics.insert(key("frechet-learned-and-pca"), self.frechet.to_vec());
        metrics.insert(key("overlap-with-pca"), self.overlap);
        metrics.insert(key("variance-ratio"), self.variance_ratio);
        metrics.insert(key("log-prob-learned-and-ppca"), self.log_prob.to_vec());
    }
}

/// Samples of a batch of one.
fn samples<'a>(
    p: &LowRankMvn<'static, f32>,
    count: usize,
    noise: Noise,
    judge: &'a Judge<'a>,
) -> Result<Seen<'a>> {
    let mut rng = noise.stream(Purpose::Report, SAMPLES, 0);
    let mut seen = Seen::new(judge);
    for start in (0..count).step_by(CHUNK) {
        let rows = p.sample_n(CHUNK.min(count - start), &mut rng).index_axis_move(Axis(0), 0);
        seen.add(&rows)?;
    }
    Ok(seen)
}

/// Densities are those of the images `bounded`.
pub(super) fn measure(
    session: &Session,
    config: &SosVaeConfig,
    set: &TrainedSet,
    judge: &Judge<'_>,
    bounded: &Array4<f32>,
) -> Result<DirectResult> {
    let flat = |images: Array4<f32>| -> Result<Array2<f32>> {
        let (n, c, h, w) = images.dim();
        Ok(images.into_shape_with_order((n, c * h * w))?)
    };
    let train = flat(session.data.gather(set.parts.train.indices())?)?;
    let learned = Pixels::of(&set.direct.observation())?;
    let learned = learned.low_rank().context("the observation model has no factor")?;
    let rank = (config.rank as usize).min(train.nrows() - 1).min(train.ncols());
    let found = pca(&train, rank, &FitOptions::default())?;
    let reference = found.distribution()?;
    let closed = fit_ppca(&train, rank, &FitOptions::default())?;
    let noise = Noise::new(set.seed);
    let drawn = |p| samples(p, config.measure.samples, noise, judge);
    let drawn = [drawn(learned)?, drawn(&reference)?];
    let components = learned.principal_components()?;
    let directions = components.directions.slice(s![0, .., ..]);
    let cosines: Array2<f32> = found.directions.dot(&directions);
    let overlap = cosines.iter().map(|c| f64::from(*c).powi(2)).sum::<f64>() / rank as f64;
    let own: f64 = components.standard_deviations.iter().map(|s| f64::from(*s).powi(2)).sum();
    let theirs: f64 = found.explained_variance.iter().map(|v| f64::from(*v)).sum();
    let bounded = flat(bounded.clone())?;
    let density = |p: &LowRankMvn<'static, f32>| -> Result<f64> {
        let mut sum = 0.0;
        for row in bounded.rows() {
            sum += p.log_prob(&row.insert_axis(Axis(0)))?[0];
        }
        Ok(sum / bounded.nrows() as f64)
    };
    Ok(DirectResult {
        frechet: [drawn[0].distance()?, drawn[1].distance()?],
        overlap,
        variance_ratio: own / theirs,
        log_prob: [density(learned)?, density(&closed)?],
        samples: [drawn[0].first(SHOWN)?, drawn[1].first(SHOWN)?],
    })
}
