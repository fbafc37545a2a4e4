//! What is on the page, what can be done to it, and undo.

use serde::{Deserialize, Serialize};

use crate::error::Refused;
use crate::paint::{Stroke, Strokes, check_pixels};

/// States that can be gone back to.
const HISTORY: usize = 200;
/// Largest magnitude of a scale.
const LARGEST: f32 = 10.0;

/// Noise of the factor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Noise {
    /// None: the mean.
    Mean,
    /// A draw.
    Sample {
        /// Its number.
        number: u64,
    },
    /// Between two draws.
    Path {
        /// Number of the draw at t = 0.
        from: u64,
        /// And at t = 1.
        to: u64,
        /// In [0, 1].
        t: f64,
    },
}

/// What is on the page.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// Number of the code.
    pub(crate) latent: u64,
    pub(crate) noise: Noise,
    /// Scale of each component; none where all are 1.
    pub(crate) scales: Vec<f32>,
    pub(crate) strokes: Strokes,
}

impl Default for State {
    fn default() -> Self {
        Self { latent: 0, noise: Noise::Mean, scales: Vec::new(), strokes: Strokes::default() }
    }
}

/// Something a person does.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Action {
    /// Another code; what is painted and not locked is gone.
    Latent {
        number: u64,
    },
    /// The mean, a sample, or a place between two.
    Noise {
        noise: Noise,
    },
    /// Scales one component.
    Scale {
        component: usize,
        value: f32,
    },
    /// All scales to 1.
    ResetScales {},
    /// Gives pixels a colour.
    Paint {
        pixels: Vec<u32>,
        color: Vec<f32>,
    },
    /// Takes pixels' colours away.
    Erase {
        pixels: Vec<u32>,
    },
    /// Takes all colours away that are not locked.
    Clear {},
    Lock {},
    Unlock {},
    Undo {},
    Redo {},
}

/// What actions have to fit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Channels, rows, columns.
    pub(crate) shape: [usize; 3],
    pub(crate) components: usize,
}

impl Noise {
    fn check(&self) -> Result<(), Refused> {
        match self {
            Self::Path { t, .. } if !(0.0..=1.0).contains(t) => {
                Err(Refused::bad(format!("`t` is {t}, must be in [0, 1]")))
            }
            _ => Ok(()),
        }
    }
}

impl State {
    /// Everything fits.
    pub(crate) fn check(&self, limits: Limits) -> Result<(), Refused> {
        self.noise.check()?;
        if !(self.scales.is_empty() || self.scales.len() == limits.components) {
            let (got, want) = (self.scales.len(), limits.components);
            return Err(Refused::bad(format!("there are {got} scales, must be {want}")));
        }
        self.scales.iter().try_for_each(|v| check_scale(*v))?;
        for stroke in self.strokes.locked.iter().chain(&self.strokes.free) {
            Stroke::new(stroke.pixels.clone(), stroke.color.clone(), limits.shape)?;
        }
        Ok(())
    }

    /// The state after an action; with `more`, of the gesture that the last action began.
    fn after(&self, action: Action, more: bool, limits: Limits) -> Result<Self, Refused> {
        let mut next = self.clone();
        let area = limits.shape[1] * limits.shape[2];
        match action {
            Action::Latent { number } => {
                next.latent = number;
                next.strokes.clear();
            }
            Action::Noise { noise } => {
                noise.check()?;
                next.noise = noise;
            }
            Action::Scale { component, value } => {
                if component >= limits.components {
                    let of = limits.components;
                    return Err(Refused::bad(format!("`component` is {component}, must be below {of}")));
                }
                check_scale(value)?;
                next.scales.resize(limits.components, 1.0);
                next.scales[component] = value;
            }
            Action::ResetScales {} => next.scales.clear(),
            Action::Paint { pixels, color } => {
                next.strokes.paint(&Stroke::new(pixels, color, limits.shape)?, more);
            }
            Action::Erase { pixels } => {
                check_pixels(&pixels, area)?;
                next.strokes.erase(&pixels);
            }
            Action::Clear {} => next.strokes.clear(),
            Action::Lock {} => next.strokes.lock(),
            Action::Unlock {} => next.strokes.unlock(),
            // `History` has its own.
            Action::Undo {} | Action::Redo {} => {}
        }
        Ok(next)
    }
}

fn check_scale(value: f32) -> Result<(), Refused> {
    if value.abs() <= LARGEST {
        return Ok(());
    }
    Err(Refused::bad(format!("`value` is {value}, must be in [-{LARGEST}, {LARGEST}]")))
}

/// A state with those before and after it.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    now: State,
    past: Vec<State>,
    undone: Vec<State>,
}

impl History {
    pub(crate) fn new(now: State) -> Self {
        Self { now, past: Vec::new(), undone: Vec::new() }
    }

    pub(crate) fn now(&self) -> &State {
        &self.now
    }

    /// Steps that can be undone, and redone.
    pub(crate) fn steps(&self) -> [usize; 2] {
        [self.past.len(), self.undone.len()]
    }

    /// The history after an action; undo at the beginning and redo at the end change nothing.
    pub(crate) fn after(&self, action: Action, more: bool, limits: Limits) -> Result<Self, Refused> {
        let mut next = self.clone();
        match action {
            Action::Undo {} => {
                if let Some(before) = next.past.pop() {
                    next.undone.push(std::mem::replace(&mut next.now, before));
                }
            }
            Action::Redo {} => {
                if let Some(after) = next.undone.pop() {
                    next.past.push(std::mem::replace(&mut next.now, after));
                }
            }
            other => {
                let state = self.now.after(other, more, limits)?;
                let before = std::mem::replace(&mut next.now, state);
                // A gesture is one step, however many parts it is sent in.
                if !more || next.past.is_empty() {
                    next.past.push(before);
                }
                if next.past.len() > HISTORY {
                    next.past.remove(0);
                }
                next.undone.clear();
            }
        }
        Ok(next)
    }
}
