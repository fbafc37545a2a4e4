//! Densities and samples of the batched Gaussians.

use ndarray::{Array2, Array3, ArrayD};
use variata_distributions::torch::{DiagonalNormal, MultivariateNormal};
use variata_distributions::{self as native, ArgumentError, Error, SpreadKind};
use variata_torch_bridge::tch::{Device, Kind, Tensor};

use crate::support::{
    array, assert_close, assert_homes_agree, factor, leaf, numbers, positive, value_and_gradients,
};

fn two(a: &ArrayD<f64>) -> Array2<f64> {
    a.clone().into_dimensionality().unwrap()
}

fn three(a: &ArrayD<f64>) -> Array3<f64> {
    a.clone().into_dimensionality().unwrap()
}

/// The weights of `value_and_gradients`, over the rows.
fn weighted<D: ndarray::Dimension>(grad: &ndarray::Array<f64, D>) -> ArrayD<f64> {
    let mut grad = grad.clone().into_dyn();
    for (i, mut row) in grad.outer_iter_mut().enumerate() {
        row *= i as f64 * 0.25 + 0.5;
    }
    grad
}

#[test]
fn diagonal() {
    let (x, loc, noise) = (numbers(&[4, 6], 1), numbers(&[4, 6], 2), numbers(&[4, 6], 3));
    for (kind, spread) in
        [(SpreadKind::Scale, positive(&[4, 6], 4)), (SpreadKind::LogVariance, numbers(&[4, 6], 4))]
    {
        let ours = match kind {
            SpreadKind::Scale => native::DiagonalNormal::new(two(&loc), two(&spread)),
            SpreadKind::LogVariance => native::DiagonalNormal::from_log_variance(two(&loc), two(&spread)),
        }
        .unwrap();
        let make = |loc: &Tensor, spread: &Tensor| {
            let (loc, spread) = (loc.shallow_clone(), spread.shallow_clone());
            match kind {
                SpreadKind::Scale => DiagonalNormal::new(loc, spread),
                SpreadKind::LogVariance => DiagonalNormal::from_log_variance(loc, spread),
            }
            .unwrap()
        };
        let leaves = [leaf(&x), leaf(&loc), leaf(&spread)];
        let want = ours.log_prob(&two(&x)).unwrap().into_dyn();
        assert_homes_agree(
            "log_prob",
            &|t| make(&t[1], &t[2]).log_prob(&t[0]).unwrap(),
            &|t| make(&t[1], &t[2]).log_prob_composed(&t[0]).unwrap(),
            &[x.clone(), loc.clone(), spread.clone()],
            &want,
        );
        let p = make(&leaves[1], &leaves[2]);
        assert_eq!((p.batch(), p.dim(), p.spread_kind()), (4, 6, kind));
        assert_close("entropy", &array(&p.entropy()), &ours.entropy().into_dyn(), 1e-14);
        assert_close("variance", &array(&p.variance()), &ours.variance().into_dyn(), 1e-14);
        assert_close("scale", &array(&p.scale()), &ours.scale().into_dyn(), 1e-14);
        assert_eq!(array(&p.mean()), loc);
        let (want, grad) = ours.rsample_with_grad(&two(&noise)).unwrap();
        let z = p.rsample(&leaf(&noise)).unwrap();
        assert_close("rsample", &array(&z), &want.into_dyn(), 1e-14);
        let found = Tensor::run_backward(&[z.sum(Kind::Double)], &[&leaves[1], &leaves[2]], false, false);
        assert_close("∂loc", &array(&found[0]), &grad.loc.into_dyn(), 1e-15);
        assert_close("∂spread", &array(&found[1]), &grad.spread.into_dyn(), 1e-14);
        variata_torch_bridge::tch::manual_seed(2);
        let draws: Vec<Tensor> = (0..4000).map(|_| p.sample()).collect();
        let z = (Tensor::stack(&draws, 0).mean_dim(Some([0i64].as_slice()), false, Kind::Double) - p.loc())
            / p.scale()
            * 4000f64.sqrt();
        // 24 means at |z| ≤ 5.5: a false alarm once in 10⁶.
        assert!(array(&z).iter().all(|z| z.abs() <= 5.5) && !draws[0].requires_grad());
    }
    let (p, ours) = (
        DiagonalNormal::new(leaf(&loc), leaf(&positive(&[4, 6], 1))).unwrap(),
        native::DiagonalNormal::new(two(&loc), two(&positive(&[4, 6], 1))).unwrap(),
    );
    let want = ours.mahalanobis(&two(&x)).unwrap().into_dyn();
    assert_close("mahalanobis", &array(&p.mahalanobis(&leaf(&x)).unwrap()), &want, 1e-14);
    let wrong = leaf(&numbers(&[4, 5], 1));
    for (result, name) in [(p.log_prob(&wrong), "x"), (p.rsample(&wrong), "noise")] {
        assert!(
            matches!(&result, Err(Error::Argument(ArgumentError::Shape { argument, .. })) if *argument == name),
            "{result:?}"
        );
    }
    assert!(DiagonalNormal::new(leaf(&loc), wrong).is_err());
    assert!(DiagonalNormal::new(leaf(&numbers(&[4], 1)), leaf(&numbers(&[4], 1))).is_err());
    assert!(DiagonalNormal::new(Tensor::new(), leaf(&loc)).is_err());
}

#[test]
fn log_variances_whose_exponentials_are_no_numbers() {
    let one = |v: f64| leaf(&ndarray::arr2(&[[v]]).into_dyn());
    for s in [-800.0, -2000.0] {
        let (x, loc, spread) = (one(1.5), one(1.5), one(s));
        let p = DiagonalNormal::from_log_variance(loc.shallow_clone(), spread.shallow_clone()).unwrap();
        let ours = native::DiagonalNormal::from_log_variance(ndarray::arr2(&[[1.5]]), ndarray::arr2(&[[s]]))
            .unwrap();
        let want = ours.log_prob(&ndarray::arr2(&[[1.5]])).unwrap()[0];
        for value in [p.log_prob(&x).unwrap(), p.log_prob_composed(&x).unwrap()] {
            assert!((value.double_value(&[0]) - want).abs() <= 1e-15 * want, "{s}: {value} {want}");
            let found = Tensor::run_backward(&[value.sum(Kind::Double)], &[&x, &loc, &spread], false, false);
            let found: Vec<f64> = found.iter().map(|t| t.double_value(&[0, 0])).collect();
            assert_eq!(found, [0.0, 0.0, -0.5], "{s}");
        }
        assert_eq!(p.mahalanobis(&x).unwrap().double_value(&[0]), 0.0);
    }
}

#[test]
fn dense() {
    let (batch, n) = (3, 4);
    let (x, loc, noise) = (numbers(&[batch, n], 1), numbers(&[batch, n], 2), numbers(&[batch, n], 3));
    let factor = three(&factor(batch, n, 4));
    let ours = native::MultivariateNormal::new(two(&loc), &factor).unwrap();
    let make = |loc: &Tensor, l: &Tensor| MultivariateNormal::new(loc.shallow_clone(), l).unwrap();
    let leaves = [leaf(&x), leaf(&loc), leaf(&factor.clone().into_dyn())];
    let (want, grad) = ours.log_prob_with_grad(&two(&x)).unwrap();
    let (value, grads) = value_and_gradients(&|t| make(&t[1], &t[2]).log_prob(&t[0]).unwrap(), &leaves);
    assert_close("log_prob", &value, &want.into_dyn(), 1e-13);
    assert_close("∂x", &grads[0], &weighted(&grad.x), 1e-12);
    assert_close("∂loc", &grads[1], &weighted(&grad.loc), 1e-12);
    assert_close("∂scale_tril", &grads[2], &weighted(&grad.scale_tril), 1e-11);
    let p = make(&leaves[1], &leaves[2]);
    for (name, got, want) in [
        ("mahalanobis", p.mahalanobis(&leaves[0]).unwrap(), ours.mahalanobis(&two(&x)).unwrap().into_dyn()),
        ("entropy", p.entropy(), ours.entropy().into_dyn()),
        ("variance", p.variance(), ours.variance().into_dyn()),
        ("covariance", p.covariance_matrix(), ours.covariance_matrix().into_dyn()),
        ("precision", p.precision_matrix().unwrap(), ours.precision_matrix().into_dyn()),
        ("rsample", p.rsample(&leaf(&noise)).unwrap(), ours.rsample(&two(&noise)).unwrap().into_dyn()),
    ] {
        assert_close(name, &array(&got), &want, 1e-12);
    }
    let cotangent = numbers(&[batch, n], 7);
    let pulled = ours.rsample_backward(&two(&noise), &two(&cotangent)).unwrap();
    let loss = (p.rsample(&leaf(&noise)).unwrap() * leaf(&cotangent).detach()).sum(Kind::Double);
    let found = Tensor::run_backward(&[loss], &[&leaves[1], &leaves[2]], false, false);
    assert_close("∂loc of a sample", &array(&found[0]), &pulled.loc.into_dyn(), 1e-14);
    assert_close("∂scale_tril of a sample", &array(&found[1]), &pulled.scale_tril.into_dyn(), 1e-14);

    let covariance = p.covariance_matrix().detach();
    let again = MultivariateNormal::from_covariance(leaf(&loc), &covariance).unwrap();
    assert_close("from covariance", &array(again.scale_tril()), &factor.clone().into_dyn(), 1e-12);
    let precision = p.precision_matrix().unwrap().detach();
    let again = MultivariateNormal::from_precision(leaf(&loc), &precision).unwrap();
    assert_close("from precision", &array(again.scale_tril()), &factor.into_dyn(), 1e-11);
    // Both read the lower triangle.
    let nonsense = covariance.ones_like().triu(1) * 9.0;
    for (what, full) in [("covariance", &covariance), ("precision", &precision)] {
        let make = |m: &Tensor| match what {
            "covariance" => MultivariateNormal::from_covariance(leaf(&loc), m).unwrap(),
            _ => MultivariateNormal::from_precision(leaf(&loc), m).unwrap(),
        };
        assert_eq!(
            array(make(&(full.tril(0) + &nonsense)).scale_tril()),
            array(make(full).scale_tril()),
            "{what}"
        );
    }
    let eye = leaf(&ndarray::arr3(&[[[1.0, 0.0], [0.0, -1.0]]]).into_dyn());
    let error = MultivariateNormal::from_precision(leaf(&numbers(&[1, 2], 1)), &eye).unwrap_err();
    assert!(matches!(error, Error::NotPositiveDefinite { argument: "precision", pivot: 1, .. }), "{error}");
    let mut broken = array(&covariance);
    broken[[1, 2, 2]] = -1.0;
    let error = MultivariateNormal::from_covariance(leaf(&loc), &leaf(&broken)).unwrap_err();
    assert!(
        matches!(error, Error::NotPositiveDefinite { argument: "covariance", batch: 1, pivot: 2, .. }),
        "{error}"
    );
    assert!(MultivariateNormal::new(leaf(&loc), &leaf(&numbers(&[batch, n, 3], 1))).is_err());
    assert!(p.log_prob(&leaf(&numbers(&[batch, 3], 1))).is_err());

    variata_torch_bridge::tch::manual_seed(2);
    let draws: Vec<Tensor> = (0..4000).map(|_| p.sample().unwrap()).collect();
    let mean = Tensor::stack(&draws, 0).mean_dim(Some([0i64].as_slice()), false, Kind::Double);
    let z = (mean - p.loc()) / p.variance().sqrt() * 4000f64.sqrt();
    // Twelve means at |z| ≤ 5.5: a false alarm once in 2·10⁶.
    assert!(array(&z).iter().all(|z| z.abs() <= 5.5));
    let single = MultivariateNormal::new(
        Tensor::zeros([1, 2], (Kind::Float, Device::Cpu)),
        &Tensor::eye(2, (Kind::Float, Device::Cpu)).unsqueeze(0),
    );
    assert_eq!(single.unwrap().sample().unwrap().kind(), Kind::Float);
}
