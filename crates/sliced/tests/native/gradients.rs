//! Gradients against finite differences.

use ndarray::{Array1, Array2, Axis, array};
use variata_distributions::{StandardGumbel, StandardLaplace, StandardLogistic, StandardNormal};
use variata_sliced::{
    Affine, CramerWold, Directions, Discrepancy, Distance, Kernel, Mmd, MmdEstimator, SphereMean, Target,
    TwoSample,
};
use variata_testkit::finite_difference::assert_gradient;

use crate::support::{SMOOTH, close, line, normal};

fn check(name: &str, discrepancy: Discrepancy<'_>, y: &Array1<f64>, bound: f64) {
    // The length over which nothing changes places.
    let mut sorted = y.to_vec();
    sorted.sort_by(f64::total_cmp);
    let gap = sorted.windows(2).map(|w| w[1] - w[0]).fold(1.0, f64::min);
    let scales = vec![gap; y.len()];
    assert_gradient(
        name,
        |y| discrepancy.value(&Array1::from(y.to_vec())).unwrap(),
        y.as_slice().unwrap(),
        &scales,
        |y| discrepancy.value_with_grad(&Array1::from(y.to_vec())).unwrap().1.to_vec(),
        bound,
    );
}

#[test]
fn of_every_smooth_distance_on_the_line() {
    let weights: Vec<f64> = (0..12).map(|i| 1.0 + (i % 4) as f64).collect();
    let y = array![-2.1, -1.3, -0.8, -0.45, -0.1, 0.2, 0.6, 0.9, 1.4, 1.7, 2.6, 3.3];
    for distance in SMOOTH {
        check(&format!("{distance:?}"), Discrepancy::new(distance), &y, 1e-9);
        let weighted = Discrepancy::new(distance).weighted(&weights);
        check(&format!("{distance:?}, weighted"), weighted, &y, 1e-9);
    }
    // Points far out, on both sides.
    let far = array![-40.0, -25.0, 0.3, 21.0, 40.0];
    for distance in [Distance::WASSERSTEIN_2, Distance::AndersonDarling, Distance::CRAMER_WOLD] {
        check(&format!("{distance:?}, far"), Discrepancy::new(distance), &far, 1e-9);
    }
}

#[test]
fn against_other_targets() {
    let y = array![-2.05, -0.72, -0.31, 0.24, 0.95, 2.45];
    let shifted = Affine::new(StandardNormal, 0.3, 1.7).unwrap();
    let targets: [&dyn Target; 4] = [&StandardLaplace, &StandardLogistic, &StandardGumbel, &shifted];
    for target in targets {
        for distance in SMOOTH {
            let discrepancy = Discrepancy::new(distance).against(target);
            check(&format!("{distance:?} against {target:?}"), discrepancy, &y, 1e-7);
        }
    }
    // Where the tails are 0 as numbers.
    let far = array![-60.0, -39.5, 0.3, 45.0, 80.0];
    let normal = StandardNormal;
    let targets: [&dyn Target; 4] = [&normal, &StandardLaplace, &StandardLogistic, &shifted];
    for target in targets {
        let discrepancy = Discrepancy::new(Distance::AndersonDarling).against(target);
        check(&format!("far out, against {target:?}"), discrepancy, &far, 1e-9);
    }
    let (of_target, of_normal) = (
        Discrepancy::new(Distance::AndersonDarling).against(&normal).value_with_grad(&far).unwrap(),
        Distance::AndersonDarling.value_with_grad(&far).unwrap(),
    );
    assert!((of_target.0 / of_normal.0 - 1.0).abs() < 1e-12);
    let (thousand, _) = Discrepancy::new(Distance::AndersonDarling)
        .against(&StandardLogistic)
        .value_with_grad(&array![800.0])
        .unwrap();
    assert!((thousand - 799.0).abs() < 1e-9, "{thousand}");
}

/// Where the logarithms of density and tail are large numbers, their difference is none. One point: (1 − c)·hazard − c·reversed hazard, twice,
/// with c = ½.
#[test]
fn of_anderson_and_darling_far_from_any_target() {
    let darling = Discrepancy::new(Distance::AndersonDarling);
    let slope =
        |target: &dyn Target, y: f64| darling.against(target).value_with_grad(&array![y]).unwrap().1[0];
    let wide = Affine::new(StandardNormal, 0.5, 2.0).unwrap();
    for y in [15.0, 30.0, 1e3, 1e5, 1e8, 1e100] {
        for y in [-y, y] {
            let want = Distance::AndersonDarling.value_with_grad(&array![y]).unwrap().1[0];
            close("normal", slope(&StandardNormal, y), want, 1e-12);
            close("wide", slope(&wide, 2.0 * y + 0.5), 0.5 * want, 1e-12);
        }
        // 1 and 0.
        close("Laplace", slope(&StandardLaplace, y), 1.0, 1e-6);
        close("logistic", slope(&StandardLogistic, -y), -1.0, 1e-6);
        close("Gumbel, above", slope(&StandardGumbel, y), 1.0, 1e-6);
    }
    // By mpmath, 1/y more than y at the first order: 1000 + 1/1000 − 2/1000³ + …
    close("normal", slope(&StandardNormal, 1e3), 1_000.000_999_998_000_01, 1e-15);
    // The reversed hazard of a Gumbel law is e^(−y).
    for y in [-3.0, -10.0, -30.0, -300.0] {
        close("Gumbel, below", slope(&StandardGumbel, y), -(-y).exp(), 1e-8);
    }
}

#[test]
fn of_kolmogorov_and_smirnov_at_the_maximum() {
    let y = line(9, 3);
    let (value, grad) = Distance::KolmogorovSmirnov.value_with_grad(&y).unwrap();
    let at: Vec<usize> = (0..9).filter(|&i| grad[i] != 0.0).collect();
    assert_eq!(at.len(), 1);
    let mut moved = y.clone();
    moved[at[0]] += 1e-6;
    let slope = (Distance::KolmogorovSmirnov.value(&moved).unwrap() - value) / 1e-6;
    assert!((slope - grad[at[0]]).abs() < 1e-5);
}

/// At ties the distance is the largest of smooth functions, or a smooth function of all orders alike: moving any one point by a
/// little changes it as some element of the subdifferential says.
#[test]
fn at_ties_the_gradient_is_a_subgradient() {
    let y = array![0.5, 0.5, -1.0, -1.0, 2.0];
    // These two are convex in each point within its cell: a subgradient supports them from below.
    for distance in [Distance::WASSERSTEIN_2, Distance::Wasserstein { p: 3.0 }] {
        let (value, grad) = distance.value_with_grad(&y).unwrap();
        for i in 0..y.len() {
            for step in [-1e-4, 1e-4] {
                let mut moved = y.clone();
                moved[i] += step;
                let gain = distance.value(&moved).unwrap() - value;
                // Exchanging tied points exchanges their slopes.
                let tied = (0..y.len()).filter(|&j| y[j] == y[i]).map(|j| grad[j] * step);
                let lowest = tied.fold(f64::INFINITY, f64::min);
                assert!(gain >= lowest - 1e-7, "{distance:?} {i} {step}: {gain} {lowest}");
            }
        }
    }
}

#[test]
fn of_two_samples_sliced_and_direct() {
    let (x, y) = (normal(7, 3, 1), normal(5, 3, 2));
    let directions = Directions::uniform(6, 3, 3).unwrap();
    let shaped = |v: &[f64], like: &Array2<f64>| Array2::from_shape_vec(like.dim(), v.to_vec()).unwrap();
    let (wx, wy) = ([1.0, 2.0, 0.5, 1.0, 1.0, 3.0, 1.0], [1.0, 1.0, 4.0, 1.0, 0.0]);
    for p in [1.0, 2.0, 3.5] {
        let two = TwoSample::new(p).unwrap().weighted(Some(&wx), Some(&wy));
        assert_gradient(
            "sliced two-sample",
            |v| two.sliced(&shaped(v, &x), &y, &directions).unwrap().mean,
            x.as_slice().unwrap(),
            &[1e-3; 21],
            |v| {
                two.sliced_with_grad_x(&shaped(v, &x), &y, &directions).unwrap().1.into_raw_vec_and_offset().0
            },
            1e-8,
        );
        // Both at once are either, to the bit.
        for (two, y) in [(two, &y), (TwoSample::new(p).unwrap(), &normal(7, 3, 4))] {
            let exchanged = TwoSample::new(p).unwrap();
            let exchanged = if y.nrows() == 5 { exchanged.weighted(Some(&wy), Some(&wx)) } else { exchanged };
            let (sliced, grad) = two.sliced_with_grad(&x, y, &directions).unwrap();
            assert_eq!((sliced, grad.x), two.sliced_with_grad_x(&x, y, &directions).unwrap());
            assert_eq!(grad.y, exchanged.sliced_with_grad_x(y, &x, &directions).unwrap().1);
        }
        let (a, b) = (x.column(0).to_owned(), y.column(0).to_owned());
        let both: Vec<f64> = a.iter().chain(&b).copied().collect();
        let split = |v: &[f64]| (Array1::from(v[..7].to_vec()), Array1::from(v[7..].to_vec()));
        assert_gradient(
            "two samples on the line",
            |v| two.value(&split(v).0, &split(v).1).unwrap(),
            &both,
            &[1e-3; 12],
            |v| {
                let (_, grad) = two.value_with_grad(&split(v).0, &split(v).1).unwrap();
                grad.x.iter().chain(&grad.y).copied().collect()
            },
            1e-8,
        );
    }
    for distance in SMOOTH {
        let sliced = Discrepancy::new(distance);
        assert_gradient(
            &format!("sliced {distance:?}"),
            |v| sliced.sliced(&shaped(v, &x), &directions).unwrap().mean,
            x.as_slice().unwrap(),
            &[1e-3; 21],
            |v| sliced.sliced_with_grad(&shaped(v, &x), &directions).unwrap().1.into_raw_vec_and_offset().0,
            1e-7,
        );
    }
    for sphere_mean in [SphereMean::Exact, SphereMean::Asymptotic] {
        let direct = CramerWold { sphere_mean, ..CramerWold::default() };
        assert_gradient(
            "direct Cramér–Wold",
            |v| direct.value(&shaped(v, &x)).unwrap(),
            x.as_slice().unwrap(),
            &[1.0; 21],
            |v| direct.value_with_grad(&shaped(v, &x)).unwrap().1.into_raw_vec_and_offset().0,
            1e-9,
        );
    }
    for estimator in [MmdEstimator::Biased, MmdEstimator::Unbiased] {
        let kernels = vec![Kernel::Rbf { variance: 0.7 }, Kernel::InverseMultiquadric { scale: 2.0 }];
        let mmd = Mmd::new(kernels, estimator).unwrap();
        let both = ndarray::concatenate![Axis(0), x, y];
        let split = |v: &[f64]| (shaped(&v[..21], &x), shaped(&v[21..], &y));
        assert_gradient(
            "MMD",
            |v| mmd.value(&split(v).0, &split(v).1).unwrap(),
            both.as_slice().unwrap(),
            &[1.0; 36],
            |v| {
                let (_, grad) = mmd.value_with_grad(&split(v).0, &split(v).1).unwrap();
                grad.x.iter().chain(&grad.y).copied().collect()
            },
            1e-9,
        );
    }
}

/// Where Φ is made of approximations, too, it has no step at 0.
#[test]
fn one_point_in_the_middle_stays_there() {
    let axis = Directions::given(&array![[1.0]]).unwrap();
    for distance in [Distance::CramerVonMises, Distance::AndersonDarling, Distance::WASSERSTEIN_2] {
        let d = Discrepancy::new(distance);
        let (_, grad) = d.sliced_with_grad(&array![[0.0f32]], &axis).unwrap();
        assert_eq!(grad[[0, 0]], 0.0, "{distance:?}");
    }
    // Both one-sided gaps are ½; the first one falls as the point rises.
    let kolmogorov = Discrepancy::new(Distance::KolmogorovSmirnov);
    let (sliced, grad) = kolmogorov.sliced_with_grad(&array![[0.0f32]], &axis).unwrap();
    let (value, slope) = kolmogorov.value_with_grad(&array![0.0f64]).unwrap();
    assert_eq!((sliced.mean, value), (0.5, 0.5));
    assert!(slope[0] < 0.0 && (grad[[0, 0]] - slope[0] as f32).abs() < 1e-7);
}
