//! The laws of the test statistics.

use ndarray::Array1;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use variata_sliced::{Discrepancy, Distance};
use variata_testkit::statistics::{assert_binomial, assert_rejects, seed, try_binomial};

const LEVELS: [f64; 2] = [0.1, 0.01];

/// The value whose p-value is the level, by bisection.
fn critical(distance: Distance, n: usize, level: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while distance.p_value(high, n).unwrap() > level {
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if distance.p_value(middle, n).unwrap() > level { low = middle } else { high = middle }
    }
    high
}

#[test]
fn one_test_reports_the_classical_statistic() {
    let y = ndarray::array![-1.1, 0.3, 0.4, 2.2];
    for (distance, factor) in [
        (Distance::KolmogorovSmirnov, 1.0),
        (Distance::CramerVonMises, 4.0),
        (Distance::AndersonDarling, 4.0),
    ] {
        let test = Discrepancy::new(distance).test(&y).unwrap();
        let value = distance.value(&y).unwrap();
        assert_eq!((test.statistic, test.p_value), (factor * value, distance.p_value(value, 4).unwrap()));
    }
}

/// Far out A² is 1/n of what a distance is asked for with.
#[test]
fn anderson_and_darling_s_tail_falls_like_its_largest_part() {
    for n in [3, 5, 100] {
        let p = |a: f64| Distance::AndersonDarling.p_value(a / n as f64, n).unwrap();
        // √3 erfc(√a), with the next term of its expansion: by mpmath's erfc.
        for (a, limit) in [(10.0, 1.341_337_632_e-5), (12.0, 1.668_756_e-6), (15.0, 7.5e-8)] {
            assert!((p(a) / limit - 1.0).abs() < 0.05, "{n} {a}: {}", p(a));
        }
        assert!(p(100.0) < 1e-44 && p(100.0) > 1e-46);
        let steps: Vec<f64> = (0..500).map(|k| p(1.0 + 0.1 * f64::from(k))).collect();
        assert!(steps.is_sorted_by(|a, b| a >= b), "{n}");
    }
}

#[test]
fn tests_of_normal_samples_reject_as_often_as_they_say() {
    let trials = 200_000u64;
    for (n, first) in [(5usize, 1u64), (40, 2)] {
        let mut rng = ChaCha8Rng::seed_from_u64(seed(first));
        let mut counts = [[0u64; 2]; 3];
        let distances = [Distance::KolmogorovSmirnov, Distance::CramerVonMises, Distance::AndersonDarling];
        let critical = distances.map(|distance| LEVELS.map(|level| critical(distance, n, level)));
        for _ in 0..trials {
            let y: Array1<f64> = Array1::from_shape_simple_fn(n, || StandardNormal.sample(&mut rng));
            for ((distance, critical), counts) in distances.iter().zip(critical).zip(&mut counts) {
                let value = distance.value(&y).unwrap();
                for (critical, count) in critical.into_iter().zip(counts) {
                    *count += u64::from(value >= critical);
                }
            }
        }
        for (distance, counts) in distances.iter().zip(counts) {
            for (count, level) in counts.into_iter().zip(LEVELS) {
                let rate = count as f64 / trials as f64;
                if *distance == Distance::KolmogorovSmirnov && n == 40 {
                    assert_binomial("rate_of_tests", count, trials, level);
                    assert_rejects(
                        "rate_of_tests",
                        &try_binomial("rate_of_tests", count, trials, 1.25 * level),
                    );
                } else {
                    // Approximations: their stated error beside that of the simulation, six standard deviations.
                    let stated = match distance {
                        Distance::CramerVonMises => 7e-4,
                        Distance::AndersonDarling => 2e-4,
                        _ => 0.0,
                    };
                    let noise = 6.0 * (level * (1.0 - level) / trials as f64).sqrt();
                    assert!(
                        (rate - level).abs() < stated + noise,
                        "{distance:?} n = {n}: {rate} for {level}"
                    );
                }
            }
        }
    }
}

#[test]
fn laws_of_few_points_are_as_near_as_they_say() {
    // mpmath, 30 digits: 1 − 2 ∫ of the length of a disc's chords in the triangle of two sorted uniform numbers.
    let rows = [
        (0.05, 0.947_640_122_440_170_1),
        (0.15, 0.412_107_339_878_447_03),
        (0.25, 0.196_469_075_495_379_45),
        (0.36, 0.087_794_646_861_911_89),
        (0.425, 0.049_904_833_377_626_79),
        (0.55, 0.010_106_933_515_768_165),
        (0.65, 1.878_621_525_516_667_2e-4),
    ];
    for (statistic, want) in rows {
        let got = Distance::CramerVonMises.p_value(0.5 * statistic, 2).unwrap();
        assert!((got - want).abs() < 1e-14, "{statistic}: {got} {want}");
    }
    assert_eq!(Distance::CramerVonMises.p_value(0.34, 2).unwrap(), 0.0);
    // Quantiles of 0.1, 0.05 and 0.01 of 4·10⁶ samples by numpy (PCG64, seed 7), whose levels have a standard deviation of 1.5e-4 at most.
    let rows = [
        (Distance::CramerVonMises, 3, 0.002, [0.337_990, 0.439_471, 0.639_797]),
        (Distance::CramerVonMises, 4, 0.0013, [0.341_499, 0.441_608, 0.669_339]),
        (Distance::AndersonDarling, 2, 1e-3, [1.988_517, 2.595_375, 4.086_893]),
        (Distance::AndersonDarling, 3, 1e-3, [1.969_468, 2.562_491, 4.018_723]),
        (Distance::AndersonDarling, 4, 3e-4, [1.956_661, 2.541_598, 3.979_157]),
    ];
    for (distance, n, stated, statistics) in rows {
        for (statistic, level) in statistics.into_iter().zip([0.1, 0.05, 0.01]) {
            let got = distance.p_value(statistic / n as f64, n).unwrap();
            assert!((got - level).abs() < stated + 4.0 * 1.5e-4, "{distance:?} {n} {level}: {got}");
        }
    }
}

/// At any level, and with a law that falls, whichever of its forms is taken.
#[test]
fn cramer_and_von_mises_law_of_few_points_is_as_near_as_it_says() {
    // Quantiles of 8·10⁶ samples by numpy (PCG64, its seed n), whose levels have a standard deviation of 1.8e-4 at most.
    let levels = [0.95, 0.8, 0.6, 0.4, 0.2, 0.1, 0.05, 0.01, 0.001];
    let rows = [
        (3, 0.007, [0.043608, 0.06887, 0.102801, 0.153935, 0.241717, 0.337852, 0.439174, 0.639694, 0.821463]),
        (
            4,
            0.0045,
            [0.04152, 0.066808, 0.102272, 0.150856, 0.242571, 0.341742, 0.441854, 0.669847, 0.929819],
        ),
        (5, 0.003, [0.04036, 0.066092, 0.100895, 0.150057, 0.242297, 0.342189, 0.446708, 0.683339, 0.983646]),
        (
            10,
            0.0015,
            [0.038365, 0.06412, 0.098916, 0.148413, 0.241848, 0.345327, 0.454574, 0.715398, 1.081238],
        ),
    ];
    let p = |statistic: f64, n: usize| Distance::CramerVonMises.p_value(statistic / n as f64, n).unwrap();
    for (n, stated, statistics) in rows {
        for (statistic, level) in statistics.into_iter().zip(levels) {
            let got = p(statistic, n);
            let stated = if level > 0.1 { stated } else { stated / 3.0 };
            assert!((got - level).abs() < stated + 4.0 * 1.8e-4, "{n} {level}: {got}");
        }
    }
    for n in [3, 4, 5, 6, 8, 10, 30, 100, 1000, 100_000, 1_000_000_000] {
        let (lowest, highest) = (1.0 / (12.0 * n as f64), n as f64 / 3.0);
        assert_eq!((p(lowest, n), p(1.000_001 * highest, n)), (1.0, 0.0));
        let steps: Vec<f64> = (0..2000).map(|k| p(lowest + 0.0025 * f64::from(k), n)).collect();
        assert!(steps.iter().all(|p| (0.0..=1.0).contains(p)));
        for (k, pair) in steps.windows(2).enumerate() {
            assert!(pair[1] <= pair[0] + 1e-15 && pair[0] - pair[1] < 0.05, "{n} {k}: {pair:?}");
        }
    }
}

#[test]
fn limiting_quantiles_are_those_of_the_tables() {
    let n = 1_000_000;
    let size = n as f64;
    // Anderson and Darling 1952 for W²; for A² their 1954 paper, and Marsaglia's 1 % in place of its 3.857; Kolmogorov's λ.
    let rows = [
        (Distance::CramerVonMises, 0.347_30 / size, 0.10),
        (Distance::CramerVonMises, 0.461_36 / size, 0.05),
        (Distance::CramerVonMises, 0.743_46 / size, 0.01),
        (Distance::AndersonDarling, 1.933 / size, 0.10),
        (Distance::AndersonDarling, 2.492 / size, 0.05),
        (Distance::AndersonDarling, 3.878_1 / size, 0.01),
        (Distance::KolmogorovSmirnov, 1.223_85 / size.sqrt(), 0.10),
        (Distance::KolmogorovSmirnov, 1.358_10 / size.sqrt(), 0.05),
        (Distance::KolmogorovSmirnov, 1.627_62 / size.sqrt(), 0.01),
    ];
    for (distance, value, want) in rows {
        let got = distance.p_value(value, n).unwrap();
        assert!((got / want - 1.0).abs() < 6e-3, "{distance:?}: {got} {want}");
    }
}

/// Beyond ten million draws the sum over them gives way to its limit.
#[test]
fn the_limit_of_kolmogorov_and_smirnov_meets_the_sum() {
    let p = |p: f64, n: usize| {
        let d = (-0.5 * (0.5 * p).ln() / n as f64).sqrt();
        (Distance::KolmogorovSmirnov.p_value(d, n).unwrap(), d)
    };
    for (asked, tolerance) in [(1e-3, 1e-6), (1e-12, 1e-6), (1e-100, 2e-6)] {
        let ((sum, of_sum), (limit, of_limit)) = (p(asked, 10_000_000), p(asked, 10_000_001));
        // d of the two differ by a twenty-millionth, and so little does p·(1 + 4nd²·…).
        assert!((of_sum / of_limit - 1.0).abs() < 1e-7);
        assert!((sum / limit - 1.0).abs() < tolerance, "{asked}: {sum} {limit}");
    }
    let (far, _) = p(1e-6, usize::MAX);
    assert!((far / 1e-6 - 1.0).abs() < 1e-6, "{far}");
}

/// Kolmogorov's alternating series needs the more terms the smaller the statistic is; near 0 it would say that a grid is not normal.
#[test]
fn samples_that_fit_too_well_are_not_rejected() {
    let p = |d: f64, n: usize| Distance::KolmogorovSmirnov.p_value(d, n).unwrap();
    for (d, n) in [(5.000_001e-6, 100_000), (1.000_000_2e-4, 5000), (1e-6, 1_000_000), (1e-15, usize::MAX)] {
        assert_eq!(p(d, n), 1.0, "{d} {n}");
    }
    let grid = crate::support::grid(100_000);
    assert_eq!(Discrepancy::new(Distance::KolmogorovSmirnov).test(&grid).unwrap().p_value, 1.0);
    // mpmath, 30 digits: 2 Σ (−1)^(k − 1) e^(−2k²x²) to k = 2000, on both sides of where the forms meet; n so large that d√n is x.
    let rows = [
        (0.3, 0.999_990_694_198_665_4),
        (0.5, 0.963_945_243_664_874_9),
        (0.999_999, 0.270_000_743_627_456_4),
        (1.0, 0.269_999_671_677_354_6),
    ];
    for (x, want) in rows {
        let got = p(x / 1e9, 1_000_000_000_000_000_000);
        assert!((got - want).abs() < 1e-9, "{x}: {got} {want}");
    }
}

/// The series of Cramér and von Mises needs more terms the larger the statistic, and has no digits for a small p.
#[test]
fn strongly_rejected_samples_are_rejected() {
    let p = |statistic: f64| {
        let n = 1e12;
        Distance::CramerVonMises.p_value(statistic / n, n as usize).unwrap()
    };
    // Smirnov's integral over its first interval, by the midpoint rule in cos t, which takes both ends' roots away.
    let rows =
        [(3.9, 7.851_120_1e-10), (4.1, 2.855_859_7e-10), (8.0, 9.019_756_3e-19), (20.0, 1.097_209_3e-44)];
    for (statistic, want) in rows {
        let tolerance = if statistic < 4.0 { 1e-5 } else { 4e-4 };
        assert!((p(statistic) / want - 1.0).abs() < tolerance, "{statistic}: {}", p(statistic));
    }
    let mut last = 1.0;
    for k in 0..400 {
        let statistic = 0.05 * 1.1f64.powi(k);
        let p = p(statistic);
        assert!(p <= last, "{statistic}: {p} after {last}");
        last = p;
    }
    assert_eq!(last, 0.0);
    let copies = Array1::from_elem(1_000_000, 10.0);
    assert_eq!(Discrepancy::new(Distance::CramerVonMises).test(&copies).unwrap().p_value, 0.0);
    for distance in [Distance::CramerVonMises, Distance::AndersonDarling, Distance::KolmogorovSmirnov] {
        for n in [1, 100, usize::MAX] {
            assert!(distance.p_value(1e308, n).unwrap() < 1e-20, "{distance:?} {n}");
        }
    }
}

#[test]
fn p_values_fall_from_one_to_nothing() {
    for distance in [Distance::KolmogorovSmirnov, Distance::CramerVonMises, Distance::AndersonDarling] {
        for n in [1usize, 3, 30, 200, 201, 5000] {
            let top = if distance == Distance::KolmogorovSmirnov { 1.0 } else { 30.0 / n as f64 };
            let mut last = 1.0;
            for k in 0..=200 {
                let p = distance.p_value(top * f64::from(k) / 200.0, n).unwrap();
                // The approximations meet within their errors.
                assert!(
                    (0.0..=1.0).contains(&p) && p <= last + 2e-3,
                    "{distance:?} {n} {k}: {p} after {last}"
                );
                last = p;
            }
            assert!(last < 1e-5, "{distance:?} {n}: {last}");
        }
    }
}
