//! encoder ─ bottleneck ─ decoder ─ observation model, with the objective of the papers.

use tch::{Device, Kind, Tensor};
use variata_datasets::Batch;

use crate::nn::{Decoder, Encoder};
use crate::observation::ObservationModel;
use crate::train::{StepContext, Trainable};
use crate::{
    AutoencoderConfig, Bottleneck, Code, Condition, Error, ImageShape, Noise, Objective, Observation,
    Parameters, Purpose, Term,
};

/// An autoencoder of any kind: AE, VAE, β-VAE, CVAE are settings of it.
///
/// ```text
/// loss = distortion_weight · E_q[−log p(x|z, c)] + kl_weight(step) · KL(q(z|x, c) ‖ N(0, I))
/// ```
/// Source: VAE tutorial, L(θ, φ) and section "Conditional VAE" [corrected: errata 000-1 to 000-7]. One draw of z per
/// datum and step.
///
/// # Examples
/// ```
/// use variata_models::{Autoencoder, AutoencoderConfig, ImageShape, tch::{Device, Kind, Tensor}};
/// let image = ImageShape { channels: 1, height: 8, width: 8 };
/// let model = Autoencoder::new(&AutoencoderConfig::default(), image, 10, 0, Device::Cpu)?;
/// let x = Tensor::zeros([5, 1, 8, 8], (Kind::Float, Device::Cpu));
/// let encoding = model.encode(&x, None)?;
/// assert_eq!(encoding.code.mean.size(), [5, 2]);
/// assert_eq!(model.decode(&encoding.code.mean, None)?.mean().size(), [5, 1, 8, 8]);
/// # Ok::<(), variata_models::Error>(())
/// ```
#[derive(Debug)]
pub struct Autoencoder {
    parameters: Parameters,
    encoder: Encoder,
    bottleneck: Bottleneck,
    decoder: Decoder,
    observation: ObservationModel,
    config: AutoencoderConfig,
    image: ImageShape,
    classes: i64,
}

/// What the encoder made of a batch.
#[derive(Debug)]
pub struct Encoding {
    /// The code and its posterior.
    pub code: Code,
}

impl Autoencoder {
    /// A model with initial parameters of a seed. `classes` matters for conditional models only.
    ///
    /// # Errors
    /// A setting is outside its domain, or libtorch cannot allocate.
    pub fn new(
        config: &AutoencoderConfig,
        image: ImageShape,
        classes: i64,
        seed: u64,
        device: Device,
    ) -> Result<Self, Error> {
        config.check(image)?;
        let classes = if config.conditional { classes } else { 0 };
        if config.conditional && classes < 1 {
            return Err(Error::Config {
                setting: "classes",
                value: classes.to_string(),
                must: ">= 1 for a conditional model".into(),
            });
        }
        let mut parameters = Parameters::new(Noise::new(seed), device);
        let mut root = parameters.root();
        let encoder = Encoder::new(&mut root.sub("encoder"), &config.architecture, image, classes)?;
        let bottleneck = Bottleneck::new(
            &mut root.sub("bottleneck"),
            &config.bottleneck,
            encoder.features(),
            config.latent,
        )?;
        let decoder = Decoder::new(
            &mut root.sub("decoder"),
            &config.architecture,
            image,
            config.observation.heads(),
            config.latent + classes,
        )?;
        let observation = ObservationModel::new(&mut root.sub("observation"), config.observation, image)?;
        Ok(Self {
            parameters,
            encoder,
            bottleneck,
            decoder,
            observation,
            config: config.clone(),
            image,
            classes,
        })
    }

    /// The settings.
    pub fn config(&self) -> &AutoencoderConfig {
        &self.config
    }

    /// Where the model lives.
    pub fn device(&self) -> Device {
        self.parameters.device()
    }

    /// One-hot labels on the model's device; `None` for an unconditional model.
    ///
    /// # Errors
    /// A label is not one of the classes.
    pub fn condition(&self, labels: &[i64]) -> Result<Option<Condition>, Error> {
        if self.classes == 0 {
            return Ok(None);
        }
        Condition::one_hot(labels, self.classes, self.device()).map(Some)
    }

    fn check_condition(&self, rows: i64, condition: Option<&Condition>) -> Result<(), Error> {
        match (self.classes, condition) {
            (0, Some(_)) => Err(Error::Condition("this model is not conditional, but labels were given")),
            (1.., None) => Err(Error::Condition("this model is conditional, but no labels were given")),
            (_, Some(c)) if c.tensor().size() != [rows, self.classes] => Err(Error::Shape {
                argument: "condition",
                got: c.tensor().size(),
                want: format!("[{rows}, {}]", self.classes),
            }),
            _ => Ok(()),
        }
    }

    /// Images [batch, channels, height, width] to codes.
    ///
    /// # Errors
    /// The image shape is not the model's, or labels are missing or too many.
    pub fn encode(&self, x: &Tensor, condition: Option<&Condition>) -> Result<Encoding, Error> {
        let size = x.size();
        if size.len() != 4 || size[1..] != self.image.dims() {
            return Err(Error::Shape {
                argument: "x",
                got: size,
                want: format!(
                    "[batch, {}, {}, {}]",
                    self.image.channels, self.image.height, self.image.width
                ),
            });
        }
        self.check_condition(size[0], condition)?;
        let features = self.encoder.forward(x, condition);
        Ok(Encoding { code: self.bottleneck.forward(&features)? })
    }

    /// Codes [batch, latent] to the distribution of images.
    ///
    /// # Errors
    /// The code's shape is not [batch, latent], or labels are missing or too many.
    pub fn decode(&self, z: &Tensor, condition: Option<&Condition>) -> Result<Observation, Error> {
        let size = z.size();
        if size.len() != 2 || size[1] != self.config.latent {
            return Err(Error::Shape {
                argument: "z",
                got: size,
                want: format!("[batch, {}]", self.config.latent),
            });
        }
        self.check_condition(size[0], condition)?;
        let input = match condition {
            Some(c) => Tensor::cat(&[z, c.tensor()], 1),
            None => z.shallow_clone(),
        };
        Ok(self.observation.observe(&self.decoder.forward(&input)))
    }

    fn terms(&self, batch: &Batch, context: &StepContext, purpose: Purpose) -> Result<Objective, Error> {
        let x = variata_torch_bridge::tensor_from_array(batch.images.clone())?.to_device(self.device());
        let condition = self.condition(&batch.labels)?;
        let code = self.encode(&x, condition.as_ref())?.code;
        let mut terms = Vec::with_capacity(2);
        // With weight 0 the decoder is left out of the graph, and its parameters stay as they are.
        let distortion = |z: &Tensor| -> Result<Tensor, Error> {
            Ok(self.decode(z, condition.as_ref())?.distortion(&x)?.mean(Kind::Double))
        };
        let noise =
            || context.noise.normal(purpose, context.draw, x.size()[0], self.config.latent, self.device());
        let z = match code.posterior {
            Some(_) => code.rsample(&noise()?)?,
            None => code.mean.shallow_clone(),
        };
        let value = if self.config.distortion_weight == 0.0 {
            variata_torch_bridge::no_grad(|| distortion(&z))?
        } else {
            distortion(&z)?
        };
        terms.push(Term { name: "distortion", value, weight: self.config.distortion_weight });
        if let Some(q) = &code.posterior {
            let weight = self.config.kl.at(context.step);
            terms.push(Term { name: "kl", value: q.kl_standard_normal()?.mean(Kind::Double), weight });
        }
        Ok(Objective { terms })
    }
}

impl Trainable for Autoencoder {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn objective(&self, batch: &Batch, context: &StepContext) -> Result<Objective, Error> {
        self.terms(batch, context, Purpose::Latent)
    }

    fn validate(&self, batch: &Batch, context: &StepContext) -> Result<Vec<(&'static str, f64)>, Error> {
        let objective = self.terms(batch, context, Purpose::Validation)?;
        Ok(objective.terms.iter().map(|t| t.name).zip(objective.values()).collect())
    }
}
