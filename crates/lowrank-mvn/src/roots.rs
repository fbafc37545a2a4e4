//! Products with a square root of the covariance and its inverse: colouring and whitening.

use ndarray::{Array2, ArrayRef2, s};
use variata_distributions::linalg::one_sided_jacobi;
use variata_distributions::parallel::collect;
use variata_distributions::{ArgumentError, Real, check};

use crate::matrices::{no_overflow, vectors};
use crate::panel::Weights;
use crate::reflections::Triangle;
use crate::storage::Storage;
use crate::{Error, LowRankMvn};

/// Singular values of A = D^-½P and their right vectors: R = W·S·Vᵀ, (s, v) for each.
type Spectrum = Vec<(f64, Vec<f64>)>;

impl<F: Real, S: Storage> LowRankMvn<'_, F, S> {
    /// Colours white noise: R·v for each item, v [batch, n] → [batch, n], of the root R·Rᵀ = Σ.
    ///
    /// ```text
    /// R = D^½(I + AAᵀ)^½,   (I + AAᵀ)^½v = v + A·V diag(1/(1 + √(1 + s²))) Vᵀ·Aᵀv,   A = D^-½P = U·S·Vᵀ
    /// ```
    /// Where D is a multiple of the identity, R is the symmetric Σ^½. Time O(n r²).
    ///
    /// # Errors
    /// `v` has another shape or is not finite, an entry of the diagonal is 0, or the result or a term of it, such as D^-½P,
    /// overflows ([`Error::Overflow`]).
    pub fn root_times(&self, v: &ArrayRef2<F>) -> Result<Array2<F>, Error> {
        self.check_vector(v)?;
        let right = vectors(v);
        // Aᵀv = PᵀD^-½v, and D^½A = P.
        let whitened = |b: usize, start: usize, to: &mut [f64]| {
            let mut weights = vec![0.0; to.len()];
            right(b, start, to);
            self.cov_diag.item(b).weights(start, &mut weights);
            to.iter_mut().zip(weights).for_each(|(to, w)| *to *= w);
        };
        let spectra = self.spectra()?;
        let mixed =
            mixed(&self.projected(Weights::One, &whitened), &spectra, |s| 1.0 / (1.0 + libm::hypot(1.0, s)));
        let coloured = self.coloured(&mixed, &|b, start, to| {
            self.cov_diag.item(b).deviations(start, to);
            let v = v.slice(s![b, start..start + to.len()]);
            to.iter_mut().zip(v).for_each(|(to, v)| *to *= v.to_f64());
        });
        no_overflow("root_times", coloured)
    }

    /// Whitens: R⁻¹·v for each item, with R of [`root_times`](Self::root_times), v [batch, n] → [batch, n]. ‖R⁻¹(x − μ)‖² is
    /// the squared Mahalanobis distance.
    ///
    /// ```text
    /// (I + AAᵀ)^-½w = w − A·V diag(1/(√(1 + s²)(1 + √(1 + s²)))) Vᵀ·Aᵀw,   w = D^-½v
    /// ```
    /// Where columns of P are nearly dependent the result has an error of up to u·‖A‖·‖w‖, u = 2⁻⁵³, which may be much of what is
    /// left of w: [`mahalanobis`](Self::mahalanobis), from a residual, has not.
    ///
    /// # Errors
    /// As [`root_times`](Self::root_times).
    pub fn inverse_root_times(&self, v: &ArrayRef2<F>) -> Result<Array2<F>, Error> {
        self.check_vector(v)?;
        let right = vectors(v);
        let spectra = self.spectra()?;
        let projected = self.projected(Weights::Whitening, &right);
        let mixed = mixed(&projected, &spectra, |s| {
            let root = libm::hypot(1.0, s);
            -1.0 / (root * (1.0 + root))
        });
        no_overflow("inverse_root_times", self.coloured_by(Weights::Whitening, &mixed, &right))
    }

    fn spectra(&self) -> Result<Vec<Spectrum>, Error> {
        let found = collect(self.batch(), |b| {
            let item = self.item(b);
            item.diag.check_positive("> 0")?;
            let mut triangle = Triangle::new(item.r(), 0, false);
            item.for_each_block(Weights::Whitening, None, 0, item.n(), |block| {
                triangle.add(block.rows, |j| block.column(j));
            });
            spectrum(triangle.upper())
        });
        found.into_iter().collect()
    }
}

/// Singular values and right vectors of a matrix given by its columns.
pub(crate) fn spectrum(columns: &[Vec<f64>]) -> Result<Spectrum, Error> {
    let refuse = |value| ArgumentError::Value {
        argument: "cov_factor",
        index: None,
        value,
        must: "finite after division by the root of the diagonal",
    };
    let largest = columns.iter().flatten().fold(0.0f64, |m, v| m.max(v.abs()));
    check::scalar("cov_factor", largest, "finite", largest.is_finite())?;
    // By a power of 2, so that squares neither overflow nor vanish.
    let exponent = if largest > 0.0 { libm::ilogb(largest) } else { 0 };
    let scaled = columns.iter().map(|c| c.iter().map(|v| libm::scalbn(*v, -exponent)).collect()).collect();
    let found = one_sided_jacobi(scaled).ok_or_else(|| refuse(f64::NAN))?;
    let size = |column: &[f64]| libm::scalbn(libm::sqrt(column.iter().map(|v| v * v).sum()), exponent);
    Ok(found.into_iter().map(|(column, v)| (size(&column), v)).collect())
}

/// V diag(f(s)) Vᵀ·c of each row c.
fn mixed(c: &Array2<f64>, spectra: &[Spectrum], f: impl Fn(f64) -> f64) -> Array2<f64> {
    let mut mixed = Array2::zeros(c.raw_dim());
    for ((c, mut to), spectrum) in c.rows().into_iter().zip(mixed.rows_mut()).zip(spectra) {
        for (s, v) in spectrum {
            let share = f(*s) * v.iter().zip(c).map(|(v, c)| v * c).sum::<f64>();
            to.iter_mut().zip(v).for_each(|(to, v)| *to += share * v);
        }
    }
    mixed
}
