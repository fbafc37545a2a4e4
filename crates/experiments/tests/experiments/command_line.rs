//! Wrong input: a message that names it, and an exit code that is not 0.

use crate::{fails_with, stderr, succeeds, variata};

#[test]
fn help_lists_papers_and_data() {
    let help = variata(&["reproduce", "--help"]);
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.status.success());
    for word in ["vae", "fashion-mnist", "--preset", "--resume", "--device", "--seed"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn every_wrong_argument_is_named() {
    let cases: [(&[&str], &str); 17] = [
        (&["reproduce", "gan"], "gan"),
        (&["reproduce", "vae", "--device", "tpu"], "tpu"),
        (&["reproduce", "vae", "--seed", "-1"], "must be a whole number, from 0"),
        (&["reproduce", "vae", "--resume", "--restart"], "--restart"),
        (&["reproduce", "vae", "--data", "no-such-folder"], "no-such-folder: not found"),
        (&["reproduce", "vae", "--data", "Cargo.toml"], "Cargo.toml: cannot list: not a directory"),
        (&["reproduce", "vq-diff", "--data", "no-such-folder"], "neither `phantom` nor a folder"),
        (&["reproduce", "vae", "--preset", "huge"], "huge"),
        (&["reproduce", "--preset", "huge"], "`huge` is not one of quick, full"),
        (&["reproduce", "--preset", "long"], "a preset `long`: sos-vae, vq-diff, fourier-aug"),
        (&["preset", "vae", "no-such-file.toml"], "no-such-file.toml"),
        // What a paper or its data would not notice.
        (&["reproduce", "vae", "--corrupted", "CIFAR-10-C"], "--corrupted"),
        (&["reproduce", "vq-diff", "--features", "x.pt"], "--features"),
        (&["reproduce", "fourier-aug", "--features", "x.pt"], "--features"),
        (&["reproduce", "vae", "--size", "32"], "--size"),
        (&["reproduce", "vae", "--data", "faces", "--grayscale"], "--grayscale"),
        (&["reproduce", "vq-diff", "--data", "tracts", "--skip-unreadable"], "--skip-unreadable"),
    ];
    for (arguments, name) in cases {
        let output = variata(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        let text = stderr(&output);
        assert!(text.contains(name), "{arguments:?}: {text}");
        assert!(!text.contains("panicked"), "{text}");
    }
}

#[test]
fn a_preset_that_a_paper_lacks_is_told_before_the_first_paper_begins() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_string_lossy().into_owned();
    fails_with(&variata(&["reproduce", "--preset", "long", "--out", &out]), "long");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

/// IDX files of twenty images of that shape, all of class 0.
fn idx_files(image: &[u32]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let idx = |name: &str, sizes: &[u32], bytes: Vec<u8>| {
        let mut file = vec![0, 0, 8, sizes.len() as u8];
        file.extend(sizes.iter().flat_map(|n| n.to_be_bytes()));
        file.extend(bytes);
        std::fs::write(folder.path().join(name), file).unwrap();
    };
    for part in ["train", "t10k"] {
        let bytes = 20 * image.iter().product::<u32>() as usize;
        idx(&format!("{part}-images-idx3-ubyte"), &[&[20], image].concat(), vec![7; bytes]);
        idx(&format!("{part}-labels-idx1-ubyte"), &[20], vec![0; 20]);
    }
    folder
}

#[test]
fn a_classifier_of_one_class_is_refused() {
    let folder = idx_files(&[4, 4]);
    let data = folder.path().to_string_lossy().into_owned();
    let output = variata(&["reproduce", "fourier-aug", "--threads", "1", "--data", &data, "--out", &data]);
    fails_with(&output, "have one class, must have at least 2");
}

#[test]
fn images_that_cannot_be_shown_are_refused_before_anything_is_trained() {
    let folder = idx_files(&[2, 4, 4]);
    let data = folder.path().to_string_lossy().into_owned();
    let output = variata(&["reproduce", "vae", "--threads", "1", "--data", &data, "--out", &data]);
    fails_with(&output, "2 channels, must have 1 (grey) or 3");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_no_success() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_variata"))
        .args(["preset", "vae"])
        .stdout(full)
        .output()
        .unwrap();
    assert!(!output.status.success());
}

#[test]
fn cuda_without_cuda_is_an_error_and_not_a_crash() {
    if variata_torch_bridge::cuda_problem().is_none() {
        return;
    }
    let output = variata(&["reproduce", "vae", "--device", "cuda"]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("CUDA cannot be used"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("panicked"));
}

#[test]
fn a_wrong_setting_is_named_with_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("sedes = 1", "sedes"),
        ("seeds = 0", "seeds"),
        ("latent = 0", "latent"),
        ("[data]\nbatch_size = 0", "`data.batch_size` is 0"),
        ("[data]\ntest = 1.5", "`data.test` is 1.5"),
        ("[observation]\nkind = \"squared_error\"", "observation"),
        ("[training.optimizer]\nkind = \"adam\"\nlearning_rate = -1.0", "learning_rate"),
        (
            "[architecture]\nkind = \"conv\"\nchannels = [8, 8, 8, 8]\nhidden = 8",
            "`architecture.channels` is 4",
        ),
        ("[measure]\nimages = 1", "images"),
        ("[data]\ntest = 0.0", "data.test"),
        ("[data]\ntest = 0.0006", "`data.test` is 0.0006: 1 of the images"),
        ("[data]\nvalidation = 0.0", "`data.validation` is 0: 0 of the images"),
        ("beta = -1.0", "`beta`"),
        (
            "[classifier.architecture]\nkind = \"conv\"\nchannels = [8, 8, 8, 8]\nhidden = 8",
            "`classifier.architecture.channels`",
        ),
    ];
    for (i, (text, name)) in cases.into_iter().enumerate() {
        let preset = folder.path().join(format!("p{i}.toml"));
        std::fs::write(&preset, text).unwrap();
        let runs = folder.path().join("runs");
        let output = variata(&[
            "reproduce",
            "vae",
            "--threads",
            "1",
            "--preset",
            &preset.to_string_lossy(),
            "--out",
            &runs.to_string_lossy(),
        ]);
        let message = stderr(&output);
        assert!(!output.status.success(), "{text}");
        assert!(message.contains(name), "{text}: {message}");
        assert!(!message.contains("panicked"), "{message}");
        // Nor is there a folder, which would stand in the way of the corrected settings.
        assert!(!runs.exists(), "{text}: after something was trained");
    }
}

/// Also by `preset`, which prints settings to be used.
#[test]
fn a_learning_rate_outside_its_range_is_refused_before_data_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let preset = folder.path().join("p.toml");
    let name = preset.to_string_lossy().into_owned();
    for paper in ["vae", "sos-vae", "sliced", "vq-diff", "fourier-aug"] {
        for factor in ["1.5", "-0.1", "nan"] {
            let text = format!("[training.schedule]\nkind = \"cosine\"\nfinal_factor = {factor}");
            std::fs::write(&preset, text).unwrap();
            let reproduce = ["reproduce", paper, "--data", "no-such-folder", "--preset", &name];
            for arguments in [&reproduce[..], &["preset", paper, &name]] {
                fails_with(&variata(arguments), "`training.schedule.final_factor`");
            }
        }
    }
    std::fs::write(&preset, "[training.optimizer]\nlearning_rate = -1.0").unwrap();
    fails_with(&variata(&["preset", "vae", &name]), "`training.optimizer.learning_rate` is -1, must be");
    std::fs::write(&preset, "[direct.schedule]\nkind = \"cosine\"\nfinal_factor = 2.0").unwrap();
    fails_with(&variata(&["preset", "sos-vae", &name]), "`direct.schedule.final_factor`");
    std::fs::write(&preset, "[training.schedule]\nkind = \"cosine\"\nfinal_factor = 1.0").unwrap();
    succeeds(&variata(&["preset", "vae", &name]));
}

#[test]
fn all_papers_want_no_argument_of_one() {
    for given in [
        &["--data", "digits"][..],
        &["--size", "32"],
        &["--grayscale"],
        &["--skip-unreadable"],
        &["--features", "x.pt"],
        &["--corrupted", "x"],
        &["--preset", "mine.toml"],
    ] {
        let output = variata(&[&["reproduce"], given].concat());
        assert!(!output.status.success() && stderr(&output).contains(given[0]), "{}", stderr(&output));
    }
}

/// All are tried, the exit code says so, and the page over an earlier run stays.
#[test]
fn papers_that_all_fail_leave_the_page_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for paper in ["vae", "sos-vae", "sliced", "vq-diff", "fourier-aug"] {
        // In the way of its folder.
        std::fs::write(folder.path().join(paper), "").unwrap();
    }
    std::fs::write(folder.path().join("index.html"), "of yesterday").unwrap();
    let out = folder.path().to_string_lossy().into_owned();
    let output = variata(&["reproduce", "--threads", "1", "--out", &out]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("5 of 5 experiments failed"), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(folder.path().join("index.html")).unwrap(), "of yesterday");
}
