//! Gumbel-softmax of tensors.

use tch::{Device, Kind, Tensor};
use variata_distributions::torch::support::{lend, lend_all, lend2, size};
use variata_distributions::{ArgumentError, check};
use variata_torch_bridge::{Route, Saved, attach_backward, check_floating, no_grad, tensor_from_array};

use super::assign::{from_indices, nearest_composed};
use super::{Input, Native, codebook, compute_kind, gumbel_noise, reported, rows};
use crate::codebook::{Codebook, Metric};
use crate::error::Error;
use crate::gumbel::{GumbelGrad, GumbelSoftmax};

/// Noise of the logits, as [`crate::Noise`].
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub enum Noise<'a> {
    /// None, for evaluation.
    #[default]
    None,
    /// A function of seed, row and code: the same numbers on every device but for rounding.
    Seeded {
        /// The seed.
        seed: u64,
        /// Number of the first row.
        first_row: u64,
    },
    /// Given [.., K]; it has no gradient.
    Given(&'a Tensor),
}

/// What [`gumbel_softmax`] returns.
#[derive(Debug)]
pub struct SoftQuantized {
    /// Weighted sums of codes [.., D], of the kind of the codes, or codes where hard.
    pub output: Tensor,
    /// The code of the largest logit `[..]`, `Int64`.
    pub indices: Tensor,
}

/// Tensor form of [`GumbelSoftmax::forward`] for vectors `z` [.., D] and `codes` [K, D], with its closed-form gradients in both.
///
/// # Errors
/// As [`assign`](super::assign); a temperature that is negative or NaN; given noise of another shape; natively also as
/// [`GumbelSoftmax::forward`].
///
/// ```
/// use variata_quantize::{GumbelSoftmax, torch};
/// use variata_torch_bridge::tch::{Device, Kind, Tensor};
///
/// let codes = Tensor::randn([8, 4], (Kind::Float, Device::Cpu)).set_requires_grad(true);
/// let z = Tensor::randn([5, 4], (Kind::Float, Device::Cpu));
/// let noise = torch::Noise::Seeded { seed: 3, first_row: 0 };
/// let soft = torch::gumbel_softmax(&GumbelSoftmax::default(), &codes, &z, noise)?;
/// soft.output.square().sum(Kind::Float).backward();
/// assert_eq!(codes.grad().size(), [8, 4]);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn gumbel_softmax(
    options: &GumbelSoftmax,
    codes: &Tensor,
    z: &Tensor,
    noise: Noise<'_>,
) -> Result<SoftQuantized, Error> {
    run(options, &Tensor::from(options.temperature), codes, z, noise, false)
}

/// [`gumbel_softmax`] with a temperature that has a gradient, too: a tensor with one element.
///
/// # Errors
/// As [`gumbel_softmax`]; the temperature is not floating-point or has not one element.
///
/// ```
/// use variata_quantize::torch;
/// use variata_torch_bridge::tch::{Kind, Tensor};
///
/// let codes = Tensor::from_slice(&[0f64, 2.0]).view([2, 1]);
/// let (z, tau) = (Tensor::from_slice(&[0.5f64]), Tensor::from(1f64).set_requires_grad(true));
/// let found = torch::gumbel_softmax_with_temperature(&tau, false, &codes, &z, torch::Noise::None)?;
/// found.output.sum(Kind::Double).backward();
/// // Warmer means flatter: the mixture moves towards the mean of the codes.
/// assert!(tau.grad().double_value(&[]) > 0.0);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn gumbel_softmax_with_temperature(
    temperature: &Tensor,
    hard: bool,
    codes: &Tensor,
    z: &Tensor,
    noise: Noise<'_>,
) -> Result<SoftQuantized, Error> {
    check_floating(&[("temperature", temperature)])?;
    if temperature.numel() != 1 {
        let want = "one element".to_owned();
        return Err(ArgumentError::Shape { argument: "temperature", got: size(temperature), want }.into());
    }
    let options =
        GumbelSoftmax { temperature: temperature.detach().sum(Kind::Double).double_value(&[]), hard };
    run(&options, temperature, codes, z, noise, false)
}

/// [`gumbel_softmax`] as tensor operations in blocks of rows, forward and backward.
///
/// # Errors
/// As [`gumbel_softmax`], values not among them.
pub fn gumbel_softmax_composed(
    options: &GumbelSoftmax,
    codes: &Tensor,
    z: &Tensor,
    noise: Noise<'_>,
) -> Result<SoftQuantized, Error> {
    run(options, &Tensor::from(options.temperature), codes, z, noise, true)
}

fn run(
    options: &GumbelSoftmax,
    temperature: &Tensor,
    codes: &Tensor,
    z: &Tensor,
    noise: Noise<'_>,
    composed: bool,
) -> Result<SoftQuantized, Error> {
    check::scalar("temperature", options.temperature, ">= 0", options.temperature >= 0.0)?;
    let input = Input::new(codes, z)?;
    let drawn = Drawn::new(&input, noise)?;
    let plain = !composed && drawn.native(&input);
    let inputs = [z, codes, temperature];
    let found = match input.codes.kind() {
        Kind::Float if plain => native::<f32>(options, &input, drawn, inputs)?,
        Kind::Double if plain => native::<f64>(options, &input, drawn, inputs)?,
        _ => blocks(options, &input, drawn, inputs)?,
    };
    Ok(SoftQuantized { output: input.full(&found.output), indices: input.shaped(&found.indices) })
}

/// Noise that outlives the forward pass.
pub(super) enum Drawn {
    None,
    Seeded { seed: u64, first_row: u64 },
    Given(Saved),
}

impl Drawn {
    pub(super) fn new(input: &Input, noise: Noise<'_>) -> Result<Self, Error> {
        Ok(match noise {
            Noise::None => Self::None,
            Noise::Seeded { seed, first_row } => Self::Seeded { seed, first_row },
            Noise::Given(noise) => {
                check_floating(&[("codes", &input.codes), ("noise", noise)])?;
                let mut want: Vec<usize> = input.leading.iter().map(|&n| n as usize).collect();
                want.push(input.count as usize);
                check::shape("noise", &size(noise), &want)?;
                Self::Given(Saved::new("noise", &noise.detach().reshape([input.rows.size()[0], input.count])))
            }
        })
    }

    /// Whether a native kernel can read it and its input.
    pub(super) fn native(&self, input: &Input) -> bool {
        let readable = match self {
            Self::Given(noise) => noise.get().is_ok_and(|noise| {
                noise.kind() == input.codes.kind()
                    && variata_torch_bridge::route(&[noise], &[]) == Route::Native
            }),
            _ => true,
        };
        readable && input.route() == Route::Native
    }

    /// Hands the native form to `f`.
    pub(super) fn lend<F: Native, R>(
        &self,
        f: impl FnOnce(crate::Noise<'_, F>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        match *self {
            Self::None => f(crate::Noise::None),
            Self::Seeded { seed, first_row } => f(crate::Noise::Seeded { seed, first_row }),
            Self::Given(ref noise) => {
                lend("noise", noise.get()?, |noise| f(crate::Noise::Given(&rows::<F>("noise", noise)?)))?
            }
        }
    }

    /// Adds the noise of the rows from `first` on to logits.
    fn add(&self, logits: Tensor, first: i64) -> Result<Tensor, variata_torch_bridge::Error> {
        let shape = logits.size();
        Ok(match self {
            Self::None => logits,
            &Self::Seeded { seed, first_row } => {
                let first = first_row.wrapping_add(first as u64);
                let (rows, codes) = (shape[0] as usize, shape[1] as usize);
                let noise = gumbel_noise(seed, first, rows, codes, logits.kind(), logits.device());
                logits + noise
            }
            Self::Given(noise) => {
                let noise = noise.get()?.narrow(0, first, shape[0]).to_kind(logits.kind());
                logits + noise
            }
        })
    }
}

fn native<F: Native>(
    options: &GumbelSoftmax,
    input: &Input,
    noise: Drawn,
    inputs: [&Tensor; 3],
) -> Result<SoftQuantized, Error> {
    let (book, found) = lend_all::<F, _, 2>([("codes", &input.codes), ("z", &input.rows)], |[codes, z]| {
        let book: Codebook<F> = codebook(&rows("codes", codes)?, Metric::SquaredEuclidean)?;
        let z = rows("z", z)?;
        let found = noise.lend(|noise| options.forward(&book, &z, noise))?;
        Ok::<_, Error>((book, found))
    })??;
    let output = tensor_from_array(found.output.clone())?;
    let indices = from_indices(&found.indices)?;
    let (at, shape, options) = (Saved::new("z", &input.rows), Shapes::new(inputs), *options);
    let output = attach_backward("gumbel_softmax", output, &inputs, move |upstream| {
        // Autograd's gradients may be of any strides.
        let upstream = upstream.contiguous();
        let grad: GumbelGrad<F> = lend2(("z", at.get()?), ("upstream", &upstream), |z, upstream| {
            noise.lend(|noise| options.backward(&book, &z, noise, &found, &upstream))
        })?
        .map_err(reported)?;
        let temperature = Tensor::from(grad.temperature);
        Ok(shape.of(tensor_from_array(grad.z)?, tensor_from_array(grad.codes)?, temperature))
    })?;
    Ok(SoftQuantized { output, indices })
}

/// Shapes and kinds that gradients are asked in.
struct Shapes([(Vec<i64>, Kind, Device, bool); 3]);

impl Shapes {
    fn new(inputs: [&Tensor; 3]) -> Self {
        Self(inputs.map(|t| (t.size(), t.kind(), t.device(), t.requires_grad())))
    }

    fn of(&self, z: Tensor, codes: Tensor, temperature: Tensor) -> Vec<Option<Tensor>> {
        let grads = [z, codes, temperature].into_iter().zip(&self.0);
        let placed = grads.map(|(grad, (shape, kind, device, wanted))| {
            wanted.then(|| grad.reshape(shape).to_device(*device).to_kind(*kind))
        });
        placed.collect()
    }
}

/// What the blocks of forward and backward share.
pub(super) struct Blocks {
    options: GumbelSoftmax,
    noise: Drawn,
    /// Codes without their centre [K, D], and half the square of their norms `[K]`.
    codes: Tensor,
    half_squares: Tensor,
    centre: Tensor,
    /// 1/τ, finite in the kind of the logits.
    inverse: f64,
    step: i64,
}

impl Blocks {
    pub(super) fn new(options: &GumbelSoftmax, input: &Input, noise: Drawn) -> Self {
        let kind = compute_kind(&input.codes);
        let wide = input.codes.to_kind(Kind::Double);
        let centre = wide.mean_dim(0, true, Kind::Double);
        let codes = wide - &centre;
        let half_squares = (codes.square().sum_dim_intlist(-1, false, Kind::Double) * 0.5).to_kind(kind);
        let (codes, step) = (codes.to_kind(kind), Input::block(input.count + input.depth));
        let inverse = (1.0 / options.temperature).min(if kind == Kind::Double { 1e300 } else { 1e37 });
        Self { options: *options, noise, codes, half_squares, centre, inverse, step }
    }

    /// Weights of block after block of rows `z` [N, D].
    pub(super) fn all_weights(
        &self,
        z: &Tensor,
    ) -> impl Iterator<Item = Result<Tensor, variata_torch_bridge::Error>> {
        let blocks = (0..).step_by(self.step as usize).zip(z.split(self.step, 0));
        blocks.map(|(first, z)| Ok(self.weights(&self.logits(&self.centred(&z), first)?)))
    }

    /// Perturbed logits over 1, less the same for all codes of a row, of centred vectors.
    fn logits(&self, z: &Tensor, first: i64) -> Result<Tensor, variata_torch_bridge::Error> {
        self.noise.add((z.matmul(&self.codes.tr()) - &self.half_squares) * 2.0, first)
    }

    /// Weights of perturbed logits.
    fn weights(&self, logits: &Tensor) -> Tensor {
        if self.options.temperature == 0.0 {
            let winner = logits.argmax(-1, true);
            return logits.zeros_like().scatter_value(-1, &winner, 1.0);
        }
        let below = logits - logits.amax([-1i64].as_slice(), true);
        (below * self.inverse).softmax(-1, logits.kind())
    }

    fn centred(&self, z: &Tensor) -> Tensor {
        (z.to_kind(Kind::Double) - &self.centre).to_kind(self.codes.kind())
    }

    fn forward(&self, z: &Tensor) -> Result<(Tensor, Tensor), variata_torch_bridge::Error> {
        let whole = (Kind::Int64, z.device());
        let mut outputs = vec![Tensor::zeros([0, z.size()[1]], (self.codes.kind(), z.device()))];
        let mut indices = vec![Tensor::zeros([0], whole)];
        for (first, z) in (0..).step_by(self.step as usize).zip(z.split(self.step, 0)) {
            let logits = self.logits(&self.centred(&z), first)?;
            let mixed = self.weights(&logits).matmul(&self.codes);
            outputs.push((mixed.to_kind(Kind::Double) + &self.centre).to_kind(self.codes.kind()));
            indices.push(logits.argmax(-1, false));
        }
        Ok((Tensor::cat(&outputs, 0), Tensor::cat(&indices, 0)))
    }

    /// Gradients as [`GumbelSoftmax::backward`] has them.
    fn backward(&self, z: &Tensor, upstream: &Tensor) -> Result<[Tensor; 3], variata_torch_bridge::Error> {
        let (tau, kind) = (self.options.temperature, self.codes.kind());
        let double = (Kind::Double, z.device());
        let mut in_z = vec![Tensor::zeros([0, z.size()[1]], (kind, z.device()))];
        let mut in_codes = Tensor::zeros(self.codes.size(), double);
        let mut in_temperature = Tensor::zeros([], double);
        let parts = z.split(self.step, 0).into_iter().zip(upstream.to_kind(kind).split(self.step, 0));
        for (first, (z, g)) in (0..).step_by(self.step as usize).zip(parts) {
            let z = self.centred(&z);
            let logits = self.logits(&z, first)?;
            let weights = self.weights(&logits);
            in_codes += weights.tr().matmul(&g);
            if tau == 0.0 {
                in_z.push(z.zeros_like());
                continue;
            }
            let slopes = g.matmul(&self.codes.tr());
            let mean = (&weights * &slopes).sum_dim_intlist(-1, true, kind);
            let delta = &weights * (slopes - mean) * self.inverse;
            in_z.push(delta.matmul(&self.codes) * 2.0);
            let total = delta.sum_dim_intlist(0, false, kind).unsqueeze(1);
            in_codes += (delta.tr().matmul(&z) - total * &self.codes) * 2.0;
            if tau.is_finite() {
                let below = &logits - logits.amax([-1i64].as_slice(), true);
                in_temperature -= (delta * below).sum(Kind::Double) * self.inverse;
            }
        }
        Ok([Tensor::cat(&in_z, 0), in_codes, in_temperature])
    }
}

fn blocks(
    options: &GumbelSoftmax,
    input: &Input,
    noise: Drawn,
    inputs: [&Tensor; 3],
) -> Result<SoftQuantized, Error> {
    let evaluation = matches!(noise, Drawn::None);
    let blocks = Blocks::new(options, input, noise);
    let (soft, mut indices) = no_grad(|| blocks.forward(&input.rows))?;
    let mut output = soft.to_kind(input.codes.kind());
    if options.hard || options.temperature == 0.0 {
        if evaluation {
            indices = nearest_composed(input, Metric::SquaredEuclidean);
        }
        output = no_grad(|| input.codes.index_select(0, &indices));
    }
    let (at, shape) = (Saved::new("z", &input.rows), Shapes::new(inputs));
    let output = attach_backward("gumbel_softmax", output, &inputs, move |upstream| {
        let [z, codes, temperature] = no_grad(|| blocks.backward(at.get()?, upstream))?;
        Ok(shape.of(z, codes, temperature))
    })?;
    Ok(SoftQuantized { output, indices })
}
