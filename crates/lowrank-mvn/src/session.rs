//! Editing an image stroke by stroke.

use std::sync::Arc;

use ndarray::{Array1, ArrayRef2, Axis};
use rand::Rng;
use variata_distributions::{Real, check};

use crate::condition::{NoisePosterior, Observation};
use crate::posterior::Posterior;
use crate::storage::Storage;
use crate::{Error, LowRankMvn};

/// The observations of one stroke that still count, and the products that they add to those of the others.
#[derive(Debug)]
struct Stroke {
    observations: Vec<Observation>,
    /// Lower triangle of [A, b]ᵀ[A, b].
    products: Vec<f64>,
}

/// Edits of one image: strokes are added, painted over, taken away, undone and redone, and after each the rest of the image
/// follows.
///
/// Painting a stroke of k entries costs O(k r²), plus O(S r² + m log m) to combine it with all S strokes, m entries together, or
/// O(m r²) where sums of products would lose too many digits; the new image costs O(n r), undoing O(m log m). The products of each stroke
/// are kept (r² numbers) and added in order, never subtracted, so that a state reached by undoing, or by removing strokes that
/// share no entry with others, has the bits that it would have had without the detour. Each change that can be undone keeps r²
/// numbers and a list of its strokes.
///
/// ```
/// use ndarray::{Array3, array};
/// use variata_lowrank_mvn::{EditSession, LowRankMvn, Observation};
///
/// let p = LowRankMvn::<f64>::new(array![[0.0, 0.0, 0.0]], Array3::ones((1, 3, 1)), 1e-6)?;
/// let mut session = EditSession::new(&p, 0)?;
/// session.paint(&[Observation::exact(0, 2.0)])?;
/// let before = session.image();
/// session.paint(&[Observation::exact(2, 4.0)])?;
/// assert!((session.image()[1] - 3.0).abs() < 1e-4);
/// assert!(session.undo());
/// assert_eq!(session.image(), before);
/// # Ok::<(), variata_lowrank_mvn::Error>(())
/// ```
#[derive(Debug)]
pub struct EditSession<'p, F: Real, S = F> {
    p: LowRankMvn<'p, F, S>,
    now: State,
    undone: Vec<State>,
    past: Vec<State>,
}

/// The strokes that count and what they say. A state that is not the present one leaves out the posterior's observations, which
/// are those of the strokes: what it keeps beside them is r² numbers.
#[derive(Debug)]
struct State {
    strokes: Vec<Arc<Stroke>>,
    posterior: NoisePosterior,
}

impl State {
    /// This state in place of the present one, which is returned.
    fn replace(mut self, now: &mut Self) -> Self {
        if self.posterior.observations.is_empty() {
            self.posterior.observations = together(&self.strokes);
        }
        let mut left = std::mem::replace(now, self);
        left.posterior.observations = Vec::new();
        left
    }
}

/// The observations of all strokes, which share no entry, in the order of the entries.
fn together(strokes: &[Arc<Stroke>]) -> Vec<Observation> {
    let mut all: Vec<Observation> = strokes.iter().flat_map(|s| s.observations.iter().copied()).collect();
    // Finds the strokes as runs.
    all.sort_by_key(|o| o.index);
    all
}

impl<'p, F: Real, S: Storage> EditSession<'p, F, S> {
    /// Edits of item `item` of the batch.
    ///
    /// # Errors
    /// There is no such item.
    pub fn new(p: &'p LowRankMvn<'_, F, S>, item: usize) -> Result<Self, Error> {
        let now = State { strokes: Vec::new(), posterior: NoisePosterior::prior(p.rank()) };
        Ok(Self { p: p.single(item)?, now, undone: Vec::new(), past: Vec::new() })
    }

    /// Adds a stroke. Entries that earlier strokes have set take the new value, for good: removing this stroke frees them, and
    /// undoing it gives them back. An empty stroke changes nothing.
    ///
    /// # Errors
    /// As [`LowRankMvn::condition_each`]; the session is then as it was.
    pub fn paint(&mut self, stroke: &[Observation]) -> Result<(), Error> {
        let stroke = self.p.merged(0, stroke, ("observations.value", 0))?;
        if stroke.is_empty() {
            return Ok(());
        }
        let mut strokes = self.without(|index| stroke.binary_search_by_key(&index, |o| o.index).is_ok());
        strokes.push(self.stroke(stroke));
        self.go_to(strokes)
    }

    /// Takes away stroke `number`, counted from 0 in the order in which those that are left were painted.
    ///
    /// # Errors
    /// There is no such stroke; the session is then as it was.
    pub fn remove(&mut self, number: usize) -> Result<(), Error> {
        check::scalar("number", number as f64, "below the number of strokes", number < self.strokes())?;
        let mut strokes = self.now.strokes.clone();
        strokes.remove(number);
        self.go_to(strokes)
    }

    /// Frees entries that strokes have set; where none was, nothing changes.
    ///
    /// # Errors
    /// An index is not below n; the session is then as it was.
    pub fn erase(&mut self, indices: &[usize]) -> Result<(), Error> {
        self.p.check_indices("indices", indices)?;
        let mut sorted = indices.to_vec();
        sorted.sort_unstable();
        let gone = |index: usize| sorted.binary_search(&index).is_ok();
        if !self.observations().iter().any(|o| gone(o.index)) {
            return Ok(());
        }
        let strokes = self.without(gone);
        self.go_to(strokes)
    }

    /// Back to the state before the last change; `false` if there was none.
    pub fn undo(&mut self) -> bool {
        let Some(before) = self.past.pop() else { return false };
        self.undone.push(before.replace(&mut self.now));
        true
    }

    /// Forth again; `false` if nothing was undone since the last change.
    pub fn redo(&mut self) -> bool {
        let Some(after) = self.undone.pop() else { return false };
        self.past.push(after.replace(&mut self.now));
        true
    }

    /// Number of strokes that are left.
    pub fn strokes(&self) -> usize {
        self.now.strokes.len()
    }

    /// What is set, in the order of the entries.
    pub fn observations(&self) -> &[Observation] {
        &self.now.posterior.observations
    }

    /// The mean image given the edits, `[n]`.
    pub fn image(&self) -> Array1<F> {
        self.posterior().mean().index_axis_move(Axis(0), 0)
    }

    /// A draw given the edits, `[n]`.
    pub fn sample(&self, rng: &mut impl Rng) -> Array1<F> {
        self.posterior().sample(rng).index_axis_move(Axis(0), 0)
    }

    /// The image given the edits for given noise, `noise_factor` [1, r] and `noise_diag` [1, n]: it changes from edit to edit
    /// only as far as the edits say.
    ///
    /// # Errors
    /// As [`Posterior::rsample`].
    pub fn rsample(
        &self,
        noise_factor: &ArrayRef2<F>,
        noise_diag: &ArrayRef2<F>,
    ) -> Result<Array1<F>, Error> {
        Ok(self.posterior().rsample(noise_factor, noise_diag)?.index_axis_move(Axis(0), 0))
    }

    /// The distribution given the edits, a batch of one.
    pub fn posterior(&self) -> Posterior<'_, F, S> {
        Posterior { p: self.p.view(), items: vec![self.now.posterior.clone()] }
    }

    /// The strokes without the entries that are `gone`; those left with none disappear.
    fn without(&self, gone: impl Fn(usize) -> bool) -> Vec<Arc<Stroke>> {
        let mut strokes = Vec::new();
        for stroke in &self.now.strokes {
            if !stroke.observations.iter().any(|o| gone(o.index)) {
                strokes.push(stroke.clone());
                continue;
            }
            let left: Vec<_> = stroke.observations.iter().filter(|o| !gone(o.index)).copied().collect();
            if !left.is_empty() {
                strokes.push(self.stroke(left));
            }
        }
        strokes
    }

    fn stroke(&self, observations: Vec<Observation>) -> Arc<Stroke> {
        let observed = self.p.observed(0, observations);
        let item = observed.item(0);
        let products = item.gram_in_parts(&|_, start, to| observed.fill(start, to));
        Arc::new(Stroke { observations: observed.observations().to_vec(), products })
    }

    fn go_to(&mut self, strokes: Vec<Arc<Stroke>>) -> Result<(), Error> {
        let posterior = self.found(&strokes)?;
        self.past.push(State { strokes, posterior }.replace(&mut self.now));
        self.undone.clear();
        Ok(())
    }

    fn found(&self, strokes: &[Arc<Stroke>]) -> Result<NoisePosterior, Error> {
        if strokes.is_empty() {
            return Ok(NoisePosterior::prior(self.p.rank()));
        }
        let observed = self.p.observed(0, together(strokes));
        if observed.observations().len() <= 2 * self.p.rank() {
            return observed.by_reflections(0);
        }
        let mut products = vec![0.0; (self.p.rank() + 1).pow(2)];
        for stroke in strokes {
            products.iter_mut().zip(&stroke.products).for_each(|(sum, v)| *sum += v);
        }
        observed.by_products(0, &products)
    }
}
