//! Editing an image stroke by stroke.

use std::sync::Arc;

use ndarray::{Array1, ArrayRef2};
use rand::Rng;
use variata_distributions::{Real, check};

use crate::condition::{NoisePosterior, Observation, merged};
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
/// A stroke of k entries costs O(k r²), the new image O(n r). The products of each stroke are kept (r² numbers) and added in
/// order, never subtracted, so that a state reached by undoing, or by removing strokes that share no entry with others, has the
/// bits that it would have had without the detour.
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
    strokes: Vec<Arc<Stroke>>,
    undone: Vec<Vec<Arc<Stroke>>>,
    past: Vec<Vec<Arc<Stroke>>>,
    posterior: NoisePosterior,
}

impl<'p, F: Real, S: Storage> EditSession<'p, F, S> {
    /// Edits of item `item` of the batch.
    ///
    /// # Errors
    /// There is no such item.
    pub fn new(p: &'p LowRankMvn<'_, F, S>, item: usize) -> Result<Self, Error> {
        let (p, rank) = (p.single(item)?, p.rank());
        let posterior = NoisePosterior::prior(rank);
        Ok(Self { p, strokes: Vec::new(), undone: Vec::new(), past: Vec::new(), posterior })
    }

    /// Adds a stroke. Entries that earlier strokes have set take the new value, for good: removing this stroke frees them, and
    /// undoing it gives them back. An empty stroke changes nothing.
    ///
    /// # Errors
    /// As [`LowRankMvn::condition_each`]; the session is then as it was.
    pub fn paint(&mut self, stroke: &[Observation]) -> Result<(), Error> {
        let stroke = merged(0, stroke, self.p.dim())?;
        if stroke.is_empty() {
            return Ok(());
        }
        let mut strokes = self.without(|index| stroke.binary_search_by_key(&index, |o| o.index).is_ok())?;
        strokes.push(self.stroke(stroke)?);
        self.go_to(strokes)
    }

    /// Takes away stroke `number`, counted from 0 in the order in which those that are left were painted.
    ///
    /// # Errors
    /// There is no such stroke; the session is then as it was.
    pub fn remove(&mut self, number: usize) -> Result<(), Error> {
        check::scalar("number", number as f64, "below the number of strokes", number < self.strokes.len())?;
        let mut strokes = self.strokes.clone();
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
        let strokes = self.without(gone)?;
        self.go_to(strokes)
    }

    /// Back to the state before the last change; `false` if there was none.
    pub fn undo(&mut self) -> bool {
        let Some(before) = self.past.pop() else { return false };
        self.undone.push(std::mem::replace(&mut self.strokes, before));
        self.refresh();
        true
    }

    /// Forth again; `false` if nothing was undone since the last change.
    pub fn redo(&mut self) -> bool {
        let Some(after) = self.undone.pop() else { return false };
        self.past.push(std::mem::replace(&mut self.strokes, after));
        self.refresh();
        true
    }

    /// Number of strokes that are left.
    pub fn strokes(&self) -> usize {
        self.strokes.len()
    }

    /// What is set, in the order of the entries.
    pub fn observations(&self) -> &[Observation] {
        &self.posterior.observations
    }

    /// The mean image given the edits, `[n]`.
    pub fn image(&self) -> Array1<F> {
        self.posterior().mean().row(0).to_owned()
    }

    /// A draw given the edits, `[n]`.
    pub fn sample(&self, rng: &mut impl Rng) -> Array1<F> {
        self.posterior().sample(rng).row(0).to_owned()
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
        Ok(self.posterior().rsample(noise_factor, noise_diag)?.row(0).to_owned())
    }

    /// The distribution given the edits, a batch of one.
    pub fn posterior(&self) -> Posterior<'_, F, S> {
        Posterior { p: self.p.view(), items: vec![self.posterior.clone()] }
    }

    /// The strokes without the entries that are `gone`; those left with none disappear.
    fn without(&self, gone: impl Fn(usize) -> bool) -> Result<Vec<Arc<Stroke>>, Error> {
        let mut strokes = Vec::new();
        for stroke in &self.strokes {
            if !stroke.observations.iter().any(|o| gone(o.index)) {
                strokes.push(stroke.clone());
                continue;
            }
            let left: Vec<_> = stroke.observations.iter().filter(|o| !gone(o.index)).copied().collect();
            if !left.is_empty() {
                strokes.push(self.stroke(left)?);
            }
        }
        Ok(strokes)
    }

    fn stroke(&self, observations: Vec<Observation>) -> Result<Arc<Stroke>, Error> {
        let observed = self.p.observed(0, observations)?;
        let item = observed.item(0);
        let products = item.gram_in_parts(&|_, start, to| observed.fill(start, to));
        Ok(Arc::new(Stroke { observations: observed.observations().to_vec(), products }))
    }

    fn go_to(&mut self, strokes: Vec<Arc<Stroke>>) -> Result<(), Error> {
        self.posterior = self.found(&strokes)?;
        self.past.push(std::mem::replace(&mut self.strokes, strokes));
        self.undone.clear();
        Ok(())
    }

    fn refresh(&mut self) {
        // These strokes were accepted before.
        self.posterior = self.found(&self.strokes).unwrap_or_else(|_| NoisePosterior::prior(self.p.rank()));
    }

    fn found(&self, strokes: &[Arc<Stroke>]) -> Result<NoisePosterior, Error> {
        let mut all: Vec<Observation> = strokes.iter().flat_map(|s| s.observations.iter().copied()).collect();
        if all.is_empty() {
            return Ok(NoisePosterior::prior(self.p.rank()));
        }
        all.sort_unstable_by_key(|o| o.index);
        let observed = self.p.observed(0, all)?;
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
