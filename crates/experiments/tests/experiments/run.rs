//! Whole runs: what they write, that they repeat, that they survive interruption.

use std::fs;
use std::path::Path;
use std::time::Duration;

use variata_experiments::settings::DataConfig;
use variata_experiments::{Session, SessionOptions};
use variata_testkit::process::{KillAt, kill_and_resume};

use crate::{TINY, command, stderr, succeeds, tiny};

pub(crate) const RUN: &str = "runs/vae/tiny-0";
/// The manifest has the times, the log has the order of events over restarts.
const IGNORED: [&str; 3] = ["manifest.json", "log.jsonl", "checkpoints"];

fn complete(folder: &Path) {
    let output = tiny(folder, &[]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).trim().ends_with("report.html"));
}

#[test]
fn a_run_writes_its_report_and_repeats_itself_byte_for_byte() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    complete(a.path());
    complete(b.path());
    let run = a.path().join(RUN);
    let html = fs::read_to_string(run.join("report.html")).unwrap();
    for word in ["Claims", "conditional", "Three cases", "importance-weighted", "<svg", "data:image/png"] {
        assert!(html.contains(word), "{word}");
    }
    assert!(!html.contains("http://") || html.contains("www.w3.org"), "the page loads nothing");
    for name in ["metrics.json", "manifest.json", "figures/lead.png", "figures/bounds.svg"] {
        assert!(run.join(name).exists(), "{name}");
    }
    let compared = variata_testkit::process::compare_folders(&run, &b.path().join(RUN), &IGNORED).unwrap();
    assert!(compared > 10, "{compared} files");

    // The same command again: a finished run is done anew and gives the same.
    complete(a.path());
    assert_eq!(fs::read_to_string(run.join("report.html")).unwrap(), html);
    // Other settings in the same folder are refused, and the run stays.
    let output = tiny(a.path(), &["--data", "digits"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let preset = a.path().join("tiny.toml");
    let text = fs::read_to_string(&preset).unwrap().replace("steps = 60", "steps = 61");
    fs::write(&preset, text).unwrap();
    let mut other = std::process::Command::new(env!("CARGO_BIN_EXE_variata"));
    other.args(["reproduce", "vae", "--threads", "1", "--device", "cpu"]);
    other.arg("--preset").arg(&preset).arg("--out").arg(a.path().join("runs"));
    let output = other.output().unwrap();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("steps"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(run.join("report.html")).unwrap(), html);
}

#[test]
fn a_killed_run_resumes_to_the_same_report() {
    let (want, got) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    complete(want.path());
    let checkpoint = got.path().join(RUN).join("checkpoints/vae-0");
    let kills = [
        KillAt::File(got.path().join(RUN).join("checkpoints/vae-2d-0")),
        KillAt::Delay(Duration::from_millis(700)),
        KillAt::File(checkpoint),
    ];
    let resumed = kill_and_resume(
        || tiny(got.path(), &["--resume"]),
        &kills,
        Duration::from_mins(4),
        &got.path().join(RUN),
        &want.path().join(RUN),
        &IGNORED,
    )
    .unwrap();
    assert!(resumed.kills >= 1 && resumed.files > 10, "{resumed:?}");
}

/// Trainings side by side give what they give one after the other, also when several are killed at once.
#[test]
fn two_threads_give_the_bytes_of_one() {
    let settings = TINY.replace("seeds = 1", "seeds = 2");
    let (want, got) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let output = command(want.path(), &settings, 1, &[]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    // The page names the number of threads.
    let ignored = [&IGNORED[..], &["report.html"]].concat();
    let resumed = kill_and_resume(
        || command(got.path(), &settings, 2, &["--resume"]),
        &[KillAt::File(got.path().join(RUN).join("checkpoints/vae-0"))],
        Duration::from_mins(4),
        &got.path().join(RUN),
        &want.path().join(RUN),
        &ignored,
    )
    .unwrap();
    assert!(resumed.kills == 1 && resumed.files > 10, "{resumed:?}");
}

#[test]
fn a_finished_run_keeps_its_models_until_they_are_to_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    complete(folder.path());
    let checkpoints = folder.path().join(RUN).join("checkpoints/vae-0");
    let marker = checkpoints.join("mine");
    fs::write(&marker, "of the user").unwrap();
    let output = tiny(folder.path(), &[]).output().unwrap();
    assert!(output.status.success() && stderr(&output).contains("--restart"), "{}", stderr(&output));
    assert!(marker.exists());
    assert!(tiny(folder.path(), &["--restart"]).output().unwrap().status.success());
    assert!(checkpoints.exists() && !marker.exists());
}

/// Neither by settings that cannot be, with which nothing could take its place, nor by what fails before anything is measured.
#[test]
fn a_finished_run_survives_a_command_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    complete(folder.path());
    let run = folder.path().join(RUN);
    let wrong = crate::TINY.replace("latent = 3", "latent = 0");
    let output = crate::command(folder.path(), &wrong, 1, &["--restart"]).output().unwrap();
    crate::fails_with(&output, "latent");
    for file in ["manifest.json", "report.html", "checkpoints/vae-0"] {
        assert!(run.join(file).exists(), "{file}");
    }
    for entry in fs::read_dir(run.join("checkpoints/vae-0")).unwrap() {
        fs::write(entry.unwrap().path(), "damaged").unwrap();
    }
    let output = tiny(folder.path(), &[]).output().unwrap();
    // What is damaged is named: the other models need not be trained anew.
    crate::fails_with(&output, "without the folder");
    assert!(run.join("manifest.json").exists());
    fs::remove_dir_all(run.join("checkpoints/vae-0")).unwrap();
    crate::succeeds(&tiny(folder.path(), &[]).output().unwrap());
}

#[test]
fn an_interrupted_run_is_not_overwritten_by_accident() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tiny(folder.path(), &[]);
    let marker = folder.path().join(RUN).join("checkpoints/vae-2d-0");
    variata_testkit::process::run_and_kill(&mut command, &KillAt::File(marker), Duration::from_mins(2))
        .unwrap();
    let output = tiny(folder.path(), &[]).output().unwrap();
    assert!(!output.status.success());
    let text = stderr(&output);
    assert!(text.contains("--resume") && text.contains("--restart"), "{text}");
    let output = tiny(folder.path(), &["--restart"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

/// Pictures of 8×8 pixels, so many in each of these folders, none like another.
pub(crate) fn pictures(folders: &[&Path], each: u32) {
    for (f, folder) in folders.iter().enumerate() {
        fs::create_dir_all(folder).unwrap();
        for k in 0..each {
            let grey = |x: u32, y: u32| (x * 31 + y * 17 * (f as u32 + 1) + k * 5) as u8;
            let image = image::GrayImage::from_fn(8, 8, |x, y| image::Luma([grey(x, y)]));
            image.save(folder.join(format!("{k:03}.png"))).unwrap();
        }
    }
}

/// The folder's images lie class after class; the first of the test part are what is measured.
#[test]
fn the_measured_images_of_a_folder_of_classes_are_of_all_classes() {
    let folder = tempfile::tempdir().unwrap();
    let two = folder.path().join("two");
    pictures(&[&two.join("a"), &two.join("b")], 150);
    let mut options = SessionOptions { data: Some(two.to_string_lossy().into_owned()), ..Default::default() };
    (options.images.height, options.images.width, options.threads) = (8, 8, 1);
    let session = Session::begin(options, "digits").unwrap();
    let parts = session.parts(&DataConfig::default(), 0).unwrap();
    assert_eq!(parts.test.len(), 60);
    let second = |indices: &[usize]| indices.iter().filter(|&&i| session.data.labels()[i] == 1).count();
    assert_eq!(second(&parts.test[..20]), 10);
    assert_eq!(second(&session.mixed(parts.train.indices())[..20]), 10);
}

#[test]
fn a_folder_without_classes_is_not_judged_by_classes() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    pictures(&[&images], 150);
    let data = images.to_string_lossy().into_owned();
    let settings = TINY.replace("steps = 60", "steps = 10");
    let arguments = ["--data", &data, "--size", "8", "--grayscale"];
    succeeds(&command(folder.path(), &settings, 1, &arguments).output().unwrap());
    let run = folder.path().join("runs/vae/tiny-images-0");
    let claims = fs::read_to_string(run.join("claims.json")).unwrap();
    let claims: serde_json::Value = serde_json::from_str(&claims).unwrap();
    for claim in claims["claims"].as_array().unwrap() {
        let verdict = claim["verdict"].to_string();
        let by_classes =
            ["smoothness", "conditional", "condition-helps"].contains(&claim["id"].as_str().unwrap());
        assert_eq!(verdict.contains("not tested"), by_classes, "{claim}");
    }
    let html = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(html.contains("nothing can be asked for") && !html.contains("real test images right"));
    assert!(!html.contains("Images on request") && !html.contains("of different classes."));
    let metrics = fs::read_to_string(run.join("metrics.json")).unwrap();
    assert!(!metrics.contains("requested-accuracy") && !metrics.contains("midpoint-confidence"));
}
