//! The program `variata-augment`, run as its users run it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;
use std::process::{Command, Output};

use image::{GrayImage, RgbImage};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_variata-augment")).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Two images of different size and kind, and a file that is none.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let color =
        RgbImage::from_fn(20, 12, |x, y| image::Rgb([(x * 12) as u8, (y * 20) as u8, ((x + y) * 7) as u8]));
    color.save(folder.path().join("a.png")).unwrap();
    GrayImage::from_fn(9, 15, |x, y| image::Luma([(x * 25 + y) as u8]))
        .save(folder.path().join("b.png"))
        .unwrap();
    std::fs::write(folder.path().join("c.png"), b"no picture").unwrap();
    std::fs::write(folder.path().join("notes.txt"), b"left alone").unwrap();
    folder
}

#[test]
fn copies_are_written_and_can_be_repeated() {
    let (input, output) = (folder(), tempfile::tempdir().unwrap());
    let write = |to: &str, seed: &str| {
        let to = output.path().join(to);
        let found = run(&[
            "augment",
            text(input.path()),
            text(&to),
            "--copies",
            "2",
            "--set",
            "augsvf",
            "--seed",
            seed,
        ]);
        assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
        assert!(String::from_utf8_lossy(&found.stderr).contains("c.png"));
        assert!(String::from_utf8_lossy(&found.stdout).contains("4 files"));
        ["a-1.png", "a-2.png", "b-1.png", "b-2.png"].map(|name| image::open(to.join(name)).unwrap())
    };
    let first = write("first", "1");
    assert_eq!(first, write("again", "1"));
    assert_ne!(first, write("other", "2"));
    assert_ne!(first[0], first[1]);
    let sizes = first.each_ref().map(|image| (image.width(), image.height(), image.color().has_color()));
    assert_eq!(sizes, [(20, 12, true), (20, 12, true), (9, 15, false), (9, 15, false)]);
    // Others may read them as the umask says, which a file made the plain way shows.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let plain = output.path().join("plain");
        std::fs::write(&plain, b"").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&output.path().join("first/a-1.png")), mode(&plain));
    }
    // Nothing else is left beside them.
    assert_eq!(std::fs::read_dir(output.path().join("first")).unwrap().count(), 4);
}

#[test]
fn sheets_waves_and_corruptions() {
    let (input, output) = (folder(), tempfile::tempdir().unwrap());
    std::fs::remove_file(input.path().join("c.png")).unwrap();
    let sheet = output.path().join("sheet.png");
    assert!(run(&["sheet", text(input.path()), text(&sheet), "--views", "3"]).status.success());
    let sheet = image::open(&sheet).unwrap().into_rgb8();
    // Two rows of four cells of 20 × 15 pixels, the original first.
    assert_eq!(sheet.dimensions(), (4 * 22 + 2, 2 * 17 + 2));
    let original = image::open(input.path().join("a.png")).unwrap().into_rgb8();
    assert!(original.enumerate_pixels().all(|(x, y, pixel)| sheet.get_pixel(x + 2, y + 2) == pixel));

    let operations = output.path().join("operations.png");
    let picture = input.path().join("a.png");
    assert!(run(&["operations", text(&picture), text(&operations)]).status.success());
    let operations = image::open(&operations).unwrap().into_rgb8();
    // Four sets, of up to five operations; the picture first in each row.
    assert_eq!(operations.dimensions(), (6 * 22 + 2, 4 * 14 + 2));
    let cell = |row: u32, column: u32| {
        image::imageops::crop_imm(&operations, 2 + column * 22, 2 + row * 14, 20, 12).to_image()
    };
    for row in 0..4 {
        assert_eq!(cell(row, 0), original);
        assert!((1..5).any(|column| cell(row, column) != original));
    }

    let waves = output.path().join("waves.png");
    let found = run(&["waves", text(&waves), "--size", "6"]);
    assert!(String::from_utf8_lossy(&found.stdout).starts_with("20 distinct waves"), "{found:?}");
    let waves = image::open(&waves).unwrap().into_luma8();
    assert_eq!(waves.dimensions(), (6 * 8 + 2, 6 * 8 + 2));
    // The constant in the middle.
    let middle: Vec<u8> = (0..6).map(|x| waves.get_pixel(2 + 3 * 8 + x, 2 + 3 * 8).0[0]).collect();
    assert!(middle.iter().all(|v| *v == middle[0] && *v > 200));

    let to = output.path().join("fog");
    assert!(run(&["corrupt", text(input.path()), text(&to), "--corruption", "fog"]).status.success());
    assert_ne!(image::open(to.join("a.png")).unwrap().into_rgb8(), original);
}

/// Sets without waves do without what waves need.
#[test]
fn a_single_pixel_can_be_moved() {
    let (input, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    RgbImage::new(1, 1).save(input.path().join("dot.png")).unwrap();
    let found = run(&["augment", text(input.path()), text(output.path()), "--set", "AugS"]);
    assert!(found.status.success(), "{found:?}");
    assert!(output.path().join("dot-1.png").is_file());
}

/// A JPEG file.
fn jpeg(image: &RgbImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

/// The decoder would fill up a photograph that was cut off. What a file is, its content says.
#[test]
fn files_are_read_by_content_and_whole() {
    let (input, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let photograph = jpeg(&RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8 * 6, y as u8 * 8, 90])));
    std::fs::write(input.path().join("whole.png"), &photograph).unwrap();
    std::fs::write(input.path().join("cut.jpg"), &photograph[..photograph.len() * 2 / 3]).unwrap();
    let found = run(&["corrupt", text(input.path()), text(output.path()), "--corruption", "contrast"]);
    let told = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success() && told.contains("cut.jpg: it ends too early"), "{told}");
    let written: Vec<_> = std::fs::read_dir(output.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(written, ["whole.png"]);
}

/// Names that are not text may look alike; they are joined as they are.
#[cfg(target_os = "linux")]
#[test]
fn names_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt;
    let (input, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let name = |bytes: &[u8]| std::ffi::OsStr::from_bytes(bytes).to_os_string();
    for (i, bytes) in [b"a\xFF.png", b"a\xFE.png"].into_iter().enumerate() {
        let image = GrayImage::from_pixel(3, 3, image::Luma([i as u8 * 100]));
        std::fs::write(input.path().join(name(bytes)), png(&image)).unwrap();
    }
    let found = run(&["augment", text(input.path()), text(output.path()), "--set", "AugS"]);
    assert!(found.status.success(), "{found:?}");
    for bytes in [b"a\xFF-1.png", b"a\xFE-1.png"] {
        assert!(output.path().join(name(bytes)).is_file());
    }
}

#[cfg(target_os = "linux")]
fn png(image: &GrayImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A file of a size that cannot be used does not end the run, and a sheet is filled with those that can be read.
#[test]
fn what_cannot_be_used_is_left_out() {
    let (input, output) = (folder(), tempfile::tempdir().unwrap());
    let unreadable = input.path().join("c.png");
    RgbImage::new(1, 1).save(input.path().join("aa-dot.png")).unwrap();
    std::fs::rename(&unreadable, input.path().join("aa.png")).unwrap();
    let told = |found: &Output| {
        assert!(found.status.success(), "{found:?}");
        String::from_utf8_lossy(&found.stderr).into_owned()
    };
    let errors = told(&run(&["augment", text(input.path()), text(output.path()), "--set", "AugF"]));
    assert!(errors.contains("cannot read") && errors.contains("aa-dot.png: `grid`"), "{errors}");
    let mut written: Vec<_> =
        std::fs::read_dir(output.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    written.sort();
    assert_eq!(written, ["a-1.png", "b-1.png"]);
    // Fog is made in squares of at most 8192 pixels.
    GrayImage::new(8200, 2).save(input.path().join("c-wide.png")).unwrap();
    let to = output.path().join("fog");
    let errors = told(&run(&["corrupt", text(input.path()), text(&to), "--corruption", "Fog"]));
    assert!(errors.contains("c-wide.png") && errors.contains("8192"), "{errors}");
    assert_eq!(std::fs::read_dir(&to).unwrap().count(), 3);
    let sheet = output.path().join("sheet.png");
    let two = ["--images", "2", "--views", "1", "--set", "AugSF"];
    let errors = told(&run(&[&["sheet", text(input.path()), text(&sheet)], &two[..]].concat()));
    assert!(errors.contains("aa.png") && errors.contains("aa-dot.png"), "{errors}");
    assert_eq!(image::open(&sheet).unwrap().into_rgb8().dimensions(), (2 * 22 + 2, 2 * 17 + 2));
    let none = tempfile::tempdir().unwrap();
    std::fs::write(none.path().join("no.png"), b"no picture").unwrap();
    let found = run(&["sheet", text(none.path()), text(&sheet)]);
    assert!(!found.status.success() && String::from_utf8_lossy(&found.stderr).contains("can be used"));
}

/// A camera held on its side writes the picture as it lies on the sensor, and says so.
#[test]
fn photographs_are_turned_upright() {
    let (input, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut photograph =
        jpeg(&RgbImage::from_fn(24, 8, |x, _| image::Rgb([if x < 12 { 20 } else { 220 }; 3])));
    // One entry: orientation 6, to be turned by 90° clockwise.
    let exif = b"\xFF\xE1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    photograph.splice(2..2, exif.iter().copied());
    std::fs::write(input.path().join("side.jpg"), &photograph).unwrap();
    let found = run(&["corrupt", text(input.path()), text(output.path()), "--corruption", "brightness"]);
    assert!(found.status.success(), "{found:?}");
    let upright = image::open(output.path().join("side.png")).unwrap().into_luma8();
    assert_eq!(upright.dimensions(), (8, 24));
    assert!(upright.get_pixel(4, 2).0[0] < 100 && upright.get_pixel(4, 21).0[0] > 200);
}

/// Nothing that lies there is replaced, and no two images become one.
#[test]
fn files_of_the_user_stay() {
    let (input, output) = (folder(), tempfile::tempdir().unwrap());
    let before = std::fs::read(input.path().join("a.png")).unwrap();
    let same = input.path().join(".");
    let found = run(&["corrupt", text(input.path()), text(&same), "--corruption", "fog"]);
    assert!(
        !found.status.success() && String::from_utf8_lossy(&found.stderr).contains("replaced"),
        "{found:?}"
    );
    assert_eq!(std::fs::read(input.path().join("a.png")).unwrap(), before);
    RgbImage::new(4, 4).save(input.path().join("a.jpg")).unwrap();
    let found = run(&["augment", text(input.path()), text(output.path())]);
    assert!(
        !found.status.success() && String::from_utf8_lossy(&found.stderr).contains("one file"),
        "{found:?}"
    );
    assert_eq!(std::fs::read_dir(output.path()).unwrap().count(), 0);
}

#[test]
fn wrong_input_is_told() {
    let (input, output) = (folder(), tempfile::tempdir().unwrap());
    let refused = |arguments: &[&str], told: &str| {
        let found = run(arguments);
        let error = String::from_utf8_lossy(&found.stderr).into_owned();
        assert!(!found.status.success() && error.contains(told), "{arguments:?}: {error}");
    };
    let (input, empty) = (text(input.path()), text(output.path()));
    refused(&["augment", empty, empty], "no PNG or JPEG");
    refused(&["augment", "no-such-folder", empty], "no-such-folder");
    refused(&["augment", input, empty, "--set", "AugX"], "AugSVF");
    // Before a folder is made.
    let new = Path::new(empty).join("new");
    for severity in ["11", "nan", "much"] {
        refused(&["augment", input, text(&new), "--severity", severity], "severity");
        refused(&["sheet", input, text(&new), "--severity", severity], "severity");
        refused(&["corrupt", input, text(&new), "--corruption", "fog", "--severity", severity], "severity");
    }
    assert!(!new.exists());
    refused(&["augment", input, empty, "--copies", "0"], "copies");
    refused(&["corrupt", input, empty, "--corruption", "rain"], "gaussian_noise");
    refused(&["corrupt", input, empty, "--corruption", "fog", "--severity", "6"], "severity");
    let picture = Path::new(input).join("a.png");
    refused(&["operations", text(&picture), "w.png", "--severity", "11"], "severity");
    refused(&["waves", "no/such/folder/w.png"], "cannot write");
    refused(&["waves", "w.png", "--size", "33"], "size");
    refused(&["sheet", input, "w.png", "--views", "0"], "views");
}
