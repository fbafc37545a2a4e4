//! Real processes: this test starts itself under the launcher.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::process::{Command, Output};

use variata_models::train::Collective;
use variata_mpi::{Error, Mpi, is_launched, launcher};

/// What the started processes do; nothing where none has started them.
const TASK: &str = "VARIATA_TEST_MPI";

fn start(processes: usize, task: &str) -> Output {
    Command::new(launcher())
        .args(["-n", &processes.to_string()])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--test-threads=1", "--nocapture"])
        .env(TASK, task)
        .output()
        .unwrap()
}

/// Not a test by itself: what the launcher starts.
#[test]
fn child() {
    let Ok(task) = std::env::var(TASK) else { return };
    assert!(is_launched());
    let all = Mpi::join().unwrap();
    assert_eq!(Mpi::join().unwrap_err(), Error::BegunBefore);
    let (rank, size) = (all.rank(), all.size());
    assert_eq!((all.place(), all.neighbours()), (rank, size));
    match task.as_str() {
        "abort" | "end" => {
            match (rank, task.as_str()) {
                (1, "abort") => all.abort("out of patience"),
                (1, _) => return,
                _ => {}
            }
            // Waits for the second in vain.
            all.sum_f64(&mut [1.0]).unwrap();
            return;
        }
        "unequal" => {
            let refused = all.sum_f64(&mut vec![1.0; 5 + rank]).unwrap_err().to_string();
            assert_eq!(refused, Error::Unequal { own: 5 + rank, least: 5, most: 6 }.to_string());
            let other_kinds = if rank == 0 { all.sum_f64(&mut [1.0; 2]) } else { all.sum_f32(&mut [1.0; 2]) };
            assert_eq!(
                other_kinds.unwrap_err().to_string(),
                Error::Unequal { own: 2, least: 2, most: 2 }.to_string()
            );
        }
        _ => {}
    }
    // More than one message, whose ends do not fall together.
    let n = (1 << 24) + 5;
    let mut values: Vec<f32> = (0..n).map(|i| (i % 1000) as f32 + rank as f32).collect();
    all.sum_f32(&mut values).unwrap();
    let ranks = (size * (size - 1) / 2) as f32;
    assert!(values.iter().enumerate().all(|(i, v)| *v == (i % 1000) as f32 * size as f32 + ranks));
    // The same bits everywhere, also where the order of the sum shows.
    let mut odd: Vec<f64> = (0..100).map(|i| (1.0 + i as f64).powi(3 * rank as i32) / 3.0).collect();
    all.sum_f64(&mut odd).unwrap();
    let bytes: Vec<u8> = odd.iter().flat_map(|v| v.to_le_bytes()).collect();
    assert!(all.gather(&bytes).unwrap().iter().all(|other| *other == bytes));
    let own = vec![rank as u8 + 1; rank * 3];
    let parts = all.gather(&own).unwrap();
    assert!(parts.iter().enumerate().all(|(r, part)| *part == vec![r as u8 + 1; r * 3]), "{parts:?}");
    let mut told = vec![rank as u8; 7 + rank];
    all.broadcast(&mut told).unwrap();
    assert_eq!(told, [0; 7]);
    all.sum_f32(&mut []).unwrap();
    all.leave();
    assert_eq!(all.gather(&[1]).unwrap_err().to_string(), Error::Left.to_string());
    all.abort("nobody hears this");
    println!("worker {rank} of {size} is done");
}

#[test]
fn numbers_and_bytes_reach_every_process() {
    for processes in [1, 2, 3] {
        let output = start(processes, "talk");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        for rank in 0..processes {
            assert!(text.contains(&format!("worker {rank} of {processes} is done")), "{text}");
        }
    }
}

#[test]
fn sums_that_are_not_the_same_are_refused_everywhere_and_the_next_one_is_right() {
    let output = start(2, "unequal");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// As after an error between the beginning of MPI and the training.
#[test]
fn one_that_ends_without_leaving_ends_the_others() {
    let output = start(2, "end");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("worker 1: it ended without leaving"), "{text}");
}

#[test]
fn one_that_gives_up_ends_the_others_and_says_why() {
    let output = start(2, "abort");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("worker 1: out of patience"), "{text}");
}
