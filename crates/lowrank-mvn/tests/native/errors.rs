//! Bad input is refused by name.

use ndarray::{Array1, Array2, Array3, array};
use variata_distributions::KlDivergence;
use variata_lowrank_mvn::{CovDiag, Error, LowRankMvn};

fn message(loc: Array2<f64>, factor: Array3<f64>, diag: impl Into<CovDiag<'static, f64>>) -> String {
    LowRankMvn::new(loc, factor, diag).unwrap_err().to_string()
}

#[test]
fn parameters() {
    let (loc, p) = (Array2::zeros((2, 3)), Array3::ones((2, 3, 1)));
    let shape = message(loc.clone(), Array3::ones((2, 4, 1)), 1.0);
    assert_eq!(shape, "`cov_factor` has shape [2, 4, 1], must be [2, 3, 1]");
    assert_eq!(message(loc.clone(), p.clone(), -1.0), "`cov_diag` is -1, must be finite and >= 0");
    assert!(message(loc.clone(), p.clone(), f64::NAN).starts_with("`cov_diag` is NaN"));
    assert_eq!(message(loc.clone(), p.clone(), Array1::ones(2)), "`cov_diag` has shape [2], must be [3]");
    assert_eq!(
        message(loc.clone(), p.clone(), array![1.0, f64::INFINITY, 1.0]),
        "`cov_diag[1]` is inf, must be finite and >= 0"
    );
    assert!(message(loc.clone(), p.clone(), Array2::ones((3, 3))).contains("must be [2, 3]"));
    assert!(message(loc.mapv(|_| f64::NAN), p.clone(), 1.0).starts_with("`loc[0]` is NaN"));
    let mut broken = p.clone();
    broken[(1, 0, 0)] = f64::INFINITY;
    assert!(message(loc, broken, 1.0).starts_with("`cov_factor[3]` is inf"));
}

#[test]
fn points_and_noise() {
    let p = LowRankMvn::new(Array2::zeros((2, 3)), Array3::ones((2, 3, 1)), 1.0).unwrap();
    assert_eq!(
        p.log_prob(&Array2::zeros((2, 2))).unwrap_err().to_string(),
        "`x` has shape [2, 2], must be [2, 3]"
    );
    assert!(p.log_prob(&Array2::from_elem((2, 3), f64::NAN)).is_err());
    let (one, three) = (Array2::zeros((2, 1)), Array2::zeros((2, 3)));
    assert!(p.rsample(&three, &three).unwrap_err().to_string().starts_with("`noise_factor`"));
    assert!(p.rsample(&one, &one).unwrap_err().to_string().starts_with("`noise_diag`"));
    assert_eq!(p.covariance_row(3).unwrap_err().to_string(), "`index` is 3, must be below n");
    assert!(p.covariance_times(&one).is_err() && p.precision_times(&one).is_err());
    let zero = LowRankMvn::new(
        Array2::zeros((2, 3)),
        Array3::ones((2, 3, 1)),
        array![[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]],
    );
    let error = zero.unwrap().log_prob(&three).unwrap_err().to_string();
    assert!(error.starts_with("`cov_diag[4]` is 0, must be > 0 where the factor"), "{error}");
}

fn of(factor: Array3<f64>, d: f64) -> LowRankMvn<'static, f64> {
    LowRankMvn::new(Array2::zeros((1, factor.dim().1)), factor, d).unwrap()
}

/// Without columns of any length, n ≤ r is no other distribution than n > r: ∂P = 0, and ∂D overflows.
#[test]
fn the_diagonal_of_a_zero_factor_may_be_tiny() {
    for (n, r) in [(2, 3), (3, 1), (1, 1)] {
        let p = of(Array3::zeros((1, n, r)), 1e-300);
        let (value, grad) = p.log_prob_with_grad(&Array2::ones((1, n))).unwrap();
        assert!((value[0] / (-0.5e300 * n as f64) - 1.0).abs() < 1e-14);
        assert!(grad.cov_factor.iter().all(|v| *v == 0.0), "{n}×{r}: {}", grad.cov_factor);
        assert!(grad.cov_diag.iter().all(|v| *v == f64::INFINITY), "{n}×{r}: {}", grad.cov_diag);
        assert!(grad.loc.iter().all(|v| (v / 1e300 - 1.0).abs() < 1e-14));
        for d in [1e-310, 1e-300] {
            let p = of(Array3::zeros((1, n, r)), d);
            let (value, grad) = p.kl_with_grad(&p).unwrap();
            assert_eq!(value[0], 0.0);
            for side in [grad.p, grad.q] {
                let all = side.loc.iter().chain(&side.cov_factor).chain(&side.cov_diag);
                assert!(all.into_iter().all(|v| *v == 0.0), "{n}×{r}, {d}");
            }
        }
    }
}

#[test]
fn what_overflows_on_the_way_is_no_nan() {
    let refused = |error: Error, what: &str| {
        let Error::Overflow { quantity, batch: 0 } = error else { panic!("{error}") };
        assert_eq!(quantity, what);
    };
    for (n, r) in [(1, 1), (2, 3)] {
        let p = of(Array3::zeros((1, n, r)), 5e-324);
        refused(p.log_prob_with_grad(&Array2::ones((1, n))).unwrap_err(), "the gradient");
    }
    // α overflows, the distance does not.
    let p = of(Array3::zeros((1, 3, 1)), 1e-320);
    refused(p.log_prob_with_grad(&Array2::from_elem((1, 3), 1e-8)).unwrap_err(), "the gradient");
    for (n, d, size) in [(1, 1e-310, 1.0), (3, 1e-310, 1.0), (3, 1e-300, 1e160)] {
        let p = of(Array3::from_elem((1, n, 1), size), d);
        refused(p.inverse_root_times(&Array2::ones((1, n))).unwrap_err(), "inverse_root_times");
    }
    // α that f32 cannot hold, at a row of the factor that is 0.
    let half = Array3::from_shape_fn((1, 20, 1), |(_, i, _)| if i < 10 { 1.0f32 } else { 0.0 });
    let p = LowRankMvn::<f32>::new(Array2::zeros((1, 20)), half, 1e-10).unwrap();
    let x = Array2::from_shape_fn((1, 20), |(_, i)| if i == 15 { 1e30 } else { 0.0 });
    refused(p.log_prob_with_grad(&x).unwrap_err(), "the gradient");
    refused(p.mahalanobis_with_grad(&x).unwrap_err(), "the gradient");
    // As many columns as dimensions, and a difference that overflows.
    let far = Array2::from_elem((1, 2), 1.7e308);
    let p = LowRankMvn::new(-&far, array![[[1.0, 0.5], [0.5, 2.0]]], 1.0).unwrap();
    refused(p.log_prob(&far).unwrap_err(), "the squared distance");
    refused(
        of(Array3::ones((1, 3, 1)), 1.0).covariance_times(&array![[1e308; 3]]).unwrap_err(),
        "covariance_times",
    );
    let p = of(Array3::zeros((1, 3, 1)), 1e-300);
    assert!(matches!(p.precision_times(&array![[1e308; 3]]), Err(Error::Overflow { .. })));
    // Products that overflow against each other.
    let p = of(array![[[1e200, 1e200], [1e200, -1e200], [1.0, 1.0]]], 1.0);
    assert_eq!(p.covariance_row(0).unwrap(), array![[f64::INFINITY, 0.0, 2e200]]);
    let p = of(Array3::from_elem((1, 130, 1), 1.7e308), 1.0);
    refused(p.principal_components().unwrap_err(), "a standard deviation");
    let p = of(Array3::from_elem((1, 3, 1), 1e160), 1e-300);
    refused(p.root_times(&Array2::ones((1, 3))).unwrap_err(), "root_times");
}
