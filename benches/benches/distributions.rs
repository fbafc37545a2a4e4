//! KL of diagonal normals, value and gradient, f32. The peers' side is benches/peers/distributions.py.
//!
//! Bound: each operand is read once and each gradient written once, 4·(inputs + gradients) bytes per element; the rows
//! stream some 8 to 17 MB, at 20 to 30 flops per element in the peers' form; memory and arithmetic cost about the same.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group};
use variata_benches::spread;
use variata_distributions::kl::{kl_standard_normal_with_grad, kl_standard_normal_with_grad_into};
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
    // The plain form asks for the memory of its results on every call, `_into` never.
    let mut group = c.benchmark_group("kl_diagonal_diagonal");
    group.throughput(Throughput::Bytes(ELEMENT * (8 * n + ROWS as u64)));
    group.bench_function("value_and_grad/4096x128", |b| {
        b.iter(|| black_box(&p).kl_with_grad(black_box(&q)));
    });
    // The shapes are equal by construction, here and below.
    let (mut value, mut grad) = p.kl_with_grad(&q).unwrap_or_else(|e| unreachable!("{e}"));
    group.bench_function("value_and_grad_into/4096x128", |b| {
        b.iter(|| black_box(&p).kl_with_grad_into(black_box(&q), &mut value, &mut grad));
    });
    group.finish();

    let (loc, log_variance) = (spread(ROWS, DIM, -2.0, 2.0, 1), spread(ROWS, DIM, -2.0, 2.0, 2));
    let mut group = c.benchmark_group("kl_diagonal_standard");
    group.throughput(Throughput::Bytes(ELEMENT * (4 * n + ROWS as u64)));
    group.bench_function("value_and_grad/4096x128", |b| {
        b.iter(|| kl_standard_normal_with_grad(black_box(&loc), black_box(&log_variance)));
    });
    let (mut value, mut grad) =
        kl_standard_normal_with_grad(&loc, &log_variance).unwrap_or_else(|e| unreachable!("{e}"));
    group.bench_function("value_and_grad_into/4096x128", |b| {
        b.iter(|| {
            kl_standard_normal_with_grad_into(
                black_box(&loc),
                black_box(&log_variance),
                &mut value,
                &mut grad,
            )
        });
    });
    group.finish();
}

criterion_group!(benches, kl);
variata_benches::bound_main!(benches);
