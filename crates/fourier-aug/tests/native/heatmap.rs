//! Heatmaps: finding a frequency, symmetry, stopping and going on, pictures, bad input.

use std::convert::Infallible;
use std::ops::ControlFlow;

use ndarray::{Array2, Array4, ArrayView4, Axis, s};
use variata_distributions::ArgumentError;
use variata_fourier_aug::{
    Alignment, Binning, Error, Heatmap, HeatmapOptions, HeatmapRun, HeatmapState, WaveVector, pooled,
};
use variata_testkit::compare::assert_relative;

const SHAPE: [usize; 3] = [3, 9, 12];

fn vector(y: usize, x: usize) -> WaveVector {
    WaveVector { y, x }
}

fn images(n: usize) -> Array4<f32> {
    Array4::from_shape_fn((n, 3, 9, 12), |(i, c, y, x)| {
        0.35 + ((i * 7 + c * 5 + y * 3 + x * 11) % 13) as f32 / 40.0
    })
}

/// Class 1 for images that have much of the wave (ky, kx) in a channel.
fn sensitive(ky: usize, kx: usize) -> impl Fn(ArrayView4<'_, f32>) -> Result<Array2<f32>, Infallible> {
    move |images| {
        let power = |i: usize, c: usize| {
            let (mut re, mut im) = (0.0f64, 0.0f64);
            for ((y, x), v) in images.slice(s![i, c, .., ..]).indexed_iter() {
                let turns = (y * ky) as f64 / 9.0 + (x * kx) as f64 / 12.0;
                let (sin, cos) = (std::f64::consts::TAU * turns).sin_cos();
                (re, im) = (re + f64::from(*v) * cos, im + f64::from(*v) * sin);
            }
            (re * re + im * im).sqrt()
        };
        let most = |i: usize| (0..3).map(|c| power(i, c)).fold(0.0, f64::max);
        Ok(Array2::from_shape_fn((images.len_of(Axis(0)), 2), |(i, k)| {
            if k == 1 { most(i) as f32 - 5.0 } else { 0.0 }
        }))
    }
}

fn whole(options: HeatmapOptions) -> HeatmapRun {
    let mut run = HeatmapRun::new(SHAPE, options).unwrap();
    for batch in [images(3), images(2)] {
        let labels = vec![0; batch.len_of(Axis(0))];
        let found = run.add(&batch, &labels, sensitive(2, 5), |_| ControlFlow::Continue(())).unwrap();
        assert!(found.is_continue());
    }
    run
}

fn options(alignment: Alignment) -> HeatmapOptions {
    HeatmapOptions { norm: 1.5, alignment, ..HeatmapOptions::default() }
}

#[test]
fn the_one_frequency_is_found_in_its_two_cells() {
    for alignment in [Alignment::Aligned, Alignment::RandomFlip(4)] {
        let run = whole(options(alignment));
        // (108 + 2)/2 distinct waves: (0, 0) and (0, 6) are their own partners.
        assert_eq!(run.waves(), 55);
        let map = run.errors().unwrap();
        let wrong: Vec<_> = map.values().indexed_iter().filter(|(_, v)| **v > 0.0).collect();
        // Row k_y + 4, column k_x + 6, each modulo the size, and the point reflection.
        assert_eq!(wrong, [((2, 1), &1.0), ((6, 11), &1.0)], "{alignment:?}");
        // Of (2, 5) and (7, 7) the one whose cell comes first.
        assert_eq!(map.worst(), Some((vector(7, 7), 1.0)));
        assert_relative("mean", map.mean(), 1.0 / 55.0, 1e-15, 0.0);
        assert_eq!(map.max(), 1.0);
        assert_eq!(pooled(&[map.clone(), map.clone()]), Some((map.mean(), 1.0)));
        let calibration = run.metric(|p| Ok(p.reliability(Binning::Adaptive { size: 5 })?.rms())).unwrap();
        assert_eq!(calibration.worst().unwrap().0, vector(7, 7));
        assert!(calibration.values().iter().all(|v| (0.0..=1.0).contains(v)));
    }
}

#[test]
fn waves_have_their_norm_and_are_clipped() {
    let flat = Array4::from_elem((1, 3, 9, 12), 0.5f32);
    let mut seen = Vec::new();
    let norm = 0.75;
    let mut run =
        HeatmapRun::new(SHAPE, HeatmapOptions { norm, ..options(Alignment::RandomFlip(1)) }).unwrap();
    let mut record = |images: ArrayView4<'_, f32>| {
        seen.push(images.mapv(|v| f64::from(v) - 0.5));
        Ok::<_, Infallible>(Array2::zeros((1, 2)))
    };
    let _ = run.add(&flat, &[0], &mut record, |_| ControlFlow::Continue(())).unwrap();
    let mut flips = 0;
    for wave in &seen {
        for c in 0..3 {
            let channel = wave.slice(s![0, c, .., ..]);
            let length = channel.iter().map(|u| u * u).sum::<f64>().sqrt();
            // Each of 108 pixels is rounded to f32 next to ½.
            assert_relative("norm", length, norm, 1e-6, 0.0);
            let dot: f64 = channel.iter().zip(&wave.slice(s![0, 0, .., ..])).map(|(a, b)| a * b).sum();
            flips += usize::from(dot < 0.0);
            assert_relative("aligned up to sign", dot.abs(), norm * norm, 1e-6, 0.0);
        }
    }
    assert!((20..90).contains(&flips), "{flips} of 110 signs");
    for (i, a) in seen.iter().enumerate() {
        for b in &seen[..i] {
            let dot: f64 =
                a.slice(s![0, 0, .., ..]).iter().zip(&b.slice(s![0, 0, .., ..])).map(|(a, b)| a * b).sum();
            assert!(dot.abs() < 1e-6, "two waves overlap by {dot}");
        }
    }
    for clip in [true, false] {
        let mut beyond = false;
        let strong = HeatmapOptions { norm: 40.0, clip, ..HeatmapOptions::default() };
        let mut run = HeatmapRun::new(SHAPE, strong).unwrap();
        let look = |images: ArrayView4<'_, f32>| {
            beyond |= images.iter().any(|v| !(0.0..=1.0).contains(v));
            Ok::<_, Infallible>(Array2::zeros((1, 2)))
        };
        let _ = run.add(&flat, &[0], look, |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(beyond, !clip);
    }
}

#[test]
fn waves_are_the_authors() {
    // Position (5, 9) of the map of 32 × 32, phase π/4 + ¾·2π, in the authors' code.
    let flat = Array4::from_elem((1, 1, 32, 32), 0.5f32);
    let mut run =
        HeatmapRun::new([1, 32, 32], HeatmapOptions { norm: 1.0, ..HeatmapOptions::default() }).unwrap();
    assert_eq!(run.waves(), 514);
    let mut rows = Vec::new();
    let record = |images: ArrayView4<'_, f32>| {
        rows.push([0, 1, 2, 3].map(|x| f64::from(images[[0, 0, 0, x]]) - 0.5));
        Ok::<_, Infallible>(Array2::zeros((1, 2)))
    };
    let _ = run.add(&flat, &[0], record, |_| ControlFlow::Continue(())).unwrap();
    let map = run.errors().unwrap();
    let at = map.cells().iter().position(|(k, _)| *k == vector(21, 25)).unwrap();
    for (got, want) in rows[at].iter().zip([0.03125, -0.02455297, -0.04083009, 0.00862186]) {
        // The table has eight places, the image 24 bits.
        assert!((got - want).abs() < 1e-7, "{got} {want}");
    }
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bits() {
    let options = options(Alignment::RandomFlip(8));
    let want = whole(options);
    let mut state: HeatmapState = HeatmapRun::new(SHAPE, options).unwrap().state().clone();
    let (first, second) = (images(3), images(2));
    let mut stops = 0;
    while state.batches_done < 2 {
        // As another process would: from the state alone, stopped after every seventh wave.
        let mut run = HeatmapRun::resume(state.clone()).unwrap();
        let batch = if state.batches_done == 0 { &first } else { &second };
        let labels = vec![0; batch.len_of(Axis(0))];
        let stop = |p: variata_fourier_aug::HeatmapProgress| {
            if p.waves_done.is_multiple_of(7) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        stops += usize::from(run.add(batch, &labels, sensitive(2, 5), stop).unwrap().is_break());
        state = run.state().clone();
    }
    assert_eq!(stops, 14);
    assert_eq!(&state, want.state());
}

/// After the last wave there is nothing to come back for.
#[test]
fn a_stop_at_the_last_wave_ends_the_batch() {
    let options = options(Alignment::Aligned);
    let mut run = HeatmapRun::new(SHAPE, options).unwrap();
    let stop = |p: variata_fourier_aug::HeatmapProgress| {
        if p.waves_done == p.waves { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    for batch in [images(3), images(2)] {
        let labels = vec![0; batch.len_of(Axis(0))];
        assert!(run.add(&batch, &labels, sensitive(2, 5), stop).unwrap().is_continue());
    }
    assert_eq!(run.state(), whole(options).state());
    assert!(HeatmapRun::new(SHAPE, HeatmapOptions { norm: 1e300, ..options }).is_err());
}

#[test]
fn a_failing_classifier_leaves_the_run_usable() {
    let mut run = HeatmapRun::new(SHAPE, options(Alignment::Aligned)).unwrap();
    let batch = images(2);
    let mut calls = 0;
    let failing = |_: ArrayView4<'_, f32>| {
        calls += 1;
        if calls == 3 { Err(std::io::Error::other("no device")) } else { Ok(Array2::zeros((2, 2))) }
    };
    let found = run.add(&batch, &[0, 0], failing, |_| ControlFlow::Continue(()));
    assert!(matches!(&found, Err(Error::Classifier(_))), "{found:?}");
    assert_eq!(run.state().waves_done, 2);
    let found = run.add(&images(3), &[0; 3], sensitive(1, 1), |_| ControlFlow::Continue(()));
    assert!(found.is_err(), "another batch in its place");
    let found = run.add(&batch, &[0, 0], sensitive(1, 1), |_| ControlFlow::Continue(()));
    assert!(found.unwrap().is_continue());
}

#[test]
fn waves_that_vanish_are_left_out_and_named() {
    // A cosine of phase π/2 is 0 at the two wave vectors that are their own partners.
    let phase = std::f64::consts::FRAC_PI_2;
    let mut run = HeatmapRun::new(SHAPE, HeatmapOptions { phase, ..HeatmapOptions::default() }).unwrap();
    assert_eq!((run.excluded(), run.waves()), ([vector(0, 6), vector(0, 0)].as_slice(), 53));
    let _ = run.add(&images(1), &[0], sensitive(0, 0), |_| ControlFlow::Continue(())).unwrap();
    let map = run.errors().unwrap();
    let absent: Vec<_> = map.values().indexed_iter().filter(|(_, v)| v.is_nan()).map(|(k, _)| k).collect();
    assert_eq!(absent, [(4, 0), (4, 6)]);
    assert!(map.mean().is_finite());
    let picture = map.picture(0.0, 1.0, 2).unwrap();
    assert_eq!(picture.pixels.slice(s![8, 0, ..]).to_vec(), [128, 128, 128]);
    // Ends whose difference overflows: what lies in the middle has the middle's colour.
    let wide = map.picture(-1.7e308, 1.7e308, 1).unwrap();
    let middle = map.picture(map.values()[[0, 0]] - 1.0, map.values()[[0, 0]] + 1.0, 1).unwrap();
    assert_eq!(wide.pixels.slice(s![0, 0, ..]), middle.pixels.slice(s![0, 0, ..]));
}

/// A quantity that some wave does not have.
#[test]
fn waves_without_a_number_count_as_left_out() {
    let run = whole(options(Alignment::Aligned));
    let errors = run.errors().unwrap();
    // NaN where the classifier errs, and where it does not.
    let gaps = run.metric(|p| Ok(if p.error_rate() > 0.0 { f64::NAN } else { p.error_rate() })).unwrap();
    assert!(gaps.cells().iter().any(|cell| cell.1.is_nan()) && gaps.cells().iter().any(|cell| cell.1 == 0.0));
    assert_eq!((gaps.max(), gaps.mean()), (0.0, 0.0));
    assert_eq!(gaps.worst().map(|(_, value)| value), Some(0.0));
    assert_eq!(pooled(&[gaps.clone(), gaps]), Some((0.0, 0.0)));
    let flipped = run.metric(|p| Ok(if p.error_rate() > 0.0 { p.error_rate() } else { f64::NAN })).unwrap();
    let numbers: Vec<f64> = flipped.cells().iter().map(|cell| cell.1).filter(|v| !v.is_nan()).collect();
    assert!(!numbers.is_empty() && numbers.len() < errors.cells().len());
    assert_eq!(flipped.max(), errors.max());
    assert_eq!(flipped.worst(), errors.worst());
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    assert_eq!((flipped.mean(), pooled(std::slice::from_ref(&flipped))), (mean, Some((mean, errors.max()))));
    let none = run.metric(|_| Ok(f64::NAN)).unwrap();
    assert!(none.max().is_nan() && none.mean().is_nan());
    assert_eq!((none.worst(), pooled(&[none])), (None, None));
}

#[test]
fn pictures_hold_cells_and_a_scale() {
    let map: Heatmap = whole(options(Alignment::Aligned)).errors().unwrap();
    let picture = map.picture(0.0, 1.0, 3).unwrap();
    assert_eq!((picture.pixels.dim(), picture.map_width), ((27, 45, 3), 36));
    let at = |y: usize, x: usize| picture.pixels.slice(s![y, x, ..]).to_vec();
    assert_eq!(at(6, 3), at(0, 44), "the worst cell has the colour of the scale's upper end");
    assert_eq!(at(0, 0), at(26, 44), "a cell of 0 has that of its lower end");
    assert_eq!(at(13, 37), [255, 255, 255]);
    let argument = |low, high, cell| match map.picture(low, high, cell).unwrap_err() {
        Error::Argument(ArgumentError::Value { argument, .. }) => argument,
        other => panic!("{other}"),
    };
    assert_eq!(argument(0.0, 1.0, 0), "cell");
    assert_eq!(argument(f64::NAN, 1.0, 1), "low");
    assert_eq!(argument(1.0, 1.0, 1), "high");
}

#[test]
fn bad_input_is_refused_by_name() {
    fn name<T>(found: Result<T, Error>) -> &'static str {
        match found.err().unwrap() {
            Error::Argument(
                ArgumentError::Value { argument, .. } | ArgumentError::Shape { argument, .. },
            ) => argument,
            other => panic!("{other}"),
        }
    }
    let new =
        |norm, phase| HeatmapRun::new(SHAPE, HeatmapOptions { norm, phase, ..HeatmapOptions::default() });
    assert_eq!(name(HeatmapRun::new([1, 0, 4], HeatmapOptions::default())), "shape");
    for huge in [1 << 12, 1 << 40, usize::MAX] {
        assert_eq!(name(HeatmapRun::new([1, huge, huge], HeatmapOptions::default())), "shape");
    }
    assert_eq!(name(new(-1.0, 0.0)), "norm");
    assert_eq!(name(new(f64::INFINITY, 0.0)), "norm");
    assert_eq!(name(new(1.0, f64::NAN)), "phase");
    let mut run = new(1.0, 0.5).unwrap();
    assert_eq!(name(run.errors()), "batches");
    let go = |_| ControlFlow::Continue(());
    let logits = |n, k| move |_: ArrayView4<'_, f32>| Ok::<_, Infallible>(Array2::zeros((n, k)));
    assert_eq!(name(run.add(&images(0), &[], logits(0, 2), go)), "images");
    assert_eq!(name(run.add(&images(1), &[0, 1], logits(2, 2), go)), "labels");
    let mut bad = images(1);
    bad[[0, 1, 2, 3]] = f32::NAN;
    assert_eq!(name(run.add(&bad, &[0], logits(1, 2), go)), "images");
    assert_eq!(name(run.add(&images(1), &[2], logits(1, 2), go)), "labels");
    assert_eq!(name(run.add(&images(1), &[0], logits(2, 2), go)), "logits");
    assert_eq!(name(run.add(&images(1), &[0], logits(1, 0), go)), "logits");
    let mut state = run.state().clone();
    state.outcomes[1].push(0.5);
    assert_eq!(name(HeatmapRun::resume(state)), "outcomes");
    let mut state = whole(options(Alignment::Aligned)).state().clone();
    state.outcomes[0][0] = f32::NAN;
    assert_eq!(name(HeatmapRun::resume(state)), "outcomes");
    let mut state = run.state().clone();
    state.outcomes.clear();
    assert_eq!(name(HeatmapRun::resume(state)), "outcomes");
    // A batch of no images could never be brought again; images need a batch.
    let mut state = HeatmapRun::new(SHAPE, options(Alignment::Aligned)).unwrap().state().clone();
    state.waves_done = 1;
    assert_eq!(name(HeatmapRun::resume(state.clone())), "outcomes");
    (state.waves_done, state.batches_done) = (0, 1);
    assert_eq!(name(HeatmapRun::resume(state)), "outcomes");
}

/// A run that was written down goes on to the same bits.
#[cfg(feature = "serde")]
#[test]
fn a_state_comes_back_from_a_file() {
    let options = options(Alignment::RandomFlip(4));
    let mut run = HeatmapRun::new(SHAPE, options).unwrap();
    let mut stop = |p: variata_fourier_aug::HeatmapProgress| {
        if p.waves_done == 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    assert!(run.add(&images(3), &[0; 3], sensitive(2, 5), &mut stop).unwrap().is_break());
    let text = serde_json::to_string(run.state()).unwrap();
    let state: HeatmapState = serde_json::from_str(&text).unwrap();
    assert_eq!(&state, run.state());
    let mut again = HeatmapRun::resume(state).unwrap();
    let goes_on = |_| ControlFlow::Continue(());
    assert!(again.add(&images(3), &[0; 3], sensitive(2, 5), goes_on).unwrap().is_continue());
    assert!(again.add(&images(2), &[0; 2], sensitive(2, 5), goes_on).unwrap().is_continue());
    assert_eq!(again.errors().unwrap(), whole(options).errors().unwrap());
}

#[test]
fn what_is_wrong_with_a_batch_is_named() {
    let mut run = HeatmapRun::new(SHAPE, options(Alignment::Aligned)).unwrap();
    let goes_on = |_| ControlFlow::Continue(());
    let error = run.add(&images(2), &[0], sensitive(2, 5), goes_on).unwrap_err();
    assert!(error.to_string().starts_with("`labels` has shape [1], must be [2]"), "{error}");
    // Counts to which no image could be added.
    let flat = HeatmapOptions { phase: std::f64::consts::FRAC_PI_2, ..HeatmapOptions::default() };
    let one = |images_done| HeatmapState {
        shape: [1, 1, 1],
        options: flat,
        batches_done: 1,
        images_done,
        waves_done: 0,
        outcomes: Vec::new(),
    };
    assert!(HeatmapRun::resume(one(1)).is_ok());
    assert!(HeatmapRun::resume(one(usize::MAX)).is_err());
}
