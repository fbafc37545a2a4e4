//! nibabel's files come back as the same bytes, and what is in them is found.

use variata_streamlines::{ByteOrder, Columns, Format, Space, TckDatatype, Tractogram};

use super::support::{bundle, golden, golden_files, gzip, read};

fn written(tractogram: &Tractogram, format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    tractogram.write_to("memory", &mut bytes, format).unwrap();
    bytes
}

#[test]
fn every_file_is_written_back_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for path in golden_files() {
        let content = std::fs::read(&path).unwrap();
        let tractogram = Tractogram::read(&path).unwrap();
        let name = path.file_name().unwrap();
        let mut want = content.clone();
        if path.ends_with("no-count.trk") {
            want[988] = 4; // 0 says that the number is not recorded; it is now
        }
        let copy = folder.path().join(name);
        tractogram.write(&copy).unwrap();
        assert_eq!(std::fs::read(&copy).unwrap(), want, "{}", path.display());

        let mut packed = copy.into_os_string();
        packed.push(".gz");
        tractogram.write(&packed).unwrap();
        assert_eq!(std::fs::read(&packed).unwrap()[..2], [0x1f, 0x8b]);
        assert_eq!(written(&Tractogram::read(&packed).unwrap(), Format::of(&path).unwrap().0), want);
    }
}

#[test]
fn a_new_file_is_the_one_that_nibabel_makes() {
    let few = bundle("a").select(&[0, 1, 2, 3]).unwrap();
    let tractogram = Tractogram::new(few);
    assert_eq!(written(&tractogram, Format::Tck), golden("plain.tck"));
    // Dyadic coordinates and half a voxel of 1 mm: exact.
    assert_eq!(written(&tractogram, Format::Trk), golden("plain.trk"));
}

#[test]
fn all_number_types_hold_the_same_points() {
    let plain = read(&golden("plain.tck")).unwrap();
    for (name, datatype) in [
        ("mrtrix.tck", TckDatatype::Float32Le),
        ("float32be.tck", TckDatatype::Float32Be),
        ("float64le.tck", TckDatatype::Float64Le),
        ("float64be.tck", TckDatatype::Float64Be),
    ] {
        let other = read(&golden(name)).unwrap();
        assert_eq!(other.streamlines(), plain.streamlines(), "{name}");
        assert_eq!(other.tck().datatype(), datatype);
        assert_eq!(other.tck().get("max_angle"), Some("45"));
        let histories = other.tck().fields().iter().filter(|(key, _)| key == "command_history");
        assert_eq!(
            histories.map(|(_, value)| &value[..]).collect::<Vec<_>>(),
            ["tckgen a.mif", "tckedit b.tck"]
        );
    }
    let big = read(&golden("big-endian.trk")).unwrap();
    let little = read(&golden("oblique.trk")).unwrap();
    assert_eq!((big.trk().byte_order(), little.trk().byte_order()), (ByteOrder::Big, ByteOrder::Little));
    assert_eq!(big.streamlines(), little.streamlines());
    assert_eq!(big.trk().affine(), little.trk().affine());
    assert_eq!(read(&golden("no-count.trk")).unwrap().streamlines(), little.streamlines());
}

#[test]
fn byte_orders_can_be_changed() {
    let mut tractogram = read(&golden("oblique.trk")).unwrap();
    for (order, name) in [(ByteOrder::Big, "big-endian.trk"), (ByteOrder::Little, "oblique.trk")] {
        let mut header = tractogram.trk().clone();
        header.set_byte_order(order);
        tractogram.set_trk(header).unwrap();
        assert_eq!(written(&tractogram, Format::Trk), golden(name));
    }
}

#[test]
fn version_1_has_no_affine_and_trackvis_axes() {
    let header = read(&golden("version-1.trk")).unwrap().trk().clone();
    assert_eq!((header.version(), &header.voxel_order()[..]), (1, "LPS"));
    assert_eq!(header.affine()[0], [1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn scalars_and_properties_have_their_names() {
    let full = read(&golden("full.trk")).unwrap();
    let names = |columns: &Columns| columns.names().to_vec();
    assert_eq!(names(full.scalars()), [("colour".to_owned(), 3), ("fa".to_owned(), 1)]);
    assert_eq!(names(full.properties()), [("ends".to_owned(), 2), ("mean_curvature".to_owned(), 1)]);
    let fa = full.scalars().get("fa").unwrap();
    let second = full.streamlines().offsets()[1];
    assert_eq!((fa[[0, 0]], fa[[3, 0]], fa[[second, 0]]), (0.0, 0.375, 0.0));
    // The colours were the coordinates over 64.
    let world = full.world().into_owned();
    let colours = full.scalars().get("colour").unwrap();
    assert_eq!(colours.mapv(|x| x * 64.0), world.points());
    let curvature = full.properties().get("mean_curvature").unwrap();
    assert!(curvature[[2, 0]].is_nan(), "NaN is a value like others here");
    assert_eq!(full.properties().get("ends").unwrap().row(3).to_vec(), [7.0, 8.0]);
    assert_eq!(full.properties().get("colour"), None);
}

#[test]
fn empty_files_are_tractograms_without_streamlines() {
    for name in ["empty.trk", "empty.tck"] {
        let empty = read(&golden(name)).unwrap();
        assert!(empty.streamlines().is_empty(), "{name}");
        assert_eq!(empty.streamlines().points().dim(), (0, 3));
    }
}

#[test]
fn content_decides_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("streamlines.dat");
    for content in [golden("plain.trk"), golden("plain.tck"), gzip(&golden("plain.trk"))] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(Tractogram::read(&path).unwrap().streamlines().len(), 4);
    }
}

#[test]
fn from_one_format_to_the_other_and_back() {
    let trk = read(&golden("plain.trk")).unwrap();
    let tck = read(&written(&trk, Format::Tck)).unwrap();
    assert_eq!((trk.space(), tck.space()), (Space::VoxelMm, Space::World));
    assert_eq!(written(&tck, Format::Trk), golden("plain.trk"));
    assert_eq!(written(&trk, Format::Tck), golden("plain.tck"));
}
