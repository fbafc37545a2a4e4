//! Tensors from arrays and back.

use ndarray::{ArrayD, IxDyn};
use variata_lowrank_mvn::torch::LowRankMvn;
use variata_torch_bridge::tch::{Kind, Tensor};
use variata_torch_bridge::{tensor_from_array, tensor_into_array};

/// Numbers in (−1, 1), different for each salt.
pub(crate) fn numbers(shape: &[usize], salt: usize) -> ArrayD<f64> {
    let mut i = 0;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        i += 1;
        let t = (i * 31 + salt * 17) as f64 * 0.618;
        0.6 * t.sin() + 0.4 * (t * t * 0.37).cos()
    })
}

pub(crate) fn positive(shape: &[usize], salt: usize) -> ArrayD<f64> {
    numbers(shape, salt).mapv(|v| 0.1 + v * v)
}

pub(crate) fn leaf(a: &ArrayD<f64>, kind: Kind) -> Tensor {
    tensor_from_array(a.clone()).unwrap().to_kind(kind).set_requires_grad(true)
}

pub(crate) fn array(t: &Tensor) -> ArrayD<f64> {
    tensor_into_array::<f64>("t", t).unwrap()
}

pub(crate) fn assert_close(name: &str, got: &Tensor, want: &Tensor, tolerance: f64) {
    assert_eq!(got.size(), want.size(), "{name}");
    for (got, want) in array(got).iter().zip(&array(want)) {
        let close = got == want || (got - want).abs() <= tolerance * (1.0 + want.abs());
        assert!(close, "{name}: {got} against {want}");
    }
}

/// Parameters of every shape that a diagonal may have.
pub(crate) fn parameters(batch: usize, n: usize, r: usize, salt: usize) -> Vec<[ArrayD<f64>; 3]> {
    let diags: [&[usize]; 3] = [&[], &[n], &[batch, n]];
    diags
        .iter()
        .map(|shape| {
            [numbers(&[batch, n], salt), numbers(&[batch, n, r], salt + 1), positive(shape, salt + 2)]
        })
        .collect()
}

pub(crate) fn distribution(leaves: &[Tensor]) -> LowRankMvn {
    let [loc, factor, diag] = [0, 1, 2].map(|i| leaves[i].shallow_clone());
    LowRankMvn::new(loc, factor, diag).unwrap()
}

/// Value, and the gradients of Σ cᵢ·valueᵢ in the inputs.
pub(crate) fn value_and_gradients(
    f: &dyn Fn(&[Tensor]) -> Tensor,
    inputs: &[Tensor],
) -> (Tensor, Vec<Tensor>) {
    let value = f(inputs);
    let weights =
        Tensor::arange(value.numel() as i64, (Kind::Double, value.device())).view_as(&value) * 0.25 + 0.5;
    let loss = (value.to_kind(Kind::Double) * weights).sum(Kind::Double);
    let borrowed: Vec<&Tensor> = inputs.iter().collect();
    let grads = Tensor::run_backward(&[loss], &borrowed, false, false);
    (value.detach(), grads)
}
