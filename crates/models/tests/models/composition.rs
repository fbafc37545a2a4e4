//! Every combination of parts, and every setting that is refused.

use ndarray::{Axis, s};
use serde_json::{Value, json};
use variata_models::tch::{Device, Kind, Tensor};
use variata_models::train::{Constraint, Schedule, Trainable};
use variata_models::{
    Architecture, Autoencoder, AutoencoderConfig, BottleneckConfig, Bounds, Condition, Cost, EntropyConfig,
    Error, ImageShape, KlConfig, LatentDistance, LowRankDiagonal, MapBottleneckConfig, Noise, Observation,
    ObservationConfig, Purpose, RegularizerConfig, Scale, bounds, log_weights,
};

use crate::{DIGIT, tiny, tiny_config};

#[test]
fn every_combination_of_parts_fits_together() {
    let architectures = [
        Architecture::Mlp { hidden: vec![9, 7] },
        Architecture::Conv { channels: vec![3, 4], hidden: vec![6] },
        Architecture::Residual { widths: vec![2, 3] },
        Architecture::Conv { channels: vec![3], hidden: vec![6, 5] },
        Architecture::Conv2x2 { channels: 3, hidden: 6 },
    ];
    let bottlenecks = [
        BottleneckConfig::Deterministic,
        BottleneckConfig::default(),
        BottleneckConfig::GaussianSoftplus { floor: 1e-5 },
    ];
    let observations = [
        ObservationConfig::Bernoulli,
        ObservationConfig::SquaredError,
        ObservationConfig::Normal { scale: Scale::Fixed { value: 0.1 } },
        ObservationConfig::Normal { scale: Scale::Shared },
        ObservationConfig::Normal { scale: Scale::Head },
        ObservationConfig::LowRankNormal { rank: 2, diagonal: LowRankDiagonal::Fixed { value: 1e-3 } },
        ObservationConfig::LowRankNormal { rank: 2, diagonal: LowRankDiagonal::Learned { floor: 1e-3 } },
        ObservationConfig::SparsePrecision { neighbourhood: 3 },
    ];
    for (height, width, channels) in [(8, 8, 1), (7, 9, 3), (28, 28, 1)] {
        let image = ImageShape { channels, height, width };
        // Convolutions 2×2 halve exactly.
        let even = height % 2 == 0 && width % 2 == 0;
        let fits = |a: &&Architecture| even || !matches!(a, Architecture::Conv2x2 { .. });
        for architecture in architectures.iter().filter(fits) {
            for bottleneck in bottlenecks {
                for observation in observations {
                    for conditional in [false, true] {
                        let config = AutoencoderConfig {
                            architecture: architecture.clone(),
                            latent: 3,
                            bottleneck,
                            observation,
                            conditional,
                            ..AutoencoderConfig::default()
                        };
                        let model = Autoencoder::new(&config, image, 4, 1, Device::Cpu).unwrap();
                        let x = Tensor::full([5, channels, height, width], 0.25, (Kind::Float, Device::Cpu));
                        let condition = model.condition(&[0, 1, 2, 3, 0]).unwrap();
                        assert_eq!(condition.is_some(), conditional);
                        let code = model.encode(&x, condition.as_ref()).unwrap().code;
                        assert_eq!(code.mean.size(), [5, 3]);
                        let seen = model.decode(&code.mean, condition.as_ref()).unwrap();
                        assert_eq!(seen.mean().size(), x.size(), "{config:?}");
                        assert_eq!(seen.distortion(&x).unwrap().size(), [5]);
                        if let Some(q) = code.posterior {
                            let kl = q.kl_standard_normal().unwrap();
                            assert!(kl.min().double_value(&[]) >= 0.0);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn parameters_are_counted_and_depend_on_seed_and_name_alone() {
    let model = tiny(3);
    // 64→12, 12→2 twice, 2→12, 12→64, with biases.
    assert_eq!(model.parameters().count(), 64 * 12 + 12 + 2 * (12 * 2 + 2) + 2 * 12 + 12 + 12 * 64 + 64);
    assert_eq!(crate::bits(&model), crate::bits(&tiny(3)));
    assert_ne!(crate::bits(&model), crate::bits(&tiny(4)));
    let deeper = AutoencoderConfig { conditional: true, ..tiny_config() };
    let other = Autoencoder::new(&deeper, DIGIT, 10, 3, Device::Cpu).unwrap();
    let get = |m: &Autoencoder, name: &str| {
        let found = m.parameters().iter().find(|(n, _)| *n == name).unwrap().1;
        Vec::<f32>::try_from(found.detach().view([-1])).unwrap()
    };
    let name = "bottleneck.mean.weight";
    assert_eq!(get(&model, name), get(&other, name), "another layer's shape does not change this one");
}

#[test]
fn distortions_are_the_densities_in_f64() {
    let x =
        Noise::new(1).normal(Purpose::Report, 0, 0..6, 64, Device::Cpu).unwrap().sigmoid().view([6, 1, 8, 8]);
    let array = |t: &Tensor| variata_torch_bridge::tensor_into_array::<f64>("t", &t.flatten(1, -1)).unwrap();
    for (observation, scale) in [
        (ObservationConfig::Normal { scale: Scale::Fixed { value: 0.3 } }, 0.3),
        (ObservationConfig::SquaredError, 0.0),
    ] {
        let config = AutoencoderConfig { observation, ..tiny_config() };
        let model = Autoencoder::new(&config, DIGIT, 10, 2, Device::Cpu).unwrap();
        let seen = model.decode(&Tensor::zeros([6, 2], (Kind::Float, Device::Cpu)), None).unwrap();
        let (x64, mean) = (array(&x), array(&seen.mean()));
        let got = array(&seen.distortion(&x).unwrap().unsqueeze(1));
        for row in 0..6 {
            let squares: f64 = (0..64).map(|i| (x64[[row, i]] - mean[[row, i]]).powi(2)).sum();
            let want = if scale == 0.0 {
                squares
            } else {
                // The scale enters as an f32 log-variance.
                let v = f64::from((2.0 * f64::ln(scale)) as f32).exp();
                0.5 * squares / v + 32.0 * (v.ln() + (2.0 * std::f64::consts::PI).ln())
            };
            let error = (got[[row, 0]] - want).abs() / want.abs().max(squares);
            assert!(error < 1e-6, "{observation:?}: {} against {want}", got[[row, 0]]);
        }
    }
}

fn gap(bounds: Bounds) -> f64 {
    bounds.importance_weighted - bounds.elbo
}

#[test]
fn the_importance_weighted_bound_lies_above_the_elbo() {
    let model = tiny(1);
    let x = Tensor::full([20, 1, 8, 8], 0.5, (Kind::Float, Device::Cpu));
    let weights = log_weights(&model, &x, None, 32, &Noise::new(2), 1).unwrap();
    let found = bounds(&weights).unwrap();
    assert!(found.importance_weighted > found.elbo, "{found:?}");
    assert_eq!(weights, log_weights(&model, &x, None, 32, &Noise::new(2), 1).unwrap());
    for samples in [0, -1, (1 << 20) + 1] {
        let error = log_weights(&model, &x, None, samples, &Noise::new(2), 1).unwrap_err();
        assert_eq!(error.to_string(), format!("`samples` is {samples}, must be in 1..=1048576"));
    }
    // By the formula, and of one datum none.
    let gaps: Vec<f64> =
        weights.rows().into_iter().map(|row| bounds(&row.insert_axis(Axis(0))).unwrap()).map(gap).collect();
    let (mean, n) = (gaps.iter().sum::<f64>() / 20.0, gaps.len() as f64);
    let variance = gaps.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
    let error = found.gap_standard_error.unwrap();
    assert!((error - (variance / n).sqrt()).abs() < 1e-12 * error, "{error}");
    assert_eq!(bounds(&weights.slice(s![..1, ..])).unwrap().gap_standard_error, None);
}

#[test]
fn settings_outside_their_domain_are_named() {
    let cases: [(AutoencoderConfig, &str); 14] = [
        (
            AutoencoderConfig {
                bottleneck: BottleneckConfig::Deterministic,
                kl: KlConfig::held(Constraint::at(3.0)),
                ..tiny_config()
            },
            "kl.constraint",
        ),
        (AutoencoderConfig { latent: 0, ..tiny_config() }, "latent"),
        (
            AutoencoderConfig { architecture: Architecture::Mlp { hidden: vec![0] }, ..tiny_config() },
            "architecture.hidden",
        ),
        (
            AutoencoderConfig {
                architecture: Architecture::Conv { channels: vec![2; 4], hidden: vec![4] },
                ..tiny_config()
            },
            "architecture.channels",
        ),
        (
            AutoencoderConfig {
                bottleneck: BottleneckConfig::Gaussian { log_variance_bound: f64::NAN },
                ..tiny_config()
            },
            "log_variance_bound",
        ),
        (
            AutoencoderConfig {
                observation: ObservationConfig::Normal { scale: Scale::Fixed { value: 0.0 } },
                ..tiny_config()
            },
            "observation.scale.value",
        ),
        (AutoencoderConfig { distortion_weight: -1.0, ..tiny_config() }, "distortion_weight"),
        (
            AutoencoderConfig {
                distortion_weight: 0.0,
                bottleneck: BottleneckConfig::Deterministic,
                ..tiny_config()
            },
            "distortion_weight",
        ),
        (
            AutoencoderConfig {
                distortion_weight: 0.0,
                bottleneck: BottleneckConfig::Deterministic,
                regularizer: Some(RegularizerConfig {
                    cost: Cost::Weight { lambda: 0.0 },
                    ..RegularizerConfig::new(LatentDistance::CramerWold)
                }),
                ..tiny_config()
            },
            "distortion_weight",
        ),
        (
            AutoencoderConfig { kl: KlConfig::held(Constraint::at(-5.0)), ..tiny_config() },
            "kl.constraint.target",
        ),
        (
            AutoencoderConfig {
                observation: ObservationConfig::Normal { scale: Scale::Fixed { value: 0.1 } },
                entropy: Some(EntropyConfig { weight: 1.0, ..EntropyConfig::default() }),
                ..tiny_config()
            },
            "entropy",
        ),
        (
            AutoencoderConfig {
                kl: KlConfig { weight: f64::INFINITY, ..KlConfig::default() },
                ..tiny_config()
            },
            "kl.weight",
        ),
        (AutoencoderConfig { conditional: true, ..tiny_config() }, "classes"),
        (
            AutoencoderConfig {
                architecture: Architecture::Conv2x2 { channels: 2, hidden: 0 },
                ..tiny_config()
            },
            "architecture.hidden",
        ),
    ];
    for (config, name) in cases {
        let error = Autoencoder::new(&config, DIGIT, 0, 0, Device::Cpu).unwrap_err();
        assert!(matches!(&error, Error::Config { setting, .. } if *setting == name), "{name}: {error}");
    }
}

#[test]
fn tensors_and_labels_that_do_not_fit_are_refused() {
    let model = tiny(0);
    for kind in [Kind::Double, Kind::Half, Kind::Uint8, Kind::Int64, Kind::Bool] {
        let found = model.encode(&Tensor::zeros([2, 1, 8, 8], (kind, Device::Cpu)), None);
        assert!(matches!(found, Err(Error::Tensor(_))), "{kind:?}: {found:?}");
    }
    assert!(model.encode(&Tensor::new(), None).is_err());
    assert!(
        model
            .encode(
                &Tensor::zeros([2, 1, 8, 8], (Kind::Float, Device::Cpu)).to_sparse(None, None::<i64>, None),
                None
            )
            .is_err()
    );
    assert!(Condition::one_hot(&[0], i64::MAX, Device::Cpu).is_err());
    let x = Tensor::zeros([2, 1, 8, 9], (Kind::Float, Device::Cpu));
    assert!(matches!(model.encode(&x, None), Err(Error::Shape { argument: "x", .. })));
    let z = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
    assert!(matches!(model.decode(&z, None), Err(Error::Shape { argument: "z", .. })));
    let condition = Condition::one_hot(&[1, 2], 10, Device::Cpu).unwrap();
    let x = Tensor::zeros([2, 1, 8, 8], (Kind::Float, Device::Cpu));
    assert!(matches!(model.encode(&x, Some(&condition)), Err(Error::Condition(_))));
    let conditional = Autoencoder::new(
        &AutoencoderConfig { conditional: true, ..tiny_config() },
        DIGIT,
        10,
        0,
        Device::Cpu,
    )
    .unwrap();
    assert!(matches!(conditional.encode(&x, None), Err(Error::Condition(_))));
    let three = Condition::one_hot(&[1, 2, 3], 10, Device::Cpu).unwrap();
    assert!(matches!(conditional.encode(&x, Some(&three)), Err(Error::Shape { argument: "condition", .. })));
    assert!(matches!(
        Condition::one_hot(&[0, 10], 10, Device::Cpu),
        Err(Error::Label { index: 1, label: 10, classes: 10 })
    ));
}

/// serde lets a variant without fields have any.
#[test]
fn settings_that_a_variant_does_not_have_are_refused() {
    fn check<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(kind: &str) {
        let plain: T = serde_json::from_value(json!({ "kind": kind })).unwrap();
        let again: T = serde_json::from_value(serde_json::to_value(&plain).unwrap()).unwrap();
        assert_eq!(plain, again);
        let more: Value = json!({ "kind": kind, "warmup_steps": 100 });
        let error = serde_json::from_value::<T>(more).unwrap_err().to_string();
        assert!(error.contains("warmup_steps"), "{kind}: {error}");
    }
    check::<Schedule>("constant");
    check::<Cost>("log");
    check::<LatentDistance>("cramer_wold");
    check::<LatentDistance>("mmd");
    check::<ObservationConfig>("bernoulli");
    check::<ObservationConfig>("squared_error");
    check::<Scale>("shared");
    check::<Scale>("head");
    check::<BottleneckConfig>("deterministic");
    check::<MapBottleneckConfig>("deterministic");
}

/// Data of another kind than the network's are as good.
#[test]
fn a_squared_error_of_two_kinds_has_its_gradient() {
    let mean = Tensor::rand([2, 1, 3, 3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let seen = Observation::SquaredError { mean: mean.shallow_clone() };
    let x = Tensor::rand([2, 1, 3, 3], (Kind::Double, Device::Cpu));
    for (x, tolerance) in [(x.shallow_clone(), 1e-7), (x.to_kind(Kind::Float), 1e-6)] {
        variata_torch_bridge::drop_gradients([&mean]).unwrap();
        let error = seen.distortion(&x).unwrap();
        assert_eq!((error.kind(), error.size()), (Kind::Double, vec![2]));
        error.sum(Kind::Double).backward();
        let gap = mean.detach().to_kind(Kind::Double) - &x;
        let want = gap.square().flatten(1, -1).sum_dim_intlist(1, false, Kind::Double);
        assert!((error - want).abs().max().double_value(&[]) < 10.0 * tolerance);
        assert!((mean.grad() - gap * 2.0).abs().max().double_value(&[]) < tolerance);
    }
}

/// Observations that nobody's decoder has made.
#[test]
fn observations_of_shapes_that_do_not_fit_are_refused() {
    let ones = |size: &[i64]| Tensor::ones(size, (Kind::Float, Device::Cpu));
    let low_rank = |mean: &[i64], factor: &[i64]| Observation::LowRankNormal {
        mean: ones(mean),
        cov_factor: ones(factor),
        cov_diag: ones(&[]),
    };
    let noise = Noise::new(0);
    for observation in [
        Observation::Normal { mean: ones(&[2, 1, 8, 8]), log_variance: ones(&[3]) },
        Observation::Normal { mean: ones(&[]), log_variance: ones(&[]) },
        low_rank(&[2, 1, 8, 8], &[2]),
        low_rank(&[3], &[2, 64, 1]),
    ] {
        let x = observation.mean().zeros_like();
        assert!(observation.distortion(&x).is_err(), "{observation:?}");
        assert!(observation.entropy().is_err(), "{observation:?}");
        assert!(observation.rsample(&noise, Purpose::Latent, 0).is_err(), "{observation:?}");
    }
    let whole = Observation::SquaredError { mean: ones(&[2, 3]).to_kind(Kind::Int64) };
    assert!(whole.distortion(&ones(&[2, 3])).is_err());
}
