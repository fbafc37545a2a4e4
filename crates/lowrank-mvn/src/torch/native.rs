//! The memory of CPU tensors as a native distribution, and gradients back as tensors.

use ndarray::{Array3, ArrayView2, ArrayViewD, Ix1, Ix2, Ix3};
use tch::{Kind, Tensor};
use variata_distributions::torch::support::lend_all;
use variata_distributions::{ArgumentError, Error, Real};
use variata_torch_bridge::{Element, Route, route, tensor_from_array};

use super::LowRankMvn;
use crate::CovDiag;
use crate::storage::Storage;

/// Elements of tensors and of native distributions.
pub trait TensorElement: Real + Element + Storage {}
impl TensorElement for f32 {}
impl TensorElement for f64 {}

pub(super) type Native<'v, F> = crate::LowRankMvn<'v, F>;

impl LowRankMvn {
    /// Calls `f` with the native distribution on the tensors' own memory: everything that has no tensor form, such as editing
    /// sessions and Wasserstein distances, without a copy and without gradients.
    ///
    /// ```
    /// use variata_lowrank_mvn::torch::LowRankMvn;
    /// use variata_torch_bridge::tch::{Device, Kind, Tensor};
    ///
    /// let cpu = (Kind::Float, Device::Cpu);
    /// let p = LowRankMvn::new(Tensor::zeros([1, 3], cpu), Tensor::ones([1, 3, 1], cpu), Tensor::from(0.5f32))?;
    /// let row = p.lend::<f32, _>(|native| native.covariance_row(1))??;
    /// assert_eq!(row, ndarray::array![[1.0, 1.5, 1.0]]);
    /// # Ok::<(), variata_distributions::Error>(())
    /// ```
    ///
    /// # Errors
    /// A tensor is not plain CPU memory of kind `F`, or the native distribution refuses its values.
    pub fn lend<F: TensorElement, R>(
        &self,
        f: impl FnOnce(&crate::LowRankMvn<'_, F>) -> R,
    ) -> Result<R, Error> {
        let tensors = [("loc", &self.loc), ("cov_factor", &self.cov_factor), ("cov_diag", &self.cov_diag)];
        lend_all(tensors, |[loc, factor, diag]| {
            Ok(f(&crate::LowRankMvn::new(matrix(loc)?, cube(factor)?, diagonal(diag)?)?))
        })?
    }

    /// The parameters with the names they have in errors.
    pub(super) fn named(&self) -> [(&'static str, &Tensor); 3] {
        [("loc", &self.loc), ("cov_factor", &self.cov_factor), ("cov_diag", &self.cov_diag)]
    }

    /// What `f` gives of the native distribution and the point, where the tensors are plain memory of one kind and the native
    /// home does not refuse a value.
    pub(super) fn with_native<R>(&self, x: Option<&Tensor>, f: impl Kernel<R>) -> Result<Option<R>, Error> {
        let [loc, factor, diag] = self.named();
        let x = ("x", x.unwrap_or(&self.loc));
        if route(&[loc.1, factor.1, diag.1, x.1], &[]) == Route::Composed {
            return Ok(None);
        }
        let found = match x.1.kind() {
            Kind::Float => lent::<f32, R>([loc, factor, diag, x], f),
            _ => lent::<f64, R>([loc, factor, diag, x], f),
        };
        kept(found)
    }
}

/// A generic function of a native distribution and a point.
pub(super) trait Kernel<R> {
    fn run<F: TensorElement>(self, p: &Native<'_, F>, x: ArrayView2<'_, F>) -> Result<R, Error>;
}

fn lent<F: TensorElement, R>(tensors: [(&'static str, &Tensor); 4], f: impl Kernel<R>) -> Result<R, Error> {
    lend_all(tensors, |[loc, factor, diag, x]| f.run::<F>(&parameters(loc, factor, diag)?, matrix(x)?))?
}

/// The native distribution on lent memory, whose factor nobody has looked at.
pub(super) fn parameters<'v, F: TensorElement>(
    loc: ArrayViewD<'v, F>,
    factor: ArrayViewD<'v, F>,
    diag: ArrayViewD<'v, F>,
) -> Result<Native<'v, F>, Error> {
    Ok(crate::LowRankMvn::trusted(matrix(loc)?, cube(factor)?, diagonal(diag)?)?)
}

/// `None` where the native home refused a value, which the composed form lets propagate.
pub(super) fn kept<R>(found: Result<R, Error>) -> Result<Option<R>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::Argument(ArgumentError::Value { .. })) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Without a copy for both layouts of a factor.
pub(super) fn in_place<F: TensorElement>(factor: Array3<F>) -> Result<Tensor, Error> {
    let turned = factor.view().permuted_axes([0, 2, 1]).is_standard_layout() && !factor.is_standard_layout();
    if !turned {
        return Ok(tensor_from_array(factor)?);
    }
    Ok(tensor_from_array(factor.permuted_axes([0, 2, 1]))?.transpose(1, 2))
}

// The shapes have been checked; an error here names what they were.
fn wrong(argument: &'static str, got: &[usize], want: &str) -> Error {
    ArgumentError::Shape { argument, got: got.to_vec(), want: want.to_owned() }.into()
}

pub(super) fn matrix<F>(view: ArrayViewD<'_, F>) -> Result<ArrayView2<'_, F>, Error> {
    let got = view.shape().to_vec();
    view.into_dimensionality::<Ix2>().map_err(|_| wrong("x", &got, "[batch, n]"))
}

fn cube<F>(view: ArrayViewD<'_, F>) -> Result<ndarray::ArrayView3<'_, F>, Error> {
    let got = view.shape().to_vec();
    view.into_dimensionality::<Ix3>().map_err(|_| wrong("cov_factor", &got, "[batch, n, r]"))
}

fn diagonal<F: Real>(view: ArrayViewD<'_, F>) -> Result<CovDiag<'_, F>, Error> {
    let got = view.shape().to_vec();
    let shape = |_| wrong("cov_diag", &got, "[], [n] or [batch, n]");
    Ok(match view.ndim() {
        0 => CovDiag::Scalar(view.first().copied().unwrap_or(F::ZERO)),
        1 => view.into_dimensionality::<Ix1>().map_err(shape)?.into(),
        2 => view.into_dimensionality::<Ix2>().map_err(shape)?.into(),
        _ => return Err(wrong("cov_diag", &got, "[], [n] or [batch, n]")),
    })
}
