//! Pictures: the PNG has the pixels.

use image::GenericImageView as _;
use ndarray::{Array4, s};
use variata_report::{Error, ImageGrid, Picture};

fn decoded(picture: &Picture) -> image::DynamicImage {
    image::load_from_memory_with_format(&picture.to_png().unwrap(), image::ImageFormat::Png).unwrap()
}

#[test]
fn png_reads_back_to_the_pixels() {
    let images =
        Array4::from_shape_fn((5, 3, 2, 3), |(n, c, y, x)| (n * 37 + c * 11 + y * 5 + x) as f32 / 255.0);
    let grid = ImageGrid { columns: 2, scale: 3, padding: 1, inverted: false };
    let picture = grid.render(&images).unwrap();
    let png = decoded(&picture);
    assert_eq!(png.dimensions(), (2 * 10 - 1, 3 * 7 - 1));
    for y in 0..picture.height() {
        for x in 0..picture.width() {
            let (column, row) = (x / 10, y / 7);
            let (px, py, n) = (x % 10 / 3, y % 7 / 3, row * 2 + column);
            let want = if x % 10 == 9 || y % 7 == 6 || n >= 5 {
                [0; 4]
            } else {
                let value = |c: usize| (n * 37 + c * 11 + py * 5 + px) as u8;
                [value(0), value(1), value(2), 255]
            };
            assert_eq!(png.get_pixel(x as u32, y as u32).0, want, "({x}, {y})");
            assert_eq!(picture.pixel(x, y), Some(want));
        }
    }
    assert_eq!(picture.pixel(19, 0), None);
    assert_eq!(picture.pixel(0, 20), None);
    assert_eq!(picture.to_png().unwrap(), grid.render(&images).unwrap().to_png().unwrap());
}

#[test]
fn nan_is_magenta_and_the_rest_is_clipped() {
    let images = Array4::from_shape_vec((1, 1, 1, 5), vec![f32::NAN, -1.0, 2.0, f32::INFINITY, 0.5]).unwrap();
    let picture = ImageGrid { scale: 1, ..ImageGrid::default() }.render(&images).unwrap();
    let row: Vec<_> = (0..5).map(|x| picture.pixel(x, 0).unwrap()).collect();
    assert_eq!(row, [[255, 0, 255, 255], [0, 0, 0, 255], [255; 4], [255; 4], [128, 128, 128, 255]]);
    assert_eq!((picture.nan(), picture.clipped()), (1, 3));
    assert_eq!(
        picture.note(),
        "1 value is NaN (magenta). 3 values are outside [0, 1], shown as the nearer end."
    );
}

#[test]
fn stacks_go_row_by_row() {
    let stack = |v: f32| Array4::from_elem((3, 1, 1, 1), v);
    let grid = ImageGrid { columns: 2, scale: 1, padding: 0, inverted: false };
    let (a, b) = (stack(0.0), stack(1.0));
    let picture = grid.render_rows(&[a.view(), b.view()]).unwrap();
    let column: Vec<_> = (0..4).map(|y| picture.pixel(0, y).unwrap()[0]).collect();
    assert_eq!(column, [0, 255, 0, 255]);
    assert_eq!(picture.pixel(1, 2), Some([0; 4]));
}

#[test]
fn views_of_any_layout_give_the_same_picture() {
    let images = Array4::from_shape_fn((3, 1, 4, 5), |(n, _, y, x)| (n * 20 + y * 5 + x) as f32 / 60.0);
    let mut reversed = images.clone();
    reversed.invert_axis(ndarray::Axis(3));
    let reversed = reversed.as_standard_layout().into_owned();
    let view = reversed.slice(ndarray::s![.., .., .., ..;-1]);
    assert_eq!(ImageGrid::default().render(&view).unwrap(), ImageGrid::default().render(&images).unwrap());
}

#[test]
fn wrong_shapes_are_refused() {
    for shape in [(0, 1, 2, 2), (1, 2, 2, 2), (1, 0, 2, 2), (1, 1, 0, 2), (1, 1, 2, 0)] {
        let error = ImageGrid::default().render(&Array4::zeros(shape)).unwrap_err();
        assert!(matches!(error, Error::Shape { argument: "images", .. }), "{shape:?}: {error}");
    }
    assert!(matches!(ImageGrid::default().render_rows(&[]), Err(Error::Shape { .. })));
    let (a, b) = (Array4::zeros((1, 1, 2, 2)), Array4::zeros((1, 1, 2, 3)));
    assert!(matches!(ImageGrid::default().render_rows(&[a.view(), b.view()]), Err(Error::Shape { .. })));
    let huge = ImageGrid { scale: usize::MAX, padding: usize::MAX, ..ImageGrid::default() };
    assert!(matches!(huge.render(&Array4::zeros((2, 1, 2, 2))), Err(Error::PictureSize { .. })));
    assert!(matches!(Picture::new(0, 1), Err(Error::PictureSize { width: 0, height: 1, .. })));
}

#[test]
fn what_is_too_large_is_drawn_from_fewer_pixels() {
    let images = Array4::from_shape_fn((15, 1, 8, 1200), |(_, _, _, x)| x as f32 / 1199.0);
    let grid = ImageGrid { columns: 15, ..ImageGrid::default() };
    let picture = grid.render(&images).unwrap();
    // Every second pixel in squares of 1: 15 images of 600, and 14 gaps of 4.
    assert_eq!((picture.width(), picture.height()), (15 * 600 + 14 * 4, 4));
    assert_eq!(picture.pixel(599, 0).unwrap()[0], 255);
    // Smaller squares come first.
    let picture = grid.render(&images.slice(s![..3, .., .., ..]).to_owned()).unwrap();
    assert_eq!((picture.width(), picture.height()), (3 * 4800 + 2 * 4, 8 * 4));
    let picture = grid.render(&images.slice(s![..4, .., .., ..]).to_owned()).unwrap();
    assert_eq!((picture.width(), picture.height()), (4 * 3600 + 3 * 4, 8 * 3));
}

#[test]
fn no_columns_and_no_scale_count_as_one() {
    let grid = ImageGrid { columns: 0, scale: 0, padding: 0, inverted: true };
    let picture = grid.render(&Array4::zeros((2, 1, 1, 1))).unwrap();
    assert_eq!((picture.width(), picture.height()), (1, 2));
    assert_eq!(picture.pixel(0, 0), Some([255; 4]));
}

#[test]
fn paddings_and_stacks_of_any_size_are_refused_or_drawn() {
    let images = Array4::<f32>::zeros((1, 1, 8, 8));
    for padding in [usize::MAX, usize::MAX - 31] {
        let grid = ImageGrid { columns: 1, scale: 4, padding, inverted: false };
        let picture = grid.render(&images).unwrap();
        assert_eq!((picture.width(), picture.height()), (32, 32));
        let two = Array4::<f32>::zeros((2, 1, 8, 8));
        assert!(matches!(grid.render(&two), Err(Error::PictureSize { .. })));
    }
}
