//! encoder ─ bottleneck ─ decoder ─ observation model, with the objective of the papers.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};
use variata_datasets::Batch;

use crate::bottleneck::Bottleneck;
use crate::condition::MOST_CLASSES;
use crate::nn::{Decoder, Encoder, Pass, check_input};
use crate::observation::ObservationModel;
use crate::train::{Constraint, StepContext, Trainable, checkpoint};
use crate::{
    AutoencoderConfig, Code, Condition, EntropyConfig, EntropyOrigin, Error, ImageShape, Noise, Objective,
    Observation, Parameters, Purpose, Term,
};

/// An autoencoder of any kind: AE, VAE, β-VAE, CVAE are settings of it.
///
/// ```text
/// loss = distortion_weight · E_q[−log p(x|z, c)] + kl_weight(step) · KL(q(z|x, c) ‖ N(0, I)) + entropy_weight · H(p(x|z, c))
/// ```
/// Source: VAE tutorial, L(θ, φ) and section "Conditional VAE" [corrected: errata 000-1 to 000-7]. One draw of z per
/// datum and step. The KL term and the entropy may be held at targets instead, see [`Constraint`] (SOS-VAE paper, section 3).
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

/// What [`Autoencoder::new`] needs to know, as a checkpoint keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
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
        if config.conditional && !(1..=MOST_CLASSES).contains(&classes) {
            return Err(Error::Config {
                setting: "classes",
                value: classes.to_string(),
                must: format!("in 1..={MOST_CLASSES} for a conditional model"),
            });
        }
        let mut parameters =
            Parameters::new(Noise::new(seed), device).channels_last(config.compute.channels_last);
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
            (config.observation.planes(image.channels).iter().sum(), config.observation.output_init()),
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

    /// The model of a checkpoint file, or of the newest whole one of a folder.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or is another model's.
    pub fn from_checkpoint(path: impl AsRef<std::path::Path>, device: Device) -> Result<Self, Error> {
        let loaded = checkpoint::read(path.as_ref())?;
        let Description { config, image, classes } = loaded.description("an autoencoder")?;
        let model = Self::new(&config, image, classes, 0, device)?;
        loaded.restore_model(&model.parameters)?;
        Ok(model)
    }

    /// Size of an image.
    pub fn image(&self) -> ImageShape {
        self.image
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
            (_, Some(c)) if c.tensor().device() != self.device() => {
                let (got, want) = (c.tensor().device(), self.device());
                Err(variata_torch_bridge::Error::Devices { argument: "condition", got, want }.into())
            }
            _ => Ok(()),
        }
    }

    /// Images [batch, channels, height, width] to codes.
    ///
    /// # Errors
    /// The images' shape, kind (f32) or device is not the model's, or labels are missing or too many.
    pub fn encode(&self, x: &Tensor, condition: Option<&Condition>) -> Result<Encoding, Error> {
        self.encode_in(x, condition, Pass::Evaluation)
    }

    fn encode_in(
        &self,
        x: &Tensor,
        condition: Option<&Condition>,
        pass: Pass<'_>,
    ) -> Result<Encoding, Error> {
        check_input("x", x, &self.image.dims(), self.device())?;
        self.check_condition(x.size()[0], condition)?;
        let compute = self.config.compute;
        let x = compute.laid_out(x)?;
        let features = compute.run(self.device(), || self.encoder.forward(&x, condition, pass))?;
        Ok(Encoding { code: self.bottleneck.forward(&features)? })
    }

    /// Codes [batch, latent] to the distribution of images.
    ///
    /// # Errors
    /// The code's shape is not [batch, latent], its kind not f32 or its device another, or labels are missing or too many.
    pub fn decode(&self, z: &Tensor, condition: Option<&Condition>) -> Result<Observation, Error> {
        self.decode_in(z, condition, Pass::Evaluation, false)
    }

    /// With `frozen`, no gradient reaches what the decoder says about variances.
    fn decode_in(
        &self,
        z: &Tensor,
        condition: Option<&Condition>,
        pass: Pass<'_>,
        frozen: bool,
    ) -> Result<Observation, Error> {
        check_input("z", z, &[self.config.latent], self.device())?;
        self.check_condition(z.size()[0], condition)?;
        let input = match condition {
            Some(c) => Tensor::cat(&[z, c.tensor()], 1),
            None => z.shallow_clone(),
        };
        // Planes one after the other, also of a network with channels last: a factor is read faster so.
        let output =
            self.config.compute.run(self.device(), || self.decoder.forward(&input, pass))?.contiguous();
        Ok(self.observation.observe(&output, frozen))
    }

    /// The constraint on the entropy with its target in nats.
    fn entropy_constraint(&self, entropy: &EntropyConfig) -> Option<Constraint> {
        let floor = match (entropy.origin, self.config.observation.fixed_diagonal()) {
            (EntropyOrigin::Floor, Some(variance)) => entropy_floor(self.image.numel(), variance),
            _ => 0.0,
        };
        entropy.constraint.map(|c| Constraint { target: floor + c.target, ..c })
    }

    fn terms(&self, batch: &Batch, context: &StepContext, purpose: Purpose) -> Result<Objective, Error> {
        let pass =
            if purpose == Purpose::Latent { Pass::Training(&context.workers) } else { Pass::Evaluation };
        let x = variata_torch_bridge::tensor_from_array(batch.images.clone())?.to_device(self.device());
        let condition = self.condition(&batch.labels)?;
        let code = self.encode_in(&x, condition.as_ref(), pass)?.code;
        let frozen = context.step < self.config.pretrain_steps;
        let observed = |z: &Tensor| -> Result<(Tensor, Option<Tensor>), Error> {
            let seen = self.decode_in(z, condition.as_ref(), pass, frozen)?;
            if self.config.entropy.is_none() {
                return Ok((seen.distortion(&x)?.mean(Kind::Double), None));
            }
            let (distortion, entropy) = seen.distortion_and_entropy(&x)?;
            Ok((distortion.mean(Kind::Double), Some(entropy.mean(Kind::Double))))
        };
        let noise = || {
            context.noise.normal(
                purpose,
                context.draw,
                context.rows(x.size()[0]),
                self.config.latent,
                self.device(),
            )
        };
        let z = match code.posterior {
            Some(_) => code.rsample(&noise()?)?,
            None => code.mean.shallow_clone(),
        };
        // With no weight on either, the decoder is left out of the graph, and its parameters stay as they are.
        let (distortion, entropy) = if self.config.distortion_weight == 0.0
            && self.config.entropy.is_none_or(EntropyConfig::is_idle)
        {
            variata_torch_bridge::no_grad(|| observed(&z))?
        } else {
            observed(&z)?
        };
        let mut terms = vec![Term::weighted("distortion", distortion, self.config.distortion_weight)];
        if let Some(q) = &code.posterior {
            let (value, weight) =
                (q.kl_standard_normal()?.mean(Kind::Double), self.config.kl.at(context.step));
            terms.push(Term { constraint: self.config.kl.constraint, ..Term::weighted("kl", value, weight) });
        }
        if let Some(regularizer) = &self.config.regularizer {
            let distance = regularizer.distance(
                &context.workers.gather_rows(&z)?,
                &context.noise,
                purpose,
                context.draw,
            )?;
            terms.extend(regularizer.terms(distance)?);
        }
        if let (Some(value), Some(config)) = (entropy, &self.config.entropy) {
            let constraint = self.entropy_constraint(config);
            terms.push(Term { constraint, ..Term::weighted("entropy", value, config.weight) });
        }
        Ok(Objective { terms })
    }
}

/// Entropy of n independent normal values of one variance, nats: n/2·(1 + log 2πε). What a low-rank normal has at P = 0.
pub fn entropy_floor(n: i64, variance: f64) -> f64 {
    0.5 * n as f64 * (1.0 + (std::f64::consts::TAU * variance).ln())
}

impl Trainable for Autoencoder {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn description(&self) -> String {
        let (config, image, classes) = (self.config.clone(), self.image, self.classes);
        // Settings that were read from text can be written.
        serde_json::to_string(&Description { config, image, classes }).unwrap_or_default()
    }

    fn objective(&self, batch: &Batch, context: &StepContext) -> Result<Objective, Error> {
        self.terms(batch, context, Purpose::Latent)
    }

    fn validate(&self, batch: &Batch, context: &StepContext) -> Result<Vec<(&'static str, f64)>, Error> {
        let objective = self.terms(batch, context, Purpose::Validation)?;
        Ok(objective.terms.iter().map(|t| t.name).zip(objective.values()).collect())
    }
}
