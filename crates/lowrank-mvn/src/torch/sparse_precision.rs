//! Tensor form of the normal with a sparse precision.

use tch::{Kind, Tensor};
use variata_distributions::special::HALF_LOG_TWO_PI;
use variata_distributions::torch::support::{same_size, size};
use variata_distributions::{ArgumentError, Error};
use variata_torch_bridge::check_floating;

use crate::PixelGrid;

/// Tensor form of [`crate::SparsePrecisionNormal`], which gives formulas, shapes and draws.
///
/// One form serves every device: a density is one filter over the image, which tensor operations do as well as a loop could.
/// It is computed in f64. No value is checked, and a NaN propagates.
#[derive(Debug)]
pub struct SparsePrecisionNormal {
    grid: PixelGrid,
    loc: Tensor,
    log_diag: Tensor,
    off_diag: Tensor,
}

impl SparsePrecisionNormal {
    /// From location and log-diagonal [batch, n] and the factor's other entries [batch, [offsets](PixelGrid::offsets), n].
    ///
    /// # Errors
    /// A tensor is not dense and floating-point, the devices differ, or a shape is wrong.
    ///
    /// ```
    /// use variata_lowrank_mvn::{PixelGrid, torch::SparsePrecisionNormal};
    /// use variata_torch_bridge::tch::{Device, Kind, Tensor};
    ///
    /// let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Double, Device::Cpu));
    /// let p = SparsePrecisionNormal::new(PixelGrid::new(2, 2, 1, 3)?, zeros(&[1, 4]), zeros(&[1, 4]), zeros(&[1, 4, 4]))?;
    /// let log_prob = p.log_prob(&zeros(&[1, 4]))?.double_value(&[0]);
    /// assert!((log_prob + 2.0 * (2.0 * std::f64::consts::PI).ln()).abs() < 1e-14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(grid: PixelGrid, loc: Tensor, log_diag: Tensor, off_diag: Tensor) -> Result<Self, Error> {
        check_floating(&[("loc", &loc), ("log_diag", &log_diag), ("off_diag", &off_diag)])?;
        let found = size(&loc);
        let (batch, n) = match found[..] {
            [batch, n] if n == grid.len() => (batch, n),
            _ => {
                let want = format!("[batch, {}]", grid.len());
                return Err(ArgumentError::Shape { argument: "loc", got: found, want }.into());
            }
        };
        same_size("log_diag", &log_diag, &[batch, n])?;
        same_size("off_diag", &off_diag, &[batch, grid.offsets().len(), n])?;
        Ok(Self { grid, loc, log_diag, off_diag })
    }

    /// Squared Mahalanobis distance ‖Lᵀ(x − μ)‖² of each row of `x` [batch, n] → `[batch]`, f64.
    ///
    /// # Errors
    /// `x` has another shape, is not dense and floating-point, or lies on another device.
    pub fn mahalanobis(&self, x: &Tensor) -> Result<Tensor, Error> {
        check_floating(&[("loc", &self.loc), ("x", x)])?;
        same_size("x", x, &size(&self.loc))?;
        let [channels, height, width] = self.grid.shape().map(|n| n as i64);
        // An empty image says nothing of the batch.
        let image = [self.loc.size()[0], channels, height, width];
        let gap = x.to_kind(Kind::Double) - self.loc.to_kind(Kind::Double);
        let mut filtered = &gap * self.log_diag.to_kind(Kind::Double).exp();
        // Zeros beside and below the image: what lies outside counts for nothing.
        let reach = self.grid.reach() as i64;
        let around = gap.view(image).constant_pad_nd([reach, reach, 0, reach]);
        for (k, offset) in self.grid.offsets().into_iter().enumerate() {
            let moved = around
                .narrow(2, offset.down as i64, height)
                .narrow(3, reach + offset.right as i64, width)
                .flatten(1, -1);
            filtered += self.off_diag.select(1, k as i64).to_kind(Kind::Double) * moved;
        }
        Ok(filtered.square().sum_dim_intlist(-1, false, Kind::Double))
    }

    /// Log-density of each row of `x` [batch, n] → `[batch]`, f64.
    ///
    /// # Errors
    /// As [`mahalanobis`](Self::mahalanobis).
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor, Error> {
        let constant = self.grid.len() as f64 * HALF_LOG_TWO_PI;
        Ok((self.mahalanobis(x)? + self.log_det()) * -0.5 - constant)
    }

    /// log |Σ| = −2·Σ log_diag of each item → `[batch]`, f64.
    pub fn log_det(&self) -> Tensor {
        self.log_diag.sum_dim_intlist(-1, false, Kind::Double) * -2.0
    }

    /// Differential entropy of each item → `[batch]`, f64.
    pub fn entropy(&self) -> Tensor {
        self.log_det() * 0.5 + self.grid.len() as f64 * (HALF_LOG_TWO_PI + 0.5)
    }

    /// Mean: the location, [batch, n].
    pub fn mean(&self) -> Tensor {
        self.loc.shallow_clone()
    }
}
