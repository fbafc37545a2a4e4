//! Consistency of views and corruptions, f32. The peers' side is benches/peers/fourier-measures.py.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::Array3;
use variata_benches::normal;
use variata_fourier_aug::jensen_shannon_batch_with_grad;

/// What stops a bench: there is nobody to hand an error to.
fn given<T>(result: Result<T, impl std::fmt::Display>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

const VIEWS: [(usize, usize, usize); 2] = [(3, 4096, 1000), (3, 128, 10)];

fn consistency(c: &mut Criterion) {
    let mut group = c.benchmark_group("fourier_measures");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    for (views, batch, classes) in VIEWS {
        let logits = normal(views * batch, classes, 1);
        let logits: Array3<f32> = given(logits.into_shape_with_order((views, batch, classes)));
        group.bench_function(format!("jsd_value_and_grad/{views}x{batch}x{classes}"), |b| {
            b.iter(|| given(jensen_shannon_batch_with_grad(black_box(&logits), None)));
        });
    }
    group.finish();
}

criterion_group!(benches, consistency);
criterion_main!(benches);
