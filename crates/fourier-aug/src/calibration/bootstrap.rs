//! Intervals for calibration errors by resampling the examples.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use variata_distributions::{check, parallel};

use super::{Bin, Binning, Predictions, Reliability, bins, countable};
use crate::Error;

/// A calibration error that intervals are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Statistic {
    /// [`Reliability::squared`], estimated by [`Reliability::squared_debiased`].
    Squared,
    /// [`Reliability::rms`], estimated by [`Reliability::rms_debiased`].
    Rms,
    /// [`Reliability::ece`], estimated by [`Reliability::ece_debiased`].
    Ece,
    /// [`Reliability::mce`], for which there is no debiased form: the interval is of percentiles.
    Mce,
}

/// How an interval is made.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// Resampled data are calibrated around the plug-in error of these data, not around 0. The interval is therefore that of
    /// the debiased estimate t with the replicates' t* measured from the plug-in value T: [t − (q_high − T), t − (q_low − T)]
    /// for the quantiles q of t*. For a perfectly calibrated classifier it is wider than need be, not narrower. Ends of
    /// [`Statistic::Rms`] are roots of those of [`Statistic::Squared`], which are cut at 0.
    ///
    /// Source: Efron, Tibshirani 1993, chapter 13 (the pivot); Derived in docs/src/theory/calibration.md.
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
        let (order, ends) = bins(self.confidence(), self.correct(), binning)?;
        // The bin of each example; none for those that a published binning drops.
        let mut bin_of = vec![usize::MAX; self.len()];
        let mut start = 0;
        for (b, end) in ends.into_iter().enumerate() {
            order[start..end].iter().for_each(|&i| bin_of[i] = b);
            start = end;
        }
        let mut values = parallel::collect(replicates, |r| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(r as u64);
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
            estimate(statistic, &Reliability { bins, total: self.len() })
        });
        values.sort_by(f64::total_cmp);
        let outside = 0.5 * (1.0 - level);
        let (low, high) = (quantile(&values, outside), quantile(&values, 1.0 - outside));
        let estimate = estimate(statistic, &reliability);
        let pivoted = |plug_in: f64| (estimate - (high - plug_in), estimate - (low - plug_in));
        let root = |x: f64| x.max(0.0).sqrt();
        let (low, high) = match statistic {
            Statistic::Squared => pivoted(reliability.squared()),
            Statistic::Ece => pivoted(reliability.ece()),
            Statistic::Mce => (low, high),
            Statistic::Rms => {
                let (low, high) = pivoted(reliability.squared());
                return Ok(Interval { low: root(low), estimate: root(estimate), high: root(high) });
            }
        };
        Ok(Interval { low, estimate, high })
    }
}

/// What is resampled: for [`Statistic::Rms`] its square.
fn estimate(statistic: Statistic, reliability: &Reliability) -> f64 {
    match statistic {
        Statistic::Squared | Statistic::Rms => reliability.squared_debiased(),
        Statistic::Ece => reliability.ece_debiased(),
        Statistic::Mce => reliability.mce(),
    }
}

/// Linear between order statistics.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let at = p * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + part * (sorted[high] - sorted[low])
}
