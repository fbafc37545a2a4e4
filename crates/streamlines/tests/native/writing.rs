//! Random tractograms written and read, and writers that fail.

use std::fs;

use ndarray::Array2;
use proptest::prelude::*;
use variata_streamlines::{
    ByteOrder, Columns, Error, Format, Space, Streamlines, TckDatatype, TckHeader, Tractogram, TrkHeader,
};
use variata_testkit::faults::{FailAt, FailingWriter};

use super::support::read;

fn written(tractogram: &Tractogram, format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    tractogram.write_to("memory", &mut bytes, format).unwrap();
    bytes
}

fn coordinate() -> impl Strategy<Value = f32> {
    prop_oneof![-200.0..200.0f32, prop::sample::select(vec![0.0, -0.0, 1e-45, f32::MAX, f32::MIN, 1.0])]
}

fn streamlines() -> impl Strategy<Value = Streamlines<f32>> {
    prop::collection::vec(prop::collection::vec(prop::array::uniform3(coordinate()), 0..9), 0..9)
        .prop_map(|lines| lines.into_iter().collect())
}

/// Values of any bits for each row, with names.
fn columns(rows: usize) -> impl Strategy<Value = Columns> {
    (prop::collection::vec(("[a-z]{1,12}", 1usize..4), 0..4), 0usize..3).prop_flat_map(
        move |(names, more)| {
            let width = names.iter().map(|(_, n)| n).sum::<usize>() + more;
            prop::collection::vec(any::<u32>(), rows * width).prop_map(move |bits| {
                let values = bits.into_iter().map(f32::from_bits).collect();
                let values = Array2::from_shape_vec((rows, width), values).unwrap();
                Columns::new(values, names.clone()).unwrap()
            })
        },
    )
}

fn bits(columns: &Columns) -> Vec<u32> {
    columns.values().iter().map(|x| x.to_bits()).collect()
}

proptest! {
    #[test]
    fn trk_files_hold_everything(
        (lines, scalars, properties) in streamlines().prop_flat_map(|lines| {
            let (points, n) = (lines.points().nrows(), lines.len());
            (Just(lines), columns(points), columns(n))
        }),
        big in any::<bool>()
    ) {
        let mut tractogram = Tractogram::new(lines).into_space(Space::VoxelMm).unwrap();
        // f32::MAX and half a voxel is f32::MAX.
        tractogram.set_scalars(scalars.clone()).unwrap();
        tractogram.set_properties(properties.clone()).unwrap();
        let mut header = TrkHeader::default();
        header.set_byte_order(if big { ByteOrder::Big } else { ByteOrder::Little });
        tractogram.set_trk(header).unwrap();
        let bytes = written(&tractogram, Format::Trk);
        let back = read(&bytes).unwrap();
        prop_assert_eq!(back.streamlines(), tractogram.streamlines());
        prop_assert_eq!(bits(back.scalars()), bits(&scalars));
        prop_assert_eq!(bits(back.properties()), bits(&properties));
        prop_assert_eq!(back.scalars().names(), scalars.names());
        prop_assert_eq!(back.properties().names(), properties.names());
        prop_assert_eq!(written(&back, Format::Trk), bytes);
    }

    #[test]
    fn tck_files_hold_the_points_in_every_number_type(
        lines in streamlines(),
        fields in prop::collection::vec(("[a-z_]{1,9}", "[a-z0-9:.]{0,9}"), 0..4),
        datatype in prop::sample::select(TckDatatype::ALL.to_vec())
    ) {
        let fields: Vec<_> = fields.into_iter().filter(|(key, _)| !["count", "datatype", "file"].contains(&&key[..])).collect();
        let mut tractogram = Tractogram::new(lines);
        tractogram.set_tck(TckHeader::new(datatype, fields.clone()).unwrap());
        let bytes = written(&tractogram, Format::Tck);
        let back = read(&bytes).unwrap();
        prop_assert_eq!(back.streamlines(), tractogram.streamlines());
        prop_assert_eq!(back.tck().fields(), &fields[..]);
        prop_assert_eq!(back.tck().datatype(), datatype);
        prop_assert_eq!(written(&back, Format::Tck), bytes);
    }
}

#[test]
fn a_changed_number_of_streamlines_makes_a_new_header() {
    let tractogram = read(&super::support::golden("mrtrix.tck")).unwrap();
    let mut fewer = Tractogram::new(tractogram.streamlines().select(&[2]).unwrap());
    fewer.set_tck(tractogram.tck().clone());
    let back = read(&written(&fewer, Format::Tck)).unwrap();
    assert_eq!(back.streamlines(), fewer.streamlines());
    assert_eq!(back.tck().fields(), tractogram.tck().fields());
}

#[test]
fn what_a_format_cannot_hold_is_an_error() {
    let lines: Streamlines = [vec![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]].into_iter().collect();
    let tractogram = Tractogram::new(lines);
    let sink = |tractogram: &Tractogram, format| tractogram.write_to("x", std::io::sink(), format);
    let column = |rows: usize, names: &[(&str, usize)]| {
        Columns::new(Array2::zeros((rows, 12)), names.iter().map(|(name, n)| (*name, *n))).unwrap()
    };
    let mut scalars = tractogram.clone();
    scalars.set_scalars(column(2, &[])).unwrap();
    assert!(matches!(sink(&scalars, Format::Tck), Err(Error::Unsupported { what: "scalars" })));
    assert!(sink(&scalars, Format::Trk).is_ok());
    let mut properties = tractogram.clone();
    properties.set_properties(column(1, &[])).unwrap();
    assert!(matches!(sink(&properties, Format::Tck), Err(Error::Unsupported { what: "properties" })));
    for names in [
        &[("a name of twenty-one c", 1)][..],
        &[("nineteen characters", 2)],
        &[("µ→", 1)],
        &[("", 1)],
        &[("a\0b", 1)],
        &[("a", 1); 11],
    ] {
        let mut named = tractogram.clone();
        named.set_scalars(column(2, names)).unwrap();
        assert!(matches!(sink(&named, Format::Trk), Err(Error::Name { .. })), "{names:?}");
    }
    let mut latin = tractogram.clone();
    latin.set_scalars(column(2, &[("µ", 3), ("twenty characters ok", 1)])).unwrap();
    let back = read(&written(&latin, Format::Trk)).unwrap();
    assert_eq!(back.scalars(), latin.scalars());
    let wide = Columns::new(Array2::zeros((2, 40_000)), [("a", 1)]).unwrap();
    let mut tractogram = tractogram;
    tractogram.set_scalars(wide).unwrap();
    assert!(matches!(sink(&tractogram, Format::Trk), Err(Error::Argument(_))));
}

#[test]
fn delimiters_are_no_points() {
    for odd in [[f32::NAN; 3], [f32::INFINITY; 3], [f32::NEG_INFINITY, f32::NAN, f32::INFINITY]] {
        let lines: Streamlines = [vec![[0.0; 3], odd]].into_iter().collect();
        let result = Tractogram::new(lines).write_to("x", std::io::sink(), Format::Tck);
        assert!(matches!(result, Err(Error::Unsupported { .. })), "{odd:?}");
    }
}

#[test]
fn a_failed_writer_is_an_error_and_leaves_no_file() {
    let tractogram = read(&super::support::golden("full.trk")).unwrap();
    let length = written(&tractogram, Format::Trk).len();
    for n in (0..length).step_by(97) {
        let error = tractogram
            .write_to("x", FailingWriter::new(std::io::sink(), FailAt::Byte(n as u64)), Format::Trk)
            .unwrap_err();
        assert!(matches!(error, Error::Io { action: "write", .. }), "{n}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(tractogram.write(folder.path().join("a.vtk")), Err(Error::Extension { .. })));
    assert!(matches!(
        tractogram.write(folder.path().join("no/a.trk")),
        Err(Error::Io { action: "create", .. })
    ));
    assert!(matches!(tractogram.write(folder.path().join("a.tck")), Err(Error::Unsupported { .. })));
    fs::create_dir(folder.path().join("b.trk")).unwrap();
    assert!(matches!(
        tractogram.write(folder.path().join("b.trk")),
        Err(Error::Io { action: "rename into place", .. })
    ));
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["b.trk"], "temporary files");
}

#[test]
fn an_old_file_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tck");
    fs::write(&path, vec![1; 100_000]).unwrap();
    let tractogram = read(&super::support::golden("plain.tck")).unwrap();
    tractogram.write(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), super::support::golden("plain.tck"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(folder.path().join("b"), "").unwrap();
        let mode = |name| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("a.tck"), mode("b"), "as any program would have made it");
    }
}
