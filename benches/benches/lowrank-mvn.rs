//! Densities, gradients, samples and edits of the low-rank normal, f32. The peers' side is benches/peers/lowrank-mvn.py.
//!
//! Bound of `log_prob`: the factor is read once. Value and gradients: it is read twice and both of its gradients are written.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use half::bf16;
use ndarray::{Array2, Array3, ArrayView3};
use variata_benches::spread;
use variata_lowrank_mvn::{LogProbAndEntropy, LowRankMvn, Storage};

const RANK: usize = 25;
/// The SOS-VAE paper's diagonal.
const DIAG: f32 = 1e-5;
/// Batch and dimension: 64×64 and 128×128 pixels of 3 channels.
const SHAPES: [(usize, usize); 2] = [(32, 12288), (16, 49152)];

fn factor(batch: usize, n: usize) -> Array3<f32> {
    // The shape holds that many numbers.
    spread(batch * n, RANK, -1.0, 1.0, 3)
        .into_shape_with_order((batch, n, RANK))
        .unwrap_or_else(|e| unreachable!("{e}"))
}

struct Inputs {
    loc: Array2<f32>,
    x: Array2<f32>,
}

fn density<S: Storage>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    Inputs { loc, x }: &Inputs,
    factor: ArrayView3<'_, S>,
) {
    let (batch, n, _) = factor.dim();
    group.throughput(Throughput::Bytes((factor.len() * size_of::<S>() + 8 * batch * n) as u64));
    // As the peers, which switch their validation off.
    let new = || LowRankMvn::trusted(loc.view(), factor, DIAG).unwrap_or_else(|e| unreachable!("{e}"));
    group.bench_function(format!("log_prob{name}/{batch}x{n}"), |b| {
        b.iter(|| new().log_prob(black_box(x)));
    });
    // The memory of the gradients is there already, as in every training step but the first.
    let mut to = LogProbAndEntropy::zeros(&new());
    group.bench_function(format!("log_prob_and_entropy_with_grad_into{name}/{batch}x{n}"), |b| {
        b.iter(|| new().log_prob_and_entropy_with_grad_into(black_box(x), &mut to));
    });
}

fn densities(c: &mut Criterion) {
    let mut group = c.benchmark_group("lowrank_mvn");
    group.sample_size(20);
    for (batch, n) in SHAPES {
        let inputs = Inputs { loc: spread(batch, n, -1.0, 1.0, 1), x: spread(batch, n, -1.0, 1.0, 2) };
        let rows = factor(batch, n);
        density(&mut group, "", &inputs, rows.view());
        let columns = rows.view().permuted_axes([0, 2, 1]).as_standard_layout().into_owned();
        density(&mut group, "/columns", &inputs, columns.view().permuted_axes([0, 2, 1]));
        let halves = rows.mapv(bf16::from_f32);
        density(&mut group, "/bf16", &inputs, halves.view());
    }
    group.finish();
}

criterion_group!(benches, densities);
criterion_main!(benches);
