//! QuickBundlesX: clusters of streamlines as a tree, one threshold a level.

use ndarray::{Array3, ArrayRef3};
use variata_distributions::ArgumentError;

use crate::Error;
use crate::coordinate::{Coordinate, sizes};
use crate::error::{scalar, shape};

/// QuickBundlesX (Garyfallidis et al. 2016): each streamline in turn walks down a tree of clusters and at each level joins
/// the nearest one, or begins a new one where none is within the level's threshold.
///
/// The nearest cluster is the one with the smallest mean distance of points between its centroid and the streamline, direct
/// or turned round, among those whose bounding boxes come within the threshold of the streamline's. A cluster's
/// centroid is the running mean of its members, turned round where that was nearer. With one threshold this is QuickBundles
/// with the [`mdf`](crate::mdf()).
///
/// The arithmetic is dipy's (`QuickBundlesX` with `AveragePointwiseEuclideanMetric`): the same clusters for the same order.
///
/// ```
/// use ndarray::array;
/// use variata_streamlines::QuickBundlesX;
///
/// let lines = array![
///     [[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]],
///     [[9.0, 1.0, 0.0], [0.0, 1.0, 0.0]], // 1 mm beside the first, the other way round
///     [[0.0, 50.0, 0.0], [9.0, 50.0, 0.0]],
/// ];
/// let clusters = QuickBundlesX::new([2.0])?.cluster(&lines, &[0, 1, 2])?;
/// assert_eq!(clusters.members, [vec![0, 1], vec![2]]);
/// assert_eq!(clusters.centroids[[0, 0, 1]], 0.5); // the y between the two
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct QuickBundlesX {
    thresholds: Vec<f64>,
}

/// Clusters of streamlines, in the order of the tree's leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters<T> {
    /// Means of the members, [clusters, points, 3].
    pub centroids: Array3<T>,
    /// Indices of the members of each cluster, in the order in which they came.
    pub members: Vec<Vec<usize>>,
}

/// A cluster at some level; the root is level 0 and holds everything.
#[derive(Debug)]
struct Node<T> {
    centroid: Vec<[T; 3]>,
    bounds: Box3<T>,
    children: Vec<usize>,
    members: Vec<usize>,
    level: usize,
}

/// Centre and half widths of a box around points.
#[derive(Debug, Clone, Copy)]
struct Box3<T> {
    centre: [T; 3],
    radius: [T; 3],
}

impl<T: Coordinate> Box3<T> {
    fn around(points: &[[T; 3]]) -> Self {
        let mut low = points.first().copied().unwrap_or([T::ZERO; 3]);
        let mut high = low;
        for point in points {
            for d in 0..3 {
                if high[d] < point[d] {
                    high[d] = point[d];
                }
                if low[d] > point[d] {
                    low[d] = point[d];
                }
            }
        }
        let radius = std::array::from_fn(|d| (high[d] - low[d]) / T::from_f64(2.0));
        Self { centre: std::array::from_fn(|d| low[d] + radius[d]), radius }
    }

    fn within(&self, other: &Self, padding: T) -> bool {
        (0..3).all(|d| {
            let gap = self.centre[d] - other.centre[d];
            let gap = if gap < T::ZERO { T::ZERO - gap } else { gap };
            gap <= self.radius[d] + other.radius[d] + padding
        })
    }
}

impl QuickBundlesX {
    /// Clustering with a threshold for each level, in the coordinates' unit.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is no threshold, or one is negative or not finite.
    pub fn new(thresholds: impl Into<Vec<f64>>) -> Result<Self, Error> {
        let thresholds = thresholds.into();
        if thresholds.is_empty() {
            return Err(shape("thresholds", &[0], "[at least 1]"));
        }
        match thresholds.iter().find(|&&x| !(x >= 0.0 && x.is_finite())) {
            Some(&wrong) => Err(scalar("thresholds", wrong, "finite and not negative")),
            None => Ok(Self { thresholds }),
        }
    }

    /// The clusters of the last level, of `lines` [streamlines, points, 3] visited in `order`, which need not name all.
    ///
    /// # Errors
    /// [`Error::Argument`] unless `lines` is [_, at least 1, 3] with numbers that are finite and can be squared, and every index
    /// of `order` is one of a streamline.
    pub fn cluster<T: Coordinate>(
        &self,
        lines: &ArrayRef3<T>,
        order: &[usize],
    ) -> Result<Clusters<T>, Error> {
        let (n, points, three) = lines.dim();
        if three != 3 || points == 0 {
            return Err(shape("lines", lines.shape(), "[streamlines, at least 1 point, 3]"));
        }
        sizes("lines", lines)?;
        if let Some(i) = order.iter().position(|&index| index >= n) {
            let (index, value) = (Some(i), order[i] as f64);
            let must = "less than the number of streamlines";
            return Err(ArgumentError::Value { argument: "order", index, value, must }.into());
        }
        let lines = crate::panels::flat(lines);
        let thresholds: Vec<T> = self.thresholds.iter().map(|&x| T::from_f64(x)).collect();
        let mut tree = vec![Node::new(points, 0)];
        let mut flipped = Vec::with_capacity(points);
        for &index in order {
            let line = &lines[index * points..][..points];
            flipped.clear();
            flipped.extend(line.iter().rev().copied());
            insert(&mut tree, &thresholds, index, line, &flipped);
        }
        Ok(leaves(&tree, thresholds.len(), points))
    }
}

impl<T: Coordinate> Node<T> {
    fn new(points: usize, level: usize) -> Self {
        let bounds = Box3 { centre: [T::ZERO; 3], radius: [T::ZERO; 3] };
        let centroid = vec![[T::ZERO; 3]; points];
        Self { centroid, bounds, children: Vec::new(), members: Vec::new(), level }
    }

    fn join(&mut self, index: usize, line: &[[T; 3]]) {
        let (before, after) =
            (T::from_f64(self.members.len() as f64), T::from_f64((self.members.len() + 1) as f64));
        for (mean, point) in self.centroid.iter_mut().zip(line) {
            for (mean, &x) in mean.iter_mut().zip(point) {
                *mean = (*mean * before + x) / after;
            }
        }
        self.members.push(index);
        self.bounds = Box3::around(&self.centroid);
    }
}

fn insert<T: Coordinate>(
    tree: &mut Vec<Node<T>>,
    thresholds: &[T],
    index: usize,
    line: &[[T; 3]],
    flipped: &[[T; 3]],
) {
    let bounds = Box3::around(line);
    let mut at = 0;
    for (level, &threshold) in thresholds.iter().enumerate() {
        let (mut nearest, mut distance, mut turned) = (None, f64::INFINITY, false);
        for &child in &tree[at].children {
            if !tree[child].bounds.within(&bounds, threshold) {
                continue;
            }
            for (line, turn) in [(line, false), (flipped, true)] {
                // As dipy: summed in f64, compared after rounding to the coordinates' type.
                let found = T::from_f64(mean_gap(&tree[child].centroid, line)).to_f64();
                if found < distance {
                    (nearest, distance, turned) = (Some(child), found, turn);
                }
            }
        }
        at = match nearest {
            Some(child) if !(distance > threshold.to_f64()) => child,
            _ => {
                let child = tree.len();
                tree.push(Node::new(line.len(), level + 1));
                tree[at].children.push(child);
                child
            }
        };
        // A new cluster, too, takes the streamline the way that was nearest to another one: dipy's order of things.
        tree[at].join(index, if turned { flipped } else { line });
    }
}

/// Mean distance of points; differences in `T`, the rest in `f64`.
fn mean_gap<T: Coordinate>(a: &[[T; 3]], b: &[[T; 3]]) -> f64 {
    let gaps = a.iter().zip(b).map(|(a, b)| {
        let squares = a.iter().zip(b).map(|(&a, &b)| (a - b).to_f64());
        squares.fold(0.0, |sum, d| sum + d * d).sqrt()
    });
    gaps.fold(0.0, |sum, gap| sum + gap) / a.len() as f64
}

/// The nodes of the last level, children in order.
fn leaves<T: Coordinate>(tree: &[Node<T>], level: usize, points: usize) -> Clusters<T> {
    let mut found = Vec::new();
    let mut stack = vec![0];
    while let Some(at) = stack.pop() {
        if tree[at].level == level {
            found.push(at);
        }
        stack.extend(tree[at].children.iter().rev());
    }
    let mut centroids = Array3::from_elem((found.len(), points, 3), T::ZERO);
    for (mut to, &at) in centroids.outer_iter_mut().zip(&found) {
        for (to, &x) in to.iter_mut().zip(tree[at].centroid.as_flattened()) {
            *to = x;
        }
    }
    Clusters { centroids, members: found.iter().map(|&at| tree[at].members.clone()).collect() }
}
