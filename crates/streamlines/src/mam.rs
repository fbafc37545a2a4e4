//! Means of closest distances.

use ndarray::{Array2, ArrayRef2};
use pulp::{Arch, Simd, WithSimd};
use variata_distributions::ArgumentError;
use variata_distributions::parallel::for_each;

use crate::coordinate::{Coordinate, sizes, smaller};
use crate::streamlines::{rows, three};
use crate::{Error, Streamlines};

/// Points side by side in a vector.
const LANES: usize = 8;

/// How the two one-sided means of closest distances become one distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mam {
    /// Their mean; dipy's `avg`.
    #[default]
    Mean,
    /// The smaller one; dipy's `min`.
    Min,
    /// The larger one; dipy's `max`.
    Max,
}

impl Mam {
    /// All, in the order of their declaration.
    pub const ALL: [Self; 3] = [Self::Mean, Self::Min, Self::Max];

    #[inline(always)]
    fn join<T: Coordinate>(self, ab: T, ba: T) -> T {
        match self {
            Self::Mean => (ab + ba) / T::from_f64(2.0),
            Self::Min => smaller(ba, ab),
            Self::Max => {
                if ba > ab {
                    ba
                } else {
                    ab
                }
            }
        }
    }

    /// The distance of two streamlines, [m, 3] and [n, 3], of any numbers of points.
    ///
    /// ```text
    /// d(a → b) = (1/m) Σᵢ minⱼ ‖aᵢ − bⱼ‖,   mean, smaller or larger of d(a → b) and d(b → a)
    /// ```
    /// Computed in the coordinates' type; square roots of the smallest squares only.
    ///
    /// Source: Zhang, Correia & Laidlaw 2008; dipy's `bundles_distances_mam`.
    ///
    /// # Errors
    /// [`Error::Argument`] unless both are [_, 3], not empty, with numbers that are finite and can be squared.
    ///
    /// ```
    /// use ndarray::array;
    /// use variata_streamlines::Mam;
    ///
    /// let a = array![[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]];
    /// let b = array![[0.0, 1.0, 0.0]];
    /// // From a: 1 and √5; from b: 1.
    /// assert_eq!(Mam::Min.distance(&a, &b)?, 1.0);
    /// assert_eq!(Mam::Max.distance(&a, &b)?, (1.0 + 5f64.sqrt()) / 2.0);
    /// # Ok::<(), variata_streamlines::Error>(())
    /// ```
    pub fn distance<T: Coordinate>(self, a: &ArrayRef2<T>, b: &ArrayRef2<T>) -> Result<T, Error> {
        for (argument, x) in [("a", a), ("b", b)] {
            three(argument, x)?;
            if x.is_empty() {
                return Err(crate::error::shape(argument, x.shape(), "[at least 1 point, 3]"));
            }
            sizes(argument, x)?;
        }
        let (a, b): (Vec<_>, Vec<_>) = (rows(a).collect(), rows(b).collect());
        let (a, b) = (Packed::new(&a), Packed::new(&b));
        let mut out = [T::ZERO];
        Arch::new().dispatch(Row { kind: self, line: &a, others: &[b], out: &mut out });
        Ok(out[0])
    }

    /// [`distance`](Self::distance) of every streamline of `a` with every one of `b`: [streamlines of a, of b].
    ///
    /// On all cores, a row per task; the results do not depend on the number of threads.
    ///
    /// # Errors
    /// [`Error::Argument`] for a streamline without points, and numbers that are not finite or cannot be squared.
    ///
    /// ```
    /// use variata_streamlines::{Mam, Streamlines};
    ///
    /// let a: Streamlines<f64> = [vec![[0.0, 0.0, 0.0]]].into_iter().collect();
    /// let b: Streamlines<f64> = [vec![[0.0, 1.0, 0.0], [0.0, 3.0, 0.0]]].into_iter().collect();
    /// assert_eq!(Mam::Mean.matrix(&a, &b)?[[0, 0]], 1.5); // (1 + 2) / 2
    /// # Ok::<(), variata_streamlines::Error>(())
    /// ```
    pub fn matrix<T: Coordinate>(self, a: &Streamlines<T>, b: &Streamlines<T>) -> Result<Array2<T>, Error> {
        for (argument, x) in [("points of `a`", a), ("points of `b`", b)] {
            sizes(argument, &x.points())?;
            if let Some(i) = x.slices().position(<[_]>::is_empty) {
                let (index, must) = (Some(i), "at least 1 in every streamline");
                return Err(ArgumentError::Value { argument, index, value: 0.0, must }.into());
            }
        }
        let (m, n) = (a.len(), b.len());
        let mut out = Array2::from_elem((m, n), T::ZERO);
        let packed: Vec<Packed<'_, T>> = b.slices().map(Packed::new).collect();
        if let Some(out) = out.as_slice_mut().filter(|out| !out.is_empty()) {
            let tasks = out.chunks_mut(n).zip(a.slices()).collect();
            for_each(tasks, |(row, line): (&mut [T], &[[T; 3]])| {
                let line = Packed::new(line);
                Arch::new().dispatch(Row { kind: self, line: &line, others: &packed, out: row });
            });
        }
        Ok(out)
    }
}

/// A streamline as its points, and as blocks [coordinate][point], the last filled up with its last point.
#[derive(Debug)]
struct Packed<'a, T> {
    points: &'a [[T; 3]],
    blocks: Vec<[[T; LANES]; 3]>,
}

impl<'a, T: Coordinate> Packed<'a, T> {
    /// `points` is not empty.
    fn new(points: &'a [[T; 3]]) -> Self {
        let mut blocks = vec![[[T::ZERO; LANES]; 3]; points.len().div_ceil(LANES)];
        for at in 0..blocks.len() * LANES {
            for (coordinate, &x) in blocks[at / LANES].iter_mut().zip(&points[at.min(points.len() - 1)]) {
                coordinate[at % LANES] = x;
            }
        }
        Self { points, blocks }
    }
}

/// A row of the matrix; a struct for the same reason as in `mdf.rs`.
struct Row<'a, T> {
    kind: Mam,
    line: &'a Packed<'a, T>,
    others: &'a [Packed<'a, T>],
    out: &'a mut [T],
}

impl<T: Coordinate> WithSimd for Row<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (to, other) in self.out.iter_mut().zip(self.others) {
            let (there, back) = (one_way(self.line, other.points), one_way(other, self.line.points));
            *to = self.kind.join(there, back);
        }
    }
}

/// Mean distance of the points of `a` from the closest ones of `b`.
///
/// Each side is vectors of its own points against single points of the other: twice the differences, but nothing is
/// ever reduced across a vector inside the loops, which takes longer.
#[inline(always)]
fn one_way<T: Coordinate>(a: &Packed<'_, T>, b: &[[T; 3]]) -> T {
    let mut sums = [T::ZERO; LANES];
    let mut left = a.points.len();
    for block in &a.blocks {
        let mut nearest = [T::from_f64(f64::INFINITY); LANES];
        for point in b {
            for l in 0..LANES {
                let (x, y, z) = (block[0][l] - point[0], block[1][l] - point[1], block[2][l] - point[2]);
                nearest[l] = smaller(x * x + y * y + z * z, nearest[l]);
            }
        }
        nearest = nearest.map(T::root);
        if left >= LANES {
            for (sum, root) in sums.iter_mut().zip(nearest) {
                *sum += root;
            }
        } else {
            // The last block repeats its last point.
            for (sum, &root) in sums.iter_mut().zip(&nearest[..left]) {
                *sum += root;
            }
        }
        left = left.saturating_sub(LANES);
    }
    let total = sums.into_iter().fold(T::ZERO, |total, sum| total + sum);
    total / T::from_f64(a.points.len() as f64)
}
