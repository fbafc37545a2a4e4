//! What reading takes: at most twice the file plus 1 MiB for plain files, whatever their headers say.

use std::fs;

use ndarray::{ArrayD, IxDyn};
use variata_datasets::{
    IdxArray, IdxElement, IdxEncoding, digits, read_idx, read_idx_any, read_idx_from, write_idx,
};
use variata_testkit::alloc::{CountingAllocator, measure};

use super::{gzip, idx_bytes};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const MIB: u64 = 1 << 20;

/// Reads from memory within the bound of the fuzz targets.
pub(super) fn bounded_read(bytes: &[u8]) -> Result<IdxArray, variata_datasets::Error> {
    let (result, stats) = measure(|| read_idx_from("fuzz", bytes));
    let bound = 2 * bytes.len() as u64 + MIB;
    assert!(stats.peak <= bound, "{} bytes for an input of {}: {result:?}", stats.peak, bytes.len());
    result
}

fn within_twice_the_file<T: IdxElement + Default>(n: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    write_idx(&path, &ArrayD::from_elem(IxDyn(&[n]), T::default()), IdxEncoding::Plain).unwrap();
    let length = fs::metadata(&path).unwrap().len();
    assert!(length > 8 * MIB, "too small to see a factor beside 1 MiB");
    let (array, stats) = measure(|| read_idx::<T>(&path).unwrap());
    assert_eq!(array.len(), n);
    assert!(stats.peak <= 2 * length + MIB, "{}: {} bytes for a file of {length}", T::NAME, stats.peak);
}

#[test]
fn plain_files_take_at_most_twice_their_length() {
    within_twice_the_file::<u8>(9 << 20);
    within_twice_the_file::<i16>(5 << 20);
    within_twice_the_file::<f64>(2 << 20);
}

#[test]
fn bytes_are_not_copied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, idx_bytes(&[8 << 20], &vec![1; 8 << 20])).unwrap();
    let (_, stats) = measure(|| read_idx::<u8>(&path).unwrap());
    assert!(stats.peak <= (8 << 20) + MIB, "{} bytes", stats.peak);
}

#[test]
fn a_header_reserves_nothing_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    // The most that a header may announce: 8 GiB.
    let content = idx_bytes(&[1 << 31, 4], b"abc");
    fs::write(&path, &content).unwrap();
    for read in [
        measure(|| read_idx_any(&path).unwrap_err()),
        measure(|| read_idx_from("memory", &content[..]).unwrap_err()),
        measure(|| read_idx_from("packed", &gzip(&content)[..]).unwrap_err()),
    ] {
        assert!(read.1.peak <= MIB, "{} bytes until {}", read.1.peak, read.0);
    }
}

#[test]
fn a_bomb_takes_no_more_than_its_header_announces() {
    let mut content = idx_bytes(&[3], b"abc");
    content.resize(64 << 20, 0);
    let bomb = gzip(&content);
    let (error, stats) = measure(|| read_idx_from("bomb", &bomb[..]).unwrap_err());
    assert!(stats.peak <= MIB, "{} bytes until {error}", stats.peak);
}

#[test]
fn the_digits_take_what_they_are_and_a_decoder() {
    let (digits, stats) = measure(digits);
    // Images and labels are 116,805 bytes; inflating needs a window and tables of some 100 KB.
    assert_eq!(digits.len(), 1797);
    assert!(stats.peak <= MIB, "{} bytes", stats.peak);
}
