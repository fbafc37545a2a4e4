//! A classifier trained on real images, to judge generated ones.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};
use variata_datasets::Batch;

use crate::nn::{Encoder, Linear, Pass};
use crate::train::{StepContext, Trainable};
use crate::{Architecture, Condition, Error, ImageShape, Init, Noise, Objective, Parameters, Term};

/// What a classifier tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassifierTask {
    /// The labels of the data.
    #[default]
    Labels,
    /// An image, its mirror images left to right and top to bottom, and both together: features for data without labels.
    Reflections,
}

/// Networks of a classifier, and its task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierConfig {
    /// The feature network.
    pub architecture: Architecture,
    /// What it tells apart.
    pub task: ClassifierTask,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        Self { architecture: Architecture::Mlp { hidden: vec![128, 64] }, task: ClassifierTask::default() }
    }
}

/// Features, then one linear layer to the classes' logits; trained with the cross-entropy.
#[derive(Debug)]
pub struct Classifier {
    parameters: Parameters,
    network: Encoder,
    head: Linear,
    image: ImageShape,
    classes: i64,
    task: ClassifierTask,
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
        image.check()?;
        config.architecture.check(image)?;
        let classes = match config.task {
            ClassifierTask::Labels => classes,
            ClassifierTask::Reflections => REFLECTIONS.len() as i64,
        };
        if !(2..=65_536).contains(&classes) {
            return Err(Error::Config {
                setting: "classes",
                value: classes.to_string(),
                must: "in 2..=65536".into(),
            });
        }
        let mut parameters = Parameters::new(Noise::new(seed), device);
        let mut root = parameters.root();
        let network = Encoder::new(&mut root.sub("network"), &config.architecture, image, 0)?;
        let features = network.features();
        let head = Linear::new(&mut root.sub("head"), features, classes, Init::lecun(features))?;
        Ok(Self { parameters, network, head, image, classes, task: config.task })
    }

    /// Features [batch, features] of images [batch, channels, height, width].
    ///
    /// # Errors
    /// The image shape is not the model's.
    pub fn features(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.features_in(x, Pass::Evaluation)
    }

    fn features_in(&self, x: &Tensor, pass: Pass) -> Result<Tensor, Error> {
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
        Ok(self.network.forward(x, None, pass))
    }

    /// Logits [batch, classes].
    ///
    /// # Errors
    /// As [`Classifier::features`].
    pub fn logits(&self, x: &Tensor) -> Result<Tensor, Error> {
        Ok(self.head.forward(&self.features(x)?))
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

    fn log_probabilities(&self, batch: &Batch, pass: Pass) -> Result<(Tensor, Tensor), Error> {
        let device = self.parameters.device();
        let x = variata_torch_bridge::tensor_from_array(batch.images.clone())?.to_device(device);
        let (x, labels) = match self.task {
            ClassifierTask::Labels => (x, batch.labels.clone()),
            ClassifierTask::Reflections => {
                let all = REFLECTIONS.map(|axes| x.flip(axes));
                let labels = (0..REFLECTIONS.len() as i64).flat_map(|k| vec![k; batch.labels.len()]);
                (Tensor::cat(&all, 0), labels.collect())
            }
        };
        // Checks the labels' range, which an index on a device would not report.
        let one_hot = Condition::one_hot(&labels, self.classes, device)?;
        Ok((
            self.head.forward(&self.features_in(&x, pass)?).log_softmax(1, Kind::Double),
            one_hot.tensor().to_kind(Kind::Double),
        ))
    }
}

impl Trainable for Classifier {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn objective(&self, batch: &Batch, _: &StepContext) -> Result<Objective, Error> {
        let (log_p, target) = self.log_probabilities(batch, Pass::Training)?;
        let value = -(log_p * target).sum_dim_intlist(1, false, Kind::Double).mean(Kind::Double);
        Ok(Objective { terms: vec![Term::weighted("cross_entropy", value, 1.0)] })
    }

    fn validate(&self, batch: &Batch, _: &StepContext) -> Result<Vec<(&'static str, f64)>, Error> {
        let (log_p, target) = self.log_probabilities(batch, Pass::Evaluation)?;
        let nll = -(&log_p * &target).sum_dim_intlist(1, false, Kind::Double).mean(Kind::Double);
        let right = log_p.argmax(1, false).eq_tensor(&target.argmax(1, false)).to_kind(Kind::Double);
        Ok(vec![
            ("cross_entropy", nll.double_value(&[])),
            ("accuracy", right.mean(Kind::Double).double_value(&[])),
        ])
    }
}
