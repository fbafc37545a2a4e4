//! What the papers' reports share: values by seed, cells, grids of images, curves.

use ndarray::{Array2, Array4};
use variata_models::train::EpochRecord;
use variata_report::{Cell, ImageGrid, LineSeries, Size};

/// Two plots side by side.
pub(crate) const SMALL: Size = Size { width: 420.0, height: 340.0 };

/// What belongs to the run of one seed.
pub(crate) trait OfSeed {
    fn seed(&self) -> u64;
}

/// A statistic of each seed.
pub(crate) fn by_seed<R: OfSeed>(results: &[R], f: impl Fn(&R) -> f64) -> Vec<(u64, f64)> {
    results.iter().map(|r| (r.seed(), f(r))).collect()
}

/// Mean over seeds.
pub(crate) fn mean<R>(results: &[R], f: impl Fn(&R) -> f64) -> f64 {
    results.iter().map(f).sum::<f64>() / results.len().max(1) as f64
}

/// A cell of values over seeds; empty where there is none at all.
pub(crate) fn cell<R>(results: &[R], f: impl Fn(&R) -> f64) -> Cell {
    let values: Vec<f64> = results.iter().map(f).collect();
    if values.iter().all(|v| v.is_nan()) { Cell::Missing } else { Cell::Seeds(values) }
}

/// A grid whose images are enlarged to some `wanted` pixels.
pub(crate) fn grid(images: &Array4<f32>, columns: usize, wanted: usize, padding: usize) -> ImageGrid {
    let scale = (wanted / images.dim().3.max(1)).max(1);
    ImageGrid { columns, scale, padding, ..ImageGrid::default() }
}

/// A value over the steps of trainings that differ in their seed.
///
/// # Errors
/// They have not as many values.
pub(crate) fn curve(
    name: &str,
    histories: &[&[EpochRecord]],
    value: impl Fn(&EpochRecord) -> Option<f64>,
) -> Result<LineSeries, variata_report::Error> {
    let points = |history: &&[EpochRecord]| {
        let found = history.iter().filter_map(|e| Some((e.step as f64, value(e)?)));
        found.unzip::<f64, f64, Vec<_>, Vec<_>>()
    };
    let (x, y): (Vec<_>, Vec<_>) = histories.iter().map(points).unzip();
    LineSeries::over_seeds(name, x.first().map_or(&[][..], |x| x), &y)
}

/// Images along a line between two codes.
pub(crate) const LINE: usize = 9;

/// Pairs of images of different classes, in order of their indices; of any images where there is one class.
pub(crate) fn pairs(labels: &[usize], count: usize) -> Vec<(usize, usize)> {
    let n = labels.len();
    let alike = labels.windows(2).all(|two| two[0] == two[1]);
    (1..n)
        .flat_map(|gap| (0..n - gap).map(move |i| (i, i + gap)))
        .filter(|&(i, j)| alike || labels[i] != labels[j])
        .take(count)
        .collect()
}

/// Points on the lines between pairs of codes, `steps` for each pair; half-way for one step.
pub(crate) fn lines(codes: &Array2<f64>, pairs: &[(usize, usize)], steps: usize) -> Array2<f32> {
    Array2::from_shape_fn((pairs.len() * steps, codes.ncols()), |(row, k)| {
        let (from, to) = pairs[row / steps];
        let t = if steps == 1 { 0.5 } else { (row % steps) as f64 / (steps - 1) as f64 };
        ((1.0 - t) * codes[[from, k]] + t * codes[[to, k]]) as f32
    })
}
