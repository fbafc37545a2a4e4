//! [−1, 1] and back.

use ndarray::{Array2, array};
use proptest::prelude::*;
use variata_streamlines::{Error, Normalization};
use variata_testkit::compare::assert_relative;

use super::support::line;

proptest! {
    #[test]
    fn ends_become_ends_and_all_comes_back(line in line(1..20)) {
        let scale = Normalization::fit(&line).unwrap();
        let small = scale.apply(&line);
        prop_assert!(small.iter().all(|y| (-1.0..=1.0).contains(y)));
        if line.len() > 1 {
            prop_assert!(small.iter().any(|y| *y == -1.0) && small.iter().any(|y| *y == 1.0));
        }
        for (x, back) in line.iter().zip(&scale.invert(&small)) {
            assert_relative("x", *back, *x, 1e-14, 100.0);
        }
    }

    #[test]
    fn parts_make_the_whole(a in line(1..9), b in line(1..9)) {
        let whole: Array2<f64> = ndarray::concatenate![ndarray::Axis(0), a, b];
        let union = Normalization::fit(&a).unwrap().union(Normalization::fit(&b).unwrap());
        prop_assert_eq!(union, Normalization::fit(&whole).unwrap());
    }
}

#[test]
fn data_without_range_are_0_and_come_back_exactly() {
    let flat = array![[7.25f32, 7.25, 7.25]];
    let scale = Normalization::fit(&flat).unwrap();
    assert_eq!(scale.apply(&flat), array![[0.0f32, 0.0, 0.0]]);
    assert_eq!(scale.invert(&scale.apply(&flat)), flat);
    assert_eq!(scale.scale(), 0.0);
}

#[test]
fn proportions_are_kept() {
    let line = array![[0.0, 0.0, 0.0], [100.0, 0.0, 0.0], [100.0, 50.0, 0.0]];
    let small = Normalization::fit(&line).unwrap().apply(&line);
    assert_eq!(small, array![[-1.0, -1.0, -1.0], [1.0, -1.0, -1.0], [1.0, 0.0, -1.0]]);
}

#[test]
fn what_has_no_ends_is_refused() {
    assert!(matches!(Normalization::fit(&Array2::<f64>::zeros((0, 3))), Err(Error::Argument(_))));
    assert!(matches!(Normalization::fit(&array![[1.0, f64::NAN]]), Err(Error::Argument(_))));
    for (min, max) in [(1.0, 0.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
        assert!(matches!(Normalization::new(min, max), Err(Error::Argument(_))), "{min} {max}");
    }
}

#[test]
fn ends_whose_difference_overflows_or_is_the_smallest_number() {
    let (low, high) =
        (Normalization::new(-1.7e308, -1e308).unwrap(), Normalization::new(1e308, 1.7e308).unwrap());
    let both = low.union(high);
    assert_eq!(both, Normalization::new(-1.7e308, 1.7e308).unwrap());
    let x = array![-1.7e308, -0.85e308, 0.0, 1.7e308];
    assert_eq!(both.apply(&x), array![-1.0, -0.5, 0.0, 1.0]);
    assert_eq!(both.invert(&both.apply(&x)), x);
    // 2/3.4e308 is no normal number: it has fewer digits.
    assert_relative("scale", both.scale(), 1.0 / 1.7e308, 1e-15, 0.0);
    let least = Normalization::new(0.0, 5e-324).unwrap();
    let x = array![0.0, 5e-324];
    assert_eq!((least.apply(&x), least.invert(&array![-1.0, 1.0])), (array![-1.0, 1.0], x));
    assert_eq!(least.scale(), f64::INFINITY);
    assert_eq!(Normalization::new(0.0, 2f64.powi(-1022)).unwrap().scale(), 2f64.powi(1023));
}

#[cfg(feature = "serde")]
#[test]
fn a_normalisation_comes_back_from_text() {
    let scale = Normalization::new(-80.1, 120.7).unwrap();
    let text = serde_json::to_string(&scale).unwrap();
    assert_eq!(serde_json::from_str::<Normalization>(&text).unwrap(), scale);
    for refused in [r#"{"min": 1, "max": 0}"#, r#"{"min": 0}"#, r#"{"min": 0, "max": 1, "unit": "mm"}"#] {
        assert!(serde_json::from_str::<Normalization>(refused).is_err(), "{refused}");
    }
}
