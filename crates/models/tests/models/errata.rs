//! Misprints of the VAE tutorial about the loss and its gradients, each shown wrong next to what is implemented. Numbers
//! are those of docs/src/errata.md.

use variata_distributions::{KlDivergence, Normal};
use variata_models::train::{StepContext, Trainable};
use variata_models::{Noise, bounds};
use variata_testkit::finite_difference::assert_gradient;

use crate::{loader, tiny};

/// The smallest VAE: z ~ N(0, 1), x given z ~ N(θz, 1), q(z) = N(m, e^s), with fixed draws ε.
const X: f64 = 1.7;
const NOISE: [f64; 4] = [-1.3, -0.2, 0.4, 1.1];

/// Mean over the draws of a function of z.
fn mean_over_draws(phi: &[f64], f: impl Fn(f64, f64) -> f64) -> f64 {
    let sd = (0.5 * phi[1]).exp();
    NOISE.iter().map(|&e| f(phi[0] + sd * e, e)).sum::<f64>() / NOISE.len() as f64
}

/// log p(x given z).
fn log_likelihood(theta: f64, z: f64) -> f64 {
    -0.5 * (X - theta * z).powi(2) - 0.5 * std::f64::consts::TAU.ln()
}

fn kl(phi: &[f64]) -> f64 {
    let (q, p) = (Normal::scalar(phi[0], (0.5 * phi[1]).exp()).unwrap(), Normal::scalar(0.0, 1.0).unwrap());
    q.kl(&p).unwrap().sum()
}

fn loss(theta: f64, phi: &[f64]) -> f64 {
    kl(phi) - mean_over_draws(phi, |z, _| log_likelihood(theta, z))
}

/// 000-3: the estimate is printed as the gradient of +log p, and assigned to θ.
#[test]
fn decoder_update_as_printed_makes_the_data_less_likely() {
    let (theta, phi) = (0.6, [0.8, -0.5]);
    let printed = |theta: f64| mean_over_draws(&phi, |z, _| (X - theta * z) * z);
    assert_gradient("∇θ L", |t| loss(t[0], &phi), &[theta], &[1.0], |t| vec![-printed(t[0])], 1e-10);
    let eta = 0.1;
    let before = loss(theta, &phi);
    // Descent along the printed estimate climbs; along ours it descends.
    assert!(loss(theta - eta * printed(theta), &phi) > before);
    assert!(loss(theta + eta * printed(theta), &phi) < before);
    // Assigned to θ, the estimate vanishes at the best θ, and throws it away.
    let best = mean_over_draws(&phi, |z, _| X * z) / mean_over_draws(&phi, |z, _| z * z);
    assert!(printed(best).abs() < 1e-15 && loss(printed(best), &phi) > loss(best, &phi) + 0.5);
}

/// 000-4: the first term of the encoder's gradient is printed without its ∇φ.
#[test]
fn encoder_gradient_as_printed_lacks_its_gradient() {
    let (theta, phi) = (0.6, [0.8, -0.5]);
    // ∂z/∂m = 1 and ∂z/∂s = ½ e^(s/2) ε; ∇KL = (m, ½(e^s − 1)).
    let gradient = |phi: &[f64]| {
        let slope = |z: f64| theta * (X - theta * z);
        let sd = (0.5 * phi[1]).exp();
        vec![
            phi[0] - mean_over_draws(phi, |z, _| slope(z)),
            0.5 * phi[1].exp_m1() - mean_over_draws(phi, |z, e| slope(z) * 0.5 * sd * e),
        ]
    };
    assert_gradient("∇φ L", |phi| loss(theta, phi), &phi, &[1.0, 1.0], gradient, 1e-10);
    let value = -mean_over_draws(&phi, |z, _| log_likelihood(theta, z));
    let printed = [phi[0] + value, 0.5 * phi[1].exp_m1() + value];
    let right = gradient(&phi);
    assert!(printed.iter().zip(&right).all(|(p, r)| (p - r).abs() > 1.0), "{printed:?} and {right:?}");
}

/// 000-3 and 000-4 in the model itself: its gradient is that of the loss, for both sides, and a step against it descends.
#[test]
fn a_step_against_the_models_gradient_lowers_the_loss() {
    let train = loader(50, 50);
    let batch = train.epoch(variata_datasets::Position::default()).unwrap().next().unwrap().unwrap();
    // Behind the KL's warm-up, and with the same draws in each evaluation.
    let context = StepContext::new(1_000_000, 0, Noise::new(0));
    for side in ["encoder", "bottleneck", "decoder"] {
        let model = tiny(0);
        let loss = || model.objective(&batch, &context).unwrap().loss(&[1.0, 1.0]).unwrap();
        let start = loss();
        start.backward();
        let before = start.double_value(&[]);
        let parts: Vec<_> = model.parameters().iter().filter(|(name, _)| name.starts_with(side)).collect();
        assert!(!parts.is_empty(), "{side}");
        let mut square = 0.0;
        let eta = 1e-5;
        variata_torch_bridge::no_grad(|| {
            for (_, parameter) in &parts {
                let gradient = parameter.grad();
                square += gradient.square().sum(variata_models::tch::Kind::Double).double_value(&[]);
                let _ = parameter.shallow_clone().g_sub_(&(gradient * eta));
            }
        });
        // To first order the loss falls by η‖∇‖²; the printed sign would raise it by as much.
        let fallen = before - loss().double_value(&[]);
        assert!((fallen / (eta * square) - 1.0).abs() < 0.2, "{side}: {fallen} against {}", eta * square);
    }
}

/// 000-7: L is called a lower bound of log p(x); −L is one. With a linear decoder log p(x) = log N(x; 0, θ² + 1) is known.
#[test]
fn the_negative_loss_is_the_lower_bound() {
    let theta = 1.5_f64;
    let log_normal = |x: f64, mean: f64, variance: f64| {
        -0.5 * ((x - mean).powi(2) / variance + (std::f64::consts::TAU * variance).ln())
    };
    let evidence = log_normal(X, 0.0, theta * theta + 1.0);
    // E_q log p(x given z) = log N(x; θm, 1) − ½ θ² e^s.
    let loss = |m: f64, s: f64| kl(&[m, s]) - (log_normal(X, theta * m, 1.0) - 0.5 * theta * theta * s.exp());
    // The posterior, at which the bound is log p(x) itself.
    let (m, variance) = (theta * X / (theta * theta + 1.0), (theta * theta + 1.0).recip());
    assert!((-loss(m, variance.ln()) - evidence).abs() < 4.0 * f64::EPSILON * evidence.abs());
    for i in -8..=8 {
        for j in -8..=8 {
            let l = loss(m + 0.25 * f64::from(i), variance.ln() + 0.25 * f64::from(j));
            assert!(-l <= evidence + 4.0 * f64::EPSILON, "−L = {} above log p(x) = {evidence}", -l);
            assert!(l > evidence, "as printed: L = {l} bounds log p(x) = {evidence} from below");
        }
    }
    // What the report calls ELBO and importance-weighted bound, from log-weights of draws of a wrong posterior.
    let (m, variance) = (m - 0.5, 2.0 * variance);
    let noise = Noise::new(7).normal_rows(variata_models::Purpose::Report, 0, 0..400, 64);
    let weights = ndarray::Array2::from_shape_fn((400, 64), |(i, k)| {
        let z = m + f64::sqrt(variance) * f64::from(noise[64 * i + k]);
        log_normal(z, 0.0, 1.0) + log_normal(X, theta * z, 1.0) - log_normal(z, m, variance)
    });
    let got = bounds(&weights).unwrap();
    let expected = -loss(m, variance.ln());
    assert!((got.elbo - expected).abs() < 0.05, "{} and {expected}", got.elbo);
    assert!(got.elbo < got.importance_weighted - 0.1, "{got:?}");
    assert!((got.importance_weighted - evidence).abs() < 0.05, "{got:?} and {evidence}");
}
