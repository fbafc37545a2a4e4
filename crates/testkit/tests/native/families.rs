//! The families are what they say; the layouts hold the same numbers.

use std::collections::BTreeSet;

use ndarray::{Array1, Array2};
use variata_testkit::compare::assert_relative;
use variata_testkit::families::{
    SPECIAL_F32, SPECIAL_F64, condition_of, for_each_layout_1d, for_each_layout_2d, graded_spd,
    near_collinear, scales_f32, scales_f64, spd,
};

#[test]
fn condition_numbers_are_met() {
    for condition in [1.0, 1e3, 1e9] {
        let a = spd(9, condition, 3);
        assert_eq!(a, a.t());
        // Rounding the entries moves λmin by n·u·λmax.
        assert_relative("κ", condition_of(&a), condition, 1e-14 * condition + 1e-13, 0.0);
    }
    let graded = graded_spd(5, 1e-2, 3);
    assert_eq!(graded, graded.t());
    assert!(condition_of(&graded) > 1e14);
    assert_eq!(spd(0, 10.0, 1).dim(), (0, 0));
    assert_eq!(spd(4, 1e5, 1), spd(4, 1e5, 1), "same seed, same bits");
    assert_ne!(spd(4, 1e5, 1), spd(4, 1e5, 2));
}

#[test]
fn columns_are_collinear_to_the_gap() {
    let a = near_collinear(50, 4, 1e-4, 5);
    for j in 1..4 {
        let (x, y) = (a.column(0), a.column(j));
        let difference = &x - &y;
        let gap = (difference.dot(&difference) / x.dot(&x)).sqrt();
        assert!(gap > 1e-5 && gap < 1e-3, "{gap}");
    }
    let exact = near_collinear(5, 3, 0.0, 5);
    assert_eq!(exact.column(0), exact.column(2));
}

#[test]
fn every_layout_of_a_vector() {
    let x = Array1::from_iter(0..7);
    let mut strides = Vec::new();
    for_each_layout_1d(&x, |layout, view, standard| {
        assert_eq!(view, standard, "{layout}");
        assert!(standard.is_standard_layout());
        if layout != "broadcast" {
            assert_eq!(view, x, "{layout}");
        }
        strides.push(view.strides()[0]);
    });
    assert_eq!(strides, [1, 2, -1, 1, 0]);
    let mut calls = 0;
    for_each_layout_1d(&Array1::<f32>::zeros(0), |_, view, _| {
        assert!(view.is_empty());
        calls += 1;
    });
    assert_eq!(calls, 1);
}

#[test]
fn every_layout_of_a_matrix() {
    let x = Array2::from_shape_fn((3, 4), |(i, j)| 10 * i + j);
    let mut strides = BTreeSet::new();
    let mut names = Vec::new();
    for_each_layout_2d(&x, |layout, view, standard| {
        assert_eq!(view, standard, "{layout}");
        assert!(standard.is_standard_layout());
        assert_eq!(view.dim(), (3, 4), "{layout}");
        if !layout.starts_with("broadcast") && layout != "negative Fortran" {
            assert_eq!(view, x, "{layout}");
        }
        strides.insert(view.strides().to_vec());
        names.push(layout.to_owned());
    });
    assert_eq!(names.len(), 10);
    for want in [[4, 1], [1, 3], [8, 1], [8, 2], [-4, 1], [4, -1], [-1, -3], [9, 1], [0, 1], [4, 0]] {
        assert!(strides.contains(want.as_slice()), "{want:?} is not among {strides:?}");
    }
}

#[test]
fn special_numbers_and_scales() {
    assert!(SPECIAL_F64.iter().any(|x| x.is_subnormal()) && SPECIAL_F32.iter().any(|x| x.is_subnormal()));
    // Both sides of the ends of exp.
    assert!(709.782_712_893_384_f64.exp().is_finite() && 710.0_f64.exp().is_infinite());
    assert!((-745.133_219_101_941_f64).exp() > 0.0 && (-746.0_f64).exp() == 0.0);
    assert!(88.722_84_f32.exp().is_infinite() || 88.722_84_f32.exp() > 3e38);
    assert_eq!(scales_f64()[0], 2.0_f64.powi(-120));
    assert_eq!(scales_f32()[6], 2.0_f32.powi(60));
}
