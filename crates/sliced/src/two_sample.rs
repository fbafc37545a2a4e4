//! Wasserstein distances between two samples, on the line and sliced.

use std::sync::{Mutex, PoisonError};

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2};
use variata_distributions::{Real, check};

use crate::column::{Gradient, Scratch};
use crate::directions::Directions;
use crate::distance::{SORTED, none, normalised, not_too_steep, sizes, steepness};
use crate::error::Error;
use crate::order::short;
use crate::project::{Packed, Panels, add_adjoint, columns, joined, padded, parts, replace};
use crate::sliced::{HELD_OF_TWO, Kernel, Place, Sliced, blocks, checked, projected};
use crate::vectors::fine;
use crate::wasserstein::{Sorted, between, squared};
use variata_distributions::lanes::{Compute, Sample};
use variata_distributions::parallel::within;

const NAME: &str = "the Wasserstein distance";

/// Wₚᵖ between two samples, of any sizes, with weights or without.
///
/// ```text
/// Wₚᵖ = ∫₀¹ |Fₓ⁻¹(u) − F_y⁻¹(u)|ᵖ du = (1/n) Σ |x₍ₖ₎ − y₍ₖ₎|ᵖ for samples of one size n
/// ```
/// Source: paper sliced, SWAE; it is the p-th power, where POT gives the root. 0 when the samples agree, with gradient 0; with
/// weights but for the rounding of their sums.
///
/// ```
/// use ndarray::array;
/// use variata_sliced::TwoSample;
///
/// let w = TwoSample::new(1.0)?.value(&array![0.0, 1.0], &array![2.0])?;
/// assert_eq!(w, 1.5);
/// # Ok::<(), variata_sliced::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TwoSample<'a> {
    pub(crate) p: f64,
    pub(crate) x_weights: Option<&'a [f64]>,
    pub(crate) y_weights: Option<&'a [f64]>,
}

/// Derivatives of a two-sample distance.
#[derive(Debug, Clone, PartialEq)]
pub struct TwoSampleGrad<G> {
    /// In the first sample.
    pub x: G,
    /// In the second.
    pub y: G,
}

/// A sorted sample with its weights.
fn side<'a>(sorted: &'a Scratch, weights: Option<&'a [f64]>) -> Sorted<'a> {
    Sorted { values: &sorted.sorted, places: &sorted.places, weights }
}

impl<'a> TwoSample<'a> {
    /// The squared 2-Wasserstein distance.
    pub const SQUARED: TwoSample<'static> = TwoSample { p: 2.0, x_weights: None, y_weights: None };

    /// For a power p ≥ 1, all points counting alike.
    ///
    /// # Errors
    /// `p` is not finite or < 1.
    pub fn new(p: f64) -> Result<Self, Error> {
        check::scalar("p", p, "finite and >= 1", p >= 1.0 && p.is_finite())?;
        Ok(Self { p, x_weights: None, y_weights: None })
    }

    /// With weights ≥ 0 for the points of either sample; they are divided by their sums.
    #[must_use]
    pub fn weighted(self, x: Option<&'a [f64]>, y: Option<&'a [f64]>) -> Self {
        Self { x_weights: x, y_weights: y, ..self }
    }

    /// The distance between `x` `[n]` and `y` `[m]`.
    ///
    /// # Errors
    /// A sample is empty, or has a value that is not finite or above 1e150; weights that are not one number ≥ 0 for each
    /// point, or all 0; the value overflows.
    pub fn value<S: Sample>(&self, x: &ArrayRef1<S>, y: &ArrayRef1<S>) -> Result<f64, Error> {
        self.evaluate(x, y, |_, _, _| {})
    }

    /// The same with its gradients.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn value_with_grad<S: Sample>(
        &self,
        x: &ArrayRef1<S>,
        y: &ArrayRef1<S>,
    ) -> Result<(f64, TwoSampleGrad<Array1<S::Compute>>), Error> {
        let (mut in_x, mut in_y) = (vec![0.0; x.len()], vec![0.0; y.len()]);
        let value = self.evaluate(x, y, |i, j, slope| {
            in_x[i] += slope;
            in_y[j] -= slope;
        })?;
        let rounded = |grad: Vec<f64>| {
            let grad: Vec<S::Compute> = grad.into_iter().map(S::Compute::from_f64).collect();
            not_too_steep(steepness(self.p, value), &grad)?;
            Ok::<_, Error>(grad.into())
        };
        Ok((value, TwoSampleGrad { x: rounded(in_x)?, y: rounded(in_y)? }))
    }

    fn evaluate<S: Sample>(
        &self,
        x: &ArrayRef1<S>,
        y: &ArrayRef1<S>,
        slope: impl FnMut(usize, usize, f64),
    ) -> Result<f64, Error> {
        let mut sides = [Scratch::default(), Scratch::default()];
        for ((argument, sample), side) in [("x", x), ("y", y)].into_iter().zip(&mut sides) {
            if sample.is_empty() {
                return Err(none(argument, &[0], "[n] with n >= 1"));
            }
            let values: Vec<f64> = sample.iter().map(|v| v.compute().to_f64()).collect();
            sizes(argument, values.iter().copied())?;
            side.sort(&values);
        }
        let [wx, wy] = self.weights(x.len(), y.len())?;
        let value = between(&side(&sides[0], wx.as_deref()), &side(&sides[1], wy.as_deref()), self.p, slope);
        if value.is_finite() { Ok(value) } else { Err(Error::Overflow { quantity: NAME, element: "f64" }) }
    }

    fn weights(&self, n: usize, m: usize) -> Result<[Option<Vec<f64>>; 2], Error> {
        let of = |weights: Option<&[f64]>, n| weights.map(|weights| normalised(weights, n)).transpose();
        Ok([of(self.x_weights, n)?, of(self.y_weights, m)?])
    }

    /// The distance between `x` [n, dimensions] and `y` [m, dimensions], averaged over directions.
    ///
    /// # Errors
    /// As [`value`](Self::value); the dimensions of the samples and of the directions differ; a projection overflows.
    ///
    /// ```
    /// use ndarray::array;
    /// use variata_sliced::{Directions, TwoSample};
    ///
    /// let (x, y) = (array![[0.0, 0.0]], array![[3.0, 4.0]]);
    /// let directions = Directions::orthogonal(2, 2, 0)?;
    /// let sliced = TwoSample::SQUARED.sliced(&x, &y, &directions)?;
    /// assert!((sliced.mean - 12.5).abs() < 1e-13);
    /// # Ok::<(), variata_sliced::Error>(())
    /// ```
    pub fn sliced<S: Sample>(
        &self,
        x: &ArrayRef2<S>,
        y: &ArrayRef2<S>,
        directions: &Directions,
    ) -> Result<Sliced, Error> {
        self.within(x, y, directions, || self.slices(x, y, directions, [None, None]))
    }

    /// The same with the gradient of the mean in `x` alone, which takes less time. For that in `y` alone exchange the samples.
    ///
    /// # Errors
    /// As [`sliced`](Self::sliced), and where the gradient overflows as elements of `x`.
    pub fn sliced_with_grad_x<S: Sample>(
        &self,
        x: &ArrayRef2<S>,
        y: &ArrayRef2<S>,
        directions: &Directions,
    ) -> Result<(Sliced, Array2<S::Compute>), Error> {
        let mut grad = vec![S::Compute::ZERO; x.len()];
        let sliced =
            self.within(x, y, directions, || self.slices(x, y, directions, [Some(&mut grad), None]))?;
        Ok((sliced.clone(), self.shaped("x", x, grad, &sliced)?))
    }

    /// The same with the gradients of the mean in both samples: projections are made and sorted once.
    ///
    /// # Errors
    /// As [`sliced_with_grad_x`](Self::sliced_with_grad_x), for `y` too.
    ///
    /// ```
    /// use ndarray::array;
    /// use variata_sliced::{Directions, TwoSample};
    ///
    /// let axis = Directions::given(&array![[1.0]])?;
    /// let (_, grad) = TwoSample::SQUARED.sliced_with_grad(&array![[0.0]], &array![[3.0]], &axis)?;
    /// assert_eq!((grad.x, grad.y), (array![[-6.0]], array![[6.0]]));
    /// # Ok::<(), variata_sliced::Error>(())
    /// ```
    pub fn sliced_with_grad<S: Sample>(
        &self,
        x: &ArrayRef2<S>,
        y: &ArrayRef2<S>,
        directions: &Directions,
    ) -> Result<(Sliced, TwoSampleGrad<Array2<S::Compute>>), Error> {
        let (mut in_x, mut in_y) = (vec![S::Compute::ZERO; x.len()], vec![S::Compute::ZERO; y.len()]);
        let sliced = self
            .within(x, y, directions, || self.slices(x, y, directions, [Some(&mut in_x), Some(&mut in_y)]))?;
        let grad =
            TwoSampleGrad { x: self.shaped("x", x, in_x, &sliced)?, y: self.shaped("y", y, in_y, &sliced)? };
        Ok((sliced, grad))
    }

    /// Runs `f` on one thread or on all.
    fn within<S, T: Send>(
        &self,
        x: &ArrayRef2<S>,
        y: &ArrayRef2<S>,
        directions: &Directions,
        f: impl FnOnce() -> T + Send,
    ) -> T {
        let each = if self.p == 2.0 { SORTED } else { 40.0 };
        within(projected(x.nrows() + y.nrows(), directions, each), f)
    }

    /// A gradient, checked.
    fn shaped<S: Sample>(
        &self,
        argument: &'static str,
        like: &ArrayRef2<S>,
        grad: Vec<S::Compute>,
        sliced: &Sliced,
    ) -> Result<Array2<S::Compute>, Error> {
        not_too_steep(steepness(self.p, sliced.mean), &grad)?;
        Array2::from_shape_vec(like.dim(), grad).map_err(|_| none(argument, like.shape(), "[n, dimensions]"))
    }

    fn slices<S: Sample>(
        &self,
        x: &ArrayRef2<S>,
        y: &ArrayRef2<S>,
        directions: &Directions,
        [in_x, in_y]: [Option<&mut [S::Compute]>; 2],
    ) -> Result<Sliced, Error> {
        let (x, y) = (checked("x", x, directions)?, checked("y", y, directions)?);
        let [wx, wy] = self.weights(x.rows(), y.rows())?;
        let mut pairs = Pairs { p: self.p, y: &y, depth: directions.dim(), wx, wy, in_y };
        let values = blocks(&x, directions, HELD_OF_TWO, in_x, &mut pairs)?;
        let sliced = Sliced::new(directions, values);
        if sliced.mean.is_finite() {
            return Ok(sliced);
        }
        Err(Error::Overflow { quantity: NAME, element: "f64" })
    }
}

/// The projections of the first sample against those of the second.
struct Pairs<'a, T> {
    p: f64,
    y: &'a Panels<T>,
    depth: usize,
    wx: Option<Vec<f64>>,
    wy: Option<Vec<f64>>,
    /// Where the gradient in the second sample goes, if it is wanted.
    in_y: Option<&'a mut [T]>,
}

/// What the directions of a block share of the second sample.
struct Others<T> {
    projections: Vec<T>,
    /// The slopes of its points along each direction, where they are wanted.
    slopes: Vec<Mutex<Vec<T>>>,
}

/// A column of the second sample, slopes, and either sample sorted.
#[derive(Debug, Default)]
struct Both<T> {
    other: Vec<T>,
    slopes: Vec<f64>,
    sides: [Scratch; 2],
}

impl<T: Compute> Kernel<T> for Pairs<'_, T> {
    type Memory = Both<T>;
    type Shared = Others<T>;

    fn share(&self, block: &[f64], count: usize) -> Others<T> {
        let mut projections = vec![T::ZERO; self.y.padded_rows() * count];
        self.y.project(&Packed::new(block, self.depth), &mut projections);
        let wanted = if self.in_y.is_some() { count } else { 0 };
        Others { projections, slopes: (0..wanted).map(|_| Mutex::default()).collect() }
    }

    fn sorts(&self) -> bool {
        true
    }

    fn sort_ahead(&self, columns: &[&[T]], memory: &mut Both<T>, others: &Others<T>, place: Place) {
        memory.sides[0].order.prepare(columns.iter().copied());
        let m = self.y.rows();
        if m <= short() {
            let others = (place.direction..place.direction + columns.len())
                .filter_map(|j| parts(&others.projections, place.count, j).next());
            memory.sides[1].order.prepare(others.map(|part| &part[..m]));
        }
    }

    fn run(
        &self,
        left: &[T],
        mut gradient: Option<Gradient<'_, T>>,
        Both { other, slopes, sides: [first, second] }: &mut Both<T>,
        others: &Others<T>,
        place: Place,
    ) -> f64 {
        let (n, m) = (left.len(), self.y.rows());
        let other = joined(parts(&others.projections, place.count, place.direction), m, other);
        if !fine(other) {
            return f64::NAN;
        }
        first.order.next_is(place.ahead);
        first.sort(left);
        second.order.next_is(place.ahead.filter(|_| m <= short()));
        second.sort(other);
        // Of this direction alone, so that nobody waits.
        let mut turned = others
            .slopes
            .get(place.direction)
            .map(|slopes| slopes.lock().unwrap_or_else(PoisonError::into_inner));
        let scale = gradient.as_ref().map_or(0.0, |gradient| gradient.scale);
        let mut turned = turned.as_deref_mut().map(|out| {
            out.resize(m, T::ZERO);
            Gradient { out, scale }
        });
        // Point by point, by loops of vectors.
        if self.p == 2.0 && n == m && self.wx.is_none() && self.wy.is_none() {
            let value = squared(first, &second.sorted, gradient);
            if let Some(turned) = &mut turned {
                // The differences are left there.
                turned.scatter(&second.places, &first.sorted, -2.0 / n as f64);
            }
            return value;
        }
        let other = if turned.is_some() { m } else { 0 };
        slopes.clear();
        slopes.resize(n + other, 0.0);
        let (in_x, in_y) = slopes.split_at_mut(n);
        let (first, second) = (side(first, self.wx.as_deref()), side(second, self.wy.as_deref()));
        let value = if turned.is_some() {
            between(&first, &second, self.p, |i, j, slope| {
                in_x[i] += slope;
                in_y[j] -= slope;
            })
        } else {
            between(&first, &second, self.p, |i, _, slope| in_x[i] += slope)
        };
        if let Some(gradient) = &mut gradient {
            gradient.set_from(0, in_x, 1.0);
        }
        if let Some(turned) = &mut turned {
            turned.set_from(0, in_y, 1.0);
        }
        value
    }

    fn finish(&mut self, Others { mut projections, slopes }: Others<T>, block: &[f64], count: usize) {
        let Some(grad) = &mut self.in_y else { return };
        for (column, slopes) in columns(&mut projections, count).iter_mut().zip(slopes) {
            replace(column, &slopes.into_inner().unwrap_or_else(PoisonError::into_inner));
        }
        let (width, theta) = padded(block, self.depth);
        add_adjoint(&projections, count, &theta, self.depth, width, grad);
    }
}
