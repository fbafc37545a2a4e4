//! Presets resolve to settings and back.

use std::fs;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use variata_experiments::Preset;
use variata_experiments::papers::{fourier_aug, sliced, sos_vae, vae, vq_diff};
use variata_models::Architecture;
use variata_models::train::{AdamConfig, OptimizerConfig, Schedule};

#[test]
fn embedded_presets_are_valid_and_survive_a_round_trip() {
    for name in ["quick", "full"] {
        let preset = vae::preset(name).unwrap();
        preset.config.check().unwrap();
        let again: vae::VaeConfig = toml::from_str(&preset.to_toml().unwrap()).unwrap();
        assert_eq!(again, preset.config, "{name}");
    }
}

#[test]
fn what_a_preset_leaves_out_has_the_documented_default() {
    let quick = vae::preset("quick").unwrap().config;
    assert_eq!((quick.seeds, quick.steps, quick.latent, quick.beta), (3, 3000, 8, 2.0));
    assert_eq!(quick.data.batch_size, 64);
    // Tables that are given in part have the rest of the paper's defaults, not of those that all papers share.
    let full = fourier_aug::preset("full").unwrap().config;
    assert_eq!((full.data.batch_size, full.data.validation), (128, 0.1));
    assert!(matches!(full.training.optimizer, OptimizerConfig::Sgd(sgd) if sgd.learning_rate == 0.1));
    // The paper's 100 epochs of what is left of CIFAR for training.
    assert_eq!(full.steps, 100 * 45_000u64.div_ceil(full.data.batch_size as u64));
    assert_eq!(fourier_aug::FourierAugConfig::default().steps, full.steps);
    for name in ["full", "quick", "cifar10", "celeba"] {
        let config = sliced::preset(name).unwrap().config;
        assert_eq!((config.data.batch_size, config.training.schedule), (128, Schedule::Constant), "{name}");
    }
}

#[test]
fn a_file_changes_what_it_names_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let load = |text: &str| {
        fs::write(&path, text).unwrap();
        fourier_aug::preset(path.to_str().unwrap())
    };
    let default = fourier_aug::FourierAugConfig::default();
    let mut want = default.clone();
    want.training.checkpoint_steps = 100;
    assert_eq!(load("[training]\ncheckpoint_steps = 100").unwrap().config, want);
    // A number in a table of a kind.
    let mut want = default.clone();
    let OptimizerConfig::Sgd(sgd) = &mut want.training.optimizer else { panic!("{want:?}") };
    sgd.learning_rate = 0.5;
    for text in [
        "[training.optimizer]\nlearning_rate = 0.5",
        "[training.optimizer]\nkind = \"sgd\"\nlearning_rate = 0.5",
    ] {
        assert_eq!(load(text).unwrap().config, want, "{text}");
    }
    // Another kind has its own defaults.
    let mut want = default;
    want.training.optimizer = AdamConfig { learning_rate: 0.5, ..AdamConfig::default() }.into();
    want.architecture = Architecture::Mlp { hidden: vec![3] };
    let text = "[training.optimizer]\nkind = \"adam\"\nlearning_rate = 0.5\n[architecture]\nkind = \"mlp\"\nhidden = [3]";
    assert_eq!(load(text).unwrap().config, want);
    // What is wrong is named with its line.
    for (text, name) in [
        ("seeds = 1\n[training]\nstep = 3", "line 3"),
        ("[data]\nbatch_size = \"many\"", "line 2"),
        ("[training.optimizer]\nbeta1 = 0.5", "beta1"),
        ("seeds = ", "line 1"),
        // A kind without settings has none.
        ("[training.schedule]\nkind = \"constant\"\nwarmup_steps = 100", "warmup_steps`"),
        ("[training.schedule]\nkind = \"constant\"\nfinale_factor = 7", "finale_factor`"),
    ] {
        let error = format!("{:#}", load(text).unwrap_err());
        assert!(error.contains(name), "{name}: {error}");
    }
}

#[test]
fn a_preset_has_what_it_does_not_set_from_the_one_that_it_extends() {
    let quick = fourier_aug::preset("quick").unwrap().config;
    let long = fourier_aug::preset("long").unwrap();
    let want = fourier_aug::FourierAugConfig { steps: 3000, ..quick.clone() };
    assert_eq!((long.name.as_str(), &long.config), ("long", &want));

    let folder = tempfile::tempdir().unwrap();
    let load = |file: &str, text: &str| {
        let path = folder.path().join(file);
        fs::write(&path, text).unwrap();
        fourier_aug::preset(path.to_str().unwrap())
    };
    // An embedded preset, then a file beside the file; what the nearest sets holds.
    let first =
        load("first.toml", "# ours\nextends = \"quick\" # of the paper\nseeds = 2\n[measure]\nbin = 10");
    let mut want = fourier_aug::FourierAugConfig { seeds: 2, ..quick };
    want.measure.bin = 10;
    assert_eq!(first.unwrap().config, want);
    let second =
        load("second.toml", "extends = './first.toml'\nsteps = 7\n[measure]\nattacked = 30").unwrap();
    want.steps = 7;
    want.measure.attacked = 30;
    assert_eq!((second.name.as_str(), second.config), ("second", want));
    // The settings of a run name no other preset.
    assert!(!fourier_aug::preset("long").unwrap().to_toml().unwrap().contains("extends"));

    // What is wrong is named, with the line in its own file.
    for (text, names) in [
        ("extends = \"quick\"\nseeds = 1\nstep = 3", ["mine.toml", "line 3"]),
        ("extends = \"first.toml\"\nsteps = \"many\"", ["mine.toml", "line 2"]),
        ("extends = \"slow\"", ["mine.toml", "`slow` is not one of quick"]),
        ("extends = \"absent.toml\"", ["mine.toml", "absent.toml"]),
        ("extends = 3", ["mine.toml", "line 1"]),
        ("[measure]\nextends = \"quick\"", ["mine.toml", "line 2"]),
        ("extends = \"mine.toml\"", ["mine.toml", "extends itself"]),
    ] {
        let error = format!("{:#}", load("mine.toml", text).unwrap_err());
        assert!(names.iter().all(|name| error.contains(name)), "{text}: {error}");
    }
    load("wrong.toml", "\n\nstep = 3").unwrap_err();
    let error = format!("{:#}", load("mine.toml", "extends = \"wrong.toml\"").unwrap_err());
    assert!(error.contains("wrong.toml") && error.contains("line 3"), "{error}");
    fs::create_dir(folder.path().join("sub")).unwrap();
    load("one.toml", "extends = \"sub/../two.toml\"").unwrap_err();
    let error = format!("{:#}", load("two.toml", "extends = \"sub/../one.toml\"").unwrap_err());
    assert!(error.contains("extends itself"), "{error}");
}

/// `[cost]` of a kind that is the default too: its keys are merged, and would be dropped.
#[test]
fn a_key_that_its_kind_does_not_have_is_refused_in_every_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let load = |text: &str| {
        fs::write(&path, text).unwrap();
        sliced::preset(path.to_str().unwrap())
    };
    for (text, name) in [
        ("[cost]\nkind = \"log\"\nlambda = 3.0", "lambda`"),
        ("[cost]\nlambda = 3.0", "lambda`"),
        ("cost = { kind = \"log\", lambda = 3.0 }", "lambda`"),
    ] {
        let error = format!("{:#}", load(text).unwrap_err());
        assert!(error.contains(name), "{text}: {error}");
    }
    load("[cost]\nkind = \"weight\"\nlambda = 3.0").unwrap();
    load("[cost]\nkind = \"log\"").unwrap();
}

/// Every setting of every preset has its comment, and what is printed is the preset.
#[test]
fn an_explained_preset_is_the_preset() {
    fn check<C>(preset: &Preset<C>)
    where
        C: Default + Serialize + DeserializeOwned + JsonSchema + PartialEq + std::fmt::Debug,
    {
        let text = preset.explained().unwrap();
        assert_eq!(toml::from_str::<C>(&text).unwrap(), preset.config);
        assert!(!text.contains("[`") && !text.contains("](") && !text.contains(":  "), "{text}");
        let (mut above, mut schema) = ("", Preset::<C>::schema());
        for line in text.lines() {
            let name = line.trim_start_matches('[').split([' ', ']']).next().unwrap_or_default();
            if !line.is_empty() && !line.starts_with('#') {
                assert!(above.starts_with("# "), "{line}");
                assert!(schema.contains(&format!("\"{}\"", name.rsplit('.').next().unwrap())), "{line}");
            }
            above = line;
        }
        schema.retain(|c| c != ' ');
        assert!(schema.contains("\"extends\"") && !schema.contains("\"required\":"), "{schema}");
    }
    for name in ["quick", "full"] {
        check(&vae::preset(name).unwrap());
        check(&sos_vae::preset(name).unwrap());
        check(&sliced::preset(name).unwrap());
        check(&vq_diff::preset(name).unwrap());
        check(&fourier_aug::preset(name).unwrap());
    }
    // Of another kind than the default.
    let text = sos_vae::preset("full").unwrap().explained().unwrap();
    assert!(
        text.contains("kind = \"conv\" # default: \"mlp\"\n") && text.contains("hidden = [256]\n"),
        "{text}"
    );
    let text = vae::preset("quick").unwrap().explained().unwrap();
    for expected in [
        "\n# Number of seeds; 3.\nseeds = 3\n",
        "\nsteps = 3000 # default: 2000\n",
        "\n# - mlp (hidden): Fully connected",
        "\n# One of mlp, conv, conv2x2, residual, wide_residual.\nkind = \"mlp\"\n",
        "\n# clip_norm, which is not set: Largest",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}
