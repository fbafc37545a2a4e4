//! Bad input: every argument of every constructor and function gives its exact error, and nothing panics.

use ndarray::{Array, Array1, ArrayD, IxDyn, arr0, array};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use variata_distributions::{
    ArgumentError, Bernoulli, Categorical, Error, Gumbel, Laplace, LocationScale, Logistic, Normal, Standard,
    Uniform,
};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// The error is that of this argument, index and value.
fn assert_value<T: std::fmt::Debug>(
    result: Result<T, Error>,
    argument: &str,
    index: Option<usize>,
    value: f64,
    must: &str,
) {
    match result {
        Err(Error::Argument(ArgumentError::Value { argument: a, index: i, value: v, must: m })) => {
            assert_eq!((a, i, m), (argument, index, must));
            assert_eq!(v.to_bits(), value.to_bits(), "{argument}: {v}, not {value}");
        }
        other => panic!("{argument}: {other:?}"),
    }
}

/// The error is that of this argument's shape.
fn assert_shape<T: std::fmt::Debug>(result: Result<T, Error>, argument: &str, got: &[usize], want: &str) {
    match result {
        Err(Error::Argument(ArgumentError::Shape { argument: a, got: g, want: w })) => {
            assert_eq!((a, g.as_slice(), w.as_str()), (argument, got, want));
        }
        other => panic!("{argument}: {other:?}"),
    }
}

fn location_scale<S: Standard>() {
    let new = |loc: Array1<f64>, scale: Array1<f64>| LocationScale::<S, f64>::new(loc, scale);
    for bad in [NAN, INF, -INF] {
        assert_value(new(array![0.0, bad], array![1.0]), "loc", Some(1), bad, "finite");
        assert_value(LocationScale::<S>::scalar(bad, 1.0), "loc", None, bad, "finite");
    }
    for bad in [NAN, INF, -INF, 0.0, -0.0, -1.0] {
        assert_value(new(array![0.0], array![1.0, 2.0, bad]), "scale", Some(2), bad, "finite and > 0");
    }
    assert_shape(new(array![0.0, 1.0], array![1.0, 1.0, 1.0]), "scale", &[3], "broadcastable with [2]");
    let p = new(array![0.0, 1.0], array![1.0]).unwrap();
    assert_eq!(p.batch_shape(), [2]);
    let bad = array![0.0, NAN];
    assert_value(p.log_prob(&bad), "x", Some(1), NAN, "a number");
    assert_value(p.log_prob_with_grad(&bad), "x", Some(1), NAN, "a number");
    assert_value(p.cdf(&bad), "x", Some(1), NAN, "a number");
    for bad in [NAN, -1.0, 1.0 + f64::EPSILON, -5e-324, INF] {
        assert_value(p.icdf(&array![0.5, bad]), "p", Some(1), bad, "in [0, 1]");
    }
    for bad in [NAN, INF, -INF] {
        assert_value(p.rsample(&array![bad, 0.0]), "noise", Some(0), bad, "finite");
        assert_value(p.rsample_with_grad(&array![bad, 0.0]), "noise", Some(0), bad, "finite");
    }
    let three = array![0.5, 0.5, 0.5];
    assert_shape(p.log_prob(&three), "batch", &[2], "broadcastable to [3]");
    assert_shape(p.log_prob_with_grad(&three), "batch", &[2], "broadcastable to [3]");
    assert_shape(p.cdf(&three), "batch", &[2], "broadcastable to [3]");
    assert_shape(p.icdf(&three), "batch", &[2], "broadcastable to [3]");
    assert_shape(p.rsample(&three), "batch", &[2], "broadcastable to [3]");
    assert_shape(p.rsample_with_grad(&three), "batch", &[2], "broadcastable to [3]");
    assert_shape(p.log_prob(&arr0(0.0)), "batch", &[2], "broadcastable to []");
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    assert_shape(p.sample(3, &mut rng), "batch", &[2], "broadcastable to [3]");
    let huge = [usize::MAX, 2];
    assert_shape(p.sample(huge, &mut rng), "shape", &huge, "small enough for memory");
    assert_eq!(p.sample((0, 2), &mut rng).unwrap().len(), 0);
    // Empty input is an empty result.
    let empty = new(Array1::zeros(0), array![1.0]).unwrap();
    assert_eq!(empty.log_prob(&Array1::zeros(0)).unwrap().len(), 0);
    assert_eq!((empty.entropy().len(), empty.mean().len(), empty.variance().len()), (0, 0, 0));
}

#[test]
fn location_scale_families_refuse_by_name() {
    location_scale::<variata_distributions::StandardNormal>();
    location_scale::<variata_distributions::StandardLaplace>();
    location_scale::<variata_distributions::StandardGumbel>();
    location_scale::<variata_distributions::StandardLogistic>();
}

#[test]
fn uniform_refuses_by_name() {
    for bad in [NAN, INF, -INF] {
        assert_value(Uniform::new(array![0.0, bad], array![1.0]), "low", Some(1), bad, "finite");
        assert_value(Uniform::new(array![0.0], array![bad]), "high", Some(0), bad, "finite");
    }
    assert_value(Uniform::scalar(1.0, 1.0), "high", None, 1.0, "> low");
    assert_value(Uniform::new(array![0.0, 2.0], array![1.0]), "high", Some(1), 1.0, "> low");
    assert_shape(
        Uniform::new(array![0.0, 0.0], array![1.0, 1.0, 1.0]),
        "high",
        &[3],
        "broadcastable with [2]",
    );
    let p = Uniform::scalar(0.0, 1.0).unwrap();
    assert_value(p.log_prob(&array![NAN]), "x", Some(0), NAN, "a number");
    assert_value(p.log_prob_with_grad(&array![NAN]), "x", Some(0), NAN, "a number");
    assert_value(p.cdf(&array![NAN]), "x", Some(0), NAN, "a number");
    for bad in [NAN, -0.1, 1.1, INF] {
        assert_value(p.icdf(&array![bad]), "p", Some(0), bad, "in [0, 1]");
        assert_value(p.rsample(&array![bad]), "noise", Some(0), bad, "in [0, 1]");
        assert_value(p.rsample_with_grad(&array![bad]), "noise", Some(0), bad, "in [0, 1]");
    }
}

#[test]
fn bernoulli_refuses_by_name() {
    assert_value(Bernoulli::new(array![INF, NAN]), "logits", Some(1), NAN, "a number");
    let p = Bernoulli::new(array![0.0, 0.0]).unwrap();
    assert_value(p.log_prob(&array![0.0, NAN]), "x", Some(1), NAN, "a number");
    assert_value(p.cdf(&array![0.0, NAN]), "x", Some(1), NAN, "a number");
    assert_value(p.icdf(&array![0.0, 2.0]), "p", Some(1), 2.0, "in [0, 1]");
    assert_value(p.sample_from_noise(&array![0.0, INF]), "noise", Some(1), INF, "finite");
    assert_shape(p.log_prob_with_grad(&array![0.0, 1.0, 1.0]), "batch", &[2], "broadcastable to [3]");
}

#[test]
fn categorical_refuses_by_name() {
    assert_value(Categorical::new(array![0.0, NAN]), "logits", Some(1), NAN, "a number");
    assert_value(Categorical::new(array![[0.0, 0.0], [INF, 0.0]]), "logits", Some(2), INF, "below +inf");
    let want = "[batch.., classes] with at least one class";
    assert_shape(Categorical::new(arr0(0.0)), "logits", &[], want);
    assert_shape(Categorical::new(Array::<f64, _>::zeros((2, 0))), "logits", &[2, 0], want);
    assert_eq!(
        Categorical::new(array![[0.0, 1.0], [-INF, -INF]]).unwrap_err(),
        Error::AllLogitsNegInf { argument: "logits", row: 1 }
    );
    let p = Categorical::new(array![[0.0, 1.0], [0.0, 1.0]]).unwrap();
    assert_shape(p.log_prob(&array![0, 0, 0]), "batch", &[2], "broadcastable to [3]");
    assert_shape(p.log_prob_with_grad(&array![0, 0, 0]), "batch", &[2], "broadcastable to [3]");
    assert_shape(p.cdf(&array![0, 0, 0]), "batch", &[2], "broadcastable to [3]");
    assert_value(p.icdf(&array![0.0, -1.0]), "p", Some(1), -1.0, "in [0, 1]");
    assert_eq!(p.log_prob(&array![usize::MAX, 2]).unwrap(), array![-INF, -INF]);
    assert_eq!(p.cdf(&array![usize::MAX, 0]).unwrap()[0], 1.0);
    let noise = |shape: &[usize]| ArrayD::<f64>::zeros(IxDyn(shape));
    assert_shape(p.sample_from_noise(&noise(&[2, 3])), "noise", &[2, 3], "[.., 2]");
    assert_shape(p.sample_from_noise(&noise(&[])), "noise", &[], "[.., 2]");
    assert_shape(p.sample_from_noise(&noise(&[3, 2])), "batch", &[2], "broadcastable to [3]");
    assert_value(p.sample_from_noise(&(noise(&[2, 2]) + NAN)), "noise", Some(0), NAN, "finite");
    assert_eq!(Categorical::new(Array::<f64, _>::zeros((0, 3))).unwrap().entropy().len(), 0);
}

#[test]
fn messages_read_well() {
    let message = Normal::new(array![0.0], array![1.0, 1.0, 1.0, -0.5]).unwrap_err().to_string();
    assert_eq!(message, "`scale[3]` is -0.5, must be finite and > 0");
}

#[test]
fn types_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Normal<f32>>();
    shared::<Uniform>();
    shared::<Bernoulli>();
    shared::<Categorical<f32>>();
}

proptest! {
    #[test]
    fn arbitrary_numbers_never_panic_and_never_make_nan(a in any::<f64>(), b in any::<f64>(), x in any::<f64>()) {
        let (x0, b) = (arr0(x), b.abs());
        macro_rules! visit {
            ($($family:ident),*) => {$(
                if let Ok(p) = $family::scalar(a, b) {
                    for value in [p.log_prob(&x0), p.cdf(&x0), p.icdf(&x0)].into_iter().flatten() {
                        prop_assert!(!value.into_scalar().is_nan(), "{}({a}, {b}) at {x}", stringify!($family));
                    }
                    let _ = (p.log_prob_with_grad(&x0), p.rsample_with_grad(&x0), p.entropy(), p.variance());
                    prop_assert!(!p.mean().sum().is_nan());
                }
            )*};
        }
        visit!(Normal, Laplace, Gumbel, Logistic, Uniform);
        if let Ok(p) = Bernoulli::scalar(a) {
            for value in [p.log_prob(&x0), p.cdf(&x0), p.sample_from_noise(&x0)].into_iter().flatten() {
                prop_assert!(!value.into_scalar().is_nan());
            }
            prop_assert!(!p.entropy().sum().is_nan());
        }
        if let Ok(p) = Categorical::new(array![a, b, x]) {
            prop_assert!(!p.entropy().sum().is_nan() && !p.log_prob(&arr0(1)).unwrap().sum().is_nan());
        }
    }
}
