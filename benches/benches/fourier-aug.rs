//! AugMix of batches, batches of plane waves, consistency of views, and corruptions. The peers' side is benches/peers/fourier-aug.py.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group};
use ndarray::{Array1, Array3, Array4};
use variata_benches::{given, normal};
use variata_fourier_aug::{
    AugMix, AugMixOptions, AugmentationSet, Corruption, Grid, Layout, Normalize, Pipeline, PlaneWave,
    WaveSampler, WaveSamplerOptions, corrupt, jensen_shannon_batch_with_grad,
    jensen_shannon_batch_with_grad_into,
};

/// Images and side.
const BATCHES: [(usize, usize); 2] = [(128, 32), (8, 224)];
const VIEWS: [(usize, usize, usize); 2] = [(3, 4096, 1000), (3, 128, 10)];
const CORRUPTIONS: [Corruption; 8] = [
    Corruption::GaussianNoise,
    Corruption::ShotNoise,
    Corruption::GaussianBlur,
    Corruption::ZoomBlur,
    Corruption::Contrast,
    Corruption::ElasticTransform,
    Corruption::Pixelate,
    Corruption::JpegCompression,
];

/// Images [n, side, side, 3], the same on both sides.
fn pictures(n: usize, side: usize) -> Array4<u8> {
    Array4::from_shape_fn((n, side, side, 3), |(n, y, x, c)| {
        ((y * 13 + x * 7 + c * 50 + n * 29 + (y * x * (c + 1)) % 23 * 4) % 256) as u8
    })
}

fn augmix(c: &mut Criterion) {
    let mut group = c.benchmark_group("fourier_aug");
    group.sample_size(10);
    for (n, side) in BATCHES {
        let images = pictures(n, side);
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
        let mut out = Array3::<f32>::zeros((n, side, side));
        group.bench_function(format!("plane_waves/{n}x{side}x{side}"), |b| {
            b.iter(|| given(grid.write_waves(black_box(&waves), &mut out)));
        });
    }
    group.finish();
}

fn consistency(c: &mut Criterion) {
    let mut group = c.benchmark_group("fourier_aug");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    for (views, batch, classes) in VIEWS {
        let logits = normal(views * batch, classes, 1);
        let logits: Array3<f32> = given(logits.into_shape_with_order((views, batch, classes)));
        let size = format!("{views}x{batch}x{classes}");
        group.bench_function(format!("jsd_value_and_grad/{size}"), |b| {
            b.iter(|| given(jensen_shannon_batch_with_grad(black_box(&logits), None)));
        });
        let (mut values, mut grad) = (Array1::zeros(batch), Array3::zeros(logits.raw_dim()));
        group.bench_function(format!("jsd_value_and_grad_into/{size}"), |b| {
            b.iter(|| {
                let logits = black_box(&logits);
                given(jensen_shannon_batch_with_grad_into(logits, None, &mut values, &mut grad));
            });
        });
    }
    group.finish();
}

fn corruptions(c: &mut Criterion) {
    let mut group = c.benchmark_group("fourier_aug");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    let images = pictures(100, 32);
    for corruption in CORRUPTIONS {
        group.bench_function(format!("{}/100x32x32x3", corruption.name()), |b| {
            b.iter(|| given(corrupt(black_box(&images), corruption, 3, 0, 0)));
        });
    }
    group.finish();
}

criterion_group!(benches, augmix, waves, consistency, corruptions);
variata_benches::bound_main!(benches);
