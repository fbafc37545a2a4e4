//! Tensors from arrays, gradients as arrays, and the comparison of both homes.

use ndarray::{ArrayD, IxDyn};
use variata_torch_bridge::tch::{Kind, Tensor};
use variata_torch_bridge::{tensor_from_array, tensor_into_array};

/// Numbers in (−1.5, 1.5), different for each salt.
pub(crate) fn numbers(shape: &[usize], salt: usize) -> ArrayD<f64> {
    let mut i = 0;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        i += 1;
        1.5 * ((i * 31 + salt * 17) as f64 * 0.618).sin()
    })
}

/// Numbers in (0.4, 2.2).
pub(crate) fn positive(shape: &[usize], salt: usize) -> ArrayD<f64> {
    numbers(shape, salt).mapv(|v| 1.3 + 0.6 * v)
}

/// A leaf that requires its gradient.
pub(crate) fn leaf(a: &ArrayD<f64>) -> Tensor {
    tensor_from_array(a.clone()).unwrap().set_requires_grad(true)
}

pub(crate) fn array(t: &Tensor) -> ArrayD<f64> {
    tensor_into_array::<f64>("t", t).unwrap()
}

/// |got − want| ≤ tolerance·(1 + |want|), and the same infinities.
pub(crate) fn assert_close(name: &str, got: &ArrayD<f64>, want: &ArrayD<f64>, tolerance: f64) {
    assert_eq!(got.shape(), want.shape(), "{name}");
    for (got, want) in got.iter().zip(want) {
        let close = got == want || (got - want).abs() <= tolerance * (1.0 + want.abs());
        assert!(close, "{name}: {got} against {want}");
    }
}

/// The value, and the gradients of Σ cᵢ·valueᵢ in the inputs; of zeros where an input takes no part.
pub(crate) fn value_and_gradients(
    f: &dyn Fn(&[Tensor]) -> Tensor,
    inputs: &[Tensor],
) -> (ArrayD<f64>, Vec<ArrayD<f64>>) {
    let value = f(inputs);
    let weights =
        Tensor::arange(value.numel() as i64, (Kind::Double, value.device())).view_as(&value) * 0.25 + 0.5;
    let loss = (value.to_kind(Kind::Double) * weights).masked_fill(&value.isinf(), 0.0).sum(Kind::Double);
    let borrowed: Vec<&Tensor> = inputs.iter().collect();
    let grads = Tensor::run_backward(&[loss], &borrowed, false, false);
    (array(&value), grads.iter().map(array).collect())
}

/// The routed form gives the native value to the bit, the composed form gives it to rounding, and autograd through the
/// composed form gives the closed-form gradients of the routed one: contiguous, transposed and in f32.
pub(crate) fn assert_homes_agree(
    name: &str,
    routed: &dyn Fn(&[Tensor]) -> Tensor,
    composed: &dyn Fn(&[Tensor]) -> Tensor,
    inputs: &[ArrayD<f64>],
    native: &ArrayD<f64>,
) {
    let leaves: Vec<Tensor> = inputs.iter().map(leaf).collect();
    let (value, grads) = value_and_gradients(routed, &leaves);
    assert_eq!(&value, native, "{name}");
    let (other, want) = value_and_gradients(composed, &leaves);
    assert_close(name, &other, native, 1e-13);
    for (got, want) in grads.iter().zip(&want) {
        assert_close(name, got, want, 1e-12);
    }
    // The same numbers behind other strides.
    let turned: Vec<Tensor> = inputs
        .iter()
        .map(|a| {
            let copy = tensor_from_array(a.t().as_standard_layout().into_owned()).unwrap();
            let axes: Vec<i64> = (0..a.ndim() as i64).rev().collect();
            copy.permute(axes).set_requires_grad(true)
        })
        .collect();
    let (value, turned_grads) = value_and_gradients(routed, &turned);
    assert_eq!(&value, native, "{name}, turned");
    assert_eq!(turned_grads, grads, "{name}, turned");
    let single: Vec<Tensor> =
        inputs.iter().map(|a| leaf(a).detach().to_kind(Kind::Float).set_requires_grad(true)).collect();
    let (value, grads) = value_and_gradients(routed, &single);
    assert_close(name, &value, native, 4e-6);
    for (got, want) in grads.iter().zip(&want) {
        assert_close(name, got, want, 4e-5);
    }
}

/// Lower-triangular factors [batch, n, n] with a positive diagonal.
pub(crate) fn factor(batch: usize, n: usize, salt: usize) -> ArrayD<f64> {
    let entries = numbers(&[batch, n, n], salt);
    ArrayD::from_shape_fn(entries.raw_dim(), |at| match at[1].cmp(&at[2]) {
        std::cmp::Ordering::Less => 0.0,
        std::cmp::Ordering::Equal => 1.3 + 0.5 * entries[at],
        std::cmp::Ordering::Greater => entries[at],
    })
}
