//! What reading takes, whatever headers say.

use std::fs;

use variata_streamlines::{Error, Format, ReadOptions, Streamlines, Tractogram};
use variata_testkit::alloc::{CountingAllocator, measure};

use super::support::{golden, gzip};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const MIB: u64 = 1 << 20;

/// Reads from memory within the bound of the fuzz targets: twice the input and 1 MiB.
pub(crate) fn bounded_read(bytes: &[u8], options: ReadOptions) -> Result<Tractogram, Error> {
    let (result, stats) = measure(|| Tractogram::read_from("fuzz", bytes, options));
    let bound = 2 * bytes.len() as u64 + MIB;
    assert!(stats.peak <= bound, "{} bytes for an input of {}: {result:?}", stats.peak, bytes.len());
    result
}

#[test]
fn plain_files_take_about_their_length() {
    let lines: Streamlines =
        (0..20_000).map(|i| (0..50).map(|p| [p as f32, i as f32, 0.5]).collect()).collect();
    let folder = tempfile::tempdir().unwrap();
    for format in ["trk", "tck"] {
        let path = folder.path().join(format!("a.{format}"));
        Tractogram::new(lines.clone()).write(&path).unwrap();
        let length = fs::metadata(&path).unwrap().len();
        assert!(length > 10 * MIB);
        let (read, stats) = measure(|| Tractogram::read(&path).unwrap());
        assert_eq!(read.streamlines().len(), 20_000);
        assert!(stats.peak <= length + length / 10 + MIB, "{format}: {} bytes for {length}", stats.peak);
    }
}

#[test]
fn numbers_in_headers_reserve_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.trk");
    let mut counts = golden("plain.trk");
    counts[988..992].copy_from_slice(&i32::MAX.to_le_bytes());
    let mut points = golden("plain.trk");
    points[1000..1004].copy_from_slice(&i32::MAX.to_le_bytes());
    let mut scalars = golden("plain.trk");
    scalars[36..38].copy_from_slice(&i16::MAX.to_le_bytes());
    for content in [counts, points, scalars] {
        fs::write(&path, &content).unwrap();
        for (error, stats) in [
            measure(|| Tractogram::read(&path).unwrap_err()),
            measure(|| Tractogram::read_from("memory", &content[..], ReadOptions::default()).unwrap_err()),
            measure(|| {
                Tractogram::read_from("packed", &gzip(&content)[..], ReadOptions::default()).unwrap_err()
            }),
        ] {
            assert!(stats.peak <= MIB, "{} bytes until {error}", stats.peak);
        }
    }
}

#[test]
fn a_header_without_end_is_given_up() {
    let mut content = b"mrtrix tracks\n".to_vec();
    content.resize(64 << 20, b'a');
    for (bytes, bound) in [(content.clone(), 3 * MIB), (gzip(&content), 3 * MIB)] {
        let (error, stats) =
            measure(|| Tractogram::read_from("memory", &bytes[..], ReadOptions::default()).unwrap_err());
        assert!(matches!(error, Error::Header { field: "END", .. }), "{error}");
        assert!(stats.peak <= bound, "{} bytes until {error}", stats.peak);
    }
}

#[test]
fn writing_needs_no_copy_of_the_points() {
    let lines: Streamlines =
        (0..20_000).map(|i| (0..50).map(|p| [p as f32, i as f32, 0.5]).collect()).collect();
    let tractogram = Tractogram::new(lines);
    let ((), stats) = measure(|| tractogram.write_to("memory", std::io::sink(), Format::Tck).unwrap());
    assert!(stats.peak <= MIB, "{} bytes", stats.peak);
}
