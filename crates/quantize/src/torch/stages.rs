//! Several codebooks on tensors: side by side, and in stages.

use std::ops::RangeInclusive;

use tch::{Kind, Tensor};
use variata_distributions::ArgumentError;
use variata_torch_bridge::{attach_backward, no_grad};

use super::quantize::{Quantized, quantize, stage};
use super::{code_shape, decode, integers};
use crate::codebook::Metric;
use crate::error::Error;
use crate::quantize::Estimator;

/// Tensor form of [`crate::Heads::quantize`]: part h of the vectors `z` [.., H·D] by codes h of `codes`, H tensors [K, D];
/// indices are [.., H].
///
/// # Errors
/// There are no codes, or their dimensions do not add up to those of `z`; as [`quantize`].
///
/// ```
/// use variata_quantize::{Estimator, Metric, torch};
/// use variata_torch_bridge::tch::Tensor;
///
/// let codes = Tensor::from_slice(&[0f32, 4.0]).view([2, 1]);
/// let z = Tensor::from_slice(&[3f32, 1.0]);
/// let found =
///     torch::heads(&[codes.copy(), codes], Metric::SquaredEuclidean, &z, Estimator::StraightThrough)?;
/// assert_eq!(Vec::<f32>::try_from(&found.output).unwrap_or_default(), [4.0, 0.0]);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn heads(codes: &[Tensor], metric: Metric, z: &Tensor, estimator: Estimator) -> Result<Quantized, Error> {
    let first = first(codes)?;
    variata_torch_bridge::check_floating(&[("codes", first), ("z", z)])?;
    let depth = first.size().get(1).copied().unwrap_or(0);
    let heads = codes.len() as i64;
    let got = variata_distributions::torch::support::size(z);
    if z.size().last() != Some(&(heads * depth)) {
        let want = format!("[.., {}]", heads * depth);
        return Err(ArgumentError::Shape { argument: "z", got, want }.into());
    }
    let mut parts = Vec::with_capacity(codes.len());
    for (h, codes) in codes.iter().enumerate() {
        parts.push(quantize(codes, metric, &z.narrow(-1, h as i64 * depth, depth), estimator)?);
    }
    let all = |f: fn(&Quantized) -> &Tensor| parts.iter().map(f).collect::<Vec<_>>();
    let mean = |f| Tensor::stack(&all(f), 0).mean(Kind::Double);
    Ok(Quantized {
        output: Tensor::cat(&all(|p| &p.output), -1),
        indices: Tensor::stack(&all(|p| &p.indices), -1),
        codebook_loss: mean(|p| &p.codebook_loss),
        commitment_loss: mean(|p| &p.commitment_loss),
    })
}

/// Tensor form of [`crate::Heads::decode`] for indices [.., H]: the codes side by side [.., H·D]; differentiable in the codes.
///
/// # Errors
/// There are no codes, or `indices` has another last dimension; as [`decode`](super::decode) for each head.
///
/// ```
/// use variata_quantize::torch;
/// use variata_torch_bridge::tch::Tensor;
///
/// let codes = Tensor::from_slice(&[0f32, 4.0]).view([2, 1]);
/// let output = torch::heads_decode(&[codes.copy(), codes], &Tensor::from_slice(&[1i64, 0]))?;
/// assert_eq!(Vec::<f32>::try_from(&output).unwrap_or_default(), [4.0, 0.0]);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn heads_decode(codes: &[Tensor], indices: &Tensor) -> Result<Tensor, Error> {
    first(codes)?;
    Ok(Tensor::cat(&decoded(codes, indices, codes.len()..=codes.len())?, -1))
}

/// The codes of each column of indices.
fn decoded(codes: &[Tensor], indices: &Tensor, columns: RangeInclusive<usize>) -> Result<Vec<Tensor>, Error> {
    let got = variata_distributions::torch::support::size(&integers(indices)?);
    let Some(&last) = got.last().filter(|last| columns.contains(last)) else {
        let want = format!("[.., {} to {}]", columns.start(), columns.end());
        return Err(ArgumentError::Shape { argument: "indices", got, want }.into());
    };
    codes[..last].iter().zip(0..).map(|(codes, at)| decode(codes, &indices.select(-1, at))).collect()
}

/// What [`residual`] returns.
#[derive(Debug)]
pub struct ResidualQuantized {
    /// The sum of the codes [.., D], added stage by stage; the gradient goes straight to the vectors. Not to be changed in place before
    /// the losses' backward, which reads it where there is one stage.
    pub output: Tensor,
    /// The index of each stage [.., stages], `Int64`.
    pub indices: Tensor,
    /// Codebook loss of each stage `[stages]`, `Double`.
    pub codebook_losses: Tensor,
    /// Commitment loss of each stage `[stages]`.
    pub commitment_losses: Tensor,
}

/// Tensor form of [`crate::Residual::quantize`]: vectors `z` [.., D] by all of `codes`, tensors [K, D], coarse first; for fewer
/// stages give fewer.
///
/// # Errors
/// There are no codes; as [`quantize`], but that a stage under the cosine metric takes its first code where nothing is left.
///
/// ```
/// use variata_quantize::{Metric, torch};
/// use variata_torch_bridge::tch::Tensor;
///
/// let coarse = Tensor::from_slice(&[0f32, 8.0]).view([2, 1]);
/// let fine = Tensor::from_slice(&[-1f32, 0.0, 1.0]).view([3, 1]);
/// let found = torch::residual(&[coarse, fine], Metric::SquaredEuclidean, &Tensor::from_slice(&[7.2f32]))?;
/// assert_eq!((found.output.double_value(&[0]), found.indices.size()), (7.0, vec![2]));
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn residual(codes: &[Tensor], metric: Metric, z: &Tensor) -> Result<ResidualQuantized, Error> {
    first(codes)?;
    let mut rest = z.shallow_clone();
    let mut sum: Option<Tensor> = None;
    let mut parts = Vec::with_capacity(codes.len());
    for (i, codes) in codes.iter().enumerate() {
        let part = stage(codes, metric, &rest, Estimator::StraightThrough, i > 0)?;
        // Codes reach later stages as constants.
        let chosen = part.output.detach();
        // Not in place: that would change the vectors themselves.
        let left = &rest - &chosen;
        rest = left;
        sum = Some(no_grad(|| match sum {
            Some(sum) => sum + chosen,
            None => chosen,
        }));
        parts.push(part);
    }
    let kind = z.kind();
    let output = attach_backward("residual", sum.unwrap_or_default(), &[z], move |upstream| {
        Ok(vec![Some(upstream.to_kind(kind))])
    })?;
    let all = |f: fn(&Quantized) -> &Tensor| Tensor::stack(&parts.iter().map(f).collect::<Vec<_>>(), -1);
    Ok(ResidualQuantized {
        output,
        indices: all(|p| &p.indices),
        codebook_losses: all(|p| &p.codebook_loss),
        commitment_losses: all(|p| &p.commitment_loss),
    })
}

/// Tensor form of [`crate::Residual::decode`] for indices [.., stages]: the sums of codes [.., D] of as many stages as there are
/// columns, the bits of [`residual`]'s output; differentiable in the codes.
///
/// # Errors
/// There are no codes, or no columns of `indices` or more than these; the dimensions of the codes differ; as
/// [`decode`](super::decode) for each stage.
///
/// ```
/// use variata_quantize::torch;
/// use variata_torch_bridge::tch::Tensor;
///
/// let coarse = Tensor::from_slice(&[0f32, 8.0]).view([2, 1]);
/// let fine = Tensor::from_slice(&[-1f32, 0.0, 1.0]).view([3, 1]);
/// let output = torch::residual_decode(&[coarse, fine], &Tensor::from_slice(&[1i64, 0]))?;
/// assert_eq!(Vec::<f32>::try_from(&output).unwrap_or_default(), [7.0]);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn residual_decode(codes: &[Tensor], indices: &Tensor) -> Result<Tensor, Error> {
    let depth = code_shape(first(codes)?)?[1];
    for codes in codes {
        let [count, got] = code_shape(codes)?;
        variata_distributions::check::shape(
            "codes",
            &[count as usize, got as usize],
            &[count as usize, depth as usize],
        )?;
    }
    let parts = decoded(codes, indices, 1..=codes.len())?;
    Ok(parts.into_iter().reduce(|sum, part| sum + part).unwrap_or_default())
}

fn first(codes: &[Tensor]) -> Result<&Tensor, Error> {
    codes.first().ok_or_else(|| {
        let want = "[codebooks], not 0".to_owned();
        ArgumentError::Shape { argument: "codes", got: vec![0], want }.into()
    })
}
