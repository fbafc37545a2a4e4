//! Samples far beyond what the law reaches.

use ndarray::{Array1, Array2};
use variata_sliced::{Directions, Discrepancy, Distance};

/// Nothing of the law is there: all of it lies on one side.
#[test]
fn samples_close_together_far_out_have_the_distances_of_a_point_at_infinity() {
    for centre in [40.0, -2e4, 1e5, 1e30] {
        let x = Array2::from_shape_fn((256, 3), |(i, j)| centre + 0.05 * f64::sin((7 * i + j) as f64));
        let directions = Directions::given(&Array2::<f64>::eye(3)).unwrap();
        for (distance, want) in [(Distance::CramerVonMises, 1.0 / 3.0), (Distance::KolmogorovSmirnov, 1.0)] {
            let (found, grad) =
                Discrepancy::new(distance).sliced_with_grad(&x.mapv(|v| v as f32), &directions).unwrap();
            assert!((found.mean - want).abs() < 1e-12, "{centre} {distance:?}: {}", found.mean);
            assert!(grad.iter().all(|g| g.abs() < 1e-12), "{centre} {distance:?}");
            let (found, grad) = Discrepancy::new(distance).sliced_with_grad(&x, &directions).unwrap();
            assert!((found.mean - want).abs() < 1e-12, "{centre} {distance:?}: {}", found.mean);
            assert!(grad.iter().all(|g| g.abs() < 1e-12), "{centre} {distance:?}");
        }
    }
    for y in [1e110, -1e150] {
        let y = Array1::from_elem(64, y);
        assert!((Distance::CramerVonMises.value(&y).unwrap() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(Distance::KolmogorovSmirnov.value(&y).unwrap(), 1.0);
    }
}
