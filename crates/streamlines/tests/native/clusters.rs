//! QuickBundlesX and what BUAN makes of it.

use ndarray::{Array3, Axis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use variata_streamlines::{
    Phantom, QuickBundlesX, ShapeSimilarity, Streamlines, Tract, bundle_adjacency, mdf,
};
use variata_testkit::compare::assert_relative;

use super::support::cloud;

fn bundle(subject: u64) -> Streamlines<f32> {
    Phantom { streamlines: 80, ..Phantom::default() }.bundle(subject, Tract::PytL).unwrap()
}

#[test]
fn every_streamline_is_in_one_cluster() {
    let lines = cloud(60, 6, 9);
    let order: Vec<usize> = (0..60).map(|i| i * 37 % 60).collect();
    for thresholds in [vec![40.0], vec![60.0, 30.0], vec![0.0], vec![1e9, 1e9]] {
        let clusters = QuickBundlesX::new(thresholds.clone()).unwrap().cluster(&lines, &order).unwrap();
        let mut all: Vec<usize> = clusters.members.iter().flatten().copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..60).collect::<Vec<_>>(), "{thresholds:?}");
        assert_eq!(clusters.centroids.dim(), (clusters.members.len(), 6, 3));
    }
}

#[test]
fn thresholds_are_kept_when_they_are_made() {
    // With a generous single level, a streamline begins a new cluster only if all centroids are farther.
    let lines = cloud(40, 6, 5);
    let order: Vec<usize> = (0..40).collect();
    let one = QuickBundlesX::new([1e9]).unwrap().cluster(&lines, &order).unwrap();
    assert_eq!(one.members.len(), 1);
    let each = QuickBundlesX::new([0.0]).unwrap().cluster(&lines, &order).unwrap();
    assert_eq!(each.members, order.iter().map(|&i| vec![i]).collect::<Vec<_>>());
    // A new cluster takes a streamline the way round that was nearest to another cluster.
    for (centroid, line) in each.centroids.outer_iter().zip(lines.outer_iter()) {
        assert_eq!(mdf(&centroid, &line).unwrap(), 0.0);
    }
}

#[test]
fn copies_join_at_threshold_0_either_way_round() {
    let line = cloud(1, 6, 1).index_axis_move(Axis(0), 0);
    let turned = line.slice(ndarray::s![..;-1, ..]).to_owned();
    let mut lines = Array3::zeros((3, 6, 3));
    for (mut to, from) in lines.outer_iter_mut().zip([&line, &turned, &line]) {
        to.assign(from);
    }
    let clusters = QuickBundlesX::new([0.0]).unwrap().cluster(&lines, &[0, 1, 2]).unwrap();
    assert_eq!(clusters.members, [[0, 1, 2]]);
    for (got, want) in clusters.centroids.iter().zip(&line) {
        assert_relative("mean of copies", *got, *want, 1e-15, 1.0);
    }
}

#[test]
fn centroids_are_means_of_lines_that_run_one_way() {
    let bundle = bundle(3).resample(12).unwrap().mapv(f64::from);
    let order: Vec<usize> = (0..bundle.dim().0).collect();
    let clusters = QuickBundlesX::new([8.0]).unwrap().cluster(&bundle, &order).unwrap();
    assert!(clusters.members.len() < order.len());
    for (members, centroid) in clusters.members.iter().zip(clusters.centroids.outer_iter()) {
        let mean = bundle.select(Axis(0), members).mean_axis(Axis(0)).unwrap();
        assert!(mdf(&mean, &centroid).unwrap() < 1e-10);
    }
}

#[test]
fn without_clustering_the_score_is_the_adjacency() {
    let (a, b) = (bundle(1), bundle(2));
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let options = ShapeSimilarity { clustering: Vec::new(), ..ShapeSimilarity::default() };
    let want = bundle_adjacency(&a.resample(20).unwrap(), &b.resample(20).unwrap(), 6.0).unwrap();
    assert_eq!(options.score(&a, &b, &mut rng).unwrap(), want);
    assert!(want > 0.0 && want < 1.0, "{want}");
    // At threshold 0 each line is a cluster of its own, in another order.
    let zero = ShapeSimilarity { clustering: vec![0.0], ..ShapeSimilarity::default() };
    assert_eq!(zero.score(&a, &b, &mut rng).unwrap(), want);
}

#[test]
fn a_bundle_is_similar_to_itself_and_to_its_reverse() {
    let a = bundle(1);
    let mut turned = a.clone();
    (0..turned.len()).for_each(|i| turned.reverse(i));
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for options in [ShapeSimilarity::default(), ShapeSimilarity::vq_diff()] {
        assert_eq!(options.score(&a, &a, &mut rng).unwrap(), 1.0);
        assert_eq!(options.score(&a, &turned, &mut rng).unwrap(), 1.0);
        assert_eq!(options.score(&a, &Streamlines::new(), &mut rng).unwrap(), 0.0);
    }
}
