//! Jensen–Shannon of many items: against the form of one item, gradients, layouts, bad input.

use ndarray::{Array1, Array2, Array3, Axis, array, s};
use variata_distributions::{
    ArgumentError, Error, jensen_shannon, jensen_shannon_batch, jensen_shannon_batch_probabilities,
    jensen_shannon_batch_with_grad, jensen_shannon_batch_with_grad_into, jensen_shannon_with_grad,
};
use variata_testkit::compare::assert_relative;
use variata_testkit::finite_difference::assert_gradient;

/// Logits [3, batch, categories] in (−4, 4); the views of item b differ by some 2⁻ᵇ.
fn logits(batch: usize, categories: usize) -> Array3<f64> {
    Array3::from_shape_fn((3, batch, categories), |(i, b, k)| {
        let base = ((k * 37 + b * 11) % 101) as f64 / 12.5 - 4.0;
        base + 2f64.powi(-(b as i32)) * (((i * 29 + k * 17) % 13) as f64 - 6.0)
    })
}

#[test]
fn items_agree_with_the_form_of_one_item() {
    for categories in [1, 2, 10, 16, 17, 63, 64, 65, 130] {
        let logits = logits(26, categories);
        let (values, grads) = jensen_shannon_batch_with_grad(&logits, None).unwrap();
        assert_eq!(values, jensen_shannon_batch(&logits, None).unwrap());
        for (b, &value) in values.iter().enumerate() {
            let item = logits.index_axis(Axis(1), b);
            let (want, grad) = jensen_shannon_with_grad(&item, None).unwrap();
            // The rounding of p moves r = p/m − 1 by some 4 u, and the value, of the order r², by 8 u/r of itself; that of
            // logarithms of size 10 moves the value by some 10 u, and the gradient, of the order r, by 10 u/r of itself.
            let ratios = 1e-15 / want.max(1e-12).sqrt();
            let logarithms = if want > 1e-7 { 4e-15 / want } else { 0.0 };
            let bound = ratios.max(logarithms).max(1e-14);
            assert_relative("value", value, want, bound, 1e-300);
            for (got, want) in grads.index_axis(Axis(1), b).iter().zip(&grad) {
                let scale = grad.iter().fold(0.0, |a: f64, g| a.max(g.abs()));
                assert!((got - want).abs() <= scale * bound + 1e-300, "{got} {want} {scale}");
            }
        }
    }
}

#[test]
fn near_equal_views_keep_a_millionth_down_to_1e_12_and_below() {
    // The rows of `near_equal_rows_keep_their_digits`, as f32 too, which hold them exactly.
    for (e, want) in [
        (14, 3.3964173325972552582e-9),
        (17, 5.3074024972882205184e-11),
        (20, 8.2929141361864117067e-13),
        (23, 1.2957697426420067879e-14),
    ] {
        let h = 2f64.powi(-e);
        let (a, v) = ([0.25, -1.75, 2.125, -0.5, 0.875], [1.0, -2.0, 3.0, 1.0, -4.0]);
        let logits = Array3::from_shape_fn((2, 1, 5), |(i, _, k)| a[k] + i as f64 * h * v[k]);
        let got = jensen_shannon_batch(&logits, None).unwrap()[0];
        assert_relative("near", got, want, 1e-9, 0.0);
        if e <= 20 {
            let single = logits.mapv(|v| v as f32);
            assert!(single.iter().zip(&logits).all(|(s, l)| f64::from(*s) == *l));
            assert_relative("f32", jensen_shannon_batch(&single, None).unwrap()[0], want, 1e-9, 0.0);
        }
    }
}

#[test]
fn equal_views_give_exactly_zero_and_far_logits_take_the_exact_form() {
    let row = [0.3, -700.0, 2.0, f64::NEG_INFINITY, 0.1];
    let equal =
        Array3::from_shape_fn((3, 2, 5), |(_, b, k)| if b == 0 { row[k] } else { row[4 - k].max(-9.0) });
    let (values, grad) = jensen_shannon_batch_with_grad(&equal, None).unwrap();
    assert_eq!((values, grad), (array![0.0, 0.0], Array3::zeros((3, 2, 5))));
    let far = array![[[0.0, -800.0]], [[-800.0, 0.0]]];
    assert_relative("far", jensen_shannon_batch(&far, None).unwrap()[0], 2f64.ln(), 1e-15, 0.0);
}

#[test]
fn unequal_weights_keep_a_billionth() {
    // As `unequal_weights_keep_their_digits`, by mpmath; beyond 700 the vector functions do not reach.
    for far in [-150.0, -800.0] {
        let logits = array![[[0.0, far]], [[far, 0.0]]];
        for (w, want) in [
            (1e-6, 0.000014815510057964106812),
            (1e-9, 2.1723265836446410786e-8),
            (1e-12, 2.8631021115928047652e-11),
            (1e-16, 3.7841361487904730124e-15),
        ] {
            let got = jensen_shannon_batch(&logits, Some(&array![1.0 - w, w])).unwrap()[0];
            assert_relative("unequal", got, want, 1e-9, 0.0);
        }
    }
}

#[test]
fn layouts_splits_and_threads_give_the_same_bits() {
    let logits = logits(300, 70);
    let (values, grads) = jensen_shannon_batch_with_grad(&logits, None).unwrap();
    let by_category = logits.clone().permuted_axes([2, 0, 1]).as_standard_layout().into_owned();
    let (again, grads_again) =
        jensen_shannon_batch_with_grad(&by_category.permuted_axes([1, 2, 0]), None).unwrap();
    assert_eq!((&values, &grads), (&again, &grads_again));
    let part = jensen_shannon_batch(&logits.slice(s![.., 7..39, ..]), None).unwrap();
    assert_eq!(part, values.slice(s![7..39]));
    assert_eq!(jensen_shannon_batch(&Array3::<f32>::zeros((3, 0, 4)), None).unwrap().len(), 0);
}

#[test]
fn gradient_matches_the_stencil() {
    let weights = array![0.2, 0.3, 0.5];
    let shaped = |v: &[f64]| Array3::from_shape_vec((3, 2, 2), v.to_vec()).unwrap();
    assert_gradient(
        "jensen_shannon_batch",
        |v| jensen_shannon_batch(&shaped(v), Some(&weights)).unwrap().sum(),
        &[0.3, -1.0, 2.0, 0.5, 1.0, 1.0, -3.0, 0.0, -2.0, 0.7, 0.1, 1.5],
        &[0.5; 12],
        |v| jensen_shannon_batch_with_grad(&shaped(v), Some(&weights)).unwrap().1.into_iter().collect(),
        1e-8,
    );
}

#[test]
fn probabilities_agree_with_logits() {
    let p = array![[[0.0, 1.0], [0.5, 0.5]], [[1.0, 0.0], [0.25, 0.75]], [[0.5, 0.5], [0.5, 0.5]]];
    let values = jensen_shannon_batch_probabilities(&p, None).unwrap();
    assert_relative("mpmath", values[0], 0.4620981203732969, 1e-14, 0.0);
    let item: Array2<f64> = p.index_axis(Axis(1), 1).mapv(f64::ln);
    assert_relative("second", values[1], jensen_shannon(&item, None).unwrap(), 1e-13, 0.0);
}

#[test]
fn bad_input_is_refused_with_its_position() {
    let nothing = ndarray::Array3::<f64>::zeros((0, 1 << 60, 3));
    assert!(jensen_shannon_batch(&nothing, None).is_err());
    assert!(jensen_shannon_batch_with_grad(&nothing, None).is_err());
    let mut logits = logits(4, 70);
    logits[[1, 2, 5]] = f64::NAN;
    let Err(Error::Argument(ArgumentError::Value { argument: "logits", index, .. })) =
        jensen_shannon_batch(&logits, None)
    else {
        panic!("accepted")
    };
    assert_eq!(index, Some((4 + 2) * 70 + 5));
    logits[[1, 2, 5]] = f64::INFINITY;
    assert!(jensen_shannon_batch(&logits, None).is_err());
    logits.slice_mut(s![2, 3, ..]).fill(f64::NEG_INFINITY);
    logits[[1, 2, 5]] = 0.0;
    let found = jensen_shannon_batch(&logits, None).unwrap_err();
    assert_eq!(found, Error::AllLogitsNegInf { argument: "logits", row: 11 });
    for shape in [(0, 2, 3), (3, 2, 0)] {
        assert!(jensen_shannon_batch(&Array3::<f64>::zeros(shape), None).is_err());
        assert!(jensen_shannon_batch_probabilities(&Array3::<f64>::zeros(shape), None).is_err());
    }
    let good = Array3::<f64>::zeros((3, 2, 4));
    let into = |values: usize, grad: Array3<f64>| {
        let (mut values, mut grad) = (Array1::zeros(values), grad);
        jensen_shannon_batch_with_grad_into(&good, None, &mut values, &mut grad)
    };
    assert!(into(2, Array3::zeros((3, 2, 4))).is_ok());
    assert!(into(3, Array3::zeros((3, 2, 4))).is_err());
    assert!(into(2, Array3::zeros((3, 2, 5))).is_err());
    assert!(into(2, Array3::zeros((4, 2, 3)).permuted_axes([2, 1, 0])).is_err());
    let weights = array![0.5, 0.5];
    assert!(jensen_shannon_batch(&Array3::<f64>::zeros((3, 1, 2)), Some(&weights)).is_err());
    let p = array![[[0.5, 0.5], [0.5, 0.6]]];
    assert!(jensen_shannon_batch_probabilities(&p, None).is_err());
}

/// A row of equal logits is the uniform distribution however far it is from 0.
#[test]
fn a_far_offset_of_one_view_changes_nothing() {
    for spread in [1.0, 190.0, 690.0] {
        let of = |offset: f64| array![[[offset, offset, offset]], [[0.0, 1.0, -spread]]];
        let (want, grad) = jensen_shannon_batch_with_grad(&of(0.0), None).unwrap();
        for offset in [1e3, 1e16, -1e17, 1e20, 1e300, -1.7e308] {
            let (got, found) = jensen_shannon_batch_with_grad(&of(offset), None).unwrap();
            assert_relative(&format!("{offset} {spread}"), got[0], want[0], 1e-13, 0.0);
            for (got, want) in found.iter().zip(&grad) {
                assert!((got - want).abs() <= 1e-14, "{offset} {spread}: {got} {want}");
            }
        }
    }
}
