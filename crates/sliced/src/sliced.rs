//! Distances of D-dimensional samples through their projections.

use std::sync::Mutex;

use ndarray::{Array1, Array2, ArrayRef2};
use variata_distributions::Real;
use variata_distributions::lanes::{keep_together, widest};
use variata_distributions::parallel::within;

use crate::column::{Gradient, Scratch};
use crate::directions::Directions;
use crate::distance::{Discrepancy, LARGEST, none, not_too_steep, sizes};
use crate::error::Error;
use crate::project::{Packed, Panels, add_adjoint, columns, joined, padded, per_direction, replace};
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
    /// over more than 4096 cells of 0.4 smoothing widths needs up to 70 numbers of f64 a point and thread beside that.
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
        within(|| self.evaluate_within(x, directions, wanted))
    }

    fn evaluate_within<S: Sample>(
        &self,
        x: &ArrayRef2<S>,
        directions: &Directions,
        wanted: bool,
    ) -> Result<(Sliced, Vec<S::Compute>), Error> {
        let panels = checked("x", x, directions)?;
        let prepared = self.prepare(panels.rows())?;
        let mut grad = vec![S::Compute::ZERO; if wanted { x.len() } else { 0 }];
        let kernel =
            |y: &[S::Compute], gradient: Option<Gradient<'_, _>>, memory: &mut Scratch, (): &(), _| {
                prepared.run(y, gradient, memory)
            };
        let grads = wanted.then_some(&mut grad[..]);
        let values = blocks(&panels, directions, HELD, grads, |_, _| (), kernel, |(), _, _| ())?;
        let sliced = Sliced::new(directions, values);
        if !sliced.mean.is_finite() {
            return Err(Error::Overflow { quantity: self.distance().name(), element: "f64" });
        }
        not_too_steep(self.steepness(sliced.mean), &grad)?;
        Ok((sliced, grad))
    }
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

/// Whether all values are finite and of a size whose square is.
pub(crate) fn fine<T: Compute>(y: &[T]) -> bool {
    widest(
        #[inline(always)]
        || y.iter().fold(true, |fine, v| fine & (v.to_f64().abs() <= LARGEST)),
    )
}

/// The kernel's value along each direction, and, when asked for, the gradient of their mean added to `grad`. About `held`
/// projections are made at a time; `prepare` makes what the directions of a block share, and `finish` takes it back; the kernel is also
/// told how many they are and which it is.
pub(crate) fn blocks<T: Compute, B: Sync, C: Default + Send>(
    panels: &Panels<T>,
    directions: &Directions,
    held: usize,
    mut grad: Option<&mut [T]>,
    prepare: impl Fn(&[f64], usize) -> B,
    kernel: impl Fn(&[T], Option<Gradient<'_, T>>, &mut C, &B, (usize, usize)) -> f64 + Sync + Send,
    mut finish: impl FnMut(B, &[f64], usize),
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
        let shared = prepare(block, count);
        let wanted = grad.is_some();
        let mut columns = columns(projections, count);
        let found =
            per_direction(&mut columns, &pool, |(y, slopes, memory): &mut Memory<T, C>, j, column| {
                let y = joined(column.iter().map(|part| &**part), n, y);
                // Infinite or NaN where the sum overflowed.
                if !fine(y) {
                    return f64::NAN;
                }
                if !wanted {
                    return kernel(y, None, memory, &shared, (count, j));
                }
                slopes.resize(n, T::ZERO);
                let value = kernel(y, Some(Gradient { out: slopes, scale }), memory, &shared, (count, j));
                replace(column, slopes);
                value
            });
        if found.iter().any(|value| value.is_nan()) {
            return Err(Error::Overflow { quantity: "projection", element: T::NAME });
        }
        values.extend(found);
        if let Some(grad) = &mut grad {
            let (width, theta) = padded(block, depth);
            add_adjoint(projections, count, &theta, depth, width, grad);
        }
        finish(shared, block, count);
    }
    Ok(values)
}
