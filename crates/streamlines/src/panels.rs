//! Streamlines of equal numbers of points, laid out for vector loops.

use ndarray::ArrayRef3;

use crate::Error;
use crate::coordinate::{Coordinate, sizes};
use crate::error::shape;

/// Streamlines side by side in a panel: one AVX register of f32, two of f64.
pub(crate) const LANES: usize = 8;

/// One coordinate of one point of [`LANES`] streamlines.
pub(crate) type Lanes<T> = [T; LANES];

/// [streamlines, points, 3] as panels [point][coordinate][streamline], the last panel filled up with its last streamline.
#[derive(Debug)]
pub(crate) struct Panels<T> {
    /// Three for each point of each panel.
    lanes: Vec<[Lanes<T>; 3]>,
    points: usize,
    len: usize,
}

impl<T: Coordinate> Panels<T> {
    pub(crate) fn new(lines: &ArrayRef3<T>) -> Self {
        let (len, points, _) = lines.dim();
        let panels = len.div_ceil(LANES);
        let mut lanes = vec![[[T::ZERO; LANES]; 3]; panels * points];
        for lane in 0..panels * LANES {
            let line = lines.index_axis(ndarray::Axis(0), lane.min(len - 1));
            let panel = &mut lanes[lane / LANES * points..][..points];
            for (to, point) in panel.iter_mut().zip(line.rows()) {
                for (to, &x) in to.iter_mut().zip(point) {
                    to[lane % LANES] = x;
                }
            }
        }
        Self { lanes, points, len }
    }

    /// Panels in order, [point][coordinate][streamline] each, with the number of streamlines that they hold.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[[Lanes<T>; 3]], usize)> {
        let filled = (0..self.len).step_by(LANES).map(|from| LANES.min(self.len - from));
        self.lanes.chunks_exact(self.points.max(1)).zip(filled)
    }
}

/// [streamlines, points, 3] as points in a row, streamline after streamline.
pub(crate) fn flat<T: Coordinate>(lines: &ArrayRef3<T>) -> Vec<[T; 3]> {
    lines.rows().into_iter().map(|row| [row[0], row[1], row[2]]).collect()
}

/// Both are [streamlines, points, 3] with the same number of points, which is not 0, and numbers that can be squared.
pub(crate) fn check_pair<T: Coordinate>(a: &ArrayRef3<T>, b: &ArrayRef3<T>) -> Result<usize, Error> {
    for (argument, x) in [("a", a), ("b", b)] {
        if x.dim().2 != 3 || x.dim().1 == 0 {
            return Err(shape(argument, x.shape(), "[streamlines, at least 1 point, 3]"));
        }
        sizes(argument, x)?;
    }
    if a.dim().1 != b.dim().1 {
        return Err(shape("b", b.shape(), "[streamlines, as many points as `a`, 3]"));
    }
    Ok(a.dim().1)
}
