//! Views see the tensor's own memory, in every layout; what cannot be lent is refused by name.

use ndarray::{Array, ArrayViewD, Axis, Ix1, Ix2, arr2, array};
use proptest::prelude::*;
use variata_torch_bridge::tch::{Device, Kind, Tensor};
use variata_torch_bridge::{
    Error, lend, lend2, lend3, tensor_from_array, tensor_from_slice, tensor_into_array,
};

fn matrix() -> Tensor {
    tensor_from_slice(&(0..12).map(|i| i as f32).collect::<Vec<_>>(), &[3, 4]).unwrap()
}

#[test]
fn a_view_is_the_tensors_own_memory() {
    let t = matrix();
    let address = t.data_ptr() as usize;
    lend("t", &t, |v: ArrayViewD<'_, f32>| {
        assert_eq!(v.as_ptr() as usize, address);
        assert_eq!(v.shape(), [3, 4]);
        assert_eq!(v[[2, 1]], 9.0);
    })
    .unwrap();
}

#[test]
fn every_layout_reads_the_same_elements() {
    let t = matrix();
    let cases = [
        ("transposed", t.tr()),
        ("every second column", t.slice(1, 0, 4, 2)),
        ("offset rows", t.narrow(0, 1, 2)),
        ("broadcast", t.narrow(0, 0, 1).expand([5, 4], false)),
        ("select", t.select(1, 2)),
        ("scalar", t.narrow(0, 1, 1).narrow(1, 1, 1).squeeze()),
    ];
    for (name, case) in cases {
        let want = Vec::<f32>::try_from(case.contiguous().view([-1])).unwrap();
        let got: Vec<f32> =
            lend("t", &case, |v: ArrayViewD<'_, f32>| v.iter().copied().collect::<Vec<_>>()).unwrap();
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn empty_tensors_lend_empty_views() {
    for shape in [vec![0], vec![3, 0], vec![0, 4, 2]] {
        let t = Tensor::zeros(&shape, (Kind::Float, Device::Cpu));
        let got = lend("t", &t, |v: ArrayViewD<'_, f32>| (v.len(), v.shape().to_vec())).unwrap();
        assert_eq!(got.0, 0);
        assert_eq!(got.1, shape.iter().map(|&n| n as usize).collect::<Vec<_>>());
    }
}

#[test]
fn what_cannot_be_lent_is_refused_by_name() {
    let read = |t: &Tensor| lend("x", t, |v: ArrayViewD<'_, f32>| v.len());
    assert_eq!(read(&Tensor::new()), Err(Error::Undefined { argument: "x" }));
    assert_eq!(
        read(&matrix().to_kind(Kind::Double)),
        Err(Error::Kind { argument: "x", got: Kind::Double, want: Kind::Float })
    );
    assert_eq!(read(&matrix().to_sparse_sparse_dim(2)), Err(Error::Layout { argument: "x" }));
    assert_eq!(read(&matrix().internal_neg_view()), Err(Error::Layout { argument: "x" }));
    let wrong_rank = lend2(
        ("a", &matrix()),
        ("b", &matrix()),
        |_: ndarray::ArrayView<'_, f32, Ix2>, b: ndarray::ArrayView<'_, f32, Ix1>| b.len(),
    );
    assert_eq!(wrong_rank, Err(Error::Shape { argument: "b", got: vec![3, 4], want: "of rank 1".into() }));
}

#[test]
fn a_change_through_an_alias_is_found_out() {
    let t = matrix();
    let mut alias = t.shallow_clone();
    let result = lend("x", &t, |_: ArrayViewD<'_, f32>| {
        let _ = alias.fill_(7.0);
    });
    assert_eq!(result, Err(Error::Mutated { argument: "x" }));
}

#[test]
fn three_tensors_at_once() {
    let (a, b, c) = (matrix(), matrix() * 2.0, matrix() * 3.0);
    let sum = lend3(("a", &a), ("b", &b), ("c", &c), |a, b, c: ndarray::ArrayView<'_, f32, Ix2>| {
        let (a, b): (ndarray::ArrayView<'_, f32, Ix2>, ndarray::ArrayView<'_, f32, Ix2>) = (a, b);
        a.sum() + b.sum() + c.sum()
    })
    .unwrap();
    assert_eq!(sum, 66.0 * 6.0);
}

#[test]
fn arrays_become_tensors_without_a_copy_and_live_on() {
    let a = array![[1f64, 2.0, 3.0], [4.0, 5.0, 6.0]];
    let address = a.as_ptr() as usize;
    let t = tensor_from_array(a).unwrap();
    assert_eq!(t.data_ptr() as usize, address);
    let row = t.select(0, 1);
    drop(t);
    assert_eq!(Vec::<f64>::try_from(row).unwrap(), [4.0, 5.0, 6.0]);

    // An array that starts inside its allocation, and one that is not in standard layout.
    let mut cut = Array::from_iter(0..10).mapv(f64::from);
    cut.slice_collapse(ndarray::s![4..]);
    assert_eq!(
        Vec::<f64>::try_from(tensor_from_array(cut).unwrap()).unwrap(),
        [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    );
    let mut reversed = arr2(&[[1f32, 2.0], [3.0, 4.0]]);
    reversed.invert_axis(Axis(0));
    let t = tensor_from_array(reversed.reversed_axes()).unwrap();
    assert_eq!(Vec::<f32>::try_from(t.view([-1])).unwrap(), [3.0, 1.0, 4.0, 2.0]);
}

#[test]
fn kinds_convert_on_the_way_back() {
    let half = matrix().to_kind(Kind::Half);
    let a = tensor_into_array::<f64>("x", &half).unwrap();
    assert_eq!(a[[2, 3]], 11.0);
    assert_eq!(tensor_into_array::<f32>("x", &Tensor::new()), Err(Error::Undefined { argument: "x" }));
}

proptest! {
    #[test]
    fn array_to_tensor_and_back_is_the_identity(
        rows in 0usize..5,
        columns in 0usize..5,
        seed in any::<u32>(),
        flip in any::<bool>(),
    ) {
        let mut a = Array::from_shape_fn((rows, columns), |(i, j)| f64::from(seed) + (i * 7 + j) as f64);
        if flip {
            a.swap_axes(0, 1);
        }
        let t = tensor_from_array(a.clone()).unwrap();
        prop_assert_eq!(tensor_into_array::<f64>("x", &t).unwrap(), a.into_dyn());
    }

    #[test]
    fn a_slice_must_fill_its_shape(len in 0usize..20, rows in 0usize..5, columns in 0usize..5) {
        let data = vec![1f32; len];
        let t = tensor_from_slice(&data, &[rows, columns]);
        prop_assert_eq!(t.is_ok(), len == rows * columns);
    }
}

#[test]
fn an_overflowing_shape_is_refused() {
    let result = tensor_from_slice(&[1f32], &[usize::MAX, 2]);
    assert!(matches!(result, Err(Error::Length { got: 1, want: usize::MAX, .. })));
}
