//! Any bytes give an array or a typed error, and what is accepted is written back to the same bytes.

use proptest::prelude::*;
use variata_datasets::{IdxArray, IdxEncoding, write_idx};

use super::memory::bounded_read;
use super::{gzip, idx_bytes};

/// The plain file of an array.
fn written(array: &IdxArray) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    match array {
        IdxArray::U8(a) => write_idx(&path, a, IdxEncoding::Plain),
        IdxArray::I8(a) => write_idx(&path, a, IdxEncoding::Plain),
        IdxArray::I16(a) => write_idx(&path, a, IdxEncoding::Plain),
        IdxArray::I32(a) => write_idx(&path, a, IdxEncoding::Plain),
        IdxArray::F32(a) => write_idx(&path, a, IdxEncoding::Plain),
        IdxArray::F64(a) => write_idx(&path, a, IdxEncoding::Plain),
        _ => unreachable!("six types"),
    }
    .unwrap();
    std::fs::read(&path).unwrap()
}

/// Bytes put in place of others, or in between, and a new end.
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
        prop::sample::select(vec![0, 1, 2, 8, 9, 0x0b, 0x0c, 0x0d, 0x0e, 0x7f, 0x80, 0xff])
    ]
}

fn mutation() -> impl Strategy<Value = (Vec<(usize, u8)>, usize, Vec<u8>)> {
    (
        prop::collection::vec((0usize..48, byte()), 0..6),
        prop_oneof![Just(usize::MAX), 0usize..64],
        prop::collection::vec(byte(), 0..4),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn mutated_plain_files(
        (lengths, (changes, keep, more)) in (prop::collection::vec(0u32..4, 0..4), mutation())
    ) {
        let size: u32 = lengths.iter().product();
        let bytes = mutated(idx_bytes(&lengths, &vec![5; size as usize]), &changes, keep, &more);
        if let Ok(array) = bounded_read(&bytes) {
            prop_assert_eq!(written(&array), bytes);
        }
    }

    #[test]
    fn mutated_gzip_files((changes, keep, more) in mutation()) {
        let packed = gzip(&idx_bytes(&[3, 4], b"hello, world"));
        let bytes = mutated(packed, &changes, keep, &more);
        if let Ok(array) = bounded_read(&bytes) {
            // Only bytes of the gzip header that nobody reads, such as the time, can change and be accepted.
            prop_assert_eq!(array.shape().iter().product::<usize>(), 12);
        }
    }

    #[test]
    fn mutations_inside_a_gzip((changes, keep, more) in mutation()) {
        let bytes = mutated(idx_bytes(&[3, 4], b"hello, world"), &changes, keep, &more);
        let plain = bounded_read(&bytes);
        let packed = bounded_read(&gzip(&bytes));
        match (plain, packed) {
            // Compared as bytes: a mutation to a floating type can make a NaN.
            (Ok(a), Ok(b)) => prop_assert_eq!(written(&a), written(&b)),
            (Err(a), Err(b)) => prop_assert_eq!(a.to_string(), b.to_string()),
            (a, b) => prop_assert!(false, "plain {:?}, gzip {:?}", a, b),
        }
    }

    #[test]
    fn noise(bytes in prop::collection::vec(byte(), 0..64)) {
        if let Ok(array) = bounded_read(&bytes) {
            prop_assert_eq!(written(&array), bytes);
        }
    }
}
