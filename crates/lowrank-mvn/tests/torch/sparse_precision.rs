//! The sparse-precision normal on tensors against the native one: values, and autograd's gradients against the closed form.

use ndarray::{Array2, Array3};
use variata_lowrank_mvn::torch::SparsePrecisionNormal;
use variata_lowrank_mvn::{PixelGrid, SparsePrecisionNormal as Native};
use variata_torch_bridge::tch::{Kind, Tensor};
use variata_torch_bridge::{tensor_from_array, tensor_into_array};

fn wave(k: usize) -> f64 {
    (k as f64 * 0.618 + 0.3).sin()
}

fn close(got: &Tensor, want: impl IntoIterator<Item = f64>) {
    let got = tensor_into_array::<f64>("got", got).unwrap();
    let want: Vec<f64> = want.into_iter().collect();
    assert_eq!(got.len(), want.len());
    let size = want.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    for (got, want) in got.iter().zip(want) {
        // Sums of some hundred terms.
        assert!((got - want).abs() <= 1e-13 * size.max(1.0), "{got} and {want}");
    }
}

#[test]
fn values_and_gradients_are_those_of_the_native_home() {
    for (height, width, channels, neighbourhood) in
        [(5, 7, 2, 3), (4, 3, 1, 5), (1, 6, 1, 3), (2, 2, 3, 7), (3, 4, 1, 1)]
    {
        let grid = PixelGrid::new(height, width, channels, neighbourhood).unwrap();
        let (batch, n, offsets) = (3, grid.len(), grid.offsets().len());
        let matrix = |shift: usize, size: f64| {
            Array2::from_shape_fn((batch, n), |(b, i)| size * wave(b * n + i + shift))
        };
        let off = Array3::from_shape_fn((batch, offsets, n), |(b, k, i)| 0.4 * wave(7 * b + 3 * k + i));
        let (loc, log_diag, x) = (matrix(1, 1.0), matrix(50, 0.5), matrix(90, 2.0));
        let native = Native::new(grid, loc.clone(), log_diag.clone(), off.clone()).unwrap();
        let (want, grad) = native.log_prob_with_grad(&x).unwrap();
        let leaf = |a: ndarray::ArrayD<f64>| tensor_from_array(a).unwrap().set_requires_grad(true);
        let [loc, log_diag, off, x] =
            [loc.into_dyn(), log_diag.into_dyn(), off.into_dyn(), x.into_dyn()].map(leaf);
        let p = SparsePrecisionNormal::new(
            grid,
            loc.shallow_clone(),
            log_diag.shallow_clone(),
            off.shallow_clone(),
        )
        .unwrap();
        let log_prob = p.log_prob(&x).unwrap();
        close(&log_prob, want);
        close(&p.entropy(), native.entropy());
        close(&p.log_det(), native.log_det());
        log_prob.sum(Kind::Double).backward();
        close(&x.grad(), grad.x);
        close(&loc.grad(), grad.loc);
        close(&log_diag.grad(), grad.log_diag);
        if offsets > 0 {
            close(&off.grad(), grad.off_diag);
        }
    }
}

#[test]
fn shapes_and_kinds_are_checked() {
    let grid = PixelGrid::new(2, 3, 1, 3).unwrap();
    let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, variata_torch_bridge::tch::Device::Cpu));
    let new = |loc: &[i64], diag: &[i64], off: &[i64]| {
        SparsePrecisionNormal::new(grid, zeros(loc), zeros(diag), zeros(off))
    };
    assert!(new(&[2, 6], &[2, 6], &[2, 4, 6]).is_ok());
    for (loc, diag, off, name) in [
        (&[2i64, 5][..], &[2i64, 6][..], &[2i64, 4, 6][..], "loc"),
        (&[6], &[2, 6], &[2, 4, 6], "loc"),
        (&[2, 6], &[1, 6], &[2, 4, 6], "log_diag"),
        (&[2, 6], &[2, 6], &[2, 3, 6], "off_diag"),
    ] {
        let error = new(loc, diag, off).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    let p = new(&[2, 6], &[2, 6], &[2, 4, 6]).unwrap();
    assert!(p.log_prob(&zeros(&[2, 5])).is_err());
    assert!(p.log_prob(&zeros(&[2, 6]).to_kind(Kind::Int64)).is_err());
}

#[test]
fn an_empty_image_has_density_one() {
    let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Double, variata_torch_bridge::tch::Device::Cpu));
    let grid = PixelGrid::new(0, 5, 1, 3).unwrap();
    let offsets = grid.offsets().len() as i64;
    let p =
        SparsePrecisionNormal::new(grid, zeros(&[2, 0]), zeros(&[2, 0]), zeros(&[2, offsets, 0])).unwrap();
    close(&p.log_prob(&zeros(&[2, 0])).unwrap(), ndarray::Array1::zeros(2));
}
