//! Factor analysis: a variance of its own for every dimension.

use ndarray::{Array1, Array2, ArrayRef2, Axis};
use variata_distributions::linalg::{cholesky, factored_inverse, solve_lower, solve_lower_transposed};
use variata_distributions::special::HALF_LOG_TWO_PI;
use variata_distributions::{Real, check};

use super::samples::Samples;
use super::{FitOptions, fit_ppca, variance};
use crate::storage::Storage;
use crate::{Error, LowRankMvn};

/// Smallest variance, as a part of its dimension's, that the difference of expectation–maximisation can tell from 0.
const SMALLEST: f64 = 1e-9;

/// A fitted factor analysis.
#[derive(Debug, Clone, PartialEq)]
pub struct FactorAnalysis<F: Real> {
    /// The distribution, a batch of one.
    pub distribution: LowRankMvn<'static, F>,
    /// Mean log-likelihood per sample of the start and after each iteration; never falls.
    pub history: Vec<f64>,
    /// Whether the last change was below the tolerance, or rounding let it fall.
    pub converged: bool,
}

/// The most likely N(μ, P·Pᵀ + D) with a free diagonal D, by expectation–maximisation from the solution of
/// [`fit_ppca`]: `data` [samples, n], O(samples·n·r) an iteration.
///
/// ```text
/// E: z_s = C⁻¹PᵀD⁻¹(x_s − μ),  M = C⁻¹ + (1/N)Σ z_s z_sᵀ,  A = (1/N)Σ (x_s − μ)z_sᵀ
/// M: P ← A·M⁻¹,  D ← diag(S) − diag(P·Aᵀ)
/// ```
/// Source: Rubin & Thayer, "EM algorithms for ML factor analysis" (1982). It ends where the mean log-likelihood changes by less
/// than the tolerance times itself, or would fall by rounding: D is a difference, and no variance below 10⁻⁹ of its dimension's
/// can be told from 0. Smaller ones are set to that.
///
/// # Errors
/// As [`fit_ppca`]; a dimension has no variance of its own and the options have no floor.
pub fn fit_factor_analysis<F: Real + Storage>(
    data: &ArrayRef2<F>,
    rank: usize,
    options: &FitOptions,
) -> Result<FactorAnalysis<F>, Error> {
    let samples = Samples::new(data)?;
    let start = fit_ppca(data, rank, options)?;
    let n = samples.mean().len();
    let spread = samples.variances();
    let mut p = start.cov_factor().index_axis(Axis(0), 0).map(|v| Real::to_f64(*v));
    let mut d: Array1<f64> = (0..n).map(|i| start.cov_diag.item(0).at(i)).collect();
    // A dimension of no variance would keep the common one.
    for (i, d) in d.iter_mut().enumerate() {
        *d = variance::<F>(d.min(spread[i]).max(SMALLEST * spread[i]), options, Some(i))?;
    }
    let (mut history, mut converged) = (Vec::new(), false);
    let mut step = Step::of(&samples, &p, &d)?;
    history.push(step.log_likelihood);
    for _ in 0..options.max_iterations {
        let next_p = step.factor()?;
        let mut next_d = d.clone();
        for (i, to) in next_d.iter_mut().enumerate() {
            let of_factor: f64 = next_p.row(i).iter().zip(step.cross.row(i)).map(|(p, a)| p * a).sum();
            *to = variance::<F>((spread[i] - of_factor).max(SMALLEST * spread[i]), options, Some(i))?;
        }
        let next = Step::of(&samples, &next_p, &next_d)?;
        let change = next.log_likelihood - step.log_likelihood;
        converged = change <= options.tolerance * next.log_likelihood.abs();
        // What rounding made worse is not kept.
        if change >= 0.0 {
            history.push(next.log_likelihood);
            (p, d, step) = (next_p, next_d, next);
        }
        if converged {
            break;
        }
    }
    let factor = p.mapv(F::from_f64).insert_axis(Axis(0));
    let mean = samples.mean().mapv(F::from_f64).insert_axis(Axis(0));
    let distribution = LowRankMvn::new(mean, factor, d.mapv(F::from_f64))?;
    Ok(FactorAnalysis { distribution, history, converged })
}

/// What one pass over the data says of the parameters.
struct Step {
    log_likelihood: f64,
    /// A, [n, r].
    cross: Array2<f64>,
    /// M, row-major r×r.
    moments: Vec<f64>,
}

impl Step {
    fn of<F: Real>(samples: &Samples<'_, F>, p: &Array2<f64>, d: &Array1<f64>) -> Result<Self, Error> {
        let (n, r) = p.dim();
        // C⁻¹, and Σ⁻¹P = D⁻¹PC⁻¹, which maps a centred sample to its z.
        let weighted = p / &d.view().insert_axis(Axis(1));
        let capacitance = p.t().dot(&weighted) + Array2::<f64>::eye(r);
        let mut l: Vec<f64> = capacitance.iter().copied().collect();
        cholesky(&mut l, r).map_err(|(rank, _)| Error::SingularCovariance { batch: 0, rank, n: r })?;
        let inverse = factored_inverse(&l, r);
        let log_det = d.iter().map(|d| libm::log(*d)).sum::<f64>()
            + (0..r).map(|j| 2.0 * libm::log(l[j * r + j])).sum::<f64>();
        let map = weighted.dot(&Array2::from_shape_fn((r, r), |(i, j)| inverse[i * r + j]));
        let (cross, second, _) = samples.products(&map, |_, _| 0.0);
        // Mean of q: Σ (1/d)·E(x − Pz)² + E‖z‖².
        let mut q: f64 = second.diag().sum();
        let of_factor = p.dot(&second);
        for i in 0..n {
            let (p, cross) = (p.row(i), cross.row(i));
            let low: f64 =
                p.iter().zip(cross).zip(of_factor.row(i)).map(|((p, a), m)| p * (m - 2.0 * a)).sum();
            q += (samples.variances()[i] + low) / d[i];
        }
        let moments = inverse.iter().zip(&second).map(|(c, z)| c + z).collect();
        let log_likelihood = -0.5 * (q + log_det) - n as f64 * HALF_LOG_TWO_PI;
        check::scalar("log-likelihood", log_likelihood, "finite", log_likelihood.is_finite())?;
        Ok(Self { log_likelihood, cross, moments })
    }

    /// A·M⁻¹.
    fn factor(&self) -> Result<Array2<f64>, Error> {
        let (n, r) = self.cross.dim();
        let mut l = self.moments.clone();
        cholesky(&mut l, r).map_err(|(rank, _)| Error::SingularCovariance { batch: 0, rank, n: r })?;
        let mut columns: Vec<f64> = self.cross.t().iter().copied().collect();
        solve_lower(&l, r, &mut columns, n);
        solve_lower_transposed(&l, r, &mut columns, n);
        Ok(Array2::from_shape_fn((n, r), |(i, j)| columns[j * n + i]))
    }
}
