//! Bad input is refused by name.

use ndarray::{Array1, Array2, Array3, array};
use variata_lowrank_mvn::{CovDiag, LowRankMvn};

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
