//! Exact binomial tails: for counts of rare events, where no limiting law holds.

use super::ledger::{admit, judge, settle};
use super::{Evidence, Failure};

/// Two-sided p-value of `successes` among `trials`: min(1, 2·min(P(X ≤ k), P(X ≥ k))), by summing the probabilities.
/// NaN for k > n or p outside [0, 1].
///
/// ```
/// use variata_testkit::statistics::binomial_p_value;
///
/// assert!((binomial_p_value(0, 10, 0.5) - 2.0 / 1024.0).abs() < 1e-15);
/// ```
pub fn binomial_p_value(successes: u64, trials: u64, p: f64) -> f64 {
    if successes > trials || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        let certain = if p == 0.0 { 0 } else { trials };
        return if successes == certain { 1.0 } else { 0.0 };
    }
    // The tail that does not contain the mean: its terms decrease away from k.
    let (n, k) = (trials as f64, successes as f64);
    let downwards = k <= n * p;
    let log_term = libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0)
        + k * p.ln()
        + (n - k) * (-p).ln_1p();
    let odds = p / (1.0 - p);
    let (mut k, mut term, mut sum) = (k, 1.0_f64, 0.0_f64);
    loop {
        sum += term;
        // P(k−1)/P(k) = k/((n−k+1)·odds); P(k+1)/P(k) = (n−k)·odds/(k+1)
        let ratio = if downwards { k / ((n - k + 1.0) * odds) } else { (n - k) * odds / (k + 1.0) };
        term *= ratio;
        k += if downwards { -1.0 } else { 1.0 };
        if term <= sum * 1e-17 || k < 0.0 || k > n {
            break;
        }
    }
    (2.0 * sum * log_term.exp()).min(1.0)
}

/// `successes` among `trials` independent trials of probability `p`.
///
/// # Errors
/// [`Failure::Rejected`] if [`binomial_p_value`] is at most α; [`Failure::Value`] for p outside [0, 1] or more successes
/// than trials.
pub fn try_binomial(name: &str, successes: u64, trials: u64, p: f64) -> Result<Evidence, Failure> {
    let samples = usize::try_from(trials).unwrap_or(usize::MAX);
    let entry = admit(name, samples)?;
    if !(0.0..=1.0).contains(&p) {
        return Err(Failure::Value { entry, what: "probability", index: 0, value: p });
    }
    if successes > trials {
        return Err(Failure::Value { entry, what: "successes", index: 0, value: successes as f64 });
    }
    judge(entry, samples, successes as f64, binomial_p_value(successes, trials, p))
}

/// [`try_binomial`] for tests.
///
/// # Panics
/// With the failure as message.
#[track_caller]
pub fn assert_binomial(name: &str, successes: u64, trials: u64, p: f64) {
    settle(try_binomial(name, successes, trials, p));
}
