//! Intervals for calibration errors, from outcomes drawn anew and from limits of the binomial law.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution};
use variata_distributions::{check, parallel};

use super::binomial::clopper_pearson;
use super::{Bin, Binning, Predictions, Reliability, countable};
use crate::Error;

/// With so many bins the law of a sum is that of its parts.
const FEW: usize = 3;

/// A calibration error that intervals are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Statistic {
    /// [`Reliability::squared`], estimated by [`Reliability::squared_debiased`].
    Squared,
    /// [`Reliability::rms`], estimated by [`Reliability::rms_debiased`].
    Rms,
    /// [`Reliability::ece`], estimated by [`Reliability::ece_debiased`].
    Ece,
    /// [`Reliability::mce`], for which there is no debiased form.
    Mce,
}

/// How an interval is made.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Bootstrap {
    /// Probability that the interval is to hold the calibration error, in (0, 1).
    pub level: f64,
    /// Number of resampled sets, at least 1.
    pub replicates: usize,
    /// Replicate r draws from stream r of this seed, so that the result does not depend on the number of threads.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// 1000 replicates, level 0.95.
    fn default() -> Self {
        Self { level: 0.95, replicates: 1000, seed: 0 }
    }
}

/// An estimate and the ends of its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// The estimate.
    pub estimate: f64,
    /// Upper end.
    pub high: f64,
}

impl Predictions {
    /// An interval for a calibration error, of bins as they are: confidences are given, and right or wrong is drawn anew.
    ///
    /// Of k right predictions among n in a bin, outcomes are drawn with probability p̃ = (k + 1)/(n + 2): k/n would say of few that there
    /// is no error. [`Statistic::Squared`] and [`Statistic::Rms`] are those of the debiased estimate t with what the drawn sets' t* are off
    /// T̃, the error of p̃: [t − (q_high − T̃), t − (q_low − T̃)] for the quantiles q of t*; the ends of the second are roots, cut at 0. That of
    /// the ECE comes from the errors e_b that drawn sets add to the gaps, since the bias of a sum of |g_b| depends on which gaps are near 0:
    ///
    /// ```text
    /// [T − q_high(Σ w_b|e_b|), T − q_low(Σ w_b sign(g_b) e_b)]
    /// ```
    /// cut at 0. Where at most three bins hold examples, nothing of that is near to its limit: the three come from limits that hold for any
    /// numbers, as the MCE always does: those of Clopper and Pearson for each bin, at levels that make the asked one for all bins together.
    ///
    /// These hold the error at least as often as asked, and the ECE does in bins of any size that were tried. Squared and RMS of more
    /// than three bins do if they hold two examples or more each: of one the variance has no estimate.
    ///
    /// Source: Efron, Tibshirani 1993, chapter 13 (the pivot); Clopper, Pearson 1934; derived in docs/src/theory/calibration.md.
    ///
    /// # Errors
    /// A level outside (0, 1), no replicate, a bin size or number of bins of 0.
    ///
    /// ```
    /// use ndarray::Array1;
    /// use variata_fourier_aug::{Binning, Bootstrap, Predictions, Statistic};
    ///
    /// // Always right at confidence ½, 40 times: right with probability 0.91 at the least.
    /// let predictions = Predictions::new(&Array1::from_elem(40, 0.5), &[true; 40])?;
    /// let binning = Binning::EqualWidth { bins: 10 };
    /// let found = predictions.interval(Statistic::Rms, binning, &Bootstrap::default())?;
    /// assert!((found.low - 0.412).abs() < 1e-3);
    /// assert_eq!((found.estimate, found.high), (0.5, 0.5));
    /// # Ok::<(), variata_fourier_aug::Error>(())
    /// ```
    pub fn interval(
        &self,
        statistic: Statistic,
        binning: Binning,
        bootstrap: &Bootstrap,
    ) -> Result<Interval, Error> {
        let Bootstrap { level, replicates, .. } = *bootstrap;
        check::scalar("level", level, "in (0, 1)", level > 0.0 && level < 1.0)?;
        countable("replicates", replicates)?;
        let reliability = self.reliability(binning)?;
        let outside = 0.5 * (1.0 - level);
        let bins: Vec<Outcomes> = reliability
            .bins
            .iter()
            .filter(|bin| bin.count > 0)
            .map(|bin| Outcomes::new(bin, &reliability))
            .collect();
        let ends = match statistic {
            _ if bins.len() <= FEW || statistic == Statistic::Mce => limits(&bins, statistic, outside),
            Statistic::Ece => {
                let [sizes, along] = drawn(bootstrap, |rng| {
                    let errors: Vec<f64> = bins.iter().map(|bin| bin.draw(rng) - bin.probability).collect();
                    let with = || bins.iter().zip(&errors);
                    // At a gap of 0 either sign may be the truth's.
                    let sign = |bin: &Outcomes| if bin.gap() < 0.0 { -1.0 } else { 1.0 };
                    [
                        with().map(|(bin, e)| bin.share * e.abs()).sum(),
                        with().map(|(bin, e)| bin.share * sign(bin) * e).sum(),
                    ]
                });
                let t = reliability.ece();
                [(t - quantile(&sizes, 1.0 - outside)).max(0.0), t - quantile(&along, outside)]
            }
            _ => {
                let [found, _] =
                    drawn(bootstrap, |rng| [bins.iter().map(|bin| bin.squared_debiased(rng)).sum(), 0.0]);
                let truth: f64 = bins.iter().map(Outcomes::squared).sum();
                let t = reliability.squared_debiased();
                [1.0 - outside, outside].map(|p| t - (quantile(&found, p) - truth))
            }
        };
        let estimate = match statistic {
            Statistic::Squared => reliability.squared_debiased(),
            Statistic::Rms => reliability.rms_debiased(),
            Statistic::Ece => reliability.ece_debiased(),
            Statistic::Mce => reliability.mce(),
        };
        let [low, high] = if statistic == Statistic::Rms { ends.map(|x| x.max(0.0).sqrt()) } else { ends };
        Ok(Interval { low, estimate, high })
    }
}

/// The numbers that `draw` gives in each replicate, sorted.
fn drawn(bootstrap: &Bootstrap, draw: impl Fn(&mut ChaCha8Rng) -> [f64; 2] + Sync + Send) -> [Vec<f64>; 2] {
    let all = parallel::collect(bootstrap.replicates, |r| {
        let mut rng = ChaCha8Rng::seed_from_u64(bootstrap.seed);
        rng.set_stream(r as u64);
        draw(&mut rng)
    });
    [0, 1].map(|i| {
        let mut values: Vec<f64> = all.iter().map(|pair| pair[i]).collect();
        values.sort_by(f64::total_cmp);
        values
    })
}

/// A bin that holds examples, and the probability with which its outcomes are drawn.
struct Outcomes {
    /// Of all examples.
    share: f64,
    confidence: f64,
    count: usize,
    correct: usize,
    probability: f64,
}

impl Outcomes {
    fn new(bin: &Bin, of: &Reliability) -> Self {
        let (count, correct) = (bin.count, bin.correct);
        Self {
            share: count as f64 / of.total as f64,
            confidence: bin.confidence / count as f64,
            count,
            correct,
            probability: (correct as f64 + 1.0) / (count as f64 + 2.0),
        }
    }

    fn gap(&self) -> f64 {
        self.confidence - self.correct as f64 / self.count as f64
    }

    /// A share of right predictions.
    fn draw(&self, rng: &mut ChaCha8Rng) -> f64 {
        // A probability in (0, 1) makes a law.
        let law = Binomial::new(self.count as u64, self.probability);
        law.map_or(self.probability, |law| law.sample(rng) as f64 / self.count as f64)
    }

    /// The part of the squared error that is the truth of what is drawn.
    fn squared(&self) -> f64 {
        let gap = self.confidence - self.probability;
        self.share * gap * gap
    }

    /// The same estimated from a draw.
    fn squared_debiased(&self, rng: &mut ChaCha8Rng) -> f64 {
        let correct = self.draw(rng);
        let gap = self.confidence - correct;
        let variance =
            if self.count > 1 { correct * (1.0 - correct) / (self.count as f64 - 1.0) } else { 0.0 };
        self.share * (gap * gap - variance)
    }

    /// The smallest and the largest |gap| of the probabilities that the outcomes allow.
    fn limits(&self, outside: f64) -> [f64; 2] {
        let [low, high] = clopper_pearson(self.correct, self.count, outside);
        let (below, above) = (self.confidence - low, high - self.confidence);
        [(-below).max(-above).max(0.0), below.max(above)]
    }
}

/// What the error is at the least and at the most where no bin is outside its limits: none is but with probability 2·`outside`.
fn limits(bins: &[Outcomes], statistic: Statistic, outside: f64) -> [f64; 2] {
    let each: Vec<[f64; 2]> = bins.iter().map(|bin| bin.limits(outside / bins.len() as f64)).collect();
    [0, 1].map(|end| {
        let gaps = || bins.iter().zip(&each).map(|(bin, limits)| (bin.share, limits[end]));
        match statistic {
            Statistic::Mce => gaps().fold(0.0, |most: f64, (_, gap)| most.max(gap)),
            Statistic::Ece => gaps().map(|(share, gap)| share * gap).sum(),
            Statistic::Squared | Statistic::Rms => gaps().map(|(share, gap)| share * gap * gap).sum(),
        }
    })
}

/// Linear between order statistics.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let at = p * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + part * (sorted[high] - sorted[low])
}
