//! Draws, from given noise or from libtorch's generator.

use ndarray::Array2;
use tch::{Kind, Tensor};
use variata_distributions::torch::support::{lend_all, same_size, wanted};
use variata_distributions::{Error, check};
use variata_torch_bridge::{
    Route, Saved, attach_backward, check_floating, no_grad, route, tensor_from_array,
};

use super::LowRankMvn;
use super::native::{TensorElement, kept, matrix, parameters};

impl LowRankMvn {
    /// Reparameterised sample `μ + P·ω_p + √D·ω_d` [batch, n] from noise of N(0, 1): `noise_factor` [batch, r] and
    /// `noise_diag` [batch, n], in the kind of the location. Source: SOS-VAE paper, eq. 4.
    ///
    /// # Errors
    /// A noise has another shape, is not dense and floating-point, or lies on another device.
    pub fn rsample(&self, noise_factor: &Tensor, noise_diag: &Tensor) -> Result<Tensor, Error> {
        self.check_noise(noise_factor, noise_diag)?;
        let [loc, factor, diag] = [&self.loc, &self.cov_factor, &self.cov_diag];
        if route(&[loc, factor, diag, noise_factor, noise_diag], &[]) == Route::Native {
            let found = match loc.kind() {
                Kind::Float => self.native_sample::<f32>(noise_factor, noise_diag),
                _ => self.native_sample::<f64>(noise_factor, noise_diag),
            };
            if let Some(value) = kept(found)? {
                return self.attach_sample(value, noise_factor, noise_diag);
            }
        }
        Ok(self.sample_composed(noise_factor, noise_diag))
    }

    /// [`rsample`](Self::rsample) as tensor operations: any device, any derivative order.
    ///
    /// # Errors
    /// As [`rsample`](Self::rsample).
    pub fn rsample_composed(&self, noise_factor: &Tensor, noise_diag: &Tensor) -> Result<Tensor, Error> {
        self.check_noise(noise_factor, noise_diag)?;
        Ok(self.sample_composed(noise_factor, noise_diag))
    }

    /// One draw of each distribution, [batch, n], without a gradient.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn sample(&self) -> Result<Tensor, Error> {
        self.sample_clamped(f64::INFINITY)
    }

    /// [`sample`](Self::sample) with the noise of D limited to [−`limit`, `limit`] standard deviations.
    ///
    /// # Errors
    /// `limit` is NaN or < 0.
    pub fn sample_clamped(&self, limit: f64) -> Result<Tensor, Error> {
        check::scalar("limit", limit, ">= 0", limit >= 0.0)?;
        let noise = |columns: usize| {
            Tensor::randn([self.batch() as i64, columns as i64], (self.loc.kind(), self.loc.device()))
        };
        no_grad(|| self.rsample(&noise(self.rank()), &noise(self.dim()).clamp(-limit, limit)))
    }

    fn check_noise(&self, noise_factor: &Tensor, noise_diag: &Tensor) -> Result<(), Error> {
        check_floating(&[("loc", &self.loc), ("noise_factor", noise_factor), ("noise_diag", noise_diag)])?;
        same_size("noise_factor", noise_factor, &[self.batch(), self.rank()])?;
        same_size("noise_diag", noise_diag, &[self.batch(), self.dim()])
    }

    fn sample_composed(&self, noise_factor: &Tensor, noise_diag: &Tensor) -> Tensor {
        let low = self.factor().matmul(&noise_factor.to_kind(Kind::Double).unsqueeze(-1)).squeeze_dim(-1);
        let own = self.variances().sqrt() * noise_diag.to_kind(Kind::Double);
        (self.loc.to_kind(Kind::Double) + low + own).to_kind(self.loc.kind())
    }

    fn native_sample<F: TensorElement>(
        &self,
        noise_factor: &Tensor,
        noise_diag: &Tensor,
    ) -> Result<Tensor, Error> {
        let [loc, factor, diag] = self.named();
        let noise = [("noise_factor", noise_factor), ("noise_diag", noise_diag)];
        let found: Array2<F> =
            lend_all([loc, factor, diag, noise[0], noise[1]], |[loc, factor, diag, low, own]| {
                Ok::<_, Error>(parameters(loc, factor, diag)?.rsample(&matrix(low)?, &matrix(own)?)?)
            })??;
        // A factor that was not looked at.
        check::finite("sample", &found)?;
        Ok(tensor_from_array(found)?)
    }

    fn attach_sample(
        &self,
        value: Tensor,
        noise_factor: &Tensor,
        noise_diag: &Tensor,
    ) -> Result<Tensor, Error> {
        let spread = self.spread();
        let inputs = [&self.loc, &self.cov_factor, &spread, noise_factor, noise_diag];
        if !wanted(&inputs) {
            return Ok(value);
        }
        let needed = inputs.map(Tensor::requires_grad);
        let [_, factor, diag] = self.named();
        let saved = [factor, diag, ("noise_factor", noise_factor), ("noise_diag", noise_diag)];
        let (saved, shape) = (saved.map(|(name, tensor)| Saved::new(name, tensor)), spread.size());
        Ok(attach_backward("LowRankMvn::rsample", value, &inputs, move |up| {
            let [factor, diag, low, own] = &saved;
            let (factor, low, own) = (factor.get()?, low.get()?, own.get()?);
            let deviations = diag.get()?.expand(&shape, true).sqrt();
            let when = |wanted: bool, grad: &dyn Fn() -> Tensor| wanted.then(grad);
            Ok(vec![
                when(needed[0], &|| up.copy()),
                when(needed[1], &|| up.unsqueeze(-1) * low.unsqueeze(1)),
                when(needed[2], &|| up * own / (&deviations * 2.0)),
                when(needed[3], &|| factor.transpose(1, 2).matmul(&up.unsqueeze(-1)).squeeze_dim(-1)),
                when(needed[4], &|| up * &deviations),
            ])
        })?)
    }
}
