//! Faces are what their factors and regions say.

use ndarray::s;
use variata_datasets::{Error, FaceFactors, FaceOptions, FaceRegion, HairShape, Source, faces};

const SMALL: FaceOptions = FaceOptions { count: 60, size: 32, seed: 0 };

/// Mean colour in [0, 1] and number of the pixels that show a region.
fn mean(faces: &variata_datasets::Faces, face: usize, region: FaceRegion) -> ([f64; 3], usize) {
    let (mut sum, mut count) = ([0.0; 3], 0);
    for ((row, column), found) in faces.regions().slice(s![face, .., ..]).indexed_iter() {
        if *found == region as u8 {
            count += 1;
            for (c, sum) in sum.iter_mut().enumerate() {
                *sum += f64::from(faces.dataset().images()[(face, c, row, column)]) / 255.0;
            }
        }
    }
    (sum.map(|sum| sum / count.max(1) as f64), count)
}

#[test]
fn bytes_are_pinned() {
    let all = Source::Faces(32).load().unwrap();
    assert_eq!(all.images().shape(), [3000, 3, 32, 32]);
    assert_eq!(all.checksum().to_string(), CHECKSUM);
}

/// Of the first version: another value means that trained models and reports change.
const CHECKSUM: &str = "2cfb4b00ef5f8bbf86fc2e5f547493b35c57183c48b102fc06f7981946fedcc6";

#[test]
fn a_face_depends_on_seed_and_number_alone() {
    let (few, many) = (faces(&FaceOptions { count: 3, ..SMALL }).unwrap(), faces(&SMALL).unwrap());
    assert_eq!(few.dataset().images(), many.dataset().images().slice(s![..3, .., .., ..]));
    assert_eq!(few.regions(), many.regions().slice(s![..3, .., ..]));
    assert_eq!(few.factors(), &many.factors()[..3]);
    let other = faces(&FaceOptions { seed: 1, ..SMALL }).unwrap();
    assert_ne!(other.dataset().images(), many.dataset().images());
}

/// Each region has the colour of its factor, but for shading, and the parts that every face has are there.
#[test]
fn regions_have_the_colours_of_their_factors() {
    let faces = faces(&FaceOptions { size: 64, ..SMALL }).unwrap();
    for (i, factors) in faces.factors().iter().enumerate() {
        let near = |region: FaceRegion, color: [f64; 3], least: usize| {
            let (found, count) = mean(&faces, i, region);
            assert!(count >= least, "{i}: {count} pixels of {region:?}");
            for (found, want) in found.iter().zip(color) {
                assert!((found - want.min(1.0)).abs() < 0.16, "{i}: {region:?} is {found}, not {want}");
            }
        };
        near(FaceRegion::Background, factors.background, 300);
        near(FaceRegion::Clothes, factors.clothes, 100);
        near(FaceRegion::Skin, factors.skin, 300);
        if factors.hair_shape != HairShape::Bald {
            near(FaceRegion::Hair, factors.hair, 100);
        }
        let brows = mean(&faces, i, FaceRegion::Hair).1;
        assert!(factors.hair_shape != HairShape::Bald || brows < 80, "{i}: {brows}");
        assert!(mean(&faces, i, FaceRegion::Eyes).1 >= 6);
        assert!(mean(&faces, i, FaceRegion::Mouth).1 >= 6);
        assert_eq!(faces.dataset().labels()[i], factors.hair_shape as u8);
    }
}

/// Over many faces every factor spans its range, and all hair shapes occur alike.
#[test]
fn factors_span_their_ranges() {
    let faces = faces(&FaceOptions { count: 1200, size: 8, seed: 5 }).unwrap();
    let spans = |name: &str, low: f64, high: f64, of: fn(&FaceFactors) -> f64| {
        let values: Vec<f64> = faces.factors().iter().map(of).collect();
        let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
        let slack = 0.02 * (high - low);
        assert!(
            least >= low && least <= low + slack && most <= high && most >= high - slack,
            "{name}: {least} {most}"
        );
    };
    spans("skin_tone", 0.0, 1.0, |f| f.skin_tone);
    spans("yaw", -1.0, 1.0, |f| f.yaw);
    spans("tilt", -0.1, 0.1, |f| f.tilt);
    spans("smile", -1.0, 1.0, |f| f.smile);
    spans("width", 0.46, 0.58, |f| f.width);
    spans("openness", 0.4, 1.0, |f| f.openness);
    for shape in HairShape::ALL {
        let count = faces.factors().iter().filter(|f| f.hair_shape == shape).count();
        // Five standard deviations of a binomial at n = 1200, p = 1/4.
        assert!((225..=375).contains(&count), "{shape:?}: {count}");
    }
}

#[test]
fn odd_options_are_refused_by_name() {
    for size in [0, 7, 513, usize::MAX] {
        let refused = faces(&FaceOptions { size, ..SMALL }).unwrap_err();
        assert!(matches!(refused, Error::Argument { argument: "size", .. }), "{refused}");
    }
    for count in [usize::MAX, usize::MAX / 4096, 1 << 50] {
        let refused = faces(&FaceOptions { count, ..SMALL }).unwrap_err();
        assert!(matches!(refused, Error::Argument { argument: "count", .. }), "{refused}");
    }
    let none = faces(&FaceOptions { count: 0, ..SMALL }).unwrap();
    assert!(none.dataset().is_empty() && none.factors().is_empty());
    assert!(!none.shows(0, [0, 0], FaceRegion::Background));
}
