//! What is wrong is refused with a typed error that names it.

use ndarray::{Array1, Array2, array};
use variata_quantize::{
    Clusters, Codebook, Ema, Error, Estimator, GumbelSoftmax, Heads, Metric, Noise, Residual, Revival,
    Schedule, Smoothing, Upstream, Usage, UsageWindow, gumbel_noise,
};

use crate::support::{argument, euclidean, normal, rng};

#[test]
fn codebooks_that_are_none() {
    for shape in [(0, 3), (3, 0), (0, 0)] {
        assert_eq!(argument(Codebook::new(Array2::<f32>::zeros(shape), Metric::SquaredEuclidean)), "codes");
    }
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e151] {
        let codes = array![[0.0, 0.0], [0.0, bad]];
        assert_eq!(argument(Codebook::new(codes, Metric::SquaredEuclidean)), "codes");
    }
    assert_eq!(argument(Codebook::new(array![[0.0, 0.0]], Metric::Cosine)), "codes");
    let mut codebook = euclidean(array![[0.0, 0.0], [1.0, 1.0]]);
    assert_eq!(argument(codebook.set_codes(array![[0.0, 0.0]])), "codes");
    assert_eq!(argument(codebook.set_codes(array![[0.0, 0.0], [f64::NAN, 0.0]])), "codes");
    assert_eq!(argument(codebook.set_code(2, &array![0.0, 0.0].view())), "index");
    assert_eq!(argument(codebook.set_code(0, &array![0.0].view())), "code");
    assert_eq!(argument(codebook.set_code(0, &array![0.0, f64::NAN].view())), "code");
    assert_eq!(codebook.codes(), array![[0.0, 0.0], [1.0, 1.0]]);
    let rng = &mut rng(1);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(argument(Codebook::<f32>::normal(2, 2, bad, Metric::Cosine, rng)), "sigma");
        assert_eq!(argument(Codebook::<f32>::uniform(2, 2, bad, Metric::Cosine, rng)), "half_width");
    }
    assert_eq!(argument(Codebook::<f32>::normal(usize::MAX, usize::MAX, 1.0, Metric::Cosine, rng)), "codes");
    let none = Array2::<f64>::zeros((0, 2));
    assert_eq!(
        argument(Codebook::k_means_plus_plus(&none, 2, Metric::SquaredEuclidean, rng)),
        "rows of data"
    );
    let flat = Array2::<f64>::zeros((5, 0));
    assert_eq!(
        argument(Codebook::k_means_plus_plus(&flat, 2, Metric::SquaredEuclidean, rng)),
        "dimensions of data"
    );
    assert_eq!(
        argument(Codebook::k_means_plus_plus(&normal(3, 2, 1), 0, Metric::SquaredEuclidean, rng)),
        "codes"
    );
    assert_eq!(argument(Codebook::k_means(&array![[f64::NAN]], 1, 1, Metric::SquaredEuclidean, rng)), "data");
}

#[test]
fn vectors_that_are_not_finite_are_named_by_their_row() {
    let codebook = euclidean(normal(5, 3, 1));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e151] {
        let mut z = normal(3000, 3, 2);
        z[[2345, 1]] = bad;
        z[[2999, 0]] = bad;
        let refused = |error: Error| matches!(error, Error::Row { argument: "z", row: 2345, value, .. } if value.to_bits() == bad.to_bits());
        assert!(refused(codebook.assign(&z).unwrap_err()));
        assert!(refused(codebook.assign_with_distances(&z).unwrap_err()));
        assert!(refused(codebook.quantize(&z).unwrap_err()));
        assert!(refused(codebook.top_k(&z, 2).unwrap_err()));
        if !bad.is_finite() {
            let zeros = Array1::zeros(3000);
            assert!(refused(Clusters::new(&codebook).add(&codebook, &z, &zeros).unwrap_err()));
        }
    }
    let cosine = Codebook::new(normal(5, 3, 1), Metric::Cosine).unwrap();
    assert_eq!(
        cosine.assign(&array![[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]).unwrap_err().to_string(),
        "`z`: row 1 holds 0, must be a vector that is not 0 (norm at least 1e-140)"
    );
    assert_eq!(
        GumbelSoftmax::default().forward(&cosine, &normal(2, 3, 1), Noise::None).unwrap_err().to_string(),
        "Gumbel-softmax needs the squared Euclidean metric, the codebook has Cosine"
    );
    assert_eq!(argument(codebook.assign(&normal(3, 2, 1))), "z");
    assert_eq!(codebook.assign(&Array2::<f64>::zeros((0, 3))).unwrap().len(), 0);
    assert_eq!(argument(codebook.top_k(&normal(3, 3, 1), 0)), "count");
    assert_eq!(argument(codebook.top_k(&normal(3, 3, 1), 6)), "count");
}

#[test]
fn indices_of_no_code() {
    let codebook = euclidean(normal(5, 3, 1));
    for bad in [5, usize::MAX] {
        let error = codebook.decode(&array![0, 4, bad]).unwrap_err();
        assert_eq!(error, Error::Index { argument: "indices", position: 2, index: bad as i128, codes: 5 });
        assert_eq!(
            argument(Clusters::new(&codebook).add(&codebook, &normal(1, 3, 1), &array![bad])),
            "indices"
        );
        assert_eq!(argument(Usage::new(5).unwrap().add(&array![bad])), "indices");
        assert_eq!(argument(UsageWindow::new(5, 1).unwrap().push(&array![bad])), "indices");
        let heads = Heads::new(vec![codebook.clone()]).unwrap();
        assert_eq!(argument(heads.decode(&array![[bad]])), "indices");
        let residual = Residual::new(vec![codebook.clone()]).unwrap();
        assert_eq!(argument(residual.decode(&array![[bad]])), "indices");
    }
    let message = codebook.decode(&array![7]).unwrap_err().to_string();
    assert_eq!(message, "`indices[0]` is 7, must be in 0..5");
    assert_eq!(codebook.decode(&Array1::zeros(0)).unwrap().dim(), (0, 3));
}

#[test]
fn shapes_and_settings_that_do_not_fit() {
    let codebook = euclidean(normal(5, 3, 1));
    let z = normal(4, 3, 2);
    let quantized = codebook.quantize(&z).unwrap();
    let backward = |z: &Array2<f64>, g: &Array2<f64>, codebook: f64, commitment: f64| {
        let upstream = Upstream { output: &**g, codebook, commitment };
        quantized.backward(&euclidean(normal(5, 3, 1)), z, &upstream, Estimator::Rotation)
    };
    assert_eq!(argument(backward(&normal(3, 3, 1), &z, 1.0, 1.0)), "z");
    // Refused before there are so many results.
    assert_eq!(argument(codebook.assign(&Array2::<f64>::zeros((1 << 60, 0)))), "z");
    assert_eq!(argument(codebook.assign_with_distances(&Array2::<f64>::zeros((1 << 60, 0)))), "z");
    assert_eq!(argument(backward(&z, &normal(4, 2, 1), 1.0, 1.0)), "output");
    assert_eq!(argument(backward(&z, &(&z * f64::NAN), 1.0, 1.0)), "output");
    assert_eq!(argument(backward(&z, &z, f64::NAN, 1.0)), "codebook");
    assert_eq!(argument(backward(&z, &z, 1.0, f64::INFINITY)), "commitment");
    assert_eq!(argument(Heads::<f64>::new(vec![])), "books");
    assert_eq!(argument(Heads::new(vec![codebook.clone(), euclidean(normal(5, 2, 1))])), "books");
    assert_eq!(argument(Heads::new(vec![codebook.clone()]).unwrap().quantize(&normal(4, 6, 1))), "z");
    assert_eq!(argument(Residual::<f64>::new(vec![])), "stages");
    let residual = Residual::new(vec![codebook.clone()]).unwrap();
    assert_eq!(argument(residual.quantize(&z, 0)), "stages");
    assert_eq!(argument(residual.quantize(&z, 2)), "stages");
    assert_eq!(argument(residual.decode(&Array2::zeros((3, 0)))), "columns of indices");

    for bad in [-0.1, 1.0, f64::NAN] {
        assert_eq!(argument(Ema::new(&codebook, bad, Smoothing::None)), "decay");
    }
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(argument(Ema::new(&codebook, 0.9, Smoothing::Laplace(bad))), "smoothing");
        assert_eq!(argument(Ema::new(&codebook, 0.9, Smoothing::Hold(bad))), "smoothing");
    }
    let mut ema = Ema::new(&codebook, 0.9, Smoothing::None).unwrap();
    let mut other = euclidean(normal(4, 3, 1));
    let clusters = Clusters::new(&other);
    assert_eq!(argument(ema.update(&mut other, &clusters)), "codebook");
    assert_eq!(argument(ema.update(&mut codebook.clone(), &clusters)), "clusters");
    assert_eq!(argument(Clusters::new(&codebook).merge(&clusters)), "other");
    assert_eq!(argument(Clusters::new(&codebook).add(&codebook, &z, &array![0])), "z");

    assert_eq!(argument(Usage::new(0)), "codes");
    assert_eq!(argument(UsageWindow::new(3, 0)), "batches");
    assert_eq!(argument(UsageWindow::new(3, 1).unwrap().dead(0)), "least");
    assert_eq!(argument(Usage::new(3).unwrap().merge(&Usage::new(4).unwrap())), "other");
    let usage = Usage::new(5).unwrap();
    let revive = |dead: &[usize], revival, z: &Array2<f64>| {
        codebook.clone().revive(dead, revival, z, &usage, None, &mut rng(1))
    };
    assert_eq!(argument(revive(&[5], Revival::Batch, &z)), "dead");
    assert_eq!(argument(revive(&[1], Revival::Batch, &Array2::zeros((0, 3)))), "rows of z");
    assert_eq!(argument(revive(&[1], Revival::Farthest, &normal(2, 2, 1))), "z");
    assert_eq!(argument(revive(&[1], Revival::Batch, &array![[f64::NAN, 0.0, 0.0]])), "z");
    for spread in [0.0, -1.0, f64::NAN] {
        assert_eq!(argument(revive(&[1], Revival::Split { spread }, &z)), "spread");
    }
    // Nobody has anything to share.
    assert_eq!(revive(&[1], Revival::Split { spread: 0.1 }, &z).unwrap(), [0usize; 0]);
}

/// At temperature 0 there are no products that would refuse them.
#[test]
fn backward_at_temperature_zero_refuses_as_at_any() {
    let (codebook, z) = (euclidean(normal(5, 3, 1)), normal(4, 3, 2));
    for temperature in [0.0, 1.0] {
        let soft = GumbelSoftmax { temperature, hard: false };
        let found = soft.forward(&codebook, &z, Noise::None).unwrap();
        let mut bad = z.clone();
        bad[[2, 1]] = f64::NAN;
        let error = soft.backward(&codebook, &bad, Noise::None, &found, &z).unwrap_err();
        assert!(matches!(error, Error::Row { argument: "z", row: 2, .. }), "{error}");
        let narrow = euclidean(normal(5, 2, 1));
        assert_eq!(argument(soft.backward(&narrow, &z, Noise::None, &found, &z)), "z");
    }
    let soft = GumbelSoftmax { temperature: 0.0, hard: false };
    let near = array![[0.0], [0.0], [9.0]];
    let codebook = euclidean(array![[0.0], [9.0]]);
    let mut found = soft.forward(&codebook, &near, Noise::None).unwrap();
    found.indices[2] = 7;
    let error = soft.backward(&codebook, &near, Noise::None, &found, &near).unwrap_err();
    assert_eq!(error, Error::Index { argument: "found", position: 2, index: 7, codes: 2 });
}

#[test]
fn what_another_codebook_found_has_no_gradient() {
    let (codebook, z) = (euclidean(normal(3, 2, 1)), normal(4, 2, 2));
    let soft = GumbelSoftmax { temperature: 1.0, hard: false };
    let found = soft.forward(&euclidean(normal(2, 2, 3)), &z, Noise::None).unwrap();
    assert_eq!(argument(soft.backward(&codebook, &z, Noise::None, &found, &z)), "codes of found");
}

#[test]
fn more_than_memory_holds_is_refused() {
    assert_eq!(argument(gumbel_noise::<f32>(7, 0, usize::MAX, 2)), "rows times codes");
    assert_eq!(argument(gumbel_noise::<f64>(7, 0, 1 << 40, 1 << 20)), "rows times codes");
    let drawn = Codebook::<f64>::normal(1 << 24, 1 << 40, 1.0, Metric::Cosine, &mut rng(1));
    assert_eq!(argument(drawn), "codes times dimensions");
    // Elements that would all be 0.
    let drawn = Codebook::<f32>::normal(2, 2, 1e-50, Metric::SquaredEuclidean, &mut rng(1));
    assert_eq!(argument(drawn), "sigma");
}

/// As `assign` does.
#[test]
fn clusters_refuse_what_is_never_assigned() {
    let refused = |metric, z: Array2<f64>| {
        let codebook = Codebook::new(array![[1.0, 0.0]], metric).unwrap();
        let error = Clusters::new(&codebook).add(&codebook, &z, &array![0]).unwrap_err();
        assert_eq!(error.to_string(), codebook.assign(&z).unwrap_err().to_string());
    };
    refused(Metric::SquaredEuclidean, array![[1e308, 0.0]]);
    refused(Metric::SquaredEuclidean, array![[f64::NAN, 0.0]]);
    refused(Metric::Cosine, array![[1.6e-162, 0.0]]);
    refused(Metric::Cosine, array![[0.0, 0.0]]);
}

#[test]
fn a_temperature_that_falls_begins_somewhere() {
    assert_eq!(argument(Schedule::exponential(f64::INFINITY, 1.0, 1.0)), "start");
    assert!(Schedule::exponential(f64::INFINITY, 1.0, 0.0).is_ok());
}
