//! Conditioning on exact values of some entries.

use tch::{Kind, Tensor};
use variata_distributions::torch::support::same_size;
use variata_distributions::{ArgumentError, Error};
use variata_torch_bridge::check_floating;

use super::LowRankMvn;

/// A distribution given exact values of some of its entries, see [`LowRankMvn::condition`].
#[derive(Debug)]
pub struct Posterior {
    /// The entries without a value (`Int64`), in ascending order.
    pub rest_indices: Tensor,
    /// Their distribution, f64 and of the same rank.
    pub rest: LowRankMvn,
    /// The posterior mean of all entries, the given ones in place, [batch, n] in the kind of the location.
    pub mean: Tensor,
}

impl LowRankMvn {
    /// The distribution given that the entries at `indices` (`Int64`, one axis) have the `values` [batch, indices] exactly, by
    /// tensor operations on every device. Formula and source: [`crate::LowRankMvn::condition`].
    ///
    /// Editing sessions, soft observations and edits that differ from item to item are native: [`lend`](Self::lend).
    ///
    /// ```
    /// use variata_lowrank_mvn::torch::LowRankMvn;
    /// use variata_torch_bridge::tch::{Device, Kind, Tensor};
    ///
    /// let cpu = (Kind::Double, Device::Cpu);
    /// let p = LowRankMvn::new(Tensor::zeros([1, 3], cpu), Tensor::ones([1, 3, 1], cpu), Tensor::from(1e-9))?;
    /// let found = p.condition(&Tensor::from_slice(&[1i64]), &Tensor::from_slice(&[5f64]).view([1, 1]))?;
    /// assert!((found.mean.double_value(&[0, 2]) - 5.0).abs() < 1e-8);
    /// # Ok::<(), variata_distributions::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`marginal`](Self::marginal); `values` has another shape, is not dense and floating-point, or lies on another device.
    pub fn condition(&self, indices: &Tensor, values: &Tensor) -> Result<Posterior, Error> {
        let given = self.check_indices(indices)?;
        check_floating(&[("loc", &self.loc), ("values", values)])?;
        same_size("values", values, &[self.batch(), given.len()])?;
        let mut free = vec![true; self.dim()];
        for i in given {
            let slot = free.get_mut(i).ok_or(ArgumentError::Value {
                argument: "indices",
                index: None,
                value: i as f64,
                must: "in 0..n",
            })?;
            *slot = false;
        }
        let others: Vec<i64> =
            free.iter().enumerate().filter(|(_, free)| **free).map(|(i, _)| i as i64).collect();
        let rest_indices = Tensor::from_slice(&others).to_device(self.loc.device());
        let (seen, rest) = (self.at(indices)?, self.at(&rest_indices)?);
        // z is minus the lower part of what is left of the observations' gap.
        let basis = seen.basis()?;
        let gap = seen.gap(values) / seen.variances().sqrt();
        let [_, minus_z] = basis.rest(&gap.unsqueeze(-1))?;
        let factor = rest.factor();
        let loc = rest.loc.to_kind(Kind::Double) - factor.matmul(&minus_z).squeeze_dim(-1);
        let kind = self.loc.kind();
        let mean = self.loc.index_copy(1, &rest_indices, &loc.to_kind(kind)).index_copy(
            1,
            indices,
            &values.to_kind(kind),
        );
        let rest =
            Self::new(loc, factor.matmul(&basis.inverse_root()?), rest.cov_diag.to_kind(Kind::Double))?;
        Ok(Posterior { rest_indices, rest, mean })
    }
}
