//! Points at equal distances along a streamline.

use ndarray::{Array2, ArrayRef2};
use variata_distributions::ArgumentError;

use crate::Error;
use crate::coordinate::{Coordinate, sizes};
use crate::error::{scalar, shape};
use crate::streamlines::{rows, three};

/// The arc length of a streamline, [points, 3]: the sum of the lengths of its segments.
///
/// ```text
/// L = Σᵢ ‖pᵢ₊₁ − pᵢ‖
/// ```
///
/// Differences are taken in the coordinates' type and summed in `f64`, as dipy's `length` does.
///
/// # Errors
/// [`Error::Argument`] when `points` is not [_, 3] or a coordinate is not finite.
///
/// ```
/// use ndarray::array;
///
/// let bent = array![[0.0f32, 0.0, 0.0], [3.0, 4.0, 0.0], [3.0, 4.0, 2.0]];
/// assert_eq!(variata_streamlines::length(&bent)?, 7.0);
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
pub fn length<T: Coordinate>(points: &ArrayRef2<T>) -> Result<f64, Error> {
    three("points", points)?;
    sizes("points", points)?;
    let points: Vec<_> = rows(points).collect();
    Ok(arc_length(&points))
}

/// `k` points that divide a streamline, [points, 3], into k − 1 parts of equal arc length; both ends are kept.
///
/// Between the given points the streamline is straight. The arithmetic is that of dipy's `set_number_of_points`
/// (differences in the coordinates' type, arc lengths and interpolation in `f64`, one rounding), so that the results are
/// the same bits. A streamline without length gives `k` copies of its point, where dipy leaves them unset; without length are also points nearer
/// than some 10⁻¹⁶², the squares of whose differences are 0.
///
/// # Errors
/// [`Error::Argument`] when `points` is not [_, 3], has fewer than 2 rows or a coordinate that is not finite, or `k` is not 2 to 2²⁴.
///
/// ```
/// use ndarray::array;
///
/// let bent = array![[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 3.0, 0.0]];
/// let resampled = variata_streamlines::resample(&bent, 5)?;
/// assert_eq!(resampled.row(2).to_vec(), [1.0, 1.0, 0.0]); // half of the length 4 is 2
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
pub fn resample<T: Coordinate>(points: &ArrayRef2<T>, k: usize) -> Result<Array2<T>, Error> {
    three("points", points)?;
    check_k(k)?;
    if points.nrows() < 2 {
        return Err(shape("points", points.shape(), "[at least 2, 3]"));
    }
    sizes("points", points)?;
    let points: Vec<_> = rows(points).collect();
    let mut out = vec![[T::ZERO; 3]; k];
    resample_into(&points, &mut Vec::new(), &mut out);
    Ok(Array2::from(out))
}

/// Points of a streamline and streamlines of a datum are not more, so that their products are numbers.
pub(crate) const MOST: usize = 1 << 24;

pub(crate) fn check_k(k: usize) -> Result<(), Error> {
    if (2..=MOST).contains(&k) { Ok(()) } else { Err(scalar("k", k as f64, "2 to 16777216")) }
}

/// Length of the segment between two points: differences in `T`, the rest in `f64`.
#[inline]
fn segment<T: Coordinate>(a: &[T; 3], b: &[T; 3]) -> f64 {
    let squares = a.iter().zip(b).map(|(&a, &b)| (b - a).to_f64());
    squares.fold(0.0, |sum, d| sum + d * d).sqrt()
}

pub(crate) fn arc_length<T: Coordinate>(points: &[[T; 3]]) -> f64 {
    points.windows(2).fold(0.0, |sum, ends| sum + segment(&ends[0], &ends[1]))
}

/// Fills `out` from a streamline; from one without points it is left as it is. `arc` is memory for arc lengths.
pub(crate) fn resample_into<T: Coordinate>(points: &[[T; 3]], arc: &mut Vec<f64>, out: &mut [[T; 3]]) {
    let (Some(&first), Some(&last)) = (points.first(), points.last()) else { return };
    arc.clear();
    arc.push(0.0);
    let mut total = 0.0;
    for ends in points.windows(2) {
        total += segment(&ends[0], &ends[1]);
        arc.push(total);
    }
    let k = out.len();
    let step = total / (k.max(2) - 1) as f64;
    // The steps are added up, not multiplied, as dipy does: the roundings are part of the result.
    let (mut at, mut row, mut knot) = (0.0, 0, 0);
    while at < total && row + 1 < k {
        if at == arc[knot] {
            out[row] = points[knot];
            at += step;
            row += 1;
            knot += 1;
        } else if at < arc[knot] {
            // `at` is not below 0, so that `knot` is not the first.
            let (before, after) = (points[knot - 1], points[knot]);
            let ratio = 1.0 - (arc[knot] - at) / (arc[knot] - arc[knot - 1]);
            out[row] = std::array::from_fn(|d| {
                T::from_f64(before[d].to_f64() + ratio * (after[d] - before[d]).to_f64())
            });
            at += step;
            row += 1;
        } else {
            knot += 1;
        }
    }
    out[row..].fill(if total > 0.0 { last } else { first });
}

/// Turns a streamline, [points, 3], round where that brings it nearer to `like`, point by point; says whether it did.
///
/// Streamlines have no direction: tractography begins at any end. A bundle whose streamlines all run one way is easier to
/// learn and to look at.
///
/// # Errors
/// [`Error::Argument`] when the arrays are not of one shape [_, 3], or a coordinate is not finite.
///
/// ```
/// use ndarray::array;
///
/// let like = array![[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]];
/// let mut line = array![[8.0, 1.0, 0.0], [1.0, 1.0, 0.0]];
/// assert!(variata_streamlines::align(&mut line, &like)?);
/// assert_eq!(line, array![[1.0, 1.0, 0.0], [8.0, 1.0, 0.0]]);
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
pub fn align<T: Coordinate>(line: &mut ArrayRef2<T>, like: &ArrayRef2<T>) -> Result<bool, Error> {
    three("line", line)?;
    three("like", like)?;
    if line.dim() != like.dim() {
        return Err(ArgumentError::Shape {
            argument: "line",
            got: line.shape().to_vec(),
            want: format!("{:?}, as `like`", like.shape()),
        }
        .into());
    }
    sizes("line", line)?;
    sizes("like", like)?;
    let (a, b): (Vec<_>, Vec<_>) = (rows(line).collect(), rows(like).collect());
    let direct: f64 = a.iter().zip(&b).map(|(a, b)| segment(a, b)).sum();
    let flipped: f64 = a.iter().rev().zip(&b).map(|(a, b)| segment(a, b)).sum();
    if !(flipped < direct) {
        return Ok(false);
    }
    for (mut row, from) in line.rows_mut().into_iter().zip(a.iter().rev()) {
        for (to, &from) in row.iter_mut().zip(from) {
            *to = from;
        }
    }
    Ok(true)
}
