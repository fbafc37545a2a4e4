//! The registry on tensors: every pair, both homes, near equality, at equality, in the limits.

use ndarray::ArrayD;
use variata_distributions::torch::{
    self, Bernoulli, Categorical, DiagonalNormal, Gumbel, KlDivergence, Laplace, Logistic,
    MultivariateNormal, Normal, Uniform, monte_carlo,
};
use variata_distributions::{
    self as native, ArgumentError, Error, KlDivergence as _, StandardMultivariateNormal, UniformCategories,
};
use variata_torch_bridge::tch::{Device, Kind, Tensor};

use crate::support::{
    array, assert_close, assert_homes_agree, factor, leaf, numbers, positive, value_and_gradients,
};

/// A two-parameter family in both homes.
trait Family: Sized {
    type Native;
    fn ours(a: &ArrayD<f64>, b: &ArrayD<f64>) -> Self::Native;
    fn theirs(a: &Tensor, b: &Tensor) -> Self;
    /// Parameters from those of a location-scale family.
    fn second(a: &ArrayD<f64>, b: &ArrayD<f64>) -> ArrayD<f64>;
}

macro_rules! family {
    ($name:ident, $second:expr) => {
        impl Family for $name {
            type Native = native::$name;
            fn ours(a: &ArrayD<f64>, b: &ArrayD<f64>) -> Self::Native {
                native::$name::new(a.clone(), b.clone()).unwrap()
            }
            fn theirs(a: &Tensor, b: &Tensor) -> Self {
                $name::new(a.shallow_clone(), b.shallow_clone()).unwrap()
            }
            fn second(a: &ArrayD<f64>, b: &ArrayD<f64>) -> ArrayD<f64> {
                let f: fn(f64, f64) -> f64 = $second;
                ndarray::Zip::from(a).and(b).map_collect(|&a, &b| f(a, b))
            }
        }
    };
}
family!(Normal, |_, scale| scale);
family!(Laplace, |_, scale| scale);
family!(Gumbel, |_, scale| scale);
family!(Logistic, |_, scale| scale);
family!(Uniform, |low, width| low + width);

fn pair<P, Q>(name: &str)
where
    P: Family + KlDivergence<Q>,
    Q: Family,
    P::Native: native::KlDivergence<Q::Native, Value = ArrayD<f64>>,
{
    // Broadcast parameters, scales on both sides of each other, and an interval around the other one.
    for (p, q) in [
        ((numbers(&[3, 1], 1), positive(&[3, 1], 2)), (numbers(&[4], 3), positive(&[4], 4))),
        ((numbers(&[3], 1), positive(&[3], 2) * 0.02), (numbers(&[3], 1) - 1.0, positive(&[3], 4) + 3.0)),
        ((numbers(&[3], 1) + 9.0, positive(&[3], 2)), (numbers(&[3], 1), positive(&[3], 4) * 3.0)),
    ] {
        let inputs = [p.0.clone(), P::second(&p.0, &p.1), q.0.clone(), Q::second(&q.0, &q.1)];
        let want = P::ours(&inputs[0], &inputs[1]).kl(&Q::ours(&inputs[2], &inputs[3])).unwrap();
        assert_homes_agree(
            name,
            &|t| P::theirs(&t[0], &t[1]).kl(&Q::theirs(&t[2], &t[3])).unwrap(),
            &|t| P::theirs(&t[0], &t[1]).kl_composed(&Q::theirs(&t[2], &t[3])).unwrap(),
            &inputs,
            &want,
        );
    }
    let (a, b) = (leaf(&numbers(&[3], 1)), leaf(&positive(&[4], 1)));
    let (p, q) =
        (P::theirs(&a, &leaf(&(numbers(&[3], 1) + 2.0))), Q::theirs(&leaf(&numbers(&[4], 1)), &(b + 3.0)));
    assert!(matches!(p.kl(&q), Err(Error::Argument(ArgumentError::Shape { .. }))), "{name}");
    assert!(matches!(p.kl_composed(&q), Err(Error::Argument(ArgumentError::Shape { .. }))), "{name}");
}

#[test]
fn element_wise_pairs() {
    pair::<Normal, Normal>("Normal‖Normal");
    pair::<Laplace, Laplace>("Laplace‖Laplace");
    pair::<Normal, Gumbel>("Normal‖Gumbel");
    pair::<Gumbel, Gumbel>("Gumbel‖Gumbel");
    pair::<Gumbel, Normal>("Gumbel‖Normal");
    pair::<Normal, Laplace>("Normal‖Laplace");
    pair::<Laplace, Normal>("Laplace‖Normal");
    pair::<Uniform, Normal>("Uniform‖Normal");
    pair::<Uniform, Laplace>("Uniform‖Laplace");
    pair::<Uniform, Uniform>("Uniform‖Uniform");
    pair::<Logistic, Uniform>("Logistic‖Uniform");
}

#[test]
fn the_logarithm_of_a_divergence_that_overflows() {
    let (sigma, beta) = (leaf(&ndarray::arr1(&[0.5, 3.0, 1000.0]).into_dyn()), Tensor::from(1f64));
    let zero = Tensor::from(0f64);
    let p = Normal::new(zero.shallow_clone(), sigma.shallow_clone()).unwrap();
    let q = Gumbel::new(zero, beta).unwrap();
    let ours = native::Normal::new(ndarray::arr0(0.0), array(&sigma)).unwrap();
    let want = ours.log_kl(&native::Gumbel::scalar(0.0, 1.0).unwrap()).unwrap();
    let value = p.log_kl(&q).unwrap();
    assert_close("log_kl", &array(&value), &want, 1e-14);
    let slope = array(&Tensor::run_backward(&[value.sum(Kind::Double)], &[&sigma], false, false)[0]);
    let h = 1e-5;
    let moved = |h: f64| {
        let p = native::Normal::new(ndarray::arr0(0.0), array(&sigma) + h).unwrap();
        p.log_kl(&native::Gumbel::scalar(0.0, 1.0).unwrap()).unwrap()
    };
    assert_close("∂σ", &slope, &((moved(h) - moved(-h)) / (2.0 * h)), 1e-8);
}

/// Next to equality the composed forms keep their digits, too, and at equality they are 0 with a gradient of 0.
fn near<P>(name: &str)
where
    P: Family + KlDivergence<P>,
    P::Native: native::KlDivergence<P::Native, Value = ArrayD<f64>>,
{
    let (a, b) = (numbers(&[5], 1), positive(&[5], 2));
    for e in [8, 16, 24, 30] {
        let h = 2f64.powi(-e);
        // Towards the inside, so that an interval stays in the other.
        let (c, d) = (&a + h, &P::second(&a, &b) - h);
        let want = P::ours(&c, &d).kl(&P::ours(&a, &P::second(&a, &b))).unwrap();
        let p = P::theirs(&leaf(&c), &leaf(&d));
        let got = array(&p.kl_composed(&P::theirs(&leaf(&a), &leaf(&P::second(&a, &b)))).unwrap());
        for (got, want) in got.iter().zip(&want) {
            assert!((got / want - 1.0).abs() <= 1e-12, "{name} at 2^-{e}: {got} against {want}");
        }
    }
    let leaves = [leaf(&a), leaf(&P::second(&a, &b)), leaf(&a), leaf(&P::second(&a, &b))];
    let equal = |t: &[Tensor]| P::theirs(&t[0], &t[1]).kl_composed(&P::theirs(&t[2], &t[3])).unwrap();
    let (value, grads) = value_and_gradients(&equal, &leaves);
    assert_eq!(value, ArrayD::<f64>::zeros(vec![5]), "{name}");
    if !name.starts_with("Uniform") {
        for grad in grads {
            assert_close(name, &grad, &ArrayD::zeros(vec![5]), 1e-15);
        }
    }
}

#[test]
fn composed_forms_next_to_equality() {
    near::<Normal>("Normal");
    near::<Laplace>("Laplace");
    near::<Gumbel>("Gumbel");
    near::<Uniform>("Uniform");
}

#[test]
fn bernoulli() {
    for (a, b) in [
        (numbers(&[3, 1], 1) * 2.0, numbers(&[4], 2) * 2.0),
        (numbers(&[6], 1) * 9.0, numbers(&[6], 2) * 9.0),
        (ArrayD::zeros(vec![4]), numbers(&[4], 2)),
    ] {
        let want = native::Bernoulli::new(a.clone()).unwrap().kl(&native::Bernoulli::new(b.clone()).unwrap());
        let make = |t: &Tensor| Bernoulli::new(t.shallow_clone()).unwrap();
        assert_homes_agree(
            "Bernoulli",
            &|t| make(&t[0]).kl(&make(&t[1])).unwrap(),
            &|t| make(&t[0]).kl_composed(&make(&t[1])).unwrap(),
            &[a, b],
            &want.unwrap(),
        );
    }
    let inf = f64::INFINITY;
    let make = |v: &[f64]| Bernoulli::new(Tensor::from_slice(v)).unwrap();
    let (p, q) = (make(&[inf, -inf, -inf, 0.0, inf]), make(&[inf, -inf, 3.0, inf, -1.0]));
    let [routed, composed] = [p.kl(&q), p.kl_composed(&q)].map(|t| array(&t.unwrap()));
    assert_close("sure", &composed, &routed, 1e-15);
    assert_eq!(routed.as_slice().unwrap()[..2], [0.0, 0.0]);
}

#[test]
fn categorical() {
    let (mut a, mut b) = (numbers(&[3, 1, 4], 1) * 3.0, numbers(&[2, 4], 2) * 3.0);
    a[[0, 0, 2]] = f64::NEG_INFINITY;
    b[[1, 1]] = f64::NEG_INFINITY;
    let near = &numbers(&[2, 4], 2) * 3.0 + 1e-7 * numbers(&[2, 4], 7);
    let far = numbers(&[2, 4], 2) * 3.0;
    for (a, b) in [(a.clone(), b), (near, far.clone()), (far.clone(), far.clone())] {
        let (p, q) =
            (native::Categorical::new(a.clone()).unwrap(), native::Categorical::new(b.clone()).unwrap());
        let (want, grad) = p.kl_with_grad(&q).unwrap();
        let make = |t: &Tensor| Categorical::new(t.shallow_clone()).unwrap();
        let leaves = [leaf(&a), leaf(&b)];
        let (value, grads) = value_and_gradients(&|t| make(&t[0]).kl(&make(&t[1])).unwrap(), &leaves);
        for (got, want) in value.iter().zip(&want) {
            assert!(got == want || (got / want - 1.0).abs() <= 1e-12, "{got} against {want}");
        }
        let mut weights = ArrayD::zeros(want.raw_dim());
        for ((i, w), value) in weights.iter_mut().enumerate().zip(&want) {
            *w = if value.is_infinite() { 0.0 } else { i as f64 * 0.25 + 0.5 };
        }
        let weights = weights.insert_axis(ndarray::Axis(want.ndim()));
        let reduced = |full: &ArrayD<f64>, like: &ArrayD<f64>| {
            // An infinite divergence takes no part, whatever its derivative.
            let weights = weights.broadcast(full.raw_dim()).unwrap();
            let mut full =
                ndarray::Zip::from(full).and(weights).map_collect(|g, w| if *w == 0.0 { 0.0 } else { g * w });
            while full.ndim() > like.ndim() {
                full = full.sum_axis(ndarray::Axis(0));
            }
            for axis in 0..like.ndim() {
                if like.shape()[axis] == 1 {
                    full = full.sum_axis(ndarray::Axis(axis)).insert_axis(ndarray::Axis(axis));
                }
            }
            full
        };
        assert_close("∂p", &grads[0], &reduced(&grad.p.logits, &a), 1e-12);
        assert_close("∂q", &grads[1], &reduced(&grad.q.logits, &b), 1e-12);
    }
    let p = Categorical::new(leaf(&far)).unwrap();
    let want = native::Categorical::new(far.clone()).unwrap().kl(&UniformCategories).unwrap();
    assert_close("uniform", &array(&p.kl(&UniformCategories).unwrap()), &want, 1e-14);
    let other = Categorical::new(leaf(&numbers(&[2, 1], 1))).unwrap();
    assert!(matches!(p.kl(&other), Err(Error::Argument(ArgumentError::Shape { argument: "q.logits", .. }))));
}

#[test]
fn dense_and_diagonal_normals() {
    let (batch, n) = (3, 4);
    let (mp, mq) = (numbers(&[batch, n], 1), numbers(&[batch, n], 2));
    let (lp, lq, sp, sq) =
        (factor(batch, n, 3), factor(batch, n, 4), positive(&[batch, n], 5), numbers(&[batch, n], 6));
    let two = |a: &ArrayD<f64>| a.clone().into_dimensionality::<ndarray::Ix2>().unwrap();
    let three = |a: &ArrayD<f64>| a.clone().into_dimensionality::<ndarray::Ix3>().unwrap();
    let dense =
        |m: &ArrayD<f64>, l: &ArrayD<f64>| native::MultivariateNormal::new(two(m), &three(l)).unwrap();
    let scale = |m: &ArrayD<f64>, s: &ArrayD<f64>| native::DiagonalNormal::new(two(m), two(s)).unwrap();
    let log_variance =
        |m: &ArrayD<f64>, s: &ArrayD<f64>| native::DiagonalNormal::from_log_variance(two(m), two(s)).unwrap();
    let tdense = |m: &Tensor, l: &Tensor| MultivariateNormal::new(m.shallow_clone(), l).unwrap();
    let tscale = |m: &Tensor, s: &Tensor| DiagonalNormal::new(m.shallow_clone(), s.shallow_clone()).unwrap();
    let tlog = |m: &Tensor, s: &Tensor| {
        DiagonalNormal::from_log_variance(m.shallow_clone(), s.shallow_clone()).unwrap()
    };
    let spread = |s: &ArrayD<f64>| s.mapv(|v| 0.3 + v * v);
    macro_rules! agree {
        ($name:expr, $p:expr, $q:expr, $tp:expr, $tq:expr, $a:expr, $b:expr) => {
            let inputs = [mp.clone(), $a, mq.clone(), $b];
            let want = $p(&inputs[0], &inputs[1]).kl(&$q(&inputs[2], &inputs[3])).unwrap().into_dyn();
            assert_homes_agree(
                $name,
                &|t| $tp(&t[0], &t[1]).kl(&$tq(&t[2], &t[3])).unwrap(),
                &|t| $tp(&t[0], &t[1]).kl_composed(&$tq(&t[2], &t[3])).unwrap(),
                &inputs,
                &want,
            );
        };
    }
    agree!("dense‖dense", dense, dense, tdense, tdense, lp.clone(), lq.clone());
    agree!("scale‖dense", scale, dense, tscale, tdense, sp.clone(), lq.clone());
    agree!("dense‖log", dense, log_variance, tdense, tlog, lp.clone(), sq.clone());
    agree!("scale‖scale", scale, scale, tscale, tscale, sp.clone(), spread(&sq));
    agree!("log‖log", log_variance, log_variance, tlog, tlog, sq.clone(), sp.clone());
    agree!("scale‖log", scale, log_variance, tscale, tlog, sp.clone(), sq.clone());
    agree!("log‖scale", log_variance, scale, tlog, tscale, sq.clone(), sp.clone());

    let p = tscale(&leaf(&mp), &leaf(&sp));
    let want = scale(&mp, &sp).kl(&native::StandardMultivariateNormal).unwrap();
    assert_close("standard", &array(&p.kl_standard_normal().unwrap()), &want.into_dyn(), 1e-14);
    for p in [p, tlog(&leaf(&mp), &leaf(&sq))] {
        let [routed, composed] =
            [p.kl(&StandardMultivariateNormal), p.kl_composed(&StandardMultivariateNormal)];
        assert_close("standard", &array(&composed.unwrap()), &array(&routed.unwrap()), 1e-14);
    }
    let p = tscale(&leaf(&mp), &leaf(&sp));
    let wrong = tscale(&leaf(&numbers(&[2, n], 1)), &leaf(&positive(&[2, n], 1)));
    for result in [
        p.kl(&wrong),
        p.kl_composed(&wrong),
        p.kl(&tdense(&leaf(&numbers(&[2, n], 1)), &leaf(&factor(2, n, 1)))),
    ] {
        assert!(
            matches!(result, Err(Error::Argument(ArgumentError::Shape { argument: "q", .. }))),
            "{result:?}"
        );
    }
    // What the native home refuses propagates.
    let negative = tscale(&leaf(&mp), &(-leaf(&sp)));
    assert!(array(&negative.kl(&p).unwrap()).iter().all(|v| v.is_nan()));
    let singular = tdense(&leaf(&mp), &(leaf(&lp) * 0.0));
    assert!(array(&singular.kl(&tdense(&leaf(&mq), &leaf(&lq))).unwrap()).iter().all(|v| !v.is_finite()));
}

#[test]
fn log_variances_whose_exponentials_are_no_numbers() {
    let one = |v: f64| leaf(&ndarray::arr2(&[[v]]).into_dyn());
    let log = |s: &Tensor| DiagonalNormal::from_log_variance(one(0.0), s.shallow_clone()).unwrap();
    let unit = || MultivariateNormal::new(one(0.0), &one(1.0).unsqueeze(0)).unwrap();
    let s = [one(-1500.0), one(-1500.0), one(-2000.0), one(2000.0)];
    let cases: [(&str, [Result<Tensor, Error>; 2], f64, &Tensor, f64); 4] = [
        ("equal", [log(&s[0]).kl(&log(&s[1])), log(&s[0]).kl_composed(&log(&s[1]))], 0.0, &s[0], 0.0),
        ("narrow", [log(&s[2]).kl(&unit()), log(&s[2]).kl_composed(&unit())], 999.5, &s[2], -0.5),
        ("in wide", [unit().kl(&log(&s[3])), unit().kl_composed(&log(&s[3]))], 999.5, &s[3], 0.5),
        ("wide", [log(&s[3]).kl(&unit()), log(&s[3]).kl_composed(&unit())], f64::INFINITY, &s[3], f64::NAN),
    ];
    for (name, values, want, spread, slope) in cases {
        for value in values.map(Result::unwrap) {
            assert_eq!(value.double_value(&[0]), want, "{name}");
            let found = Tensor::run_backward(&[value.sum(Kind::Double)], &[spread], false, false);
            // Where the value is infinite nothing is said of the slope.
            assert!(slope.is_nan() || found[0].double_value(&[0, 0]) == slope, "{name}: {}", found[0]);
        }
    }
}

#[test]
fn the_estimate_meets_the_closed_form() {
    variata_torch_bridge::tch::manual_seed(1);
    let make = |a: &ArrayD<f64>, b: &ArrayD<f64>| (leaf(a), leaf(b));
    let ((a, b), (c, d)) =
        (make(&numbers(&[3], 1), &positive(&[3], 2)), make(&numbers(&[3], 3), &positive(&[3], 4)));
    let (p, q) = (Normal::new(a, b).unwrap(), Laplace::new(c, d).unwrap());
    let estimate = monte_carlo::kl(&p, &q, 20_000).unwrap();
    assert_eq!(estimate.n, 20_000);
    let z = (&estimate.mean - p.kl(&q).unwrap()) / &estimate.standard_error;
    // Three items at |z| ≤ 5: a false alarm once in 5·10⁵.
    assert!(array(&z).iter().all(|z| z.abs() <= 5.0), "{:?}", array(&z));
    assert!(!estimate.mean.requires_grad());
    let bounded = Uniform::new(Tensor::from(0f64), Tensor::from(1f64)).unwrap();
    let outside = monte_carlo::kl(&p, &bounded, 200).unwrap();
    assert!(array(&outside.mean).iter().all(|v| *v == f64::INFINITY));
    assert!(monte_carlo::kl(&p, &q, 1).is_err());
    let eye = Tensor::eye(2, (Kind::Double, Device::Cpu)).unsqueeze(0);
    let zero = Tensor::zeros([1, 2], (Kind::Double, Device::Cpu));
    let dense = MultivariateNormal::new(zero.shallow_clone(), &eye).unwrap();
    let wide = DiagonalNormal::new(zero.shallow_clone(), zero.ones_like() * 2.0).unwrap();
    let estimate = monte_carlo::kl(&dense, &wide, 4000).unwrap();
    let z = (&estimate.mean - dense.kl(&wide).unwrap()) / &estimate.standard_error;
    assert!(array(&z)[0].abs() <= 5.0);
    let logits = torch::Categorical::new(leaf(&numbers(&[4], 1))).unwrap();
    let coin = torch::Bernoulli::new(leaf(&numbers(&[4], 1))).unwrap();
    assert_eq!(array(&monte_carlo::kl(&logits, &logits, 3).unwrap().mean)[[]], 0.0);
    assert_eq!(array(&monte_carlo::kl(&coin, &coin, 3).unwrap().mean), ArrayD::<f64>::zeros(vec![4]));
}
