//! Corruptions: against the original's arithmetic in Python, laws of the noises, streams, sizes, bad input.

use ndarray::{Array4, Axis, s};
use variata_distributions::ArgumentError;
use variata_fourier_aug::{Corruption, CorruptionGroup, Error, corrupt};
use variata_testkit::golden::Table;
use variata_testkit::statistics::{
    assert_binomial, assert_ks, assert_mean, assert_rejects, seed, try_binomial, try_ks, try_mean,
};

use crate::operation::told;

/// The image of generate_measures.py.
fn image(height: usize, width: usize) -> Array4<u8> {
    Array4::from_shape_fn((1, height, width, 3), |(_, y, x, c)| {
        ((y * 13 + x * 7 + c * 50 + (y * x * (c + 1)) % 23 * 4) % 256) as u8
    })
}

#[test]
fn arithmetic_agrees_with_the_original() {
    let table = Table::parse(include_str!("../golden/corruptions.tsv")).unwrap();
    let bytes = image(12, 16);
    let floats = bytes.mapv(|v| f32::from(v) / 255.0);
    for corruption in Corruption::ALL {
        for severity in 1..=5u8 {
            let Ok(want) = table.column(&format!("{}_{severity}", corruption.name())) else { continue };
            let got = corrupt(&bytes, corruption, severity, 0, 0).unwrap();
            let single = corrupt(&floats, corruption, severity, 0, 0).unwrap();
            let whole = matches!(corruption, Corruption::Pixelate | Corruption::JpegCompression);
            for ((got, single), want) in got.iter().zip(&single).zip(&want) {
                let place = format!("{corruption:?} {severity}: {got} {single} {want}");
                match corruption {
                    // Pillow's own numbers.
                    Corruption::Pixelate | Corruption::JpegCompression => {
                        assert_eq!(f64::from(*got), *want, "{place}");
                    }
                    // Truncated; the table has nine digits, so that integers may fall to either side.
                    _ => assert!((f64::from(*got) + 0.5 - want).abs() <= 0.5 + 1e-6, "{place}"),
                }
                let slack = match corruption {
                    // Without the rounding to 8 bits after each of four resizings: a half each.
                    Corruption::Pixelate => 2.0 + 255.0 * f64::from(f32::EPSILON),
                    _ => 1e-4,
                };
                assert!((f64::from(*single) * 255.0 - want).abs() <= slack, "{place}");
            }
            assert!(!whole || want.iter().all(|v| v.fract() == 0.0));
        }
    }
    assert_eq!(table.rows().count(), 12 * 16 * 3);
}

/// To the level, at sizes of which the last blocks of colour reach beyond the image.
#[test]
fn jpeg_is_pillows() {
    let mut rows = 0;
    for line in include_str!("../golden/jpegs.tsv").lines().skip(2) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [mode, kind, height, width, severity, want] = cells[..] else { panic!("{line}") };
        let shape = (1, height.parse().unwrap(), width.parse().unwrap(), mode.len());
        let images = Array4::from_shape_fn(shape, |(_, y, x, c)| {
            let slope = (y * (5 + 3 * c)) as i64 + x as i64 * (11 - 4 * c as i64) + 40 * c as i64;
            let mixed = (y * 7919 + x * 104729 + c * 1299709 + 17) as u32;
            match (kind, mixed.wrapping_mul(2654435761) >> 24) {
                ("smooth", _) => (slope.rem_euclid(510) - 255).unsigned_abs() as u8,
                ("noise", level) => level as u8,
                (_, level) => 255 * u8::from(level >= 128),
            }
        });
        let severity = severity.parse().unwrap();
        let found = corrupt(&images, Corruption::JpegCompression, severity, 0, 0).unwrap();
        let got = told(found.as_slice().unwrap(), 1000);
        assert_eq!(got, want, "{mode} {kind} {height}×{width}, severity {severity}");
        let single = images.mapv(|v| f32::from(v) / 255.0);
        let single = corrupt(&single, Corruption::JpegCompression, severity, 0, 0).unwrap();
        assert_eq!(single, found.mapv(|v| (f64::from(v) / 255.0) as f32));
        rows += 1;
    }
    assert_eq!(rows, 2 * 3 * 14 * 5);
}

/// Means of equal pixels, which rounding puts below them, are not truncated to the level below.
#[test]
fn blurs_and_elastic_maps_leave_even_areas() {
    for corruption in [
        Corruption::DefocusBlur,
        Corruption::GlassBlur,
        Corruption::MotionBlur,
        Corruption::ZoomBlur,
        Corruption::GaussianBlur,
        Corruption::ElasticTransform,
    ] {
        for level in 0..=255u8 {
            let images = Array4::from_elem((1, 12, 12, 1), level);
            for severity in 1..=5 {
                assert_eq!(
                    corrupt(&images, corruption, severity, 0, 0).unwrap(),
                    images,
                    "{corruption:?} {severity}"
                );
            }
        }
    }
}

/// The original's loops end at the second row and column, whose neighbours above and to the left are exchanged with them.
#[test]
fn glass_exchanges_with_the_first_row_and_column_only_from_the_second_on() {
    // One row or column beyond the first: nothing to exchange.
    let images = image(2, 2).mapv(|v| f32::from(v) / 255.0);
    let blurred = corrupt(&images, Corruption::GlassBlur, 1, 5, 0).unwrap();
    for (a, b) in blurred.iter().zip(&images) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
}

#[test]
fn noises_have_their_laws() {
    // A million pixels of ½, of which normal noise of 0.1 leaves [0, 1] at 5 standard deviations only.
    let gray = Array4::from_elem((1, 1000, 1000, 1), 0.5f32);
    let seed = seed(11);
    for (corruption, sd) in [(Corruption::GaussianNoise, 0.1), (Corruption::SpeckleNoise, 0.1)] {
        let found = corrupt(&gray, corruption, 5, seed, 0).unwrap();
        let z: Vec<f64> = found.iter().map(|x| (f64::from(*x) - 0.5) / sd).collect();
        let law = variata_distributions::special::ndtr;
        assert_ks("ks_corruption_noise", &z, law);
        let (moved, wider): (Vec<f64>, Vec<f64>) = z.iter().map(|z| (z + 0.02, 1.03 * z)).unzip();
        assert_rejects("ks_corruption_noise", &try_ks("ks_corruption_noise", &moved, law));
        assert_rejects("ks_corruption_noise", &try_ks("ks_corruption_noise", &wider, law));
    }
    let found = corrupt(&gray, Corruption::ShotNoise, 5, seed, 0).unwrap();
    let counts: Vec<f64> = found.iter().map(|x| f64::from(*x) * 50.0).collect();
    assert!(counts.iter().all(|n| (n - n.round()).abs() < 1e-5));
    assert_mean("mean_corruption_shot", &counts, 25.0, 5.0);
    let moved = try_mean("mean_corruption_shot", &counts, 25.0 + 0.0106 * 5.0, 5.0);
    assert_rejects("mean_corruption_shot", &moved);
    let squares: Vec<f64> = counts.iter().map(|n| (n - 25.0) * (n - 25.0)).collect();
    // Poisson: E(n − λ)² = λ and its variance λ + 2λ². Counts above 50 are cut, which moves the mean by 1e-5 of a standard
    // deviation.
    let deviation = (25.0 + 2.0 * 625.0f64).sqrt();
    assert_mean("mean_corruption_shot", &squares, 25.0, deviation);
    let moved = try_mean("mean_corruption_shot", &squares, 25.0 + 0.0106 * deviation, deviation);
    assert_rejects("mean_corruption_shot", &moved);
    let found = corrupt(&gray, Corruption::ImpulseNoise, 5, seed, 0).unwrap();
    let count = |v: f32| found.iter().filter(|x| **x == v).count() as u64;
    for grain in [0.0, 1.0] {
        assert_binomial("freq_corruption_impulse", count(grain), 1_000_000, 0.035);
        let more = try_binomial("freq_corruption_impulse", count(grain), 1_000_000, 0.035 / 1.06);
        assert_rejects("freq_corruption_impulse", &more);
    }
    assert_eq!(count(0.5) + count(0.0) + count(1.0), 1_000_000);
}

#[test]
fn every_corruption_changes_images_of_every_size_more_and_more() {
    for corruption in Corruption::ALL {
        for (height, width, channels) in [(32, 32, 3), (24, 40, 3), (33, 17, 1)] {
            let images = Array4::from_shape_fn((2, height, width, channels), |(n, y, x, c)| {
                (60 + (n * 31 + y * 5 + x * 3 + c * 40 + (y * x) % 17 * 5) % 140) as u8
            });
            let distance = |severity| {
                let found = corrupt(&images, corruption, severity, 3, 0).unwrap();
                assert_eq!(found.dim(), images.dim());
                let gap = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b));
                found.iter().zip(&images).map(gap).sum::<f64>() / images.len() as f64
            };
            let (mild, strong) = (distance(1), distance(5));
            if corruption == Corruption::Saturate && channels == 1 {
                assert_eq!((mild, strong), (0.0, 0.0));
            } else {
                assert!(strong > 0.0 && mild < 120.0, "{corruption:?} {channels}: {mild} {strong}");
                // Saturation falls first and rises then; elastic maps trade reach for roughness; exchanged pixels of a rough
                // image differ more when they are not blurred.
                let ordered = !matches!(
                    corruption,
                    Corruption::Saturate | Corruption::ElasticTransform | Corruption::GlassBlur
                );
                assert!(!ordered || strong > mild, "{corruption:?}: {mild} {strong}");
            }
        }
        for (height, width) in [(1, 1), (1, 5), (4, 1), (2, 2)] {
            for severity in 1..=5 {
                let tiny = Array4::from_elem((1, height, width, 3), 0.25f32);
                let found = corrupt(&tiny, corruption, severity, 1, 0).unwrap();
                assert!(found.iter().all(|v| (0.0..=1.0).contains(v)), "{corruption:?}");
            }
        }
    }
}

/// Their three points for a map are one.
#[test]
fn images_of_two_rows_are_not_made_one_colour() {
    let images = Array4::from_shape_fn((1, 2, 32, 3), |(_, y, x, c)| (y * 90 + x * 4 + c * 10) as u8);
    assert_eq!(corrupt(&images, Corruption::ElasticTransform, 1, 0, 0).unwrap(), images);
}

#[test]
fn images_have_their_own_streams_whatever_the_batch_and_the_axes() {
    let one = image(16, 16);
    let images = ndarray::concatenate(Axis(0), &[one.view(), one.view(), one.view()]).unwrap();
    for corruption in Corruption::ALL {
        let whole = corrupt(&images, corruption, 3, 9, 100).unwrap();
        assert_eq!(whole, corrupt(&images, corruption, 3, 9, 100).unwrap());
        let part = corrupt(&images.slice(s![1.., .., .., ..]), corruption, 3, 9, 101).unwrap();
        assert_eq!(part, whole.slice(s![1.., .., .., ..]), "{corruption:?}");
        let planes = images.view().permuted_axes([0, 3, 1, 2]).as_standard_layout().into_owned();
        let found = corrupt(&planes.permuted_axes([0, 2, 3, 1]), corruption, 3, 9, 100).unwrap();
        assert_eq!(found, whole, "{corruption:?}");
        let random = whole.index_axis(Axis(0), 0) != whole.index_axis(Axis(0), 1);
        let drawn = !matches!(
            corruption,
            Corruption::DefocusBlur
                | Corruption::ZoomBlur
                | Corruption::GaussianBlur
                | Corruption::Brightness
                | Corruption::Contrast
                | Corruption::Saturate
                | Corruption::Pixelate
                | Corruption::JpegCompression
        );
        assert_eq!(random, drawn, "{corruption:?}");
    }
    let none = Array4::<u8>::zeros((0, 4, 4, 3));
    assert_eq!(corrupt(&none, Corruption::Fog, 1, 0, 0).unwrap().dim(), (0, 4, 4, 3));
}

#[test]
fn flat_images_stay_flat_under_blurs() {
    let flat = Array4::from_elem((1, 9, 11, 3), 77u8);
    let floats = flat.mapv(|v| f32::from(v) / 255.0);
    for corruption in Corruption::ALL.into_iter().filter(|c| c.group() == CorruptionGroup::Blur) {
        for severity in 1..=5 {
            let found = corrupt(&floats, corruption, severity, 2, 0).unwrap();
            assert!(found.iter().zip(&floats).all(|(a, b)| (a - b).abs() < 1e-6), "{corruption:?}");
        }
    }
    let found = corrupt(&flat, Corruption::JpegCompression, 5, 0, 0).unwrap();
    assert!(found.iter().all(|v| v.abs_diff(77) <= 2), "{found}");
}

#[test]
fn names_are_those_of_the_files() {
    assert_eq!(Corruption::ALL.into_iter().count(), 19);
    for corruption in Corruption::ALL {
        assert_eq!(corruption.to_string().parse::<Corruption>().unwrap(), corruption);
        assert_eq!(corruption.name().to_uppercase().parse::<Corruption>().unwrap(), corruption);
    }
    let unknown = "rain".parse::<Corruption>().unwrap_err().to_string();
    assert!(unknown.starts_with("no corruption `rain`; there are gaussian_noise, "), "{unknown}");
}

#[test]
fn bad_input_is_refused_by_name() {
    let name = |found: Result<Array4<f32>, Error>| match found.unwrap_err() {
        Error::Argument(ArgumentError::Value { argument, index, .. }) => (argument, index),
        Error::Argument(ArgumentError::Shape { argument, .. }) => (argument, None),
        other => panic!("{other}"),
    };
    for shape in [(1, 0, 4, 3), (1, 4, 0, 3), (1, 4, 4, 0), (1, 4, 4, 2), (1, 4, 4, 4)] {
        let images = Array4::<f32>::zeros(shape);
        assert_eq!(name(corrupt(&images, Corruption::Fog, 1, 0, 0)), ("images", None));
    }
    let mut images = Array4::<f32>::zeros((1, 2, 2, 1));
    for severity in [0, 6, 255] {
        assert_eq!(name(corrupt(&images, Corruption::Fog, severity, 0, 0)), ("severity", None));
    }
    for bad in [f32::NAN, -0.1, 1.5, f32::INFINITY] {
        images[[0, 1, 0, 0]] = bad;
        assert_eq!(name(corrupt(&images, Corruption::Fog, 1, 0, 0)), ("images", Some(2)));
    }
}
