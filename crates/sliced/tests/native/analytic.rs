//! Identities, limits and invariances.

use ndarray::{Array1, Array2, Axis, array, s};
use proptest::prelude::*;
use variata_distributions::special::{ndtr, ndtri};
use variata_distributions::{StandardLaplace, StandardNormal};
use variata_sliced::{
    Affine, Bandwidth, CramerWold, Directions, Discrepancy, Distance, Error, Kernel, Loss, MaxSlicedOptions,
    Mmd, MmdEstimator, Target, TwoSample, mardia, mardia_standardised,
};

use crate::support::{all, close, grid, line, normal};

#[test]
fn squared_distance_of_a_normal_law_is_that_of_its_moments() {
    // W₂² of N(m, s²) is m² + (s − 1)²; the grid of 10⁵ quantiles adds the variance within cells, 1e-6.
    let y = grid(100_000);
    for (m, s) in [(0.0, 2.0), (1.5, 1.0), (-0.7, 0.3), (3.0, 4.0)] {
        let got = Distance::WASSERSTEIN_2.value(&y.mapv(|v| m + s * v)).unwrap();
        close("W2", got, m * m + (s - 1.0) * (s - 1.0), 1e-4);
    }
}

#[test]
fn all_fall_at_their_rates() {
    // Means over samples of N(0, 1): 1/n for the quadratic ones, of known size for two.
    for distance in [Distance::CramerVonMises, Distance::AndersonDarling] {
        for n in [100, 1600] {
            let rounds = 400;
            let total: f64 = (0..rounds).map(|k| distance.value(&line(n, 1000 + k as u64)).unwrap()).sum();
            let mean = total / f64::from(rounds) * n as f64;
            // E W² = 1/6 and E A² = 1; their standard deviations are some 0.15 and 0.76.
            let (want, spread) =
                if distance == Distance::AndersonDarling { (1.0, 0.76) } else { (1.0 / 6.0, 0.15) };
            assert!((mean - want).abs() < 6.0 * spread / 20.0, "{distance:?} {n}: {mean}");
        }
    }
    for distance in all() {
        // The bound of the smooth maximum grows with n.
        if matches!(distance, Distance::SmoothKolmogorovSmirnov { .. }) {
            continue;
        }
        let at = |n: usize| (0..20).map(|k| distance.value(&line(n, 50 + k)).unwrap()).sum::<f64>() / 20.0;
        assert!(at(6400) < 0.6 * at(400), "{distance:?}");
    }
}

#[test]
fn general_forms_agree_with_the_special_ones() {
    let y = line(40, 5);
    for distance in all() {
        let special = distance.value(&y).unwrap();
        let general = Discrepancy::new(distance).against(&StandardNormal).value(&y).unwrap();
        close(&format!("{distance:?}"), general, special, 1e-10);
        // N(m, s²) against itself, standardised: distances of distribution functions do not change.
        let moved = Affine::new(StandardNormal, 2.0, 3.0).unwrap();
        let there = Discrepancy::new(distance).against(&moved).value(&y.mapv(|v| 2.0 + 3.0 * v)).unwrap();
        match distance {
            Distance::Wasserstein { p } => close("scaled", there, special * 3f64.powf(p), 1e-10),
            Distance::CramerWold { .. } => {}
            _ => close("scaled", there, special, 1e-10),
        }
    }
}

#[test]
fn wasserstein_to_a_law_is_the_limit_of_that_to_its_quantiles() {
    let laplace: Array1<f64> =
        (0..20_000).map(|k| StandardLaplace.quantile((k as f64 + 0.5) / 20_000.0)).collect();
    let y = line(50, 9);
    // What 20,000 quantiles leave out of the exponential tails counts more with each power.
    for (p, bound) in [(1.0, 1e-3), (2.0, 3e-3), (3.0, 3e-2)] {
        let law = Discrepancy::new(Distance::Wasserstein { p }).against(&StandardLaplace).value(&y).unwrap();
        let sample = TwoSample::new(p).unwrap().value(&y, &laplace).unwrap();
        close(&format!("p = {p}"), sample, law, bound);
    }
}

/// 49·(1/49) is less than 1 in f64, and the last cell reaches to the end of the line all the same.
#[test]
fn the_last_cell_of_any_size_of_sample_is_whole() {
    for n in [48usize, 49, 50, 98, 103, 107] {
        let y: Array1<f64> = (0..n).map(|k| StandardLaplace.quantile((k as f64 + 0.5) / n as f64)).collect();
        for p in [1.0, 2.0, 3.0] {
            let law = Discrepancy::new(Distance::Wasserstein { p }).against(&StandardLaplace);
            let (equal, grad) = law.value_with_grad(&y).unwrap();
            let weights = vec![1.0; n];
            let (same, slopes) = law.weighted(&weights).value_with_grad(&y).unwrap();
            close(&format!("n = {n}, p = {p}"), equal, same, 1e-9);
            if p == 1.0 {
                // The point is the median of its cell.
                assert!(grad[n - 1].abs().max(slopes[n - 1].abs()) < 1e-14, "{n}: {grad} {slopes}");
            } else {
                close(&format!("slope, n = {n}, p = {p}"), grad[n - 1], slopes[n - 1], 1e-9);
            }
        }
    }
}

/// 1/n is rounded, and a sample that nearly is a grid would feel that in every step.
#[test]
fn steps_of_large_samples_are_where_they_belong() {
    for n in [99_999, 100_000] {
        let y = grid(n).mapv(|v| v + 1e-5);
        let gaps = y.iter().enumerate().map(|(k, &y)| ndtr(y) - (k as f64 + 0.5) / n as f64);
        let squares: Vec<f64> = gaps.map(|gap| gap * gap).collect();
        // Sums of sums, as the rounding of one long sum would be seen.
        let sum: f64 = squares.chunks(300).map(|part| part.iter().sum::<f64>()).sum();
        let want = sum / n as f64 + 1.0 / (12.0 * (n as f64) * (n as f64));
        let got = Distance::CramerVonMises.value(&y).unwrap();
        close(&format!("{n}"), got, want, 1e-12);
    }
}

/// The upper end of a large sample is as good as its lower end. mpmath, 50 digits: the classical sum with zₖ = (2k − 1)/2n but for the
/// outlier's.
#[test]
fn outliers_of_large_samples_keep_their_digits() {
    for (n, far, want) in [
        (1000, 40.0, 7.975_410_665_712_212e-4),
        (100_000, 9.0, 3.272_288_430_260_923_3e-9),
        (100_000, 40.0, 7.937_031_772_030_309e-8),
    ] {
        let mut y = grid(n);
        y[n - 1] = far;
        for y in [y.mapv(|v| -v), y] {
            for target in [None, Some(&StandardNormal as &dyn Target)] {
                let distance = Discrepancy::new(Distance::AndersonDarling);
                let distance = target.map_or(distance, |target| distance.against(target));
                close(&format!("{n} {far} {target:?}"), distance.value(&y).unwrap(), want, 1e-12);
            }
        }
    }
}

#[test]
fn slices_of_a_shift_are_known() {
    // One point at μ: along v, W₂² = 1 + (v·μ)²; the mean over an orthonormal basis is 1 + ‖μ‖²/D.
    let x = array![[3.0, -4.0, 12.0]];
    let directions = Directions::orthogonal(9, 3, 4).unwrap();
    let sliced = Discrepancy::new(Distance::WASSERSTEIN_2).sliced(&x, &directions).unwrap();
    close("mean", sliced.mean, 1.0 + 169.0 / 3.0, 1e-13);
    // Each block has that mean, so that the error of the mean is nothing.
    assert!(sliced.standard_error.unwrap() < 1e-12);
    let uniform = Directions::uniform(4000, 3, 4).unwrap();
    let sliced = Discrepancy::new(Distance::WASSERSTEIN_2).sliced(&x, &uniform).unwrap();
    let error = sliced.mean - (1.0 + 169.0 / 3.0);
    assert!(error.abs() < 5.0 * sliced.standard_error.unwrap());
    let quasi = Directions::quasi_random(4000, 3, 4).unwrap();
    let better = Discrepancy::new(Distance::WASSERSTEIN_2).sliced(&x, &quasi).unwrap();
    assert!(better.standard_error.unwrap() < 0.2 * sliced.standard_error.unwrap());
}

#[test]
fn slices_are_the_distances_of_the_projections() {
    let x = normal(33, 5, 1);
    let directions = Directions::uniform(70, 5, 2).unwrap();
    let y = x.dot(&directions.vectors().t());
    for distance in all() {
        let sliced = Discrepancy::new(distance).sliced(&x, &directions).unwrap();
        for (got, y) in sliced.per_direction.iter().zip(y.columns()) {
            close(&format!("{distance:?}"), *got, distance.value(&y).unwrap(), 1e-11);
        }
        close("mean", sliced.mean, sliced.per_direction.mean().unwrap(), 1e-15);
    }
    let z = normal(20, 5, 3);
    let other = z.dot(&directions.vectors().t());
    let sliced = TwoSample::SQUARED.sliced(&x, &z, &directions).unwrap();
    for ((got, y), z) in sliced.per_direction.iter().zip(y.columns()).zip(other.columns()) {
        close("two", *got, TwoSample::SQUARED.value(&y, &z).unwrap(), 1e-11);
    }
}

#[test]
fn the_direct_distance_is_the_mean_over_directions() {
    let x = normal(30, 4, 8) * 1.3;
    let sliced = Discrepancy::new(Distance::CRAMER_WOLD)
        .sliced(&x, &Directions::uniform(20_000, 4, 1).unwrap())
        .unwrap();
    let direct = CramerWold::default().value(&x).unwrap();
    assert!((sliced.mean - direct).abs() < 5.0 * sliced.standard_error.unwrap(), "{} {direct}", sliced.mean);
}

#[test]
fn ascent_finds_the_direction_of_the_spread() {
    let mut x = normal(300, 6, 2);
    x.column_mut(4).mapv_inplace(|v| 3.0 * v + 1.0);
    for distance in [Distance::WASSERSTEIN_2, Distance::CRAMER_WOLD, Distance::CramerVonMises] {
        let discrepancy = Discrepancy::new(distance);
        let found = discrepancy.max_sliced(&x, &MaxSlicedOptions::default()).unwrap();
        assert!(found.direction[4].abs() > 0.95, "{distance:?}: {}", found.direction);
        let mean = discrepancy.sliced(&x, &Directions::uniform(50, 6, 1).unwrap()).unwrap();
        assert!(found.value > mean.per_direction.iter().copied().fold(0.0, f64::max));
        let unit = Directions::given(&found.direction.clone().insert_axis(Axis(0))).unwrap();
        let (value, grad) = discrepancy.sliced_with_grad(&x, &unit).unwrap();
        close("value", value.mean, found.value, 1e-12);
        assert!((&grad - &found.grad).iter().all(|v| v.abs() < 1e-12));
    }
}

#[test]
fn ascent_finds_the_direction_that_tells_two_samples_apart() {
    let (x, mut y) = (normal(200, 5, 2), normal(150, 5, 3));
    y.column_mut(1).mapv_inplace(|v| v + 2.0);
    for p in [1.0, 2.0, 3.0] {
        let two = TwoSample::new(p).unwrap();
        let found = two.max_sliced(&x, &y, &MaxSlicedOptions::default()).unwrap();
        assert!(found.direction[1].abs() > 0.95, "{p}: {}", found.direction);
        let unit = Directions::given(&found.direction.clone().insert_axis(Axis(0))).unwrap();
        let (value, grad) = two.sliced_with_grad_x(&x, &y, &unit).unwrap();
        close("value", value.mean, found.value, 1e-12);
        assert!((&grad - &found.grad).iter().all(|v| v.abs() < 1e-12));
    }
}

#[test]
fn mmd_of_equal_samples_is_nothing_and_is_unbiased_where_it_says() {
    let x = normal(9, 3, 1);
    let biased = Mmd::inverse_multiquadric(3, MmdEstimator::Biased).unwrap();
    assert!(biased.value(&x, &x).unwrap().abs() < 1e-15);
    let unbiased = Mmd::inverse_multiquadric(3, MmdEstimator::Unbiased).unwrap();
    let values: Vec<f64> = (0..2000)
        .map(|k| unbiased.value(&normal(6, 3, 2 * k + 100), &normal(8, 3, 2 * k + 101)).unwrap())
        .collect();
    let mean = values.iter().sum::<f64>() / 2000.0;
    let error = (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>()).sqrt() / 2000.0;
    assert!(mean.abs() < 5.0 * error && values.iter().any(|v| *v < 0.0), "{mean} {error}");
}

#[test]
fn both_ways_to_the_skewness_agree() {
    // 8 and 200 points in 6 dimensions: by pairs and by moments.
    for n in [8, 200] {
        let x = normal(n, 6, 3) + 0.3;
        let gram = x.dot(&x.t());
        let want = gram.mapv(|g| g * g * g).mean().unwrap();
        let found = mardia(&x).unwrap();
        close("skewness", found.skewness, want, 1e-12);
        let fourth = x.rows().into_iter().map(|r| r.dot(&r).powi(2)).sum::<f64>() / n as f64;
        close("kurtosis", found.kurtosis, fourth, 1e-13);
        assert_eq!(found.normalised_kurtosis, found.kurtosis - 48.0);
    }
    // Affine maps do not change the standardised ones.
    let x = normal(60, 3, 4);
    let map = array![[2.0, 0.3, 0.0], [0.0, 0.5, -1.0], [1.0, 0.0, 3.0]];
    let (a, b) = (mardia_standardised(&x).unwrap(), mardia_standardised(&(x.dot(&map) + 5.0)).unwrap());
    close("skewness", a.skewness, b.skewness, 1e-10);
    close("kurtosis", a.kurtosis, b.kurtosis, 1e-10);
    let fifth = x.slice(s![..5, ..]);
    assert!((mardia_standardised(&fifth).unwrap().kurtosis) < 15.0);
}

#[test]
fn losses_of_the_paper() {
    let weighted = Loss::weight(3.0).unwrap().apply(0.25);
    assert_eq!(weighted, (0.75, 3.0));
    let (value, slope) = Loss::Log.apply(1e-300);
    assert!((value / -690.775_527_898_213_7 - 1.0).abs() < 1e-14 && (slope / 1e300 - 1.0).abs() < 1e-15);
    for tiny in [0.0, f64::MIN_POSITIVE, -1e-17] {
        assert_eq!(Loss::Log.apply(tiny), (f64::MIN_POSITIVE.ln(), 0.0));
    }
    let (value, slope) = Loss::Log.apply(f64::NAN);
    assert!(value.is_nan() && slope.is_nan());
}

/// Five times what two values may differ by: each is within 1e-12, or 1e-10 where it is by quadrature.
fn slack(distance: Distance) -> f64 {
    match distance {
        Distance::Wasserstein { p } if p != 2.0 => 1e-9,
        _ => 1e-11,
    }
}

proptest! {
    #[test]
    fn order_and_repetition_do_not_matter(y in prop::collection::vec(-6.0..6.0f64, 1..40), turn in 0usize..40) {
        let mut turned = y.clone();
        let by = turn % y.len();
        turned.rotate_left(by);
        let twice: Array1<f64> = y.iter().chain(&y).copied().collect();
        let (y, turned) = (Array1::from(y), Array1::from(turned));
        for distance in all() {
            let value = distance.value(&y).unwrap();
            prop_assert!(value > 0.0);
            let other = distance.value(&turned).unwrap();
            if matches!(distance, Distance::CramerWold { .. }) {
                // Nothing is sorted: a cell adds its points up in the order in which they come.
                prop_assert!((other - value).abs() <= 1e-13 * value, "{value} {other}");
            } else {
                prop_assert_eq!(value.to_bits(), other.to_bits(), "{:?}", distance);
            }
            let (with, grad) = distance.value_with_grad(&y).unwrap();
            prop_assert_eq!(value.to_bits(), with.to_bits());
            prop_assert_eq!(grad.len(), y.len());
            // The same law; the smooth maximum counts points, and Silverman's rule too.
            let doubled = distance.value(&twice).unwrap();
            if !matches!(distance, Distance::CramerWold { .. } | Distance::SmoothKolmogorovSmirnov { .. }) {
                prop_assert!((doubled - value).abs() <= slack(distance) * value, "{distance:?} {doubled} {value}");
            }
        }
    }

    #[test]
    fn mirrored_samples_are_as_far(y in prop::collection::vec(-6.0..6.0f64, 1..40)) {
        let y = Array1::from(y);
        for distance in all() {
            let (a, b) = (distance.value(&y).unwrap(), distance.value(&y.mapv(|v| -v)).unwrap());
            prop_assert!((a - b).abs() <= slack(distance) * a, "{distance:?} {a} {b}");
        }
    }

    #[test]
    fn weights_are_repetitions(y in prop::collection::vec((-4.0..4.0f64, 0u8..4), 1..20)) {
        prop_assume!(y.iter().any(|p| p.1 > 0));
        let weights: Vec<f64> = y.iter().map(|p| f64::from(p.1)).collect();
        let points: Array1<f64> = y.iter().map(|p| p.0).collect();
        let repeated: Array1<f64> = y.iter().flat_map(|p| std::iter::repeat_n(p.0, usize::from(p.1))).collect();
        for distance in all() {
            let bandwidth = Bandwidth::Given(0.2);
            let distance = match distance {
                Distance::CramerWold { .. } => Distance::CramerWold { bandwidth },
                Distance::SmoothKolmogorovSmirnov { .. } => continue,
                other => other,
            };
            let a = Discrepancy::new(distance).weighted(&weights).value(&points).unwrap();
            let b = distance.value(&repeated).unwrap();
            prop_assert!((a - b).abs() <= slack(distance) * b, "{distance:?} {a} {b}");
        }
        let other = points.mapv(|v| 0.5 - v * v);
        for p in [1.0, 2.0, 3.0] {
            let two = TwoSample::new(p).unwrap();
            let a = two.weighted(Some(&weights), None).value(&points, &other).unwrap();
            let b = two.value(&repeated, &other).unwrap();
            prop_assert!((a - b).abs() <= 1e-10 * b.max(1e-10), "{p} {a} {b}");
        }
    }

    #[test]
    fn the_smooth_maximum_is_above_by_its_bound(y in prop::collection::vec(-3.0..3.0f64, 1..30), t in 1e-3..1.0f64) {
        let y = Array1::from(y);
        let hard = Distance::KolmogorovSmirnov.value(&y).unwrap();
        let soft = Distance::SmoothKolmogorovSmirnov { temperature: t }.value(&y).unwrap();
        prop_assert!(hard <= soft && soft <= hard + t * (2.0 * y.len() as f64).ln() + 1e-15);
    }

    #[test]
    fn two_sample_distances_are_metrics(
        x in prop::collection::vec(-3.0..3.0f64, 1..12),
        y in prop::collection::vec(-3.0..3.0f64, 1..12),
        z in prop::collection::vec(-3.0..3.0f64, 1..12),
        p in 1.0..4.0f64,
    ) {
        let two = TwoSample::new(p).unwrap();
        let root = |a: &[f64], b: &[f64]| {
            two.value(&Array1::from(a.to_vec()), &Array1::from(b.to_vec())).unwrap().powf(1.0 / p)
        };
        prop_assert_eq!(root(&x, &x), 0.0);
        prop_assert!((root(&x, &y) - root(&y, &x)).abs() <= 1e-12);
        prop_assert!(root(&x, &z) <= root(&x, &y) + root(&y, &z) + 1e-9);
    }

    #[test]
    fn quantiles_of_the_target_are_nearest(n in 1usize..200, shift in -2.0..2.0f64) {
        let y: Array1<f64> = (0..n).map(|k| ndtri((k as f64 + 0.5) / n as f64)).collect();
        for distance in all() {
            if matches!(distance, Distance::SmoothKolmogorovSmirnov { .. }) {
                continue;
            }
            let away = distance.value(&y.mapv(|v| v + shift)).unwrap();
            prop_assert!(distance.value(&y).unwrap() <= away * (1.0 + slack(distance)), "{distance:?}");
        }
    }
}

/// Samples of several sizes that are one law.
#[test]
fn samples_that_agree_are_no_distance_apart() {
    let x = Array1::from_shape_fn(5, |i| i as f64);
    let thrice: Array1<f64> = x.iter().flat_map(|v| [*v; 3]).collect();
    for scale in [1.0, 1e8] {
        for p in [1.0, 2.0, 2.5] {
            let (x, y) = (&x * scale, &thrice * scale);
            for (x, y) in [(&x, &y), (&y, &x)] {
                let (value, grad) = TwoSample::new(p).unwrap().value_with_grad(x, y).unwrap();
                assert_eq!(value, 0.0, "{scale} {p}");
                assert!(grad.x.iter().chain(&grad.y).all(|g: &f64| *g == 0.0), "{scale} {p}: {grad:?}");
            }
        }
    }
}

/// Points of weight 0 are not there, nor is what rounds away beside the others of much consequence.
#[test]
fn weights_that_vanish_are_those_of_no_points() {
    let (mut x, mut w) = (vec![0.0; 50], vec![1.0; 50]);
    (x[49], w[49]) = (1e10, 0.0);
    let (x, y) = (Array1::from(x), array![0.0]);
    let two = TwoSample::SQUARED.weighted(Some(&w), None);
    let (value, grad) = two.value_with_grad(&x, &y).unwrap();
    assert!(value == 0.0 && grad.x.iter().chain(&grad.y).all(|g| *g == 0.0), "{value}");
    let other = TwoSample::SQUARED.weighted(None, Some(&w));
    assert_eq!(other.value(&y, &x).unwrap(), 0.0);

    // After the first point the distribution function is 1 as a number.
    let y = array![0.0, 1.0];
    for distance in all() {
        let one = distance.value(&array![0.0]).unwrap();
        for faint in [1e-17, 1e-310] {
            for (weights, y) in [([1.0, faint], &y), ([faint, 1.0], &(&y - 1.0))] {
                let discrepancy = Discrepancy::new(distance).weighted(&weights);
                let (value, grad): (f64, Array1<f64>) = discrepancy.value_with_grad(y).unwrap();
                let bound =
                    if matches!(distance, Distance::SmoothKolmogorovSmirnov { .. }) { 0.1 } else { 1e-13 };
                assert!((value - one).abs() <= bound, "{distance:?} {weights:?}: {value} {one}");
                assert!(grad.iter().all(|g| g.is_finite()), "{distance:?} {weights:?}: {grad}");
            }
        }
    }
}

/// Quantiles of neighbouring numbers, which may come out in the wrong order.
#[test]
fn cells_of_a_unit_in_the_last_place_are_cells() {
    for k in 0..2000 {
        let first = 2.0 + 1e-3 * f64::from(k);
        for faint in [2.7e-16, 1e-15] {
            let weights = [first, faint, 7.0];
            for p in [1.0, 2.0, 2.5] {
                let discrepancy = Discrepancy::new(Distance::Wasserstein { p }).weighted(&weights);
                assert!(discrepancy.value(&array![-1.0, 0.0, 1.0]).unwrap().is_finite());
            }
        }
    }
}

/// A target that says no more than it has to, and whose quantile of 1 is none.
#[test]
fn targets_need_no_more_than_what_is_required() {
    #[derive(Debug)]
    struct Exponential;
    impl Target for Exponential {
        fn cdf(&self, x: f64) -> f64 {
            if x > 0.0 { -(-x).exp_m1() } else { 0.0 }
        }
        fn pdf(&self, x: f64) -> f64 {
            if x > 0.0 { (-x).exp() } else { 0.0 }
        }
        fn quantile(&self, p: f64) -> f64 {
            assert!(p > 0.0 && p < 1.0, "{p}");
            -(-p).ln_1p()
        }
    }
    let y = array![0.1, 0.4, 0.8, 1.1, 2.9];
    for distance in all() {
        let value = Discrepancy::new(distance).against(&Exponential).value(&y).unwrap();
        assert!(value > 0.0 && value < 1.0, "{distance:?}: {value}");
    }
}

/// Sums of squares, of which rounding leaves less than nothing where they are nothing.
#[test]
fn what_cannot_be_negative_is_not() {
    let half = array![[0.8, 0.6, 1.0, -0.1], [0.3, 0.2, 0.4, 0.2]];
    let symmetric = ndarray::concatenate![Axis(0), half, half.mapv(|v: f64| -v)];
    assert_eq!(mardia(&symmetric).unwrap().skewness, 0.0);
    let x = array![[-1.0], [0.1], [-0.6]];
    let rbf = Mmd::new(vec![Kernel::Rbf { variance: 1.0 }], MmdEstimator::Biased).unwrap();
    let value = rbf.value(&x, &x.slice(s![..;-1, ..]).to_owned()).unwrap();
    assert!((0.0..1e-15).contains(&value), "{value}");
    for seed in 0..20 {
        let half = normal(8, 30, seed);
        let symmetric = ndarray::concatenate![Axis(0), half, half.mapv(|v| -v)];
        let skewness = mardia(&symmetric).unwrap().skewness;
        assert!((0.0..1e-9).contains(&skewness), "{skewness}");
    }
    // What is no number stays none.
    let far = Array2::from_elem((2, 4), 1e149) * array![[1.0], [-1.0]];
    assert!(matches!(mardia(&far), Err(Error::Overflow { .. })));
}

/// Mardia's statistics do not depend on units.
#[test]
fn standardised_moments_have_no_unit() {
    let x = normal(50, 3, 9);
    let want = mardia_standardised(&x).unwrap();
    for scales in [[1.0, 1e-8, 1e8], [1e-40, 1e40, 1.0]] {
        let got = mardia_standardised(&(&x * &Array1::from(scales.to_vec()))).unwrap();
        close("kurtosis", got.kurtosis, want.kurtosis, 1e-12);
        close("skewness", got.skewness, want.skewness, 1e-12);
    }
}
