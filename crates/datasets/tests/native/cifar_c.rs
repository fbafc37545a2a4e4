//! npy files of corrupted CIFAR images: what they hold, and any damage is a typed error.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use variata_datasets::{CIFAR_CORRUPTIONS, Error, ImageDataset, NpyFault, read_corrupted_cifar};

const PIXELS: usize = 32 * 32 * 3;
/// Images of a severity.
const N: usize = 2;

/// A file of version `major`.0, put together here byte by byte.
fn npy(major: u8, header: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([major, 0]);
    match major {
        1 => bytes.extend((header.len() as u16).to_le_bytes()),
        _ => bytes.extend((header.len() as u32).to_le_bytes()),
    }
    bytes.extend(header.bytes());
    bytes.extend(content);
    bytes
}

/// As NumPy writes it.
fn header(element: &str, shape: &str) -> String {
    format!("{{'descr': '{element}', 'fortran_order': False, 'shape': {shape}, }}      \n")
}

/// The byte of a pixel in an image of the file.
fn pixel(image: usize, row: usize, column: usize, channel: usize) -> u8 {
    (image * 41 + row * 7 + column * 3 + channel * 100) as u8
}

fn pixels() -> Vec<u8> {
    let at = |k: usize| pixel(k / PIXELS, k / 96 % 32, k / 3 % 32, k % 3);
    (0..5 * N * PIXELS).map(at).collect()
}

fn images() -> Vec<u8> {
    npy(1, &header("|u1", "(10, 32, 32, 3)"), &pixels())
}

/// Labels 0 to 9.
fn labels() -> Vec<u8> {
    npy(1, &header("|u1", "(10,)"), &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
}

/// A folder of these two files.
fn folder(images: &[u8], labels: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("fog.npy"), images).unwrap();
    fs::write(folder.path().join("labels.npy"), labels).unwrap();
    folder
}

fn read(images: &[u8], labels: &[u8], severity: u8) -> Result<ImageDataset, Error> {
    read_corrupted_cifar(folder(images, labels).path(), "fog", severity, 10)
}

#[test]
fn a_severity_is_its_own_rows_with_channels_in_front() {
    for severity in 1..=5 {
        let data = read(&images(), &labels(), severity).unwrap();
        let first = (usize::from(severity) - 1) * N;
        assert_eq!(data.images().shape(), [N, 3, 32, 32]);
        for ((image, channel, row, column), &found) in data.images().indexed_iter() {
            assert_eq!(found, pixel(first + image, row, column, channel));
        }
        assert_eq!(data.labels(), [first as u8, first as u8 + 1]);
        assert_eq!(data.name(), format!("cifar10-c-fog-{severity}"));
        assert_eq!((data.official_test(), data.max_value()), (Some(0..N), 255));
        assert_eq!(data.class_names()[9], "truck");
    }
}

#[test]
fn every_version_and_type_of_labels_gives_the_same() {
    let want = read(&images(), &labels(), 4).unwrap();
    let wide = |element, of: fn(i64) -> Vec<u8>| {
        npy(3, &header(element, "(10,)"), &(0..10).flat_map(of).collect::<Vec<_>>())
    };
    let same = [
        npy(2, &header("|u1", "(10,)"), &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        wide("<i8", |label| label.to_le_bytes().to_vec()),
        wide("<i4", |label| (label as i32).to_le_bytes().to_vec()),
        npy(1, r#"{"shape":(10L,),"fortran_order":False,"descr":"|u1"}"#, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ];
    for labels in same {
        assert_eq!(read(&images(), &labels, 4).unwrap(), want);
    }
}

#[test]
fn a_hundred_classes_and_labels_of_other_severities_are_not_read() {
    let mut labels = vec![200u8; 10];
    labels[2..4].copy_from_slice(&[99, 42]);
    let folder = folder(&images(), &npy(1, &header("|u1", "(10,)"), &labels));
    let data = read_corrupted_cifar(folder.path(), "fog", 2, 100).unwrap();
    assert_eq!((data.labels(), data.classes(), data.name()), (&[99, 42][..], 100, "cifar100-c-fog-2"));
    let error = read_corrupted_cifar(folder.path(), "fog", 1, 100).unwrap_err();
    assert!(matches!(error, Error::Label { index: 0, label: 200, classes: 100, .. }), "{error:?}");
}

#[test]
fn labels_outside_the_classes_are_named_with_their_place() {
    let of = |element: &str, bad: i64| {
        let mut content = vec![0; 80];
        content[56..64].copy_from_slice(&bad.to_le_bytes());
        let text = header(element, if element == "<i8" { "(10,)" } else { "(20,)" });
        (npy(1, &text, &content), 10 + text.len() as u64 + 56)
    };
    for bad in [10, 255, 256, 1 << 40, -1, i64::MIN] {
        let (labels, at) = of("<i8", bad);
        let error = read(&images(), &labels, 4).unwrap_err();
        assert!(
            matches!(error, Error::Label { offset, index: 7, label, classes: 10, .. } if (offset, label) == (at, bad)),
            "{error:?}"
        );
        assert!(read(&images(), &labels, 3).is_ok());
    }
    let (labels, _) = of("<i4", -1);
    let error = read(&images(), &labels, 4).unwrap_err();
    assert!(matches!(error, Error::Mismatch { expected: 10, found: 20, .. }), "{error:?}");
}

#[test]
fn arguments_are_checked_before_a_file_is_opened() {
    let argument = |corruption: &str, severity, classes| match read_corrupted_cifar(
        "no-such-folder",
        corruption,
        severity,
        classes,
    )
    .unwrap_err()
    {
        Error::Argument { argument, .. } => argument,
        other => panic!("{other:?}"),
    };
    for severity in [0, 6, 255] {
        assert_eq!(argument("fog", severity, 10), "severity");
    }
    for classes in [0, 257, usize::MAX] {
        assert_eq!(argument("fog", 1, classes), "classes");
    }
    for corruption in ["", "..", "a/fog", "a\\fog", "/fog", "C:fog", "fog.npy", "fog\0", "ﬁg"] {
        assert_eq!(argument(corruption, 1, 10), "corruption");
    }
}

#[test]
fn a_missing_file_is_named_with_its_archive() {
    let folder = folder(&images(), &labels());
    for (corruption, missing) in CIFAR_CORRUPTIONS.map(|name| (name, format!("{name}.npy"))) {
        if corruption != "fog" {
            let error = read_corrupted_cifar(folder.path(), corruption, 1, 10).unwrap_err();
            assert!(
                matches!(&error, Error::NotFound { path, hint } if path.ends_with(&missing) && hint.contains("CIFAR-10-C"))
            );
        }
    }
    fs::remove_file(folder.path().join("labels.npy")).unwrap();
    let error = read_corrupted_cifar(folder.path(), "fog", 1, 100).unwrap_err();
    assert!(
        matches!(&error, Error::NotFound { path, hint } if path.ends_with("labels.npy") && hint.contains("CIFAR-100-C")),
        "{error:?}"
    );
}

#[test]
fn each_fault_has_its_type_and_place() {
    let fault = |images: &[u8]| match read(images, &labels(), 1).unwrap_err() {
        Error::Npy { file, offset, fault } => {
            assert_eq!(file.file_name().unwrap(), "fog.npy");
            (offset, fault)
        }
        other => panic!("{other:?}"),
    };
    let shaped = |shape: &str, bytes: usize| npy(1, &header("|u1", shape), &vec![0; bytes]);
    assert_eq!(fault(b"\x89PNG\r\n\x1a\n and more"), (0, NpyFault::Magic));
    assert_eq!(fault(b"x"), (0, NpyFault::Magic));
    assert_eq!(fault(b"\x93NUMPY\x04\0rest"), (6, NpyFault::Version([4, 0])));
    assert_eq!(fault(b"\x93NUMPY\x01\x02rest"), (6, NpyFault::Version([1, 2])));
    assert_eq!(fault(b"\x93NUMPY\x02\0\x01\0\x01\0"), (8, NpyFault::LongHeader(65_537)));
    let turned = header("|u1", "(10, 32, 32, 3)").replace("False", "True");
    assert_eq!(fault(&npy(1, &turned, &pixels())), (10, NpyFault::FortranOrder));
    let (offset, found) = fault(&npy(2, &header("<f8", "(10, 32, 32, 3)"), &[]));
    assert!(matches!(found, NpyFault::ElementType { found, .. } if (offset, found.as_str()) == (12, "<f8")));
    for (shape, bytes) in [
        ("(10, 3, 32, 32)", 10 * PIXELS),
        ("(9, 32, 32, 3)", 9 * PIXELS),
        ("(0, 32, 32, 3)", 0),
        ("(10,)", 10),
        ("()", 1),
    ] {
        let (offset, found) = fault(&shaped(shape, bytes));
        let NpyFault::Shape { found, expected } = &found else { panic!("{found:?}") };
        assert_eq!((offset, expected.as_str()), (8, "[5·n, 32, 32, 3]"));
        assert_eq!(
            format!("{found:?}").replace(',', ""),
            shape.replace(',', "").replace('(', "[").replace(')', "]")
        );
    }
    for text in [
        "",
        "[]",
        "{}",
        "{'descr': '|u1', 'fortran_order': False}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (10, 32, 32, 3)",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (10, 32, 32, 3)} x",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (10)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (10, -1)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (10, , 3)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '|u1', 'fortran_order': 0, 'shape': (10,)}",
        "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (10,)}",
        "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (10,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (10,), 'more': 1}",
        "{'descr': '|u1",
    ] {
        assert_eq!(fault(&npy(1, text, &[0; 10])), (10, NpyFault::Header), "{text}");
    }
    let labels = npy(1, &header("|u1", "(10, 1)"), &[0; 10]);
    let error = read(&images(), &labels, 1).unwrap_err();
    assert!(matches!(&error, Error::Npy { fault: NpyFault::Shape { found, .. }, .. } if *found == [10, 1]));
    assert!(error.to_string().ends_with("shape [10, 1], must be [5·n]"), "{error}");
    let labels = npy(1, &header(">i8", "(10,)"), &[0; 80]);
    assert!(matches!(
        read(&images(), &labels, 1).unwrap_err(),
        Error::Npy { fault: NpyFault::ElementType { .. }, .. }
    ));
}

#[test]
fn lengths_are_those_of_the_header() {
    let whole = images();
    let start = whole.len() - 10 * PIXELS;
    for keep in (0..=start).chain([start + 1, whole.len() - 1]) {
        let (offset, expected, found) = match read(&whole[..keep], &labels(), 1).unwrap_err() {
            Error::Truncated { offset, expected, found, .. } => {
                (offset as usize, expected as usize, found as usize)
            }
            other => panic!("{keep}: {other:?}"),
        };
        assert_eq!(offset + found, keep);
        let parts = [(0, 8), (8, 2), (10, start - 10), (start, 10 * PIXELS)];
        assert!(parts.contains(&(offset, expected)) && found < expected, "{keep}: {offset} {expected}");
    }
    let error = read(&[whole, vec![0]].concat(), &labels(), 1).unwrap_err();
    assert!(matches!(error, Error::TrailingBytes { offset, .. } if offset as usize == start + 10 * PIXELS));
    // Nothing is reserved for what a header announces.
    for shape in ["(8589934593, 1)", "(4294967295, 4294967295, 4294967295)", "(0, 4294967295, 4294967295)"] {
        let error = read(&npy(1, &header("|u1", shape), &[]), &labels(), 1).unwrap_err();
        assert!(matches!(error, Error::TooLarge { offset: 10, .. }), "{shape}: {error:?}");
    }
    let error = read(&npy(1, &header("|u1", "(2000000, 32, 32, 3)"), &[]), &labels(), 1).unwrap_err();
    assert!(matches!(error, Error::Truncated { expected: 6_144_000_000, found: 0, .. }), "{error:?}");
}

/// Bytes of a header, and any other.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), prop::sample::select(b"{}()',:0123456789|<u1i48LTrueFalse \n\x93".to_vec())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_bytes_give_labels_or_a_typed_error(
        changes in prop::collection::vec((0usize..85, byte()), 0..4),
        keep in prop_oneof![3 => Just(usize::MAX), 1 => 0usize..100],
        more in prop::collection::vec(byte(), 0..3),
        severity in 1u8..6,
        images_too: bool,
    ) {
        let changed = |mut bytes: Vec<u8>| {
            for &(at, value) in &changes {
                bytes[at] = value;
            }
            bytes.truncate(keep);
            bytes.extend(&more);
            bytes
        };
        let (good_images, good_labels) = (images(), labels());
        let folder = if images_too {
            folder(&changed(good_images.clone()), &good_labels)
        } else {
            folder(&good_images, &changed(good_labels.clone()))
        };
        match read_corrupted_cifar(folder.path(), "fog", severity, 10) {
            // What is accepted has its pixels where they were; labels may be others.
            Ok(data) => {
                let whole = read(&good_images, &good_labels, severity).unwrap();
                prop_assert_eq!(data.images(), whole.images());
                prop_assert!(data.labels().iter().all(|&label| label < 10));
            }
            Err(Error::Io { .. } | Error::Argument { .. } | Error::NotFound { .. }) => {
                prop_assert!(false, "an error that is none of the content");
            }
            Err(error) => {
                let file = if images_too { "fog.npy" } else { "labels.npy" };
                prop_assert!(error.to_string().contains(file), "{}", error);
            }
        }
    }
}

#[test]
fn a_folder_in_place_of_a_file_is_an_error_of_the_system() {
    let folder = folder(&images(), &labels());
    let file = folder.path().join("fog.npy");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let error = read_corrupted_cifar(folder.path() as &Path, "fog", 1, 10).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
}
