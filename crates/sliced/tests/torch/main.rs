//! Tests of the tensor home.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use ndarray::{Array2, Ix2, array};
use variata_distributions::{ArgumentError, StandardLaplace};
use variata_sliced::{
    Bandwidth, CramerWold, Directions, Discrepancy, Distance, Error, Loss, Mmd, MmdEstimator, SphereMean,
    TwoSample, torch,
};
use variata_torch_bridge::tch::{Kind, Tensor};
use variata_torch_bridge::{tensor_from_array, tensor_into_array};

/// Numbers in (−1.5, 1.5), different for each salt.
fn numbers(n: usize, d: usize, salt: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, d), |(i, j)| 1.5 * ((i * 31 + j * 17 + salt * 7 + 1) as f64 * 0.618).sin())
}

fn leaf(x: &Array2<f64>) -> Tensor {
    tensor_from_array(x.clone()).unwrap().set_requires_grad(true)
}

fn back(t: &Tensor) -> Array2<f64> {
    tensor_into_array::<f64>("t", &t.to_kind(Kind::Double)).unwrap().into_dimensionality::<Ix2>().unwrap()
}

/// Value and gradients of twice the function.
fn run(f: impl Fn(&[Tensor]) -> Result<Tensor, Error>, inputs: &[Tensor]) -> (f64, Vec<Array2<f64>>) {
    let value = f(inputs).unwrap();
    assert_eq!((value.size().len(), value.kind()), (0, Kind::Double));
    let borrowed: Vec<&Tensor> = inputs.iter().collect();
    let grads = Tensor::run_backward(&[&value * 2.0], &borrowed, false, false);
    (value.double_value(&[]), grads.iter().map(back).collect())
}

fn assert_close(name: &str, got: &Array2<f64>, want: &Array2<f64>, tolerance: f64) {
    let scale = want.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= tolerance * scale, "{name}: {got} against {want}");
    }
}

fn composed() -> [Distance; 6] {
    [
        Distance::WASSERSTEIN_2,
        Distance::CRAMER_WOLD,
        Distance::CramerVonMises,
        Distance::KolmogorovSmirnov,
        Distance::SmoothKolmogorovSmirnov { temperature: 0.1 },
        Distance::AndersonDarling,
    ]
}

#[test]
fn both_homes_give_one_value_and_one_gradient() {
    let directions = Directions::uniform(5, 3, 1).unwrap();
    let x = numbers(17, 3, 1);
    for distance in composed() {
        let discrepancy = Discrepancy::new(distance);
        let (native, in_x) = discrepancy.sliced_with_grad(&x, &directions).unwrap();
        let name = format!("{distance:?}");
        let (routed, grads) = run(|t| torch::sliced(&discrepancy, &t[0], &directions), &[leaf(&x)]);
        assert_eq!(routed, native.mean, "{name}");
        assert_eq!(grads[0], &in_x * 2.0, "{name}");
        let (value, slopes) = run(|t| torch::sliced_composed(&discrepancy, &t[0], &directions), &[leaf(&x)]);
        assert!((value / native.mean - 1.0).abs() < 1e-11, "{name}: {value} {}", native.mean);
        assert_close(&name, &slopes[0], &grads[0], 1e-9);
        // Transposed memory, and f32.
        let transposed = leaf(&x.t().as_standard_layout().to_owned());
        let (same, turned) = run(|t| torch::sliced(&discrepancy, &t[0].tr(), &directions), &[transposed]);
        assert_eq!(same, routed);
        assert_close(&name, &turned[0].t().to_owned(), &grads[0], 1e-15);
        let single = leaf(&x).to_kind(Kind::Float).detach().set_requires_grad(true);
        let (near, slopes) = run(|t| torch::sliced(&discrepancy, &t[0], &directions), &[single]);
        assert!((near / routed - 1.0).abs() < 1e-5, "{name}");
        assert_close(&name, &slopes[0], &grads[0], 1e-5);
    }
}

#[test]
fn what_has_no_composed_form_is_computed_natively() {
    let directions = Directions::uniform(4, 2, 1).unwrap();
    let x = numbers(9, 2, 2);
    let weights: Vec<f64> = (1..=9).map(f64::from).collect();
    let cases = [
        Discrepancy::new(Distance::Wasserstein { p: 1.5 }),
        Discrepancy::new(Distance::CramerVonMises).weighted(&weights),
        Discrepancy::new(Distance::AndersonDarling).against(&StandardLaplace),
    ];
    for discrepancy in cases {
        let (native, in_x) = discrepancy.sliced_with_grad(&x, &directions).unwrap();
        let (routed, grads) = run(|t| torch::sliced(&discrepancy, &t[0], &directions), &[leaf(&x)]);
        assert_eq!((routed, &grads[0]), (native.mean, &(&in_x * 2.0)));
        // Half types are copied.
        let half = leaf(&x).to_kind(Kind::BFloat16).detach().set_requires_grad(true);
        let (near, slopes) = run(|t| torch::sliced(&discrepancy, &t[0], &directions), &[half]);
        assert!((near / routed - 1.0).abs() < 3e-2, "{discrepancy:?}: {near} {routed}");
        assert_close("bf16", &slopes[0], &grads[0], 0.2);
        let refused = torch::sliced_composed(&discrepancy, &leaf(&x), &directions);
        assert!(matches!(refused, Err(Error::Unsupported { .. })));
    }
}

#[test]
fn two_samples_are_differentiable_in_both() {
    let directions = Directions::uniform(6, 3, 2).unwrap();
    let (x, y) = (numbers(8, 3, 1), numbers(8, 3, 2));
    for p in [1.0, 2.0, 2.5] {
        let two = TwoSample::new(p).unwrap();
        let inputs = [leaf(&x), leaf(&y)];
        let (routed, grads) = run(|t| torch::two_sample(&two, &t[0], &t[1], &directions), &inputs);
        assert_eq!(routed, two.sliced(&x, &y, &directions).unwrap().mean);
        let (value, slopes) = run(|t| torch::two_sample_composed(&two, &t[0], &t[1], &directions), &inputs);
        assert!((value / routed - 1.0).abs() < 1e-13);
        for (a, b) in slopes.iter().zip(&grads) {
            assert_close("two samples", a, b, 1e-13);
        }
        // Both in one pass are the bits of either. `run` scales by 2.
        let (_, native) = two.sliced_with_grad(&x, &y, &directions).unwrap();
        assert_eq!((&grads[0], &grads[1]), (&(&native.x * 2.0), &(&native.y * 2.0)));
    }
    // A constant prior sample, and a constant first one.
    let (fixed, two) = (tensor_from_array(y.clone()).unwrap(), TwoSample::SQUARED);
    let (value, slopes) = run(|t| torch::two_sample(&two, &t[0], &fixed, &directions), &[leaf(&x)]);
    let (same, grads) = run(|t| torch::two_sample(&two, &t[0], &t[1], &directions), &[leaf(&x), leaf(&y)]);
    assert_eq!((value, &slopes[0]), (same, &grads[0]));
    let (back, turned) = run(|t| torch::two_sample(&two, &fixed, &t[0], &directions), &[leaf(&x)]);
    assert_eq!(back, value);
    assert_close("exchanged", &turned[0], &grads[0], 1e-14);
    let equal = leaf(&x);
    let (nothing, grads) =
        run(|t| torch::two_sample_composed(&TwoSample::SQUARED, &t[0], &t[0], &directions), &[equal]);
    assert!(nothing == 0.0 && grads[0].iter().all(|v| *v == 0.0));
    let shorter = leaf(&numbers(5, 3, 4));
    assert!(torch::two_sample(&TwoSample::SQUARED, &leaf(&x), &shorter, &directions).is_ok());
    let refused = torch::two_sample_composed(&TwoSample::SQUARED, &leaf(&x), &shorter, &directions);
    assert!(matches!(refused, Err(Error::Unsupported { .. })));
}

#[test]
fn direct_distances_agree_in_both_homes() {
    let (x, y) = (numbers(11, 3, 1), numbers(7, 3, 2));
    let asymptotic = CramerWold { sphere_mean: SphereMean::Asymptotic, bandwidth: Bandwidth::Given(0.3) };
    let (native, in_x) = asymptotic.value_with_grad(&x).unwrap();
    let (routed, grads) = run(|t| torch::cramer_wold(&asymptotic, &t[0]), &[leaf(&x)]);
    assert_eq!((routed, &grads[0]), (native, &(&in_x * 2.0)));
    let (value, slopes) = run(|t| torch::cramer_wold_composed(&asymptotic, &t[0]), &[leaf(&x)]);
    assert!((value - native).abs() < 1e-14);
    assert_close("Cramér–Wold", &slopes[0], &grads[0], 1e-12);
    let (exact, _) = run(|t| torch::cramer_wold(&CramerWold::default(), &t[0]), &[leaf(&x)]);
    assert_eq!(exact, CramerWold::default().value(&x).unwrap());
    let estimators = [MmdEstimator::Biased, MmdEstimator::Unbiased];
    // What both samples are away from 0 takes no digits of their distances.
    for (estimator, offset) in estimators.into_iter().flat_map(|e| [(e, 0.0), (e, f64::from(1 << 20))]) {
        let mmd = Mmd::inverse_multiquadric(3, estimator).unwrap();
        let (x, y) = (&x + offset, &y + offset);
        let inputs = [leaf(&x), leaf(&y)];
        let (routed, grads) = run(|t| torch::mmd(&mmd, &t[0], &t[1]), &inputs);
        assert_eq!(routed, mmd.value(&x, &y).unwrap());
        let (value, slopes) = run(|t| torch::mmd_composed(&mmd, &t[0], &t[1]), &inputs);
        assert!((value - routed).abs() < 1e-13, "{offset}: {value} {routed}");
        for (a, b) in slopes.iter().zip(&grads) {
            assert_close("MMD", a, b, 1e-12);
        }
    }
}

#[test]
fn shapes_are_checked_and_values_propagate() {
    let directions = Directions::uniform(4, 2, 1).unwrap();
    let discrepancy = Discrepancy::new(Distance::WASSERSTEIN_2);
    let shape = |result: Result<Tensor, Error>| match result {
        Err(Error::Argument(ArgumentError::Shape { argument, .. })) => argument,
        other => panic!("{other:?}"),
    };
    for bad in [numbers(3, 3, 1), Array2::zeros((0, 2))] {
        assert_eq!(shape(torch::sliced(&discrepancy, &leaf(&bad), &directions)), "x");
        assert_eq!(shape(torch::sliced_composed(&discrepancy, &leaf(&bad), &directions)), "x");
        assert_eq!(
            shape(torch::two_sample(&TwoSample::SQUARED, &leaf(&numbers(3, 2, 1)), &leaf(&bad), &directions)),
            "y"
        );
    }
    assert_eq!(shape(torch::cramer_wold(&CramerWold::default(), &Tensor::from_slice(&[1.0f64]))), "x");
    assert!(matches!(torch::loss(Loss::Log, &Tensor::new()), Err(Error::Tensor(_))));
    let counts = Tensor::from_slice(&[1i64, 2]).view([1, 2]);
    assert!(matches!(torch::sliced(&discrepancy, &counts, &directions), Err(Error::Tensor(_))));
    let nan = leaf(&array![[f64::NAN, 0.0]]);
    assert!(torch::sliced(&discrepancy, &nan, &directions).unwrap().double_value(&[]).is_nan());
    // Where there is no composed form, they are refused; so is an infinity where frequencies have to be chosen.
    let alone = Discrepancy::new(Distance::CramerVonMises).weighted(&[1.0]);
    assert!(matches!(torch::sliced(&alone, &nan, &directions), Err(Error::Argument(_))));
    let far = leaf(&array![[f64::INFINITY, 0.0]]);
    let cramer_wold = Discrepancy::new(Distance::CRAMER_WOLD);
    assert!(torch::sliced(&cramer_wold, &nan, &directions).unwrap().double_value(&[]).is_nan());
    assert!(matches!(torch::sliced(&cramer_wold, &far, &directions), Err(Error::Unsupported { .. })));
    let wrong = Discrepancy::new(Distance::CramerWold { bandwidth: Bandwidth::Given(-1.0) });
    assert!(matches!(
        torch::sliced_composed(&wrong, &leaf(&numbers(3, 2, 1)), &directions),
        Err(Error::Argument(_))
    ));
}

type Function<'a> = Box<dyn Fn(&Tensor) -> Tensor + 'a>;

/// Second derivatives of every distance against differences of the first, at points of which none is tied.
#[test]
fn composed_forms_have_second_derivatives() {
    let directions = Directions::uniform(3, 2, 5).unwrap();
    let (x, other) = (numbers(6, 2, 1), numbers(6, 2, 4));
    let distances = [
        Distance::WASSERSTEIN_2,
        Distance::CRAMER_WOLD,
        Distance::CramerVonMises,
        Distance::SmoothKolmogorovSmirnov { temperature: 0.1 },
        Distance::AndersonDarling,
    ];
    let other = tensor_from_array(other).unwrap();
    let of = |distance| {
        let directions = &directions;
        move |x: &Tensor| torch::sliced_composed(&Discrepancy::new(distance), x, directions).unwrap()
    };
    let mut functions: Vec<(String, Function<'_>)> =
        distances.map(|d| (format!("{d:?}"), Box::new(of(d)) as Function<'_>)).into();
    for (name, y) in [("other", other), ("itself", tensor_from_array(x.clone()).unwrap())] {
        let directions = &directions;
        let pair =
            move |x: &Tensor| torch::two_sample_composed(&TwoSample::SQUARED, x, &y, directions).unwrap();
        functions.push((format!("two samples, {name}"), Box::new(pair)));
    }
    let probe = tensor_from_array(numbers(6, 2, 9)).unwrap();
    for (name, f) in functions {
        let gradient = |x: &Array2<f64>, keep: bool| {
            let x = leaf(x);
            let grad = Tensor::run_backward(&[&f(&x)], &[&x], keep, keep).remove(0);
            (x, grad)
        };
        let (at, grad) = gradient(&x, true);
        let along = (grad * &probe).sum(Kind::Double);
        let second = back(&Tensor::run_backward(&[&along], &[&at], false, false).remove(0));
        let step = 1e-6;
        for i in 0..6 {
            for d in 0..2 {
                let shifted = |sign: f64| {
                    let mut x = x.clone();
                    x[[i, d]] += sign * step;
                    (gradient(&x, false).1 * &probe).sum(Kind::Double).double_value(&[])
                };
                let want = (shifted(1.0) - shifted(-1.0)) / (2.0 * step);
                assert!((second[[i, d]] - want).abs() < 1e-6, "{name} {i} {d}: {} {want}", second[[i, d]]);
            }
        }
    }
}
