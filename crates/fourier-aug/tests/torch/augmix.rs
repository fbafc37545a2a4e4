//! Operations and AugMix on tensors give the native numbers.

use ndarray::{Array4, Axis, Ix4};
use rand::Rng;
use variata_distributions::ArgumentError;
use variata_fourier_aug::{
    Action, AugMix, AugMixOptions, AugmentationSet, Depth, Error, FlipCrop, Grid, Image, Layout, Normalize,
    Operation, Pipeline, PlaneWave, Primitive, WaveSampler, WaveSamplerOptions, WaveVector,
    WeightedOperation, torch,
};
use variata_torch_bridge::tch::{Kind, Tensor};
use variata_torch_bridge::{tensor_from_array, tensor_into_array};

/// Always the same.
#[derive(Debug)]
struct Always(Action);

impl Operation for Always {
    fn apply(&self, image: &mut Image, _: f64, _: &mut dyn Rng) -> Result<(), Error> {
        self.0.apply(image)
    }

    fn action(&self, _: [usize; 3], _: f64, _: &mut dyn Rng) -> Result<Option<Action>, Error> {
        Ok(Some(self.0))
    }
}

/// Names no action.
#[derive(Debug)]
struct Silent;

impl Operation for Silent {
    fn apply(&self, _: &mut Image, _: f64, _: &mut dyn Rng) -> Result<(), Error> {
        Ok(())
    }
}

/// Bright and dark, smooth and rough, and an image of one level.
fn images([n, channels, height, width]: [usize; 4]) -> Array4<u8> {
    Array4::from_shape_fn((n, channels, height, width), |(n, c, y, x)| match n % 4 {
        0 => ((c * 91 + y * y * 5 + x * 13 + x * y) % 256) as u8,
        1 => (40 + (y * 3 + x * 2 + c * 20) % 90) as u8,
        2 => (((x / 3 + y / 2 + n + c) % 2) * 255) as u8,
        _ => (60 * (c + 1)) as u8,
    })
}

fn tensor(images: &Array4<u8>) -> Tensor {
    tensor_from_array(images.clone()).unwrap()
}

fn back(tensor: &Tensor) -> Array4<f32> {
    tensor_into_array::<f32>("t", tensor).unwrap().into_dimensionality::<Ix4>().unwrap()
}

/// The mixture is one chain of one operation.
fn only(operation: impl Operation + 'static) -> Pipeline {
    let options = AugMixOptions { width: 1, depth: Depth::Fixed(1), ..AugMixOptions::default() };
    let augmix = AugMix::new(vec![WeightedOperation::new(operation, 1.0)], options).unwrap();
    Pipeline::new(Layout::Chw, None, Some(augmix), Normalize::none()).unwrap()
}

#[test]
fn every_action_gives_the_native_levels() {
    let wave =
        PlaneWave { vector: WaveVector { y: 2, x: 5 }, phase: 0.7, norm: 4.0, flipped: [true, false, true] };
    let mut actions = vec![Action::Autocontrast, Action::Equalize, Action::Wave(wave)];
    actions.extend([0.0, 5.0, -17.0, 90.0, 180.0, 211.5, f64::NAN, f64::INFINITY].map(Action::Rotate));
    for s in [0.0, 0.03, -0.3, 2.5, 1e300, -1e308, f64::INFINITY] {
        actions.extend([Action::ShearX(s), Action::ShearY(s)]);
    }
    for pixels in [0, 1, -3, 9, 10, 400, i64::MAX, i64::MIN] {
        actions.extend([Action::TranslateX(pixels), Action::TranslateY(pixels)]);
    }
    actions.extend([0, 1, 3, 4, 8, 9, u32::MAX].map(Action::Posterize));
    actions.extend([0, 1, 100, 255, 256, u32::MAX].map(Action::Solarize));
    for factor in [0.0, 0.1, 0.64, 1.0, 1.9, -0.5, f32::INFINITY, f32::NAN] {
        actions.extend([Action::Brightness(factor), Action::Color(factor)]);
        actions.extend([Action::Contrast(factor), Action::Sharpness(factor)]);
    }
    for shape in [[5, 3, 9, 10], [4, 1, 9, 10], [3, 3, 8, 6]] {
        let images = images(shape);
        for action in &actions {
            let pipeline = only(Always(*action));
            let want = pipeline.augment(&images, 3, 0).unwrap();
            let got = back(&torch::augment_composed(&pipeline, &tensor(&images), 3, 0).unwrap());
            assert_eq!(got, want, "{action:?} of {shape:?}");
        }
    }
}

#[test]
fn images_large_and_small() {
    // One pixel, one row, fewer than three rows; more levels than whole steps of a histogram.
    for shape in [[2, 3, 1, 1], [2, 1, 1, 7], [2, 3, 2, 9], [1, 3, 65, 70]] {
        let images = images(shape);
        let operations = [Primitive::SPATIAL.as_slice(), &Primitive::VISION, &Primitive::COLOR].concat();
        for operation in operations {
            let pipeline = only(operation);
            let want = pipeline.augment(&images, 1, 0).unwrap();
            let got = back(&torch::augment_composed(&pipeline, &tensor(&images), 1, 0).unwrap());
            assert_eq!(got, want, "{operation:?} of {shape:?}");
        }
    }
}

fn pipeline(set: AugmentationSet, layout: Layout, [height, width]: [usize; 2]) -> Pipeline {
    let options = WaveSamplerOptions { random_flip: true, ..WaveSamplerOptions::default() };
    let waves = WaveSampler::new(Grid::new(height, width).unwrap(), &options).unwrap();
    let options = AugMixOptions { severity: 8.0, ..AugMixOptions::default() };
    let augmix = AugMix::new(set.operations(&waves), options).ok();
    let base = FlipCrop { flip: true, padding: 3 };
    Pipeline::new(layout, Some(base), augmix, Normalize::default()).unwrap()
}

#[test]
fn every_image_has_the_same_fate_in_both_homes() {
    for set in AugmentationSet::ALL {
        for (layout, channels) in [(Layout::Chw, 3), (Layout::Hwc, 3), (Layout::Chw, 1)] {
            let pipeline = pipeline(set, layout, [11, 14]);
            let mut images = images([40, channels, 11, 14]);
            if layout == Layout::Hwc {
                images = images.permuted_axes([0, 2, 3, 1]).as_standard_layout().into_owned();
            }
            let want = pipeline.fork(&images, 9, 100).unwrap();
            let got = torch::fork_composed(&pipeline, &tensor(&images), 9, 100).unwrap();
            for (got, want) in got.iter().zip(&want) {
                assert_eq!(back(got), want, "{set:?} {layout:?}");
            }
            let routed = torch::fork(&pipeline, &tensor(&images), 9, 100).unwrap();
            assert!(routed.iter().zip(&want).all(|(got, want)| back(got) == want));
            for one in [torch::augment, torch::augment_composed] {
                assert_eq!(back(&one(&pipeline, &tensor(&images), 9, 100).unwrap()), want[1]);
            }
            // Numbers in [0, 1] are the levels that they stand for; a batch cut in two is the same batch.
            let unit = tensor(&images).to_kind(Kind::Float) / 255.0;
            for fork in [torch::fork, torch::fork_composed] {
                let [_, first, _] = fork(&pipeline, &unit.narrow(0, 15, 25), 9, 115).unwrap();
                assert_eq!(back(&first).view(), want[1].slice_axis(Axis(0), (15..).into()));
            }
            let want = pipeline.clean(&images).unwrap();
            assert_eq!(back(&torch::clean(&pipeline, &unit.to_kind(Kind::Double)).unwrap()), want);
        }
    }
}

#[test]
fn a_batch_too_large_for_one_block() {
    // 40 images of 2¹⁶ levels in 8 chains each: 21 million, of which 32 images make a block, and 64 chains one of an operation.
    let waves = WaveSampler::new(Grid::new(256, 256).unwrap(), &WaveSamplerOptions::default()).unwrap();
    let options = AugMixOptions { width: 8, depth: Depth::Fixed(1), ..AugMixOptions::default() };
    let operations = vec![
        WeightedOperation::new(Primitive::Rotate, 1.0),
        WeightedOperation::new(Primitive::Equalize, 1.0),
        WeightedOperation::new(waves, 1.0),
    ];
    let augmix = AugMix::new(operations, options).unwrap();
    let pipeline = Pipeline::new(Layout::Chw, None, Some(augmix), Normalize::none()).unwrap();
    let images = images([40, 1, 256, 256]);
    let want = pipeline.augment(&images, 4, u64::MAX - 10).unwrap();
    let got = torch::augment_composed(&pipeline, &tensor(&images), 4, u64::MAX - 10).unwrap();
    assert!(back(&got) == want);
}

#[test]
fn numbers_are_rounded_to_levels_and_cut() {
    let pipeline = Pipeline::new(Layout::Chw, None, None, Normalize::none()).unwrap();
    let values = Tensor::from_slice(&[-1.0f32, 0.0, 0.5, 0.502, 1.0, 7.0, f32::NAN, f32::INFINITY]);
    let values = values.view([1, 1, 2, 4]).set_requires_grad(true);
    let found = torch::clean(&pipeline, &values).unwrap();
    assert!(!found.requires_grad());
    let levels: Vec<f32> = back(&found).iter().map(|v| (v * 255.0).round()).collect();
    assert_eq!(levels, [0.0, 0.0, 128.0, 128.0, 255.0, 255.0, 0.0, 255.0]);
    let [clean, ..] = torch::fork_composed(&pipeline, &values, 1, 0).unwrap();
    assert_eq!(back(&clean), back(&found));
}

#[test]
fn what_tensors_cannot_do_is_refused_by_name() {
    let silent = only(Silent);
    let images = images([2, 3, 4, 4]);
    let refused = torch::augment_composed(&silent, &tensor(&images), 1, 0);
    assert!(matches!(&refused, Err(Error::NoAction { operation }) if operation == "Silent"), "{refused:?}");
    assert!(torch::augment(&silent, &tensor(&images), 1, 0).is_ok());

    let waves = WaveSampler::new(Grid::new(5, 5).unwrap(), &WaveSamplerOptions::default()).unwrap();
    let shape = |result: Result<Tensor, Error>| match result {
        Err(Error::Argument(ArgumentError::Shape { argument, .. })) => argument,
        other => panic!("{other:?}"),
    };
    let good = only(Primitive::Rotate);
    for augment in [torch::augment, torch::augment_composed] {
        assert_eq!(shape(augment(&only(waves.clone()), &tensor(&images), 1, 0)), "image");
        assert_eq!(shape(augment(&good, &tensor(&images).get(0), 1, 0)), "images");
        assert_eq!(shape(augment(&good, &tensor(&images).narrow(1, 0, 2), 1, 0)), "image");
        let counts = tensor(&images).to_kind(Kind::Int64);
        assert!(matches!(augment(&good, &counts, 1, 0), Err(Error::Tensor(_))));
        assert!(matches!(augment(&good, &Tensor::new(), 1, 0), Err(Error::Tensor(_))));
        let none = augment(&good, &tensor(&images).narrow(0, 0, 0), 1, 0).unwrap();
        assert_eq!(none.size(), [0, 3, 4, 4]);
    }
}
