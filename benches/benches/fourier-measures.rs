//! Consistency of views, f32, and corruptions of u8 images. The peers' side is benches/peers/fourier-measures.py.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::{Array1, Array3, Array4};
use variata_benches::normal;
use variata_fourier_aug::{
    Corruption, corrupt, jensen_shannon_batch_with_grad, jensen_shannon_batch_with_grad_into,
};

/// What stops a bench: there is nobody to hand an error to.
fn given<T>(result: Result<T, impl std::fmt::Display>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

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

fn consistency(c: &mut Criterion) {
    let mut group = c.benchmark_group("fourier_measures");
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
    let mut group = c.benchmark_group("fourier_measures");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    let images = Array4::from_shape_fn((100, 32, 32, 3), |(n, y, x, c)| {
        ((y * 13 + x * 7 + c * 50 + n * 29 + (y * x * (c + 1)) % 23 * 4) % 256) as u8
    });
    for corruption in CORRUPTIONS {
        group.bench_function(format!("{}/100x32x32x3", corruption.name()), |b| {
            b.iter(|| given(corrupt(black_box(&images), corruption, 3, 0, 0)));
        });
    }
    group.finish();
}

criterion_group!(benches, consistency, corruptions);
criterion_main!(benches);
