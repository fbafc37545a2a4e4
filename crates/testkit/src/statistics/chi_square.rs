//! Pearson's χ² of counts against probabilities.

use super::ledger::{admit, judge, settle};
use super::{Evidence, Failure, chi_square_survival};

/// Least expected count of a cell; below it the χ² law is too far from the truth. Far out in its tail, at α = 4·10⁻⁹, the law is off by more:
/// a cell of 20 beside a large one alarms 50 times as often as α says, of 500 twice, of 5000 1.05 times. Ask for thousands.
pub const LEAST_EXPECTED: f64 = 20.0;

/// The counts come from independent draws with these probabilities. The p-value is that of the limiting law with
/// (cells − 1) degrees of freedom.
///
/// # Errors
/// [`Failure::Rejected`] if the p-value is at most α; [`Failure::Expected`] for a cell below [`LEAST_EXPECTED`];
/// [`Failure::Value`] for fewer than 2 cells, unequal lengths, or probabilities that do not add up to 1 within 10⁻¹².
pub fn try_chi_square(name: &str, counts: &[u64], probabilities: &[f64]) -> Result<Evidence, Failure> {
    let n: u64 = counts.iter().sum();
    let samples = usize::try_from(n).unwrap_or(usize::MAX);
    let entry = admit(name, samples)?;
    let fault = |what, index, value| Err(Failure::Value { entry, what, index, value });
    if counts.len() != probabilities.len() || counts.len() < 2 {
        return fault("number of cells against probabilities", probabilities.len(), counts.len() as f64);
    }
    let total: f64 = probabilities.iter().sum();
    if total.is_nan() || (total - 1.0).abs() > 1e-12 {
        return fault("sum of probabilities", 0, total);
    }
    let mut statistic = 0.0;
    for (cell, (&count, &p)) in counts.iter().zip(probabilities).enumerate() {
        let expected = n as f64 * p;
        if expected.is_nan() || expected < LEAST_EXPECTED {
            return Err(Failure::Expected { entry, cell, expected });
        }
        statistic += (count as f64 - expected).powi(2) / expected;
    }
    let p_value = chi_square_survival(statistic, (counts.len() - 1) as f64);
    judge(entry, samples, statistic, p_value)
}

/// [`try_chi_square`] for tests.
///
/// # Panics
/// With the failure as message.
#[track_caller]
pub fn assert_chi_square(name: &str, counts: &[u64], probabilities: &[f64]) {
    settle(try_chi_square(name, counts, probabilities));
}
