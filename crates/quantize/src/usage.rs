//! Which codes are used, how evenly, and which are dead.

use std::collections::VecDeque;

use ndarray::{Array1, ArrayRef, Dimension};
use variata_distributions::check;
use variata_distributions::lanes::{Sum, sum};
use variata_distributions::special::log1pmx;

use crate::error::Error;

/// How often each code was chosen: of a batch, or of an epoch by adding or merging batches.
///
/// ```text
/// perplexity = exp H,   H = −Σ pₖ log pₖ,   pₖ = countₖ/Σ count
/// ```
/// 1 when one code takes all, K when all are used alike. Perplexities of batches say little about an epoch: a batch smaller than K
/// cannot reach K. Source: van den Oord et al. 2017, code; definition.
///
/// ```
/// use ndarray::array;
/// use variata_quantize::Usage;
///
/// let mut usage = Usage::new(4)?;
/// usage.add(&array![0, 0, 1, 1])?;
/// assert!((usage.perplexity().unwrap_or(0.0) - 2.0).abs() < 1e-15);
/// assert_eq!(usage.unused(), [2, 3]);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Stored"))]
pub struct Usage {
    counts: Vec<u64>,
}

/// What a file may hold, before it is checked.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Stored {
    counts: Vec<u64>,
}

#[cfg(feature = "serde")]
impl TryFrom<Stored> for Usage {
    type Error = Error;

    fn try_from(Stored { counts }: Stored) -> Result<Self, Error> {
        Self::new(counts.len())?;
        Ok(Self { counts })
    }
}

impl Usage {
    /// No choice yet among `codes` codes.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no codes, or more than 2²⁴.
    pub fn new(codes: usize) -> Result<Self, Error> {
        check::scalar("codes", codes as f64, "from 1 to 16777216", (1..=1 << 24).contains(&codes))?;
        Ok(Self { counts: vec![0; codes] })
    }

    /// Counts more indices.
    ///
    /// # Errors
    /// [`Error::Index`] for the first that is not less than the number of codes. Nothing is counted then.
    pub fn add<D: Dimension>(&mut self, indices: &ArrayRef<usize, D>) -> Result<(), Error> {
        let codes = self.counts.len();
        if let Some((position, &index)) = indices.iter().enumerate().find(|(_, index)| **index >= codes) {
            return Err(Error::Index { argument: "indices", position, index: index as i128, codes });
        }
        indices.iter().for_each(|&index| self.counts[index] = self.counts[index].saturating_add(1));
        Ok(())
    }

    /// Adds the counts of another batch or worker.
    ///
    /// # Errors
    /// [`Error::Argument`] if the numbers of codes differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        check::shape("other", &[other.counts.len()], &[self.counts.len()])?;
        self.counts.iter_mut().zip(&other.counts).for_each(|(to, n)| *to = to.saturating_add(*n));
        Ok(())
    }

    /// How often each code was chosen `[K]`.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// How many choices were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum: u64, n| sum.saturating_add(*n))
    }

    /// The sum of the counts; [`total`](Self::total) stops at the largest u64.
    fn exact_total(&self) -> u128 {
        self.counts.iter().map(|n| u128::from(*n)).sum()
    }

    /// Entropy H of the choices in nats, from 0 to log K; `None` before the first choice.
    ///
    /// # Numerics
    /// Within 10⁻¹⁴ of itself: −log p ≥ 0 is −log1p(−(1 − p)) above ½, with 1 − p from the counts.
    pub fn entropy(&self) -> Option<f64> {
        let total = self.exact_total();
        let term = |n: &u64| {
            let (n, rest) = (u128::from(*n), total - u128::from(*n));
            let (p, q) = (n as f64 / total as f64, rest as f64 / total as f64);
            if n == 0 { 0.0 } else { p * if n > rest { -libm::log1p(-q) } else { -libm::log(p) } }
        };
        // Rounding of the many terms is not to leave what it is at most.
        (total > 0).then(|| sum(self.counts.iter().map(term)).min(libm::log(self.counts.len() as f64)))
    }

    /// Perplexity e^H, from 1 to K; `None` before the first choice.
    pub fn perplexity(&self) -> Option<f64> {
        self.entropy().map(|h| libm::exp(h).min(self.counts.len() as f64))
    }

    /// KL(q‖uniform) = log K − H ≥ 0 in nats; `None` before the first choice.
    ///
    /// With q one-hot for every vector the KL per vector is log K, a constant, which is why VQ models leave it out; the KL of the
    /// marginal choice, this one, is not: it is 0 only when all codes are used alike. [errata 001-8]
    ///
    /// # Numerics
    /// (1/K) Σ φ(Kp − 1) with φ(d) = (1 + d) log(1 + d) − d ≥ 0, within 10⁻¹⁴ of itself near uniform too: the d come from the counts.
    pub fn kl_from_uniform(&self) -> Option<f64> {
        let (total, codes) = (self.exact_total(), self.counts.len() as u128);
        let term = |n: &u64| {
            let scaled = u128::from(*n) * codes;
            let part = |n: u128| n as f64 / total as f64;
            let (ratio, d) = (part(scaled), part(scaled.abs_diff(total)));
            let d = if scaled < total { -d } else { d };
            match *n {
                0 => 1.0,
                _ if !(-0.5..=1.0).contains(&d) => ratio * libm::log(ratio) - d,
                _ => ratio * log1pmx(d) + d * d,
            }
        };
        (total > 0).then(|| sum(self.counts.iter().map(term)) / codes as f64)
    }

    /// Codes that were never chosen, ascending.
    pub fn unused(&self) -> Vec<usize> {
        self.below(1)
    }

    /// Codes that were chosen fewer than `least` times, ascending.
    pub fn below(&self, least: u64) -> Vec<usize> {
        (0..self.counts.len()).filter(|&k| self.counts[k] < least).collect()
    }
}

/// Usage over the last batches, and of all: what says that a code is dead.
///
/// ```
/// use ndarray::array;
/// use variata_quantize::UsageWindow;
///
/// let mut window = UsageWindow::new(3, 2)?;
/// for indices in [array![0, 1], array![0, 2], array![0, 2]] {
///     window.push(&indices)?;
/// }
/// // Code 1 was last chosen three batches ago.
/// assert_eq!(window.dead(1)?, [1]);
/// assert_eq!(window.epoch().counts(), [3, 1, 2]);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "StoredWindow"))]
pub struct UsageWindow {
    batches: usize,
    last: VecDeque<Usage>,
    recent: Usage,
    epoch: Usage,
}

/// What a file may hold, before it is checked.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct StoredWindow {
    batches: usize,
    last: VecDeque<Usage>,
    recent: Usage,
    epoch: Usage,
}

#[cfg(feature = "serde")]
impl TryFrom<StoredWindow> for UsageWindow {
    type Error = Error;

    fn try_from(stored: StoredWindow) -> Result<Self, Error> {
        let StoredWindow { batches, last, recent, epoch } = stored;
        let mut window = Self::new(recent.counts.len(), batches)?;
        let must = "at most the number of batches of the window";
        check::scalar("number of last batches", last.len() as f64, must, last.len() <= batches)?;
        window.epoch.merge(&epoch)?;
        for usage in &last {
            window.recent.merge(usage)?;
        }
        window.last = last;
        // What pushing subtracts must have been added.
        let equal = window.recent == recent;
        check::scalar("recent", recent.total() as f64, "the sum of the last batches", equal)?;
        Ok(window)
    }
}

impl UsageWindow {
    /// Nothing yet; `batches` is the length of the window.
    ///
    /// # Errors
    /// [`Error::Argument`] if `batches` is 0, or as [`Usage::new`].
    pub fn new(codes: usize, batches: usize) -> Result<Self, Error> {
        check::scalar("batches", batches as f64, "at least 1", batches > 0)?;
        let none = Usage::new(codes)?;
        Ok(Self { batches, last: VecDeque::new(), recent: none.clone(), epoch: none })
    }

    /// Counts a batch, and returns its usage.
    ///
    /// # Errors
    /// As [`Usage::add`].
    pub fn push<D: Dimension>(&mut self, indices: &ArrayRef<usize, D>) -> Result<&Usage, Error> {
        let mut batch = Usage::new(self.recent.counts.len())?;
        batch.add(indices)?;
        if self.last.len() == self.batches
            && let Some(oldest) = self.last.pop_front()
        {
            for (k, to) in self.recent.counts.iter_mut().enumerate() {
                // A sum that stopped at the largest number may be less than what was added.
                *to = match *to {
                    u64::MAX => {
                        self.last.iter().fold(0, |sum: u64, batch| sum.saturating_add(batch.counts[k]))
                    }
                    sum => sum - oldest.counts[k],
                };
            }
        }
        self.recent.merge(&batch)?;
        self.epoch.merge(&batch)?;
        self.last.push_back(batch);
        Ok(self.last.back().unwrap_or(&self.recent))
    }

    /// Usage over the window.
    pub fn recent(&self) -> &Usage {
        &self.recent
    }

    /// Usage since the start or the last [`start_epoch`](Self::start_epoch).
    pub fn epoch(&self) -> &Usage {
        &self.epoch
    }

    /// Starts the epoch's counts again; the window goes on.
    pub fn start_epoch(&mut self) {
        self.epoch.counts.fill(0);
    }

    /// Codes that were chosen fewer than `least` times in the window, ascending; none before the window is full.
    ///
    /// # Errors
    /// [`Error::Argument`] if `least` is 0, for which no code could ever count as dead.
    pub fn dead(&self, least: u64) -> Result<Vec<usize>, Error> {
        check::scalar("least", least as f64, "at least 1", least > 0)?;
        Ok(if self.last.len() < self.batches { Vec::new() } else { self.recent.below(least) })
    }
}

/// Entropy of each row of weights and of their mean: see [`GumbelSoftmax::usage`](crate::GumbelSoftmax::usage).
///
/// ```
/// use ndarray::array;
/// use variata_quantize::{Codebook, GumbelSoftmax, Metric};
///
/// let codebook = Codebook::new(array![[0.0], [9.0]], Metric::SquaredEuclidean)?;
/// let options = GumbelSoftmax { temperature: 1.0, hard: false };
/// let mut usage = options.usage(&codebook, &array![[0.0]])?;
/// usage.merge(&options.usage(&codebook, &array![[9.0]])?)?;
/// // Each row is sure of its code, and both codes are used alike.
/// assert!(usage.row_entropy < 1e-30 && (usage.mean_entropy - 2f64.ln()).abs() < 1e-15);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "StoredSoftUsage"))]
pub struct SoftUsage {
    /// The number of rows.
    pub rows: u64,
    /// Mean weight of each code `[K]`; they sum to 1.
    pub weights: Array1<f64>,
    /// Mean over the rows of the entropy of their weights, in nats: 0 when all are one-hot, log K when all are uniform.
    pub row_entropy: f64,
    /// Entropy of the mean weights, in nats. At least `row_entropy`; the difference is what an index tells about its row.
    pub mean_entropy: f64,
}

/// What a file may hold, before it is checked.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct StoredSoftUsage {
    rows: u64,
    weights: Array1<f64>,
    row_entropy: f64,
    mean_entropy: f64,
}

#[cfg(feature = "serde")]
impl TryFrom<StoredSoftUsage> for SoftUsage {
    type Error = Error;

    fn try_from(stored: StoredSoftUsage) -> Result<Self, Error> {
        let StoredSoftUsage { rows, weights, row_entropy, mean_entropy } = stored;
        check::scalar("rows", rows as f64, "at least 1", rows > 0)?;
        for &weight in &weights {
            check::scalar("weights", weight, "in [0, 1]", (0.0..=1.0).contains(&weight))?;
        }
        let total = sum(weights.iter().copied());
        // As far off as the roundings of many means may take it.
        check::scalar("sum of weights", total, "1 within 1e-6", (total - 1.0).abs() <= 1e-6)?;
        let most = libm::log(weights.len() as f64) * (1.0 + 1e-6);
        for (argument, value) in [("row_entropy", row_entropy), ("mean_entropy", mean_entropy)] {
            check::scalar(argument, value, "from 0 to log K", (0.0..=most).contains(&value))?;
        }
        Ok(Self { rows, weights, row_entropy, mean_entropy })
    }
}

impl SoftUsage {
    /// Of the sums over all rows, of which there is at least one.
    pub(crate) fn from_sums(weights: Array1<f64>, entropy: f64, rows: u64) -> Self {
        let weights = weights / rows as f64;
        let row_entropy = entropy / rows as f64;
        // Rounding may leave it below that of its rows.
        let mean_entropy = entropy_of(&weights).max(row_entropy);
        Self { rows, weights, row_entropy, mean_entropy }
    }

    /// Takes in the rows of another batch or worker.
    ///
    /// # Errors
    /// [`Error::Argument`] if the numbers of codes differ, or neither has a row.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        check::shape("other", other.weights.shape(), self.weights.shape())?;
        let (here, there) = (self.rows as f64, other.rows as f64);
        let rows = self.rows.saturating_add(other.rows);
        check::scalar("rows", rows as f64, "at least 1", rows > 0)?;
        let weights = &self.weights * here + &other.weights * there;
        *self = Self::from_sums(weights, self.row_entropy * here + other.row_entropy * there, rows);
        Ok(())
    }
}

/// −Σ p log p of weights that sum to 1; log p of one above ½ by what the others have.
fn entropy_of(weights: &Array1<f64>) -> f64 {
    let (mut small, mut large) = (Sum::default(), None);
    let mut entropy = Sum::default();
    for &p in weights {
        if p > 0.5 && large.is_none() {
            large = Some(p);
        } else if p > 0.0 {
            small.add(p);
            entropy.add(-p * libm::log(p));
        }
    }
    entropy.value() - large.map_or(0.0, |p| p * libm::log1p(-small.value()))
}
