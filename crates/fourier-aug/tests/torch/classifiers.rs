//! Loss, calibration and heatmaps on tensors.

use std::convert::Infallible;
use std::ops::ControlFlow;

use ndarray::{Array2, Array3, Array4, ArrayView4, Axis};
use variata_distributions::ArgumentError;
use variata_fourier_aug::{
    Alignment, Binning, Error, HeatmapOptions, HeatmapRun, JSD_WEIGHT, Predictions,
    consistency_loss_with_grad, torch,
};
use variata_torch_bridge::tch::{Device, Kind, Tensor};
use variata_torch_bridge::{Element, tensor_from_array, tensor_into_array};

fn leaf<F: Element>(logits: &Array3<F>) -> Tensor {
    tensor_from_array(logits.clone()).unwrap().set_requires_grad(true)
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor_into_array::<f64>("t", tensor).unwrap().into_iter().collect()
}

fn argument<T>(result: Result<T, Error>) -> &'static str {
    match result {
        Err(Error::Argument(
            ArgumentError::Shape { argument, .. } | ArgumentError::Value { argument, .. },
        )) => argument,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

/// Items whose views are far apart, near each other, and equal.
fn logits() -> Array3<f64> {
    Array3::from_shape_fn((3, 4, 5), |(i, b, k)| {
        let noise = ((i * 37 + k * 11 + i * k * 5) % 29) as f64 / 7.0 - 2.0;
        ((b * 13 + k * 7) % 11) as f64 / 3.0 + [8.0, 1.0, 1e-4, 0.0][b] * noise
    })
}

#[test]
fn the_loss_in_both_homes() {
    let (logits, labels) = (logits(), [0usize, 3, 1, 4]);
    let marks = Tensor::from_slice(&[0i64, 3, 1, 4]);
    let (want, slopes) = consistency_loss_with_grad(&logits, &labels, JSD_WEIGHT).unwrap();
    let native = leaf(&logits);
    let loss = torch::consistency_loss(&native, &marks, JSD_WEIGHT).unwrap();
    (&loss.value * 2.0).backward();
    assert_eq!(loss.value.double_value(&[]), want.value);
    assert_eq!(loss.cross_entropy.double_value(&[]), want.cross_entropy);
    assert_eq!(loss.jensen_shannon.double_value(&[]), want.jensen_shannon);
    assert_eq!(values(&native.grad()), slopes.iter().map(|g| 2.0 * g).collect::<Vec<_>>());

    let composed = leaf(&logits);
    let loss = torch::consistency_loss_composed(&composed, &marks.to_kind(Kind::Int), JSD_WEIGHT).unwrap();
    (&loss.value * 2.0).backward();
    assert!((loss.value.double_value(&[]) / want.value - 1.0).abs() < 1e-14);
    assert!((loss.jensen_shannon.double_value(&[]) / want.jensen_shannon - 1.0).abs() < 1e-14);
    for (got, want) in values(&composed.grad()).iter().zip(values(&native.grad())) {
        assert!((got - want).abs() < 1e-13, "{got} {want}");
    }

    let single = logits.mapv(|l| l as f32);
    let (want, slopes) = consistency_loss_with_grad(&single, &labels, JSD_WEIGHT).unwrap();
    for loss in [torch::consistency_loss, torch::consistency_loss_composed] {
        let inputs = leaf(&single);
        let found = loss(&inputs, &marks, JSD_WEIGHT).unwrap();
        found.value.backward();
        assert_eq!((found.value.kind(), inputs.grad().kind()), (Kind::Double, Kind::Float));
        assert!((found.value.double_value(&[]) / want.value - 1.0).abs() < 1e-14);
        for (got, want) in values(&inputs.grad()).iter().zip(&slopes) {
            assert!((got - f64::from(*want)).abs() < 1e-6 * f64::from(want.abs()) + 1e-9, "{got} {want}");
        }
    }
}

#[test]
fn the_divergence_is_not_clamped() {
    // 2⁻¹⁴ between the views: as natively, 3.3964e-9.
    let (a, v) = ([0.25, -1.75, 2.125, -0.5, 0.875], [1.0, -2.0, 3.0, 1.0, -4.0]);
    let near = Array3::from_shape_fn((2, 1, 5), |(i, _, k)| (a[k] + i as f64 * 2f64.powi(-14) * v[k]) as f32);
    let labels = Tensor::from_slice(&[0i64]);
    for loss in [torch::consistency_loss, torch::consistency_loss_composed] {
        let found = loss(&leaf(&near), &labels, 1.0).unwrap().jensen_shannon.double_value(&[]);
        assert!((found / 3.3964173325972552582e-9 - 1.0).abs() < 1e-9, "{found}");
    }
}

#[test]
fn sure_impossible_and_only_labels() {
    let labels = Tensor::from_slice(&[0i64]);
    let infinite = f64::NEG_INFINITY;
    for row in [vec![0.0, -40.0], vec![0.0, infinite], vec![3.0], vec![0.0, -1000.0], vec![-900.0, 0.0]] {
        let logits = Array3::from_shape_vec((1, 1, row.len()), row.clone()).unwrap();
        let (want, slopes) = consistency_loss_with_grad(&logits, &[0], 1.0).unwrap();
        let inputs = leaf(&logits);
        let found = torch::consistency_loss_composed(&inputs, &labels, 1.0).unwrap();
        found.value.backward();
        let value = found.value.double_value(&[]);
        // The native kernel has exp(−690) for what is impossible.
        assert!((value - want.value).abs() <= 1e-14 * want.value + 1e-299, "{row:?}: {value} {}", want.value);
        for (got, want) in values(&inputs.grad()).iter().zip(&slopes) {
            assert!((got - want).abs() <= 1e-13 * want.abs() + 1e-299, "{row:?}: {got} {want}");
        }
    }
    let impossible = leaf(&Array3::from_shape_vec((1, 1, 2), vec![infinite, 0.0]).unwrap());
    for loss in [torch::consistency_loss, torch::consistency_loss_composed] {
        assert_eq!(loss(&impossible, &labels, 1.0).unwrap().value.double_value(&[]), f64::INFINITY);
    }
}

#[test]
fn bad_losses_are_refused_and_nan_propagates() {
    let good = leaf(&logits());
    let labels = Tensor::from_slice(&[0i64, 1, 2, 3]);
    for loss in [torch::consistency_loss, torch::consistency_loss_composed] {
        assert_eq!(argument(loss(&good.get(0), &labels, 1.0)), "logits");
        assert_eq!(argument(loss(&good.narrow(1, 0, 0), &labels.narrow(0, 0, 0), 1.0)), "logits");
        assert_eq!(argument(loss(&good, &labels.narrow(0, 0, 3), 1.0)), "labels");
        assert_eq!(argument(loss(&good, &labels, -1.0)), "weight");
        assert!(matches!(loss(&good, &labels.to_kind(Kind::Float), 1.0), Err(Error::Tensor(_))));
        assert!(matches!(loss(&labels, &labels, 1.0), Err(Error::Tensor(_))));
        let nan = leaf(&logits().mapv(|l| if l > 2.0 { f64::NAN } else { l }));
        assert!(loss(&nan, &labels, 1.0).unwrap().value.double_value(&[]).is_nan());
    }
    for bad in [-1i64, 5] {
        let labels = Tensor::from_slice(&[0, 1, bad, 3]);
        assert_eq!(argument(torch::consistency_loss(&good, &labels, 1.0)), "labels");
        let found = torch::consistency_loss_composed(&good, &labels, 1.0).unwrap();
        assert!(found.value.double_value(&[]).is_nan() && found.jensen_shannon.double_value(&[]) > 0.0);
    }
    // A second derivative of the native form is refused, that of the composed one exists.
    let slope = |loss: fn(&Tensor, &Tensor, f64) -> Result<torch::ConsistencyLoss, Error>| {
        let value = loss(&good, &labels, 1.0).unwrap().value;
        let first = Tensor::f_run_backward(&[value], &[&good], true, true)?;
        Tensor::f_run_backward(&[first[0].square().sum(Kind::Double)], &[&good], false, false)
    };
    assert!(slope(torch::consistency_loss).is_err() && slope(torch::consistency_loss_composed).is_ok());
}

#[test]
fn predictions_are_the_native_ones() {
    let logits =
        Array2::from_shape_fn((200, 7), |(i, k)| ((i * 31 + k * 17 + i * k) % 41) as f64 / 5.0 - 3.0);
    let labels: Vec<usize> = (0..200).map(|i| i * 3 % 7).collect();
    let marks = Tensor::from_slice(&labels.iter().map(|l| *l as i64).collect::<Vec<_>>());
    let want = Predictions::from_logits(&logits, &labels).unwrap();
    let tensor = tensor_from_array(logits.clone()).unwrap().set_requires_grad(true);
    let found = torch::predictions(&tensor, &marks).unwrap();
    assert_eq!(found.correct(), want.correct());
    for (got, want) in found.confidence().iter().zip(want.confidence()) {
        assert!((got - want).abs() <= 4e-16, "{got} {want}");
    }
    let rms = |p: &Predictions| p.reliability(Binning::EqualWidth { bins: 15 }).unwrap().rms();
    assert!((rms(&found) - rms(&want)).abs() < 1e-14);
    // In two batches.
    let mut parts = torch::predictions(&tensor.narrow(0, 0, 77), &marks.narrow(0, 0, 77)).unwrap();
    parts.merge(&torch::predictions(&tensor.narrow(0, 77, 123), &marks.narrow(0, 77, 123)).unwrap());
    assert_eq!(parts, found);
    // Ties go to the first class; half types.
    let tie = Tensor::from_slice(&[1.0f32, 3.0, 3.0]).view([1, 3]).to_kind(Kind::BFloat16);
    assert_eq!(torch::predictions(&tie, &Tensor::from_slice(&[1i64])).unwrap().correct(), [true]);

    for bad in [f64::NAN, f64::INFINITY] {
        let mut logits = logits.clone();
        logits[[3, 2]] = bad;
        let refused = torch::predictions(&tensor_from_array(logits).unwrap(), &marks);
        assert!(matches!(
            refused,
            Err(Error::Argument(ArgumentError::Value { argument: "logits", index: Some(21), .. }))
        ));
    }
    let impossible = Tensor::full([200, 2], f64::NEG_INFINITY, (Kind::Double, Device::Cpu));
    assert_eq!(argument(torch::predictions(&impossible, &marks.clamp(0, 1))), "logits");
    for bad in [-1, 7] {
        let marks = marks.masked_fill(&Tensor::arange(200, (Kind::Int64, Device::Cpu)).eq(9), bad);
        let refused = torch::predictions(&tensor, &marks);
        assert!(matches!(
            refused,
            Err(Error::Argument(ArgumentError::Value { argument: "labels", index: Some(9), .. }))
        ));
    }
    assert_eq!(argument(torch::predictions(&tensor.narrow(0, 0, 0), &marks.narrow(0, 0, 0))), "logits");
}

const SHAPE: [usize; 3] = [3, 6, 9];

fn images(n: usize) -> Array4<f32> {
    Array4::from_shape_fn((n, 3, 6, 9), |(i, c, y, x)| ((i * 7 + c * 5 + y * 3 + x * 11) % 13) as f32 / 12.0)
}

/// Logits from a sum that is exact in f64, so that both homes give the same ones.
fn weighted(images: &ArrayView4<'_, f32>) -> Array2<f32> {
    let logit = |i: usize, k: usize| {
        let image = images.index_axis(Axis(0), i);
        let terms = image
            .indexed_iter()
            .map(|((c, y, x), v)| f64::from(*v) * (((c * 31 + y * 17 + x * 7 + k * 13) % 5) as f64 - 2.0));
        terms.sum::<f64>() as f32
    };
    Array2::from_shape_fn((images.len_of(Axis(0)), 4), |(i, k)| logit(i, k))
}

fn on_arrays() -> impl Fn(ArrayView4<'_, f32>) -> Result<Array2<f32>, Infallible> {
    |images| Ok(weighted(&images))
}

fn on_tensors() -> impl Fn(&Tensor) -> Result<Tensor, Infallible> {
    |images| {
        assert_eq!((images.kind(), images.requires_grad()), (Kind::Float, false));
        let array = tensor_into_array::<f32>("images", images).unwrap();
        Ok(tensor_from_array(weighted(&array.view().into_dimensionality().unwrap())).unwrap())
    }
}

#[test]
fn heatmaps_are_the_native_ones_and_go_on_in_either_home() {
    let go = |_| ControlFlow::Continue(());
    for alignment in [Alignment::Aligned, Alignment::RandomFlip(5)] {
        for clip in [true, false] {
            let options = HeatmapOptions { norm: 1.5, alignment, clip, ..HeatmapOptions::default() };
            let mut native = HeatmapRun::new(SHAPE, options).unwrap();
            let mut tensors = HeatmapRun::new(SHAPE, options).unwrap();
            let mut mixed = HeatmapRun::new(SHAPE, options).unwrap();
            for n in [5, 3] {
                let batch = images(n);
                let labels: Vec<usize> = (0..n).map(|i| i % 4).collect();
                let held = tensor_from_array(batch.clone()).unwrap();
                let marks = Tensor::from_slice(&labels.iter().map(|l| *l as i64).collect::<Vec<_>>());
                assert!(native.add(&batch, &labels, on_arrays(), go).unwrap().is_continue());
                assert!(tensors.add_tensors(&held, &marks, on_tensors(), go).unwrap().is_continue());
                // Stopped after ten waves on tensors, resumed natively.
                let stop = |p: variata_fourier_aug::HeatmapProgress| {
                    if p.waves_done == 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                };
                assert!(mixed.add_tensors(&held, &marks, on_tensors(), stop).unwrap().is_break());
                mixed = HeatmapRun::resume(mixed.state().clone()).unwrap();
                assert!(mixed.add(&batch, &labels, on_arrays(), go).unwrap().is_continue());
            }
            for run in [&tensors, &mixed] {
                let pairs =
                    run.state().outcomes.iter().flatten().zip(native.state().outcomes.iter().flatten());
                for (got, want) in pairs {
                    // The classifier saw the same bits; the softmax is rounded in another order.
                    assert!((got - want).abs() <= f32::EPSILON, "{got} {want}");
                }
                assert_eq!(run.errors().unwrap(), native.errors().unwrap());
            }
        }
    }
}

#[test]
fn perturbed_images_are_the_native_ones_to_the_bit() {
    let options = HeatmapOptions { alignment: Alignment::RandomFlip(2), ..HeatmapOptions::default() };
    let (mut seen, mut found) = (Vec::new(), Vec::new());
    let batch = images(2);
    let look = |images: ArrayView4<'_, f32>| {
        seen.push(images.to_owned().into_dyn());
        on_arrays()(images)
    };
    let go = |_| ControlFlow::Continue(());
    let _ = HeatmapRun::new(SHAPE, options).unwrap().add(&batch, &[0, 1], look, go).unwrap();
    let look = |images: &Tensor| {
        found.push(tensor_into_array::<f32>("images", images).unwrap());
        on_tensors()(images)
    };
    let held = tensor_from_array(batch).unwrap();
    let labels = Tensor::from_slice(&[0i64, 1]);
    let _ = HeatmapRun::new(SHAPE, options).unwrap().add_tensors(&held, &labels, look, go).unwrap();
    assert!(seen.len() > 20);
    assert_eq!(seen, found);
}

#[test]
fn bad_batches_are_refused_and_can_be_brought_again() {
    let go = |_| ControlFlow::Continue(());
    let mut run = HeatmapRun::new(SHAPE, HeatmapOptions::default()).unwrap();
    let held = tensor_from_array(images(2)).unwrap();
    let labels = Tensor::from_slice(&[0i64, 1]);
    assert_eq!(argument(run.add_tensors(&held.narrow(3, 0, 8), &labels, on_tensors(), go)), "images");
    assert_eq!(argument(run.add_tensors(&held, &labels.narrow(0, 0, 1), on_tensors(), go)), "labels");
    let none = (held.narrow(0, 0, 0), labels.narrow(0, 0, 0));
    assert_eq!(argument(run.add_tensors(&none.0, &none.1, on_tensors(), go)), "images");
    for shift in [1.5, -2.0, f64::NAN] {
        assert_eq!(argument(run.add_tensors(&(&held + shift), &labels, on_tensors(), go)), "images");
    }
    assert_eq!(argument(run.add_tensors(&held, &Tensor::from_slice(&[0i64, 9]), on_tensors(), go)), "labels");
    let counts = held.to_kind(Kind::Int64);
    assert!(matches!(run.add_tensors(&counts, &labels, on_tensors(), go), Err(Error::Tensor(_))));
    let broken = |_: &Tensor| Err(std::io::Error::other("no network"));
    assert!(matches!(run.add_tensors(&held, &labels, broken, go), Err(Error::Classifier(_))));
    let short = |images: &Tensor| on_tensors()(&images.narrow(0, 0, 1));
    assert!(run.add_tensors(&held, &labels, short, go).is_err());
    assert_eq!(run.state().waves_done, 0);
    assert!(run.add_tensors(&held, &labels, on_tensors(), go).unwrap().is_continue());
    assert_eq!(run.state().images_done, 2);
}
