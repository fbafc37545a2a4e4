//! AugMix: its law, its limits, and that every image has its own fate.

use ndarray::{Array4, Axis, s};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use variata_fourier_aug::{
    Action, AugMix, AugMixOptions, AugmentationSet, Depth, Error, FlipCrop, Grid, Image, Layout, Normalize,
    Operation, Pipeline, PlaneWave, Primitive, WaveSampler, WaveSamplerOptions, WaveVector,
    WeightedOperation, dirichlet,
};
use variata_testkit::statistics::{assert_ks, assert_mean, assert_rejects, seed, try_ks, try_mean};

/// Adds its number to every pixel.
#[derive(Debug)]
struct Shift(u8);

impl Operation for Shift {
    fn apply(&self, image: &mut Image, _: f64, _: &mut dyn Rng) -> Result<(), Error> {
        let shifted = image.to_array(Layout::Chw).mapv(|v| v + self.0);
        *image = Image::new(&shifted, Layout::Chw)?;
        Ok(())
    }
}

/// Takes a column away.
#[derive(Debug)]
struct Shrink;

impl Operation for Shrink {
    fn apply(&self, image: &mut Image, _: f64, _: &mut dyn Rng) -> Result<(), Error> {
        let pixels = image.to_array(Layout::Chw);
        *image = Image::new(&pixels.slice(s![.., .., 1..]), Layout::Chw)?;
        Ok(())
    }
}

fn waves(height: usize, width: usize) -> WaveSampler {
    WaveSampler::new(Grid::new(height, width).unwrap(), &WaveSamplerOptions::default()).unwrap()
}

fn images(n: usize, channels: usize, height: usize, width: usize) -> Array4<u8> {
    Array4::from_shape_fn((n, channels, height, width), |(n, c, y, x)| {
        ((n * 37 + c * 91 + y * y * 5 + x * 13 + x * y) % 256) as u8
    })
}

/// A wave that no sampler draws, since it is not finite in f32.
#[derive(Debug)]
struct Loud;

impl Operation for Loud {
    fn apply(&self, image: &mut Image, _: f64, _: &mut dyn Rng) -> Result<(), Error> {
        Action::Wave(PlaneWave::aligned(WaveVector { y: 1, x: 1 }, 0.0, 1e38)).apply(image)
    }
}

fn plain(augmix: AugMix) -> Pipeline {
    Pipeline::new(Layout::Chw, None, Some(augmix), Normalize::none()).unwrap()
}

fn of(operations: Vec<WeightedOperation>, options: AugMixOptions) -> AugMix {
    AugMix::new(operations, options).unwrap()
}

#[test]
fn sets_are_those_of_the_paper() {
    let waves = waves(8, 8);
    let sizes = AugmentationSet::ALL.map(|set| set.operations(&waves).len());
    assert_eq!(sizes, [0, 1, 5, 6, 9, 13, 10]);
    for (set, size) in AugmentationSet::ALL.into_iter().zip(sizes) {
        assert_eq!(
            AugMix::new(set.operations(&waves), AugMixOptions::default()).is_ok(),
            size > 0,
            "{set:?}"
        );
        let options = WaveSamplerOptions::default();
        let on = set.operations_on(Grid::new(8, 8).unwrap(), &options).unwrap();
        assert_eq!(format!("{on:?}"), format!("{:?}", set.operations(&waves)));
        // Only those with waves make a sampler, which a grid of one pixel has not.
        let single = set.operations_on(Grid::new(1, 1).unwrap(), &options);
        assert_eq!(single.is_err(), set.name().contains('F'), "{set:?}");
    }
}

#[test]
fn the_mean_over_draws_is_the_expectation() {
    // Chains of one or two shifts by 10 or 40: E[shift] = 1.5·25, of which E[m] = ½ comes through.
    let operations = vec![WeightedOperation::new(Shift(10), 1.0), WeightedOperation::new(Shift(40), 1.0)];
    let options = AugMixOptions { depth: Depth::UpTo(2), ..AugMixOptions::default() };
    let batch = Array4::from_elem((10_000, 1, 1, 1), 100u8);
    let views = plain(of(operations, options)).augment(&batch, seed(5), 0).unwrap();
    let shifts: Vec<f64> = views.iter().map(|v| f64::from(*v) * 255.0 - 100.0).collect();
    // m, w and the shifts S of a chain are independent: E = ½E[S]; E[m²] = 1/3, E[Σw²] = ½,
    // Var = E[m²](Var[S]·½ + E[S]²) − ¼E[S]², with Var[S] = E[depth]·15² + Var[depth]·25².
    let (mean, inner) = (37.5, 1.5 * 225.0 + 0.25 * 625.0);
    let variance: f64 = (inner * 0.5 + mean * mean) / 3.0 - mean * mean / 4.0;
    let name = "mean_augmix";
    assert_mean(name, &shifts, mean / 2.0, variance.sqrt());
    assert_rejects(name, &try_mean(name, &shifts, mean * 0.56, variance.sqrt()));
}

#[test]
fn weights_follow_their_laws() {
    let mut rng = ChaCha8Rng::seed_from_u64(seed(3));
    let mut sample = |alpha: f64, count: usize| -> Vec<f64> {
        (0..1_000_000).map(|_| dirichlet(alpha, count, &mut rng).unwrap()[0]).collect()
    };
    // One of three by Dirichlet(1, 1, 1) is Beta(1, 2); one of two by Dirichlet(½, ½) is the arcsine law.
    let name = "ks_dirichlet";
    let beta = |w: f64| 1.0 - (1.0 - w).powi(2);
    let found = sample(1.0, 3);
    assert_ks(name, &found, beta);
    assert_ks(name, &sample(0.5, 2), |w| 2.0 / std::f64::consts::PI * w.sqrt().asin());
    assert_rejects(name, &try_ks(name, &found, |w| w));
}

#[test]
fn weights_at_the_ends_of_alpha() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for alpha in [1e-300, 1e-12, 0.01, 1.0, 50.0, 1e12, 1e300, f64::INFINITY] {
        for count in [1, 2, 3, 64] {
            let weights = dirichlet(alpha, count, &mut rng).unwrap();
            let sum: f64 = weights.iter().sum();
            assert!((sum - 1.0).abs() <= 2.0 * f64::EPSILON * count as f64, "{alpha} {sum}");
            assert!(weights.iter().all(|w| (0.0..=1.0).contains(w)), "{alpha} {weights:?}");
        }
    }
    for alpha in [5e-324, 1e-310, 1e-300] {
        for _ in 0..100 {
            let weights = dirichlet(alpha, 3, &mut rng).unwrap();
            assert_eq!(weights.iter().filter(|w| **w == 1.0).count(), 1, "{alpha}: {weights:?}");
        }
    }
    assert_eq!(dirichlet(f64::INFINITY, 4, &mut rng).unwrap(), [0.25; 4]);
    for (alpha, count) in [(0.0, 3), (-1.0, 3), (f64::NAN, 3), (1.0, 0)] {
        assert!(dirichlet(alpha, count, &mut rng).is_err());
    }
}

#[test]
fn nothing_is_done_at_severity_0_but_what_has_no_strength() {
    let still = Primitive::SPATIAL.into_iter().chain([Primitive::Solarize]);
    let operations = still.map(|p| WeightedOperation::new(p, 1.0)).collect();
    let options = AugMixOptions { severity: 0.0, ..AugMixOptions::default() };
    let batch = images(5, 3, 9, 11);
    let pipeline = plain(of(operations, options));
    let [clean, view, _] = pipeline.fork(&batch, 1, 0).unwrap();
    assert_eq!(clean, batch.mapv(|v| f32::from(v) / 255.0));
    // Weights of sum 1 are rounded four times.
    assert!(clean.iter().zip(&view).all(|(a, b)| (a - b).abs() <= 8.0 * f32::EPSILON * a));
}

#[test]
fn every_image_has_its_own_fate_and_keeps_it() {
    let batch = images(70, 3, 8, 8);
    let operations = AugmentationSet::AugSVF.operations(&waves(8, 8));
    let make = || {
        let augmix = of(operations.clone(), AugMixOptions::default());
        Pipeline::new(Layout::Chw, Some(FlipCrop::default()), Some(augmix), Normalize::default()).unwrap()
    };
    let whole = make().fork(&batch, 9, 100).unwrap();
    // However the batch is cut, and from whichever image on.
    for size in [1, 7, 64] {
        for (at, part) in batch.axis_chunks_iter(Axis(0), size).enumerate() {
            let views = make().fork(&part, 9, 100 + (at * size) as u64).unwrap();
            for (view, whole) in views.iter().zip(&whole) {
                assert_eq!(view, whole.slice(s![at * size..at * size + part.len_of(Axis(0)), .., .., ..]));
            }
        }
    }
    // One thread or several.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| make().fork(&batch, 9, 100)).unwrap(), whole);
    assert_eq!(make().augment(&batch, 9, 100).unwrap(), whole[1]);
    // Another layout of the same pixels.
    let hwc = batch.view().permuted_axes([0, 2, 3, 1]);
    let augmix = of(operations.clone(), AugMixOptions::default());
    let other = Pipeline::new(Layout::Hwc, Some(FlipCrop::default()), Some(augmix), Normalize::default());
    assert_eq!(other.unwrap().fork(&hwc, 9, 100).unwrap(), whole);
    // Equal images differ.
    let equal = Array4::from_elem((2, 3, 8, 8), 90u8);
    let [_, a, b] = make().fork(&equal, 9, 0).unwrap();
    assert!(a != b && a.index_axis(Axis(0), 0) != a.index_axis(Axis(0), 1));
    assert!(make().augment(&equal, 10, 0).unwrap() != a);
    // Views are finite and in the range that normalisation leaves.
    assert!(whole.iter().flatten().all(|v| (-1.0 - 1e-5..=1.0 + 1e-5).contains(v)));
}

#[test]
fn flips_and_crops_are_those_of_padded_images() {
    let image = images(1, 1, 5, 6);
    let base = FlipCrop { flip: true, padding: 2 };
    let pipeline = Pipeline::new(Layout::Chw, Some(base), None, Normalize::none()).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for stream in 0..400 {
        let [clean, first, _] = pipeline.fork(&image, 4, stream).unwrap();
        assert_eq!(clean, first);
        let at = (0..50).find(|at| {
            let (flip, dy, dx) = (at / 25 == 1, at % 25 / 5, at % 5);
            clean.indexed_iter().all(|((_, _, y, x), v)| {
                let (y, x) = ((y + dy).wrapping_sub(2), (x + dx).wrapping_sub(2));
                let want = if y < 5 && x < 6 { image[[0, 0, y, if flip { 5 - x } else { x }]] } else { 0 };
                *v == f32::from(want) / 255.0
            })
        });
        seen.insert(at.unwrap());
    }
    // Of 50 outcomes none is missed in 400 draws but with probability 50·0.98⁴⁰⁰ = 0.015; the seed is fixed.
    assert_eq!(seen.len(), 50);
    assert_eq!(pipeline.clean(&image).unwrap(), image.mapv(|v| f32::from(v) / 255.0));
}

#[test]
fn wrong_arguments_are_told() {
    let one = || vec![WeightedOperation::new(Primitive::Rotate, 1.0)];
    let told = |operations, options| AugMix::new(operations, options).unwrap_err().to_string();
    let some = AugMixOptions::default;
    assert!(told(one(), AugMixOptions { severity: 10.5, ..some() }).contains("`severity` is 10.5"));
    assert!(told(one(), AugMixOptions { severity: f64::NAN, ..some() }).contains("severity"));
    assert!(told(one(), AugMixOptions { width: 0, ..some() }).contains("width"));
    assert!(told(one(), AugMixOptions { depth: Depth::Fixed(0), ..some() }).contains("depth"));
    assert!(told(one(), AugMixOptions { chains: 0.0, ..some() }).contains("chains"));
    assert!(told(one(), AugMixOptions { mixture: f64::NAN, ..some() }).contains("mixture"));
    assert!(told(vec![], some()).contains("`number of operations` is 0, must be at least 1"));
    let none = vec![WeightedOperation::new(Primitive::Rotate, 0.0)];
    assert!(told(none, some()).contains("sum of weights"));
    let negative = vec![WeightedOperation::new(Primitive::Rotate, -1.0)];
    assert!(told(negative, some()).contains("weight[0]"));
    let shrink = plain(of(vec![WeightedOperation::new(Shrink, 1.0)], some()));
    let told = shrink.fork(&images(40, 3, 4, 4), 1, 0).unwrap_err().to_string();
    assert!(told.contains("image after an operation"), "{told}");
    // A sampler of waves for another size is not passed over.
    let other = plain(of(AugmentationSet::AugF.operations(&waves(4, 5)), some()));
    let told = other.fork(&images(40, 3, 4, 4), 1, 0).unwrap_err().to_string();
    assert!(told.contains("`image` has shape [3, 4, 4], must be [3, 4, 5]"), "{told}");
    let pipeline = plain(of(one(), some()));
    assert!(pipeline.fork(&images(2, 2, 4, 4), 1, 0).is_err());
    assert!(pipeline.fork(&images(2, 3, 4, 0), 1, 0).is_err());
    assert_eq!(pipeline.fork(&images(0, 3, 4, 4), 1, 0).unwrap()[0].dim(), (0, 3, 4, 4));
    // Reciprocals, and differences times them, are numbers.
    for (mean, std) in [(0.5, 0.0), (0.5, 1e-40), (0.0, 1e-40), (3e38, 0.5), (1e30, 1e-10)] {
        let bad = Normalize { std: [std; 3], mean: [mean; 3] };
        let told = Pipeline::new(Layout::Chw, None, None, bad).unwrap_err().to_string();
        assert!(told.contains("std"), "{told}");
    }
    let loud = plain(of(vec![WeightedOperation::new(Loud, 1.0)], some()));
    let told = loud.fork(&images(40, 3, 4, 4), 1, 0).unwrap_err().to_string();
    assert!(told.contains("norm"), "{told}");
    let mut views = [(); 3].map(|()| Array4::zeros((2, 3, 4, 5)));
    assert!(pipeline.fork_into(&images(2, 3, 4, 4), 1, 0, &mut views).is_err());
}

proptest! {
    /// Whatever the settings, views are finite and within the image's range of levels.
    #[test]
    fn any_settings_will_do(
        severity in 0.0f64..10.0, width in 1usize..5, depth in 1usize..4, chains in 1e-3f64..50.0, mixture in 1e-3f64..50.0,
        h in 1usize..7, w in 2usize..7, seed in any::<u64>(), grey in any::<bool>(),
    ) {
        let mut operations = AugmentationSet::AugSVC.operations(&waves(h, w));
        operations.extend(AugmentationSet::AugF.operations(&waves(h, w)));
        let options = AugMixOptions { severity, width, depth: Depth::UpTo(depth), chains, mixture };
        let batch = images(3, if grey { 1 } else { 3 }, h, w);
        let views = plain(of(operations, options)).fork(&batch, seed, seed).unwrap();
        prop_assert!(views.iter().flatten().all(|v| (0.0..=1.0).contains(v)));
    }
}

/// Settings come back, what is left out has its default, and what does not exist is refused.
#[cfg(feature = "serde")]
#[test]
fn settings_are_read_from_text() {
    let options = AugMixOptions { depth: Depth::Fixed(2), severity: 5.0, ..AugMixOptions::default() };
    let text = serde_json::to_string(&options).unwrap();
    assert_eq!(serde_json::from_str::<AugMixOptions>(&text).unwrap(), options);
    let some: AugMixOptions = serde_json::from_str(r#"{"width": 7}"#).unwrap();
    assert_eq!(some, AugMixOptions { width: 7, ..AugMixOptions::default() });
    assert!(serde_json::from_str::<AugMixOptions>(r#"{"widht": 7}"#).is_err());
    assert_eq!(serde_json::from_str::<FlipCrop>("{}").unwrap(), FlipCrop::default());
    assert_eq!(serde_json::from_str::<Normalize>("{}").unwrap(), Normalize::default());
    let waves = WaveSamplerOptions { norm: 0.5..=3.0, ..WaveSamplerOptions::default() };
    let text = serde_json::to_string(&WaveSamplerOptions { band: 1.0..=9.0, ..waves.clone() }).unwrap();
    let back: WaveSamplerOptions = serde_json::from_str(&text).unwrap();
    assert_eq!(back, WaveSamplerOptions { band: 1.0..=9.0, ..waves });
}

/// JSON has no infinity.
#[cfg(feature = "serde")]
#[test]
fn infinite_settings_are_read_back() {
    let all = f64::INFINITY;
    for waves in [
        WaveSamplerOptions::default(),
        WaveSamplerOptions { band: f64::NEG_INFINITY..=2.5, ..WaveSamplerOptions::default() },
    ] {
        let text = serde_json::to_string(&waves).unwrap();
        assert_eq!(serde_json::from_str::<WaveSamplerOptions>(&text).unwrap(), waves, "{text}");
        let text = toml::to_string(&waves).unwrap();
        assert_eq!(toml::from_str::<WaveSamplerOptions>(&text).unwrap(), waves, "{text}");
    }
    for mix in
        [AugMixOptions::default(), AugMixOptions { chains: all, mixture: all, ..AugMixOptions::default() }]
    {
        let text = serde_json::to_string(&mix).unwrap();
        assert_eq!(serde_json::from_str::<AugMixOptions>(&text).unwrap(), mix, "{text}");
        let text = toml::to_string(&mix).unwrap();
        assert_eq!(toml::from_str::<AugMixOptions>(&text).unwrap(), mix, "{text}");
    }
    let bands = [r#"{"start": 0, "end": null}"#, r#"{"start": -0.0, "end": "inf"}"#];
    for band in bands {
        let read: WaveSamplerOptions = serde_json::from_str(&format!(r#"{{"band": {band}}}"#)).unwrap();
        assert_eq!(read, WaveSamplerOptions::default());
    }
    let toml: WaveSamplerOptions = toml::from_str("band = { start = 0, end = inf }").unwrap();
    assert_eq!(toml, WaveSamplerOptions::default());
    for band in [r#"{"start": 0}"#, r#"{"start": 0, "end": "all"}"#, r#"{"start": 0, "end": 1, "step": 1}"#] {
        assert!(serde_json::from_str::<WaveSamplerOptions>(&format!(r#"{{"band": {band}}}"#)).is_err());
    }
}
