//! The Brier score and what it is made of.

use ndarray::ArrayRef2;
use variata_distributions::Real;

use super::{Binning, bins, checked_rows};
use crate::Error;

/// Terms of a Brier score: `reliability − resolution + uncertainty + within_variance − within_covariance`.
///
/// With mean forecast p̄_b, frequency ȳ_b and share w_b of bin b, and frequency ō of all:
///
/// ```text
/// reliability Σ w_b(p̄_b − ȳ_b)²,   resolution Σ w_b(ȳ_b − ō)²,   uncertainty ō(1 − ō),
/// within_variance mean (p − p̄_b)²,   within_covariance 2 mean (p − p̄_b)(y − ȳ_b)
/// ```
/// The last two are 0 when all forecasts of a bin are equal, and are what Murphy's three terms miss otherwise.
///
/// Source: Murphy 1973; Stephenson, Coelho, Jolliffe 2008.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BrierDecomposition {
    /// The score itself.
    pub score: f64,
    /// Miscalibration; the smaller the better.
    pub reliability: f64,
    /// How far the bins differ in frequency; the larger the better.
    pub resolution: f64,
    /// What the outcomes alone give.
    pub uncertainty: f64,
    /// Variance of forecasts within bins.
    pub within_variance: f64,
    /// Twice the covariance of forecasts and outcomes within bins.
    pub within_covariance: f64,
}

/// Brier score of probabilities [n, classes] for the true classes `[n]`: mean over examples of Σ_k (p_k − y_k)², in [0, 2].
///
/// Source: Brier 1950.
///
/// # Errors
/// As [`Predictions::from_probabilities`](crate::Predictions::from_probabilities).
///
/// ```
/// use ndarray::array;
/// let score = variata_fourier_aug::brier_score(&array![[0.8, 0.2]], &[0])?;
/// assert!((score - 0.08).abs() < 1e-15);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
pub fn brier_score<F: Real>(probabilities: &ArrayRef2<F>, labels: &[usize]) -> Result<f64, Error> {
    checked_rows(probabilities, labels)?;
    let mut sum = 0.0;
    for (row, &label) in probabilities.rows().into_iter().zip(labels) {
        for (k, p) in row.iter().enumerate() {
            let gap = p.to_f64() - if k == label { 1.0 } else { 0.0 };
            sum += gap * gap;
        }
    }
    Ok(sum / labels.len() as f64)
}

/// Decomposition of [`brier_score`]: the sum over classes of the decompositions of "the class is k" with forecast p_k.
///
/// # Errors
/// As [`brier_score`]; a bin size or number of bins of 0; a published binning, which loses examples.
///
/// ```
/// use ndarray::array;
/// use variata_fourier_aug::{Binning, brier_decomposition};
/// let p = array![[0.8, 0.2], [0.4, 0.6]];
/// let d = brier_decomposition(&p, &[0, 0], Binning::EqualWidth { bins: 10 })?;
/// let sum = d.reliability - d.resolution + d.uncertainty + d.within_variance - d.within_covariance;
/// assert!((d.score - sum).abs() < 1e-15);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
pub fn brier_decomposition<F: Real>(
    probabilities: &ArrayRef2<F>,
    labels: &[usize],
    binning: Binning,
) -> Result<BrierDecomposition, Error> {
    checked_rows(probabilities, labels)?;
    let mut all = BrierDecomposition::default();
    for (k, column) in probabilities.columns().into_iter().enumerate() {
        let forecast: Vec<f64> = column.iter().map(|p| p.to_f64()).collect();
        let outcome: Vec<bool> = labels.iter().map(|&label| label == k).collect();
        let part = decompose(&forecast, &outcome, binning)?;
        all.score += part.score;
        all.reliability += part.reliability;
        all.resolution += part.resolution;
        all.uncertainty += part.uncertainty;
        all.within_variance += part.within_variance;
        all.within_covariance += part.within_covariance;
    }
    Ok(all)
}

/// Of the forecasts of a binary outcome.
pub(super) fn decompose(
    forecast: &[f64],
    outcome: &[bool],
    binning: Binning,
) -> Result<BrierDecomposition, Error> {
    if !matches!(binning, Binning::Adaptive { .. } | Binning::EqualWidth { .. }) {
        return Err(Error::PublishedBinning);
    }
    let (order, ends) = bins(forecast, outcome, binning)?;
    let n = forecast.len() as f64;
    let y = |i: usize| if outcome[i] { 1.0 } else { 0.0 };
    let base = outcome.iter().filter(|o| **o).count() as f64 / n;
    let mut found = BrierDecomposition { uncertainty: base * (1.0 - base), ..Default::default() };
    let mut start = 0;
    for end in ends {
        let members = &order[start..end];
        start = end;
        if members.is_empty() {
            continue;
        }
        let count = members.len() as f64;
        let mean_p = members.iter().map(|&i| forecast[i]).sum::<f64>() / count;
        let mean_y = members.iter().map(|&i| y(i)).sum::<f64>() / count;
        found.reliability += count / n * (mean_p - mean_y) * (mean_p - mean_y);
        found.resolution += count / n * (mean_y - base) * (mean_y - base);
        for &i in members {
            let (p, y) = (forecast[i], y(i));
            found.score += (p - y) * (p - y) / n;
            found.within_variance += (p - mean_p) * (p - mean_p) / n;
            found.within_covariance += 2.0 * (p - mean_p) * (y - mean_y) / n;
        }
    }
    Ok(found)
}
