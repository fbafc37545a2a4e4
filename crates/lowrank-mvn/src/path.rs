//! Ways from one noise vector to another.

use ndarray::{Array1, Array2, Array3, ArrayRef1, ArrayRef2, Axis, s};
use variata_distributions::{Real, check};

use crate::storage::Storage;
use crate::{Error, LowRankMvn};

/// Linear interpolation (1 − t)·a + t·b; the ends are exact.
///
/// # Errors
/// The lengths differ, a number is not finite, or the result overflows.
pub fn lerp<F: Real>(a: &ArrayRef1<F>, b: &ArrayRef1<F>, t: f64) -> Result<Array1<F>, Error> {
    guard(a, b, t)?;
    let entry = |(a, b): (&F, &F)| match t {
        0.0 => *a,
        1.0 => *b,
        // Between equal numbers there is nothing else.
        _ if a == b => *a,
        _ => {
            let (a, b) = (a.to_f64(), b.to_f64());
            let plain = (1.0 - t) * a + t * b;
            // Terms may overflow where their sum does not.
            F::from_f64(if plain.is_finite() {
                plain
            } else {
                ((1.0 - t) * (SMALL * a) + t * (SMALL * b)) / SMALL
            })
        }
    };
    checked(a.iter().zip(b).map(entry))
}

/// What the largest numbers are multiplied by on the way.
const SMALL: f64 = 1.0 / 18_446_744_073_709_551_616.0;

/// [`SMALL`] for vectors whose length may overflow, 1 for others.
fn smaller<F: Real>(a: &ArrayRef1<F>) -> f64 {
    if a.iter().any(|v| v.to_f64().abs() > 1e280) { SMALL } else { 1.0 }
}

/// The numbers of a result, if all are finite.
fn checked<F: Real>(values: impl Iterator<Item = F>) -> Result<Array1<F>, Error> {
    let values: Array1<F> = values.collect();
    let finite = values.iter().all(|v| v.to_f64().is_finite());
    if finite { Ok(values) } else { Err(Error::Overflow { quantity: "the interpolation", batch: 0 }) }
}

/// Spherical interpolation of two noise vectors: the direction turns at constant speed in their plane and the length goes
/// linearly from one to the other, so that what was likely stays likely on the way.
///
/// ```text
/// a = |a|·â,  b = |b|·b̂,  ω = 2·atan2(‖â − b̂‖, ‖â + b̂‖):
/// ((1 − t)|a| + t|b|) · [sin((1 − t)ω)·â + sin(tω)·b̂]/sin ω
/// ```
/// Source: SOS-VAE paper, section 3.3, after Shoemake, "Animating rotation with quaternion curves" (1985). The paper's ω is
/// the arc cosine of a product of norms (erratum 002-1). Its form for unequal lengths weighs a and b themselves, and diverges
/// as they become opposite; for equal lengths the two are the same.
///
/// The ends are exact. Parallel vectors, and pairs of which one is 0, go straight. Vectors that are opposite to rounding have no plane: the turn is
/// then by way of the coordinate axis that is farthest from them, the first of several. A number (r = 1) cannot turn and goes
/// straight. `t` beyond [0, 1] goes on turning.
///
/// ```
/// use ndarray::array;
/// let half = variata_lowrank_mvn::slerp(&array![2.0, 0.0], &array![0.0, 2.0], 0.5)?;
/// assert!((half[0] - 2f64.sqrt()).abs() < 1e-15 && (half[1] - 2f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), variata_lowrank_mvn::Error>(())
/// ```
///
/// # Errors
/// The lengths differ, a number is not finite, or the result overflows.
pub fn slerp<F: Real>(a: &ArrayRef1<F>, b: &ArrayRef1<F>, t: f64) -> Result<Array1<F>, Error> {
    guard(a, b, t)?;
    if t == 0.0 || t == 1.0 {
        return Ok(if t == 0.0 { a.to_owned() } else { b.to_owned() });
    }
    let (of_a, of_b) = (smaller(a), smaller(b));
    let (from, to) = (unit(a, of_a), unit(b, of_b));
    let (Some((size_a, from)), Some((size_b, to))) = (from, to) else { return lerp(a, b, t) };
    let apart = norm(from.iter().zip(&to).map(|(a, b)| a - b));
    let along = norm(from.iter().zip(&to).map(|(a, b)| a + b));
    if apart == 0.0 || from.len() < 2 {
        return lerp(a, b, t);
    }
    let angle = 2.0 * libm::atan2(apart, along);
    let by = of_a.min(of_b);
    let size = (1.0 - t) * (size_a * (by / of_a)) + t * (size_b * (by / of_b));
    // From the middle of the arc along the chord, which are orthogonal because both vectors have length 1: symmetric in a and
    // b, and bounded for opposite vectors, where the weights of the textbook form are not.
    let mut chord: Vec<f64> = from.iter().zip(&to).map(|(a, b)| (b - a) / apart).collect();
    let mut middle: Vec<f64> = if along > 0.0 {
        from.iter().zip(&to).map(|(a, b)| (a + b) / along).collect()
    } else {
        perpendicular(&chord)
    };
    // The shorter of the two has rounding errors along the other.
    if along > apart {
        straighten(&mut chord, &middle);
    } else {
        straighten(&mut middle, &chord);
    }
    let turn = (t - 0.5) * angle;
    let (sine, cosine) = (libm::sin(turn), libm::cos(turn));
    checked(middle.iter().zip(&chord).map(|(m, c)| F::from_f64(size * (cosine * m + sine * c) / by)))
}

/// Makes a vector that is orthogonal to a unit vector but for rounding so, and a unit vector again. Where rounding was most of
/// it, any orthogonal one will do.
fn straighten(rough: &mut Vec<f64>, exact: &[f64]) {
    let error: f64 = rough.iter().zip(exact).map(|(rough, exact)| rough * exact).sum();
    rough.iter_mut().zip(exact).for_each(|(rough, exact)| *rough -= error * exact);
    let left = norm(rough.iter().copied());
    if left < 0.5 {
        *rough = perpendicular(exact);
    } else {
        for rough in rough.iter_mut() {
            *rough /= left;
        }
    }
}

/// A unit vector orthogonal to another: the axis on which that is smallest, less its part along it.
fn perpendicular(u: &[f64]) -> Vec<f64> {
    let axis = (0..u.len()).fold(0, |best, i| if u[i].abs() < u[best].abs() { i } else { best });
    let flat: Vec<f64> =
        u.iter().enumerate().map(|(i, x)| f64::from(u8::from(i == axis)) - u[axis] * x).collect();
    let size = norm(flat.iter().copied());
    flat.into_iter().map(|x| x / size).collect()
}

/// Length, `by` times what it is, and direction; `None` for 0.
fn unit<F: Real>(a: &ArrayRef1<F>, by: f64) -> Option<(f64, Vec<f64>)> {
    let size = norm(a.iter().map(|v| by * v.to_f64()));
    // Twice, because a subnormal length has few digits.
    let once: Vec<f64> = a.iter().map(|v| by * v.to_f64() / size).collect();
    let again = norm(once.iter().copied());
    (size > 0.0 && again.is_finite()).then(|| (size, once.into_iter().map(|v| v / again).collect()))
}

/// Euclidean length, without over- or underflow.
fn norm(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = values.clone().fold(0.0f64, |m, v| m.max(v.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    largest * libm::sqrt(values.map(|v| (v / largest) * (v / largest)).sum())
}

fn guard<F: Real>(a: &ArrayRef1<F>, b: &ArrayRef1<F>, t: f64) -> Result<(), Error> {
    check::finite("a", a)?;
    check::shape("b", b.shape(), a.shape())?;
    check::finite("b", b)?;
    Ok(check::scalar("t", t, "finite", t.is_finite())?)
}

/// [`slerp`] at `steps` equal steps from t = 0 to 1, [steps, r].
///
/// # Errors
/// As [`slerp`]; more than 65,536 steps.
pub fn slerp_path<F: Real>(a: &ArrayRef1<F>, b: &ArrayRef1<F>, steps: usize) -> Result<Array2<F>, Error> {
    guard(a, b, 0.0)?;
    countable("steps", steps)?;
    let mut path = Array2::from_elem((steps, a.len()), F::ZERO);
    for (k, mut row) in path.rows_mut().into_iter().enumerate() {
        row.assign(&slerp(a, b, fraction(k, steps))?);
    }
    Ok(path)
}

/// Grid between four corners [4, r], in the order top left, top right, bottom left, bottom right: [`slerp`] down both sides,
/// then between them, as the SOS-VAE authors' code does: [rows, columns, r].
///
/// # Errors
/// `corners` has not 4 rows, or is not finite; more than 65,536 rows or columns.
pub fn slerp_grid<F: Real>(corners: &ArrayRef2<F>, rows: usize, columns: usize) -> Result<Array3<F>, Error> {
    check::shape("corners", corners.shape(), &[4, corners.ncols()])?;
    check::finite("corners", corners)?;
    countable("rows", rows)?;
    countable("columns", columns)?;
    let mut grid = Array3::from_elem((rows, columns, corners.ncols()), F::ZERO);
    for i in 0..rows {
        let side =
            |left: usize, right: usize| slerp(&corners.row(left), &corners.row(right), fraction(i, rows));
        grid.index_axis_mut(Axis(0), i).assign(&slerp_path(&side(0, 2)?, &side(1, 3)?, columns)?);
    }
    Ok(grid)
}

fn countable(argument: &'static str, count: usize) -> Result<(), Error> {
    Ok(check::scalar(argument, count as f64, "at most 65536", count <= 1 << 16)?)
}

/// k of `steps` from 0 to 1; 0 for a single step.
fn fraction(k: usize, steps: usize) -> f64 {
    if steps < 2 { 0.0 } else { k as f64 / (steps - 1) as f64 }
}

impl<F: Real, S: Storage> LowRankMvn<'_, F, S> {
    /// Images on the way from one noise of the factor to another, `from` and `to` [batch, r], with the same noise of their own
    /// throughout, `noise_diag` [batch, n] → [batch, steps, n]. Source: SOS-VAE paper, eq. 4.
    ///
    /// # Errors
    /// A noise has another shape or is not finite; more than 65,536 steps.
    pub fn slerp_samples(
        &self,
        from: &ArrayRef2<F>,
        to: &ArrayRef2<F>,
        noise_diag: &ArrayRef2<F>,
        steps: usize,
    ) -> Result<Array3<F>, Error> {
        let shape = [self.batch(), self.rank()];
        check::shape("from", from.shape(), &shape)?;
        check::finite("from", from)?;
        check::shape("to", to.shape(), &shape)?;
        check::finite("to", to)?;
        countable("steps", steps)?;
        let mut noise = Array3::from_elem((self.batch(), steps, self.rank()), F::ZERO);
        for b in 0..self.batch() {
            noise.slice_mut(s![b, .., ..]).assign(&slerp_path(&from.row(b), &to.row(b), steps)?);
        }
        self.rsample_many(&noise, noise_diag)
    }
}
