//! The Fréchet (Bures–Wasserstein) distance between normal distributions.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, Axis};

use crate::linalg::{polar, product, semidefinite_factor, solve_lower_transposed, transposed};
use crate::sums::sum;
use crate::{ArgumentError, Error, Real, check};

/// Partial derivatives of the squared Fréchet distance.
#[derive(Debug, Clone, PartialEq)]
pub struct FrechetGrad {
    /// In the first mean, `[n]`.
    pub mean_p: Array1<f64>,
    /// In the first covariance, symmetric [n, n].
    pub covariance_p: Array2<f64>,
    /// In the second mean, `[n]`.
    pub mean_q: Array1<f64>,
    /// In the second covariance, symmetric [n, n].
    pub covariance_q: Array2<f64>,
}

/// Squared Fréchet (2-Wasserstein, Bures) distance between N(mean_p, covariance_p) and N(mean_q, covariance_q).
///
/// ```text
/// ‖μ_p − μ_q‖² + tr(A + B − 2(A^½BA^½)^½) = ‖μ_p − μ_q‖² + min_W ‖X − YW‖²_F,   A = XXᵀ, B = YYᵀ, W orthogonal
/// ```
/// Source: Dowson & Landau, "The Fréchet distance between multivariate normal distributions" (1982); the Procrustes form:
/// Bhatia, Jain & Lim, "On the Bures–Wasserstein distance between positive definite matrices" (2019).
///
/// # Errors
/// Wrong shapes, elements that are not finite, a covariance that is not symmetric, or with a pivot below 0 by more than
/// rounding ([`Error::NotPositiveDefinite`]).
///
/// # Numerics
/// A sum of squares: never negative, of the order u²·tr at equality, and defined where covariances are singular. A dimension
/// counts however small its variance is beside others; with the feature `faer`, from n = 96 on, down to some 10⁻¹⁶ of the largest.
/// Time O(n³): a second at n = 512 on two cores; with the feature `faer` 20 seconds at n = 2048, without it minutes.
///
/// ```
/// use ndarray::array;
/// let (mean, a, b) = (array![0.0, 0.0], array![[1.0, 0.0], [0.0, 4.0]], array![[4.0, 0.0], [0.0, 4.0]]);
/// let squared = variata_distributions::frechet_distance(&mean, &a, &array![3.0, 0.0], &b)?;
/// assert!((squared - 10.0).abs() < 1e-14);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn frechet_distance(
    mean_p: &ArrayRef1<f64>,
    covariance_p: &ArrayRef2<f64>,
    mean_q: &ArrayRef1<f64>,
    covariance_q: &ArrayRef2<f64>,
) -> Result<f64, Error> {
    let (n, [x, y]) = factors(mean_p, covariance_p, mean_q, covariance_q)?;
    let yw = aligned(n, &x.0, &y.0)?;
    Ok(distance(mean_p, mean_q, &x.0, &yw))
}

/// [`frechet_distance`] and its partial derivatives.
///
/// ```text
/// ∂A = I − T,   ∂B = I − T⁻¹,   T = YWX⁻¹ the optimal map from the first to the second
/// ```
/// Entries of a covariance count as independent.
///
/// # Errors
/// As [`frechet_distance`]; also [`Error::NotPositiveDefinite`] where a covariance is singular, because there the
/// derivative is infinite.
pub fn frechet_distance_with_grad(
    mean_p: &ArrayRef1<f64>,
    covariance_p: &ArrayRef2<f64>,
    mean_q: &ArrayRef1<f64>,
    covariance_q: &ArrayRef2<f64>,
) -> Result<(f64, FrechetGrad), Error> {
    let (n, [x, y]) = factors(mean_p, covariance_p, mean_q, covariance_q)?;
    for (argument, (_, rank)) in [("covariance_p", &x), ("covariance_q", &y)] {
        if *rank < n {
            return Err(Error::NotPositiveDefinite { argument, batch: 0, pivot: *rank, value: 0.0 });
        }
    }
    let yw = aligned(n, &x.0, &y.0)?;
    let value = distance(mean_p, mean_q, &x.0, &yw);
    let xw = aligned(n, &y.0, &x.0)?;
    let difference = mean_p - mean_q;
    Ok((
        value,
        FrechetGrad {
            mean_p: &difference * 2.0,
            covariance_p: identity_minus_map(n, &x.0, &yw),
            mean_q: &difference * -2.0,
            covariance_q: identity_minus_map(n, &y.0, &xw),
        },
    ))
}

/// [`frechet_distance`] between the normal distributions with the sample moments of two sets of features, [samples, n]
/// each; covariances divide by samples − 1.
///
/// # Errors
/// As [`frechet_distance`], naming `p` or `q`; fewer than two samples, or features whose moments overflow.
///
/// ```
/// use ndarray::array;
/// let (p, q) = (array![[0.0f32], [2.0]], array![[1.0f32], [3.0]]);
/// assert_eq!(variata_distributions::frechet_distance_from_features(&p, &q)?, 1.0);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn frechet_distance_from_features<F: Real>(p: &ArrayRef2<F>, q: &ArrayRef2<F>) -> Result<f64, Error> {
    if p.ncols() != q.ncols() {
        let want = format!("[samples, {}]", p.ncols());
        return Err(ArgumentError::Shape { argument: "q", got: q.shape().to_vec(), want }.into());
    }
    let (mean_p, covariance_p) = moments("p", p)?;
    let (mean_q, covariance_q) = moments("q", q)?;
    frechet_distance(&mean_p, &covariance_p, &mean_q, &covariance_q).map_err(of_features)
}

/// What features must be beside finite.
const SMALL_ENOUGH: &str = "of a size whose mean and covariance are finite";

/// The error of moments with the name of the features that they are of.
pub(crate) fn of_features(error: Error) -> Error {
    let features = |moment: &'static str| if moment.ends_with("_p") { "p" } else { "q" };
    match error {
        Error::NotPositiveDefinite { argument, batch, pivot, value } => {
            Error::NotPositiveDefinite { argument: features(argument), batch, pivot, value }
        }
        // The place would be one in the moments.
        Error::Argument(ArgumentError::Value { argument, value, .. }) => {
            Error::Argument(ArgumentError::Value {
                argument: features(argument),
                index: None,
                value,
                must: SMALL_ENOUGH,
            })
        }
        other => other,
    }
}

/// Mean and covariance of the rows.
fn moments<F: Real>(
    argument: &'static str,
    features: &ArrayRef2<F>,
) -> Result<(Array1<f64>, Array2<f64>), Error> {
    let samples = features.nrows();
    if samples < 2 {
        let want = "[samples, n] with samples >= 2".to_owned();
        return Err(ArgumentError::Shape { argument, got: features.shape().to_vec(), want }.into());
    }
    check::finite(argument, features)?;
    let mut centred = features.mapv(Real::to_f64);
    let mut mean = centred.sum_axis(Axis(0)) / samples as f64;
    centred -= &mean;
    // What rounding left of the mean, which the covariance would have squared.
    let rest = centred.sum_axis(Axis(0)) / samples as f64;
    mean += &rest;
    centred -= &rest;
    let mut covariance = centred.t().dot(&centred) / (samples - 1) as f64;
    // A blocked product may round the two halves differently.
    for i in 0..covariance.nrows() {
        for j in 0..i {
            covariance[(j, i)] = covariance[(i, j)];
        }
    }
    if mean.iter().chain(&covariance).any(|v| !v.is_finite()) {
        let size = |v: &F| v.to_f64().abs();
        let largest = features.iter().enumerate().max_by(|(_, a), (_, b)| size(a).total_cmp(&size(b)));
        let (index, value) = largest.map_or((0, f64::NAN), |(index, value)| (index, value.to_f64()));
        return Err(ArgumentError::Value { argument, index: Some(index), value, must: SMALL_ENOUGH }.into());
    }
    Ok((mean, covariance))
}

/// A factor and its rank.
type Factor = (Vec<f64>, usize);

fn factors(
    mean_p: &ArrayRef1<f64>,
    covariance_p: &ArrayRef2<f64>,
    mean_q: &ArrayRef1<f64>,
    covariance_q: &ArrayRef2<f64>,
) -> Result<(usize, [Factor; 2]), Error> {
    let n = mean_p.len();
    check::shape("mean_q", mean_q.shape(), &[n])?;
    check::finite("mean_p", mean_p)?;
    check::finite("mean_q", mean_q)?;
    let factor = |argument, covariance: &ArrayRef2<f64>| -> Result<Factor, Error> {
        check::shape(argument, covariance.shape(), &[n, n])?;
        check::finite(argument, covariance)?;
        for (at, ((i, j), &value)) in covariance.indexed_iter().enumerate() {
            let size = covariance[(i, i)].abs().max(covariance[(j, j)].abs());
            if (value - covariance[(j, i)]).abs() > 1e-10 * size {
                return Err(
                    ArgumentError::Value { argument, index: Some(at), value, must: "symmetric" }.into()
                );
            }
        }
        let a: Vec<f64> = covariance.iter().copied().collect();
        semidefinite_factor(&a, n).map_err(|(pivot, value)| Error::NotPositiveDefinite {
            argument,
            batch: 0,
            pivot,
            value,
        })
    };
    Ok((n, [factor("covariance_p", covariance_p)?, factor("covariance_q", covariance_q)?]))
}

/// Y·W with W orthogonal, as near to X as possible: W is the polar factor of YᵀX.
fn aligned(n: usize, x: &[f64], y: &[f64]) -> Result<Vec<f64>, Error> {
    let m = product(&transposed(y, n), x, n);
    let w = polar(&m, n).ok_or(Error::NoConvergence { what: "the polar factor", iterations: 60 })?;
    Ok(product(y, &w, n))
}

fn distance(mean_p: &ArrayRef1<f64>, mean_q: &ArrayRef1<f64>, x: &[f64], yw: &[f64]) -> f64 {
    let means = sum(mean_p.iter().zip(mean_q).map(|(a, b)| (a - b) * (a - b)));
    let factors = sum(x.iter().zip(yw).map(|(a, b)| (a - b) * (a - b)));
    means + factors
}

/// I − YWX⁻¹ = (X − YW)X⁻¹, so that it keeps its digits where the two are near.
fn identity_minus_map(n: usize, x: &[f64], yw: &[f64]) -> Array2<f64> {
    // X is lower triangular up to the order of its rows: column r is 0 on the rows pivoted before r.
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|&i| {
        std::cmp::Reverse(x[i * n..(i + 1) * n].iter().rev().take_while(|v| **v == 0.0).count())
    });
    let lower: Vec<f64> = order.iter().flat_map(|&i| x[i * n..(i + 1) * n].iter().copied()).collect();
    // G·X = D becomes Lᵀ(GP)ᵀ = Dᵀ.
    let mut d: Vec<f64> = transposed(&x.iter().zip(yw).map(|(a, b)| a - b).collect::<Vec<_>>(), n);
    solve_lower_transposed(&lower, n, &mut d, n);
    let mut grad = Array2::zeros((n, n));
    for (r, &i) in order.iter().enumerate() {
        for j in 0..n {
            grad[(j, i)] = d[r * n + j];
        }
    }
    // Symmetric up to rounding.
    (&grad + &grad.t()) * 0.5
}
