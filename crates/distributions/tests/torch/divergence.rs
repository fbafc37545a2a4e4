//! Jensen–Shannon, Fréchet and the bounds on tensors.

use ndarray::{Array1, Array2, ArrayD};
use variata_distributions::torch::{
    effective_sample_size, elbo, frechet_distance, frechet_distance_from_features, iwae_bound,
    iwae_bound_composed, jensen_shannon, jensen_shannon_batch, jensen_shannon_batch_composed,
    jensen_shannon_batch_probabilities, jensen_shannon_composed, jensen_shannon_probabilities,
};
use variata_distributions::{self as native, ArgumentError, Error};
use variata_torch_bridge::tch::{Device, Kind, Tensor};

use crate::support::{array, assert_close, assert_homes_agree, leaf, numbers, value_and_gradients};

fn two(a: &ArrayD<f64>) -> Array2<f64> {
    a.clone().into_dimensionality().unwrap()
}

fn scalar(v: f64) -> ArrayD<f64> {
    ndarray::arr0(v).into_dyn()
}

#[test]
fn jensen_shannon_in_both_homes() {
    let base = numbers(&[1, 5], 1);
    let rows = |h: f64| &base + &(numbers(&[3, 5], 2) * h);
    for logits in [rows(3.0), rows(0.2), rows(40.0)] {
        let want = native::jensen_shannon(&two(&logits), None).unwrap();
        let (routed, composed) = (
            |t: &[Tensor]| jensen_shannon(&t[0], None).unwrap(),
            |t: &[Tensor]| jensen_shannon_composed(&t[0], None).unwrap(),
        );
        assert_homes_agree("JSD", &routed, &composed, &[logits], &scalar(want));
    }
    // Next to equality.
    for e in [4, 10, 20] {
        let logits = rows(2f64.powi(-e));
        let want = native::jensen_shannon(&two(&logits), None).unwrap();
        let got = jensen_shannon_composed(&leaf(&logits), None).unwrap().double_value(&[]);
        assert!((got / want - 1.0).abs() <= 1e-12, "2^-{e}: {got} against {want}");
    }
    let equal = rows(0.0);
    let (value, grads) =
        value_and_gradients(&|t| jensen_shannon_composed(&t[0], None).unwrap(), &[leaf(&equal)]);
    assert_eq!((value, &grads[0]), (scalar(0.0), &ArrayD::zeros(vec![3, 5])));
    // Impossible categories.
    let far = f64::NEG_INFINITY;
    let logits = leaf(&ndarray::arr2(&[[0.0, 1.0, far], [0.0, far, far]]).into_dyn());
    let [routed, composed] =
        [jensen_shannon(&logits, None), jensen_shannon_composed(&logits, None)].map(Result::unwrap);
    assert_close("impossible", &array(&composed), &array(&routed), 1e-14);
    let slopes =
        [&routed, &composed].map(|value| array(&Tensor::run_backward(&[value], &[&logits], true, false)[0]));
    assert_close("impossible, slopes", &slopes[1], &slopes[0], 1e-14);
    let nan = leaf(&ArrayD::from_elem(vec![2, 2], f64::NAN));
    assert!(jensen_shannon(&nan, None).unwrap().double_value(&[]).is_nan());
    for bad in [numbers(&[4], 1), numbers(&[0, 4], 1), numbers(&[2, 2, 2], 1)] {
        assert!(matches!(
            jensen_shannon(&leaf(&bad), None),
            Err(Error::Argument(ArgumentError::Shape { argument: "logits", .. }))
        ));
    }
}

#[test]
fn jensen_shannon_of_a_batch() {
    // Items far apart, near each other, and equal, in one batch: each takes its own branch.
    let mut logits = numbers(&[3, 4, 5], 2);
    for (b, h) in [40.0, 3.0, 1e-4, 0.0].into_iter().enumerate() {
        let mut item = logits.index_axis_mut(ndarray::Axis(1), b);
        item.assign(&(&numbers(&[1, 5], 1) + &(numbers(&[3, 5], 2) * h)));
    }
    let weights = [0.2, 0.5, 0.3];
    let three = logits.clone().into_dimensionality::<ndarray::Ix3>().unwrap();
    for weights in [None, Some(&weights[..])] {
        let array_of = weights.map(|w| Array1::from(w.to_vec()));
        let want = native::jensen_shannon_batch(&three, array_of.as_deref()).unwrap();
        assert_homes_agree(
            "JSD of a batch",
            &|t| jensen_shannon_batch(&t[0], weights).unwrap(),
            &|t| jensen_shannon_batch_composed(&t[0], weights).unwrap(),
            std::slice::from_ref(&logits),
            &want.clone().into_dyn(),
        );
        let composed = array(&jensen_shannon_batch_composed(&leaf(&logits), weights).unwrap());
        for (got, want) in composed.iter().zip(&want) {
            // 1e-9 is what the native kernel states for its middle branch, in which the third item lies.
            assert!((got - want).abs() <= 2e-9 * want, "{got} against {want}");
        }
        assert_eq!(composed[[3]], 0.0);
    }
    let empty = Tensor::zeros([3, 0, 5], (Kind::Double, Device::Cpu));
    assert_eq!(jensen_shannon_batch(&empty, None).unwrap().size(), [0]);
    assert_eq!(jensen_shannon_batch_composed(&empty, None).unwrap().size(), [0]);
    let mut one_nan = logits.clone();
    one_nan[[1, 2, 3]] = f64::NAN;
    let values = array(&jensen_shannon_batch(&leaf(&one_nan), None).unwrap());
    assert!(values[[2]].is_nan() && values[[1]] > 0.0);
    for bad in [numbers(&[2, 3], 1), numbers(&[0, 2, 4], 1), numbers(&[2, 2, 0], 1)] {
        assert!(matches!(
            jensen_shannon_batch(&leaf(&bad), None),
            Err(Error::Argument(ArgumentError::Shape { argument: "logits", .. }))
        ));
    }
}

#[test]
fn jensen_shannon_with_weights_and_of_probabilities() {
    let weights = [0.2, 0.5, 0.3];
    let array_of = |w: &[f64]| Array1::from(w.to_vec());
    for scale in [3.0, 0.1, 1e-5] {
        let logits = &numbers(&[1, 5], 1) + &(numbers(&[3, 5], 2) * scale);
        let want = native::jensen_shannon(&two(&logits), Some(&array_of(&weights))).unwrap();
        assert_homes_agree(
            "weighted",
            &|t| jensen_shannon(&t[0], Some(&weights)).unwrap(),
            &|t| jensen_shannon_composed(&t[0], Some(&weights)).unwrap(),
            std::slice::from_ref(&logits),
            &scalar(want),
        );
        let composed = jensen_shannon_composed(&leaf(&logits), Some(&weights)).unwrap().double_value(&[]);
        assert!((composed / want - 1.0).abs() <= 1e-11, "{composed} against {want}");
        let p = leaf(&logits).softmax(-1, Kind::Double).detach();
        let want = native::jensen_shannon_probabilities(&two(&array(&p)), Some(&array_of(&weights))).unwrap();
        let got = jensen_shannon_probabilities(&p, Some(&weights)).unwrap().double_value(&[]);
        // Rows of probabilities are rounded one by one: the error is of the size u·r of each ratio.
        assert!((got - want).abs() <= 1e-14 * scale.max(got.sqrt()), "{got} against {want}");
    }
    let eye = Tensor::eye(3, (Kind::Double, Device::Cpu));
    let disjoint = jensen_shannon_probabilities(&eye, None).unwrap().double_value(&[]);
    assert!((disjoint - 3f64.ln()).abs() <= 1e-15);
    let logits = leaf(&numbers(&[3, 5], 1));
    let bad: [&[f64]; 4] = [&[0.5, 0.5], &[0.5, 0.5, 0.5], &[1.0, 1.0, -1.0], &[f64::NAN, 0.5, 0.5]];
    for bad in bad {
        assert!(
            jensen_shannon(&logits, Some(bad)).is_err()
                && jensen_shannon_probabilities(&logits, Some(bad)).is_err()
        );
    }
}

#[test]
fn probabilities_with_unequal_weights_and_in_batches() {
    // −(1 − w) log(1 − w) − w log w by mpmath at 80 digits.
    let eye = Tensor::eye(2, (Kind::Double, Device::Cpu));
    for (w, want) in [
        (1e-6, 0.000014815510057964106812),
        (1e-12, 2.8631021115928047652e-11),
        (1e-18, 4.2446531673892825277e-17),
    ] {
        let got = jensen_shannon_probabilities(&eye, Some(&[1.0 - w, w])).unwrap().double_value(&[]);
        assert!((got - want).abs() <= 1e-14 * want, "{got} against {want}");
    }
    let p = leaf(&numbers(&[3, 4, 5], 2)).softmax(-1, Kind::Double).detach().set_requires_grad(true);
    let weights = [0.2, 0.5, 0.3];
    let batch = jensen_shannon_batch_probabilities(&p, Some(&weights)).unwrap();
    let three = array(&p).into_dimensionality::<ndarray::Ix3>().unwrap();
    let want =
        native::jensen_shannon_batch_probabilities(&three, Some(&Array1::from(weights.to_vec()))).unwrap();
    assert_close("batch", &array(&batch), &want.into_dyn(), 1e-14);
    let found = Tensor::run_backward(&[batch.sum(Kind::Double)], &[&p], false, false);
    let items: Vec<Tensor> =
        (0..4).map(|b| jensen_shannon_probabilities(&p.select(1, b), Some(&weights)).unwrap()).collect();
    let again = Tensor::run_backward(&[Tensor::stack(&items, 0).sum(Kind::Double)], &[&p], false, false);
    assert_close("∂p", &array(&found[0]), &array(&again[0]), 1e-15);
    assert!(matches!(
        jensen_shannon_batch_probabilities(&leaf(&numbers(&[3, 4], 1)), None),
        Err(Error::Argument(ArgumentError::Shape { argument: "probabilities", .. }))
    ));
}

#[test]
fn frechet_of_moments_and_features() {
    // Sinusoids alone would span two dimensions.
    let bent = |a: ArrayD<f64>| a.mapv(|v| v + v * v * v);
    let (p, q) = (bent(numbers(&[9, 3], 1)), bent(numbers(&[8, 3], 2)));
    let want = native::frechet_distance_from_features(&two(&p), &two(&q)).unwrap();
    let f = |t: &[Tensor]| frechet_distance_from_features(&t[0], &t[1]).unwrap();
    let leaves = [leaf(&p), leaf(&q)];
    let (value, grads) = value_and_gradients(&f, &leaves);
    assert_close("features", &value, &scalar(want), 1e-13);
    // Central differences in every feature: h² of the curvature and rounding of 1e-16/h.
    for (which, grad) in grads.iter().enumerate() {
        for (at, found) in grad.indexed_iter() {
            let shifted = |h: f64| {
                let mut moved = [p.clone(), q.clone()];
                moved[which][&at] += h;
                native::frechet_distance_from_features(&two(&moved[0]), &two(&moved[1])).unwrap()
            };
            let slope = (shifted(1e-5) - shifted(-1e-5)) / 2e-5 * 0.5; // The weight of the one value is 0.5.
            assert!((found - slope).abs() <= 1e-8, "{which} {at:?}: {found} against {slope}");
        }
    }
    let (mean, square) = (Array1::from(vec![0.5, -1.0]), ndarray::arr2(&[[2.0, 0.3], [0.3, 1.0]]));
    let eye = Array2::eye(2);
    let (want, grad) = native::frechet_distance_with_grad(&mean, &square, &Array1::zeros(2), &eye).unwrap();
    let leaves =
        [mean.into_dyn(), square.into_dyn(), Array1::zeros(2).into_dyn(), eye.into_dyn()].map(|a| leaf(&a));
    let (value, grads) =
        value_and_gradients(&|t| frechet_distance(&t[0], &t[1], &t[2], &t[3]).unwrap(), &leaves);
    assert_eq!(value, scalar(want));
    let all = [
        grad.mean_p.into_dyn(),
        grad.covariance_p.into_dyn(),
        grad.mean_q.into_dyn(),
        grad.covariance_q.into_dyn(),
    ];
    for (got, want) in grads.iter().zip(all) {
        assert_close("moments", got, &(want * 0.5), 1e-15);
    }
    let single = leaves.each_ref().map(|t| t.detach().to_kind(Kind::Float).set_requires_grad(true));
    let value = frechet_distance(&single[0], &single[1], &single[2], &single[3]).unwrap();
    value.backward();
    assert_eq!(single[1].grad().kind(), Kind::Float);
    assert!((value.double_value(&[]) - want).abs() <= 1e-6 * want);
    // Singular covariances have a distance and no derivative.
    let (zero, one) =
        (Tensor::zeros([2], (Kind::Double, Device::Cpu)), leaf(&Array2::ones((2, 2)).into_dyn()));
    assert!(frechet_distance(&zero, &one.detach(), &zero, &one.detach()).is_ok());
    assert!(matches!(frechet_distance(&zero, &one, &zero, &one), Err(Error::NotPositiveDefinite { .. })));
    let wrong = frechet_distance(&zero, &leaf(&numbers(&[3, 3], 1)), &zero, &one);
    assert!(matches!(wrong, Err(Error::Argument(ArgumentError::Shape { argument: "covariance_p", .. }))));
    assert!(
        frechet_distance_from_features(&leaf(&numbers(&[1, 2], 1)), &leaf(&numbers(&[4, 2], 1))).is_err()
    );
    assert!(
        frechet_distance_from_features(&leaf(&numbers(&[4, 3], 1)), &leaf(&numbers(&[4, 2], 1))).is_err()
    );
    assert!(frechet_distance_from_features(&Tensor::from(1f64), &Tensor::from(1f64)).is_err());
    let (small, large) = (leaf(&numbers(&[4, 2], 1)), leaf(&(numbers(&[4, 2], 1) * 1e200)));
    for (p, q, name) in [(&large, &small, "p"), (&small, &large, "q")] {
        let error = frechet_distance_from_features(p, q).unwrap_err();
        let named =
            matches!(&error, Error::Argument(ArgumentError::Value { argument, .. }) if *argument == name);
        assert!(named, "{error}");
    }
}

#[test]
fn bounds() {
    let weights = numbers(&[4, 6], 1) * 30.0;
    let want = native::iwae_bound(&two(&weights)).unwrap().into_dyn();
    let (routed, composed) =
        (|t: &[Tensor]| iwae_bound(&t[0]).unwrap(), |t: &[Tensor]| iwae_bound_composed(&t[0]).unwrap());
    assert_homes_agree("bound", &routed, &composed, std::slice::from_ref(&weights), &want);
    let size = native::effective_sample_size(&two(&weights)).unwrap().into_dyn();
    assert_close("size", &array(&effective_sample_size(&leaf(&weights)).unwrap()), &size, 1e-13);
    // A row of −∞ has the limit of equal weights.
    let none = leaf(&ArrayD::from_elem(vec![1, 4], f64::NEG_INFINITY));
    let bound = iwae_bound(&none).unwrap();
    let found = Tensor::run_backward(&[bound.sum(Kind::Double)], &[&none], false, false);
    assert_eq!(
        (array(&bound)[[0]], array(&found[0])),
        (f64::NEG_INFINITY, ArrayD::from_elem(vec![1, 4], 0.25))
    );
    // Infinite weights beside others, as the native forms have them; gradients too.
    let inf = f64::INFINITY;
    let rows = ndarray::arr2(&[[-inf, -inf, -inf], [inf, 0.0, inf], [inf, -inf, 1.0], [0.0, -inf, 0.5]]);
    let (want, slopes) = native::iwae_bound_with_grad(&rows).unwrap();
    let size = native::effective_sample_size(&rows).unwrap().into_dyn();
    let leaves = leaf(&rows.clone().into_dyn());
    assert_close("size", &array(&effective_sample_size(&leaves).unwrap()), &size, 1e-15);
    let bound = iwae_bound_composed(&leaves).unwrap();
    assert_close("bound", &array(&bound), &want.into_dyn(), 1e-15);
    let found = Tensor::run_backward(&[bound.sum(Kind::Double)], &[&leaves], false, false);
    assert_close("∂bound", &array(&found[0]), &slopes.into_dyn(), 1e-15);
    for f in [iwae_bound, iwae_bound_composed, effective_sample_size] {
        let row = Tensor::from_slice(&[f64::NAN, inf]).view([1, 2]);
        assert!(f(&row).unwrap().double_value(&[0]).is_nan());
    }
    for bad in [numbers(&[4], 1), numbers(&[4, 0], 1)] {
        assert!(iwae_bound(&leaf(&bad)).is_err() && effective_sample_size(&leaf(&bad)).is_err());
    }
    let (reconstruction, kl) = (numbers(&[3], 1), numbers(&[3], 2).mapv(f64::abs));
    let want = native::elbo(
        &reconstruction.clone().into_dimensionality().unwrap(),
        &kl.clone().into_dimensionality().unwrap(),
        2.0,
    );
    let got = elbo(&leaf(&reconstruction), &leaf(&kl), 2.0).unwrap();
    assert_close("elbo", &array(&got), &want.unwrap().into_dyn(), 1e-15);
    let off = elbo(&leaf(&reconstruction), &leaf(&ArrayD::from_elem(vec![3], f64::INFINITY)), 0.0).unwrap();
    assert_eq!(array(&off), reconstruction);
    assert!(elbo(&leaf(&reconstruction), &leaf(&kl), -1.0).is_err());
    assert!(elbo(&leaf(&reconstruction), &leaf(&numbers(&[2], 1)), 1.0).is_err());
}
