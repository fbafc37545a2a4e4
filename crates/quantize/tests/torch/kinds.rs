//! Codes and vectors of different kinds, and tensors that no function may change or trust.

use variata_quantize::{Error, Estimator, Metric, Revival, Smoothing, Usage, torch};
use variata_torch_bridge::Error as Bridge;
use variata_torch_bridge::tch::{Device, Kind, Tensor};

use crate::EUCLIDEAN;

fn tensor(values: &[f64], kind: Kind) -> Tensor {
    Tensor::from_slice(values).view([-1, 2]).to_kind(kind)
}

/// Losses and gradients as those of f64 alone, and the vectors afterwards the bits that they were.
#[test]
fn every_mixture_of_kinds_trains_and_leaves_its_vectors_alone() {
    let (codes, z) = ([1.0, 0.0, 0.0, 1.5], [3.0, 4.0, 0.0, 5.0, 1.0, -2.0]);
    let kinds = [Kind::Double, Kind::Float, Kind::BFloat16, Kind::Half];
    for metric in [EUCLIDEAN, Metric::Cosine] {
        let run = |of_codes, of_z| {
            let codes = tensor(&codes, of_codes).set_requires_grad(true);
            let z = tensor(&z, of_z).set_requires_grad(true);
            let before = z.detach().copy();
            let found = torch::quantize(&codes, metric, &z, Estimator::StraightThrough).unwrap();
            let clusters = torch::clusters(&codes, metric, &z, &found.indices).unwrap();
            let composed = torch::clusters_composed(&codes, metric, &z, &found.indices).unwrap();
            (found.codebook_loss + found.commitment_loss * 0.25).backward();
            assert!(z.equal(&before), "{of_codes:?} {of_z:?}");
            [codes.grad(), z.grad(), clusters.sums, composed.sums].map(|t| t.to_kind(Kind::Double))
        };
        let want = run(Kind::Double, Kind::Double);
        for of_codes in kinds {
            for of_z in kinds {
                for (i, (got, want)) in run(of_codes, of_z).iter().zip(&want).enumerate() {
                    let off = (got - want).abs().max().double_value(&[]);
                    assert!(off <= 2e-2, "{metric:?} {of_codes:?} {of_z:?} {i}: {off}");
                }
            }
        }
    }
}

/// Codes that are one number seen three times cannot be written to: an error, and nothing has changed.
#[test]
fn codes_that_overlap_themselves_are_refused_whole() {
    let mut codes = Tensor::ones([1, 1], (Kind::Double, Device::Cpu)).expand([3, 1], true);
    let z = Tensor::from_slice(&[1.0, 11.0, 5.0]).view([3, 1]);
    let mut ema = torch::Ema::new(&codes, EUCLIDEAN, 0.9, Smoothing::None).unwrap();
    let before = ema.sums().copy();
    let clusters = torch::clusters(&codes, EUCLIDEAN, &z, &Tensor::from_slice(&[0i64, 1, 2])).unwrap();
    assert!(ema.update(&mut codes, &clusters).is_err());
    let usage = Usage::new(3).unwrap();
    let mut rng = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(1);
    let with = (&z, &usage);
    let found =
        torch::revive(&mut codes, EUCLIDEAN, &[1, 2], Revival::Farthest, with, Some(&mut ema), &mut rng);
    assert!(found.is_err());
    assert!(ema.sums().equal(&before) && codes.eq(1.0).all().int64_value(&[]) == 1);
}

#[test]
fn compressed_rows_are_named() {
    let codes = Tensor::eye(2, (Kind::Float, Device::Cpu));
    let indices = Tensor::from_slice(&[1i64, 0, 0, 1]).view([2, 2]).to_sparse_csr(None);
    let found = torch::decode(&codes, &indices);
    assert!(matches!(found, Err(Error::Tensor(Bridge::Layout { argument: "indices" }))), "{found:?}");
}
