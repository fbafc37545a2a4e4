//! Finite scalar quantisation of tensors.

use tch::{Kind, Tensor};
use variata_distributions::ArgumentError;
use variata_distributions::torch::support::size;
use variata_torch_bridge::{Saved, attach_backward, check_floating, no_grad};

use super::{check_range, integers};
use crate::error::Error;
use crate::fsq::Fsq;

/// What [`fsq`] returns.
#[derive(Debug)]
pub struct FsqQuantized {
    /// Quantised vectors [.., D], in [−1, 1], of the kind of the vectors.
    pub output: Tensor,
    /// Their indices `[..]`, `Int64`.
    pub indices: Tensor,
}

/// Tensor form of [`Fsq::quantize`] for vectors `z` [.., D], by tensor operations on every device; the gradient goes straight
/// through the rounding. A NaN stays one, and counts as the lowest level of its dimension in the index.
///
/// # Errors
/// `z` is not dense and floating-point, or has another number of dimensions.
///
/// ```
/// use variata_quantize::{Fsq, torch};
/// use variata_torch_bridge::tch::Tensor;
///
/// let found = torch::fsq(&Fsq::new(vec![8, 5])?, &Tensor::from_slice(&[0f32, 9.0]))?;
/// assert_eq!((found.output.double_value(&[1]), found.indices.int64_value(&[])), (1.0, 36));
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn fsq(fsq: &Fsq, z: &Tensor) -> Result<FsqQuantized, Error> {
    check_floating(&[("z", z)])?;
    let levels = fsq.levels();
    if z.size().last() != Some(&(levels.len() as i64)) {
        let want = format!("[.., {}]", levels.len());
        return Err(ArgumentError::Shape { argument: "z", got: size(z), want }.into());
    }
    let row = |f: &dyn Fn(usize) -> f64| {
        Tensor::from_slice(&levels.iter().map(|&level| f(level)).collect::<Vec<_>>()).to_device(z.device())
    };
    let shift = row(&|level| Fsq::bound(level).0);
    let half = row(&|level| Fsq::bound(level).1);
    let middle = row(&|level| (level / 2) as f64);
    let kind = z.kind();
    let (output, indices) = no_grad(|| {
        let bounded = (z.to_kind(Kind::Double) + &shift).tanh() * &half - row(&|level| Fsq::bound(level).2);
        // With a thousand levels and more the margin alone would lead beyond the last.
        let last = row(&|level| (level - 1 - level / 2) as f64);
        let code = bounded.round().maximum(&-&middle).minimum(&last);
        let mut place = 1i64;
        let mut places = Vec::with_capacity(levels.len());
        for &level in levels {
            places.push(place);
            // The product of all was checked.
            place = place.wrapping_mul(level as i64);
        }
        let places = Tensor::from_slice(&places).to_device(z.device());
        let digits = (&code + &middle).nan_to_num(0.0, 0.0, 0.0).to_kind(Kind::Int64);
        ((code / &middle).to_kind(kind), (digits * places).sum_dim_intlist(-1, false, Kind::Int64))
    });
    let at = Saved::new("z", z);
    let output = attach_backward("fsq", output, &[z], move |upstream| {
        // 1 − tanh² as 1/cosh², which keeps its digits far out.
        let slope = (at.get()?.to_kind(Kind::Double) + &shift).cosh().reciprocal().square();
        Ok(vec![Some((slope * (&half / &middle) * upstream).to_kind(kind))])
    })?;
    Ok(FsqQuantized { output, indices })
}

/// Tensor form of [`Fsq::decode`] for indices `[..]`: the quantised vectors [.., D] of this kind, where the indices live.
///
/// # Errors
/// `indices` is not of an integer kind, or `kind` not a floating-point one; [`Error::Index`] with the first index that names no code.
///
/// ```
/// use variata_quantize::{Fsq, torch};
/// use variata_torch_bridge::tch::{Kind, Tensor};
///
/// let output = torch::fsq_decode(&Fsq::new(vec![8, 5])?, &Tensor::from_slice(&[36i64]), Kind::Float)?;
/// assert_eq!(Vec::<f32>::try_from(&output.view([2])).unwrap_or_default(), [0.0, 1.0]);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn fsq_decode(fsq: &Fsq, indices: &Tensor, kind: Kind) -> Result<Tensor, Error> {
    if !matches!(kind, Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double) {
        return Err(
            variata_torch_bridge::Error::Kind { argument: "kind", got: kind, want: Kind::Float }.into()
        );
    }
    let indices = integers(indices)?;
    check_range(&indices.flatten(0, -1), fsq.count())?;
    let column = |f: &dyn Fn(usize) -> i64| {
        Tensor::from_slice(&fsq.levels().iter().map(|&level| f(level)).collect::<Vec<_>>())
            .to_device(indices.device())
    };
    let mut rest = indices.copy();
    let mut digits = Vec::with_capacity(fsq.dim());
    for &level in fsq.levels() {
        digits.push(rest.remainder(level as i64));
        rest = rest.divide_scalar_mode(level as i64, "floor");
    }
    let middle = column(&|level| (level / 2) as i64);
    let code = (Tensor::stack(&digits, -1) - &middle).to_kind(Kind::Double);
    Ok((code / middle).to_kind(kind))
}
