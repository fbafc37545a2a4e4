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
    /// [`Reliability::mce`], for which there is no debiased form.
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
    /// Resampled data are calibrated around the plug-in error of these data, not around 0. The interval of [`Statistic::Squared`] is
    /// therefore that of the debiased estimate t with the replicates' t* measured from the plug-in value T: [t − (q_high − T),
    /// t − (q_low − T)] for the quantiles q of t*. For a perfectly calibrated classifier it is wider than need be, not narrower.
    /// Ends of [`Statistic::Rms`] are roots of them, cut at 0.
    ///
    /// The bias of sums and maxima of |g_b| depends on which gaps are near 0, which resampling does not show. Their intervals are of
    /// what the replicates' gaps g* say of the error g* − g of each gap, and hold the error for any gaps, more often than asked:
    ///
    /// ```text
    /// ECE:  [T − q_high(Σ w_b|g*_b − g_b|), T − q_low(Σ w_b sign(g_b)(g*_b − g_b))]
    /// MCE:  T ∓ the quantile of max_b|g*_b − g_b| at the level
    /// ```
    /// cut at 0. Source: Efron, Tibshirani 1993, chapter 13 (the pivot); derived in docs/src/theory/calibration.md.
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
        let resampled = parallel::collect(replicates, |r| {
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
            found(statistic, &Reliability { bins, total: self.len() }, &reliability)
        });
        let (mut first, mut second): (Vec<f64>, Vec<f64>) = resampled.into_iter().unzip();
        first.sort_by(f64::total_cmp);
        second.sort_by(f64::total_cmp);
        let outside = 0.5 * (1.0 - level);
        let pivoted = |estimate: f64| {
            let t = reliability.squared();
            (estimate - (quantile(&first, 1.0 - outside) - t), estimate - (quantile(&first, outside) - t))
        };
        let root = |x: f64| x.max(0.0).sqrt();
        Ok(match statistic {
            Statistic::Squared => {
                let estimate = reliability.squared_debiased();
                let (low, high) = pivoted(estimate);
                Interval { low, estimate, high }
            }
            Statistic::Rms => {
                let (low, high) = pivoted(reliability.squared_debiased());
                Interval { low: root(low), estimate: reliability.rms_debiased(), high: root(high) }
            }
            Statistic::Ece => {
                let t = reliability.ece();
                let low = (t - quantile(&first, 1.0 - outside)).max(0.0);
                Interval { low, estimate: reliability.ece_debiased(), high: t - quantile(&second, outside) }
            }
            Statistic::Mce => {
                let (t, reach) = (reliability.mce(), quantile(&first, level));
                Interval { low: (t - reach).max(0.0), estimate: t, high: t + reach }
            }
        })
    }
}

/// What is resampled.
fn found(statistic: Statistic, replicate: &Reliability, reliability: &Reliability) -> (f64, f64) {
    let of = |bin: &Bin| bin.count as f64 / replicate.total as f64;
    let pairs = || replicate.bins.iter().zip(&reliability.bins).filter(|(bin, _)| bin.count > 0);
    let errors = || pairs().map(|(bin, own)| (of(bin), own.gap(), bin.gap() - own.gap()));
    match statistic {
        Statistic::Squared | Statistic::Rms => (replicate.squared_debiased(), 0.0),
        Statistic::Ece => {
            let along = |gap: f64| if gap == 0.0 { 0.0 } else { gap.signum() };
            (
                errors().map(|(w, _, error)| w * error.abs()).sum(),
                errors().map(|(w, gap, error)| w * along(gap) * error).sum(),
            )
        }
        Statistic::Mce => (errors().fold(0.0, |most, (_, _, error)| most.max(error.abs())), 0.0),
    }
}

/// Linear between order statistics.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let at = p * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + part * (sorted[high] - sorted[low])
}
