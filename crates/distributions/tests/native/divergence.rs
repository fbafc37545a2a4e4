//! Jensen–Shannon: range, symmetry, exactness next to equality, gradient, zeros, bad input.

use ndarray::{Array2, array};
use proptest::prelude::*;
use variata_distributions::{
    ArgumentError, Error, jensen_shannon, jensen_shannon_probabilities, jensen_shannon_with_grad,
};
use variata_testkit::compare::assert_relative;
use variata_testkit::finite_difference::assert_gradient;

/// Entropy of the mixture minus mean entropy, the form that cancels.
fn textbook(p: &Array2<f64>) -> f64 {
    let n = p.nrows() as f64;
    let x_log_x = |x: f64| if x == 0.0 { 0.0 } else { x * x.ln() };
    let mixture: f64 = p.columns().into_iter().map(|c| x_log_x(c.sum() / n)).sum();
    p.iter().map(|&x| x_log_x(x)).sum::<f64>() / n - mixture
}

fn softmax(logits: &Array2<f64>) -> Array2<f64> {
    let mut p = logits.mapv(f64::exp);
    for mut row in p.rows_mut() {
        let sum = row.sum();
        row /= sum;
    }
    p
}

#[test]
fn far_rows_agree_with_the_entropy_difference() {
    let logits = array![[0.3, -1.0, 2.0, 0.5], [1.0, 1.0, -3.0, 0.0], [-2.0, 0.7, 0.1, 4.0]];
    let want = textbook(&softmax(&logits));
    assert_relative("logits", jensen_shannon(&logits, None).unwrap(), want, 1e-14, 0.0);
    let p = softmax(&logits);
    assert_relative("probabilities", jensen_shannon_probabilities(&p, None).unwrap(), want, 1e-14, 0.0);
    let third = array![1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0];
    assert_eq!(jensen_shannon(&logits, Some(&third)).unwrap(), jensen_shannon(&logits, None).unwrap());
    let single = logits.mapv(|v| v as f32);
    let rounded = single.mapv(f64::from);
    assert_eq!(jensen_shannon(&single, None).unwrap(), jensen_shannon(&rounded, None).unwrap());
}

#[test]
fn near_equal_rows_keep_their_digits() {
    // Rows a and a + h v, and their divergence by mpmath at 60 digits; a and h v are dyadic.
    for (e, want) in [
        (5, 0.00084066484614333688214),
        (10, 8.6807660221882329395e-7),
        (14, 3.3964173325972552582e-9),
        (17, 5.3074024972882205184e-11),
        (20, 8.2929141361864117067e-13),
        (23, 1.2957697426420067879e-14),
    ] {
        let h = 2f64.powi(-e);
        let (a, v) = ([0.25, -1.75, 2.125, -0.5, 0.875], [1.0, -2.0, 3.0, 1.0, -4.0]);
        let logits = Array2::from_shape_fn((2, 5), |(i, k)| a[k] + i as f64 * h * v[k]);
        assert_relative("near", jensen_shannon(&logits, None).unwrap(), want, 1e-13, 0.0);
    }
}

#[test]
fn near_equal_rows_with_one_likely_category_keep_their_digits() {
    // As above, three rows a + i h v; all but 1e-12 of the mass is in the first category.
    for (e, want) in [
        (0, 6.581089523140989028e-12),
        (5, 9.3779290279970207884e-16),
        (20, 8.7340312500830650452e-25),
        (38, 1.2709690250387435695e-35),
    ] {
        let h = 2f64.powi(-e);
        let (a, v) = ([0.25, -30.75, -28.125, -29.5, -31.0], [1.0, -2.0, 3.0, 1.0, -4.0]);
        let logits = Array2::from_shape_fn((3, 5), |(i, k)| a[k] + i as f64 * h * v[k]);
        assert_relative("near", jensen_shannon(&logits, None).unwrap(), want, 1e-13, 0.0);
    }
}

#[test]
fn equal_rows_give_zero_and_disjoint_ones_the_logarithm() {
    let row = [0.3, -700.0, 2.0, f64::NEG_INFINITY];
    let equal = Array2::from_shape_fn((3, 4), |(_, k)| row[k]);
    let (value, grad) = jensen_shannon_with_grad(&equal, None).unwrap();
    assert_eq!((value, grad), (0.0, Array2::zeros((3, 4))));
    for n in 1..6 {
        let eye = Array2::from_diag_elem(n, 1.0);
        let log = (n as f64).ln();
        assert_relative("one-hot", jensen_shannon_probabilities(&eye, None).unwrap(), log, 1e-15, 1e-15);
        let logits = eye.mapv(f64::ln);
        assert_relative("−∞", jensen_shannon(&logits, None).unwrap(), log, 1e-15, 1e-15);
        let (_, grad) = jensen_shannon_with_grad(&logits, None).unwrap();
        assert!(grad.iter().all(|g| g.abs() <= 1e-15), "{grad}");
    }
}

#[test]
fn unequal_weights_keep_their_digits() {
    // −(1 − w) log(1 − w) − w log w by mpmath at 700 digits. The likelier row's weight is what is left to 1.
    let eye = array![[1.0, 0.0], [0.0, 1.0]];
    for (w, want) in [
        (1e-6, 0.000014815510057964106812),
        (1e-12, 2.8631021115928047652e-11),
        (1e-16, 3.7841361487904730124e-15),
        (1e-18, 4.2446531673892825277e-17),
        (1e-300, 6.9177552789821372252e-298),
    ] {
        for (at, weights) in [(0, array![1.0 - w, w]), (1, array![w, 1.0 - w])] {
            let p = jensen_shannon_probabilities(&eye, Some(&weights)).unwrap();
            assert_relative("probabilities", p, want, 1e-15, 0.0);
            let logits = eye.mapv(f64::ln);
            assert_relative("logits", jensen_shannon(&logits, Some(&weights)).unwrap(), want, 1e-15, 0.0);
            let (_, grad) = jensen_shannon_with_grad(&logits, Some(&weights)).unwrap();
            assert!(grad.iter().all(|g| g.abs() <= 1e-15 * want), "{at} {grad}");
        }
    }
    // Σ w p log(p/m) of these rows, by mpmath as above.
    let logits = array![[0.5, -1.0, 2.0], [0.25, 3.0, -0.5]];
    for (w, want) in [
        (1e-3, 0.0027135217869976544847),
        (1e-9, 2.7236387081291608278e-9),
        (1e-13, 2.723638718317092641e-13),
        (1e-16, 2.7236387183181103776e-16),
    ] {
        let got = jensen_shannon(&logits, Some(&array![1.0 - w, w])).unwrap();
        assert_relative("logits", got, want, 4e-15, 0.0);
    }
}

#[test]
fn near_rows_beside_a_far_one_of_little_weight_keep_their_digits() {
    // Σ w p log(p/m) by mpmath from the same f64 numbers.
    let e = 2f64.powi(-20);
    let p = array![[1.0, 0.0], [1e-9 * (1.0 + e), 1.0 - 1e-9], [1e-9 * (1.0 - e), 1.0 - 1e-9]];
    for (w, want) in [
        (1e-30, 4.547473715255114571e-22),
        (1e-25, 4.5681967738594026134e-22),
        (1e-20, 2.0768740572021634547e-19),
    ] {
        let weights = array![w, 0.5, 0.5];
        let got = jensen_shannon_probabilities(&p, Some(&weights)).unwrap();
        assert_relative("far row", got, want, 1e-14, 0.0);
    }
}

/// Many rows: as many passes over a column would take minutes.
#[test]
fn time_grows_with_the_rows_and_not_their_square() {
    let n = 200_000;
    let logits = Array2::from_shape_fn((n, 2), |(i, k)| ((i * 7 + k * 3) % 11) as f64 * 0.1);
    assert!(jensen_shannon(&logits, None).unwrap() > 0.0);
}

#[test]
fn gradient_matches_the_stencil() {
    let weights = array![0.2, 0.3, 0.5];
    for weights in [None, Some(&weights)] {
        let logits = |v: &[f64]| Array2::from_shape_vec((3, 4), v.to_vec()).unwrap();
        let weights = weights.map(|w| &**w);
        assert_gradient(
            "jensen_shannon",
            |v| jensen_shannon(&logits(v), weights).unwrap(),
            &[0.3, -1.0, 2.0, 0.5, 1.0, 1.0, -3.0, 0.0, -2.0, 0.7, 0.1, 1.5],
            &[0.5; 12],
            |v| {
                let (value, grad) = jensen_shannon_with_grad(&logits(v), weights).unwrap();
                assert_eq!(value, jensen_shannon(&logits(v), weights).unwrap());
                grad.into_iter().collect()
            },
            1e-8,
        );
    }
}

#[test]
fn bad_input_is_refused_by_name() {
    let name = |result: Result<f64, Error>| match result.unwrap_err() {
        Error::Argument(ArgumentError::Value { argument, .. } | ArgumentError::Shape { argument, .. }) => {
            argument
        }
        Error::AllLogitsNegInf { argument, row: 1 } => argument,
        other => panic!("{other}"),
    };
    let inf = f64::INFINITY;
    assert_eq!(name(jensen_shannon(&Array2::<f64>::zeros((0, 3)), None)), "logits");
    assert_eq!(name(jensen_shannon(&Array2::<f64>::zeros((3, 0)), None)), "logits");
    for bad in [f64::NAN, inf] {
        assert_eq!(name(jensen_shannon(&array![[0.0, bad]], None)), "logits");
    }
    assert_eq!(name(jensen_shannon(&array![[0.0, 1.0], [-inf, -inf]], None)), "logits");
    for bad in [f64::NAN, -0.1, 1.1, 0.6] {
        assert_eq!(name(jensen_shannon_probabilities(&array![[0.5, bad]], None)), "probabilities");
    }
    for bad in [f64::NAN, 0.0, -0.5, inf, 0.6] {
        assert_eq!(name(jensen_shannon(&array![[0.0], [0.0]], Some(&array![0.5, bad]))), "weights");
    }
    assert_eq!(name(jensen_shannon(&array![[0.0], [0.0]], Some(&array![1.0]))), "weights");
}

proptest! {
    #[test]
    fn between_zero_and_log_n_and_symmetric(v in prop::collection::vec(-30.0..30.0f64, 12), e in 0..40i32) {
        let h = 2f64.powi(-e);
        let logits = Array2::from_shape_fn((3, 4), |(i, k)| v[k] + h * v[i * 4 + k]);
        let value = jensen_shannon(&logits, None).unwrap();
        prop_assert!((0.0..=3f64.ln() * (1.0 + 1e-15)).contains(&value), "{value}");
        let swapped = Array2::from_shape_fn((3, 4), |(i, k)| logits[[2 - i, 3 - k]]);
        let other = jensen_shannon(&swapped, None).unwrap();
        prop_assert!((value - other).abs() <= 1e-13 * value + 1e-300, "{value} {other}");
    }

    #[test]
    fn arbitrary_logits_never_panic(v in prop::collection::vec(any::<f64>(), 6)) {
        let logits = Array2::from_shape_vec((2, 3), v).unwrap();
        if let Ok((value, grad)) = jensen_shannon_with_grad(&logits, None) {
            prop_assert!(value >= 0.0 && grad.iter().all(|g| g.is_finite()), "{value} {grad}");
        }
        let _ = jensen_shannon_probabilities(&logits, None);
    }
}
