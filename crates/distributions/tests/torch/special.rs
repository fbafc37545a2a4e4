//! Special functions on tensors against the native ones and autograd.

use ndarray::ArrayD;
use variata_distributions::special as native;
use variata_distributions::torch::special;
use variata_distributions::{Error, Real};
use variata_testkit::finite_difference::assert_gradient;
use variata_torch_bridge::Error as Bridge;
use variata_torch_bridge::tch::{Kind, Tensor};

use crate::support::{array, assert_close, leaf, value_and_gradients};

type OnTensors = fn(&Tensor) -> Result<Tensor, Error>;
type OnNumbers = fn(f64) -> f64;

const EVERYWHERE: &[f64] = &[-30.0, -6.5, -1.0, -0.3, -1e-4, 0.0, 2e-9, 0.2, 0.9, 3.0, 25.0];
const UNIT: &[f64] = &[1e-12, 0.01, 0.3, 0.5, 0.77, 0.999];
const POSITIVE: &[f64] = &[1e-6, 0.1, 0.9, 1.0, 1.7, 2.0, 14.0, 80.0];
const NEGATIVE: &[f64] = &[-40.0, -3.0, -0.7, -0.1, -1e-9];

#[test]
fn each_has_the_native_value_and_the_derivative_of_a_difference() {
    let table: [(&str, OnTensors, OnNumbers, &[f64]); 18] = [
        ("norm_pdf", special::norm_pdf, native::norm_pdf, EVERYWHERE),
        ("ndtr", special::ndtr, native::ndtr, EVERYWHERE),
        ("sf", special::sf, native::sf, EVERYWHERE),
        ("log_ndtr", special::log_ndtr, native::log_ndtr, EVERYWHERE),
        ("log_sf", special::log_sf, native::log_sf, EVERYWHERE),
        ("ndtri", special::ndtri, native::ndtri, UNIT),
        ("softplus", special::softplus, native::softplus, EVERYWHERE),
        ("softplus_inv", special::softplus_inv, native::softplus_inv, POSITIVE),
        ("logit", special::logit, native::logit, UNIT),
        ("log1mexp", special::log1mexp, native::log1mexp, NEGATIVE),
        ("log1pmx", special::log1pmx, native::log1pmx, &[-0.9, -0.4, 1e-3, 0.6, 7.0]),
        ("expm1mx", special::expm1mx, native::expm1mx, EVERYWHERE),
        ("lgamma", special::lgamma, native::lgamma, POSITIVE),
        ("digamma", special::digamma, native::digamma, POSITIVE),
        ("isf", special::isf, native::isf, UNIT),
        ("sigmoid", special::sigmoid, native::sigmoid, EVERYWHERE),
        ("log_sigmoid", special::log_sigmoid, native::log_sigmoid, EVERYWHERE),
        ("norm_log_pdf", special::norm_log_pdf, native::norm_log_pdf, EVERYWHERE),
    ];
    for (name, on_tensors, on_numbers, points) in table {
        let x = ArrayD::from_shape_vec(vec![points.len()], points.to_vec()).unwrap();
        let leaves = [leaf(&x)];
        let (value, grads) = value_and_gradients(&|t| on_tensors(&t[0]).unwrap(), &leaves);
        assert_eq!(value, x.mapv(on_numbers), "{name}");
        for (i, (&x, found)) in points.iter().zip(&grads[0]).enumerate() {
            // The scale on which the function bends: the distance to the end of its domain, or 1/x in the tails.
            let scale = match name {
                "ndtri" | "isf" | "logit" => x.min(1.0 - x),
                "softplus_inv" | "lgamma" | "digamma" | "log1mexp" => x.abs().min(1.0),
                "log1pmx" => 0.3 * (1.0 + x).min(1.0),
                _ => 1.0 / (1.0 + x.abs()),
            };
            let weight = i as f64 * 0.25 + 0.5;
            assert_gradient(name, |v| weight * on_numbers(v[0]), &[x], &[scale], |_| vec![*found], 1e-8);
        }
        // Half kinds take the composed form.
        let half = on_tensors(&leaves[0].detach().to_kind(Kind::BFloat16)).unwrap();
        assert_eq!(half.kind(), Kind::BFloat16);
        let rounded = array(&leaves[0].detach().to_kind(Kind::BFloat16)).mapv(on_numbers);
        assert_close(name, &array(&half), &rounded, 4e-3);
        let single = on_tensors(&leaves[0].detach().to_kind(Kind::Float)).unwrap();
        let want = x.mapv(|x| f64::from(f32::from_f64(on_numbers(f64::from(f32::from_f64(x))))));
        assert_eq!(array(&single), want, "{name} in f32");
        let wrong = on_tensors(&Tensor::from(1i64));
        assert!(matches!(wrong, Err(Error::Tensor(Bridge::Floating { argument: "x", .. }))), "{name}");
    }
}

#[test]
fn slopes_of_the_gamma_family_below_zero() {
    // mpmath.psi(0, x) and psi(1, x) at 80 digits.
    let x = leaf(&ndarray::arr1(&[-1e-20, -1e-10, -0.125]).into_dyn());
    let (_, grads) = value_and_gradients(&|t| special::lgamma(&t[0]).unwrap(), &[x.shallow_clone()]);
    for (i, (got, want)) in grads[0]
        .iter()
        .zip([1.0000000000000000548e20, 9999999999.4227839706, 7.1959829284523046177])
        .enumerate()
    {
        let want = want * (i as f64 * 0.25 + 0.5);
        assert!((got - want).abs() <= 1e-14 * want, "{got} {want}");
    }
    let (_, grads) = value_and_gradients(&|t| special::digamma(&t[0]).unwrap(), &[x]);
    for (i, (got, want)) in grads[0]
        .iter()
        .zip([1.0000000000000001097e40, 99999999999999992715.0, 66.005740957924918139])
        .enumerate()
    {
        let want = want * (i as f64 * 0.25 + 0.5);
        assert!((got - want).abs() <= 1e-14 * want, "{got} {want}");
    }
}

#[test]
fn both_homes_agree_at_the_ends() {
    let ends = ndarray::arr1(&[f64::NEG_INFINITY, -50.0, 0.0, 50.0, f64::INFINITY]).into_dyn();
    // Half kinds take the composed form.
    let on = |f: &dyn Fn(&Tensor) -> Tensor, kind: Kind| {
        let x = leaf(&ends);
        let value = f(&x.to_kind(kind));
        let grad = Tensor::run_backward(&[value.sum(Kind::Double)], &[&x], false, false).remove(0);
        [value, grad].map(|t| Vec::<f64>::try_from(t.to_kind(Kind::Double)).unwrap())
    };
    for kind in [Kind::Double, Kind::BFloat16] {
        let [density, slope] = on(&|x| special::norm_pdf(x).unwrap(), kind);
        assert!((density[2] - 0.398_942_280_401_432_7).abs() < 2e-3, "{density:?}");
        assert_eq!(([density[0], density[1], density[3], density[4]], slope), ([0.0; 4], vec![0.0; 5]));
        let [value, _] = on(&|x| special::digamma(x).unwrap(), kind);
        assert!(value[2] == f64::NEG_INFINITY && value[4] == f64::INFINITY, "{value:?}");
    }
}
