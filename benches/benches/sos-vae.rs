//! One training step of SOS-VAE, the same with channels last and with bf16, and the likelihood in it: 64×64 grey, rank 25, batch
//! 64, the authors' networks at a quarter of their width. The peers' side is benches/peers/sos-vae.py.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::Array4;
use variata_benches::spread;
use variata_datasets::{Batch, ImageDataset, Loader, LoaderOptions, Position};
use variata_models::tch::{Device, Kind, Tensor, set_num_threads};
use variata_models::train::{Adam, AdamConfig, Constraint, Multipliers, StepContext, Trainable};
use variata_models::{
    Architecture, Autoencoder, AutoencoderConfig, BottleneckConfig, ComputeConfig, EntropyConfig,
    EntropyOrigin, ImageShape, KlConfig, LowRankDiagonal, Noise, Observation, ObservationConfig,
};
use variata_torch_bridge::tensor_from_array;

const BATCH: usize = 64;
const SIDE: usize = 64;
const RANK: i64 = 25;
const EPSILON: f64 = 1e-5;

/// What stops a bench: there is nobody to hand an error to.
fn given<T>(result: Result<T, impl std::fmt::Display>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn batch() -> Batch {
    let pixels = spread(BATCH, SIDE * SIDE, 0.0, 256.0, 1).mapv(|v| v as u8);
    let images = given(Array4::from_shape_vec((BATCH, 1, SIDE, SIDE), pixels.into_iter().collect()));
    let data = Arc::new(given(ImageDataset::new("noise", images, vec![0; BATCH], 1, u8::MAX)));
    let options = LoaderOptions { batch_size: BATCH, prefetch: 0, ..LoaderOptions::default() };
    let loader = given(Loader::new(data, (0..BATCH).collect::<Vec<_>>(), options));
    let first = given(loader.epoch(Position::epoch(0))).next();
    given(first.unwrap_or_else(|| unreachable!("an epoch has a batch")))
}

/// A model in training.
struct Training {
    model: Autoencoder,
    adam: Adam,
    multipliers: Multipliers,
    batch: Batch,
    number: u64,
}

impl Training {
    fn new(compute: ComputeConfig) -> Self {
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
        let model = given(Autoencoder::new(&config, image, 1, 0, Device::Cpu));
        let settings = AdamConfig { learning_rate: 1e-4, ..AdamConfig::default() };
        let adam = given(Adam::new(settings, model.parameters()));
        Self { model, adam, multipliers: Multipliers::default(), batch: batch(), number: 0 }
    }

    fn step(&mut self) {
        let Self { model, adam, multipliers, batch, number } = self;
        let context = StepContext { step: *number, draw: *number, noise: Noise::new(0) };
        adam.zero_grad();
        let objective = given(model.objective(black_box(batch), &context));
        let values = objective.values();
        let weights: Vec<f64> = objective
            .terms
            .iter()
            .zip(&values)
            .map(|(term, value)| {
                let Some(constraint) = &term.constraint else { return term.weight };
                let weight = term.weight + multipliers.coefficient(term.name, *value, constraint);
                multipliers.ascend(term.name, *value, constraint);
                weight
            })
            .collect();
        if let Some(loss) = objective.loss(&weights) {
            loss.backward();
        }
        given(adam.step(1.0));
        *number += 1;
    }
}

fn step(c: &mut Criterion) {
    set_num_threads(2);
    let mut group = c.benchmark_group("sos_vae");
    group.sample_size(10);
    for (name, channels_last, bf16) in
        [("step", false, false), ("step_channels_last", true, false), ("step_bf16", false, true)]
    {
        // Made when the row is asked for.
        let mut training = None;
        group.bench_function(format!("{name}/64x64x64"), |b| {
            let training =
                training.get_or_insert_with(|| Training::new(ComputeConfig { channels_last, bf16 }));
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
            let (mut mean, mut factor) = (mean.shallow_clone(), factor.shallow_clone());
            mean.zero_grad();
            factor.zero_grad();
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
criterion_main!(benches);
