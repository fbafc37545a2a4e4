//! Means of closest distances.

use ndarray::{Array2, ArrayRef2};
use pulp::Arch;
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
        let (a, b) = (rows(a).collect::<Vec<_>>(), Packed::new(&rows(b).collect::<Vec<_>>()));
        Ok(closest(self, &a, &b, &mut Vec::new()))
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
        let packed: Vec<Packed<T>> = b.slices().map(Packed::new).collect();
        if let Some(out) = out.as_slice_mut().filter(|out| !out.is_empty()) {
            let tasks = out.chunks_mut(n).zip(a.slices()).collect();
            for_each(tasks, |(row, line): (&mut [T], &[[T; 3]])| {
                let mut buffer = Vec::new();
                for (to, other) in row.iter_mut().zip(&packed) {
                    *to = closest(self, line, other, &mut buffer);
                }
            });
        }
        Ok(out)
    }
}

/// A streamline as blocks [coordinate][point], the last filled up with its last point.
#[derive(Debug)]
struct Packed<T> {
    blocks: Vec<[[T; LANES]; 3]>,
    len: usize,
}

impl<T: Coordinate> Packed<T> {
    fn new(line: &[[T; 3]]) -> Self {
        let len = line.len();
        let mut blocks = vec![[[T::ZERO; LANES]; 3]; len.div_ceil(LANES)];
        for at in 0..blocks.len() * LANES {
            for (coordinate, &x) in blocks[at / LANES].iter_mut().zip(&line[at.min(len - 1)]) {
                coordinate[at % LANES] = x;
            }
        }
        Self { blocks, len }
    }
}

/// The distance; `buffer` is for the smallest squares so far from each point of `b`.
fn closest<T: Coordinate>(kind: Mam, a: &[[T; 3]], b: &Packed<T>, buffer: &mut Vec<[T; LANES]>) -> T {
    let far = T::from_f64(f64::INFINITY);
    buffer.clear();
    buffer.resize(b.blocks.len(), [far; LANES]);
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let mut from_a = T::ZERO;
            for point in a {
                let mut nearest = [far; LANES];
                for (block, from_b) in b.blocks.iter().zip(buffer.iter_mut()) {
                    for l in 0..LANES {
                        let x = point[0] - block[0][l];
                        let y = point[1] - block[1][l];
                        let z = point[2] - block[2][l];
                        let square = x * x + y * y + z * z;
                        nearest[l] = smaller(square, nearest[l]);
                        from_b[l] = smaller(square, from_b[l]);
                    }
                }
                from_a += nearest.into_iter().fold(far, smaller).root();
            }
            let mut from_b = T::ZERO;
            for &square in buffer.as_flattened().iter().take(b.len) {
                from_b += square.root();
            }
            kind.join(from_a / T::from_f64(a.len() as f64), from_b / T::from_f64(b.len as f64))
        },
    )
}
