//! Quantisation, f32, on normal vectors and codes. The peers' side is benches/peers/quantize.py.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group};
use ndarray::Array2;
use variata_benches::{given, normal};
use variata_quantize::{Clusters, Codebook, Ema, Error, GumbelSoftmax, Metric, Noise, Smoothing};

const SIZES: [(usize, usize, usize); 2] = [(65536, 512, 64), (16384, 8192, 256)];

fn quantize(c: &mut Criterion) {
    let mut group = c.benchmark_group("quantize");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    for (n, k, d) in SIZES {
        let (z, codes): (Array2<f32>, Array2<f32>) = (normal(n, d, 1), normal(k, d, 2));
        let codebook = given(Codebook::new(codes, Metric::SquaredEuclidean));
        group.bench_function(format!("assign/{n}x{k}x{d}"), |b| {
            b.iter(|| given(codebook.assign(black_box(&z))));
        });
    }
    let (n, k, d) = SIZES[0];
    let (z, codes): (Array2<f32>, Array2<f32>) = (normal(n, d, 1), normal(k, d, 2));
    let codebook = given(Codebook::new(codes, Metric::SquaredEuclidean));
    group.bench_function(format!("ema_step/{n}x{k}x{d}"), |b| {
        let mut codebook = codebook.clone();
        let mut ema = given(Ema::new(&codebook, 0.8, Smoothing::Laplace(1e-5)));
        b.iter(|| {
            let quantized = codebook.quantize(black_box(&z))?;
            let mut clusters = Clusters::new(&codebook);
            clusters.add(&codebook, &z, &quantized.indices)?;
            ema.update(&mut codebook, &clusters)?;
            Ok::<_, Error>(quantized)
        });
    });
    let soft = GumbelSoftmax::default();
    let noise = Noise::Seeded { seed: 1, first_row: 0 };
    group.bench_function(format!("gumbel_forward/{n}x{k}x{d}"), |b| {
        b.iter(|| given(soft.forward(&codebook, black_box(&z), noise)));
    });
    group.bench_function(format!("gumbel_forward_backward/{n}x{k}x{d}"), |b| {
        b.iter(|| {
            let found = given(soft.forward(&codebook, black_box(&z), noise));
            given(soft.backward(&codebook, &z, noise, &found, &z))
        });
    });
    group.finish();
}

criterion_group!(benches, quantize);
variata_benches::bound_main!(benches);
