//! The loop: it learns, it stops where it must, it goes on where it stopped.

use variata_datasets::Batch;
use variata_models::tch::{Device, Tensor};
use variata_models::train::{
    AdamConfig, CheckpointStore, Control, Event, Listener, LogFile, Schedule, SgdConfig, StepContext,
    StopFlag, TrainConfig, Trainable, Trainer,
};
use variata_models::{
    Autoencoder, AutoencoderConfig, Classifier, ClassifierConfig, ClassifierTask, Error, Init, KlConfig,
    Noise, Objective, Parameters, Term,
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
        let outcome = Trainer::new(&model, &train, short(40), 0).validation(&validation).run().unwrap();
        let distortion = |i: usize| outcome.history[i].validation("distortion").unwrap();
        assert!(distortion(39) < 0.8 * distortion(0), "{config:?}: {} to {}", distortion(0), distortion(39));
        assert_eq!((outcome.step, outcome.completed), (240, true));
    }
    let judge = Classifier::new(&ClassifierConfig::default(), DIGIT, 10, 0, Device::Cpu).unwrap();
    let outcome = Trainer::new(&judge, &train, short(20), 0).validation(&validation).run().unwrap();
    assert!(outcome.history[19].validation("accuracy").unwrap() > 0.9);
}

/// What it learns of images without labels: a six upside down is a nine, but few digits look like themselves.
#[test]
fn a_classifier_of_reflections_needs_no_labels() {
    let (train, validation) = (loader(300, 50), loader(100, 100));
    let config = ClassifierConfig { task: ClassifierTask::Reflections, ..ClassifierConfig::default() };
    let judge = Classifier::new(&config, DIGIT, 1, 0, Device::Cpu).unwrap();
    let outcome = Trainer::new(&judge, &train, short(20), 0).validation(&validation).run().unwrap();
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
    let outcome = Trainer::new(&model, &train, config, 0).run().unwrap();
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
fn no_epochs_are_a_run_that_is_done() {
    let train = loader(20, 10);
    let model = tiny(0);
    let before = bits(&model);
    let outcome = Trainer::new(&model, &train, short(0), 0).run().unwrap();
    assert_eq!((outcome.completed, outcome.step, bits(&model)), (true, 0, before));
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
        let error = Trainer::new(&model, &train, config, 0).run().unwrap_err();
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
        let error = Trainer::new(&model, &train, config, 0).run().unwrap_err();
        assert!(matches!(&error, Error::Config { setting, .. } if *setting == name), "{error}");
    }
}

#[test]
fn a_schedule_that_would_climb_is_refused() {
    let (model, train) = (tiny(0), loader(50, 50));
    let run = |final_factor| {
        let schedule = Schedule::Cosine { warmup_steps: 0, final_factor };
        Trainer::new(&model, &train, TrainConfig { schedule, ..short(1) }, 0).run()
    };
    let before = bits(&model);
    for final_factor in [-1.0, -1e-9, 1.0 + 1e-9, f64::NAN, f64::INFINITY] {
        let error = run(final_factor).unwrap_err();
        assert!(matches!(&error, Error::Config { setting: "final_factor", .. }), "{error}");
    }
    assert_eq!(bits(&model), before);
    assert!(run(0.0).is_ok() && run(1.0).is_ok());
}

#[test]
fn clipping_bounds_what_a_step_can_do() {
    // With a limit far below the gradient's norm Adam sees a gradient of that norm; the moments tell.
    let train = loader(50, 50);
    let run = |clip_norm| {
        let model = tiny(0);
        let optimizer = AdamConfig { clip_norm, eps: 1.0, ..AdamConfig::default() };
        Trainer::new(&model, &train, TrainConfig { optimizer: optimizer.into(), ..short(1) }, 0)
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
    let store = CheckpointStore::new(folder.path());
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

/// Adds a term whose value is 0 and whose gradient is NaN at a step: √(0·θ).
struct Spike {
    inner: Autoencoder,
    at: u64,
}

impl Trainable for Spike {
    fn parameters(&self) -> &Parameters {
        self.inner.parameters()
    }
    fn objective(&self, batch: &Batch, context: &StepContext) -> Result<Objective, Error> {
        let mut objective = self.inner.objective(batch, context)?;
        if context.step == self.at {
            let (_, first) = self.parameters().trained().next().unwrap();
            let spike = (first * 0.0).sum(first.kind()).sqrt();
            objective.terms.push(Term::weighted("spike", spike, 1.0));
        }
        Ok(objective)
    }
    fn validate(&self, batch: &Batch, context: &StepContext) -> Result<Vec<(&'static str, f64)>, Error> {
        self.inner.validate(batch, context)
    }
}

#[test]
fn a_gradient_that_is_not_finite_reaches_no_checkpoint() {
    let train = loader(200, 50);
    let sgd = SgdConfig { learning_rate: 1e-4, ..SgdConfig::default() };
    let clipped = SgdConfig { clip_norm: Some(1.0), ..sgd };
    let optimizers = [AdamConfig::default().into(), sgd.into(), clipped.into()];
    // Four steps an epoch. The last of all; before a checkpoint inside an epoch; before a stop; where only the next step's terms show it.
    for (at, checkpoint_steps, stop) in [(7, 0, 99), (5, 2, 99), (5, 0, 6), (5, 0, 99)] {
        for optimizer in optimizers {
            let folder = tempfile::tempdir().unwrap();
            let store = CheckpointStore::new(folder.path());
            let config = TrainConfig { optimizer, checkpoint_steps, ..short(2) };
            let model = Spike { inner: tiny(0), at };
            let mut steps = 0;
            let mut listener = |event: &Event| {
                steps += u32::from(matches!(event, Event::Step { .. }));
                if steps == stop { Control::Stop } else { Control::Continue }
            };
            let trainer = Trainer::new(&model, &train, config, 0).checkpoints(&store, "spike");
            let error = trainer.listen(&mut listener).run().unwrap_err();
            let Error::NonFinite { term, step, value } = error else { panic!("{error}") };
            assert!(term == "gradient" && step == at && !value.is_finite(), "{term} {step} {value}");
            // The newest checkpoint is whole, and a healthy model goes on from it.
            let (_, state) = store.latest().unwrap().unwrap();
            assert_eq!(state.step, 4);
            let healthy = tiny(0);
            assert!(Trainer::new(&healthy, &train, config, 0).checkpoints(&store, "spike").run().is_ok());
            assert!(bits(&healthy).iter().all(|b| f32::from_bits(*b).is_finite()));
        }
    }
    // Without a store, too, such a run has not completed.
    let model = Spike { inner: tiny(0), at: 3 };
    let error = Trainer::new(&model, &train, short(1), 0).run().unwrap_err();
    assert!(matches!(error, Error::NonFinite { step: 3, .. }), "{error}");
}

/// A parameter outside of the rest, with a term of its own in every third step.
struct Now {
    parameters: Parameters,
    always: Tensor,
    sometimes: Tensor,
}

impl Now {
    fn new() -> Self {
        let mut parameters = Parameters::new(Noise::new(3), Device::Cpu);
        let mut root = parameters.root();
        let always = root.parameter("always", &[3], Init::Normal(1.0)).unwrap();
        let sometimes = root.parameter("sometimes", &[3], Init::Normal(1.0)).unwrap();
        Self { parameters, always, sometimes }
    }
}

impl Trainable for Now {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }
    fn objective(&self, _: &Batch, context: &StepContext) -> Result<Objective, Error> {
        let square = |t: &Tensor| (t - 1.0).square().sum(t.kind());
        let mut terms = vec![Term::weighted("always", square(&self.always), 1.0)];
        if context.step.is_multiple_of(3) {
            terms.push(Term::weighted("sometimes", square(&self.sometimes), 1.0));
        }
        Ok(Objective { terms })
    }
    fn validate(&self, _: &Batch, _: &StepContext) -> Result<Vec<(&'static str, f64)>, Error> {
        Ok(Vec::new())
    }
}

/// Momentum and decay of a parameter rest while its term does, whether the process had a gradient of it before or not.
#[test]
fn a_term_that_comes_and_goes_resumes_to_the_same_bits() {
    let train = loader(100, 50);
    let sgd = SgdConfig { learning_rate: 1e-2, ..SgdConfig::default() };
    for optimizer in [AdamConfig { weight_decay: 0.1, ..AdamConfig::default() }.into(), sgd.into()] {
        let config = TrainConfig { optimizer, ..short(5) };
        let whole = Now::new();
        let mut seen = Vec::new();
        let mut record = |event: &Event| {
            if matches!(event, Event::Step { .. }) {
                seen.push(Vec::<f32>::try_from(whole.sometimes.detach()).unwrap());
            }
            Control::Continue
        };
        Trainer::new(&whole, &train, config, 0).listen(&mut record).run().unwrap();
        assert!(seen[0] == seen[1] && seen[1] == seen[2] && seen[2] != seen[3] && seen[3] == seen[5]);
        for stop in 1..10 {
            let folder = tempfile::tempdir().unwrap();
            let store = CheckpointStore::new(folder.path());
            let mut steps = 0;
            let mut listener = |event: &Event| {
                steps += u32::from(matches!(event, Event::Step { .. }));
                if steps == stop { Control::Stop } else { Control::Continue }
            };
            let first = Now::new();
            let trainer = Trainer::new(&first, &train, config, 0).checkpoints(&store, "now");
            assert!(!trainer.listen(&mut listener).run().unwrap().completed);
            let second = Now::new();
            Trainer::new(&second, &train, config, 0).checkpoints(&store, "now").run().unwrap();
            assert_eq!(bits(&second), bits(&whole), "stopped after {stop}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_text_is_logged_as_well_as_it_can_be() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let odd = std::path::Path::new(std::ffi::OsStr::from_bytes(b"/tmp/o\xff"));
    let mut log = LogFile::append(folder.path().join("log"), "run").unwrap();
    log.on_event(&Event::Started { step: 0, total_steps: 1, epochs: 1, resumed_from: Some(odd.to_owned()) });
    log.on_event(&Event::Checkpoint { step: 1, path: odd.to_owned() });
    let text = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!(text.matches("/tmp/o\u{fffd}").count(), 2, "{text}");
}

#[test]
fn parameters_that_no_memory_holds_are_refused() {
    let mut parameters = Parameters::new(Noise::new(0), Device::Cpu);
    for shape in [&[1 << 32, 1 << 32][..], &[i64::MAX], &[1 << 62, 4], &[1 << 31, 1 << 29]] {
        for init in [Init::Constant(0.0), Init::Normal(1.0), Init::Uniform(1.0)] {
            let error = parameters.root().parameter("huge", shape, init).unwrap_err();
            assert!(matches!(&error, Error::Config { setting: "shape", .. }), "{error}");
        }
    }
    assert_eq!(parameters.root().parameter("none", &[0, 5], Init::Normal(1.0)).unwrap().size(), [0, 5]);
}

#[test]
fn a_panic_inside_a_step_is_an_error_with_its_step() {
    let model = Sabotage { inner: tiny(0), at: 2, panics: true };
    let train = loader(200, 50);
    let error = Trainer::new(&model, &train, short(1), 0).run().unwrap_err();
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
        let store = CheckpointStore::new(path);
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
    let store = CheckpointStore::new(folder.path());
    assert_eq!(store.paths().unwrap().len(), 1);
    let (resumed, whole, train) = (tiny(0), tiny(0), loader(200, 50));
    Trainer::new(&resumed, &train, short(5), 0).checkpoints(&store, "worker").run().unwrap();
    Trainer::new(&whole, &train, short(5), 0).run().unwrap();
    assert_eq!(bits(&resumed), bits(&whole));
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bits() {
    let train = loader(200, 50);
    let config = TrainConfig { checkpoint_steps: 3, ..short(6) };
    let whole = tiny(7);
    let want = Trainer::new(&whole, &train, config, 7).run().unwrap();

    let folder = tempfile::tempdir().unwrap();
    let store = CheckpointStore::new(folder.path());
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
    let store = CheckpointStore::new(folder.path());
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
