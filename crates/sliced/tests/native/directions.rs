//! Directions: uniform on the sphere, orthonormal where they say so, and the same for a seed.

use ndarray::{Array2, array};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use variata_sliced::{Directions, TwoSample};
use variata_testkit::statistics::{assert_ks, assert_rejects, seed, try_ks};

/// Projections of directions in three dimensions on a fixed unit vector are uniform on [−1, 1] (Archimedes).
fn heights(directions: &Directions) -> Vec<f64> {
    let axis = array![2.0 / 7.0, 3.0 / 7.0, 6.0 / 7.0];
    directions.vectors().dot(&axis).to_vec()
}

fn uniform(x: f64) -> f64 {
    (0.5 * (x + 1.0)).clamp(0.0, 1.0)
}

#[test]
fn drawn_directions_are_uniform_on_the_sphere() {
    let n = 1_000_000;
    assert_ks("ks_directions", &heights(&Directions::uniform(n, 3, seed(1)).unwrap()), uniform);
    // The last of each block, which the others have shaped: within a block they depend on each other.
    let blocks = heights(&Directions::orthogonal(3 * n, 3, seed(2)).unwrap());
    let last: Vec<f64> = blocks.chunks(3).map(|block| block[2]).collect();
    assert_ks("ks_directions", &last, uniform);
    // Corners of the cube are too many when points of the cube are normalised.
    let cube: Vec<f64> = (0..n)
        .map(|k| {
            let u = |root: f64| 2.0 * (k as f64 * root).fract() - 1.0;
            let v = [u(0.819_172_513), u(0.671_043_607), u(0.549_700_478)];
            let norm = v.iter().map(|v| v * v).sum::<f64>().sqrt();
            (2.0 * v[0] + 3.0 * v[1] + 6.0 * v[2]) / 7.0 / norm
        })
        .collect();
    assert_rejects("ks_directions", &try_ks("ks_directions", &cube, uniform));
}

/// A sample from the generator of the same seed does not lie along the directions.
#[test]
fn a_sample_of_the_same_seed_is_independent_of_the_directions() {
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let sample = Array2::<f64>::from_shape_simple_fn((200, 20), || StandardNormal.sample(&mut rng));
    for directions in [Directions::uniform(200, 20, 17), Directions::orthogonal(200, 20, 17)] {
        let projections = sample.dot(&directions.unwrap().vectors().t());
        // The largest of 40,000 normal numbers; points along their directions are at √20 = 4.5, all two hundred of them.
        let far = projections.iter().filter(|p| p.abs() > 4.0).count();
        assert!(far < 20, "{far}");
        let diagonal = projections.diag().mapv(|p| p * p).mean().unwrap();
        assert!((diagonal - 1.0).abs() < 0.6, "{diagonal}");
    }
}

#[test]
fn single_quasi_random_directions_are_uniform_over_seeds() {
    let heights: Vec<f64> = (0..1_000_000u64 / 8)
        .flat_map(|k| heights(&Directions::quasi_random(8, 3, seed(3).wrapping_add(k)).unwrap()))
        .collect();
    assert_ks("ks_directions", &heights, uniform);
}

#[test]
fn orthogonal_blocks_are_orthonormal() {
    for (count, dimensions) in [(1, 1), (7, 3), (64, 64), (130, 64)] {
        let directions = Directions::orthogonal(count, dimensions, 5).unwrap();
        for block in directions.vectors().axis_chunks_iter(ndarray::Axis(0), dimensions) {
            let gram = block.dot(&block.t());
            let identity = Array2::<f64>::eye(block.nrows());
            assert!((&gram - &identity).iter().all(|v| v.abs() < 1e-14));
        }
    }
}

#[test]
fn every_kind_has_norm_one_and_repeats() {
    for (count, dimensions) in [(1, 1), (5, 2), (9, 3), (100, 20)] {
        let kinds = [Directions::uniform, Directions::orthogonal, Directions::quasi_random];
        for kind in kinds {
            let directions = kind(count, dimensions, 9).unwrap();
            assert_eq!((directions.count(), directions.dim()), (count, dimensions));
            assert_eq!(directions, kind(count, dimensions, 9).unwrap());
            if dimensions > 1 {
                assert_ne!(directions, kind(count, dimensions, 10).unwrap());
            }
            for row in directions.vectors().rows() {
                assert!((row.dot(&row) - 1.0).abs() < 1e-14);
            }
        }
    }
    // Evenly spaced on the circle.
    let circle = Directions::quasi_random(8 * 6, 2, 1).unwrap();
    let neighbours = circle.vectors().row(0).dot(&circle.vectors().row(1));
    assert!((neighbours - 0.5).abs() < 1e-12);
}

#[test]
fn given_directions_are_normalised_in_double_precision() {
    let single = array![[0.6f32, 0.8], [-0.6, 0.8]];
    let directions = Directions::given(&single).unwrap();
    for row in directions.vectors().rows() {
        assert!((row.dot(&row) - 1.0).abs() < 1e-15);
    }
}

/// Two points: along v the squared distance is (v·δ)², whose mean over an orthonormal basis is that of the sphere. What is off it comes from a
/// part of a basis alone.
#[test]
fn errors_over_directions_count_a_part_of_a_basis() {
    let (x, y) = (array![[0.0; 8]], array![[1.0, -2.0, 0.5, 0.0, 3.0, 1.0, -1.0, 0.25]]);
    let exact = y.iter().map(|v| v * v).sum::<f64>() / 8.0;
    for (name, count) in [("uniform", 20), ("orthogonal", 20), ("orthogonal", 23), ("orthogonal", 33)] {
        let (mut of_means, mut told) = (0.0, 0.0);
        for seed in 0..800 {
            let directions = match name {
                "uniform" => Directions::uniform(count, 8, seed),
                _ => Directions::orthogonal(count, 8, seed),
            };
            let sliced = TwoSample::SQUARED.sliced(&x, &y, &directions.unwrap()).unwrap();
            of_means += (sliced.mean - exact).powi(2);
            told += sliced.standard_error.unwrap().powi(2);
        }
        // Both within some 5 %.
        assert!((told / of_means - 1.0).abs() < 0.25, "{name} {count}: {told} {of_means}");
    }
}
