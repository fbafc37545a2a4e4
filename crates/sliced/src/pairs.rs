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
pub(crate) const PANEL: usize = 32;
/// Panels whose slopes are added up lane by lane, before the lanes are.
const GROUP: usize = 8;

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
    // Of a sample's own pairs (i, j) and (j, i) agree; the points of a task lie in one panel.
    let symmetric = !wanted && std::ptr::eq(x, y);
    let parts = collect(n.div_ceil(TASK), |task| {
        let own = if symmetric { task * TASK / PANEL } else { 0 };
        let rows = &points[task * TASK * depth..points.len().min((task + 1) * TASK * depth)];
        let mut grads = vec![0.0; if wanted { rows.len() } else { 0 }];
        let mut lanes: Vec<Pairs> = vec![[0.0; PANEL]; if wanted { depth } else { 0 }];
        let mut total = 0.0;
        widest(
            #[inline(always)]
            || {
                for (k, group) in panels[own..].chunks(GROUP).enumerate() {
                    for (i, x) in rows.chunks_exact(depth).enumerate() {
                        for (j, (inside, panel)) in group.iter().enumerate() {
                            let columns = panel.as_chunks::<PANEL>().0;
                            let (values, mut slopes) = kernel(&squared_distances(x, columns));
                            let times = if symmetric && k + j > 0 { 2.0 } else { 1.0 };
                            total += times * values[..*inside].iter().sum::<f64>();
                            if wanted {
                                slopes[*inside..].fill(0.0);
                                add_gaps(&mut lanes, &slopes, x, columns);
                            }
                        }
                        if wanted {
                            take_sums(&mut lanes, &mut grads[i * depth..(i + 1) * depth]);
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

/// lanes += slope·(x − y) over the points of a panel.
#[inline(always)]
fn add_gaps(lanes: &mut [Pairs], slopes: &Pairs, x: &[f64], columns: &[Pairs]) {
    for ((lanes, x), column) in lanes.iter_mut().zip(x).zip(columns) {
        for ((lane, slope), y) in lanes.iter_mut().zip(slopes).zip(column) {
            *lane += slope * (x - y);
        }
    }
}

/// grads += 2·Σ lanes, which are 0 then.
#[inline(always)]
fn take_sums(lanes: &mut [Pairs], grads: &mut [f64]) {
    for (lanes, grad) in lanes.iter_mut().zip(grads) {
        let (halves, _) = lanes.as_chunks::<{ PANEL / 2 }>();
        let mut sums = [0.0; PANEL / 2];
        for half in halves {
            sums.iter_mut().zip(half).for_each(|(sum, lane)| *sum += lane);
        }
        *grad += 2.0 * sums.iter().sum::<f64>();
        *lanes = [0.0; PANEL];
    }
}
