//! Codebooks to start from.

use ndarray::{Array1, Array2, ArrayRef2, Axis};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};
use variata_distributions::lanes::{Compute, Sample};
use variata_distributions::parallel::collect;
use variata_distributions::{ArgumentError, check};

use crate::clusters::{Clusters, Of};
use crate::codebook::{Codebook, Metric, check_rows, has_direction};
use crate::error::Error;
use crate::exact;
use crate::pack::largest;
use crate::quantize::mean;

/// Rows per task.
const TASK: usize = 1024;

/// A codebook from [`Codebook::k_means`].
#[derive(Debug, Clone)]
pub struct KMeans<T: Compute> {
    /// The codebook.
    pub codebook: Codebook<T>,
    /// Mean distance of the data from their codes before each step and after the last; it never rises but by round-off.
    pub objectives: Vec<f64>,
}

/// An array of zeros, refused where there is no memory for it.
pub(crate) fn zeros<T: Compute>(
    argument: &'static str,
    rows: usize,
    columns: usize,
) -> Result<Array2<T>, Error> {
    let size = rows.saturating_mul(columns);
    let mut memory = Vec::new();
    let fits = memory.try_reserve_exact(size).is_ok();
    check::scalar(argument, size as f64, "as many elements as there is memory for", fits)?;
    memory.resize(size, T::ZERO);
    Ok(Array2::from_shape_vec((rows, columns), memory).map_err(|error| ArgumentError::Shape {
        argument,
        got: vec![rows, columns],
        want: error.to_string(),
    })?)
}

impl<T: Compute> Codebook<T> {
    /// K codes in D dimensions drawn from N(0, σ²); the paper VQ-Diff has σ = 2, a standard deviation [errata 001-4].
    ///
    /// # Errors
    /// [`Error::Argument`] if σ is not finite and > 0, as an element too, or the shape is not one of a codebook.
    ///
    /// ```
    /// use rand::SeedableRng;
    /// use variata_quantize::{Codebook, Metric};
    ///
    /// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    /// let codebook = Codebook::<f32>::normal(512, 64, 2.0, Metric::SquaredEuclidean, &mut rng)?;
    /// let mean_square = codebook.codes().map(|v| v * v).mean().unwrap_or(0.0);
    /// assert!((mean_square - 4.0).abs() < 0.2);
    /// # Ok::<(), variata_quantize::Error>(())
    /// ```
    pub fn normal(
        codes: usize,
        dimensions: usize,
        sigma: f64,
        metric: Metric,
        rng: &mut impl Rng,
    ) -> Result<Self, Error> {
        // Of elements `T`: smaller ones would all be 0.
        let ok = sigma > 0.0 && sigma <= largest::<T>() && T::from_f64(sigma).to_f64() > 0.0;
        check::scalar("sigma", sigma, "finite and > 0 as an element", ok)?;
        let draw = |rng: &mut _| {
            let v: f64 = StandardNormal.sample(rng);
            sigma * v
        };
        Self::drawn(codes, dimensions, metric, rng, draw)
    }

    /// K codes in D dimensions, uniform on [−w, w]; van den Oord's code has w = 1/K.
    ///
    /// # Errors
    /// [`Error::Argument`] if w is not finite and > 0 or the shape is not one of a codebook.
    pub fn uniform(
        codes: usize,
        dimensions: usize,
        half_width: f64,
        metric: Metric,
        rng: &mut impl Rng,
    ) -> Result<Self, Error> {
        check::scalar(
            "half_width",
            half_width,
            "finite and > 0",
            half_width > 0.0 && half_width.is_finite(),
        )?;
        Self::drawn(codes, dimensions, metric, rng, |rng| half_width * (2.0 * rng.random::<f64>() - 1.0))
    }

    fn drawn<R: Rng>(
        codes: usize,
        dimensions: usize,
        metric: Metric,
        rng: &mut R,
        mut draw: impl FnMut(&mut R) -> f64,
    ) -> Result<Self, Error> {
        check::scalar("codes", codes as f64, "at most 16777216", codes <= 1 << 24)?;
        let mut drawn = zeros("codes times dimensions", codes, dimensions)?;
        drawn.mapv_inplace(|_: T| T::from_f64(draw(rng)));
        Self::new(drawn, metric)
    }

    /// K codes from data [N, D] by k-means++ (Arthur and Vassilvitskii 2007): the first is a row, each next one a row with probability in
    /// proportion to its distance from the codes so far. Once every row is a code, rows occur again.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no rows or no dimensions or K is not the number of codes of a codebook, [`Error::Row`] for a row that no codebook
    /// may hold.
    pub fn k_means_plus_plus<S: Sample<Compute = T>>(
        data: &ArrayRef2<S>,
        codes: usize,
        metric: Metric,
        rng: &mut impl Rng,
    ) -> Result<Self, Error> {
        check_rows("data", data, metric)?;
        let (rows, depth) = data.dim();
        check::scalar("rows of data", rows as f64, "at least 1", rows > 0)?;
        check::scalar("dimensions of data", depth as f64, "at least 1", depth > 0)?;
        check::scalar("codes", codes as f64, "from 1 to 16777216", (1..=1 << 24).contains(&codes))?;
        let data = data.map(|v| v.compute()).as_standard_layout().into_owned();
        let row = |i: usize| data.row(i).to_slice().unwrap_or_default();
        let mut chosen = vec![rng.random_range(0..rows)];
        let mut distances = vec![f64::INFINITY; rows];
        while chosen.len() < codes {
            let last = row(chosen[chosen.len() - 1]);
            let parts = collect(rows.div_ceil(TASK), |task| {
                let here = task * TASK..rows.min((task + 1) * TASK);
                let distance = |i: usize| exact::distance_dispatched(metric, row(i), last);
                here.map(|i| distances[i].min(distance(i))).collect::<Vec<f64>>()
            });
            distances = parts.concat();
            chosen.push(draw_index(&distances, rng));
        }
        Self::new(data.select(Axis(0), &chosen), metric)
    }

    /// K codes from data [N, D]: [k-means++](Self::k_means_plus_plus) and some steps of Lloyd's algorithm. A code that no row chooses
    /// stays where it is.
    ///
    /// # Errors
    /// As [`k_means_plus_plus`](Self::k_means_plus_plus).
    ///
    /// ```
    /// use ndarray::array;
    /// use rand::SeedableRng;
    /// use variata_quantize::{Codebook, Metric};
    ///
    /// let data = array![[0.0], [2.0], [10.0], [12.0]];
    /// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    /// let fitted = Codebook::k_means(&data, 2, 5, Metric::SquaredEuclidean, &mut rng)?;
    /// assert_eq!(fitted.objectives.last(), Some(&1.0));
    /// # Ok::<(), variata_quantize::Error>(())
    /// ```
    pub fn k_means<S: Sample<Compute = T>>(
        data: &ArrayRef2<S>,
        codes: usize,
        steps: usize,
        metric: Metric,
        rng: &mut impl Rng,
    ) -> Result<KMeans<T>, Error> {
        let mut codebook = Self::k_means_plus_plus(data, codes, metric, rng)?;
        let mut objectives = Vec::new();
        let mut found = codebook.assign_with_distances(data)?;
        for _ in 0..steps {
            objectives.push(mean(found.1.sum(), data.nrows()));
            let clusters = Clusters::of(&codebook, data, &found.0, Of::Choices)?;
            let mut next = codebook.codes().clone();
            for ((mut code, sums), &size) in
                next.rows_mut().into_iter().zip(clusters.sums().rows()).zip(clusters.sizes())
            {
                // Under the cosine metric length is free, and a mean of directions may be 0, or round to it.
                let centre = sums.mapv(|s| T::from_f64(s / size));
                let direction = || has_direction(centre.iter().map(|v| v.to_f64()));
                if size > 0.0 && (metric == Metric::SquaredEuclidean || direction()) {
                    code.assign(&centre);
                }
            }
            codebook.set_codes(next)?;
            found = codebook.assign_with_distances(data)?;
        }
        objectives.push(mean(found.1.sum(), data.nrows()));
        Ok(KMeans { codebook, objectives })
    }
}

/// An index with probability in proportion to its weight; any, if all weights are 0.
pub(crate) fn draw_index(weights: &[f64], rng: &mut impl Rng) -> usize {
    let total: f64 = weights.iter().sum();
    if !(total > 0.0 && total.is_finite()) {
        return rng.random_range(0..weights.len().max(1));
    }
    let at = rng.random::<f64>() * total;
    let mut sum = 0.0;
    let passed = weights.iter().position(|w| {
        sum += w;
        sum > at
    });
    // Round-off may leave `at` beyond the last sum.
    passed.or_else(|| weights.iter().rposition(|w| *w > 0.0)).unwrap_or(0)
}

/// Distances of rows from one code, lowered where it is nearer.
pub(crate) fn lower<T: Compute>(metric: Metric, rows: &Array2<T>, code: &[T], distances: &mut Array1<f64>) {
    for (row, distance) in rows.rows().into_iter().zip(distances) {
        *distance =
            distance.min(exact::distance_dispatched(metric, row.to_slice().unwrap_or_default(), code));
    }
}
