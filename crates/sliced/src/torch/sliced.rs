//! Sliced distances on tensors.

use ndarray::ArrayView2;
use tch::{Kind, Tensor};
use variata_distributions::check;
use variata_torch_bridge::{check_floating, tensor_from_array};

use super::{Found, Kernel, Native, copied, line, matrix, native};
use crate::directions::Directions;
use crate::distance::Discrepancy;
use crate::error::Error;
use crate::two_sample::TwoSample;

/// Projections of a block in the composed forms.
const HELD: usize = 1 << 22;

/// Tensor form of [`Discrepancy::sliced`]: the mean over directions for `x` [n, dimensions], a scalar of kind `Double`.
///
/// # Errors
/// `x` is not dense and floating-point, or its shape does not fit the directions; the parameters of the distance.
///
/// ```
/// use variata_sliced::{Directions, Discrepancy, Distance, torch};
/// use variata_torch_bridge::tch::{Kind, Tensor};
///
/// let x = Tensor::from_slice(&[1.0f64, -1.0]).view([2, 1]).set_requires_grad(true);
/// let axis = Directions::given(&ndarray::array![[1.0]])?;
/// let d = torch::sliced(&Discrepancy::new(Distance::WASSERSTEIN_2), &x, &axis)?;
/// d.backward();
/// assert!((x.grad().double_value(&[0, 0]) - (1.0 - (2.0 / std::f64::consts::PI).sqrt())).abs() < 1e-15);
/// # Ok::<(), variata_sliced::Error>(())
/// ```
pub fn sliced(discrepancy: &Discrepancy<'_>, x: &Tensor, directions: &Directions) -> Result<Tensor, Error> {
    checked(x, directions)?;
    let kernel = OneSample { discrepancy, directions };
    if let Some(value) = native("sliced", [("x", x)], &kernel)? {
        return Ok(value);
    }
    if line::has_form(discrepancy) {
        return composed(discrepancy, x, directions);
    }
    copied("sliced", [("x", x)], &kernel)
}

/// [`sliced`] as tensor operations: any device, any derivative order. Against N(0, 1), without weights, for p = 2.
///
/// The largest value of a Cramér–Wold projection is read from the device, once a block; nothing else is.
///
/// # Errors
/// As [`sliced`]; a discrepancy that has no such form.
pub fn sliced_composed(
    discrepancy: &Discrepancy<'_>,
    x: &Tensor,
    directions: &Directions,
) -> Result<Tensor, Error> {
    checked(x, directions)?;
    if !line::has_form(discrepancy) {
        let what = "N(0, 1), equal weights, and p = 2 to be composed of tensor operations";
        return Err(Error::Unsupported { distance: discrepancy.distance().description(), what });
    }
    composed(discrepancy, x, directions)
}

fn composed(discrepancy: &Discrepancy<'_>, x: &Tensor, directions: &Directions) -> Result<Tensor, Error> {
    let n = matrix("x", x)?[0];
    // The checks of the native form.
    discrepancy.prepare(n)?;
    let total = over_blocks(x, directions, |y, _| line::sum(discrepancy.distance(), y))?;
    Ok(total / directions.count() as f64)
}

/// The sum over blocks of directions of what `f` gives for the projections [n, directions] in f64 and the directions as
/// columns.
fn over_blocks(
    x: &Tensor,
    directions: &Directions,
    mut f: impl FnMut(&Tensor, &Tensor) -> Result<Tensor, Error>,
) -> Result<Tensor, Error> {
    let n = matrix("x", x)?[0];
    let x = x.to_kind(Kind::Double);
    let held = (HELD / n).max(1);
    let mut total = Tensor::from(0.0).to_device(x.device());
    for block in directions.vectors().axis_chunks_iter(ndarray::Axis(0), held) {
        let columns = tensor_from_array(block.t().as_standard_layout().into_owned())?.to_device(x.device());
        total += f(&x.matmul(&columns), &columns)?;
    }
    Ok(total)
}

/// Tensor form of [`TwoSample::sliced`]: `x` [n, dimensions], `y` [m, dimensions]; differentiable in both.
///
/// # Errors
/// A tensor is not dense and floating-point, or a shape does not fit; the devices differ.
///
/// ```
/// use variata_sliced::{Directions, TwoSample, torch};
/// use variata_torch_bridge::tch::Tensor;
///
/// let (x, y) = (Tensor::from_slice(&[0.0f32, 1.0]).view([2, 1]), Tensor::from_slice(&[3.0f32, 2.0]).view([2, 1]));
/// let axis = Directions::given(&ndarray::array![[1.0]])?;
/// assert_eq!(torch::two_sample(&TwoSample::SQUARED, &x, &y, &axis)?.double_value(&[]), 4.0);
/// # Ok::<(), variata_sliced::Error>(())
/// ```
pub fn two_sample(
    two: &TwoSample<'_>,
    x: &Tensor,
    y: &Tensor,
    directions: &Directions,
) -> Result<Tensor, Error> {
    let same = checked_pair(x, y, directions)?;
    let kernel = Both { two, directions };
    if let Some(value) = native("two_sample", [("x", x), ("y", y)], &kernel)? {
        return Ok(value);
    }
    if same && !is_weighted(two) {
        return composed_pair(two, x, y, directions);
    }
    copied("two_sample", [("x", x), ("y", y)], &kernel)
}

/// [`two_sample`] as tensor operations, for samples of one size without weights.
///
/// # Errors
/// As [`two_sample`]; sizes that differ, or weights.
pub fn two_sample_composed(
    two: &TwoSample<'_>,
    x: &Tensor,
    y: &Tensor,
    directions: &Directions,
) -> Result<Tensor, Error> {
    if !checked_pair(x, y, directions)? || is_weighted(two) {
        let what = "samples of one size without weights to be composed of tensor operations";
        return Err(Error::Unsupported { distance: "the two-sample distance", what });
    }
    composed_pair(two, x, y, directions)
}

fn composed_pair(
    two: &TwoSample<'_>,
    x: &Tensor,
    y: &Tensor,
    directions: &Directions,
) -> Result<Tensor, Error> {
    let y = y.to_kind(Kind::Double);
    let total = over_blocks(x, directions, |projected, columns| {
        let gap = projected.sort(0, false).0 - y.matmul(columns).sort(0, false).0;
        let power = if two.p == 2.0 {
            gap.square()
        } else {
            // |gap|ᵖ has no derivatives by autograd at 0.
            let zero = gap.eq(0.0);
            gap.masked_fill(&zero, 1.0).abs().pow_tensor_scalar(two.p).masked_fill(&zero, 0.0)
        };
        Ok(power.mean_dim(Some([0i64].as_slice()), false, Kind::Double).sum(Kind::Double))
    })?;
    Ok(total / directions.count() as f64)
}

fn checked(x: &Tensor, directions: &Directions) -> Result<[usize; 2], Error> {
    check_floating(&[("x", x)])?;
    let shape = matrix("x", x)?;
    check::shape("x", &shape, &[shape[0], directions.dim()])?;
    Ok(shape)
}

fn is_weighted(two: &TwoSample<'_>) -> bool {
    two.x_weights.is_some() || two.y_weights.is_some()
}

/// Whether both have as many points.
fn checked_pair(x: &Tensor, y: &Tensor, directions: &Directions) -> Result<bool, Error> {
    check_floating(&[("x", x), ("y", y)])?;
    let n = checked(x, directions)?[0];
    let shape = matrix("y", y)?;
    check::shape("y", &shape, &[shape[0], directions.dim()])?;
    Ok(n == shape[0])
}

struct OneSample<'a> {
    discrepancy: &'a Discrepancy<'a>,
    directions: &'a Directions,
}

impl Kernel for OneSample<'_> {
    fn run<F: Native>(&self, inputs: &[ArrayView2<'_, F>], wanted: &[bool]) -> Found<F> {
        let x = &inputs[0];
        if !wanted[0] {
            return Ok((self.discrepancy.sliced(x, self.directions)?.mean, vec![None]));
        }
        let (value, grad) = self.discrepancy.sliced_with_grad(x, self.directions)?;
        Ok((value.mean, vec![Some(grad)]))
    }
}

struct Both<'a> {
    two: &'a TwoSample<'a>,
    directions: &'a Directions,
}

impl Kernel for Both<'_> {
    fn run<F: Native>(&self, inputs: &[ArrayView2<'_, F>], wanted: &[bool]) -> Found<F> {
        let (x, y) = (&inputs[0], &inputs[1]);
        match (wanted[0], wanted[1]) {
            (false, false) => Ok((self.two.sliced(x, y, self.directions)?.mean, vec![None, None])),
            (false, true) => {
                let exchanged =
                    TwoSample { x_weights: self.two.y_weights, y_weights: self.two.x_weights, ..*self.two };
                let (value, grad) = exchanged.sliced_with_grad_x(y, x, self.directions)?;
                Ok((value.mean, vec![None, Some(grad)]))
            }
            (true, false) => {
                let (value, grad) = self.two.sliced_with_grad_x(x, y, self.directions)?;
                Ok((value.mean, vec![Some(grad), None]))
            }
            (true, true) => {
                let (value, grad) = self.two.sliced_with_grad(x, y, self.directions)?;
                Ok((value.mean, vec![Some(grad.x), Some(grad.y)]))
            }
        }
    }
}
