//! Classifiers: their size, views and their loss, the best of a run, and the way out to other programs.

use ndarray::{Array4, concatenate};
use variata_datasets::{Batch, Position};
use variata_models::tch::{CModule, Device, Kind, Tensor};
use variata_models::train::{
    AdamConfig, Better, CheckpointStore, Control, Event, Optimizer, SgdConfig, StepContext, TrainConfig,
    Trainable, Trainer,
};
use variata_models::{
    Architecture, Autoencoder, AutoencoderConfig, Classifier, ClassifierConfig, ClassifierTask,
    ComputeConfig, Error, ImageShape, Noise,
};

use crate::{DIGIT, bits, loader, tiny_config};

const CIFAR: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };
const START: StepContext = StepContext::new(0, 0, Noise::new(0));

fn wide(depth: i64, widen: i64) -> ClassifierConfig {
    ClassifierConfig {
        architecture: Architecture::WideResidual { depth, widen },
        ..ClassifierConfig::default()
    }
}

fn small(config: &ClassifierConfig) -> Classifier {
    Classifier::new(config, DIGIT, 10, 3, Device::Cpu).unwrap()
}

fn batch(n: usize) -> Batch {
    loader(n, n).epoch(Position::default()).unwrap().next().unwrap().unwrap()
}

/// The batch, and its images with two more views: darker, and lighter.
fn forked(n: usize) -> [Batch; 2] {
    let plain = batch(n);
    let views: [Array4<f32>; 3] = [plain.images.clone(), &plain.images * 0.7, &plain.images * 0.5 + 0.5];
    let images = concatenate(ndarray::Axis(0), &views.each_ref().map(|view| view.view())).unwrap();
    let forked = Batch { images, ..plain.clone() };
    [plain, forked]
}

#[test]
fn the_papers_network_has_its_number_of_parameters() {
    for (classes, want) in [(10, 2_243_546), (100, 2_255_156)] {
        let model = Classifier::new(&wide(40, 2), CIFAR, classes, 0, Device::Cpu).unwrap();
        assert_eq!(model.parameters().count(), want);
    }
    let odd = ImageShape { channels: 1, height: 9, width: 14 };
    let model = Classifier::new(&wide(10, 1), odd, 3, 0, Device::Cpu).unwrap();
    let x = Tensor::rand([2, 1, 9, 14], (Kind::Float, Device::Cpu));
    assert_eq!(
        (model.features(&x).unwrap().size(), model.logits(&x).unwrap().size()),
        (vec![2, 64], vec![2, 3])
    );
}

#[test]
fn wrong_settings_are_named() {
    for (name, config) in [
        ("architecture.depth", wide(12, 1)),
        ("architecture.depth", wide(4, 1)),
        ("architecture.widen", wide(10, 0)),
        ("scale", ClassifierConfig { scale: 0.0, ..wide(10, 1) }),
        ("shift", ClassifierConfig { shift: f64::NAN, ..wide(10, 1) }),
        ("consistency", ClassifierConfig { consistency: -1.0, ..wide(10, 1) }),
    ] {
        let error = Classifier::new(&config, DIGIT, 10, 0, Device::Cpu).unwrap_err();
        assert!(matches!(&error, Error::Config { setting, .. } if *setting == name), "{name}: {error}");
    }
    let config = AutoencoderConfig { architecture: wide(10, 1).architecture, ..tiny_config() };
    let error = Autoencoder::new(&config, DIGIT, 10, 0, Device::Cpu).unwrap_err();
    assert!(matches!(&error, Error::Config { setting: "architecture", .. }), "{error}");
}

/// Against the formula, on probabilities.
#[test]
fn the_loss_of_views_is_augmixs() {
    let config = ClassifierConfig { shift: 0.5, scale: 0.5, consistency: 3.0, ..ClassifierConfig::default() };
    let model = small(&config);
    let [plain, forked] = forked(40);
    let objective = model.objective(&forked, &START).unwrap();
    let values = objective.values();
    let x = variata_torch_bridge::tensor_from_array(forked.images.clone()).unwrap();
    let p = model.logits(&x).unwrap().softmax(1, Kind::Double).view([3, 40, 10]);
    let middle = p.mean_dim(&[0i64][..], true, Kind::Double);
    let divergence = (&p * (&p / middle).log()).sum(Kind::Double).double_value(&[]) / 120.0;
    let right: f64 =
        (0..40).map(|b| -p.double_value(&[0, b, plain.labels[b as usize]]).ln()).sum::<f64>() / 40.0;
    assert!((values[0] - right).abs() <= 1e-12 * right, "{values:?} {right}");
    // p is rounded to 2⁻⁵³ where log p is 1 at the most: terms of a sum that is some 1e-2.
    assert!((values[1] - divergence).abs() <= 1e-11 * divergence, "{values:?} {divergence}");
    assert_eq!(objective.terms[1].weight, 3.0);
    // Views that are alike differ by nothing.
    let images = concatenate(ndarray::Axis(0), &[plain.images.view(), plain.images.view()]).unwrap();
    let alike = model.objective(&Batch { images, ..plain.clone() }, &START).unwrap().values();
    assert_eq!(alike[1], 0.0);
    // A validation looks at the first view alone.
    assert_eq!(model.validate(&forked, &START).unwrap(), model.validate(&plain, &START).unwrap());
    let images = forked.images.slice(ndarray::s![..50, .., .., ..]).to_owned();
    let ragged = Batch { images, ..plain.clone() };
    let reflections = ClassifierConfig { task: ClassifierTask::Reflections, ..ClassifierConfig::default() };
    for (model, batch) in [(&model, &ragged), (&small(&reflections), &forked)] {
        let error = model.objective(batch, &START).unwrap_err();
        assert!(matches!(error, Error::Shape { argument: "batch.images", .. }), "{error}");
        assert!(model.validate(batch, &START).is_err());
    }
    assert_eq!(small(&reflections).objective(&plain, &START).unwrap().terms.len(), 1);
}

#[test]
fn a_wide_network_learns_with_sgd_from_views() {
    let optimizer = SgdConfig { learning_rate: 0.1, ..SgdConfig::default() };
    let model = small(&wide(10, 1));
    let [plain, forked] = forked(60);
    let mut sgd = Optimizer::new(optimizer, model.parameters()).unwrap();
    let mut losses = Vec::new();
    for _ in 0..30 {
        sgd.zero_grad().unwrap();
        let objective = model.objective(&forked, &START).unwrap();
        let weights: Vec<f64> = objective.terms.iter().map(|t| t.weight).collect();
        let loss = objective.loss(&weights).unwrap();
        losses.push(loss.double_value(&[]));
        loss.backward();
        sgd.step(1.0).unwrap();
    }
    assert!(losses[29] < 0.5 * losses[0], "{losses:?}");
    // Running statistics follow the batches, and make sense of new images.
    let x = variata_torch_bridge::tensor_from_array(plain.images.clone()).unwrap();
    let right = model.predict(&x).unwrap().iter().zip(&plain.labels).filter(|(a, b)| a == b).count();
    assert!(right > 40, "{right} of 60");
}

/// Bounds as in `compute`: sums of f32 in another order, and bf16's 8 bits over some ten layers.
#[test]
fn channels_last_and_bf16_give_the_same_up_to_their_digits() {
    let terms = |compute| {
        small(&ClassifierConfig { compute, ..wide(10, 1) })
            .objective(&forked(60)[1], &START)
            .unwrap()
            .values()
    };
    let full = terms(ComputeConfig::default());
    for (channels_last, bf16, tolerance) in [(true, false, 1e-5), (false, true, 2e-2), (true, true, 2e-2)] {
        let got = terms(ComputeConfig { channels_last, bf16 });
        for (a, b) in got.iter().zip(&full) {
            assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{got:?} {full:?}");
        }
        assert!(!bf16 || got != full, "bf16 changes digits");
    }
}

#[test]
fn the_best_of_a_run_is_kept_through_an_interruption() {
    let (train, validation) = (loader(200, 50), loader(300, 100));
    // So large a step that the accuracy goes up and down.
    let optimizer = AdamConfig { learning_rate: 0.3, ..AdamConfig::default() }.into();
    let config = TrainConfig { epochs: 12, optimizer, ..TrainConfig::default() };
    let run = |folder: &std::path::Path, stop_at: Option<u64>| {
        let model = small(&ClassifierConfig::default());
        let store = CheckpointStore::new(folder);
        let mut stop = |event: &Event| match event {
            Event::Step { step, .. } if Some(*step) == stop_at => Control::Stop,
            _ => Control::Continue,
        };
        let outcome = Trainer::new(&model, &train, config, 0)
            .validation(&validation)
            .keep_best("accuracy", Better::Higher)
            .checkpoints(&store, "best")
            .listen(&mut stop)
            .run()
            .unwrap();
        (model, outcome)
    };
    let [whole, parts] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (model, outcome) = run(whole.path(), None);
    let accuracy = |k: usize| outcome.history[k].validation("accuracy").unwrap();
    let best = (0..12).map(accuracy).fold(0.0, f64::max);
    assert!(best > accuracy(11), "the test needs a run whose last validation is not its best");
    let mut right = 0.0;
    for batch in validation.epoch(Position::default()).unwrap() {
        let batch = batch.unwrap();
        right += model.validate(&batch, &START).unwrap()[1].1 * batch.len() as f64;
    }
    assert!((right / 300.0 - best).abs() < 1e-12, "{} {best}", right / 300.0);

    assert!(!run(parts.path(), Some(30)).1.completed);
    let (resumed, again) = run(parts.path(), None);
    assert_eq!((bits(&resumed), &again), (bits(&model), &outcome));
    // Once more: nothing is left to do, and the best is there.
    assert_eq!(bits(&run(parts.path(), None).0), bits(&model));
    let loaded = Classifier::from_checkpoint(parts.path(), Device::Cpu).unwrap();
    assert_eq!(bits(&loaded), bits(&model));

    let error = Trainer::new(&small(&ClassifierConfig::default()), &train, config, 0)
        .validation(&validation)
        .keep_best("beauty", Better::Lower)
        .run()
        .unwrap_err();
    assert!(matches!(&error, Error::Config { setting: "keep_best", .. }), "{error}");
}

#[test]
fn traced_features_need_no_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("features.pt");
    let grey = small(&ClassifierConfig { shift: 0.5, scale: 0.5, ..wide(10, 1) });
    let of = |compute| {
        Classifier::new(&ClassifierConfig { compute, ..wide(10, 1) }, CIFAR, 10, 0, Device::Cpu).unwrap()
    };
    let colour = of(ComputeConfig::default());
    // What such a model computes on a device is not in the file: it holds the same network in f32.
    let rounded = of(ComputeConfig { channels_last: true, bf16: true });
    for (model, traced, size) in [(&grey, &grey, 8), (&colour, &colour, 32), (&colour, &rounded, 32)] {
        traced.trace_features().unwrap().save(&path).unwrap();
        let module = CModule::load(&path).unwrap();
        for n in [1, 7] {
            let x = Tensor::rand([n, 3, size, size], (Kind::Float, Device::Cpu));
            let own = if size == 8 { x.mean_dim(&[1i64][..], true, Kind::Float) } else { x.shallow_clone() };
            let (got, want) = (module.forward_ts(&[&x]).unwrap(), model.features(&own).unwrap());
            assert!(got.allclose(&want, 1e-5, 1e-5, false), "{size} {n}");
            assert_eq!(module.forward_ts(&[x.repeat([1, 1, 2, 3])]).unwrap().size(), [n, 64]);
        }
        // Training can go on.
        assert!(model.parameters().trained().all(|(_, t)| t.requires_grad()));
    }
    let two = ImageShape { channels: 2, height: 8, width: 8 };
    let model = Classifier::new(&ClassifierConfig::default(), two, 10, 0, Device::Cpu).unwrap();
    assert!(matches!(model.trace_features(), Err(Error::Config { setting: "image channels", .. })));
}
