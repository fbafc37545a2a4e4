//! Normal observation models: shapes, densities against the native home, gradients, entropies, draws, frozen variances.

use variata_lowrank_mvn::SparsePrecisionNormal;
use variata_models::tch::{Device, Kind, Tensor};
use variata_models::train::{StepContext, Trainable};
use variata_models::{
    Architecture, Autoencoder, AutoencoderConfig, EntropyConfig, EntropyOrigin, Error, ImageShape,
    LowRankDiagonal, Noise, Observation, ObservationConfig, Purpose, Scale, entropy_floor,
};
use variata_torch_bridge::tensor_into_array;

use crate::{DIGIT, loader, tiny_config};

const FIXED: LowRankDiagonal = LowRankDiagonal::Fixed { value: 1e-3 };
const LOW_RANK: ObservationConfig = ObservationConfig::LowRankNormal { rank: 3, diagonal: FIXED };
const LEARNED: ObservationConfig =
    ObservationConfig::LowRankNormal { rank: 3, diagonal: LowRankDiagonal::Learned { floor: 1e-4 } };
const SPARSE: ObservationConfig = ObservationConfig::SparsePrecision { neighbourhood: 3 };
const HEAD: ObservationConfig = ObservationConfig::Normal { scale: Scale::Head };

fn model(observation: ObservationConfig, pretrain_steps: u64) -> Autoencoder {
    let entropy = Some(EntropyConfig::default());
    let config = AutoencoderConfig { observation, entropy, pretrain_steps, ..tiny_config() };
    Autoencoder::new(&config, DIGIT, 10, 3, Device::Cpu).unwrap()
}

/// Parameters away from where they start, so that factors are not nothing.
fn shaken(observation: ObservationConfig) -> Autoencoder {
    let model = model(observation, 0);
    variata_torch_bridge::no_grad(|| {
        for (k, (_, parameter)) in model.parameters().trained().enumerate() {
            let n = parameter.numel() as i64;
            let step = Noise::new(9).normal(Purpose::Report, k as u64, 0..1, n, Device::Cpu).unwrap();
            let _ = parameter.shallow_clone().g_add_(&(step.view_as(parameter) * 0.1));
        }
    });
    model
}

fn images(n: i64) -> Tensor {
    Noise::new(1)
        .normal(Purpose::Report, 0, 0..n.unsigned_abs(), 64, Device::Cpu)
        .unwrap()
        .sigmoid()
        .view([n, 1, 8, 8])
}

fn codes(n: i64) -> Tensor {
    Noise::new(2).normal(Purpose::Report, 1, 0..n.unsigned_abs(), 2, Device::Cpu).unwrap()
}

fn array<D: ndarray::Dimension>(t: &Tensor) -> ndarray::Array<f32, D> {
    tensor_into_array::<f32>("t", t).unwrap().into_dimensionality().unwrap()
}

fn numbers(t: &Tensor) -> Vec<f64> {
    tensor_into_array::<f64>("t", t).unwrap().into_iter().collect()
}

#[test]
fn densities_and_entropies_are_those_of_the_native_home() {
    let (x, z) = (images(4), codes(4));
    let rows: ndarray::Array2<f32> = array(&x.flatten(1, -1));
    for observation in [LOW_RANK, LEARNED] {
        let seen = shaken(observation).decode(&z, None).unwrap();
        let (distortion, entropy) = seen.distortion_and_entropy(&x).unwrap();
        assert_eq!(numbers(&distortion), numbers(&seen.distortion(&x).unwrap()));
        let native = |p: &variata_lowrank_mvn::LowRankMvn<'_, f32>| (p.log_prob(&rows), p.entropy());
        let (log_prob, want) = seen.low_rank().unwrap().lend::<f32, _>(native).unwrap();
        for (got, want) in numbers(&distortion).iter().zip(log_prob.unwrap()) {
            assert_eq!(*got, -want, "{observation:?}");
        }
        assert_eq!(numbers(&entropy), want.unwrap().to_vec());
    }
    let seen = shaken(SPARSE).decode(&z, None).unwrap();
    let Observation::SparsePrecision { mean, log_diag, off_diag, grid } = &seen else { panic!("{seen:?}") };
    let native = SparsePrecisionNormal::new(
        *grid,
        array(&mean.flatten(1, -1)),
        array(&log_diag.flatten(1, -1)),
        array(off_diag),
    )
    .unwrap();
    assert!(array::<ndarray::Ix3>(off_diag).iter().any(|v| v.abs() > 1e-2));
    let near = |got: Vec<f64>, want: Vec<f64>| {
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() <= 1e-12 * (1.0 + want.abs()), "{got} and {want}");
        }
    };
    let (distortion, entropy) = seen.distortion_and_entropy(&x).unwrap();
    near(numbers(&(-distortion)), native.log_prob(&rows).unwrap().to_vec());
    near(numbers(&entropy), native.entropy().to_vec());
}

/// The loss against differences, for the first weights of every parameter. In f32 a difference has few digits; the kernels'
/// gradients themselves are checked in their crates.
#[test]
fn the_loss_falls_along_its_gradient_as_far_as_the_gradient_says() {
    let train = loader(16, 16);
    let batch = train.epoch(variata_datasets::Position::default()).unwrap().next().unwrap().unwrap();
    for observation in [LOW_RANK, LEARNED, SPARSE, HEAD] {
        let model = shaken(observation);
        let context = StepContext::new(1, 0, Noise::new(0));
        let loss = || model.objective(&batch, &context).unwrap().loss(&[1.0, 1.0, 0.7]).unwrap();
        let start = loss();
        start.backward();
        let before = start.double_value(&[]);
        let mut square = 0.0;
        for (_, p) in model.parameters().trained() {
            assert!(p.grad().defined());
            square += p.grad().square().sum(Kind::Double).double_value(&[]);
        }
        // A step that lowers the loss by a ten-thousandth of itself.
        let eta = 1e-4 * before.abs() / square;
        variata_torch_bridge::no_grad(|| {
            for (_, parameter) in model.parameters().trained() {
                let _ = parameter.shallow_clone().g_sub_(&(parameter.grad() * eta));
            }
        });
        let fallen = before - loss().double_value(&[]);
        assert!(
            (fallen / (eta * square) - 1.0).abs() < 0.05,
            "{observation:?}: {fallen} of {}",
            eta * square
        );
    }
}

#[test]
fn pretraining_reaches_nothing_but_the_mean() {
    let train = loader(16, 16);
    let batch = train.epoch(variata_datasets::Position::default()).unwrap().next().unwrap().unwrap();
    for observation in [LOW_RANK, LEARNED, SPARSE, HEAD] {
        for (step, frozen) in [(4, true), (5, false)] {
            let model = model(observation, 5);
            let context = StepContext::new(step, 0, Noise::new(0));
            let objective = model.objective(&batch, &context).unwrap();
            objective.loss(&[1.0, 0.0, 0.0]).unwrap().backward();
            let output =
                model.parameters().iter().find(|(name, _)| *name == "decoder.output.bias").unwrap().1;
            let slopes = numbers(&output.grad());
            assert!(slopes[..64].iter().all(|s| *s != 0.0), "{observation:?}");
            assert_eq!(slopes[64..].iter().all(|s| *s == 0.0), frozen, "{observation:?}, step {step}");
        }
    }
}

#[test]
fn pretraining_does_not_reach_a_shared_scale() {
    let train = loader(16, 16);
    let batch = train.epoch(variata_datasets::Position::default()).unwrap().next().unwrap().unwrap();
    for (step, frozen) in [(4, true), (5, false)] {
        let config = AutoencoderConfig {
            observation: ObservationConfig::Normal { scale: Scale::Shared },
            pretrain_steps: 5,
            ..tiny_config()
        };
        let model = Autoencoder::new(&config, DIGIT, 10, 0, Device::Cpu).unwrap();
        let context = StepContext::new(step, 0, Noise::new(0));
        model.objective(&batch, &context).unwrap().loss(&[1.0, 0.0]).unwrap().backward();
        let scale = model.parameters().iter().find(|(name, _)| name.ends_with("raw_log_variance")).unwrap().1;
        let slope = scale.grad();
        let still = !slope.defined() || slope.double_value(&[0]) == 0.0;
        assert_eq!(still, frozen, "step {step}");
    }
}

#[test]
fn a_factor_starts_at_nothing_and_the_entropy_at_its_floor() {
    let seen = model(LOW_RANK, 0).decode(&codes(2), None).unwrap();
    for entropy in numbers(&seen.entropy().unwrap()) {
        // ½ Σ log(1 + λ/ε) with λ of order n·(1e-5)².
        assert!((entropy - entropy_floor(64, f64::from(1e-3f32))).abs() < 1e-3, "{entropy}");
    }
    let mean = numbers(&seen.mean());
    assert!(mean.iter().all(|m| (m - 0.5).abs() < 1e-3));
    let seen = model(LEARNED, 0).decode(&codes(2), None).unwrap();
    let Observation::LowRankNormal { cov_diag, .. } = &seen else { panic!("{seen:?}") };
    assert!(numbers(cov_diag).iter().all(|d| (d / 1.1e-4 - 1.0).abs() < 1e-2));
}

/// Rank 0 is the paper's β-VAE: independent pixels.
#[test]
fn rank_nought_is_an_independent_normal() {
    let diagonal = LowRankDiagonal::Learned { floor: 1e-2 };
    let seen =
        shaken(ObservationConfig::LowRankNormal { rank: 0, diagonal }).decode(&codes(3), None).unwrap();
    let Observation::LowRankNormal { mean, cov_factor, cov_diag } = &seen else { panic!("{seen:?}") };
    assert_eq!(cov_factor.size(), [3, 64, 0]);
    let other =
        Observation::Normal { mean: mean.shallow_clone(), log_variance: cov_diag.log().view_as(mean) };
    let x = images(3);
    let (a, b) = (seen.distortion_and_entropy(&x).unwrap(), other.distortion_and_entropy(&x).unwrap());
    // The variance is rounded once more on its way through the logarithm.
    for (a, b) in numbers(&a.0).iter().zip(numbers(&b.0)).chain(numbers(&a.1).iter().zip(numbers(&b.1))) {
        assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "{a} and {b}");
    }
    let train = loader(16, 16);
    let batch = train.epoch(variata_datasets::Position::default()).unwrap().next().unwrap().unwrap();
    let model = model(ObservationConfig::LowRankNormal { rank: 0, diagonal }, 0);
    let context = StepContext::new(1, 0, Noise::new(0));
    model.objective(&batch, &context).unwrap().loss(&[1.0, 1.0, 0.5]).unwrap().backward();
    assert!(model.parameters().trained().all(|(_, p)| p.grad().defined()));
}

/// Colours: the planes of the first column of P come first, channel after channel.
#[test]
fn planes_are_columns_before_channels() {
    let image = ImageShape { channels: 3, height: 4, width: 5 };
    let config = AutoencoderConfig { observation: LOW_RANK, ..tiny_config() };
    let model = Autoencoder::new(&config, image, 0, 3, Device::Cpu).unwrap();
    let bias = model.parameters().iter().find(|(name, _)| *name == "decoder.output.bias").unwrap().1;
    // Plane k is k everywhere.
    let planes = Tensor::arange(12, (Kind::Float, Device::Cpu)).view([12, 1, 1]).expand([12, 4, 5], false);
    variata_torch_bridge::no_grad(|| bias.shallow_clone().copy_(&planes.reshape([-1])));
    let seen = model.decode(&(codes(1) * 0.0), None).unwrap();
    let Observation::LowRankNormal { cov_factor, .. } = &seen else { panic!("{seen:?}") };
    assert_eq!(cov_factor.size(), [1, 60, 3]);
    for (i, column) in [(0, 0), (19, 0), (20, 0), (59, 0), (0, 2), (40, 1)] {
        let want = (3 + 3 * column + i / 20) as f64;
        let got = cov_factor.double_value(&[0, i, column]);
        assert!((got - want).abs() < 1e-3, "{i}, {column}: {got}, {want}");
    }
}

#[test]
fn draws_have_the_mean_and_the_variance() {
    for observation in [LOW_RANK, HEAD] {
        let seen = shaken(observation).decode(&codes(1), None).unwrap();
        let again = seen.rsample(&Noise::new(4), Purpose::Report, 7).unwrap();
        assert_eq!(numbers(&again), numbers(&seen.rsample(&Noise::new(4), Purpose::Report, 7).unwrap()));
        let draws: Vec<Vec<f64>> =
            (0..4000).map(|k| numbers(&seen.rsample(&Noise::new(4), Purpose::Report, k).unwrap())).collect();
        let variance = match &seen {
            Observation::Normal { log_variance, .. } => numbers(&log_variance.exp()),
            _ => numbers(&seen.low_rank().unwrap().variance()),
        };
        for (i, (mean, variance)) in numbers(&seen.mean()).iter().zip(variance).enumerate() {
            let n = draws.len() as f64;
            let found = draws.iter().map(|d| d[i]).sum::<f64>() / n;
            let spread = draws.iter().map(|d| (d[i] - found).powi(2)).sum::<f64>() / n;
            // 64 values: six standard errors each are a false alarm of 64·2·2e-9, for a fixed seed.
            assert!(
                (found - mean).abs() < 6.0 * (variance / n).sqrt(),
                "{observation:?}: {found} and {mean}"
            );
            assert!((spread / variance - 1.0).abs() < 6.0 * (2.0 / n).sqrt(), "{spread} and {variance}");
        }
    }
    for observation in [SPARSE, ObservationConfig::Bernoulli, ObservationConfig::SquaredError] {
        let config = AutoencoderConfig { observation, ..tiny_config() };
        let seen =
            Autoencoder::new(&config, DIGIT, 0, 3, Device::Cpu).unwrap().decode(&codes(1), None).unwrap();
        assert!(matches!(seen.rsample(&Noise::new(4), Purpose::Report, 0), Err(Error::Unsupported(_))));
        assert_eq!(seen.entropy().is_ok(), observation == SPARSE);
    }
}

#[test]
fn settings_of_normals_are_checked() {
    let with = |observation| AutoencoderConfig { observation, ..tiny_config() };
    let entropy = |observation, entropy: EntropyConfig| AutoencoderConfig {
        entropy: Some(entropy),
        ..with(observation)
    };
    let constraint =
        |target, damping| variata_models::train::Constraint { target, damping, learning_rate: 1.0 };
    let held = |c| EntropyConfig { constraint: Some(c), ..EntropyConfig::default() };
    let floor = EntropyConfig { origin: EntropyOrigin::Floor, ..EntropyConfig::default() };
    let cases: Vec<(AutoencoderConfig, &str)> = vec![
        (with(ObservationConfig::LowRankNormal { rank: -1, diagonal: FIXED }), "observation.rank"),
        (
            with(ObservationConfig::LowRankNormal {
                rank: 2,
                diagonal: LowRankDiagonal::Fixed { value: 0.0 },
            }),
            "observation.diagonal",
        ),
        (
            with(ObservationConfig::LowRankNormal {
                rank: 2,
                diagonal: LowRankDiagonal::Learned { floor: f64::NAN },
            }),
            "observation.diagonal",
        ),
        (with(ObservationConfig::SparsePrecision { neighbourhood: 2 }), "observation.neighbourhood"),
        (with(ObservationConfig::SparsePrecision { neighbourhood: -1 }), "observation.neighbourhood"),
        (entropy(ObservationConfig::Bernoulli, EntropyConfig::default()), "entropy"),
        (entropy(HEAD, floor), "entropy.origin"),
        (entropy(LEARNED, floor), "entropy.origin"),
        (entropy(HEAD, EntropyConfig { weight: f64::NAN, ..EntropyConfig::default() }), "entropy.weight"),
        (entropy(HEAD, held(constraint(f64::NAN, 1.0))), "constraint.target"),
        (entropy(HEAD, held(constraint(0.0, -1.0))), "constraint.damping"),
        (
            AutoencoderConfig { architecture: Architecture::Residual { widths: vec![] }, ..tiny_config() },
            "architecture.widths",
        ),
        (
            AutoencoderConfig {
                architecture: Architecture::Residual { widths: vec![4, 0] },
                ..tiny_config()
            },
            "architecture.widths",
        ),
    ];
    for (config, name) in cases {
        let error = Autoencoder::new(&config, DIGIT, 0, 0, Device::Cpu).unwrap_err();
        assert!(matches!(&error, Error::Config { setting, .. } if *setting == name), "{name}: {error}");
    }
}
