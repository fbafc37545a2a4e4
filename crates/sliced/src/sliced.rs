//! Distances of D-dimensional samples through their projections.

use std::sync::Mutex;

use ndarray::{Array1, Array2, ArrayRef2};
use variata_distributions::Real;
use variata_distributions::lanes::keep_together;
use variata_distributions::parallel::{self, within};

use crate::column::{Gradient, Scratch};
use crate::directions::Directions;
use crate::distance::{Discrepancy, Prepared, none, not_too_steep, sizes};
use crate::error::Error;
use crate::network::COLUMNS;
use crate::order::short;
use crate::project::{Packed, Panels, add_adjoint, columns, joined, padded, per_group, replace};
use crate::vectors::fine;
use variata_distributions::lanes::{Compute, Sample};

/// Elements of f64 in 15 MiB, twice which is the most that an allocator can be told to keep.
const KEPT: usize = 15 << 17;
/// Projections held at once.
const HELD: usize = 1 << 22;
/// The same of each of two samples: with the samples and a gradient as much memory in all.
pub(crate) const HELD_OF_TWO: usize = 1 << 20;

/// A distance averaged over directions.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sliced {
    /// The mean over the directions. Source: paper sliced, eq. 3, of latents [errata 003-4].
    pub mean: f64,
    /// How far the mean over other directions of the same kind would be from it, one standard deviation, estimated from groups
    /// of directions that are independent of each other; `None` with fewer than two groups.
    pub standard_error: Option<f64>,
    /// The distance along each direction.
    pub per_direction: Array1<f64>,
}

impl Sliced {
    pub(crate) fn new(directions: &Directions, values: Vec<f64>) -> Self {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Self { mean, standard_error: directions.standard_error(&values), per_direction: values.into() }
    }
}

impl Discrepancy<'_> {
    /// The distance of the sample `x` [n, dimensions], averaged over directions.
    ///
    /// Memory: a copy of `x`, and blocks of at most 2²² projections (8n, where that is more); Cramér–Wold of points that are thinly spread
    /// over more than 4096 cells of 0.4 smoothing widths needs up to 70 numbers of f64 a point and thread beside that, and to a law other
    /// than N(0, 1) up to 2 MiB.
    ///
    /// # Errors
    /// As [`value`](Self::value) for `x`; the dimensions of `x` and of the directions differ; a projection overflows.
    ///
    /// ```
    /// use ndarray::array;
    /// use variata_sliced::{Directions, Discrepancy, Distance};
    ///
    /// let x = array![[1.0, 0.0], [-1.0, 0.0]];
    /// let axes = Directions::given(&array![[1.0, 0.0], [0.0, 1.0]])?;
    /// let sliced = Discrepancy::new(Distance::WASSERSTEIN_2).sliced(&x, &axes)?;
    /// let along = (2.0 / std::f64::consts::PI).sqrt();
    /// assert!((sliced.per_direction[0] - (2.0 - 2.0 * along)).abs() < 1e-15);
    /// assert!((sliced.per_direction[1] - 1.0).abs() < 1e-15);
    /// # Ok::<(), variata_sliced::Error>(())
    /// ```
    pub fn sliced<S: Sample>(&self, x: &ArrayRef2<S>, directions: &Directions) -> Result<Sliced, Error> {
        Ok(self.evaluate(x, directions, false)?.0)
    }

    /// The same with the gradient of the mean in `x`, [n, dimensions].
    ///
    /// # Errors
    /// As [`sliced`](Self::sliced), and where the gradient overflows as elements of `x`.
    pub fn sliced_with_grad<S: Sample>(
        &self,
        x: &ArrayRef2<S>,
        directions: &Directions,
    ) -> Result<(Sliced, Array2<S::Compute>), Error> {
        let (sliced, grad) = self.evaluate(x, directions, true)?;
        let grad = Array2::from_shape_vec(x.dim(), grad);
        Ok((sliced, grad.map_err(|_| none("x", x.shape(), "[n, dimensions]"))?))
    }

    fn evaluate<S: Sample>(
        &self,
        x: &ArrayRef2<S>,
        directions: &Directions,
        wanted: bool,
    ) -> Result<(Sliced, Vec<S::Compute>), Error> {
        let nanoseconds = projected(x.nrows(), directions, self.nanoseconds());
        within(nanoseconds, || self.evaluate_within(x, directions, wanted))
    }

    fn evaluate_within<S: Sample>(
        &self,
        x: &ArrayRef2<S>,
        directions: &Directions,
        wanted: bool,
    ) -> Result<(Sliced, Vec<S::Compute>), Error> {
        let panels = checked("x", x, directions)?;
        let mut prepared = self.prepare(panels.rows())?;
        let mut grad = vec![S::Compute::ZERO; if wanted { x.len() } else { 0 }];
        let grads = wanted.then_some(&mut grad[..]);
        let values = blocks(&panels, directions, HELD, grads, &mut prepared)?;
        let sliced = Sliced::new(directions, values);
        if !sliced.mean.is_finite() {
            return Err(Error::Overflow { quantity: self.distance().description(), element: "f64" });
        }
        not_too_steep(self.steepness(sliced.mean), &grad)?;
        Ok((sliced, grad))
    }
}

impl<T: Compute> Kernel<T> for Prepared<'_> {
    type Memory = Scratch;
    type Shared = ();

    fn share(&self, _: &[f64], _: usize) {}

    fn sorts(&self) -> bool {
        Prepared::sorts(self)
    }

    fn sort_ahead(&self, columns: &[&[T]], memory: &mut Scratch, (): &(), _: Place) {
        memory.order.prepare(columns.iter().copied());
    }

    fn run(
        &self,
        y: &[T],
        gradient: Option<Gradient<'_, T>>,
        memory: &mut Scratch,
        (): &(),
        place: Place,
    ) -> f64 {
        memory.order.next_is(place.ahead);
        Prepared::run(self, y, gradient, memory)
    }

    fn finish(&mut self, (): (), _: &[f64], _: usize) {}
}

/// About how many nanoseconds a thread takes for so many points on all directions, given what a point takes on one.
pub(crate) fn projected(points: usize, directions: &Directions, each: f64) -> f64 {
    points as f64 * directions.count() as f64 * (each + directions.dim() as f64 / 16.0)
}

/// The sample in panels, after the checks.
pub(crate) fn checked<S: Sample>(
    argument: &'static str,
    x: &ArrayRef2<S>,
    directions: &Directions,
) -> Result<Panels<S::Compute>, Error> {
    let d = directions.dim();
    if x.nrows() == 0 || x.ncols() != d || u32::try_from(x.nrows()).is_err() {
        return Err(none(argument, x.shape(), &format!("[n, {d}] with 1 <= n < 2^32")));
    }
    // Panels, gradient and a block of projections, made and dropped call after call: together at most what glibc keeps.
    keep_together::<S::Compute>(1, (3 * x.len()).min(KEPT));
    if let Some(panels) = Panels::new(x) {
        return Ok(panels);
    }
    sizes(argument, x.iter().map(|v| v.compute().to_f64()))?;
    Err(Error::Overflow { quantity: "x", element: S::Compute::NAME })
}

/// A projected sample, the slopes of its points, and what the kernel keeps.
type Memory<T, C> = (Vec<T>, Vec<T>, C);

/// Where a column belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Which of the block's directions it is along, or the first of several.
    pub direction: usize,
    /// How many the block has.
    pub count: usize,
    /// Which it was of those that were sorted ahead.
    pub ahead: Option<usize>,
}

/// What is done with the projections.
pub(crate) trait Kernel<T: Compute>: Sync {
    /// Kept between directions.
    type Memory: Default + Send;
    /// What the directions of a block share.
    type Shared: Sync;

    fn share(&self, block: &[f64], count: usize) -> Self::Shared;

    /// Whether it sorts the columns.
    fn sorts(&self) -> bool;

    /// Sorts columns along successive directions together, as far as that goes.
    fn sort_ahead(&self, columns: &[&[T]], memory: &mut Self::Memory, shared: &Self::Shared, place: Place);

    /// The value of one column, and its slopes.
    fn run(
        &self,
        y: &[T],
        gradient: Option<Gradient<'_, T>>,
        memory: &mut Self::Memory,
        shared: &Self::Shared,
        place: Place,
    ) -> f64;

    /// Takes back what a block has shared.
    fn finish(&mut self, shared: Self::Shared, block: &[f64], count: usize);
}

/// The kernel's value along each direction, and, when asked for, the gradient of their mean added to `grad`. About `held`
/// projections are made at a time.
pub(crate) fn blocks<T: Compute, K: Kernel<T>>(
    panels: &Panels<T>,
    directions: &Directions,
    held: usize,
    mut grad: Option<&mut [T]>,
    kernel: &mut K,
) -> Result<Vec<f64>, Error> {
    let (n, depth, total) = (panels.rows(), directions.dim(), directions.count());
    let rows = directions.vectors().as_slice().unwrap_or_default();
    let held = (held / n).max(8).min(total);
    // Equal blocks.
    let held = total.div_ceil(total.div_ceil(held));
    let mut projections = vec![T::ZERO; panels.padded_rows() * held];
    let mut values = Vec::with_capacity(total);
    let (scale, pool) = (1.0 / total as f64, Mutex::default());
    for block in rows.chunks(held * depth) {
        let count = block.len() / depth;
        let projections = &mut projections[..panels.padded_rows() * count];
        panels.project(&Packed::new(block, depth), projections);
        let shared = kernel.share(block, count);
        let wanted = grad.is_some();
        let mut columns = columns(projections, count);
        // Several threads have groups enough, and the network columns.
        let groups = if parallel::count() == 1 { 1 } else { 2 * parallel::count() };
        let least = count.div_ceil(groups).min(COLUMNS);
        let ahead = kernel.sorts() && n <= short() && 2 * least > COLUMNS;
        let task =
            |(y, slopes, memory): &mut Memory<T, K::Memory>, first: usize, columns: &mut [Vec<&mut [T]>]| {
                let mut values = Vec::with_capacity(columns.len());
                for (k, columns) in columns.chunks_mut(COLUMNS).enumerate() {
                    let first = first + k * COLUMNS;
                    if ahead {
                        // Columns so short have one part.
                        let columns: Vec<&[T]> = columns.iter().map(|parts| &parts[0][..n]).collect();
                        kernel.sort_ahead(
                            &columns,
                            memory,
                            &shared,
                            Place { direction: first, count, ahead: None },
                        );
                    }
                    for (k, column) in columns.iter_mut().enumerate() {
                        let y = joined(column.iter().map(|part| &**part), n, y);
                        let place = Place { direction: first + k, count, ahead: ahead.then_some(k) };
                        // Infinite or NaN where the sum overflowed.
                        if !fine(y) {
                            values.push(f64::NAN);
                        } else if wanted {
                            slopes.resize(n, T::ZERO);
                            let gradient = Gradient { out: slopes, scale };
                            values.push(kernel.run(y, Some(gradient), memory, &shared, place));
                            replace(column, slopes);
                        } else {
                            values.push(kernel.run(y, None, memory, &shared, place));
                        }
                    }
                }
                values
            };
        let found = per_group(&mut columns, if ahead { least } else { 1 }, &pool, task);
        if found.iter().any(|value| value.is_nan()) {
            return Err(Error::Overflow { quantity: "projection", element: T::NAME });
        }
        values.extend(found);
        if let Some(grad) = &mut grad {
            let (width, theta) = padded(block, depth);
            add_adjoint(projections, count, &theta, depth, width, grad);
        }
        kernel.finish(shared, block, count);
    }
    Ok(values)
}
