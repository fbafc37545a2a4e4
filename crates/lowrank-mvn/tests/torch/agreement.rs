//! Both homes give the same values and gradients.

use ndarray::{ArrayD, Ix1, Ix2, Ix3};
use variata_distributions::torch::{DiagonalNormal, KlDivergence, MultivariateNormal};
use variata_distributions::{KlDivergence as _, StandardMultivariateNormal};
use variata_lowrank_mvn::torch::LowRankMvn;
use variata_torch_bridge::tch::{Device, Kind, Tensor};

use crate::support::{
    array, assert_close, distribution, leaf, numbers, parameters, positive, value_and_gradients,
};

type Form<'f> = &'f dyn Fn(&[Tensor]) -> Tensor;

/// Values and gradients of both forms: contiguous, with the factor's axes swapped in memory, and in f32.
fn agree(name: &str, routed: Form<'_>, composed: Form<'_>, inputs: &[ArrayD<f64>], tolerance: f64) {
    let leaves = |kind| inputs.iter().map(|a| leaf(a, kind)).collect::<Vec<_>>();
    let (want, slopes) = value_and_gradients(composed, &leaves(Kind::Double));
    let turned: Vec<Tensor> = leaves(Kind::Double)
        .iter()
        .map(|t| match t.dim() {
            3 => t.transpose(1, 2).contiguous().detach().transpose(1, 2).set_requires_grad(true),
            _ => t.shallow_clone(),
        })
        .collect();
    for (layout, leaves) in [("rows", leaves(Kind::Double)), ("columns", turned)] {
        let name = format!("{name}, {layout}");
        let (got, grads) = value_and_gradients(routed, &leaves);
        assert_close(&name, &got, &want, tolerance);
        for (i, (got, want)) in grads.iter().zip(&slopes).enumerate() {
            assert_close(&format!("{name}, gradient {i}"), got, want, 10.0 * tolerance);
        }
    }
    let (got, grads) = value_and_gradients(routed, &leaves(Kind::Float));
    assert_close(&format!("{name}, f32"), &got, &want, 2e-5);
    for (got, want) in grads.iter().zip(&slopes) {
        assert_close(&format!("{name}, gradient, f32"), got, want, 2e-4);
    }
}

#[test]
fn densities_agree() {
    for (batch, n, r) in [(2, 7, 3), (1, 1, 0), (3, 5, 0), (2, 40, 5), (2, 3, 4), (1, 300, 9)] {
        for mut inputs in parameters(batch, n, r, 3).into_iter().map(Vec::from) {
            inputs.push(numbers(&[batch, n], 9));
            agree(
                "log_prob",
                &|t| distribution(t).log_prob(&t[3]).unwrap(),
                &|t| distribution(t).log_prob_composed(&t[3]).unwrap(),
                &inputs,
                1e-11,
            );
            agree(
                "mahalanobis",
                &|t| distribution(t).mahalanobis(&t[3]).unwrap(),
                &|t| distribution(t).mahalanobis_composed(&t[3]).unwrap(),
                &inputs,
                1e-11,
            );
            agree(
                "both",
                &|t| {
                    let (a, b) = distribution(t).log_prob_and_entropy(&t[3]).unwrap();
                    a * 0.5 + b
                },
                &|t| {
                    let p = distribution(t);
                    p.log_prob_composed(&t[3]).unwrap() * 0.5 + p.entropy_composed().unwrap()
                },
                &inputs,
                1e-11,
            );
            inputs.truncate(3);
            agree(
                "log_det",
                &|t| distribution(t).log_det().unwrap() + t[0].sum(Kind::Double) * 0.0,
                &|t| {
                    let entropy = distribution(t).entropy_composed().unwrap();
                    let constant = n as f64 * (2.0 * std::f64::consts::PI * std::f64::consts::E).ln();
                    entropy * 2.0 - constant + t[0].sum(Kind::Double) * 0.0
                },
                &inputs,
                1e-11,
            );
        }
    }
}

/// The textbook's form in f32 has no right digit there; the composed form in f64 keeps its own, with collinear columns too.
/// Gradients contain z, for which the condition number κ of [D^-½P; I] bounds what any method keeps: κ²·2⁻⁵³ where columns are
/// collinear.
#[test]
fn the_composed_form_keeps_its_digits() {
    let (batch, n, r) = (2, 400, 6);
    for (epsilon, collinear) in
        [1e4, 1.0, 1e-4, 1e-8, 1e-12].into_iter().flat_map(|e| [(e, false), (e, true)])
    {
        let mut factor = numbers(&[batch, n, r], 2);
        for (b, i) in (0..batch * n).map(|at| (at / n, at % n)).filter(|_| collinear) {
            factor[[b, i, 4]] = 2.0 * factor[[b, i, 1]];
            factor[[b, i, 5]] = 0.0;
        }
        let squared_condition = 1.0 + factor.iter().map(|v| v * v).sum::<f64>() / epsilon;
        let loss = if collinear { squared_condition } else { 1.0 };
        let inputs =
            [numbers(&[batch, n], 1), factor, ArrayD::from_elem(vec![], epsilon), numbers(&[batch, n], 5)]
                .map(|a| leaf(&a, Kind::Double));
        let routed = |t: &[Tensor]| distribution(t).log_prob(&t[3]).unwrap();
        let composed = |t: &[Tensor]| distribution(t).log_prob_composed(&t[3]).unwrap();
        let (want, want_grads) = value_and_gradients(&routed, &inputs);
        let (got, grads) = value_and_gradients(&composed, &inputs);
        assert_close(&format!("{epsilon}"), &got, &want, 1e-11);
        for (i, (got, want)) in grads.iter().zip(&want_grads).enumerate() {
            let (size, gap) = (want.norm().double_value(&[]), (got - want).norm().double_value(&[]));
            let bound = (1e-11 + f64::EPSILON * loss) * size;
            assert!(gap <= bound, "{epsilon}, {collinear}, gradient {i}: {gap} of {size}");
        }
    }
}

#[test]
fn divergences_agree() {
    for (batch, n, r, s) in [(2, 7, 3, 2), (1, 30, 4, 4), (2, 6, 0, 3), (1, 5, 2, 0)] {
        for (p, q) in parameters(batch, n, r, 3).into_iter().zip(parameters(batch, n, s, 13)) {
            let inputs: Vec<ArrayD<f64>> = p.into_iter().chain(q).collect();
            agree(
                "kl",
                &|t| distribution(t).kl(&distribution(&t[3..])).unwrap(),
                &|t| distribution(t).kl_composed(&distribution(&t[3..])).unwrap(),
                &inputs,
                1e-11,
            );
        }
    }
    let (batch, n, r) = (2, 6, 2);
    let [loc, factor, diag] = parameters(batch, n, r, 3).remove(2);
    let own = [loc.clone(), factor.clone(), diag.clone()];
    agree(
        "standard",
        &|t| distribution(t).kl(&StandardMultivariateNormal).unwrap(),
        &|t| distribution(t).kl_composed(&StandardMultivariateNormal).unwrap(),
        &own,
        1e-11,
    );
    let inputs = [loc, factor, diag, numbers(&[batch, n], 7), positive(&[batch, n], 8)];
    let scaled = |t: &[Tensor]| DiagonalNormal::new(t[3].shallow_clone(), t[4].shallow_clone()).unwrap();
    let logs =
        |t: &[Tensor]| DiagonalNormal::from_log_variance(t[3].shallow_clone(), t[4].shallow_clone()).unwrap();
    let dense = |t: &[Tensor]| {
        let tril = t[4].diag_embed(0, -2, -1) + 0.1;
        MultivariateNormal::new(t[3].shallow_clone(), &tril).unwrap()
    };
    agree(
        "to diagonal",
        &|t| distribution(t).kl(&scaled(t)).unwrap(),
        &|t| distribution(t).kl_composed(&scaled(t)).unwrap(),
        &inputs,
        1e-11,
    );
    agree(
        "from diagonal",
        &|t| logs(t).kl(&distribution(t)).unwrap(),
        &|t| logs(t).kl_composed(&distribution(t)).unwrap(),
        &inputs,
        1e-11,
    );
    agree(
        "to dense",
        &|t| distribution(t).kl(&dense(t)).unwrap(),
        &|t| distribution(t).kl_composed(&dense(t)).unwrap(),
        &inputs,
        1e-10,
    );
    agree(
        "from dense",
        &|t| dense(t).kl(&distribution(t)).unwrap(),
        &|t| dense(t).kl_composed(&distribution(t)).unwrap(),
        &inputs,
        1e-10,
    );
}

#[test]
fn near_divergences_are_not_negative() {
    let [loc, factor, _] = parameters(1, 50, 3, 3).remove(0).map(|a| leaf(&a, Kind::Double).detach());
    for step in [0.0, 1e-9, 1e-6, 1e-4] {
        let at = |factor: Tensor| LowRankMvn::new(loc.shallow_clone(), factor, Tensor::from(1e-5)).unwrap();
        let (p, q) = (at(factor.shallow_clone()), at(&factor * (1.0 + step)));
        let (routed, composed) = (p.kl(&q).unwrap(), p.kl_composed(&q).unwrap());
        let (routed, composed) = (routed.double_value(&[0]), composed.double_value(&[0]));
        assert!(composed >= 0.0 && (routed - composed).abs() <= 1e-12, "{step}: {routed} {composed}");
    }
}

#[test]
fn samples_agree() {
    let (batch, n, r) = (2, 9, 3);
    for inputs in parameters(batch, n, r, 3) {
        let mut inputs = Vec::from(inputs);
        inputs.extend([numbers(&[batch, r], 5), numbers(&[batch, n], 6)]);
        agree(
            "rsample",
            &|t| distribution(t).rsample(&t[3], &t[4]).unwrap(),
            &|t| distribution(t).rsample_composed(&t[3], &t[4]).unwrap(),
            &inputs,
            1e-13,
        );
    }
}

/// The mean of q over the draws is n: a false alarm once in 1.7·10⁶ (|z| ≤ 5 with Var q = 2n).
#[test]
fn draws_have_the_distance_of_the_distribution() {
    let (draws, n, r) = (4000, 6, 2);
    let cpu = (Kind::Double, Device::Cpu);
    let factor =
        leaf(&numbers(&[1, n, r], 2), Kind::Double).detach().expand([draws, n as i64, r as i64], true);
    let diag = leaf(&positive(&[n], 3), Kind::Double).detach();
    let p = LowRankMvn::new(Tensor::zeros([draws, n as i64], cpu), factor, diag).unwrap();
    let mean = |x: &Tensor| p.mahalanobis(x).unwrap().mean(Kind::Double).double_value(&[]);
    let bound = 5.0 * (2.0 * n as f64 / draws as f64).sqrt();
    let q = mean(&p.sample().unwrap());
    assert!((q - n as f64).abs() <= bound, "{q}");
    // Without own noise the draw has r dimensions: far from n.
    assert!((mean(&p.sample_clamped(0.0).unwrap()) - n as f64).abs() > bound);
}

#[test]
fn matrices_agree_with_the_native_ones() {
    let (batch, n, r) = (2, 6, 3);
    for inputs in parameters(batch, n, r, 3) {
        let leaves = inputs.map(|a| leaf(&a, Kind::Double).detach());
        let p = distribution(&leaves);
        let v = numbers(&[batch, n], 8);
        let tensor = leaf(&v, Kind::Double).detach();
        let v = v.into_dimensionality::<Ix2>().unwrap();
        let scales = numbers(&[batch, r], 9);
        let scaled = p.scale_components(&leaf(&scales, Kind::Double).detach()).unwrap();
        let scales = scales.into_dimensionality::<Ix2>().unwrap();
        p.lend::<f64, _>(|native| {
            let same = |name: &str, got: &Tensor, want: ArrayD<f64>| {
                assert_close(name, got, &leaf(&want, Kind::Double).detach(), 1e-12);
            };
            same("covariance", &p.covariance_matrix(), native.covariance_matrix().into_dyn());
            same("precision", &p.precision_matrix().unwrap(), native.precision_matrix().unwrap().into_dyn());
            same("tril", &p.scale_tril().unwrap(), native.scale_tril().unwrap().into_dyn());
            same("variance", &p.variance(), native.variance().into_dyn());
            same(
                "Σv",
                &p.covariance_times(&tensor).unwrap(),
                native.covariance_times(&v).unwrap().into_dyn(),
            );
            same(
                "Σ⁻¹v",
                &p.precision_times(&tensor).unwrap(),
                native.precision_times(&v).unwrap().into_dyn(),
            );
            let wanted = native.scale_components(&scales).unwrap();
            same("scaled", scaled.cov_factor(), wanted.cov_factor().to_owned().into_dyn());
            let dims = (p.batch(), p.dim(), p.rank());
            assert_eq!(dims, (native.batch(), native.dim(), native.rank()));
        })
        .unwrap();
    }
}

/// Routed values are the native ones to the bit.
#[test]
fn the_route_is_the_native_kernel() {
    let inputs = parameters(2, 7, 3, 3).remove(1);
    let leaves = inputs.clone().map(|a| leaf(&a, Kind::Double).detach());
    let p = distribution(&leaves);
    let x = numbers(&[2, 7], 9);
    let got = array(&p.log_prob(&leaf(&x, Kind::Double)).unwrap()).into_dimensionality::<Ix1>().unwrap();
    let [loc, factor, diag] = inputs;
    let native = variata_lowrank_mvn::LowRankMvn::<f64>::new(
        loc.into_dimensionality::<Ix2>().unwrap(),
        factor.into_dimensionality::<Ix3>().unwrap(),
        diag.into_dimensionality::<Ix1>().unwrap(),
    )
    .unwrap();
    let x = x.into_dimensionality::<Ix2>().unwrap();
    assert_eq!(got, native.log_prob(&x).unwrap());
    let q = native.kl(&native).unwrap();
    assert_eq!(array(&p.kl(&p).unwrap()).into_dimensionality::<Ix1>().unwrap(), q);
}

/// Derivatives of second order, of the composed form, against differences of first ones.
#[test]
fn second_derivatives_exist_composed() {
    let inputs = parameters(1, 5, 2, 3).remove(2);
    let x = leaf(&numbers(&[1, 5], 9), Kind::Double).detach();
    let factor = leaf(&inputs[1], Kind::Double);
    let [loc, _, diag] = inputs.map(|a| leaf(&a, Kind::Double).detach());
    let slope = |factor: &Tensor, graph: bool| {
        let p = LowRankMvn::new(loc.shallow_clone(), factor.shallow_clone(), diag.shallow_clone()).unwrap();
        let value = p.log_prob_composed(&x).unwrap().sum(Kind::Double);
        Tensor::run_backward(&[value], &[factor], true, graph).remove(0)
    };
    let second =
        Tensor::run_backward(&[slope(&factor, true).square().sum(Kind::Double)], &[&factor], false, false);
    let h = 1e-4;
    for at in 0..10i64 {
        let moved = |step: f64| {
            let moved = factor.detach().contiguous().copy();
            let _ = moved.view(-1).get(at).f_add_scalar_(step).unwrap();
            slope(&moved.set_requires_grad(true), false).square().sum(Kind::Double).double_value(&[])
        };
        let stencil = (8.0 * (moved(h) - moved(-h)) - (moved(2.0 * h) - moved(-2.0 * h))) / (12.0 * h);
        let got = second[0].reshape([-1]).double_value(&[at]);
        assert!((got - stencil).abs() <= 1e-7 * (1.0 + stencil.abs()), "{at}: {got} {stencil}");
    }
    // The kernel's are refused by name.
    let p = LowRankMvn::new(loc.shallow_clone(), factor.shallow_clone(), diag.shallow_clone()).unwrap();
    let value = p.log_prob(&x).unwrap().sum(Kind::Double);
    let refused = Tensor::f_run_backward(&[value], &[&factor], true, true).unwrap_err().to_string();
    assert!(refused.contains("_composed"), "{refused}");
}

#[test]
fn values_that_are_no_numbers_propagate() {
    let [loc, factor, diag] = parameters(2, 4, 2, 3).remove(2).map(|a| leaf(&a, Kind::Double).detach());
    let x = loc.zeros_like();
    let nan = |t: &Tensor| {
        let t = t.copy();
        let _ = t.get(0).view(-1).get(0).f_fill_(f64::NAN).unwrap();
        t
    };
    for (loc, factor, diag) in [
        (nan(&loc), factor.shallow_clone(), diag.shallow_clone()),
        (loc.shallow_clone(), nan(&factor), diag.shallow_clone()),
        (loc.shallow_clone(), factor.shallow_clone(), nan(&diag)),
        (loc.shallow_clone(), factor.shallow_clone(), -&diag),
    ] {
        let p = LowRankMvn::new(loc, factor, diag).unwrap();
        assert!(p.log_prob(&x).unwrap().double_value(&[0]).is_nan());
        assert!(
            p.rsample(&x.narrow(1, 0, 2), &(&x + 1.0)).unwrap().get(0).isnan().any().int64_value(&[]) == 1
        );
    }
}

/// The kernel's second pass reads the parameters again: changed in place meanwhile, they are refused by name.
#[test]
fn parameters_changed_before_the_gradient_are_refused() {
    let inputs = parameters(1, 6, 2, 3).remove(2).map(|a| leaf(&a, Kind::Double));
    let x = leaf(&numbers(&[1, 6], 9), Kind::Double);
    for (k, name) in ["loc", "cov_factor", "cov_diag", "x"].into_iter().enumerate() {
        let copies: Vec<Tensor> = inputs.iter().chain([&x]).map(|t| t * 1.0).collect();
        let p = distribution(&copies);
        let values = [p.log_prob(&copies[3]).unwrap(), p.log_prob_and_entropy(&copies[3]).unwrap().1];
        let mut changed = copies[k].detach();
        let _ = changed.f_add_scalar_(1.0).unwrap();
        for value in values {
            let refused = value.sum(Kind::Double).f_backward().unwrap_err().to_string();
            assert!(refused.contains(&format!("`{name}` was changed in place")), "{refused}");
        }
    }
}

/// Spreads whose squares f32 cannot hold.
#[test]
fn a_diagonal_side_of_singles_is_squared_in_f64() {
    let single = |values: &[f32], size: &[i64]| Tensor::from_slice(values).view(size);
    let p = LowRankMvn::new(
        single(&[0.1, -0.2], &[1, 2]),
        single(&[0.5, 0.25], &[1, 2, 1]),
        single(&[1.0; 2], &[2]),
    );
    let p = p.unwrap();
    let native = variata_lowrank_mvn::LowRankMvn::<f64>::new(
        ndarray::array![[f64::from(0.1f32), f64::from(-0.2f32)]],
        ndarray::array![[[0.5], [0.25]]],
        1.0,
    )
    .unwrap();
    let loc = || single(&[0.0, 0.0], &[1, 2]);
    let wide = |v: f64| ndarray::Array2::from_elem((1, 2), v);
    for (value, is_log) in [(1e-25f32, false), (1e25, false), (-104.0, true), (89.0, true), (0.3, false)] {
        let spread = single(&[value; 2], &[1, 2]);
        let (d, want) = if is_log {
            let want =
                variata_distributions::DiagonalNormal::from_log_variance(wide(0.0), wide(f64::from(value)));
            (DiagonalNormal::from_log_variance(loc(), spread), want)
        } else {
            (
                DiagonalNormal::new(loc(), spread),
                variata_distributions::DiagonalNormal::new(wide(0.0), wide(f64::from(value))),
            )
        };
        let (d, want) = (d.unwrap(), want.unwrap());
        let pairs = [
            (p.kl(&d).unwrap(), native.kl(&want).unwrap()[0]),
            (p.kl_composed(&d).unwrap(), native.kl(&want).unwrap()[0]),
            (d.kl(&p).unwrap(), want.kl(&native).unwrap()[0]),
        ];
        for (got, want) in pairs {
            let got = got.double_value(&[0]);
            assert!((got - want).abs() <= 1e-12 * want.abs(), "{value}: {got} against {want}");
        }
    }
}
