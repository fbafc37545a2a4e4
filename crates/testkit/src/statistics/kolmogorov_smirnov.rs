//! Kolmogorov–Smirnov, with the bound of Dvoretzky, Kiefer, Wolfowitz and Massart, which holds for every n.

use super::ledger::{admit, judge, settle};
use super::{Entry, Evidence, Failure};

/// √(ln(2/α) / 2n): a correct sample of n is further from its cdf with probability at most α (Massart 1990).
pub fn dkw_critical(alpha: f64, n: usize) -> f64 {
    ((2.0 / alpha).ln() / (2.0 * n as f64)).sqrt()
}

/// sup |F̂ − F| over an ascending sample, with both one-sided limits F̂(x) and F̂(x−); `None` for an empty sample.
pub fn ks_distance(sorted: &[f64], cdf: impl Fn(f64) -> f64) -> Option<f64> {
    let n = sorted.len() as f64;
    let gaps = sorted.iter().enumerate().map(|(i, &x)| {
        let f = cdf(x);
        let gap = ((i + 1) as f64 / n - f).max(f - i as f64 / n);
        // `max` would hide a NaN.
        if f.is_nan() { f64::INFINITY } else { gap }
    });
    gaps.reduce(f64::max)
}

/// sup |F̂ − Ĝ| of two ascending samples; `None` if one is empty.
pub fn ks_two_sample_distance(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (mut i, mut j, mut distance) = (0, 0, 0.0_f64);
    while i < a.len() && j < b.len() {
        // Ties move together: the distance counts between values only.
        let x = if a[i].total_cmp(&b[j]).is_le() { a[i] } else { b[j] };
        while i < a.len() && a[i] <= x {
            i += 1;
        }
        while j < b.len() && b[j] <= x {
            j += 1;
        }
        distance = distance.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    Some(distance)
}

/// The sample follows the continuous law with this `cdf`.
///
/// # Errors
/// [`Failure::Rejected`] if the distance exceeds [`dkw_critical`]; the other variants for a wrong name, a small sample, or
/// a number that is not finite.
pub fn try_ks(name: &str, samples: &[f64], cdf: impl Fn(f64) -> f64) -> Result<Evidence, Failure> {
    let entry = admit(name, samples.len())?;
    let sorted = ascending(entry, samples)?;
    let checked = |x| {
        let f = cdf(x);
        if (0.0..=1.0).contains(&f) { f } else { f64::NAN }
    };
    let distance = ks_distance(&sorted, checked).unwrap_or(f64::INFINITY);
    if distance == f64::INFINITY {
        // Either nothing was compared or the cdf is no cdf: nothing that the sampler could be blamed for.
        let index = sorted.iter().position(|&x| checked(x).is_nan()).unwrap_or(0);
        let value = sorted.get(index).map_or(f64::NAN, |&x| cdf(x));
        return Err(Failure::Value { entry, what: "cdf at sorted sample", index, value });
    }
    judge(entry, samples.len(), distance, tail(distance, samples.len()))
}

/// [`try_ks`] for tests.
///
/// # Panics
/// With the failure as message.
#[track_caller]
pub fn assert_ks(name: &str, samples: &[f64], cdf: impl Fn(f64) -> f64) {
    settle(try_ks(name, samples, cdf));
}

/// Both samples follow the same law. The p-value is the sum of two DKW bounds whose bands add up to the distance
/// (triangle inequality through the common cdf), so that it holds for all sizes, ties included.
///
/// # Errors
/// As [`try_ks`]; the sample size of the ledger holds for the smaller sample.
pub fn try_ks_two_sample(name: &str, a: &[f64], b: &[f64]) -> Result<Evidence, Failure> {
    let smaller = a.len().min(b.len());
    let entry = admit(name, smaller)?;
    let (a, b) = (ascending(entry, a)?, ascending(entry, b)?);
    let empty = Failure::Value { entry, what: "length of sample", index: 0, value: 0.0 };
    let distance = ks_two_sample_distance(&a, &b).ok_or(empty)?;
    // Bands in the ratio of 1/√n give both terms the same probability.
    let (ra, rb) = ((a.len() as f64).sqrt().recip(), (b.len() as f64).sqrt().recip());
    let share = distance * ra / (ra + rb);
    judge(entry, smaller, distance, (2.0 * tail(share, a.len())).min(1.0))
}

/// [`try_ks_two_sample`] for tests.
///
/// # Panics
/// With the failure as message.
#[track_caller]
pub fn assert_ks_two_sample(name: &str, a: &[f64], b: &[f64]) {
    settle(try_ks_two_sample(name, a, b));
}

/// 2·exp(−2nd²)
fn tail(distance: f64, n: usize) -> f64 {
    (2.0 * (-2.0 * n as f64 * distance * distance).exp()).min(1.0)
}

fn ascending(entry: &'static Entry, samples: &[f64]) -> Result<Vec<f64>, Failure> {
    if let Some(index) = samples.iter().position(|x| !x.is_finite()) {
        return Err(Failure::Value { entry, what: "sample", index, value: samples[index] });
    }
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Ok(sorted)
}
