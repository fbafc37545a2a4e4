//! z-test of a mean whose variance is known.

use super::ledger::{admit, judge, settle};
use super::{Evidence, Failure};

/// The independent samples have mean `mean`, given that their standard deviation is `sd`: z = (x̄ − mean)·√n/sd against
/// the normal law. The terms must have tails light enough for the normal law to hold at 5.88 σ.
///
/// # Errors
/// [`Failure::Rejected`] if the two-sided p-value is at most α; [`Failure::Value`] for a sample or mean that is not finite,
/// or an `sd` that is not finite and > 0.
pub fn try_mean(name: &str, samples: &[f64], mean: f64, sd: f64) -> Result<Evidence, Failure> {
    let entry = admit(name, samples.len())?;
    let fault = |what, index, value| Err(Failure::Value { entry, what, index, value });
    if !mean.is_finite() {
        return fault("mean", 0, mean);
    }
    if !(sd > 0.0 && sd.is_finite()) {
        return fault("standard deviation", 0, sd);
    }
    if let Some(index) = samples.iter().position(|x| !x.is_finite()) {
        return fault("sample", index, samples[index]);
    }
    // Deviations first, so that a large mean does not cost digits.
    let sum: f64 = samples.iter().map(|x| (x - mean) / sd).sum();
    let z = sum / (samples.len() as f64).sqrt();
    judge(entry, samples.len(), z, libm::erfc(z.abs() / std::f64::consts::SQRT_2))
}

/// [`try_mean`] for tests.
///
/// # Panics
/// With the failure as message.
#[track_caller]
pub fn assert_mean(name: &str, samples: &[f64], mean: f64, sd: f64) {
    settle(try_mean(name, samples, mean, sd));
}
