//! AugMix's loss: its parts, gradient, exactness of a nearly sure label, bad input.

use ndarray::{Array3, array};
use proptest::prelude::*;
use variata_distributions::ArgumentError;
use variata_fourier_aug::{
    Error, JSD_WEIGHT, consistency_loss, consistency_loss_with_grad, jensen_shannon_batch,
    jensen_shannon_batch_probabilities,
};
use variata_testkit::compare::assert_relative;
use variata_testkit::finite_difference::assert_gradient;

fn logits(views: usize, batch: usize, classes: usize) -> Array3<f64> {
    Array3::from_shape_fn((views, batch, classes), |(i, b, k)| {
        ((i * 37 + b * 23 + k * 11 + i * k * b) % 29) as f64 / 7.0 - 2.0
    })
}

/// −log p in the textbook's form.
fn surprise(logits: &Array3<f64>, b: usize, label: usize) -> f64 {
    let row = logits.slice(ndarray::s![0, b, ..]);
    row.iter().map(|l| l.exp()).sum::<f64>().ln() - row[label]
}

#[test]
fn the_loss_is_the_sum_of_its_parts() {
    let (logits, labels) = (logits(3, 5, 4), [0, 3, 1, 2, 2]);
    let loss = consistency_loss(&logits, &labels, JSD_WEIGHT).unwrap();
    let entropy: f64 = labels.iter().enumerate().map(|(b, &label)| surprise(&logits, b, label)).sum();
    assert_relative("cross entropy", loss.cross_entropy, entropy / 5.0, 1e-14, 0.0);
    let jsd = jensen_shannon_batch(&logits, None).unwrap().mean().unwrap();
    assert_relative("divergence", loss.jensen_shannon, jsd, 1e-14, 0.0);
    assert_relative("value", loss.value, entropy / 5.0 + 12.0 * jsd, 1e-14, 0.0);
}

#[test]
fn facts_value() {
    let p = array![[[0.0, 1.0]], [[1.0, 0.0]], [[0.5, 0.5]]];
    let jsd = jensen_shannon_batch_probabilities(&p, None).unwrap();
    assert_relative("jsd", jsd[0], 0.4620981203732969, 1e-14, 0.0);
}

#[test]
fn the_clamp_of_the_original_is_far_off_where_this_is_not() {
    // 2⁻¹⁴ between the views: 3.3964e-9, `divergence_batch` has the digits.
    let (a, v) = ([0.25, -1.75, 2.125, -0.5, 0.875], [1.0, -2.0, 3.0, 1.0, -4.0]);
    let single =
        Array3::from_shape_fn((2, 1, 5), |(i, _, k)| (a[k] + i as f64 * 2f64.powi(-14) * v[k]) as f32);
    let got = consistency_loss(&single, &[0], 1.0).unwrap().jensen_shannon;
    assert_relative("f32 logits", got, 3.3964173325972552582e-9, 1e-9, 0.0);
}

#[test]
fn gradient_matches_the_stencil() {
    let labels = [1, 0];
    let shaped = |v: &[f64]| Array3::from_shape_vec((3, 2, 3), v.to_vec()).unwrap();
    let at: Vec<f64> = logits(3, 2, 3).into_iter().collect();
    assert_gradient(
        "consistency_loss",
        |v| consistency_loss(&shaped(v), &labels, JSD_WEIGHT).unwrap().value,
        &at,
        &[0.5; 18],
        |v| {
            let (loss, grad) = consistency_loss_with_grad(&shaped(v), &labels, JSD_WEIGHT).unwrap();
            assert_eq!(loss, consistency_loss(&shaped(v), &labels, JSD_WEIGHT).unwrap());
            grad.into_iter().collect()
        },
        1e-8,
    );
}

#[test]
fn nearly_sure_and_impossible_labels() {
    let sure = array![[[0.0, -40.0]]];
    let loss = consistency_loss(&sure, &[0], 1.0).unwrap();
    assert_relative("sure", loss.value, (-40f64).exp(), 1e-14, 0.0);
    let (_, grad) = consistency_loss_with_grad(&sure, &[0], 1.0).unwrap();
    assert_relative("its gradient", grad[[0, 0, 0]], -(-40f64).exp(), 1e-14, 0.0);
    let impossible = array![[[0.0, f64::NEG_INFINITY]]];
    assert_eq!(consistency_loss(&impossible, &[1], 1.0).unwrap().value, f64::INFINITY);
    let far = array![[[0.0, -1000.0]]];
    assert_relative("far", consistency_loss(&far, &[1], 1.0).unwrap().value, 1000.0, 1e-15, 0.0);
}

/// Values by mpmath with 50 digits: log(1 + e^l); subnormal ones have fewer.
#[test]
fn labels_surer_than_the_smallest_normal_number() {
    for (other, want, bound) in [
        (-700.0, 9.8596765437597708567e-305, 1e-14),
        (-740.0, 4.1887398800480489395e-322, 0.01),
        (f64::NEG_INFINITY, 0.0, 0.0),
    ] {
        let (loss, grad) = consistency_loss_with_grad(&array![[[0.0, other]]], &[0], 1.0).unwrap();
        assert_relative("loss", loss.cross_entropy, want, bound, 0.0);
        assert_relative("label", grad[[0, 0, 0]], -want, bound, 0.0);
        assert_relative("other", grad[[0, 0, 1]], want, bound, 0.0);
    }
}

#[test]
fn bad_input_is_refused_by_name() {
    let name = |found: Result<_, Error>| match found.unwrap_err() {
        Error::Argument(ArgumentError::Value { argument, .. } | ArgumentError::Shape { argument, .. }) => {
            argument
        }
        other => panic!("{other}"),
    };
    let good = logits(3, 2, 3);
    for shape in [(0, 2, 3), (3, 0, 3), (3, 2, 0)] {
        let empty = Array3::<f64>::zeros(shape);
        assert_eq!(name(consistency_loss(&empty, &vec![0; shape.1], 1.0)), "logits");
    }
    assert_eq!(name(consistency_loss(&good, &[0], 1.0)), "labels");
    assert_eq!(name(consistency_loss(&good, &[0, 3], 1.0)), "labels");
    for weight in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(name(consistency_loss(&good, &[0, 1], weight)), "weight");
    }
    for value in [f64::NAN, f64::INFINITY] {
        let mut bad = good.clone();
        bad[[2, 1, 0]] = value;
        assert_eq!(name(consistency_loss(&bad, &[0, 1], 1.0)), "logits");
        assert!(consistency_loss_with_grad(&bad, &[0, 1], 1.0).is_err());
    }
    let nothing = Array3::from_elem((1, 1, 2), f64::NEG_INFINITY);
    assert!(matches!(consistency_loss(&nothing, &[0], 1.0), Err(Error::Distributions(_))));
}

proptest! {
    #[test]
    fn the_divergence_is_between_zero_and_log_n_and_symmetric(
        v in prop::collection::vec(-30.0..30.0f64, 12), e in 0..40i32,
    ) {
        let h = 2f64.powi(-e);
        let logits = Array3::from_shape_fn((3, 1, 4), |(i, _, k)| v[k] + h * v[i * 4 + k]);
        let value = jensen_shannon_batch(&logits, None).unwrap()[0];
        prop_assert!((0.0..=3f64.ln() * (1.0 + 1e-14)).contains(&value), "{value}");
        let swapped = Array3::from_shape_fn((3, 1, 4), |(i, _, k)| logits[[2 - i, 0, k]]);
        let other = jensen_shannon_batch(&swapped, None).unwrap()[0];
        // 1e-9 at the value where the form changes.
        prop_assert!((value - other).abs() <= 4e-9 * value + 1e-300, "{value} {other}");
    }
}
