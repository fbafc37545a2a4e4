//! Several workers: the same training as by one process, whatever the model; failures that leave nobody waiting.

use std::sync::{Arc, Condvar, Mutex};

use ndarray::{Array4, ArrayView4, Axis, concatenate, s};
use variata_datasets::{Batch, ExampleSource, ImageDataset, Loader, LoaderOptions, Position, digits};
use variata_models::tch::{Device, Kind, Tensor};
use variata_models::train::{
    Better, CheckpointStore, Collective, CollectiveError, Constraint, Control, Event, Outcome, SgdConfig,
    StepContext, TrainConfig, Trainable, Trainer, Workers,
};
use variata_models::{
    Architecture, Autoencoder, AutoencoderConfig, Classifier, ClassifierConfig, Cost, EntropyConfig, Error,
    Init, LatentDistance, LowRankDiagonal, Noise, Normality, Objective, ObservationConfig, Parameters, Prior,
    RegularizerConfig, Term,
};

use crate::{DIGIT, loader, maps, tiny_config};

/// Threads that meet: what MPI does for processes.
#[derive(Debug)]
struct Meeting {
    size: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    given: Vec<Option<Vec<u8>>>,
    round: u64,
    all: Arc<Vec<Vec<u8>>>,
    failed: Option<String>,
}

#[derive(Debug, Clone)]
struct Member(usize, Arc<Meeting>);

fn meeting(size: usize) -> Vec<Workers> {
    let state = Mutex::new(State { given: vec![None; size], ..State::default() });
    let meeting = Arc::new(Meeting { size, state, changed: Condvar::new() });
    (0..size).map(|rank| Workers::new(Arc::new(Member(rank, Arc::clone(&meeting))))).collect()
}

macro_rules! sum {
    ($name:ident, $float:ty) => {
        fn $name(&self, values: &mut [$float]) -> Result<(), CollectiveError> {
            let own: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            let all = self.gather(&own)?;
            values.fill(0.0);
            for bytes in &all {
                assert_eq!(bytes.len(), size_of_val(values), "as many numbers on each worker");
                for (sum, part) in values.iter_mut().zip(bytes.chunks_exact(size_of::<$float>())) {
                    *sum += <$float>::from_le_bytes(part.try_into().unwrap());
                }
            }
            Ok(())
        }
    };
}

impl Collective for Member {
    fn rank(&self) -> usize {
        self.0
    }
    fn size(&self) -> usize {
        self.1.size
    }
    sum!(sum_f32, f32);
    sum!(sum_f64, f64);
    fn gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CollectiveError> {
        let mut state = self.1.state.lock().unwrap();
        let round = state.round;
        state.given[self.0] = Some(bytes.to_vec());
        if state.given.iter().all(Option::is_some) {
            let all = state.given.iter_mut().map(|given| given.take().unwrap()).collect();
            state.all = Arc::new(all);
            state.round += 1;
            self.1.changed.notify_all();
        }
        let here = |state: &mut State| state.round == round && state.failed.is_none();
        let state = self.1.changed.wait_while(state, here).unwrap();
        match &state.failed {
            Some(reason) if state.round == round => Err(reason.clone().into()),
            _ => Ok(state.all.to_vec()),
        }
    }
    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<(), CollectiveError> {
        *bytes = self.gather(bytes)?.swap_remove(0);
        Ok(())
    }
    fn abort(&self, reason: &str) {
        self.1.state.lock().unwrap().failed = Some(format!("worker {}: {reason}", self.0));
        self.1.changed.notify_all();
    }
}

/// Calls `job` as each of so many workers; what they return, in the order of ranks.
pub(crate) fn with<T: Send>(count: usize, job: impl Fn(Workers) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let job = &job;
        let threads: Vec<_> = meeting(count).into_iter().map(|w| scope.spawn(move || job(w))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// The tensors of a model one after the other, in f64.
fn numbers(model: &impl Trainable) -> Vec<f64> {
    let flat: Vec<Tensor> =
        model.parameters().iter().map(|(_, t)| t.detach().to_kind(Kind::Double).reshape([-1])).collect();
    Vec::try_from(Tensor::cat(&flat, 0)).unwrap()
}

/// Plain gradient descent: what Adam makes of a gradient near 0 is decided by its round-off.
fn settings(epochs: u64) -> TrainConfig {
    let sgd = SgdConfig { learning_rate: 0.02, clip_norm: Some(1.0), ..SgdConfig::default() };
    TrainConfig { epochs, optimizer: sgd.into(), ..TrainConfig::default() }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// Two epochs by two and by three workers are those of one process, but for round-off; validation and the log too.
fn trains_alike<M: Trainable>(name: &str, train: &Loader, tolerance: f64, model: impl Fn() -> M + Sync) {
    let run = |workers: Workers| -> (Outcome, Vec<f64>, Vec<f64>) {
        variata_models::tch::set_num_threads(1);
        let model = model();
        let start = numbers(&model);
        let trainer = Trainer::new(&model, train, settings(2), 3).validation(train);
        let outcome = trainer.workers(workers).run().unwrap();
        (outcome, start, numbers(&model))
    };
    let (outcome, start, want) = run(Workers::alone());
    let way = distance(&want, &start);
    assert!(way > 1e-3, "{name} moved by {way}");
    for count in [2, 3] {
        let all = with(count, run);
        for (other, _, found) in &all {
            assert!(found == &all[0].2, "{name}: {count} workers end with different models");
            assert_eq!(other.history, all[0].0.history, "{name}");
        }
        let (other, _, found) = &all[0];
        let off = distance(found, &want) / way;
        assert!(off < tolerance, "{name}: {count} workers are off by {off} of the way");
        for (got, want) in other.history.iter().zip(&outcome.history) {
            let values =
                |r: &variata_models::train::EpochRecord| [r.train.clone(), r.validation.clone()].concat();
            for ((key, got), (_, want)) in values(got).iter().zip(&values(want)) {
                assert!((got - want).abs() <= 1e-3 * want.abs().max(0.01), "{name}: {key} {got} {want}");
            }
        }
    }
}

/// Every row moves the first parameter, the first row of the batch the second.
struct FirstRow(Parameters, [Tensor; 2]);

impl FirstRow {
    fn new() -> Self {
        let mut parameters = Parameters::new(Noise::new(3), Device::Cpu);
        let made =
            ["every", "first"].map(|n| parameters.root().parameter(n, &[3], Init::Normal(1.0)).unwrap());
        Self(parameters, made)
    }
}

impl Trainable for FirstRow {
    fn parameters(&self) -> &Parameters {
        &self.0
    }
    fn objective(&self, batch: &Batch, context: &StepContext) -> Result<Objective, Error> {
        let [every, first] = self.1.each_ref().map(|t| (t - 1.0).square().sum(t.kind()));
        let value = if context.first_row == 0 { every + first / batch.len() as f64 } else { every };
        Ok(Objective { terms: vec![Term::weighted("rows", value, 1.0)] })
    }
    fn validate(&self, _: &Batch, _: &StepContext) -> Result<Vec<(&'static str, f64)>, Error> {
        Ok(Vec::new())
    }
}

#[test]
fn a_parameter_that_one_share_alone_moves() {
    trains_alike("first row", &loader(50, 20), 1e-5, FirstRow::new);
}

#[test]
fn autoencoders_with_every_term() {
    let train = loader(50, 20);
    let regularized = |distance, cost, prior| AutoencoderConfig {
        regularizer: Some(RegularizerConfig { distance, cost, prior }),
        ..tiny_config()
    };
    let sliced = |normality| LatentDistance::Sliced { normality, directions: 8 };
    let constraint = Some(Constraint { damping: 0.1, learning_rate: 0.1, ..Constraint::at(-30.0) });
    let low_rank = AutoencoderConfig {
        architecture: Architecture::Residual { widths: vec![4, 6] },
        observation: ObservationConfig::LowRankNormal {
            rank: 3,
            diagonal: LowRankDiagonal::Fixed { value: 1e-2 },
        },
        entropy: Some(EntropyConfig { constraint, ..EntropyConfig::default() }),
        ..tiny_config()
    };
    let configs = [
        ("VAE", tiny_config()),
        ("conditional", AutoencoderConfig { conditional: true, ..tiny_config() }),
        (
            "residual",
            AutoencoderConfig {
                architecture: Architecture::Residual { widths: vec![4, 6] },
                ..tiny_config()
            },
        ),
        ("low rank", low_rank),
        ("SCFWAE", regularized(sliced(Normality::Wasserstein), Cost::Log, Prior::default())),
        (
            "SCWAE",
            regularized(
                sliced(Normality::CramerWold),
                Cost::Weight { lambda: 2.0 },
                Prior::Normal { scale: 2.0 },
            ),
        ),
        (
            "SWAE",
            regularized(
                LatentDistance::SlicedToDraws { directions: 8 },
                Cost::Log,
                Prior::Ball { radius: 2.0 },
            ),
        ),
        ("CWAE", regularized(LatentDistance::CramerWold, Cost::Log, Prior::default())),
        ("WAE-MMD", regularized(LatentDistance::Mmd, Cost::Weight { lambda: 5.0 }, Prior::default())),
    ];
    for (name, config) in configs {
        trains_alike(name, &train, 1e-5, || Autoencoder::new(&config, DIGIT, 10, 1, Device::Cpu).unwrap());
    }
}

/// With terms of the whole batch that are made by `sum`, and of the parameters alone.
#[derive(Debug)]
struct Coupled(Autoencoder);

impl Trainable for Coupled {
    fn parameters(&self) -> &Parameters {
        self.0.parameters()
    }
    fn objective(&self, batch: &Batch, context: &StepContext) -> Result<Objective, Error> {
        let mut objective = self.0.objective(batch, context)?;
        let x = variata_torch_bridge::tensor_from_array(batch.images.clone())?;
        let codes = self.0.encode(&x, None)?.code.mean.sum_dim_intlist(0i64, false, Kind::Double);
        let mean = context.workers.sum(&codes)? / batch.whole_len as f64;
        let squares = self.parameters().trained().map(|(_, p)| p.square().sum(Kind::Double));
        for (name, value, weight) in
            [("mean", mean.square().sum(Kind::Double), 30.0), ("decay", squares.sum::<Tensor>(), 0.3)]
        {
            objective.terms.push(Term { whole: true, ..Term::weighted(name, value, weight) });
        }
        Ok(objective)
    }
    fn validate(&self, batch: &Batch, context: &StepContext) -> Result<Vec<(&'static str, f64)>, Error> {
        self.0.validate(batch, context)
    }
}

#[test]
fn a_model_of_ones_own_that_couples_its_rows() {
    trains_alike("coupled", &loader(50, 20), 1e-5, || Coupled(crate::tiny(1)));
}

#[test]
fn codebooks_of_every_kind() {
    let train = maps::loader(15, 6);
    for (k, bottleneck) in maps::bottlenecks().into_iter().enumerate() {
        trains_alike(&format!("bottleneck {k}"), &train, 1e-5, || maps::small(bottleneck, 2));
    }
}

/// Each digit, and one darker by chance.
#[derive(Debug)]
struct Views(ImageDataset);

impl ExampleSource for Views {
    fn labels(&self) -> &[u8] {
        self.0.labels()
    }
    fn make(
        &self,
        indices: &[usize],
        position: Position,
        first_row: usize,
    ) -> Result<Array4<f32>, Box<dyn std::error::Error + Send + Sync>> {
        let plain = self.0.gather(indices)?;
        let mut darker = plain.clone();
        for (k, mut image) in darker.outer_iter_mut().enumerate() {
            image *= ((first_row + k) as f32 * 0.37 + position.batch as f32).sin().abs();
        }
        let views: [ArrayView4<'_, f32>; 2] = [plain.view(), darker.slice(s![.., .., .., ..])];
        Ok(concatenate(Axis(0), &views)?)
    }
}

#[test]
fn a_hardened_classifier_with_batch_norm() {
    let source: Arc<dyn ExampleSource> = Arc::new(Views(digits()));
    let options = LoaderOptions { batch_size: 20, seed: 5, ..LoaderOptions::default() };
    let train = Loader::new(source, (0..50).collect::<Vec<_>>(), options).unwrap();
    let config = ClassifierConfig {
        architecture: Architecture::WideResidual { depth: 10, widen: 1 },
        consistency: 12.0,
        ..ClassifierConfig::default()
    };
    // Now and then a ReLU stands so near to 0 that round-off decides on its side: of 12 choices of data and seed one was 3e-3 off, the
    // others at most 3e-7. Norms by each worker's own rows are 0.06 off.
    trains_alike("classifier", &train, 0.01, || Classifier::new(&config, DIGIT, 10, 3, Device::Cpu).unwrap());
}

#[test]
fn sums_and_rows_have_their_gradients() {
    let all = with(3, |workers| {
        let rank = workers.rank();
        let x = (Tensor::arange(2 * (rank as i64 + 1), (Kind::Double, Device::Cpu)).view([-1, 2])
            + rank as f64)
            .set_requires_grad(true);
        let rows = workers.gather_rows(&x).unwrap();
        // Every worker makes the same of all rows.
        (rows.square() * Tensor::arange(6, (Kind::Double, Device::Cpu)).view([6, 1]))
            .sum(Kind::Double)
            .backward();
        let of_rows = Vec::<f64>::try_from(x.grad().reshape([-1])).unwrap();
        let y = Tensor::from_slice(&[1.0 + rank as f64]).set_requires_grad(true);
        // Each its own: (rank + 1)·S², whose derivative by every y is 2·S·Σ (rank + 1).
        let total = workers.sum(&y).unwrap();
        (total.square() * (1.0 + rank as f64)).sum(Kind::Double).backward();
        (rows.size(), rows.sum(Kind::Double).double_value(&[]), of_rows, y.grad().double_value(&[0]))
    });
    let sum = 1.0 + (1.0 + 2.0 + 3.0 + 4.0) + (2.0 + 3.0 + 4.0 + 5.0 + 6.0 + 7.0);
    for (rank, (size, total, of_rows, of_sum)) in all.iter().enumerate() {
        assert_eq!((size, *total), (&vec![6, 2], sum));
        assert_eq!(*of_sum, 2.0 * 6.0 * 6.0);
        let first = [0, 1, 3][rank];
        let want: Vec<f64> =
            (0..2 * (rank + 1)).map(|i| 3.0 * 2.0 * (i + rank) as f64 * (first + i / 2) as f64).collect();
        assert_eq!(of_rows, &want);
    }
}

#[test]
fn a_run_goes_on_with_another_number_of_workers_and_one_of_them_writes() {
    let train = loader(50, 20);
    let folder = tempfile::tempdir().unwrap();
    let warnings = Mutex::new(Vec::new());
    let run = |workers: Workers, until: u64| {
        variata_models::tch::set_num_threads(1);
        let model = crate::tiny(1);
        let store = CheckpointStore::new(folder.path().join(workers.rank().to_string()));
        let mut more = |step| Ok(vec![("twice".to_owned(), 2.0 * step as f64)]);
        let mut stop = |event: &Event| {
            if let Event::Warning { message } = event {
                warnings.lock().unwrap().push(message.clone());
            }
            if matches!(event, Event::Step { step, .. } if *step == until) {
                Control::Stop
            } else {
                Control::Continue
            }
        };
        let mut trainer =
            Trainer::new(&model, &train, settings(3), 3).validation(&train).keep_best("kl", Better::Lower);
        // The others hear of the stop from the first, and need neither store nor measurement.
        if workers.is_first() {
            trainer = trainer.checkpoints(&store, "the same").measure(&mut more).listen(&mut stop);
        }
        let outcome = trainer.workers(workers.clone()).run().unwrap();
        (outcome, numbers(&model), store.paths().unwrap().len())
    };
    for (count, until) in [(2, 3), (3, 5)] {
        for (rank, (outcome, _, files)) in with(count, |w| run(w, until)).into_iter().enumerate() {
            assert!(!outcome.completed && outcome.step == until + 1);
            assert_eq!(files > 0, rank == 0, "worker {rank} has {files} checkpoints");
        }
    }
    let (outcome, found, _) = run(Workers::alone(), u64::MAX);
    let warnings = warnings.into_inner().unwrap();
    for (warning, [had, has]) in warnings.iter().zip([[2, 3], [3, 1]]) {
        assert!(warning.contains(&format!("made with {had} workers, this run has {has}")), "{warning}");
    }
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let whole = crate::tiny(1);
    let start = numbers(&whole);
    let trainer = Trainer::new(&whole, &train, settings(3), 3);
    let want = trainer.validation(&train).keep_best("kl", Better::Lower).run().unwrap();
    assert!(outcome.completed && outcome.history.len() == want.history.len());
    let off = distance(&found, &numbers(&whole)) / distance(&numbers(&whole), &start);
    assert!(off < 1e-5, "{off}");
}

#[test]
fn workers_that_differ_or_are_too_many_are_refused() {
    let train = loader(50, 20);
    let other = loader(50, 25);
    let errors = with(3, |workers| {
        let model = crate::tiny(1);
        let data = if workers.rank() == 1 { &other } else { &train };
        let trainer = Trainer::new(&model, data, settings(1), 0);
        trainer.workers(workers).run().unwrap_err().to_string()
    });
    for error in errors {
        assert!(error.starts_with("worker 1 has other settings"), "{error}");
    }
    let errors = with(2, |workers| {
        let model = crate::tiny(1);
        let seed = workers.rank() as u64;
        let trainer = Trainer::new(&model, &train, settings(1), seed);
        trainer.workers(workers).run().unwrap_err().to_string()
    });
    assert!(errors.iter().all(|error| error.starts_with("worker 1 has other settings")), "{errors:?}");
    let errors = with(11, |workers| {
        let model = crate::tiny(1);
        let trainer = Trainer::new(&model, &train, settings(1), 0);
        trainer.workers(workers).run().unwrap_err()
    });
    for error in errors {
        assert!(error.to_string().contains("at most 10"), "{error}");
    }
}

/// Fails on one worker at its third step.
#[derive(Debug)]
struct Failing(Autoencoder);

impl Trainable for Failing {
    fn parameters(&self) -> &Parameters {
        self.0.parameters()
    }
    fn objective(&self, batch: &Batch, context: &StepContext) -> Result<Objective, Error> {
        if context.step == 2 && context.workers.rank() == 1 {
            return Err(Error::Condition("this one fails"));
        }
        self.0.objective(batch, context)
    }
    fn validate(&self, batch: &Batch, context: &StepContext) -> Result<Vec<(&'static str, f64)>, Error> {
        self.0.validate(batch, context)
    }
}

#[test]
fn a_worker_that_fails_ends_the_others_with_its_reason() {
    let train = loader(50, 20);
    let errors = with(3, |workers| {
        let model = Failing(crate::tiny(1));
        let trainer = Trainer::new(&model, &train, settings(2), 0);
        trainer.workers(workers).run().unwrap_err().to_string()
    });
    for (rank, error) in errors.iter().enumerate() {
        assert!(error.contains("this one fails"), "{error}");
        assert_eq!(error.contains("worker 1:"), rank != 1, "{error}");
    }
}

#[test]
fn a_number_that_is_not_finite_is_seen_by_all() {
    let errors = with(2, |workers| {
        let model = crate::tiny(1);
        // The second worker's rows alone are spoilt: a share must not hide them from the other.
        let source: Arc<dyn ExampleSource> = Arc::new(Spoilt);
        let options = LoaderOptions { batch_size: 6, shuffle: false, ..LoaderOptions::default() };
        let train = Loader::new(source, (0..6).collect::<Vec<_>>(), options).unwrap();
        let trainer = Trainer::new(&model, &train, settings(2), 0);
        trainer.workers(workers).run().unwrap_err()
    });
    for error in errors {
        assert!(matches!(error, Error::NonFinite { step: 0, .. }), "{error}");
    }
}

#[derive(Debug)]
struct Spoilt;

impl ExampleSource for Spoilt {
    fn labels(&self) -> &[u8] {
        &[0; 6]
    }
    fn make(
        &self,
        indices: &[usize],
        _: Position,
        _: usize,
    ) -> Result<Array4<f32>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Array4::from_shape_fn(
            (indices.len(), 1, 8, 8),
            |(k, ..)| {
                if indices[k] == 5 { f32::NAN } else { 0.5 }
            },
        ))
    }
}
