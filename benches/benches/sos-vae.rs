//! One training step of SOS-VAE, the same with channels last and with bf16, and the likelihood in it: 64×64 grey, rank 25, batch
//! 64, the authors' networks at a quarter of their width. The peers' side is benches/peers/sos-vae.py.

use std::hint::black_box;

use criterion::{Criterion, criterion_group};
use variata_benches::training::Training;
use variata_benches::{given, spread};
use variata_models::tch::{Kind, Tensor, set_num_threads};
use variata_models::train::Constraint;
use variata_models::{
    Architecture, AutoencoderConfig, BottleneckConfig, ComputeConfig, EntropyConfig, EntropyOrigin,
    ImageShape, KlConfig, LowRankDiagonal, Observation, ObservationConfig,
};
use variata_torch_bridge::{drop_gradients, tensor_from_array};

const BATCH: usize = 64;
const SIDE: usize = 64;
const RANK: i64 = 25;
const EPSILON: f64 = 1e-5;

fn training(compute: ComputeConfig) -> Training {
    let held = |target| Constraint::at(target);
    let entropy = EntropyConfig {
        constraint: Some(held(5.5 * RANK as f64)),
        origin: EntropyOrigin::Floor,
        ..EntropyConfig::default()
    };
    let config = AutoencoderConfig {
        architecture: Architecture::Residual { widths: vec![16, 32, 64, 128] },
        latent: 128,
        bottleneck: BottleneckConfig::GaussianSoftplus { floor: 1e-5 },
        observation: ObservationConfig::LowRankNormal {
            rank: RANK,
            diagonal: LowRankDiagonal::Fixed { value: EPSILON },
        },
        kl: KlConfig::held(held(45.0)),
        entropy: Some(entropy),
        compute,
        ..AutoencoderConfig::default()
    };
    let image = ImageShape { channels: 1, height: SIDE as i64, width: SIDE as i64 };
    Training::new(&config, image, BATCH, 1e-4)
}

fn step(c: &mut Criterion) {
    set_num_threads(2);
    let mut group = c.benchmark_group("sos_vae");
    group.sample_size(10);
    for (name, channels_last, bf16) in
        [("step", false, false), ("step_channels_last", true, false), ("step_bf16", false, true)]
    {
        // Made when the row is asked for.
        let mut made = None;
        group.bench_function(format!("{name}/64x64x64"), |b| {
            let training = made.get_or_insert_with(|| training(ComputeConfig { channels_last, bf16 }));
            b.iter(|| training.step());
        });
    }
    let n = SIDE * SIDE;
    let leaf = |rows: usize, columns: usize, size: &[i64], seed: u64| {
        let values = given(tensor_from_array(spread(rows, columns, -0.1, 0.1, seed)));
        values.view(size).set_requires_grad(true)
    };
    let (batch, side) = (BATCH as i64, SIDE as i64);
    let mean = leaf(BATCH, n, &[batch, 1, side, side], 2);
    let factor = leaf(BATCH * RANK as usize, n, &[batch, RANK, n as i64], 3);
    let x = given(tensor_from_array(spread(BATCH, n, 0.0, 1.0, 4))).view([batch, 1, side, side]);
    group.bench_function("likelihood/64x64x64", |b| {
        b.iter(|| {
            let (mean, factor) = (mean.shallow_clone(), factor.shallow_clone());
            given(drop_gradients([&mean, &factor]));
            let seen = Observation::LowRankNormal {
                mean,
                cov_factor: factor.transpose(1, 2),
                cov_diag: Tensor::from(EPSILON as f32),
            };
            let (distortion, entropy) = given(seen.distortion_and_entropy(black_box(&x)));
            (distortion + entropy * 2.0).mean(Kind::Double).backward();
        });
    });
    group.finish();
}

criterion_group!(benches, step);
variata_benches::bound_main!(benches);
