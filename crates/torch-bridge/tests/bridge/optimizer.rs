//! The fused updates against their recurrences.

use variata_torch_bridge::tch::{Kind, Tensor};
use variata_torch_bridge::{AdamStep, Error, SgdStep, fused_adam, fused_sgd, tensor_from_slice};

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
