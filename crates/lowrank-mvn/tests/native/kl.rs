//! Divergences against the dense ones, next to equality, and their gradients.

use ndarray::{Array1, Array2, Array3};
use proptest::prelude::*;
use variata_distributions::kl::{KlGrad, StandardMultivariateNormal};
use variata_distributions::{DiagonalNormal, KlDivergence, MultivariateNormal};
use variata_lowrank_mvn::{LowRankMvn, LowRankMvnGrad};

use crate::support::{assert_close, dense, factor, matrix, off, variances};

fn normal(n: usize, r: usize, salt: usize) -> LowRankMvn<'static, f64> {
    LowRankMvn::new(matrix(2, n, salt), factor(2, n, r, salt + 1), variances(2, n, salt + 2)).unwrap()
}

#[test]
fn all_ranks_agree_with_the_dense_divergence() {
    for n in [1, 3, 6, 40] {
        for (rp, rq) in [(0, 0), (0, 2), (2, 0), (2, 2), (1, 4), (5, 2)] {
            let (p, q) = (normal(n, rp, 1), normal(n, rq, 11));
            let want = dense(&p).kl(&dense(&q)).unwrap();
            assert_close(&format!("n = {n}, {rp} ‖ {rq}"), &p.kl(&q).unwrap(), &want, 1e-11);
            assert_close("dense q", &p.kl(&dense(&q)).unwrap(), &want, 1e-11);
            assert_close("dense p", &dense(&p).kl(&q).unwrap(), &want, 1e-11);
        }
    }
}

#[test]
fn diagonal_sides_are_factors_without_columns() {
    let p = normal(7, 3, 1);
    let d = DiagonalNormal::new(matrix(2, 7, 5), variances(2, 7, 6)).unwrap();
    let full = dense(&LowRankMvn::new(d.loc(), Array3::zeros((2, 7, 0)), d.variance()).unwrap());
    assert_close("‖ diagonal", &p.kl(&d).unwrap(), &dense(&p).kl(&full).unwrap(), 1e-12);
    assert_close("diagonal ‖", &d.kl(&p).unwrap(), &full.kl(&dense(&p)).unwrap(), 1e-12);
    let unit = DiagonalNormal::new(Array2::zeros((2, 7)), Array2::ones((2, 7))).unwrap();
    assert_close("‖ standard", &p.kl(&StandardMultivariateNormal).unwrap(), &p.kl(&unit).unwrap(), 1e-14);
}

/// Closed form for one column of ones and D = d·I against the same with d(1 + δ) and s times the column: the eigenvalues are
/// known, n − 1 times 1/(1 + δ) and once (d + n)/(d(1 + δ) + n·s²).
#[test]
fn next_to_equality_the_divergence_keeps_its_digits() {
    let n = 5000;
    for k in [3, 10, 20, 26, 34] {
        let d = 2f64.powi(-16);
        for (delta, s) in
            [(2f64.powi(-k), 1.0), (0.0, 1.0 + 2f64.powi(-k)), (2f64.powi(-k), 1.0 - 2f64.powi(-k))]
        {
            let p = LowRankMvn::new(Array2::zeros((1, n)), Array3::ones((1, n, 1)), d).unwrap();
            let q =
                LowRankMvn::new(Array2::zeros((1, n)), Array3::from_elem((1, n, 1), s), d * (1.0 + delta))
                    .unwrap();
            // λ − 1 for each eigenvalue λ, without a difference of close numbers.
            let many = -delta / (1.0 + delta);
            let one =
                (-d * delta - n as f64 * (s - 1.0) * (s + 1.0)) / (d * (1.0 + delta) + n as f64 * s * s);
            let term = |x: f64| {
                if x.abs() < 1e-3 { x * x / 2.0 - x.powi(3) / 3.0 + x.powi(4) / 4.0 } else { x - x.ln_1p() }
            };
            let want = 0.5 * ((n - 1) as f64 * term(many) + term(one));
            let got = p.kl(&q).unwrap()[0];
            assert!((got / want - 1.0).abs() <= 1e-6, "k = {k}, δ = {delta}, s = {s}: {got} against {want}");
        }
    }
}

#[test]
fn equal_distributions_have_no_divergence() {
    for (n, r) in [(2, 5), (4, 0), (50, 3), (600, 25)] {
        let p = normal(n, r, 3);
        assert_eq!(p.kl(&p).unwrap().to_vec(), [0.0, 0.0], "n = {n}, r = {r}");
    }
}

proptest! {
    /// ≥ 0 for pairs at every distance, without being cut off there.
    #[test]
    fn never_negative(n in 1usize..60, rp in 0usize..6, rq in 0usize..6, salt in 0usize..1000, k in 0i32..50, e in -6i32..30) {
        let d = 2f64.powi(-e);
        let p = factor(1, n, rp.max(rq), salt);
        let near = factor(1, n, rp.max(rq), salt + 1) * 2f64.powi(-k) + &p;
        let cut = |p: &Array3<f64>, r: usize| p.slice(ndarray::s![.., .., ..r]).to_owned();
        let p = LowRankMvn::new(matrix(1, n, salt), cut(&p, rp), d).unwrap();
        let q = LowRankMvn::new(matrix(1, n, salt), cut(&near, rq), d * (1.0 + 2f64.powi(-k))).unwrap();
        let kl = p.kl(&q).unwrap()[0];
        prop_assert!(kl >= 0.0, "{kl}");
    }
}

/// Central differences of order 6 in one number.
fn slope(f: impl Fn(f64) -> f64) -> f64 {
    let h = 1e-2;
    let d = |k: f64| (f(k * h) - f(-k * h)) / (2.0 * k * h);
    1.5 * d(1.0) - 0.6 * d(2.0) + 0.1 * d(3.0)
}

/// Each parameter of a low-rank side against differences.
fn check(
    name: &str,
    p: &LowRankMvn<'_, f64>,
    grad: &LowRankMvnGrad<f64>,
    kl: impl Fn(&LowRankMvn<'_, f64>) -> Array1<f64>,
) {
    let diag = &p.variance() - &p.cov_factor().map(|v| v * v).sum_axis(ndarray::Axis(2));
    let (batch, n, r) = p.cov_factor().dim();
    let with = |loc: Array2<f64>, factor: Array3<f64>, diag: Array2<f64>| {
        kl(&LowRankMvn::new(loc, factor, diag).unwrap())
    };
    let near = |got: f64, want: f64, what: &str| {
        assert!((got - want).abs() <= 1e-7 * (1.0 + want.abs()), "{name}, {what}: {got} against {want}");
    };
    for b in 0..batch {
        for i in 0..n {
            let at = |h: f64, a: &Array2<f64>, scale: f64| {
                let mut a = a.clone();
                a[(b, i)] += h * scale;
                a
            };
            let (loc, factor) = (p.loc().to_owned(), p.cov_factor().to_owned());
            let want = slope(|h| with(at(h, &loc, 1.0), factor.clone(), diag.clone())[b]);
            near(grad.loc[(b, i)], want, "loc");
            let size = diag[(b, i)];
            let want = slope(|h| with(loc.clone(), factor.clone(), at(h, &diag, size))[b]) / size;
            near(grad.cov_diag[(b, i)], want, "cov_diag");
            for j in 0..r {
                let want = slope(|h| {
                    let mut factor = factor.clone();
                    factor[(b, i, j)] += h;
                    with(loc.clone(), factor, diag.clone())[b]
                });
                near(grad.cov_factor[(b, i, j)], want, "cov_factor");
            }
        }
    }
}

#[test]
fn gradients_match_differences() {
    for (n, rp, rq) in [(5, 2, 3), (3, 4, 1), (4, 0, 2), (6, 3, 0)] {
        let (p, q) = (normal(n, rp, 1), normal(n, rq, 21));
        let (value, KlGrad { p: of_p, q: of_q }) = p.kl_with_grad(&q).unwrap();
        assert_eq!(value, p.kl(&q).unwrap());
        check(&format!("{n}: {rp} ‖ {rq}, p"), &p, &of_p, |p| p.kl(&q).unwrap());
        check(&format!("{n}: {rp} ‖ {rq}, q"), &q, &of_q, |q| p.kl(q).unwrap());
    }
    let (p, q) = (normal(4, 2, 1), normal(4, 2, 31));
    let (_, grad) = p.kl_with_grad(&StandardMultivariateNormal).unwrap();
    check("‖ standard", &p, &grad, |p| p.kl(&StandardMultivariateNormal).unwrap());
    let full = dense(&q);
    let (_, grad) = p.kl_with_grad(&full).unwrap();
    check("‖ dense", &p, &grad.p, |p| p.kl(&full).unwrap());
    check_dense(&full, &grad.q.scale_tril, |q| p.kl(q).unwrap()[1]);
    let (_, grad) = full.kl_with_grad(&p).unwrap();
    check("dense ‖", &p, &grad.q, |p| full.kl(p).unwrap());
    check_dense(&full, &grad.p.scale_tril, |q| q.kl(&p).unwrap()[1]);
    for d in [
        DiagonalNormal::new(matrix(2, 4, 5), variances(2, 4, 6)).unwrap(),
        DiagonalNormal::from_log_variance(matrix(2, 4, 5), matrix(2, 4, 6)).unwrap(),
    ] {
        let with = |spread: Array2<f64>| match d.spread_kind() {
            variata_distributions::SpreadKind::Scale => {
                DiagonalNormal::new(d.loc().to_owned(), spread).unwrap()
            }
            variata_distributions::SpreadKind::LogVariance => {
                DiagonalNormal::from_log_variance(d.loc().to_owned(), spread).unwrap()
            }
        };
        let (first, second) = (p.kl_with_grad(&d).unwrap().1, d.kl_with_grad(&p).unwrap().1);
        check("‖ diagonal", &p, &first.p, |p| p.kl(&d).unwrap());
        check("diagonal ‖", &p, &second.q, |p| d.kl(p).unwrap());
        for i in 0..4 {
            let moved = |h: f64| {
                let mut spread = d.spread().to_owned();
                spread[(1, i)] += h * 0.1;
                with(spread)
            };
            let want = slope(|h| p.kl(&moved(h)).unwrap()[1]) / 0.1;
            assert!((first.q.spread[(1, i)] - want).abs() <= 1e-7 * (1.0 + want.abs()));
            let want = slope(|h| moved(h).kl(&p).unwrap()[1]) / 0.1;
            assert!((second.p.spread[(1, i)] - want).abs() <= 1e-7 * (1.0 + want.abs()));
        }
    }
}

fn check_dense(
    q: &MultivariateNormal<f64>,
    grad: &Array3<f64>,
    kl: impl Fn(&MultivariateNormal<f64>) -> f64,
) {
    for i in 0..q.dim() {
        for j in 0..=i {
            let want = slope(|h| {
                let mut tril = q.scale_tril().to_owned();
                tril[(1, i, j)] += 0.1 * h;
                kl(&MultivariateNormal::new(q.loc().to_owned(), &tril).unwrap())
            }) / 0.1;
            assert!((grad[(1, i, j)] - want).abs() <= 1e-7 * (1.0 + want.abs()), "({i}, {j})");
        }
    }
}

#[test]
fn wrong_shapes_and_singular_sides_are_refused() {
    let (p, q) = (normal(4, 2, 1), normal(5, 2, 1));
    assert_eq!(p.kl(&q).unwrap_err().to_string(), "`q` has shape [2, 5], must be [2, 4]");
    assert!(p.kl(&dense(&q)).is_err() && dense(&q).kl(&p).is_err());
    let zero = LowRankMvn::new(p.loc(), p.cov_factor(), 0.0).unwrap();
    assert!(p.kl(&zero).unwrap_err().to_string().starts_with("`cov_diag` is 0"));
    let flat = LowRankMvn::new(p.loc(), Array3::ones((2, 4, 6)), 0.0).unwrap();
    assert!(p.kl(&flat).unwrap_err().to_string().contains("not positive definite"));
}

/// The square of an f32 is not rounded to f32 on the way, and neither over- nor underflows.
#[test]
fn diagonal_sides_of_singles_keep_their_digits() {
    let (n, zero) = (4, Array2::<f32>::zeros((1, 4)));
    for (d, sigma) in
        [(2e-5f32, 0.004_472_2f32), (0.5, 0.7072), (1.0001, 1.00003), (1e-20, 1e-25), (1e20, 1e25)]
    {
        let p = LowRankMvn::new(zero.view(), Array3::zeros((1, n, 0)), d).unwrap();
        let q = DiagonalNormal::new(zero.clone(), Array2::from_elem((1, n), sigma)).unwrap();
        let ratio = f64::from(d) / f64::from(sigma).powi(2);
        // r − 1 − log r, by its series near 1.
        let (e, near) = (ratio - 1.0, (ratio - 1.0).abs() < 0.01);
        let one = |r: f64, e: f64| {
            if near { e * e / 2.0 - e * e * e / 3.0 + e.powi(4) / 4.0 } else { r - 1.0 - r.ln() }
        };
        let want = 0.5 * n as f64 * one(ratio, e);
        let got = p.kl(&q).unwrap()[0];
        assert!((got / want - 1.0).abs() < 1e-6, "{d}, {sigma}: {got} {want}");
        let back = q.kl(&p).unwrap()[0];
        let inverse = 1.0 / ratio;
        let want = 0.5 * n as f64 * one(inverse, inverse - 1.0);
        assert!((back / want - 1.0).abs() < 1e-6, "{d}, {sigma}, back: {back} {want}");
        assert_eq!(p.kl_with_grad(&q).unwrap().0[0], got);
        assert_eq!(q.kl_with_grad(&p).unwrap().0[0], back);
    }
}

/// Columns that hardly change D, alone and beside long ones, scaled by 1 + δ: the divergence is of second order in δ, and
/// n·c² against D gives it for one column.
#[test]
fn next_to_equality_short_columns_count() {
    for (n, c) in [(4, 2f64.powi(-10)), (16, 2f64.powi(-6)), (300, 2f64.powi(-20))] {
        for k in [6, 13, 20] {
            let delta = 2f64.powi(-k);
            let of = |s: f64| {
                LowRankMvn::new(Array2::zeros((1, n)), Array3::from_elem((1, n, 1), s * c), 1.0).unwrap()
            };
            let (a, b) = (n as f64 * c * c * (1.0 + delta).powi(2), n as f64 * c * c);
            let x = (a - b) / (1.0 + b);
            let want = 0.5 * if x.abs() < 1e-3 { x * x / 2.0 - x.powi(3) / 3.0 } else { x - x.ln_1p() };
            let got = of(1.0 + delta).kl(&of(1.0)).unwrap()[0];
            assert!((got / want - 1.0).abs() < 1e-6, "n = {n}, c = {c}, k = {k}: {got} against {want}");
        }
    }
    let base = factor(1, 40, 4, 3);
    for sizes in [[1e-3; 4], [1e-5, 1.0, 1e3, 1e5], [1e-8, 1e-4, 1e-2, 1.0]] {
        let of = |delta: f64| {
            let p = Array3::from_shape_fn((1, 40, 4), |(b, i, j)| {
                let change = delta * ((i + 3 * j) as f64 * 0.7).sin();
                base[(b, i, j)] * sizes[j] * (1.0 + change)
            });
            LowRankMvn::new(Array2::zeros((1, 40)), p, 1.0).unwrap()
        };
        let q = of(0.0);
        let scaled: Vec<f64> =
            [1e-7, 1e-6, 1e-5].map(|delta| of(delta).kl(&q).unwrap()[0] / (delta * delta)).to_vec();
        assert!(scaled[0] > 0.0);
        assert!(scaled.iter().all(|v| (v / scaled[0] - 1.0).abs() < 1e-3 * sizes[3].max(1.0)), "{scaled:?}");
    }
}

#[test]
fn a_diagonal_side_whose_variance_f64_cannot_hold_is_refused() {
    let p = LowRankMvn::new(Array2::zeros((1, 2)), Array3::<f64>::ones((1, 2, 1)), 1.0).unwrap();
    let loc = Array2::zeros((1, 2));
    let small = DiagonalNormal::new(loc.clone(), Array2::from_elem((1, 2), 1e-170)).unwrap();
    assert!(p.kl(&small).unwrap_err().to_string().starts_with("`scale[0]`"));
    let large = DiagonalNormal::from_log_variance(loc, Array2::from_elem((1, 2), 800.0)).unwrap();
    assert!(large.kl(&p).unwrap_err().to_string().starts_with("`log_variance[0]` is 800"));
}

/// One side has as many columns as there are dimensions, the other one column beside D = 10⁻⁸, along which Σ⁻¹ is smaller by
/// 6·10⁸ than elsewhere. Numbers: (Σ_q⁻¹ − Σ_p⁻¹)P and the others of the theory page by inverses in mpmath at 60 digits.
#[test]
fn the_narrow_side_of_a_wide_one_keeps_its_digits() {
    let loc = Array2::zeros((1, 3));
    let wide = LowRankMvn::new(loc.view(), Array2::eye(3).insert_axis(ndarray::Axis(0)), 1.0).unwrap();
    let column = Array3::from_shape_vec((1, 3, 1), vec![1.0, 2.0, -1.0]).unwrap();
    let narrow = LowRankMvn::new(loc.view(), column, 1e-8).unwrap();
    let of_q = [0.11111111101851852, 0.22222222203703704, -0.11111111101851852];
    let diag_q = [-8333333291666666.3, -3333333316666666.5, -8333333291666666.3];
    let of_p = [0.33333333361111111, 0.66666666722222222, -0.33333333361111111];
    let diag_p = [-41666666.430555555, -16666666.472222222, -41666666.430555555];
    let mut found = vec![
        (wide.kl_with_grad(&narrow).unwrap().1.q, of_q, diag_q),
        (narrow.kl_with_grad(&wide).unwrap().1.p, of_p, diag_p),
    ];
    let dense = dense(&wide);
    found.push((dense.kl_with_grad(&narrow).unwrap().1.q, of_q, diag_q));
    found.push((narrow.kl_with_grad(&dense).unwrap().1.p, of_p, diag_p));
    for (at, (got, factor, diag)) in found.iter().enumerate() {
        let error = [off(&got.cov_factor, factor), off(&got.cov_diag, diag)];
        assert!(error.iter().all(|e| *e <= 1e-7), "{at}: {error:?}");
    }
}

/// The same covariance with a column twice and with √2 times it: what counts is known of L, not of C⁻¹.
#[test]
fn dependent_columns_cost_no_digits() {
    let n = 300;
    let base = factor(1, n, 2, 5);
    let twice = Array3::from_shape_fn((1, n, 3), |(b, i, j)| base[(b, i, j / 2)]);
    let once = Array3::from_shape_fn((1, n, 2), |(b, i, j)| {
        base[(b, i, j)] * if j == 0 { 2f64.sqrt() } else { 1.0 }
    });
    let (zero, other) = (Array2::<f64>::zeros((1, n)), factor(1, n, 4, 6));
    let unit = DiagonalNormal::new(zero.clone(), Array2::ones((1, n))).unwrap();
    let other = LowRankMvn::new(zero.view(), other, 1.0).unwrap();
    for d in [1e-4, 1e-8, 1e-10, 1e-12] {
        let [a, b] = [&twice, &once].map(|p| LowRankMvn::new(zero.view(), p.view(), d).unwrap());
        let (mut values, mut slopes) = (Vec::new(), Vec::new());
        for side in [&a, &b] {
            let (first, second) = (unit.kl_with_grad(side).unwrap(), side.kl_with_grad(&unit).unwrap());
            let (third, fourth) = (other.kl_with_grad(side).unwrap(), side.kl_with_grad(&other).unwrap());
            values.push([first.0[0], second.0[0], third.0[0], fourth.0[0]]);
            slopes.push([
                first.1.p.spread,
                first.1.q.cov_diag,
                second.1.p.cov_diag,
                second.1.q.spread,
                third.1.p.cov_diag,
                third.1.q.cov_diag,
                fourth.1.p.cov_diag,
                fourth.1.q.cov_diag,
            ]);
        }
        for (k, (a, b)) in values[0].iter().zip(&values[1]).enumerate() {
            assert!((a / b - 1.0).abs() < 1e-9, "{d}, value {k}: {a} {b}");
        }
        for (k, (a, b)) in slopes[0].iter().zip(&slopes[1]).enumerate() {
            let size = b.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            let gap = a.iter().zip(b).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
            assert!(gap <= 1e-9 * size, "{d}, gradient {k}: {gap} of {size}");
        }
    }
}

/// Two narrow covariances far apart, one of them as a dense one, or with columns of zeros. Numbers: ½ diag(Σ_q⁻¹ − Σ_p⁻¹) and
/// ½ diag(Σ_q⁻¹ − Σ_q⁻¹Σ_pΣ_q⁻¹) by mpmath at 80 digits.
#[test]
fn far_apart_dense_sides_keep_the_digits_of_a_small_diagonal() {
    let zero = Array2::<f64>::zeros((1, 4));
    let column =
        |v: [f64; 4], r: usize| Array3::from_shape_fn((1, 4, r), |(_, i, j)| if j == 0 { v[i] } else { 0.0 });
    let of = |v, r| LowRankMvn::new(zero.view(), column(v, r), 1e-12).unwrap();
    let (p, q) = ([1.0, 0.5, -0.75, 0.3], [0.25, 1.0, 0.8, -0.4]);
    let in_p = [246033565866.04837, -202753353499.78897, -23980280274.086129, -19299932092.167629];
    let in_q =
        [-4.9598126210531275e+23, -1.1707603261114784e+23, -2.9099745281743538e+23, -4.6953641727849033e+22];
    let of_q = MultivariateNormal::new(zero.clone(), &of(q, 1).scale_tril().unwrap()).unwrap();
    let of_p = MultivariateNormal::new(zero.clone(), &of(p, 1).scale_tril().unwrap()).unwrap();
    let near = |name: &str, got: &Array2<f64>, want: &[f64; 4]| {
        let error = off(got, want);
        assert!(error < 1e-9, "{name}: {error}");
    };
    near("narrow, dense", &of(p, 1).kl_with_grad(&of_q).unwrap().1.p.cov_diag, &in_p);
    near("dense, narrow", &of_p.kl_with_grad(&of(q, 1)).unwrap().1.q.cov_diag, &in_q);
    for r in [1, 4] {
        let grad = of(p, r).kl_with_grad(&of(q, r)).unwrap().1;
        near("p", &grad.p.cov_diag, &in_p);
        near("q", &grad.q.cov_diag, &in_q);
    }
}

/// One column on one pixel, whose leverage is 1 − d/‖p‖²: ∂d_p = ½(1/(4 + d) − 1/(1 + d)) and ∂d_q = ½(1/(4 + d) − (1 + d)/(4 + d)²).
#[test]
fn leverages_next_to_one_keep_the_gradient() {
    let zero = Array2::<f64>::zeros((1, 2));
    for k in [2, 6, 8, 10, 12, 16, 20] {
        let d = 10f64.powi(-k);
        let of = |size: f64| {
            let factor = Array3::from_shape_vec((1, 2, 1), vec![size, 0.0]).unwrap();
            LowRankMvn::new(zero.view(), factor, Array2::from_shape_vec((1, 2), vec![d, 1.0]).unwrap())
                .unwrap()
        };
        let (p, q) = (of(1.0), of(2.0));
        let want = 0.5 * (1.0 / (4.0 + d) - 1.0 / (1.0 + d));
        let back = 0.5 * (1.0 / (4.0 + d) - (1.0 + d) / (4.0 + d).powi(2));
        let [dense_p, dense_q] =
            [&p, &q].map(|p| MultivariateNormal::new(zero.clone(), &p.scale_tril().unwrap()).unwrap());
        let narrow = p.kl_with_grad(&dense_q).unwrap().1.p.cov_diag[(0, 0)];
        assert!((narrow / want - 1.0).abs() < 1e-10, "{d}: {narrow} {want}");
        let narrow = dense_p.kl_with_grad(&q).unwrap().1.q.cov_diag[(0, 0)];
        assert!((narrow / back - 1.0).abs() < 1e-10, "{d}: {narrow} {back}");
        // Two narrow sides know ‖p‖²/d in units of rounding.
        let both = p.kl_with_grad(&q).unwrap().1;
        let slack = 1e-13 + 1e-15 / d;
        if slack < 0.1 {
            for (got, want) in [(both.p.cov_diag[(0, 0)], want), (both.q.cov_diag[(0, 0)], back)] {
                assert!((got / want - 1.0).abs() < slack, "{d}: {got} {want}");
            }
        }
    }
}

#[test]
fn no_dimension_is_no_divergence() {
    for r in [0, 2] {
        let p = LowRankMvn::<f64>::new(Array2::zeros((2, 0)), Array3::zeros((2, 0, r)), 1.0).unwrap();
        let diagonal = DiagonalNormal::<f64>::new(Array2::zeros((2, 0)), Array2::ones((2, 0))).unwrap();
        let dense = MultivariateNormal::new(Array2::zeros((2, 0)), &Array3::zeros((2, 0, 0)));
        let mut values = vec![
            p.kl_with_grad(&p).unwrap().0,
            p.kl_with_grad(&diagonal).unwrap().0,
            diagonal.kl_with_grad(&p).unwrap().0,
            p.kl_with_grad(&StandardMultivariateNormal).unwrap().0,
        ];
        if let Ok(dense) = dense {
            values.extend([p.kl_with_grad(&dense).unwrap().0, dense.kl_with_grad(&p).unwrap().0]);
        }
        assert!(values.iter().all(|v| v.to_vec() == [0.0, 0.0]), "{values:?}");
    }
}

/// Of a row that determines a direction alone nearly all of D_p/D_q cancels against its leverage.
#[test]
fn rows_that_determine_a_direction_keep_the_divergence() {
    let p = LowRankMvn::new(
        Array2::zeros((1, 3)),
        Array3::from_shape_vec((1, 3, 1), vec![0.5, 0.3, 0.2]).unwrap(),
        Array2::from_shape_vec((1, 3), vec![0.04, 1.6, 0.1]).unwrap(),
    )
    .unwrap();
    for d in [1e-6, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12] {
        let q = LowRankMvn::new(
            Array2::zeros((1, 3)),
            Array3::from_shape_vec((1, 3, 2), vec![0.7, -1.3, -0.1, 0.4, -0.8, 0.0]).unwrap(),
            Array2::from_shape_vec((1, 3), vec![d, 1.5, 1.7]).unwrap(),
        )
        .unwrap();
        let (got, want) = (p.kl(&q).unwrap()[0], p.kl(&dense(&q)).unwrap()[0]);
        // What the documentation allows: u‖p‖²/d.
        let allowed = 1e-11 + 4.0 * f64::EPSILON * 2.2 / d;
        assert!((got - want).abs() < allowed, "{d}: {got} {want}");
    }
    let q = LowRankMvn::new(
        Array2::zeros((1, 2)),
        Array3::from_shape_vec((1, 2, 1), vec![1.0, 1e-10]).unwrap(),
        Array2::from_shape_vec((1, 2), vec![1.0, 1e-160]).unwrap(),
    )
    .unwrap();
    let unit = DiagonalNormal::new(Array2::zeros((1, 2)), Array2::ones((1, 2))).unwrap();
    assert!(unit.kl(&q).is_err_and(|e| e.to_string().contains("kl")));
}

#[test]
fn a_distribution_is_not_apart_from_itself_whatever_its_condition() {
    for (scale, gap) in [(1e3, 1e-8), (1e3, 1e-12), (1e10, 1.0), (1e12, 1.0)] {
        let column = |i: usize, j: usize| scale * ((i + 1) as f64 + gap * j as f64 * (i as f64).cos());
        let p = LowRankMvn::new(
            Array2::zeros((1, 5)),
            Array3::from_shape_fn((1, 5, 2), |(_, i, j)| column(i, j)),
            1e-12,
        )
        .unwrap();
        assert_eq!(p.kl(&p).unwrap()[0], 0.0);
    }
}

/// The same where the two diagonals are next to each other: the divergence is far below what can be known of it, and not below 0.
#[test]
fn rows_alone_are_never_nearer_than_equal() {
    for (d, ratio) in [(2.08e-13, 2.61), (2.3e-13, 2.18), (1.08e-14, 2.65), (1e-6, 1.3), (1e-9, 2.0)] {
        let of = |first: f64| {
            LowRankMvn::new(
                Array2::zeros((1, 3)),
                Array3::from_shape_vec((1, 3, 1), vec![1.1, 0.4, -0.7]).unwrap(),
                Array2::from_shape_vec((1, 3), vec![first, 0.5, 0.8]).unwrap(),
            )
            .unwrap()
        };
        let (p, q) = (of(d * ratio), of(d));
        let (got, want) = (p.kl(&q).unwrap()[0], dense(&p).kl(&dense(&q)).unwrap()[0]);
        assert!(got >= 0.0 && (got - want).abs() < f64::EPSILON / d, "{d} {ratio}: {got} {want}");
    }
}
