//! Densities, gradients, samples and edits of the low-rank normal, f32. The peers' side is benches/peers/lowrank-mvn.py.
//!
//! Bound of `log_prob`: the factor is read once. Value and gradients: it is read twice and both of its gradients are written.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group};
use half::bf16;
use ndarray::{Array1, Array2, Array3, ArrayView3, s};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use variata_benches::spread;
use variata_lowrank_mvn::{
    EditSession, LogProbAndEntropy, LowRankMvn, LowRankMvnLogProbGrad, Observation, Storage,
};

const RANK: usize = 25;
/// The SOS-VAE paper's diagonal.
const DIAG: f32 = 1e-5;
/// Entries that are given a value.
const EDITS: usize = 2048;
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
    factor: &ArrayView3<'_, S>,
) {
    let (batch, n, _) = factor.dim();
    group.throughput(Throughput::Bytes((factor.len() * size_of::<S>() + 8 * batch * n) as u64));
    // As the peers, which switch their validation off.
    let new = || LowRankMvn::trusted(loc.view(), factor.view(), DIAG).unwrap_or_else(|e| unreachable!("{e}"));
    group.bench_function(format!("log_prob{name}/{batch}x{n}"), |b| {
        b.iter(|| new().log_prob(black_box(x)));
    });
    // The memory of the gradients is there already, as in every training step but the first.
    let mut to = LogProbAndEntropy::zeros(&new());
    group.bench_function(format!("log_prob_and_entropy_with_grad_into{name}/{batch}x{n}"), |b| {
        b.iter(|| new().log_prob_and_entropy_with_grad_into(black_box(x), &mut to));
    });
    // One gradient of both, as backward passes have it: of the sum, in which D⁻¹PC⁻¹ cancels, and of a weighted sum.
    let (mut to, ones) = (LowRankMvnLogProbGrad::zeros(&new()), Array1::ones(batch));
    for (what, of_entropy) in
        [("backward", ones.clone()), ("backward_weighted", Array1::from_elem(batch, 0.5))]
    {
        group.bench_function(format!("{what}{name}/{batch}x{n}"), |b| {
            b.iter(|| {
                new().weighted_log_prob_and_entropy_with_grad_into(
                    black_box(x),
                    [&ones, &of_entropy],
                    &mut to,
                )
            });
        });
    }
}

fn densities(c: &mut Criterion) {
    let mut group = c.benchmark_group("lowrank_mvn");
    group.sample_size(20);
    for (batch, n) in SHAPES {
        let inputs = Inputs { loc: spread(batch, n, -1.0, 1.0, 1), x: spread(batch, n, -1.0, 1.0, 2) };
        let rows = factor(batch, n);
        density(&mut group, "", &inputs, &rows.view());
        let columns = rows.view().permuted_axes([0, 2, 1]).as_standard_layout().into_owned();
        density(&mut group, "/columns", &inputs, &columns.view().permuted_axes([0, 2, 1]));
        let halves = rows.mapv(bf16::from_f32);
        density(&mut group, "/bf16", &inputs, &halves.view());
    }
    group.finish();
}

/// A pseudorandom set of entries, and values for them.
fn edits(n: usize, count: usize, seed: u64) -> Vec<Observation> {
    let values = spread(1, count, -1.0, 1.0, seed);
    let step = n / count;
    let places = spread(1, count, 0.0, step as f32, seed + 1);
    let entry =
        |(k, (v, at)): (usize, (&f32, &f32))| Observation::exact(k * step + *at as usize, f64::from(*v));
    values.iter().zip(&places).enumerate().map(entry).collect()
}

/// Draws, noise included, and edits of one image with the image that follows.
fn images(c: &mut Criterion) {
    let mut group = c.benchmark_group("lowrank_mvn");
    let (batch, n) = SHAPES[1];
    let (loc, factor) = (spread(batch, n, -1.0, 1.0, 1), factor(batch, n));
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    // Made anew for each draw, as by the peer: in a training step its parameters are new.
    group.bench_function(format!("sample/{batch}x{n}"), |b| {
        b.iter(|| LowRankMvn::new(black_box(loc.view()), factor.view(), DIAG).map(|p| p.sample(&mut rng)));
    });
    let one = LowRankMvn::new(loc.slice(s![..1, ..]), factor.slice(s![..1, .., ..]), DIAG)
        .unwrap_or_else(|e| unreachable!("{e}"));
    let all = edits(n, EDITS, 5);
    let indices: Vec<usize> = all.iter().map(|o| o.index).collect();
    let values = Array2::from_shape_fn((1, EDITS), |(_, k)| all[k].value as f32);
    group.bench_function(format!("condition/{EDITS}of{n}"), |b| {
        b.iter(|| one.condition(black_box(&indices), &values).map(|posterior| posterior.mean()));
    });
    // A stroke of 64 entries after 31 others of as many.
    let mut session = EditSession::new(&one, 0).unwrap_or_else(|e| unreachable!("{e}"));
    let mut strokes = all.chunks(EDITS / 32);
    let last = strokes.next_back().unwrap_or_default();
    strokes.for_each(|stroke| session.paint(stroke).unwrap_or_else(|e| unreachable!("{e}")));
    group.bench_function(format!("stroke/{EDITS}of{n}"), |b| {
        b.iter(|| {
            session.paint(black_box(last)).unwrap_or_else(|e| unreachable!("{e}"));
            let image = session.image();
            session.undo();
            image
        });
    });
    group.finish();
}

criterion_group!(benches, densities, images);
variata_benches::bound_main!(benches);
