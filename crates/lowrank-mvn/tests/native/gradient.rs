//! Gradients against the six-point stencil and their own laws.

use ndarray::{Array2, Array3};
use variata_lowrank_mvn::{Error, LowRankMvn};
use variata_testkit::finite_difference::assert_gradient;

use crate::support::{factor, matrix, variances};

/// The parameters of one item from one vector: x, loc, factor, diagonal.
fn parts(v: &[f64], n: usize, r: usize) -> (Array2<f64>, LowRankMvn<'static, f64>) {
    let (x, rest) = v.split_at(n);
    let (loc, rest) = rest.split_at(n);
    let (p, d) = rest.split_at(n * r);
    let two = |v: &[f64]| Array2::from_shape_vec((1, n), v.to_vec()).unwrap();
    let p = Array3::from_shape_vec((1, n, r), p.to_vec()).unwrap();
    (two(x), LowRankMvn::new(two(loc), p, two(d)).unwrap())
}

#[test]
fn gradients_match_the_stencil() {
    for (n, r) in [(1, 1), (4, 2), (7, 3), (3, 3), (3, 5), (6, 0)] {
        let mut v: Vec<f64> = matrix(1, n, 1).into_iter().chain(matrix(1, n, 2)).collect();
        v.extend(factor(1, n, r, 3));
        v.extend(variances(1, n, 4));
        let scales: Vec<f64> = (0..v.len()).map(|i| if i < v.len() - n { 0.3 } else { 0.3 * v[i] }).collect();
        assert_gradient(
            &format!("log_prob, n = {n}, r = {r}"),
            |v| {
                let (x, p) = parts(v, n, r);
                p.log_prob(&x).unwrap()[0]
            },
            &v,
            &scales,
            |v| {
                let (x, p) = parts(v, n, r);
                let (value, grad) = p.log_prob_with_grad(&x).unwrap();
                assert_eq!(value, p.log_prob(&x).unwrap());
                grad.x.into_iter().chain(grad.loc).chain(grad.cov_factor).chain(grad.cov_diag).collect()
            },
            1e-8,
        );
        let (_, parameters) = v.split_at(2 * n);
        let with = |v: &[f64]| parts(&[&vec![0.0; 2 * n], v].concat(), n, r).1;
        assert_gradient(
            &format!("entropy, n = {n}, r = {r}"),
            |v| with(v).entropy().unwrap()[0],
            parameters,
            &scales[2 * n..],
            |v| {
                let (value, grad) = with(v).entropy_with_grad().unwrap();
                assert_eq!(value, with(v).entropy().unwrap());
                grad.cov_factor.into_iter().chain(grad.cov_diag).collect()
            },
            1e-8,
        );
    }
}

/// Rotating the columns of P changes nothing, so the gradient along P·A with A skew is 0.
#[test]
fn the_gradient_does_not_see_rotations_of_the_factor() {
    let (n, r) = (300, 4);
    for k in [0, 17, 33] {
        let p = factor(1, n, r, 1);
        let x = matrix(1, n, 2);
        let (_, grad) = LowRankMvn::new(Array2::zeros((1, n)), p.view(), 2f64.powi(-k))
            .unwrap()
            .log_prob_with_grad(&x)
            .unwrap();
        let norm = |a: &Array3<f64>| a.iter().map(|v| v * v).sum::<f64>().sqrt();
        for (a, b) in [(0, 1), (1, 3), (0, 2)] {
            let along: f64 = (0..n)
                .map(|i| {
                    grad.cov_factor[(0, i, a)] * p[(0, i, b)] - grad.cov_factor[(0, i, b)] * p[(0, i, a)]
                })
                .sum();
            assert!(along.abs() <= 1e-12 * norm(&grad.cov_factor) * norm(&p), "2^-{k}: {along}");
        }
        assert_eq!(grad.loc, grad.x.mapv(|v| -v));
    }
}

/// Two proportional columns are one: the gradients in D, which are well conditioned, and in P along both are those of the one.
#[test]
fn dependent_columns_keep_the_gradient_in_the_diagonal() {
    for n in [40, 300, 2000] {
        let single = factor(1, n, 5, 3);
        let mut double = Array3::zeros((1, n, 6));
        for ((b, i, j), v) in single.indexed_iter() {
            double[(b, i, j)] = if j == 0 { 0.6 * v } else { *v };
        }
        for i in 0..n {
            double[(0, i, 5)] = 0.8 * single[(0, i, 0)];
        }
        let x = matrix(1, n, 2);
        let loc = Array2::zeros((1, n));
        for d in [1e-3, 1e-6, 1e-10, 1e-12] {
            let one = LowRankMvn::new(loc.view(), single.view(), d).unwrap();
            let two = LowRankMvn::new(loc.view(), double.view(), d).unwrap();
            let (want, want_entropy) =
                (one.log_prob_with_grad(&x).unwrap().1, one.entropy_with_grad().unwrap().1);
            let (got, entropy) = (two.log_prob_with_grad(&x).unwrap().1, two.entropy_with_grad().unwrap().1);
            let near = |got: &Array2<f64>, want: &Array2<f64>| {
                let size = |a: &Array2<f64>| a.iter().map(|v| v * v).sum::<f64>().sqrt();
                let off = size(&(got - want)) / size(want);
                assert!(off <= 1e-7, "{n}, {d}: {off}");
            };
            near(&entropy.cov_diag, &want_entropy.cov_diag);
            near(&got.cov_diag, &want.cov_diag);
            near(&got.x, &want.x);
            assert!(entropy.cov_diag.iter().all(|v| (0.0..=0.5 / d).contains(v)));
        }
    }
}

/// What overflows inside is an error and not a NaN.
#[test]
fn overflow_is_refused() {
    let p = LowRankMvn::new(Array2::zeros((1, 3)), Array3::from_elem((1, 3, 1), 1e160), 1e-300).unwrap();
    let x = Array2::ones((1, 3));
    for error in
        [p.log_prob(&x).unwrap_err(), p.entropy().unwrap_err(), p.log_prob_with_grad(&x).unwrap_err()]
    {
        assert!(matches!(error, Error::Overflow { batch: 0, .. }), "{error}");
    }
    let wide = LowRankMvn::new(Array2::zeros((1, 2)), Array3::from_elem((1, 2, 3), 1e155), 1e300).unwrap();
    assert!(matches!(wide.entropy().unwrap_err(), Error::Overflow { batch: 0, .. }));
}
