//! The fused updates against their recurrences.

use variata_torch_bridge::tch::{self, Device, Kind, Tensor};
use variata_torch_bridge::{
    AdamStep, Error, SgdStep, channels_last, fused_adam, fused_sgd, tensor_from_slice,
};

/// Adam and AdamW by the textbook recurrence, in f64.
fn adam_by_hand(steps: usize, grad: impl Fn(f64) -> f64, s: &AdamStep) -> f64 {
    let (mut p, mut m, mut v) = (1.5f64, 0.0, 0.0);
    for t in 1..=steps {
        let mut g = grad(p);
        if s.decoupled {
            p -= s.learning_rate * s.weight_decay * p;
        } else {
            g += s.weight_decay * p;
        }
        m = s.betas.0 * m + (1.0 - s.betas.0) * g;
        v = s.betas.1 * v + (1.0 - s.betas.1) * g * g;
        let m_hat = m / (1.0 - s.betas.0.powi(t as i32));
        let v_hat = v / (1.0 - s.betas.1.powi(t as i32));
        p -= s.learning_rate * m_hat / (v_hat.sqrt() + s.eps);
    }
    p
}

#[test]
fn fused_adam_is_the_textbook_recurrence() {
    for decoupled in [false, true] {
        let settings =
            AdamStep { learning_rate: 0.05, betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.1, decoupled };
        let p = [tensor_from_slice(&[1.5f64], &[1]).unwrap()];
        let zeros = || [Tensor::zeros([1], (Kind::Double, p[0].device()))];
        let (m, v) = (zeros(), zeros());
        let t = [Tensor::zeros([], (Kind::Float, p[0].device()))];
        for _ in 0..20 {
            let g = [(&p[0] * 2.0 - 1.0).cos()];
            fused_adam(&p, &g, &m, &v, &t, &settings).unwrap();
        }
        let want = adam_by_hand(20, |p| (2.0 * p - 1.0).cos(), &settings);
        let got = p[0].double_value(&[0]);
        assert!((got - want).abs() <= 1e-12, "decoupled {decoupled}: {got} {want}");
        assert_eq!(t[0].double_value(&[]), 20.0);
    }
}

#[test]
fn fused_adam_refuses_lists_that_do_not_fit() {
    let settings =
        AdamStep { learning_rate: 0.1, betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.0, decoupled: true };
    let p = [Tensor::from_slice(&[1f64, 2.0])];
    let one = [Tensor::from_slice(&[1f64])];
    let t = [Tensor::from(0f32)];
    assert!(matches!(
        fused_adam(&p, &one, &p, &p, &t, &settings),
        Err(Error::Shape { argument: "grads", .. })
    ));
    assert!(matches!(
        fused_adam(&p, &p, &p, &p, &[], &settings),
        Err(Error::Shape { argument: "steps", .. })
    ));
    let undefined = [Tensor::new()];
    assert_eq!(
        fused_adam(&p, &undefined, &p, &p, &t, &settings),
        Err(Error::Undefined { argument: "grads" })
    );
    // What libtorch refuses is no step.
    let half = [Tensor::from_slice(&[1f32, 2.0])];
    assert!(fused_adam(&p, &half, &p, &p, &t, &settings).is_err());
    assert_eq!(t[0].double_value(&[]), 0.0);
}

#[test]
fn fused_sgd_is_the_textbook_recurrence() {
    for (nesterov, momentum) in [(false, 0.0), (false, 0.9), (true, 0.9)] {
        let settings = SgdStep { learning_rate: 0.05, momentum, nesterov, weight_decay: 0.1 };
        let slope = |p: f64| (2.0 * p - 1.0).cos();
        let p = [tensor_from_slice(&[1.5f64], &[1]).unwrap()];
        let m = [Tensor::zeros([1], (Kind::Double, p[0].device()))];
        let (mut want, mut kept) = (1.5f64, 0.0);
        for _ in 0..20 {
            fused_sgd(&p, &[(&p[0] * 2.0 - 1.0).cos()], &m, &settings).unwrap();
            let g = slope(want) + 0.1 * want;
            kept = momentum * kept + g;
            want -= 0.05 * if nesterov { g + momentum * kept } else { kept };
        }
        let got = p[0].double_value(&[0]);
        assert!((got - want).abs() <= 1e-12, "nesterov {nesterov}, momentum {momentum}: {got} {want}");
    }
}

#[test]
fn fused_sgd_refuses_lists_that_do_not_fit() {
    let settings = SgdStep { learning_rate: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.0 };
    let p = [Tensor::from_slice(&[1f64, 2.0])];
    let one = [Tensor::from_slice(&[1f64])];
    let refused = fused_sgd(&p, &p, &one, &settings);
    assert!(matches!(refused, Err(Error::Shape { argument: "momenta", .. })), "{refused:?}");
    assert!(matches!(fused_sgd(&p, &[], &p, &settings), Err(Error::Shape { argument: "grads", .. })));
}

const ADAM: AdamStep =
    AdamStep { learning_rate: 0.05, betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.1, decoupled: true };
const SGD: SgdStep = SgdStep { learning_rate: 0.05, momentum: 0.9, nesterov: true, weight_decay: 0.1 };

/// Numbers 0, 1, … of a shape.
fn count(shape: &[i64]) -> Tensor {
    let n: i64 = shape.iter().product();
    Tensor::arange(n, (Kind::Double, Device::Cpu)).view(shape) / 7.0 - 1.0
}

/// The parameter after three steps of each kind.
fn stepped(param: &Tensor, grad: &Tensor) -> [Tensor; 2] {
    let fresh = || [param.copy()];
    let (p, m, v) = (fresh(), [param.zeros_like()], [param.zeros_like()]);
    assert_eq!(p[0].stride(), param.stride());
    let t = [Tensor::zeros([], (Kind::Float, Device::Cpu))];
    let (other, momenta) = (fresh(), [param.zeros_like()]);
    for _ in 0..3 {
        fused_adam(&p, &[grad.shallow_clone()], &m, &v, &t, &ADAM).unwrap();
        fused_sgd(&other, &[grad.shallow_clone()], &momenta, &SGD).unwrap();
    }
    [p, other].map(|[p]| p.contiguous())
}

/// libtorch's kernels walk each tensor's memory: these would read beyond it, or the wrong elements.
#[test]
fn gradients_may_lie_in_memory_in_any_way() {
    let one = Tensor::from_slice(&[0.5f64]);
    let matrix = count(&[3, 4]);
    let images = count(&[2, 3, 4, 5]);
    let cases = [
        (matrix.shallow_clone(), one.expand([3, 4], false)),
        (matrix.shallow_clone(), count(&[4, 3]).sin().tr()),
        (matrix.shallow_clone(), count(&[6, 8]).sin().slice(0, None, None, 2).slice(1, None, None, 2)),
        (channels_last(&images).unwrap(), images.sin()),
        (images.shallow_clone(), channels_last(&images.sin()).unwrap()),
        // Axes of one element may have any stride.
        (count(&[6, 1]), count(&[1, 6]).sin().tr()),
    ];
    for (i, (param, grad)) in cases.iter().enumerate() {
        let want = stepped(&param.contiguous(), &grad.contiguous());
        for (got, want) in stepped(param, grad).iter().zip(&want) {
            assert!(got.equal(want), "case {i}: {got} {want}");
        }
    }
}

#[test]
fn state_that_does_not_lie_as_its_parameter_is_refused_before_any_step() {
    let (p, turned) = (count(&[3, 3]), count(&[3, 3]).tr());
    let t = || [Tensor::from(0f32), Tensor::from(0f32)];
    let two = |a: &Tensor, b: &Tensor| [a.copy(), b.shallow_clone()];
    let refused = |error: Result<(), Error>, name: &str, place: usize| match error {
        Err(Error::Strides { argument, index, .. }) => assert_eq!((argument, index), (name, place)),
        other => panic!("{name}: {other:?}"),
    };
    let (params, like) = (two(&p, &p.copy()), two(&p, &p.copy()));
    let other = two(&p, &turned);
    refused(fused_adam(&params, &like, &other, &like, &t(), &ADAM), "means", 1);
    refused(fused_adam(&params, &like, &like, &other, &t(), &ADAM), "squares", 1);
    refused(fused_sgd(&params, &like, &other, &SGD), "momenta", 1);
    // A parameter with holes, and one that is the same number nine times.
    let holes = count(&[3, 6]).slice(1, None, None, 2);
    let same = Tensor::from_slice(&[1f64]).expand([3, 3], false);
    for bad in [holes, same] {
        refused(fused_adam(&two(&p, &bad), &like, &like, &like, &t(), &ADAM), "params", 1);
        refused(fused_sgd(&two(&p, &bad), &like, &like, &SGD), "params", 1);
    }
    // Wrong in the second place: the first parameter stays, and no step counts.
    let (steps, half) = (t(), two(&p, &p.to_kind(Kind::Float)));
    let kind = |got, argument| Err(Error::Kind { argument, got, want: Kind::Double });
    assert_eq!(fused_adam(&params, &half, &like, &like, &steps, &ADAM), kind(Kind::Float, "grads"));
    assert_eq!(fused_adam(&params, &like, &like, &half, &steps, &ADAM), kind(Kind::Float, "squares"));
    assert_eq!(fused_sgd(&params, &like, &half, &SGD), kind(Kind::Float, "momenta"));
    let wide = [Tensor::from(0f32), Tensor::from(0f64)];
    assert_eq!(
        fused_adam(&params, &like, &like, &like, &wide, &ADAM),
        Err(Error::Kind { argument: "steps", got: Kind::Double, want: Kind::Float })
    );
    let undefined = two(&p, &Tensor::new());
    assert_eq!(
        fused_adam(&undefined, &like, &like, &like, &steps, &ADAM),
        Err(Error::Undefined { argument: "params" })
    );
    assert_eq!(fused_sgd(&undefined, &like, &like, &SGD), Err(Error::Undefined { argument: "params" }));
    assert!(params.iter().all(|q| q.equal(&p)) && steps.iter().all(|t| t.double_value(&[]) == 0.0));
}

#[test]
fn no_parameters_and_empty_ones_are_no_error() {
    fused_adam(&[], &[], &[], &[], &[], &ADAM).unwrap();
    fused_sgd(&[], &[], &[], &SGD).unwrap();
    let one = [Tensor::from_slice(&[1f64])];
    assert!(matches!(fused_sgd(&[], &one, &[], &SGD), Err(Error::Shape { argument: "grads", .. })));
    let empty = || [Tensor::zeros([0, 3], (Kind::Double, Device::Cpu))];
    fused_adam(&empty(), &empty(), &empty(), &empty(), &[Tensor::from(0f32)], &ADAM).unwrap();
    fused_sgd(&empty(), &empty(), &empty(), &SGD).unwrap();
}

/// Each thread updates a share of all parameters, cut where the shares meet.
#[test]
fn every_number_of_threads_updates_every_element_alike() {
    for kind in [Kind::Float, Kind::Double] {
        let sizes = [10_007, 3, 20_000, 0, 1, 4_999];
        let values = |i: usize, n: i64| (Tensor::arange(n, (kind, Device::Cpu)) / 7.0 + i as f64).sin();
        let of = |f: &dyn Fn(&Tensor) -> Tensor| -> Vec<Tensor> {
            sizes.iter().enumerate().map(|(i, &n)| f(&values(i, n))).collect()
        };
        let stepped = |threads: i32| {
            tch::set_num_threads(threads);
            let params = of(&|t| t.copy().set_requires_grad(true));
            let grads = of(&|t| t.cos() * 0.3);
            let [means, squares, momenta] = [(); 3].map(|()| of(&Tensor::zeros_like));
            let steps: Vec<Tensor> = sizes.iter().map(|_| Tensor::from(0f32)).collect();
            for _ in 0..3 {
                fused_adam(&params, &grads, &means, &squares, &steps, &ADAM).unwrap();
                fused_sgd(&params, &grads, &momenta, &SGD).unwrap();
            }
            assert!(steps.iter().all(|s| s.double_value(&[]) == 3.0));
            [params, means, squares, momenta].into_iter().flatten().collect::<Vec<_>>()
        };
        let before = tch::get_num_threads();
        let want = stepped(1);
        for threads in [2, 3, 7] {
            for (i, (got, want)) in stepped(threads).iter().zip(&want).enumerate() {
                assert!(got.equal(want), "{kind:?}, {threads} threads, tensor {i}");
            }
        }
        tch::set_num_threads(before);
    }
}
