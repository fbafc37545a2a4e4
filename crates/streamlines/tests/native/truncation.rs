//! Files cut at every byte.

use variata_streamlines::{Error, ReadOptions, Tractogram};

use super::support::{golden, gzip, read};

#[test]
fn a_trk_file_cut_anywhere_is_refused_with_the_place() {
    let content = golden("full.trk");
    let whole = read(&content).unwrap();
    for n in 0..content.len() {
        let error = read(&content[..n]).unwrap_err();
        match &error {
            Error::Magic { found, .. } => assert_eq!(found.len(), n, "{error}"),
            Error::Truncated { offset, expected, found, .. } => {
                assert!(n >= 5 && offset + found == n as u64 && expected > found, "{n}: {error}");
            }
            // Between two streamlines the file could end, if the header did not announce more.
            Error::Count { offset: 988, announced: 4, found, .. } => {
                assert!(n >= 1000 && *found < whole.streamlines().len() as u64, "{n}: {error}");
            }
            other => panic!("{n}: {other}"),
        }
    }
}

#[test]
fn a_tck_file_cut_anywhere_is_refused_with_the_place() {
    for name in ["plain.tck", "mrtrix.tck", "float64le.tck"] {
        let content = golden(name);
        for n in 0..content.len() {
            let error = read(&content[..n]).unwrap_err();
            match &error {
                Error::Magic { found, .. } => assert!(n < 13 && found.len() == n, "{error}"),
                Error::Header { field: "END" | "magic", .. } => {
                    assert!((13..200).contains(&n), "{n}: {error}");
                }
                Error::Truncated { offset, expected, found, .. } => {
                    assert!(offset + found == n as u64 && expected > found, "{n}: {error}");
                }
                other => panic!("{name} {n}: {other}"),
            }
        }
    }
}

#[test]
fn lengths_that_are_known_give_the_same_errors() {
    let content = golden("full.trk");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.trk");
    for n in (0..content.len()).step_by(7) {
        std::fs::write(&path, &content[..n]).unwrap();
        let error = Tractogram::read(&path).unwrap_err();
        assert!(error.to_string().contains("a.trk"), "{error}");
        match error {
            Error::Magic { .. } => assert!(n < 5),
            // What cannot be there by the header is refused at once.
            Error::Truncated { expected, found, .. } => assert!(expected > found),
            Error::Count { .. } => assert!(n >= 1000),
            other => panic!("{n}: {other}"),
        }
    }
}

#[test]
fn bytes_behind_the_end_are_refused() {
    for name in ["full.trk", "plain.tck", "float64be.tck", "empty.tck"] {
        let mut content = golden(name);
        let end = content.len() as u64;
        for more in [&b"\0"[..], &[0; 100]] {
            content.truncate(end as usize);
            content.extend(more);
            let error = read(&content).unwrap_err();
            assert!(matches!(error, Error::TrailingBytes { offset, .. } if offset == end), "{name}: {error}");
            let packed = read(&gzip(&content)).unwrap_err();
            assert_eq!(packed.to_string(), error.to_string());
        }
    }
    // Without a count whatever follows is another streamline.
    let mut content = golden("no-count.trk");
    content.extend([1, 0, 0, 0]);
    assert!(matches!(read(&content), Err(Error::Truncated { expected: 12, found: 0, .. })));
}

#[test]
fn damaged_gzip_streams_say_where() {
    let packed = gzip(&golden("plain.trk"));
    for n in 3..packed.len() {
        let error = Tractogram::read_from("x", &packed[..n], ReadOptions::default()).unwrap_err();
        assert!(matches!(error, Error::Gzip { offset, .. } if offset <= n as u64), "{n}: {error}");
    }
    let mut wrong = packed.clone();
    let at = wrong.len() - 6;
    wrong[at] ^= 1; // the sum
    assert!(matches!(read(&wrong), Err(Error::Gzip { .. })));
    // Members one behind the other are one stream, as gzip has it.
    let content = golden("plain.trk");
    let joined = [gzip(&content[..1300]), gzip(&content[1300..])].concat();
    assert_eq!(read(&joined).unwrap(), read(&content).unwrap());
}
