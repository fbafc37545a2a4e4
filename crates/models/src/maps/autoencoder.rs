//! encoder ─ map of vectors ─ bottleneck ─ decoder, with the mean squared error.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};
use variata_datasets::Batch;
use variata_torch_bridge::{no_grad, tensor_from_array};

use super::bottleneck::{MapBottleneck, MapCode};
use super::config::MapConfig;
use crate::nn::{Pass, StridedDecoder, StridedEncoder, check_input};
use crate::train::{StepContext, Trainable, checkpoint};
use crate::{Error, ImageShape, Noise, Objective, Parameters, Purpose, Term};

/// Where a bottleneck's noise comes from: an address, see [`Noise`].
#[derive(Debug, Clone, Copy)]
pub struct MapDraw {
    /// The source.
    pub noise: Noise,
    /// What for.
    pub purpose: Purpose,
    /// Training step, or number of the batch.
    pub step: u64,
    /// Where the first datum is in the whole batch, of which a worker has a share.
    pub first_row: u64,
}

impl MapDraw {
    /// For a whole batch.
    pub const fn new(noise: Noise, purpose: Purpose, step: u64) -> Self {
        Self { noise, purpose, step, first_row: 0 }
    }

    pub(super) fn rows(&self, n: i64) -> std::ops::Range<u64> {
        crate::noise::rows_from(self.first_row, n)
    }
}

/// An autoencoder whose code is a map of vectors, h/4 × w/4 of them: AE, VAE, VQ-VAE, VQ-EMA or VQ-Diff, by its bottleneck.
///
/// ```text
/// loss = mean (x − decoder(bottleneck(encoder(x))))² + the bottleneck's terms
/// ```
/// Source: paper VQ-Diff, sections 2.1 and 2.3; sizes from its authors' code. The mean is over all elements of the batch.
///
/// ```
/// use variata_models::{ImageShape, MapAutoencoder, MapBottleneckConfig, MapConfig, tch::{Device, Kind, Tensor}};
///
/// let bundle = ImageShape { channels: 3, height: 64, width: 64 };
/// let mut config = MapConfig::default();
/// config.bottleneck = MapBottleneckConfig::GumbelSoftmax(Default::default());
/// let model = MapAutoencoder::new(&config, bundle, 0, Device::Cpu)?;
/// let x = Tensor::zeros([2, 3, 64, 64], (Kind::Float, Device::Cpu));
/// let z = model.encode(&x)?;
/// assert_eq!(z.size(), [2, 64, 16, 16]);
/// assert_eq!(model.decode(&model.through(&z, None)?.output)?.size(), [2, 3, 64, 64]);
/// # Ok::<(), variata_models::Error>(())
/// ```
#[derive(Debug)]
pub struct MapAutoencoder {
    parameters: Parameters,
    encoder: StridedEncoder,
    bottleneck: MapBottleneck,
    decoder: StridedDecoder,
    config: MapConfig,
    image: ImageShape,
}

/// What [`MapAutoencoder::new`] needs to know, as a checkpoint keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
    config: MapConfig,
    image: ImageShape,
}

impl MapAutoencoder {
    /// A model with initial parameters of a seed.
    ///
    /// # Errors
    /// A setting is outside its domain, height or width is no multiple of 4 (of 16 for a Gaussian bottleneck), or libtorch cannot
    /// allocate.
    pub fn new(config: &MapConfig, image: ImageShape, seed: u64, device: Device) -> Result<Self, Error> {
        config.check(image)?;
        let mut parameters =
            Parameters::new(Noise::new(seed), device).channels_last(config.compute.channels_last);
        let mut root = parameters.root();
        let grid = [image.height / 4, image.width / 4];
        let networks = &config.networks;
        let encoder = StridedEncoder::new(&mut root.sub("encoder"), networks, image.channels)?;
        let mut place = root.sub("bottleneck");
        let bottleneck = MapBottleneck::new(&mut place, &config.bottleneck, networks.code, grid)?;
        let decoder = StridedDecoder::new(&mut root.sub("decoder"), networks, image.channels)?;
        Ok(Self { parameters, encoder, bottleneck, decoder, config: *config, image })
    }

    /// The model of a checkpoint file, or of the newest whole one of a folder.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or is another model's.
    pub fn from_checkpoint(path: impl AsRef<std::path::Path>, device: Device) -> Result<Self, Error> {
        let loaded = checkpoint::read(path.as_ref())?;
        let Description { config, image } = loaded.description("an autoencoder with a map")?;
        let model = Self::new(&config, image, 0, device)?;
        loaded.restore_model(&model.parameters)?;
        Ok(model)
    }

    /// Size of a datum.
    pub fn image(&self) -> ImageShape {
        self.image
    }

    /// The settings.
    pub fn config(&self) -> &MapConfig {
        &self.config
    }

    /// Where the model lives.
    pub fn device(&self) -> Device {
        self.parameters.device()
    }

    /// The codebook [K, code] of a model that has one, without its gradient.
    pub fn codes(&self) -> Option<Tensor> {
        self.bottleneck.codes().map(Tensor::detach)
    }

    /// The temperature of the last training step, of a Gumbel-softmax.
    pub fn temperature(&self) -> Option<f64> {
        self.bottleneck.temperature()
    }

    /// Size of a map: channels, rows, columns.
    pub fn map_shape(&self) -> [i64; 3] {
        [self.config.networks.code, self.image.height / 4, self.image.width / 4]
    }

    /// Data [batch, channels, height, width] to maps [batch, code, height/4, width/4], before the bottleneck.
    ///
    /// # Errors
    /// The data have another shape, kind (f32) or device.
    pub fn encode(&self, x: &Tensor) -> Result<Tensor, Error> {
        check_input("x", x, &self.image.dims(), self.device())?;
        let x = self.config.compute.laid_out(x)?;
        self.config.compute.run(self.device(), || self.encoder.forward(&x))
    }

    /// Maps [batch, code, height/4, width/4] through the bottleneck, with noise from an address or without any.
    ///
    /// # Errors
    /// The maps have another shape, kind or device, or hold numbers that are not finite.
    pub fn through(&self, z: &Tensor, draw: Option<&MapDraw>) -> Result<MapCode, Error> {
        check_input("z", z, &self.map_shape(), self.device())?;
        self.bottleneck.forward(z, draw, Pass::Evaluation)
    }

    /// What the bottleneck gave, [batch, code, height/4, width/4], to data [batch, channels, height, width].
    ///
    /// # Errors
    /// The maps have another shape, kind or device.
    pub fn decode(&self, code: &Tensor) -> Result<Tensor, Error> {
        check_input("code", code, &self.map_shape(), self.device())?;
        let code = self.config.compute.laid_out(code)?;
        Ok(self.config.compute.run(self.device(), || self.decoder.forward(&code))?.contiguous())
    }

    /// Data through all of it, without noise and gradients.
    ///
    /// # Errors
    /// As [`encode`](Self::encode) and [`through`](Self::through).
    pub fn reconstruct(&self, x: &Tensor) -> Result<Tensor, Error> {
        no_grad(|| self.decode(&self.through(&self.encode(x)?, None)?.output))
    }

    fn terms(&self, batch: &Batch, draw: Option<&MapDraw>, pass: Pass<'_>) -> Result<Objective, Error> {
        let x = tensor_from_array(batch.images.clone())?.to_device(self.device());
        let code = self.bottleneck.forward(&self.encode(&x)?, draw, pass)?;
        let error = (self.decode(&code.output)? - &x).square().mean(Kind::Double);
        let mut terms = vec![Term::weighted("mse", error, 1.0)];
        terms.extend(code.terms);
        Ok(Objective { terms })
    }
}

impl Trainable for MapAutoencoder {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn description(&self) -> String {
        // Settings that were read from text can be written.
        serde_json::to_string(&Description { config: self.config, image: self.image }).unwrap_or_default()
    }

    fn objective(&self, batch: &Batch, context: &StepContext) -> Result<Objective, Error> {
        let draw = MapDraw {
            first_row: context.first_row,
            ..MapDraw::new(context.noise, Purpose::Latent, context.draw)
        };
        self.terms(batch, Some(&draw), Pass::Training(&context.workers))
    }

    fn validate(&self, batch: &Batch, context: &StepContext) -> Result<Vec<(&'static str, f64)>, Error> {
        let draw = MapDraw::new(context.noise, Purpose::Validation, context.draw);
        let draw = self.config.noise_in_evaluation.then_some(&draw);
        let objective = self.terms(batch, draw, Pass::Evaluation)?;
        Ok(objective.terms.iter().map(|t| t.name).zip(objective.values()).collect())
    }
}
