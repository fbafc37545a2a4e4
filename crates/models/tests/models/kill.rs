//! SIGKILL at many moments: the resumed run ends with the same checkpoint, byte for byte.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use variata_models::train::{CheckpointStore, Control, Event, RealFileSystem, TrainConfig, Trainer};
use variata_testkit::process::{KillAt, kill_and_resume, run_to_end};

use crate::{loader, tiny};

const FOLDER: &str = "VARIATA_KILL_DIR";

/// Not a test of its own: the training process that the test below starts and kills.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    variata_models::tch::set_num_threads(1);
    let store = CheckpointStore::new(PathBuf::from(folder), RealFileSystem);
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
            _ => {}
        }
        Control::Continue
    };
    let model = tiny(3);
    let data = loader(200, 20);
    let config = TrainConfig { epochs: 12, checkpoint_steps: 4, ..TrainConfig::default() };
    Trainer::new(&model, &data, config, 3).checkpoints(&store, "kill").listen(&mut listener).run().unwrap();
}

fn start(folder: &std::path::Path) -> Command {
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
        // Five kills a round: at events, and at times that differ from round to round.
        let moments = [
            KillAt::Delay(Duration::from_millis(20 + 37 * round)),
            KillAt::Line(format!("checkpoint {}", 4 + 4 * round)),
            KillAt::Line("thirty steps".to_owned()),
            KillAt::Delay(Duration::from_millis(60 + 23 * round)),
            KillAt::Delay(Duration::from_millis(110 + 11 * round)),
        ];
        let resumed =
            kill_and_resume(|| start(got.path()), &moments, watchdog, got.path(), want.path(), &[]).unwrap();
        kills += resumed.kills;
        assert_eq!(resumed.files, 2, "two generations");
    }
    assert!(kills >= 4 * rounds as usize, "{kills} kills met a running process");
}
