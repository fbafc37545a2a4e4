//! KL between two low-rank normals of one item, with r×r work per row.
//!
//! Everything is seen through W = D_q^-½: A = W·P, B = W·Q, T = D_p/D_q, so that Σ_p becomes T + AAᵀ and Σ_q I + BBᵀ.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use variata_distributions::Real;
use variata_distributions::kl::log_ratio;
use variata_distributions::linalg::{
    factored_inverse, semidefinite_factor, solve_lower, solve_lower_transposed, symmetric_eigen,
};
use variata_distributions::special::{expm1mx, log1pmx};

use crate::Error;
use crate::diagonal::fill;
use crate::factorisation::Factorised;
use crate::kl::Side;
use crate::panel::Item;
use crate::storage::Storage;

/// Rows per block.
const ROWS: usize = 256;
/// Where the divergence is smaller than this part of its terms, their rounding shows in its digits.
const NEAR: f64 = 1e-5;
/// The leverage of a row that determines a direction alone.
const ALONE: f64 = 0.999;
/// |D_p/D_q − 1| of such a row from which on the terms of second order lose more than the others.
const APART: f64 = 0.1;
/// What rounding leaves of terms that cancel, as a part of them, and how much of that does not matter, in nats.
const ROUNDING: f64 = 1e-14;
const KNOWN: f64 = 1e-3;
/// The same as [`NEAR`] for entries of gradients in a diagonal, and what their terms are known to the rounding of.
const CLOSE: f64 = 1e-3;

/// Gradients of both sides.
#[derive(Default)]
pub(crate) struct Sides {
    pub p: Side,
    pub q: Side,
}

/// Rows of both distributions.
struct Block {
    /// A and B.
    a: Array2<f64>,
    b: Array2<f64>,
    /// Δ = A − B, the narrower with zero columns.
    delta: Array2<f64>,
    /// D_q^-½, D_p/D_q and D_p/D_q − 1.
    w: Array1<f64>,
    t: Array1<f64>,
    more: Array1<f64>,
    /// log of t.
    log_t: Array1<f64>,
    /// W·(μ_p − μ_q).
    gap: Array1<f64>,
}

/// Two distributions and what both need of them.
pub(crate) struct Pair<'p, F, S, T> {
    p: Item<'p, F, S>,
    q: Item<'p, F, T>,
    lp: &'p [f64],
    lq: &'p [f64],
    /// C_q⁻¹BᵀA and C_q⁻¹Bᵀ·gap.
    z: Array2<f64>,
    z_gap: Array1<f64>,
}

/// The lower factor of C, r×r.
fn capacitance(factorised: &Factorised) -> &[f64] {
    match factorised {
        Factorised::Capacitance { l, .. } => l,
        Factorised::Dense { .. } => &[],
    }
}

/// C⁻¹·m.
fn solved(l: &[f64], m: &Array2<f64>) -> Array2<f64> {
    let (r, columns) = m.dim();
    let mut values: Vec<f64> = m.iter().copied().collect();
    solve_lower(l, r, &mut values, columns);
    solve_lower_transposed(l, r, &mut values, columns);
    Array2::from_shape_fn((r, columns), |(i, j)| values[i * columns + j])
}

fn inverse(l: &[f64], r: usize) -> Array2<f64> {
    let values = factored_inverse(l, r);
    Array2::from_shape_fn((r, r), |(i, j)| values[i * r + j])
}

/// L⁻¹·m·L⁻ᵀ of a symmetric m.
fn whitened(l: &[f64], m: &Array2<f64>) -> Array2<f64> {
    let r = m.nrows();
    let mut values: Vec<f64> = m.iter().copied().collect();
    for _ in 0..2 {
        solve_lower(l, r, &mut values, r);
        values = variata_distributions::linalg::transposed(&values, r);
    }
    Array2::from_shape_fn((r, r), |(i, j)| values[i * r + j])
}

/// Σ −(log(1 + λ) − λ) ≥ 0 over the eigenvalues λ of a symmetric matrix.
fn divergence_of_eigenvalues(m: &Array2<f64>) -> f64 {
    let values: Vec<f64> = m.iter().copied().collect();
    symmetric_eigen(&values, m.nrows()).0.into_iter().map(|v| -log1pmx(v)).sum()
}

/// L⁻¹bᵢ of each row bᵢ as a column, r×rows. Their squares are the leverages, which lose the condition of C by way of C⁻¹.
fn forward(l: &[f64], b: &Array2<f64>) -> Array2<f64> {
    let (rows, r) = b.dim();
    let mut values: Vec<f64> = b.t().iter().copied().collect();
    solve_lower(l, r, &mut values, rows);
    Array2::from_shape_fn((r, rows), |(j, i)| values[j * rows + i])
}

/// ‖vᵢ‖² of each column, at most 1.
fn leverages(v: &Array2<f64>) -> Array1<f64> {
    (v * v).sum_axis(Axis(0)).mapv(|h| h.min(1.0))
}

/// The difference of two terms that are known to the rounding of `size`, or, where little is left of that, what is known of it otherwise.
pub(crate) fn difference_or([a, b]: [f64; 2], size: f64, close: impl FnOnce() -> f64) -> f64 {
    if (a - b).abs() > CLOSE * size { a - b } else { close() }
}

fn dot(a: &ArrayView1<'_, f64>, b: &ArrayView1<'_, f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn log_det(l: &[f64], r: usize) -> f64 {
    (0..r).map(|j| 2.0 * libm::log(l[j * r + j].abs())).sum()
}

impl<'p, F: Real, S: Storage, T: Storage> Pair<'p, F, S, T> {
    pub(crate) fn new(
        p: Item<'p, F, S>,
        q: Item<'p, F, T>,
        of_p: &'p Factorised,
        of_q: &'p Factorised,
    ) -> Self {
        let (z, z_gap) = (Array2::zeros((0, 0)), Array1::zeros(0));
        let mut pair = Self { lp: capacitance(of_p), lq: capacitance(of_q), p, q, z, z_gap };
        let (rp, rq) = (pair.p.r(), pair.q.r());
        let (mut products, mut of_gap) = (Array2::zeros((rq, rp)), Array2::zeros((rq, 1)));
        pair.for_each_block(|block| {
            general_mat_mul(1.0, &block.b.t(), &block.a, 1.0, &mut products);
            general_mat_mul(1.0, &block.b.t(), &block.gap.view().insert_axis(Axis(1)), 1.0, &mut of_gap);
        });
        pair.z = solved(pair.lq, &products);
        pair.z_gap = solved(pair.lq, &of_gap).column(0).to_owned();
        pair
    }

    fn for_each_block(&self, mut f: impl FnMut(&Block)) {
        let n = self.p.n();
        for start in (0..n).step_by(ROWS) {
            let rows = ROWS.min(n - start);
            let (mut w, mut dp, mut dq) = (vec![0.0; rows], vec![0.0; rows], vec![0.0; rows]);
            self.p.diag.variances(start, &mut dp);
            self.q.diag.variances(start, &mut dq);
            self.q.diag.weights(start, &mut w);
            let range = start..start + rows;
            let (mut gap, mut other) = (vec![0.0; rows], vec![0.0; rows]);
            fill(&mut gap, &self.p.loc.slice(s![range.clone()]));
            fill(&mut other, &self.q.loc.slice(s![range.clone()]));
            let gap = gap.iter().zip(&other).zip(&w).map(|((p, q), w)| w * (p - q)).collect();
            let (p, q) = (self.p.factor.slice(s![range.clone(), ..]), self.q.factor.slice(s![range, ..]));
            // Before the weights are rounded in.
            let delta = |(i, j): (usize, usize)| {
                w[i] * (p.get((i, j)).map_or(0.0, |p| p.to_f64()) - q.get((i, j)).map_or(0.0, |q| q.to_f64()))
            };
            f(&Block {
                a: Array2::from_shape_fn(p.raw_dim(), |(i, j)| w[i] * p[(i, j)].to_f64()),
                b: Array2::from_shape_fn(q.raw_dim(), |(i, j)| w[i] * q[(i, j)].to_f64()),
                delta: Array2::from_shape_fn((rows, p.ncols().max(q.ncols())), delta),
                more: dp.iter().zip(&dq).map(|(p, q)| (p - q) / q).collect(),
                t: dp.iter().zip(&dq).map(|(p, q)| p / q).collect(),
                log_t: dp.iter().zip(&dq).map(|(p, q)| log_ratio(*p, *q)).collect(),
                w: w.into(),
                gap,
            });
        }
    }

    /// The divergence.
    pub(crate) fn kl(&self) -> Result<f64, Error> {
        // Twice: Σ(t − 1 − log t), Σ t·h, tr(AᵀS_q⁻¹A), the mean's part.
        let (mut own, mut leverage, mut trace, mut mean) = (0.0, 0.0, 0.0, 0.0);
        let (mut equal, mut far) = (true, false);
        self.for_each_block(|block| {
            equal &= block.delta.iter().chain(&block.more).chain(&block.gap).all(|v| *v == 0.0);
            far |= block.log_t.iter().any(|v| v.abs() > 1.0);
            let h = leverages(&forward(self.lq, &block.b));
            let residual = &block.a - &block.b.dot(&self.z);
            let gap = &block.gap - &block.b.dot(&self.z_gap);
            trace += residual.iter().map(|v| v * v).sum::<f64>();
            mean += gap.iter().map(|v| v * v).sum::<f64>();
            for i in 0..block.t.len() {
                own += expm1mx(block.log_t[i]);
                leverage += block.t[i] * h[i];
                far |= h[i] > ALONE && block.more[i].abs() > APART;
            }
        });
        trace += self.z.iter().map(|v| v * v).sum::<f64>();
        mean += self.z_gap.iter().map(|v| v * v).sum::<f64>();
        let (of_p, of_q) = (log_det(self.lp, self.p.r()), log_det(self.lq, self.q.r()));
        let direct = own - leverage + trace + of_q - of_p;
        let terms = own + leverage + trace + of_q.abs() + of_p.abs();
        if equal {
            return Ok(0.0);
        }
        let twice = if direct > NEAR * terms {
            direct
        } else if !far {
            self.near()?.max(0.0)
        } else if direct > ROUNDING * terms || ROUNDING * terms < KNOWN {
            // Of rows that determine a direction alone; the terms of second order are not small then.
            direct.max(0.0)
        } else {
            // No digit of it is known.
            f64::NAN
        };
        Ok(0.5 * (twice + mean))
    }

    /// Twice the divergence of the covariances, by way of Σ_m = D_p + QQᵀ: 2·KL(p‖m) + 2·KL(m‖q) + tr(S⁻¹(T − 1)S_m⁻¹E), all
    /// of second order in Δ = A − B and T − 1.
    fn near(&self) -> Result<f64, Error> {
        let (rp, rq) = (self.p.r(), self.q.r());
        let r = rp.max(rq);
        let lm = self.between()?;
        let (mut on_m, mut on_q) = (Array2::zeros((rq, r)), Array2::zeros((rq, r)));
        let (mut gram, mut shift) = (Array2::zeros((rq, rq)), Array2::zeros((rq, rq)));
        self.for_each_block(|block| {
            let delta = &block.delta;
            let inverse_t = block.t.mapv(|t| 1.0 / t).insert_axis(Axis(1));
            let weighted = &block.b * &inverse_t;
            general_mat_mul(1.0, &weighted.t(), delta, 1.0, &mut on_m);
            general_mat_mul(1.0, &weighted.t(), &block.b, 1.0, &mut gram);
            general_mat_mul(1.0, &block.b.t(), delta, 1.0, &mut on_q);
            // 1/t − 1.
            let less = block.log_t.mapv(|v| libm::expm1(-v)).insert_axis(Axis(1));
            general_mat_mul(1.0, &(&block.b * &less).t(), &block.b, 1.0, &mut shift);
        });
        let (zm, zq) = (solved(&lm, &on_m), solved(self.lq, &on_q));
        let (inverse_q, inverse_m) = (inverse(self.lq, rq), inverse(&lm, rq));
        let zb = solved_columns(&lm, &gram, &inverse_m);
        // KL(m‖q) and the cross term, and ΔᵀS_m⁻¹Δ and BᵀS_m⁻¹B for KL(p‖m).
        let (mut own, mut cross) = (0.0, 0.0);
        let (mut squares, mut of_b) = (zm.t().dot(&zm), zb.t().dot(&zb));
        self.for_each_block(|block| {
            let delta = &block.delta;
            let (solved_q, solved_m) = (block.b.dot(&inverse_q), block.b.dot(&inverse_m));
            let (rest_q, rest_m) = (delta - &block.b.dot(&zq), delta - &block.b.dot(&zm));
            let inverse_t = block.t.mapv(|t| 1.0 / t).insert_axis(Axis(1));
            general_mat_mul(1.0, &(&rest_m * &inverse_t).t(), &rest_m, 1.0, &mut squares);
            general_mat_mul(1.0, &(&solved_m * &inverse_t).t(), &solved_m, 1.0, &mut of_b);
            for i in 0..block.t.len() {
                let (t, more) = (block.t[i], block.more[i]);
                let h = dot(&block.b.row(i), &solved_q.row(i));
                own += expm1mx(block.log_t[i]) - h * more * more / t;
                let rest = |j: usize| (rest_q[(i, j)], rest_m[(i, j)]);
                let first: f64 = (0..r).map(|j| rest(j).0 * rest(j).1).sum();
                let second: f64 =
                    (0..rq).map(|j| solved_q[(i, j)] * rest(j).1 + solved_m[(i, j)] * rest(j).0).sum();
                cross += more / t * (first + second);
            }
        });
        let same_factor = own + divergence_of_eigenvalues(&whitened(self.lq, &shift));
        Ok(same_factor + same_diagonal(&of_b, &zm, &squares) + cross)
    }

    /// L with L·Lᵀ = I + QᵀD_p⁻¹Q.
    fn between(&self) -> Result<Vec<f64>, Error> {
        let between = Item { b: self.q.b, loc: self.p.loc, factor: self.q.factor, diag: self.p.diag };
        let n = between.n();
        let (found, _) = between.capacitance(&between.gram(None, 0, n), None)?;
        Ok(capacitance(&found).to_vec())
    }

    /// Gradients of both sides. With M = S_q⁻¹ and N = S_p⁻¹, M − N = M(S_p − S_q)N and M − M·S_p·M = −M(S_p − S_q)M, and
    /// S_p − S_q = (T − I) + BΔᵀ + ΔAᵀ, so that each term is as small as the difference of the two. Entries of the gradients in the
    /// diagonals that are far from 0, beside the diagonals of T⁻¹ and I, are differences of those of M and N, or of M and M·S_p·M, which keep their digits where columns
    /// are dependent.
    pub(crate) fn slopes(&self) -> Sides {
        let (n, rp, rq) = (self.p.n(), self.p.r(), self.q.r());
        let (inverse_p, inverse_q) = (inverse(self.lp, rp), inverse(self.lq, rq));
        let (mut on_q, mut on_p) = (Array2::zeros((rq, rp.max(rq))), Array2::zeros((rp, rq)));
        let (mut across, mut within) = (Array2::zeros((rq, rp)), Array2::zeros((rq, rq)));
        let (mut gram, mut inner) = (Array2::zeros((rp, rp)), Array2::zeros((rq, rq)));
        self.for_each_block(|block| {
            let weighted = &block.a / &column(&block.t);
            general_mat_mul(1.0, &block.b.t(), &block.delta, 1.0, &mut on_q);
            general_mat_mul(1.0, &weighted.t(), &block.delta.slice(s![.., ..rq]), 1.0, &mut on_p);
            let shifted = &block.b * &column(&block.more);
            general_mat_mul(1.0, &shifted.t(), &weighted, 1.0, &mut across);
            general_mat_mul(1.0, &shifted.t(), &block.b, 1.0, &mut within);
            general_mat_mul(1.0, &weighted.t(), &block.a, 1.0, &mut gram);
            general_mat_mul(1.0, &(&block.b * &column(&block.t)).t(), &block.b, 1.0, &mut inner);
        });
        // L_q⁻¹BᵀTBL_q⁻ᵀ.
        let inner = whitened(self.lq, &inner);
        // C_q⁻¹BᵀΔ, C_p⁻¹AᵀT⁻¹Δ, C_q⁻¹Bᵀ(I − T⁻¹)A, C_q⁻¹Bᵀ(T − I)B, and AᵀNA.
        let (on_q, on_p) = (solved(self.lq, &on_q), solved(self.lp, &on_p));
        let (across, within) = (solved(self.lq, &across), solved(self.lq, &within));
        let own = solved_columns(self.lp, &gram, &inverse_p);
        let mut p: Side = (Vec::with_capacity(n), Vec::with_capacity(n * rp), Vec::with_capacity(n));
        let mut q: Side = (Vec::with_capacity(n), Vec::with_capacity(n * rq), Vec::with_capacity(n));
        self.for_each_block(|block| {
            let (a, b, t) = (&block.a, &block.b, column(&block.t));
            let gap = &block.gap - &b.dot(&self.z_gap);
            let v = forward(self.lq, b);
            let (h, h_p) = (
                leverages(&v),
                leverages(&forward(self.lp, &(a / &block.t.mapv(libm::sqrt).insert_axis(Axis(1))))),
            );
            let residual = a - &b.dot(&self.z);
            let through = (&inner.dot(&v) * &v).sum_axis(Axis(0)) + (&residual * &residual).sum_axis(Axis(1));
            // MB, NA, MΔ, of all columns and of the first ones, and NΔ.
            let (mb, na) = (b.dot(&inverse_q), a.dot(&inverse_p) / t);
            let m_delta = &block.delta - &b.dot(&on_q);
            let (first_q, first_p) = (m_delta.slice(s![.., ..rq]), m_delta.slice(s![.., ..rp]));
            let n_delta = (&block.delta.slice(s![.., ..rq]) - &a.dot(&on_p)) / t;
            // M(T − I)N·A and M(T − I)M·B.
            let more = column(&block.more);
            let shifted_p = (a * &more / t - b.dot(&across)).dot(&inverse_p);
            let shifted_q = (b * &more - b.dot(&within)).dot(&inverse_q);
            let of_p = shifted_p + mb.dot(&on_p.t()) + first_p.dot(&own);
            let of_q = shifted_q + mb.dot(&on_q.slice(s![.., ..rq]).t()) + first_p.dot(&self.z.t());
            let (back_p, back_q) = (na.dot(&across.t()), mb.dot(&within.t()));
            for i in 0..block.t.len() {
                let (w, t, more, gap) = (block.w[i], block.t[i], block.more[i], gap[i]);
                p.0.push(w * gap);
                q.0.push(-w * gap);
                p.1.extend(of_p.row(i).iter().map(|v| w * v));
                q.1.extend(of_q.row(i).iter().zip(&self.z_gap).map(|(v, z)| -w * (v + gap * z)));
                let (b, mb, na) = (b.row(i), mb.row(i), na.row(i));
                let (h, h_p) = (h[i], h_p[i]);
                // In this order: the square of a weight may overflow.
                let diag_p = difference_or([1.0 - h, (1.0 - h_p) / t], f64::max(1.0, 1.0 / t), || {
                    let diag = more / t * (1.0 - h - h_p) + dot(&b, &back_p.row(i));
                    diag + dot(&mb, &n_delta.row(i)) + dot(&first_p.row(i), &na)
                });
                p.2.push(0.5 * w * (w * diag_p));
                let (seen, size) = (t * (1.0 - 2.0 * h) + through[i], t.max(through[i]).max(1.0));
                let diag_q = difference_or([1.0 - h, seen], size, || {
                    let diag = more * (1.0 - 2.0 * h) + dot(&b, &back_q.row(i));
                    -diag - 2.0 * dot(&mb, &first_q.row(i)) - dot(&m_delta.row(i), &m_delta.row(i))
                });
                q.2.push(0.5 * w * (w * (diag_q - gap * gap)));
            }
        });
        Sides { p, q }
    }
}

/// As a column, to be spread over those of a matrix.
fn column(v: &Array1<f64>) -> ArrayView2<'_, f64> {
    v.view().insert_axis(Axis(1))
}

/// C_m⁻¹BᵀT⁻¹B = I − C_m⁻¹, column by column in the form that keeps its digits.
fn solved_columns(lm: &[f64], gram: &Array2<f64>, inverse_m: &Array2<f64>) -> Array2<f64> {
    let mut z = solved(lm, gram);
    for (j, mut z) in z.columns_mut().into_iter().enumerate() {
        if gram[(j, j)] > 1.0 {
            z.iter_mut().zip(inverse_m.column(j)).for_each(|(z, inverse)| *z = -inverse);
            z[j] += 1.0;
        }
    }
    z
}

/// 2·KL(p‖m) = Σ −(log(1 + λ) − λ) over the eigenvalues λ of J·G, J = [0, I; I, I], G = [B, Δ]ᵀS_m⁻¹[B, Δ].
fn same_diagonal(of_b: &Array2<f64>, zm: &Array2<f64>, squares: &Array2<f64>) -> f64 {
    let (rq, r) = zm.dim();
    let n = 2 * r;
    let half = |m: &Array2<f64>, i: usize, j: usize| 0.5 * (m[(i, j)] + m[(j, i)]);
    // BᵀS_m⁻¹Δ = C_m⁻¹BᵀT⁻¹Δ; zero columns where q has fewer.
    let g = |i: usize, j: usize| {
        let (low, high) = (i.min(j), i.max(j));
        match (low < r, high < r) {
            (true, true) if high < rq => half(of_b, low, high),
            (true, false) if low < rq => zm[(low, high - r)],
            (false, false) => half(squares, low - r, high - r),
            _ => 0.0,
        }
    };
    // Scaled to a diagonal of ones: entries of Δ are much smaller than those of B.
    let size: Vec<f64> = (0..n).map(|i| libm::sqrt(g(i, i).max(0.0))).collect();
    let scaled: Vec<f64> = (0..n * n)
        .map(|at| (at / n, at % n))
        .map(|(i, j)| if size[i] * size[j] > 0.0 { g(i, j) / size[i] / size[j] } else { 0.0 })
        .collect();
    // Where rounding leaves a pivot that is too negative, the nearest semidefinite matrix.
    let x = semidefinite_factor(&scaled, n).map_or_else(|_| nearest_root(&scaled, n), |(x, _)| x);
    // The eigenvalues of J·G are those of XᵀSJSX.
    let x = Array2::from_shape_fn((n, n), |(i, j)| size[i] * x[i * n + j]);
    let (b, delta) = (x.slice(s![..r, ..]), x.slice(s![r.., ..]));
    let half = b.t().dot(&delta);
    let m = &half + &half.t() + delta.t().dot(&delta);
    divergence_of_eigenvalues(&m)
}

/// X with X·Xᵀ the part of a symmetric matrix whose eigenvalues are not negative.
fn nearest_root(m: &[f64], n: usize) -> Vec<f64> {
    let (values, vectors) = symmetric_eigen(m, n);
    let roots: Vec<f64> = values.iter().map(|v| libm::sqrt(v.max(0.0))).collect();
    (0..n * n).map(|at| vectors[at % n * n + at / n] * roots[at % n]).collect()
}
