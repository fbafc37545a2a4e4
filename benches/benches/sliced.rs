//! Sliced distances with their gradients, f32, on normal samples. The peers' side is benches/peers/sliced.py.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group};
use ndarray::Array2;
use variata_benches::{given, normal};
use variata_sliced::{
    Bandwidth, CramerWold, Directions, Discrepancy, Distance, Mmd, MmdEstimator, SphereMean, TwoSample,
};

const SIZES: [(usize, usize, usize); 3] = [(128, 64, 50), (1024, 64, 200), (16384, 128, 200)];
const DIRECT: [(usize, usize); 3] = [(128, 64), (1024, 64), (2048, 512)];

fn sliced(c: &mut Criterion) {
    let mut group = c.benchmark_group("sliced");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    for (n, d, l) in SIZES {
        let (x, y): (Array2<f32>, Array2<f32>) = (normal(n, d, 1), normal(n, d, 2));
        let directions = given(Directions::uniform(l, d, 3));
        let of = |distance: Distance| Discrepancy::new(distance);
        let rows = [
            ("wasserstein2", of(Distance::WASSERSTEIN_2)),
            ("cramer_wold", of(Distance::CRAMER_WOLD)),
            ("cramer_von_mises", of(Distance::CramerVonMises)),
            ("kolmogorov_smirnov", of(Distance::KolmogorovSmirnov)),
            ("anderson_darling", of(Distance::AndersonDarling)),
        ];
        for (name, discrepancy) in rows {
            group.bench_function(format!("{name}/{n}x{d}x{l}"), |b| {
                b.iter(|| given(discrepancy.sliced_with_grad(black_box(&x), &directions)));
            });
        }
        group.bench_function(format!("two_sample_wasserstein2/{n}x{d}x{l}"), |b| {
            b.iter(|| given(TwoSample::SQUARED.sliced_with_grad_x(black_box(&x), &y, &directions)));
        });
    }
    group.finish();
}

fn direct(c: &mut Criterion) {
    let mut group = c.benchmark_group("sliced/direct");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    for (n, d) in DIRECT {
        let (x, y): (Array2<f32>, Array2<f32>) = (normal(n, d, 1), normal(n, d, 2));
        for (name, sphere_mean) in
            [("cramer_wold", SphereMean::Asymptotic), ("cramer_wold_exact", SphereMean::Exact)]
        {
            let distance = CramerWold { bandwidth: Bandwidth::Silverman, sphere_mean };
            group.bench_function(format!("{name}/{n}x{d}"), |b| {
                b.iter(|| given(distance.value_with_grad(black_box(&x))));
            });
        }
        let mmd = given(Mmd::inverse_multiquadric(d, MmdEstimator::Unbiased));
        group.bench_function(format!("mmd/{n}x{d}"), |b| {
            b.iter(|| given(mmd.value_with_grad(black_box(&x), &y)));
        });
    }
    group.finish();
}

criterion_group!(benches, sliced, direct);
variata_benches::bound_main!(benches);
