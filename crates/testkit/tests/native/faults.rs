//! Streams fail where they should; the simulated file system finds writers that do not sync.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};

use proptest::prelude::*;
use variata_testkit::faults::{FailAt, FailingReader, FailingWriter, SimulatedFs};

#[test]
fn a_writer_fails_at_every_byte_and_call() {
    let data: Vec<u8> = (0..20).collect();
    for k in 0..20 {
        let mut writer = FailingWriter::new(Vec::new(), FailAt::Byte(k)).with_short_writes(3);
        let error = writer.write_all(&data).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert_eq!(writer.bytes_written(), k);
        assert!(writer.write(&data).is_err(), "it stays full");
        assert_eq!(writer.into_inner(), data[..k as usize]);
    }
    let mut exact = FailingWriter::new(Vec::new(), FailAt::Byte(20));
    exact.write_all(&data).unwrap();
    for k in 0..7 {
        let mut writer = FailingWriter::new(Vec::new(), FailAt::Call(k)).with_short_writes(3);
        assert!(writer.write_all(&data).is_err());
        assert_eq!(writer.into_inner(), data[..3 * k as usize]);
    }
    let mut flush = FailingWriter::new(Vec::new(), FailAt::Call(1)).with_kind(ErrorKind::BrokenPipe);
    flush.write_all(&data).unwrap();
    assert_eq!(flush.flush().unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(flush.calls(), 2);
}

#[test]
fn a_reader_fails_and_reads_short() {
    let data: Vec<u8> = (0..20).collect();
    for k in 0..20 {
        let mut got = Vec::new();
        let mut reader = FailingReader::new(data.as_slice(), FailAt::Byte(k)).with_kind(ErrorKind::TimedOut);
        assert_eq!(reader.read_to_end(&mut got).unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!((got.as_slice(), reader.bytes_read()), (&data[..k as usize], k));
    }
    let mut short = FailingReader::new(data.as_slice(), FailAt::Never).with_short_reads(3);
    assert_eq!(short.read(&mut [0; 20]).unwrap(), 3);
    let mut rest = Vec::new();
    short.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, data[3..]);
    assert!(FailingReader::new(data.as_slice(), FailAt::Call(0)).read(&mut [0]).is_err());
}

const OLD: &[u8] = b"the old value";
const NEW: &[u8] = b"the new, longer value";

/// A file system that holds `OLD` safely.
fn prepared() -> SimulatedFs {
    let fs = SimulatedFs::new();
    fs.create_dir_all("a/b").unwrap();
    fs.sync_dir("").unwrap();
    fs.sync_dir("a").unwrap();
    fs.write("a/b/file", OLD).unwrap();
    fs.sync_file("a/b/file").unwrap();
    fs.sync_dir("a/b").unwrap();
    fs
}

/// The crashes of `save` that leave neither the old nor the new value, or the old one after `save` has returned.
fn broken_states(save: impl Fn(&SimulatedFs) -> io::Result<()>) -> Vec<String> {
    let fs = prepared();
    let before = fs.operation_count();
    save(&fs).unwrap();
    assert_eq!(fs.read("a/b/file").unwrap(), NEW);
    let mut broken = Vec::new();
    for k in before..=fs.operation_count() {
        for crash in fs.crash_states(k) {
            let found = crash.read("a/b/file").ok();
            let whole = found.as_deref() == Some(OLD) || found.as_deref() == Some(NEW);
            let kept = k < fs.operation_count() || found.as_deref() == Some(NEW);
            if !(whole && kept) {
                broken.push(crash.origin());
            }
        }
    }
    broken
}

#[test]
fn only_the_full_protocol_survives() {
    let good = broken_states(|fs| {
        fs.write("a/b/tmp", NEW)?;
        fs.sync_file("a/b/tmp")?;
        fs.rename("a/b/tmp", "a/b/file")?;
        fs.sync_dir("a/b")
    });
    assert!(good.is_empty(), "{good:#?}");

    let no_file_sync = broken_states(|fs| {
        fs.write("a/b/tmp", NEW)?;
        fs.rename("a/b/tmp", "a/b/file")?;
        fs.sync_dir("a/b")
    });
    let no_dir_sync = broken_states(|fs| {
        fs.write("a/b/tmp", NEW)?;
        fs.sync_file("a/b/tmp")?;
        fs.rename("a/b/tmp", "a/b/file")
    });
    let in_place = broken_states(|fs| {
        fs.write("a/b/file", NEW)?;
        fs.sync_file("a/b/file")
    });
    let remove_first = broken_states(|fs| {
        fs.write("a/b/tmp", NEW)?;
        fs.sync_file("a/b/tmp")?;
        fs.remove_file("a/b/file")?;
        fs.rename("a/b/tmp", "a/b/file")?;
        fs.sync_dir("a/b")
    });
    let wrong_dir = broken_states(|fs| {
        fs.write("a/b/tmp", NEW)?;
        fs.sync_file("a/b/tmp")?;
        fs.rename("a/b/tmp", "a/b/file")?;
        fs.sync_dir("a")
    });
    for (name, broken) in [
        ("no fsync of the file", no_file_sync),
        ("no fsync of the folder", no_dir_sync),
        ("in place", in_place),
        ("remove first", remove_first),
        ("fsync of the wrong folder", wrong_dir),
    ] {
        assert!(!broken.is_empty(), "{name} was taken for safe");
        assert!(broken[0].contains("crash after"), "{}", broken[0]);
    }
}

#[test]
fn a_folder_moves_as_a_whole() {
    let fs = SimulatedFs::new();
    fs.create_dir_all("tmp").unwrap();
    fs.write("tmp/x", b"1").unwrap();
    fs.sync_file("tmp/x").unwrap();
    fs.sync_dir("tmp").unwrap();
    fs.rename("tmp", "final").unwrap();
    fs.sync_dir("").unwrap();
    for crash in fs.crash_states(usize::MAX) {
        assert_eq!(crash.read("final/x").unwrap(), b"1");
        assert!(!crash.exists("tmp"));
    }
    // Without the sync of the folder inside, its file may be missing from the renamed folder.
    let fs = SimulatedFs::new();
    fs.create_dir_all("tmp").unwrap();
    fs.write("tmp/x", b"1").unwrap();
    fs.sync_file("tmp/x").unwrap();
    fs.rename("tmp", "final").unwrap();
    fs.sync_dir("").unwrap();
    let crashes = fs.crash_states(usize::MAX);
    assert!(crashes.iter().any(|crash| crash.is_dir("final") && !crash.exists("final/x")));
}

#[test]
fn a_move_between_folders_never_loses_the_file() {
    let fs = prepared();
    fs.create_dir_all("c").unwrap();
    fs.sync_dir("").unwrap();
    fs.rename("a/b/file", "c/file").unwrap();
    let places = |fs: &SimulatedFs| (fs.exists("a/b/file"), fs.exists("c/file"));
    let all = |fs: &SimulatedFs| fs.crash_states(usize::MAX).iter().map(places).collect::<BTreeSet<_>>();
    assert_eq!(all(&fs), BTreeSet::from([(true, false), (false, true)]));
    let only_old = fs.clone();
    only_old.sync_dir("a/b").unwrap();
    assert_eq!(all(&only_old), all(&fs));
    fs.sync_dir("c").unwrap();
    assert_eq!(all(&fs), BTreeSet::from([(true, true), (false, true)]));
    fs.sync_dir("a/b").unwrap();
    assert_eq!(all(&fs), BTreeSet::from([(false, true)]));
}

#[test]
fn every_subset_of_names_is_tried() {
    let fs = SimulatedFs::new();
    for name in ["a", "b", "c", "d"] {
        fs.create_dir_all(name).unwrap();
    }
    assert_eq!(fs.crash_states(usize::MAX).len(), 16);
    assert_eq!(fs.crash_states(2).len(), 4);
    assert_eq!(fs.crash_states(0).len(), 1);
    // Beyond six changes: nine prefixes, eight alone and eight left out, of which each end appears twice.
    for name in ["e", "f", "g", "h"] {
        fs.create_dir_all(name).unwrap();
    }
    assert_eq!(fs.crash_states(usize::MAX).len(), 9 + 8 + 8 - 2);
}

#[test]
fn unsynced_data_meets_every_fate() {
    let fs = SimulatedFs::new();
    fs.append("log", b"abcd").unwrap();
    fs.sync_file("log").unwrap();
    fs.sync_dir("").unwrap();
    fs.append("log", b"efgh").unwrap();
    let found: BTreeSet<Vec<u8>> =
        fs.crash_states(usize::MAX).iter().map(|c| c.read("log").unwrap()).collect();
    let want: [&[u8]; 4] = [b"abcd", b"abcdef", b"abcdefgh", b"abcd\0\0\0\0"];
    assert_eq!(found, want.iter().map(|x| x.to_vec()).collect());
    fs.write("log", b"xyz!").unwrap();
    let found: BTreeSet<Vec<u8>> =
        fs.crash_states(usize::MAX).iter().map(|c| c.read("log").unwrap()).collect();
    let want: [&[u8]; 5] = [b"abcd", b"", b"xy", b"xyz!", b"\0\0\0\0"];
    assert_eq!(found, want.iter().map(|x| x.to_vec()).collect());
}

#[test]
fn a_crash_can_be_followed_by_another() {
    let fs = prepared();
    fs.write("a/b/file", NEW).unwrap();
    let crash = fs.crash_states(usize::MAX).into_iter().find(|c| c.read("a/b/file").unwrap() == OLD).unwrap();
    assert_eq!(crash.operation_count(), 0);
    crash.remove_dir_all("a").unwrap();
    crash.sync_dir("").unwrap();
    assert_eq!(crash.operations().len(), 4);
    assert!(crash.crash_states(usize::MAX).iter().all(|c| !c.exists("a")));
    assert!(crash.crash_states(2).iter().all(|c| c.exists("a")));
}

#[test]
fn errors_are_those_of_a_file_system() {
    let fs = prepared();
    let kind = |result: io::Result<()>| result.unwrap_err().kind();
    assert_eq!(fs.read("a/none").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(fs.read("a").unwrap_err().kind(), ErrorKind::IsADirectory);
    assert_eq!(fs.list("a/b/file").unwrap_err().kind(), ErrorKind::NotADirectory);
    assert_eq!(kind(fs.write("none/x", b"")), ErrorKind::NotFound);
    assert_eq!(kind(fs.write("a", b"")), ErrorKind::IsADirectory);
    assert_eq!(kind(fs.write("", b"")), ErrorKind::InvalidInput);
    assert_eq!(kind(fs.write("../x", b"")), ErrorKind::InvalidInput);
    assert_eq!(kind(fs.sync_file("a/none")), ErrorKind::NotFound);
    assert_eq!(kind(fs.rename("a", "a/b/c")), ErrorKind::InvalidInput);
    assert_eq!(kind(fs.rename("a/b/file", "a/b")), ErrorKind::IsADirectory);
    assert_eq!(kind(fs.create_dir_all("a/b/file")), ErrorKind::AlreadyExists);
    assert_eq!(kind(fs.remove_file("a/b")), ErrorKind::IsADirectory);
    assert_eq!(kind(fs.remove_dir_all("")), ErrorKind::InvalidInput);
    fs.create_dir_all("c").unwrap();
    assert_eq!(fs.list("/").unwrap(), ["a", "c"]);
}

#[test]
fn a_full_disk_leaves_half() {
    let fs = prepared();
    fs.fail_from(fs.operation_count() + 1, ErrorKind::StorageFull);
    fs.write("a/b/x", b"fits").unwrap();
    assert_eq!(fs.write("a/b/y", b"too much").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(fs.read("a/b/y").unwrap(), b"too ");
    assert_eq!(fs.rename("a/b/x", "a/b/z").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(fs.read("a/b/file").unwrap(), OLD);
}

proptest! {
    /// Whatever is done, a crash with everything kept is what a program sees, and nothing panics.
    #[test]
    fn the_live_state_is_always_possible(steps in prop::collection::vec((0_u8..8, 0_u8..4, 0_u8..4), 1..14)) {
        let fs = SimulatedFs::new();
        let names = ["a", "b", "a/x", "b/x"];
        for (operation, i, j) in steps {
            let (from, to) = (names[i as usize], names[j as usize]);
            // Most of them fail somewhere; the state must stay consistent all the same.
            let _ = match operation {
                0 => fs.create_dir_all(from),
                1 => fs.write(from, &[i, j]),
                2 => fs.append(from, &[j]),
                3 => fs.sync_file(from),
                4 => fs.rename(from, to),
                5 => fs.sync_dir(if i < 2 { from } else { "" }),
                6 => fs.remove_file(from),
                _ => fs.remove_dir_all(from),
            };
        }
        let view = |fs: &SimulatedFs| names.map(|name| (fs.is_dir(name), fs.read(name).ok()));
        let live = view(&fs);
        prop_assert!(fs.crash_states(usize::MAX).iter().any(|crash| view(crash) == live));
    }
}
