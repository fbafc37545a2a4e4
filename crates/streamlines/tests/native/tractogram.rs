//! Coordinates and columns.

use ndarray::{Array2, array};
use proptest::prelude::*;
use variata_streamlines::{Columns, Error, Format, Space, Streamlines, Tractogram, TrkHeader};
use variata_testkit::compare::assert_relative;

fn grid(affine: [[f32; 4]; 4], order: &str) -> TrkHeader {
    let mut header = TrkHeader::default();
    header.set_grid([10, 20, 30], [2.0, 3.0, 4.0], order, affine).unwrap();
    header
}

const SCALED: [[f32; 4]; 4] =
    [[2.0, 0.0, 0.0, -5.0], [0.0, 3.0, 0.0, 7.0], [0.0, 0.0, 4.0, 1.0], [0.0, 0.0, 0.0, 1.0]];

#[test]
fn the_centre_of_the_first_voxel_is_where_the_affine_puts_it() {
    let lines: Streamlines = [vec![[1.0, 1.5, 2.0], [3.0, 4.5, 6.0]]].into_iter().collect();
    let mut tractogram = Tractogram::new(lines).into_space(Space::World).unwrap();
    tractogram.set_trk(grid(SCALED, "RAS")).unwrap();
    let trackvis = tractogram.clone().into_space(Space::VoxelMm).unwrap();
    // World → voxels by hand: (1 + 5)/2 = 3, and 3.5 voxels of 2 mm from the corner.
    assert_eq!(trackvis.streamlines().points()[[0, 0]], 7.0);
    assert_eq!(trackvis.world().points(), tractogram.streamlines().points());
}

#[test]
fn axes_that_run_the_other_way_are_turned_within_the_grid() {
    // The same affine, but the file's x axis runs to the left: voxel 0 is at the right end, voxel 9 at the left.
    let header = grid(SCALED, "LAS");
    let map = header.to_world();
    // From voxelmm x = 1 (centre of voxel 0) to world 2·9 − 5.
    assert_eq!(map[0][0] * 1.0 + map[0][3], 13.0);
    assert_eq!(map[0][0] * 19.0 + map[0][3], -5.0);
}

#[test]
fn a_new_header_leaves_streamlines_where_they_are() {
    let lines: Streamlines = [vec![[1.0, 1.5, 2.0], [3.0, 4.5, 6.0]]].into_iter().collect();
    let mut tractogram = Tractogram::new(lines.clone()).into_space(Space::VoxelMm).unwrap();
    tractogram.set_trk(grid(SCALED, "LPS")).unwrap();
    assert_eq!(tractogram.space(), Space::VoxelMm);
    for (got, want) in tractogram.world().points().iter().zip(lines.points()) {
        assert_relative("coordinate", f64::from(*got), f64::from(*want), 1e-6, 10.0);
    }
}

#[test]
fn grids_whose_map_does_not_lead_back_are_refused() {
    let scaled = |scale: f32| -> [[f32; 4]; 4] {
        let entry = |i: usize, j: usize| {
            if i != j {
                0.0
            } else if i < 3 {
                scale
            } else {
                1.0
            }
        };
        std::array::from_fn(|i| std::array::from_fn(|j| entry(i, j)))
    };
    let refused = |affine: [[f32; 4]; 4], size: f32, named: &str| {
        let mut header = TrkHeader::default();
        let before = header.clone();
        let error = header.set_grid([10, 20, 30], [size; 3], "RAS", affine).unwrap_err();
        assert!(matches!(error, Error::Argument(_)) && error.to_string().contains(named), "{error}");
        assert_eq!(header, before);
    };
    refused(scaled(1e-30), 1e30, "voxel_sizes");
    refused(scaled(1e30), 1e-30, "voxel_sizes");
    refused(scaled(0.0), 1.0, "`determinant of affine` is 0");
    refused(scaled(f32::NAN), 1.0, "`affine[0]` is NaN");
    let mut row = scaled(1.0);
    row[3] = [5.0, 6.0, 7.0, 2.0];
    refused(row, 1.0, "`affine[12]` is 5");
    let mut header = TrkHeader::default();
    header.set_grid([10, 20, 30], [2.0; 3], "RAS", scaled(2.0)).unwrap();
    assert_eq!(header.to_world()[3], [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn points_that_leave_the_numbers_on_their_way_are_not_written() {
    let mut affine = [[0.0; 4]; 4];
    (0..3).for_each(|i| affine[i][i] = 0.001);
    affine[3][3] = 1.0;
    let mut header = TrkHeader::default();
    header.set_grid([10, 20, 30], [1.0; 3], "RAS", affine).unwrap();
    let mut tractogram = Tractogram::new([vec![[0.0; 3], [1e37, 0.0, 0.0]]].into_iter().collect());
    tractogram.set_trk(header).unwrap();
    let error = tractogram.write_to("memory", Vec::new(), Format::Trk).unwrap_err().to_string();
    assert!(error.contains("points[1]") && error.contains("TrackVis"), "{error}");
}

proptest! {
    #[test]
    fn there_and_back(
        entries in prop::array::uniform9(-3.0..3.0f32),
        shift in prop::array::uniform3(-200.0..200.0f32),
        order in prop::sample::select(vec!["RAS", "LPS", "PIR", "SLA", "ASL"]),
        point in prop::array::uniform3(-100.0..100.0f32)
    ) {
        let e = |i: usize, j: usize| entries[3 * i + j] + if i == j { 8.0 } else { 0.0 };
        let row = |i: usize| [e(i, 0), e(i, 1), e(i, 2), shift[i]];
        let mut tractogram = Tractogram::new([vec![point]].into_iter().collect());
        tractogram.set_trk(grid([row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]], order)).unwrap();
        let back = tractogram.into_space(Space::VoxelMm).unwrap().into_space(Space::World).unwrap();
        for (got, want) in back.streamlines().points().iter().zip(point) {
            assert_relative("coordinate", f64::from(*got), f64::from(want), 1e-5, 500.0);
        }
    }
}

#[test]
fn columns_need_a_row_for_each_point_or_streamline() {
    let mut tractogram = Tractogram::new([vec![[0.0; 3]; 4], vec![[0.0; 3]; 2]].into_iter().collect());
    let of = |rows| Columns::new(Array2::zeros((rows, 2)), [("a", 1)]).unwrap();
    assert!(matches!(tractogram.set_scalars(of(2)), Err(Error::Argument(_))));
    assert!(matches!(tractogram.set_properties(of(6)), Err(Error::Argument(_))));
    tractogram.set_scalars(of(6)).unwrap();
    tractogram.set_properties(of(2)).unwrap();
    tractogram.set_scalars(Columns::default()).unwrap();
    assert_eq!(tractogram.scalars().width(), 0);
}

#[test]
fn names_cannot_have_more_columns_than_there_are() {
    let values = array![[1.0f32, 2.0]];
    assert!(matches!(Columns::new(values.clone(), [("a", 3)]), Err(Error::Argument(_))));
    assert!(matches!(Columns::new(values.clone(), [("a", usize::MAX), ("b", 2)]), Err(Error::Argument(_))));
    assert!(matches!(Columns::new(values.clone(), [("a", 0)]), Err(Error::Name { .. })));
    let columns = Columns::new(values, [("a", 1)]).unwrap();
    assert_eq!((columns.width(), columns.get("a"), columns.get("b")), (2, Some(array![[1.0]].view()), None));
}
