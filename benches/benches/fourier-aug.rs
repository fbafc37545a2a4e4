//! AugMix of batches, and batches of plane waves. The peers' side is benches/peers/fourier-aug.py.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::{Array3, Array4};
use variata_fourier_aug::{
    AugMix, AugMixOptions, AugmentationSet, Grid, Layout, Normalize, Pipeline, PlaneWave, PlaneWaves,
    WaveSampler, WaveSamplerOptions,
};

/// What stops a bench: there is nobody to hand an error to.
fn given<T>(result: Result<T, impl std::fmt::Display>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// Images and side.
const BATCHES: [(usize, usize); 2] = [(128, 32), (8, 224)];

fn augmix(c: &mut Criterion) {
    let mut group = c.benchmark_group("fourier_aug");
    group.sample_size(10);
    for (n, side) in BATCHES {
        let images = Array4::from_shape_fn((n, side, side, 3), |(n, y, x, c)| {
            ((y * 13 + x * 7 + c * 50 + n * 29 + (y * x * (c + 1)) % 23 * 4) % 256) as u8
        });
        let waves = given(WaveSampler::new(given(Grid::new(side, side)), &WaveSamplerOptions::default()));
        let augmix = given(AugMix::new(AugmentationSet::AugSV.operations(&waves), AugMixOptions::default()));
        let pipeline = given(Pipeline::new(Layout::Hwc, None, Some(augmix), Normalize::default()));
        let mut first = 0;
        group.bench_function(format!("augmix/{n}x{side}x{side}x3"), |b| {
            b.iter(|| {
                first += n as u64;
                given(pipeline.augment(black_box(&images), 1, first))
            });
        });
    }
    group.finish();
}

fn waves(c: &mut Criterion) {
    let mut group = c.benchmark_group("fourier_aug");
    group.sample_size(10);
    for (n, side) in BATCHES {
        let n = 8 * n;
        let grid = given(Grid::new(side, side));
        let vectors: Vec<_> = grid.distinct().collect();
        let waves: Vec<PlaneWave> = (0..n)
            .map(|i| PlaneWave::aligned(vectors[i * 131 % vectors.len()], std::f64::consts::FRAC_PI_4, 1.5))
            .collect();
        let maker = PlaneWaves::new(grid);
        let mut out = Array3::<f32>::zeros((n, side, side));
        group.bench_function(format!("plane_waves/{n}x{side}x{side}"), |b| {
            b.iter(|| given(maker.write(black_box(&waves), &mut out)));
        });
    }
    group.finish();
}

criterion_group!(benches, augmix, waves);
criterion_main!(benches);
