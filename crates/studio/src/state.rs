//! What is on the page, what can be done to it, and undo.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Refused;
use crate::paint::{Stroke, Strokes, check_pixels};
use crate::pixels::Pixels;

/// States that can be gone back to.
const HISTORY: usize = 200;
/// What the strokes of these may weigh together, in eights of bytes: 16 MiB. Only strokes of scattered pixels, and many of them, do.
const HEAVIEST: usize = 1 << 21;
/// Largest magnitude of a scale.
const LARGEST: f32 = 10.0;

/// Noise of the factor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Noise {
    /// None: the mean. With braces, or unknown fields beside it would be taken.
    Mean {},
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
        Self { latent: 0, noise: Noise::Mean {}, scales: Vec::new(), strokes: Strokes::default() }
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
    /// The state if everything fits, with each pixel in one stroke.
    pub(crate) fn checked(mut self, limits: Limits) -> Result<Self, Refused> {
        self.noise.check()?;
        if !(self.scales.is_empty() || self.scales.len() == limits.components) {
            let (got, want) = (self.scales.len(), limits.components);
            return Err(Refused::bad(format!("there are {got} scales, must be {want}")));
        }
        self.scales.iter().try_for_each(|v| check_scale(*v))?;
        self.strokes.settle(limits.shape)?;
        Ok(self)
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
                next.strokes.erase(&Pixels::new(pixels));
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

/// A state before or after another one.
#[derive(Debug, Clone)]
struct Step {
    state: Arc<State>,
    /// What the two do not share.
    weight: usize,
}

/// What memory holds of the strokes that only one of two states has, and of both lists.
fn weight(before: &State, after: &State) -> usize {
    let all = |state: &'_ State| state.strokes.locked.iter().chain(&state.strokes.free).cloned().collect();
    let [before, after]: [Vec<Arc<Stroke>>; 2] = [before, after].map(all);
    let addresses = |strokes: &[Arc<Stroke>]| strokes.iter().map(Arc::as_ptr).collect::<HashSet<_>>();
    let own = |strokes: &[Arc<Stroke>], others: HashSet<*const Stroke>| {
        // A stroke alone takes some 16 numbers of eight bytes, its place in a list one.
        let alone = strokes.iter().filter(|stroke| !others.contains(&Arc::as_ptr(stroke)));
        alone.map(|stroke| stroke.pixels.runs() + 16).sum::<usize>() + strokes.len()
    };
    own(&before, addresses(&after)) + own(&after, addresses(&before))
}

/// A state with those before and after it.
#[derive(Debug, Clone)]
pub(crate) struct History {
    now: Arc<State>,
    past: Vec<Step>,
    undone: Vec<Step>,
}

impl History {
    pub(crate) fn new(now: State) -> Self {
        Self { now: Arc::new(now), past: Vec::new(), undone: Vec::new() }
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
        let step = |from: &mut Vec<Step>, to: &mut Vec<Step>, now: &mut Arc<State>| {
            if let Some(Step { state, weight }) = from.pop() {
                to.push(Step { state: std::mem::replace(now, state), weight });
            }
        };
        match action {
            Action::Undo {} => step(&mut next.past, &mut next.undone, &mut next.now),
            Action::Redo {} => step(&mut next.undone, &mut next.past, &mut next.now),
            other => {
                let state = Arc::new(self.now.after(other, more, limits)?);
                let before = std::mem::replace(&mut next.now, state);
                // A gesture is one step, however many parts it is sent in.
                if !more || next.past.is_empty() {
                    next.past.push(Step { state: before, weight: 0 });
                }
                if let Some(last) = next.past.last_mut() {
                    last.weight = weight(&last.state, &next.now);
                }
                next.undone.clear();
                next.forget();
            }
        }
        Ok(next)
    }

    /// Drops what lies too far back; the last step stays whatever it weighs.
    fn forget(&mut self) {
        let mut left = HEAVIEST;
        let fits = |step: &&Step| {
            let fits = step.weight <= left;
            left = left.saturating_sub(step.weight);
            fits
        };
        let kept = self.past.iter().rev().take(HISTORY).take_while(fits).count().max(1);
        self.past.drain(..self.past.len().saturating_sub(kept));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { shape: [1, 512, 512], components: 1 };

    fn paint(history: &History, pixels: Vec<u32>, shade: f32) -> History {
        history.after(Action::Paint { pixels, color: vec![shade] }, false, LIMITS).unwrap()
    }

    /// Strokes over one another, and what is left of them after each.
    #[test]
    fn a_history_of_whole_images_is_small_and_exact() {
        let area = 512 * 512;
        let mut history = History::new(State::default());
        for k in 0..2 * HISTORY {
            history = paint(&history, (0..area).collect(), k as f32 / 1000.0);
            assert_eq!(history.now().strokes.free.len(), 1);
            history = paint(&history, (1000..1000 + k as u32).collect(), 1.0);
            assert_eq!(history.now().strokes.counts(), [area as usize, 0]);
        }
        assert_eq!(history.steps(), [HISTORY, 0]);
        assert!(history.past.iter().map(|step| step.weight).sum::<usize>() < 100 * HISTORY);
        for k in (0..2 * HISTORY).rev().take(HISTORY / 2) {
            let shades: Vec<f32> = history.now().strokes.free.iter().map(|s| s.color[0]).collect();
            assert_eq!(shades, [k as f32 / 1000.0, 1.0]);
            assert_eq!(history.now().strokes.free[1].pixels.len(), k);
            history = history.after(Action::Undo {}, false, LIMITS).unwrap();
            assert_eq!(history.now().strokes.free[0].pixels.len(), area as usize);
            history = history.after(Action::Undo {}, false, LIMITS).unwrap();
        }
    }

    #[test]
    fn a_history_of_scattered_pixels_is_bounded_by_weight() {
        let mut history = History::new(State::default());
        for k in 0..HISTORY {
            // Every second pixel: as many runs as there can be.
            let pixels = (0..512 * 256).map(|p| 2 * p + k as u32 % 2).collect();
            history = paint(&history, pixels, k as f32 / 1000.0);
        }
        let steps = history.steps()[0];
        assert!((2..HISTORY).contains(&steps), "{steps}");
        assert!(history.past.iter().map(|step| step.weight).sum::<usize>() <= HEAVIEST);
    }

    #[test]
    fn a_loaded_state_is_settled_or_refused() {
        let stroke = |pixels: &[u32], shade| {
            Arc::new(Stroke { pixels: Pixels::new(pixels.to_vec()), color: vec![shade] })
        };
        let state = |locked: Vec<_>, free: Vec<_>| {
            State { strokes: Strokes { locked, free }, ..State::default() }.checked(LIMITS)
        };
        let over = vec![stroke(&[1, 2, 3], 0.1), stroke(&[7], 0.2), stroke(&[2, 3, 4, 7], 0.3)];
        let apart = [stroke(&[1], 0.1), stroke(&[2, 3, 4, 7], 0.3)];
        assert_eq!(state(Vec::new(), over.clone()).unwrap().strokes.free, apart);
        assert_eq!(state(over.clone(), vec![stroke(&[5], 0.4)]).unwrap().strokes.locked, apart);
        let error = state(over, vec![stroke(&[5, 7], 0.4)]).unwrap_err();
        assert!(error.reason.contains("pixel 7"), "{error:?}");
        for wrong in [stroke(&[512 * 512], 0.0), stroke(&[1], 1.5), stroke(&[u32::MAX], 0.0)] {
            assert!(
                state(vec![wrong.clone()], Vec::new()).is_err() && state(Vec::new(), vec![wrong]).is_err()
            );
        }
    }
}
