//! Strokes: which pixels have which colour.

use std::sync::Arc;

use variata_lowrank_mvn::Observation;

use crate::error::Refused;
use crate::pixels::Pixels;

/// Pixels of one colour.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stroke {
    /// Row times width plus column.
    pub(crate) pixels: Pixels,
    /// One value per channel, in [0, 1].
    pub(crate) color: Vec<f32>,
}

impl Stroke {
    /// A stroke that fits an image.
    pub(crate) fn new(pixels: Vec<u32>, color: Vec<f32>, shape: [usize; 3]) -> Result<Self, Refused> {
        check_pixels(&pixels, shape[1] * shape[2])?;
        let stroke = Self { pixels: Pixels::new(pixels), color };
        stroke.check(shape)?;
        Ok(stroke)
    }

    fn check(&self, [channels, h, w]: [usize; 3]) -> Result<(), Refused> {
        check_pixels(self.pixels.last().as_slice(), h * w)?;
        if self.color.len() != channels {
            let got = self.color.len();
            return Err(Refused::bad(format!("`color` has {got} values, must have {channels}")));
        }
        match self.color.iter().find(|v| !(0.0..=1.0).contains(*v)) {
            Some(v) => Err(Refused::bad(format!("`color` has the value {v}, must be in [0, 1]"))),
            None => Ok(()),
        }
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

/// All strokes, those that are locked apart. A pixel is in one of them at most, and none is empty: there is no more to keep than an image.
#[derive(Debug, Clone, Default)]
pub(crate) struct Strokes {
    pub(crate) locked: Vec<Arc<Stroke>>,
    pub(crate) free: Vec<Arc<Stroke>>,
}

/// Makes each stroke what `left` says of its pixels; one that stays as it is stays where it is.
fn reduce(strokes: &mut Vec<Arc<Stroke>>, mut left: impl FnMut(&Pixels) -> Pixels) {
    // The last one first: it was painted over the others.
    for stroke in strokes.iter_mut().rev() {
        let pixels = left(&stroke.pixels);
        if pixels != stroke.pixels {
            *stroke = Arc::new(Stroke { pixels, color: stroke.color.clone() });
        }
    }
    strokes.retain(|stroke| !stroke.pixels.is_empty());
}

impl Strokes {
    /// All strokes fit an image, and no pixel is both locked and free. One in several strokes is left to the last of them, which is the
    /// one that shows.
    pub(crate) fn settle(&mut self, shape: [usize; 3]) -> Result<(), Refused> {
        self.locked.iter().chain(&self.free).try_for_each(|stroke| stroke.check(shape))?;
        let mut taken = vec![false; shape[1] * shape[2]];
        let mut first = |p: u32| !std::mem::replace(&mut taken[p as usize], true);
        reduce(&mut self.locked, |pixels| pixels.filter(&mut first));
        if let Some(p) = self.free.iter().flat_map(|stroke| stroke.pixels.iter()).find(|p| taken[*p as usize])
        {
            return Err(Refused::bad(format!("pixel {p} is locked and painted over")));
        }
        let mut first = |p: u32| !std::mem::replace(&mut taken[p as usize], true);
        reduce(&mut self.free, |pixels| pixels.filter(&mut first));
        Ok(())
    }

    /// Adds a stroke, or makes the last one of the same colour longer. Locked pixels keep their colour; others leave the strokes that
    /// had them.
    pub(crate) fn paint(&mut self, stroke: &Stroke, more: bool) {
        let locked = Pixels::of_all(self.locked.iter().map(|stroke| &stroke.pixels));
        let mut pixels = stroke.pixels.without(&locked);
        let begun = self.free.pop_if(|last| more && last.color == stroke.color);
        self.erase(&pixels);
        if let Some(begun) = begun {
            pixels = Pixels::of_all([&pixels, &begun.pixels].into_iter());
        }
        if !pixels.is_empty() {
            self.free.push(Arc::new(Stroke { pixels, color: stroke.color.clone() }));
        }
    }

    /// Frees pixels that are not locked.
    pub(crate) fn erase(&mut self, gone: &Pixels) {
        reduce(&mut self.free, |pixels| pixels.without(gone));
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

    /// Painted pixels, and how many of them are locked.
    pub(crate) fn counts(&self) -> [usize; 2] {
        let count = |strokes: &[Arc<Stroke>]| strokes.iter().map(|stroke| stroke.pixels.len()).sum::<usize>();
        let locked = count(&self.locked);
        [locked + count(&self.free), locked]
    }

    /// What the strokes say of the values of an image of `area` pixels, pixel after pixel.
    pub(crate) fn observations(&self, area: usize) -> Vec<Observation> {
        let all = self.locked.iter().chain(&self.free);
        let mut painted: Vec<(u32, &[f32])> =
            all.flat_map(|stroke| stroke.pixels.iter().map(|p| (p, &stroke.color[..]))).collect();
        painted.sort_unstable_by_key(|(p, _)| *p);
        let values = |(p, color): (u32, &[f32])| {
            let value = |(c, v): (usize, &f32)| Observation::exact(c * area + p as usize, f64::from(*v));
            color.iter().enumerate().map(value).collect::<Vec<_>>()
        };
        painted.into_iter().flat_map(values).collect()
    }
}
