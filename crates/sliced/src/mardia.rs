//! Mardia's multivariate skewness and kurtosis, as paper sliced uses them to judge normality.

use ndarray::{Array2, ArrayRef2, Axis, s};
use variata_distributions::linalg::{cholesky, dot, solve_lower};
use variata_distributions::parallel::collect;

use crate::distance::none;
use crate::error::Error;
use crate::pairs::points;
use variata_distributions::lanes::Sample;

/// Rows per block of pairs.
const BLOCK: usize = 256;

/// Skewness and kurtosis of a sample in D dimensions.
///
/// ```text
/// b₁ = (1/n²) Σⱼₖ (xⱼ·xₖ)³        b₂ = (1/n) Σⱼ ‖xⱼ‖⁴
/// ```
/// Source: paper sliced, section 4. For n independent draws of N(0, I), E b₁ = D(D + 2)(D + 4)/n, not 0, because pairs of a
/// point with itself count [errata 003-5], and E b₂ = D(D + 2).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Mardia {
    /// b₁ ≥ 0.
    pub skewness: f64,
    /// b₂ ≥ 0.
    pub kurtosis: f64,
    /// b₂ − D(D + 2), signed: the "normalised kurtosis" of the paper's table 1.
    pub normalised_kurtosis: f64,
    /// What b₁ is on average for a normal law: D(D + 2)(D + 4)/n for N(0, I), and D(D + 1)(D + 2)/n, up to a share of some 1/n, where
    /// the sample was standardised.
    pub expected_skewness: f64,
}

/// Skewness and kurtosis of `x` [n, dimensions] about the origin, not whitened, as in the paper: they test against N(0, I), mean
/// and covariance included [errata 003-6].
///
/// Time O(n² D) or O(n D³/6), whichever is less; f64.
///
/// # Errors
/// `x` is empty, or has a value that is not finite or above 1e150; the result overflows.
///
/// ```
/// use ndarray::array;
/// use variata_sliced::mardia;
///
/// let m = mardia(&array![[1.0], [-1.0]])?;
/// assert_eq!((m.skewness, m.kurtosis, m.normalised_kurtosis), (0.0, 1.0, -2.0));
/// # Ok::<(), variata_sliced::Error>(())
/// ```
pub fn mardia<S: Sample>(x: &ArrayRef2<S>) -> Result<Mardia, Error> {
    let x = points("x", x)?;
    let (n, d) = (x.nrows() as f64, x.ncols() as f64);
    // A pair costs D products, a third moment n.
    let skewness = if n < d * d / 3.0 { by_pairs(&x) } else { by_moments(&x) };
    let fourth = |row: ndarray::ArrayView1<'_, f64>| row.dot(&row) * row.dot(&row);
    let kurtosis = x.rows().into_iter().map(fourth).sum::<f64>() / n;
    if !(skewness.is_finite() && kurtosis.is_finite()) {
        return Err(Error::Overflow { quantity: "mardia", element: "f64" });
    }
    Ok(Mardia {
        skewness,
        kurtosis,
        normalised_kurtosis: kurtosis - d * (d + 2.0),
        expected_skewness: d * (d + 2.0) * (d + 4.0) / n,
    })
}

/// Mardia's own statistics: of the centred sample, whitened by its covariance (dividing by n). They test against any normal.
///
/// For normal draws E b₂ = D(D + 2)(n − 1)/(n + 1), so that [`normalised_kurtosis`](Mardia::normalised_kurtosis) is −2D(D + 2)/(n + 1) on average.
/// Source: Mardia 1970.
///
/// # Errors
/// As [`mardia`]; fewer points than dimensions + 1, or a singular covariance.
///
/// ```
/// use ndarray::array;
/// use variata_sliced::mardia_standardised;
///
/// // Any two points look alike once they are standardised.
/// let m = mardia_standardised(&array![[3.0], [7.0]])?;
/// assert!((m.kurtosis - 1.0).abs() < 1e-15 && m.skewness < 1e-15);
/// # Ok::<(), variata_sliced::Error>(())
/// ```
pub fn mardia_standardised<S: Sample>(x: &ArrayRef2<S>) -> Result<Mardia, Error> {
    let mut x = points("x", x)?;
    let (n, d) = x.dim();
    if n <= d {
        return Err(none("x", &[n, d], &format!("[n, {d}] with n > {d}")));
    }
    // Rounding of the mean would leave a constant column a variance.
    let constant = x.columns().into_iter().any(|column| column.iter().all(|v| *v == column[0]));
    let mean = x.sum_axis(Axis(0)) / n as f64;
    x -= &mean;
    let covariance = x.t().dot(&x) / n as f64;
    let mut factor: Vec<f64> = covariance.iter().copied().collect();
    let singular = constant
        || cholesky(&mut factor, d).is_err()
        // What the columns before leave of a column's own variance: units of measurement do not matter.
        || (0..d).any(|i| !(factor[i * d + i] * factor[i * d + i] > covariance[[i, i]] * d as f64 * f64::EPSILON));
    if singular {
        return Err(none("x", &[n, d], "a sample with a covariance that is not singular"));
    }
    // L z = x for every point: the points are the columns.
    let mut white: Vec<f64> = x.t().iter().copied().collect();
    solve_lower(&factor, d, &mut white, n);
    let white = Array2::from_shape_vec((d, n), white).map_err(|_| none("x", &[n, d], "[n, dimensions]"))?;
    let expected_skewness = (d * (d + 1) * (d + 2)) as f64 / n as f64;
    Ok(Mardia { expected_skewness, ..mardia(&white.t())? })
}

/// The mean cube of the Gram matrix, block by block.
fn by_pairs(x: &Array2<f64>) -> f64 {
    let n = x.nrows();
    let blocks = n.div_ceil(BLOCK);
    let rows = |b: usize| x.slice(s![b * BLOCK..n.min((b + 1) * BLOCK), ..]);
    let parts = collect(blocks, |i| {
        (i..blocks)
            .map(|j| {
                let cubes: f64 = rows(i).dot(&rows(j).t()).iter().map(|g| g * g * g).sum();
                if i == j { cubes } else { 2.0 * cubes }
            })
            .sum::<f64>()
    });
    let mean = parts.into_iter().sum::<f64>() / (n as f64 * n as f64);
    // Of a symmetric sample rounding may leave less than nothing. `max` would take NaN for 0.
    if mean < 0.0 { 0.0 } else { mean }
}

/// The squared norm of the third moments, Σ (E xₐx_bx_c)².
fn by_moments(x: &Array2<f64>) -> f64 {
    let (n, d) = x.dim();
    let columns: Vec<Vec<f64>> = x.columns().into_iter().map(|c| c.to_vec()).collect();
    let parts = collect(d, |a| {
        let mut sum = 0.0;
        let mut product = vec![0.0; n];
        for b in a..d {
            for ((p, u), v) in product.iter_mut().zip(&columns[a]).zip(&columns[b]) {
                *p = u * v;
            }
            for (c, column) in columns.iter().enumerate().skip(b) {
                let moment = dot(&product, column) / n as f64;
                // How often the index set occurs.
                let times = match (a == b, b == c) {
                    (true, true) => 1.0,
                    (true, false) | (false, true) => 3.0,
                    (false, false) => 6.0,
                };
                sum += times * moment * moment;
            }
        }
        sum
    });
    parts.into_iter().sum()
}
