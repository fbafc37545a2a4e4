//! Errata of paper sliced, each shown by numbers: docs/src/errata.md.

use ndarray::{Array1, array};
use variata_distributions::special::ndtr;
use variata_sliced::{Bandwidth, Directions, Discrepancy, Distance, mardia, mardia_standardised};

use crate::support::{line, normal};

/// ∫ (Fₙ − Φ)² dΦ by the midpoint rule over u = Φ(x).
fn cramer_von_mises_by_quadrature(y: &Array1<f64>) -> f64 {
    let z: Vec<f64> = y.iter().map(|v| ndtr(*v)).collect();
    let n = 400_000;
    let gap = |u: f64| z.iter().filter(|z| **z <= u).count() as f64 / y.len() as f64 - u;
    (0..n).map(|k| gap((f64::from(k) + 0.5) / f64::from(n)).powi(2)).sum::<f64>() / f64::from(n)
}

#[test]
fn e003_1_the_last_sign_of_cramer_von_mises_is_minus() {
    let y = line(17, 1);
    let mut z: Vec<f64> = y.iter().map(|v| ndtr(*v)).collect();
    z.sort_by(f64::total_cmp);
    let n = 17.0;
    let squares = z.iter().map(|z| z * z).sum::<f64>() / n;
    let ranks = z.iter().enumerate().map(|(k, z)| (2 * k + 1) as f64 * z).sum::<f64>() / (n * n);
    let truth = cramer_von_mises_by_quadrature(&y);
    assert!((squares - ranks + 1.0 / 3.0 - truth).abs() < 1e-5);
    assert!((Distance::CramerVonMises.value(&y).unwrap() - truth).abs() < 1e-5);
    assert!(squares + ranks + 1.0 / 3.0 - truth > 1.0, "as printed it is more than 1 too large");
}

#[test]
fn e003_2_the_largest_gap_may_be_below_a_step() {
    // One point far to the right: F is 1 there, Fₙ jumps from 0 to 1; the printed form sees |1 − 1| only.
    let y = array![8.0];
    let printed = (1.0 - ndtr(8.0)).abs();
    assert!(printed < 1e-14);
    assert!((Distance::KolmogorovSmirnov.value(&y).unwrap() - 1.0).abs() < 1e-14);
}

#[test]
fn e003_3_the_sample_is_mapped_by_the_distribution_function_of_the_target() {
    // By the uniform's own distribution function every point beyond [0, 1] is clamped: far samples look alike.
    let clamped = |y: f64| y.clamp(0.0, 1.0);
    assert_eq!((clamped(-1.0), clamped(2.0)), (clamped(-5.0), clamped(7.0)));
    let value = |y: &Array1<f64>| Distance::CramerVonMises.value(y).unwrap();
    assert!(value(&array![-5.0, 7.0]) > value(&array![-1.0, 2.0]));
}

#[test]
fn e003_4_projections_are_of_the_latents() {
    // A direction has as many entries as the latent has dimensions.
    let latents = normal(8, 3, 1);
    let directions = Directions::uniform(2, 5, 1).unwrap();
    assert!(Discrepancy::new(Distance::WASSERSTEIN_2).sliced(&latents, &directions).is_err());
}

#[test]
fn e003_5_the_skewness_of_a_normal_sample_is_not_zero() {
    let (n, d, rounds) = (500, 6, 200);
    let mean: f64 =
        (0..rounds).map(|k| mardia(&normal(n, d, k)).unwrap().skewness).sum::<f64>() / rounds as f64;
    let expected = mardia(&normal(n, d, 0)).unwrap().expected_skewness;
    assert_eq!(expected, 6.0 * 8.0 * 10.0 / 500.0);
    assert!((mean / expected - 1.0).abs() < 0.1, "{mean} {expected}");
}

#[test]
fn e003_6_raw_and_standardised_statistics_differ() {
    let shifted = normal(400, 3, 2) * 2.0 + 1.0;
    let (raw, standardised) = (mardia(&shifted).unwrap(), mardia_standardised(&shifted).unwrap());
    assert!(raw.normalised_kurtosis > 100.0 && standardised.normalised_kurtosis.abs() < 3.0);
}

#[test]
fn standardised_statistics_of_normal_samples_are_what_is_said() {
    let (n, d, rounds) = (500, 6, 200);
    let all: Vec<_> =
        (0..rounds).map(|k| mardia_standardised(&(normal(n, d, k) * 3.0 + 1.0)).unwrap()).collect();
    let mean = all.iter().map(|m| m.skewness).sum::<f64>() / rounds as f64;
    assert_eq!(all[0].expected_skewness, 6.0 * 7.0 * 8.0 / 500.0);
    assert!((mean / all[0].expected_skewness - 1.0).abs() < 0.05, "{mean}");
    // Its standard deviation is √(8·48/500), of the mean of 200 that of 0.06.
    let kurtosis = all.iter().map(|m| m.normalised_kurtosis).sum::<f64>() / rounds as f64;
    assert!((kurtosis + 2.0 * 48.0 / 501.0).abs() < 0.3, "{kurtosis}");
}

#[test]
fn e003_7_the_bandwidth_is_a_variance() {
    let y = line(17, 3);
    let gamma = Bandwidth::Silverman.variance(17.0);
    let sum = |own: f64, prior: f64, cross: f64| {
        let normal = |x: f64, v: f64| (-x * x / (2.0 * v)).exp() / (2.0 * std::f64::consts::PI * v).sqrt();
        let pairs: f64 = y.iter().flat_map(|a| y.iter().map(move |b| normal(a - b, own))).sum();
        let singles: f64 = y.iter().map(|a| normal(*a, cross)).sum();
        pairs / 289.0 + normal(0.0, prior) - 2.0 * singles / 17.0
    };
    let value = Distance::CRAMER_WOLD.value(&y).unwrap();
    let as_variance = sum(2.0 * gamma, 2.0 + 2.0 * gamma, 1.0 + 2.0 * gamma);
    assert!((value / as_variance - 1.0).abs() < 1e-9);
    let squared = |s: f64| s * s;
    let as_deviation = sum(squared(2.0 * gamma), squared(2.0 + 2.0 * gamma), squared(1.0 + 2.0 * gamma));
    assert!((value / as_deviation - 1.0).abs() > 0.05);
}
