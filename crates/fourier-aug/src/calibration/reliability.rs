//! Bins of predictions, and the calibration errors made of them.

use variata_distributions::special;

use super::{Binning, at_least_one, countable};
use crate::Error;

/// A bin of the reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// Lower end: of the interval for equal widths, else the least confidence in the bin.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Number of examples.
    pub count: usize,
    pub(super) confidence: f64,
    pub(super) correct: usize,
}

impl Bin {
    /// Mean confidence; `None` in an empty bin.
    pub fn confidence(&self) -> Option<f64> {
        (self.count > 0).then(|| self.confidence / self.count as f64)
    }

    /// Share of right predictions; `None` in an empty bin.
    pub fn accuracy(&self) -> Option<f64> {
        (self.count > 0).then(|| self.correct as f64 / self.count as f64)
    }

    /// Mean confidence minus accuracy; 0 in an empty bin.
    pub fn gap(&self) -> f64 {
        if self.count == 0 { 0.0 } else { (self.confidence - self.correct as f64) / self.count as f64 }
    }

    /// Variance of the accuracy, ȳ(1 − ȳ)/(n − 1); 0 for fewer than two examples, where there is no estimate.
    pub(super) fn variance(&self) -> f64 {
        let n = self.count as f64;
        let y = self.correct as f64 / n;
        if self.count < 2 { 0.0 } else { y * (1.0 - y) / (n - 1.0) }
    }
}

/// Bins of predictions: the data of a reliability diagram, and the calibration errors made of them.
///
/// With weight w_b = (examples in bin b)/(all examples) and gap g_b = mean confidence − accuracy. The paper's tables show
/// 100 times these numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Reliability {
    pub(super) bins: Vec<Bin>,
    pub(super) total: usize,
}

impl Reliability {
    /// The bins by rising confidence.
    pub fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// Number of all examples, also of those that a published binning drops.
    pub fn total(&self) -> usize {
        self.total
    }

    fn weighted(&self, of: impl Fn(&Bin) -> f64) -> f64 {
        // Not `sum`, which is −0 of nothing.
        self.bins.iter().fold(0.0, |sum, bin| sum + bin.count as f64 / self.total as f64 * of(bin))
    }

    /// Expected calibration error Σ w_b |g_b|.
    pub fn ece(&self) -> f64 {
        self.weighted(|bin| bin.gap().abs())
    }

    /// Squared calibration error Σ w_b g_b².
    pub fn squared(&self) -> f64 {
        self.weighted(|bin| bin.gap() * bin.gap())
    }

    /// RMS calibration error √Σ w_b g_b², the paper's.
    pub fn rms(&self) -> f64 {
        self.squared().sqrt()
    }

    /// Maximum calibration error max_b |g_b| over bins that hold an example.
    pub fn mce(&self) -> f64 {
        self.bins.iter().fold(0.0, |most, bin| most.max(bin.gap().abs()))
    }

    /// [`squared`](Self::squared) without what the chance of few examples adds to it:
    ///
    /// ```text
    /// Σ w_b (g_b² − ȳ_b(1 − ȳ_b)/(n_b − 1))
    /// ```
    /// Negative values are possible and returned: their mean over data sets is the calibration error of the bins. From a bin
    /// of one example, where the variance has no estimate, nothing is subtracted.
    ///
    /// Source: Kumar, Liang, Ma 2019, section 5.
    pub fn squared_debiased(&self) -> f64 {
        self.weighted(|bin| bin.gap() * bin.gap() - bin.variance())
    }

    /// √max(0, [`squared_debiased`](Self::squared_debiased)).
    pub fn rms_debiased(&self) -> f64 {
        self.squared_debiased().max(0.0).sqrt()
    }

    /// [`ece`](Self::ece) less its bias for gaps with normal errors: Σ w_b (2|g_b| − E|g_b + σ_b Z|), σ_b² as in
    /// [`squared_debiased`](Self::squared_debiased). May be negative.
    ///
    /// Source: Kumar, Liang, Ma 2019, section 5, with the mean of the folded normal in closed form in place of draws.
    pub fn ece_debiased(&self) -> f64 {
        self.weighted(|bin| {
            let (gap, sd) = (bin.gap().abs(), bin.variance().sqrt());
            if sd == 0.0 {
                return gap;
            }
            let z = gap / sd;
            // E|g + σZ| = σ√(2/π) exp(−z²/2) + g(1 − 2Φ(−z)).
            2.0 * gap - (2.0 * sd * special::norm_pdf(z) + gap * (1.0 - 2.0 * special::ndtr(-z)))
        })
    }
}

/// The examples in order of confidence and the end of each bin in that order.
pub(super) fn bins(
    confidence: &[f64],
    correct: &[bool],
    binning: Binning,
) -> Result<(Vec<usize>, Vec<usize>), Error> {
    let n = confidence.len();
    let mut order: Vec<usize> = (0..n).collect();
    let by_confidence = |i: &usize, j: &usize| confidence[*i].total_cmp(&confidence[*j]);
    match binning {
        // Then by outcome, so that sums do not depend on the order given.
        Binning::Adaptive { .. } | Binning::EqualWidth { .. } => {
            order.sort_by(|i, j| by_confidence(i, j).then(correct[*i].cmp(&correct[*j])));
        }
        _ => order.sort_by(by_confidence),
    }
    let ends = match binning {
        Binning::Adaptive { size } => {
            at_least_one("size", size)?;
            let mut ends = Vec::new();
            let mut start = 0;
            while start < n {
                let mut end = start.saturating_add(size).min(n);
                while end < n && confidence[order[end]] == confidence[order[end - 1]] {
                    end += 1;
                }
                if n - end < size {
                    end = n;
                }
                ends.push(end);
                start = end;
            }
            ends
        }
        Binning::EqualWidth { bins } => {
            countable("bins", bins)?;
            let edge = |b: usize| b as f64 / bins as f64;
            let bin = |i: usize| {
                let c = confidence[i];
                let b = ((c * bins as f64) as usize).min(bins - 1);
                // The product is rounded: 0.29 · 100 is below 29. The edges decide.
                if c < edge(b) {
                    b - 1
                } else if b + 1 < bins && c >= edge(b + 1) {
                    b + 1
                } else {
                    b
                }
            };
            (0..bins).map(|b| order.partition_point(|&i| bin(i) <= b)).collect()
        }
        Binning::PublishedDropsRest { size } => {
            at_least_one("size", size)?;
            (1..=n / size).map(|b| b * size).collect()
        }
        Binning::PublishedSkipsLast { size } => {
            at_least_one("size", size)?;
            (1..n / size).map(|b| b * size).collect()
        }
    };
    Ok((order, ends))
}
