//! The checkpoint writer on a file system that crashes between any two operations.

use std::io;
use std::path::{Path, PathBuf};

use variata_models::train::{CheckpointStore, FileSystem, TrainConfig, Trainer};
use variata_testkit::faults::SimulatedFs;

use crate::{bits, loader, tiny};

struct Simulated<'a>(&'a SimulatedFs);

impl FileSystem for Simulated<'_> {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.0.create_dir_all(path)
    }
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.0.write(path, bytes)
    }
    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.0.sync_file(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.0.sync_dir(path)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.0.remove_file(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        match self.0.list(path) {
            Ok(names) => Ok(names.into_iter().map(|n| path.join(n)).collect()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.read(path)
    }
}

fn train(files: &SimulatedFs, epochs: u64) -> (Vec<u32>, u64) {
    let model = tiny(0);
    let store = CheckpointStore::on(Simulated(files), "checkpoints");
    let data = loader(50, 50);
    let config = TrainConfig { epochs, ..TrainConfig::default() };
    let outcome = Trainer::new(&model, &data, config, 0).checkpoints(&store, "crash").run().unwrap();
    (bits(&model), outcome.step)
}

#[test]
fn after_any_crash_an_old_or_a_new_checkpoint_is_whole() {
    let files = SimulatedFs::new();
    // The folder itself is there and durable before the run, as OutputDir leaves it.
    files.create_dir_all("checkpoints").unwrap();
    files.sync_dir("").ok();
    let start = files.operation_count();
    let want = train(&files, 4);
    let mut states = 0;
    for operation in start..=files.operation_count() {
        for state in files.crash_states(operation) {
            states += 1;
            // Whatever is left, the run goes on to the same end: never from a mix, never with an error.
            assert_eq!(train(&state, 4), want, "after operation {operation}");
        }
    }
    assert!(states > 40, "{states}");
}
