//! Fréchet distance: identities, scales, rank deficiency, gradients, bad input.

use ndarray::{Array1, Array2, array};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use variata_distributions::{
    ArgumentError, Error, frechet_distance, frechet_distance_from_features, frechet_distance_with_grad,
};
use variata_testkit::compare::{assert_ratio, assert_relative};
use variata_testkit::families::spd;
use variata_testkit::finite_difference::assert_gradient;

const U: f64 = f64::EPSILON / 2.0;

fn covariance(n: usize, condition: f64, seed: u64) -> Array2<f64> {
    if n == 1 { array![[2.0 + seed as f64]] } else { spd(n, condition, seed) }
}

fn features(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((rows, columns), || rng.random_range(-1.0..1.0))
}

#[test]
fn it_is_zero_at_equality_symmetric_and_exact_where_covariances_commute() {
    for n in [1, 2, 5, 20, 64] {
        for condition in [10.0, 1e6, 1e10, 1e14] {
            let (a, b) = (covariance(n, condition, 3), covariance(n, condition, 4));
            let (zero, trace) = (Array1::zeros(n), a.diag().sum());
            let equal = frechet_distance(&zero, &a, &zero, &a).unwrap();
            assert!((0.0..=1e-28 * trace).contains(&equal), "n = {n}, κ = {condition}: {equal}");
            let there = frechet_distance(&zero, &a, &zero, &b).unwrap();
            let back = frechet_distance(&zero, &b, &zero, &a).unwrap();
            assert_ratio("symmetry", there, back, n as f64 * (trace + b.diag().sum()), U, 30.0);
            // 4A and A commute: (2 − 1)² tr A.
            let commuting = frechet_distance(&zero, &a, &zero, &(&a * 4.0)).unwrap();
            assert_ratio("commuting", commuting, trace, n as f64 * trace, U, 30.0);
        }
    }
}

#[test]
fn one_dimension_is_the_closed_form() {
    let d = frechet_distance(&array![0.0], &array![[4.0]], &array![3.0], &array![[9.0]]).unwrap();
    assert_relative("9 + (3 − 2)²", d, 10.0, 1e-15, 0.0);
}

#[test]
fn fewer_points_than_dimensions_are_fine() {
    for (rows, columns) in [(5, 20), (20, 64), (2, 3), (40, 8)] {
        let (f, g) = (features(rows, columns, 1), features(rows, columns, 2));
        let scale = f.iter().map(|x| x * x).sum::<f64>();
        let equal = frechet_distance_from_features(&f, &f).unwrap();
        assert!((0.0..=1e-26 * scale).contains(&equal), "{equal}");
        let there = frechet_distance_from_features(&f, &g).unwrap();
        let back = frechet_distance_from_features(&g, &f).unwrap();
        assert!(there > 0.0);
        assert_relative("symmetry", there, back, 1e-12, 0.0);
    }
}

/// A feature that is active for one point only, by next to nothing.
#[test]
fn a_feature_that_hardly_varies_changes_nothing() {
    for exponent in [-170, -158, -150, -140, -100, -20] {
        let (mut f, mut g) = (features(40, 8, 1), features(40, 8, 2));
        let plain = frechet_distance_from_features(
            &f.slice(ndarray::s![.., ..7]).to_owned(),
            &g.slice(ndarray::s![.., ..7]).to_owned(),
        );
        for x in [&mut f, &mut g] {
            x.column_mut(7).fill(0.0);
            x[[3, 7]] = 10f64.powi(exponent);
        }
        g[[3, 7]] *= 0.3;
        g[[5, 7]] = 10f64.powi(exponent);
        let got = frechet_distance_from_features(&f, &g).unwrap();
        assert_relative("beside a tiny column", got, plain.unwrap(), 1e-12, 0.0);
    }
}

#[test]
fn it_scales_with_the_covariance_from_tiny_to_huge() {
    let (a, b) = (spd(4, 10.0, 3), spd(4, 10.0, 4));
    let zero = Array1::zeros(4);
    let want = frechet_distance(&zero, &a, &zero, &b).unwrap();
    for exponent in [-300, -200, -160, -100, 100, 160, 200, 300] {
        let s = 10f64.powi(exponent);
        let got = frechet_distance(&zero, &(&a * s), &zero, &(&b * s)).unwrap() / s;
        assert_relative("scaled", got, want, 1e-12, 0.0);
    }
}

#[test]
fn it_does_not_change_under_rotation() {
    let (f, g) = (features(30, 4, 5), features(30, 4, 6) * 1.5);
    let (c, s) = (0.6, 0.8);
    let rotate = |x: &Array2<f64>| {
        let mut y = x.clone();
        for (mut to, from) in y.rows_mut().into_iter().zip(x.rows()) {
            to[0] = c * from[0] - s * from[2];
            to[2] = s * from[0] + c * from[2];
        }
        y
    };
    let plain = frechet_distance_from_features(&f, &g).unwrap();
    let rotated = frechet_distance_from_features(&rotate(&f), &rotate(&g)).unwrap();
    assert_relative("rotation", rotated, plain, 1e-13, 0.0);
    let f32s = |x: &Array2<f64>| x.mapv(|v| v as f32);
    let single = frechet_distance_from_features(&f32s(&f), &f32s(&g)).unwrap();
    assert_relative("f32 features", single, plain, 1e-6, 0.0);
}

#[test]
fn gradients_match_the_stencil() {
    for n in [1, 2, 4, 7] {
        let (a, b) = (covariance(n, 50.0, 3), covariance(n, 20.0, 4));
        let mean: Vec<f64> = (0..n).map(|i| 0.5 * i as f64).collect();
        let zero = Array1::zeros(n);
        // Symmetric perturbations: the lower triangle, mirrored.
        let size = n * (n + 1) / 2;
        let places: Vec<(usize, usize)> = (0..n).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
        let symmetric = |v: &[f64]| {
            let mut m = Array2::zeros((n, n));
            for (&(i, j), v) in places.iter().zip(v) {
                m[[i, j]] = *v;
                m[[j, i]] = *v;
            }
            m
        };
        let lower = |m: &Array2<f64>, off: f64| -> Vec<f64> {
            places.iter().map(|&(i, j)| m[[i, j]] * if i == j { 1.0 } else { off }).collect()
        };
        let at = [mean, lower(&a, 1.0), lower(&b, 1.0)].concat();
        let step = 0.01 * a.diag().sum().min(b.diag().sum()) / n as f64;
        assert_gradient(
            "Fréchet",
            |v| {
                let (p, q) = (symmetric(&v[n..n + size]), symmetric(&v[n + size..]));
                frechet_distance(&Array1::from(v[..n].to_vec()), &p, &zero, &q).unwrap()
            },
            &at,
            &vec![step; at.len()],
            |v| {
                let (p, q) = (symmetric(&v[n..n + size]), symmetric(&v[n + size..]));
                let g = frechet_distance_with_grad(&Array1::from(v[..n].to_vec()), &p, &zero, &q).unwrap().1;
                [g.mean_p.to_vec(), lower(&g.covariance_p, 2.0), lower(&g.covariance_q, 2.0)].concat()
            },
            1e-8,
        );
    }
}

#[test]
fn bad_input_is_named() {
    let (zero, eye) = (array![0.0, 0.0], array![[1.0, 0.0], [0.0, 1.0]]);
    let lopsided = array![[1.0, 0.5], [0.0, 1.0]];
    assert!(matches!(
        frechet_distance(&zero, &lopsided, &zero, &eye),
        Err(Error::Argument(ArgumentError::Value { argument: "covariance_p", .. }))
    ));
    let negative = array![[1.0, 2.0], [2.0, 1.0]];
    assert!(matches!(
        frechet_distance(&zero, &eye, &zero, &negative),
        Err(Error::NotPositiveDefinite { argument: "covariance_q", .. })
    ));
    // Nothing on its diagonal, and eigenvalues ±1.
    let hollow = array![[0.0, 1.0], [1.0, 0.0]];
    assert!(matches!(
        frechet_distance(&zero, &hollow, &zero, &eye),
        Err(Error::NotPositiveDefinite { argument: "covariance_p", .. })
    ));
    assert!(matches!(
        frechet_distance(&zero, &eye, &array![0.0], &eye),
        Err(Error::Argument(ArgumentError::Shape { argument: "mean_q", .. }))
    ));
    let singular = array![[1.0, 1.0], [1.0, 1.0]];
    assert!(frechet_distance(&zero, &singular, &zero, &eye).is_ok());
    assert!(matches!(
        frechet_distance_with_grad(&zero, &singular, &zero, &eye),
        Err(Error::NotPositiveDefinite { .. })
    ));
    assert!(frechet_distance_from_features(&features(1, 3, 1), &features(5, 3, 1)).is_err());
    assert!(frechet_distance_from_features(&features(5, 2, 1), &features(5, 3, 1)).is_err());
    // Squares, or already sums, that overflow: the argument is the features, and the element the largest.
    for (size, at) in [(1e200, [4, 2]), (1e308, [1, 0])] {
        let mut large = features(5, 3, 1) * (0.9 * size);
        large[at] = size;
        let small = features(5, 3, 2);
        for (p, q, name) in [(&large, &small, "p"), (&small, &large, "q")] {
            let error = frechet_distance_from_features(p, q).unwrap_err();
            let Error::Argument(ArgumentError::Value { argument, index, value, .. }) = error else {
                panic!("{error}")
            };
            assert_eq!((argument, index, value), (name, Some(at[0] * 3 + at[1]), size));
        }
    }
    let mut nan = features(5, 3, 1);
    nan[[4, 2]] = f64::NAN;
    assert!(frechet_distance_from_features(&nan, &features(5, 3, 1)).is_err());
}

/// A rotation in the plane of two of n coordinates.
fn turned(n: usize, (i, j): (usize, usize), angle: f64) -> Array2<f64> {
    let mut q = Array2::eye(n);
    (q[(i, i)], q[(j, j)]) = (angle.cos(), angle.cos());
    (q[(i, j)], q[(j, i)]) = (-angle.sin(), angle.sin());
    q
}

#[test]
fn a_small_dimension_beside_a_large_one_counts() {
    let zero = array![0.0, 0.0];
    for large in [1e3, 1e8, 1e16, 1e20, 1e40, 1e100] {
        let (a, b) = (array![[large, 0.0], [0.0, 1.0]], array![[large, 0.0], [0.0, 4.0]]);
        let (d, grad) = frechet_distance_with_grad(&zero, &a, &zero, &b).unwrap();
        assert_relative("(2 − 1)²", d, 1.0, 1e-13, 0.0);
        // I − (B/A)^½, B and A diagonal.
        assert_relative("1 − 2", grad.covariance_p[(1, 1)], -1.0, 1e-13, 0.0);
        assert_relative("1 − ½", grad.covariance_q[(1, 1)], 0.5, 1e-13, 0.0);
        // Two small dimensions that are turned against each other: the distance of their block.
        let block = |d: [f64; 2], angle: f64| {
            let q = turned(2, (0, 1), angle);
            q.dot(&Array2::from_diag(&Array1::from(d.to_vec()))).dot(&q.t())
        };
        let (small_a, small_b) = (block([1.0, 2.0], 0.3), block([5.0, 0.5], -1.1));
        let whole = |small: &Array2<f64>| {
            let mut m = Array2::from_elem((3, 3), 0.0);
            m[(0, 0)] = large;
            m.slice_mut(ndarray::s![1.., 1..]).assign(small);
            m
        };
        let want = frechet_distance(&zero, &small_a, &zero, &small_b).unwrap();
        let zero = Array1::zeros(3);
        let d = frechet_distance(&zero, &whole(&small_a), &zero, &whole(&small_b)).unwrap();
        assert_relative("of a block", d, want, 1e-12, 0.0);
    }
    // mpmath, 50 digits: (1 − √(10⁻¹⁶))².
    let d = frechet_distance(&zero, &array![[1.0, 0.0], [0.0, 1e-16]], &zero, &Array2::eye(2)).unwrap();
    assert_relative("a variance of 1e-16", d, 0.9999999800000001, 1e-14, 0.0);
}

#[test]
fn a_small_feature_beside_a_large_one_counts() {
    let of = |factor: f64| {
        Array2::from_shape_fn((40, 2), |(i, j)| {
            let i = i as f64;
            if j == 0 { 1e9 * (0.7 * i).sin() } else { factor * (1.3 * i).cos() }
        })
    };
    // Of the second feature alone; the small correlation with the first adds nothing at this precision (mpmath: 2.0988).
    let alone = |x: &Array2<f64>| x.slice(ndarray::s![.., 1..]).to_owned();
    let want = frechet_distance_from_features(&alone(&of(1.0)), &alone(&of(3.0))).unwrap();
    let d = frechet_distance_from_features(&of(1.0), &of(3.0)).unwrap();
    assert_relative("the second feature", d, want, 1e-3, 0.0);
}

#[test]
fn moments_of_features_far_from_zero_keep_their_digits() {
    // n equal numbers, and the same with one larger by 1: variances 0 and 1/n, means 1/n apart.
    for samples in [1000, 100_000] {
        let n = samples as f64;
        let p = Array2::from_elem((samples, 1), 1e8 + 0.1);
        let mut q = p.clone();
        q[(0, 0)] += 1.0;
        let d = frechet_distance_from_features(&p, &q).unwrap();
        // The means are apart by a multiple of their last digit, 1.5e-8.
        assert_relative("1/n + 1/n²", d, 1.0 / n + 1.0 / (n * n), 1e-7, 0.0);
    }
}
