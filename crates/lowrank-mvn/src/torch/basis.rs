//! An orthonormal basis of the columns of [A; I], batched, without a look at a value.

use tch::{Kind, Tensor};
use variata_distributions::Error;
use variata_distributions::torch::support::refused;

/// [A; I] = [top; bottom]·R with columns so near to orthonormal that G = topᵀtop + bottomᵀbottom has a factor without loss.
///
/// R comes from two rounds of Cholesky QR, the first shifted, so that it exists for every finite A (Fukaya et al., "Shifted
/// Cholesky QR", 2020), and is a constant for autograd: the results depend on A through top, bottom and G alone, and their
/// derivatives, of any order, are as well conditioned as they are.
pub(super) struct Basis {
    /// A·R⁻¹, [batch, n, r].
    top: Tensor,
    /// R⁻¹, [batch, r, r].
    bottom: Tensor,
    /// L with L·Lᵀ = G.
    factor: Tensor,
    /// log |I + AᵀA|, `[batch]`.
    pub log_det: Tensor,
}

impl Basis {
    pub(super) fn of(a: &Tensor) -> Result<Self, Error> {
        let (detached, r) = (a.detach(), a.size()[2]);
        let eye = Tensor::eye(r, (Kind::Double, a.device())).expand([a.size()[0], r, r], true);
        let gram = gram(&detached, &eye);
        // Larger than the rounding errors of the products, and far below 1 unless they are not.
        let shift = (gram.diagonal(0, -2, -1).sum_dim_intlist(-1, true, Kind::Double)
            * (f64::EPSILON * (11 * (r + 1)) as f64))
            .diag_embed(0, -2, -1);
        let first = cholesky(&(&gram + shift * &eye))?;
        let (top, bottom) = (divided(&detached, &first)?, divided(&eye, &first)?);
        let second = cholesky(&self::gram(&top, &bottom))?;
        let (top, bottom) = (divided(&divided(a, &first)?, &second)?, divided(&bottom, &second)?);
        let factor = cholesky(&self::gram(&top, &bottom))?;
        let log_det = log_diagonal(&first) + log_diagonal(&second) + log_diagonal(&factor);
        Ok(Self { top, bottom, factor, log_det })
    }

    /// What is left of [b; 0] for the columns of b [batch, n, k] beside its projection, as the pair of its upper and lower part:
    /// the squares of its columns are bᵀ(I + AAᵀ)⁻¹b, and the lower part is −(I + AᵀA)⁻¹Aᵀb.
    pub(super) fn rest(&self, b: &Tensor) -> Result<[Tensor; 2], Error> {
        let y = self.solve(&self.top.transpose(-2, -1).matmul(b))?;
        Ok([b - self.top.matmul(&y), -self.bottom.matmul(&y)])
    }

    /// N [batch, n, r] with N·Nᵀ = A(I + AᵀA)⁻¹Aᵀ.
    pub(super) fn hat(&self) -> Result<Tensor, Error> {
        divided(&self.top, &self.factor)
    }

    /// T with T·Tᵀ = (I + AᵀA)⁻¹, [batch, r, r].
    pub(super) fn inverse_root(&self) -> Result<Tensor, Error> {
        divided(&self.bottom, &self.factor)
    }

    fn solve(&self, b: &Tensor) -> Result<Tensor, Error> {
        let half = self.factor.f_linalg_solve_triangular(b, false, true, false).map_err(refused)?;
        self.factor.transpose(-2, -1).f_linalg_solve_triangular(&half, true, true, false).map_err(refused)
    }
}

/// topᵀ·top + bottomᵀ·bottom.
fn gram(top: &Tensor, bottom: &Tensor) -> Tensor {
    top.transpose(-2, -1).matmul(top) + bottom.transpose(-2, -1).matmul(bottom)
}

/// B·L⁻ᵀ.
fn divided(b: &Tensor, l: &Tensor) -> Result<Tensor, Error> {
    l.transpose(-2, -1).f_linalg_solve_triangular(b, true, false, false).map_err(refused)
}

/// Lower factor; NaN for an item that has none.
fn cholesky(gram: &Tensor) -> Result<Tensor, Error> {
    let (factor, info) = gram.f_linalg_cholesky_ex(false, false).map_err(refused)?;
    Ok(factor.masked_fill(&info.ne(0).unsqueeze(-1).unsqueeze(-1), f64::NAN))
}

/// log |L·Lᵀ| of each item.
fn log_diagonal(l: &Tensor) -> Tensor {
    l.diagonal(0, -2, -1).log().sum_dim_intlist(-1, false, Kind::Double) * 2.0
}

/// Σ squares of each item.
pub(super) fn squares(parts: &[Tensor; 2]) -> Tensor {
    let sum = |t: &Tensor| t.square().flatten(1, -1).sum_dim_intlist(-1, false, Kind::Double);
    sum(&parts[0]) + sum(&parts[1])
}
