//! The run folder: whole files, no run lost to another.

use std::fs;
use std::io;
use std::path::Path;

use variata_report::{Error, OutputDir, Previous, Replace};

use crate::page::manifest;

fn open(path: &Path, settings: &str) -> Result<OutputDir, Error> {
    OutputDir::open(path, settings, Replace::Never)
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let output = open(root.path(), "a").unwrap();
    output.write("data.json", b"old").unwrap();
    let before = names(root.path());
    for written in 0..3 {
        let error = output
            .write_with("data.json", |file| {
                file.write_all(&b"new"[..written])?;
                Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"))
            })
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("data.json") && text.contains("write") && text.contains("no space left"),
            "{text}"
        );
        assert_eq!(fs::read(root.path().join("data.json")).unwrap(), b"old");
        assert_eq!(names(root.path()), before);
    }
    // A panic while writing leaves nothing either.
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = output.write_with("data.json", |_| panic!("in the middle"));
    }));
    assert!(panicked.is_err());
    assert_eq!(names(root.path()), before);
}

#[test]
fn a_folder_in_the_way_is_named() {
    let root = tempfile::tempdir().unwrap();
    let output = open(root.path(), "a").unwrap();
    fs::create_dir(root.path().join("report.html")).unwrap();
    let error = output.write("report.html", b"x").unwrap_err();
    assert!(
        matches!(&error, Error::Name { name, why: "it is a folder" } if name == "report.html"),
        "{error}"
    );
    assert_eq!(names(root.path()), [".lock", "report.html", "settings.toml"]);
}

#[test]
fn names_stay_inside() {
    let root = tempfile::tempdir().unwrap();
    let output = open(&root.path().join("run"), "a").unwrap();
    for name in [
        "",
        "../x",
        "a/../../x",
        "/x",
        "./x",
        ".lock",
        "a/.lock",
        ".partial-1",
        "figures/.partial-a",
        "sub/",
        "a.json/.",
        "settings.toml",
    ] {
        assert!(matches!(output.write(name, b""), Err(Error::Name { .. })), "{name}");
    }
    output.write("figures/deep/a.png", b"x").unwrap();
    assert!(matches!(output.write("figures", b"x"), Err(Error::Name { .. })));
    assert_eq!(fs::read(root.path().join("run/figures/deep/a.png")).unwrap(), b"x");
    let mut hostile = manifest();
    hostile.preset = "../../x".to_owned();
    assert!(matches!(OutputDir::for_run(root.path(), &hostile, Replace::Never), Err(Error::Name { .. })));
}

#[test]
fn a_run_of_other_settings_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let output = open(root.path(), "epochs = 3\n").unwrap();
    assert_eq!(output.previous(), Previous::Nothing);
    drop(output);
    let error = open(root.path(), "epochs = 4\n").unwrap_err().to_string();
    assert!(
        error.contains("an unfinished run") && error.contains("there `epochs = 3`, now `epochs = 4`"),
        "{error}"
    );
    let output = open(root.path(), "epochs = 3\n").unwrap();
    assert_eq!(output.previous(), Previous::Unfinished);
    output.write("checkpoints/a", b"x").unwrap();
    output.finish(&manifest()).unwrap();
    let error = open(root.path(), "epochs = 4\n").unwrap_err().to_string();
    assert!(error.contains("a finished run"), "{error}");
    assert_eq!(names(root.path()), [".lock", "checkpoints", "manifest.json", "settings.toml"]);

    let output = OutputDir::open(root.path(), "epochs = 4\n", Replace::OtherSettings).unwrap();
    assert_eq!(output.previous(), Previous::Nothing);
    assert_eq!(names(root.path()), [".lock", "settings.toml"]);
    assert_eq!(fs::read_to_string(root.path().join("settings.toml")).unwrap(), "epochs = 4\n");
}

#[test]
fn a_finished_run_done_again_is_unfinished_until_its_end() {
    let root = tempfile::tempdir().unwrap();
    open(root.path(), "a").unwrap().finish(&manifest()).unwrap();
    let output = OutputDir::open(root.path(), "a", Replace::OtherSettings).unwrap();
    assert_eq!(output.previous(), Previous::Finished);
    drop(output);
    // What fails before anything was written leaves it as it was.
    let output = open(root.path(), "a").unwrap();
    assert_eq!(output.previous(), Previous::Finished);
    let failed = output.write_with("deep/er.json", |_| Err(io::Error::other("no")));
    assert!(matches!(failed, Err(Error::File { .. })));
    drop(output);
    let output = open(root.path(), "a").unwrap();
    assert_eq!(output.previous(), Previous::Finished);
    output.write("metrics.json", b"{}").unwrap();
    drop(output);
    let output = open(root.path(), "a").unwrap();
    assert_eq!(output.previous(), Previous::Unfinished);
    output.finish(&manifest()).unwrap();
    open(root.path(), "a").unwrap().begin_again().unwrap();
    assert_eq!(open(root.path(), "a").unwrap().previous(), Previous::Unfinished);
}

#[test]
fn files_of_others_are_never_touched() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("thesis.tex"), b"years").unwrap();
    for replace in [Replace::Never, Replace::OtherSettings] {
        let error = OutputDir::open(root.path(), "a", replace).unwrap_err();
        assert!(matches!(error, Error::ForeignFolder { .. }), "{error}");
    }
    assert_eq!(names(root.path()), ["thesis.tex"]);
}

#[test]
fn one_process_at_a_time() {
    let root = tempfile::tempdir().unwrap();
    let output = open(root.path(), "a").unwrap();
    assert!(matches!(open(root.path(), "a"), Err(Error::InUse { .. })));
    drop(output);
    open(root.path(), "a").unwrap();
}

#[test]
fn an_interrupted_first_open_does_not_block_the_next() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(".lock"), b"").unwrap();
    fs::write(root.path().join(".partial-x"), b"epo").unwrap();
    assert_eq!(open(root.path(), "a").unwrap().previous(), Previous::Nothing);
}

#[cfg(unix)]
#[test]
fn files_can_be_read_by_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    let output = open(root.path(), "a").unwrap();
    let written = output.write("report.html", b"x").unwrap();
    let plain = root.path().join("plain");
    fs::write(&plain, b"x").unwrap();
    let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode();
    assert_eq!(mode(&written), mode(&plain));
}
