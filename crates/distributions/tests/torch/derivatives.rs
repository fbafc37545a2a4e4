//! Derivatives at special points, and second derivatives of composed forms there.

use variata_distributions::torch::{Bernoulli, KlDivergence, Laplace, Normal, special};
use variata_torch_bridge::tch::{Device, Kind, Tensor};

fn leaf(values: &[f64]) -> Tensor {
    Tensor::from_slice(values).set_requires_grad(true)
}

fn derivative(y: &Tensor, x: &Tensor) -> Tensor {
    Tensor::run_backward(&[y.sum(Kind::Double)], &[x], true, true).remove(0)
}

fn values(t: &Tensor) -> Vec<f64> {
    Vec::try_from(t.detach().contiguous().view([-1])).unwrap()
}

/// ∂ log p/∂x is the logit, also at 0 and 1, where one of the two products is 0.
#[test]
fn a_bernoulli_value_has_the_logit_as_its_derivative() {
    let (x, logits) = (leaf(&[0.0, 0.5, 1.0]), leaf(&[1.5, -2.0, 3.0]));
    let p = Bernoulli::new(logits.shallow_clone()).unwrap();
    let first = derivative(&p.log_prob(&x).unwrap(), &x);
    for (got, want) in values(&first).iter().zip([1.5, -2.0, 3.0]) {
        assert!((got - want).abs() < 1e-14, "{got} {want}");
    }
    assert!(values(&derivative(&first, &logits)).iter().all(|d| (d - 1.0).abs() < 1e-14));
    // 0·∞ stays 0.
    let sure = Bernoulli::new(Tensor::from_slice(&[f64::INFINITY, f64::NEG_INFINITY])).unwrap();
    assert_eq!(values(&sure.log_prob(&Tensor::from_slice(&[1.0, 0.0])).unwrap()), [0.0, 0.0]);
}

/// ∂²KL/∂m² where both have one location: 2φ(0)/(σb) and 1/(b_p b_q).
#[test]
fn divergences_are_curved_at_equal_locations() {
    let (m, at, scale) = (leaf(&[0.5]), Tensor::from_slice(&[0.5]), |s: f64| Tensor::from_slice(&[s]));
    let curvature = |kl: Tensor| values(&derivative(&derivative(&kl, &m), &m))[0];
    let p = Normal::new(m.shallow_clone(), scale(1.0)).unwrap();
    let q = Laplace::new(at.shallow_clone(), scale(1.0)).unwrap();
    let want = (2.0 / std::f64::consts::PI).sqrt();
    let got = curvature(p.kl_composed(&q).unwrap());
    assert!((got - want).abs() < 1e-14, "{got} {want}");
    let p = Laplace::new(m.shallow_clone(), scale(2.0)).unwrap();
    let q = Laplace::new(at, scale(0.5)).unwrap();
    let got = curvature(p.kl_composed(&q).unwrap());
    assert!((got - 1.0).abs() < 1e-14, "{got}");
}

/// In a kind that has no native kernel.
#[test]
fn composed_special_functions_have_their_limits() {
    let x = Tensor::from_slice(&[f64::INFINITY]).to_kind(Kind::BFloat16);
    let value = |t: Tensor| t.double_value(&[0]);
    assert_eq!(value(special::expm1mx(&x).unwrap()), f64::INFINITY);
    assert_eq!(value(special::log1pmx(&x).unwrap()), f64::NEG_INFINITY);
}

/// A column and a row of four million each: 128 TiB.
#[test]
fn what_no_memory_holds_is_an_error() {
    let n = 1 << 22;
    let tensor = |shape: [i64; 2]| Tensor::ones(shape, (Kind::Float, Device::Cpu));
    let p = Normal::new(tensor([n, 1]), tensor([n, 1])).unwrap();
    let q = Normal::new(tensor([1, n]), tensor([1, n])).unwrap();
    for found in [p.kl(&q), p.log_prob(&tensor([1, n])), p.sample(&[1 << 50])] {
        assert!(found.is_err());
    }
}
