//! A low-rank normal without a network.

use tch::{Device, Kind, Tensor};
use variata_datasets::Batch;

use crate::error::check_number;
use crate::train::{StepContext, Trainable};
use crate::{Error, ImageShape, Init, Noise, Objective, Observation, Parameters, Term};

/// One normal distribution for all images, whose mean and factor are the parameters: what an observation model learns on its own.
///
/// ```text
/// x ~ N(μ, P·Pᵀ + ε·I)
/// ```
/// Source: SOS-VAE paper, section 4.5.
///
/// ```
/// use variata_models::{DirectNormal, ImageShape, tch::Device};
///
/// let image = ImageShape { channels: 1, height: 4, width: 4 };
/// let model = DirectNormal::new(image, 2, 1e-3, 0, Device::Cpu)?;
/// assert_eq!(model.observation().mean().size(), [1, 1, 4, 4]);
/// # Ok::<(), variata_models::Error>(())
/// ```
#[derive(Debug)]
pub struct DirectNormal {
    parameters: Parameters,
    mean: Tensor,
    /// [rank, n].
    factor: Tensor,
    variance: f64,
    image: ImageShape,
}

impl DirectNormal {
    /// Mean 0.5 and a small random factor.
    ///
    /// # Errors
    /// A size or the variance is outside its domain, or libtorch cannot allocate.
    pub fn new(
        image: ImageShape,
        rank: i64,
        variance: f64,
        seed: u64,
        device: Device,
    ) -> Result<Self, Error> {
        image.check()?;
        if !(1..=4096).contains(&rank) {
            return Err(Error::config("rank", rank, "in 1..=4096"));
        }
        check_number("variance", variance, (1e-12..=1e6).contains(&variance), "in [1e-12, 1e6]")?;
        let mut parameters = Parameters::new(Noise::new(seed), device);
        let mut root = parameters.root();
        let mean = root.parameter("mean", &[image.numel()], Init::Constant(0.5))?;
        let factor = root.parameter("factor", &[rank, image.numel()], Init::Normal(1e-2))?;
        Ok(Self { parameters, mean, factor, variance, image })
    }

    /// The distribution, a batch of one.
    pub fn observation(&self) -> Observation {
        self.repeated(1)
    }

    fn repeated(&self, batch: i64) -> Observation {
        let [c, h, w] = self.image.dims();
        let (n, rank) = (self.image.numel(), self.factor.size()[0]);
        let options = (self.mean.kind(), self.mean.device());
        Observation::LowRankNormal {
            mean: self.mean.view([1, c, h, w]).expand([batch, c, h, w], false),
            cov_factor: self.factor.view([1, rank, n]).expand([batch, rank, n], false).transpose(1, 2),
            cov_diag: Tensor::full([0i64; 0], self.variance, options),
        }
    }

    fn terms(&self, batch: &Batch) -> Result<[Tensor; 2], Error> {
        let x = variata_torch_bridge::tensor_from_array(batch.images.clone())?;
        let x = x.to_device(self.parameters.device());
        let (distortion, entropy) = self.repeated(x.size()[0]).distortion_and_entropy(&x)?;
        Ok([distortion, entropy].map(|t| t.mean(Kind::Double)))
    }
}

impl Trainable for DirectNormal {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn objective(&self, batch: &Batch, _: &StepContext) -> Result<Objective, Error> {
        let [distortion, entropy] = self.terms(batch)?;
        let terms =
            vec![Term::weighted("distortion", distortion, 1.0), Term::weighted("entropy", entropy, 0.0)];
        Ok(Objective { terms })
    }

    fn validate(&self, batch: &Batch, _: &StepContext) -> Result<Vec<(&'static str, f64)>, Error> {
        let [distortion, entropy] = self.terms(batch)?;
        Ok(vec![("distortion", distortion.double_value(&[])), ("entropy", entropy.double_value(&[]))])
    }
}
