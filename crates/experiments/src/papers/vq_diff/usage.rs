//! Which codes are used, how evenly, and how discrete they are.

use anyhow::Result;
use ndarray::{Array2, concatenate};
use variata_models::MapAutoencoder;
use variata_models::tch::Tensor;
use variata_quantize::{Codebook, GumbelSoftmax, Metric, Noise, Usage};
use variata_torch_bridge::{no_grad, tensor_from_array, tensor_into_array};

use super::data::Bundles;

/// Data that go through a model together.
pub(super) const BATCH: usize = 32;
/// Rows whose weights are looked at one by one.
const LOOKED_AT: usize = 2048;

/// Use of a codebook over some data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    /// Number of codes K.
    pub(super) codes: usize,
    /// Codes that are the nearest of some vector.
    pub(super) nearest: usize,
    /// e^H of the nearest codes, from 1 to K.
    pub(super) perplexity: f64,
    /// Root mean square of the codes' elements.
    pub(super) rms: f64,
    pub(super) soft: Option<SoftUse>,
}

/// Use by the weights of a softmax, without noise.
#[derive(Debug, Clone, Copy)]
pub(super) struct SoftUse {
    /// Codes with a mean weight of at least 1/(10 K).
    pub(super) used: usize,
    /// e^H of the mean weights.
    pub(super) mean_perplexity: f64,
    /// e^(mean H) of the weights of each place.
    pub(super) place_perplexity: f64,
    /// Mean of the largest weight of a place.
    pub(super) largest: f64,
}

/// Vectors of the maps [places, code] of data.
pub(super) fn vectors(data: &Bundles, model: &MapAutoencoder, indices: &[usize]) -> Result<Array2<f32>> {
    let mut all = Vec::new();
    for part in indices.chunks(BATCH) {
        let rows = no_grad(|| {
            let x = tensor_from_array(data.data.gather(part)?)?.to_device(model.device());
            let z = model.encode(&x)?.permute([0, 2, 3, 1]).contiguous();
            Ok::<Tensor, anyhow::Error>(z.view([-1, model.map_shape()[0]]))
        })?;
        all.push(tensor_into_array::<f32>("z", &rows)?.into_dimensionality()?);
    }
    let views: Vec<_> = all.iter().map(|x| x.view()).collect();
    Ok(concatenate(ndarray::Axis(0), &views)?)
}

/// The codebook of a model that has one.
fn codebook(model: &MapAutoencoder) -> Result<Option<Codebook<f32>>> {
    let Some(codes) = model.codes() else { return Ok(None) };
    let codes = tensor_into_array::<f32>("codes", &codes)?.into_dimensionality()?;
    Ok(Some(Codebook::new(codes, Metric::default())?))
}

impl Use {
    /// Of the data at `indices`; `None` without a codebook.
    pub(super) fn of(data: &Bundles, model: &MapAutoencoder, indices: &[usize]) -> Result<Option<Self>> {
        let Some(codebook) = codebook(model)? else { return Ok(None) };
        let z = vectors(data, model, indices)?;
        let mut usage = Usage::new(codebook.count())?;
        usage.add(&codebook.assign(&z)?)?;
        let square = codebook.codes().iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        let soft = match model.temperature() {
            Some(temperature) => Some(SoftUse::of(&codebook, temperature, &z)?),
            None => None,
        };
        Ok(Some(Self {
            codes: codebook.count(),
            nearest: codebook.count() - usage.unused().len(),
            perplexity: usage.perplexity().unwrap_or(f64::NAN),
            rms: (square / codebook.codes().len() as f64).sqrt(),
            soft,
        }))
    }

    /// As values of a validation.
    pub(super) fn named(&self) -> Vec<(String, f64)> {
        let mut named =
            vec![("nearest", self.nearest as f64), ("perplexity", self.perplexity), ("codes_rms", self.rms)];
        if let Some(soft) = self.soft {
            named.push(("used", soft.used as f64));
            named.push(("mean_perplexity", soft.mean_perplexity));
            named.push(("place_perplexity", soft.place_perplexity));
        }
        named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Codes that are used: by weight where codes are mixed, as the nearest where one is chosen.
    pub(super) fn used(&self) -> usize {
        self.soft.map_or(self.nearest, |soft| soft.used)
    }
}

impl SoftUse {
    fn of(codebook: &Codebook<f32>, temperature: f64, z: &Array2<f32>) -> Result<Self> {
        let softmax = GumbelSoftmax { temperature, hard: false };
        let found = softmax.usage(codebook, z)?;
        let least = 0.1 / codebook.count() as f64;
        let some = z.slice(ndarray::s![..z.nrows().min(LOOKED_AT), ..]).to_owned();
        let weights = softmax.weights(codebook, &some, Noise::None)?;
        let largest =
            weights.rows().into_iter().map(|row| f64::from(row.iter().fold(0f32, |a, &b| a.max(b))));
        Ok(Self {
            used: found.weights.iter().filter(|w| **w >= least).count(),
            mean_perplexity: found.mean_entropy.exp(),
            place_perplexity: found.row_entropy.exp(),
            largest: largest.sum::<f64>() / some.nrows() as f64,
        })
    }

    /// Nats that a code drawn by the weights tells of its place.
    pub(super) fn information(&self) -> f64 {
        (self.mean_perplexity / self.place_perplexity).ln()
    }
}
