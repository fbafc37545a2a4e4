//! Attached gradients are real ones: scaled by upstream, exact in value, refused where they do not exist.

use variata_torch_bridge::tch::{Kind, Tensor};
use variata_torch_bridge::{
    Error, Route, attach_backward, attach_gradient, no_grad, route, tensor_from_slice,
};

fn leaf(data: &[f64], shape: &[usize]) -> Tensor {
    tensor_from_slice(data, shape).unwrap().set_requires_grad(true)
}

fn values(t: &Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(t.contiguous().view([-1])).unwrap()
}

/// ‖row‖² of [n, d], natively, with its gradient.
fn row_norms(x: &Tensor) -> Tensor {
    let value = no_grad(|| (x * x).sum_dim_intlist(1, false, Kind::Double));
    attach_gradient("row_norms", value, &[(x, x.detach() * 2.0)]).unwrap()
}

#[test]
fn rows_are_scaled_by_upstream() {
    let x = leaf(&[1., 2., 3., 4., 5., 6.], &[3, 2]);
    let weights = tensor_from_slice(&[1f64, 10.0, 100.0], &[3]).unwrap();
    let y = row_norms(&x);
    assert_eq!(values(&y.detach()), [5., 25., 61.]);
    (y * weights).sum(Kind::Double).backward();
    assert_eq!(values(&x.grad()), [2., 4., 60., 80., 1000., 1200.]);
}

#[test]
fn it_composes_with_autograd_on_both_sides_and_equals_it() {
    let x = leaf(&[0.3, -1.2, 2.0, 0.7], &[2, 2]);
    let attached = row_norms(&x.sin()).log().sum(Kind::Double);
    attached.backward();
    let got = values(&x.grad());
    let x2 = leaf(&[0.3, -1.2, 2.0, 0.7], &[2, 2]);
    let s = x2.sin();
    (&s * &s).sum_dim_intlist(1, false, Kind::Double).log().sum(Kind::Double).backward();
    for (a, b) in got.iter().zip(values(&x2.grad())) {
        assert!((a - b).abs() <= 4.0 * f64::EPSILON * b.abs(), "{a} {b}");
    }
}

#[test]
fn only_what_requires_a_gradient_gets_one() {
    let x = leaf(&[1.0, 2.0], &[2]);
    let c = tensor_from_slice(&[5f64, 6.0], &[2]).unwrap();
    let value = no_grad(|| &x * &c);
    let y = attach_gradient("product", value, &[(&x, c.shallow_clone()), (&c, x.detach())]).unwrap();
    y.sum(Kind::Double).backward();
    assert_eq!(values(&x.grad()), [5.0, 6.0]);
    assert!(!c.grad().defined());
}

#[test]
fn nothing_is_attached_where_nothing_is_recorded() {
    let x = leaf(&[1.0], &[1]);
    let y =
        no_grad(|| attach_backward("f", Tensor::from_slice(&[1f64]), &[&x], |_| panic!("never")).unwrap());
    assert!(!y.requires_grad());
    let c = Tensor::from_slice(&[1f64]);
    assert!(!attach_gradient("f", c.copy(), &[(&c, c.copy())]).unwrap().requires_grad());
}

#[test]
fn second_derivatives_are_refused_by_name() {
    let x = leaf(&[1.0, 2.0], &[1, 2]);
    let y = row_norms(&x).sum(Kind::Double);
    let error = Tensor::f_run_backward(&[y], &[&x], true, true).unwrap_err().to_string();
    assert!(error.contains("row_norms") && error.contains("_composed"), "{error}");
}

#[test]
fn a_second_backward_needs_the_graph_kept() {
    let x = leaf(&[1.0, 2.0], &[1, 2]);
    let y = row_norms(&x).sum(Kind::Double);
    let g1 = Tensor::f_run_backward(&[&y], &[&x], true, false).unwrap();
    let g2 = Tensor::f_run_backward(&[&y], &[&x], false, false).unwrap();
    assert_eq!(values(&g1[0]), values(&g2[0]));
    assert!(Tensor::f_run_backward(&[&y], &[&x], false, false).is_err());
}

/// Threads may hold aliases of one loss: the closure, which need not be `Sync`, runs in one of them at a time.
#[test]
fn backward_passes_of_threads_take_turns() {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;

    static INSIDE: AtomicBool = AtomicBool::new(false);
    static MET: AtomicUsize = AtomicUsize::new(0);
    let x = leaf(&[1.0, 2.0], &[2]);
    let slow = attach_backward("slow", x.detach() * 3.0, &[&x], |upstream| {
        if INSIDE.swap(true, Ordering::SeqCst) {
            MET.fetch_add(1, Ordering::SeqCst);
        }
        std::thread::sleep(Duration::from_millis(20));
        INSIDE.store(false, Ordering::SeqCst);
        Ok(vec![Some(upstream * 3.0)])
    });
    let loss = slow.unwrap().sum(Kind::Double);
    let threads: Vec<_> = (0..4)
        .map(|_| (loss.shallow_clone(), x.shallow_clone()))
        .map(|(loss, x)| {
            std::thread::spawn(move || {
                let found = Tensor::f_run_backward(&[&loss], &[&x], true, false).unwrap();
                values(&found[0])
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), [3.0, 3.0]);
    }
    assert_eq!(MET.load(Ordering::SeqCst), 0);
}

#[test]
fn failures_inside_backward_are_errors_not_crashes() {
    let x = leaf(&[1.0, 2.0], &[2]);
    let run = |f: fn(&Tensor) -> Result<Vec<Option<Tensor>>, Error>| {
        let y = attach_backward("broken", Tensor::from_slice(&[1f64, 2.0]), &[&x], f).unwrap();
        y.sum(Kind::Double).f_backward().unwrap_err().to_string()
    };
    let panic = run(|_| panic!("inside"));
    assert!(panic.contains("broken") && panic.contains("inside"), "{panic}");
    let count = run(|_| Ok(vec![]));
    assert!(count.contains("0 gradients for 1 inputs"), "{count}");
    let shape = run(|_| Ok(vec![Some(Tensor::from_slice(&[1f64]))]));
    assert!(shape.contains("gradient") && shape.contains("[2]"), "{shape}");
}

#[test]
fn gradients_of_the_wrong_shape_are_refused_at_once() {
    let x = leaf(&[1.0, 2.0], &[2]);
    let got = attach_gradient("f", Tensor::from(1f64), &[(&x, Tensor::from_slice(&[1f64]))]);
    assert!(matches!(got, Err(Error::Shape { argument: "gradient", .. })));
    let got = attach_gradient("f", Tensor::from_slice(&[1f64, 2.0, 3.0]), &[(&x, x.detach())]);
    assert!(matches!(got, Err(Error::Shape { argument: "gradient", .. })));
    let undefined = attach_backward("f", Tensor::from(1f64), &[&Tensor::new()], |_| Ok(vec![None]));
    assert_eq!(undefined.unwrap_err(), Error::Undefined { argument: "inputs" });
}

#[test]
fn the_route_depends_on_the_tensors_alone() {
    let x = tensor_from_slice(&[1f32, 2.0, 3.0, 4.0], &[2, 2]).unwrap();
    let wants = x.copy().set_requires_grad(true);
    let cases = [
        ("plain f32", route(&[&x], &[]), Route::Native),
        ("strided", route(&[&x.tr()], &[]), Route::Native),
        ("expanded", route(&[&x.narrow(0, 0, 1).expand([4, 2], false)], &[]), Route::Native),
        ("requires grad", route(&[&wants], &[&x]), Route::Native),
        ("constant requires grad", route(&[&x], &[&wants]), Route::Composed),
        ("half", route(&[&x.to_kind(Kind::Half)], &[]), Route::Composed),
        ("mixed kinds", route(&[&x, &x.to_kind(Kind::Double)], &[]), Route::Composed),
        ("sparse", route(&[&x.to_sparse_sparse_dim(2)], &[]), Route::Composed),
        ("undefined", route(&[&Tensor::new()], &[]), Route::Composed),
        ("nothing", route(&[], &[]), Route::Composed),
    ];
    for (name, got, want) in cases {
        assert_eq!(got, want, "{name}");
    }
    assert_eq!(no_grad(|| route(&[&x], &[&wants])), Route::Native, "nothing is recorded");
}

#[test]
fn dropped_gradients_are_gone_and_the_next_ones_start_anew() {
    let x = tensor_from_slice(&[1f64, 2.0], &[2]).unwrap().set_requires_grad(true);
    let loss = || (&x * &x).sum(Kind::Double);
    loss().backward();
    // What somebody else holds of the old gradient stays as it was.
    let held = x.grad();
    variata_torch_bridge::drop_gradients([&x]).unwrap();
    assert!(!x.grad().defined());
    loss().backward();
    loss().backward();
    assert_eq!(Vec::<f64>::try_from(x.grad()).unwrap(), [4.0, 8.0]);
    assert_eq!(Vec::<f64>::try_from(held).unwrap(), [2.0, 4.0]);
    // One that has none, and one that is none.
    variata_torch_bridge::drop_gradients([&Tensor::from(1.0)]).unwrap();
    let refused = variata_torch_bridge::drop_gradients([&x, &Tensor::new()]);
    assert_eq!(refused, Err(Error::Undefined { argument: "tensors" }));
    assert!(x.grad().defined());
}

/// |conj(0 + iy)| hands back a gradient whose sign is only noted; who reads memory would read the other one.
#[test]
fn negations_that_wait_are_carried_out() {
    let x = leaf(&[1.0, 2.0], &[1, 2]);
    let y = row_norms(&x);
    Tensor::complex(&y.zeros_like(), &y).conj().abs().sum(Kind::Double).backward();
    assert_eq!(values(&x.grad()), [2.0, 4.0]);
    let x = leaf(&[3.0], &[1]);
    let value = no_grad(|| &x * 2.0);
    let y = attach_backward("double", value, &[&x], |upstream| {
        let read =
            variata_torch_bridge::lend("upstream", upstream, |v: ndarray::ArrayViewD<'_, f64>| v.sum())?;
        Ok(vec![Some(Tensor::from_slice(&[2.0 * read]))])
    })
    .unwrap();
    Tensor::complex(&y.zeros_like(), &y).conj().abs().sum(Kind::Double).backward();
    assert_eq!(values(&x.grad()), [2.0]);
}
