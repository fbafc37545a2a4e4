//! Readers of plain and compressed bytes, and what damage they name.

#![cfg(feature = "gzip")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{self, Read, Write};

use variata_files::{Content, Failure, Input, replace_content};

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn all(reader: impl Read) -> Result<Vec<u8>, Failure> {
    let mut content = Content::new(reader).unwrap();
    let (mut out, mut some) = (Vec::new(), [0; 1000]);
    loop {
        let n = content.fill(&mut some)?;
        out.extend_from_slice(&some[..n]);
        if n < some.len() {
            return Ok(out);
        }
    }
}

/// Gives one byte at a time, interrupted before each, and fails at the end if it is to.
struct Slow<'a>(&'a [u8], bool, Option<io::ErrorKind>);

impl Read for Slow<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match (self.0.split_first(), self.2) {
            (Some((first, rest)), _) => {
                (buf[0], self.0) = (*first, rest);
                Ok(1)
            }
            (None, Some(kind)) => Err(kind.into()),
            (None, None) => Ok(0),
        }
    }
}

#[test]
fn plain_and_compressed_bytes_are_the_same() {
    let long: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    for bytes in [&b""[..], b"a", b"\x1f", b"\x1fa", b"some", &long] {
        assert_eq!(all(bytes).unwrap(), bytes);
        assert_eq!(
            all(Slow(&bytes[..bytes.len().min(9)], false, None)).unwrap(),
            &bytes[..bytes.len().min(9)]
        );
        let once = packed(bytes);
        assert!(Content::new(&once[..]).unwrap().is_gzip());
        assert_eq!(all(&once[..]).unwrap(), bytes);
        // Members follow each other, as `cat` makes them.
        let twice = [&once[..], &once[..]].concat();
        assert_eq!(all(&twice[..]).unwrap(), [bytes, bytes].concat());
    }
}

#[test]
fn what_is_written_is_read_and_equal_content_gives_equal_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let bytes = vec![7; 100_000];
    let mut files = Vec::new();
    for compressed in [false, true, true] {
        replace_content(&path, compressed, |sink| sink.write_all(&bytes)).unwrap();
        let file = std::fs::read(&path).unwrap();
        assert_eq!(
            (all(&file[..]).unwrap(), Content::new(&file[..]).unwrap().is_gzip()),
            (bytes.clone(), compressed)
        );
        let failed = replace_content(&path, compressed, |sink| {
            sink.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().action, "write");
        assert_eq!(std::fs::read(&path).unwrap(), file);
        files.push(file);
    }
    assert!(files[1] == files[2] && files[1].len() < 1000);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn damage_is_told_from_a_reader_that_fails() {
    let whole = packed(&[7; 5000]);
    for cut in 3..whole.len() {
        assert!(
            matches!(all(&whole[..cut]), Err(Failure::Gzip { offset, .. }) if offset <= cut as u64),
            "{cut}"
        );
    }
    let mut wrong = whole.clone();
    let checksum = wrong.len() - 8;
    wrong[checksum] ^= 1;
    assert!(matches!(all(&wrong[..]), Err(Failure::Gzip { .. })));
    let torn = Slow(&whole[..whole.len() / 2], false, Some(io::ErrorKind::ConnectionReset));
    let Err(Failure::Io(source)) = all(torn) else { unreachable!("the reader fails") };
    assert_eq!(source.kind(), io::ErrorKind::ConnectionReset);
    assert!(Content::new(Slow(b"", false, Some(io::ErrorKind::ConnectionReset))).is_err());
}

#[test]
fn parts_are_taken_as_announced_or_refused_with_their_place() {
    let truncated = |offset, expected, found| move |failure: Failure| matches!(failure, Failure::Truncated { offset: o, expected: e, found: f } if [o, e, f] == [offset, expected, found]);
    let bytes: Vec<u8> = (0..200_000u32).map(|k| k as u8).collect();
    let zipped = packed(&bytes);
    for (content, len, known) in
        [(&bytes, Some(200_000), true), (&bytes, None, false), (&zipped, Some(9), false)]
    {
        let mut input = Input::new(&content[..], len).unwrap();
        let mut start = [0; 3];
        assert_eq!((input.peek(&mut start).unwrap(), start, input.position()), (3, [0, 1, 2], 0));
        assert_eq!(input.take(150_000).unwrap(), bytes[..150_000]);
        let mut some = [0; 10];
        input.exact(&mut some).unwrap();
        assert_eq!(some[..], bytes[150_000..150_010]);
        assert_eq!((input.position(), input.rest()), (150_010, known.then_some(49_990)));
        assert!(input.holds(49_990).is_ok() && !input.at_end().unwrap());
        // One byte is gone with the question.
        let left = 49_989;
        if known {
            assert!(input.holds(1 << 60).is_err_and(truncated(150_010, 1 << 60, left + 1)));
            assert!(input.take(1 << 60).is_err_and(truncated(150_010, 1 << 60, left + 1)));
        } else {
            // Memory for what has arrived, not for what was announced.
            assert!(input.holds(1 << 60).is_ok());
            assert!(input.take(1 << 60).is_err_and(truncated(150_010, 1 << 60, left)));
        }
    }
    let mut input = Input::new(&b"ab"[..], None).unwrap();
    assert!(input.exact(&mut [0; 3]).is_err_and(truncated(0, 3, 2)));
    assert!(input.at_end().unwrap());
}

#[test]
fn a_file_knows_how_much_follows_and_one_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    std::fs::write(&path, [7; 5]).unwrap();
    let mut input = Input::open(&path).unwrap();
    assert_eq!((input.rest(), input.take(5).unwrap()), (Some(5), vec![7; 5]));
    assert_eq!(Input::open(&folder.path().join("b")).unwrap_err().action, "open");
}
