//! Round trips, and every place where a file can end.

use std::fs;
use std::io::Read as _;

use ndarray::{Array, Array2, Array3, ArrayD, IxDyn, arr0, s};
use variata_datasets::{
    Error, IdxArray, IdxElement, IdxEncoding, read_idx, read_idx_any, read_idx_from, write_idx,
};

use super::{gzip, idx_bytes};

fn round_trip<T: IdxElement + PartialEq>(values: Vec<T>, shape: &[usize]) {
    let folder = tempfile::tempdir().unwrap();
    let array = ArrayD::from_shape_vec(IxDyn(shape), values).unwrap();
    for encoding in [IdxEncoding::Plain, IdxEncoding::Gzip] {
        let path = folder.path().join("a.idx");
        write_idx(&path, &array, encoding).unwrap();
        assert_eq!(read_idx::<T>(&path).unwrap(), array);
        let any = read_idx_any(&path).unwrap();
        assert_eq!((any.element_type(), any.shape()), (T::NAME, shape));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file was left");
}

#[test]
fn every_element_type_survives_a_round_trip() {
    round_trip(vec![0u8, 1, 254, 255], &[2, 2]);
    round_trip(vec![i8::MIN, -1, 0, i8::MAX], &[4]);
    round_trip(vec![i16::MIN, -1, 256, i16::MAX], &[1, 4]);
    round_trip(vec![i32::MIN, -1, 1 << 24, i32::MAX], &[2, 1, 2]);
    round_trip(vec![f32::MIN_POSITIVE, -0.0, f32::INFINITY, 1.5], &[4]);
    round_trip(vec![f64::MAX, 5e-324, f64::NEG_INFINITY, 0.1], &[2, 2]);
    round_trip(vec![7u8], &[]);
    round_trip(Vec::<f64>::new(), &[0, 3]);
    round_trip(Vec::<u8>::new(), &[4_294_967_295, 0]);
}

#[test]
fn nan_keeps_its_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nan");
    let nan = f64::from_bits(0x7ff8_0000_dead_beef);
    write_idx(&path, &arr0(nan), IdxEncoding::Plain).unwrap();
    assert_eq!(read_idx::<f64>(&path).unwrap()[[]].to_bits(), nan.to_bits());
}

#[test]
fn the_bytes_are_those_of_the_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    write_idx(&path, &ndarray::arr2(&[[1i16, -2], [3, 258]]), IdxEncoding::Plain).unwrap();
    let want = [0, 0, 0x0b, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 0xff, 0xfe, 0, 3, 1, 2];
    assert_eq!(fs::read(&path).unwrap(), want);
    let mut unpacked = Vec::new();
    write_idx(&path, &ndarray::arr2(&[[1i16, -2], [3, 258]]), IdxEncoding::Gzip).unwrap();
    let packed = fs::read(&path).unwrap();
    assert_eq!(packed[..2], [0x1f, 0x8b]);
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, want);
}

#[test]
fn the_writer_takes_any_memory_layout() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let base = Array3::from_shape_fn((4, 5, 6), |(i, j, k)| (i * 30 + j * 6 + k) as i32);
    let layouts = [
        base.view().reversed_axes().into_dyn(),
        base.slice(s![..;2, ..;-1, 1..]).into_dyn(),
        base.slice(s![0, .., ..0]).into_dyn(),
        base.slice(s![1, 2, ..]).insert_axis(ndarray::Axis(0)).into_dyn(),
    ];
    for view in layouts {
        write_idx(&path, &view, IdxEncoding::Plain).unwrap();
        assert_eq!(read_idx::<i32>(&path).unwrap(), view);
    }
    let broadcast = ndarray::arr1(&[1i32, 2]);
    let broadcast = broadcast.broadcast((3, 2)).unwrap();
    write_idx(&path, &broadcast, IdxEncoding::Plain).unwrap();
    assert_eq!(read_idx::<i32>(&path).unwrap(), broadcast.into_dyn());
}

#[test]
fn every_truncation_is_refused() {
    let content = idx_bytes(&[2, 2, 3], &[9; 12]);
    for n in 0..content.len() {
        let error = read_idx_from("short", &content[..n]).unwrap_err();
        let (offset, expected) = match n {
            0..4 => (0, 4),
            4..16 => (4, 12),
            _ => (16, 12),
        };
        match error {
            Error::Truncated { offset: o, expected: e, found: f, .. } => {
                assert_eq!((o, e, f), (offset, expected, n as u64 - offset), "at length {n}");
            }
            other => panic!("at length {n}: {other:?}"),
        }
    }
    assert_eq!(read_idx_from("whole", &content[..]).unwrap().shape(), [2, 2, 3]);
}

#[test]
fn every_truncation_of_a_gzip_is_refused() {
    let packed = gzip(&idx_bytes(&[2, 2, 3], &[9; 12]));
    for n in 0..packed.len() {
        match read_idx_from("short.gz", &packed[..n]).unwrap_err() {
            Error::Truncated { offset: 0, .. } if n < 2 => {}
            Error::Gzip { offset, .. } if n >= 2 => assert!(offset <= n as u64),
            other => panic!("at length {n}: {other:?}"),
        }
    }
}

#[test]
fn members_of_a_gzip_are_one_content() {
    let content = idx_bytes(&[2, 3], b"abcdef");
    for cut in 0..=content.len() {
        let packed = [gzip(&content[..cut]), gzip(&[]), gzip(&content[cut..])].concat();
        let array = read_idx_from("members", &packed[..]).unwrap();
        let want = ArrayD::from_shape_vec(IxDyn(&[2, 3]), b"abcdef".to_vec()).unwrap();
        assert_eq!(array, IdxArray::U8(want), "cut at {cut}");
    }
}

#[test]
fn content_decides_about_compression_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let content = idx_bytes(&[3], b"abc");
    for (name, bytes) in [("plain.gz", content.clone()), ("packed", gzip(&content))] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        assert_eq!(read_idx::<u8>(&path).unwrap().as_slice().unwrap(), b"abc");
    }
}

#[test]
fn another_element_type_is_an_error_not_a_conversion() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    write_idx(&path, &Array::from_elem(2, 1.0f32), IdxEncoding::Plain).unwrap();
    let error = read_idx::<u8>(&path).unwrap_err();
    assert!(matches!(error, Error::ElementType { offset: 2, expected: "u8", found: "f32", .. }), "{error:?}");
}

#[test]
fn what_the_system_refuses_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    assert!(matches!(read_idx_any(&missing), Err(Error::Io { action: "open", file, .. }) if file == missing));
    let error = read_idx_any(folder.path()).unwrap_err(); // a folder opens on Unix and fails to read
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    let path = folder.path().join("no/such/folder");
    let error = write_idx(&path, &Array2::<u8>::zeros((1, 1)), IdxEncoding::Plain).unwrap_err();
    assert!(matches!(error, Error::Io { action: "create", .. }), "{error:?}");
    let error = write_idx("/", &Array2::<u8>::zeros((1, 1)), IdxEncoding::Plain).unwrap_err();
    assert!(matches!(error, Error::Argument { argument: "path", .. }), "{error:?}");
}

#[test]
fn a_failing_write_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    // A folder cannot be replaced by a file: the rename fails, after everything was written.
    fs::create_dir(&path).unwrap();
    let error = write_idx(&path, &Array2::<u8>::zeros((1, 1)), IdxEncoding::Plain).unwrap_err();
    assert!(matches!(error, Error::Io { action: "rename into place", .. }), "{error:?}");
    assert!(path.is_dir());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file was left");
    let long = ArrayD::<u8>::zeros(IxDyn(&[1; 256]));
    let error = write_idx(&path, &long, IdxEncoding::Plain).unwrap_err();
    assert!(matches!(error, Error::Argument { argument: "array.ndim()", .. }), "{error:?}");
}
