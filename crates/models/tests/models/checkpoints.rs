//! A damaged checkpoint is refused with a typed error, and the model stays as it was.

use std::fs;
use std::path::{Path, PathBuf};

use variata_datasets::Batch;
use variata_models::tch::{Device, Kind, Tensor};
use variata_models::train::{
    Better, CheckpointStore, Control, Event, FileSystem, RealFileSystem, StepContext, TrainConfig, Trainable,
    Trainer,
};
use variata_models::{Architecture, Autoencoder, AutoencoderConfig, Error, Noise, Objective, Parameters};

use crate::{DIGIT, bits, loader, tiny_config};

/// A model so small that each of its checkpoint's bytes can be flipped in turn.
fn smallest(seed: u64) -> Autoencoder {
    let config =
        AutoencoderConfig { architecture: Architecture::Mlp { hidden: vec![1] }, latent: 1, ..tiny_config() };
    Autoencoder::new(&config, DIGIT, 10, seed, variata_models::tch::Device::Cpu).unwrap()
}

fn run(model: &Autoencoder, folder: &Path, epochs: u64, warnings: &mut Vec<String>) -> Result<u64, Error> {
    let store = CheckpointStore::new(folder);
    let mut listener = |event: &Event| {
        if let Event::Warning { message } = event {
            warnings.push(message.clone());
        }
        Control::Continue
    };
    let config = TrainConfig { epochs, ..TrainConfig::default() };
    let data = loader(20, 20);
    let trainer = Trainer::new(model, &data, config, 0).checkpoints(&store, "small").listen(&mut listener);
    Ok(trainer.run()?.step)
}

fn only_file(folder: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[test]
fn every_flipped_byte_and_every_cut_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    run(&smallest(0), folder.path(), 1, &mut Vec::new()).unwrap();
    let file = only_file(folder.path());
    let whole = fs::read(&file).unwrap();
    let model = smallest(1);
    let before = bits(&model);
    let long = std::env::var_os("VARIATA_LONG").is_some();
    let refused = |bytes: &[u8], what: &str| {
        fs::write(&file, bytes).unwrap();
        match run(&model, folder.path(), 1, &mut Vec::new()) {
            Err(Error::Corrupt { path, .. } | Error::Mismatch { path, .. }) => assert_eq!(path, file),
            other => panic!("{what}: {other:?}"),
        }
        assert_eq!(bits(&model), before, "{what}");
    };
    for i in 0..whole.len() {
        // The header byte by byte; of the numbers every seventh, all of them in the long run.
        if i > 2500 && i % 7 != 0 && !long {
            continue;
        }
        let mut bytes = whole.clone();
        bytes[i] ^= if i % 2 == 0 { 0xff } else { 0x01 };
        refused(&bytes, &format!("byte {i} of {}", whole.len()));
    }
    for cut in (0..whole.len()).step_by(if long { 1 } else { 53 }) {
        refused(&whole[..cut], &format!("cut at {cut}"));
    }
    let mut longer = whole.clone();
    longer.push(0);
    refused(&longer, "one byte more");
    fs::write(&file, &whole).unwrap();
    run(&model, folder.path(), 1, &mut Vec::new()).unwrap();
    assert_ne!(bits(&model), before, "the whole file is accepted");
}

#[test]
fn a_damaged_newest_checkpoint_gives_way_to_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let want = smallest(0);
    run(&want, folder.path(), 3, &mut Vec::new()).unwrap();
    let store = CheckpointStore::new(folder.path());
    let paths = store.paths().unwrap();
    assert_eq!(paths.len(), 2, "two generations are kept");
    let mut bytes = fs::read(&paths[1]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&paths[1], &bytes).unwrap();
    let model = smallest(9);
    let mut warnings = Vec::new();
    assert_eq!(run(&model, folder.path(), 3, &mut warnings).unwrap(), 3);
    assert!(warnings[0].contains("damaged"), "{warnings:?}");
    assert_eq!(bits(&model), bits(&want));
}

/// Two whole generations are there after a run that fell back, and what was damaged is there, too.
#[test]
fn a_damaged_checkpoint_is_set_aside_and_counts_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = CheckpointStore::new(folder.path());
    run(&smallest(0), folder.path(), 2, &mut Vec::new()).unwrap();
    let at = |step: u32, ending: &str| folder.path().join(format!("step-{step:010}.safetensors{ending}"));
    let whole = [1, 2].map(|step| (at(step, ""), fs::read(at(step, "")).unwrap()));
    // Of a step that this run does not reach, and of one that it does.
    for (step, round) in [(9, 1), (2, 2), (9, 3)] {
        for (path, bytes) in &whole {
            fs::write(path, bytes).unwrap();
        }
        let content = format!("damage {round}");
        fs::write(at(step, ""), &content).unwrap();
        let mut warnings = Vec::new();
        assert_eq!(run(&smallest(7), folder.path(), 3, &mut warnings).unwrap(), 3);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(store.paths().unwrap(), [at(2, ""), at(3, "")]);
        for path in store.paths().unwrap() {
            assert!(store.adopt(&path).is_ok(), "{} is whole", path.display());
        }
        let aside = at(step, if round == 3 { ".2.damaged" } else { ".damaged" });
        assert_eq!(fs::read_to_string(aside).unwrap(), content);
        fs::remove_file(at(3, "")).unwrap();
    }
}

#[test]
fn a_newer_format_is_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    run(&smallest(0), folder.path(), 1, &mut Vec::new()).unwrap();
    let file = only_file(folder.path());
    let bytes = fs::read(&file).unwrap();
    let at = bytes.windows(13).position(|w| w == b"\"variata\":\"1 ").unwrap() + 11;
    let mut newer = bytes;
    newer[at] = b'2';
    fs::write(&file, &newer).unwrap();
    let error = run(&smallest(0), folder.path(), 1, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    assert!(error.to_string().contains("version 2"), "{error}");
}

/// Refuses the n-th write, as a full disk does.
struct Full {
    left: std::cell::Cell<usize>,
}

impl FileSystem for Full {
    fn create_dir_all(&self, path: &Path) -> std::io::Result<()> {
        RealFileSystem.create_dir_all(path)
    }
    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        if self.left.get() == 0 {
            RealFileSystem.write(path, &bytes[..bytes.len() / 2])?;
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.left.set(self.left.get() - 1);
        RealFileSystem.write(path, bytes)
    }
    fn sync_file(&self, path: &Path) -> std::io::Result<()> {
        RealFileSystem.sync_file(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        RealFileSystem.rename(from, to)
    }
    fn sync_dir(&self, path: &Path) -> std::io::Result<()> {
        RealFileSystem.sync_dir(path)
    }
    fn remove_file(&self, path: &Path) -> std::io::Result<()> {
        RealFileSystem.remove_file(path)
    }
    fn list(&self, path: &Path) -> std::io::Result<Vec<PathBuf>> {
        RealFileSystem.list(path)
    }
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        RealFileSystem.read(path)
    }
}

#[test]
fn a_full_disk_is_a_warning_until_the_end_and_the_last_checkpoint_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = CheckpointStore::on(Full { left: 1.into() }, folder.path());
    let mut warnings = Vec::new();
    let mut listener = |event: &Event| {
        if let Event::Warning { message } = event {
            warnings.push(message.clone());
        }
        Control::Continue
    };
    let config = TrainConfig { epochs: 3, ..TrainConfig::default() };
    let (model, data) = (smallest(0), loader(20, 20));
    let error = Trainer::new(&model, &data, config, 0)
        .checkpoints(&store, "small")
        .listen(&mut listener)
        .run()
        .unwrap_err();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("bytes needed"), "{warnings:?}");
    assert!(matches!(error, Error::Io { action: "write", bytes: Some(_), .. }), "{error}");
    let whole = only_file(folder.path());
    // What a process that was killed while it wrote has left goes with the next checkpoint.
    fs::write(folder.path().join("step-0000000002.tmp"), fs::read(&whole).unwrap()).unwrap();
    let again = smallest(0);
    assert_eq!(run(&again, folder.path(), 3, &mut Vec::new()).unwrap(), 3);
    let names = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["step-0000000002.safetensors", "step-0000000003.safetensors"]);
}

#[test]
fn what_is_measured_need_not_be_finite() {
    let folder = tempfile::tempdir().unwrap();
    let store = CheckpointStore::new(folder.path());
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300, 0.1];
    let mut measure =
        |_: u64| Ok(values.iter().enumerate().map(|(i, value)| (i.to_string(), *value)).collect());
    let config = TrainConfig { epochs: 2, ..TrainConfig::default() };
    let (model, data) = (smallest(0), loader(20, 20));
    let trainer = Trainer::new(&model, &data, config, 0).checkpoints(&store, "small");
    let outcome = trainer.measure(&mut measure).keep_best("1", Better::Higher).run().unwrap();
    let (_, state) = store.latest().unwrap().unwrap();
    assert_eq!(state.best.map(|best| best.value), Some(f64::INFINITY));
    for history in [outcome.history, state.history] {
        let found = values.iter().enumerate().map(|(i, _)| history[1].validation(&i.to_string()).unwrap());
        assert!(found.map(f64::to_bits).eq(values.iter().map(|value| value.to_bits())));
    }
}

#[test]
fn a_checkpoint_of_another_folder_is_adopted_whole_or_not_at_all() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(&smallest(0), from.path(), 2, &mut Vec::new()).unwrap();
    let (file, state) = CheckpointStore::new(from.path()).latest().unwrap().unwrap();
    assert!(state.completed);
    let store = CheckpointStore::new(to.path().join("own"));
    assert!(store.latest().unwrap().is_none());
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[1..]).unwrap();
    assert!(matches!(store.adopt(&file), Err(Error::Corrupt { path, .. }) if path == file));
    assert!(store.paths().unwrap().is_empty());
    fs::write(&file, &whole).unwrap();
    let own = store.adopt(&file).unwrap();
    assert_eq!(fs::read(&own).unwrap(), whole);
    assert_eq!(store.latest().unwrap().unwrap(), (own, state));
}

/// Every multiple is written, also one that an epoch ends with, whether it is validated or not.
#[test]
fn checkpoints_come_after_so_many_steps() {
    let (model, data) = (smallest(0), loader(40, 10));
    for (checkpoint_steps, validate_epochs, want) in [
        (4, 5, vec![4, 8, 12, 16, 20, 24]),
        (3, 5, vec![3, 6, 9, 12, 15, 18, 20, 21, 24]),
        (0, 5, vec![20, 24]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = CheckpointStore::new(folder.path());
        let mut written = Vec::new();
        let mut listener = |event: &Event| {
            if let Event::Checkpoint { step, .. } = event {
                written.push(*step);
            }
            Control::Continue
        };
        let config = TrainConfig { epochs: 6, checkpoint_steps, validate_epochs, ..TrainConfig::default() };
        Trainer::new(&model, &data, config, 0).checkpoints(&store, "x").listen(&mut listener).run().unwrap();
        assert_eq!(written, want, "every {checkpoint_steps} steps");
    }
}

/// The best of no validation would be the model as it began.
#[test]
fn the_best_is_not_kept_without_a_validation() {
    let (model, data) = (smallest(0), loader(20, 10));
    let trainer =
        Trainer::new(&model, &data, TrainConfig::default(), 0).keep_best("distortion", Better::Lower);
    let error = trainer.run().unwrap_err();
    assert!(matches!(&error, Error::Config { setting: "keep_best", .. }), "{error}");
}

#[test]
fn a_run_with_other_epochs_is_as_far_as_its_steps_say() {
    let (model, data, folder) = (smallest(0), loader(40, 10), tempfile::tempdir().unwrap());
    let store = CheckpointStore::new(folder.path());
    let go = |epochs, last: u64| {
        let mut listener = |event: &Event| match event {
            Event::Step { step, .. } if step + 1 == last => Control::Stop,
            _ => Control::Continue,
        };
        let config = TrainConfig { epochs, ..TrainConfig::default() };
        let trainer = Trainer::new(&model, &data, config, 0).checkpoints(&store, "x");
        trainer.listen(&mut listener).run().unwrap()
    };
    assert!(go(2, 0).completed);
    // More epochs, stopped in the third.
    let stopped = go(4, 10);
    assert_eq!((stopped.step, stopped.completed), (10, false));
    assert_eq!(store.latest().unwrap().unwrap().1.step, 10);
    // Fewer than have been made.
    let done = go(2, 0);
    assert_eq!((done.step, done.completed), (10, true));
    // Other batches are another run.
    let other = loader(40, 20);
    let trainer = Trainer::new(&model, &other, TrainConfig::default(), 0).checkpoints(&store, "x");
    let error = trainer.run().unwrap_err();
    assert!(matches!(&error, Error::Mismatch { .. }), "{error}");
}

/// Tensors of all kinds come back; what a file cannot hold is refused before it is written.
#[test]
fn tensors_of_every_kind_are_saved() {
    let kinds = [
        Kind::Float,
        Kind::Double,
        Kind::Half,
        Kind::BFloat16,
        Kind::Int64,
        Kind::Int,
        Kind::Int16,
        Kind::Int8,
        Kind::Uint8,
        Kind::Bool,
    ];
    let first = Tensor::from_slice(&[1.0, 0.0, 1.0]);
    let made = |sign: f64| {
        let mut parameters = Parameters::new(Noise::new(0), Device::Cpu);
        let mut root = parameters.root();
        let states: Vec<Tensor> = kinds
            .iter()
            .enumerate()
            .map(|(i, kind)| root.state(&i.to_string(), &(&first * sign).to_kind(*kind)).unwrap())
            .collect();
        let complex = Tensor::complex(&first, &first);
        for bad in [&complex, &Tensor::new()] {
            assert!(root.state("bad", bad).is_err());
        }
        (Stateful(parameters), states)
    };
    let (data, folder) = (loader(20, 10), tempfile::tempdir().unwrap());
    let store = CheckpointStore::new(folder.path());
    let config = TrainConfig { epochs: 1, ..TrainConfig::default() };
    let train = |model: &Stateful| Trainer::new(model, &data, config, 0).checkpoints(&store, "x").run();
    assert!(train(&made(1.0).0).unwrap().completed);
    let (model, states) = made(0.0);
    assert!(train(&model).unwrap().completed);
    for (state, kind) in states.iter().zip(kinds) {
        assert!(state.equal(&first.to_kind(kind)), "{kind:?}");
    }
    let (_, mut state) = store.latest().unwrap().unwrap();
    let named = |name: &str| (name.to_owned(), first.shallow_clone());
    for tensors in
        [vec![named("a"), named("a")], vec![named("run_state")], vec![("a".to_owned(), Tensor::new())]]
    {
        assert!(store.save(&tensors, &state).is_err());
    }
    // An earlier step than those that are there is written, and stays.
    for step in [12, 100, 200, 50] {
        state.step = step;
        let path = store.save(&[named("a")], &state).unwrap();
        assert!(path.exists(), "step {step}");
    }
}

struct Stateful(Parameters);

impl Trainable for Stateful {
    fn parameters(&self) -> &Parameters {
        &self.0
    }

    fn objective(&self, _: &Batch, _: &StepContext) -> Result<Objective, Error> {
        Ok(Objective::default())
    }

    fn validate(&self, _: &Batch, _: &StepContext) -> Result<Vec<(&'static str, f64)>, Error> {
        Ok(Vec::new())
    }
}
