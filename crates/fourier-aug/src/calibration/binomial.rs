//! What a share of right predictions says about the probability behind it.

use variata_distributions::special::lgamma;

/// The probabilities that k successes of n do not refuse at either end, where each end refuses a right one with probability `outside`
/// at most.
///
/// Source: Clopper, Pearson 1934.
pub(super) fn clopper_pearson(k: usize, n: usize, outside: f64) -> [f64; 2] {
    [lower(k as f64, n as f64, outside), 1.0 - lower((n - k) as f64, n as f64, outside)]
}

/// The p at which P(X ≥ k) is `outside`, from below.
fn lower(k: f64, n: f64, outside: f64) -> f64 {
    let (mut low, mut high) = (0.0, k / n);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if upper_tail(k, n, middle) < outside {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// P(X ≥ k) for p ≤ k/n, where the terms fall.
fn upper_tail(k: f64, n: f64, p: f64) -> f64 {
    if k == 0.0 {
        return 1.0;
    }
    let rest = if n > k { (n - k) * libm::log1p(-p) } else { 0.0 };
    let log = lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0) + k * libm::log(p) + rest;
    let (mut term, mut sum, mut i) = (libm::exp(log), 0.0, k);
    while term > f64::EPSILON * sum {
        sum += term;
        term *= (n - i) / (i + 1.0) * (p / (1.0 - p));
        i += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_scipy_s() {
        // scipy.stats.beta.ppf([a, 1 − a], [k, k + 1], [n − k + 1, n − k]).
        for (k, n, outside, want) in [
            (3, 10, 0.025, [0.066_739_511_177_734_47, 0.652_452_850_059_997_3]),
            (750, 1000, 0.025, [0.721_949_993_776_244_5, 0.776_569_593_735_319_6]),
            (1, 7, 0.001, [0.000_142_918_405_274_906_37, 0.762_521_566_953_245_7]),
            (99_000, 100_000, 0.0005, [0.988_922_079_772_624_4, 0.991_003_413_670_497_3]),
        ] {
            let found = clopper_pearson(k, n, outside);
            for (a, b) in found.into_iter().zip(want) {
                assert!((a - b).abs() < 1e-10 * b, "{k} {n}: {a} {b}");
            }
        }
        let [low, high] = clopper_pearson(40, 40, 0.025);
        assert!(high == 1.0 && (low - 0.025f64.powf(1.0 / 40.0)).abs() < 1e-12);
        let [low, high] = clopper_pearson(0, 40, 0.025);
        assert!(low == 0.0 && (high - (1.0 - 0.025f64.powf(1.0 / 40.0))).abs() < 1e-12);
    }
}
