//! What draws the codes of a batch towards the prior: distances between distributions, sliced and direct.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};
use variata_sliced::{
    CramerWold, Directions, Discrepancy, Distance, Loss, Mmd, MmdEstimator, TwoSample, torch,
};

use crate::error::check_number;
use crate::{Error, Noise, Purpose, Term};

/// The prior of codes, from which images are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Prior {
    /// N(0, scale² I).
    Normal {
        /// Standard deviation, > 0.
        scale: f64,
    },
    /// Uniform on the cube [−half_width, half_width]ᴰ.
    Uniform {
        /// Half an edge, > 0.
        half_width: f64,
    },
    /// Uniform in a ball around 0.
    Ball {
        /// Its radius, > 0.
        radius: f64,
    },
}

impl Default for Prior {
    fn default() -> Self {
        Self::Normal { scale: 1.0 }
    }
}

impl Prior {
    /// Draws of the rows' streams as a tensor [rows, width] on `device`: a row does not depend on the others.
    ///
    /// # Errors
    /// libtorch cannot allocate.
    ///
    /// ```
    /// use variata_models::{Noise, Prior, Purpose, tch::Device};
    /// let ball = Prior::Ball { radius: 2.0 };
    /// let z = ball.draw(&Noise::new(0), Purpose::Report, 0, 0..100, 3, Device::Cpu)?;
    /// assert!(z.square().sum_dim_intlist(1, false, None).max().double_value(&[]) <= 4.0);
    /// # Ok::<(), variata_models::Error>(())
    /// ```
    pub fn draw(
        &self,
        noise: &Noise,
        purpose: Purpose,
        step: u64,
        rows: std::ops::Range<u64>,
        width: i64,
        device: Device,
    ) -> Result<Tensor, Error> {
        let width = width.max(0) as usize;
        let count = rows.end.saturating_sub(rows.start) as usize;
        let data = match *self {
            Self::Normal { scale } => {
                let mut data = noise.normal_rows(purpose, step, rows, width);
                if scale != 1.0 {
                    for v in &mut data {
                        *v = (f64::from(*v) * scale) as f32;
                    }
                }
                data
            }
            Self::Uniform { half_width } => {
                let row = |row| {
                    let mut rng = noise.stream(purpose, step, row);
                    (0..width).map(move |_| ((2.0 * rng.random::<f64>() - 1.0) * half_width) as f32)
                };
                rows.flat_map(row).collect()
            }
            Self::Ball { radius } => {
                rows.flat_map(|row| in_ball(&mut noise.stream(purpose, step, row), width, radius)).collect()
            }
        };
        Ok(variata_torch_bridge::tensor_from_slice(&data, &[count, width])?.to_device(device))
    }

    fn check(&self) -> Result<(), Error> {
        let (setting, value) = match *self {
            Self::Normal { scale } => ("regularizer.prior.scale", scale),
            Self::Uniform { half_width } => ("regularizer.prior.half_width", half_width),
            Self::Ball { radius } => ("regularizer.prior.radius", radius),
        };
        check_number(setting, value, (1e-6..=1e6).contains(&value), "in [1e-6, 1e6]")
    }
}

/// A point of the ball: a normal vector gives the direction, a root of a uniform number the distance.
fn in_ball(rng: &mut impl Rng, width: usize, radius: f64) -> Vec<f32> {
    let point: Vec<f64> = (0..width).map(|_| StandardNormal.sample(rng)).collect();
    let norm = point.iter().map(|v| v * v).sum::<f64>().sqrt();
    let length = radius * rng.random::<f64>().powf(1.0 / width.max(1) as f64);
    point.iter().map(|v| (v / norm * length) as f32).collect()
}

/// A distance of a sample on the line from N(0, 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Normality {
    /// The squared 2-Wasserstein distance in closed form: SCFWAE.
    Wasserstein,
    /// The squared Cramér–Wold distance with Silverman's bandwidth: SCWAE.
    CramerWold,
    /// The Cramér–von Mises statistic: SCvMAE.
    CramerVonMises,
    /// The Kolmogorov–Smirnov statistic: SKSAE.
    KolmogorovSmirnov,
    /// The Anderson–Darling statistic.
    AndersonDarling,
}

impl Normality {
    /// The distance that it names.
    pub fn distance(self) -> Distance {
        match self {
            Self::Wasserstein => Distance::WASSERSTEIN_2,
            Self::CramerWold => Distance::CRAMER_WOLD,
            Self::CramerVonMises => Distance::CramerVonMises,
            Self::KolmogorovSmirnov => Distance::KolmogorovSmirnov,
            Self::AndersonDarling => Distance::AndersonDarling,
        }
    }
}

/// How far the codes of a batch are from the prior.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum LatentDistance {
    /// Mean over directions of a distance of the projected codes from N(0, 1). Source: paper sliced, eq. 3.
    Sliced {
        /// Which.
        normality: Normality,
        /// How many directions, drawn anew at each step; the authors' other code has 50.
        #[serde(default = "default_directions")]
        directions: usize,
    },
    /// Mean over directions of the squared 2-Wasserstein distance to as many fresh draws of the prior: SWAE.
    SlicedToDraws {
        /// How many directions, drawn anew at each step.
        #[serde(default = "default_directions")]
        directions: usize,
    },
    /// The squared Cramér–Wold distance over all directions in closed form, with the exact mean over the sphere: CWAE.
    #[serde(deserialize_with = "crate::config::nothing_else")]
    CramerWold,
    /// Biased squared maximum mean discrepancy to as many fresh draws of the prior, with the inverse multiquadrics of WAE-MMD:
    /// the biased one has a logarithm and is defined for a batch of one.
    #[serde(deserialize_with = "crate::config::nothing_else")]
    Mmd,
}

fn default_directions() -> usize {
    50
}

/// How the distance enters the objective.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Cost {
    /// log d: no weight to choose. Source: paper sliced, eq. 2.
    #[default]
    #[serde(deserialize_with = "crate::config::nothing_else")]
    Log,
    /// λ d. Source: paper sliced, eq. 1.
    Weight {
        /// λ ≥ 0.
        lambda: f64,
    },
}

/// A term that draws the codes of a batch towards the prior.
///
/// ```
/// use variata_models::{Cost, LatentDistance, Normality, RegularizerConfig};
/// let scfwae = RegularizerConfig::new(LatentDistance::Sliced { normality: Normality::Wasserstein, directions: 50 });
/// assert_eq!(scfwae.cost, Cost::Log);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RegularizerConfig {
    /// How far.
    pub distance: LatentDistance,
    /// How it enters the objective.
    #[serde(default)]
    pub cost: Cost,
    /// From what. Distances from N(0, I) need a normal prior, and are taken in units of its scale.
    #[serde(default)]
    pub prior: Prior,
}

impl RegularizerConfig {
    /// With the logarithm and the prior N(0, I).
    pub fn new(distance: LatentDistance) -> Self {
        Self { distance, cost: Cost::default(), prior: Prior::default() }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.prior.check()?;
        if let LatentDistance::Sliced { directions, .. } | LatentDistance::SlicedToDraws { directions } =
            self.distance
            && !(1..=1_000_000).contains(&directions)
        {
            return Err(Error::config("regularizer.distance.directions", directions, "in 1..=1000000"));
        }
        let draws = matches!(self.distance, LatentDistance::SlicedToDraws { .. } | LatentDistance::Mmd);
        if !draws && !matches!(self.prior, Prior::Normal { .. }) {
            let must = "normal for a distance that draws nothing from the prior";
            return Err(Error::config("regularizer.prior", format!("{:?}", self.prior), must));
        }
        match self.cost {
            Cost::Weight { lambda } if !(lambda >= 0.0 && lambda.is_finite()) => {
                Err(Error::config("regularizer.cost.lambda", lambda, "finite and >= 0"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the term counts nothing.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.cost, Cost::Weight { lambda } if lambda == 0.0)
    }

    /// The distance of codes [batch, latent] from the prior, a scalar in f64. Directions and draws are those of the address.
    ///
    /// # Errors
    /// The codes are no matrix, or empty; a setting is out of its range.
    pub fn distance(
        &self,
        codes: &Tensor,
        noise: &Noise,
        purpose: Purpose,
        step: u64,
    ) -> Result<Tensor, Error> {
        self.check()?;
        let size = codes.size();
        let &[rows, width] = &size[..] else {
            return Err(Error::Shape { argument: "codes", got: size, want: "[batch, latent]".into() });
        };
        let scaled = match self.prior {
            Prior::Normal { scale } if scale != 1.0 => codes / scale,
            _ => codes.shallow_clone(),
        };
        let directions = |count| {
            let seed = noise.stream(purpose, step, DIRECTIONS).next_u64();
            Directions::uniform(count, width as usize, seed)
        };
        let draws = || {
            let unscaled = match self.prior {
                Prior::Normal { .. } => Prior::default(),
                other => other,
            };
            let rows = DRAWS..DRAWS + rows as u64;
            Ok::<_, Error>(
                unscaled.draw(noise, purpose, step, rows, width, codes.device())?.to_kind(codes.kind()),
            )
        };
        Ok(match self.distance {
            LatentDistance::Sliced { normality, directions: count } => {
                torch::sliced(&Discrepancy::new(normality.distance()), &scaled, &directions(count)?)?
            }
            LatentDistance::SlicedToDraws { directions: count } => {
                torch::two_sample(&TwoSample::SQUARED, &scaled, &draws()?, &directions(count)?)?
            }
            LatentDistance::CramerWold => torch::cramer_wold(&CramerWold::default(), &scaled)?,
            LatentDistance::Mmd => {
                let mmd = Mmd::inverse_multiquadric(width as usize, MmdEstimator::Biased)?;
                torch::mmd(&mmd, &scaled, &draws()?)?
            }
        })
    }

    /// The term of the objective, and the distance itself for the log where they differ.
    pub(crate) fn terms(&self, distance: Tensor) -> Result<Vec<Term>, Error> {
        Ok(match self.cost {
            Cost::Weight { lambda } => {
                vec![Term { whole: true, ..Term::weighted("distance", distance, lambda) }]
            }
            Cost::Log => {
                let log = torch::loss(Loss::Log, &distance)?.to_kind(Kind::Double);
                let terms =
                    [Term::weighted("distance", distance, 0.0), Term::weighted("log_distance", log, 1.0)];
                terms.map(|term| Term { whole: true, ..term }).into()
            }
        })
    }
}

/// Rows of the noise of a step that the latent code's do not reach: for draws of the prior, and for directions.
const DRAWS: u64 = 1 << 40;
const DIRECTIONS: u64 = 1 << 41;
