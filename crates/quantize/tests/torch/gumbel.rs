//! Gumbel-softmax of tensors against the arrays and autograd.

use ndarray::Array2;
use variata_quantize::{Codebook, GumbelSoftmax, torch};
use variata_torch_bridge::tch::{Device, Kind, Tensor};

use super::{EUCLIDEAN, assert_close, assert_near, back, grads, leaf, numbers, weighted, whole};

/// Weighted sums of codes by the formula alone.
fn plain(tau: f64, c: &Tensor, x: &Tensor, noise: Option<&Tensor>) -> Tensor {
    let distances = (x.unsqueeze(1) - c.unsqueeze(0)).square().sum_dim_intlist(-1, false, x.kind());
    let logits = match noise {
        Some(noise) => noise - distances,
        None => -distances,
    };
    (logits / tau).softmax(-1, x.kind()).matmul(c)
}

#[test]
fn weights_and_soft_usage_are_those_of_the_arrays() {
    let (codes, z, noise) = (numbers(23, 4, 1), numbers(30, 4, 2), numbers(30, 23, 3));
    let book = Codebook::new(codes.clone(), EUCLIDEAN).unwrap();
    for (kind, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 1e-5)] {
        let (c, x, n) = (leaf(&codes, kind), leaf(&z, kind), leaf(&noise, kind));
        for temperature in [0.0, 0.4, 10.0] {
            // What is straight-through has soft weights too.
            let options = GumbelSoftmax { temperature, hard: true };
            let usage = options.usage(&book, &z).unwrap();
            for (weights, soft_usage) in [
                (
                    torch::soft_weights as fn(&_, &_, &_, torch::Noise<'_>) -> _,
                    torch::soft_usage as fn(&_, &_, &_) -> _,
                ),
                (torch::soft_weights_composed, torch::soft_usage_composed),
            ] {
                let found: Tensor =
                    weights(&options, &c, &x.view([5, 6, 4]), torch::Noise::Given(&n.view([5, 6, 23])))
                        .unwrap();
                assert_eq!((found.size(), found.kind()), (vec![5, 6, 23], kind));
                let want = options.weights(&book, &z, variata_quantize::Noise::Given(&noise)).unwrap();
                assert_close(&back(&found.view([30, 23])), &want, 0.0, tolerance);
                let found: variata_quantize::SoftUsage = soft_usage(&options, &c, &x).unwrap();
                assert_eq!(found.rows, 30);
                assert!((&found.weights - &usage.weights).iter().all(|d| d.abs() < tolerance));
                assert!((found.row_entropy - usage.row_entropy).abs() < 10.0 * tolerance);
                assert!((found.mean_entropy - usage.mean_entropy).abs() < 10.0 * tolerance);
                assert!(soft_usage(&options, &c, &x.narrow(0, 0, 0)).is_err());
            }
        }
    }
}

#[test]
fn gumbel_softmax_has_autograds_gradients() {
    let (codes, z, up, noise) =
        (numbers(130, 5, 1), numbers(70, 5, 2), numbers(70, 5, 3), numbers(70, 130, 4));
    for (kind, tolerance) in [(Kind::Double, 1e-10), (Kind::Float, 1e-5)] {
        for temperature in [0.3, 10.0] {
            for noise in [None, Some(&noise)] {
                let noise = noise.map(|noise| leaf(noise, kind).detach());
                let (c, x) = (leaf(&codes, kind), leaf(&z, kind));
                let given = noise.as_ref().map_or(torch::Noise::None, torch::Noise::Given);
                let options = GumbelSoftmax { temperature, hard: false };
                let want = plain(temperature, &c, &x, noise.as_ref());
                let theirs = grads(&weighted(&want, &up), &[&x, &c]);
                for f in [torch::gumbel_softmax, torch::gumbel_softmax_composed] {
                    let found = f(&options, &c, &x, given).unwrap();
                    assert_close(&back(&found.output), &back(&want), tolerance, tolerance);
                    let ours = grads(&weighted(&found.output, &up), &[&x, &c]);
                    let scale = |g: &Array2<f64>| g.iter().fold(0.0f64, |m, v| m.max(v.abs()));
                    assert_close(&ours[0], &theirs[0], 0.0, tolerance * scale(&theirs[0]));
                    assert_close(&ours[1], &theirs[1], 0.0, tolerance * scale(&theirs[1]));
                }
            }
        }
    }
}

#[test]
fn temperature_has_a_gradient() {
    let (c, x, up) =
        (leaf(&numbers(11, 3, 1), Kind::Double), leaf(&numbers(6, 3, 2), Kind::Double), numbers(6, 3, 3));
    let tau = Tensor::from(0.7f64).set_requires_grad(true);
    let found = torch::gumbel_softmax_with_temperature(&tau, false, &c, &x, torch::Noise::None).unwrap();
    let slope = Tensor::run_backward(&[&weighted(&found.output, &up)], &[&tau], false, false);
    let step = 1e-5;
    let at = |tau: f64| weighted(&plain(tau, &c, &x, None), &up).double_value(&[]);
    let want = (at(0.7 + step) - at(0.7 - step)) / (2.0 * step);
    assert_near(slope[0].double_value(&[]), want, 1e-8);
    // The composed form, by half precision's way: another kind of z.
    let mixed =
        torch::gumbel_softmax_with_temperature(&tau, false, &c, &x.to_kind(Kind::Float), torch::Noise::None);
    let slope = Tensor::run_backward(&[&weighted(&mixed.unwrap().output, &up)], &[&tau], false, false);
    assert_near(slope[0].double_value(&[]), want, 1e-5);
}

#[test]
fn noise_is_that_of_the_arrays() {
    for (seed, first) in [(1u64, 0u64), (u64::MAX - 5, 3 << 33), (77 << 32, u64::MAX - 7)] {
        let native = variata_quantize::gumbel_noise::<f64>(seed, first, 300, 33).unwrap();
        let tensor = torch::gumbel_noise(seed, first, 300, 33, Kind::Double, Device::Cpu);
        assert_close(&back(&tensor), &native, 1e-13, 1e-13);
        let native = variata_quantize::gumbel_noise::<f32>(seed, first, 300, 33).unwrap().mapv(f64::from);
        let tensor = torch::gumbel_noise(seed, first, 300, 33, Kind::Float, Device::Cpu);
        assert_close(&back(&tensor), &native, 1e-6, 1e-6);
    }
}

#[test]
fn seeded_hard_and_sharp_agree_with_the_arrays() {
    let (codes, z, up) = (numbers(20, 4, 1), numbers(50, 4, 2), numbers(50, 4, 3));
    let book = Codebook::new(codes.clone(), EUCLIDEAN).unwrap();
    for (temperature, hard) in
        [(0.5, true), (0.0, false), (f64::INFINITY, false), (1e-30, false), (2.0, false)]
    {
        for evaluation in [false, true] {
            let options = GumbelSoftmax { temperature, hard };
            let (noise, native) = if evaluation {
                (torch::Noise::None, variata_quantize::Noise::None)
            } else {
                let (seed, first_row) = (9, 4);
                (
                    torch::Noise::Seeded { seed, first_row },
                    variata_quantize::Noise::Seeded { seed, first_row },
                )
            };
            let want = options.forward(&book, &z, native).unwrap();
            let slopes = options.backward(&book, &z, native, &want, &up).unwrap();
            for f in [torch::gumbel_softmax, torch::gumbel_softmax_composed] {
                let (c, x) = (leaf(&codes, Kind::Double), leaf(&z, Kind::Double));
                let found = f(&options, &c, &x, noise).unwrap();
                assert_close(&back(&found.output), &want.output, 1e-11, 1e-13);
                assert_eq!(whole(&found.indices), want.indices.to_vec(), "{temperature} {hard}");
                let ours = grads(&weighted(&found.output, &up), &[&x, &c]);
                assert_close(&ours[0], &slopes.z, 1e-9, 1e-11);
                assert_close(&ours[1], &slopes.codes, 1e-9, 1e-11);
            }
        }
    }
}
