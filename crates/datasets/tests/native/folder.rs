//! Folders of four IDX files.

use std::fs;
use std::path::Path;

use variata_datasets::{Error, read_idx_folder};

use super::{gzip, idx_bytes};

const TRAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];
const TEST: [&str; 2] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// `n` images of 2×3 pixels that count up, labels 0, 1, …, 9, 0, ….
fn part(folder: &Path, names: [&str; 2], n: u32) {
    let pixels: Vec<u8> = (0..n * 6).map(|i| i as u8).collect();
    let labels: Vec<u8> = (0..n).map(|i| (i % 10) as u8).collect();
    fs::write(folder.join(names[0]), idx_bytes(&[n, 2, 3], &pixels)).unwrap();
    fs::write(folder.join(names[1]), idx_bytes(&[n], &labels)).unwrap();
}

#[test]
fn both_parts_are_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    part(folder.path(), TRAIN, 20);
    let train = read_idx_folder("x", folder.path(), Some(10)).unwrap();
    assert_eq!((train.len(), train.official_test()), (20, None));
    part(folder.path(), TEST, 5);
    let both = read_idx_folder("x", folder.path(), None).unwrap();
    assert_eq!(both.images().shape(), [25, 1, 2, 3]);
    assert_eq!((both.official_test(), both.classes(), both.name()), (Some(20..25), 10, "x"));
    let want: Vec<u8> = (0..120).chain(0..30).collect();
    assert!(both.images().iter().eq(&want));
    assert_eq!(both.labels()[18..22], [8, 9, 0, 1]);
}

#[test]
fn every_usual_name_is_found() {
    for (dot, packed) in [(false, false), (true, false), (false, true), (true, true)] {
        let folder = tempfile::tempdir().unwrap();
        let names = TRAIN.map(|name| if dot { name.replace("-idx", ".idx") } else { name.to_owned() });
        part(folder.path(), [&names[0], &names[1]], 3);
        if packed {
            for name in &names {
                let content = fs::read(folder.path().join(name)).unwrap();
                fs::write(folder.path().join(format!("{name}.gz")), gzip(&content)).unwrap();
                fs::remove_file(folder.path().join(name)).unwrap();
            }
        }
        assert_eq!(
            read_idx_folder("x", folder.path(), Some(10)).unwrap().len(),
            3,
            "dot {dot}, gzip {packed}"
        );
    }
}

#[test]
fn colour_images_have_four_axes() {
    let folder = tempfile::tempdir().unwrap();
    part(folder.path(), TRAIN, 2);
    fs::write(folder.path().join(TRAIN[0]), idx_bytes(&[2, 3, 1, 2], &[7; 12])).unwrap();
    assert_eq!(read_idx_folder("x", folder.path(), None).unwrap().image_shape(), [3, 1, 2]);
}

#[test]
fn a_missing_file_is_named() {
    for (missing, files) in [
        (TRAIN[0], vec![]),
        (TRAIN[1], vec![TRAIN[0]]),
        (TRAIN[0], vec![TRAIN[1]]),
        (TEST[1], vec![TRAIN[0], TRAIN[1], TEST[0]]),
        (TEST[0], vec![TRAIN[0], TRAIN[1], TEST[1]]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        part(folder.path(), TRAIN, 2);
        part(folder.path(), TEST, 2);
        for name in TRAIN.iter().chain(&TEST).filter(|name| !files.contains(name)) {
            fs::remove_file(folder.path().join(name)).unwrap();
        }
        let error = read_idx_folder("x", folder.path(), None).unwrap_err();
        assert!(
            matches!(&error, Error::NotFound { path, .. } if path.ends_with(missing)),
            "{missing}: {error:?}"
        );
    }
}

/// The error after one file of a good folder was replaced.
fn broken(name: &str, content: &[u8], classes: Option<usize>) -> Error {
    let folder = tempfile::tempdir().unwrap();
    part(folder.path(), TRAIN, 10);
    part(folder.path(), TEST, 10);
    fs::write(folder.path().join(name), content).unwrap();
    let error = read_idx_folder("x", folder.path(), classes).unwrap_err();
    assert!(error.to_string().contains(name), "the message does not name {name}: {error}");
    error
}

#[test]
fn files_that_disagree_are_refused_with_file_and_offset() {
    let error = broken(TRAIN[1], &idx_bytes(&[9], &[0; 9]), None);
    assert!(
        matches!(error, Error::Mismatch { offset: 4, what: "number of labels", expected: 10, found: 9, .. }),
        "{error:?}"
    );
    let error = broken(TEST[0], &idx_bytes(&[10, 2, 4], &[0; 80]), None);
    assert!(
        matches!(error, Error::Mismatch { offset: 12, what: "width", expected: 3, found: 4, .. }),
        "{error:?}"
    );
    let error = broken(TEST[0], &idx_bytes(&[10, 1, 3], &[0; 30]), None);
    assert!(
        matches!(error, Error::Mismatch { offset: 8, what: "height", expected: 2, found: 1, .. }),
        "{error:?}"
    );
    let error = broken(TEST[0], &idx_bytes(&[10, 2, 2, 3], &[0; 120]), None);
    assert!(
        matches!(error, Error::Mismatch { offset: 8, what: "number of channels", found: 2, .. }),
        "{error:?}"
    );
    let error = broken(TRAIN[0], &idx_bytes(&[10, 6], &[0; 60]), None);
    assert!(matches!(error, Error::Rank { offset: 3, expected: "3 or 4", found: 2, .. }), "{error:?}");
    let error = broken(TRAIN[1], &idx_bytes(&[10, 1], &[0; 10]), None);
    assert!(matches!(error, Error::Rank { offset: 3, expected: "1", found: 2, .. }), "{error:?}");
}

#[test]
fn a_label_of_no_class_is_refused_with_its_offset() {
    let mut labels = [1; 10];
    labels[7] = 10;
    let error = broken(TRAIN[1], &idx_bytes(&[10], &labels), Some(10));
    assert!(matches!(error, Error::Label { offset: 15, index: 7, label: 10, classes: 10, .. }), "{error:?}");
    // Where the training part says how many classes there are, the test part cannot have another.
    let error = broken(TEST[1], &idx_bytes(&[10], &labels), None);
    assert!(matches!(error, Error::Label { offset: 15, classes: 10, .. }), "{error:?}");
}

#[test]
fn damage_inside_a_folder_is_the_error_of_the_file() {
    let short = &idx_bytes(&[10, 2, 3], &[0; 59]);
    let error = broken(TRAIN[0], short, None);
    assert!(matches!(error, Error::Truncated { offset: 16, expected: 60, found: 59, .. }), "{error:?}");
}

#[test]
fn a_folder_that_has_the_name_of_a_file_does_not_hide_it() {
    let folder = tempfile::tempdir().unwrap();
    part(
        folder.path(),
        TRAIN.map(|name| Box::leak(name.replace("-idx", ".idx").into_boxed_str()) as &str),
        20,
    );
    for name in TRAIN {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    assert_eq!(read_idx_folder("x", folder.path(), Some(10)).unwrap().len(), 20);
}
