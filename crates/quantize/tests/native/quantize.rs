//! Quantised vectors, their losses and gradients.

use ndarray::{Array2, Axis, array, concatenate};
use variata_quantize::{Codebook, Error, Estimator, Heads, Metric, Residual, Upstream};
use variata_testkit::finite_difference::assert_gradient;

use crate::support::{euclidean, normal, single};

#[test]
fn are_the_codes_to_the_bit_and_decode_to_them() {
    let (z, codebook) = (single(&(normal(300, 9, 1) + 1e3)), euclidean(single(&(normal(40, 9, 2) + 1e3))));
    let quantized = codebook.quantize(&z).unwrap();
    for (row, &k) in quantized.output.rows().into_iter().zip(&quantized.indices) {
        let bits = |row: ndarray::ArrayView1<'_, f32>| row.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(row), bits(codebook.codes().row(k)));
    }
    assert_eq!(codebook.decode(&quantized.indices).unwrap(), quantized.output);
    assert_eq!(codebook.assign(&quantized.output).unwrap(), quantized.indices);
}

#[test]
fn losses_do_not_depend_on_the_size_of_the_batch() {
    let (z, codebook) = (normal(50, 6, 1), euclidean(normal(8, 6, 2)));
    let once = codebook.quantize(&z).unwrap();
    let twice = codebook.quantize(&concatenate![Axis(0), z, z]).unwrap();
    let want = (&z - &once.output).mapv(|v| v * v).mean().unwrap();
    assert!((once.loss / want - 1.0).abs() < 1e-14 && (twice.loss / want - 1.0).abs() < 1e-14);
    assert_eq!(codebook.quantize(&Array2::<f64>::zeros((0, 6))).unwrap().loss, 0.0);
}

/// The loss whose gradients are closed: a·codebook + b·commitment + G·output.
#[test]
fn gradients_of_the_losses_are_those_of_finite_differences() {
    for metric in [Metric::SquaredEuclidean, Metric::Cosine] {
        let (z, codes) = (normal(7, 4, 1), normal(5, 4, 2));
        let codebook = Codebook::new(codes.clone(), metric).unwrap();
        let quantized = codebook.quantize(&z).unwrap();
        let none = Array2::zeros((7, 4));
        let shaped = |v: &[f64], rows| Array2::from_shape_vec((rows, 4), v.to_vec()).unwrap();
        let loss = |z: &Array2<f64>, codes: &Array2<f64>| {
            let gaps = z
                .rows()
                .into_iter()
                .zip(&quantized.indices)
                .map(|(z, &k)| z.iter().zip(codes.row(k)).map(|(z, e)| (z - e) * (z - e)).sum::<f64>());
            gaps.sum::<f64>() / 28.0
        };
        let backward = |a, b| {
            let upstream = Upstream { output: &*none, codebook: a, commitment: b };
            quantized.backward(&codebook, &z, &upstream, Estimator::StraightThrough).unwrap()
        };
        let both = backward(1.0, 0.25);
        assert_gradient(
            "commitment",
            |v| 0.25 * loss(&shaped(v, 7), &codes),
            z.as_slice().unwrap(),
            &[1.0; 28],
            |_| both.z.as_slice().unwrap().to_vec(),
            1e-10,
        );
        assert_gradient(
            "codebook",
            |v| loss(&z, &shaped(v, 5)),
            codes.as_slice().unwrap(),
            &[1.0; 20],
            |_| both.codes.as_slice().unwrap().to_vec(),
            1e-10,
        );
        assert!(backward(0.0, 1.0).codes.iter().all(|v| *v == 0.0));
        assert!(backward(1.0, 0.0).z.iter().all(|v| *v == 0.0));
    }
}

#[test]
fn straight_through_the_gradient_is_the_identity() {
    let (z, codebook) = (normal(20, 3, 1), euclidean(normal(5, 3, 2)));
    let upstream = normal(20, 3, 3);
    let quantized = codebook.quantize(&z).unwrap();
    let upstream = Upstream { output: &*upstream, codebook: 0.0, commitment: 0.0 };
    let grad = quantized.backward(&codebook, &z, &upstream, Estimator::StraightThrough).unwrap();
    assert_eq!(grad.z, upstream.output);
}

/// The map that is differentiated, e = λRz with λ and R held, is linear: its matrix takes z to the code, keeps lengths but for λ, and
/// leaves what is orthogonal to both.
#[test]
fn the_rotation_takes_z_to_its_code() {
    let (z, codebook) = (normal(1, 5, 1), euclidean(normal(3, 5, 2)));
    let quantized = codebook.quantize(&z).unwrap();
    let norm = |x: &ndarray::Array1<f64>| x.dot(x).sqrt();
    let (from, to) = (z.row(0).to_owned(), quantized.output.row(0).to_owned());
    let scale = norm(&to) / norm(&from);
    // Rows of the matrix are gradients of the coordinates.
    let mut matrix = Array2::zeros((5, 5));
    for i in 0..5 {
        let mut g = Array2::zeros((1, 5));
        g[[0, i]] = 1.0;
        let upstream = Upstream { output: &*g, codebook: 0.0, commitment: 0.0 };
        let grad = quantized.backward(&codebook, &z, &upstream, Estimator::Rotation).unwrap();
        matrix.row_mut(i).assign(&grad.z.row(0));
    }
    assert!((matrix.dot(&from) - &to).iter().all(|v: &f64| v.abs() < 1e-14));
    let square = matrix.dot(&matrix.t()) / (scale * scale);
    assert!((square - Array2::<f64>::eye(5)).iter().all(|v| v.abs() < 1e-14));
    let mut other = normal(1, 5, 9).row(0).to_owned();
    // Gram–Schmidt against both.
    let second = &to - &(&from * (to.dot(&from) / from.dot(&from)));
    for along in [&from, &second] {
        other = &other - &(along * (other.dot(along) / along.dot(along)));
    }
    assert!((matrix.dot(&other) - &other * scale).iter().all(|v: &f64| v.abs() < 1e-13));
}

/// R depends on directions alone, and λ is homogeneous: a power of two is exact.
#[test]
fn the_rotation_of_tiny_vectors_is_that_of_large_ones() {
    let (z, code, g) = (array![[0.6, 0.8]], array![[1.0, 0.0]], array![[1.0, 2.0]]);
    let upstream = Upstream { output: &*g, codebook: 0.0, commitment: 0.0 };
    let rotated = |power_z: i32, power_e: i32| {
        let (z, codebook) = (&z * 2f64.powi(power_z), euclidean(&code * 2f64.powi(power_e)));
        codebook.quantize(&z).unwrap().backward(&codebook, &z, &upstream, Estimator::Rotation).unwrap().z
    };
    let want = rotated(0, 0);
    // Rᵀg by hand: the rotation by the angle whose cosine is 0.6.
    assert!((&want - &array![[-1.0, 2.0]]).iter().all(|v: &f64| v.abs() < 1e-15), "{want}");
    for power in [-465, -500, -535, -545, -900, -1000] {
        assert_eq!(rotated(power, 0), &want * 2f64.powi(-power), "{power}");
        assert_eq!(rotated(0, power), &want * 2f64.powi(power), "{power}");
        assert_eq!(rotated(power, power), want, "{power}");
    }
}

#[test]
fn the_rotation_where_it_is_not_unique() {
    let codebook = euclidean(array![[0.0, 0.0], [-9.0, 0.0]]);
    let g = array![[1.0, 2.0]];
    let upstream = Upstream { output: &*g, codebook: 0.0, commitment: 0.0 };
    let rotated = |z: &Array2<f64>, codebook: &Codebook<f64>| {
        codebook.quantize(z).unwrap().backward(codebook, z, &upstream, Estimator::Rotation).unwrap().z
    };
    // The code is 0, or z is: straight through.
    assert_eq!(rotated(&array![[1.0, 1.0]], &codebook), g);
    assert_eq!(rotated(&array![[0.0, 0.0]], &euclidean(array![[1.0, 1.0]])), g);
    // Opposite: the reflection, which takes z to the code.
    assert_eq!(rotated(&array![[3.0, 0.0]], &euclidean(array![[-6.0, 0.0]])), array![[-2.0, 4.0]]);
}

#[test]
fn residual_stages_add_up() {
    let z = normal(200, 4, 1);
    let stages: Vec<_> = (0..3).map(|i| euclidean(normal(16, 4, 2 + i) * 0.5f64.powi(i as i32))).collect();
    let residual = Residual::new(stages.clone()).unwrap();
    let quantized = residual.quantize(&z, 3).unwrap();
    assert_eq!(residual.decode(&quantized.indices).unwrap(), quantized.output);
    let gap = (&z - &quantized.output).mapv(|v| v * v).mean().unwrap();
    assert!((quantized.losses[2] / gap - 1.0).abs() < 1e-12);
    assert!(quantized.losses.windows(2).all(|w| w[1] < w[0]));
    let first = residual.quantize(&z, 1).unwrap();
    assert_eq!(first.output, stages[0].quantize(&z).unwrap().output);
    // Gradients: what the stages' losses say of r₁, r₂, r₃ adds up.
    let g = normal(200, 4, 9);
    let upstream = Upstream { output: &*g, codebook: 1.0, commitment: 0.5 };
    let grad = quantized.backward(&residual, &upstream).unwrap();
    let mut want = g.clone();
    let mut rest = z.clone();
    for (stage, codes) in stages.iter().zip(&grad.codes) {
        let part = stage.quantize(&rest).unwrap();
        let gap = &rest - &part.output;
        want = want + &gap * (0.5 * 2.0 / 800.0);
        let none = Array2::zeros((200, 4));
        let upstream = Upstream { output: &*none, codebook: 1.0, commitment: 0.0 };
        assert_eq!(codes, part.backward(stage, &rest, &upstream, Estimator::StraightThrough).unwrap().codes);
        rest = gap;
    }
    assert!((grad.z - want).iter().all(|v: &f64| v.abs() < 1e-14));
}

/// Under the cosine metric a vector that is its code leaves nothing that has a direction.
#[test]
fn stages_for_which_nothing_is_left_take_their_first_code() {
    let book = |codes| Codebook::new(codes, Metric::Cosine).unwrap();
    let stages =
        vec![book(array![[1.0, 0.0], [0.0, 2.0]]), book(array![[0.25, 0.25], [-0.5, 0.0], [0.0, 0.5]])];
    let residual = Residual::new(stages).unwrap();
    // In either order of the elements in memory.
    let z = array![[0.0, 2.0], [0.5, 0.0], [1.0, 0.0]];
    for z in [z.clone(), z.t().as_standard_layout().into_owned().reversed_axes()] {
        let quantized = residual.quantize(&z, 2).unwrap();
        assert_eq!(quantized.indices, array![[1, 0], [0, 1], [0, 0]]);
        assert_eq!(quantized.output, array![[0.25, 2.25], [0.5, 0.0], [1.25, 0.25]]);
        assert_eq!(quantized.output, residual.decode(&quantized.indices).unwrap());
        let gap = (&z - &quantized.output).mapv(|v| v * v).mean().unwrap();
        assert!((quantized.losses[1] - gap).abs() < 1e-16, "{:?}", quantized.losses);
        let none = Array2::zeros((3, 2));
        let upstream = Upstream { output: &*none, codebook: 1.0, commitment: 1.0 };
        let grad = quantized.backward(&residual, &upstream).unwrap();
        // 2(0 − e)/ND and what the first stage left.
        assert!((&grad.z.row(0) + 0.5 / 6.0).iter().all(|v: &f64| v.abs() < 1e-16));
    }
    // Vectors themselves have a direction, or are refused.
    assert!(residual.quantize(&array![[0.0, 0.0]], 2).is_err());
    assert!(residual.quantize(&array![[0.0, f64::NAN]], 2).is_err());
}

#[test]
fn gradients_of_heads_are_those_of_one_mean() {
    let z = normal(30, 6, 1);
    let heads = Heads::new((0..2).map(|h| euclidean(normal(7, 3, 2 + h))).collect()).unwrap();
    let quantized = heads.quantize(&z).unwrap();
    let none = Array2::zeros((30, 6));
    let upstream = Upstream { output: &*none, codebook: 1.0, commitment: 1.0 };
    let grad = quantized.backward(&heads, &z, &upstream, Estimator::StraightThrough).unwrap();
    let want = (&z - &quantized.output) * (2.0 / 180.0);
    assert!((&grad.z - &want).iter().all(|v: &f64| v.abs() < 1e-15));
    let total: f64 = grad.codes.iter().map(|codes| codes.sum()).sum();
    assert!((total + want.sum()).abs() < 1e-13);
}

/// Sums of vectors far from the origin would have lost their gaps to the code.
#[test]
fn gradients_of_codes_do_not_depend_on_a_common_offset() {
    let offset = 1e10;
    let codebook = euclidean(array![[offset], [0.0]]);
    let z = array![[offset + 1e-5], [offset + 2e-5], [offset + 3e-5]];
    let found = codebook.quantize(&z).unwrap();
    let none = Array2::zeros((3, 1));
    let upstream = Upstream { output: &*none, codebook: 1.0, commitment: 0.0 };
    let grad = found.backward(&codebook, &z, &upstream, Estimator::StraightThrough).unwrap();
    let gaps: f64 = z.iter().map(|z| offset - z).sum();
    assert!((grad.codes[[0, 0]] / (2.0 / 3.0 * gaps) - 1.0).abs() < 1e-15);
    assert_eq!(grad.codes[[1, 0]], 0.0);
}

#[test]
fn sums_of_codes_that_no_element_holds_are_refused() {
    let book = |v: f32| euclidean(array![[v]]);
    let z = array![[3e38f32]];
    let residual = Residual::new(vec![book(3e38), book(3e38)]).unwrap();
    let refused = |error: Error| matches!(error, Error::Row { argument: "sum of codes", row: 0, .. });
    assert!(refused(residual.quantize(&z, 2).unwrap_err()));
    assert!(refused(residual.decode(&array![[0, 0]]).unwrap_err()));
    let residual = Residual::new(vec![book(-3e38), book(1.0)]).unwrap();
    let error = residual.quantize(&z, 2).unwrap_err();
    assert!(matches!(error, Error::Row { argument: "residual", row: 0, .. }), "{error}");
}
