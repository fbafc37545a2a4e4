//! How the temperature falls in training.

use variata_distributions::check;

use crate::error::Error;

/// A temperature for each step.
///
/// ```
/// use variata_quantize::Schedule;
///
/// let schedule = Schedule::exponential(1.0, 0.5, 1e-2)?;
/// assert_eq!((schedule.at(0), schedule.at(1_000_000)), (1.0, 0.5));
/// # Ok::<(), variata_quantize::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "stored::Schedule"))]
pub struct Schedule {
    start: f64,
    end: f64,
    course: Course,
}

#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Course {
    Exponential { rate: f64 },
    Linear { steps: u64 },
    Cosine { steps: u64 },
}

impl Schedule {
    /// Always τ; the paper VQ-Diff has 10.
    ///
    /// # Errors
    /// [`Error::Argument`] if τ is negative or NaN.
    pub fn constant(temperature: f64) -> Result<Self, Error> {
        Self::new(temperature, temperature, Course::Exponential { rate: 0.0 })
    }

    /// max(end, start·e^(−rate·step)) (Jang et al. 2017, section 4).
    ///
    /// # Errors
    /// [`Error::Argument`] if a temperature is negative or NaN, end > start, the rate is not finite and ≥ 0, or the start infinite and the rate not 0.
    pub fn exponential(start: f64, end: f64, rate: f64) -> Result<Self, Error> {
        check::scalar("rate", rate, "finite and >= 0", rate >= 0.0 && rate.is_finite())?;
        check::scalar("start", start, "finite where it falls", rate == 0.0 || start.is_finite())?;
        Self::new(start, end, Course::Exponential { rate })
    }

    /// start + (end − start)·min(step/`steps`, 1).
    ///
    /// # Errors
    /// [`Error::Argument`] if a temperature is negative, NaN or infinite, or end > start.
    pub fn linear(start: f64, end: f64, steps: u64) -> Result<Self, Error> {
        check::scalar("start", start, "finite", start.is_finite())?;
        Self::new(start, end, Course::Linear { steps })
    }

    /// start + (end − start)·(1 − cos(π·min(step/`steps`, 1)))/2.
    ///
    /// # Errors
    /// As [`linear`](Self::linear).
    pub fn cosine(start: f64, end: f64, steps: u64) -> Result<Self, Error> {
        check::scalar("start", start, "finite", start.is_finite())?;
        Self::new(start, end, Course::Cosine { steps })
    }

    fn new(start: f64, end: f64, course: Course) -> Result<Self, Error> {
        check::scalar("start", start, ">= 0", start >= 0.0)?;
        check::scalar("end", end, ">= 0 and at most start", end >= 0.0 && end <= start)?;
        Ok(Self { start, end, course })
    }

    /// The temperature of a step.
    pub fn at(&self, step: u64) -> f64 {
        let part = |steps: u64| if step >= steps { 1.0 } else { step as f64 / steps as f64 };
        let between = |t: f64| if t >= 1.0 { self.end } else { self.start + (self.end - self.start) * t };
        match self.course {
            Course::Exponential { rate: 0.0 } => self.start,
            Course::Exponential { rate } => (self.start * libm::exp(-rate * step as f64)).max(self.end),
            Course::Linear { steps } => between(part(steps)),
            Course::Cosine { steps } => between(0.5 - 0.5 * libm::cos(std::f64::consts::PI * part(steps))),
        }
    }
}

/// What a file may hold, before it is checked.
#[cfg(feature = "serde")]
mod stored {
    use variata_distributions::check;

    use super::Course;
    use crate::error::Error;

    #[derive(serde::Deserialize)]
    pub(super) struct Schedule {
        start: f64,
        end: f64,
        course: Course,
    }

    impl TryFrom<Schedule> for super::Schedule {
        type Error = Error;

        fn try_from(Schedule { start, end, course }: Schedule) -> Result<Self, Error> {
            match course {
                Course::Exponential { rate } => {
                    check::scalar("rate", rate, "finite and >= 0", rate >= 0.0 && rate.is_finite())?;
                }
                _ => check::scalar("start", start, "finite", start.is_finite())?,
            }
            Self::new(start, end, course)
        }
    }
}
