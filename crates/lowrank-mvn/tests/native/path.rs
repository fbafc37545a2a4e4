//! Interpolation of noise.

use ndarray::{Array1, Array2, array};
use proptest::prelude::*;
use variata_lowrank_mvn::{Error, LowRankMvn, lerp, slerp, slerp_grid, slerp_path};

use crate::support::{factor, matrix, wave};

fn vector(r: usize, salt: usize) -> Array1<f64> {
    (0..r).map(|i| wave(i, salt)).collect()
}

fn norm(a: &Array1<f64>) -> f64 {
    a.dot(a).sqrt()
}

/// Angle between two vectors by Kahan's formula.
fn angle(a: &Array1<f64>, b: &Array1<f64>) -> f64 {
    let (a, b) = (a / norm(a), b / norm(b));
    2.0 * norm(&(&a - &b)).atan2(norm(&(&a + &b)))
}

#[test]
fn quarter_turns_and_ends() {
    let (a, b) = (array![3.0, 0.0, 0.0], array![0.0, 3.0, 0.0]);
    let third = slerp(&a, &b, 1.0 / 3.0).unwrap();
    let want = array![3.0 * 0.75f64.sqrt(), 1.5, 0.0];
    assert!(norm(&(third - want)) < 1e-14);
    let (a, b) = (vector(25, 1), vector(25, 2) * 1.7);
    assert_eq!((slerp(&a, &b, 0.0).unwrap(), slerp(&a, &b, 1.0).unwrap()), (a.clone(), b.clone()));
    assert_eq!((lerp(&a, &b, 0.0).unwrap(), lerp(&a, &b, 1.0).unwrap()), (a.clone(), b));
    assert_eq!(slerp(&a, &a, 0.3).unwrap(), a);
    // The SOS-VAE paper's printed angle is the arc cosine of a product of norms, here of 9: not a number.
    assert!((9.0f64).acos().is_nan());
}

proptest! {
    /// The paper's formula with the right angle, for equal lengths; constant speed; symmetry; length between the ends.
    #[test]
    fn slerp_is_a_uniform_turn(r in 2usize..30, salt in 0usize..1000, t in 0.0..1.0f64) {
        let (a, b) = (vector(r, salt), vector(r, salt + 1));
        let b = &b * (norm(&a) / norm(&b));
        let omega = angle(&a, &b);
        prop_assume!(omega > 1e-3 && omega < 3.0);
        let want = (&a * ((1.0 - t) * omega).sin() + &b * (t * omega).sin()) / omega.sin();
        let got = slerp(&a, &b, t).unwrap();
        // sin ω divides the rounding errors of the formula.
        prop_assert!(norm(&(&got - &want)) <= 1e-14 * norm(&a) / omega.sin());
        prop_assert!((angle(&a, &got) - t * omega).abs() <= 1e-13);
        prop_assert!((norm(&got) / norm(&a) - 1.0).abs() <= 1e-14);
        let back = slerp(&b, &a, 1.0 - t).unwrap();
        prop_assert!(norm(&(&got - &back)) <= 1e-14 * norm(&a));
    }

    /// Continuous in t through parallel, nearly opposite, opposite and unequal pairs.
    #[test]
    fn slerp_is_continuous(r in 2usize..9, salt in 0usize..1000, k in 1i32..16, opposite: bool, stretch in 0.1..10.0f64) {
        let a = vector(r, salt);
        let nudge = vector(r, salt + 1) * 10f64.powi(-k);
        let b = (if opposite { -&a } else { a.clone() } + &nudge) * stretch;
        let longest = norm(&a).max(norm(&b));
        let mut last = a.clone();
        for step in 1..=200 {
            let here = slerp(&a, &b, f64::from(step) / 200.0).unwrap();
            prop_assert!(here.iter().all(|v| v.is_finite()));
            // An arc of at most π at radius `longest`, and the change of length.
            prop_assert!(norm(&(&here - &last)) <= 1.001 * (std::f64::consts::PI + 1.0) * longest / 200.0);
            let size = norm(&here);
            let between = norm(&a).min(norm(&b)) * (1.0 - 1e-12)..=longest * (1.0 + 1e-12);
            prop_assert!(between.contains(&size), "{size} not in {between:?}");
            last = here;
        }
    }

    #[test]
    fn nothing_panics(a in prop::collection::vec(any::<f64>(), 3), b in prop::collection::vec(any::<f64>(), 3), t in any::<f64>()) {
        let (a, b) = (Array1::from(a), Array1::from(b));
        for found in [slerp(&a, &b, t), lerp(&a, &b, t)] {
            let given = t.is_finite() && a.iter().chain(&b).all(|v| v.is_finite());
            match found {
                Ok(found) => prop_assert!(given && found.iter().all(|v| v.is_finite()), "{found}"),
                Err(error) => prop_assert!(!given || matches!(error, Error::Overflow { .. }), "{error}"),
            }
        }
    }
}

#[test]
fn the_largest_numbers_do_not_overflow_on_the_way() {
    let near = |got: &Array1<f64>, want: &[f64]| {
        assert!(
            got.iter().zip(want).all(|(a, b)| (a - b).abs() <= 1e-14 * b.abs().max(1e307)),
            "{got} {want:?}"
        );
    };
    near(&lerp(&array![1e308], &array![0.9e308], 3.0).unwrap(), &[0.7e308]);
    // Three quarters of a turn; the length goes on falling.
    near(&slerp(&array![1e308, 0.0], &array![0.0, 0.9e308], 3.0).unwrap(), &[0.0, -0.7e308]);
    let long = Array1::from_elem(1000, 1e308);
    near(&slerp(&long, &(&long * 0.5), 0.5).unwrap(), &[0.75e308; 1000]);
    let refused = lerp(&array![1e308], &array![-1e308], 3.0).unwrap_err();
    assert_eq!(refused, Error::Overflow { quantity: "the interpolation", batch: 0 });
    // What is small stays as it was, beside what is large too.
    assert_eq!(lerp(&array![1e-310], &array![3e-310], 0.5).unwrap(), array![2e-310]);
    assert_eq!(lerp(&array![1e290, 1e-310], &array![2e290, 3e-310], 0.5).unwrap()[1], 2e-310);
    let turned = slerp(&array![1e290, 0.0, 0.0], &array![0.0, 1e-300, 3e-300], 0.5).unwrap();
    // Half of the length, at half of a right angle.
    let part = 0.5e290 * 0.5f64.sqrt();
    near(&turned, &[part, part / 10f64.sqrt(), 3.0 * part / 10f64.sqrt()]);
    assert!(
        turned
            .iter()
            .zip([1.0, 0.1f64.sqrt(), 0.9f64.sqrt()])
            .all(|(v, w)| (v / (w * part) - 1.0).abs() < 1e-14)
    );
}

#[test]
fn small_angles_keep_their_digits() {
    for k in 1..=12 {
        let tiny = 10f64.powi(-k);
        let (a, b) = (array![1.0, 0.0], array![tiny.cos(), tiny.sin()]);
        let quarter = slerp(&a, &b, 0.25).unwrap();
        assert!(
            (quarter[1] / (0.25 * tiny).sin() - 1.0).abs() <= 1e-13 + f64::EPSILON / tiny,
            "{k}: {quarter}"
        );
    }
}

#[test]
fn special_pairs_go_where_the_docs_say() {
    let (zero, a) = (array![0.0, 0.0, 0.0], array![1.0, 2.0, -2.0]);
    assert_eq!(slerp(&zero, &a, 0.5).unwrap(), array![0.5, 1.0, -1.0]);
    assert_eq!(slerp(&zero, &zero, 0.5).unwrap(), zero);
    // Parallel, of unequal length: straight.
    assert!(norm(&(slerp(&a, &(&a * 3.0), 0.5).unwrap() - &a * 2.0)) <= 1e-15);
    // Opposite: by way of the first axis, where |a| is smallest.
    let half = slerp(&a, &-&a, 0.5).unwrap();
    assert!((norm(&half) - 3.0).abs() < 1e-14 && half.dot(&a).abs() < 1e-14 && half[0] > 2.0);
    assert_eq!(slerp(&array![2.0], &array![-1.0], 0.5).unwrap(), array![0.5]);
    // Lengths whose squares over- or underflow.
    for size in [1e-320, 1e-200, 1e200] {
        let half = slerp(&array![size, 0.0], &array![0.0, size], 0.5).unwrap();
        assert!((half[0] / size / 0.5f64.sqrt() - 1.0).abs() < 1e-3, "{half}");
    }
    let half: Array1<f32> = slerp(&array![1f32, 0.0], &array![0f32, 1.0], 0.5).unwrap();
    assert_eq!(half[0], 0.5f32.sqrt());
}

#[test]
fn paths_grids_and_images() {
    let (a, b) = (vector(4, 1), vector(4, 2));
    let path = slerp_path(&a, &b, 5).unwrap();
    assert_eq!((path.row(0), path.row(4)), (a.view(), b.view()));
    assert_eq!(path.row(1), slerp(&a, &b, 0.25).unwrap());
    assert_eq!(
        (slerp_path(&a, &b, 0).unwrap().nrows(), slerp_path(&a, &b, 1).unwrap().row(0)),
        (0, a.view())
    );
    let corners = matrix(4, 6, 3);
    let grid = slerp_grid(&corners, 3, 4).unwrap();
    for (corner, at) in [(0, [0, 0]), (1, [0, 3]), (2, [2, 0]), (3, [2, 3])] {
        assert_eq!(grid.slice(ndarray::s![at[0], at[1], ..]), corners.row(corner));
    }
    let left = slerp(&corners.row(0), &corners.row(2), 0.5).unwrap();
    assert_eq!(grid.slice(ndarray::s![1, 0, ..]), left);
    let p = LowRankMvn::new(matrix(2, 9, 1), factor(2, 9, 3, 2), 0.1).unwrap();
    let (from, to, own) = (matrix(2, 3, 4), matrix(2, 3, 5), matrix(2, 9, 6));
    let images = p.slerp_samples(&from, &to, &own, 4).unwrap();
    assert_eq!(images.index_axis(ndarray::Axis(1), 0), p.rsample(&from, &own).unwrap());
    assert_eq!(images.index_axis(ndarray::Axis(1), 3), p.rsample(&to, &own).unwrap());
}

#[test]
fn bad_input_is_refused_by_name() {
    let (a, b) = (array![1.0, 2.0], array![1.0, f64::NAN]);
    assert_eq!(slerp(&a, &b, 0.5).unwrap_err().to_string(), "`b[1]` is NaN, must be finite");
    assert_eq!(slerp(&b, &a, 0.5).unwrap_err().to_string(), "`a[1]` is NaN, must be finite");
    assert_eq!(slerp(&a, &a, f64::NAN).unwrap_err().to_string(), "`t` is NaN, must be finite");
    assert!(lerp(&a, &array![1.0], 0.5).unwrap_err().to_string().starts_with("`b` has shape [1]"));
    assert!(slerp_path(&a, &b, 0).is_err());
    let three: Array2<f64> = Array2::zeros((3, 2));
    assert_eq!(
        slerp_grid(&three, 2, 2).unwrap_err().to_string(),
        "`corners` has shape [3, 2], must be [4, 2]"
    );
    let p = LowRankMvn::new(matrix(2, 9, 1), factor(2, 9, 3, 2), 0.1).unwrap();
    assert!(p.slerp_samples(&matrix(2, 2, 1), &matrix(2, 3, 1), &matrix(2, 9, 1), 3).is_err());
    let corners = Array2::<f64>::zeros((4, 2));
    for huge in [1 << 17, usize::MAX] {
        assert!(slerp_path(&array![1.0, 0.0], &array![0.0, 1.0], huge).is_err());
        assert!(slerp_grid(&corners, huge, 2).is_err() && slerp_grid(&corners, 2, huge).is_err());
    }
}

/// Half-way between vectors that are opposite, exactly or nearly so, the length is that of the path, and the turn goes off
/// their line.
#[test]
fn opposite_vectors_keep_their_length() {
    for salt in 0..400 {
        let a = vector(2 + salt % 9, salt);
        for stretch in [0.1, 0.7, 1.0, 1.3] {
            for offset in [0.0, 1e-16, 1e-15, 1e-14, 1e-12, 1e-9, 1e-6] {
                let b = &a * -stretch + &vector(a.len(), salt + 1000) * offset;
                for t in [0.25, 0.5, 0.8] {
                    let length = (1.0 - t) * norm(&a) + t * norm(&b);
                    let got = norm(&slerp(&a, &b, t).unwrap());
                    assert!(
                        (got / length - 1.0).abs() < 1e-12,
                        "{salt}, {stretch}, {offset}, {t}: {got} {length}"
                    );
                }
            }
        }
    }
}
