//! Distances against sums written down from their definitions, and what must hold for all.

use ndarray::{Array2, Array3, ArrayRef2, Axis, s};
use proptest::prelude::*;
use variata_streamlines::{Mam, Streamlines, bundle_adjacency, mdf, mdf_matrix, nearest};
use variata_testkit::compare::assert_relative;

use super::support::{cloud, line};

fn gap(a: &ArrayRef2<f64>, b: &ArrayRef2<f64>, i: usize, j: usize) -> f64 {
    (&a.row(i) - &b.row(j)).mapv(|x| x * x).sum().sqrt()
}

fn plain_mdf(a: &ArrayRef2<f64>, b: &ArrayRef2<f64>) -> f64 {
    let n = a.nrows();
    let direct: f64 = (0..n).map(|p| gap(a, b, p, p)).sum();
    let flipped: f64 = (0..n).map(|p| gap(a, b, p, n - 1 - p)).sum();
    direct.min(flipped) / n as f64
}

fn plain_mam(kind: Mam, a: &ArrayRef2<f64>, b: &ArrayRef2<f64>) -> f64 {
    let one_way = |a: &ArrayRef2<f64>, b: &ArrayRef2<f64>| {
        let closest = |i| (0..b.nrows()).map(|j| gap(a, b, i, j)).fold(f64::INFINITY, f64::min);
        (0..a.nrows()).map(closest).sum::<f64>() / a.nrows() as f64
    };
    let (ab, ba) = (one_way(a, b), one_way(b, a));
    match kind {
        Mam::Mean => f64::midpoint(ab, ba),
        Mam::Min => ab.min(ba),
        Mam::Max => ab.max(ba),
    }
}

/// Numbers of streamlines and points around the sizes of blocks.
const SIZES: [(usize, usize, usize); 9] = [
    (1, 1, 1),
    (1, 17, 2),
    (2, 15, 3),
    (3, 16, 4),
    (15, 33, 5),
    (16, 31, 7),
    (17, 32, 8),
    (33, 47, 20),
    (49, 64, 21),
];

#[test]
fn matrices_are_the_definition_at_every_size() {
    for (m, n, points) in SIZES {
        let (a, b) = (cloud(m, points, 1), cloud(n, points, 2));
        let (exact, single) =
            (mdf_matrix(&a, &b).unwrap(), mdf_matrix(&a.mapv(|x| x as f32), &b.mapv(|x| x as f32)));
        let single = single.unwrap();
        let found = nearest(&a, &b).unwrap();
        for i in 0..m {
            for j in 0..n {
                let want = plain_mdf(&a.index_axis(Axis(0), i), &b.index_axis(Axis(0), j));
                assert_relative("f64", exact[[i, j]], want, 1e-14, 0.1);
                // Coordinates rounded to f32 first, then 3 + points roundings: relative to sizes of 100.
                assert_relative("f32", f64::from(single[[i, j]]), want, 3e-6, 10.0);
            }
            let least = exact.row(i).iter().copied().fold(f64::INFINITY, f64::min);
            assert_eq!(found.a[i], least, "{m} {n} {points}");
        }
        for (column, least) in exact.columns().into_iter().zip(&found.b) {
            assert_eq!(column.iter().copied().fold(f64::INFINITY, f64::min), *least);
        }
    }
}

/// The sums in the order that the documentation promises, one number at a time.
fn in_pairs(a: &ArrayRef2<f32>, b: &ArrayRef2<f32>) -> f32 {
    let n = a.nrows();
    let gap = |i: usize, j: usize| {
        let [x, y, z] = std::array::from_fn(|d| a[[i, d]] - b[[j, d]]);
        (x * x + y * y + z * z).sqrt()
    };
    let (mut direct, mut flipped) = (0.0f32, 0.0f32);
    for p in 0..n / 2 {
        let q = n - 1 - p;
        direct += gap(p, p) + gap(q, q);
        flipped += gap(p, q) + gap(q, p);
    }
    if n % 2 == 1 {
        direct += gap(n / 2, n / 2);
        flipped += gap(n / 2, n / 2);
    }
    direct.min(flipped) / n as f32
}

#[test]
fn vectors_give_the_bits_of_the_plain_loop() {
    // Nothing is fused and no sum is reordered, so that no instruction set can show.
    for points in [1, 2, 5, 20, 64] {
        let (a, b) = (cloud(9, points, 7).mapv(|x| x as f32), cloud(37, points, 8).mapv(|x| x as f32));
        let got = mdf_matrix(&a, &b).unwrap();
        for ((i, j), distance) in got.indexed_iter() {
            let want = in_pairs(&a.index_axis(Axis(0), i), &b.index_axis(Axis(0), j));
            assert_eq!(distance.to_bits(), want.to_bits(), "{i} {j} {points}");
        }
    }
}

#[test]
fn layouts_do_not_matter() {
    let (a, b) = (cloud(20, 9, 1), cloud(18, 9, 2));
    let want = mdf_matrix(&a, &b).unwrap();
    let mut wide = Array3::zeros((40, 9, 3));
    wide.slice_mut(s![..;2, .., ..]).assign(&a);
    let turned = b.view().permuted_axes([2, 1, 0]).as_standard_layout().into_owned();
    let got = mdf_matrix(&wide.slice(s![..;2, .., ..]), &turned.view().permuted_axes([2, 1, 0])).unwrap();
    assert_eq!(got, want);
    let last_first = mdf_matrix(&a.slice(s![..;-1, .., ..]), &b).unwrap();
    assert_eq!(last_first, want.slice(s![..;-1, ..]));
}

#[test]
fn mam_is_the_definition_for_ragged_lines() {
    let lines = |seed: u64| -> Vec<Array2<f64>> {
        (1..22).map(|n| cloud(1, n, seed + n as u64).index_axis_move(Axis(0), 0)).collect()
    };
    let (a, b) = (lines(100), lines(200));
    let streamlines = |lines: &[Array2<f64>]| {
        let mut out = Streamlines::new();
        for line in lines {
            out.push(line).unwrap();
        }
        out
    };
    for kind in Mam::ALL {
        let got = kind.matrix(&streamlines(&a), &streamlines(&b)).unwrap();
        for (i, a) in a.iter().enumerate() {
            for (j, b) in b.iter().enumerate() {
                assert_relative("mam", got[[i, j]], plain_mam(kind, a, b), 1e-14, 0.1);
            }
        }
    }
}

proptest! {
    #[test]
    fn mdf_is_symmetric_and_blind_to_direction_bit_for_bit(
        (a, b) in (1usize..25).prop_flat_map(|n| (line(n..n + 1), line(n..n + 1)))
    ) {
        let turned = b.slice(s![..;-1, ..]);
        let distance = mdf(&a, &b).unwrap();
        prop_assert_eq!(distance, mdf(&b, &a).unwrap());
        prop_assert_eq!(distance, mdf(&a, &turned).unwrap());
        prop_assert_eq!(mdf(&b, &turned).unwrap(), 0.0);
        let (a, b) = (a.mapv(|x| x as f32), b.mapv(|x| x as f32));
        let distance = mdf(&a, &b).unwrap();
        prop_assert_eq!(distance, mdf(&b, &a).unwrap());
        prop_assert_eq!(distance, mdf(&a.slice(s![..;-1, ..]), &b).unwrap());
        prop_assert!(distance >= 0.0);
    }

    #[test]
    fn mdf_has_the_triangle_inequality(
        (a, b, c) in (1usize..12).prop_flat_map(|n| (line(n..n + 1), line(n..n + 1), line(n..n + 1)))
    ) {
        let way = mdf(&a, &b).unwrap() + mdf(&b, &c).unwrap();
        prop_assert!(mdf(&a, &c).unwrap() <= way * (1.0 + 1e-14));
    }

    #[test]
    fn mdf_scales_exactly_by_powers_of_two(
        (a, b) in (1usize..12).prop_flat_map(|n| (line(n..n + 1), line(n..n + 1))),
        power in -60i32..60
    ) {
        let scaled = |x: &Array2<f64>| x.mapv(|x| x * 2f64.powi(power));
        prop_assert_eq!(mdf(&scaled(&a), &scaled(&b)).unwrap(), mdf(&a, &b).unwrap() * 2f64.powi(power));
    }

    #[test]
    fn mam_is_symmetric_and_ordered(a in line(1..20), b in line(1..20)) {
        let of = |kind: Mam, a: &Array2<f64>, b: &Array2<f64>| kind.distance(a, b).unwrap();
        for kind in Mam::ALL {
            prop_assert_eq!(of(kind, &a, &b), of(kind, &b, &a));
            prop_assert_eq!(of(kind, &a, &a), 0.0);
        }
        prop_assert!(of(Mam::Min, &a, &b) <= of(Mam::Mean, &a, &b) * (1.0 + 1e-15));
        prop_assert!(of(Mam::Mean, &a, &b) <= of(Mam::Max, &a, &b) * (1.0 + 1e-15));
    }

    #[test]
    fn adjacency_is_a_share(m in 1usize..20, n in 1usize..20, threshold in 0.0..120.0f64) {
        let (a, b) = (cloud(m, 5, 3), cloud(n, 5, 4));
        let score = bundle_adjacency(&a, &b, threshold).unwrap();
        prop_assert!((0.0..=1.0).contains(&score));
        prop_assert_eq!(score, bundle_adjacency(&b, &a, threshold).unwrap());
        prop_assert!(score <= bundle_adjacency(&a, &b, threshold + 1.0).unwrap());
        prop_assert_eq!(bundle_adjacency(&a, &a, 1e-300).unwrap(), 1.0);
        prop_assert_eq!(bundle_adjacency(&a, &a, 0.0).unwrap(), 0.0);
    }
}

#[test]
fn empty_bundles_have_no_distances() {
    let (none, some) = (Array3::<f32>::zeros((0, 5, 3)), Array3::<f32>::zeros((2, 5, 3)));
    assert_eq!(mdf_matrix(&none, &some).unwrap().dim(), (0, 2));
    assert_eq!(mdf_matrix(&some, &none).unwrap().dim(), (2, 0));
    assert_eq!(nearest(&some, &none).unwrap().a, [f32::INFINITY; 2]);
    assert_eq!(bundle_adjacency(&none, &some, 1.0).unwrap(), 0.0);
    assert_eq!(bundle_adjacency(&none, &none, 1.0).unwrap(), 0.0);
    let lines = Streamlines::<f32>::new();
    assert_eq!(Mam::Mean.matrix(&lines, &lines).unwrap().dim(), (0, 0));
}
