//! Errata of paper VQ-Diff about its codebook, each shown by numbers: docs/src/errata.md.

use ndarray::{Array2, array};
use variata_quantize::{Codebook, Estimator, GumbelSoftmax, Metric, Noise, Upstream, Usage, gumbel_noise};

use crate::support::{euclidean, normal, rng};

fn weights(codes: &Array2<f64>, z: &Array2<f64>, noise: &Array2<f64>, temperature: f64) -> Array2<f64> {
    GumbelSoftmax { temperature, hard: false }
        .weights(&euclidean(codes.clone()), z, Noise::Given(noise))
        .unwrap()
}

#[test]
fn e001_4_sigma_is_a_standard_deviation() {
    let codebook = Codebook::<f64>::normal(512, 64, 2.0, Metric::SquaredEuclidean, &mut rng(1)).unwrap();
    let variance = codebook.codes().mapv(|v| v * v).mean().unwrap();
    // 32768 draws: the standard error of the variance is 4·√(2/32768) = 0.03.
    assert!((variance - 4.0).abs() < 0.2, "and not 2: {variance}");
}

#[test]
fn e001_5_logits_are_negative_distances() {
    let codes = array![[0.0], [1.0], [5.0]];
    let z = array![[0.2]];
    let w = weights(&codes, &z, &Array2::zeros((1, 3)), 1.0);
    assert!(w[[0, 0]] > w[[0, 1]] && w[[0, 1]] > w[[0, 2]]);
    // As printed: softmax of ‖z − e‖² puts nearly all on the farthest.
    let printed = codes.column(0).mapv(|e| ((e - 0.2f64) * (e - 0.2)).exp());
    assert!(printed[2] / printed.sum() > 0.99);
}

#[test]
fn e001_6_temperature_is_not_the_scale_of_the_noise() {
    let (codes, z) = (normal(20, 2, 1), normal(1, 2, 2));
    let noise = gumbel_noise::<f64>(3, 0, 1, 20).unwrap();
    let right = weights(&codes, &z, &noise, 10.0);
    let scaled = weights(&codes, &z, &(&noise * 10.0), 10.0);
    assert!((right - scaled).iter().any(|v| v.abs() > 0.05));
}

#[test]
fn e001_7_weights_are_on_the_simplex() {
    let noise = gumbel_noise::<f64>(3, 0, 40, 20).unwrap();
    let w = weights(&normal(20, 2, 1), &normal(40, 2, 2), &noise, 1.0);
    assert!(w.iter().all(|w| *w >= 0.0) && w.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-14));
    // The draws themselves are not: 20 of them sum to 11.5 on average.
    assert!(noise.iter().any(|g| *g < 0.0));
    assert!((noise.sum() / 40.0 - 20.0 * 0.5772).abs() < 4.0);
}

#[test]
fn e001_8_the_divergence_of_the_choices_is_not_constant() {
    // Two codebooks of the same law, σ and β: their choices are not alike.
    let z = normal(1000, 2, 1);
    let kl = |codes| {
        let mut usage = Usage::new(8).unwrap();
        usage.add(&euclidean(codes).assign(&z).unwrap()).unwrap();
        (usage.kl_from_uniform().unwrap(), usage.entropy().unwrap())
    };
    let all: Vec<(f64, f64)> = (0..5).map(|seed| kl(normal(8, 2, 10 + seed) * 2.0)).collect();
    for (kl, entropy) in &all {
        assert!((kl - (8f64.ln() - entropy)).abs() < 1e-14);
    }
    let spread = all.iter().map(|v| v.0).fold(0.0, f64::max) - all.iter().map(|v| v.0).fold(9.0, f64::min);
    assert!(spread > 0.05, "{spread}");
    // One-hot for each vector the divergence is log K, whatever is chosen.
    let mut one = Usage::new(8).unwrap();
    one.add(&array![3]).unwrap();
    assert!((one.kl_from_uniform().unwrap() - 8f64.ln()).abs() < 1e-15);
}

#[test]
fn e001_9_the_sum_runs_over_all_codes() {
    // As many vectors as the printed n: three, of seven codes.
    let (codes, z) = (normal(7, 2, 1), normal(3, 2, 2));
    let soft = GumbelSoftmax { temperature: 10.0, hard: false };
    let found = soft.forward(&euclidean(codes.clone()), &z, Noise::None).unwrap();
    let w = weights(&codes, &z, &Array2::zeros((3, 7)), 10.0);
    assert!((found.output - w.dot(&codes)).iter().all(|v: &f64| v.abs() < 1e-14));
    assert!(w.columns().into_iter().all(|column| column.iter().all(|w| *w > 0.05)));
}

#[test]
fn e001_10_the_codebook_has_a_gradient() {
    let (codebook, z) = (euclidean(normal(4, 3, 1)), normal(30, 3, 2));
    let none = Array2::zeros((30, 3));
    let upstream = Upstream { output: &*none, codebook: 1.0, commitment: 0.0 };
    let quantized = codebook.quantize(&z).unwrap();
    let grad = quantized.backward(&codebook, &z, &upstream, Estimator::StraightThrough).unwrap();
    let mut moved = codebook.clone();
    moved.set_codes(codebook.codes() - &(grad.codes * 5.0)).unwrap();
    assert!(moved.quantize(&z).unwrap().loss < quantized.loss);
}
