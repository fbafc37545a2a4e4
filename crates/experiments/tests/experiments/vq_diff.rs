//! The experiment on bundles of streamlines, whole, on settings that train in seconds, and on folders as users have them.

use std::fs;
use std::path::Path;
use std::process::Command;

use variata_experiments::papers::vq_diff::{NormalizeBy, SplitBy, VqDiffConfig, preset};
use variata_streamlines::{Phantom, Tract, Tractogram};

use crate::{killed_resumes_to_the_same_bytes, of_paper, settings_are_refused, stderr, writes_every_part};

pub(crate) const TINY: &str = r#"
steps = 12

[networks]
channels = 8
residual_channels = 4
code = 8

[vae]
latent = 4

[vq]
codes = 32

[ema]
codes = 32

[diff]
codes = 32

[training]
checkpoint_steps = 4

[training.schedule]
warmup_steps = 5

[data]
batch_size = 8
subjects = 5
streamlines = 140
tracts = ["MCP", "PYT_L", "IFOF_R"]

[measure]
per_tract = 3
perturbed = 2
latents = 12
perplexity = 2.0
tsne_steps = 30
neighbours = 2
"#;

pub(crate) const RUN: &str = "runs/vq-diff/tiny-0";

pub(crate) fn tiny(out: &Path, more: &[&str]) -> Command {
    of_paper("vq-diff", out, TINY, 2, more)
}

#[test]
fn a_run_writes_every_part_and_a_killed_one_resumes_to_the_same_bytes() {
    let want = writes_every_part(
        tiny,
        RUN,
        &[
            "Claims",
            "Reconstruction",
            "parts of one bundle",
            "During training",
            "Latent space",
            "Perturbation",
            "Rate and distortion",
            "How discrete is it?",
            "The divergence",
            "by construction",
            "30 steps with the affinities times 12",
            "a datum itself has 393,216 bits",
            "Each of the codes takes fewer bits than the datum.",
            "tested claims held; 2 were not tested.",
            "neither model reconstructs",
            // The claim on clusters: the tests have one subject.
            "the mapped test data are of one subject",
            "normalised to [−1, 1] by the training data",
            "reconstructions of test subjects",
        ],
        &[
            "figures/subject.png",
            "figures/shifted.png",
            "figures/tsne-vq-diff.svg",
            "figures/noise-mdf.svg",
            "figures/constant-buan.svg",
            "figures/perplexity.svg",
        ],
        &[
            "vq-diff/seed-0/buan-MCP",
            "vq-ema/seed-0/perplexity",
            "vq-diff-annealed/seed-0/mse-nearest",
            "ae/seed-0/noise-mdf-mm",
            "vq-vae/seed-0/validation-perplexity",
        ],
    );
    killed_resumes_to_the_same_bytes(tiny, RUN, "vae-0", want.path(), 20);
}

/// Bundles of made-up subjects as files.
fn files(folder: &Path, subjects: u64, streamlines: usize) {
    let phantom = Phantom { streamlines, ..Phantom::default() };
    for subject in 0..subjects {
        for (tract, ending) in [(Tract::Mcp, "trk"), (Tract::PytL, "tck"), (Tract::IfofR, "trk.gz")] {
            let lines = phantom.bundle(subject, tract).unwrap();
            let name = format!("sub-{}__{}.{ending}", 1000 + subject, tract.name());
            Tractogram::new(lines).write(folder.join(name)).unwrap();
        }
    }
}

#[test]
fn a_folder_of_files_runs_and_what_cannot_be_read_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("bundles");
    fs::create_dir(&data).unwrap();
    files(&data, 4, 140);
    fs::write(data.join("sub-1000__MCP.trk"), b"TRACK and no more").unwrap();
    fs::write(data.join("sub-1001__XX.trk"), b"").unwrap();
    let name = data.to_string_lossy().into_owned();
    let output = of_paper("vq-diff", folder.path(), TINY, 2, &["--data", &name]).output().unwrap();
    let message = stderr(&output);
    assert!(output.status.success(), "{message}");
    assert!(message.contains("11 files read, 1 unreadable, 1 left out"), "{message}");
    assert!(message.contains("sub-1000__MCP.trk"), "{message}");
    let html = fs::read_to_string(folder.path().join("runs/vq-diff/tiny-bundles-0/report.html")).unwrap();
    assert!(html.contains("1 unreadable"));
}

#[test]
fn folders_that_give_too_little_are_refused_with_what_they_gave() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("bundles");
    fs::create_dir(&data).unwrap();
    let name = data.to_string_lossy().into_owned();
    let settings = TINY.replace(", \"IFOF_R\"]", "]");
    let refused = |wanted: &str| {
        let output = of_paper("vq-diff", folder.path(), &settings, 1, &["--data", &name]).output().unwrap();
        let message = stderr(&output);
        assert!(!output.status.success() && message.contains(wanted), "{wanted}: {message}");
        assert!(!message.contains("panicked"), "{message}");
    };
    refused("bundles");
    fs::write(data.join("sub-1__MCP.trk"), b"broken").unwrap();
    refused("no tract `PYT_L`; there are MCP");
    fs::write(data.join("sub-1__PYT_L.trk"), b"broken").unwrap();
    refused("2 unreadable");
    for tract in ["MCP", "PYT_L"] {
        fs::remove_file(data.join(format!("sub-1__{tract}.trk"))).unwrap();
    }
    files(&data, 2, 96);
    refused("2 subjects, must have at least 3");
    // One datum of each tract.
    files(&data, 3, 96);
    refused("`data.test` is 0.2: 2 data are left to test on");
    // Enough of one tract, and less than a datum in each file of the other.
    files(&data, 8, 140);
    let few = Phantom { streamlines: 20, ..Phantom::default() };
    for subject in 0..8 {
        let file = data.join(format!("sub-{}__PYT_L.tck", 1000 + subject));
        Tractogram::new(few.bundle(subject, Tract::PytL).unwrap()).write(file).unwrap();
    }
    refused("no datum of the tract PYT_L, which `data.tracts` names, is left to train on: 16 files read");
}

#[test]
fn presets_are_valid_and_wrong_settings_are_named() {
    for name in ["quick", "long", "full", "published"] {
        let preset = preset(name).unwrap();
        preset.config.check().unwrap();
        let again: VqDiffConfig = toml::from_str(&preset.to_toml().unwrap()).unwrap();
        assert_eq!(again, preset.config, "{name}");
    }
    let published = preset("published").unwrap().config;
    assert_eq!((published.data.split, published.data.normalize), (SplitBy::Chunks, NormalizeBy::All));
    settings_are_refused(
        "vq-diff",
        &[],
        &[
            ("seeds = 0", "seeds"),
            ("annealed_to = 0.0", "annealed_to"),
            ("[data]\nsubjects = 2", "data.subjects"),
            ("[data]\ntracts = [\"MCP\", \"MCP\"]", "data.tracts"),
            ("[data]\ntracts = [\"MCP\", \"XX\"]\nsubjects = 3\nstreamlines = 128", "XX"),
            ("[data]\nvalidation = 0.6\ntest = 0.5", "data.test"),
            ("[measure]\nthreshold = -1.0", "measure.threshold"),
            ("steps = 99", "`training.schedule.warmup_steps` is 100, must be at most `steps`, 99"),
            ("annealed_to = 20.0", "at most `diff.temperature`, 10"),
            ("[diff]\ntemperature = -1.0", "`diff.temperature`"),
            ("[diff]\nscale = 0.05", "`diff.scale`"),
            ("[ema]\nrule = \"published\"\nsmoothing = 0.0", "`ema.smoothing`"),
            ("[vq]\ncodes = 0", "`vq.codes`"),
            ("[diff]\nheat = 1.0", "heat"),
        ],
    );
}

#[test]
fn the_published_choices_run_too() {
    let folder = tempfile::tempdir().unwrap();
    let settings = TINY
        .replace("steps = 12", "steps = 6\nnoise_in_evaluation = true")
        .replace("code = 8", "code = 8\nskip = \"activated\"")
        .replace("[ema]", "[ema]\nrule = \"published\"")
        .replace(
            "[data]",
            "[compute]\nchannels_last = true\n[data]\nsplit = \"chunks\"\nnormalize = \"all\"",
        );
    let output = of_paper("vq-diff", folder.path(), &settings, 2, &[]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let html = fs::read_to_string(folder.path().join(RUN).join("report.html")).unwrap();
    for words in ["normalised to [−1, 1] by all data", "whose subjects are in the training data"] {
        assert!(html.contains(words), "{words}");
    }
    for words in ["by the training data", "test subjects", "neighbouring parts", "claim-kl\""] {
        assert!(!html.contains(words), "{words}");
    }
}
