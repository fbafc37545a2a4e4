//! Tests of the tensor home.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod gumbel;
mod kinds;

use ndarray::{Array1, Array2, Ix2};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use variata_quantize::{
    Codebook, Ema, Error, Estimator, Fsq, GumbelSoftmax, Heads, Metric, Residual, Revival, Smoothing,
    Upstream, Usage, torch,
};
use variata_torch_bridge::tch::{Device, Kind, Tensor};
use variata_torch_bridge::{tensor_from_array, tensor_into_array};

const EUCLIDEAN: Metric = Metric::SquaredEuclidean;

/// Numbers in (−1.5, 1.5), different for each salt.
fn numbers(n: usize, d: usize, salt: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, d), |(i, j)| 1.5 * ((i * 31 + j * 17 + salt * 7 + 1) as f64 * 0.618).sin())
}

fn leaf(x: &Array2<f64>, kind: Kind) -> Tensor {
    tensor_from_array(x.clone()).unwrap().to_kind(kind).detach().set_requires_grad(true)
}

fn back(t: &Tensor) -> Array2<f64> {
    let array = tensor_into_array::<f64>("t", &t.detach().to_kind(Kind::Double)).unwrap();
    array.into_dimensionality::<Ix2>().unwrap()
}

fn whole(t: &Tensor) -> Vec<usize> {
    torch::indices(t).unwrap().into_iter().collect()
}

/// Each within `relative` of the number wanted, or within `absolute`.
#[track_caller]
fn assert_close(got: &Array2<f64>, want: &Array2<f64>, relative: f64, absolute: f64) {
    assert_eq!(got.dim(), want.dim());
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= absolute + relative * want.abs(), "{got} against {want}");
    }
}

#[track_caller]
fn assert_near(got: f64, want: f64, relative: f64) {
    assert!((got - want).abs() <= relative * want.abs(), "{got} against {want}");
}

/// Gradients of Σ (output·weights) and more.
fn grads(loss: &Tensor, inputs: &[&Tensor]) -> Vec<Array2<f64>> {
    Tensor::run_backward(&[loss], inputs, false, false).iter().map(back).collect()
}

fn weighted(output: &Tensor, weights: &Array2<f64>) -> Tensor {
    (output * tensor_from_array(weights.clone()).unwrap().view_as(output)).sum(Kind::Double)
}

#[test]
fn both_homes_assign_alike_at_any_offset() {
    for metric in [EUCLIDEAN, Metric::Cosine] {
        for offset in [0.0, 1e3, 1e4] {
            let offset = if metric == EUCLIDEAN { offset } else { 0.0 };
            for kind in [Kind::Float, Kind::Double] {
                let (codes, z) = (numbers(37, 6, 1) + offset, numbers(200, 6, 2) + offset);
                let (codes, z) = (leaf(&codes, kind), leaf(&z, kind));
                let found = torch::assign(&codes, metric, &z).unwrap();
                assert!(
                    found.equal(&torch::assign_composed(&codes, metric, &z).unwrap()),
                    "{metric:?} {offset}"
                );
                // Any strides and leading shape.
                let turned = z.tr().contiguous().tr().view([4, 50, 6]);
                let shaped = torch::assign(&codes, metric, &turned).unwrap();
                assert_eq!(shaped.size(), [4, 50]);
                assert!(shaped.view(-1).equal(&found));
            }
        }
    }
}

#[test]
fn distances_and_the_nearest_few_are_those_of_the_arrays() {
    for metric in [EUCLIDEAN, Metric::Cosine] {
        for (kind, tolerance) in [(Kind::Float, 1e-12), (Kind::Double, 1e-12)] {
            let (codes, z) = (leaf(&numbers(37, 6, 1), kind), leaf(&numbers(60, 6, 2), kind));
            // The arrays of the values that the kind can hold.
            let book = Codebook::new(back(&codes), metric).unwrap();
            let (nearest, least) = book.assign_with_distances(&back(&z)).unwrap();
            let shaped = z.view([4, 15, 6]);
            let (indices, distances) = torch::assign_with_distances(&codes, metric, &shaped).unwrap();
            assert_eq!((indices.size(), distances.size()), (vec![4, 15], vec![4, 15]));
            assert_eq!(whole(&indices), nearest.to_vec());
            assert_close(
                &back(&distances.view([-1, 1])),
                &least.insert_axis(ndarray::Axis(1)),
                tolerance,
                0.0,
            );
            for count in [1, 5, 36, 37] {
                let (want, far) = book.top_k(&back(&z), count).unwrap();
                for f in [torch::top_k, torch::top_k_composed] {
                    let (indices, distances) = f(&codes, metric, &shaped, count).unwrap();
                    assert_eq!(indices.size(), [4, 15, count as i64]);
                    assert_eq!(whole(&indices), want.iter().copied().collect::<Vec<_>>());
                    assert_close(&back(&distances.view([60, -1])), &far, tolerance, 1e-15);
                }
            }
        }
    }
    // Ties go to the lower index, in both homes.
    let codes = tensor_from_array(ndarray::array![[1.0f64], [-1.0], [1.0], [3.0]]).unwrap();
    let z = tensor_from_array(ndarray::array![[0.0f64]]).unwrap();
    for f in [torch::top_k, torch::top_k_composed] {
        assert_eq!(whole(&f(&codes, EUCLIDEAN, &z, 3).unwrap().0), [0, 1, 2]);
        assert!(f(&codes, EUCLIDEAN, &z, 0).is_err() && f(&codes, EUCLIDEAN, &z, 5).is_err());
        let none = f(&codes, EUCLIDEAN, &z.narrow(0, 0, 0), 2).unwrap();
        assert_eq!((none.0.size(), none.1.size()), (vec![0, 2], vec![0, 2]));
    }
}

#[test]
fn quantised_tensors_are_those_of_the_arrays() {
    let (codes, z, up) = (numbers(9, 4, 1), numbers(30, 4, 2), numbers(30, 4, 3));
    for (metric, estimator) in [
        (EUCLIDEAN, Estimator::StraightThrough),
        (EUCLIDEAN, Estimator::Rotation),
        (Metric::Cosine, Estimator::Rotation),
    ] {
        let book = Codebook::new(codes.clone(), metric).unwrap();
        let native = book.quantize(&z).unwrap();
        let upstream = Upstream { output: &up, codebook: 1.0, commitment: 0.25 };
        let want = native.backward(&book, &z, &upstream, estimator).unwrap();
        // Half precision takes the composed way.
        for kind in [Kind::Double, Kind::Float, Kind::BFloat16] {
            let (c, x) = (leaf(&codes, kind), leaf(&z, kind));
            let found = torch::quantize(&c, metric, &x.view([5, 6, 4]), estimator).unwrap();
            let rows = torch::decode(&c, &found.indices).unwrap();
            assert!(found.output.equal(&rows), "the bits of the codes");
            let loss = weighted(&found.output, &up) + &found.codebook_loss + &found.commitment_loss * 0.25;
            let slopes = grads(&loss, &[&x, &c]);
            if kind == Kind::BFloat16 {
                assert_eq!((found.output.kind(), slopes[0].dim()), (kind, (30, 4)));
                continue;
            }
            let composed = torch::quantize_composed(&c, metric, &x, estimator).unwrap();
            assert!(composed.output.equal(&rows.view([30, 4])));
            let loss =
                weighted(&composed.output, &up) + &composed.codebook_loss + &composed.commitment_loss * 0.25;
            for (composed, routed) in grads(&loss, &[&x, &c]).iter().zip(&slopes) {
                assert_close(composed, routed, 1e-13, 1e-13);
            }
            let tolerance = if kind == Kind::Double { 1e-13 } else { 1e-5 };
            assert_eq!(whole(&found.indices), native.indices.to_vec());
            assert_near(found.codebook_loss.double_value(&[]), native.loss, tolerance);
            assert_close(&slopes[0], &want.z, tolerance, tolerance);
            assert_close(&slopes[1], &want.codes, tolerance, tolerance);
        }
    }
}

#[test]
fn gradients_of_codes_far_out_are_those_of_the_gaps() {
    let z = Array2::from_shape_vec((3, 1), vec![1e10 + 1e-5, 1e10 + 2e-5, 1e10 + 3e-5]).unwrap();
    let codes = Array2::from_elem((1, 1), 1e10);
    let want: f64 = z.iter().map(|z| 2.0 / 3.0 * (1e10 - z)).sum();
    let (c, x) = (leaf(&codes, Kind::Double), leaf(&z, Kind::Double));
    let estimator = Estimator::StraightThrough;
    for found in [
        torch::quantize(&c, EUCLIDEAN, &x, estimator),
        torch::quantize_composed(&c, EUCLIDEAN, &x, estimator),
    ] {
        let grad = grads(&found.unwrap().codebook_loss, &[&c]);
        assert!((grad[0][[0, 0]] / want - 1.0).abs() < 1e-15);
    }
}

#[test]
fn losses_have_autograds_gradients() {
    let (c, x) = (leaf(&numbers(9, 4, 1), Kind::Double), leaf(&numbers(30, 4, 2), Kind::Double));
    let found = torch::quantize(&c, EUCLIDEAN, &x, Estimator::StraightThrough).unwrap();
    let ours = grads(&(found.codebook_loss * 3.0 + found.commitment_loss * 0.5), &[&x, &c]);
    let chosen = c.index_select(0, &found.indices);
    let square = |a: &Tensor, b: &Tensor| (a - b).square().mean(Kind::Double);
    let theirs = grads(&(square(&x.detach(), &chosen) * 3.0 + square(&x, &chosen.detach()) * 0.5), &[&x, &c]);
    assert_close(&ours[0], &theirs[0], 1e-13, 1e-15);
    assert_close(&ours[1], &theirs[1], 1e-13, 1e-15);
}

#[test]
fn rotation_keeps_angle_and_special_rows() {
    let codes = tensor_from_array(ndarray::array![[2.0, 0.0], [0.0, 0.0]]).unwrap();
    for (row, want) in [([-1.0, 0.0], "opposite"), ([0.0, 0.0], "zero")] {
        let x = leaf(&ndarray::array![row], Kind::Double);
        // The only code that is not 0 is on the other side of the first row.
        let found = torch::quantize(&codes.narrow(0, 0, 1), EUCLIDEAN, &x, Estimator::Rotation).unwrap();
        let slope = grads(&weighted(&found.output, &ndarray::array![[1.0, 3.0]]), &[&x]);
        let expected = if want == "opposite" { [-2.0, 6.0] } else { [1.0, 3.0] };
        assert_eq!(slope[0].row(0).to_vec(), expected, "{want}");
    }
}

#[test]
fn averages_are_those_of_the_arrays() {
    let z = numbers(60, 3, 2);
    for metric in [EUCLIDEAN, Metric::Cosine] {
        for smoothing in [Smoothing::None, Smoothing::Laplace(0.1), Smoothing::Hold(0.5)] {
            let mut book = Codebook::new(numbers(12, 3, 1), metric).unwrap();
            let mut native = Ema::new(&book, 0.9, smoothing).unwrap();
            let mut codes = leaf(book.codes(), Kind::Double).detach();
            let mut ema = torch::Ema::new(&codes, metric, 0.9, smoothing).unwrap();
            for _ in 0..3 {
                let indices = book.assign(&z).unwrap();
                let mut clusters = variata_quantize::Clusters::new(&book);
                clusters.add(&book, &z, &indices).unwrap();
                native.update(&mut book, &clusters).unwrap();

                let x = leaf(&z, Kind::Double);
                let indices = torch::assign(&codes, metric, &x).unwrap();
                let routed = torch::clusters(&codes, metric, &x, &indices).unwrap();
                let composed = torch::clusters_composed(&codes, metric, &x, &indices).unwrap();
                assert_close(&back(&routed.sums), &back(&composed.sums), 1e-14, 1e-14);
                assert!(routed.sizes.equal(&composed.sizes));
                ema.update(&mut codes, &routed).unwrap();
            }
            assert_close(&back(&codes), book.codes(), 1e-13, 1e-14);
            assert_close(&back(ema.sums()), native.sums(), 1e-13, 1e-14);

            // Saved and restored, and a dead code revived, both ways.
            let mut ema =
                torch::Ema::from_averages(&codes, metric, 0.9, smoothing, ema.sizes(), ema.sums()).unwrap();
            let mut usage = Usage::new(12).unwrap();
            usage.add(&book.assign(&z).unwrap()).unwrap();
            for revival in [Revival::Farthest, Revival::Batch, Revival::Split { spread: 0.01 }] {
                let mut rngs = [3, 3].map(ChaCha8Rng::seed_from_u64);
                let x = leaf(&z, Kind::Double);
                let (mut alone, mut rng) = (codes.copy(), rngs[0].clone());
                let changed = torch::revive(
                    &mut codes,
                    metric,
                    &[2, 5],
                    revival,
                    (&x, &usage),
                    Some(&mut ema),
                    &mut rngs[0],
                );
                // Codes that no averages move are revived to the same values.
                torch::revive(&mut alone, metric, &[2, 5], revival, (&x, &usage), None, &mut rng).unwrap();
                assert!(alone.equal(&codes));
                let want =
                    book.revive(&[2, 5], revival, &z, &usage, Some(&mut native), &mut rngs[1]).unwrap();
                assert_eq!(changed.unwrap(), want);
                assert_close(&back(&codes), book.codes(), 1e-13, 1e-14);
                assert_close(&back(ema.sums()), native.sums(), 1e-13, 1e-14);
            }
        }
    }
}

#[test]
fn averages_refuse_what_is_not_finite_and_stay() {
    let mut codes = leaf(&numbers(4, 2, 1), Kind::Double).detach();
    let before = codes.copy();
    let mut ema = torch::Ema::new(&codes, EUCLIDEAN, 0.5, Smoothing::None).unwrap();
    let clusters = torch::clusters(&codes, EUCLIDEAN, &codes, &Tensor::from_slice(&[0i64, 1, 2, 3])).unwrap();
    let _ = clusters.sums.get(2).fill_(f64::NAN);
    assert!(matches!(ema.update(&mut codes, &clusters), Err(Error::Row { row: 2, .. })));
    assert!(codes.equal(&before) && ema.sums().equal(&before));
}

#[test]
fn finite_scalars_are_those_of_the_arrays() {
    let fsq = Fsq::new(vec![8, 5, 2]).unwrap();
    let (z, up) = (numbers(40, 3, 1) * 2.0, numbers(40, 3, 2));
    let x = leaf(&z, Kind::Double);
    let found = torch::fsq(&fsq, &x.view([2, 20, 3])).unwrap();
    let native = fsq.quantize(&z).unwrap();
    assert_eq!(back(&found.output.view([40, 3])), native.output);
    assert_eq!(whole(&found.indices), native.indices.to_vec());
    let slope = grads(&weighted(&found.output, &up), &[&x]);
    assert_close(&slope[0], &fsq.backward(&z, &up).unwrap(), 1e-13, 1e-15);
}

#[test]
fn heads_and_stages_are_those_of_the_arrays() {
    let books = [numbers(7, 3, 1), numbers(5, 3, 2)].map(|codes| Codebook::new(codes, EUCLIDEAN).unwrap());
    let (wide, z, up, narrow) = (numbers(20, 6, 3), numbers(20, 3, 4), numbers(20, 6, 5), numbers(20, 3, 6));
    let codes = || books.each_ref().map(|book| leaf(book.codes(), Kind::Double));

    let (native, c, x) = (Heads::new(books.to_vec()).unwrap(), codes(), leaf(&wide, Kind::Double));
    let want = native.quantize(&wide).unwrap();
    let upstream = Upstream { output: &up, codebook: 1.0, commitment: 0.25 };
    let slopes = want.backward(&native, &wide, &upstream, Estimator::StraightThrough).unwrap();
    let found = torch::heads(&c, EUCLIDEAN, &x, Estimator::StraightThrough).unwrap();
    assert_eq!(back(&found.output), want.output);
    assert_eq!(whole(&found.indices), want.indices.iter().copied().collect::<Vec<_>>());
    let loss = weighted(&found.output, &up) + &found.codebook_loss + &found.commitment_loss * 0.25;
    let ours = grads(&loss, &[&x, &c[0], &c[1]]);
    assert_close(&ours[0], &slopes.z, 1e-13, 1e-15);
    assert_close(&ours[2], &slopes.codes[1], 1e-13, 1e-15);

    let (native, c, x) = (Residual::new(books.to_vec()).unwrap(), codes(), leaf(&z, Kind::Double));
    let want = native.quantize(&z, 2).unwrap();
    let upstream = Upstream { output: &narrow, codebook: 1.0, commitment: 0.25 };
    let slopes = want.backward(&native, &upstream).unwrap();
    let found = torch::residual(&c, EUCLIDEAN, &x).unwrap();
    assert_eq!(back(&found.output), want.output);
    assert_eq!(whole(&found.indices), want.indices.iter().copied().collect::<Vec<_>>());
    let losses = (&found.codebook_losses + &found.commitment_losses * 0.25).sum(Kind::Double);
    let ours = grads(&(weighted(&found.output, &narrow) + losses), &[&x, &c[0], &c[1]]);
    assert_close(&ours[0], &slopes.z, 1e-13, 1e-15);
    assert_close(&ours[1], &slopes.codes[0], 1e-13, 1e-15);
    assert_close(&ours[2], &slopes.codes[1], 1e-13, 1e-15);
}

#[test]
fn decoding_gives_what_was_quantised() {
    let fsq = Fsq::new(vec![8, 5, 2]).unwrap();
    let found = torch::fsq(&fsq, &leaf(&(numbers(40, 3, 1) * 2.0), Kind::Float).view([2, 20, 3])).unwrap();
    let output = torch::fsq_decode(&fsq, &found.indices, Kind::Float).unwrap();
    assert_eq!(output.size(), [2, 20, 3]);
    assert!(output.equal(&found.output.detach()));
    assert_eq!(torch::fsq_decode(&fsq, &Tensor::from(3i64), Kind::Half).unwrap().size(), [3]);
    let refused = torch::fsq_decode(&fsq, &Tensor::from_slice(&[0i64, 80]), Kind::Double).unwrap_err();
    assert_eq!(refused, Error::Index { argument: "indices", position: 1, index: 80, codes: 80 });
    assert!(torch::fsq_decode(&fsq, &Tensor::from(-1i64), Kind::Float).is_err());
    assert!(torch::fsq_decode(&fsq, &Tensor::from(1i64), Kind::Int64).is_err());
    assert!(torch::fsq_decode(&fsq, &Tensor::from(1f32), Kind::Float).is_err());
    // 2⁶³ codes: no integer is too large.
    let most = Fsq::new(vec![2; 63]).unwrap();
    let last = torch::fsq_decode(&most, &Tensor::from(i64::MAX), Kind::Double).unwrap();
    assert_eq!(back(&last.view([1, 63])), most.decode::<f64>(&ndarray::arr0(i64::MAX as usize)).unwrap());

    let books = [numbers(7, 3, 1), numbers(5, 3, 2)].map(|codes| leaf(&codes, Kind::Float));
    let wide = leaf(&numbers(20, 6, 3), Kind::Float).view([4, 5, 6]);
    let found = torch::heads(&books, EUCLIDEAN, &wide, Estimator::StraightThrough).unwrap();
    let output = torch::heads_decode(&books, &found.indices).unwrap();
    assert!(output.equal(&found.output));
    let slopes = grads(&output.sum(Kind::Double), &[&books[0], &books[1]]);
    assert_eq!(slopes.iter().map(|slope| slope.sum()).sum::<f64>(), 120.0);
    let z = leaf(&numbers(20, 3, 4), Kind::Float).view([4, 5, 3]);
    let found = torch::residual(&books, EUCLIDEAN, &z).unwrap();
    assert!(torch::residual_decode(&books, &found.indices).unwrap().equal(&found.output));
    let first = torch::residual_decode(&books, &found.indices.narrow(-1, 0, 1)).unwrap();
    assert!(first.equal(&torch::residual(&books[..1], EUCLIDEAN, &z).unwrap().output));
    for bad in [
        Tensor::from(0i64),
        Tensor::zeros([4, 3], (Kind::Int64, Device::Cpu)),
        Tensor::from_slice(&[0f32, 1.0]),
    ] {
        assert!(torch::heads_decode(&books, &bad).is_err());
        assert!(torch::residual_decode(&books, &bad).is_err());
    }
    assert!(torch::residual_decode(&books, &Tensor::from_slice(&[0i64, 5])).is_err());
    assert!(torch::heads_decode(&[], &Tensor::from_slice(&[0i64])).is_err());
    let other = [books[0].copy(), leaf(&numbers(4, 2, 1), Kind::Float)];
    assert!(torch::residual_decode(&other, &Tensor::from_slice(&[0i64, 0])).is_err());
}

/// Under the cosine metric a vector that is its code leaves nothing that has a direction: natively and by tensor operations.
#[test]
fn stages_for_which_nothing_is_left_take_their_first_code() {
    for kind in [Kind::Float, Kind::Double, Kind::BFloat16] {
        let book = |values: &[f64], rows| Tensor::from_slice(values).view([rows, 2]).to_kind(kind);
        let books = [book(&[1.0, 0.0, 0.0, 2.0], 2), book(&[0.25, 0.25, -0.5, 0.0, 0.0, 0.5], 3)];
        let z = book(&[0.0, 2.0, 0.5, 0.0, 1.0, 0.0], 3).set_requires_grad(true);
        let found = torch::residual(&books, Metric::Cosine, &z).unwrap();
        assert_eq!(whole(&found.indices), [1, 0, 0, 1, 0, 0], "{kind:?}");
        let want = ndarray::array![[0.25, 2.25], [0.5, 0.0], [1.25, 0.25]];
        assert_eq!(back(&found.output), want);
        assert!((found.commitment_losses.double_value(&[1]) - 0.25 / 6.0).abs() < 1e-16);
        assert!(grads(&found.commitment_losses.sum(Kind::Double), &[&z])[0].iter().all(|v| v.is_finite()));
    }
}

#[test]
fn no_rows_and_wrong_input() {
    let (c, empty) =
        (leaf(&numbers(4, 2, 1), Kind::Float), Tensor::zeros([0, 2], (Kind::Float, Device::Cpu)));
    let found = torch::quantize(&c, EUCLIDEAN, &empty, Estimator::Rotation).unwrap();
    assert_eq!((found.indices.size(), found.codebook_loss.double_value(&[])), (vec![0], 0.0));
    assert_eq!(torch::assign_composed(&c, EUCLIDEAN, &empty).unwrap().size(), [0]);
    let options = GumbelSoftmax::default();
    for f in [torch::gumbel_softmax, torch::gumbel_softmax_composed] {
        let found = f(&options, &c, &empty, torch::Noise::Seeded { seed: 1, first_row: 0 }).unwrap();
        assert_eq!(found.output.size(), [0, 2]);
        let slopes = grads(&found.output.sum(Kind::Double), &[&c]);
        assert_eq!(slopes[0], Array2::<f64>::zeros((4, 2)));
    }

    let floats = (Kind::Float, Device::Cpu);
    let whole = Tensor::from_slice(&[1i64, 2]);
    let odd = [
        Tensor::new(),
        whole.shallow_clone(),
        Tensor::from(1f32),
        Tensor::zeros([3, 3], floats),
        Tensor::zeros([0], floats),
        Tensor::eye(2, floats).to_sparse_sparse_dim(2),
    ];
    for z in &odd {
        assert!(torch::assign(&c, EUCLIDEAN, z).is_err());
        assert!(torch::quantize(&c, EUCLIDEAN, z, Estimator::StraightThrough).is_err());
        assert!(torch::gumbel_softmax(&options, &c, z, torch::Noise::None).is_err());
        assert!(torch::heads(&[c.shallow_clone()], EUCLIDEAN, z, Estimator::StraightThrough).is_err());
        let two = Tensor::zeros([5, 2], floats);
        assert!(torch::heads(&[z.shallow_clone()], EUCLIDEAN, &two, Estimator::StraightThrough).is_err());
        assert!(torch::residual(&[z.shallow_clone()], EUCLIDEAN, &two).is_err());
        assert!(torch::residual(&[c.shallow_clone()], EUCLIDEAN, z).is_err());
        assert!(torch::fsq(&Fsq::new(vec![4, 4]).unwrap(), z).is_err());
        assert!(torch::clusters(&c, EUCLIDEAN, z, &whole).is_err());
        assert!(torch::assign(z, EUCLIDEAN, &Tensor::zeros([5, 2], floats)).is_err());
        assert!(torch::Ema::new(z, EUCLIDEAN, 0.9, Smoothing::None).is_err() || z.size() == [3, 3]);
    }
    assert!(torch::residual(&[], EUCLIDEAN, &c).is_err());
    assert!(matches!(
        torch::decode(&c, &Tensor::from_slice(&[0i64, 4])),
        Err(Error::Index { position: 1, index: 4, codes: 4, .. })
    ));
    assert!(torch::decode(&c, &Tensor::from_slice(&[-1i64])).is_err());
    assert!(torch::decode(&c, &Tensor::from_slice(&[0.0f32])).is_err());
    let negative = torch::indices(&Tensor::from_slice(&[3i64, -1])).unwrap_err();
    assert_eq!(negative.to_string(), "`indices[1]` is -1, must be >= 0");
    let nan = Tensor::from_slice(&[0f32, 0.0, f32::NAN, 1.0]).view([2, 2]);
    assert!(matches!(torch::assign(&c, EUCLIDEAN, &nan), Err(Error::Row { row: 1, .. })));
    assert_eq!(torch::assign_composed(&c, EUCLIDEAN, &nan).unwrap().size(), [2]);
    let negative = GumbelSoftmax { temperature: -1.0, hard: false };
    assert!(torch::gumbel_softmax(&negative, &c, &nan, torch::Noise::None).is_err());
    // Noise of another kind, indices out of range on the composed way, averages of another shape.
    let mixed = torch::Noise::Given(&Tensor::zeros([2, 4], (Kind::Double, Device::Cpu)));
    let found = torch::gumbel_softmax_composed(&options, &c, &Tensor::zeros([2, 2], floats), mixed).unwrap();
    assert_eq!((found.output.kind(), found.output.isfinite().all().int64_value(&[])), (Kind::Float, 1));
    for outside in [4i64, -1] {
        let indices = Tensor::from_slice(&[0, outside]);
        let refused = torch::clusters_composed(&c, EUCLIDEAN, &Tensor::zeros([2, 2], floats), &indices);
        assert!(
            matches!(refused, Err(Error::Index { position: 1, index, .. }) if index == i128::from(outside))
        );
    }
    // Averages of another metric than the codes are compared by.
    let mut ema = torch::Ema::new(&c, Metric::Cosine, 0.9, Smoothing::None).unwrap();
    let (mut codes, used) = (c.detach().copy(), Usage::new(4).unwrap());
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let refused =
        torch::revive(&mut codes, EUCLIDEAN, &[0], Revival::Batch, (&c, &used), Some(&mut ema), &mut rng);
    assert_eq!(refused, Err(Error::OtherMetric { ema: Metric::Cosine, metric: EUCLIDEAN }));
    assert!(codes.equal(&c));
    let mut three = torch::clusters(&c, EUCLIDEAN, &c, &Tensor::from_slice(&[0i64, 1, 2, 3])).unwrap();
    let other = leaf(&numbers(3, 2, 1), Kind::Float);
    assert!(
        three
            .merge(&torch::clusters(&other, EUCLIDEAN, &other, &Tensor::from_slice(&[0i64, 1, 2])).unwrap())
            .is_err()
    );
    let nothing = Tensor::zeros([2, 2], floats);
    assert!(torch::Ema::new(&nothing, Metric::Cosine, 0.9, Smoothing::None).is_err());
    let tiny = GumbelSoftmax { temperature: 5e-324, hard: false };
    let found = torch::gumbel_softmax_composed(&tiny, &c, &nothing, torch::Noise::None).unwrap();
    assert_eq!(found.output.isfinite().all().int64_value(&[]), 1);
    let short = Tensor::zeros([2, 3], floats);
    assert!(torch::gumbel_softmax(&options, &c, &nan, torch::Noise::Given(&short)).is_err());
    assert_eq!(
        Array1::from(vec![3usize]).to_vec(),
        torch::indices(&Tensor::from_slice(&[3u8])).unwrap().into_raw_vec_and_offset().0
    );
}
