//! The decision between the homes, shown by the divergence to N(0, I).

use ndarray::{Array1, Array2};
use variata_distributions::torch;
use variata_distributions::{ArgumentError, Error, kl};
use variata_torch_bridge::tch::{Device, Kind, Tensor};
use variata_torch_bridge::{Route, no_grad, route, tensor_from_array, tensor_into_array};

fn numbers(rows: usize, n: usize, salt: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, n), |(i, j)| 2.0 * ((i * 31 + j * 17 + salt * 7) as f64 * 0.618).sin())
}

fn composed(loc: &Tensor, log_variance: &Tensor) -> Tensor {
    torch::kl_standard_normal_composed(loc, log_variance).unwrap()
}

fn leaf(a: &Array2<f64>) -> Tensor {
    tensor_from_array(a.clone()).unwrap().set_requires_grad(true)
}

fn array1(t: &Tensor) -> Array1<f64> {
    tensor_into_array::<f64>("t", t).unwrap().into_dimensionality().unwrap()
}

fn array2(t: &Tensor) -> Array2<f64> {
    tensor_into_array::<f64>("t", t).unwrap().into_dimensionality().unwrap()
}

fn assert_close(name: &str, got: &Array2<f64>, want: &Array2<f64>, relative: f64) {
    assert_eq!(got.dim(), want.dim());
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= relative * (1.0 + want.abs()), "{name}: {got} against {want}");
    }
}

/// Gradients of Σ cᵢ valueᵢ in both arguments.
fn gradients(f: impl Fn(&Tensor, &Tensor) -> Tensor, a: &Tensor, b: &Tensor) -> [Array2<f64>; 2] {
    let value = f(a, b);
    let weights = Tensor::arange(value.size()[0], (Kind::Double, Device::Cpu)) + 0.5;
    let found = Tensor::run_backward(&[(value * weights).sum(Kind::Double)], &[a, b], false, false);
    [array2(&found[0]), array2(&found[1])]
}

#[test]
fn the_routed_divergence_is_the_native_one_to_the_bit() {
    let (loc, s) = (numbers(7, 9, 1), numbers(7, 9, 2));
    let got = torch::kl_standard_normal(&leaf(&loc), &leaf(&s)).unwrap();
    assert_eq!(array1(&got), kl::kl_standard_normal(&loc, &s).unwrap());
    let composed = composed(&leaf(&loc), &leaf(&s));
    for (a, b) in array1(&got).iter().zip(&array1(&composed)) {
        assert!((a - b).abs() <= 1e-13 * b.abs());
    }
}

#[test]
fn routed_and_composed_gradients_agree_in_every_layout() {
    let (loc, s) = (numbers(6, 5, 1), numbers(6, 5, 2));
    let want = gradients(composed, &leaf(&loc), &leaf(&s));
    let routed = |a: &Tensor, b: &Tensor| torch::kl_standard_normal(a, b).unwrap();
    let layouts: [(&str, fn(&Array2<f64>) -> Tensor); 3] = [
        ("contiguous", |a| tensor_from_array(a.clone()).unwrap()),
        ("transposed", |a| tensor_from_array(a.t().as_standard_layout().into_owned()).unwrap().tr()),
        ("every second", |a| {
            let doubled = tensor_from_array(a.clone()).unwrap().repeat_interleave_self_int(2, 1, None);
            doubled.slice(1, 0, i64::MAX, 2)
        }),
    ];
    for (name, layout) in layouts {
        let (a, b) =
            (layout(&loc).detach().set_requires_grad(true), layout(&s).detach().set_requires_grad(true));
        assert_eq!(route(&[&a, &b], &[]), Route::Native, "{name}");
        let got = gradients(routed, &a, &b);
        assert_close(name, &got[0], &want[0], 1e-11);
        assert_close(name, &got[1], &want[1], 1e-11);
    }
    // An expanded input: the gradient is summed over the broadcast axis.
    let row = tensor_from_array(numbers(1, 5, 3)).unwrap().set_requires_grad(true);
    let spread = leaf(&s);
    let value = routed(&row.expand([6, 5], false), &spread).sum(Kind::Double);
    let found = Tensor::run_backward(&[value], &[&row], false, false);
    assert_close("expanded", &array2(&found[0]), &(numbers(1, 5, 3) * 6.0), 1e-13);
}

#[test]
fn only_what_requires_a_gradient_has_one_and_none_is_computed_in_vain() {
    let (loc, s) = (leaf(&numbers(2, 3, 1)), tensor_from_array(numbers(2, 3, 2)).unwrap());
    let value = torch::kl_standard_normal(&loc, &s).unwrap();
    value.sum(Kind::Double).backward();
    assert!(loc.grad().defined() && !s.grad().defined());
    assert!(!no_grad(|| torch::kl_standard_normal(&loc, &s).unwrap()).requires_grad());
}

#[test]
fn other_kinds_run_composed() {
    let (loc, s) = (numbers(3, 4, 1), numbers(3, 4, 2));
    for (kind, bound) in [(Kind::Half, 1e-2), (Kind::BFloat16, 1e-1), (Kind::Float, 1e-6)] {
        let cast =
            |a: &Array2<f64>| tensor_from_array(a.clone()).unwrap().to_kind(kind).set_requires_grad(true);
        let (a, b) = (cast(&loc), cast(&s));
        let got = array1(&torch::kl_standard_normal(&a, &b).unwrap());
        for (got, want) in got.iter().zip(&kl::kl_standard_normal(&loc, &s).unwrap()) {
            assert!((got - want).abs() <= bound * want, "{kind:?}: {got} against {want}");
        }
        torch::kl_standard_normal(&a, &b).unwrap().sum(Kind::Double).backward();
        assert_eq!(a.grad().kind(), kind);
    }
    let mixed = torch::kl_standard_normal(&leaf(&loc), &leaf(&s).to_kind(Kind::Float)).unwrap();
    assert!(mixed.requires_grad());
}

#[test]
fn second_derivatives_need_the_composed_form() {
    let (a, b) = (leaf(&numbers(2, 3, 1)), leaf(&numbers(2, 3, 2)));
    let routed = torch::kl_standard_normal(&a, &b).unwrap().sum(Kind::Double);
    let error = Tensor::f_run_backward(&[routed], &[&a], true, true).unwrap_err().to_string();
    assert!(error.contains("kl_standard_normal") && error.contains("_composed"), "{error}");
    let composed = composed(&a, &b).sum(Kind::Double);
    let first = Tensor::run_backward(&[composed], &[&a], true, true);
    let second = Tensor::run_backward(&[first[0].sum(Kind::Double)], &[&a], false, false);
    assert_close("∂²/∂μ²", &array2(&second[0]), &Array2::ones((2, 3)), 1e-15);
}

#[test]
fn wrong_shapes_are_named_and_what_is_not_finite_propagates() {
    let (a, b) = (leaf(&numbers(2, 3, 1)), leaf(&numbers(2, 4, 2)));
    let shape = |r: Result<Tensor, Error>, name: &str| {
        assert!(
            matches!(&r, Err(Error::Argument(ArgumentError::Shape { argument, .. })) if *argument == name),
            "{name}: {r:?}"
        );
    };
    shape(torch::kl_standard_normal(&a, &b), "log_variance");
    shape(torch::kl_standard_normal(&a.view([-1]), &a.view([-1])), "loc");
    let nan = leaf(&Array2::from_elem((2, 3), f64::NAN));
    let value = torch::kl_standard_normal(&nan, &a).unwrap();
    assert!(array1(&value).iter().all(|v| v.is_nan()));
    let empty = leaf(&Array2::zeros((0, 3)));
    assert_eq!(torch::kl_standard_normal(&empty, &empty).unwrap().size(), [0]);
}
