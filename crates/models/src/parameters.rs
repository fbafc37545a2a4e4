//! The tensors of a model, by name, in the order in which they were made.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use tch::{Device, Tensor};

use crate::noise::fnv1a;
use crate::train::checkpoint::dtype;
use crate::{Error, Noise, Purpose};

/// How a parameter starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All elements equal.
    Constant(f64),
    /// N(0, σ²) with this σ.
    Normal(f64),
    /// U(−a, a) with this a.
    Uniform(f64),
}

impl Init {
    /// N(0, 2/fan_in): keeps the variance through a ReLU (He et al. 2015).
    pub fn he(fan_in: i64) -> Self {
        Self::Normal((2.0 / fan_in.max(1) as f64).sqrt())
    }

    /// U(−1/√fan_in, 1/√fan_in), for weights and biases: torch's default.
    pub fn torch(fan_in: i64) -> Self {
        Self::Uniform(1.0 / (fan_in.max(1) as f64).sqrt())
    }

    /// N(0, 1/fan_in): keeps the variance through a linear layer (LeCun et al. 1998).
    pub fn lecun(fan_in: i64) -> Self {
        Self::Normal((1.0 / fan_in.max(1) as f64).sqrt())
    }
}

/// One named tensor.
#[derive(Debug)]
struct Entry {
    name: String,
    tensor: Tensor,
    trained: bool,
}

/// All tensors of a model: trained parameters, and buffers that are saved but not trained.
///
/// Initial values come from [`Noise`] and the name alone, so that adding a layer does not change the others.
#[derive(Debug)]
pub struct Parameters {
    entries: Vec<Entry>,
    noise: Noise,
    device: Device,
    channels_last: bool,
}

impl Parameters {
    /// No tensors yet.
    pub fn new(noise: Noise, device: Device) -> Self {
        Self { entries: Vec::new(), noise, device, channels_last: false }
    }

    /// With `true`, tensors of four axes that are made from here on have the memory format channels-last, as weights of convolutions
    /// of such images should; their values are the same.
    #[must_use]
    pub fn channels_last(mut self, channels_last: bool) -> Self {
        self.channels_last = channels_last;
        self
    }

    /// Where the tensors live.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Takes the values of a checkpoint file, or of the newest whole one of a folder: those of the best validation of a run that
    /// keeps it, else the last. The file holds the same parameters, by name, in the same shapes.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or is another model's; the parameters are then as they were.
    pub fn load(&self, path: impl AsRef<std::path::Path>) -> Result<(), Error> {
        crate::train::checkpoint::read(path.as_ref())?.restore_model(self)
    }

    /// The place under which to make the first parameters.
    pub fn root(&mut self) -> Path<'_> {
        Path { parameters: self, prefix: String::new() }
    }

    /// Names and tensors, parameters and buffers, in the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.entries.iter().map(|e| (e.name.as_str(), &e.tensor))
    }

    /// Trained parameters only.
    pub fn trained(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.entries.iter().filter(|e| e.trained).map(|e| (e.name.as_str(), &e.tensor))
    }

    /// Number of trained scalars.
    pub fn count(&self) -> usize {
        self.trained().map(|(_, t)| t.numel()).sum()
    }

    fn add(&mut self, name: String, shape: &[i64], init: Init, trained: bool) -> Result<Tensor, Error> {
        if let Some(n) = shape.iter().find(|n| **n < 0) {
            return Err(Error::config("shape", n, ">= 0"));
        }
        let n = shape.iter().try_fold(1usize, |n, &axis| n.checked_mul(usize::try_from(axis).ok()?));
        let mut data: Vec<f32> = Vec::new();
        let Some(n) = n.filter(|&n| data.try_reserve_exact(n).is_ok()) else {
            let must = format!("small enough for `{name}` to be in memory");
            return Err(Error::config("shape", format!("{shape:?}"), must));
        };
        // A fixed map from names to streams.
        let mut rng = self.noise.stream(Purpose::Init, fnv1a(name.bytes().map(u64::from)), 0);
        match init {
            Init::Constant(c) => data.resize(n, c as f32),
            Init::Normal(sd) => data.extend((0..n).map(|_| {
                let z: f64 = StandardNormal.sample(&mut rng);
                (sd * z) as f32
            })),
            Init::Uniform(a) => {
                data.extend((0..n).map(|_| (a * (2.0 * rng.random::<f64>() - 1.0)) as f32));
            }
        }
        let size: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
        let mut tensor = variata_torch_bridge::tensor_from_slice(&data, &size)?.to_device(self.device);
        if self.channels_last && size.len() == 4 {
            tensor = variata_torch_bridge::channels_last(&tensor)?;
        }
        self.enter(name, tensor.set_requires_grad(trained), trained)
    }

    fn enter(&mut self, name: String, tensor: Tensor, trained: bool) -> Result<Tensor, Error> {
        if self.entries.iter().any(|e| e.name == name) {
            return Err(Error::DuplicateParameter { name });
        }
        self.entries.push(Entry { name, tensor: tensor.shallow_clone(), trained });
        Ok(tensor)
    }
}

/// A prefix under which parameters are made, as in `path.sub("encoder").parameter("weight", …)`.
#[derive(Debug)]
pub struct Path<'a> {
    parameters: &'a mut Parameters,
    prefix: String,
}

impl Path<'_> {
    /// The place `name` below this one.
    pub fn sub(&mut self, name: &str) -> Path<'_> {
        let prefix = self.full(name);
        Path { parameters: self.parameters, prefix }
    }

    /// Whether the parameters here are used by the CPU, with channels last.
    pub(crate) fn is_channels_last_on_cpu(&self) -> bool {
        self.parameters.channels_last && self.parameters.device == Device::Cpu
    }

    /// A trained parameter.
    ///
    /// # Errors
    /// The name is taken, a size is negative, or memory does not hold so many numbers.
    pub fn parameter(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor, Error> {
        let full = self.full(name);
        self.parameters.add(full, shape, init, true)
    }

    /// A tensor that is saved with the model but not trained.
    ///
    /// # Errors
    /// As [`Path::parameter`].
    pub fn buffer(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor, Error> {
        let full = self.full(name);
        self.parameters.add(full, shape, init, false)
    }

    /// A tensor of real numbers, integers or truth values that is saved with the model but not trained, with its first values.
    ///
    /// # Errors
    /// The name is taken; a tensor that is undefined or of another kind.
    pub fn state(&mut self, name: &str, first: &Tensor) -> Result<Tensor, Error> {
        let kind = first.f_kind()?;
        if dtype(kind).is_none() {
            return Err(Error::config("first", format!("of kind {kind:?}"), "real, integer or bool"));
        }
        let (full, first) = (self.full(name), first.detach().copy().to_device(self.parameters.device));
        self.parameters.enter(full, first, false)
    }

    fn full(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }
}
