//! One training step of VQ-Diff, also with channels last, and of the plain autoencoder with the same networks: 16 bundles of 64 streamlines of 64 points, the
//! sizes of the paper's code. The peers' side is benches/peers/vq-diff.py.

use criterion::{Criterion, criterion_group};
use variata_benches::given;
use variata_benches::training::MapTraining;
use variata_models::tch::set_num_threads;
use variata_models::{ComputeConfig, GumbelConfig, MapBottleneckConfig, MapConfig};

const BATCH: usize = 16;

fn step(c: &mut Criterion) {
    set_num_threads(2);
    let mut group = c.benchmark_group("vq_diff");
    group.sample_size(10);
    let gumbel = MapBottleneckConfig::GumbelSoftmax(GumbelConfig::default());
    let rows = [
        ("step", gumbel, false),
        ("step_channels_last", gumbel, true),
        ("step_ae", MapBottleneckConfig::Deterministic, false),
    ];
    for (name, bottleneck, channels_last) in rows {
        // Made when the row is asked for.
        let mut made = None;
        group.bench_function(format!("{name}/{BATCH}x3x64x64"), |b| {
            let compute = ComputeConfig { channels_last, ..ComputeConfig::default() };
            let config = MapConfig { bottleneck, compute, ..MapConfig::default() };
            let training: &mut MapTraining = made.get_or_insert_with(|| MapTraining::new(&config, BATCH));
            b.iter(|| given(training.step()));
        });
    }
    group.finish();
}

criterion_group!(benches, step);
variata_benches::bound_main!(benches);
