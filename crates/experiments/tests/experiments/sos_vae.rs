//! The SOS-VAE experiment, whole, on settings that train in seconds.

use std::fs;
use std::path::Path;
use std::process::Command;

use variata_experiments::papers::sos_vae::{SosVaeConfig, preset};

use crate::{
    killed_resumes_to_the_same_bytes, of_paper, settings_are_refused, stderr, variata, writes_every_part,
};

pub(crate) const TINY: &str = r#"
seeds = 1
steps = 12
pretrain_steps = 4
latent = 3
rank = 3
epsilon = 1e-3
other_ranks = [2]
direct_steps = 8

[architecture]
kind = "residual"
widths = [4, 6]

[training]
checkpoint_steps = 5

[training.schedule]
warmup_steps = 4

[direct.schedule]
warmup_steps = 4

[data]
batch_size = 400

[classifier]
steps = 8

[classifier.architecture]
kind = "mlp"
hidden = [16]

[measure]
samples = 60
images = 60
importance_samples = 4
bound_images = 8
edited = 12
pixel = [5, 9]
"#;

/// The same of few steps, for the smallest faces.
const TINY_OF_8: &str = r#"
seeds = 1
steps = 2
pretrain_steps = 1
latent = 2
rank = 2
epsilon = 1e-3
other_ranks = [1]
direct_steps = 2

[architecture]
kind = "mlp"
hidden = [8]

[training.schedule]
kind = "constant"

[direct.schedule]
kind = "constant"

[data]
batch_size = 1000

[classifier]
steps = 2

[classifier.architecture]
kind = "mlp"
hidden = [8]

[measure]
samples = 20
images = 20
importance_samples = 2
bound_images = 4
edited = 6
"#;

pub(crate) const RUN: &str = "runs/sos-vae/tiny-faces-0";

pub(crate) fn tiny(out: &Path, more: &[&str]) -> Command {
    of_paper("sos-vae", out, TINY, 2, &[&["--data", "faces:16"], more].concat())
}

#[test]
fn a_run_writes_every_part_and_a_killed_one_resumes_to_the_same_bytes() {
    let want = writes_every_part(
        tiny,
        RUN,
        &[
            "Claims",
            "Table 1",
            "Means, samples, covariances",
            "row 5, column 9",
            "Spatial coherence",
            "Ways through the observation space",
            "Editing by conditioning",
            "dense formula",
            "No network",
            "Without the constraint",
            "Multipliers during training",
            "not FIDs",
            "log p(x) of the first 8 of them with 4 weights",
            "the mean over the first 8 test images",
            "over 60 samples",
        ],
        &[
            "figures/lead.png",
            "figures/panels-sos-vae.png",
            "figures/slerp-1.png",
            "figures/components.png",
            "figures/coherence.svg",
        ],
        &["edit/seed-0/hair/inside", "train-entropy_multiplier", "conditional-mean/seed-0/200-edits"],
    );
    killed_resumes_to_the_same_bytes(tiny, RUN, "sos-vae-0", want.path(), 20);
}

#[test]
fn presets_are_valid_and_wrong_settings_are_named() {
    for name in ["quick", "long", "full"] {
        let preset = preset(name).unwrap();
        preset.config.check().unwrap();
        let again: SosVaeConfig = toml::from_str(&preset.to_toml().unwrap()).unwrap();
        assert_eq!(again, preset.config, "{name}");
    }
    settings_are_refused(
        "sos-vae",
        &["--data", "faces:8"],
        &[
            ("rank = 0", "rank"),
            ("other_ranks = [3, -1]", "other_ranks"),
            ("other_ranks = [3, 5, 3]", "3 twice"),
            ("pretrain_steps = 100000", "pretrain_steps"),
            (
                "[direct.schedule]\nwarmup_steps = 2000",
                "`direct.schedule.warmup_steps` is 2000, must be at most `direct_steps`, 1500",
            ),
            ("epsilon = -1.0", "`epsilon`"),
            ("kl_target = nan", "`kl_target`"),
            ("kl_target = -5.0", "`kl_target` is -5"),
            ("rank = 5000", "`rank` is 5000"),
            ("epsilon = 1e-30", "`epsilon`"),
            ("entropy_per_rank = inf", "`entropy_per_rank`"),
            ("[bottleneck]\nkind = \"deterministic\"", "`bottleneck` is deterministic"),
            ("neighbourhood = 4", "`neighbourhood` is 4"),
            ("damping = -1.0", "`damping`"),
            ("[architecture]\nkind = \"residual\"\nwidths = []", "widths"),
            ("[measure]\nsamples = 1", "measure.samples"),
            (
                "[measure]\npixel = [0, 8]",
                "`measure.pixel` is [0, 8], must be a row below 8 and a column below 8",
            ),
        ],
    );
}

#[test]
fn features_and_images_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    fs::write(images.join("broken.png"), "no image").unwrap();
    let images = images.to_string_lossy().into_owned();
    for (arguments, name) in [
        (vec!["--features", "none.pt"], "none.pt"),
        (vec!["--features", "Cargo.toml"], "TorchScript"),
        (vec!["--data", &images], "broken.png"),
        (vec!["--data", &images, "--size", "64x"], "HEIGHTxWIDTH"),
    ] {
        let out = folder.path().to_string_lossy();
        let output = variata(&[&["reproduce", "sos-vae", "--out", &*out], &arguments[..]].concat());
        let message = stderr(&output);
        assert!(!output.status.success() && message.contains(name), "{arguments:?}: {message}");
        assert!(!message.contains("panicked"), "{message}");
    }
    let output = variata(&["studio", "--checkpoint", "no-such-checkpoint", "--port", "0"]);
    assert!(
        !output.status.success() && stderr(&output).contains("no-such-checkpoint"),
        "{}",
        stderr(&output)
    );
}

/// Faces of 8×8 pixels have no patch of hair that a brush fits in: what is painted is elsewhere, and the page says so.
#[test]
fn faces_too_small_for_the_brush_are_edited_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let output = of_paper("sos-vae", folder.path(), TINY_OF_8, 2, &["--data", "faces:8"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let html = fs::read_to_string(folder.path().join("runs/sos-vae/tiny-faces-0/report.html")).unwrap();
    assert!(
        html.contains("a square of nine pixels in the middle")
            && !html.contains("nine pixels of the hair painted")
    );
    assert!(html.contains("no edited image has hair of three by three pixels"));
    // What holds by construction is text and no claim.
    assert!(html.contains("uncorrelated by construction") && !html.contains("claim-uncorrelated"));
}
