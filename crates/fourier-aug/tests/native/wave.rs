//! Plane waves against their definition, and their discrete Fourier transform.

use std::collections::BTreeMap;
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI, TAU};

use half::{bf16, f16};
use ndarray::{Array4, s};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rustfft::FftPlanner;
use rustfft::num_complex::Complex;
use variata_fourier_aug::{
    Action, Error, FrequencyWeights, Grid, Image, Layout, Operation, PlaneWave, WaveSampler,
    WaveSamplerOptions, WaveVector,
};
use variata_testkit::statistics::{assert_chi_square, assert_rejects, seed, try_chi_square};

const SIZES: [(usize, usize); 7] = [(8, 8), (7, 9), (1, 5), (32, 32), (31, 17), (4, 6), (1, 1)];

fn wave(grid: &Grid, vector: WaveVector, phase: f64) -> Vec<f32> {
    grid.waves::<f32>(&[PlaneWave::aligned(vector, phase, 3.0)]).unwrap().into_raw_vec_and_offset().0
}

/// |coefficients| of the discrete transform over both axes, unitary.
fn spectrum(values: &[f32], height: usize, width: usize) -> Vec<f64> {
    let mut planner = FftPlanner::<f64>::new();
    let mut grid: Vec<Complex<f64>> = values.iter().map(|v| Complex::new(f64::from(*v), 0.0)).collect();
    let (rows, columns) = (planner.plan_fft_forward(width), planner.plan_fft_forward(height));
    grid.chunks_exact_mut(width).for_each(|row| rows.process(row));
    for x in 0..width {
        let mut column: Vec<_> = (0..height).map(|y| grid[y * width + x]).collect();
        columns.process(&mut column);
        column.iter().enumerate().for_each(|(y, v)| grid[y * width + x] = *v);
    }
    grid.iter().map(|v| v.norm() / ((height * width) as f64).sqrt()).collect()
}

#[test]
fn norm_support_and_values() {
    for (height, width) in SIZES {
        let grid = Grid::new(height, width).unwrap();
        let n = (height * width) as f64;
        for vector in grid.distinct() {
            for phase in [FRAC_PI_4, FRAC_PI_4 + TAU / 3.0, -2.0, 40.0] {
                let values = wave(&grid, vector, phase);
                let norm = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
                assert!(
                    (norm - 3.0).abs() <= 4.0 * 3.0 * f64::from(f32::EPSILON),
                    "{vector:?} {phase} {norm}"
                );
                let amplitude = grid.amplitude(vector, phase, 3.0).unwrap();
                for (i, v) in values.iter().enumerate() {
                    let turns = (vector.y * (i / width)) as f64 / height as f64
                        + (vector.x * (i % width)) as f64 / width as f64;
                    let want = amplitude * (TAU * turns.fract() - phase).cos();
                    // Two products of rounded factors.
                    assert!((f64::from(*v) - want).abs() <= 3.0 * amplitude * f64::from(f32::EPSILON));
                }
                // Every coefficient but those of ±k is round-off.
                let other = grid.conjugate(vector).unwrap();
                for (i, size) in spectrum(&values, height, width).iter().enumerate() {
                    let at = WaveVector { y: i / width, x: i % width };
                    if at != vector && at != other {
                        assert!(
                            *size <= 30.0 * f64::from(f32::EPSILON) / 2.0 * 3.0 * n.sqrt(),
                            "{at:?} {size}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn distinct_waves_are_orthogonal_and_counted() {
    for ((height, width), distinct) in SIZES.into_iter().zip([34, 32, 3, 514, 264, 14, 1]) {
        let grid = Grid::new(height, width).unwrap();
        let vectors: Vec<WaveVector> = grid.distinct().collect();
        let own = (0..height * width)
            .filter(|i| grid.is_self_conjugate(WaveVector { y: i / width, x: i % width }).unwrap())
            .count();
        assert_eq!((vectors.len(), usize::midpoint(height * width, own)), (distinct, distinct));
        if height * width > 100 {
            continue;
        }
        let waves: Vec<Vec<f32>> = vectors.iter().map(|k| wave(&grid, *k, FRAC_PI_4)).collect();
        for (i, a) in waves.iter().enumerate() {
            for b in &waves[..i] {
                let dot: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                assert!(dot.abs() < 9.0 * 30.0 * f64::from(f32::EPSILON), "{dot}");
            }
        }
    }
}

/// Values of the authors' code at a cell of its map, which counts from the centre and adds its phase.
#[test]
fn the_authors_waves() {
    let grid = Grid::new(32, 32).unwrap();
    let conjugate = grid.conjugate(WaveVector { y: 5 + 16, x: 9 + 16 }).unwrap();
    for (offset, want) in [
        (0.0, [0.03125, 0.03674611, -0.01691238, -0.043345]),
        (0.75, [0.03125, -0.02455297, -0.04083009, 0.00862186]),
    ] {
        let found = wave(&grid, conjugate, FRAC_PI_4 + TAU * offset);
        for (found, want) in found.iter().zip(want) {
            assert!((f64::from(*found) / 3.0 - want).abs() < 1e-8, "{found} {want}");
        }
    }
}

/// Errata 004-1: as printed, the direction is k/|k|, which on other than square grids is not that of one wave.
#[test]
fn the_printed_direction_is_no_wave_of_the_grid() {
    let (height, width, ky, kx) = (8usize, 16usize, 2.0f64, 3.0f64);
    let frequency = (ky / height as f64).hypot(kx / width as f64);
    let length = ky.hypot(kx);
    let printed: Vec<f32> = (0..height * width)
        .map(|i| {
            let (y, x) = ((i / width) as f64, (i % width) as f64);
            (TAU * frequency * (y * ky + x * kx) / length - FRAC_PI_4).cos() as f32
        })
        .collect();
    let count = |values: &[f32]| spectrum(values, height, width).iter().filter(|v| **v > 1e-3).count();
    assert!(count(&printed) > 100);
    assert_eq!(count(&wave(&Grid::new(height, width).unwrap(), WaveVector { y: 2, x: 3 }, FRAC_PI_4)), 2);
}

#[test]
fn vanishing_waves_are_refused_or_left_out() {
    let grid = Grid::new(8, 8).unwrap();
    let corner = WaveVector { y: 4, x: 4 };
    assert!(matches!(
        grid.amplitude(corner, FRAC_PI_2, 1.0),
        Err(Error::DegenerateWave { vector: [4, 4], .. })
    ));
    assert!(grid.amplitude(WaveVector { y: 4, x: 1 }, FRAC_PI_2, 1.0).is_ok());
    // Taken literally the paper's ¾·2π makes four waves vanish, of which the constant is never drawn.
    let literal = WaveSamplerOptions { offsets: vec![0.75 - 0.125], ..Default::default() };
    let sampler = WaveSampler::new(grid.clone(), &literal).unwrap();
    assert_eq!((sampler.excluded(), sampler.vectors().len()), (3, 34 - 4));
    let all = WaveSampler::new(grid.clone(), &WaveSamplerOptions::default()).unwrap();
    assert_eq!((all.excluded(), all.vectors().len()), (0, 33));
    for wrong in [WaveVector { y: 8, x: 0 }, WaveVector { y: 0, x: usize::MAX }] {
        assert!(matches!(grid.amplitude(wrong, 0.0, 1.0), Err(Error::WaveVector { .. })));
    }
    for (phase, norm) in [(f64::NAN, 1.0), (f64::INFINITY, 1.0), (0.0, -1.0), (0.0, f64::NAN)] {
        assert!(grid.amplitude(corner, phase, norm).is_err());
    }
    assert!(Grid::new(0, 4).is_err() && Grid::new(4, usize::MAX).is_err());
    assert!(Grid::new(1 << 16, 1 << 15).is_err() && Grid::new(1 << 24, 1).is_ok());
    // A norm that f64 has and pixels have not.
    let huge = PlaneWave::aligned(WaveVector { y: 1, x: 2 }, 0.7, 1e300);
    let error = Grid::new(8, 8).unwrap().waves::<f32>(&[huge]).unwrap_err();
    assert!(error.to_string().contains("norm"), "{error}");
}

#[test]
fn added_to_images_with_signs_and_cut() {
    let grid = Grid::new(6, 5).unwrap();
    let mut one = PlaneWave::aligned(WaveVector { y: 1, x: 2 }, 0.3, 4.0);
    one.flipped = [false, true, true];
    let two = PlaneWave::aligned(WaveVector { y: 3, x: 0 }, PI, 2.0);
    let values = grid.waves::<f32>(&[one, two]).unwrap();
    for clip in [false, true] {
        let mut images = Array4::<f32>::from_elem((2, 3, 6, 5), 0.75);
        grid.add_waves(&[one, two], &mut images, clip).unwrap();
        for ((n, c, y, x), v) in images.indexed_iter() {
            let sign = if n == 0 && c > 0 { -1.0 } else { 1.0 };
            let want = 0.75 + sign * values[[n, y, x]];
            let want = if clip { want.clamp(0.0, 1.0) } else { want };
            // One operation, in another order of signs.
            assert!((v - want).abs() <= 2.0 * f32::EPSILON, "{v} {want}");
        }
    }
    let single = grid.waves::<bf16>(&[one]).unwrap();
    assert!(single.iter().zip(values.slice(s![0, .., ..])).all(|(a, b)| *a == bf16::from_f32(*b)));
    let single = grid.waves::<f16>(&[one]).unwrap();
    assert!(single.iter().zip(values.slice(s![0, .., ..])).all(|(a, b)| *a == f16::from_f32(*b)));
    // What the type cannot hold is refused, not rounded to infinity.
    let loud = PlaneWave { norm: 1e6, ..two };
    assert!(grid.waves::<f32>(&[loud]).is_ok() && grid.waves::<bf16>(&[loud]).is_ok());
    let told = grid.waves::<f16>(&[one, loud]).unwrap_err().to_string();
    assert!(told.contains("norm[1]") && told.contains("stored"), "{told}");
    // Sums are cut before they are rounded.
    let mut half = Array4::<f16>::from_elem((1, 1, 6, 5), f16::from_f32(0.5));
    grid.add_waves(&[loud], &mut half, true).unwrap();
    assert!(half.iter().all(|v| [f16::ZERO, f16::ONE].contains(v)));
    // Nothing is changed by a call that fails.
    let mut images = Array4::<f32>::from_elem((2, 3, 6, 5), 0.75);
    let bad = PlaneWave { norm: f64::NAN, ..two };
    assert!(grid.add_waves(&[one, bad], &mut images, false).is_err());
    assert!(images.iter().all(|v| *v == 0.75));
    assert!(grid.add_waves(&[one], &mut images, false).is_err());
    assert!(grid.add_waves(&[one], &mut Array4::<f32>::zeros((1, 2, 6, 5)), false).is_err());
    assert!(grid.add_waves(&[one], &mut Array4::<f32>::zeros((1, 3, 5, 6)), false).is_err());
}

/// Levels that are no numbers in f32 would become 0.
#[test]
fn waves_beyond_f32_are_refused_by_images_too() {
    let mut image = Image::new(&ndarray::Array3::<u8>::from_elem((3, 4, 6), 100), Layout::Chw).unwrap();
    let before = image.to_array(Layout::Chw);
    for norm in [1e38, 1e300, f64::MAX] {
        let wave = PlaneWave::aligned(WaveVector { y: 1, x: 2 }, 0.3, norm);
        let error = Action::Wave(wave).apply(&mut image).unwrap_err();
        assert!(error.to_string().contains("norm"), "{error}");
        assert_eq!(image.to_array(Layout::Chw), before);
    }
    let wave = PlaneWave::aligned(WaveVector { y: 1, x: 2 }, 0.3, 1e36);
    Action::Wave(wave).apply(&mut image).unwrap();
    assert!(image.to_array(Layout::Chw).iter().all(|v| *v == 0 || *v == 255));
}

#[test]
fn frequencies_are_drawn_alike() {
    let grid = Grid::new(12, 9).unwrap();
    let sampler = WaveSampler::new(grid.clone(), &WaveSamplerOptions::default()).unwrap();
    let mut counts = BTreeMap::<u64, usize>::new();
    for k in sampler.vectors() {
        counts.insert((grid.frequency(*k).unwrap() * 1e12).round() as u64, 0);
    }
    let draw = |sampler: &WaveSampler, counts: &mut BTreeMap<u64, usize>| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed(20_261_128));
        for _ in 0..100_000 {
            let wave = sampler.draw(&mut rng);
            *counts.entry((grid.frequency(wave.vector).unwrap() * 1e12).round() as u64).or_default() += 1;
        }
        counts.values().map(|n| *n as u64).collect::<Vec<u64>>()
    };
    let observed = draw(&sampler, &mut counts.clone());
    let expected = vec![1.0 / observed.len() as f64; observed.len()];
    let name = "chi2_wave_frequencies";
    assert_chi_square(name, &observed, &expected);
    // Every vector alike is another law.
    let options = WaveSamplerOptions { weights: FrequencyWeights::Vectors, ..Default::default() };
    let other = WaveSampler::new(grid.clone(), &options).unwrap();
    assert_rejects(name, &try_chi_square(name, &draw(&other, &mut counts), &expected));
}

#[test]
fn bands_norms_and_offsets_are_kept() {
    let grid = Grid::new(16, 16).unwrap();
    let options = WaveSamplerOptions {
        band: 3.0..=5.0,
        norm: 0.5..=0.5,
        offsets: vec![0.25],
        random_flip: true,
        weights: FrequencyWeights::InverseRadius,
    };
    let sampler = WaveSampler::new(grid.clone(), &options).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut signs = [0; 3];
    for _ in 0..200 {
        let wave = sampler.draw(&mut rng);
        assert!((3.0..=5.0).contains(&grid.radius(wave.vector).unwrap()));
        assert_eq!((wave.norm, wave.phase), (0.5, FRAC_PI_4 + FRAC_PI_2));
        signs.iter_mut().zip(wave.flipped).for_each(|(n, flipped)| *n += usize::from(flipped));
    }
    // Each within 6σ of a half: false alarm 6e-9.
    assert!(signs.iter().all(|n| (*n as f64 - 100.0).abs() < 6.0 * 50f64.sqrt()), "{signs:?}");
    let bad = |options: WaveSamplerOptions| WaveSampler::new(grid.clone(), &options).is_err();
    let some = WaveSamplerOptions::default;
    assert!(bad(WaveSamplerOptions { offsets: vec![], ..some() }));
    assert!(bad(WaveSamplerOptions { offsets: vec![f64::NAN], ..some() }));
    assert!(bad(WaveSamplerOptions { norm: 2.0..=1.0, ..some() }));
    assert!(bad(WaveSamplerOptions { norm: -1.0..=1.0, ..some() }));
    // What is taken can be added to images of 8 bits; the bound is there, not in f32 alone.
    let (mut bytes, mut taken) =
        (Image::new(&ndarray::Array3::<u8>::zeros((1, 16, 16)), Layout::Chw).unwrap(), Vec::new());
    for norm in [1e35, 5e36, 7e36, 1e38, 1e40, 1e307, f64::MAX] {
        match WaveSampler::new(grid.clone(), &WaveSamplerOptions { norm: norm..=norm, ..some() }) {
            Ok(sampler) => {
                sampler.apply(&mut bytes, 1.0, &mut rng).unwrap();
                taken.push(norm);
            }
            Err(error) => assert!(error.to_string().contains("norm"), "{error}"),
        }
    }
    assert_eq!(taken, [1e35, 5e36]);
    assert!(bad(WaveSamplerOptions { band: 0.1..=0.9, ..some() }));
    // One pixel has no wave but the constant; beyond the largest grid nothing is made.
    for (height, width) in [(1, 1), (1 << 13, (1 << 12) + 1)] {
        let told = WaveSampler::new(Grid::new(height, width).unwrap(), &some()).unwrap_err().to_string();
        assert!(told.contains("grid") && told.contains("from 2 to 33554432 pixels"), "{told}");
    }
    // Copies have the same vectors in the same memory.
    let copy = sampler.clone();
    assert!(copy == sampler && std::ptr::eq(copy.vectors(), sampler.vectors()));
}
