//! Finite scalar quantisation.

use ndarray::{Array1, Array2, array};
use proptest::prelude::*;
use variata_quantize::{Error, Fsq};
use variata_testkit::finite_difference::derivative;

use crate::support::{argument, normal};

proptest! {
    #[test]
    fn indices_and_vectors_are_the_same_thing(levels in prop::collection::vec(2..9usize, 1..5), seed: u64) {
        let fsq = Fsq::new(levels.clone()).unwrap();
        let all = Array1::from_iter(0..fsq.count());
        let decoded = fsq.decode::<f64>(&all).unwrap();
        prop_assert_eq!(fsq.encode(&decoded).unwrap(), &all);
        prop_assert!(decoded.iter().all(|v| v.abs() <= 1.0));
        let z = normal(50, levels.len(), seed) * 3.0;
        let quantized = fsq.quantize(&z).unwrap();
        prop_assert_eq!(fsq.decode::<f64>(&quantized.indices).unwrap(), quantized.output);
    }
}

/// Every level is taken, the outermost for large |z|, and 0 goes to 0.
#[test]
fn levels_are_all_reached() {
    for level in 2..17usize {
        let fsq = Fsq::new(vec![level]).unwrap();
        let z = Array2::from_shape_fn((20_001, 1), |(i, _)| (i as f64 - 10_000.0) * 1e-3);
        let indices = fsq.quantize(&z).unwrap().indices;
        assert!(indices.windows(2).into_iter().all(|w| w[0] == w[1] || w[0] + 1 == w[1]));
        assert_eq!((indices[0], indices[20_000]), (0, level - 1));
        assert_eq!(fsq.quantize(&array![[0.0]]).unwrap().output, array![[0.0]]);
        assert_eq!(fsq.quantize(&array![[1e150]]).unwrap().indices, array![level - 1]);
    }
}

/// From a thousand levels on the margin of the bound is wider than half a level.
#[test]
fn many_levels_stay_among_themselves() {
    for level in [1001usize, 1002, 1003, 1 << 24] {
        let fsq = Fsq::new(vec![level, 3]).unwrap();
        let quantized = fsq.quantize(&array![[40.0, 0.0], [-40.0, 0.0]]).unwrap();
        assert_eq!(quantized.indices, array![level - 1 + level, level]);
        assert!(quantized.output.iter().all(|v: &f64| v.abs() <= 1.0));
        assert_eq!(fsq.decode::<f64>(&quantized.indices).unwrap(), quantized.output);
    }
}

#[test]
fn the_gradient_is_that_of_the_bound() {
    for level in [2usize, 5, 8] {
        let fsq = Fsq::new(vec![level]).unwrap();
        // The bound as written in the paper.
        let half = (level - 1) as f64 * 1.001 / 2.0;
        let offset = if level % 2 == 0 { 0.5 } else { 0.0 };
        let bounded = |z: f64| ((z + (offset / half).atanh()).tanh() * half - offset) / (level / 2) as f64;
        for z in [-2.0, -0.3, 0.0, 0.7, 3.0] {
            let grad = fsq.backward(&array![[z]], &array![[1.5]]).unwrap()[[0, 0]];
            let want = 1.5 * derivative(bounded, z, 1.0);
            assert!((grad - want).abs() < 1e-11, "{level} {z}: {grad} {want}");
        }
    }
}

#[test]
fn indices_of_any_shape_are_decoded_in_their_order() {
    let fsq = Fsq::new(vec![4, 3]).unwrap();
    assert_eq!(fsq.dim(), 2);
    let flat = Array1::from_iter(0..12);
    let square = flat.clone().into_shape_with_order((3, 4)).unwrap();
    assert_eq!(fsq.decode::<f64>(&square).unwrap(), fsq.decode::<f64>(&flat).unwrap());
    assert!(fsq.decode::<f64>(&ndarray::arr0(12)).is_err());
}

#[test]
fn what_is_wrong_is_refused() {
    assert_eq!(argument(Fsq::new(vec![])), "levels");
    assert_eq!(argument(Fsq::new(vec![8, 1])), "levels");
    assert_eq!(argument(Fsq::new(vec![1 << 24; 3])), "product of levels");
    let fsq = Fsq::new(vec![4, 3]).unwrap();
    assert_eq!(
        fsq.decode::<f32>(&array![0, 12]).unwrap_err(),
        Error::Index { argument: "indices", position: 1, index: 12, codes: 12 }
    );
    assert_eq!(argument(fsq.quantize(&array![[0.0]])), "z");
    assert_eq!(argument(fsq.quantize(&array![[0.0, f64::NAN]])), "z");
    assert_eq!(argument(fsq.backward(&array![[0.0, 0.0]], &array![[0.0]])), "upstream");
    for bad in [f64::NAN, 1.5, -1.1] {
        assert_eq!(argument(fsq.encode(&array![[0.0, bad]])), "quantized");
    }
    // Four levels are −1, −½, 0, ½.
    assert_eq!(argument(fsq.encode(&array![[1.0, 0.0]])), "quantized");
}
