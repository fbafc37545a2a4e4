//! The minimum average direct-flip distance.

use ndarray::{Array2, ArrayRef2, ArrayRef3, Axis};
use pulp::{Arch, Simd, WithSimd};
use variata_distributions::lanes::array;
use variata_distributions::parallel::{collect, for_each};

use crate::Error;
use crate::coordinate::{Coordinate, smaller};
use crate::panels::{LANES, Lanes, Panels, check_pair, flat};

/// Streamlines of the first bundle per task.
const TASK: usize = 16;

/// The minimum average direct-flip distance (MDF) of two streamlines of n points each, [n, 3].
///
/// ```text
/// MDF(a, b) = min( (1/n) Σₚ ‖aₚ − bₚ‖, (1/n) Σₚ ‖aₚ − bₙ₋₁₋ₚ‖ )
/// ```
/// Computed in the coordinates' type. Points are taken in pairs from both ends, so that the distance is the same bits when
/// the arguments change places and when a streamline is turned round.
///
/// Source: Garyfallidis et al. 2012, QuickBundles, eq. (1); dipy's `bundles_distances_mdf`.
///
/// # Errors
/// [`Error::Argument`] unless both are [n, 3] with the same n > 0, with numbers that are finite and can be squared.
///
/// ```
/// use ndarray::array;
///
/// let a = array![[0.0f32, 0.0, 0.0], [9.0, 0.0, 0.0]];
/// let b = array![[9.0f32, 1.0, 0.0], [0.0, 3.0, 0.0]];
/// assert_eq!(variata_streamlines::mdf(&a, &b)?, 2.0); // turned round: (1 + 3) / 2
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
pub fn mdf<T: Coordinate>(a: &ArrayRef2<T>, b: &ArrayRef2<T>) -> Result<T, Error> {
    let (a, b) = (a.view().insert_axis(Axis(0)), b.view().insert_axis(Axis(0)));
    Ok(mdf_matrix(&a, &b)?[[0, 0]])
}

/// [`mdf`] of every streamline of `a`, [m, points, 3], with every one of `b`, [n, points, 3]: [m, n].
///
/// Blocks of 8 streamlines of `b` side by side, one vector operation for all of them, and tasks of 16 streamlines of `a`; the
/// results do not depend on the number of threads.
///
/// # Errors
/// As [`mdf`].
///
/// ```
/// use ndarray::array;
///
/// let a = array![[[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]]];
/// let b = array![[[9.0, 1.0, 0.0], [0.0, 3.0, 0.0]], [[0.0, 0.0, 5.0], [9.0, 0.0, 5.0]]];
/// assert_eq!(variata_streamlines::mdf_matrix(&a, &b)?, array![[2.0, 5.0]]);
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
pub fn mdf_matrix<T: Coordinate>(a: &ArrayRef3<T>, b: &ArrayRef3<T>) -> Result<Array2<T>, Error> {
    let points = check_pair(a, b)?;
    let (m, n) = (a.dim().0, b.dim().0);
    let mut out = Array2::from_elem((m, n), T::ZERO);
    if m == 0 || n == 0 {
        return Ok(out);
    }
    let (lines, panels) = (flat(a), Panels::new(b));
    if let Some(out) = out.as_slice_mut() {
        let tasks = out.chunks_mut(TASK * n).zip(lines.chunks(TASK * points)).collect();
        for_each(tasks, |(out, lines)| {
            Arch::new().dispatch(Rows { lines, panels: &panels, points, columns: n, out });
        });
    }
    Ok(out)
}

/// Some rows of the matrix. A struct, since a closure reaches the wide instructions only if the compiler happens to inline
/// it: the body must be compiled inside the function that has them.
struct Rows<'a, T> {
    /// Points of the streamlines of the rows, one streamline behind the other.
    lines: &'a [[T; 3]],
    panels: &'a Panels<T>,
    points: usize,
    columns: usize,
    out: &'a mut [T],
}

impl<T: Coordinate> WithSimd for Rows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (k, (panel, filled)) in self.panels.iter().enumerate() {
            let lines = self.lines.chunks_exact(self.points);
            for (row, line) in self.out.chunks_exact_mut(self.columns).zip(lines) {
                let distances = distances(line, panel);
                row[k * LANES..][..filled].copy_from_slice(&distances[..filled]);
            }
        }
    }
}

/// The smallest distances between some streamlines of the first bundle and all of the second.
struct Smallest<'a, T> {
    lines: &'a [[T; 3]],
    panels: &'a Panels<T>,
    points: usize,
    out: &'a mut Nearest<T>,
}

impl<T: Coordinate> WithSimd for Smallest<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Nearest { a, b } = self.out;
        for ((panel, filled), of_b) in self.panels.iter().zip(b.chunks_mut(LANES)) {
            let mut columns = [T::from_f64(f64::INFINITY); LANES];
            for (of_a, line) in a.iter_mut().zip(self.lines.chunks_exact(self.points)) {
                let distances = distances(line, panel);
                for l in 0..LANES {
                    columns[l] = smaller(distances[l], columns[l]);
                }
                // The lanes that fill up the last panel repeat its last streamline.
                *of_a = distances.into_iter().fold(*of_a, smaller);
            }
            of_b.copy_from_slice(&columns[..filled]);
        }
    }
}

/// MDF of a streamline with each of a panel.
#[inline(always)]
fn distances<T: Coordinate>(line: &[[T; 3]], panel: &[[Lanes<T>; 3]]) -> Lanes<T> {
    let n = line.len().min(panel.len());
    let (line, panel) = (&line[..n], &panel[..n]);
    let (mut direct, mut flipped) = ([T::ZERO; LANES], [T::ZERO; LANES]);
    for p in 0..n / 2 {
        let q = n - 1 - p;
        let (a, z) = (line[p], line[q]);
        let (first, last) = (&panel[p], &panel[q]);
        for (l, sum) in direct.iter_mut().enumerate() {
            *sum += gap(a, first, l) + gap(z, last, l);
        }
        for (l, sum) in flipped.iter_mut().enumerate() {
            *sum += gap(a, last, l) + gap(z, first, l);
        }
    }
    if n % 2 == 1 {
        for l in 0..LANES {
            let middle = gap(line[n / 2], &panel[n / 2], l);
            direct[l] += middle;
            flipped[l] += middle;
        }
    }
    let count = T::from_f64(n as f64);
    array(|l| smaller(direct[l], flipped[l]) / count)
}

/// Distance of a point from the point of streamline `l`.
#[inline(always)]
fn gap<T: Coordinate>(a: [T; 3], b: &[Lanes<T>; 3], l: usize) -> T {
    let (x, y, z) = (a[0] - b[0][l], a[1] - b[1][l], a[2] - b[2][l]);
    (x * x + y * y + z * z).root()
}

/// For each streamline of either bundle its smallest [`mdf`] from the other bundle.
///
/// ```text
/// a[i] = minⱼ MDF(aᵢ, bⱼ),   b[j] = minᵢ MDF(aᵢ, bⱼ)
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Nearest<T> {
    /// For each streamline of the first bundle; ∞ where the second is empty.
    pub a: Vec<T>,
    /// For each streamline of the second bundle; ∞ where the first is empty.
    pub b: Vec<T>,
}

/// The smallest distances between two bundles, [m, points, 3] and [n, points, 3], without the matrix [m, n].
///
/// # Errors
/// As [`mdf`].
///
/// ```
/// use ndarray::array;
///
/// let a = array![[[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]]];
/// let b = array![[[9.0, 1.0, 0.0], [0.0, 3.0, 0.0]], [[0.0, 0.0, 5.0], [9.0, 0.0, 5.0]]];
/// let nearest = variata_streamlines::nearest(&a, &b)?;
/// assert_eq!((nearest.a, nearest.b), (vec![2.0], vec![2.0, 5.0]));
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
pub fn nearest<T: Coordinate>(a: &ArrayRef3<T>, b: &ArrayRef3<T>) -> Result<Nearest<T>, Error> {
    let points = check_pair(a, b)?;
    let (m, n) = (a.dim().0, b.dim().0);
    let far = T::from_f64(f64::INFINITY);
    let mut out = Nearest { a: vec![far; m], b: vec![far; n] };
    if m == 0 || n == 0 {
        return Ok(out);
    }
    let (lines, panels) = (flat(a), Panels::new(b));
    let chunks: Vec<&[[T; 3]]> = lines.chunks(TASK * points).collect();
    let parts = collect(chunks.len(), |task| {
        let lines = chunks[task];
        let mut part = Nearest { a: vec![far; lines.len() / points], b: vec![far; n] };
        Arch::new().dispatch(Smallest { lines, panels: &panels, points, out: &mut part });
        part
    });
    out.a.clear();
    for part in parts {
        out.a.extend(part.a);
        for (b, part) in out.b.iter_mut().zip(part.b) {
            *b = smaller(part, *b);
        }
    }
    Ok(out)
}
