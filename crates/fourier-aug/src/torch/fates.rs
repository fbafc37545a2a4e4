//! What the native pipeline would do to each image, drawn by the same streams and not yet done.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::augmix::pipeline::{Base, begin, begin_view};
use crate::augmix::{AugMix, Pipeline};
use crate::error::Error;
use crate::operation::Action;
use crate::random::pick;

/// What becomes of one image: its base, and each view; `None` for a clean one.
#[derive(Debug, Clone)]
pub(super) struct Fates {
    pub(super) base: Base,
    pub(super) views: Vec<Option<Fate>>,
}

/// What becomes of one view: of levels, the weight of the image itself, and of each chain with its actions.
#[derive(Debug, Clone)]
pub(super) struct Fate {
    pub(super) clean: f32,
    pub(super) chains: Vec<(f32, Vec<Action>)>,
}

/// Of `count` images of this shape, the first of which has the stream `first`; view 0 is the clean one.
pub(super) fn draw(
    pipeline: &Pipeline,
    shape: [usize; 3],
    (seed, first, count): (u64, u64, usize),
    views: &[usize],
) -> Result<Vec<Fates>, Error> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut one = |image: u64| {
        begin(&mut rng, image);
        let base = pipeline.draw_base(&mut rng);
        let mut fates = Vec::with_capacity(views.len());
        for &view in views {
            begin_view(&mut rng, view);
            let augmix = pipeline.augmix.as_ref().filter(|_| view > 0);
            fates.push(augmix.map(|augmix| fate(augmix, shape, &mut rng)).transpose()?);
        }
        Ok(Fates { base, views: fates })
    };
    (0..count).map(|i| one(first.wrapping_add(i as u64))).collect()
}

/// What AugMix would do, by the draws of `AugMix::mix`.
fn fate(augmix: &AugMix, shape: [usize; 3], rng: &mut dyn Rng) -> Result<Fate, Error> {
    let options = augmix.options();
    let mut weights = [0.0; 64];
    let [clean, mixed] = augmix.draw_weights(&mut weights, rng);
    let mut chains = Vec::with_capacity(options.width);
    for weight in &weights[..options.width] {
        let length = options.depth.draw(rng);
        let mut actions = Vec::with_capacity(length);
        for _ in 0..length {
            let operation = &augmix.operations[pick(&augmix.cumulative, rng)];
            let unnamed = || Error::NoAction { operation: format!("{operation:?}") };
            actions.push(operation.action(shape, options.severity, rng)?.ok_or_else(unnamed)?);
        }
        chains.push(((mixed * weight / 255.0) as f32, actions));
    }
    Ok(Fate { clean: (clean / 255.0) as f32, chains })
}
