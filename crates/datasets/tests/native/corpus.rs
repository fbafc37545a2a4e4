//! The damaged files of `tests/corpus`, unpacked and read as files and from memory.

use std::fs;
use std::path::Path;

use variata_datasets::{Error, read_idx_any, read_idx_from};

/// The corpus as files, in a folder of its own.
fn unpacked() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "hex") {
            let text = fs::read_to_string(&path).unwrap();
            let bytes: Vec<u8> =
                text.split_whitespace().map(|b| u8::from_str_radix(b, 16).unwrap()).collect();
            fs::write(folder.path().join(path.file_stem().unwrap()), bytes).unwrap();
        }
    }
    folder
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::Truncated { .. } => "truncated",
        Error::BadMagic { .. } => "magic",
        Error::TrailingBytes { .. } => "trailing",
        Error::TooLarge { .. } => "toolarge",
        Error::Gzip { .. } => "gzip",
        _ => "other",
    }
}

#[test]
fn each_file_gives_the_error_of_its_name() {
    let folder = unpacked();
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 28, "the corpus is incomplete");
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let content = fs::read(&path).unwrap();
        for error in [read_idx_any(&path).unwrap_err(), read_idx_from(&path, &content[..]).unwrap_err()] {
            assert!(name.starts_with(kind(&error)), "{name}: {error:?}");
            assert!(error.to_string().contains(name), "the message does not name the file: {error}");
        }
    }
}

#[test]
fn offsets_and_counts_are_exact() {
    let folder = unpacked();
    let error = |name: &str| read_idx_any(folder.path().join(name)).unwrap_err();
    for (name, offset, expected, found) in [
        ("truncated-empty", 0, 4, 0),
        ("truncated-one-byte", 0, 4, 1),
        ("truncated-lengths", 4, 8, 5),
        ("truncated-elements", 12, 6, 5),
        ("truncated-announces-8-gib", 12, 1 << 33, 3),
        ("truncated-gzip-announces-8-gib", 12, 1 << 33, 3),
        ("truncated-rank-255", 4, 1020, 4),
    ] {
        let got = match error(name) {
            Error::Truncated { offset, expected, found, .. } => (offset, expected, found),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(got, (offset, expected, found), "{name}");
    }
    for (name, at) in [("magic-first-byte", 0), ("magic-second-byte", 1), ("magic-type-0a", 2)] {
        assert!(matches!(error(name), Error::BadMagic { offset, .. } if offset == at), "{name}");
    }
    for (name, at) in [("trailing-one-byte", 18), ("trailing-gzip-bomb", 18)] {
        assert!(matches!(error(name), Error::TrailingBytes { offset, .. } if offset == at), "{name}");
    }
}

#[test]
fn a_bomb_is_decompressed_only_as_far_as_its_header_says() {
    /// Counts what is taken from a compressed stream.
    struct Count<'a>(&'a [u8], &'a std::cell::Cell<usize>);
    impl std::io::Read for Count<'_> {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            let n = self.0.read(buf)?;
            self.1.set(self.1.get() + n);
            Ok(n)
        }
    }
    // 256 MiB of zeros are about 260 KB compressed; the reader's buffer takes 8 KiB at a time, twice at most.
    let mut content = super::idx_bytes(&[3], b"abc");
    content.resize(256 << 20, 0);
    let bomb = super::gzip(&content);
    assert!(bomb.len() > 200_000);
    let taken = std::cell::Cell::new(0);
    let error = read_idx_from("bomb", Count(&bomb, &taken)).unwrap_err();
    assert!(matches!(error, Error::TrailingBytes { offset: 11, .. }), "{error:?}");
    assert!(taken.get() <= 1 << 14, "{} compressed bytes were taken", taken.get());
}
