//! Principal components, their scales, roots of the covariance, distances.

use ndarray::{Array1, Array2, Array3, Axis, array, s};
use proptest::prelude::*;
use variata_distributions::frechet_distance;
use variata_lowrank_mvn::{LowRankMvn, PrincipalComponents};

use crate::support::{assert_close, factor, matrix, variances};

fn normal(n: usize, r: usize, salt: usize) -> LowRankMvn<'static, f64> {
    LowRankMvn::new(matrix(2, n, salt), factor(2, n, r, salt + 1), variances(2, n, salt + 2)).unwrap()
}

/// Largest |a − b|.
fn apart(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    (a - b).iter().fold(0.0, |m, v| m.max(v.abs()))
}

fn check_decomposition(name: &str, p: &LowRankMvn<'_, f64>, found: &PrincipalComponents<f64>) {
    let k = p.dim().min(p.rank());
    for b in 0..p.batch() {
        let (u, v) = (found.directions.index_axis(Axis(0), b), found.rotation.index_axis(Axis(0), b));
        let sizes = found.standard_deviations.row(b);
        let largest = sizes.iter().fold(0.0f64, |m, s| m.max(*s));
        let unit = Array2::eye(k);
        assert!(apart(&u.t().dot(&u), &unit) <= 30.0 * f64::EPSILON, "{name}: UᵀU");
        assert!(apart(&v.t().dot(&v), &unit) <= 30.0 * f64::EPSILON, "{name}: VᵀV");
        let back = (&u * &sizes).dot(&v.t());
        let factor = p.cov_factor().index_axis(Axis(0), b).to_owned();
        assert!(apart(&back, &factor) <= 30.0 * f64::EPSILON * largest, "{name}: USVᵀ");
        assert!(sizes.windows(2).into_iter().all(|pair| pair[0] >= pair[1]), "{name}: {sizes}");
        for column in u.columns() {
            let largest = column.iter().fold(0.0f64, |m, x| if x.abs() > m.abs() { *x } else { m });
            assert!(largest > 0.0, "{name}: sign");
        }
    }
}

#[test]
fn components_are_the_singular_value_decomposition() {
    for (n, r) in [(1, 1), (1, 4), (3, 7), (7, 7), (8, 3), (300, 25), (40, 0)] {
        let p = normal(n, r, n + r);
        check_decomposition(&format!("{n}×{r}"), &p, &p.principal_components().unwrap());
    }
    // Zero columns, a repeated one, and columns of very different size.
    let mut odd = factor(1, 50, 6, 3);
    odd.slice_mut(s![.., .., 1]).fill(0.0);
    let twin = odd.slice(s![.., .., 0]).to_owned();
    odd.slice_mut(s![.., .., 2]).assign(&twin);
    odd.slice_mut(s![.., .., 4]).mapv_inplace(|v| v * 1e-12);
    let p = LowRankMvn::new(Array2::zeros((1, 50)), odd, 1.0).unwrap();
    let found = p.principal_components().unwrap();
    check_decomposition("odd", &p, &found);
    assert!(found.standard_deviations[(0, 4)] <= 1e-14 && found.standard_deviations[(0, 3)] > 1e-13);
}

/// P = H·diag(s) with the columns of a reflection, which are orthonormal: its singular values are s.
#[test]
fn singular_values_of_a_known_factor() {
    let (n, sizes) = (12, [8.0, 1.0, 1.0, 1e-3, 1e-9]);
    let u: Vec<f64> = (0..n).map(|i| ((i * 5 + 1) as f64).sin()).collect();
    let squares: f64 = u.iter().map(|v| v * v).sum();
    let entry = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * u[i] * u[j] / squares;
    let p = Array3::from_shape_fn((1, n, 5), |(_, i, j)| entry(i, j) * sizes[j]);
    let found = LowRankMvn::new(Array2::zeros((1, n)), p, 1.0).unwrap().principal_components().unwrap();
    for (got, want) in found.standard_deviations.iter().zip(sizes) {
        assert!((got - want).abs() <= 30.0 * f64::EPSILON * 8.0, "{got} {want}");
    }
    // The two of equal size span columns 1 and 2.
    for c in [1, 2] {
        let inside: f64 = (1..3)
            .map(|j| (0..n).map(|i| found.directions[(0, i, c)] * entry(i, j)).sum::<f64>().powi(2))
            .sum();
        assert!((inside - 1.0).abs() <= 1e-13);
    }
}

#[test]
fn scaling_components() {
    let p = normal(9, 3, 1);
    let same = p.scale_components(&Array2::ones((2, 3))).unwrap();
    assert_eq!(same.cov_factor(), p.cov_factor());
    let found = p.principal_components().unwrap();
    let scales = array![[2.0, 0.0, -1.0], [1.0, 0.5, 3.0]];
    let scaled = p.scale_components(&scales).unwrap();
    for b in 0..2 {
        let u = found.directions.index_axis(Axis(0), b);
        let sizes = &found.standard_deviations.row(b) * &scales.row(b);
        let want = (&u * &sizes).dot(&found.rotation.index_axis(Axis(0), b).t());
        assert!(apart(&scaled.cov_factor().index_axis(Axis(0), b).to_owned(), &want) <= 1e-14 * 10.0);
    }
    let (wp, wd) = (matrix(2, 3, 4), matrix(2, 9, 5));
    let sweep = p.component_sweep(1, &[-2.0, 1.0, 0.5], 0.03, &wp, &wd).unwrap();
    for (k, scale) in [-2.0, 1.0, 0.5].into_iter().enumerate() {
        let scales = Array2::from_shape_fn((2, 3), |(_, c)| if c == 1 { scale } else { 0.03 });
        let want = p.scale_components(&scales).unwrap().rsample(&wp, &wd).unwrap();
        assert!(apart(&sweep.index_axis(Axis(1), k).to_owned(), &want) <= 1e-14 * 10.0);
    }
    let plain = p.component_sweep(0, &[1.0], 1.0, &wp, &wd).unwrap();
    assert_eq!(plain.index_axis(Axis(1), 0), p.rsample(&wp, &wd).unwrap());
    let error = p.component_sweep(3, &[1.0], 1.0, &wp, &wd).unwrap_err().to_string();
    assert_eq!(error, "`component` is 3, must be below min(n, r)");
    assert!(p.component_sweep(0, &[f64::NAN], 1.0, &wp, &wd).is_err());
    assert!(p.scale_components(&Array2::ones((2, 2))).is_err());
    assert!(p.scale_components(&Array2::from_elem((2, 3), f64::INFINITY)).is_err());
}

proptest! {
    /// R·R⁻¹v = v, R·Rᵀ = Σ by products with unit vectors, and ‖R⁻¹(x − μ)‖² = q.
    #[test]
    fn roots(n in 1usize..30, r in 0usize..6, salt in 0usize..1000, k in -4i32..24) {
        let d = 2f64.powi(-k);
        let p = LowRankMvn::new(matrix(1, n, salt), factor(1, n, r, salt + 1), d).unwrap();
        let x = matrix(1, n, salt + 2);
        // Products with 1/s lose as many digits as the condition number of the root has.
        let bound = 1e-13 * (1.0 + (n * r) as f64 / d).sqrt();
        let there = p.root_times(&p.inverse_root_times(&x).unwrap()).unwrap();
        prop_assert!(apart(&there, &x) <= bound * 10.0);
        let white = p.inverse_root_times(&(&x - &p.loc())).unwrap();
        let q = p.mahalanobis(&x).unwrap()[0];
        let size: f64 = (&x - &p.loc()).iter().map(|v| v * v).sum::<f64>() / d;
        // By what a right vector's rounding u moves the left one, u·s₁/sₖ, the larger direction leaks into that of sₖ: for columns
        // that are nearly dependent, up to u·s₁ of the whole.
        let s: Vec<f64> =
            p.principal_components().unwrap().standard_deviations.iter().map(|s| s / d.sqrt()).collect();
        let leak = s.iter().fold(1.0, |m: f64, sk| m.max(s[0] * sk / (1.0 + sk * sk)));
        let off = 2e-15 * leak * size.sqrt();
        let far = (white.iter().map(|v| v * v).sum::<f64>() - q).abs();
        prop_assert!(far <= 1e-13 * q + 2.0 * q.sqrt() * off + off * off, "{far} {q} {off}");
        let mut root = Array2::zeros((n, n));
        for j in 0..n {
            let mut unit = Array2::zeros((1, n));
            unit[(0, j)] = 1.0;
            root.column_mut(j).assign(&p.root_times(&unit).unwrap().row(0));
        }
        let sigma = p.covariance_matrix().index_axis(Axis(0), 0).to_owned();
        prop_assert!(apart(&root.dot(&root.t()), &sigma) <= 1e-13 * (n * (r + 1)) as f64 * (1.0 + d));
        // D is a multiple of the identity.
        prop_assert!(apart(&root, &root.t().to_owned()) <= 1e-13 * (n * (r + 1)) as f64 * (1.0 + d));
    }

    #[test]
    fn wasserstein_agrees_with_the_dense_distance(n in 1usize..20, rp in 0usize..4, rq in 0usize..4, salt in 0usize..1000, flat: bool) {
        let side = |r: usize, salt: usize, d: f64| {
            let loc = matrix(1, n, salt);
            if flat {
                LowRankMvn::new(loc, factor(1, n, r, salt + 1), Array1::from_elem(n, d)).unwrap()
            } else {
                LowRankMvn::new(loc, factor(1, n, r, salt + 1), variances(1, n, salt + 2)).unwrap()
            }
        };
        let (p, q) = (side(rp, salt, 0.3), side(rq, salt + 5, 0.7));
        let dense = |p: &LowRankMvn<'_, f64>| p.covariance_matrix().index_axis(Axis(0), 0).to_owned();
        let want = frechet_distance(&p.loc().row(0), &dense(&p), &q.loc().row(0), &dense(&q)).unwrap();
        let got = p.wasserstein_squared(&q).unwrap()[0];
        prop_assert!((got - want).abs() <= 1e-11 * (1.0 + want), "{got} {want}");
        prop_assert!(p.wasserstein_squared(&p).unwrap()[0] <= 1e-13);
    }
}

/// tr(Σ_p + Σ_q − 2(Σ_p^½Σ_qΣ_p^½)^½) by symmetric eigenvalues in mpmath at 70 digits: isotropic diagonals, in the coordinates
/// of the factors and dense, and others. The error is 10⁻¹⁴ of the traces.
#[test]
fn wasserstein_sees_diagonals_that_are_tiny_beside_the_factor() {
    let distance = |p: &[f64], dp: &[f64], q: &[f64], dq: &[f64]| {
        let n = dp.len();
        let side = |f: &[f64], d: &[f64]| {
            let factor = Array3::from_shape_vec((1, n, f.len() / n), f.to_vec()).unwrap();
            LowRankMvn::new(Array2::zeros((1, n)), factor, Array1::from(d.to_vec())).unwrap()
        };
        side(p, dp).wasserstein_squared(&side(q, dq)).unwrap()[0]
    };
    let (e1, e2) = ([100.0, 0.0, 0.0, 0.0], [0.0, 100.0, 0.0, 0.0]);
    let got = distance(&e1, &[1e-12; 4], &e2, &[1e-5; 4]);
    assert!((got - 19999.367384455321113).abs() <= 1e-14 * 2e4, "{got}");
    let p = [30.0, -40.0, 50.0, 20.0, 10.0, -20.0, 60.0, 30.0];
    let q = [10, 20, 50, -30, 20, 60, -40, 10, 30, 30, 70, -10, 20, -50, -10, 40].map(f64::from);
    let mixed_p = [1e-12, 1e-8, 1e-4, 1e-12, 1e-10, 1.0, 1e-12, 1e-3];
    let mixed_q = [1e-9, 1e-12, 1e-12, 1e-2, 1e-12, 1e-11, 1e-5, 1e-12];
    for (dp, dq, want) in [
        ([1e-12; 8], [1e-4; 8], 23256.291121198998253),
        ([1e-12; 8], [1e-10; 8], 23256.29057676454824),
        (mixed_p, mixed_q, 23138.074678471732754),
    ] {
        let got = distance(&p, &dp, &q, &dq);
        assert!((got - want).abs() <= 1e-14 * 31_400.0, "{got}, {want}");
        // Zeros beside the factors: r_p + r_q ≥ n, where nothing is reduced.
        let wide: Vec<f64> = p.iter().flat_map(|v| std::iter::once(*v).chain([0.0; 7])).collect();
        let got = distance(&wide, &dp, &q, &dq);
        assert!((got - want).abs() <= 1e-14 * 31_400.0, "wide: {got}, {want}");
    }
}

#[test]
fn dense_forms_agree_with_each_other() {
    for (n, r) in [(5, 2), (3, 6)] {
        let p = normal(n, r, 8);
        let (sigma, precision, l) =
            (p.covariance_matrix(), p.precision_matrix().unwrap(), p.scale_tril().unwrap());
        for b in 0..2 {
            let at = |a: &Array3<f64>| a.index_axis(Axis(0), b).to_owned();
            assert!(apart(&at(&sigma).dot(&at(&precision)), &Array2::eye(n)) <= 1e-12);
            assert!(apart(&at(&l).dot(&at(&l).t()), &at(&sigma)) <= 1e-14);
            assert!((0..n).all(|i| l[(b, i, i)] > 0.0 && (i + 1..n).all(|j| l[(b, i, j)] == 0.0)));
        }
        let block = p.covariance_block(&[2, 0], Some(&[1, 2])).unwrap();
        assert_eq!(block, sigma.select(Axis(1), &[2, 0]).select(Axis(2), &[1, 2]));
        assert_eq!(p.covariance_block(&[1], None).unwrap(), sigma.select(Axis(1), &[1]));
        assert!(p.covariance_block(&[n], None).is_err() && p.covariance_block(&[0], Some(&[n])).is_err());
        let conditional = Array1::from_iter((0..n).map(|i| 1.0 / precision[(0, i, i)]));
        // 1/(Σ⁻¹)ᵢᵢ is the variance of an entry given all others.
        let others = |i: usize| (0..n).filter(|&k| k != i).collect::<Vec<_>>();
        let given = (0..n).map(|i| {
            let indices = others(i);
            p.condition(&indices, &p.mean().select(Axis(1), &indices)).unwrap().variance()[(0, i)]
        });
        assert_close("conditional variance", &given.collect(), &conditional, 1e-12);
    }
    let zero = LowRankMvn::new(Array2::zeros((1, 3)), Array3::ones((1, 3, 1)), 0.0).unwrap();
    assert!(
        zero.scale_tril().is_err()
            && zero.precision_matrix().is_err()
            && zero.root_times(&array![[1.0, 0.0, 0.0]]).is_err()
    );
}

/// Subnormal factors have components, too, and roots.
#[test]
fn subnormal_factors() {
    for (n, r) in [(3, 1), (2, 3)] {
        let p = LowRankMvn::new(Array2::zeros((1, n)), Array3::from_elem((1, n, r), 1e-320), 1e-3).unwrap();
        let found = p.principal_components().unwrap();
        let (largest, want) = (found.standard_deviations[(0, 0)], 1e-320 * ((n * r) as f64).sqrt());
        assert!((largest / want - 1.0).abs() < 1e-2, "{largest}");
        assert!((found.directions[(0, 0, 0)] * (n as f64).sqrt() - 1.0).abs() < 1e-12);
        let v = Array2::ones((1, n));
        let root = p.root_times(&v).unwrap();
        assert!(root.iter().all(|x| (x - 1e-3f64.sqrt()).abs() < 1e-15));
    }
}
