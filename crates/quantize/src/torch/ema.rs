//! Codes that follow their vectors, on tensors.

use rand::Rng;
use tch::{Kind, Tensor};
use variata_distributions::check;
use variata_distributions::torch::support::{lend_all, size};
use variata_torch_bridge::{Route, check_floating, no_grad, route, tensor_from_array};

use super::{
    Native, check_finite, check_range, code_shape, codebook, copy, indices as as_array, integers, rows,
};
use crate::clusters::Of;
use crate::codebook::{Codebook, Metric};
use crate::ema::Smoothing;
use crate::error::Error;
use crate::revive::Revival;
use crate::usage::Usage;

/// Tensor form of [`crate::Clusters`]: sizes `[K]` and sums [K, D] of the clusters of a batch, of kind `Double`, on the device
/// of the codes. Micro-batches and workers add theirs up.
#[derive(Debug)]
pub struct Clusters {
    /// How many vectors chose each code `[K]`.
    pub sizes: Tensor,
    /// The sum of the vectors that chose each code [K, D].
    pub sums: Tensor,
}

impl Clusters {
    /// Adds what another batch or worker found.
    ///
    /// # Errors
    /// The shapes, kinds or devices do not fit.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        check_floating(&[
            ("sums", &self.sums),
            ("sizes", &self.sizes),
            ("other", &other.sums),
            ("other", &other.sizes),
        ])?;
        check::shape("other", &size(&other.sums), &size(&self.sums))?;
        check::shape("other", &size(&other.sizes), &size(&self.sizes))?;
        let sum = |a: &Tensor, b: &Tensor| a.f_add(b).map_err(variata_torch_bridge::Error::from);
        (self.sizes, self.sums) = (sum(&self.sizes, &other.sizes)?, sum(&self.sums, &other.sums)?);
        Ok(())
    }
}

/// Sizes and sums of the vectors `z` [.., D] that have the `indices` `[..]` of `codes` [K, D]; under the cosine metric of their
/// directions.
///
/// # Errors
/// A tensor is not dense and floating-point, the indices are of no integer kind, or shapes do not fit; natively also as
/// [`crate::Clusters::add`].
///
/// ```
/// use variata_quantize::{Metric, Smoothing, torch};
/// use variata_torch_bridge::tch::Tensor;
///
/// let mut codes = Tensor::from_slice(&[0f32, 9.0]).view([2, 1]);
/// let mut ema = torch::Ema::new(&codes, Metric::SquaredEuclidean, 0.5, Smoothing::None)?;
/// let z = Tensor::from_slice(&[1f32, 3.0]).view([2, 1]);
/// let indices = torch::assign(&codes, Metric::SquaredEuclidean, &z)?;
/// let clusters = torch::clusters(&codes, Metric::SquaredEuclidean, &z, &indices)?;
/// ema.update(&mut codes, &clusters)?;
/// // (½·0 + ½·4)/(½·1 + ½·2); the other stays.
/// assert_eq!(Vec::<f32>::try_from(codes.view(-1)).unwrap_or_default(), [4.0 / 3.0, 9.0]);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn clusters(codes: &Tensor, metric: Metric, z: &Tensor, indices: &Tensor) -> Result<Clusters, Error> {
    let (z, indices) = checked(codes, z, indices)?;
    of(codes, metric, &z, &indices, Of::Choices)
}

/// [`clusters`] as tensor operations.
///
/// # Errors
/// As [`clusters`], values not among them.
pub fn clusters_composed(
    codes: &Tensor,
    metric: Metric,
    z: &Tensor,
    indices: &Tensor,
) -> Result<Clusters, Error> {
    let (z, indices) = checked(codes, z, indices)?;
    Ok(no_grad(|| composed(codes, metric, &z, &indices, Of::Choices)))
}

/// Rows [N, D] and indices `[N]`.
fn checked(codes: &Tensor, z: &Tensor, indices: &Tensor) -> Result<(Tensor, Tensor), Error> {
    let input = super::Input::new(codes, z)?;
    let indices = integers(indices)?.to_device(z.device());
    let leading: Vec<usize> = input.leading.iter().map(|&n| n as usize).collect();
    check::shape("indices", &size(&indices), &leading)?;
    let indices = indices.flatten(0, -1);
    check_range(&indices, input.count as usize)?;
    Ok((input.rows, indices))
}

/// Clusters of rows [N, D] with indices `[N]` that belong to them.
pub(super) fn of(
    codes: &Tensor,
    metric: Metric,
    z: &Tensor,
    indices: &Tensor,
    of: Of,
) -> Result<Clusters, Error> {
    let codes = codes.detach();
    match (route(&[&codes, z], &[]), codes.kind()) {
        (Route::Native, Kind::Float) => native::<f32>(&codes, metric, z, indices, of),
        (Route::Native, Kind::Double) => native::<f64>(&codes, metric, z, indices, of),
        _ => Ok(no_grad(|| composed(&codes, metric, z, indices, of))),
    }
}

fn native<F: Native>(
    codes: &Tensor,
    metric: Metric,
    z: &Tensor,
    indices: &Tensor,
    of: Of,
) -> Result<Clusters, Error> {
    let indices = as_array(indices)?.flatten().into_owned();
    let found = lend_all::<F, _, 2>([("codes", codes), ("z", z)], |[codes, z]| {
        let codebook = codebook(&rows("codes", codes)?, metric)?;
        crate::Clusters::of(&codebook, &rows("z", z)?, &indices, of)
    })??;
    Ok(Clusters {
        sizes: tensor_from_array(found.sizes().clone())?,
        sums: tensor_from_array(found.sums().clone())?,
    })
}

fn composed(codes: &Tensor, metric: Metric, z: &Tensor, indices: &Tensor, of: Of) -> Clusters {
    let double = (Kind::Double, z.device());
    // Not in place: of vectors in f64 this is no copy.
    let z = z.to_kind(Kind::Double);
    let z = if of == Of::Gaps {
        z - codes.to_kind(Kind::Double).index_select(0, indices)
    } else if metric == Metric::Cosine {
        &z / norms(&z)
    } else {
        z
    };
    let ones = Tensor::ones([z.size()[0]], double);
    Clusters {
        sizes: Tensor::zeros(&codes.size()[..1], double).index_add(0, indices, &ones),
        sums: Tensor::zeros(codes.size(), double).index_add(0, indices, &z),
    }
}

/// Tensor form of [`crate::Ema`], which gives the formulas: averages of kind `Double` on the device of the codes.
#[derive(Debug)]
pub struct Ema {
    metric: Metric,
    decay: f64,
    smoothing: Smoothing,
    sizes: Tensor,
    sums: Tensor,
}

impl Ema {
    /// Averages that agree with the codes [K, D].
    ///
    /// # Errors
    /// As [`crate::Ema::new`], and for codes that are not dense and floating-point. Waits for the device, to look at the codes.
    pub fn new(codes: &Tensor, metric: Metric, decay: f64, smoothing: Smoothing) -> Result<Self, Error> {
        check_floating(&[("codes", codes)])?;
        let [count, _] = code_shape(codes)?;
        crate::Ema::check(decay, smoothing)?;
        let mut sums = codes.detach().to_kind(Kind::Double).copy();
        if metric == Metric::Cosine {
            sums /= norms(&sums);
        }
        // A code of 0 has no direction.
        check_finite("codes", &sums)?;
        let sizes = Tensor::ones([count], (Kind::Double, codes.device()));
        Ok(Self { metric, decay, smoothing, sizes, sums })
    }

    /// Averages that were saved.
    ///
    /// # Errors
    /// As [`new`](Self::new), and if a shape is not that of the codes. Waits for the device, to look at what was saved.
    pub fn from_averages(
        codes: &Tensor,
        metric: Metric,
        decay: f64,
        smoothing: Smoothing,
        sizes: &Tensor,
        sums: &Tensor,
    ) -> Result<Self, Error> {
        let mut ema = Self::new(codes, metric, decay, smoothing)?;
        check_floating(&[("codes", codes), ("sizes", sizes), ("sums", sums)])?;
        check::shape("sizes", &size(sizes), &size(&ema.sizes))?;
        check::shape("sums", &size(sums), &size(&ema.sums))?;
        check_finite("sums", sums)?;
        check_finite(
            "sizes",
            &sizes.where_self(&sizes.ge(0.0), &Tensor::from(f64::NAN).to_device(sizes.device())),
        )?;
        ema.sizes = sizes.detach().to_kind(Kind::Double).copy();
        ema.sums = sums.detach().to_kind(Kind::Double).copy();
        Ok(ema)
    }

    /// How vectors and codes are compared.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The averages on the CPU, for codes that are compared by `metric`.
    fn to_native(&self, codes: &Tensor, metric: Metric) -> Result<crate::Ema, Error> {
        if self.metric != metric {
            return Err(Error::OtherMetric { ema: self.metric, metric });
        }
        check::shape("ema", &size(&self.sums), &size(codes))?;
        let sizes = copy("sizes", &self.sizes.unsqueeze(1))?.into_flat();
        crate::Ema::from_averages(self.decay, self.smoothing, sizes, copy("sums", &self.sums)?)
    }

    /// Averaged sizes `[K]`.
    pub fn sizes(&self) -> &Tensor {
        &self.sizes
    }

    /// Averaged sums [K, D].
    pub fn sums(&self) -> &Tensor {
        &self.sums
    }

    /// One step: `codes` are changed in place.
    ///
    /// # Errors
    /// The shapes or devices do not fit, or a size or code would not be finite. Nothing changes then. Waits for the device.
    pub fn update(&mut self, codes: &mut Tensor, clusters: &Clusters) -> Result<(), Error> {
        check_floating(&[
            ("codes", codes),
            ("sums", &self.sums),
            ("clusters", &clusters.sums),
            ("sizes", &clusters.sizes),
        ])?;
        let shape = size(&self.sums);
        check::shape("codes", &size(codes), &shape)?;
        check::shape("clusters", &size(&clusters.sums), &shape)?;
        check::shape("sizes", &size(&clusters.sizes), &shape[..1])?;
        no_grad(|| {
            let new = 1.0 - self.decay;
            let sizes = &self.sizes * self.decay + &clusters.sizes * new;
            let sums = &self.sums * self.decay + &clusters.sums * new;
            let (divisor, numerator) = match (self.metric, self.smoothing) {
                (Metric::Cosine, smoothing) => {
                    let held = match smoothing {
                        Smoothing::Hold(alpha) => {
                            let codes = codes.to_kind(Kind::Double);
                            &sums + &codes / norms(&codes) * alpha
                        }
                        _ => sums.shallow_clone(),
                    };
                    (norms(&held).squeeze_dim(1), held)
                }
                (_, Smoothing::None) => (sizes.shallow_clone(), sums.shallow_clone()),
                (_, Smoothing::Laplace(alpha)) => {
                    let total = sizes.sum(Kind::Double);
                    let every = &total + sizes.size()[0] as f64 * alpha;
                    ((&sizes + alpha) / every * total, sums.shallow_clone())
                }
                (_, Smoothing::Hold(alpha)) => (&sizes + alpha, &sums + codes.to_kind(Kind::Double) * alpha),
            };
            // Codes that were chosen, but for directions that cancel.
            let moved = clusters.sizes.gt(0.0).logical_and(&divisor.gt(0.0)).unsqueeze(1);
            let next = (numerator / divisor.unsqueeze(1)).to_kind(codes.kind()).where_self(&moved, codes);
            check_finite("sizes", &clusters.sizes)?;
            check_finite("codes", &next)?;
            codes.f_copy_(&next).map_err(variata_torch_bridge::Error::from)?;
            (self.sizes, self.sums) = (sizes, sums);
            Ok(())
        })
    }
}

/// Norms of rows [K, 1].
fn norms(rows: &Tensor) -> Tensor {
    rows.square().sum_dim_intlist(-1, true, Kind::Double).sqrt()
}

/// Tensor form of [`Codebook::revive`]: gives each code of `dead` a new value from the vectors `z` [.., D] or from the crowded
/// codes of `usage`, in place, and resets what `ema` holds of the codes it moves, where codes are moved by averages. Computed on
/// the CPU. Returns the indices of the codes that changed.
///
/// # Errors
/// As [`Codebook::revive`]; [`Error::OtherMetric`] for averages of another metric; and for tensors that are not dense and floating-point or do not fit. Nothing changes then.
///
/// ```
/// use rand::SeedableRng;
/// use variata_quantize::{Metric, Revival, Smoothing, Usage, torch};
/// use variata_torch_bridge::tch::Tensor;
///
/// let mut codes = Tensor::from_slice(&[0f32, 100.0]).view([2, 1]);
/// let z = Tensor::from_slice(&[-1f32, 1.0, 7.0]).view([3, 1]);
/// let mut ema = torch::Ema::new(&codes, Metric::SquaredEuclidean, 0.9, Smoothing::None)?;
/// let mut usage = Usage::new(2)?;
/// usage.add(&torch::indices(&torch::assign(&codes, Metric::SquaredEuclidean, &z)?)?)?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// torch::revive(&mut codes, ema.metric(), &usage.unused(), Revival::Farthest, (&z, &usage), Some(&mut ema), &mut rng)?;
/// assert_eq!(codes.double_value(&[1, 0]), 7.0);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn revive(
    codes: &mut Tensor,
    metric: Metric,
    dead: &[usize],
    revival: Revival,
    (z, usage): (&Tensor, &Usage),
    ema: Option<&mut Ema>,
    rng: &mut impl Rng,
) -> Result<Vec<usize>, Error> {
    let input = super::Input::new(codes, z)?;
    let device = codes.device();
    let mut codebook = Codebook::new(copy("codes", codes)?, metric)?;
    let mut native = ema.as_deref().map(|ema| ema.to_native(codes, metric)).transpose()?;
    let changed = codebook.revive(dead, revival, &copy("z", &input.rows)?, usage, native.as_mut(), rng)?;
    let next = tensor_from_array(codebook.codes().clone())?.to_device(device);
    let averages = match native {
        Some(native) => Some((
            tensor_from_array(native.sizes().clone())?.to_device(device),
            tensor_from_array(native.sums().clone())?.to_device(device),
        )),
        None => None,
    };
    // Refused of codes that share memory among themselves.
    no_grad(|| codes.f_copy_(&next)).map_err(variata_torch_bridge::Error::from)?;
    if let (Some(ema), Some(averages)) = (ema, averages) {
        (ema.sizes, ema.sums) = averages;
    }
    Ok(changed)
}
