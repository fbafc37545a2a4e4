//! Strides, element types and thread counts change nothing.

use ndarray::{Array2, s};
#[cfg(feature = "half")]
use variata_sliced::TwoSample;
use variata_sliced::{Directions, Discrepancy, Distance, mardia};

use crate::support::{all, normal};

#[test]
fn strides_do_not_matter() {
    let x = normal(50, 6, 1);
    let directions = Directions::uniform(9, 6, 2).unwrap();
    let mut wide = Array2::zeros((100, 12));
    wide.slice_mut(s![..;2, ..;2]).assign(&x);
    let columns = x.t().as_standard_layout().to_owned();
    let mirrored = x.slice(s![..;-1, ..;-1]).to_owned();
    let views = [wide.slice(s![..;2, ..;2]), columns.t(), mirrored.slice(s![..;-1, ..;-1])];
    for distance in all() {
        let discrepancy = Discrepancy::new(distance);
        let (value, grad) = discrepancy.sliced_with_grad(&x, &directions).unwrap();
        for view in views {
            let (other, slope) = discrepancy.sliced_with_grad(&view, &directions).unwrap();
            assert_eq!((&value, &grad), (&other, &slope), "{distance:?}");
            let (on_line, _) = distance.value_with_grad(&view.column(2)).unwrap();
            assert_eq!(on_line, distance.value(&x.column(2)).unwrap());
        }
    }
    assert_eq!(mardia(&views[1]).unwrap(), mardia(&x).unwrap());
}

#[test]
fn wide_samples_of_f32_are_summed_in_double_precision() {
    // 4096 dimensions: one f32 sum would be off by more than a digit of the eighth.
    let x = normal(20, 4096, 3);
    let directions = Directions::uniform(5, 4096, 4).unwrap();
    for distance in all() {
        let discrepancy = Discrepancy::new(distance);
        let exact = discrepancy.sliced(&x.mapv(|v| f64::from(v as f32)), &directions).unwrap();
        let single = discrepancy.sliced(&x.mapv(|v| v as f32), &directions).unwrap();
        assert!((single.mean / exact.mean - 1.0).abs() < 1e-6, "{distance:?}");
    }
}

#[cfg(feature = "half")]
#[test]
fn half_types_count_as_their_exact_values() {
    use half::{bf16, f16};
    let x = normal(40, 5, 5);
    let directions = Directions::uniform(7, 5, 6).unwrap();
    let y = normal(30, 5, 7).mapv(f16::from_f64);
    let (small, brain) = (x.mapv(f16::from_f64), x.mapv(bf16::from_f64));
    for distance in all() {
        let discrepancy = Discrepancy::new(distance);
        let found = discrepancy.sliced_with_grad(&small, &directions).unwrap();
        assert_eq!(found, discrepancy.sliced_with_grad(&small.mapv(f16::to_f32), &directions).unwrap());
        let found = discrepancy.sliced_with_grad(&brain, &directions).unwrap();
        assert_eq!(found, discrepancy.sliced_with_grad(&brain.mapv(bf16::to_f32), &directions).unwrap());
    }
    let two = TwoSample::SQUARED.sliced(&small, &y, &directions).unwrap();
    let want =
        TwoSample::SQUARED.sliced(&small.mapv(f16::to_f32), &y.mapv(f16::to_f32), &directions).unwrap();
    assert_eq!(two, want);
}

#[test]
fn gradients_are_those_of_f64_rounded() {
    let x = normal(300, 4, 8).mapv(|v| v as f32);
    let directions = Directions::orthogonal(8, 4, 9).unwrap();
    for distance in all() {
        let discrepancy = Discrepancy::new(distance);
        let (_, single) = discrepancy.sliced_with_grad(&x, &directions).unwrap();
        let (_, double) = discrepancy.sliced_with_grad(&x.mapv(f64::from), &directions).unwrap();
        let largest = double.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        // The slope of |y − x| turns round within a cell, n times as fast as y moves.
        let bound = if distance == (Distance::Wasserstein { p: 1.0 }) { 1e-4 } else { 2e-6 };
        for (a, b) in single.iter().zip(&double) {
            assert!((f64::from(*a) - b).abs() <= bound * largest, "{distance:?}: {a} {b}");
        }
    }
}
