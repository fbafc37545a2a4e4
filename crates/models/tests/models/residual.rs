//! The residual networks: sizes, the authors' parameter counts, batch norm in training and afterwards.

use variata_models::nn::{Decoder, Encoder, Pass};
use variata_models::tch::{Device, Kind, Tensor};
use variata_models::train::{TrainConfig, Trainable, Trainer, Workers};
use variata_models::{
    Architecture, Autoencoder, AutoencoderConfig, Condition, Error, ImageShape, Init, Noise,
    ObservationConfig, Parameters,
};

use crate::{DIGIT, bits, loader, tiny_config};

fn residual(widths: &[i64]) -> Architecture {
    Architecture::Residual { widths: widths.to_vec() }
}

#[test]
fn the_full_network_has_the_authors_numbers_of_parameters() {
    let image = ImageShape { channels: 3, height: 218, width: 178 };
    let (latent, rank) = (128, 25);
    let mut parameters = Parameters::new(Noise::new(0), Device::Cpu);
    let widths = residual(&[64, 128, 256, 512]);
    let mut root = parameters.root();
    let encoder = Encoder::new(&mut root.sub("encoder"), &widths, image, 0).unwrap();
    let heads = 2 * (encoder.features() * latent + latent);
    let count = |p: &Parameters, prefix: &str| -> i64 {
        p.trained().filter(|(name, _)| name.starts_with(prefix)).map(|(_, t)| t.numel() as i64).sum()
    };
    let planes = image.channels * (1 + rank);
    Decoder::new(&mut root.sub("decoder"), &widths, image, (planes, Init::lecun), latent).unwrap();
    let of_heads = count(&parameters, "decoder.heads");
    assert_eq!(count(&parameters, "encoder") + heads, 11_566_848);
    assert_eq!(count(&parameters, "decoder") - of_heads, 19_467_136);
    assert_eq!(of_heads, 5_070);
}

#[test]
fn images_of_any_size_come_back_in_their_size() {
    for (channels, height, width) in [(1, 1, 1), (3, 5, 7), (1, 64, 64), (3, 27, 22), (1, 2, 33)] {
        let image = ImageShape { channels, height, width };
        for observation in [ObservationConfig::SquaredError, ObservationConfig::default()] {
            for conditional in [false, true] {
                let config = AutoencoderConfig {
                    architecture: residual(&[2, 3, 4]),
                    observation,
                    conditional,
                    ..tiny_config()
                };
                let model = Autoencoder::new(&config, image, 3, 0, Device::Cpu).unwrap();
                let x = Tensor::full([2, channels, height, width], 0.5, (Kind::Float, Device::Cpu));
                let condition = model.condition(&[0, 2]).unwrap();
                let code = model.encode(&x, condition.as_ref()).unwrap().code;
                let seen = model.decode(&code.mean, condition.as_ref()).unwrap();
                assert_eq!(seen.mean().size(), x.size());
            }
        }
    }
}

/// Training uses the batch and moves the running statistics; evaluation uses those and moves nothing.
#[test]
fn statistics_move_in_training_alone() {
    let mut parameters = Parameters::new(Noise::new(0), Device::Cpu);
    let encoder = Encoder::new(&mut parameters.root(), &residual(&[3, 4]), DIGIT, 0).unwrap();
    let x = Noise::new(1).normal(variata_models::Purpose::Report, 0, 0..60, 64, Device::Cpu).unwrap();
    let x = x.view([60, 1, 8, 8]) * 5.0;
    let statistics = || -> Vec<f64> {
        let running = parameters.iter().filter(|(name, _)| name.contains("running"));
        running.map(|(_, t)| t.sum(Kind::Double).double_value(&[])).collect()
    };
    let before = statistics();
    let evaluated = encoder.forward(&x, None, Pass::Evaluation).unwrap();
    assert_eq!(statistics(), before);
    let trained = encoder.forward(&x, None, Pass::Training(&Workers::alone())).unwrap();
    assert!(statistics().iter().zip(&before).all(|(now, then)| now != then));
    assert!((&evaluated - &trained).abs().max().double_value(&[]) > 1e-3);
    // After many passes over one batch its statistics are the running ones.
    for _ in 0..200 {
        let _ = encoder.forward(&x, None, Pass::Training(&Workers::alone())).unwrap();
    }
    let settled = encoder.forward(&x, None, Pass::Evaluation).unwrap();
    // Running variances divide by n − 1, those of a batch by n: half of 1/3840 for each of four layers, half of 1/960 for four.
    let apart = (&settled - &trained).abs().max() / trained.abs().max();
    assert!(apart.double_value(&[]) < 5e-3, "{apart}");
}

/// One image whose last maps are one pixel: a variance over one value.
#[test]
fn statistics_of_one_value_stay_finite() {
    let mut parameters = Parameters::new(Noise::new(0), Device::Cpu);
    let image = ImageShape { height: 2, width: 2, ..DIGIT };
    let encoder = Encoder::new(&mut parameters.root(), &residual(&[3, 4]), image, 0).unwrap();
    let x = Tensor::from_slice(&[0.1f32, 0.9, 0.4, 0.2]).view([1, 1, 2, 2]);
    let seen = encoder.forward(&x, None, Pass::Training(&Workers::alone())).unwrap();
    for (name, tensor) in parameters.iter().chain([("features", &seen)]) {
        assert!(tensor.sum(Kind::Double).double_value(&[]).is_finite(), "{name}");
    }
}

#[test]
fn a_residual_model_learns_and_validation_changes_nothing() {
    let config = AutoencoderConfig { architecture: residual(&[4, 8]), ..tiny_config() };
    let model = Autoencoder::new(&config, DIGIT, 10, 0, Device::Cpu).unwrap();
    let train = loader(200, 50);
    let settings = TrainConfig { epochs: 30, ..TrainConfig::default() };
    let outcome = Trainer::new(&model, &train, settings, 0).validation(&train).run().unwrap();
    let first = outcome.history[0].train("distortion").unwrap();
    let last = outcome.history[29].train("distortion").unwrap();
    assert!(last < 0.75 * first, "{first} to {last}");
    let before = bits(&model);
    let batch = train.epoch(variata_datasets::Position::default()).unwrap().next().unwrap().unwrap();
    let context = variata_models::train::StepContext::new(0, 0, Noise::new(0));
    variata_torch_bridge::no_grad(|| model.validate(&batch, &context)).unwrap();
    assert_eq!(bits(&model), before);
}

/// Of a network of one's own, where no model has checked before.
#[test]
fn what_does_not_fit_a_network_is_an_error() {
    let image = ImageShape { channels: 1, height: 8, width: 8 };
    let mut parameters = Parameters::new(Noise::new(0), Device::Cpu);
    let architectures = [
        Architecture::Mlp { hidden: vec![4] },
        Architecture::Conv { channels: vec![2], hidden: vec![4] },
        Architecture::Conv2x2 { channels: 2, hidden: 4 },
        Architecture::Residual { widths: vec![2, 4] },
    ];
    let zeros = |size: &[i64], kind| Tensor::zeros(size, (kind, Device::Cpu));
    for (i, architecture) in architectures.iter().enumerate() {
        let mut root = parameters.root();
        let mut path = root.sub(&i.to_string());
        let encoder = Encoder::new(&mut path.sub("encoder"), architecture, image, 2).unwrap();
        let heads = (1, Init::he as fn(i64) -> Init);
        let decoder = Decoder::new(&mut path.sub("decoder"), architecture, image, heads, 3).unwrap();
        let labels = Condition::one_hot(&[0, 1], 2, Device::Cpu).unwrap();
        let encode = |x: &Tensor, condition| encoder.forward(x, condition, Pass::Evaluation);
        let x = zeros(&[2, 1, 8, 8], Kind::Float);
        assert_eq!(encode(&x, Some(&labels)).unwrap().size(), [2, encoder.features()]);
        let sparse = x.to_sparse(None, None::<i64>, None);
        assert!(matches!(encode(&sparse, Some(&labels)), Err(Error::Tensor(_))));
        for size in [&[2, 1, 8, 7][..], &[2, 64], &[]] {
            let found = encode(&zeros(size, Kind::Float), Some(&labels));
            assert!(matches!(found, Err(Error::Shape { argument: "x", .. })), "{found:?}");
        }
        for (x, condition) in [(&x, None), (&zeros(&[3, 1, 8, 8], Kind::Float), Some(&labels))] {
            let found = encode(x, condition);
            assert!(matches!(found, Err(Error::Shape { argument: "condition", .. })), "{found:?}");
        }
        let found = encode(&zeros(&[2, 1, 8, 8], Kind::Double), Some(&labels));
        assert!(matches!(found, Err(Error::Tensor(_))), "{architecture:?} {found:?}");
        assert_eq!(
            decoder.forward(&zeros(&[2, 3], Kind::Float), Pass::Evaluation).unwrap().size(),
            [2, 1, 8, 8]
        );
        let found = decoder.forward(&zeros(&[2, 4], Kind::Float), Pass::Evaluation);
        assert!(matches!(found, Err(Error::Shape { argument: "code", .. })), "{found:?}");
        let found = decoder.forward(&zeros(&[2, 3], Kind::Double), Pass::Evaluation);
        assert!(matches!(found, Err(Error::Tensor(_))), "{architecture:?} {found:?}");
    }
}
