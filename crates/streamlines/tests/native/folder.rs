//! Folders of bundles.

use std::fs;
use std::path::Path;

use ndarray::array;
use variata_streamlines::{
    BundleFile, Error, Folder, FolderOptions, FolderSummary, Format, GroupOptions, Streamlines, Tractogram,
};

use super::support::golden;

fn lines(n: usize) -> Streamlines<f32> {
    (0..n).map(|i| (0..6).map(|p| [p as f32, i as f32, 0.0]).collect()).collect()
}

fn write(path: &Path, lines: Streamlines<f32>) {
    Tractogram::new(lines).write(path).unwrap();
}

#[test]
fn bundles_are_found_by_name_however_deep() {
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("trainset/sub-1002/tractography");
    fs::create_dir_all(&inside).unwrap();
    write(&inside.join("sub-1002__PYT_L.tck.gz"), lines(3));
    write(&dir.path().join("sub-1001__PYT_L.trk"), lines(2));
    write(&dir.path().join("sub-1001__CC_Fr_1.trk"), lines(4));
    write(&dir.path().join("whole-brain.tck"), lines(1));
    fs::write(dir.path().join("sub-1001__T1w.nii.gz"), "no tractogram").unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    assert_eq!(folder.subjects(), ["sub-1001", "sub-1002"]);
    assert_eq!(folder.tracts(), ["CC_Fr_1", "PYT_L"]);
    let (bundles, summary) = folder.load(FolderOptions::default());
    let found: Vec<_> =
        bundles.iter().map(|(file, lines)| (&file.subject[..], &file.tract[..], lines.len())).collect();
    assert_eq!(found, [("sub-1001", "CC_Fr_1", 4), ("sub-1001", "PYT_L", 2), ("sub-1002", "PYT_L", 3)]);
    assert_eq!((summary.files, summary.kept, summary.left_out.len()), (3, 9, 1));
    assert!(summary.left_out[0].ends_with("whole-brain.tck"));
}

#[test]
fn what_is_left_out_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut content = Vec::new();
    let mut few = lines(3);
    few.push(&array![[0.0, 0.0, 0.0]]).unwrap(); // one point
    few.push(&array![[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]).unwrap(); // no length
    few.push(&array![[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]).unwrap(); // 1 mm
    few.push(&array![[0.0, 0.0, 0.0], [f32::NAN, 0.0, 0.0], [9.0, 0.0, 0.0]]).unwrap();
    few.push(&array![[0.0, 0.0, 0.0], [f32::INFINITY, f32::INFINITY, f32::INFINITY]]).unwrap();
    few.push(&array![[0.0, 0.0, 0.0], [0.0, 1e30, 0.0]]).unwrap(); // squares are infinite
    Tractogram::new(few).write_to("memory", &mut content, Format::Trk).unwrap();
    fs::write(dir.path().join("sub-1__AF_L.trk"), &content).unwrap();
    fs::write(dir.path().join("sub-2__AF_L.trk"), &content[..1301]).unwrap();
    fs::write(dir.path().join("sub-3__AF_L.tck"), "mrtrix tracks\n").unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    for (min_length, kept, short) in [(0.0, 4, 2), (1.0, 3, 3), (1e9, 0, 6)] {
        let options = FolderOptions { min_length, ..FolderOptions::default() };
        let (_, summary) = folder.load(options);
        assert_eq!((summary.kept, summary.short, summary.non_finite), (kept, short, 3), "{min_length}");
        assert_eq!((summary.files, summary.unreadable.len()), (1, 2));
        assert!(matches!(summary.unreadable[0].1, Error::Truncated { .. }), "{summary}");
        assert!(matches!(summary.unreadable[1].1, Error::Header { field: "END", .. }), "{summary}");
        let text = summary.to_string();
        assert!(text.contains("2 unreadable") && text.contains("sub-3__AF_L.tck"), "{text}");
    }
    let (_, summary) = folder.load(FolderOptions { min_points: 7, ..FolderOptions::default() });
    assert_eq!((summary.kept, summary.short), (0, 6));
}

#[test]
fn coordinates_are_those_of_the_world() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sub-1__AF_L.trk");
    fs::write(&path, golden("oblique.trk")).unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let mut summary = FolderSummary::default();
    let lines = folder.files()[0].read(FolderOptions::default(), &mut summary).unwrap();
    assert_eq!(lines, *Tractogram::read(&path).unwrap().world());
}

#[test]
fn a_folder_becomes_data() {
    let dir = tempfile::tempdir().unwrap();
    for (subject, tract, n) in
        [("sub-2", "MCP", 9), ("sub-1", "MCP", 5), ("sub-1", "XX", 5), ("sub-1", "AF_L", 4)]
    {
        write(&dir.path().join(format!("{subject}__{tract}.trk")), lines(n));
    }
    let folder = Folder::open(dir.path()).unwrap();
    let options = GroupOptions { streamlines: 4, points: 6 };
    let (groups, summary) = folder.groups(&["AF_L", "MCP"], options, FolderOptions::default()).unwrap();
    assert_eq!((groups.classes(), groups.subjects()), (&[0, 1, 1, 1][..], &[0, 0, 1, 1][..]));
    assert_eq!((groups.dropped(), summary.left_out.len()), (2, 1));
    assert!(
        folder
            .groups(&["MCP"], GroupOptions { streamlines: 0, points: 6 }, FolderOptions::default())
            .is_err()
    );
    let mistyped = folder.groups(&["MCP", "AF_l"], options, FolderOptions::default()).unwrap_err();
    assert_eq!(mistyped.to_string(), "no tract `AF_l`; there are AF_L, MCP, XX");
}

#[test]
fn names_that_are_none() {
    for name in [
        "AF_L.trk",
        "sub-1_AF_L.trk",
        "sub-__AF_L.trk",
        "sub-1__.trk",
        "sub-1__AF_L.vtk",
        "sub-1__AF_L",
        ".trk",
        "..",
    ] {
        assert_eq!(BundleFile::parse(name), None, "{name}");
    }
    let file = BundleFile::parse("x/sub-A1__CC_Oc.TCK.GZ").unwrap();
    assert_eq!((&file.subject[..], &file.tract[..]), ("sub-A1", "CC_Oc"));
}

#[test]
fn a_folder_without_bundles_says_what_it_looks_for() {
    let dir = tempfile::tempdir().unwrap();
    let error = Folder::open(dir.path()).unwrap_err();
    assert!(
        matches!(&error, Error::NoBundles { .. }) && error.to_string().contains("sub-1001__AF_L.trk"),
        "{error}"
    );
    assert!(matches!(Folder::open(dir.path().join("none")), Err(Error::Io { action: "list", .. })));
}

#[cfg(unix)]
#[test]
fn links_that_lead_back_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("sub-1__AF_L.trk"), lines(1));
    std::os::unix::fs::symlink(dir.path(), dir.path().join("again")).unwrap();
    std::os::unix::fs::symlink("nowhere", dir.path().join("sub-2__AF_L.trk")).unwrap();
    let (bundles, summary) = Folder::open(dir.path()).unwrap().load(FolderOptions::default());
    assert_eq!((bundles.len(), summary.unreadable.len()), (1, 1));
    assert!(matches!(summary.unreadable[0].1, Error::Io { action: "open", .. }));
}

#[cfg(unix)]
#[test]
fn pipes_and_files_without_content_do_not_stop_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("sub-1001__PYT_L.trk"), lines(2));
    let made = std::process::Command::new("mkfifo").arg(dir.path().join("sub-1002__PYT_L.trk")).status();
    assert!(made.unwrap().success());
    // A file with a hole that no memory holds: one streamline is announced.
    let sparse = dir.path().join("sub-1003__PYT_L.trk");
    write(&sparse, lines(1));
    fs::File::options().write(true).open(&sparse).unwrap().set_len(1_000_000_000_000).unwrap();
    assert!(matches!(Tractogram::read(&sparse), Err(Error::TrailingBytes { .. })));
    let (bundles, summary) = Folder::open(dir.path()).unwrap().load(FolderOptions::default());
    assert_eq!(
        (bundles.len(), summary.files, summary.unreadable.len(), summary.left_out.len()),
        (1, 1, 1, 1)
    );
}
