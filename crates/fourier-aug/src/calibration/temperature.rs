//! The negative log-likelihood of logits, and the temperature that makes it least.

use ndarray::ArrayRef2;
use variata_distributions::lanes::{Sum, array, exp, widest};
use variata_distributions::{ArgumentError, Real, check, parallel};

use super::{checked_labels, not_empty};
use crate::Error;

/// Numbers added up side by side.
const LANES: usize = 8;
/// Rows per task.
const TASK: usize = 256;
/// Newton's steps that are made at most; some ten are enough.
const STEPS: usize = 200;

/// Negative log-likelihood of the true classes `[n]` under logits [n, classes]: mean over examples of −log p(label) for p = softmax(logits), in
/// nats. Probabilities may be given as their logarithms.
///
/// It is ∞ where a true class has a logit of −∞.
///
/// # Errors
/// No example or class; a logit of NaN or +∞, a row of −∞; a label that is no class; lengths that differ.
///
/// ```
/// use ndarray::array;
/// let loss = variata_fourier_aug::negative_log_likelihood(&array![[0.0, 0.0], [3.0, 3.0]], &[0, 1])?;
/// assert!((loss - 2.0f64.ln()).abs() < 1e-15);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
pub fn negative_log_likelihood<F: Real>(logits: &ArrayRef2<F>, labels: &[usize]) -> Result<f64, Error> {
    checked(logits, labels)?;
    Ok(at(logits, labels, 1.0).value)
}

/// The temperature T > 0 for which softmax(logits/T) has the least [`negative_log_likelihood`], for logits [n, classes] and the true
/// classes `[n]` of examples that the classifier was not trained with.
///
/// Dividing by it changes no prediction, only confidence: T > 1 where the classifier is too confident.
///
/// Source: Guo et al. 2017, section 4.2. The loss is convex in 1/T; Newton's method finds its minimum to some roundings.
///
/// # Errors
/// As [`negative_log_likelihood`]; there is no such T: the classes that are true have the largest logits in all examples, so that the loss
/// falls all the way to T = 0, or no larger ones than the mean, so that it does to T = ∞, or one has the logit −∞.
///
/// ```
/// use ndarray::array;
/// use variata_fourier_aug::{Predictions, fit_temperature};
///
/// // Right three times of four, with a confidence of 0.98.
/// let (logits, labels) = (array![[4.0, 0.0], [4.0, 0.0], [0.0, 4.0], [0.0, 4.0]], [0, 0, 1, 0]);
/// let temperature = fit_temperature(&logits, &labels)?;
/// let calibrated = Predictions::from_logits(&(&logits / temperature), &labels)?;
/// assert!((calibrated.confidence()[0] - 0.75).abs() < 1e-12);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
pub fn fit_temperature<F: Real>(logits: &ArrayRef2<F>, labels: &[usize]) -> Result<f64, Error> {
    checked(logits, labels)?;
    let spread = widest_gap(logits);
    check::scalar("differences of logits", spread, "at most 1e150", spread <= 1e150)?;
    let none = |why| Err(Error::NoTemperature { why });
    let (start, end) = (at(logits, labels, 0.0), slope_far_away(logits, labels));
    if end == f64::INFINITY {
        return none("a true class has the logit -inf");
    }
    if start.slope >= 0.0 {
        return none(
            "true classes have no larger logits than others on average, and the loss falls towards T = inf",
        );
    }
    if end <= 0.0 {
        return none(
            "true classes have the largest logits in all examples, and the loss falls towards T = 0",
        );
    }
    // The slope rises in β = 1/T: negative at `low`, not so at `high`.
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut beta = -start.slope / start.curvature;
    if !beta.is_finite() {
        // Squares of differences below 1e-160 are 0.
        beta = -1.0 / start.slope;
    }
    for _ in 0..STEPS {
        let here = at(logits, labels, beta);
        if here.slope < 0.0 {
            low = beta;
        } else {
            high = beta;
        }
        let newton = beta - here.slope / here.curvature;
        let next = match (newton > low && newton < high, high.is_finite()) {
            (true, true) => newton,
            // Far from the minimum the loss is straight, and its steps are far too long.
            (true, false) => newton.min(16.0 * beta),
            (false, true) => 0.5 * (low + high),
            (false, false) => 2.0 * beta,
        };
        if here.slope == 0.0 || (next - beta).abs() <= 4.0 * f64::EPSILON * beta {
            break;
        }
        beta = next;
    }
    Ok(1.0 / beta)
}

fn checked<F: Real>(logits: &ArrayRef2<F>, labels: &[usize]) -> Result<(), Error> {
    not_empty("logits", logits.shape())?;
    checked_labels(labels, logits.dim())?;
    check::not_nan("logits", logits)?;
    let (argument, must) = ("logits", "below +inf");
    if let Some(index) = logits.iter().position(|z| z.to_f64() == f64::INFINITY) {
        return Err(ArgumentError::Value { argument, index: Some(index), value: f64::INFINITY, must }.into());
    }
    match (0..labels.len()).find(|&row| largest(logits, row) == f64::NEG_INFINITY) {
        Some(row) => Err(variata_distributions::Error::AllLogitsNegInf { argument, row }.into()),
        None => Ok(()),
    }
}

/// Mean loss at an inverse temperature, and its derivatives there.
struct Loss {
    value: f64,
    slope: f64,
    curvature: f64,
}

fn at<F: Real>(logits: &ArrayRef2<F>, labels: &[usize], beta: f64) -> Loss {
    let n = labels.len();
    let parts = parallel::collect(n.div_ceil(TASK), |task| {
        let mut sums = [Sum::default(); 3];
        let mut gaps = vec![f64::NEG_INFINITY; logits.ncols().next_multiple_of(LANES)];
        for i in task * TASK..n.min((task + 1) * TASK) {
            let largest = largest(logits, i);
            gaps.iter_mut().zip(logits.row(i)).for_each(|(gap, z)| *gap = z.to_f64() - largest);
            let [weight, first, second] = moments(&gaps, beta);
            let (mean, label) = (first / weight, gaps[labels[i]]);
            let row = [libm::log(weight) - beta * label, mean - label, second / weight - mean * mean];
            sums.iter_mut().zip(row).for_each(|(sum, v)| sum.add(v));
        }
        sums.map(Sum::value)
    });
    let mut sums = [Sum::default(); 3];
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, v)| sum.add(v));
    }
    let [value, slope, curvature] = sums.map(|sum| sum.value() / n as f64);
    Loss { value, slope, curvature: curvature.max(0.0) }
}

fn largest<F: Real>(logits: &ArrayRef2<F>, row: usize) -> f64 {
    logits.row(row).iter().fold(f64::NEG_INFINITY, |largest, z| largest.max(z.to_f64()))
}

/// Σ e^(βg), Σ g e^(βg) and Σ g² e^(βg); gaps of −∞ have no part in them, for β = 0 neither.
fn moments(gaps: &[f64], beta: f64) -> [f64; 3] {
    let lanes = widest(
        #[inline(always)]
        || {
            let mut lanes = [[0.0; LANES]; 3];
            for gaps in gaps.as_chunks::<LANES>().0 {
                for k in 0..LANES {
                    // Below is nothing, and 0·∞ no number.
                    let part = beta * gaps[k] > -700.0;
                    let gap = if part { gaps[k] } else { 0.0 };
                    let weight = if part { exp(beta * gap) } else { 0.0 };
                    lanes[0][k] += weight;
                    lanes[1][k] += gap * weight;
                    lanes[2][k] += gap * gap * weight;
                }
            }
            lanes
        },
    );
    array(|k| lanes[k].iter().sum())
}

/// The largest finite difference between logits of an example.
fn widest_gap<F: Real>(logits: &ArrayRef2<F>) -> f64 {
    let finite = |row: usize| logits.row(row).into_iter().map(|z| z.to_f64()).filter(|z| z.is_finite());
    let gap = |row: usize| largest(logits, row) - finite(row).fold(f64::INFINITY, f64::min);
    (0..logits.nrows()).map(gap).fold(0.0, f64::max)
}

/// The limit of the slope for β → ∞: the mean of what true classes are below the largest logit.
fn slope_far_away<F: Real>(logits: &ArrayRef2<F>, labels: &[usize]) -> f64 {
    let below = |(i, &label): (usize, &usize)| largest(logits, i) - logits[[i, label]].to_f64();
    labels.iter().enumerate().map(below).sum::<f64>() / labels.len() as f64
}
