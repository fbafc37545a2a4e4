//! Marginals and conditioning on tensors.

use ndarray::{ArrayD, Ix2};
use variata_torch_bridge::tch::{Kind, Tensor};

use crate::support::{array, assert_close, distribution, leaf, numbers, parameters, value_and_gradients};

fn plain(a: &ArrayD<f64>) -> Tensor {
    leaf(a, Kind::Double).detach()
}

#[test]
fn conditioning_agrees_with_the_native_posterior() {
    let (batch, n, r) = (2, 9, 3);
    for (inputs, count) in parameters(batch, n, r, 3).into_iter().zip([1usize, 4, 9]) {
        let p = distribution(&inputs.map(|a| plain(&a)));
        let order = [4usize, 0, 7, 2, 8, 1, 3, 5, 6];
        let indices = &order[..count];
        let values = numbers(&[batch, count], 5);
        let tensor: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
        let found = p.condition(&Tensor::from_slice(&tensor), &plain(&values)).unwrap();
        let values = values.into_dimensionality::<Ix2>().unwrap();
        p.lend::<f64, _>(|native| {
            let posterior = native.condition(indices, &values).unwrap();
            assert_close("mean", &found.mean, &plain(&posterior.mean().into_dyn()), 1e-12);
            for item in 0..batch {
                let (rest, want) = posterior.rest(item).unwrap();
                let got: Vec<i64> = Vec::try_from(&found.rest_indices).unwrap();
                assert_eq!(got, rest.iter().map(|&i| i as i64).collect::<Vec<_>>());
                let covariance = found.rest.covariance_matrix().narrow(0, item as i64, 1);
                assert_close("rest", &covariance, &plain(&want.covariance_matrix().into_dyn()), 1e-12);
            }
        })
        .unwrap();
    }
}

/// log p(x) = log p(x₂) + log p(x₁ | x₂), and its gradients.
#[test]
fn the_chain_rule_holds() {
    let (batch, n, r) = (2, 8, 3);
    let indices = Tensor::from_slice(&[6i64, 1, 3]);
    for inputs in parameters(batch, n, r, 3) {
        let mut inputs = Vec::from(inputs);
        inputs.push(numbers(&[batch, n], 9));
        let leaves: Vec<Tensor> = inputs.iter().map(|a| leaf(a, Kind::Double)).collect();
        let joint = |t: &[Tensor]| distribution(t).log_prob(&t[3]).unwrap();
        let split = |t: &[Tensor]| {
            let p = distribution(t);
            let values = t[3].index_select(1, &indices);
            let found = p.condition(&indices, &values).unwrap();
            let rest = t[3].index_select(1, &found.rest_indices);
            p.marginal(&indices).unwrap().log_prob(&values).unwrap() + found.rest.log_prob(&rest).unwrap()
        };
        let (want, want_grads) = value_and_gradients(&joint, &leaves);
        let (got, grads) = value_and_gradients(&split, &leaves);
        assert_close("chain rule", &got, &want, 1e-11);
        for (got, want) in grads.iter().zip(&want_grads) {
            assert_close("chain rule, gradient", got, want, 1e-10);
        }
    }
}

#[test]
fn indices_are_checked() {
    let p = distribution(&parameters(1, 4, 2, 3).remove(0).map(|a| plain(&a)));
    let values = Tensor::from_slice(&[1.0, 2.0]).view([1, 2]);
    let names = |indices: &Tensor, part: &str| {
        for error in [
            p.marginal(indices).map(|_| ()).unwrap_err(),
            p.condition(indices, &values).map(|_| ()).unwrap_err(),
        ] {
            assert!(error.to_string().contains(part), "{error} without {part}");
        }
    };
    names(&Tensor::from_slice(&[0i64, 4]), "[1]` is 4");
    names(&Tensor::from_slice(&[-1i64, 2]), "[0]` is -1");
    names(&Tensor::from_slice(&[2i64, 2]), "given once");
    names(&Tensor::from_slice(&[2f64, 1.0]), "Int64");
    names(&Tensor::from_slice(&[2i64, 1]).view([1, 2]), "[count]");
    names(&Tensor::new(), "undefined");
    let three = Tensor::from_slice(&[0i64, 1, 2]);
    assert!(p.condition(&three, &values).unwrap_err().to_string().contains("values"));
    let none = p.condition(&Tensor::from_slice(&[] as &[i64]), &values.narrow(1, 0, 0)).unwrap();
    assert_eq!(array(&none.mean), array(p.loc()));
}
