//! Intervals for calibration errors by resampling the examples.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution};
use variata_distributions::{check, parallel};

use super::{Bin, Binning, Predictions, Reliability, bins, countable};
use crate::Error;

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
    /// A bootstrap interval for a calibration error. The bins are those of the predictions themselves, in every replicate.
    ///
    /// Resampled data are calibrated around the plug-in error of these data, not around 0. The interval of [`Statistic::Squared`] is
    /// therefore that of the debiased estimate t with the replicates' t* measured from the plug-in value T: [t − (q_high − T),
    /// t − (q_low − T)] for the quantiles q of t*. For a perfectly calibrated classifier it is wider than need be, not narrower.
    /// Ends of [`Statistic::Rms`] are roots of them, cut at 0.
    ///
    /// The bias of sums and maxima of |g_b| depends on which gaps are near 0, which resampling does not show. Their intervals come from
    /// the errors e_b of the gaps, and hold the calibration error whatever the gaps are:
    ///
    /// ```text
    /// ECE:  [T − q_high(Σ w_b|e_b|), T − q_low(Σ w_b sign(g_b) e_b)]
    /// MCE:  T ∓ the quantile of max_b|e_b| at the level
    /// ```
    /// cut at 0. Of k right predictions among n in a bin, e_b is what a binomial share of n with probability (k + 1)/(n + 2) is off it. The
    /// interval of the ECE holds it more often than asked, that of the MCE only where
    /// every bin has five examples or more.
    ///
    /// Source: Efron, Tibshirani 1993, chapter 13 (the pivot); derived in docs/src/theory/calibration.md.
    ///
    /// # Errors
    /// A level outside (0, 1), no replicate, a bin size or number of bins of 0.
    ///
    /// ```
    /// use ndarray::Array1;
    /// use variata_fourier_aug::{Binning, Bootstrap, Predictions, Statistic};
    ///
    /// // Always right at confidence ½: the error is ½ in every resampled set.
    /// let predictions = Predictions::new(&Array1::from_elem(40, 0.5), &[true; 40])?;
    /// let binning = Binning::EqualWidth { bins: 10 };
    /// let found = predictions.interval(Statistic::Rms, binning, &Bootstrap::default())?;
    /// assert_eq!((found.low, found.estimate, found.high), (0.5, 0.5, 0.5));
    /// # Ok::<(), variata_fourier_aug::Error>(())
    /// ```
    pub fn interval(
        &self,
        statistic: Statistic,
        binning: Binning,
        bootstrap: &Bootstrap,
    ) -> Result<Interval, Error> {
        let Bootstrap { level, replicates, seed } = *bootstrap;
        check::scalar("level", level, "in (0, 1)", level > 0.0 && level < 1.0)?;
        countable("replicates", replicates)?;
        let reliability = self.reliability(binning)?;
        let outside = 0.5 * (1.0 - level);
        let each = |draw: &(dyn Fn(&mut ChaCha8Rng) -> [f64; 2] + Sync)| {
            let all = parallel::collect(replicates, |r| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(r as u64);
                draw(&mut rng)
            });
            [0, 1].map(|i| {
                let mut values: Vec<f64> = all.iter().map(|pair| pair[i]).collect();
                values.sort_by(f64::total_cmp);
                values
            })
        };
        let pivoted = |estimate: f64| -> Result<(f64, f64), Error> {
            let bin_of = self.bin_of(binning)?;
            let [found, _] =
                each(&|rng| [self.resampled(&reliability, &bin_of, rng).squared_debiased(), 0.0]);
            let ends = [1.0 - outside, outside].map(|p| quantile(&found, p) - reliability.squared());
            Ok((estimate - ends[0], estimate - ends[1]))
        };
        let root = |x: f64| x.max(0.0).sqrt();
        Ok(match statistic {
            Statistic::Squared => {
                let estimate = reliability.squared_debiased();
                let (low, high) = pivoted(estimate)?;
                Interval { low, estimate, high }
            }
            Statistic::Rms => {
                let (low, high) = pivoted(reliability.squared_debiased())?;
                Interval { low: root(low), estimate: reliability.rms_debiased(), high: root(high) }
            }
            Statistic::Ece => {
                let [sizes, along] = each(&|rng| {
                    let errors = errors(&reliability, rng);
                    [
                        errors.iter().map(|e| e.share * e.error.abs()).sum(),
                        errors.iter().map(GapError::along).sum(),
                    ]
                });
                let t = reliability.ece();
                let (low, high) = (t - quantile(&sizes, 1.0 - outside), t - quantile(&along, outside));
                Interval { low: low.max(0.0), estimate: reliability.ece_debiased(), high }
            }
            Statistic::Mce => {
                let [largest, _] = each(&|rng| {
                    let errors = errors(&reliability, rng);
                    [errors.iter().fold(0.0, |most: f64, e| most.max(e.error.abs())), 0.0]
                });
                let (t, reach) = (reliability.mce(), quantile(&largest, level));
                Interval { low: (t - reach).max(0.0), estimate: t, high: t + reach }
            }
        })
    }

    /// The bin of each example; none, a number that is no bin, for those that a published binning drops.
    fn bin_of(&self, binning: Binning) -> Result<Vec<usize>, Error> {
        let (order, ends) = bins(self.confidence(), self.correct(), binning)?;
        let mut bin_of = vec![usize::MAX; self.len()];
        let mut start = 0;
        for (b, end) in ends.into_iter().enumerate() {
            order[start..end].iter().for_each(|&i| bin_of[i] = b);
            start = end;
        }
        Ok(bin_of)
    }

    /// As many examples drawn from these, in their bins.
    fn resampled(&self, reliability: &Reliability, bin_of: &[usize], rng: &mut ChaCha8Rng) -> Reliability {
        let mut bins: Vec<Bin> = reliability.bins.clone();
        for bin in &mut bins {
            (bin.count, bin.confidence, bin.correct) = (0, 0.0, 0);
        }
        for _ in 0..self.len() {
            let i = rng.random_range(0..self.len());
            if let Some(bin) = bins.get_mut(bin_of[i]) {
                bin.count += 1;
                bin.confidence += self.confidence[i];
                bin.correct += usize::from(self.correct[i]);
            }
        }
        Reliability { bins, total: self.len() }
    }
}

/// What outcomes drawn anew would move the gap of a bin by.
struct GapError {
    /// Share of all examples.
    share: f64,
    gap: f64,
    error: f64,
}

/// One draw for each bin that holds an example.
fn errors(reliability: &Reliability, rng: &mut ChaCha8Rng) -> Vec<GapError> {
    let bins = reliability.bins.iter().filter(|bin| bin.count > 0);
    bins.map(|bin| {
        let n = bin.count as f64;
        // Not k/n, which of few examples says that there is no error.
        let p = (bin.correct as f64 + 1.0) / (n + 2.0);
        // A probability in (0, 1) makes a law.
        let drawn = Binomial::new(bin.count as u64, p).map_or(0.0, |law| law.sample(rng) as f64 / n - p);
        GapError { share: n / reliability.total as f64, gap: bin.gap(), error: drawn }
    })
    .collect()
}

impl GapError {
    /// The part of the error that the gap's sign lets through.
    fn along(&self) -> f64 {
        if self.gap == 0.0 { 0.0 } else { self.share * self.gap.signum() * self.error }
    }
}

/// Linear between order statistics.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let at = p * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + part * (sorted[high] - sorted[low])
}
