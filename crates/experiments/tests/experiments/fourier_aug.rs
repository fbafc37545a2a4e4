//! The experiment on augmentation, whole, on settings that train in seconds.

use std::path::Path;
use std::process::Command;

use variata_experiments::papers::fourier_aug::{FourierAugConfig, preset};

use crate::{killed_resumes_to_the_same_bytes, of_paper, settings_are_refused, stderr, writes_every_part};

const TINY: &str = r#"
seeds = 1
steps = 30
augmentations = ["Base", "AugSV", "AugSVC", "AugSVF"]

[architecture]
kind = "wide_residual"
depth = 10
widen = 1

[training]
checkpoint_steps = 3

[training.optimizer]
kind = "sgd"
learning_rate = 0.05

[augment]
flip = false
padding = 1

[measure]
images = 60
attacked = 20
norms = [0.5, 1.0]
bin = 10
"#;

pub(crate) const RUN: &str = "runs/fourier-aug/tiny-digits-0";

pub(crate) fn tiny(out: &Path, more: &[&str]) -> Command {
    // The smallest digits: 33 waves or so.
    of_paper("fourier-aug", out, TINY, 2, &[&["--data", "digits"], more].concat())
}

#[test]
fn a_run_writes_every_part_and_a_killed_one_resumes_to_the_same_bytes() {
    let want = writes_every_part(
        tiny,
        RUN,
        &[
            "Claims",
            "Under common corruptions",
            "Under attack by plane waves",
            "Maps of susceptibility",
            "Reliability",
            "During training",
            "More primitives of another kind",
            "CIFAR-100-C",
        ],
        &[
            "figures/lead.png",
            "figures/maps-1.png",
            "figures/gains.svg",
            "figures/reliability-clean.svg",
            "features/augsvf-0.pt",
        ],
        &[
            "base/seed-0/error",
            "augsvf/seed-0/corrupted-rms-calibration",
            "augsv/seed-0/jpeg_compression-5-error",
            "augsvc/seed-0/attack-0.5-error-max",
            "claim/not-any-primitive",
        ],
    );
    killed_resumes_to_the_same_bytes(tiny, RUN, "augsvf-0", want.path(), 16);

    // The features that it leaves serve the Fréchet distances of another paper.
    let features = want.path().join(RUN).join("features/augsvf-0.pt").to_string_lossy().into_owned();
    let output = of_paper("vae", want.path(), crate::TINY, 1, &["--features", &features]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let html = std::fs::read_to_string(want.path().join("runs/vae/tiny-0/report.html")).unwrap();
    for words in
        ["FID compares the features that the given network gives", "features of a network with SHA-256"]
    {
        assert!(html.contains(words), "{words}");
    }
}

#[test]
fn presets_are_valid_and_wrong_settings_are_named() {
    for name in ["quick", "full"] {
        let preset = preset(name).unwrap();
        preset.config.check().unwrap();
        let again: FourierAugConfig = toml::from_str(&preset.to_toml().unwrap()).unwrap();
        assert_eq!(again, preset.config, "{name}");
    }
    settings_are_refused(
        "fourier-aug",
        &[],
        &[
            ("seeds = 0", "seeds"),
            ("augmentations = [\"AugSVF\"]", "augmentations"),
            ("augmentations = [\"Base\", \"Base\"]", "augmentations"),
            ("augmentations = [\"Base\", \"AugX\"]", "AugX"),
            ("consistency = -1.0", "consistency"),
            ("[augment]\nseverity = 11.0", "severity"),
            ("[augment]\nwidth = 0", "width"),
            ("[augment]\nnorm = [2.0, 1.0]", "augment.norm"),
            ("[measure]\nnorms = []", "measure.norms"),
            ("[measure]\nnorms = [0.0]", "measure.norms"),
            ("[measure]\nbin = 0", "measure.bin"),
            ("[architecture]\nkind = \"wide_residual\"\ndepth = 11\nwiden = 1", "depth"),
            ("[training.optimizer]\nkind = \"sgd\"\nmomentum = 1.5", "momentum"),
            ("[training.optimizer]\nkind = \"lion\"", "lion"),
        ],
    );
}

#[test]
fn corrupted_images_of_files_belong_to_cifar() {
    let folder = tempfile::tempdir().unwrap();
    let corrupted = folder.path().to_string_lossy().into_owned();
    let output = tiny(folder.path(), &["--corrupted", &corrupted]).output().unwrap();
    assert!(!output.status.success() && stderr(&output).contains("cifar10"), "{}", stderr(&output));
}

/// The files of CIFAR-10-C that are read are those of the corruptions that are measured.
#[test]
fn files_and_corruptions_have_the_same_names() {
    use variata_fourier_aug::Corruption;
    assert_eq!(variata_datasets::CIFAR_CORRUPTIONS, Corruption::COMMON.map(Corruption::name));
}
