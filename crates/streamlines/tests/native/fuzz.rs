//! Any bytes give a tractogram or a typed error, within bounds of memory, and what is accepted is written back.

use proptest::prelude::*;
use variata_streamlines::{Format, ReadOptions, Tractogram};
use variata_testkit::alloc::measure;

use super::memory::bounded_read;
use super::support::{golden, gzip};

fn written(tractogram: &Tractogram, format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    tractogram.write_to("memory", &mut bytes, format).unwrap();
    bytes
}

/// Bytes put in place of others, then a new end.
fn mutated(mut bytes: Vec<u8>, changes: &[(usize, u8)], keep: usize, more: &[u8]) -> Vec<u8> {
    for &(at, value) in changes {
        let n = bytes.len();
        bytes[at % n] = value;
    }
    bytes.truncate(keep);
    bytes.extend(more);
    bytes
}

/// Values that matter in headers come up more often.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        any::<u8>(),
        prop::sample::select(vec![0, 1, 2, 3, 10, b':', b'.', b'E', b'L', 0x7f, 0x80, 0xc0, 0xff])
    ]
}

fn mutation(
    places: Vec<std::ops::Range<usize>>,
) -> impl Strategy<Value = (Vec<(usize, u8)>, usize, Vec<u8>)> {
    let place = prop::sample::select(places).prop_flat_map(|range| range);
    (
        prop::collection::vec((place, byte()), 0..6),
        prop_oneof![4 => Just(usize::MAX), 1 => 0usize..2000],
        prop_oneof![4 => Just(Vec::new()), 1 => prop::collection::vec(byte(), 0..20)],
    )
}

/// Reads; what is accepted must survive a second round with equal bytes.
fn round(bytes: &[u8]) -> Result<(), TestCaseError> {
    for keep_non_finite in [false, true] {
        let Ok(read) = bounded_read(bytes, ReadOptions { keep_non_finite }) else { continue };
        let format = if bytes.starts_with(b"TRACK") { Format::Trk } else { Format::Tck };
        let first = written(&read, format);
        let again = bounded_read(&first, ReadOptions { keep_non_finite });
        let again = again.map_err(|error| TestCaseError::fail(format!("written, then refused: {error}")))?;
        prop_assert_eq!(written(&again, format), first);
        prop_assert_eq!(again.streamlines().offsets(), read.streamlines().offsets());
        // World coordinates of any accepted header and points can be asked for.
        let _ = read.world();
        let _ = read.voxel_mm();
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn mutated_trk_files((changes, keep, more) in mutation(vec![0..42, 238..242, 440..504, 948..1060, 0..2800])) {
        round(&mutated(golden("full.trk"), &changes, keep, &more))?;
        round(&mutated(golden("oblique.trk"), &changes, keep, &more))?;
    }

    #[test]
    fn mutated_tck_files((changes, keep, more) in mutation(vec![0..200, 0..1000, 990..1004])) {
        round(&mutated(golden("mrtrix.tck"), &changes, keep, &more))?;
        round(&mutated(golden("plain.tck"), &changes, keep, &more))?;
        round(&mutated(golden("float64be.tck"), &changes, keep, &more))?;
    }

    #[test]
    fn mutated_gzip_files((changes, keep, more) in mutation(vec![0..20, 0..1000])) {
        let bytes = mutated(gzip(&golden("plain.trk")), &changes, keep, &more);
        let _ = bounded_read(&bytes, ReadOptions::default());
    }

    #[test]
    fn mutations_inside_a_gzip((changes, keep, more) in mutation(vec![0..42, 440..504, 948..1060])) {
        let bytes = mutated(golden("full.trk"), &changes, keep, &more);
        let plain = bounded_read(&bytes, ReadOptions::default()).map_err(|error| error.to_string());
        let packed = bounded_read(&gzip(&bytes), ReadOptions::default()).map_err(|error| error.to_string());
        match (plain, packed) {
            (Ok(a), Ok(b)) => prop_assert_eq!(written(&a, Format::Trk), written(&b, Format::Trk)),
            (Err(a), Err(b)) => prop_assert_eq!(a, b),
            (a, b) => prop_assert!(false, "plain {:?}, gzip {:?}", a, b),
        }
    }

    #[test]
    fn noise(bytes in prop::collection::vec(byte(), 0..64), start in prop::sample::select(vec![&b""[..], b"TRACK", b"mrtrix tracks\n", b"mrtrix tracks\nEND\n"])) {
        round(&[start, &bytes].concat())?;
    }
}

proptest! {
    // Fewer: each case is three files.
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn mutated_files_of_known_length((changes, keep, more) in mutation(vec![0..42, 238..242, 948..1060, 0..2800])) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for name in ["full.trk", "no-count.trk", "mrtrix.tck"] {
            let bytes = mutated(golden(name), &changes, keep, &more);
            std::fs::write(&path, &bytes).unwrap();
            let (known, stats) = measure(|| Tractogram::read(&path));
            prop_assert!(stats.peak <= 2 * bytes.len() as u64 + (1 << 20), "{} bytes", stats.peak);
            // What is refused, and why, can be found earlier; what is accepted is the same. Written, since values may be NaN.
            match (known, bounded_read(&bytes, ReadOptions::default())) {
                (Ok(a), Ok(b)) => {
                    let format = if bytes.starts_with(b"TRACK") { Format::Trk } else { Format::Tck };
                    prop_assert_eq!(written(&a, format), written(&b, format));
                }
                (Err(_), Err(_)) => {}
                (a, b) => prop_assert!(false, "of known length {:?}, else {:?}", a, b),
            }
        }
    }
}
