//! The ledger adds up; right samplers pass, the declared mutants are rejected.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use variata_testkit::compare::assert_relative;
use variata_testkit::statistics::{
    Failure, LEDGER, TOTAL_ALPHA, assert_binomial, assert_chi_square, assert_ks, assert_ks_two_sample,
    assert_mean, assert_rejects, binomial_p_value, chi_square_survival, dkw_critical, entry, gamma_q,
    ks_distance, ks_two_sample_distance, seed, try_binomial, try_chi_square, try_ks, try_ks_two_sample,
    try_mean,
};

const N: usize = 1_000_000;

fn rng(fixed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed(fixed))
}

/// Box–Muller, written here so that the tools are tested on nothing of the workspace.
fn normals(fixed: u64, n: usize) -> Vec<f64> {
    let mut rng = rng(fixed);
    let mut pair = || {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
        [radius * sin, radius * cos]
    };
    (0..n / 2).flat_map(|_| pair()).collect()
}

fn normal_cdf(x: f64) -> f64 {
    libm::erfc(-x / std::f64::consts::SQRT_2) / 2.0
}

fn changed(x: &[f64], f: impl Fn(f64) -> f64) -> Vec<f64> {
    x.iter().map(|&x| f(x)).collect()
}

#[test]
fn the_ledger_adds_up() {
    let total: f64 = LEDGER.iter().map(|entry| entry.alpha * f64::from(entry.uses)).sum();
    assert!(total <= TOTAL_ALPHA, "the false-alarm rates add up to {total:e}");
    assert!(LEDGER.iter().map(|entry| entry.uses).sum::<u32>() <= 250);
    for (i, entry) in LEDGER.iter().enumerate() {
        assert!(entry.alpha > 0.0 && entry.uses > 0 && !entry.catches.is_empty(), "{}", entry.name);
        assert!(LEDGER[..i].iter().all(|other| other.name != entry.name), "{} is there twice", entry.name);
    }
}

/// A mutant law at distance D is rejected with probability 1 − 10⁻⁶ if D exceeds both bands together.
#[test]
fn declared_discrepancies_are_within_reach() {
    type Cdf = fn(f64) -> f64;
    type Case = (&'static str, Cdf, [(f64, f64); 2]);
    let laplace: Cdf = |x| if x < 0.0 { x.exp() / 2.0 } else { 1.0 - (-x).exp() / 2.0 };
    let uniform: Cdf = |x| x.clamp(0.0, 1.0);
    let gumbel: Cdf = |x| (-(-x).exp()).exp();
    let logistic: Cdf = |x| 1.0 / (1.0 + (-x).exp());
    // Name, law, and the declared mutants as (shift, factor).
    let cases: [Case; 6] = [
        ("ks_normal", normal_cdf, [(0.02, 1.0), (0.0, 1.03)]),
        ("ks_laplace", laplace, [(0.02, 1.0), (0.0, 1.04)]),
        ("ks_uniform", uniform, [(0.0, 1.01), (0.0, 0.993)]),
        ("ks_gumbel", gumbel, [(0.02, 1.0), (0.0, 1.03)]),
        ("ks_logistic", logistic, [(0.03, 1.0), (0.0, 1.03)]),
        ("noise_normal", normal_cdf, [(0.02, 1.0), (0.0, 1.03)]),
    ];
    for (name, cdf, mutants) in cases {
        let entry = entry(name).unwrap();
        let reach = dkw_critical(entry.alpha, entry.samples) + dkw_critical(1e-6, entry.samples);
        for (shift, factor) in mutants {
            let distance = (-2000..=2000)
                .map(|i| f64::from(i) * 0.005)
                .map(|x| (cdf(x) - cdf((x - shift) / factor)).abs())
                .fold(0.0, f64::max);
            assert!(distance > reach, "{name}: {distance:e} is out of reach, {reach:e}");
        }
    }
}

#[test]
fn kolmogorov_smirnov_accepts_and_rejects() {
    let x = normals(1, N);
    assert_ks("testkit_ks", &x, normal_cdf);
    let mutants: [fn(f64) -> f64; 4] = [|x| x + 0.02, |x| x - 0.02, |x| x * 1.03, |x| x / 1.03];
    for mutant in mutants {
        assert_rejects("testkit_ks", &try_ks("testkit_ks", &changed(&x, mutant), normal_cdf));
    }
}

/// Evenly spaced points have distance 1/2n from the uniform law; a shift of the cdf adds to it.
#[test]
fn the_bands_are_sharp() {
    let grid: Vec<f64> = (0..N).map(|i| (i as f64 + 0.5) / N as f64).collect();
    let shifted = |shift: f64| try_ks("testkit_ks", &grid, move |x| (x + shift).min(1.0));
    let critical = dkw_critical(4e-9, N);
    assert!(shifted(critical * 0.999 - 0.5 / N as f64).is_ok());
    assert_rejects("testkit_ks", &shifted(critical * 1.001 - 0.5 / N as f64));
    let evidence = shifted(0.002).unwrap();
    assert_relative("D", evidence.statistic, 0.002 + 0.5 / N as f64, 1e-9, 0.0);
    assert_relative("p", evidence.p_value, 2.0 * (-2.0 * 1e6 * evidence.statistic.powi(2)).exp(), 1e-12, 0.0);

    // Of two samples each band takes half of the distance.
    let other = changed(&grid, |x| x + 0.003);
    let evidence = try_ks_two_sample("testkit_ks_two_sample", &grid, &other).unwrap();
    assert_relative("D", evidence.statistic, 0.003, 1e-3, 0.0);
    assert_relative("p", evidence.p_value, 4.0 * (-0.5 * 1e6 * evidence.statistic.powi(2)).exp(), 1e-12, 0.0);
}

#[test]
fn two_samples_are_compared() {
    let (x, y) = (normals(2, N), normals(3, N));
    assert_ks_two_sample("testkit_ks_two_sample", &x, &y);
    let shifted = changed(&y, |y| y + 0.04);
    assert_rejects("testkit_ks_two_sample", &try_ks_two_sample("testkit_ks_two_sample", &x, &shifted));
}

/// Counts of the 24 orders of 4 elements.
fn orders(shuffle: impl Fn(&mut ChaCha8Rng, &mut [usize; 4])) -> Vec<u64> {
    let mut rng = rng(4);
    let mut counts = [0_u64; 256];
    for _ in 0..100_000 {
        let mut x = [0, 1, 2, 3];
        shuffle(&mut rng, &mut x);
        counts[x.iter().fold(0, |code, i| code * 4 + i)] += 1;
    }
    let orders: Vec<u64> = counts.into_iter().filter(|&count| count > 0).collect();
    assert_eq!(orders.len(), 24);
    orders
}

#[test]
fn chi_square_accepts_and_rejects() {
    let p = [1.0 / 24.0; 24];
    let fair = orders(|rng, x| (1..4).for_each(|i| x.swap(i, rng.random_range(0..=i))));
    assert_chi_square("testkit_chi2", &fair, &p);
    let naive = orders(|rng, x| (0..4).for_each(|i| x.swap(i, rng.random_range(0..4))));
    assert_rejects("testkit_chi2", &try_chi_square("testkit_chi2", &naive, &p));
    let sparse = try_chi_square("testkit_chi2", &[99_990, 10], &[0.9999, 0.0001]);
    assert!(matches!(sparse, Err(Failure::Expected { cell: 1, .. })));
    let short = try_chi_square("testkit_chi2", &[50_000, 50_000], &[0.5, 0.4]);
    assert!(matches!(short, Err(Failure::Value { what: "sum of probabilities", .. })));
    assert!(try_chi_square("testkit_chi2", &[100_000], &[1.0]).is_err());
}

#[test]
fn binomial_tails_accept_and_reject() {
    let tail = 2.0 * normal_cdf(-4.0);
    let count = |x: &[f64]| x.iter().filter(|x| x.abs() > 4.0).count() as u64;
    let x = normals(5, N);
    assert_binomial("testkit_binomial", count(&x), N as u64, tail);
    let cut = changed(&x, |x| x.clamp(-4.0, 4.0));
    assert_rejects("testkit_binomial", &try_binomial("testkit_binomial", count(&cut), N as u64, tail));
    assert!(matches!(
        try_binomial("testkit_binomial", 2_000_000, N as u64, tail),
        Err(Failure::Value { what: "successes", .. })
    ));
}

#[test]
fn means_accept_and_reject() {
    let x = normals(6, N);
    assert_mean("testkit_mean", &x, 0.0, 1.0);
    assert_rejects("testkit_mean", &try_mean("testkit_mean", &changed(&x, |x| x + 0.0106), 0.0, 1.0));
    assert_rejects("testkit_mean", &try_mean("testkit_mean", &changed(&x, |x| x - 0.0106), 0.0, 1.0));
    assert!(matches!(try_mean("testkit_mean", &x, 0.0, 0.0), Err(Failure::Value { .. })));
}

#[test]
fn misuse_fails() {
    let x = vec![0.5; N];
    assert!(matches!(try_ks("no_such_name", &x, |x| x), Err(Failure::Unregistered { .. })));
    assert!(matches!(try_ks("testkit_ks", &x[1..], |x| x), Err(Failure::TooFew { got: 999_999, .. })));
    assert!(matches!(try_ks("testkit_ks", &[], |x| x), Err(Failure::TooFew { got: 0, .. })));
    assert!(matches!(try_ks("testkit_ks", &x, |_| 1.5), Err(Failure::Value { value: 1.5, .. })));
    assert!(matches!(try_ks("testkit_ks", &x, |_| f64::NAN), Err(Failure::Value { .. })));
    let mut broken = x;
    broken[7] = f64::INFINITY;
    assert!(matches!(
        try_ks("testkit_ks", &broken, |x| x),
        Err(Failure::Value { what: "sample", index: 7, .. })
    ));
    // A mutant that passes must not go unnoticed, nor one that fails for another reason.
    let passes = std::panic::catch_unwind(|| {
        assert_rejects("testkit_mean", &try_mean("testkit_mean", &vec![0.0; N], 0.0, 1.0));
    });
    let misnamed = std::panic::catch_unwind(|| {
        assert_rejects("testkit_mean", &try_mean("testkit", &vec![9.0; N], 0.0, 1.0));
    });
    assert!(passes.is_err() && misnamed.is_err());
}

#[test]
fn uses_are_counted() {
    let twice = std::panic::catch_unwind(|| {
        assert_mean("testkit_overuse", &[0.0], 0.0, 1.0);
        assert_mean("testkit_overuse", &[0.0], 0.0, 1.0);
    });
    let message = *twice.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("more than the 1 times"), "{message}");
}

#[test]
fn distances_have_both_limits() {
    // One point at 0.9 of a uniform: F̂ jumps from 0 to 1 there, so that the lower limit counts.
    assert_eq!(ks_distance(&[0.9], |x| x), Some(0.9));
    assert_eq!(ks_distance(&[0.1], |x| x), Some(0.9));
    assert_eq!(ks_distance(&[], |x| x), None);
    assert_eq!(ks_distance(&[0.5], |_| f64::NAN), Some(f64::INFINITY));
    assert_eq!(ks_two_sample_distance(&[1.0, 1.0, 2.0], &[1.0, 1.0, 2.0]), Some(0.0));
    assert_eq!(ks_two_sample_distance(&[1.0, 2.0], &[2.0, 3.0]), Some(0.5));
    assert_eq!(ks_two_sample_distance(&[1.0], &[]), None);
}

#[test]
fn critical_values_are_the_published_ones() {
    assert_relative("DKW", dkw_critical(5e-9, 200_000), 7.0e-3, 1e-2, 0.0);
    // Q(n, x) = e⁻ˣ Σ xᵏ/k! for k < n; exp(−x) amplifies u by x.
    for (n, x) in [(1_u32, 0.3), (3, 2.5), (3, 11.0), (20, 5.0), (20, 60.0)] {
        let mut term = 1.0;
        let mut sum = 0.0;
        for k in 0..n {
            sum += term;
            term *= x / f64::from(k + 1);
        }
        assert_relative("gamma_q", gamma_q(f64::from(n), x), sum * (-x).exp(), 1e-13, 0.0);
    }
    // df = 1: P(Z² > z²) = erfc(z/√2)
    for z in [0.1, 1.0, 3.0, 6.0] {
        let want = libm::erfc(z / std::f64::consts::SQRT_2);
        assert_relative("chi-square", chi_square_survival(z * z, 1.0), want, 1e-13, 0.0);
    }
    assert!(gamma_q(-1.0, 1.0).is_nan() && gamma_q(1.0, -1.0).is_nan() && gamma_q(f64::NAN, 1.0).is_nan());
    // The normal law at n·p(1−p) = 10⁶/4 and the sum of all terms.
    assert_relative("binomial", binomial_p_value(3, 8, 0.5), 2.0 * 93.0 / 256.0, 1e-14, 0.0);
    assert_relative("binomial", binomial_p_value(7, 8, 0.25), 2.0 * 25.0 / 65536.0, 1e-13, 0.0);
    assert_eq!(binomial_p_value(0, 5, 0.0), 1.0);
    assert_eq!(binomial_p_value(4, 5, 1.0), 0.0);
    assert!(binomial_p_value(6, 5, 0.5).is_nan());
}

#[test]
fn p_values_of_right_samplers_are_spread() {
    // 200 small z-tests through the same formula: p < 0.05 about 10 times, never 40 (P < 1e-12) and not 0.
    let mut rng = rng(7);
    let small = (0..200)
        .filter(|_| {
            let successes = (0..100).filter(|_| rng.next_u32() & 1 == 1).count() as u64;
            binomial_p_value(successes, 100, 0.5) < 0.05
        })
        .count();
    assert!((1..40).contains(&small), "{small} of 200 p-values are below 0.05");
}
