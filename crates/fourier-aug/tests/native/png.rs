//! Pictures in files.

use ndarray::{Array3, s};
use variata_distributions::ArgumentError;
use variata_fourier_aug::{Error, Picture, write_png};

/// A map of 2 × 3 cells of 10 pixels, its gap and its scale, from `low` to `high`.
fn picture(low: f64, high: f64) -> Picture {
    let pixels = Array3::from_shape_fn((20, 60, 3), |(y, x, c)| (y * 11 + x * 3 + c * 40) as u8);
    Picture { pixels, low, high, map_width: 30 }
}

/// What stands right of the pixels: whether each dot of a number's place is black.
fn dots(read: &image::RgbImage, top: u32, left: u32) -> Vec<String> {
    let black = |y: u32, x: u32| read.get_pixel(left + 2 * x, top + 2 * y).0 == [0; 3];
    (0..5).map(|y| (0..3).map(|x| if black(y, x) { '#' } else { '.' }).collect()).collect()
}

#[test]
fn what_is_written_is_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for channels in [1, 3] {
        let pixels = Array3::from_shape_fn((5, 7, channels), |(y, x, c)| (y * 50 + x * 7 + c) as u8);
        let path = folder.path().join("picture.png");
        write_png(&path, &pixels).unwrap();
        let read = image::open(&path).unwrap();
        assert_eq!((read.height(), read.width(), read.color().channel_count()), (5, 7, channels as u8));
        assert_eq!(read.as_bytes(), pixels.as_slice().unwrap());
        // In whatever order the pixels lie.
        write_png(&path, &pixels.slice(s![..;-1, 1.., ..])).unwrap();
        assert_eq!(image::open(&path).unwrap().into_luma8().dimensions(), (6, 5));
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left there");
}

#[test]
fn a_saved_map_has_the_numbers_of_its_scale() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.png");
    let map = picture(0.0, 17.0);
    map.save(&path).unwrap();
    let read = image::open(&path).unwrap().into_rgb8();
    // A third of the thirty columns beside the map is a cell, a fifth of which is a dot: two numbers of two places.
    assert_eq!(read.dimensions(), (60 + 2 + 2 * 8, 22));
    for ((y, x), want) in [((0, 0), [0, 40, 80]), ((19, 59), [130, 170, 210])] {
        assert_eq!(read.get_pixel(x, y).0, want);
    }
    assert_eq!(dots(&read, 0, 62), [".#.", "##.", ".#.", ".#.", "###"], "1 of 17");
    assert_eq!(dots(&read, 0, 70), ["###", "..#", ".#.", ".#.", ".#."], "7 of 17");
    assert_eq!(dots(&read, 12, 62), ["###", "#.#", "#.#", "#.#", "###"], "0 at the lower end");
    assert_eq!(dots(&read, 12, 70), ["..."; 5]);
    // Longer numbers take more room: 0.125 and −2.5e-7.
    picture(-2.5e-7, 0.125).save(&path).unwrap();
    assert_eq!(image::open(&path).unwrap().width(), 60 + 2 + "-2.50e-7".len() as u32 * 8);
    // One that cannot be read as a number is left blank.
    picture(f64::NAN, f64::INFINITY).save(&path).unwrap();
}

#[test]
fn what_is_no_picture_is_refused_and_the_old_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.png");
    std::fs::write(&path, b"old").unwrap();
    for dim in [(4, 4, 2), (0, 4, 3), (4, 0, 1), (4, 4, 0)] {
        match write_png(&path, &Array3::zeros(dim)).unwrap_err() {
            Error::Argument(ArgumentError::Shape { argument: "pixels", got, .. }) => {
                assert_eq!(got, [dim.0, dim.1, dim.2]);
            }
            other => panic!("{other}"),
        }
    }
    for dim in [(4, 4, 1), (0, 4, 3), (4, 0, 3)] {
        let map = Picture { pixels: Array3::zeros(dim), ..picture(0.0, 1.0) };
        assert!(matches!(map.save(&path), Err(Error::Argument(ArgumentError::Shape { .. }))), "{dim:?}");
    }
    let map = Picture { map_width: usize::MAX, ..picture(0.0, 1.0) };
    map.save(folder.path().join("any-width.png")).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    let error = picture(0.0, 1.0).save(folder.path().join("absent/map.png")).unwrap_err();
    assert!(matches!(&error, Error::File { .. }) && error.to_string().contains("map.png: "), "{error}");
    // A folder is in its place.
    assert!(matches!(picture(0.0, 1.0).save(folder.path()), Err(Error::File { .. })));
}
