//! Sums over all pairs of points, in blocks: never a matrix of pairs.

use ndarray::{Array2, ArrayRef2, ArrayView2, Axis, s};
use pulp::Arch;
use variata_distributions::Real;
use variata_distributions::parallel::collect;

use crate::distance::{none, sizes};
use crate::error::Error;
use variata_distributions::lanes::Sample;

/// Points of the first sample per task, and of the second per block.
const TASK: usize = 16;
const BLOCK: usize = 64;

/// A sample as contiguous f64 rows, checked: [n, dimensions], neither 0.
pub(crate) fn points<S: Sample>(argument: &'static str, x: &ArrayRef2<S>) -> Result<Array2<f64>, Error> {
    if x.is_empty() {
        return Err(none(argument, x.shape(), "[n, dimensions], neither 0"));
    }
    sizes(argument, x.iter().map(|v| v.compute().to_f64()))?;
    let mut points = Array2::zeros(x.dim());
    points.zip_mut_with(x, |to, v| *to = v.compute().to_f64());
    Ok(points)
}

/// Σᵢⱼ k(‖xᵢ − yⱼ‖²), and with `wanted` Σⱼ ∂k/∂xᵢ for every i; `kernel` gives k and its derivative in the squared distance.
pub(crate) fn sum(
    x: &Array2<f64>,
    y: &Array2<f64>,
    wanted: bool,
    kernel: impl Fn(f64) -> (f64, f64) + Sync + Send,
) -> (f64, Array2<f64>) {
    let (n, d) = x.dim();
    let parts = collect(n.div_ceil(TASK), |task| {
        let rows = x.slice(s![task * TASK..n.min((task + 1) * TASK), ..]);
        let mut grads = Array2::zeros(if wanted { rows.dim() } else { (0, 0) });
        let mut total = 0.0;
        for block in y.axis_chunks_iter(Axis(0), BLOCK) {
            for (i, x) in rows.rows().into_iter().enumerate() {
                let Some(x) = x.as_slice() else { continue };
                let squares = squared_distances(x, &block);
                for (square, y) in squares.into_iter().zip(block.rows()) {
                    let (value, slope) = kernel(square);
                    total += value;
                    if wanted && let (Some(y), Some(grad)) = (y.as_slice(), grads.row_mut(i).as_slice_mut()) {
                        add_gap(grad, 2.0 * slope, x, y);
                    }
                }
            }
        }
        (total, grads)
    });
    let mut grads = Array2::zeros(if wanted { (n, d) } else { (0, 0) });
    let mut total = 0.0;
    for (task, (part, grad)) in parts.into_iter().enumerate() {
        total += part;
        if wanted {
            grads.slice_mut(s![task * TASK..n.min((task + 1) * TASK), ..]).assign(&grad);
        }
    }
    (total, grads)
}

/// Squared distances of a point from a block of points, from the differences themselves.
fn squared_distances(x: &[f64], block: &ArrayView2<'_, f64>) -> [f64; BLOCK] {
    let mut squares = [0.0; BLOCK];
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (square, y) in squares.iter_mut().zip(block.rows()) {
                let Some(y) = y.as_slice() else { continue };
                let mut lanes = [0.0; 8];
                let ((x8, x1), (y8, y1)) = (x.as_chunks::<8>(), y.as_chunks::<8>());
                for (x, y) in x8.iter().zip(y8) {
                    for (lane, (x, y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
                        *lane += (x - y) * (x - y);
                    }
                }
                *square = lanes.iter().sum::<f64>();
                *square += x1.iter().zip(y1).map(|(x, y)| (x - y) * (x - y)).sum::<f64>();
            }
        },
    );
    squares
}

/// grad += factor·(x − y).
fn add_gap(grad: &mut [f64], factor: f64, x: &[f64], y: &[f64]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for ((grad, x), y) in grad.iter_mut().zip(x).zip(y) {
                *grad += factor * (x - y);
            }
        },
    );
}
