//! Strokes: which pixels have which colour.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use variata_lowrank_mvn::Observation;

use crate::error::Refused;

/// Pixels of one colour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stroke {
    /// Row times width plus column, ascending.
    pub(crate) pixels: Vec<u32>,
    /// One value per channel, in [0, 1].
    pub(crate) color: Vec<f32>,
}

impl Stroke {
    /// A stroke that fits an image.
    pub(crate) fn new(
        mut pixels: Vec<u32>,
        color: Vec<f32>,
        [channels, h, w]: [usize; 3],
    ) -> Result<Self, Refused> {
        check_pixels(&pixels, h * w)?;
        if color.len() != channels {
            return Err(Refused::bad(format!("`color` has {} values, must have {channels}", color.len())));
        }
        if let Some(v) = color.iter().find(|v| !(0.0..=1.0).contains(*v)) {
            return Err(Refused::bad(format!("`color` has the value {v}, must be in [0, 1]")));
        }
        pixels.sort_unstable();
        pixels.dedup();
        Ok(Self { pixels, color })
    }
}

/// Every pixel is in an image of `area` pixels, and there are no more than that.
pub(crate) fn check_pixels(pixels: &[u32], area: usize) -> Result<(), Refused> {
    if pixels.len() > area {
        return Err(Refused::bad(format!("{} pixels were given, the image has {area}", pixels.len())));
    }
    match pixels.iter().find(|p| **p as usize >= area) {
        Some(p) => Err(Refused::bad(format!("pixel {p} is not in the image, which has {area}"))),
        None => Ok(()),
    }
}

/// All strokes, those that are locked apart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Strokes {
    pub(crate) locked: Vec<Arc<Stroke>>,
    pub(crate) free: Vec<Arc<Stroke>>,
}

impl Strokes {
    /// Adds a stroke, or makes the last one of the same colour longer. Locked pixels keep their colour.
    pub(crate) fn paint(&mut self, stroke: &Stroke, more: bool) {
        let locked = self.covered(true);
        let pixels: Vec<u32> = stroke.pixels.iter().copied().filter(|p| !locked.contains_key(p)).collect();
        match self.free.last_mut().filter(|last| more && last.color == stroke.color) {
            Some(last) => {
                let mut longer =
                    Stroke { pixels: last.pixels.iter().copied().chain(pixels).collect(), ..stroke.clone() };
                longer.pixels.sort_unstable();
                longer.pixels.dedup();
                *last = Arc::new(longer);
            }
            None => self.free.push(Arc::new(Stroke { pixels, color: stroke.color.clone() })),
        }
        self.free.retain(|stroke| !stroke.pixels.is_empty());
    }

    /// Frees pixels that are not locked.
    pub(crate) fn erase(&mut self, pixels: &[u32]) {
        let mut gone = pixels.to_vec();
        gone.sort_unstable();
        for stroke in &mut self.free {
            if stroke.pixels.iter().any(|p| gone.binary_search(p).is_ok()) {
                let left = stroke.pixels.iter().copied().filter(|p| gone.binary_search(p).is_err()).collect();
                *stroke = Arc::new(Stroke { pixels: left, color: stroke.color.clone() });
            }
        }
        self.free.retain(|stroke| !stroke.pixels.is_empty());
    }

    /// Keeps what is painted through everything but [`unlock`](Self::unlock).
    pub(crate) fn lock(&mut self) {
        self.locked.append(&mut self.free);
    }

    pub(crate) fn unlock(&mut self) {
        let mut free = std::mem::take(&mut self.locked);
        free.append(&mut self.free);
        self.free = free;
    }

    pub(crate) fn clear(&mut self) {
        self.free.clear();
    }

    /// The colour of each painted pixel: that of the last stroke over it.
    fn covered(&self, locked_only: bool) -> BTreeMap<u32, &[f32]> {
        let free = if locked_only { &[][..] } else { &self.free };
        // Locked pixels are in no free stroke.
        let all = self.locked.iter().chain(free);
        all.flat_map(|stroke| stroke.pixels.iter().map(|p| (*p, &stroke.color[..]))).collect()
    }

    /// Painted pixels, and how many of them are locked.
    pub(crate) fn counts(&self) -> [usize; 2] {
        [self.covered(false).len(), self.covered(true).len()]
    }

    /// What the strokes say of the values of an image of `area` pixels.
    pub(crate) fn observations(&self, area: usize) -> Vec<Observation> {
        let covered = self.covered(false);
        let channel = |(p, color): (&u32, &&[f32])| {
            let pixel = *p as usize;
            let values = color.iter().enumerate();
            values.map(|(c, v)| Observation::exact(c * area + pixel, f64::from(*v))).collect::<Vec<_>>()
        };
        covered.iter().flat_map(channel).collect()
    }
}
