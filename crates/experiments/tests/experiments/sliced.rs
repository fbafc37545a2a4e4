//! The experiment on sliced generative models, whole, on settings that train in seconds.

use std::fs;
use std::path::Path;
use std::process::Command;

use variata_experiments::papers::sliced::{SlicedConfig, preset};

use crate::{killed_resumes_to_the_same_bytes, of_paper, settings_are_refused, stderr, writes_every_part};

pub(crate) const TINY: &str = r#"
seeds = 1
steps = 30
latent = 3
directions = 5
weights = [1.0, 100.0]
searched = ["scfwae"]

[architecture]
kind = "mlp"
hidden = [16]

[training]
checkpoint_steps = 7

[training.schedule]
warmup_steps = 5

[classifier]
steps = 20

[classifier.architecture]
kind = "mlp"
hidden = [16]

[measure]
images = 60
samples = 40
directions = 10
gradients = 5
"#;

pub(crate) const RUN: &str = "runs/sliced/tiny-0";

pub(crate) fn tiny(out: &Path, more: &[&str]) -> Command {
    of_paper("sliced", out, TINY, 2, more)
}

#[test]
fn a_run_writes_every_part_and_a_killed_one_resumes_to_the_same_bytes() {
    let want = writes_every_part(
        tiny,
        RUN,
        &[
            "Claims",
            "CelebA",
            "During training",
            "Where the logarithm stops",
            "A weight or the logarithm",
            "What the draws of the prior cost",
            "Codes along random directions",
            "WAE-MMD",
            "5 directions, batches of 128",
        ],
        &[
            "figures/lead.png",
            "figures/skewness.svg",
            "figures/level-sksae.svg",
            "figures/search-scfwae.svg",
            "figures/histogram-ae.svg",
        ],
        &[
            "cwae/seed-0/validation-sliced_w2",
            "scfwae-weight-100/seed-0/reconstruction",
            "scfwae/seed-0/gradient-variance",
            "prior/seed-0/skewness",
        ],
    );
    killed_resumes_to_the_same_bytes(tiny, RUN, "scwae-0", want.path(), 20);
}

#[test]
fn a_weight_in_place_of_the_logarithm_and_a_scaled_prior_run_too() {
    let folder = tempfile::tempdir().unwrap();
    let settings = TINY.replace(
        "searched = [\"scfwae\"]",
        "searched = []\ncost = { kind = \"weight\", lambda = 10.0 }\nprior = { kind = \"normal\", scale = 2.0 }",
    );
    let output = of_paper("sliced", folder.path(), &settings, 2, &[]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let html = fs::read_to_string(folder.path().join(RUN).join("report.html")).unwrap();
    assert!(!html.contains("Where the logarithm stops") && !html.contains("A weight or the logarithm"));
}

#[test]
fn presets_are_valid_and_wrong_settings_are_named() {
    for name in ["quick", "full", "cifar10", "celeba"] {
        let preset = preset(name).unwrap();
        preset.config.check().unwrap();
        let again: SlicedConfig = toml::from_str(&preset.to_toml().unwrap()).unwrap();
        assert_eq!(again, preset.config, "{name}");
    }
    settings_are_refused(
        "sliced",
        &[],
        &[
            ("seeds = 0", "seeds"),
            ("latent = 0", "latent"),
            ("latent = -3", "`latent` is -3"),
            ("directions = 0", "`directions` is 0"),
            ("steps = 99", "`training.schedule.warmup_steps` is 100, must be at most `steps`, 99"),
            (
                "[classifier]\nsteps = 99",
                "`training.schedule.warmup_steps` is 100, must be at most `classifier.steps`, 99",
            ),
            ("weights = [-1.0]", "weights"),
            ("weights = [1.0, 1.0]", "weights"),
            ("searched = [\"ae\"]", "searched"),
            ("searched = [\"gan\"]", "gan"),
            ("searched = [\"scwae\", \"scwae\"]", "scwae twice"),
            ("prior = { kind = \"ball\", radius = 1.0 }", "prior"),
            ("prior = { kind = \"normal\", scale = 0.0 }", "`prior.scale` is 0"),
            ("cost = { kind = \"weight\", lambda = -1.0 }", "regularizer.cost.lambda"),
            ("[measure]\ngradients = 1", "measure.gradients"),
            ("[architecture]\nkind = \"conv2x2\"\nchannels = 0\nhidden = 4", "channels"),
        ],
    );
}

#[test]
fn a_folder_of_images_without_classes_is_judged_too() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    for k in 0..200u32 {
        let image = image::RgbImage::from_fn(8, 8, |x, y| image::Rgb([x, y, k].map(|v| (v * 31 + k) as u8)));
        image.save(images.join(format!("{k}.png"))).unwrap();
    }
    let images = images.to_string_lossy().into_owned();
    let output = of_paper("sliced", folder.path(), TINY, 2, &["--data", &images, "--size", "8"]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}
