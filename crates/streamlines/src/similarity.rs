//! How much of two bundles lies together: bundle adjacency and the shape similarity of BUAN.

use ndarray::{Array3, ArrayRef3};
use rand::Rng;

use crate::coordinate::Coordinate;
use crate::error::{scalar, shape};
use crate::{Error, QuickBundlesX, Streamlines, nearest};

/// Bundle adjacency of two bundles, [m, points, 3] and [n, points, 3]: the share of streamlines that have one of the other
/// bundle nearer than the threshold, the mean over both sides; in [0, 1].
///
/// ```text
/// BA = ½ ( #{i : minⱼ MDF(aᵢ, bⱼ) < t} / m + #{j : minᵢ MDF(aᵢ, bⱼ) < t} / n )
/// ```
/// 0 if either bundle is empty.
///
/// Source: Garyfallidis et al. 2012; dipy's `bundle_adjacency`.
///
/// # Errors
/// As [`mdf`](crate::mdf()), and [`Error::Argument`] for a threshold that is NaN.
///
/// ```
/// use ndarray::array;
/// use variata_streamlines::bundle_adjacency;
///
/// let a = array![[[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]]];
/// let b = array![[[9.0, 1.0, 0.0], [0.0, 3.0, 0.0]], [[0.0, 0.0, 5.0], [9.0, 0.0, 5.0]]];
/// assert_eq!(bundle_adjacency(&a, &b, 3.0)?, 0.75); // all of a, half of b
/// assert_eq!(bundle_adjacency(&a, &b, 2.0)?, 0.0); // 2 is not less than 2
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
pub fn bundle_adjacency<T: Coordinate>(
    a: &ArrayRef3<T>,
    b: &ArrayRef3<T>,
    threshold: f64,
) -> Result<f64, Error> {
    if threshold.is_nan() {
        return Err(scalar("threshold", threshold, "a number"));
    }
    let found = nearest(a, b)?;
    if found.a.is_empty() || found.b.is_empty() {
        return Ok(0.0);
    }
    let share = |smallest: &[T]| {
        let near = smallest.iter().filter(|x| x.to_f64() < threshold).count();
        near as f64 / smallest.len() as f64
    };
    Ok(0.5 * (share(&found.a) + share(&found.b)))
}

/// The shape similarity of BUAN (Chandio et al. 2020), dipy's `bundle_shape_similarity`: bundle adjacency of what is left
/// of two bundles after clustering.
///
/// Each bundle is resampled, clustered by [`QuickBundlesX`] in random order, the centroids of the last level are clustered
/// once more with the last threshold in random order, and the resulting centroids are resampled and compared.
///
/// ```
/// use ndarray::Array3;
/// use rand::SeedableRng;
/// use rand_chacha::ChaCha8Rng;
/// use variata_streamlines::{ShapeSimilarity, Streamlines};
///
/// let line = |y: f32| vec![[0.0, y, 0.0], [40.0, y, 0.0], [80.0, y, 10.0]];
/// let a: Streamlines = [line(0.0), line(1.0), line(30.0)].into_iter().collect();
/// let b: Streamlines = [line(0.5)].into_iter().collect();
/// let mut rng = ChaCha8Rng::seed_from_u64(0);
/// // Within 6 mm are the centroid of the first two, and not the third: ½ (1/2 + 1/1).
/// assert_eq!(ShapeSimilarity::default().score(&a, &b, &mut rng)?, 0.75);
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ShapeSimilarity {
    /// Points that streamlines are resampled to.
    pub points: usize,
    /// Thresholds of the clustering, one a level; none: every streamline stands for itself.
    pub clustering: Vec<f64>,
    /// Streamlines nearer than this are adjacent; in the coordinates' unit.
    pub threshold: f64,
}

impl Default for ShapeSimilarity {
    /// dipy's: 20 points, clusters at 5, 3 and 1.5 mm, adjacency within 6 mm.
    fn default() -> Self {
        Self { points: 20, clustering: vec![5.0, 3.0, 1.5], threshold: 6.0 }
    }
}

impl ShapeSimilarity {
    /// The paper's (vq-diff): clustering at 0, which joins copies only, and a threshold of 0.05 in coordinates normalised
    /// to [−1, 1], some 4 to 5 mm.
    pub fn vq_diff() -> Self {
        Self { points: 20, clustering: vec![0.0], threshold: 0.05 }
    }

    /// The score of two bundles, in [0, 1]; 0 if either is empty. `rng` orders the streamlines for clustering.
    ///
    /// # Errors
    /// [`Error::Argument`] for options outside their domain and streamlines that cannot be resampled.
    pub fn score<T: Coordinate>(
        &self,
        a: &Streamlines<T>,
        b: &Streamlines<T>,
        rng: &mut impl Rng,
    ) -> Result<f64, Error> {
        self.score_in_order(a, b, |n| permutation(n, rng))
    }

    /// The score with the orders that `order` gives: for each bundle one of all streamlines, then one of the clusters, as
    /// dipy asks its generator. For those who compare with another implementation.
    ///
    /// # Errors
    /// As [`score`](Self::score), and [`Error::Argument`] for an order that has not as many entries as were asked for, or an index that is too
    /// large.
    pub fn score_in_order<T: Coordinate>(
        &self,
        a: &Streamlines<T>,
        b: &Streamlines<T>,
        mut order: impl FnMut(usize) -> Vec<usize>,
    ) -> Result<f64, Error> {
        let (a, b) = (a.resample(self.points)?, b.resample(self.points)?);
        if a.is_empty() || b.is_empty() {
            // Options are refused all the same.
            if !self.clustering.is_empty() {
                QuickBundlesX::new(&self.clustering[..])?;
            }
            return bundle_adjacency(&a, &b, self.threshold);
        }
        let (a, b) = (self.centroids(a, &mut order)?, self.centroids(b, &mut order)?);
        bundle_adjacency(&a, &b, self.threshold)
    }

    /// What is compared, [centroids, points, 3].
    fn centroids<T: Coordinate>(
        &self,
        lines: Array3<T>,
        order: &mut impl FnMut(usize) -> Vec<usize>,
    ) -> Result<Array3<T>, Error> {
        let Some(&last) = self.clustering.last() else { return Ok(lines) };
        let mut order = |n: usize| {
            let given = order(n);
            if given.len() == n {
                Ok(given)
            } else {
                Err(shape("order", &[given.len()], "an entry for each streamline"))
            }
        };
        let clusters = QuickBundlesX::new(&self.clustering[..])?.cluster(&lines, &order(lines.dim().0)?)?;
        let centroids = clusters.centroids;
        let merged = QuickBundlesX::new([last])?.cluster(&centroids, &order(centroids.dim().0)?)?;
        // Means of equidistant points are not equidistant, and dipy resamples again.
        Streamlines::from_array(&merged.centroids)?.resample(self.points)
    }
}

/// A random order of 0, …, n − 1.
pub(crate) fn permutation(n: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        // Bounded by a product of 128 bits: the bias is below 2⁻⁶⁴ · n.
        let j = ((u128::from(rng.next_u64()) * (i as u128 + 1)) >> 64) as usize;
        order.swap(i, j);
    }
    order
}
