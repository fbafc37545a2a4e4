//! Other memory formats and narrower arithmetic: the same model up to the digits that they have.

use variata_datasets::Position;
use variata_models::tch::{Device, Kind, Tensor};
use variata_models::train::{CheckpointStore, StepContext, TrainConfig, Trainable, Trainer};
use variata_models::{
    Architecture, Autoencoder, AutoencoderConfig, ComputeConfig, EntropyConfig, Error, LowRankDiagonal,
    Noise, Observation, ObservationConfig,
};

use crate::{DIGIT, bits, loader, tiny_config};

const LAST: ComputeConfig = ComputeConfig { channels_last: true, bf16: false };
const NARROW: ComputeConfig = ComputeConfig { channels_last: false, bf16: true };
const BOTH: ComputeConfig = ComputeConfig { channels_last: true, bf16: true };
const LOW_RANK: ObservationConfig =
    ObservationConfig::LowRankNormal { rank: 9, diagonal: LowRankDiagonal::Fixed { value: 1e-2 } };

fn residual(widths: &[i64]) -> AutoencoderConfig {
    AutoencoderConfig { architecture: Architecture::Residual { widths: widths.to_vec() }, ..tiny_config() }
}

fn model(config: &AutoencoderConfig, compute: ComputeConfig) -> Result<Autoencoder, Error> {
    let config = AutoencoderConfig { compute, ..config.clone() };
    Autoencoder::new(&config, DIGIT, 10, 3, Device::Cpu)
}

/// The terms of a training step on 60 digits, and the gradient of their sum in all parameters.
fn step(config: &AutoencoderConfig, compute: ComputeConfig) -> (Vec<f64>, Tensor) {
    let model = model(config, compute).unwrap();
    let batch = loader(60, 60).epoch(Position::default()).unwrap().next().unwrap().unwrap();
    let context = StepContext::new(0, 0, Noise::new(0));
    let objective = model.objective(&batch, &context).unwrap();
    objective.loss(&vec![1.0; objective.terms.len()]).unwrap().backward();
    let parts: Vec<Tensor> = model.parameters().trained().map(|(_, t)| t.grad().reshape([-1])).collect();
    (objective.values(), Tensor::cat(&parts, 0).to_kind(Kind::Double))
}

/// Terms. With channels last they are sums of f32 in another order: a few units of 2⁻²⁴ per layer. A layer in bf16 rounds what it is
/// given and what it gives by 2⁻⁹ at the most; over some twenty layers such errors add up as a random walk does, to √40·2⁻⁹ ≈ 1.2 %
/// of an activation, and by half a percent at the most in terms, which are sums of many.
///
/// The gradient. Where the argument of a ReLU is within an error δ of 0, one passes and the other does not: a share of about δ of all
/// of them, which changes the gradient by √δ in each layer. Over twenty layers that is √20·√1e-6 ≈ 4e-3 in f32 and
/// √20·√3e-3 ≈ 0.25 in bf16, with a quarter of the error above for a layer in the middle; the bounds are twice that and more.
#[test]
fn channels_last_and_bf16_give_the_same_up_to_their_digits() {
    let entropy = Some(EntropyConfig::default());
    for base in [
        residual(&[16, 6]),
        AutoencoderConfig {
            architecture: Architecture::Conv { channels: vec![4, 6], hidden: vec![12] },
            ..tiny_config()
        },
        tiny_config(),
    ] {
        for config in [base.clone(), AutoencoderConfig { observation: LOW_RANK, entropy, ..base.clone() }] {
            let (terms, gradient) = step(&config, ComputeConfig::default());
            for (compute, of_terms, of_gradient) in
                [(LAST, 1e-5, 2e-2), (NARROW, 1e-2, 0.5), (BOTH, 1e-2, 0.5)]
            {
                let (found, slope) = step(&config, compute);
                let errors = found.iter().zip(&terms).map(|(got, want)| (got - want).abs() / want.abs());
                let worst = errors.fold(0.0, f64::max);
                assert!(worst < of_terms, "{config:?}, {compute:?}: {found:?} {terms:?}");
                // It has been at work.
                assert_eq!(worst > 1e-5, compute.bf16, "{config:?}, {compute:?}: {worst}");
                let apart = ((&slope - &gradient).norm() / gradient.norm()).double_value(&[]);
                assert!(apart < of_gradient, "{config:?}, {compute:?}: {apart}");
            }
        }
    }
}

/// oneDNN would write beyond its memory.
#[test]
fn too_few_channels_for_channels_last_are_refused() {
    for compute in [LAST, BOTH] {
        let error = model(&residual(&[16, 15, 16]), compute).unwrap_err();
        assert!(matches!(&error, Error::Config { setting: "architecture.widths", .. }), "{error}");
        assert!(error.to_string().contains("[16, 15, 16]"), "{error}");
        assert!(model(&residual(&[16, 16, 3]), compute).is_ok());
    }
    assert!(model(&residual(&[2, 3]), NARROW).is_ok());
}

#[test]
fn weights_lie_with_channels_last_and_start_the_same() {
    let (plain, last) =
        [ComputeConfig::default(), LAST].map(|c| model(&residual(&[16, 4]), c).unwrap()).into();
    assert_eq!(bits(&plain), bits(&last));
    let images: Vec<_> = last.parameters().iter().filter(|(_, t)| t.dim() == 4).collect();
    assert!(!images.is_empty() && images.iter().all(|(_, t)| t.stride()[1] == 1));
}

#[test]
fn pixels_come_out_in_planes() {
    for compute in [LAST, BOTH] {
        let config = AutoencoderConfig { observation: LOW_RANK, ..residual(&[16, 4]) };
        let codes = Tensor::zeros([2, 2], (Kind::Float, Device::Cpu));
        let seen = model(&config, compute).unwrap().decode(&codes, None).unwrap();
        let Observation::LowRankNormal { cov_factor, .. } = seen else { panic!("{seen:?}") };
        assert_eq!((cov_factor.kind(), &cov_factor.stride()[1..]), (Kind::Float, &[1, 64][..]));
    }
}

#[test]
fn a_model_in_both_comes_back_from_its_checkpoint_and_resumes_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let train = loader(60, 20);
    let trained = |epochs: u64, name: &str| {
        let model = model(&residual(&[16, 4]), BOTH).unwrap();
        let store = CheckpointStore::new(folder.path().join(name));
        let settings = TrainConfig { epochs, ..TrainConfig::default() };
        Trainer::new(&model, &train, settings, 0).checkpoints(&store, "compute").run().unwrap();
        model
    };
    let whole = trained(4, "whole");
    trained(2, "parts");
    assert_eq!(bits(&trained(4, "parts")), bits(&whole));
    let loaded = Autoencoder::from_checkpoint(folder.path().join("parts"), Device::Cpu).unwrap();
    assert_eq!((bits(&loaded), loaded.config()), (bits(&whole), whole.config()));
}

#[test]
fn a_description_from_before_the_setting_still_reads() {
    let mut text = serde_json::to_value(tiny_config()).unwrap();
    text.as_object_mut().unwrap().remove("compute").unwrap();
    assert_eq!(serde_json::from_value::<AutoencoderConfig>(text).unwrap(), tiny_config());
}
