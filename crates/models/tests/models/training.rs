//! The loop: it learns, it stops where it must, it goes on where it stopped.

use variata_datasets::Batch;
use variata_models::tch::Device;
use variata_models::train::{
    AdamConfig, CheckpointStore, Control, Event, RealFileSystem, Schedule, SgdConfig, StepContext, StopFlag,
    TrainConfig, Trainable, Trainer,
};
use variata_models::{
    Autoencoder, AutoencoderConfig, Classifier, ClassifierConfig, ClassifierTask, Error, KlConfig, Objective,
    Parameters,
};

use crate::{DIGIT, bits, loader, tiny, tiny_config};

fn short(epochs: u64) -> TrainConfig {
    TrainConfig { epochs, ..TrainConfig::default() }
}

#[test]
fn models_learn() {
    let (train, validation) = (loader(300, 50), loader(100, 100));
    for config in [
        tiny_config(),
        AutoencoderConfig { bottleneck: variata_models::BottleneckConfig::Deterministic, ..tiny_config() },
        AutoencoderConfig { conditional: true, ..tiny_config() },
        AutoencoderConfig {
            kl: KlConfig { weight: 4.0, warmup_steps: 5, constraint: None },
            ..tiny_config()
        },
    ] {
        let model = Autoencoder::new(&config, DIGIT, 10, 0, Device::Cpu).unwrap();
        let outcome = Trainer::<_, RealFileSystem>::new(&model, &train, short(40), 0)
            .validation(&validation)
            .run()
            .unwrap();
        let distortion = |i: usize| outcome.history[i].validation("distortion").unwrap();
        assert!(distortion(39) < 0.8 * distortion(0), "{config:?}: {} to {}", distortion(0), distortion(39));
        assert_eq!((outcome.step, outcome.completed), (240, true));
    }
    let judge = Classifier::new(&ClassifierConfig::default(), DIGIT, 10, 0, Device::Cpu).unwrap();
    let outcome = Trainer::<_, RealFileSystem>::new(&judge, &train, short(20), 0)
        .validation(&validation)
        .run()
        .unwrap();
    assert!(outcome.history[19].validation("accuracy").unwrap() > 0.9);
}

/// What it learns of images without labels: a six upside down is a nine, but few digits look like themselves.
#[test]
fn a_classifier_of_reflections_needs_no_labels() {
    let (train, validation) = (loader(300, 50), loader(100, 100));
    let config = ClassifierConfig { task: ClassifierTask::Reflections, ..ClassifierConfig::default() };
    let judge = Classifier::new(&config, DIGIT, 1, 0, Device::Cpu).unwrap();
    let outcome = Trainer::<_, RealFileSystem>::new(&judge, &train, short(20), 0)
        .validation(&validation)
        .run()
        .unwrap();
    assert!(outcome.history[19].validation("accuracy").unwrap() > 0.7);
    assert!(Classifier::new(&ClassifierConfig::default(), DIGIT, 1, 0, Device::Cpu).is_err());
}

/// Also errata 000-13: the text says that the posterior deviates from the prior.
#[test]
fn the_kl_alone_collapses_and_leaves_the_decoder_alone() {
    let config = AutoencoderConfig { distortion_weight: 0.0, ..tiny_config() };
    let model = Autoencoder::new(&config, DIGIT, 10, 0, Device::Cpu).unwrap();
    let decoder = |m: &Autoencoder| -> Vec<f32> {
        let all = m.parameters().iter().filter(|(n, _)| n.starts_with("decoder"));
        all.flat_map(|(_, t)| Vec::<f32>::try_from(t.detach().view([-1])).unwrap()).collect()
    };
    let before = decoder(&model);
    let train = loader(200, 50);
    let config = TrainConfig {
        optimizer: AdamConfig { learning_rate: 1e-2, ..AdamConfig::default() }.into(),
        ..short(60)
    };
    let outcome = Trainer::<_, RealFileSystem>::new(&model, &train, config, 0).run().unwrap();
    let kl = |epoch: usize| outcome.history[epoch].train("kl").unwrap();
    assert!(kl(59) < 1e-2 && kl(59) < 0.1 * kl(0), "{} to {}", kl(0), kl(59));
    assert_eq!(decoder(&model), before);
}

#[test]
fn schedules_and_weights_have_their_values() {
    let kl = KlConfig { weight: 2.0, warmup_steps: 4, constraint: None };
    assert_eq!([0, 1, 4, 9].map(|s| kl.at(s)), [0.0, 0.5, 2.0, 2.0]);
    let cosine = Schedule::Cosine { warmup_steps: 2, final_factor: 0.1 };
    assert_eq!((cosine.factor(0, 10), cosine.factor(1, 10), cosine.factor(2, 10)), (0.5, 1.0, 1.0));
    assert!((cosine.factor(10, 10) - 0.1).abs() < 1e-15);
}

#[test]
fn wrong_optimiser_settings_are_named() {
    let (model, train) = (tiny(0), loader(50, 50));
    for (name, optimizer) in [
        ("learning_rate", AdamConfig { learning_rate: f64::NAN, ..AdamConfig::default() }),
        ("beta2", AdamConfig { beta2: 1.0, ..AdamConfig::default() }),
        ("eps", AdamConfig { eps: 0.0, ..AdamConfig::default() }),
        ("clip_norm", AdamConfig { clip_norm: Some(-1.0), ..AdamConfig::default() }),
    ] {
        let config = TrainConfig { optimizer: optimizer.into(), ..short(1) };
        let error = Trainer::<_, RealFileSystem>::new(&model, &train, config, 0).run().unwrap_err();
        assert!(matches!(&error, Error::Config { setting, .. } if *setting == name), "{error}");
    }
}

#[test]
fn sgd_settings_are_named_too() {
    let (model, train) = (tiny(0), loader(50, 50));
    for (name, optimizer) in [
        ("learning_rate", SgdConfig { learning_rate: 0.0, ..SgdConfig::default() }),
        ("momentum", SgdConfig { momentum: 1.0, ..SgdConfig::default() }),
        ("momentum", SgdConfig { momentum: 0.0, ..SgdConfig::default() }),
        ("weight_decay", SgdConfig { weight_decay: f64::INFINITY, ..SgdConfig::default() }),
        ("clip_norm", SgdConfig { clip_norm: Some(0.0), ..SgdConfig::default() }),
    ] {
        let config = TrainConfig { optimizer: optimizer.into(), ..short(1) };
        let error = Trainer::<_, RealFileSystem>::new(&model, &train, config, 0).run().unwrap_err();
        assert!(matches!(&error, Error::Config { setting, .. } if *setting == name), "{error}");
    }
}

#[test]
fn clipping_bounds_what_a_step_can_do() {
    // With a limit far below the gradient's norm Adam sees a gradient of that norm; the moments tell.
    let train = loader(50, 50);
    let run = |clip_norm| {
        let model = tiny(0);
        let optimizer = AdamConfig { clip_norm, eps: 1.0, ..AdamConfig::default() };
        Trainer::<_, RealFileSystem>::new(
            &model,
            &train,
            TrainConfig { optimizer: optimizer.into(), ..short(1) },
            0,
        )
        .run()
        .unwrap();
        let (now, start) = (bits(&model), bits(&tiny(0)));
        let moved =
            now.iter().zip(&start).map(|(a, b)| f64::from(f32::from_bits(*a) - f32::from_bits(*b)).powi(2));
        moved.sum::<f64>().sqrt()
    };
    // One step with ε = 1 and decay corrections 1: |Δ| ≤ η ‖g‖.
    assert!(run(Some(1e-2)) <= 1e-3 * 1e-2 * 1.01 + 1e-6, "{}", run(Some(1e-2)));
    assert!(run(None) > 1e-4);
}

/// Puts a NaN into a term, or a panic into the objective, at a step.
struct Sabotage {
    inner: Autoencoder,
    at: u64,
    panics: bool,
}

impl Trainable for Sabotage {
    fn parameters(&self) -> &Parameters {
        self.inner.parameters()
    }
    fn objective(&self, batch: &Batch, context: &StepContext) -> Result<Objective, Error> {
        let mut objective = self.inner.objective(batch, context)?;
        if context.step == self.at {
            assert!(!self.panics, "the device is gone");
            objective.terms[1].value = &objective.terms[1].value * f64::NAN;
        }
        Ok(objective)
    }
    fn validate(&self, batch: &Batch, context: &StepContext) -> Result<Vec<(&'static str, f64)>, Error> {
        self.inner.validate(batch, context)
    }
}

#[test]
fn a_term_that_is_not_finite_stops_the_run_and_keeps_the_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let store = CheckpointStore::new(folder.path(), RealFileSystem);
    let train = loader(200, 50);
    let model = Sabotage { inner: tiny(0), at: 6, panics: false };
    let error = Trainer::new(&model, &train, short(5), 0).checkpoints(&store, "sabotage").run().unwrap_err();
    let Error::NonFinite { term, step: 6, value } = error else { panic!("{error}") };
    assert!(term == "kl" && value.is_nan());
    // Four steps an epoch: the checkpoint of step 4 is there, and a healthy model goes on from it.
    assert_eq!(store.paths().unwrap().len(), 1);
    let outcome = Trainer::new(&tiny(0), &train, short(5), 0).checkpoints(&store, "sabotage").run().unwrap();
    assert!(outcome.completed);
}

#[test]
fn a_panic_inside_a_step_is_an_error_with_its_step() {
    let model = Sabotage { inner: tiny(0), at: 2, panics: true };
    let train = loader(200, 50);
    let error = Trainer::<_, RealFileSystem>::new(&model, &train, short(1), 0).run().unwrap_err();
    let Error::Torch { step: 2, message } = error else { panic!("{error}") };
    assert!(message.contains("the device is gone"));
    assert!(variata_torch_bridge::grad_is_enabled());
}

#[test]
fn a_panic_of_the_datas_worker_is_a_typed_error_and_never_a_hang() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let store = CheckpointStore::new(path, RealFileSystem);
        // The worker fails while it makes a batch of the second epoch, ahead of the training.
        let train = loader(200, 50).before_batch(|p| assert!(p.epoch < 1 || p.batch < 2, "no more data"));
        let result = Trainer::new(&tiny(0), &train, short(5), 0).checkpoints(&store, "worker").run();
        sender.send(result).unwrap();
    });
    // Far above the time that it takes: only a hang meets it.
    let error = receiver.recv_timeout(std::time::Duration::from_mins(1)).unwrap().unwrap_err();
    let Error::Data(variata_datasets::Error::WorkerPanicked { message }) = error else { panic!("{error}") };
    assert_eq!(message, "no more data");
    // The epoch before is kept, and healthy data goes on from it to the same end.
    let store = CheckpointStore::new(folder.path(), RealFileSystem);
    assert_eq!(store.paths().unwrap().len(), 1);
    let (resumed, whole, train) = (tiny(0), tiny(0), loader(200, 50));
    Trainer::new(&resumed, &train, short(5), 0).checkpoints(&store, "worker").run().unwrap();
    Trainer::<_, RealFileSystem>::new(&whole, &train, short(5), 0).run().unwrap();
    assert_eq!(bits(&resumed), bits(&whole));
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bits() {
    let train = loader(200, 50);
    let config = TrainConfig { checkpoint_steps: 3, ..short(6) };
    let whole = tiny(7);
    let want = Trainer::<_, RealFileSystem>::new(&whole, &train, config, 7).run().unwrap();

    let folder = tempfile::tempdir().unwrap();
    let store = CheckpointStore::new(folder.path(), RealFileSystem);
    let mut stops = 0;
    loop {
        // A fresh model and a fresh process state each time.
        let model = tiny(7);
        let flag = StopFlag::default();
        let mut steps = 0;
        let mut listener = |event: &Event| {
            steps += u32::from(matches!(event, Event::Step { .. }));
            if steps == 5 { Control::Stop } else { Control::Continue }
        };
        let outcome = Trainer::new(&model, &train, config, 7)
            .checkpoints(&store, "stopped")
            .stop_flag(flag.clone())
            .listen(&mut listener)
            .run()
            .unwrap();
        if outcome.completed {
            assert_eq!(bits(&model), bits(&whole));
            assert_eq!(outcome.history, want.history);
            break;
        }
        stops += 1;
        assert!(stops < 10);
    }
    assert!(stops >= 4, "{stops}");
}

#[test]
fn another_runs_checkpoint_is_refused_and_the_model_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let store = CheckpointStore::new(folder.path(), RealFileSystem);
    let train = loader(100, 50);
    Trainer::new(&tiny(0), &train, short(1), 0).checkpoints(&store, "one").run().unwrap();
    let model = tiny(1);
    let before = bits(&model);
    let error = Trainer::new(&model, &train, short(1), 0).checkpoints(&store, "two").run().unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    assert!(error.to_string().contains("two"));
    // The same identity, but another shape.
    let wide = AutoencoderConfig { latent: 3, ..tiny_config() };
    let other = Autoencoder::new(&wide, DIGIT, 10, 0, Device::Cpu).unwrap();
    let error = Trainer::new(&other, &train, short(1), 0).checkpoints(&store, "one").run().unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    assert_eq!(bits(&model), before);
}
