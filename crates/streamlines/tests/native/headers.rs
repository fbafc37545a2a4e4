//! Headers that are wrong, and what is said about them.

use variata_streamlines::{Error, Format, TckDatatype, TckHeader, TrkHeader};

use super::support::{golden, read};

/// The error after bytes of a good TRK file were replaced, with the field and offset that it must name.
#[track_caller]
fn trk(at: usize, bytes: &[u8], field: &str, offset: u64) {
    let mut content = golden("full.trk");
    content[at..at + bytes.len()].copy_from_slice(bytes);
    let error = read(&content).unwrap_err();
    let right = matches!(&error, Error::Header { field: f, offset: o, .. } if *f == field && *o == offset);
    assert!(right, "{error:?}");
    assert!(error.to_string().starts_with(&format!("memory: byte {offset}: `{field}`")), "{error}");
}

#[test]
fn every_field_of_a_trk_header_is_checked() {
    trk(996, &1001i32.to_le_bytes(), "hdr_size", 996);
    trk(996, &(-1i32).to_le_bytes(), "hdr_size", 996);
    trk(992, &0i32.to_le_bytes(), "version", 992);
    trk(992, &4i32.to_le_bytes(), "version", 992);
    trk(988, &(-1i32).to_le_bytes(), "n_count", 988);
    trk(36, &(-1i16).to_le_bytes(), "n_scalars", 36);
    trk(238, &(-300i16).to_le_bytes(), "n_properties", 238);
    trk(8, &(-1i16).to_le_bytes(), "dim", 8);
    trk(16, &0f32.to_le_bytes(), "voxel_size", 16);
    trk(20, &f32::NAN.to_le_bytes(), "voxel_size", 20);
    trk(12, &(-1f32).to_le_bytes(), "voxel_size", 12);
    trk(948, b"RAA\0", "voxel_order", 948);
    trk(948, b"XYZ\0", "voxel_order", 948);
    trk(948, b"RASL", "voxel_order", 948);
    trk(440, &f32::INFINITY.to_le_bytes(), "vox_to_ras", 440);
    trk(440, &0f32.to_le_bytes(), "vox_to_ras", 440); // a column of zeros
    trk(58, b"fa\0x", "scalar_name", 58);
    trk(58, b"fa\x009", "scalar_name", 58); // more columns than are left
    trk(58, b"fa\x000", "scalar_name", 58);
    trk(260, b"mean\0\0\x001", "property_name", 260);
    trk(1000, &(-5i32).to_le_bytes(), "number of points", 1000);
}

#[test]
fn a_third_version_is_read_like_the_second() {
    let mut content = golden("full.trk");
    content[992] = 3;
    assert_eq!(read(&content).unwrap().streamlines(), read(&golden("full.trk")).unwrap().streamlines());
}

#[test]
fn coordinates_that_are_not_finite_are_refused_with_their_place() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut content = golden("plain.trk");
        // The second point's y.
        content[1004 + 16..1004 + 20].copy_from_slice(&value.to_le_bytes());
        let error = read(&content).unwrap_err();
        assert!(matches!(error, Error::NonFinite { offset: 1016, streamline: 0, point: 1, .. }), "{error:?}");
        let mut content = golden("plain.tck");
        content[67 + 16..67 + 20].copy_from_slice(&value.to_le_bytes());
        let error = read(&content).unwrap_err();
        assert!(matches!(error, Error::NonFinite { offset: 79, streamline: 0, point: 1, .. }), "{error:?}");
    }
    // A number of f64 that f32 cannot hold.
    let mut content = golden("float64le.tck");
    content[200..208].copy_from_slice(&1e300f64.to_le_bytes());
    assert!(matches!(read(&content), Err(Error::NonFinite { offset: 200, .. })));
}

#[test]
fn names_begin_files() {
    for content in [&b""[..], b"T", b"TRACE", b"mrtrix track", b"\x1f\x8b"] {
        let error = read(content).unwrap_err();
        let gzip = content.starts_with(b"\x1f");
        assert!(
            matches!(error, Error::Magic { .. }) != gzip && (matches!(error, Error::Gzip { .. }) == gzip)
        );
    }
    assert!(matches!(read(b"mrtrix tracks 2\nEND\n"), Err(Error::Header { field: "magic", offset: 0, .. })));
}

/// A TCK file of this header and no streamline.
fn tck(header: &str) -> Result<TckHeader, Error> {
    let mut content = header.as_bytes().to_vec();
    content.extend([f32::INFINITY; 3].iter().flat_map(|x| x.to_le_bytes()));
    read(&content).map(|tractogram| tractogram.tck().clone())
}

#[track_caller]
fn tck_error(header: &str, field: &str, offset: u64) {
    let error = tck(header).unwrap_err();
    let right = matches!(&error, Error::Header { field: f, offset: o, .. } if *f == field && *o == offset);
    assert!(right, "{error:?}");
}

#[test]
fn every_field_of_a_tck_header_is_checked() {
    tck_error("mrtrix tracks\ncount: 0\n", "END", 23);
    tck_error("mrtrix tracks\ncount: x\nEND\n", "count", 14);
    tck_error("mrtrix tracks\ncount: -1\nEND\n", "count", 14);
    tck_error("mrtrix tracks\ncount: 0\ncount: 0\nEND\n", "count", 23);
    tck_error("mrtrix tracks\ndatatype: Float16LE\nEND\n", "datatype", 14);
    tck_error("mrtrix tracks\ndatatype: Int32\nEND\n", "datatype", 14);
    tck_error("mrtrix tracks\nfile: other.dat 0\nEND\n", "file", 14);
    tck_error("mrtrix tracks\nfile: . x\nEND\n", "file", 14);
    tck_error("mrtrix tracks\nfile: .\nEND\n", "file", 14);
    tck_error("mrtrix tracks\nfile: . 3\nEND\n", "file", 14);
    tck_error("mrtrix tracks\nfile: . 99999999999999\nEND\n", "file", 14);
    tck_error("mrtrix tracks\nno key\nEND\n", "line", 14);
}

#[test]
fn lines_that_are_not_utf_8_are_refused() {
    let content = b"mrtrix tracks\na: \xff\nEND\n";
    assert!(matches!(read(content), Err(Error::Header { field: "line", offset: 14, .. })));
}

#[test]
fn what_a_tck_header_leaves_out_is_assumed() {
    let header = tck("mrtrix tracks\r\n\n a : b: c \nd: e\ngoes on\nEND\n").unwrap();
    assert_eq!(header.datatype(), TckDatatype::Float32Le);
    assert_eq!((header.get("a"), header.get("d")), (Some("b: c"), Some("e\ngoes on")));
    assert_eq!(header.get("f"), None);
}

#[test]
fn a_wrong_count_is_refused_but_0_is_none() {
    for (count, right) in
        [("0000000004", true), ("0000000000", true), ("0000000005", false), ("0000000003", false)]
    {
        let mut content = golden("plain.tck");
        content[21..31].copy_from_slice(count.as_bytes());
        match read(&content) {
            Ok(tractogram) => assert!(right && tractogram.streamlines().len() == 4),
            Err(Error::Count { offset: 14, announced, found: 4, .. }) => {
                assert!(!right && announced == count.parse::<u64>().unwrap());
            }
            Err(other) => panic!("{count}: {other}"),
        }
    }
}

#[test]
fn a_streamline_without_delimiter_is_refused() {
    let mut content = golden("plain.tck");
    let last = content.len() - 24;
    content.drain(last..last + 12);
    let error = read(&content).unwrap_err();
    assert!(
        matches!(error, Error::Delimiter { offset, streamline: 3, .. } if offset == last as u64),
        "{error}"
    );
}

#[test]
fn new_headers_take_only_what_can_be_written() {
    for (key, value) in [
        ("", ""),
        ("a:b", ""),
        ("a\n", ""),
        (" a", ""),
        ("count", "3"),
        ("file", ""),
        ("a", "b\nc"),
        ("a", " b"),
    ] {
        let made = TckHeader::new(TckDatatype::Float32Le, [(key, value)]);
        assert!(matches!(made, Err(Error::Name { .. })), "{key:?} {value:?}");
    }
    // As much as a reader takes, and a byte more.
    let history = |bytes: usize| [("history", "x".repeat(bytes))];
    let rest =
        "mrtrix tracks\ncount: 18446744073709551615\ndatatype: Float32LE\nhistory: \nfile: . 1048576\nEND\n"
            .len();
    let fits = (1 << 20) - rest;
    assert!(TckHeader::new(TckDatatype::Float32Le, history(fits)).is_ok());
    let made = TckHeader::new(TckDatatype::Float32Le, history(fits + 1));
    assert!(matches!(made, Err(Error::Name { .. })));
    // Lines of one value, of which each repeats the key when it is written anew.
    let long = format!("mrtrix tracks\nkey: v\n{}file: . 400000\nEND\n", "x\n".repeat(190_000));
    let mut bytes = long.into_bytes();
    bytes.resize(400_000, 0);
    bytes.extend([f32::INFINITY; 3].iter().flat_map(|x| x.to_le_bytes()));
    let tractogram = read(&bytes).unwrap();
    assert!(tractogram.tck().fields()[0].1.len() > 300_000);
    let refused = tractogram.write_to("memory", Vec::new(), Format::Tck).unwrap_err();
    assert!(matches!(refused, Error::Name { .. }), "{refused}");
    let mut header = TrkHeader::default();
    let eye = header.affine();
    let mut flat = eye;
    flat[2] = [0.0; 4];
    assert!(header.set_grid([-1, 1, 1], [1.0; 3], "RAS", eye).is_err());
    assert!(header.set_grid([1; 3], [0.0, 1.0, 1.0], "RAS", eye).is_err());
    assert!(matches!(header.set_grid([1; 3], [1.0; 3], "RAR", eye), Err(Error::Name { .. })));
    assert!(header.set_grid([1; 3], [1.0; 3], "RAS", flat).is_err());
    assert_eq!(header, TrkHeader::default());
    header.set_grid([1; 3], [1.0; 3], "lpi", eye).unwrap();
    assert_eq!(header.voxel_order(), "LPI");
}

#[test]
fn a_number_of_a_tck_header_has_no_second_line() {
    let text = String::from_utf8(golden("plain.tck")[..60].to_vec()).unwrap();
    let count = text.lines().find(|line| line.starts_with("count")).unwrap().to_owned();
    let content = String::from_utf8_lossy(&golden("plain.tck")).into_owned();
    let wrong = content.replacen(&count, &format!("foo: bar\n{count}\nhello"), 1);
    let error = read(wrong.as_bytes()).unwrap_err();
    assert!(matches!(error, Error::Header { field: "line", .. }), "{error:?}");
}
