//! Distances without slicing on tensors.

use ndarray::ArrayView2;
use tch::{Kind, Tensor};
use variata_distributions::check;
use variata_torch_bridge::check_floating;

use super::{Found, Kernel as OnArrays, Native, copied, matrix, native};
use crate::direct::{CramerWold, SphereMean};
use crate::error::Error;
use crate::mmd::{Kernel, Mmd, MmdEstimator};

/// Rows per block of pairs in the composed forms.
const ROWS: i64 = 512;

/// Tensor form of [`CramerWold::value`] for `x` [n, dimensions], a scalar of kind `Double`.
///
/// With [`SphereMean::Exact`] computed natively in f64 wherever the tensor lives; the asymptotic form has tensor operations.
///
/// # Errors
/// `x` is not dense and floating-point or has another shape; the parameters.
///
/// ```
/// use variata_sliced::{CramerWold, torch};
/// use variata_torch_bridge::tch::{Device, Kind, Tensor};
///
/// let x = Tensor::randn([20, 4], (Kind::Float, Device::Cpu)).set_requires_grad(true);
/// torch::cramer_wold(&CramerWold::default(), &x)?.backward();
/// assert_eq!(x.grad().size(), [20, 4]);
/// # Ok::<(), variata_sliced::Error>(())
/// ```
pub fn cramer_wold(distance: &CramerWold, x: &Tensor) -> Result<Tensor, Error> {
    check_floating(&[("x", x)])?;
    matrix("x", x)?;
    if let Some(value) = native("cramer_wold", [("x", x)], distance)? {
        return Ok(value);
    }
    match distance.sphere_mean {
        SphereMean::Exact => copied("cramer_wold", [("x", x)], distance),
        SphereMean::Asymptotic => cramer_wold_composed(distance, x),
    }
}

/// [`cramer_wold`] in its asymptotic form as tensor operations, in blocks of rows.
///
/// # Errors
/// As [`cramer_wold`]; [`SphereMean::Exact`] or one dimension.
pub fn cramer_wold_composed(distance: &CramerWold, x: &Tensor) -> Result<Tensor, Error> {
    check_floating(&[("x", x)])?;
    let [n, d] = matrix("x", x)?;
    let asymptotic = distance.sphere_mean == SphereMean::Asymptotic;
    if !asymptotic || d < 2 {
        let what = "the asymptotic form and two dimensions to be composed of tensor operations";
        return Err(Error::Unsupported { distance: "the direct Cramér–Wold distance", what });
    }
    let gamma = distance.bandwidth.checked(n as f64)?;
    let mean = |s: Tensor| (s * (4.0 / (2.0 * d as f64 - 3.0)) + 1.0).rsqrt();
    let (x, pi, n) = (x.to_kind(Kind::Double), std::f64::consts::PI, n as f64);
    let pairs = over_pairs(&x, &x, |square| mean(square / (4.0 * gamma)));
    let norms = x.square().sum_dim_intlist([1i64].as_slice(), false, Kind::Double);
    let singles = mean(norms / (2.0 + 4.0 * gamma)).sum(Kind::Double);
    Ok(pairs / (libm::sqrt(4.0 * pi * gamma) * n * n) + 1.0 / libm::sqrt(4.0 * pi * (1.0 + gamma))
        - singles * (2.0 / (n * libm::sqrt(2.0 * pi * (1.0 + 2.0 * gamma)))))
}

/// Tensor form of [`Mmd::value`] for `x` [n, dimensions] and `y` [m, dimensions], a scalar of kind `Double`.
///
/// # Errors
/// A tensor is not dense and floating-point, or a shape does not fit; the devices differ; too few points.
///
/// ```
/// use variata_sliced::{Mmd, MmdEstimator, torch};
/// use variata_torch_bridge::tch::{Device, Kind, Tensor};
///
/// let (x, y) = (Tensor::zeros([3, 2], (Kind::Float, Device::Cpu)), Tensor::zeros([5, 2], (Kind::Float, Device::Cpu)));
/// let mmd = Mmd::inverse_multiquadric(2, MmdEstimator::Unbiased)?;
/// assert!(torch::mmd(&mmd, &x, &y)?.double_value(&[]).abs() < 1e-14);
/// # Ok::<(), variata_sliced::Error>(())
/// ```
pub fn mmd(mmd: &Mmd, x: &Tensor, y: &Tensor) -> Result<Tensor, Error> {
    checked_pair(mmd, x, y)?;
    if let Some(value) = native("mmd", [("x", x), ("y", y)], mmd)? {
        return Ok(value);
    }
    mmd_composed(mmd, x, y)
}

/// [`mmd`] as tensor operations, in blocks of rows. Rounding may leave the biased estimate of samples that agree some 10⁻¹⁶ below 0.
///
/// # Errors
/// As [`mmd`].
pub fn mmd_composed(mmd: &Mmd, x: &Tensor, y: &Tensor) -> Result<Tensor, Error> {
    checked_pair(mmd, x, y)?;
    let (x, y) = (x.to_kind(Kind::Double), y.to_kind(Kind::Double));
    let kernel = |square: Tensor| {
        let mut sum = square.zeros_like();
        for kernel in &mmd.kernels {
            sum += match *kernel {
                Kernel::Rbf { variance } => (&square * (-0.5 / variance)).exp(),
                Kernel::InverseMultiquadric { scale } => (&square + scale).reciprocal() * scale,
            };
        }
        sum
    };
    let own = |x: &Tensor| {
        let (n, pairs) = (x.size()[0] as f64, over_pairs(x, x, kernel));
        match mmd.estimator {
            MmdEstimator::Biased => pairs / (n * n),
            MmdEstimator::Unbiased => (pairs - n * mmd.kernels.len() as f64) / (n * (n - 1.0)),
        }
    };
    let mixed = over_pairs(&x, &y, kernel) * (2.0 / (x.size()[0] as f64 * y.size()[0] as f64));
    Ok(own(&x) + own(&y) - mixed)
}

fn checked_pair(mmd: &Mmd, x: &Tensor, y: &Tensor) -> Result<(), Error> {
    check_floating(&[("x", x), ("y", y)])?;
    let ([n, d], [m, e]) = (matrix("x", x)?, matrix("y", y)?);
    check::shape("y", &[m, e], &[m, d])?;
    for (argument, count) in [("x", n), ("y", m)] {
        if mmd.estimator == MmdEstimator::Unbiased && count < 2 {
            return Err(crate::distance::none(argument, &[count, d], "[n, d] with n >= 2"));
        }
    }
    Ok(())
}

/// Σ f(squared distance) over all pairs, block by block of rows of `x`.
fn over_pairs(x: &Tensor, y: &Tensor, f: impl Fn(Tensor) -> Tensor) -> Tensor {
    let mut total = Tensor::from(0.0).to_device(x.device());
    // What is left of an offset in common is lost: distances do not depend on the centre, nor do gradients.
    let centre = tch::no_grad(|| y.mean_dim([0i64].as_slice(), true, Kind::Double));
    let (x, y) = (&(x - &centre), &(y - &centre));
    let norms = y.square().sum_dim_intlist([1i64].as_slice(), false, Kind::Double);
    for block in x.split(ROWS, 0) {
        let own = block.square().sum_dim_intlist([1i64].as_slice(), true, Kind::Double);
        // In f64 the expansion is within 1e-16 of the norms about the centre, and rounding below 0 is cut.
        let squares = (own + &norms - block.matmul(&y.tr()) * 2.0).clamp_min(0.0);
        total += f(squares).sum(Kind::Double);
    }
    total
}

impl OnArrays for CramerWold {
    fn run<F: Native>(&self, inputs: &[ArrayView2<'_, F>], wanted: &[bool]) -> Found<F> {
        if !wanted[0] {
            return Ok((self.value(&inputs[0])?, vec![None]));
        }
        let (value, grad) = self.value_with_grad(&inputs[0])?;
        Ok((value, vec![Some(grad)]))
    }
}

impl OnArrays for Mmd {
    fn run<F: Native>(&self, inputs: &[ArrayView2<'_, F>], wanted: &[bool]) -> Found<F> {
        let (x, y) = (&inputs[0], &inputs[1]);
        let wanted = [wanted[0], wanted[1]];
        let (value, grads) = self.evaluate(x, y, wanted)?;
        let grads = grads.into_iter().zip(wanted);
        Ok((value, grads.map(|(grad, wanted)| wanted.then(|| grad.mapv(F::from_f64))).collect()))
    }
}
