//! The multivariate normal and its divergences: factors, identities, gradients, sampler, bad input.

use ndarray::{Array1, Array2, Array3, Axis, array};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use variata_distributions::{ArgumentError, DiagonalNormal, Error, KlDivergence, MultivariateNormal};
use variata_testkit::compare::{assert_ratio, assert_relative};
use variata_testkit::families::spd;
use variata_testkit::finite_difference::assert_gradient;
use variata_testkit::statistics::{assert_ks, assert_rejects, chi_square_survival, seed, try_ks};

const U: f64 = f64::EPSILON / 2.0;

fn row(v: &[f64]) -> Array2<f64> {
    Array2::from_shape_vec((1, v.len()), v.to_vec()).unwrap()
}

/// A lower triangle from its elements, row by row.
fn unpack(n: usize, v: &[f64]) -> Array3<f64> {
    let mut l = Array3::zeros((1, n, n));
    let places = (0..n).flat_map(|i| (0..=i).map(move |j| (i, j)));
    for ((i, j), v) in places.zip(v) {
        l[[0, i, j]] = *v;
    }
    l
}

fn pack(l: &Array3<f64>) -> Vec<f64> {
    let n = l.dim().1;
    (0..n).flat_map(|i| (0..=i).map(move |j| (i, j))).map(|(i, j)| l[[0, i, j]]).collect()
}

fn random(n: usize, seed: u64) -> MultivariateNormal {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let loc = Array2::from_shape_fn((1, n), |_| rng.random_range(-1.0..1.0));
    let l = Array3::from_shape_fn((1, n, n), |(_, i, j)| match i.cmp(&j) {
        std::cmp::Ordering::Equal => rng.random_range(0.5..2.0),
        std::cmp::Ordering::Greater => rng.random_range(-1.0..1.0),
        std::cmp::Ordering::Less => 0.0,
    });
    MultivariateNormal::new(loc, &l).unwrap()
}

/// Location and factor as one vector.
fn flat(p: &MultivariateNormal) -> Vec<f64> {
    p.loc().iter().copied().chain(pack(&p.scale_tril().to_owned())).collect()
}

fn make(n: usize, v: &[f64]) -> MultivariateNormal {
    MultivariateNormal::new(row(&v[..n]), &unpack(n, &v[n..])).unwrap()
}

fn infinity_norm(a: &Array2<f64>) -> f64 {
    a.rows().into_iter().map(|r| r.iter().map(|x| x.abs()).sum::<f64>()).fold(0.0, f64::max)
}

#[test]
fn gradients_match_the_stencil() {
    for n in [1, 2, 3, 5] {
        let (p, q) = (random(n, 1), random(n, 2));
        let m = flat(&p).len();
        let both: Vec<f64> = flat(&p).into_iter().chain(flat(&q)).collect();
        assert_gradient(
            "KL(MVN ‖ MVN)",
            |v| make(n, &v[..m]).kl(&make(n, &v[m..])).unwrap()[0],
            &both,
            &vec![0.5; 2 * m],
            |v| {
                let g = make(n, &v[..m]).kl_with_grad(&make(n, &v[m..])).unwrap().1;
                let side = |loc: &Array2<f64>, l| loc.iter().copied().chain(pack(l)).collect::<Vec<_>>();
                [side(&g.p.loc, &g.p.scale_tril), side(&g.q.loc, &g.q.scale_tril)].concat()
            },
            1e-8,
        );
        let point: Vec<f64> = (0..n).map(|i| 0.3 * i as f64 - 0.4).chain(flat(&p)).collect();
        assert_gradient(
            "log_prob",
            |v| make(n, &v[n..]).log_prob(&row(&v[..n])).unwrap()[0],
            &point,
            &vec![0.5; n + m],
            |v| {
                let g = make(n, &v[n..]).log_prob_with_grad(&row(&v[..n])).unwrap().1;
                g.x.iter().chain(&g.loc).copied().chain(pack(&g.scale_tril)).collect()
            },
            1e-8,
        );
        let upstream = Array2::from_shape_fn((1, n), |(_, i)| 1.0 - 0.7 * i as f64);
        assert_gradient(
            "rsample",
            |v| (make(n, &v[n..]).rsample(&row(&v[..n])).unwrap() * &upstream).sum(),
            &point,
            &vec![0.5; n + m],
            |v| {
                let g = make(n, &v[n..]).rsample_backward(&row(&v[..n]), &upstream).unwrap();
                g.noise.iter().chain(&g.loc).copied().chain(pack(&g.scale_tril)).collect()
            },
            1e-8,
        );
    }
}

#[test]
fn mixed_pairs_match_the_stencil_and_the_full_pair() {
    for n in [1, 2, 4] {
        let q = random(n, 5);
        let scale = Array2::from_shape_fn((1, n), |(_, i)| 0.7 + 0.2 * i as f64);
        let loc = Array2::from_elem((1, n), 0.25);
        let diagonal = DiagonalNormal::new(loc.clone(), scale.clone()).unwrap();
        let full = MultivariateNormal::new(
            loc.clone(),
            &Array2::from_diag(&scale.row(0).to_owned()).insert_axis(Axis(0)),
        )
        .unwrap();
        assert_relative("diagonal ‖ full", diagonal.kl(&q).unwrap()[0], full.kl(&q).unwrap()[0], 1e-13, 0.0);
        assert_relative("full ‖ diagonal", q.kl(&diagonal).unwrap()[0], q.kl(&full).unwrap()[0], 1e-13, 0.0);
        assert_eq!(diagonal.kl(&full).unwrap()[0], 0.0);
        assert_eq!(full.kl(&diagonal).unwrap()[0], 0.0);
        for as_scale in [true, false] {
            let spread = if as_scale { scale.clone() } else { scale.mapv(|x| 2.0 * x.ln()) };
            let make = |w: &[f64]| {
                let (a, b) = (row(&w[..n]), row(&w[n..]));
                if as_scale { DiagonalNormal::new(a, b) } else { DiagonalNormal::from_log_variance(a, b) }
                    .unwrap()
            };
            let at: Vec<f64> = loc.iter().chain(&spread).copied().collect();
            assert_gradient(
                "KL(diagonal ‖ MVN)",
                |w| make(w).kl(&q).unwrap()[0],
                &at,
                &vec![0.4; 2 * n],
                |w| {
                    let g = make(w).kl_with_grad(&q).unwrap().1.p;
                    g.loc.iter().chain(&g.spread).copied().collect()
                },
                1e-8,
            );
            assert_gradient(
                "KL(MVN ‖ diagonal)",
                |w| q.kl(&make(w)).unwrap()[0],
                &at,
                &vec![0.4; 2 * n],
                |w| {
                    let g = q.kl_with_grad(&make(w)).unwrap().1.q;
                    g.loc.iter().chain(&g.spread).copied().collect()
                },
                1e-8,
            );
        }
    }
}

#[test]
fn divergence_is_positive_zero_at_equality_and_the_textbook_value() {
    for seed in 0..2000u64 {
        let n = 1 + seed as usize % 6;
        let (p, q) = (random(n, seed), random(n, seed + 9999));
        let kl = p.kl(&q).unwrap()[0];
        assert!(kl > 0.0);
        assert_eq!(p.kl(&p).unwrap()[0].to_bits(), 0.0f64.to_bits());
        let (sigma, precision) = (p.covariance_matrix(), q.precision_matrix());
        let trace = (&sigma * &precision).sum();
        let log_det: f64 =
            (0..n).map(|i| 2.0 * (q.scale_tril()[[0, i, i]] / p.scale_tril()[[0, i, i]]).ln()).sum();
        let quadratic = q.mahalanobis(&p.loc().to_owned()).unwrap()[0];
        let want = 0.5 * (log_det - n as f64 + trace + quadratic);
        // The inverse of the textbook form loses up to κ(Σ_q), some 10³ in this family.
        assert_ratio("KL", kl, want, 1e3 * (trace + quadratic + n as f64 + log_det.abs()), U, 30.0);
    }
}

#[test]
fn divergence_keeps_its_digits_next_to_equality() {
    let q = MultivariateNormal::new(array![[0.0, 0.0]], &array![[[1.0, 0.0], [0.0, 1.0]]]).unwrap();
    for power in [20, 30, 40] {
        let e = 2f64.powi(-power);
        let p = MultivariateNormal::new(array![[0.0, 0.0]], &array![[[1.0 + e, 0.0], [e, 1.0]]]).unwrap();
        // −log1pmx(e) + ½ e² + ½ e² in exactly representable numbers.
        let want = e * e - e.powi(3) / 3.0 + e.powi(4) / 4.0 + 0.5 * e * e;
        assert_relative("KL next to equality", p.kl(&q).unwrap()[0], want, 1e-12, 0.0);
    }
}

#[test]
fn divergence_is_additive_and_invariant_under_affine_maps() {
    for s in 0..50 {
        let (p, q) = (random(2, s), random(2, s + 100));
        let (r, t) = (random(3, s + 200), random(3, s + 300));
        let stack = |a: &MultivariateNormal, b: &MultivariateNormal| {
            let mut l = Array3::zeros((1, 5, 5));
            l.slice_mut(ndarray::s![.., ..2, ..2]).assign(&a.scale_tril());
            l.slice_mut(ndarray::s![.., 2.., 2..]).assign(&b.scale_tril());
            let loc = ndarray::concatenate(Axis(1), &[a.loc(), b.loc()]).unwrap();
            MultivariateNormal::new(loc, &l).unwrap()
        };
        let sum = p.kl(&q).unwrap()[0] + r.kl(&t).unwrap()[0];
        assert_relative("independent parts", stack(&p, &r).kl(&stack(&q, &t)).unwrap()[0], sum, 1e-13, 0.0);
        // x → 4x + c, exactly.
        let map = |d: &MultivariateNormal| {
            MultivariateNormal::new(d.loc().mapv(|v| 4.0 * v), &d.scale_tril().mapv(|v| 4.0 * v)).unwrap()
        };
        assert_eq!(map(&p).kl(&map(&q)).unwrap()[0], p.kl(&q).unwrap()[0]);
    }
}

#[test]
fn factors_are_backward_stable() {
    for n in [1, 2, 3, 5, 8, 17, 33, 65] {
        for condition in [1.0, 1e6, 1e12, 1e14] {
            let a = if n == 1 { array![[2.0]] } else { spd(n, condition, 7) };
            let loc = Array2::zeros((1, n));
            let p =
                MultivariateNormal::from_covariance(loc.clone(), &a.clone().insert_axis(Axis(0))).unwrap();
            let residual = p.covariance_matrix().index_axis_move(Axis(0), 0) - &a;
            let scale = n as f64 * infinity_norm(&a);
            assert_ratio("‖LLᵀ − A‖", infinity_norm(&residual), 0.0, scale, U, 30.0);
            // Through the precision and back: the inverse amplifies by κ.
            if condition <= 1e6 {
                let q = MultivariateNormal::from_precision(loc, &a.clone().insert_axis(Axis(0))).unwrap();
                let residual = q.precision_matrix().index_axis_move(Axis(0), 0) - &a;
                assert_ratio("precision", infinity_norm(&residual), 0.0, scale * condition, U, 30.0);
            }
        }
    }
}

#[test]
fn moments_and_entropy_are_those_of_the_factor() {
    let p = random(4, 3);
    let covariance = p.covariance_matrix();
    for i in 0..4 {
        assert_relative("variance", p.variance()[[0, i]], covariance[[0, i, i]], 1e-15, 0.0);
    }
    let log_det: f64 = p.scale_tril().index_axis(Axis(0), 0).diag().iter().map(|d| d.ln()).sum();
    let want = log_det + 2.0 * (1.0 + (2.0 * std::f64::consts::PI).ln());
    assert_relative("entropy", p.entropy()[0], want, 1e-14, 0.0);
    assert_eq!(p.mean(), p.loc());
}

#[test]
fn infinite_points_are_infinitely_far() {
    let inf = f64::INFINITY;
    let p = random(3, 3);
    for x in [[inf, 0.0, 0.0], [inf, inf, -inf], [0.0, -inf, 1.0]] {
        assert_eq!(p.log_prob(&row(&x)).unwrap()[0], -inf);
        assert_eq!(p.mahalanobis(&row(&x)).unwrap()[0], inf);
    }
}

#[test]
fn divergence_keeps_its_digits_where_one_side_is_narrow() {
    // ½(r² − 1) − log r by mpmath at 80 digits.
    for (r, want) in
        [(1e-10, 22.525850929940456804), (1e-17, 38.643946580898776557), (1e-100, 229.75850929940456838)]
    {
        let narrow = MultivariateNormal::new(row(&[0.0]), &array![[[r]]]).unwrap();
        let one = MultivariateNormal::new(row(&[0.0]), &array![[[1.0]]]).unwrap();
        assert_relative("MVN", narrow.kl(&one).unwrap()[0], want, 1e-15, 0.0);
        let diagonal = DiagonalNormal::new(row(&[0.0]), row(&[r])).unwrap();
        assert_relative("diagonal", diagonal.kl(&one).unwrap()[0], want, 1e-15, 0.0);
    }
}

#[test]
fn mixed_pairs_take_log_variances_whose_exponentials_are_no_numbers() {
    let unit = MultivariateNormal::new(row(&[0.0]), &array![[[1.0]]]).unwrap();
    let log_variance = |s: f64| DiagonalNormal::from_log_variance(row(&[0.0]), row(&[s])).unwrap();
    // ½(e⁻²⁰⁰⁰ − 1 + 2000), both ways; ∂s = ½(eˢ − 1) and ½(1 − e⁻ˢ).
    let (narrow, wide) = (log_variance(-2000.0), log_variance(2000.0));
    let (value, grad) = narrow.kl_with_grad(&unit).unwrap();
    assert_eq!((value[0], grad.p.spread[[0, 0]]), (999.5, -0.5));
    let (value, grad) = unit.kl_with_grad(&wide).unwrap();
    assert_eq!((value[0], grad.q.spread[[0, 0]]), (999.5, 0.5));
    assert_eq!(wide.kl(&unit).unwrap()[0], f64::INFINITY);
    assert_eq!(unit.kl(&narrow).unwrap()[0], f64::INFINITY);
    // Both far from 1: as the pair of log-variances has it.
    let tiny = MultivariateNormal::new(row(&[0.0]), &array![[[1e-300]]]).unwrap();
    let want = log_variance(2.0 * 1e-300f64.ln() + 0.5).kl(&log_variance(2.0 * 1e-300f64.ln())).unwrap()[0];
    let got = log_variance(2.0 * 1e-300f64.ln() + 0.5).kl(&tiny).unwrap()[0];
    assert_relative("tiny", got, want, 1e-12, 0.0);
    let want = log_variance(2.0 * 1e-300f64.ln()).kl(&log_variance(-1410.0)).unwrap()[0];
    assert_relative("beyond", tiny.kl(&log_variance(-1410.0)).unwrap()[0], want, 1e-12, 0.0);
    // By mpmath from the closed form with matrices.
    let dense = MultivariateNormal::new(row(&[0.0, 0.0]), &array![[[2.0, 0.0], [1.0, 0.5]]]).unwrap();
    let p = DiagonalNormal::from_log_variance(row(&[0.5, -1.0]), row(&[-2000.0, 0.5])).unwrap();
    assert_relative("2-d", p.kl(&dense).unwrap()[0], 1005.2036925414002563, 1e-14, 0.0);
    let q = DiagonalNormal::from_log_variance(row(&[0.5, -1.0]), row(&[2000.0, 0.5])).unwrap();
    assert_relative("2-d", dense.kl(&q).unwrap()[0], 999.93234699217671265, 1e-14, 0.0);
    let gradients = (p.kl_with_grad(&dense).unwrap().1, dense.kl_with_grad(&q).unwrap().1);
    let finite = |x: &Array2<f64>| x.iter().all(|x| x.is_finite());
    assert!(finite(&gradients.0.p.spread) && finite(&gradients.0.q.loc) && finite(&gradients.1.q.spread));
    assert!(gradients.0.q.scale_tril.iter().chain(&gradients.1.p.scale_tril).all(|x| x.is_finite()));
}

#[test]
fn draws_have_the_right_distances_and_a_wrong_scale_is_noticed() {
    let n = 1_000_000;
    let one = array![[4.0, 2.0, 1.0], [2.0, 5.0, 0.5], [1.0, 0.5, 1.0]];
    let covariance = Array3::from_shape_fn((n, 3, 3), |(_, i, j)| one[[i, j]]);
    let p = MultivariateNormal::from_covariance(Array2::from_elem((n, 3), 1.0), &covariance).unwrap();
    let x = p.sample(&mut ChaCha8Rng::seed_from_u64(seed(11)));
    let cdf = |v: f64| if v <= 0.0 { 0.0 } else { 1.0 - chi_square_survival(v, 3.0) };
    let distances = p.mahalanobis(&x).unwrap().to_vec();
    assert_ks("ks_mvn_mahalanobis", &distances, cdf);
    let wrong: Vec<f64> = distances.iter().map(|v| v * 1.02).collect();
    assert_rejects("ks_mvn_mahalanobis", &try_ks("ks_mvn_mahalanobis", &wrong, cdf));
}

#[test]
fn bad_input_is_named() {
    let eye = array![[[1.0, 0.0], [0.0, 1.0]]];
    let loc = array![[0.0, 0.0]];
    let new = |l: Array3<f64>| MultivariateNormal::new(loc.clone(), &l).unwrap_err();
    for (bad, index) in [(f64::NAN, 0), (f64::INFINITY, 3), (-1.0, 3), (0.0, 0)] {
        let mut l = eye.clone();
        l[[0, index / 2, index % 2]] = bad;
        let error = new(l);
        assert!(
            matches!(
                error,
                Error::Argument(ArgumentError::Value { argument: "scale_tril", index: Some(i), value, .. })
                    if i == index && (value == bad || bad.is_nan())
            ),
            "{error:?}"
        );
    }
    assert!(matches!(
        new(Array3::zeros((1, 3, 3))),
        Error::Argument(ArgumentError::Shape { argument: "scale_tril", .. })
    ));
    let indefinite = array![[[1.0, 2.0], [2.0, 1.0]]];
    assert!(matches!(
        MultivariateNormal::from_covariance(loc.clone(), &indefinite),
        Err(Error::NotPositiveDefinite { argument: "covariance", batch: 0, pivot: 1, value }) if value == -3.0
    ));
    assert!(matches!(
        MultivariateNormal::from_precision(loc.clone(), &indefinite),
        Err(Error::NotPositiveDefinite { argument: "precision", batch: 0, pivot: 0, value }) if value == -3.0
    ));
    // Factorised from the last dimension on; counted from the first.
    assert!(matches!(
        MultivariateNormal::from_precision(loc.clone(), &array![[[1.0, 0.0], [0.0, -1.0]]]),
        Err(Error::NotPositiveDefinite { argument: "precision", batch: 0, pivot: 1, value }) if value == -1.0
    ));
    let p = MultivariateNormal::new(loc, &eye).unwrap();
    assert!(matches!(
        p.log_prob(&array![[0.0, 0.0, 0.0]]),
        Err(Error::Argument(ArgumentError::Shape { argument: "x", .. }))
    ));
    assert!(p.log_prob(&array![[0.0, f64::NAN]]).is_err());
    assert!(p.log_prob_with_grad(&array![[0.0, f64::INFINITY]]).is_err());
    assert!(p.kl(&random(3, 1)).is_err());
}

#[test]
fn empty_batches_and_dimensions_work() {
    for (batch, n) in [(0, 3), (2, 0), (0, 0)] {
        let p = MultivariateNormal::new(Array2::<f64>::zeros((batch, n)), &Array3::zeros((batch, n, n)));
        // A factor of zeros is only valid where there is no diagonal.
        let p = p.unwrap();
        assert_eq!(p.entropy(), Array1::<f64>::zeros(batch));
        assert_eq!(p.kl(&p).unwrap(), Array1::<f64>::zeros(batch));
    }
}
