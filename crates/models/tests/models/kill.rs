//! SIGKILL at many moments: the resumed run ends with the same checkpoint, byte for byte; with another number of threads,
//! it says so and ends close by.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use variata_models::train::{CheckpointStore, Control, Event, TrainConfig, Trainer};
use variata_testkit::process::{KillAt, Killed, kill_and_resume, run_and_kill, run_to_end};

use crate::{loader, tiny};

const FOLDER: &str = "VARIATA_KILL_DIR";
const THREADS: &str = "VARIATA_KILL_THREADS";
/// Set: the data's worker says when it makes these batches, and dwells there.
const IN_WORKER: &str = "VARIATA_KILL_IN_WORKER";

/// Not a test of its own: the training process that the test below starts and kills.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let threads = std::env::var(THREADS).map_or(1, |n| n.parse().unwrap());
    variata_models::tch::set_num_threads(threads);
    let store = CheckpointStore::new(PathBuf::from(folder));
    let mut steps = 0u64;
    let mut listener = |event: &Event| {
        match event {
            Event::Step { .. } => {
                steps += 1;
                // Slow enough that a kill meets the middle.
                std::thread::sleep(Duration::from_millis(2));
                if steps == 30 {
                    println!("thirty steps");
                }
            }
            Event::Checkpoint { step, .. } => println!("checkpoint {step}"),
            Event::Warning { message } => println!("warning: {message}"),
            _ => {}
        }
        Control::Continue
    };
    let model = tiny(3);
    let mut data = loader(200, 20);
    if std::env::var_os(IN_WORKER).is_some() {
        data = data.before_batch(|position| {
            if position.batch % 7 == 3 {
                println!("worker makes batch {} of epoch {}", position.batch, position.epoch);
                // Long enough that the kill meets this thread here, while the other one trains.
                std::thread::sleep(Duration::from_millis(20));
            }
        });
    }
    let config = TrainConfig { epochs: 12, checkpoint_steps: 4, ..TrainConfig::default() };
    Trainer::new(&model, &data, config, 3).checkpoints(&store, "kill").listen(&mut listener).run().unwrap();
}

fn start(folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kill::child", "--nocapture", "--test-threads", "1"]).env(FOLDER, folder);
    command
}

#[test]
fn a_killed_run_ends_with_the_same_bytes() {
    let watchdog = Duration::from_mins(2);
    let want = tempfile::tempdir().unwrap();
    let whole = run_to_end(&mut start(want.path()), watchdog).unwrap();
    assert!(whole.status.success());
    let rounds = if std::env::var_os("VARIATA_LONG").is_some() { 40 } else { 5 };
    let mut kills = 0;
    for round in 0..rounds {
        let got = tempfile::tempdir().unwrap();
        // Five kills a round, all before the 120 steps are over: at events, and at times that differ from round to round.
        let (place, later) = (round % 5, round / 5);
        let moments = [
            KillAt::Delay(Duration::from_millis(20 + 37 * place + later)),
            KillAt::Line(format!("checkpoint {}", 4 + 4 * place)),
            KillAt::Line("thirty steps".to_owned()),
            KillAt::Delay(Duration::from_millis(60 + 23 * place + later)),
            KillAt::Delay(Duration::from_millis(110 + 11 * place + later)),
        ];
        let resumed =
            kill_and_resume(|| start(got.path()), &moments, watchdog, got.path(), want.path(), &[]).unwrap();
        kills += resumed.kills;
        assert_eq!(resumed.files, 2, "two generations");
    }
    assert!(kills >= 4 * rounds as usize, "{kills} kills met a running process");
}

#[test]
fn a_run_killed_while_the_worker_makes_a_batch_ends_with_the_same_bytes() {
    let watchdog = Duration::from_mins(2);
    let (want, got) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(run_to_end(&mut start(want.path()), watchdog).unwrap().status.success());
    // Before the first checkpoint, in the middle of an epoch, and where the worker is an epoch ahead of a checkpoint.
    let kills = ["batch 3 of epoch 0", "batch 3 of epoch 2", "batch 3 of epoch 5", "batch 3 of epoch 11"]
        .map(|moment| KillAt::Line(format!("worker makes {moment}")));
    let resumed = kill_and_resume(
        || {
            let mut command = start(got.path());
            command.env(IN_WORKER, "1");
            command
        },
        &kills,
        watchdog,
        got.path(),
        want.path(),
        &[],
    )
    .unwrap();
    assert_eq!((resumed.kills, resumed.files), (4, 2));
}

/// The newest checkpoint's parameters.
fn parameters(folder: &Path) -> BTreeMap<String, Vec<f32>> {
    let store = CheckpointStore::new(folder);
    let bytes = std::fs::read(store.paths().unwrap().pop().unwrap()).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    file.tensors()
        .into_iter()
        .filter(|(name, _)| name.starts_with("model/"))
        .map(|(name, tensor)| {
            let values = tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            (name, values.collect())
        })
        .collect()
}

#[test]
fn another_number_of_threads_resumes_with_a_warning_and_ends_close_by() {
    let watchdog = Duration::from_mins(2);
    let (want, got) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = run_to_end(&mut start(want.path()), watchdog).unwrap();
    assert!(whole.status.success() && !whole.stdout.contains("warning"), "{whole}");

    let with = |threads: &str| {
        let mut command = start(got.path());
        command.env(THREADS, threads);
        command
    };
    let kill = KillAt::Line("thirty steps".to_owned());
    let Killed::Running(first) = run_and_kill(&mut with("2"), &kill, watchdog).unwrap() else {
        panic!("too late")
    };
    assert!(!first.stdout.contains("warning"), "{first}");
    let second = run_to_end(&mut with("1"), watchdog).unwrap();
    assert!(second.status.success(), "{second}");
    // The test harness has written the beginning of the line.
    let warnings: Vec<&str> = second.stdout.lines().filter(|l| l.contains("warning")).collect();
    let text = "warning: the checkpoint was made with 2 threads, this run has 1: the result is not bit-equal";
    assert!(warnings.len() == 1 && warnings[0].ends_with(text), "{warnings:?}");
    // Said once: the checkpoints written since are of this number of threads.
    let third = run_to_end(&mut with("1"), watchdog).unwrap();
    assert!(third.status.success() && !third.stdout.contains("warning"), "{third}");
    // Nor of a training that is over, in which no step is taken.
    let fourth = run_to_end(&mut with("2"), watchdog).unwrap();
    assert!(fourth.status.success() && !fourth.stdout.contains("warning"), "{fourth}");

    // Sums of another order differ by rounding; what that moves a parameter by stays below one step of Adam, whose
    // length is the learning rate.
    let (a, b) = (parameters(got.path()), parameters(want.path()));
    assert!(a.len() > 4 && a.keys().eq(b.keys()));
    for (name, values) in &a {
        for (x, y) in values.iter().zip(&b[name]) {
            assert!((x - y).abs() < 1e-3, "{name}: {x} and {y}");
        }
    }
}
