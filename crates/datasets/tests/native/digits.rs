//! The embedded digits are the published ones.

use variata_datasets::{Error, Source, digits, digits_of};

#[test]
fn content_is_pinned() {
    let digits = digits();
    assert_eq!(digits.images().shape(), [1797, 1, 8, 8]);
    assert_eq!((digits.name(), digits.classes(), digits.max_value()), ("digits", 10, 16));
    assert_eq!(digits.official_test(), None);
    // Computed by hashlib over the same canonical bytes.
    assert_eq!(
        digits.checksum().to_string(),
        "bec5fb5ceb40d34ee15c8e881c53e171d1b657a261273098f130ec00c4c9b0f0"
    );
}

#[test]
fn class_counts_are_those_of_the_repository() {
    let mut counts = [0; 10];
    digits().labels().iter().for_each(|&label| counts[label as usize] += 1);
    // optdigits.names, section 10, test part.
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
}

#[test]
fn grey_levels_are_sixteenths() {
    let digits = digits();
    let scaled = digits.to_f32();
    assert!(scaled.iter().zip(digits.images()).all(|(&x, &grey)| x * 16.0 == f32::from(grey)));
    assert_eq!(scaled.iter().copied().fold(0.0, f32::max), 1.0);
    // The first line of the published file.
    let first: Vec<u8> = digits.images().iter().take(16).copied().collect();
    assert_eq!(first, [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0]);
}

#[test]
fn enlarged_digits_are_interpolated_between_the_centres_of_pixels() {
    let small = digits();
    for size in [9, 16, 28, 64] {
        let large = digits_of(size).unwrap();
        assert_eq!(large.images().shape(), [1797, 1, size, size]);
        assert_eq!((large.name(), large.max_value()), (format!("digits-{size}").as_str(), 255));
        assert_eq!(large.labels(), small.labels());
        assert_eq!(large.class_names(), small.class_names());
        // The two originals around a pixel, and how far it is from the first; beyond the outer centres they are one.
        let around = |k: usize| {
            let at = ((k as f64 + 0.5) * 8.0 / size as f64 - 0.5).clamp(0.0, 7.0);
            (at as usize, (at as usize + 1).min(7), at.fract())
        };
        for image in [0, 1, 900, 1796] {
            let ink = |row: usize, column: usize| f64::from(small.images()[[image, 0, row, column]]);
            for (row, column) in (0..size * size).map(|k| (k / size, k % size)) {
                let ((above, below, down), (left, right, over)) = (around(row), around(column));
                let line = |row| (1.0 - over) * ink(row, left) + over * ink(row, right);
                let want = 255.0 / 16.0 * ((1.0 - down) * line(above) + down * line(below));
                let found = f64::from(large.images()[[image, 0, row, column]]);
                // Rounded to a grey level from a number in single precision.
                assert!(
                    (found - want).abs() <= 0.5 + 1e-3,
                    "{size}: {image} ({row}, {column}): {found} for {want}"
                );
            }
        }
        let (low, high) = large.images().iter().fold((255, 0), |(l, h), &g| (g.min(l), g.max(h)));
        assert_eq!((low, high), (0, 255));
    }
}

#[test]
fn each_size_is_a_data_set_of_its_own_and_eight_is_the_original() {
    assert_eq!(digits_of(8).unwrap(), digits());
    assert_eq!(Source::parse("digits:8").unwrap().load().unwrap(), digits());
    assert_eq!(Source::parse("digits:8").unwrap().to_string(), "digits");
    let large = Source::parse("digits:16").unwrap().load().unwrap();
    assert_eq!(large, digits_of(16).unwrap());
    // Computed by hashlib over the same canonical bytes, with weights in sixteenths and integers alone.
    assert_eq!(
        large.checksum().to_string(),
        "cc69661bb6119d1730c665d19e51bbcd579853f3a6ca622dfe4f849850b4a724"
    );
    assert_ne!(large.checksum(), digits_of(17).unwrap().checksum());
    for size in [0, 7, 65, usize::MAX] {
        for error in [digits_of(size).unwrap_err(), Source::Digits(size).load().unwrap_err()] {
            assert!(matches!(&error, Error::Argument { argument: "size", .. }), "{error:?}");
            assert!(error.to_string().contains(&size.to_string()), "{error}");
        }
    }
}
