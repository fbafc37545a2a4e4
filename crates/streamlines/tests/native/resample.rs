//! Equidistant points.

use ndarray::{Array2, array, s};
use proptest::prelude::*;
use variata_streamlines::{Streamlines, align, length, resample};
use variata_testkit::compare::assert_relative;

use super::support::line;

/// The point at arc length `at`, written down from the definition.
fn at_length(line: &Array2<f64>, at: f64) -> Vec<f64> {
    let mut gone = 0.0;
    for ends in line.rows().into_iter().collect::<Vec<_>>().windows(2) {
        let segment = (&ends[1] - &ends[0]).mapv(|x| x * x).sum().sqrt();
        if gone + segment >= at && segment > 0.0 {
            let t = (at - gone) / segment;
            return (&ends[0] * (1.0 - t) + &ends[1] * t).to_vec();
        }
        gone += segment;
    }
    line.row(line.nrows() - 1).to_vec()
}

/// What k added steps and as many lengths as there are segments lose of the arc length, each half a unit of the total at most;
/// a coordinate changes no faster than the arc, and is rounded itself.
fn rounding(line: &Array2<f64>, k: usize) -> f64 {
    let largest = line.iter().fold(0.0f64, |max, v| max.max(v.abs()));
    2.0 * f64::EPSILON * (k + line.nrows()) as f64 * (length(line).unwrap() + largest)
}

#[track_caller]
fn assert_near(got: &[f64], want: &[f64], bound: f64) {
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= bound, "{got} against {want}, bound {bound:e}");
    }
}

proptest! {
    #[test]
    fn points_are_where_the_definition_puts_them(line in line(2..30), k in 2usize..80) {
        let got = resample(&line, k).unwrap();
        let total = length(&line).unwrap();
        for (i, row) in got.rows().into_iter().enumerate() {
            let want = at_length(&line, total * i as f64 / (k - 1) as f64);
            assert_near(&row.to_vec(), &want, rounding(&line, k));
        }
    }

    #[test]
    fn ends_are_kept(line in line(2..30), k in 2usize..80) {
        let got = resample(&line, k).unwrap();
        prop_assert_eq!(got.row(0), line.row(0));
        prop_assert_eq!(got.row(k - 1), line.row(line.nrows() - 1));
    }

    #[test]
    fn equidistant_points_stay(ends in line(2..3), k in 2usize..80) {
        // Along a straight line all points are equidistant.
        let once = resample(&ends, k).unwrap();
        let twice = resample(&once, k).unwrap();
        for (a, b) in once.iter().zip(&twice) {
            assert_relative("coordinate", *a, *b, 1e-12, 100.0);
        }
        assert_relative("length", length(&once).unwrap(), length(&ends).unwrap(), 1e-12, 1e-12);
    }

    #[test]
    fn the_reverse_has_the_reverse_points(line in line(2..30), k in 2usize..80) {
        let forward = resample(&line, k).unwrap();
        let backward = resample(&line.slice(s![..;-1, ..]), k).unwrap();
        for (a, b) in forward.rows().into_iter().zip(backward.rows().into_iter().rev()) {
            assert_near(&a.to_vec(), &b.to_vec(), 2.0 * rounding(&line, k));
        }
    }

    #[test]
    fn lengths_scale_exactly_by_powers_of_two(line in line(2..30), power in -40i32..40) {
        let factor = 2f64.powi(power);
        let scaled = line.mapv(|x| x * factor);
        prop_assert_eq!(length(&scaled).unwrap(), length(&line).unwrap() * factor);
        prop_assert_eq!(resample(&scaled, 7).unwrap(), resample(&line, 7).unwrap().mapv(|x| x * factor));
    }
}

#[test]
fn many_lines_are_resampled_as_each_alone() {
    let lines: Streamlines<f64> =
        (0..200).map(|i| (0..2 + i % 9).map(|p| [p as f64, (i * p % 7) as f64, 0.5]).collect()).collect();
    let all = lines.resample(20).unwrap();
    assert_eq!(all.dim(), (200, 20, 3));
    for (line, got) in lines.iter().zip(all.outer_iter()) {
        assert_eq!(resample(&line, 20).unwrap(), got);
    }
}

#[test]
fn points_that_come_twice_do_no_harm() {
    let line = array![
        [0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0],
        [2.0, 0.0, 0.0],
        [2.0, 0.0, 0.0],
        [4.0, 0.0, 0.0],
        [4.0, 0.0, 0.0]
    ];
    let want = array![[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [3.0, 0.0, 0.0], [4.0, 0.0, 0.0]];
    assert_eq!(resample(&line, 5).unwrap(), want);
}

#[test]
fn a_line_without_length_is_its_point() {
    let line = array![[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]];
    assert_eq!(length(&line).unwrap(), 0.0);
    assert_eq!(resample(&line, 3).unwrap(), array![[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]);
}

#[test]
fn lengths_of_tiny_steps_and_huge_numbers_end() {
    let line = array![[1e150f64, 0.0, 0.0], [-1e150, 1.0, 0.0], [5e-324, 0.0, 0.0]];
    let got = resample(&line, 1000).unwrap();
    assert!(got.iter().all(|x| x.is_finite()));
    assert_eq!(got.row(999), line.row(2));
    let short = array![[0.0f32, 0.0, 0.0], [1e-45, 0.0, 0.0]];
    assert_eq!(resample(&short, 50).unwrap().row(49), short.row(1));
}

#[test]
fn aligned_lines_run_the_same_way() {
    let like = array![[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 1.0, 0.0]];
    let mut same = like.clone();
    assert!(!align(&mut same, &like).unwrap());
    let mut turned = like.slice(s![..;-1, ..]).to_owned();
    assert!(align(&mut turned, &like).unwrap());
    assert_eq!(turned, like);
}
