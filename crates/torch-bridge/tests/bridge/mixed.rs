//! Memory formats, and arithmetic in bf16 for a while.

use std::panic::{AssertUnwindSafe, catch_unwind};

use variata_torch_bridge::tch::{Device, Kind, Tensor};
use variata_torch_bridge::{Error, autocast_bf16, channels_last};

fn product() -> Tensor {
    let a = Tensor::from_slice(&[1.0009765625f32, 0.0, 0.0, 1.0]).view([2, 2]);
    a.matmul(&Tensor::eye(2, (Kind::Float, Device::Cpu)))
}

#[test]
fn channels_lie_next_to_each_other_and_nothing_else_changes() {
    // Where there is one channel, one row or one column, both formats describe the memory; the strides say which is meant.
    for [n, c, h, w] in [[2, 3, 4, 5], [2, 1, 4, 5], [3, 4, 1, 1], [0, 3, 2, 2]] {
        let x = Tensor::arange(n * c * h * w, (Kind::Float, Device::Cpu)).view([n, c, h, w]);
        let x = x.set_requires_grad(true);
        let turned = channels_last(&x).unwrap();
        assert_eq!(turned.stride(), [c * h * w, 1, w * c, c], "{:?}", x.size());
        assert_eq!(turned, x);
        turned.square().sum(Kind::Float).backward();
        assert_eq!(x.grad(), x.detach() * 2.0);
    }
}

#[test]
fn what_lies_so_already_is_not_copied() {
    let x = channels_last(&Tensor::zeros([2, 3, 4, 5], (Kind::Float, Device::Cpu))).unwrap();
    assert_eq!(channels_last(&x).unwrap().data_ptr(), x.data_ptr());
}

#[test]
fn tensors_that_are_no_images_are_refused() {
    let x = Tensor::zeros([2, 3, 4], (Kind::Float, Device::Cpu));
    let want = Error::Shape { argument: "tensor", got: vec![2, 3, 4], want: "of rank 4".to_owned() };
    assert_eq!(channels_last(&x).unwrap_err(), want);
    assert_eq!(channels_last(&Tensor::new()).unwrap_err(), Error::Undefined { argument: "tensor" });
    let sparse = Tensor::zeros([1, 2, 3, 4], (Kind::Float, Device::Cpu)).to_sparse_sparse_dim(4);
    assert_eq!(channels_last(&sparse).unwrap_err(), Error::Layout { argument: "tensor" });
}

#[test]
fn products_are_in_bf16_inside_and_in_f32_outside() {
    let inside = autocast_bf16(Device::Cpu, product).unwrap();
    assert_eq!((inside.kind(), inside.double_value(&[0, 0])), (Kind::BFloat16, 1.0));
    let outside = product();
    assert_eq!((outside.kind(), outside.double_value(&[0, 0])), (Kind::Float, 1.0009765625));
}

#[test]
fn the_state_before_comes_back_from_within_and_after_a_panic() {
    let kinds = autocast_bf16(Device::Cpu, || {
        let nested = autocast_bf16(Device::Cpu, || product().kind()).unwrap();
        (nested, product().kind())
    });
    assert_eq!(kinds, Ok((Kind::BFloat16, Kind::BFloat16)));
    assert_eq!(product().kind(), Kind::Float);
    let caught = catch_unwind(AssertUnwindSafe(|| autocast_bf16(Device::Cpu, || panic!("on purpose"))));
    assert!(caught.is_err());
    assert_eq!(product().kind(), Kind::Float);
}

/// A weight that is rounded once for a scope must not be kept beyond it: it may change.
#[test]
fn rounded_weights_are_forgotten_with_the_outermost_scope() {
    let mut weight = Tensor::ones([2, 2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let x = Tensor::ones([1, 2], (Kind::Float, Device::Cpu));
    let first =
        |weight: &Tensor| autocast_bf16(Device::Cpu, || x.matmul(weight)).unwrap().double_value(&[0, 0]);
    assert_eq!(first(&weight), 2.0);
    let _ = variata_torch_bridge::no_grad(|| weight.fill_(3.0));
    assert_eq!(first(&weight), 6.0);
}

#[test]
fn gradients_of_f32_weights_are_in_f32() {
    let weight = Tensor::ones([2, 2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let x = Tensor::ones([3, 2], (Kind::Float, Device::Cpu));
    let y = autocast_bf16(Device::Cpu, || x.matmul(&weight)).unwrap();
    y.to_kind(Kind::Float).sum(Kind::Float).backward();
    let grad = weight.grad();
    assert_eq!((grad.kind(), grad.double_value(&[1, 1])), (Kind::Float, 3.0));
}

#[test]
fn a_device_without_autocast_is_refused_before_anything_runs() {
    let mut called = false;
    let result = autocast_bf16(Device::Vulkan, || called = true);
    assert!(matches!(result, Err(Error::Torch { .. })) && !called, "{result:?}");
    assert_eq!(product().kind(), Kind::Float);
}
