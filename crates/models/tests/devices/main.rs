//! Values and gradients of the crates' tensor homes, and a training step of each kind of model, on a GPU where there is one, against
//! the CPU. Without one the homes are compared in f32 with f64, and the steps run twice. A binary of its own, because libtorch must have
//! loaded its CUDA half before the first backward pass of a process.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::{Arc, OnceLock};

use ndarray::Array4;
use variata_datasets::{ArrayDataset, ImageDataset, Loader, LoaderOptions, Position, digits};
use variata_distributions::torch::{Bernoulli, Categorical, DiagonalNormal, jensen_shannon_batch};
use variata_lowrank_mvn::torch::LowRankMvn;
use variata_models::nn::StridedConfig;
use variata_models::tch::{Device, Kind, Tensor};
use variata_models::train::{StepContext, Trainable};
use variata_models::{
    Autoencoder, AutoencoderConfig, EmaConfig, GaussianMapConfig, GumbelConfig, ImageShape, LatentDistance,
    LowRankDiagonal, MapAutoencoder, MapBottleneckConfig, MapConfig, Noise, Normality, ObservationConfig,
    RegularizerConfig, VqConfig,
};
use variata_quantize::{Estimator, GumbelSoftmax, Metric, torch as quantizers};
use variata_sliced::{Directions, Discrepancy, Distance, Mmd, MmdEstimator, TwoSample, torch as sliced};
use variata_torch_bridge::cuda_problem;

const DIGIT: ImageShape = ImageShape { channels: 1, height: 8, width: 8 };
const MAP: ImageShape = ImageShape { channels: 3, height: 16, width: 16 };

/// The GPU, or the CPU without one. To be asked for before anything else.
fn device() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    *DEVICE.get_or_init(|| if cuda_problem().is_none() { Device::Cuda(0) } else { Device::Cpu })
}

/// Reproducible numbers in (−1, 1), f64, on the CPU.
fn numbers(shape: &[i64], salt: f64) -> Tensor {
    let count: i64 = shape.iter().product();
    (Tensor::arange(count, (Kind::Double, Device::Cpu)) * 12.9898 + salt).sin().reshape(shape)
}

/// Value and gradients of a function of tensors, in f64 on the CPU.
fn run(f: &dyn Fn(&[Tensor]) -> Tensor, inputs: &[Tensor], device: Device, kind: Kind) -> Vec<Tensor> {
    let leaves: Vec<Tensor> =
        inputs.iter().map(|x| x.to_device(device).to_kind(kind).detach().set_requires_grad(true)).collect();
    let value = f(&leaves);
    assert_eq!(value.device(), device);
    (value.to_kind(Kind::Double) * numbers(&value.size(), 0.7).to_device(device))
        .sum(Kind::Double)
        .backward();
    let found = std::iter::once(value.detach()).chain(leaves.iter().map(Tensor::grad));
    found.map(|t| t.to_device(Device::Cpu).to_kind(Kind::Double)).collect()
}

/// `f` of f32 on the other device against f64 on the CPU: within 10⁻⁴ of the largest number of each tensor.
fn agrees(name: &str, inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Tensor) {
    let other = device();
    let want = run(&f, inputs, Device::Cpu, Kind::Double);
    let got = run(&f, inputs, other, Kind::Float);
    for (k, (got, want)) in got.iter().zip(&want).enumerate() {
        assert_eq!(got.size(), want.size(), "{name}, {k}");
        let error = (got - want).abs().max().double_value(&[]);
        let scale = want.abs().max().double_value(&[]);
        assert!(error <= 1e-4 * scale, "{name}, {k}: {error} of {scale}");
    }
}

#[test]
fn distributions_agree_on_both_devices() {
    let (loc, spread, x) = (numbers(&[6, 5], 0.1), numbers(&[6, 5], 0.2), numbers(&[6, 5], 0.3));
    let normal =
        |t: &[Tensor]| DiagonalNormal::from_log_variance(t[0].shallow_clone(), t[1].shallow_clone()).unwrap();
    let two = [loc.copy(), spread.copy()];
    let three = [loc.copy(), spread.copy(), x.copy()];
    agrees("KL to N(0, I)", &two, |t| normal(t).kl_standard_normal().unwrap());
    agrees("log-density", &three, |t| normal(t).log_prob(&t[2]).unwrap());
    agrees("draw", &three, |t| normal(t).rsample(&t[2]).unwrap());
    agrees("Bernoulli", &[loc.copy()], |t| {
        Bernoulli::new(t[0].shallow_clone()).unwrap().log_prob(&(t[0].detach() * 2.0).sigmoid()).unwrap()
    });
    agrees("categories", &[loc.copy()], |t| {
        let labels = Tensor::arange(6, (Kind::Int64, t[0].device())).remainder(5);
        Categorical::new(t[0].shallow_clone()).unwrap().log_prob(&labels).unwrap()
    });
    agrees("Jensen–Shannon", &[numbers(&[3, 4, 5], 0.4)], |t| jensen_shannon_batch(&t[0], None).unwrap());
}

#[test]
fn low_rank_normals_agree_on_both_devices() {
    let inputs = [
        numbers(&[2, 40], 0.1),
        numbers(&[2, 40, 3], 0.2),
        numbers(&[2, 40], 0.3).abs() + 0.1,
        numbers(&[2, 40], 0.4),
        numbers(&[2, 3], 0.5),
    ];
    let of = |t: &[Tensor]| {
        LowRankMvn::new(t[0].shallow_clone(), t[1].shallow_clone(), t[2].shallow_clone()).unwrap()
    };
    agrees("log-density", &inputs[..4], |t| of(t).log_prob(&t[3]).unwrap());
    agrees("density and entropy", &inputs[..4], |t| {
        let (density, entropy) = of(t).log_prob_and_entropy(&t[3]).unwrap();
        density + entropy
    });
    agrees("draw", &inputs, |t| of(t).rsample(&t[4], &t[3]).unwrap());
    agrees("conditional mean", &inputs[..4], |t| {
        let at = Tensor::from_slice(&[3i64, 11, 20]).to_device(t[0].device());
        let values = t[3].index_select(1, &at);
        of(t).condition(&at, &values).unwrap().mean + (&t[3] * 0.0)
    });
}

#[test]
fn sliced_distances_agree_on_both_devices() {
    let (x, y) = (numbers(&[24, 4], 0.1) * 1.3, numbers(&[24, 4], 0.8));
    let directions = Directions::uniform(6, 4, 3).unwrap();
    for distance in [
        Distance::WASSERSTEIN_2,
        Distance::CRAMER_WOLD,
        Distance::CramerVonMises,
        Distance::KolmogorovSmirnov,
        Distance::AndersonDarling,
    ] {
        agrees(&format!("{distance:?}"), &[x.copy()], |t| {
            sliced::sliced(&Discrepancy::new(distance), &t[0], &directions).unwrap()
        });
    }
    agrees("two samples", &[x.copy(), y.copy()], |t| {
        sliced::two_sample(&TwoSample::SQUARED, &t[0], &t[1], &directions).unwrap()
    });
    let mmd = Mmd::inverse_multiquadric(4, MmdEstimator::Unbiased).unwrap();
    agrees("MMD", &[x, y], |t| sliced::mmd(&mmd, &t[0], &t[1]).unwrap());
}

#[test]
fn quantisers_agree_on_both_devices() {
    let (codes, z) = (numbers(&[7, 4], 0.2), numbers(&[30, 4], 0.9));
    let euclidean = Metric::SquaredEuclidean;
    agrees("Gumbel-softmax", &[codes.copy(), z.copy()], |t| {
        let options = GumbelSoftmax { temperature: 0.8, hard: false };
        let noise = quantizers::Noise::Seeded { seed: 4, first_row: 0 };
        quantizers::gumbel_softmax(&options, &t[0], &t[1], noise).unwrap().output
    });
    agrees("straight through", &[codes.copy(), z.copy()], |t| {
        let found = quantizers::quantize(&t[0], euclidean, &t[1], Estimator::StraightThrough).unwrap();
        found.output + found.codebook_loss + found.commitment_loss * 0.25
    });
    let nearest = |device| {
        let (codes, z) = (codes.to_device(device), z.to_device(device));
        Vec::<i64>::try_from(quantizers::assign(&codes, euclidean, &z).unwrap()).unwrap()
    };
    assert_eq!(nearest(device()), nearest(Device::Cpu));
}

/// One batch of all.
fn whole(batch_size: usize) -> LoaderOptions {
    LoaderOptions { batch_size, seed: 3, ..LoaderOptions::default() }
}

/// Terms of a step, and the gradient of their sum in every parameter.
fn step(model: &dyn Trainable, data: &Loader) -> (Vec<f64>, Vec<Tensor>) {
    let batch = data.epoch(Position::default()).unwrap().next().unwrap().unwrap();
    let objective = model.objective(&batch, &StepContext::new(0, 0, Noise::new(7))).unwrap();
    objective.loss(&vec![1.0; objective.terms.len()]).unwrap().backward();
    let grads = model.parameters().iter().map(|(_, p)| p.grad()).filter(Tensor::defined);
    (objective.values(), grads.map(|g| g.to_device(Device::Cpu).to_kind(Kind::Double)).collect())
}

/// Bounds for f32 in another order of additions through some ten layers.
fn trains_alike(name: &str, data: &Loader, make: impl Fn(Device) -> Box<dyn Trainable>) {
    let other = device();
    let ((want, slopes), (got, found)) = (step(&*make(Device::Cpu), data), step(&*make(other), data));
    assert_eq!(got.len(), want.len(), "{name}");
    for (got, want) in got.iter().zip(&want) {
        assert!((got - want).abs() <= 1e-4 * (1.0 + want.abs()), "{name}: {got} {want}");
    }
    assert_eq!(found.len(), slopes.len(), "{name}");
    for (got, want) in found.iter().zip(&slopes) {
        let error = (got - want).abs().max().double_value(&[]);
        assert!(error <= 1e-3 * (1e-3 + want.abs().max().double_value(&[])), "{name}: {error}");
    }
}

#[test]
fn models_train_alike_on_both_devices() {
    let low_rank =
        ObservationConfig::LowRankNormal { rank: 2, diagonal: LowRankDiagonal::Fixed { value: 1e-2 } };
    let observations =
        [ObservationConfig::default(), low_rank, ObservationConfig::SparsePrecision { neighbourhood: 3 }];
    let digits =
        Loader::new(Arc::new(digits()) as Arc<ImageDataset>, (0..16).collect::<Vec<_>>(), whole(16)).unwrap();
    for observation in observations {
        trains_alike(&format!("{observation:?}"), &digits, |device| {
            let config = AutoencoderConfig { observation, conditional: true, ..AutoencoderConfig::default() };
            Box::new(Autoencoder::new(&config, DIGIT, 10, 1, device).unwrap())
        });
    }
    let distance = LatentDistance::Sliced { normality: Normality::CramerWold, directions: 8 };
    trains_alike("SCWAE", &digits, |device| {
        let regularizer = Some(RegularizerConfig::new(distance));
        let config = AutoencoderConfig { regularizer, ..AutoencoderConfig::default() };
        Box::new(Autoencoder::new(&config, DIGIT, 0, 1, device).unwrap())
    });
    let networks = StridedConfig { channels: 8, residual_channels: 4, code: 6, ..StridedConfig::default() };
    let values = Array4::from_shape_fn((4, 3, 16, 16), |(i, c, y, x)| (i * 300 + c * 70 + y * 5 + x) as f32);
    let waves = ArrayDataset::new("waves", values.mapv(f32::sin), vec![0; 4]).unwrap();
    let maps = Loader::new(Arc::new(waves), (0..4).collect::<Vec<_>>(), whole(4)).unwrap();
    for bottleneck in [
        MapBottleneckConfig::Deterministic,
        MapBottleneckConfig::Gaussian(GaussianMapConfig::default()),
        MapBottleneckConfig::Vq(VqConfig { codes: 9, ..VqConfig::default() }),
        MapBottleneckConfig::Ema(EmaConfig { codes: 9, ..EmaConfig::default() }),
        MapBottleneckConfig::GumbelSoftmax(GumbelConfig { codes: 9, ..GumbelConfig::default() }),
    ] {
        trains_alike(&format!("{bottleneck:?}"), &maps, |device| {
            let config = MapConfig { networks, bottleneck, ..MapConfig::default() };
            Box::new(MapAutoencoder::new(&config, MAP, 1, device).unwrap())
        });
    }
}
