//! Binary files of CIFAR: what they hold, and what may be wrong with them.

use std::fs;
use std::path::Path;

use variata_datasets::{Error, Source, read_cifar10, read_cifar100};

const PIXELS: usize = 3 * 32 * 32;

/// A record of these labels whose pixels count up from `first`.
fn record(labels: &[u8], first: u8) -> Vec<u8> {
    let pixels = (0..PIXELS).map(|i| first.wrapping_add((i / 7) as u8));
    labels.iter().copied().chain(pixels).collect()
}

fn cifar10(folder: &Path) {
    for k in 1..=5u8 {
        let two = [record(&[k], k), record(&[k - 1], 100)].concat();
        fs::write(folder.join(format!("data_batch_{k}.bin")), two).unwrap();
    }
    fs::write(folder.join("test_batch.bin"), record(&[9], 77)).unwrap();
}

#[test]
fn planes_and_labels_are_those_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    cifar10(folder.path());
    let data = Source::parse(&format!("cifar10:{}", folder.path().display())).unwrap().load().unwrap();
    assert_eq!(data.labels(), [1, 0, 2, 1, 3, 2, 4, 3, 5, 4, 9]);
    assert_eq!((data.official_test(), data.name()), (Some(10..11), "cifar10"));
    assert_eq!((data.classes(), data.class_names()[9].as_str()), (10, "truck"));
    for (image, first) in [(0, 1), (1, 100), (8, 5), (10, 77)] {
        for (channel, row, column) in [(0, 0, 0), (1, 3, 4), (2, 31, 31)] {
            let place = (channel * 32 + row) * 32 + column;
            let want = first + (place / 7) as u64;
            assert_eq!(u64::from(data.images()[[image, channel, row, column]]), want % 256);
        }
    }
}

#[test]
fn fine_labels_and_their_names() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train.bin"), [record(&[19, 99], 3), record(&[0, 7], 4)].concat()).unwrap();
    fs::write(folder.path().join("test.bin"), record(&[1, 42], 5)).unwrap();
    let data = Source::parse(&format!("cifar100:{}", folder.path().display())).unwrap().load().unwrap();
    assert_eq!((data.labels(), data.classes()), (&[99, 7, 42][..], 100));
    assert_eq!(data.class_names()[42], "42");
    let names: Vec<String> = (0..100).map(|k| format!("class {k}")).collect();
    let file = folder.path().join("fine_label_names.txt");
    fs::write(&file, names.join("\n") + "\n").unwrap();
    assert_eq!(read_cifar100(folder.path()).unwrap().class_names()[42], "class 42");
    fs::write(&file, "apple\n").unwrap();
    let error = read_cifar100(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("fine_label_names.txt: 1 names of classes, must be 100"), "{error}");
}

#[test]
fn files_that_are_not_whole_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let fails = || read_cifar10(folder.path()).unwrap_err();
    assert!(matches!(fails(), Error::NotFound { path, .. } if path == at("data_batch_1.bin")));
    cifar10(folder.path());
    fs::remove_file(at("test_batch.bin")).unwrap();
    assert!(matches!(fails(), Error::NotFound { path, .. } if path == at("test_batch.bin")));
    cifar10(folder.path());
    fs::write(at("data_batch_4.bin"), []).unwrap();
    assert!(matches!(fails(), Error::Truncated { offset: 0, expected: 3073, found: 0, .. }));
    let mut whole = record(&[3], 0);
    whole.extend([1, 2]);
    fs::write(at("data_batch_4.bin"), whole).unwrap();
    assert!(matches!(fails(), Error::Truncated { offset: 3073, expected: 3073, found: 2, .. }));
    fs::write(at("data_batch_4.bin"), [record(&[0], 0), record(&[10], 0)].concat()).unwrap();
    assert!(matches!(fails(), Error::Label { offset: 3073, index: 1, label: 10, classes: 10, .. }));
    for text in ["cifar10", "cifar10:", "cifar100", "cifar100:"] {
        assert!(matches!(Source::parse(text), Err(Error::Argument { .. })), "{text}");
    }
    let error = Source::parse("cifar10:no-such-folder").unwrap().load().unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}
