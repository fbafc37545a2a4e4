//! Sums over all pairs of points, in blocks: never a matrix of pairs.

use ndarray::{Array2, ArrayRef2};
use variata_distributions::Real;
use variata_distributions::lanes::{Sample, transpose, widest};
use variata_distributions::parallel::collect;

use crate::distance::{none, sizes};
use crate::error::Error;

/// Points of the first sample per task.
const TASK: usize = 16;
/// Points of the second sample per panel: eight vectors of sums stay in registers.
const PANEL: usize = 32;
/// Sums side by side.
const LANES: usize = 8;

/// A number for each point of a panel.
pub(crate) type Pairs = [f64; PANEL];

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

/// Σᵢⱼ k(‖xᵢ − yⱼ‖²), and with `wanted` Σⱼ ∂k/∂xᵢ for every i; `kernel` gives k and its derivative at squared distances, and is
/// to be inlined. Both samples are in standard layout and not empty.
pub(crate) fn sum(
    x: &Array2<f64>,
    y: &Array2<f64>,
    wanted: bool,
    kernel: impl Fn(&Pairs) -> (Pairs, Pairs) + Sync + Send,
) -> (f64, Array2<f64>) {
    let (n, depth) = x.dim();
    let (points, others) = (x.as_slice().unwrap_or_default(), y.as_slice().unwrap_or_default());
    let panels: Vec<(usize, Vec<f64>)> = others
        .chunks(PANEL * depth)
        .map(|rows| {
            let mut panel = vec![0.0; PANEL * depth];
            transpose::<f64, f64, PANEL>(rows, depth, |_, v| v, &mut panel);
            (rows.len() / depth, panel)
        })
        .collect();
    let parts = collect(n.div_ceil(TASK), |task| {
        let rows = &points[task * TASK * depth..points.len().min((task + 1) * TASK * depth)];
        let mut grads = vec![0.0; if wanted { rows.len() } else { 0 }];
        let mut total = 0.0;
        widest(
            #[inline(always)]
            || {
                for (inside, panel) in &panels {
                    let columns = panel.as_chunks::<PANEL>().0;
                    for (i, x) in rows.chunks_exact(depth).enumerate() {
                        let (values, mut slopes) = kernel(&squared_distances(x, columns));
                        total += values[..*inside].iter().sum::<f64>();
                        if wanted {
                            slopes[*inside..].fill(0.0);
                            add_gaps(&mut grads[i * depth..(i + 1) * depth], &slopes, x, columns);
                        }
                    }
                }
            },
        );
        (total, grads)
    });
    let total = parts.iter().map(|(total, _)| total).sum();
    let grads = parts.into_iter().flat_map(|(_, grads)| grads).collect();
    let grads = Array2::from_shape_vec(if wanted { (n, depth) } else { (0, 0) }, grads);
    (total, grads.unwrap_or_default())
}

/// Squared distances of a point from the points of a panel, from the differences themselves.
#[inline(always)]
fn squared_distances(x: &[f64], columns: &[Pairs]) -> Pairs {
    let mut squares = [0.0; PANEL];
    for (x, column) in x.iter().zip(columns) {
        for (square, y) in squares.iter_mut().zip(column) {
            *square += (x - y) * (x - y);
        }
    }
    squares
}

/// grad += Σ 2·slope·(x − y) over the points of a panel.
#[inline(always)]
fn add_gaps(grad: &mut [f64], slopes: &Pairs, x: &[f64], columns: &[Pairs]) {
    for ((grad, x), column) in grad.iter_mut().zip(x).zip(columns) {
        let mut lanes = [0.0; LANES];
        for (slopes, y) in slopes.as_chunks::<LANES>().0.iter().zip(column.as_chunks::<LANES>().0) {
            for (lane, (slope, y)) in lanes.iter_mut().zip(slopes.iter().zip(y)) {
                *lane += slope * (x - y);
            }
        }
        *grad += 2.0 * lanes.iter().sum::<f64>();
    }
}
