//! What is wrong is refused with a typed error that names it.

use ndarray::{Array1, Array2, array};
use variata_distributions::{ArgumentError, StandardNormal};
use variata_sliced::{
    Affine, Bandwidth, CramerWold, Directions, Discrepancy, Distance, Error, Kernel, Loss, MaxSlicedOptions,
    Mmd, MmdEstimator, SphereMean, TwoSample, mardia, mardia_standardised,
};

use crate::support::all;

fn argument<T: std::fmt::Debug>(result: Result<T, Error>) -> &'static str {
    match result {
        Err(Error::Argument(
            ArgumentError::Value { argument, .. } | ArgumentError::Shape { argument, .. },
        )) => argument,
        other => panic!("{other:?}"),
    }
}

#[test]
fn samples_that_are_empty_or_not_finite() {
    let none = Array1::<f64>::zeros(0);
    for distance in all() {
        assert_eq!(argument(distance.value(&none)), "y");
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e151, -1e308] {
            assert_eq!(argument(distance.value(&array![0.0, bad])), "y", "{distance:?} {bad}");
        }
        assert_eq!(argument(distance.value(&array![f32::NAN])), "y");
        let discrepancy = Discrepancy::new(distance);
        let directions = Directions::uniform(3, 2, 0).unwrap();
        for bad in
            [Array2::zeros((0, 2)), Array2::zeros((4, 3)), array![[0.0, f64::NAN]], array![[1e200, 0.0]]]
        {
            assert_eq!(argument(discrepancy.sliced(&bad, &directions)), "x");
            assert_eq!(argument(discrepancy.sliced_with_grad(&bad, &directions)), "x");
        }
        let bad = array![[0.0, f64::INFINITY]];
        assert_eq!(argument(discrepancy.max_sliced(&bad, &MaxSlicedOptions::default())), "x");
    }
    let message = Distance::CRAMER_WOLD.value(&array![0.0, f64::NAN]).unwrap_err().to_string();
    assert_eq!(message, "`y[1]` is NaN, must be finite, at most 1e150 in size");
}

#[test]
fn parameters_out_of_range() {
    let y = array![0.0, 1.0];
    for p in [0.5, f64::NAN, f64::INFINITY, -1.0] {
        assert_eq!(argument(Distance::Wasserstein { p }.value(&y)), "p");
        assert_eq!(argument(TwoSample::new(p)), "p");
    }
    for gamma in [0.0, -1.0, f64::NAN, 1e-9, 1e9] {
        let bandwidth = Bandwidth::Given(gamma);
        assert_eq!(argument(Distance::CramerWold { bandwidth }.value(&y)), "bandwidth");
        let direct = CramerWold { bandwidth, ..CramerWold::default() };
        assert_eq!(argument(direct.value(&array![[0.0]])), "bandwidth");
    }
    let flat = CramerWold { sphere_mean: SphereMean::Asymptotic, ..CramerWold::default() };
    assert_eq!(argument(flat.value(&array![[0.0]])), "dimensions");
    for temperature in [0.0, f64::NAN, -1.0] {
        assert_eq!(argument(Distance::SmoothKolmogorovSmirnov { temperature }.value(&y)), "temperature");
    }
    for lambda in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(argument(Loss::weight(lambda)), "lambda");
    }
    assert_eq!(argument(Affine::new(StandardNormal, f64::NAN, 1.0)), "loc");
    assert_eq!(argument(Affine::new(StandardNormal, 0.0, 0.0)), "scale");
    let x = array![[0.0, 1.0]];
    let bad = [
        MaxSlicedOptions { candidates: 0, ..MaxSlicedOptions::default() },
        MaxSlicedOptions { angle: 0.0, ..MaxSlicedOptions::default() },
    ];
    for (options, name) in bad.iter().zip(["candidates", "angle"]) {
        assert_eq!(argument(Discrepancy::new(Distance::WASSERSTEIN_2).max_sliced(&x, options)), name);
        assert_eq!(argument(TwoSample::SQUARED.max_sliced(&x, &x, options)), name);
    }
}

#[test]
fn weights_that_are_none() {
    let y = array![0.0, 1.0];
    for bad in [vec![1.0], vec![1.0, -1.0], vec![0.0, 0.0], vec![f64::NAN, 1.0], vec![1.0; 3]] {
        for distance in all() {
            assert_eq!(argument(Discrepancy::new(distance).weighted(&bad).value(&y)), "weights");
        }
        assert_eq!(argument(TwoSample::SQUARED.weighted(None, Some(&bad)).value(&y, &y)), "weights");
    }
    // As large as numbers get is fine.
    let huge = [f64::MAX, f64::MAX];
    let equal = Discrepancy::new(Distance::CramerVonMises).weighted(&huge).value(&y).unwrap();
    assert!((equal / Distance::CramerVonMises.value(&y).unwrap() - 1.0).abs() < 1e-14);
}

#[test]
fn directions_that_are_none() {
    for kind in [Directions::uniform, Directions::orthogonal, Directions::quasi_random] {
        assert_eq!(argument(kind(0, 3, 1)), "directions");
        assert_eq!(argument(kind(3, 0, 1)), "directions");
        assert_eq!(argument(kind(usize::MAX, usize::MAX, 1)), "directions");
    }
    assert_eq!(argument(Directions::given(&array![[1.0, f64::NAN]])), "directions");
    assert_eq!(argument(Directions::given(&array![[0.0, 0.0]])), "norm of directions");
    assert_eq!(argument(Directions::given(&array![[1.0, 0.0], [1.0, 0.1]])), "norm of directions");
    assert_eq!(argument(Directions::given(&Array2::<f64>::zeros((0, 2)))), "directions");
}

#[test]
fn samples_that_do_not_fit_each_other() {
    let (x, y) = (array![[0.0, 1.0]], array![[0.0, 1.0, 2.0]]);
    let directions = Directions::uniform(2, 2, 0).unwrap();
    assert_eq!(argument(TwoSample::SQUARED.sliced(&x, &y, &directions)), "y");
    let mmd = Mmd::inverse_multiquadric(2, MmdEstimator::Biased).unwrap();
    assert_eq!(argument(mmd.value(&x, &y)), "y");
    let unbiased = Mmd::inverse_multiquadric(2, MmdEstimator::Unbiased).unwrap();
    assert_eq!(argument(unbiased.value(&x, &x)), "x");
    assert_eq!(argument(Mmd::new(vec![], MmdEstimator::Biased)), "kernels");
    assert_eq!(argument(Mmd::new(vec![Kernel::Rbf { variance: 0.0 }], MmdEstimator::Biased)), "variance");
    for tiny in [Kernel::Rbf { variance: 1e-310 }, Kernel::InverseMultiquadric { scale: 1e-310 }] {
        let name = if matches!(tiny, Kernel::Rbf { .. }) { "variance" } else { "scale" };
        assert_eq!(argument(Mmd::new(vec![tiny], MmdEstimator::Biased)), name);
    }
    assert_eq!(argument(Mmd::inverse_multiquadric(0, MmdEstimator::Biased)), "dimensions");
    assert_eq!(argument(mardia(&Array2::<f64>::zeros((0, 3)))), "x");
    assert_eq!(argument(mardia_standardised(&array![[1.0, 2.0], [3.0, 4.0]])), "x");
    assert_eq!(argument(mardia_standardised(&array![[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])), "x");
    // Rounding of its mean would leave this a variance.
    assert_eq!(argument(mardia_standardised(&array![[1.0, 0.1], [2.0, 0.1], [4.0, 0.1]])), "x");
}

#[test]
fn what_is_not_known_is_said() {
    let y = array![0.0, 1.0];
    for distance in [Distance::WASSERSTEIN_2, Distance::CRAMER_WOLD] {
        assert!(matches!(Discrepancy::new(distance).test(&y), Err(Error::UnknownNull { .. })));
    }
    let weighted = Discrepancy::new(Distance::KolmogorovSmirnov).weighted(&[1.0, 2.0]);
    assert!(matches!(weighted.test(&y), Err(Error::UnknownNull { .. })));
    assert_eq!(argument(Distance::KolmogorovSmirnov.p_value(f64::NAN, 3)), "value");
    assert_eq!(argument(Distance::KolmogorovSmirnov.p_value(0.5, 0)), "n");
}

#[test]
fn projections_that_overflow() {
    let x = array![[f32::MAX, f32::MAX]];
    let diagonal = Directions::given(&array![[0.5f64.sqrt(), 0.5f64.sqrt()]]).unwrap();
    let found = Discrepancy::new(Distance::WASSERSTEIN_2).sliced(&x, &diagonal);
    assert_eq!(found, Err(Error::Overflow { quantity: "projection", element: "f32" }));
    let far = Distance::Wasserstein { p: 3.0 }.value(&array![1e149]);
    assert!(matches!(far, Err(Error::Overflow { .. })));
    // The value is a number, its slope 2·3e38 is none in f32.
    let gradient = Error::Overflow { quantity: "gradient", element: "f32" };
    let (x, axis) = (array![[3e38f32]], Directions::given(&array![[1.0]]).unwrap());
    let one = Discrepancy::new(Distance::WASSERSTEIN_2);
    assert!(one.sliced(&x, &axis).is_ok());
    assert_eq!(one.sliced_with_grad(&x, &axis), Err(gradient.clone()));
    assert_eq!(one.value_with_grad(&array![3e38f32]), Err(gradient.clone()));
    let two = TwoSample::SQUARED;
    assert_eq!(two.sliced_with_grad_x(&x, &array![[0.0f32]], &axis), Err(gradient.clone()));
    assert_eq!(two.value_with_grad(&array![3e38f32], &array![0.0f32]), Err(gradient));
}

/// The largest of all directions overflows where the mean over few does not.
#[test]
fn ascents_that_overflow() {
    let options = MaxSlicedOptions::default();
    let mut x = Array2::zeros((2, 100));
    (x[[0, 0]], x[[1, 0]]) = (40.0, -40.0);
    let overflow = Error::Overflow { quantity: "the Wasserstein distance", element: "f64" };
    let power = Discrepancy::new(Distance::Wasserstein { p: 200.0 });
    let candidates = Directions::uniform(options.candidates, 100, options.seed).unwrap();
    assert!(power.sliced(&x, &candidates).is_ok());
    assert_eq!(power.max_sliced(&x, &options), Err(overflow.clone()));
    let (two, none) = (TwoSample::new(200.0).unwrap(), Array2::zeros((1, 100)));
    assert_eq!(two.max_sliced(&x, &none, &options), Err(overflow));
    // The value is a number, its slopes are none in f32.
    let x = array![[1e25f32, 0.0], [-1e25, 0.0]];
    let gradient = Error::Overflow { quantity: "gradient", element: "f32" };
    let cube = Discrepancy::new(Distance::Wasserstein { p: 3.0 });
    assert_eq!(cube.max_sliced(&x, &options), Err(gradient.clone()));
    let (two, none) = (TwoSample::new(3.0).unwrap(), array![[0.0f32, 0.0]]);
    assert_eq!(two.max_sliced(&x, &none, &options), Err(gradient));
    // Nor do squares of large slopes hold an ascent up.
    let x = array![[1e149, 0.0, 0.0], [-1e149, 0.0, 0.0]];
    let far = Discrepancy::new(Distance::WASSERSTEIN_2).max_sliced(&x, &options).unwrap();
    assert!((far.direction[0].abs() - 1.0).abs() < 1e-9, "{}", far.direction);
    // Nor do squares of small ones end it: slopes of 10⁻¹⁹⁶.
    let (two, none) = (TwoSample::new(100.0).unwrap(), Array2::zeros((1, 3)));
    let near = two.max_sliced(&array![[0.01, 0.0, 0.0], [-0.01, 0.0, 0.0]], &none, &options).unwrap();
    assert!((near.direction[0].abs() - 1.0).abs() < 1e-9, "{}", near.direction);
}

/// A density, and with it a slope, may be of any size where the value is not.
#[test]
fn steep_targets() {
    let narrow = Affine::new(StandardNormal, 0.0, 1e-40).unwrap();
    let y = array![0f32, 1e-41];
    let x = y.clone().insert_axis(ndarray::Axis(1));
    let axis = Directions::given(&array![[1.0]]).unwrap();
    let gradient = Error::Overflow { quantity: "gradient", element: "f32" };
    let discrepancy = Discrepancy::new(Distance::CramerVonMises).against(&narrow);
    assert!(discrepancy.value(&y).is_ok());
    assert_eq!(discrepancy.value_with_grad(&y), Err(gradient.clone()));
    assert_eq!(discrepancy.sliced_with_grad(&x, &axis), Err(gradient.clone()));
    assert_eq!(discrepancy.max_sliced(&x, &MaxSlicedOptions::default()), Err(gradient));
}

/// Settings come back, and what the constructors refuse is refused.
#[cfg(feature = "serde")]
#[test]
fn settings_are_read_from_text() {
    fn returns<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(
        settings: &T,
    ) {
        let text = serde_json::to_string(settings).unwrap();
        assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *settings, "{text}");
    }
    for distance in all() {
        returns(&distance);
    }
    returns(&Distance::CramerWold { bandwidth: Bandwidth::Given(0.3) });
    returns(&Loss::Weight(0.1));
    returns(&Loss::Log);
    returns(&CramerWold { sphere_mean: SphereMean::Asymptotic, ..CramerWold::default() });
    returns(&MaxSlicedOptions { angle: 0.1, ..MaxSlicedOptions::default() });
    returns(&Mmd::inverse_multiquadric(20, MmdEstimator::Unbiased).unwrap());
    let some: CramerWold = serde_json::from_str(r#"{"bandwidth": {"Given": 0.5}}"#).unwrap();
    assert_eq!(some, CramerWold { bandwidth: Bandwidth::Given(0.5), ..CramerWold::default() });
    for refused in [
        r#"{"kernels": [], "estimator": "Biased"}"#,
        r#"{"kernels": [{"Rbf": {"variance": -1.0}}], "estimator": "Biased"}"#,
    ] {
        let error = serde_json::from_str::<Mmd>(refused).unwrap_err().to_string();
        assert!(error.contains("`kernels`") || error.contains("`variance`"), "{error}");
    }
    assert!(serde_json::from_str::<Distance>(r#"{"Wasserstein": {"p": 2.0, "q": 1.0}}"#).is_err());
}
