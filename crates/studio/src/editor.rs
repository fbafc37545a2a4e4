//! One image under edit: the distribution of its code, what was done to it, and the pictures that follow.

use std::time::{Duration, Instant};

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use variata_lowrank_mvn::{LowRankMvn, slerp};

use crate::error::Refused;
use crate::generator::{Model, Purpose};
use crate::link;
use crate::picture::Picture;
use crate::state::{Action, History, Limits, Noise, State};

/// What of the image is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum View {
    /// The image.
    #[default]
    Image,
    /// Standard deviations of the pixels given what is painted, over the largest.
    Uncertainty,
    /// What the image has beyond the mean of its code, around grey.
    Difference,
}

/// What the page is told beside the pixels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Report {
    pub(crate) latent: u64,
    pub(crate) noise: Noise,
    pub(crate) scales: Vec<f32>,
    /// Standard deviation of each component before it is scaled.
    pub(crate) spectrum: Vec<f32>,
    pub(crate) painted: usize,
    pub(crate) locked: usize,
    pub(crate) undo: usize,
    pub(crate) redo: usize,
    pub(crate) link: String,
    /// Largest standard deviation, where uncertainties are shown.
    pub(crate) scale: Option<f32>,
    /// Milliseconds that this took here.
    pub(crate) milliseconds: f64,
}

/// The distribution of a code, and the same with scaled components.
#[derive(Debug)]
struct Prepared {
    latent: u64,
    base: LowRankMvn<'static, f32>,
    spectrum: Vec<f32>,
    scales: Vec<f32>,
    scaled: LowRankMvn<'static, f32>,
}

/// An image under edit.
#[derive(Debug)]
pub(crate) struct Editor {
    model: Model,
    history: History,
    prepared: Prepared,
}

fn failed(error: impl std::fmt::Display) -> Refused {
    Refused::model(format!("the numbers gave out: {error}"))
}

impl Prepared {
    fn new(model: &Model, latent: u64) -> Result<Self, Refused> {
        let base = model.decode(latent)?;
        let found = base.principal_components().map_err(failed)?;
        let spectrum = found.standard_deviations.iter().copied().collect();
        Ok(Self { latent, scaled: base.clone(), scales: Vec::new(), spectrum, base })
    }

    fn limits(&self, model: &Model) -> Limits {
        Limits { shape: model.shape, components: self.spectrum.len() }
    }

    /// Makes it that of a state; where that fails, it is to follow another one.
    fn follow(&mut self, model: &Model, state: &State) -> Result<(), Refused> {
        if self.latent != state.latent {
            *self = Self::new(model, state.latent)?;
        }
        if self.scales != state.scales {
            self.scaled = if state.scales.is_empty() {
                self.base.clone()
            } else {
                let scales = Array2::from_shape_fn((1, state.scales.len()), |(_, k)| state.scales[k]);
                self.base.scale_components(&scales).map_err(failed)?
            };
            self.scales.clone_from(&state.scales);
        }
        Ok(())
    }
}

impl Editor {
    /// A new image, or that of a link.
    pub(crate) fn new(model: Model, state: State) -> Result<Self, Refused> {
        let prepared = Prepared::new(&model, state.latent)?;
        let history = History::new(state.checked(prepared.limits(&model))?);
        Ok(Self { model, history, prepared })
    }

    /// Does something, or nothing, and shows what there is then. Where that fails, all stays as it was.
    pub(crate) fn act(
        &mut self,
        action: Option<Action>,
        more: bool,
        view: View,
    ) -> Result<(Report, Picture), Refused> {
        let start = Instant::now();
        // The last action may have failed when something else was prepared.
        self.prepared.follow(&self.model, self.history.now())?;
        let after = action
            .map(|action| self.history.after(action, more, self.prepared.limits(&self.model)))
            .transpose()?;
        let next = after.as_ref().unwrap_or(&self.history);
        self.prepared.follow(&self.model, next.now())?;
        let shown = self.show(next.now(), view);
        if let (Some(after), true) = (after, shown.is_ok()) {
            self.history = after;
        }
        let (picture, scale) = shown?;
        Ok((self.report(scale, start.elapsed()), picture))
    }

    fn report(&self, scale: Option<f32>, time: Duration) -> Report {
        let state = self.history.now();
        let ([painted, locked], [undo, redo]) = (state.strokes.counts(), self.history.steps());
        Report {
            latent: state.latent,
            noise: state.noise,
            scales: state.scales.clone(),
            spectrum: self.prepared.spectrum.clone(),
            painted,
            locked,
            undo,
            redo,
            link: link::write(state),
            scale,
            milliseconds: time.as_secs_f64() * 1e3,
        }
    }

    /// Noise of the factor; `None` for the mean.
    fn noise(&self, noise: Noise) -> Result<Option<Array2<f32>>, Refused> {
        let rank = self.prepared.base.rank();
        let draw = |number| Array1::from(self.model.noise(Purpose::Sample, number, rank));
        let found = match noise {
            Noise::Mean {} => return Ok(None),
            Noise::Sample { number } => draw(number),
            Noise::Path { from, to, t } => slerp(&draw(from), &draw(to), t).map_err(failed)?,
        };
        Ok(Some(found.insert_axis(ndarray::Axis(0))))
    }

    fn show(&self, state: &State, view: View) -> Result<(Picture, Option<f32>), Refused> {
        let (p, shape) = (&self.prepared.scaled, self.model.shape);
        let observations = state.strokes.observations(shape[1] * shape[2]);
        let posterior = p.condition_each(&[observations]).map_err(failed)?;
        if view == View::Uncertainty {
            let deviations = posterior.variance().mapv(f32::sqrt);
            let top = deviations.iter().fold(0f32, |m, v| m.max(*v));
            let part = |v: f32| if top > 0.0 { v / top } else { 0.0 };
            return Ok((Picture::new(&deviations.mapv(part), shape), Some(top)));
        }
        let image = match self.noise(state.noise)? {
            None => posterior.mean(),
            // Pixels have no noise of their own: it would hide the rest, and flicker.
            Some(factor) => posterior.rsample(&factor, &Array2::zeros((1, p.dim()))).map_err(failed)?,
        };
        if view == View::Difference {
            let apart = (&image - &p.loc()).mapv(|d| 0.5 + 0.5 * d);
            return Ok((Picture::new(&apart, shape), None));
        }
        Ok((Picture::new(&image, shape), None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::{Decoded, Generator};

    /// Of rank 3 or 4, as the code has it.
    struct Ranks;

    impl Generator for Ranks {
        fn shape(&self) -> [usize; 3] {
            [1, 2, 3]
        }

        fn latent(&self) -> usize {
            1
        }

        fn description(&self) -> String {
            String::new()
        }

        fn decode(&mut self, code: &[f32]) -> Result<Decoded, String> {
            let rank = if code[0] > 0.0 { 4 } else { 3 };
            Ok(Decoded {
                loc: Array1::zeros(6),
                cov_factor: Array2::from_shape_fn((6, rank), |(i, k)| ((3 * i + k) as f32).sin()),
                cov_diag: Array1::ones(6),
            })
        }
    }

    #[test]
    fn an_action_that_fails_leaves_all_as_it_was() {
        let model = Model::start(Ranks, 1).unwrap();
        let rank = |number| model.decode(number).unwrap().rank();
        let of = |wanted| (0..100).find(|n| rank(*n) == wanted).unwrap();
        let (four, three) = (of(4), of(3));
        let mut editor = Editor::new(model, State { latent: four, ..State::default() }).unwrap();
        let scale = |component| Some(Action::Scale { component, value: 2.0 });
        let before = editor.act(scale(3), false, View::default()).unwrap();
        assert!(editor.act(Some(Action::Latent { number: three }), false, View::default()).is_err());
        let (report, picture) = editor.act(None, false, View::default()).unwrap();
        assert_eq!((report.scales, report.latent, picture), (before.0.scales, four, before.1));
        // The limits are those of the code on the page.
        editor.act(scale(3), false, View::default()).unwrap();
    }
}
