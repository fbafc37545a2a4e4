//! The Jensen–Shannon divergence between several categorical distributions.

mod batch;

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2};

use crate::kl::log_ratio;
use crate::special::{log_sum_exp, log1pmx};
use crate::sums::{sum, two_sum};
use crate::{ArgumentError, Error, Real, check};

pub use batch::{
    jensen_shannon_batch, jensen_shannon_batch_probabilities, jensen_shannon_batch_with_grad,
    jensen_shannon_batch_with_grad_into,
};

/// Jensen–Shannon divergence between the distributions softmax(logits) of the rows of `logits` [n, categories], in nats.
///
/// ```text
/// m = Σᵢ wᵢpᵢ,   JSD = Σᵢ wᵢ KL(pᵢ‖m) = Σ_k m_k Σᵢ wᵢ φ(pᵢ_k/m_k − 1),   φ(r) = (1 + r) log(1 + r) − r
/// ```
/// Source: Lin, "Divergence measures based on the Shannon entropy" (1991), eq. 5.1; the second form because Σᵢ wᵢ
/// (pᵢ_k − m_k) = 0.
///
/// # Shapes
/// `weights` `[n]`, > 0 and adding to 1; `None` for 1/n each.
///
/// # Errors
/// No row or no category, a logit of NaN or +∞, a row of −∞, weights of the wrong shape or that do not add to 1.
///
/// # Numerics
/// f64 throughout; each term is ≥ 0, so the relative error is a few ulp of the logits at any size and with any weights: where
/// one is so near 1 that the others do not show in it, it counts as what they leave. 0 exactly when the rows are equal.
///
/// ```
/// use ndarray::array;
/// let (zero, far) = (0.0, f64::NEG_INFINITY);
/// let jsd = variata_distributions::jensen_shannon(&array![[zero, far], [far, zero]], None)?;
/// assert!((jsd - std::f64::consts::LN_2).abs() < 1e-15);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn jensen_shannon<F: Real>(
    logits: &ArrayRef2<F>,
    weights: Option<&ArrayRef1<f64>>,
) -> Result<f64, Error> {
    let (rows, weights) = prepared(logits, weights)?;
    Ok(Ratios::new(&rows.p, &weights, |i, j, k| rows.log_ratio(i, j, k)).sum)
}

/// [`jensen_shannon`] and its partial derivatives in the logits, [n, categories].
///
/// ```text
/// wᵢpᵢ_k (log(pᵢ_k/m_k) − KL(pᵢ‖m))
/// ```
///
/// # Errors
/// As [`jensen_shannon`].
pub fn jensen_shannon_with_grad<F: Real>(
    logits: &ArrayRef2<F>,
    weights: Option<&ArrayRef1<f64>>,
) -> Result<(f64, Array2<F>), Error> {
    let (rows, weights) = prepared(logits, weights)?;
    let p = &rows.p;
    let ratios = Ratios::new(p, &weights, |i, j, k| rows.log_ratio(i, j, k));
    let mut grad = Array2::from_elem(p.raw_dim(), F::ZERO);
    for (i, mut row) in grad.rows_mut().into_iter().enumerate() {
        let inner = |k: usize| if p[(i, k)] == 0.0 { 0.0 } else { p[(i, k)] * ratios.log[(i, k)] };
        let kl: f64 = (0..p.ncols()).map(inner).sum();
        for (k, to) in row.iter_mut().enumerate() {
            *to = F::from_f64(weights[i] * (inner(k) - p[(i, k)] * kl));
        }
    }
    Ok((ratios.sum, grad))
}

/// [`jensen_shannon`] between rows of probabilities [n, categories], which may hold zeros.
///
/// # Errors
/// As [`jensen_shannon`]; a probability outside [0, 1]; a row whose sum is not 1 to 1e-6 (f32) or 1e-12 (f64).
pub fn jensen_shannon_probabilities<F: Real>(
    probabilities: &ArrayRef2<F>,
    weights: Option<&ArrayRef1<f64>>,
) -> Result<f64, Error> {
    non_empty("probabilities", probabilities)?;
    check::probability("probabilities", probabilities)?;
    let weights = checked_weights(probabilities.nrows(), weights)?;
    let p = probabilities.mapv(Real::to_f64);
    for (row, sum) in p.rows().into_iter().map(|row| sum(row.iter().copied())).enumerate() {
        let slack = if F::UNIT_ROUNDOFF > 1e-10 { 1e-6 } else { 1e-12 };
        if (sum - 1.0).abs() > slack {
            let index = Some(row * p.ncols());
            let must = "in a row that adds to 1";
            return Err(ArgumentError::Value { argument: "probabilities", index, value: sum, must }.into());
        }
    }
    Ok(Ratios::new(&p, &weights, |i, j, k| log_ratio(p[(i, k)], p[(j, k)])).sum)
}

fn non_empty<F: Real>(argument: &'static str, x: &ArrayRef2<F>) -> Result<(), ArgumentError> {
    if x.is_empty() {
        let want = "[n, categories], not empty".to_owned();
        return Err(ArgumentError::Shape { argument, got: x.shape().to_vec(), want });
    }
    Ok(())
}

pub(crate) fn checked_weights(
    n: usize,
    weights: Option<&ArrayRef1<f64>>,
) -> Result<Array1<f64>, ArgumentError> {
    let Some(weights) = weights else { return Ok(Array1::from_elem(n, 1.0 / n as f64)) };
    check::shape("weights", weights.shape(), &[n])?;
    check::positive("weights", weights)?;
    let sum = sum(weights.iter().copied());
    check::scalar("weights", sum, "summing to 1", (sum - 1.0).abs() <= 1e-12)?;
    Ok(weights.to_owned())
}

/// Rows of logits in f64.
struct Rows {
    logits: Array2<f64>,
    /// Largest logit h of each row, and log Σ exp(l − h).
    normaliser: Vec<(f64, f64)>,
    /// Probabilities.
    p: Array2<f64>,
    /// The likeliest category of the first row.
    top: usize,
    /// From [`gains`].
    gain: Vec<f64>,
}

impl Rows {
    /// log(pᵢ_k/pⱼ_k) from the logits themselves: next to equality their difference is exact, while that of the
    /// log-probabilities has the rounding of each. So has that of the normalisers, which [`gains`] avoids.
    fn log_ratio(&self, i: usize, j: usize, k: usize) -> f64 {
        let l = &self.logits;
        let gain = self.gain[i] - self.gain[j];
        if gain.is_nan() {
            let [(high_i, sum_i), (high_j, sum_j)] = [self.normaliser[i], self.normaliser[j]];
            return ((l[(i, k)] - high_i) - (l[(j, k)] - high_j)) - (sum_i - sum_j);
        }
        change([l[(i, k)], l[(j, k)]], [l[(i, self.top)], l[(j, self.top)]]) - gain
    }
}

/// (a − b) − (c − d) with what the inner differences round off: two rows of which one is far from 0 differ in digits that a − b has lost.
fn change([a, b]: [f64; 2], [c, d]: [f64; 2]) -> f64 {
    let ((first, lost), (second, other)) = (two_sum(a, -b), two_sum(c, -d));
    let rest = lost - other;
    // Of an infinite difference no rest is known.
    (first - second) + if rest.is_nan() { 0.0 } else { rest }
}

/// gᵢ = log Σ_k p₀_k exp(aᵢ_k) with aᵢ_k = (lᵢ_k − l₀_k) − (lᵢ_top − l₀_top), so that log(pᵢ_k/p₀_k) = aᵢ_k − gᵢ.
///
/// The likeliest category gives nothing to the sum: where it holds almost all the mass, the ratio there keeps its digits
/// too. NaN for a row that moved much of the mass; the divergence is then so large that the normalisers serve.
fn gains(logits: &Array2<f64>, p: &Array2<f64>, top: usize) -> Vec<f64> {
    let gain = |row: ndarray::ArrayView1<'_, f64>| {
        let moved = |k: usize| {
            let a = change([row[k], logits[(0, k)]], [row[top], logits[(0, top)]]);
            if row[k] == logits[(0, k)] && row[k] == f64::NEG_INFINITY {
                0.0
            } else {
                p[(0, k)] * libm::expm1(a)
            }
        };
        let sum: f64 = (0..row.len()).map(moved).sum();
        if (-0.5..1e300).contains(&sum) { libm::log1p(sum) } else { f64::NAN }
    };
    logits.rows().into_iter().map(gain).collect()
}

/// Logits and weights, checked.
fn prepared<F: Real>(
    logits: &ArrayRef2<F>,
    weights: Option<&ArrayRef1<f64>>,
) -> Result<(Rows, Array1<f64>), Error> {
    non_empty("logits", logits)?;
    let bad = |v: f64| v.is_nan() || v == f64::INFINITY;
    if let Some((index, value)) = logits.iter().map(|v| v.to_f64()).enumerate().find(|&(_, v)| bad(v)) {
        let must = "< +inf and a number";
        return Err(ArgumentError::Value { argument: "logits", index: Some(index), value, must }.into());
    }
    let weights = checked_weights(logits.nrows(), weights)?;
    let logits = logits.mapv(Real::to_f64);
    let mut normaliser = Vec::with_capacity(logits.nrows());
    for (i, row) in logits.rows().into_iter().enumerate() {
        let high = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if high == f64::NEG_INFINITY {
            return Err(Error::AllLogitsNegInf { argument: "logits", row: i });
        }
        let below: Vec<f64> = row.iter().map(|l| l - high).collect();
        normaliser.push((high, log_sum_exp(&below)));
    }
    let p = Array2::from_shape_fn(logits.raw_dim(), |(i, k)| {
        let (high, sum) = normaliser[i];
        libm::exp((logits[(i, k)] - high) - sum)
    });
    let top = (0..p.ncols()).fold(0, |top, k| if p[(0, k)] > p[(0, top)] { k } else { top });
    let gain = gains(&logits, &p, top);
    Ok((Rows { logits, normaliser, p, top, gain }, weights))
}

/// log(p/m), −∞ where p is 0, and Σ_k m_k Σᵢ wᵢ φ(pᵢ_k/m_k − 1).
struct Ratios {
    log: Array2<f64>,
    sum: f64,
}

impl Ratios {
    /// r from differences of logarithms where they are near, so that it keeps its digits as the rows become equal.
    fn new(p: &Array2<f64>, weights: &Array1<f64>, log_ratio: impl Fn(usize, usize, usize) -> f64) -> Self {
        let m = weights.dot(p);
        let mut log = Array2::zeros(p.raw_dim());
        let mut logs = vec![0.0; p.nrows()];
        let mut sum = 0.0;
        for (k, &m) in m.iter().enumerate() {
            // Relative to the row that gives most to m: p_i/p_f − 1 = expm1(log p_i − log p_f). Beside a likelier row of
            // little weight the others would lose theirs.
            let (mut first, mut most) = (0, 0.0);
            for (i, (p, w)) in p.column(k).iter().zip(weights).enumerate() {
                if w * p > most {
                    (first, most) = (i, w * p);
                }
            }
            if most == 0.0 {
                continue;
            }
            for (i, to) in logs.iter_mut().enumerate() {
                *to = if p[(i, k)] == 0.0 { f64::NEG_INFINITY } else { log_ratio(i, first, k) };
            }
            let over_rows = |f: fn(f64) -> f64| -> f64 {
                logs.iter().zip(weights).map(|(&log, &w)| weighted(w, log, f)).sum()
            };
            let mean = over_rows(libm::expm1);
            // m/p_f = 1 + mean; where that is small, the sum itself, in which nothing cancels.
            let near = mean > -0.5;
            let share = if near { 1.0 + mean } else { over_rows(libm::exp) };
            let shift = if near { libm::log1p(mean) } else { libm::log(share) };
            for (i, &l) in logs.iter().enumerate() {
                let r = if near { (libm::expm1(l) - mean) / share } else { libm::exp(l) / share - 1.0 };
                // Not log1p(r): r rounds to −1 where p is small beside m.
                log[(i, k)] = l - shift;
                sum += if r > 1.0 {
                    // (1 + r) log(1 + r) − r: the form below would lose the digits of r, which grows to 1/w.
                    weights[i] * (p[(i, k)] * log[(i, k)] - (p[(i, k)] - m))
                } else {
                    let phi = if r <= -1.0 { 1.0 } else { (1.0 + r) * log1pmx(r) + r * r };
                    m * weights[i] * phi
                };
            }
        }
        Self { log, sum }
    }
}

/// w·f(x) for f = exp or expm1, also where the exponential overflows and the product does not.
fn weighted(w: f64, x: f64, f: fn(f64) -> f64) -> f64 {
    if x < 700.0 {
        return f(x) * w;
    }
    let half = libm::exp(0.5 * x);
    half * w * half
}
