//! Autoencoders with a map of vectors: sizes, gradients, codebooks, exact resume.

use std::sync::Arc;

use ndarray::Array4;
use variata_datasets::{ArrayDataset, Batch, Loader, LoaderOptions, Position};
use variata_models::nn::{Skip, StridedConfig};
use variata_models::tch::{Device, Kind, Tensor};
use variata_models::train::{
    CheckpointStore, Control, Event, Outcome, StepContext, TrainConfig, Trainable, Trainer,
};
use variata_models::{
    Anneal, EmaConfig, EmaRule, Error, GaussianMapConfig, GumbelConfig, ImageShape, MapAutoencoder,
    MapBottleneckConfig, MapConfig, MapDraw, Noise, Purpose, VqConfig,
};

const BUNDLE: ImageShape = ImageShape { channels: 3, height: 64, width: 64 };
const SMALL: ImageShape = ImageShape { channels: 3, height: 16, width: 16 };

pub(crate) fn bottlenecks() -> [MapBottleneckConfig; 6] {
    let (vq, ema) =
        (VqConfig { codes: 16, ..VqConfig::default() }, EmaConfig { codes: 16, ..EmaConfig::default() });
    let gumbel =
        GumbelConfig { codes: 16, anneal: Some(Anneal { to: 0.5, steps: 8 }), ..GumbelConfig::default() };
    [
        MapBottleneckConfig::Deterministic,
        MapBottleneckConfig::Gaussian(GaussianMapConfig { latent: 3, ..GaussianMapConfig::default() }),
        MapBottleneckConfig::Vq(vq),
        MapBottleneckConfig::Ema(EmaConfig { revive_after: 2, ..ema }),
        MapBottleneckConfig::Ema(EmaConfig { rule: EmaRule::Published, ..ema }),
        MapBottleneckConfig::GumbelSoftmax(gumbel),
    ]
}

pub(crate) fn small(bottleneck: MapBottleneckConfig, seed: u64) -> MapAutoencoder {
    // So little work is done sooner on one thread than two threads have met.
    variata_models::tch::set_num_threads(1);
    let networks = StridedConfig { channels: 8, residual_channels: 4, code: 4, ..StridedConfig::default() };
    let config = MapConfig { networks, bottleneck, ..MapConfig::default() };
    MapAutoencoder::new(&config, SMALL, seed, Device::Cpu).unwrap()
}

/// Waves of different lengths, one for each row of an array.
fn data(count: usize) -> Arc<ArrayDataset> {
    let values = Array4::from_shape_fn((count, 3, 16, 16), |(i, c, y, x)| {
        let phase = (i * 5 + c * 3) as f32 * 0.7 + y as f32 * 0.05;
        0.8 * (phase + x as f32 * 0.1 * (1.0 + (i % 3) as f32)).sin()
    });
    Arc::new(ArrayDataset::new("waves", values, vec![0; count]).unwrap())
}

pub(crate) fn loader(count: usize, batch_size: usize) -> Loader {
    let options = LoaderOptions { batch_size, seed: 3, ..LoaderOptions::default() };
    Loader::new(data(count), (0..count).collect::<Vec<_>>(), options).unwrap()
}

fn batch(count: usize) -> Batch {
    loader(count, count).epoch(Position::epoch(0)).unwrap().next().unwrap().unwrap()
}

fn context(step: u64) -> StepContext {
    StepContext::new(step, step, Noise::new(7))
}

fn tensor(model: &MapAutoencoder, name: &str) -> Tensor {
    model.parameters().iter().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("{name}")).1.shallow_clone()
}

/// All tensors of a model by name, as bits, whatever their kind.
fn bits(model: &MapAutoencoder) -> Vec<(String, Vec<u64>)> {
    let of = |t: &Tensor| -> Vec<u64> {
        let flat = t.detach().contiguous().view(-1);
        match flat.kind() {
            Kind::Int64 => Vec::<i64>::try_from(&flat).unwrap().into_iter().map(|v| v as u64).collect(),
            _ => Vec::<f64>::try_from(&flat.to_kind(Kind::Double))
                .unwrap()
                .into_iter()
                .map(f64::to_bits)
                .collect(),
        }
    };
    model.parameters().iter().map(|(name, t)| (name.to_owned(), of(t))).collect()
}

#[test]
fn sizes_are_those_of_the_facts() {
    let with = |bottleneck| {
        let config = MapConfig { bottleneck, ..MapConfig::default() };
        MapAutoencoder::new(&config, BUNDLE, 0, Device::Cpu).unwrap()
    };
    let cases = [
        (MapBottleneckConfig::Deterministic, 662_083),
        (MapBottleneckConfig::Gaussian(GaussianMapConfig::default()), 662_083 + 987_752),
        (MapBottleneckConfig::Vq(VqConfig::default()), 662_083 + 32_768),
        // The codes are no parameters.
        (MapBottleneckConfig::Ema(EmaConfig::default()), 662_083),
        (MapBottleneckConfig::GumbelSoftmax(GumbelConfig::default()), 662_083 + 32_768),
    ];
    let x = Tensor::full([2, 3, 64, 64], 0.25, (Kind::Float, Device::Cpu));
    for (bottleneck, count) in cases {
        let model = with(bottleneck);
        assert_eq!(model.parameters().count(), count, "{bottleneck:?}");
        let z = model.encode(&x).unwrap();
        assert_eq!(z.size(), [2, 64, 16, 16]);
        let code = model.through(&z, None).unwrap();
        assert_eq!(code.output.size(), z.size());
        assert_eq!(model.decode(&code.output).unwrap().size(), x.size());
        assert_eq!(code.indices.map(|i| i.size()), model.codes().map(|_| vec![2, 16, 16]));
    }
}

#[test]
fn the_encoder_is_its_description_and_both_skips_are() {
    let x = Tensor::from_slice(&(0..768).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0).collect::<Vec<_>>());
    let x = x.view([1, 3, 16, 16]);
    for skip in [Skip::Input, Skip::Activated] {
        let networks =
            StridedConfig { channels: 8, residual_channels: 4, code: 4, skip, ..StridedConfig::default() };
        let config = MapConfig { networks, ..MapConfig::default() };
        let model = MapAutoencoder::new(&config, SMALL, 1, Device::Cpu).unwrap();
        let conv = |x: &Tensor, name: &str, stride: i64, padding: i64| {
            let weight = tensor(&model, &format!("encoder.{name}.weight"));
            let bias = (!name.starts_with("units")).then(|| tensor(&model, &format!("encoder.{name}.bias")));
            x.conv2d(&weight, bias, [stride; 2], [padding; 2], [1, 1], 1)
        };
        let mut h = conv(&x, "down0", 2, 1).relu();
        h = conv(&conv(&h, "down1", 2, 1).relu(), "same", 1, 1);
        for i in 0..2 {
            let active = h.relu();
            let branch = conv(
                &conv(&active, &format!("units.{i}.first"), 1, 1).relu(),
                &format!("units.{i}.second"),
                1,
                0,
            );
            h = branch + if skip == Skip::Input { h } else { active };
        }
        let want = conv(&h.relu(), "code", 1, 0);
        assert!(model.encode(&x).unwrap().equal(&want), "{skip:?}");
    }
}

#[test]
fn a_gradient_reaches_every_parameter() {
    for bottleneck in bottlenecks() {
        let model = small(bottleneck, 0);
        let objective = model.objective(&batch(6), &context(0)).unwrap();
        let weights: Vec<f64> = objective.terms.iter().map(|t| t.weight).collect();
        objective.loss(&weights).unwrap().backward();
        for (name, t) in model.parameters().trained() {
            let grad = t.grad();
            assert!(grad.defined(), "{bottleneck:?} {name}");
            let norm = grad.norm().double_value(&[]);
            assert!(norm > 0.0 && norm.is_finite(), "{bottleneck:?} {name}: {norm}");
        }
    }
}

fn train(
    model: &MapAutoencoder,
    epochs: u64,
    folder: Option<&std::path::Path>,
    stop_at: Option<u64>,
) -> Outcome {
    let store = CheckpointStore::new(folder.unwrap_or(std::path::Path::new("none")));
    let config = TrainConfig { epochs, ..TrainConfig::default() };
    let mut listener = |event: &Event| match event {
        Event::Step { step, .. } if Some(*step) == stop_at => Control::Stop,
        _ => Control::Continue,
    };
    let data = loader(12, 4);
    let mut trainer = Trainer::new(model, &data, config, 5).listen(&mut listener);
    if folder.is_some() {
        trainer = trainer.checkpoints(&store, "maps");
    }
    trainer.run().unwrap()
}

#[test]
fn a_resumed_run_ends_with_the_same_bits() {
    for bottleneck in bottlenecks() {
        let want = small(bottleneck, 0);
        train(&want, 4, None, None);
        let folder = tempfile::tempdir().unwrap();
        let first = small(bottleneck, 0);
        assert!(!train(&first, 4, Some(folder.path()), Some(4)).completed);
        let second = small(bottleneck, 99);
        let outcome = train(&second, 4, Some(folder.path()), None);
        assert_eq!((outcome.completed, outcome.step), (true, 12), "{bottleneck:?}");
        assert_eq!(bits(&second), bits(&want), "{bottleneck:?}");
        // The last checkpoint alone is the model.
        let opened = MapAutoencoder::from_checkpoint(folder.path(), Device::Cpu).unwrap();
        assert_eq!(bits(&opened), bits(&want), "{bottleneck:?}");
        assert_eq!(opened.temperature(), want.temperature());
    }
}

#[test]
fn the_loss_falls_and_validation_changes_nothing() {
    for bottleneck in bottlenecks() {
        let bottleneck = match bottleneck {
            // The published start of the averages loses nearly all codes; what is left may not learn.
            MapBottleneckConfig::Ema(EmaConfig { rule: EmaRule::Published, .. }) => continue,
            // At a low temperature so early all places stay with one code.
            MapBottleneckConfig::GumbelSoftmax(config) => {
                MapBottleneckConfig::GumbelSoftmax(GumbelConfig { anneal: None, ..config })
            }
            other => other,
        };
        let model = small(bottleneck, 0);
        let outcome = train(&model, 60, None, None);
        let mse = |k: usize| outcome.history[k].train("mse").unwrap();
        let last = outcome.history.len() - 1;
        assert!(mse(last) < 0.7 * mse(0), "{bottleneck:?}: {} to {}", mse(0), mse(last));
        let before = bits(&model);
        model.validate(&batch(4), &context(1)).unwrap();
        assert_eq!(bits(&model), before, "{bottleneck:?}");
    }
}

/// Unused codes after one step: how far they moved, and how many there are.
fn moved(rule: EmaRule) -> (f64, i64) {
    let config = EmaConfig { codes: 64, rule, ..EmaConfig::default() };
    let model = small(MapBottleneckConfig::Ema(config), 0);
    let before = model.codes().unwrap().copy();
    model.objective(&batch(4), &context(0)).unwrap();
    let unused = tensor(&model, "bottleneck.idle").gt(0).nonzero().flatten(0, -1);
    let gap = (model.codes().unwrap() - &before).index_select(0, &unused).abs().max();
    (gap.double_value(&[]), unused.size()[0])
}

#[test]
fn averages_begin_without_a_jump_unless_the_published_rule_is_asked_for() {
    let (gap, unused) = moved(EmaRule::Agreeing);
    assert!(unused > 0 && gap == 0.0, "{gap} of {unused}");
    let (gap, unused) = moved(EmaRule::Published);
    assert!(unused > 0 && gap > 100.0, "{gap} of {unused}");
}

#[test]
fn a_dead_code_begins_anew_at_a_vector_of_the_batch() {
    let config = EmaConfig { codes: 16, deviation: 100.0, revive_after: 2, ..EmaConfig::default() };
    let model = small(MapBottleneckConfig::Ema(config), 0);
    let batch = batch(4);
    model.objective(&batch, &context(0)).unwrap();
    let idle = |m: &MapAutoencoder| tensor(m, "bottleneck.idle").max().int64_value(&[]);
    assert_eq!(idle(&model), 1);
    model.objective(&batch, &context(1)).unwrap();
    assert_eq!(idle(&model), 0);
    // Codes drawn 100 wide lie far from the vectors of an untrained encoder.
    let far = model.codes().unwrap().abs().amax([1i64].as_slice(), false).gt(20.0).sum(Kind::Int64);
    assert!(far.int64_value(&[]) <= 1, "{far}");
}

#[test]
fn the_noise_of_a_place_does_not_depend_on_the_batch_and_comes_from_the_address() {
    let model = small(bottlenecks()[5], 0);
    let x = variata_torch_bridge::tensor_from_array(batch(4).images).unwrap();
    let z = model.encode(&x).unwrap().detach();
    let draw = |step| MapDraw::new(Noise::new(3), Purpose::Report, step);
    let all = model.through(&z, Some(&draw(2))).unwrap().output;
    let one = model.through(&z.narrow(0, 0, 1), Some(&draw(2))).unwrap().output;
    assert!(all.narrow(0, 0, 1).equal(&one));
    variata_models::tch::manual_seed(9);
    assert!(all.equal(&model.through(&z, Some(&draw(2))).unwrap().output));
    assert!(!all.equal(&model.through(&z, Some(&draw(3))).unwrap().output));
    assert!(!all.equal(&model.through(&z, None).unwrap().output));
}

#[test]
fn the_temperature_falls_and_the_divergence_is_the_constant_of_the_formula() {
    let model = small(bottlenecks()[5], 0);
    let batch = batch(2);
    let mut seen = Vec::new();
    for step in [0, 4, 8, 100] {
        let objective = model.objective(&batch, &context(step)).unwrap();
        let kl = objective.terms.iter().find(|t| t.name == "kl").unwrap();
        // log(10/2) − ½ log 2π − ½ + e^(4/200)
        assert!((kl.value.double_value(&[]) - 1.210_701).abs() < 1e-6);
        assert_eq!(kl.weight, 0.0);
        seen.push(model.temperature().unwrap());
    }
    assert_eq!((seen[0], seen[2], seen[3]), (10.0, 0.5, 0.5));
    assert!((seen[1] - 5f64.sqrt()).abs() < 1e-12, "{seen:?}");
}

#[test]
fn wrong_settings_and_shapes_are_named() {
    let refused = |config: MapConfig, image: ImageShape, name: &str| match MapAutoencoder::new(
        &config,
        image,
        0,
        Device::Cpu,
    ) {
        Err(Error::Config { setting, .. }) => assert_eq!(setting, name),
        other => panic!("{name}: {other:?}"),
    };
    let with = |bottleneck| MapConfig { bottleneck, ..MapConfig::default() };
    let ema = EmaConfig::default();
    let gumbel = GumbelConfig::default();
    for (bottleneck, name) in [
        (MapBottleneckConfig::Vq(VqConfig { codes: 0, ..VqConfig::default() }), "bottleneck.codes"),
        (MapBottleneckConfig::Ema(EmaConfig { decay: 1.0, ..ema }), "bottleneck.decay"),
        (
            MapBottleneckConfig::Ema(EmaConfig { rule: EmaRule::Published, revive_after: 5, ..ema }),
            "bottleneck.revive_after",
        ),
        (
            MapBottleneckConfig::Ema(EmaConfig { rule: EmaRule::Published, smoothing: 0.0, ..ema }),
            "bottleneck.smoothing",
        ),
        // e^(σ²/2β²) = e^800.
        (MapBottleneckConfig::GumbelSoftmax(GumbelConfig { scale: 0.05, ..gumbel }), "bottleneck.scale"),
        (
            MapBottleneckConfig::GumbelSoftmax(GumbelConfig { temperature: -1.0, ..gumbel }),
            "bottleneck.temperature",
        ),
        (
            MapBottleneckConfig::GumbelSoftmax(GumbelConfig { deviation: f64::NAN, ..gumbel }),
            "bottleneck.deviation",
        ),
        (
            MapBottleneckConfig::GumbelSoftmax(GumbelConfig {
                anneal: Some(Anneal { to: 20.0, steps: 5 }),
                ..gumbel
            }),
            "bottleneck.anneal.to",
        ),
        (
            MapBottleneckConfig::Gaussian(GaussianMapConfig {
                log_variance_bound: 0.0,
                ..GaussianMapConfig::default()
            }),
            "bottleneck.log_variance_bound",
        ),
    ] {
        refused(with(bottleneck), BUNDLE, name);
    }
    refused(MapConfig::default(), ImageShape { width: 18, ..SMALL }, "image shape");
    refused(
        with(MapBottleneckConfig::Gaussian(GaussianMapConfig::default())),
        ImageShape { width: 24, ..SMALL },
        "image shape",
    );
    let narrow = StridedConfig { channels: 1, ..StridedConfig::default() };
    refused(MapConfig { networks: narrow, ..MapConfig::default() }, SMALL, "channels");
    let model = small(MapBottleneckConfig::Deterministic, 0);
    let wrong = Tensor::zeros([2, 3, 16, 12], (Kind::Float, Device::Cpu));
    assert!(matches!(model.encode(&wrong), Err(Error::Shape { argument: "x", .. })));
    assert!(matches!(model.through(&wrong, None), Err(Error::Shape { argument: "z", .. })));
    assert!(matches!(model.decode(&wrong), Err(Error::Shape { argument: "code", .. })));
}

/// Errata 001-3: the broken fraction of the density is 1/√(2πσ²); what is printed does not integrate to 1.
#[test]
fn normal_density_has_its_square_root() {
    let sigma = 2.0f64;
    let integral = |factor: f64| {
        let at = |k: i32| factor * (-0.5 * (f64::from(k) * 0.01 / sigma).powi(2)).exp() * 0.01;
        (-3000..=3000).map(at).sum::<f64>()
    };
    let variance = std::f64::consts::TAU * sigma * sigma;
    assert!((integral(1.0 / variance.sqrt()) - 1.0).abs() < 1e-12);
    assert!((integral(std::f64::consts::FRAC_1_SQRT_2 / variance) - 1.0).abs() > 0.5);
}
