//! Terms held at targets: the arithmetic, convergence, and what a checkpoint keeps.

use variata_models::tch::Device;
use variata_models::train::{
    AdamConfig, CheckpointStore, Constraint, Control, Event, Multipliers, TrainConfig, Trainable, Trainer,
};
use variata_models::{
    Architecture, Autoencoder, AutoencoderConfig, BottleneckConfig, EntropyConfig, EntropyOrigin, KlConfig,
    LowRankDiagonal, ObservationConfig, entropy_floor,
};

use crate::{DIGIT, bits, loader, tiny_config};

/// The SOS-VAE authors' numbers: KL 70, target 45, λ = 0.
#[test]
fn multipliers_follow_the_authors_arithmetic() {
    let (mut multipliers, constraint) = (Multipliers::default(), Constraint::at(45.0));
    assert_eq!((constraint.damping, constraint.learning_rate), (10.0, 1.0));
    assert_eq!(multipliers.coefficient("kl", 70.0, &constraint), 250.0);
    multipliers.ascend("kl", 70.0, &constraint);
    assert_eq!(multipliers.get("kl"), 25.0);
    // From below the damping pulls upwards, λ only falls to 0.
    assert_eq!(multipliers.coefficient("kl", 35.0, &constraint), -75.0);
    multipliers.ascend("kl", 35.0, &constraint);
    multipliers.ascend("kl", 20.0, &constraint);
    assert_eq!((multipliers.get("kl"), multipliers.get("other")), (0.0, 0.0));
}

fn held_config(architecture: Architecture) -> AutoencoderConfig {
    AutoencoderConfig {
        architecture,
        bottleneck: BottleneckConfig::GaussianSoftplus { floor: 1e-5 },
        observation: ObservationConfig::LowRankNormal {
            rank: 4,
            diagonal: LowRankDiagonal::Fixed { value: 1e-2 },
        },
        kl: KlConfig::held(Constraint::at(3.0)),
        entropy: Some(EntropyConfig {
            constraint: Some(Constraint::at(6.0)),
            origin: EntropyOrigin::Floor,
            ..EntropyConfig::default()
        }),
        pretrain_steps: 30,
        ..tiny_config()
    }
}

fn trained(config: &AutoencoderConfig, epochs: u64) -> variata_models::train::Outcome {
    let train = loader(200, 50);
    let model = Autoencoder::new(config, DIGIT, 10, 1, Device::Cpu).unwrap();
    let config = TrainConfig {
        epochs,
        optimizer: AdamConfig { learning_rate: 3e-3, ..AdamConfig::default() }.into(),
        ..TrainConfig::default()
    };
    Trainer::new(&model, &train, config, 1).run().unwrap()
}

#[test]
fn both_terms_reach_their_targets_and_multipliers_are_never_negative() {
    let outcome = trained(&held_config(Architecture::Mlp { hidden: vec![32] }), 150);
    let last = &outcome.history[outcome.history.len() - 10..];
    let mean = |name: &str| last.iter().filter_map(|e| e.train(name)).sum::<f64>() / last.len() as f64;
    assert!((mean("kl") - 3.0).abs() < 0.1, "KL {}", mean("kl"));
    let entropy = mean("entropy") - entropy_floor(64, 1e-2);
    assert!((entropy - 6.0).abs() < 0.2, "entropy {entropy} above its floor");
    for epoch in &outcome.history {
        for name in ["kl_multiplier", "entropy_multiplier"] {
            assert!(epoch.train(name).unwrap() >= 0.0);
        }
    }
    assert!(mean("entropy_multiplier") > 0.1, "something has to hold the entropy");

    // Without the constraint the entropy goes elsewhere.
    let free = AutoencoderConfig {
        entropy: Some(EntropyConfig::default()),
        ..held_config(Architecture::Mlp { hidden: vec![32] })
    };
    let outcome = trained(&free, 150);
    let last = outcome.history.last().unwrap();
    assert!((last.train("entropy").unwrap() - entropy_floor(64, 1e-2) - 6.0).abs() > 0.5);
    assert!(last.train("entropy_multiplier").is_none());
}

/// Multipliers and the running statistics of batch norm are part of what a resumed run goes on from.
#[test]
fn a_stopped_run_resumes_to_the_same_bits() {
    let config = held_config(Architecture::Residual { widths: vec![3, 5] });
    let train = loader(120, 30);
    let settings = TrainConfig { epochs: 4, ..TrainConfig::default() };
    let new = || Autoencoder::new(&config, DIGIT, 10, 1, Device::Cpu).unwrap();
    let whole = new();
    let want = Trainer::new(&whole, &train, settings, 1).run().unwrap();
    for stop in [1, 5, 9] {
        let folder = tempfile::tempdir().unwrap();
        let store = CheckpointStore::new(folder.path());
        let mut steps = 0;
        let mut stopping = |event: &Event| {
            steps += u64::from(matches!(event, Event::Step { .. }));
            if steps == stop { Control::Stop } else { Control::Continue }
        };
        let first = new();
        let trainer = Trainer::new(&first, &train, settings, 1).checkpoints(&store, "run");
        assert!(!trainer.listen(&mut stopping).run().unwrap().completed);
        let second = new();
        let got = Trainer::new(&second, &train, settings, 1).checkpoints(&store, "run").run().unwrap();
        assert!(got.completed && got.history == want.history, "stopped after {stop}");
        assert_eq!(bits(&second), bits(&whole), "stopped after {stop}");
    }
}

/// A checkpoint says what it is a checkpoint of.
#[test]
fn a_model_comes_back_from_its_checkpoint_alone() {
    let config = held_config(Architecture::Residual { widths: vec![3, 5] });
    let (train, folder) = (loader(60, 30), tempfile::tempdir().unwrap());
    let store = CheckpointStore::new(folder.path());
    let model = Autoencoder::new(&config, DIGIT, 10, 1, Device::Cpu).unwrap();
    let settings = TrainConfig { epochs: 1, ..TrainConfig::default() };
    Trainer::new(&model, &train, settings, 1).checkpoints(&store, "run").run().unwrap();
    let path = store.paths().unwrap().pop().unwrap();
    for place in [folder.path(), &path] {
        let again = Autoencoder::from_checkpoint(place, Device::Cpu).unwrap();
        assert_eq!((again.config(), again.image()), (model.config(), DIGIT));
        assert_eq!(bits(&again), bits(&model));
        let other = Autoencoder::new(&config, DIGIT, 10, 2, Device::Cpu).unwrap();
        other.parameters().load(place).unwrap();
        assert_eq!(bits(&other), bits(&model));
        let before = Autoencoder::new(&AutoencoderConfig::default(), DIGIT, 10, 2, Device::Cpu).unwrap();
        let numbers = bits(&before);
        assert!(matches!(before.parameters().load(place), Err(variata_models::Error::Mismatch { .. })));
        assert_eq!(bits(&before), numbers);
    }
    let empty = tempfile::tempdir().unwrap();
    for place in [empty.path(), &empty.path().join("none.safetensors")] {
        let error = Autoencoder::from_checkpoint(place, Device::Cpu).unwrap_err().to_string();
        assert!(error.contains(&*place.to_string_lossy()), "{error}");
    }
    std::fs::write(&path, &std::fs::read(&path).unwrap()[..500]).unwrap();
    assert!(matches!(
        Autoencoder::from_checkpoint(&path, Device::Cpu),
        Err(variata_models::Error::Corrupt { .. })
    ));
}
