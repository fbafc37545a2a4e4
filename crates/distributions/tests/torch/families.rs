//! Densities, distribution functions, quantiles and samples of the univariate families.

use ndarray::ArrayD;
use variata_distributions::torch::{Bernoulli, Categorical, LocationScale, TensorStandard, Uniform};
use variata_distributions::{
    self as native, ArgumentError, Error, StandardGumbel, StandardLaplace, StandardLogistic, StandardNormal,
};
use variata_torch_bridge::Error as Bridge;
use variata_torch_bridge::tch::{Device, Kind, Tensor};

use crate::support::{array, assert_close, assert_homes_agree, leaf, numbers, positive, value_and_gradients};

fn copy(t: &Tensor) -> Tensor {
    t.shallow_clone()
}

type Method<S> = fn(&LocationScale<S>, &Tensor) -> Result<Tensor, Error>;

/// Every function of a location-scale family, with parameters that broadcast.
fn family<S: TensorStandard>(name: &str) {
    let (x, loc, scale) = (numbers(&[3, 4], 1), numbers(&[4], 2), positive(&[3, 1], 3));
    let p = numbers(&[3, 4], 5).mapv(|v| 0.5 + 0.3 * v);
    let ours = native::LocationScale::<S>::new(loc.clone(), scale.clone()).unwrap();
    let make = |t: &[Tensor]| LocationScale::<S>::new(copy(&t[1]), copy(&t[2])).unwrap();
    let check = |what: &str, routed: Method<S>, composed: Method<S>, x: &ArrayD<f64>, want: ArrayD<f64>| {
        assert_homes_agree(
            &format!("{name} {what}"),
            &|t| routed(&make(t), &t[0]).unwrap(),
            &|t| composed(&make(t), &t[0]).unwrap(),
            &[x.clone(), loc.clone(), scale.clone()],
            &want,
        );
    };
    check(
        "log_prob",
        LocationScale::log_prob,
        LocationScale::log_prob_composed,
        &x,
        ours.log_prob(&x).unwrap(),
    );
    check("cdf", LocationScale::cdf, LocationScale::cdf_composed, &x, ours.cdf(&x).unwrap());
    check("icdf", LocationScale::icdf, LocationScale::icdf_composed, &p, ours.icdf(&p).unwrap());
    check("rsample", LocationScale::rsample, LocationScale::rsample_composed, &x, ours.rsample(&x).unwrap());
    let tensors = make(&[leaf(&x), leaf(&loc), leaf(&scale)]);
    assert_eq!(tensors.batch_shape(), ours.batch_shape());
    assert_close(name, &array(&tensors.entropy()), &ours.entropy(), 1e-15);
    assert_close(name, &array(&tensors.mean()), &ours.mean(), 1e-15);
    assert_close(name, &array(&tensors.variance()), &ours.variance(), 1e-14);
    // The point 0, where an absolute value in a formula would leave its derivative out.
    let zero = leaf(&ArrayD::zeros(vec![1]));
    let standard = [zero.shallow_clone(), leaf(&ArrayD::zeros(vec![1])), leaf(&ArrayD::ones(vec![1]))];
    let pairs: [(Method<S>, Method<S>); 2] = [
        (LocationScale::log_prob, LocationScale::log_prob_composed),
        (LocationScale::cdf, LocationScale::cdf_composed),
    ];
    for (routed, composed) in pairs {
        let [routed, composed] =
            [routed, composed].map(|f| value_and_gradients(&|t| f(&make(t), &t[0]).unwrap(), &standard).1);
        for (routed, composed) in routed.iter().zip(&composed) {
            assert_close(name, routed, composed, 1e-15);
        }
    }
    second_derivative::<S>(name, &make, &x, &loc, &scale);
    wrong_input::<S>(name);
    draws::<S>(name);
}

/// d²/dx² of the composed density against a difference of the routed first derivative; the routed form refuses it.
fn second_derivative<S: TensorStandard>(
    name: &str,
    make: &dyn Fn(&[Tensor]) -> LocationScale<S>,
    x: &ArrayD<f64>,
    loc: &ArrayD<f64>,
    scale: &ArrayD<f64>,
) {
    let tensors = |shift: f64| [leaf(&(x + shift)), leaf(loc), leaf(scale)];
    let slope = |shift| {
        let t = tensors(shift);
        let total = make(&t).log_prob(&t[0]).unwrap().sum(Kind::Double);
        array(&Tensor::run_backward(&[total], &[&t[0]], false, false)[0])
    };
    let h = 1e-5;
    let want = (slope(h) - slope(-h)) / (2.0 * h);
    let t = tensors(0.0);
    let first = |total: Tensor| Tensor::f_run_backward(&[total], &[&t[0]], true, true);
    let composed = first(make(&t).log_prob_composed(&t[0]).unwrap().sum(Kind::Double)).unwrap();
    if composed[0].requires_grad() {
        let second = Tensor::run_backward(&[composed[0].sum(Kind::Double)], &[&t[0]], false, false);
        assert_close(name, &array(&second[0]), &want, 1e-8);
    }
    let error = first(make(&t).log_prob(&t[0]).unwrap().sum(Kind::Double)).unwrap_err().to_string();
    assert!(error.contains("log_prob") && error.contains("_composed"), "{error}");
}

fn wrong_input<S: TensorStandard>(name: &str) {
    let cpu = |kind| (kind, Device::Cpu);
    let p =
        LocationScale::<S>::new(Tensor::zeros([4], cpu(Kind::Float)), Tensor::ones([4], cpu(Kind::Float)));
    let p = p.unwrap();
    let shape = p.log_prob(&Tensor::zeros([3], cpu(Kind::Float))).unwrap_err();
    assert!(
        matches!(shape, Error::Argument(ArgumentError::Shape { argument: "batch", .. })),
        "{name}: {shape}"
    );
    let kind = p.log_prob(&Tensor::zeros([4], cpu(Kind::Int64))).unwrap_err();
    assert!(matches!(kind, Error::Tensor(Bridge::Floating { argument: "x", .. })), "{name}: {kind}");
    let undefined = p.cdf(&Tensor::new()).unwrap_err();
    assert!(matches!(undefined, Error::Tensor(Bridge::Undefined { argument: "x" })), "{name}: {undefined}");
    let unlike =
        LocationScale::<S>::new(Tensor::zeros([4], cpu(Kind::Float)), Tensor::ones([3], cpu(Kind::Float)));
    assert!(matches!(unlike, Err(Error::Argument(ArgumentError::Shape { argument: "scale", .. }))), "{name}");
    assert!(p.sample(&[5]).is_err() && p.sample(&[usize::MAX, 4]).is_err(), "{name}");
    // Values are not checked: they propagate.
    let nan = p.log_prob(&Tensor::full([4], f64::NAN, cpu(Kind::Float))).unwrap();
    assert!(array(&nan).iter().all(|v| v.is_nan()), "{name}");
    let negative =
        LocationScale::<S>::new(Tensor::zeros([1], cpu(Kind::Double)), -Tensor::ones([1], cpu(Kind::Double)));
    let value = negative.unwrap().log_prob(&Tensor::zeros([1], cpu(Kind::Double))).unwrap();
    assert!(array(&value)[0].is_nan(), "{name}");
    let empty = p.log_prob(&Tensor::zeros([0, 4], cpu(Kind::Float))).unwrap();
    assert_eq!((empty.size(), empty.kind()), (vec![0, 4], Kind::Float), "{name}");
    for kind in [Kind::Half, Kind::BFloat16] {
        let value = p.log_prob(&Tensor::zeros([4], cpu(Kind::Float)).to_kind(kind)).unwrap();
        assert_eq!(value.kind(), Kind::Float, "{name}: mixed kinds widen");
    }
}

/// The share of 20,000 draws below each decile: a false alarm once in 10⁶ (|z| ≤ 5.5 for nine shares).
fn draws<S: TensorStandard>(name: &str) {
    let p =
        LocationScale::<S>::new(Tensor::from(0.5f64).set_requires_grad(true), Tensor::from(2f64)).unwrap();
    variata_torch_bridge::tch::manual_seed(7);
    let n = 20_000;
    let x = p.sample(&[n]).unwrap();
    assert!(!x.requires_grad());
    for decile in 1..10 {
        let share = f64::from(decile) / 10.0;
        let below = x.le_tensor(&p.icdf(&Tensor::from(share)).unwrap().detach());
        let found = below.to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
        let z = (found - share) / (share * (1.0 - share) / n as f64).sqrt();
        assert!(z.abs() <= 5.5, "{name}: {found} below decile {decile}");
    }
}

#[test]
fn location_scale_families() {
    family::<StandardNormal>("Normal");
    family::<StandardLaplace>("Laplace");
    family::<StandardGumbel>("Gumbel");
    family::<StandardLogistic>("Logistic");
}

type UniformMethod = fn(&Uniform, &Tensor) -> Result<Tensor, Error>;

#[test]
fn uniform() {
    let (low, high) = (numbers(&[4], 2), numbers(&[3, 1], 1).mapv(|v| v + 3.5));
    let x = numbers(&[3, 4], 4).mapv(|v| 2.0 * v + 1.0);
    let t = numbers(&[3, 4], 5).mapv(|v| 0.5 + 0.3 * v);
    let ours = native::Uniform::new(low.clone(), high.clone()).unwrap();
    let make = |t: &[Tensor]| Uniform::new(copy(&t[1]), copy(&t[2])).unwrap();
    let methods: [(&str, UniformMethod, UniformMethod, &ArrayD<f64>, ArrayD<f64>); 4] = [
        ("log_prob", Uniform::log_prob, Uniform::log_prob_composed, &x, ours.log_prob(&x).unwrap()),
        ("cdf", Uniform::cdf, Uniform::cdf_composed, &x, ours.cdf(&x).unwrap()),
        ("icdf", Uniform::icdf, Uniform::icdf_composed, &t, ours.icdf(&t).unwrap()),
        ("rsample", Uniform::rsample, Uniform::rsample_composed, &t, ours.rsample(&t).unwrap()),
    ];
    for (name, routed, composed, x, want) in methods {
        let inputs = [x.clone(), low.clone(), high.clone()];
        let (f, g) = (
            |t: &[Tensor]| routed(&make(t), &t[0]).unwrap(),
            |t: &[Tensor]| composed(&make(t), &t[0]).unwrap(),
        );
        assert_homes_agree(&format!("Uniform {name}"), &f, &g, &inputs, &want);
    }
    let tensors = make(&[leaf(&x), leaf(&low), leaf(&high)]);
    for (got, want) in [
        (tensors.entropy(), ours.entropy()),
        (tensors.mean(), ours.mean()),
        (tensors.variance(), ours.variance()),
    ] {
        assert_close("moments", &array(&got), &want, 1e-14);
    }
    // Ends that the native home refuses: no panic, and a NaN goes through.
    let wrong = Uniform::new(Tensor::from(1f64), Tensor::from(f64::NAN)).unwrap();
    let half = Tensor::from(0.5f64);
    assert!(array(&wrong.rsample(&half).unwrap())[[]].is_nan());
    assert!(Uniform::new(Tensor::from(1f64), Tensor::from(0f64)).unwrap().rsample(&half).is_ok());
    assert!(
        array(&tensors.log_prob(&Tensor::full([3, 4], f64::NAN, (Kind::Double, Device::Cpu))).unwrap())
            .iter()
            .all(|v| v.is_nan())
    );
    variata_torch_bridge::tch::manual_seed(3);
    let draws =
        array(&Uniform::new(Tensor::from(-1f64), Tensor::from(3f64)).unwrap().sample(&[20_000]).unwrap());
    assert!(draws.iter().all(|v| (-1.0..=3.0).contains(v)));
    // Five standard errors of the mean, √(16/12/20000) each: a false alarm once in 1.7·10⁶.
    assert!((draws.mean().unwrap() - 1.0).abs() <= 5.0 * (16.0 / 12.0 / 20_000f64).sqrt());
}

#[test]
fn bernoulli() {
    let (logits, x) = (numbers(&[4], 2), numbers(&[3, 4], 1).mapv(|v| 0.5 + 0.3 * v));
    let ours = native::Bernoulli::new(logits.clone()).unwrap();
    let p = Bernoulli::new(leaf(&logits)).unwrap();
    let (want, grad) = ours.log_prob_with_grad(&x).unwrap();
    let inputs = [leaf(&x), leaf(&logits)];
    let (value, grads) =
        value_and_gradients(&|t| Bernoulli::new(copy(&t[1])).unwrap().log_prob(&t[0]).unwrap(), &inputs);
    assert_close("value", &value, &want, 1e-15);
    let weights = ArrayD::from_shape_fn(vec![3, 4], |i| (i[0] * 4 + i[1]) as f64 * 0.25 + 0.5);
    assert_close("∂x", &grads[0], &(&weights * &grad.x), 1e-14);
    assert_close(
        "∂logits",
        &grads[1],
        &(&weights * &grad.logits).sum_axis(ndarray::Axis(0)).into_dyn(),
        1e-14,
    );
    for (got, want) in
        [(p.entropy(), ours.entropy()), (p.mean(), ours.mean()), (p.variance(), ours.variance())]
    {
        assert_close("moments", &array(&got), &want, 1e-15);
    }
    assert_close("cdf", &array(&p.cdf(&leaf(&x)).unwrap()), &ours.cdf(&x).unwrap(), 1e-15);
    assert_eq!(array(&p.icdf(&leaf(&x)).unwrap()), ours.icdf(&x).unwrap());
    assert_eq!(array(&p.sample_from_noise(&leaf(&x)).unwrap()), ours.sample_from_noise(&x).unwrap());

    // A logit of exactly 0, where |l| and max(l, 0) have no derivative, and sure outcomes.
    let zero = Tensor::zeros([1], (Kind::Double, Device::Cpu)).set_requires_grad(true);
    Bernoulli::new(copy(&zero)).unwrap().log_prob(&Tensor::from_slice(&[0.25f64])).unwrap().backward();
    assert_eq!(zero.grad().double_value(&[0]), 0.25 - 0.5);
    let sure = Tensor::from_slice(&[f64::NEG_INFINITY, f64::INFINITY, 800.0, -800.0, 0.0]);
    let x = Tensor::from_slice(&[0.0, 1.0, 0.0, 0.0, 2.0]);
    let value = Bernoulli::new(sure).unwrap().log_prob(&x).unwrap();
    assert_eq!(Vec::<f64>::try_from(value).unwrap(), [0.0, 0.0, -800.0, 0.0, f64::NEG_INFINITY]);

    variata_torch_bridge::tch::manual_seed(11);
    let n = 40_000;
    let draws = p.sample(&[n, 4]).unwrap().mean_dim(Some([0i64].as_slice()), false, Kind::Double);
    for (found, p) in array(&draws).iter().zip(ours.mean()) {
        // Four shares at |z| ≤ 5: a false alarm once in 4·10⁵.
        assert!((found - p).abs() <= 5.0 * (p * (1.0 - p) / n as f64).sqrt(), "{found} {p}");
    }
    assert!(p.sample(&[3]).is_err() && Bernoulli::new(Tensor::from(1i64)).is_err());
}

#[test]
fn categorical() {
    let mut logits = numbers(&[2, 5], 2).mapv(|v| 3.0 * v);
    logits[[1, 3]] = f64::NEG_INFINITY;
    let x = ndarray::arr2(&[[0usize, 3], [4, 1], [2, 7]]).into_dyn();
    let ours = native::Categorical::new(logits.clone()).unwrap();
    let parameter = leaf(&logits);
    let p = Categorical::new(copy(&parameter)).unwrap();
    let numbers_of =
        |x: &ArrayD<usize>| variata_torch_bridge::tensor_from_array(x.mapv(|k| k as i64)).unwrap();
    let k = numbers_of(&x);
    let (want, grad) = ours.log_prob_with_grad(&x).unwrap();
    let value = p.log_prob(&k).unwrap();
    assert_close("value", &array(&value), &want, 1e-15);
    let finite = value.masked_fill(&value.isinf(), 0.0).sum(Kind::Double);
    let found = Tensor::run_backward(&[finite], &[&parameter], false, false);
    let mut expected = grad.logits.clone();
    // An impossible outcome was masked out above.
    for (i, v) in want.indexed_iter() {
        if v.is_infinite() {
            expected.slice_mut(ndarray::s![i[0], i[1], ..]).fill(0.0);
        }
    }
    assert_close("∂logits", &array(&found[0]), &expected.sum_axis(ndarray::Axis(0)).into_dyn(), 1e-14);
    for (got, want) in [
        (p.probabilities(), ours.probabilities()),
        (p.entropy(), ours.entropy()),
        (p.mean(), ours.mean()),
        (p.variance(), ours.variance()),
        (p.cdf(&k).unwrap(), ours.cdf(&x).unwrap()),
    ] {
        assert_close("moments", &array(&got), &want, 1e-14);
    }
    let share = numbers(&[3, 2], 9).mapv(|v| 0.5 + 0.33 * v);
    let classes = |t: &Tensor| array(t).mapv(|k| k as usize);
    assert_eq!(classes(&p.icdf(&leaf(&share)).unwrap()), ours.icdf(&share).unwrap());
    // Nine equal probabilities sum to less than 1: the last class that can be, not the last.
    let nine = ndarray::Array2::from_shape_fn((1, 10), |(_, k)| if k < 9 { 0.0 } else { f64::NEG_INFINITY });
    let sure = ndarray::arr1(&[1f64]);
    let found = Categorical::new(leaf(&nine.into_dyn())).unwrap().icdf(&leaf(&sure.into_dyn())).unwrap();
    assert_eq!(found.int64_value(&[0]), 8);
    // The first 57 probabilities add to more than 1 by rounding.
    let many = ndarray::Array1::from_shape_fn(58, |k| if k < 57 { 0.0 } else { -60.0 });
    let almost = Categorical::new(leaf(&many.into_dyn())).unwrap().cdf(&Tensor::from(56i64)).unwrap();
    assert!(almost.double_value(&[]) <= 1.0, "{almost}");
    let noise = numbers(&[3, 2, 5], 4);
    assert_eq!(
        classes(&p.sample_from_noise(&leaf(&noise)).unwrap()),
        ours.sample_from_noise(&noise).unwrap()
    );
    // A class that is nearly sure keeps the digits of its log-probability.
    let sure = Categorical::new(Tensor::from_slice(&[50f64, 0.0])).unwrap();
    let value = sure.log_prob(&Tensor::from(0i64)).unwrap().double_value(&[]);
    assert!((value / -(-50f64).exp() - 1.0).abs() < 1e-14, "{value}");

    variata_torch_bridge::tch::manual_seed(5);
    let n = 40_000;
    let draws = p.sample(&[n, 2]).unwrap();
    for class in 0..5 {
        let shares =
            draws.eq(class).to_kind(Kind::Double).mean_dim(Some([0i64].as_slice()), false, Kind::Double);
        for (row, found) in array(&shares).iter().enumerate() {
            let p = ours.probabilities()[[row, class as usize]];
            // Ten shares at |z| ≤ 5: a false alarm once in 1.7·10⁵.
            assert!((found - p).abs() <= 5.0 * (p * (1.0 - p) / n as f64).sqrt(), "{found} {p}");
        }
    }
    assert!(matches!(p.log_prob(&leaf(&share)), Err(Error::Tensor(Bridge::Kind { argument: "x", .. }))));
    assert!(matches!(Categorical::new(Tensor::from(1f64)), Err(Error::Argument(_))));
    assert!(p.sample(&[3]).is_err() && p.log_prob(&Tensor::new()).is_err());
}
