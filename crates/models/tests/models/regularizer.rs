//! Terms that draw codes towards a prior: their values, their gradients, their noise, and what training makes of them.

use variata_models::tch::{Device, Kind, Tensor};
use variata_models::train::{StepContext, TrainConfig, Trainable, Trainer};
use variata_models::{
    Architecture, Autoencoder, AutoencoderConfig, BottleneckConfig, Cost, Error, ImageShape, KlConfig,
    LatentDistance, Noise, Normality, ObservationConfig, Prior, Purpose, RegularizerConfig,
};
use variata_sliced::CramerWold;
use variata_testkit::finite_difference::assert_gradient;
use variata_testkit::statistics::{assert_ks, assert_rejects, seed, try_ks};
use variata_torch_bridge::{tensor_from_slice, tensor_into_array};

use crate::{DIGIT, bits, loader, tiny_config};

const ALL: [LatentDistance; 8] = [
    LatentDistance::Sliced { normality: Normality::Wasserstein, directions: 7 },
    LatentDistance::Sliced { normality: Normality::CramerWold, directions: 7 },
    LatentDistance::Sliced { normality: Normality::CramerVonMises, directions: 7 },
    LatentDistance::Sliced { normality: Normality::KolmogorovSmirnov, directions: 7 },
    LatentDistance::Sliced { normality: Normality::AndersonDarling, directions: 7 },
    LatentDistance::SlicedToDraws { directions: 7 },
    LatentDistance::CramerWold,
    LatentDistance::Mmd,
];

fn codes(rows: usize, columns: usize) -> Vec<f64> {
    (0..rows * columns).map(|i| 1.3 * (1.7 * i as f64).sin() + 0.2).collect()
}

fn config(distance: LatentDistance) -> AutoencoderConfig {
    AutoencoderConfig {
        latent: 3,
        bottleneck: BottleneckConfig::Deterministic,
        observation: ObservationConfig::SquaredError,
        kl: KlConfig { weight: 0.0, ..KlConfig::default() },
        regularizer: Some(RegularizerConfig::new(distance)),
        ..tiny_config()
    }
}

#[test]
fn distances_repeat_at_an_address_and_only_there() {
    let z = tensor_from_slice(&codes(20, 3), &[20, 3]).unwrap();
    let noise = Noise::new(4);
    for distance in ALL {
        let config = RegularizerConfig::new(distance);
        let at = |noise: &Noise, purpose, step| {
            config.distance(&z, noise, purpose, step).unwrap().double_value(&[])
        };
        let first = at(&noise, Purpose::Latent, 3);
        assert!(first > 0.0, "{distance:?}");
        assert_eq!(first, at(&noise, Purpose::Latent, 3));
        let random = distance != LatentDistance::CramerWold;
        for other in [
            at(&noise, Purpose::Latent, 4),
            at(&noise, Purpose::Validation, 3),
            at(&Noise::new(5), Purpose::Latent, 3),
        ] {
            assert_eq!(first != other, random, "{distance:?}");
        }
    }
    let native = ndarray::Array2::from_shape_vec((20, 3), codes(20, 3)).unwrap();
    let want = CramerWold::default().value(&native).unwrap();
    let direct = RegularizerConfig::new(LatentDistance::CramerWold);
    let got = direct.distance(&z, &noise, Purpose::Latent, 0).unwrap().double_value(&[]);
    assert_eq!(got, want);
}

#[test]
fn distances_are_in_units_of_the_priors_scale() {
    let z = tensor_from_slice(&codes(20, 3), &[20, 3]).unwrap();
    for distance in ALL {
        let unit = RegularizerConfig::new(distance);
        let wide = RegularizerConfig { prior: Prior::Normal { scale: 2.0 }, ..unit };
        let at = |config: RegularizerConfig, z: &Tensor| {
            config.distance(z, &Noise::new(1), Purpose::Latent, 0).unwrap().double_value(&[])
        };
        assert_eq!(at(wide, &(&z * 2.0)), at(unit, &z), "{distance:?}");
    }
}

#[test]
fn codes_drawn_from_a_prior_are_nearest_to_it() {
    let priors = [Prior::default(), Prior::Uniform { half_width: 3.0 }, Prior::Ball { radius: 6.0 }];
    let noise = Noise::new(2);
    for distance in [LatentDistance::SlicedToDraws { directions: 50 }, LatentDistance::Mmd] {
        for own in priors {
            let z = own.draw(&noise, Purpose::Report, 9, 0..400, 3, Device::Cpu).unwrap();
            let to = |prior| {
                let config = RegularizerConfig { prior, ..RegularizerConfig::new(distance) };
                config.distance(&z, &noise, Purpose::Latent, 0).unwrap().double_value(&[])
            };
            for other in priors.into_iter().filter(|p| *p != own) {
                assert!(to(own) < 0.5 * to(other), "{distance:?}: {own:?} to {other:?}");
            }
        }
    }
}

#[test]
fn gradients_are_those_of_the_distance() {
    let noise = Noise::new(3);
    for distance in ALL {
        for cost in [Cost::Log, Cost::Weight { lambda: 3.0 }] {
            let config = RegularizerConfig { cost, ..RegularizerConfig::new(distance) };
            let at = |v: &[f64]| {
                let z = tensor_from_slice(v, &[6, 2]).unwrap().set_requires_grad(true);
                let d = config.distance(&z, &noise, Purpose::Latent, 1).unwrap();
                let term = match cost {
                    Cost::Log => d.log(),
                    Cost::Weight { lambda } => d * lambda,
                };
                (z, term)
            };
            let value = |v: &[f64]| at(v).1.double_value(&[]);
            let gradient = |v: &[f64]| {
                let (z, term) = at(v);
                term.backward();
                tensor_into_array::<f64>("grad", &z.grad()).unwrap().into_iter().collect()
            };
            // So near that no two projections change places.
            assert_gradient(&format!("{distance:?}"), value, &codes(6, 2), &[1e-3; 12], gradient, 1e-6);
        }
    }
}

#[test]
fn the_cost_is_a_logarithm_or_a_weight() {
    let data = loader(40, 40);
    let batch = data.epoch(variata_datasets::Position::epoch(0)).unwrap().next().unwrap().unwrap();
    let context = StepContext::new(7, 7, Noise::new(0));
    for distance in ALL {
        let terms = |cost| {
            let mut config = config(distance);
            config.regularizer = Some(RegularizerConfig { cost, ..RegularizerConfig::new(distance) });
            let model = Autoencoder::new(&config, DIGIT, 10, 0, Device::Cpu).unwrap();
            let objective = model.objective(&batch, &context).unwrap();
            let values = objective.values();
            let named = objective.terms.iter().zip(values).map(|(t, v)| (t.name, v, t.weight));
            named.collect::<Vec<_>>()
        };
        let log = terms(Cost::Log);
        let names: Vec<_> = log.iter().map(|t| (t.0, t.2)).collect();
        assert_eq!(names, [("distortion", 1.0), ("distance", 0.0), ("log_distance", 1.0)]);
        assert!((log[2].1 - log[1].1.ln()).abs() < 1e-14);
        let weighted = terms(Cost::Weight { lambda: 5.0 });
        assert_eq!(weighted[1], ("distance", log[1].1, 5.0));
    }
}

#[test]
fn training_brings_codes_to_the_prior_and_resumes_to_the_same_bits() {
    let train = loader(300, 100);
    let run = |config: &AutoencoderConfig, epochs: u64, store: Option<&std::path::Path>| {
        let model = Autoencoder::new(config, DIGIT, 10, 0, Device::Cpu).unwrap();
        let settings = TrainConfig { epochs, ..TrainConfig::default() };
        let store = store.map(|at| variata_models::train::CheckpointStore::new(at.to_path_buf()));
        let mut trainer = Trainer::new(&model, &train, settings, 0);
        if let Some(store) = &store {
            trainer = trainer.checkpoints(store, "same");
        }
        let history = trainer.run().unwrap().history;
        (model, history)
    };
    for distance in ALL {
        // Little weight on the images: the gradient of Kolmogorov–Smirnov reaches one code a direction, and is slow.
        let config = AutoencoderConfig { distortion_weight: 0.01, ..config(distance) };
        let (model, history) = run(&config, 40, None);
        let d = |epoch: usize| history[epoch].train("distance").unwrap();
        assert!(d(39) < 0.5 * d(0), "{distance:?}: {} to {}", d(0), d(39));
        // What draws directions and codes is what could differ.
        if distance != (LatentDistance::SlicedToDraws { directions: 7 }) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        run(&config, 15, Some(folder.path()));
        let (resumed, _) = run(&config, 40, Some(folder.path()));
        assert!(bits(&resumed) == bits(&model), "{distance:?}");
    }
}

#[test]
fn wrong_settings_are_named() {
    let sliced = |directions| LatentDistance::Sliced { normality: Normality::Wasserstein, directions };
    let plain = RegularizerConfig::new(sliced(5));
    for (regularizer, name) in [
        (RegularizerConfig::new(sliced(0)), "regularizer.distance.directions"),
        (
            RegularizerConfig::new(LatentDistance::SlicedToDraws { directions: 0 }),
            "regularizer.distance.directions",
        ),
        (RegularizerConfig { cost: Cost::Weight { lambda: -1.0 }, ..plain }, "regularizer.cost.lambda"),
        (RegularizerConfig { cost: Cost::Weight { lambda: f64::NAN }, ..plain }, "regularizer.cost.lambda"),
        (RegularizerConfig { prior: Prior::Normal { scale: 0.0 }, ..plain }, "regularizer.prior.scale"),
        (RegularizerConfig { prior: Prior::Uniform { half_width: 1.0 }, ..plain }, "regularizer.prior"),
        (
            RegularizerConfig {
                prior: Prior::Ball { radius: f64::NAN },
                ..RegularizerConfig::new(LatentDistance::Mmd)
            },
            "regularizer.prior.radius",
        ),
    ] {
        let config = AutoencoderConfig { regularizer: Some(regularizer), ..tiny_config() };
        let error = Autoencoder::new(&config, DIGIT, 10, 0, Device::Cpu).unwrap_err();
        assert!(matches!(&error, Error::Config { setting, .. } if *setting == name), "{name}: {error}");
    }
    let flat = Tensor::zeros([4], (Kind::Float, Device::Cpu));
    let error = plain.distance(&flat, &Noise::new(0), Purpose::Latent, 0).unwrap_err();
    assert!(error.to_string().contains("[batch, latent]"), "{error}");
    for size in [[0, 3], [4, 0]] {
        let empty = Tensor::zeros(size, (Kind::Float, Device::Cpu));
        for distance in ALL {
            let config = RegularizerConfig::new(distance);
            assert!(config.distance(&empty, &Noise::new(0), Purpose::Latent, 0).is_err(), "{distance:?}");
        }
    }
}

#[test]
fn draws_of_priors_have_their_laws() {
    let noise = Noise::new(seed(8));
    let values = |prior: Prior, width: i64, rows: u64| {
        let z = prior.draw(&noise, Purpose::Report, 0, 0..rows, width, Device::Cpu).unwrap();
        tensor_into_array::<f64>("z", &z).unwrap().into_iter().collect::<Vec<_>>()
    };
    let uniform = |x: f64| x.clamp(0.0, 1.0);
    let cube: Vec<f64> = values(Prior::Uniform { half_width: 2.0 }, 2, 500_000);
    let cube: Vec<f64> = cube.iter().map(|v| 0.25 * v + 0.5).collect();
    assert_ks("ks_prior", &cube, uniform);
    let ball = values(Prior::Ball { radius: 2.0 }, 3, 1_000_000);
    let radius = |p: &[f64]| p.iter().map(|v| v * v).sum::<f64>().sqrt() / 2.0;
    let volumes: Vec<f64> = ball.chunks(3).map(|p| radius(p).powi(3)).collect();
    assert_ks("ks_prior", &volumes, uniform);
    let distances: Vec<f64> = ball.chunks(3).map(radius).collect();
    assert_rejects("ks_prior", &try_ks("ks_prior", &distances, uniform));
}

#[test]
fn measurements_are_recorded_with_validations_and_their_errors_name_the_step() {
    let (train, validation) = (loader(100, 50), loader(50, 50));
    let model = Autoencoder::new(&config(ALL[0]), DIGIT, 10, 0, Device::Cpu).unwrap();
    let settings = TrainConfig { epochs: 4, validate_epochs: 2, ..TrainConfig::default() };
    let mut measure = |step: u64| Ok(vec![("twice".to_owned(), 2.0 * step as f64)]);
    let outcome = Trainer::new(&model, &train, settings, 0)
        .validation(&validation)
        .measure(&mut measure)
        .run()
        .unwrap();
    let found: Vec<_> = outcome.history.iter().map(|e| e.validation("twice")).collect();
    assert_eq!(found, [None, Some(8.0), None, Some(16.0)]);
    assert!(outcome.history[1].validation("distance").is_some());
    let mut broken = |_: u64| Err("no ruler".into());
    let error = Trainer::new(&model, &train, settings, 0).measure(&mut broken).run();
    assert_eq!(error.unwrap_err().to_string(), "measuring at step 4: no ruler");
}

#[test]
fn networks_are_those_of_the_authors() {
    let count = |architecture, latent, image| {
        let config = AutoencoderConfig { architecture, latent, ..config(ALL[0]) };
        let model = Autoencoder::new(&config, image, 10, 0, Device::Cpu).unwrap();
        model.parameters().iter().map(|(_, t)| t.numel()).sum::<usize>()
    };
    let digit = ImageShape { channels: 1, height: 28, width: 28 };
    assert_eq!(count(Architecture::Mlp { hidden: vec![200; 3] }, 20, digit), 483_604);
    let colour = ImageShape { channels: 3, height: 32, width: 32 };
    // Convolutions, two dense layers with 13×13×32 inputs; two dense layers, transposed convolutions, pixels.
    let encoder = 39 + 416 + 2 * 4_128 + (5_408 * 128 + 128) + (128 * 64 + 64);
    let decoder = (64 * 128 + 128) + (128 * 8_192 + 8_192) + 2 * 4_128 + 9_248 + 387;
    let small = Architecture::Conv2x2 { channels: 32, hidden: 128 };
    assert_eq!(count(small, 64, colour), encoder + decoder);
    let one: Architecture = serde_json::from_str(r#"{"kind":"conv","channels":[3],"hidden":6}"#).unwrap();
    assert_eq!(one, Architecture::Conv { channels: vec![3], hidden: vec![6] });
}

#[test]
fn settings_are_checked_where_a_distance_is_taken() {
    let codes = Tensor::ones([4, 2], (Kind::Double, Device::Cpu));
    for (prior, directions) in [(Prior::Normal { scale: 0.0 }, 5), (Prior::default(), 0)] {
        let distance = LatentDistance::Sliced { normality: Normality::Wasserstein, directions };
        let config = RegularizerConfig { prior, ..RegularizerConfig::new(distance) };
        let error = config.distance(&codes, &Noise::new(0), Purpose::Latent, 0).unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{error}");
    }
}
