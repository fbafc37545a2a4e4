//! Every paper on a GPU, where there is one, against the same run on the CPU.

use std::path::Path;

use serde_json::Value;
use variata_torch_bridge::cuda_problem;

use super::{TINY, fourier_aug, on_device, sliced, sos_vae, stderr, vq_diff};

/// The losses of the first epoch of every training of a finished run, by its name.
fn first_losses(run: &Path) -> Vec<(String, f64)> {
    let log = std::fs::read_to_string(run.join("log.jsonl")).unwrap();
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let first = events.filter(|event| event["event"] == "epoch" && event["record"]["epoch"] == 0);
    let mut losses: Vec<(String, f64)> = first
        .map(|event| {
            let (name, value) = (&event["run"], &event["record"]["train"][0]);
            assert_eq!(value[0], "loss");
            (name.as_str().unwrap().to_owned(), value[1].as_f64().unwrap())
        })
        .collect();
    losses.sort_by(|a, b| a.0.cmp(&b.0));
    losses
}

#[test]
fn every_paper_runs_on_a_gpu_as_on_the_cpu() {
    // What a log says is read on any machine.
    let devices: &[&str] = if cuda_problem().is_none() { &["cpu", "cuda"] } else { &["cpu"] };
    let papers: &[(&str, &str, &[&str])] = &[
        ("vae", TINY, &[]),
        ("sos-vae", sos_vae::TINY, &["--data", "faces:16"]),
        ("sliced", sliced::TINY, &[]),
        ("vq-diff", vq_diff::TINY, &[]),
        ("fourier-aug", fourier_aug::TINY, &["--data", "digits"]),
    ];
    // One is enough where all do the same.
    let papers = if devices.len() == 1 { &papers[..1] } else { papers };
    for (paper, settings, more) in papers {
        let losses = devices.iter().map(|device| {
            let folder = tempfile::tempdir().unwrap();
            let output = on_device(device, paper, folder.path(), settings, 1, more).output().unwrap();
            assert!(output.status.success(), "{paper} on {device}: {}", stderr(&output));
            let run = std::fs::read_dir(folder.path().join("runs").join(paper)).unwrap().next().unwrap();
            first_losses(&run.unwrap().path())
        });
        let losses: Vec<_> = losses.collect();
        assert!(!losses[0].is_empty(), "{paper}");
        for other in &losses[1..] {
            assert_eq!(other.len(), losses[0].len(), "{paper}");
            for ((name, got), (_, want)) in other.iter().zip(&losses[0]) {
                // Rounding grows over the steps of an epoch.
                assert!((got - want).abs() <= 1e-2 * (want.abs() + 1e-2), "{paper}, {name}: {got} {want}");
            }
        }
    }
}
