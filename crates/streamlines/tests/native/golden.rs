//! The numbers of dipy.

use ndarray::Array2;
use variata_streamlines::{
    Coordinate, Mam, QuickBundlesX, ShapeSimilarity, Streamlines, bundle_adjacency, length, mdf, mdf_matrix,
    nearest, resample,
};
use variata_testkit::compare::{assert_bits, assert_relative_slice};

use super::support::{bundle, bundles, floats, points, rows};

fn resampled<T: Coordinate>(line: &[[f64; 3]], k: usize) -> Vec<f64> {
    let line: Vec<[T; 3]> = line.iter().map(|p| p.map(T::from_f64)).collect();
    resample(&Array2::from(line), k).unwrap().iter().map(|x| x.to_f64()).collect()
}

#[test]
fn resampling_gives_the_same_bits() {
    let bundles = bundles();
    let mut compared = 0;
    for row in rows(include_str!("../golden/resampled.tsv")) {
        let line = &bundles[row[0]][row[1].parse::<usize>().unwrap()];
        let (k, want) = (row[3].parse().unwrap(), floats(row[4]));
        let got = if row[2] == "f32" { resampled::<f32>(line, k) } else { resampled::<f64>(line, k) };
        assert_bits(&format!("{row:?}"), &got, &want);
        compared += 1;
    }
    assert_eq!(compared, 40);
}

#[test]
fn lengths_are_the_same_bits() {
    let bundles = bundles();
    let mut compared = 0;
    for row in rows(include_str!("../golden/lengths.tsv")) {
        let line = Array2::from(bundles[row[0]][row[1].parse::<usize>().unwrap()].clone());
        let got = if row[2] == "f32" { length(&line.mapv(|x| x as f32)) } else { length(&line) };
        assert_bits("length", &[got.unwrap()], &floats(row[3]));
        compared += 1;
    }
    assert_eq!(compared, 24 + 18 + 5);
}

#[test]
fn mdf_is_dipys() {
    let (a, b) = (bundle("a").resample(20).unwrap(), bundle("b").resample(20).unwrap());
    let got = mdf_matrix(&a, &b).unwrap();
    let exact = mdf_matrix(&a.mapv(f64::from), &b.mapv(f64::from)).unwrap();
    let mut compared = 0;
    for row in rows(include_str!("../golden/mdf.tsv")) {
        let (i, want) = (row[0].parse::<usize>().unwrap(), floats(row[1]));
        let line: Vec<f64> = got.row(i).iter().map(|&x| f64::from(x)).collect();
        // Both sides sum 20 roots in f32: 20 roundings and some.
        assert_relative_slice("f32", &line, &want, 1e-6, 1e-6);
        assert_relative_slice("f64", &exact.row(i).to_vec(), &want, 1e-6, 1e-6);
        for (j, want) in line.iter().enumerate() {
            let (a, b) = (a.index_axis(ndarray::Axis(0), i), b.index_axis(ndarray::Axis(0), j));
            assert_bits("pair", &[f64::from(mdf(&a, &b).unwrap())], &[*want]);
        }
        compared += line.len();
    }
    assert_eq!(compared, 24 * 18);
}

#[test]
fn mam_is_dipys() {
    let (a, b) = (bundle("a"), bundle("b"));
    let mut compared = 0;
    for (kind, name) in Mam::ALL.into_iter().zip(["avg", "min", "max"]) {
        let got = kind.matrix(&a, &b).unwrap();
        for row in rows(include_str!("../golden/mam.tsv")).filter(|row| row[0] == name) {
            let (i, want) = (row[1].parse::<usize>().unwrap(), floats(row[2]));
            let line: Vec<f64> = got.row(i).iter().map(|&x| f64::from(x)).collect();
            assert_relative_slice(name, &line, &want, 1e-6, 1e-6);
            let one = kind.distance(&a.get(i).unwrap(), &b.get(3).unwrap()).unwrap();
            assert_bits("pair", &[f64::from(one)], &[line[3]]);
            compared += line.len();
        }
    }
    assert_eq!(compared, 3 * 24 * 18);
}

#[test]
fn clusters_are_dipys() {
    let a = bundle("a").resample(20).unwrap();
    let n = a.dim().0;
    let mut expected: Vec<(Vec<f64>, &str, Vec<(Vec<usize>, Vec<f64>)>)> = Vec::new();
    for row in rows(include_str!("../golden/clusters.tsv")) {
        let thresholds = floats(row[0]);
        let members = row[2].split(' ').map(|i| i.parse().unwrap()).collect();
        let cluster = (members, floats(row[3]));
        match expected.iter_mut().find(|(known, order, _)| *known == thresholds && *order == row[1]) {
            Some((_, _, clusters)) => clusters.push(cluster),
            None => expected.push((thresholds, row[1], vec![cluster])),
        }
    }
    assert_eq!(expected.len(), 8);
    let mut several = 0;
    for (thresholds, order, clusters) in expected {
        let visit: Vec<usize> = if order == "forward" { (0..n).collect() } else { (0..n).rev().collect() };
        let got = QuickBundlesX::new(thresholds.clone()).unwrap().cluster(&a, &visit).unwrap();
        let members: Vec<&Vec<usize>> = clusters.iter().map(|(members, _)| members).collect();
        assert_eq!(got.members.iter().collect::<Vec<_>>(), members, "{thresholds:?} {order}");
        several += got.members.iter().filter(|members| members.len() > 1).count();
        for ((_, want), got) in clusters.iter().zip(got.centroids.outer_iter()) {
            let got: Vec<f64> =
                got.rows().into_iter().step_by(5).flat_map(|p| [p[0], p[1], p[2]]).map(f64::from).collect();
            // The same arithmetic; only a compiler that fuses products and sums could tell them apart.
            assert_bits("centroid", &got, want);
        }
    }
    assert!(several > 10, "{several} clusters of more than one streamline");
}

#[test]
fn scores_are_dipys() {
    let (a, b) = (bundle("a"), bundle("b"));
    let (mut compared, mut inside) = (0, 0);
    for row in rows(include_str!("../golden/scores.tsv")) {
        let (threshold, want): (f64, f64) = (row[3].parse().unwrap(), row[4].parse().unwrap());
        let got = if row[0] == "adjacency" {
            bundle_adjacency(&a.resample(20).unwrap(), &b.resample(20).unwrap(), threshold).unwrap()
        } else {
            let options = ShapeSimilarity { points: 20, clustering: floats(row[1]), threshold };
            let order = |n: usize| {
                if row[2] == "forward" { (0..n).collect() } else { (0..n).rev().collect::<Vec<_>>() }
            };
            options.score_in_order(&a, &b, order).unwrap()
        };
        assert_bits(&format!("{row:?}"), &[got], &[want]);
        compared += 1;
        inside += usize::from(want > 0.0 && want < 1.0);
    }
    assert_eq!(compared, 42);
    assert!(inside >= 20, "{inside} scores that are neither 0 nor 1");
}

#[test]
fn nearest_is_the_matrix_without_the_matrix() {
    let (a, b) = (bundle("a").resample(20).unwrap(), bundle("b").resample(20).unwrap());
    let matrix = mdf_matrix(&a, &b).unwrap();
    let found = nearest(&a, &b).unwrap();
    let least = |x: ndarray::ArrayView1<'_, f32>| x.iter().copied().fold(f32::INFINITY, f32::min);
    assert_eq!(found.a, matrix.rows().into_iter().map(least).collect::<Vec<_>>());
    assert_eq!(found.b, matrix.columns().into_iter().map(least).collect::<Vec<_>>());
}

#[test]
fn worlds_are_nibabels() {
    let (mut compared, mut names) = (0, std::collections::BTreeSet::new());
    for row in rows(include_str!("../golden/worlds.tsv")) {
        let tractogram = super::support::read(&super::support::golden(row[0])).unwrap();
        let world: Streamlines = tractogram.world().into_owned();
        let got = world.get(row[1].parse().unwrap()).unwrap();
        let want = points(row[2]);
        assert_eq!(got.nrows(), want.len());
        for (got, want) in got.rows().into_iter().zip(&want) {
            // nibabel multiplies in f32: three products and three sums of numbers up to 400.
            let got: Vec<f64> = got.iter().map(|&x| f64::from(x)).collect();
            for (got, want) in got.iter().zip(want) {
                variata_testkit::compare::assert_ratio(
                    row[0],
                    *got,
                    *want,
                    400.0,
                    variata_testkit::compare::UNIT_ROUNDOFF_F32,
                    4.0,
                );
            }
            compared += 1;
        }
        names.insert(row[0]);
    }
    assert!(names.len() >= 11 && compared > 500, "{compared} points of {names:?}");
}
