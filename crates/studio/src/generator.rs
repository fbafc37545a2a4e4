//! Where distributions of images come from, and the thread on which they are made.

use std::io;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread;

use ndarray::{Array1, Array2, Axis};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use variata_lowrank_mvn::LowRankMvn;

use crate::error::Refused;

/// The distribution N(loc, P·Pᵀ + D) of an image, whose n values follow channel after channel, row after row.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Location, `[n]`; pixels lie in [0, 1].
    pub loc: Array1<f32>,
    /// Factor P, [n, r].
    pub cov_factor: Array2<f32>,
    /// Diagonal D, `[n]`, > 0.
    pub cov_diag: Array1<f32>,
}

/// A model that makes a distribution of images from a code.
///
/// It is moved to a thread of its own and asked there, one code at a time: a model need not be shared between threads.
pub trait Generator: Send + 'static {
    /// Channels (1 or 3), rows and columns of an image.
    fn shape(&self) -> [usize; 3];

    /// Numbers of a code.
    fn latent(&self) -> usize;

    /// What the page says about the model: a line.
    fn description(&self) -> String;

    /// The distribution of the images of a code.
    ///
    /// # Errors
    /// A sentence for the person at the page.
    fn decode(&mut self, code: &[f32]) -> Result<Decoded, String>;
}

type Answer = Result<Decoded, String>;

/// A generator on its thread.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    questions: Sender<(Vec<f32>, SyncSender<Answer>)>,
    pub(crate) shape: [usize; 3],
    pub(crate) latent: usize,
    pub(crate) description: String,
    seed: u64,
}

/// What a draw is for; draws for different purposes are independent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Code,
    Sample,
}

impl Model {
    pub(crate) fn start(mut generator: impl Generator, seed: u64) -> io::Result<Self> {
        let (questions, asked) = channel::<(Vec<f32>, SyncSender<Answer>)>();
        let (shape, latent) = (generator.shape(), generator.latent());
        let description = generator.description();
        thread::Builder::new().spawn(move || {
            for (code, answer) in asked {
                // Whoever asked may have gone.
                let _ = answer.send(generator.decode(&code));
            }
        })?;
        Ok(Self { questions, shape, latent, description, seed })
    }

    /// Values of an image.
    pub(crate) fn values(&self) -> usize {
        self.shape.iter().product()
    }

    /// Pixels of an image.
    pub(crate) fn area(&self) -> usize {
        self.shape[1] * self.shape[2]
    }

    /// Numbers of N(0, 1) that depend on the seed, the purpose and the number of the draw alone.
    pub(crate) fn noise(&self, purpose: Purpose, number: u64, len: usize) -> Vec<f32> {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8] = purpose as u8;
        key[24..].copy_from_slice(b"studio-1");
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(number);
        StandardNormal.sample_iter(&mut rng).take(len).collect()
    }

    /// The distribution of code `number`.
    pub(crate) fn decode(&self, number: u64) -> Result<LowRankMvn<'static, f32>, Refused> {
        let (answer, answered) = sync_channel(1);
        let gone = || Refused::model("the model has stopped; start the studio again");
        let code = self.noise(Purpose::Code, number, self.latent);
        self.questions.send((code, answer)).map_err(|_| gone())?;
        let Decoded { loc, cov_factor, cov_diag } = answered
            .recv()
            .map_err(|_| gone())?
            .map_err(|e| Refused::model(format!("the model failed: {e}")))?;
        if loc.len() != self.values() {
            return Err(Refused::model(format!(
                "the model gave {} values, not {}",
                loc.len(),
                self.values()
            )));
        }
        let batch = Axis(0);
        let p = LowRankMvn::new(
            loc.insert_axis(batch),
            cov_factor.insert_axis(batch),
            cov_diag.insert_axis(batch),
        );
        p.map_err(|e| Refused::model(format!("the model gave no distribution: {e}")))
    }
}
