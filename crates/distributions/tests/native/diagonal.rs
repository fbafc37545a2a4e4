//! The diagonal normal: density, gradients, divergences next to equality, limits, layouts, draws, bad input.

use ndarray::{Array1, Array2, array};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use variata_distributions::special::{expm1mx, ndtr};
use variata_distributions::{
    ArgumentError, DiagonalNormal, Error, KlDivergence, KlGrad, Normal, SpreadKind,
    StandardMultivariateNormal, kl_standard_normal, kl_standard_normal_with_grad,
};
use variata_testkit::compare::{Comparison, UNIT_ROUNDOFF_F64, assert_relative};
use variata_testkit::dual::{Formula, Scalar, gradient_by_dual};
use variata_testkit::families::for_each_layout_2d;
use variata_testkit::finite_difference::assert_gradient;
use variata_testkit::statistics::{assert_ks, assert_rejects, seed, try_ks};

const SIZES: [usize; 16] = [0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 257];
const KINDS: [SpreadKind; 2] = [SpreadKind::Scale, SpreadKind::LogVariance];

/// Reproducible numbers in (−1, 1).
fn numbers(rows: usize, n: usize, offset: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, n), |(i, j)| (((i * n + j) * 7 + offset * 13) as f64 * 0.618).sin())
}

fn make(kind: SpreadKind, loc: Array2<f64>, log_variance: Array2<f64>) -> DiagonalNormal {
    match kind {
        SpreadKind::Scale => DiagonalNormal::new(loc, log_variance.mapv(|s| (0.5 * s).exp())),
        SpreadKind::LogVariance => DiagonalNormal::from_log_variance(loc, log_variance),
    }
    .unwrap()
}

#[test]
fn density_and_entropy_are_sums_of_univariate_ones() {
    for n in SIZES {
        for kind in KINDS {
            let (loc, log_variance, x) = (numbers(3, n, 0), numbers(3, n, 1), numbers(3, n, 2));
            let p = make(kind, loc.clone(), log_variance);
            let each = Normal::new(loc, p.scale()).unwrap();
            let (terms, entropies) = (each.log_prob(&x).unwrap(), each.entropy());
            let (value, entropy) = (p.log_prob(&x).unwrap(), p.entropy());
            let mut comparison = Comparison::ratio("diagonal normal", UNIT_ROUNDOFF_F64, 30.0);
            for row in 0..3 {
                let size: f64 = terms.row(row).iter().map(|t| t.abs() + 2.0).sum();
                comparison.push_scaled(value[row], terms.row(row).sum(), size + 1.0);
                let want: f64 = (0..n).map(|j| entropies[[row, j]]).sum();
                comparison.push_scaled(entropy[row], want, 2.0 * n as f64 + 1.0);
            }
            comparison.assert();
            assert_eq!(p.log_prob_with_grad(&x).unwrap().0, value);
        }
    }
}

#[test]
fn gradients_match_the_six_point_stencil() {
    let row = |v: &[f64]| Array2::from_shape_vec((1, v.len()), v.to_vec()).unwrap();
    for kind in KINDS {
        // x, loc, spread of two dimensions.
        let at = [0.3, -1.2, 0.7, 0.1, 1.4, 0.6];
        let build = |v: &[f64]| match kind {
            SpreadKind::Scale => DiagonalNormal::new(row(&v[2..4]), row(&v[4..])).unwrap(),
            SpreadKind::LogVariance => {
                DiagonalNormal::from_log_variance(row(&v[2..4]), row(&v[4..])).unwrap()
            }
        };
        assert_gradient(
            "log_prob",
            |v| build(v).log_prob(&row(&v[..2])).unwrap()[0],
            &at,
            &[0.5; 6],
            |v| {
                let (_, g) = build(v).log_prob_with_grad(&row(&v[..2])).unwrap();
                g.x.iter().chain(&g.loc).chain(&g.spread).copied().collect()
            },
            1e-8,
        );
        assert_gradient(
            "rsample",
            |v| build(v).rsample(&row(&v[..2])).unwrap().sum(),
            &at,
            &[0.5; 6],
            |v| {
                let (p, noise) = (build(v), row(&v[..2]));
                let (_, g) = p.rsample_with_grad(&noise).unwrap();
                p.scale().iter().chain(&g.loc).chain(&g.spread).copied().collect()
            },
            1e-8,
        );
        for other in KINDS {
            let pair = |v: &[f64]| {
                let q = match other {
                    SpreadKind::Scale => DiagonalNormal::new(row(&v[4..6]), row(&v[6..])).unwrap(),
                    SpreadKind::LogVariance => {
                        DiagonalNormal::from_log_variance(row(&v[4..6]), row(&v[6..])).unwrap()
                    }
                };
                let p = match kind {
                    SpreadKind::Scale => DiagonalNormal::new(row(&v[..2]), row(&v[2..4])).unwrap(),
                    SpreadKind::LogVariance => {
                        DiagonalNormal::from_log_variance(row(&v[..2]), row(&v[2..4])).unwrap()
                    }
                };
                (p, q)
            };
            assert_gradient(
                "kl",
                |v| pair(v).0.kl(&pair(v).1).unwrap()[0],
                &[0.3, -1.2, 0.7, 1.3, 0.5, -0.4, 1.4, 0.6],
                &[0.3; 8],
                |v| {
                    let (p, q) = pair(v);
                    let (_, KlGrad { p, q }) = p.kl_with_grad(&q).unwrap();
                    p.loc.iter().chain(&p.spread).chain(&q.loc).chain(&q.spread).copied().collect()
                },
                1e-8,
            );
        }
    }
}

/// ½ (e^(s₁−s₂) + Δ² e^(−s₂) − 1 − s₁ + s₂), with (μ₁, s₁, μ₂, s₂).
struct Textbook;
impl Formula for Textbook {
    fn eval<S: Scalar>(&self, v: &[S]) -> S {
        let (half, one) = (S::from(0.5), S::from(1.0));
        let l = v[1] - v[3];
        half * (l.exp() + (v[0] - v[2]).powi(2) * (-v[3]).exp() - one - l)
    }
}

#[test]
fn divergence_gradients_match_dual_numbers() {
    let mut comparison = Comparison::ratio("kl gradient", UNIT_ROUNDOFF_F64, 30.0);
    for (mp, sp, mq, sq) in
        [(0.3, -0.7, -0.2, 0.4), (5.0, 3.0, 1.0, -2.0), (0.0, 1e-3, 1e-3, 0.0), (1.0, 40.0, 1.0, -3.0)]
    {
        let p = DiagonalNormal::from_log_variance(array![[mp]], array![[sp]]).unwrap();
        let q = DiagonalNormal::from_log_variance(array![[mq]], array![[sq]]).unwrap();
        let (_, KlGrad { p: gp, q: gq }) = p.kl_with_grad(&q).unwrap();
        let got = [gp.loc[[0, 0]], gp.spread[[0, 0]], gq.loc[[0, 0]], gq.spread[[0, 0]]];
        let want = gradient_by_dual(&Textbook, &[mp, sp, mq, sq]);
        let d: f64 = mp - mq;
        // Terms of the textbook's gradient.
        let terms = 1.0 + (sp - sq).exp() + (d.abs() + d * d) * (-sq).exp();
        for (got, want) in got.into_iter().zip(want) {
            comparison.push_scaled(got, want, terms);
        }
    }
    comparison.assert();
}

#[test]
fn near_equal_pairs_keep_their_digits() {
    for e in 1..=40 {
        // Dyadic, so that the parameters and their differences are exact.
        let h = 2f64.powi(-e);
        let by_log = |m: f64, s: f64| DiagonalNormal::from_log_variance(array![[m]], array![[s]]).unwrap();
        let by_scale = |m: f64, s: f64| DiagonalNormal::new(array![[m]], array![[s]]).unwrap();
        // ½(e^h − 1 − h + h² e^(−½)).
        let want = 0.5 * (expm1mx(h) + h * h * (-0.5f64).exp());
        let got = by_log(1.0 + h, 0.5 + h).kl(&by_log(1.0, 0.5)).unwrap()[0];
        assert_relative("log-variances", got, want, 1e-14, 0.0);
        // t²/2 − (log(1 + t) − t) + δ²/2 with t = δ = h/2; the series of t²/2 + t − log(1 + t).
        let t = 0.5 * h;
        let log1pmx = variata_distributions::special::log1pmx(t);
        let got = by_scale(1.0 + h, 2.0 + h).kl(&by_scale(1.0, 2.0)).unwrap()[0];
        assert_relative("scales", got, 0.5 * (t * t + t * t) - log1pmx, 1e-14, 0.0);
        let got = by_log(h, h).kl(&StandardMultivariateNormal).unwrap()[0];
        assert_relative("prior", got, 0.5 * (expm1mx(h) + h * h), 1e-14, 0.0);
        let got = by_scale(h, 1.0 + h).kl(&StandardMultivariateNormal).unwrap()[0];
        let log1pmx = variata_distributions::special::log1pmx(h);
        assert_relative("prior, scale", got, h * h - log1pmx, 1e-14, 0.0);
    }
}

#[test]
fn equality_is_zero_exactly_at_every_magnitude() {
    for s in [1e-310, 1e-200, 0.3, 1.0, 7.0, 1e200, 1e308] {
        let p = DiagonalNormal::new(array![[0.7, -3.0]], array![[s, s]]).unwrap();
        let (value, KlGrad { p, q }) = p.kl_with_grad(&p).unwrap();
        assert_eq!(value[0].to_bits(), 0, "{s}");
        assert!(p.loc.iter().chain(&p.spread).chain(&q.loc).chain(&q.spread).all(|&g| g == 0.0), "{s}");
    }
    for s in [-1e300, -2000.0, -720.0, -1.0, 0.0, 3.0, 720.0, 2000.0, 1e300] {
        let p = DiagonalNormal::from_log_variance(array![[0.7, -3.0]], array![[s, s]]).unwrap();
        let (value, KlGrad { p, q }) = p.kl_with_grad(&p).unwrap();
        assert_eq!(value[0].to_bits(), 0, "{s}");
        assert!(p.loc.iter().chain(&p.spread).chain(&q.loc).chain(&q.spread).all(|&g| g == 0.0), "{s}");
    }
}

/// log σ is not what is left of σ − 1 once most of it is taken off.
#[test]
fn densities_of_any_scale_keep_its_logarithm() {
    for exponent in [-160, -100, -49, -20, -3, 0, 3, 8, 15, 20, 49, 60, 150] {
        let sigma = 1.7 * 10f64.powi(exponent);
        let p = DiagonalNormal::new(array![[0.25]], array![[sigma]]).unwrap();
        let want = -sigma.ln() - 0.5 * std::f64::consts::TAU.ln();
        let (value, _) = p.log_prob_with_grad(&array![[0.25]]).unwrap();
        assert!(
            (value[0] - want).abs() <= 4.0 * f64::EPSILON * (1.0 + want.abs()),
            "{sigma}: {} {want}",
            value[0]
        );
        assert_eq!(p.log_prob(&array![[0.25]]).unwrap(), value);
    }
}

#[test]
fn single_precision_is_the_rounded_double() {
    for n in SIZES {
        let single = |offset| numbers(4, n, offset).mapv(|v| (3.0 * v) as f32);
        let double = |offset| single(offset).mapv(f64::from);
        let p32 = DiagonalNormal::from_log_variance(single(0), single(1)).unwrap();
        let q32 = DiagonalNormal::from_log_variance(single(2), single(3)).unwrap();
        let p64 = DiagonalNormal::from_log_variance(double(0), double(1)).unwrap();
        let q64 = DiagonalNormal::from_log_variance(double(2), double(3)).unwrap();
        let (value, grad) = p32.kl_with_grad(&q32).unwrap();
        let (want, want_grad) = p64.kl_with_grad(&q64).unwrap();
        assert_eq!(value, want);
        assert_eq!(grad.q.spread, want_grad.q.spread.mapv(|g| g as f32));
        assert_eq!(grad.p.loc, want_grad.p.loc.mapv(|g| g as f32));
        assert_eq!(p32.kl(&q32).unwrap(), value);
        let (value, grad) = kl_standard_normal_with_grad(&single(0), &single(1)).unwrap();
        let (want, want_grad) = kl_standard_normal_with_grad(&double(0), &double(1)).unwrap();
        assert_eq!((value, grad.spread), (want, want_grad.spread.mapv(|g| g as f32)));
    }
}

#[test]
fn views_give_the_bits_of_the_standard_layout() {
    for_each_layout_2d(&numbers(5, 9, 0), |layout, loc, standard| {
        let s = standard.mapv(|v| 1.5 * v);
        let got = kl_standard_normal(&loc, &s).unwrap();
        assert_eq!(got, kl_standard_normal(standard, &s).unwrap(), "{layout}");
        let p = DiagonalNormal::from_log_variance(standard.clone(), s).unwrap();
        assert_eq!(p.log_prob(&loc).unwrap(), p.log_prob(standard).unwrap(), "{layout}");
        assert_eq!(p.rsample(&loc).unwrap(), p.rsample(standard).unwrap(), "{layout}");
    });
    // Owned transposed arrays.
    let (a, b) = (numbers(6, 4, 0), numbers(6, 4, 1));
    let p = make(SpreadKind::LogVariance, a.clone().reversed_axes(), b.clone().reversed_axes());
    let q = make(
        SpreadKind::LogVariance,
        a.t().as_standard_layout().into_owned(),
        b.t().as_standard_layout().into_owned(),
    );
    assert_eq!(p, q);
    assert_eq!(p.kl(&StandardMultivariateNormal).unwrap(), q.kl(&StandardMultivariateNormal).unwrap());
}

#[test]
fn threads_and_batches_do_not_change_a_bit() {
    let (rows, n) = (1500, 65);
    let part =
        |offset, from: usize, to: usize| numbers(rows, n, offset).slice(ndarray::s![from..to, ..]).to_owned();
    let kl = |from, to| {
        let p = make(SpreadKind::Scale, part(0, from, to), part(1, from, to));
        p.kl_with_grad(&make(SpreadKind::Scale, part(2, from, to), part(3, from, to))).unwrap()
    };
    let want = kl(0, rows);
    #[cfg(feature = "rayon")]
    for threads in [1, 2, 3, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| kl(0, rows)), want, "{threads} threads");
    }
    let (first, second) = (kl(0, 7), kl(7, rows));
    assert_eq!(first.0.iter().chain(&second.0).copied().collect::<Vec<_>>(), want.0.to_vec());
}

#[test]
fn distances_are_those_of_the_density() {
    for kind in KINDS {
        let (x, loc, s) = (numbers(4, 6, 3), numbers(4, 6, 0), numbers(4, 6, 1));
        let p = make(kind, loc, s);
        let norm = p.log_prob(&p.mean()).unwrap();
        for ((got, value), most) in p.mahalanobis(&x).unwrap().iter().zip(&p.log_prob(&x).unwrap()).zip(&norm)
        {
            assert_relative("mahalanobis", *got, 2.0 * (most - value), 1e-13, 0.0);
        }
    }
    let narrow = DiagonalNormal::from_log_variance(array![[1.0]], array![[-2000.0]]).unwrap();
    assert_eq!(narrow.mahalanobis(&array![[1.0]]).unwrap()[0], 0.0);
    assert_eq!(narrow.mahalanobis(&array![[f64::INFINITY]]).unwrap()[0], f64::INFINITY);
    assert!(narrow.mahalanobis(&array![[f64::NAN]]).is_err());
    assert!(narrow.mahalanobis(&array![[1.0, 2.0]]).is_err());
}

#[test]
fn limits_are_infinite_and_never_nan() {
    let inf = f64::INFINITY;
    let p = |s: f64| DiagonalNormal::from_log_variance(array![[1.0]], array![[s]]).unwrap();
    assert_eq!(p(-2000.0).log_prob(&array![[1.0]]).unwrap()[0].signum(), 1.0);
    assert_eq!(p(-2000.0).log_prob(&array![[1.5]]).unwrap()[0], -inf);
    for s in [-2000.0, 0.0, 2000.0] {
        assert_eq!(p(s).log_prob(&array![[inf]]).unwrap()[0], -inf, "{s}");
        assert_eq!(p(s).rsample(&array![[0.0]]).unwrap()[[0, 0]], 1.0, "{s}");
    }
    assert_eq!(p(2000.0).kl(&p(0.0)).unwrap()[0], inf);
    // ½ (2000 − 1), e⁻²⁰⁰⁰ being 0.
    assert_relative("narrow", p(-2000.0).kl(&p(0.0)).unwrap()[0], 999.5, 1e-15, 0.0);
}

#[test]
fn draws_follow_their_cdf() {
    let rows = 500_000;
    let p =
        DiagonalNormal::new(Array2::from_elem((rows, 2), 1.0), Array2::from_elem((rows, 2), 2.0)).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed(41));
    let draws: Vec<f64> = p.sample(&mut rng).into_iter().collect();
    let cdf = |sd: f64, mean: f64| move |x: f64| ndtr((x - mean) / sd);
    assert_ks("ks_diagonal_normal", &draws, cdf(2.0, 1.0));
    assert_rejects("ks_diagonal_normal", &try_ks("ks_diagonal_normal", &draws, cdf(2.0, 1.04)));
    assert_rejects("ks_diagonal_normal", &try_ks("ks_diagonal_normal", &draws, cdf(4.0, 1.0)));
}

#[test]
fn bad_input_is_refused_by_name() {
    let ok = || array![[0.5, 1.0]];
    let value = |e: Error| match e {
        Error::Argument(ArgumentError::Value { argument, index, .. }) => (argument, index),
        other => panic!("{other}"),
    };
    let shape = |e: Error| match e {
        Error::Argument(ArgumentError::Shape { argument, .. }) => argument,
        other => panic!("{other}"),
    };
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let x = || array![[0.5, bad]];
        assert_eq!(value(DiagonalNormal::new(x(), ok()).unwrap_err()), ("loc", Some(1)));
        assert_eq!(value(DiagonalNormal::new(ok(), x()).unwrap_err()), ("scale", Some(1)));
        assert_eq!(value(DiagonalNormal::from_log_variance(x(), ok()).unwrap_err()), ("loc", Some(1)));
        let e = DiagonalNormal::from_log_variance(ok(), x()).unwrap_err();
        assert_eq!(value(e), ("log_variance", Some(1)));
        assert_eq!(value(kl_standard_normal(&x(), &ok()).unwrap_err()), ("loc", Some(1)));
        assert_eq!(value(kl_standard_normal(&ok(), &x()).unwrap_err()), ("log_variance", Some(1)));
        let p = DiagonalNormal::new(ok(), ok()).unwrap();
        assert_eq!(value(p.rsample(&x()).unwrap_err()), ("noise", Some(1)));
    }
    for bad in [0.0, -1.0] {
        assert_eq!(value(DiagonalNormal::new(ok(), array![[bad, 1.0]]).unwrap_err()), ("scale", Some(0)));
    }
    let p = DiagonalNormal::new(ok(), ok()).unwrap();
    let long = array![[0.5, 1.0, 2.0]];
    assert_eq!(value(p.log_prob(&array![[0.0, f64::NAN]]).unwrap_err()), ("x", Some(1)));
    assert_eq!(shape(DiagonalNormal::new(ok(), long.clone()).unwrap_err()), "scale");
    assert_eq!(shape(p.log_prob(&long).unwrap_err()), "x");
    assert_eq!(shape(p.rsample(&long).unwrap_err()), "noise");
    assert_eq!(shape(kl_standard_normal(&ok(), &long).unwrap_err()), "log_variance");
    let q = DiagonalNormal::new(long.clone(), long).unwrap();
    assert_eq!(shape(p.kl(&q).unwrap_err()), "q");
}

proptest! {
    #[test]
    fn divergences_are_never_negative_or_nan(
        v in prop::collection::vec(any::<f64>(), 4), kinds in 0..4usize, same in any::<bool>(),
    ) {
        let build = |kind: usize, loc: f64, spread: f64| match KINDS[kind] {
            SpreadKind::Scale => DiagonalNormal::new(array![[loc]], array![[spread.abs()]]),
            SpreadKind::LogVariance => DiagonalNormal::from_log_variance(array![[loc]], array![[spread]]),
        };
        let (loc_q, spread_q) = if same { (v[0], v[1]) } else { (v[2], v[3]) };
        if let (Ok(p), Ok(q)) = (build(kinds % 2, v[0], v[1]), build(kinds / 2, loc_q, spread_q)) {
            let (value, _) = p.kl_with_grad(&q).unwrap();
            prop_assert!(value[0] >= 0.0, "{value}");
            prop_assert!(!p.log_prob(&q.loc()).unwrap()[0].is_nan());
        }
    }

    #[test]
    fn ordinary_pairs_are_non_negative_without_clamping(
        v in prop::collection::vec(-3.0..3.0f64, 8), e in 0..50i32, kind in 0..2usize,
    ) {
        let h = 2f64.powi(-e);
        let row = |v: &[f64]| Array2::from_shape_vec((1, 2), v.to_vec()).unwrap();
        let p = make(KINDS[kind], row(&v[..2]), row(&v[2..4]));
        let near = |i: usize| array![[v[i] + h * v[i + 4], v[i + 1] + h * v[i + 5]]];
        let q = make(KINDS[kind], near(0), near(2));
        prop_assert!(p.kl(&q).unwrap()[0] >= 0.0);
        prop_assert!(p.kl(&StandardMultivariateNormal).unwrap()[0] >= 0.0);
    }
}

#[test]
fn reused_memory_gives_the_same_bits_and_wrong_memory_is_refused() {
    use variata_distributions::kl::kl_standard_normal_with_grad_into;
    let numbers =
        |salt: f64| Array2::from_shape_fn((3, 70), |(i, j)| (salt + 70.0 * i as f64 + j as f64).sin());
    let p = DiagonalNormal::from_log_variance(numbers(1.0), numbers(2.0)).unwrap();
    let q = DiagonalNormal::new(numbers(3.0), numbers(4.0).mapv(|v| 1.5 + v)).unwrap();
    let want = p.kl_with_grad(&q).unwrap();
    let (mut value, mut grad) = q.kl_with_grad(&p).unwrap();
    p.kl_with_grad_into(&q, &mut value, &mut grad).unwrap();
    assert_eq!((&value, &grad), (&want.0, &want.1));
    grad.q.loc = Array2::zeros((3, 69));
    let error = p.kl_with_grad_into(&q, &mut value, &mut grad).unwrap_err();
    assert!(error.to_string().contains("`grad.q.loc` has shape [3, 69]"), "{error}");
    grad.q.loc = Array2::zeros((70, 3)).reversed_axes();
    let error = p.kl_with_grad_into(&q, &mut value, &mut grad).unwrap_err();
    assert!(error.to_string().contains("row-major"), "{error}");
    let mut short = Array1::zeros(2);
    assert!(p.kl_with_grad_into(&q, &mut short, &mut grad).is_err());

    let (loc, s) = (numbers(5.0), numbers(6.0));
    let want = kl_standard_normal_with_grad(&loc, &s).unwrap();
    let (mut value, mut grad) = kl_standard_normal_with_grad(&s, &loc).unwrap();
    kl_standard_normal_with_grad_into(&loc, &s, &mut value, &mut grad).unwrap();
    assert_eq!((&value, &grad), (&want.0, &want.1));
    for bad in [f64::NAN, f64::INFINITY] {
        let mut broken = loc.clone();
        broken[(2, 7)] = bad;
        let error = kl_standard_normal_with_grad_into(&broken, &s, &mut value, &mut grad).unwrap_err();
        assert!(error.to_string().starts_with("`loc[147]` is"), "{error}");
        assert!(kl_standard_normal_with_grad_into(&s, &broken, &mut value, &mut grad).is_err());
    }
}
