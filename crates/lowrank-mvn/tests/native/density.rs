//! Values against the dense distribution, exact cases at any D, identities, layouts.

use ndarray::{Array1, Array2, Array3, ArrayView3, Axis, array};
use proptest::prelude::*;
use variata_distributions::DiagonalNormal;
use variata_lowrank_mvn::LowRankMvn;

use crate::support::{assert_close, dense, factor, matrix, variances};

#[test]
fn all_shapes_agree_with_the_dense_distribution() {
    for n in [1, 2, 3, 5, 24, 25, 26, 130, 300] {
        for r in [0, 1, 2, 5, 25] {
            let batch = 2;
            let (loc, x) = (matrix(batch, n, 1), matrix(batch, n, 2));
            let p = LowRankMvn::new(loc, factor(batch, n, r, 3), variances(batch, n, 4)).unwrap();
            let full = dense(&p);
            let name = format!("n = {n}, r = {r}");
            assert_close(&name, &p.log_prob(&x).unwrap(), &full.log_prob(&x).unwrap(), 1e-11);
            assert_close(&name, &p.mahalanobis(&x).unwrap(), &full.mahalanobis(&x).unwrap(), 1e-11);
            assert_close(&name, &p.entropy().unwrap(), &full.entropy(), 1e-12);
            let flat = |a: Array2<f64>| Array1::from_iter(a);
            assert_close(&name, &flat(p.variance()), &flat(full.variance()), 1e-12);
            assert_eq!(p.mean(), full.mean());
            let times = p.covariance_times(&x).unwrap();
            let back = p.precision_times(&times).unwrap();
            assert_close(&name, &flat(back), &flat(x.clone()), 1e-9);
            let row = p.covariance_row(n / 2).unwrap();
            let matrix = p.covariance_matrix();
            assert_eq!(row, matrix.index_axis(Axis(1), n / 2));
        }
    }
}

/// One column of ones: q and log |Σ| have short closed forms that are exact at any D and any n.
#[test]
fn one_column_is_right_at_every_size_of_the_diagonal() {
    for n in [2usize, 4096, 116_412] {
        for k in [-13, 0, 10, 17, 27, 33, 40] {
            let d = 2f64.powi(-k);
            let ones = Array3::ones((1, n, 1));
            let p = LowRankMvn::new(Array2::zeros((1, n)), ones, d).unwrap();
            let log_det = (n as f64 - 1.0) * d.ln() + (d + n as f64).ln();
            let got = p.log_det().unwrap()[0];
            assert!(
                (got - log_det).abs() <= 1e-13 * log_det.abs().max(1.0),
                "n = {n}, k = {k}: {got} {log_det}"
            );
            // In the range of P, orthogonal to it, and a little off it.
            let along = Array2::from_elem((1, n), 3.0);
            let across = Array2::from_shape_fn((1, n), |(_, i)| if i % 2 == 0 { 0.5 } else { -0.5 });
            let q = |x: &Array2<f64>| p.mahalanobis(x).unwrap()[0];
            // 9n/(n + d): along the column.
            let want = 9.0 * n as f64 / (n as f64 + d);
            assert!((q(&along) / want - 1.0).abs() <= 1e-12, "n = {n}, k = {k}: {} {want}", q(&along));
            let want = 0.25 * n as f64 / d;
            assert!((q(&across) / want - 1.0).abs() <= 1e-13, "n = {n}, k = {k}");
            let want = 9.0 * n as f64 / (n as f64 + d) + 0.25 * n as f64 / d;
            assert!((q(&(along + across)) / want - 1.0).abs() <= 1e-13, "n = {n}, k = {k}");
        }
    }
}

#[test]
fn every_form_of_the_parameters_gives_the_same_bits() {
    let (batch, n, r) = (3, 40, 6);
    let (loc, x, p) = (matrix(batch, n, 1), matrix(batch, n, 2), factor(batch, n, r, 3));
    let owned = LowRankMvn::new(loc.clone(), p.clone(), 0.25).unwrap();
    let want = owned.log_prob_with_grad(&x).unwrap();
    // Convolutional memory: [batch, r, n] seen as [batch, n, r].
    let conv = p.view().permuted_axes([0, 2, 1]).as_standard_layout().into_owned();
    let turned: ArrayView3<'_, f64> = conv.view().permuted_axes([0, 2, 1]);
    let vector = Array1::from_elem(n, 0.25);
    let whole = Array2::from_elem((batch, n), 0.25);
    assert_eq!(LowRankMvn::new(loc.view(), turned, 0.25).unwrap().log_prob_with_grad(&x).unwrap(), want);
    let by_vector = LowRankMvn::new(loc.view(), p.view(), vector.view()).unwrap();
    assert_close("vector", &by_vector.log_prob(&x).unwrap(), &want.0, 1e-15);
    let by_matrix = LowRankMvn::new(loc.view(), p.view(), whole.view()).unwrap();
    assert_close("matrix", &by_matrix.log_prob(&x).unwrap(), &want.0, 1e-15);
    // f32 inputs are computed as their f64 values.
    let single = LowRankMvn::new(loc.mapv(|v| v as f32), p.mapv(|v| v as f32), 0.25f32).unwrap();
    let rounded =
        LowRankMvn::new(single.loc().mapv(f64::from), single.cov_factor().mapv(f64::from), 0.25).unwrap();
    let x32 = x.mapv(|v| v as f32);
    assert_eq!(single.log_prob(&x32).unwrap(), rounded.log_prob(&x32.mapv(f64::from)).unwrap());
}

#[test]
fn no_column_is_a_diagonal_normal_and_an_empty_batch_is_empty() {
    let (loc, x, d) = (matrix(2, 5, 1), matrix(2, 5, 2), variances(2, 5, 3));
    let p = LowRankMvn::new(loc.clone(), Array3::zeros((2, 5, 0)), d.clone()).unwrap();
    let diagonal = DiagonalNormal::new(loc, d.mapv(f64::sqrt)).unwrap();
    assert_close("log_prob", &p.log_prob(&x).unwrap(), &diagonal.log_prob(&x).unwrap(), 1e-14);
    assert_close("entropy", &p.entropy().unwrap(), &diagonal.entropy(), 1e-14);
    let none = LowRankMvn::new(Array2::zeros((0, 5)), Array3::zeros((0, 5, 2)), 1.0).unwrap();
    assert!(none.log_prob(&Array2::zeros((0, 5))).unwrap().is_empty() && none.entropy().unwrap().is_empty());
    let flat = LowRankMvn::new(Array2::zeros((2, 0)), Array3::zeros((2, 0, 3)), 1.0).unwrap();
    assert_eq!(flat.log_prob(&Array2::zeros((2, 0))).unwrap(), array![0.0, 0.0]);
}

#[test]
fn a_diagonal_of_zero_is_allowed_where_the_factor_makes_up_for_it() {
    let p = LowRankMvn::new(matrix(2, 3, 1), factor(2, 3, 5, 2), 0.0).unwrap();
    let x = matrix(2, 3, 4);
    assert_close("log_prob", &p.log_prob(&x).unwrap(), &dense(&p).log_prob(&x).unwrap(), 1e-10);
    let twice = Array3::from_shape_fn((1, 2, 3), |(_, _, j)| j as f64);
    let singular = LowRankMvn::new(Array2::zeros((1, 2)), twice, 0.0).unwrap();
    let error = singular.log_prob(&array![[1.0, 2.0]]).unwrap_err().to_string();
    assert_eq!(error, "the covariance of batch item 0 is singular: rank 1 of 2");
}

proptest! {
    /// Laws that need no reference: rotating the factor and permuting dimensions change nothing, a zero column neither,
    /// and scaling by s divides q by s² and adds n log s² to log |Σ|.
    #[test]
    fn laws(n in 2usize..40, r in 1usize..8, salt in 0usize..1000, k in -4i32..20, angle in 0.0..6.3f64) {
        let d = 2f64.powi(-k);
        let (x, p) = (matrix(1, n, salt), factor(1, n, r, salt + 1));
        let loc = Array2::zeros((1, n));
        let base = LowRankMvn::new(loc.view(), p.view(), d).unwrap();
        let (q, log_det) = (base.mahalanobis(&x).unwrap()[0], base.log_det().unwrap()[0]);
        // κ² of the least-squares form times u, with room for the number of operations.
        let norm: f64 = x.iter().map(|v| v * v).sum::<f64>() / d;
        let bound = 1e-13 * (q + (q * norm).sqrt());
        let near = |other: &LowRankMvn<'_, f64>, x: &Array2<f64>, scale: f64, shift: f64| {
            let (q2, log_det2) = (other.mahalanobis(x).unwrap()[0], other.log_det().unwrap()[0]);
            (q2 * scale - q).abs() <= bound
                && (log_det2 - shift - log_det).abs() <= 1e-12 * (1.0 + log_det.abs() + shift.abs()) * r as f64
        };
        let mut wide = Array3::zeros((1, n, r + 1));
        wide.slice_mut(ndarray::s![.., .., ..r]).assign(&p);
        prop_assert!(near(&LowRankMvn::new(loc.view(), wide, d).unwrap(), &x, 1.0, 0.0));
        if r > 1 {
            let (s, c) = angle.sin_cos();
            let mut turned = p.clone();
            for i in 0..n {
                turned[(0, i, 0)] = c * p[(0, i, 0)] - s * p[(0, i, 1)];
                turned[(0, i, 1)] = s * p[(0, i, 0)] + c * p[(0, i, 1)];
            }
            let turned = LowRankMvn::new(loc.view(), turned, d).unwrap();
            prop_assert!((turned.log_det().unwrap()[0] - log_det).abs() <= 1e-11 * (1.0 + log_det.abs()) * r as f64);
        }
        let scaled = LowRankMvn::new(loc.view(), &p * 4.0, 16.0 * d).unwrap();
        prop_assert!(near(&scaled, &(&x * 4.0), 1.0, n as f64 * 16f64.ln()));
        let reversed = LowRankMvn::new(loc.view(), p.slice(ndarray::s![.., ..;-1, ..]), d).unwrap();
        let backwards = x.slice(ndarray::s![.., ..;-1]).to_owned();
        prop_assert!(near(&reversed, &backwards, 1.0, 0.0));
    }

    #[test]
    fn arbitrary_parameters_never_panic(v in prop::collection::vec(any::<f64>(), 21)) {
        let p = Array3::from_shape_vec((1, 4, 3), v[..12].to_vec()).unwrap();
        let (loc, x) = (Array2::from_shape_vec((1, 4), v[12..16].to_vec()).unwrap(), Array2::from_shape_vec((1, 4), v[16..20].to_vec()).unwrap());
        if let Ok(p) = LowRankMvn::new(loc, p, v[20].abs()) {
            let _ = (p.log_prob_with_grad(&x), p.entropy_with_grad(), p.covariance_times(&x), p.precision_times(&x));
        }
    }
}

/// Products with the right-hand side that overflow are no reason for NaN: what rounding of x may change is 10¹⁸⁴.
#[test]
fn a_far_point_beside_a_long_column_has_a_density() {
    let p = LowRankMvn::new(Array2::zeros((1, 3)), array![[[1e150], [0.0], [0.0]]], 1.0).unwrap();
    let x = array![[1e200, 0.0, 0.0]];
    assert!(p.mahalanobis(&x).unwrap()[0] <= 1e300);
    assert!(p.log_prob(&x).unwrap()[0].is_finite());
    assert!(p.log_prob(&array![[1e200, 1e200, 0.0]]).is_err());
}
