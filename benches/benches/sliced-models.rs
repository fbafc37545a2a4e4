//! One training step of the sliced generative models, with the logarithm of the distance and 50 directions: feed-forward networks
//! on 28×28 grey with 20 latents, and the authors' convolutions on 32×32 RGB with 64. The peers' side is
//! benches/peers/sliced-models.py.

use criterion::{Criterion, criterion_group};
use variata_benches::training::Training;
use variata_models::tch::set_num_threads;
use variata_models::{
    Architecture, AutoencoderConfig, BottleneckConfig, ImageShape, KlConfig, LatentDistance, Normality,
    ObservationConfig, RegularizerConfig,
};

const DIRECTIONS: usize = 50;

fn distance(model: &str) -> Option<LatentDistance> {
    let sliced = |normality| Some(LatentDistance::Sliced { normality, directions: DIRECTIONS });
    match model {
        "swae" => Some(LatentDistance::SlicedToDraws { directions: DIRECTIONS }),
        "scfwae" => sliced(Normality::Wasserstein),
        "scwae" => sliced(Normality::CramerWold),
        "scvmae" => sliced(Normality::CramerVonMises),
        "sksae" => sliced(Normality::KolmogorovSmirnov),
        "cwae" => Some(LatentDistance::CramerWold),
        "wae_mmd" => Some(LatentDistance::Mmd),
        _ => None,
    }
}

fn training(model: &str, convolutions: bool, batch: usize) -> Training {
    let (architecture, latent, image) = if convolutions {
        let image = ImageShape { channels: 3, height: 32, width: 32 };
        (Architecture::Conv2x2 { channels: 32, hidden: 128 }, 64, image)
    } else {
        let image = ImageShape { channels: 1, height: 28, width: 28 };
        (Architecture::Mlp { hidden: vec![200; 3] }, 20, image)
    };
    let config = AutoencoderConfig {
        architecture,
        latent,
        bottleneck: BottleneckConfig::Deterministic,
        observation: ObservationConfig::SquaredError,
        kl: KlConfig { weight: 0.0, ..KlConfig::default() },
        regularizer: distance(model).map(RegularizerConfig::new),
        ..AutoencoderConfig::default()
    };
    Training::new(&config, image, batch, 1e-3)
}

fn step(c: &mut Criterion) {
    set_num_threads(2);
    let mut group = c.benchmark_group("sliced_models");
    group.sample_size(20);
    let all = ["ae", "swae", "scfwae", "scwae", "scvmae", "sksae", "cwae", "wae_mmd"];
    let feed_forward = all.map(|model| (model, "mlp", 128));
    let convolutions = all.map(|model| (model, "conv", 128));
    for (model, networks, batch) in
        feed_forward.into_iter().chain([("scwae", "mlp", 512)]).chain(convolutions)
    {
        // Made when the row is asked for.
        let mut made = None;
        group.bench_function(format!("{model}/{networks}/{batch}"), |b| {
            let training = made.get_or_insert_with(|| training(model, networks == "conv", batch));
            b.iter(|| training.step());
        });
    }
    group.finish();
}

criterion_group!(benches, step);
variata_benches::bound_main!(benches);
