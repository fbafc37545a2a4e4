//! Gradients against the six-point stencil and their own laws.

use ndarray::{Array1, Array2, Array3, Axis};
use variata_distributions::KlDivergence;
use variata_distributions::kl::KlGrad;
use variata_lowrank_mvn::{Error, LowRankMvn};
use variata_testkit::finite_difference::assert_gradient;

use crate::support::{factor, matrix, off, variances};

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

/// Factor and diagonal.
type Parameters = [Vec<f64>; 2];

/// Two nearly equal distributions, the difference of their means, and the partials of both in factor and diagonal by inverses
/// in mpmath at 60 digits. Differences of terms of the size of Σ⁻¹ had left one digit, or none.
#[test]
fn next_to_equality_gradients_keep_their_digits() {
    let rows: Vec<(Parameters, Parameters, Vec<f64>, Parameters, Parameters)> = vec![
        // Other diagonals.
        (
            [vec![1.0, 2.0, -1.0], vec![1e-05, 1e-05, 1e-05]],
            [vec![1.0, 2.0, -1.0], vec![1.0001e-05, 1.0001e-05, 1.0001e-05]],
            vec![0.0, 0.0, 0.0],
            [
                vec![-2.7777685180753854e-11, -5.555537036150771e-11, 2.7777685180753854e-11],
                vec![-4.1662500416598345, -1.6665000166722672, -4.1662500416598345],
            ],
            [
                vec![2.7777685176124247e-11, 5.5555370352248495e-11, -2.7777685176124247e-11],
                vec![4.165833458314004, 1.6663333833339349, 4.165833458314004],
            ],
        ),
        // A longer column.
        (
            [vec![1.0, 2.0, -1.0], vec![1e-05, 1e-05, 1e-05]],
            [vec![1.0001, 2.0002, -1.0001], vec![1e-05, 1e-05, 1e-05]],
            vec![0.0, 0.0, 0.0],
            [
                vec![-3.33282229168518e-05, -6.66564458337036e-05, 3.33282229168518e-05],
                vec![-2.77735190973765e-06, -1.11094076389506e-05, -2.77735190973765e-06],
            ],
            [
                vec![3.332489043891563e-05, 6.664978087783126e-05, -3.332489043891563e-05],
                vec![2.7767965235906103e-06, 1.1107186094362441e-05, 2.7767965235906103e-06],
            ],
        ),
        // Another column, at a diagonal of 10⁻¹⁰.
        (
            [vec![1.0, 2.0, -1.0], vec![1e-10, 1e-10, 1e-10]],
            [vec![1.000009, 2.0, -1.0], vec![1e-10, 1e-10, 1e-10]],
            vec![0.0, 0.0, 0.0],
            [
                vec![-74999.77499829364, 30000.17999730744, -15000.08999865372],
                vec![-12500.018749505187, 10000.01499940415, 2500.0037498510374],
            ],
            [
                vec![74999.66249795615, -30000.134996767443, 15000.067498383722],
                vec![-2812470624.9348354, -450015399.995422, -112503849.9988555],
            ],
        ),
        // Columns that are nearly parallel, and uneven diagonals.
        (
            [vec![1.0, 1.0, 2.0, 2.001, -1.0, -1.0, 0.5, 0.5], vec![1e-06, 0.001, 0.01, 1e-05]],
            [
                vec![1.000001, 1.0, 2.0, 2.001, -1.0, -1.0, 0.5, 0.5],
                vec![1.0000009999999998e-06, 0.001000001, 0.01000001, 1.000001e-05],
            ],
            vec![0.0, 0.0, 0.0, 0.0],
            [
                vec![
                    -0.014148867768321747,
                    -0.014130017506159429,
                    0.0009731744353765607,
                    0.0009702467789914257,
                    -4.860983133174058e-05,
                    -4.856193581398493e-05,
                    0.024304915665870296,
                    0.02428096790699246,
                ],
                vec![
                    -0.05554736718193407,
                    -0.0014638281925676462,
                    -4.9983289548297006e-05,
                    -0.04583483713129218,
                ],
            ],
            [
                vec![
                    0.014148902458893602,
                    0.01412996906692979,
                    -0.0009731824223411739,
                    -0.0009702378463901451,
                    4.860987773956065e-05,
                    4.85618421711529e-05,
                    -0.02430493886978033,
                    -0.02428092108557645,
                ],
                vec![0.055347189497267864, 0.0014628766267229135, 4.998087781682133e-05, 0.0452443542374719],
            ],
        ),
        // One column more, and other means.
        (
            [vec![1.0, 2.0, -1.0, 0.5], vec![0.0001, 0.0001, 0.0001, 0.0001]],
            [
                vec![1.0, 1e-06, 2.0, -1e-06, -1.0, 1e-06, 0.5, 1e-06],
                vec![0.00010001, 0.0001, 0.0001, 9.999e-05],
            ],
            vec![1e-08, 0.0, 0.0, 0.0],
            [
                vec![
                    -1.4075718705775427e-05,
                    3.838035242032619e-06,
                    -1.917817585874531e-06,
                    8.963277228140083e-06,
                ],
                vec![-0.34964971562904557, -0.038406351715670625, -0.009627087576134879, 0.45758187933839933],
            ],
            [
                vec![
                    1.4074607877046879e-05,
                    1.1314783933448118e-06,
                    -3.8374413319812445e-06,
                    -2.1767488482522674e-07,
                    1.9175205765211213e-06,
                    1.0901943985948876e-07,
                    -8.964025288975443e-06,
                    -1.1741966365807461e-06,
                ],
                vec![0.34962029788584464, 0.03840041152678246, 0.00962560198427063, -0.457625765891917],
            ],
        ),
        // One column less.
        (
            [vec![1.0, 1e-06, 2.0, -1e-06, -1.0, 1e-06, 0.5, 1e-06], vec![0.0001, 0.0001, 0.0001, 0.0001]],
            [vec![1.0, 2.0, -1.0, 0.5], vec![0.00010001, 0.0001, 0.0001, 9.999e-05]],
            vec![0.0, 0.0, 0.0, 0.0],
            [
                vec![
                    -1.4081670455296639e-05,
                    -1.130661384413413e-06,
                    3.840531243219341e-06,
                    2.1735132705780147e-07,
                    -1.9214656023662982e-06,
                    -1.0849366324753016e-07,
                    8.957900919855147e-06,
                    1.1749083625677978e-06,
                ],
                vec![-0.34949597061206006, -0.03837931204914597, -0.009569327821217772, 0.45770733205883496],
            ],
            [
                vec![
                    1.4080559487716992e-05,
                    -3.839937393054087e-06,
                    1.921168731712503e-06,
                    -8.95864818606036e-06,
                ],
                vec![0.34946658444482076, 0.038373374634250064, 0.009567844010417112, -0.45775124489235297],
            ],
        ),
        // As many columns as dimensions.
        (
            [vec![1.0, 2.0, 0.0, 2.0, -1.0, 1.0, 1.0, 1.0, 3.0], vec![1e-06, 1e-06, 1e-06]],
            [vec![1.0, 2.0, 0.0, 2.0, -1.0, 1.0, 1.0, 1.000001, 3.0], vec![1e-06, 1e-06, 1e-06]],
            vec![0.0, 0.0, 0.0],
            [
                vec![
                    5.1020361511861556e-08,
                    6.6326525504738e-08,
                    -1.2755095334229765e-07,
                    -3.0612217927526776e-08,
                    1.1734683162305972e-07,
                    7.653058016864619e-08,
                    1.0204074343189803e-08,
                    -1.5816317345641778e-07,
                    -2.5510201892952095e-08,
                ],
                vec![3.279881905707247e-08, -2.18658708072495e-08, -1.0932940414555638e-08],
            ],
            [
                vec![
                    -5.1020370987072714e-08,
                    -6.632652076712079e-08,
                    1.2755097703033365e-07,
                    3.061220116370566e-08,
                    -1.1734682324115093e-07,
                    -7.653053825907461e-08,
                    -1.020405174846688e-08,
                    1.5816316215905295e-07,
                    2.5510145406120602e-08,
                ],
                vec![-3.2798830692841406e-08, 2.186586052508936e-08, 1.0932927529311952e-08],
            ],
        ),
    ];
    let of = |[factor, diag]: Parameters, loc: Vec<f64>| {
        let n = diag.len();
        let factor = Array3::from_shape_vec((1, n, factor.len() / n), factor).unwrap();
        LowRankMvn::new(Array1::from(loc).insert_axis(Axis(0)), factor, Array1::from(diag)).unwrap()
    };
    for (at, (p, q, gap, of_p, of_q)) in rows.into_iter().enumerate() {
        let origin = vec![0.0; gap.len()];
        let KlGrad { p, q } = of(p, gap).kl_with_grad(&of(q, origin)).unwrap().1;
        let error = [
            off(&p.cov_factor, &of_p[0]),
            off(&p.cov_diag, &of_p[1]),
            off(&q.cov_factor, &of_q[0]),
            off(&q.cov_diag, &of_q[1]),
        ];
        assert!(error.iter().all(|e| *e <= 1e-9), "{at}: {error:?}");
    }
    // The same covariance: all that is left is of the means.
    let column = vec![1.0, 2.0, -1.0];
    let side = |first: f64| of([column.clone(), vec![1e-5; 3]], vec![first, 0.0, 0.0]);
    let KlGrad { p, q } = side(3e-6).kl_with_grad(&side(0.0)).unwrap().1;
    assert!(p.cov_factor.iter().chain(&p.cov_diag).all(|v| *v == 0.0));
    let of_q = [-1.2499983333354166e-7, 4.9999833333749998e-8, -2.4999916666874999e-8];
    assert!(off(&q.cov_factor, &of_q) <= 1e-9);
}

#[test]
fn entropies_know_nothing_of_points_beyond_the_numbers() {
    let p = LowRankMvn::new(
        Array2::zeros((1, 2)),
        Array3::from_shape_vec((1, 2, 1), vec![0.2f32, -0.3]).unwrap(),
        Array2::from_shape_vec((1, 2), vec![2.0f32, 0.03]).unwrap(),
    )
    .unwrap();
    let far = Array2::from_shape_vec((1, 2), vec![0.0, 3e38f32]).unwrap();
    let (_, want) = p.entropy_with_grad().unwrap();
    for x in [far, Array2::zeros((1, 2))] {
        let found = p.log_prob_and_entropy_with_grad(&x).unwrap();
        assert_eq!(found.entropy_grad.cov_factor, want.cov_factor);
    }
}
