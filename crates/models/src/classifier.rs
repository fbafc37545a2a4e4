//! A classifier, plain or hardened by augmented views: to be used itself, or to judge generated images.

use serde::{Deserialize, Serialize};
use tch::{CModule, Device, Kind, Tensor};
use variata_datasets::Batch;
use variata_distributions::torch::jensen_shannon_batch;

use crate::condition::MOST_CLASSES;
use crate::error::check_number;
use crate::nn::{Encoder, Linear, Pass, check_input};
use crate::train::{StepContext, Trainable, checkpoint};
use crate::{
    Architecture, ComputeConfig, Condition, Error, ImageShape, Init, Noise, Objective, Parameters, Term,
};

/// What a classifier tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClassifierTask {
    /// The labels of the data.
    #[default]
    Labels,
    /// An image, its mirror images left to right and top to bottom, and both together: features for data without labels.
    Reflections,
}

/// Networks of a classifier, and its task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierConfig {
    /// The feature network.
    pub architecture: Architecture,
    /// What it tells apart.
    pub task: ClassifierTask,
    /// What is taken from every pixel before it is divided by [`scale`](Self::scale); 0. Paper fourier-aug: ½ and ½.
    pub shift: f64,
    /// What every pixel is divided by; 1.
    pub scale: f64,
    /// Weight of the Jensen–Shannon divergence between the views of an image, where batches hold several; AugMix's 12.
    pub consistency: f64,
    /// How the network computes; the losses are in f64 all the same.
    pub compute: ComputeConfig,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        Self {
            architecture: Architecture::Mlp { hidden: vec![128, 64] },
            task: ClassifierTask::default(),
            shift: 0.0,
            scale: 1.0,
            consistency: 12.0,
            compute: ComputeConfig::default(),
        }
    }
}

impl ClassifierConfig {
    fn check(&self, image: ImageShape) -> Result<(), Error> {
        image.check()?;
        self.architecture.check(image)?;
        check_number("shift", self.shift, true, "finite")?;
        check_number("scale", self.scale, self.scale > 0.0, "finite and > 0")?;
        check_number("consistency", self.consistency, self.consistency >= 0.0, "finite and >= 0")
    }
}

/// Features, then one linear layer to the classes' logits; trained with the cross-entropy.
///
/// A batch may hold several views of each datum, all first ones before all second ones. Then the loss is AugMix's:
///
/// ```text
/// mean_b ( −log p₀(label_b) + λ JSD(p₀, …, pₙ₋₁) )
/// ```
/// Source: paper fourier-aug, section 2; Hendrycks et al., "AugMix" (2020), eq. 2 and 3.
#[derive(Debug)]
pub struct Classifier {
    parameters: Parameters,
    network: Encoder,
    head: Linear,
    image: ImageShape,
    classes: i64,
    config: ClassifierConfig,
}

/// What a checkpoint says of its model.
#[derive(Serialize, Deserialize)]
struct Description {
    classifier: ClassifierConfig,
    image: ImageShape,
    classes: i64,
}

/// An image and its mirror images.
const REFLECTIONS: [&[i64]; 4] = [&[], &[3], &[2], &[2, 3]];

impl Classifier {
    /// A classifier with initial parameters of a seed. `classes` is that of the labels.
    ///
    /// # Errors
    /// A setting is outside its domain, or libtorch cannot allocate.
    ///
    /// # Examples
    /// ```
    /// use variata_models::{Classifier, ClassifierConfig, ImageShape, tch::{Device, Kind, Tensor}};
    /// let image = ImageShape { channels: 1, height: 8, width: 8 };
    /// let model = Classifier::new(&ClassifierConfig::default(), image, 10, 0, Device::Cpu)?;
    /// let x = Tensor::zeros([3, 1, 8, 8], (Kind::Float, Device::Cpu));
    /// assert_eq!(model.logits(&x)?.size(), [3, 10]);
    /// # Ok::<(), variata_models::Error>(())
    /// ```
    pub fn new(
        config: &ClassifierConfig,
        image: ImageShape,
        classes: i64,
        seed: u64,
        device: Device,
    ) -> Result<Self, Error> {
        config.check(image)?;
        let classes = match config.task {
            ClassifierTask::Labels => classes,
            ClassifierTask::Reflections => REFLECTIONS.len() as i64,
        };
        if !(2..=MOST_CLASSES).contains(&classes) {
            return Err(Error::Config {
                setting: "classes",
                value: classes.to_string(),
                must: format!("in 2..={MOST_CLASSES}"),
            });
        }
        let mut parameters =
            Parameters::new(Noise::new(seed), device).channels_last(config.compute.channels_last);
        let mut root = parameters.root();
        let network = Encoder::new(&mut root.sub("network"), &config.architecture, image, 0)?;
        let features = network.features();
        let init = match config.architecture {
            // As AugMix's code, which leaves torch's default.
            Architecture::WideResidual { .. } => Init::torch(features),
            _ => Init::lecun(features),
        };
        let head = Linear::new(&mut root.sub("head"), features, classes, init)?;
        Ok(Self { parameters, network, head, image, classes, config: config.clone() })
    }

    /// The classifier of a checkpoint file, or of the newest whole one of a folder: as it was at its best validation, where the
    /// run kept that.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or is another model's.
    pub fn from_checkpoint(path: impl AsRef<std::path::Path>, device: Device) -> Result<Self, Error> {
        let loaded = checkpoint::read(path.as_ref())?;
        let Description { classifier, image, classes } = loaded.description("a classifier")?;
        let model = Self::new(&classifier, image, classes, 0, device)?;
        loaded.restore_model(&model.parameters)?;
        Ok(model)
    }

    /// The settings.
    pub fn config(&self) -> &ClassifierConfig {
        &self.config
    }

    /// Size of an image.
    pub fn image(&self) -> ImageShape {
        self.image
    }

    /// Where the model lives.
    pub fn device(&self) -> Device {
        self.parameters.device()
    }

    /// The features as a TorchScript module that needs this program no more: images [n, 3, height, width] in [0, 1], of any size,
    /// to [n, features]. A model of grey images gets the mean of the channels; other sizes are interpolated bilinearly.
    ///
    /// # Errors
    /// The model has other than 1 or 3 channels, or libtorch cannot trace it.
    ///
    /// ```
    /// use variata_models::{Classifier, ClassifierConfig, ImageShape, tch::{Device, Kind, Tensor}};
    /// let image = ImageShape { channels: 1, height: 8, width: 8 };
    /// let model = Classifier::new(&ClassifierConfig::default(), image, 10, 0, Device::Cpu)?;
    /// let x = Tensor::rand([5, 1, 8, 8], (Kind::Float, Device::Cpu));
    /// let traced = model.trace_features()?.forward_ts(&[x.repeat([1, 3, 1, 1])])?;
    /// assert!(traced.allclose(&model.features(&x)?, 1e-5, 1e-6, false));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn trace_features(&self) -> Result<CModule, Error> {
        let ImageShape { channels, height, width } = self.image;
        if channels != 1 && channels != 3 {
            return Err(Error::Config {
                setting: "image channels",
                value: channels.to_string(),
                must: "1 or 3, to be traced".into(),
            });
        }
        // The module shares its constants with the model that is traced, and cannot be read where they ask for gradients. It must not
        // hold this device, which conversions would record: it is for any.
        let config = ClassifierConfig { compute: ComputeConfig::default(), ..self.config.clone() };
        let frozen = Self::new(&config, self.image, self.classes, 0, Device::Cpu)?;
        for ((_, to), (_, from)) in frozen.parameters.iter().zip(self.parameters.iter()) {
            let mut to = to.set_requires_grad(false);
            to.f_copy_(&from.detach())?;
        }
        let example = Tensor::zeros([2, 3, height, width], (Kind::Float, Device::Cpu));
        let mut result = Err(Error::Unsupported("the trace did not run"));
        let mut run = |inputs: &[Tensor]| {
            let x = &inputs[0];
            let x =
                if channels == 1 { x.mean_dim(&[1i64][..], true, Kind::Float) } else { x.shallow_clone() };
            let x = x.upsample_bilinear2d([height, width], false, None, None);
            let (features, outcome) = match frozen.features(&x) {
                Ok(features) => (features, Ok(())),
                Err(error) => (x, Err(error)),
            };
            result = outcome;
            vec![features]
        };
        let module = variata_torch_bridge::no_grad(|| {
            CModule::create_by_tracing("features", "forward", &[example], &mut run)
        });
        result?;
        Ok(module?)
    }

    /// Features [batch, features] of images [batch, channels, height, width].
    ///
    /// # Errors
    /// The images' shape, kind (f32) or device is not the model's.
    pub fn features(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.features_in(x, Pass::Evaluation)
    }

    fn features_in(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor, Error> {
        check_input("x", x, &self.image.dims(), self.device())?;
        let x = match (self.config.shift, self.config.scale) {
            (0.0, 1.0) => x.shallow_clone(),
            (shift, scale) => (x - shift) / scale,
        };
        let x = self.config.compute.laid_out(&x)?;
        self.config.compute.run(self.device(), || self.network.forward(&x, None, pass))
    }

    /// Logits [batch, classes].
    ///
    /// # Errors
    /// As [`Classifier::features`].
    pub fn logits(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.head.forward(&self.features(x)?)
    }

    /// The most likely class of each image.
    ///
    /// # Errors
    /// As [`Classifier::features`].
    pub fn predict(&self, x: &Tensor) -> Result<Vec<i64>, Error> {
        let best = variata_torch_bridge::no_grad(|| self.logits(&x.to_device(self.parameters.device())))?
            .argmax(1, false)
            .to_device(Device::Cpu);
        Ok((0..best.size()[0]).map(|i| best.int64_value(&[i])).collect())
    }

    /// Logits of a batch [views, data, classes], and the labels of the data.
    fn classified(&self, batch: &Batch, pass: Pass<'_>) -> Result<(Tensor, Vec<i64>), Error> {
        let x = variata_torch_bridge::tensor_from_array(batch.images.clone())?.to_device(self.device());
        let (rows, n) = (x.size()[0], batch.labels.len() as i64);
        let reflects = self.config.task == ClassifierTask::Reflections;
        if n == 0 || rows == 0 || rows % n != 0 || reflects && rows != n {
            let want = if reflects {
                format!("one row for each of {n} data: reflections have no views")
            } else {
                format!("a whole multiple of {n} rows, one for each datum and view")
            };
            return Err(Error::Shape { argument: "batch.images", got: x.size(), want });
        }
        let (x, labels) = match self.config.task {
            ClassifierTask::Labels => (x, batch.labels.clone()),
            ClassifierTask::Reflections => {
                let all = REFLECTIONS.map(|axes| x.flip(axes));
                let labels = (0..REFLECTIONS.len() as i64).flat_map(|k| vec![k; batch.labels.len()]);
                (Tensor::cat(&all, 0), labels.collect())
            }
        };
        let logits = self.head.forward(&self.features_in(&x, pass)?)?;
        Ok((logits.view([-1, labels.len() as i64, self.classes]), labels))
    }

    /// Log-probabilities of logits [batch, classes], and the labels as rows of 0 and 1.
    fn log_probabilities(&self, logits: &Tensor, labels: &[i64]) -> Result<(Tensor, Tensor), Error> {
        // Checks the labels' range, which an index on a device would not report.
        let one_hot = Condition::one_hot(labels, self.classes, self.device())?;
        Ok((logits.log_softmax(1, Kind::Double), one_hot.tensor().to_kind(Kind::Double)))
    }
}

impl Trainable for Classifier {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn description(&self) -> String {
        let (classifier, image, classes) = (self.config.clone(), self.image, self.classes);
        // Settings that were read from text can be written.
        serde_json::to_string(&Description { classifier, image, classes }).unwrap_or_default()
    }

    fn objective(&self, batch: &Batch, context: &StepContext) -> Result<Objective, Error> {
        let (logits, labels) = self.classified(batch, Pass::Training(&context.workers))?;
        let (log_p, target) = self.log_probabilities(&logits.get(0), &labels)?;
        let value = -(log_p * target).sum_dim_intlist(1, false, Kind::Double).mean(Kind::Double);
        let mut terms = vec![Term::weighted("cross_entropy", value, 1.0)];
        if logits.size()[0] > 1 {
            let value = jensen_shannon_batch(&logits, None)?.mean(Kind::Double);
            terms.push(Term::weighted("jensen_shannon", value, self.config.consistency));
        }
        Ok(Objective { terms })
    }

    fn validate(&self, batch: &Batch, _: &StepContext) -> Result<Vec<(&'static str, f64)>, Error> {
        let (logits, labels) = self.classified(batch, Pass::Evaluation)?;
        let (log_p, target) = self.log_probabilities(&logits.get(0), &labels)?;
        let nll = -(&log_p * &target).sum_dim_intlist(1, false, Kind::Double).mean(Kind::Double);
        let right = log_p.argmax(1, false).eq_tensor(&target.argmax(1, false)).to_kind(Kind::Double);
        Ok(vec![
            ("cross_entropy", nll.double_value(&[])),
            ("accuracy", right.mean(Kind::Double).double_value(&[])),
        ])
    }
}
