//! Folders of photographs.

use std::fs;
use std::path::Path;

use image::{GrayImage, Rgb, RgbImage};
use ndarray::s;
use variata_datasets::{Error, ImageFolderOptions, Unreadable, read_image_folder};

const OPTIONS: ImageFolderOptions =
    ImageFolderOptions { height: 8, width: 8, grayscale: false, unreadable: Unreadable::Refuse };

fn solid(path: &Path, width: u32, height: u32, color: [u8; 3]) {
    RgbImage::from_pixel(width, height, Rgb(color)).save(path).unwrap();
}

#[test]
fn files_come_in_the_order_of_their_names_and_keep_their_colours() {
    let folder = tempfile::tempdir().unwrap();
    for k in (0..20u8).rev() {
        solid(&folder.path().join(format!("{k:02}.png")), 16 + u32::from(k), 16, [10 * k, 5, 200 - 10 * k]);
    }
    solid(&folder.path().join("99.JPG"), 40, 30, [90, 120, 60]);
    fs::write(folder.path().join("notes.txt"), "not an image").unwrap();
    let found = read_image_folder(folder.path(), &OPTIONS).unwrap();
    assert_eq!(found.dataset.images().shape(), [21, 3, 8, 8]);
    assert!(found.skipped.is_empty() && found.files[20].ends_with("99.JPG"));
    for k in 0..20u8 {
        for (channel, want) in [10 * k, 5, 200 - 10 * k].into_iter().enumerate() {
            let plane = found.dataset.images().slice(s![usize::from(k), channel, .., ..]).to_owned();
            assert!(plane.iter().all(|v| *v == want), "{k}, {channel}");
        }
    }
    // JPEG keeps a solid colour up to its rounding.
    for (channel, want) in [90i16, 120, 60].into_iter().enumerate() {
        let plane = found.dataset.images().slice(s![20, channel, .., ..]).to_owned();
        assert!(plane.iter().all(|v| (i16::from(*v) - want).abs() <= 3), "{plane}");
    }
    assert_eq!(found, read_image_folder(folder.path(), &OPTIONS).unwrap());
}

/// A wide image loses its sides, a high one top and bottom, alike.
#[test]
fn crops_are_centred() {
    let folder = tempfile::tempdir().unwrap();
    let bands = |x: u32, size: u32| if x < size / 4 || x >= size / 4 * 3 { 0 } else { 255 };
    GrayImage::from_fn(64, 32, |x, _| image::Luma([bands(x, 64)])).save(folder.path().join("a.png")).unwrap();
    GrayImage::from_fn(32, 64, |_, y| image::Luma([bands(y, 64)])).save(folder.path().join("b.png")).unwrap();
    let options = ImageFolderOptions { height: 4, width: 4, grayscale: true, ..OPTIONS };
    let found = read_image_folder(folder.path(), &options).unwrap();
    assert_eq!(found.dataset.images().shape(), [2, 1, 4, 4]);
    // The inner half is what is kept. The filter reaches no further than the crop.
    assert!(found.dataset.images().iter().all(|v| *v == 255));
    let whole = ImageFolderOptions { height: 4, width: 8, ..options };
    let wide = read_image_folder(folder.path(), &whole).unwrap();
    let row: Vec<u8> = wide.dataset.images().slice(s![0, 0, 2, ..]).to_vec();
    assert!(row[0] == 0 && row[7] == 0 && row[3] == 255 && row[4] == 255, "{row:?}");
}

#[test]
fn folders_are_classes() {
    let folder = tempfile::tempdir().unwrap();
    for (class, color) in [("cats", [1, 2, 3]), ("dogs", [4, 5, 6]), ("empty", [0; 3])] {
        fs::create_dir(folder.path().join(class)).unwrap();
        if class != "empty" {
            solid(&folder.path().join(class).join("x.png"), 9, 9, color);
        }
    }
    let found = read_image_folder(folder.path(), &OPTIONS).unwrap();
    assert_eq!(found.dataset.class_names(), ["cats", "dogs"]);
    assert_eq!(found.dataset.labels(), [0, 1]);
    assert_eq!(found.dataset.images()[(1, 2, 0, 0)], 6);
}

#[test]
fn unreadable_files_are_all_listed_or_left_out() {
    let folder = tempfile::tempdir().unwrap();
    solid(&folder.path().join("good.png"), 12, 12, [9, 9, 9]);
    fs::write(folder.path().join("text.png"), "no image").unwrap();
    let whole = fs::read(folder.path().join("good.png")).unwrap();
    fs::write(folder.path().join("cut.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(folder.path().join("none.jpg"), []).unwrap();
    let refused = read_image_folder(folder.path(), &OPTIONS).unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, Error::Unreadable { files } if files.len() == 3));
    assert!(text.contains("text.png") && text.contains("cut.png") && text.contains("none.jpg"), "{text}");
    let skip = ImageFolderOptions { unreadable: Unreadable::Skip, ..OPTIONS };
    let found = read_image_folder(folder.path(), &skip).unwrap();
    assert_eq!((found.dataset.len(), found.skipped.len()), (1, 3));
    fs::remove_file(folder.path().join("good.png")).unwrap();
    assert!(
        matches!(read_image_folder(folder.path(), &skip), Err(Error::Unreadable { files }) if files.len() == 3)
    );
}

#[test]
fn classes_have_images_of_their_own_and_nothing_is_passed_over_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for class in ["cats", "dogs", ".thumbs"] {
        fs::create_dir(path.join(class)).unwrap();
        solid(&path.join(class).join("a.png"), 4, 4, [9; 3]);
    }
    let options = ImageFolderOptions { unreadable: Unreadable::Skip, ..OPTIONS };
    let found = read_image_folder(path, &options).unwrap();
    assert_eq!(found.dataset.class_names(), ["cats", "dogs"]);
    fs::write(path.join("dogs").join("a.png"), b"none").unwrap();
    let error = read_image_folder(path, &options).unwrap_err().to_string();
    assert!(error.contains("`class` is dogs"), "{error}");
    fs::remove_dir_all(path.join("dogs")).unwrap();
    solid(&path.join("b.png"), 4, 4, [9; 3]);
    let error = read_image_folder(path, &options).unwrap_err().to_string();
    assert!(error.contains("b.png") && error.contains("its class"), "{error}");
    // Hidden folders and files are none.
    fs::remove_dir_all(path.join("cats")).unwrap();
    fs::write(path.join(".hidden.png"), b"none").unwrap();
    assert_eq!(read_image_folder(path, &options).unwrap().files, [path.join("b.png")]);
}

#[test]
fn odd_arguments_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let missing = read_image_folder(folder.path().join("no"), &OPTIONS).unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing}");
    let empty = read_image_folder(folder.path(), &OPTIONS).unwrap_err();
    assert!(matches!(&empty, Error::NoImages { folder: told, .. } if told == folder.path()), "{empty}");
    assert!(empty.to_string().contains("no images in it; give a folder that holds .jpg"), "{empty}");
    for (height, width, name) in [(0, 8, "height"), (8, 5000, "width")] {
        let refused =
            read_image_folder(folder.path(), &ImageFolderOptions { height, width, ..OPTIONS }).unwrap_err();
        assert!(matches!(refused, Error::Argument { argument, .. } if argument == name), "{refused}");
    }
    // From one pixel to many, and from a line.
    solid(&folder.path().join("dot.png"), 1, 1, [7, 8, 9]);
    solid(&folder.path().join("line.png"), 1, 300, [7, 8, 9]);
    let found = read_image_folder(folder.path(), &OPTIONS).unwrap();
    assert!(found.dataset.images().slice(s![.., 1, .., ..]).iter().all(|v| *v == 8));
}

#[test]
fn photographs_that_end_too_early_are_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.jpg");
    RgbImage::from_fn(200, 150, |x, y| Rgb([x as u8, y as u8, (x * y) as u8])).save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    // A thumbnail in front has an end of its own.
    let thumbnail = [0xFF, 0xE1, 0, 8, 0xFF, 0xD8, 1, 2, 0xFF, 0xD9];
    let with_thumbnail: Vec<u8> = [&whole[..2], &thumbnail[..], &whole[2..]].concat();
    fs::write(folder.path().join("with.jpg"), &with_thumbnail).unwrap();
    let padded: Vec<u8> = [&whole[..], &[0; 9]].concat();
    fs::write(folder.path().join("padded.jpg"), padded).unwrap();
    assert_eq!(read_image_folder(folder.path(), &OPTIONS).unwrap().dataset.len(), 3);
    for (i, part) in [5, 10, 20, 50, 90, 99].into_iter().enumerate() {
        let bytes = if i % 2 == 0 { &whole } else { &with_thumbnail };
        fs::write(folder.path().join(format!("cut-{part}.jpg")), &bytes[..bytes.len() * part / 100]).unwrap();
    }
    let skip = ImageFolderOptions { unreadable: Unreadable::Skip, ..OPTIONS };
    let found = read_image_folder(folder.path(), &skip).unwrap();
    assert_eq!((found.dataset.len(), found.skipped.len()), (3, 6), "{:?}", found.skipped);
}

#[cfg(unix)]
#[test]
fn pipes_and_endless_files_are_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    solid(&folder.path().join("good.png"), 12, 12, [9, 9, 9]);
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe.png")).status();
    assert!(made.unwrap().success());
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("zero.jpg")).unwrap();
    let sparse = fs::File::create(folder.path().join("sparse.jpg")).unwrap();
    sparse.set_len(6 << 30).unwrap();
    let skip = ImageFolderOptions { unreadable: Unreadable::Skip, ..OPTIONS };
    let found = read_image_folder(folder.path(), &skip).unwrap();
    assert_eq!((found.dataset.len(), found.skipped.len()), (1, 3), "{:?}", found.skipped);
}
