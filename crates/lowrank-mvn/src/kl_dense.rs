//! Divergences between dense covariances: where a side is dense, or has at least as many columns as dimensions.

use ndarray::{Array2, Array3};
use variata_distributions::linalg::{
    dot, factored_inverse, identity, solve_lower, solve_lower_transposed, transposed,
};
use variata_distributions::{KlDivergence, MultivariateNormal, Real};

use crate::factorisation::Factorised;
use crate::kl::Side;
use crate::kl_pair::{Sides, difference_or};
use crate::panel::Item;
use crate::storage::Storage;
use crate::{Error, LowRankMvn};

/// Mean and covariance, as L·Lᵀ and as F·Fᵀ + D.
pub(crate) struct Dense {
    loc: Vec<f64>,
    /// Cholesky factor, row-major n×n with a positive diagonal.
    l: Vec<f64>,
    /// F, row-major n×r, and D: those of a low-rank normal; L and zeros of a dense one.
    factor: Vec<f64>,
    diag: Vec<f64>,
    /// Where F has fewer columns than rows and D no zero.
    narrow: Option<Narrow>,
}

/// What the capacitance matrix gives of Σ⁻¹, where Σ itself has lost D.
struct Narrow {
    /// Σ⁻¹F = D⁻¹FC⁻¹.
    solved: Vec<f64>,
    /// The diagonal of Σ⁻¹, (1 − hᵢ)/dᵢ.
    precision: Vec<f64>,
}

impl Dense {
    pub(crate) fn of<F: Real, S: Storage>(p: &LowRankMvn<'_, F, S>, b: usize) -> Result<Self, Error> {
        let item = p.item(b);
        let (l, _) = item.root()?;
        let (n, loc) = (item.n(), item.loc.iter().map(|v| v.to_f64()).collect());
        let factor = item.factor.iter().map(|v| v.to_f64()).collect();
        let mut diag = vec![0.0; n];
        item.diag.variances(0, &mut diag);
        let narrow = item.r() < n && diag.iter().all(|d| *d > 0.0);
        let narrow = if narrow { Some(by_capacitance(&item, &diag)?) } else { None };
        Ok(Self { loc, l, factor, diag, narrow })
    }

    pub(crate) fn of_dense<F: Real>(p: &MultivariateNormal<F>, b: usize) -> Self {
        let l: Vec<f64> = p.scale_tril().index_axis(ndarray::Axis(0), b).iter().copied().collect();
        let (loc, diag) = (p.loc().row(b).iter().map(|v| v.to_f64()).collect(), vec![0.0; p.dim()]);
        Self { loc, factor: l.clone(), l, diag, narrow: None }
    }

    fn distribution(&self) -> Result<MultivariateNormal<f64>, Error> {
        let n = self.loc.len();
        let loc = Array2::from_shape_fn((1, n), |(_, i)| self.loc[i]);
        let l = Array3::from_shape_fn((1, n, n), |(_, i, j)| self.l[i * n + j]);
        // A factor with a pivot that is 0 has been refused before.
        MultivariateNormal::new(loc, &l).map_err(|_| Error::SingularCovariance { batch: 0, rank: 0, n })
    }

    fn r(&self) -> usize {
        self.factor.len() / self.loc.len().max(1)
    }

    /// m ← Σ⁻¹m of row-major m.
    fn solve(&self, m: &mut [f64], columns: usize) {
        solve_lower(&self.l, self.loc.len(), m, columns);
        solve_lower_transposed(&self.l, self.loc.len(), m, columns);
    }

    /// Σ⁻¹F, row-major n×r.
    fn on_factor(&self) -> Vec<f64> {
        if let Some(narrow) = &self.narrow {
            return narrow.solved.clone();
        }
        let mut solved = self.factor.clone();
        self.solve(&mut solved, self.r());
        solved
    }

    /// The diagonal of Σ⁻¹.
    fn precision(&self) -> Vec<f64> {
        if let Some(narrow) = &self.narrow {
            return narrow.precision.clone();
        }
        let n = self.loc.len();
        let mut inverse = identity(n);
        solve_lower(&self.l, n, &mut inverse, n);
        squares_of_columns(&inverse, n)
    }
}

/// ‖mᵢ‖² of the columns of a row-major matrix.
fn squares_of_columns(m: &[f64], columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; columns];
    for row in m.chunks_exact(columns.max(1)) {
        sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v * v);
    }
    sums
}

/// What Σ⁻¹ makes of other vectors than P is larger by ‖P‖²/D, and its rounding errors are.
fn by_capacitance<F: Real, S: Storage>(item: &Item<'_, F, S>, diag: &[f64]) -> Result<Narrow, Error> {
    let (n, r) = (item.n(), item.r());
    let (found, _) = item.capacitance(&item.gram(None, 0, item.n()), None)?;
    let (Factorised::Capacitance { l, .. } | Factorised::Dense { l, .. }) = &found;
    let inverse = factored_inverse(l, r);
    let mut solved = vec![0.0; diag.len() * r];
    for ((to, p), d) in solved.chunks_exact_mut(r.max(1)).zip(item.factor.rows()).zip(diag) {
        for (c, to) in to.iter_mut().enumerate() {
            *to = p.iter().enumerate().map(|(k, p)| p.to_f64() * inverse[k * r + c]).sum::<f64>() / d;
        }
    }
    // L⁻¹aᵢ as columns, r×n.
    let mut forward: Vec<f64> =
        item.factor.t().iter().zip(diag.iter().cycle()).map(|(p, d)| p.to_f64() / libm::sqrt(*d)).collect();
    solve_lower(l, r, &mut forward, n);
    let leverages = squares_of_columns(&forward, n);
    let precision = leverages.iter().zip(diag).map(|(h, d)| (1.0 - h.min(1.0)) / d).collect();
    Ok(Narrow { solved, precision })
}

/// A divergence of item b; NaN where its terms have overflowed.
pub(crate) fn number(b: usize, value: f64) -> Result<f64, Error> {
    if value.is_nan() { Err(Error::Overflow { quantity: "kl", batch: b }) } else { Ok(value) }
}

/// Gradients of item b; a number of theirs is NaN only where terms have overflowed.
pub(crate) fn numbers(b: usize, sides: Sides) -> Result<Sides, Error> {
    let nan = |(loc, factor, diag): &Side| loc.iter().chain(factor).chain(diag).any(|v| v.is_nan());
    let overflow = nan(&sides.p) || nan(&sides.q);
    if overflow { Err(Error::Overflow { quantity: "the gradient of kl", batch: b }) } else { Ok(sides) }
}

/// KL(p‖q) of item b and, if asked for, the partials of both sides.
pub(crate) fn kl(b: usize, p: &Dense, q: &Dense, with_grad: bool) -> Result<(f64, Sides), Error> {
    let (dense_p, dense_q) = (p.distribution()?, q.distribution()?);
    // The shapes are equal; a NaN is refused.
    let value = number(b, dense_p.kl(&dense_q).map_or(f64::NAN, |value| value.sum()))?;
    Ok((value, if with_grad { numbers(b, slopes(p, q))? } else { Sides::default() }))
}

/// With E = Σ_p − Σ_q: ∂F_p = Σ_q⁻¹EΣ_p⁻¹F_p, ∂F_q = −Σ_q⁻¹(E + δδᵀ)Σ_q⁻¹F_q, and half the diagonals of Σ_q⁻¹EΣ_p⁻¹ and
/// −Σ_q⁻¹(E + δδᵀ)Σ_q⁻¹. Differences of inverses have no digits where the covariances are nearly equal; where they are not, E has lost
/// what is small in Σ, and the diagonals are those of Σ_q⁻¹ − Σ_p⁻¹ and Σ_q⁻¹ − Σ_q⁻¹Σ_pΣ_q⁻¹.
fn slopes(p: &Dense, q: &Dense) -> Sides {
    let n = p.loc.len();
    let gap: Vec<f64> = p.loc.iter().zip(&q.loc).map(|(p, q)| p - q).collect();
    let mut alpha = gap.clone();
    q.solve(&mut alpha, 1);
    let e = difference(p, q);
    // Σ_q⁻¹E·F of n×r F.
    let back = |f: &[f64], r: usize| {
        let mut m = vec![0.0; n * r];
        for (to, e) in m.chunks_exact_mut(r.max(1)).zip(e.chunks_exact(n.max(1))) {
            for (f, e) in f.chunks_exact(r.max(1)).zip(e) {
                to.iter_mut().zip(f).for_each(|(to, f)| *to += e * f);
            }
        }
        q.solve(&mut m, r);
        m
    };
    let of_p = back(&p.on_factor(), p.r());
    let (r, on_q) = (q.r(), q.on_factor());
    let mut of_q = back(&on_q, r);
    let mut along = vec![0.0; r];
    for (v, gap) in on_q.chunks_exact(r.max(1)).zip(&gap) {
        along.iter_mut().zip(v).for_each(|(to, v)| *to += gap * v);
    }
    for (to, a) in of_q.chunks_exact_mut(r.max(1)).zip(&alpha) {
        to.iter_mut().zip(&along).for_each(|(to, along)| *to = -(*to + a * along));
    }
    let mut half = e.clone();
    q.solve(&mut half, n);
    let half = transposed(&half, n);
    let largest = |values: &[f64]| values.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    let (of_e, precision_q) = (largest(&e), q.precision());
    // A narrow side knows its precision to the rounding of D⁻¹.
    let own = |side: &Dense, i: usize| if side.narrow.is_some() { 1.0 / side.diag[i] } else { 0.0 };
    let entries = |other: &[f64], side: &Dense, precision: &[f64], sign: f64| -> Vec<f64> {
        let mut whole = half.clone();
        side.solve(&mut whole, n);
        // Rounding errors of E are multiplied by both inverses.
        let far = of_e * largest(precision) > 1.0;
        let entry = |i: usize| {
            let (close, terms) = (sign * whole[i * n + i], [precision_q[i], other[i]]);
            let size = terms[0].max(terms[1]).max(own(q, i)).max(own(side, i));
            if far { difference_or(terms, size, || close) } else { close }
        };
        (0..n).map(entry).collect()
    };
    let precision_p = p.precision();
    let diag_p = entries(&precision_p, p, &precision_p, 1.0).into_iter().map(|d| 0.5 * d).collect();
    // Rows of Σ_q⁻¹L_p.
    let mut through = p.l.clone();
    q.solve(&mut through, n);
    let through: Vec<f64> = through.chunks_exact(n.max(1)).map(|row| dot(row, row)).collect();
    let diag_q = entries(&through, q, &precision_q, -1.0)
        .into_iter()
        .zip(&alpha)
        .map(|(d, a)| 0.5 * (d - a * a))
        .collect();
    let minus = alpha.iter().map(|a| -a).collect();
    Sides { p: (alpha, of_p, diag_p), q: (minus, of_q, diag_q) }
}

/// Σ_p − Σ_q = (D_p − D_q) + F_qΔᵀ + ΔF_pᵀ with Δ = F_p − F_q, the narrower with zero columns: row-major n×n.
fn difference(p: &Dense, q: &Dense) -> Vec<f64> {
    let (n, rp, rq) = (p.loc.len(), p.r(), q.r());
    let width = rp.max(rq);
    let at = |side: &Dense, r: usize, i: usize, c: usize| if c < r { side.factor[i * r + c] } else { 0.0 };
    let delta: Vec<f64> =
        (0..n * width).map(|k| at(p, rp, k / width, k % width) - at(q, rq, k / width, k % width)).collect();
    let entry = |i: usize, j: usize| {
        let of_q: f64 = (0..rq).map(|c| q.factor[i * rq + c] * delta[j * width + c]).sum();
        let of_p: f64 = (0..rp).map(|c| delta[i * width + c] * p.factor[j * rp + c]).sum();
        of_q + of_p + if i == j { p.diag[i] - q.diag[i] } else { 0.0 }
    };
    (0..n * n).map(|at| entry(at / n, at % n)).collect()
}

/// Location and Cholesky factor of a dense side: of the factor what is not above the diagonal.
pub(crate) fn of_tril((loc, mut factor, _): Side) -> (Vec<f64>, Vec<f64>) {
    let n = loc.len();
    for (i, row) in factor.chunks_exact_mut(n.max(1)).enumerate() {
        row[i + 1..].fill(0.0);
    }
    (loc, factor)
}
