//! The experiment on augmentation, whole, on settings that train in seconds.

use std::fs;
use std::path::Path;
use std::process::Command;

use variata_datasets::{IdxEncoding, write_idx};
use variata_experiments::papers::fourier_aug::{FourierAugConfig, preset};

use crate::{
    fails_with, killed_resumes_to_the_same_bytes, of_paper, settings_are_refused, stderr, writes_every_part,
};

pub(crate) const TINY: &str = r#"
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
            "of Base, which has no views",
            "added to each of the first 20 test images, and",
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
    for name in ["quick", "long", "full"] {
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
            ("[measure]\nnorms = [1e300]", "measure.norms"),
            ("[measure]\nnorms = [1.0, 1.0]", "`measure.norms` has 1 twice"),
            ("[training.schedule]\nkind = \"cosine\"\nwarmup_steps = 40000", "at most `steps`, 35200"),
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

/// An npy file of bytes, of version 1.0.
fn npy(shape: &str, content: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(content);
    bytes
}

/// CIFAR-10 of a hundred images for training, and 20 for tests with the labels 0, 1, …, 9, 0, ….
fn cifar10(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let names = (1..=5).map(|k| format!("data_batch_{k}.bin")).chain(["test_batch.bin".to_owned()]);
    for name in names {
        let records = (0..20u8).flat_map(|k| [vec![k % 10], vec![k * 9; 3072]].concat());
        fs::write(folder.join(name), records.collect::<Vec<_>>()).unwrap();
    }
}

/// CIFAR-10-C of these labels at each severity.
fn corrupted(folder: &Path, labels: &[u8], grey: u8) {
    fs::create_dir_all(folder).unwrap();
    let n = 5 * labels.len();
    for corruption in variata_datasets::CIFAR_CORRUPTIONS {
        let file = npy(&format!("({n}, 32, 32, 3)"), &vec![grey; n * 3072]);
        fs::write(folder.join(format!("{corruption}.npy")), file).unwrap();
    }
    fs::write(folder.join("labels.npy"), npy(&format!("({n},)"), &labels.repeat(5))).unwrap();
}

/// Before anything is trained; and the manifest tells two folders apart.
#[test]
fn corrupted_images_are_those_of_the_test_part() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let settings = TINY
        .replace("kind = \"wide_residual\"\ndepth = 10\nwiden = 1", "kind = \"mlp\"\nhidden = [4]")
        .replace("steps = 30", "steps = 1")
        .replace("\"AugSV\", \"AugSVC\", \"AugSVF\"", "\"AugSV\"")
        .replace("attacked = 20\nnorms = [0.5, 1.0]", "attacked = 2\nnorms = [1.0]");
    cifar10(&at("cifar"));
    let labels: Vec<u8> = (0..20).map(|k| k % 10).collect();
    let run = |data: &str, corrupted: &str| {
        let corrupted = at(corrupted).to_string_lossy().into_owned();
        let arguments = ["--data", data, "--corrupted", &corrupted];
        of_paper("fourier-aug", folder.path(), &settings, 1, &arguments).output().unwrap()
    };
    let cifar = format!("cifar10:{}", at("cifar").display());

    let mut others = labels.clone();
    others[7] = 3;
    corrupted(&at("other"), &others, 0);
    fails_with(&run(&cifar, "other"), "has label 3 at image 7 of gaussian_noise, must have 7");
    corrupted(&at("short"), &labels[..19], 0);
    fails_with(&run(&cifar, "short"), "has 19 images of gaussian_noise, must have the 20");
    // Ten classes and an official test part, but other images.
    let mnist = at("mnist");
    fs::create_dir_all(&mnist).unwrap();
    for (part, n) in [("train", 40u8), ("t10k", 20)] {
        let images = ndarray::Array3::from_elem((usize::from(n), 28, 28), 7u8);
        write_idx(mnist.join(format!("{part}-images-idx3-ubyte")), &images, IdxEncoding::Plain).unwrap();
        let labels = ndarray::Array1::from_iter((0..n).map(|k| k % 10));
        write_idx(mnist.join(format!("{part}-labels-idx1-ubyte")), &labels, IdxEncoding::Plain).unwrap();
    }
    corrupted(&at("right"), &labels, 0);
    fails_with(
        &run(&format!("mnist:{}", mnist.display()), "right"),
        "has images of [3, 32, 32], must have those of the data, [1, 28, 28]",
    );
    assert!(!at("runs").exists(), "something was trained");

    let manifest = at("runs/fourier-aug/tiny-cifar10-0/manifest.json");
    let digest = |folder: &str| {
        let output = run(&cifar, folder);
        assert!(output.status.success(), "{}", stderr(&output));
        let text = fs::read_to_string(&manifest).unwrap();
        let (_, rest) = text.split_once("corrupted images of files with SHA-256 ").unwrap();
        rest[..64].to_owned()
    };
    let first = digest("right");
    corrupted(&at("darker"), &labels, 1);
    assert_ne!(digest("darker"), first);
    assert_eq!(digest("right"), first);
}
