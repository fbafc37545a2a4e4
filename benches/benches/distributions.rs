//! KL of diagonal normals, value and gradient, f32. The peers' side is benches/peers/distributions.py.
//!
//! Bound: each operand is read once and each gradient written once, 4·(inputs + gradients) bytes per element; both rows
//! stream some 8 to 17 MB and are bounded by memory, not by arithmetic (20 to 30 flops per element).

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use variata_benches::spread;
use variata_distributions::kl::StandardMultivariateNormal;
use variata_distributions::{DiagonalNormal, KlDivergence};

const ROWS: usize = 4096;
const DIM: usize = 128;
const ELEMENT: u64 = 4;

fn distribution(seed: u64) -> DiagonalNormal<f32> {
    let loc = spread(ROWS, DIM, -2.0, 2.0, seed);
    let scale = spread(ROWS, DIM, 0.5, 1.5, seed + 1);
    // The numbers are finite and the scales positive by construction.
    DiagonalNormal::new(loc, scale).unwrap_or_else(|e| unreachable!("{e}"))
}

fn kl(c: &mut Criterion) {
    let (p, q) = (distribution(1), distribution(3));
    let n = (ROWS * DIM) as u64;
    let mut group = c.benchmark_group("kl_diagonal_diagonal");
    group.throughput(Throughput::Bytes(ELEMENT * (8 * n + ROWS as u64)));
    group.bench_function("value_and_grad/4096x128", |b| {
        b.iter(|| black_box(&p).kl_with_grad(black_box(&q)));
    });
    group.finish();

    let mut group = c.benchmark_group("kl_diagonal_standard");
    group.throughput(Throughput::Bytes(ELEMENT * (4 * n + ROWS as u64)));
    group.bench_function("value_and_grad/4096x128", |b| {
        b.iter(|| black_box(&p).kl_with_grad(&StandardMultivariateNormal));
    });
    group.finish();
}

criterion_group!(benches, kl);
criterion_main!(benches);
