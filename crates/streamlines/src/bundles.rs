//! Procedural bundles: the embedded data set.

mod anatomy;
mod shape;
mod tract;

use variata_distributions::parallel::collect;

use crate::error::scalar;
use crate::resample::{arc_length, resample_into};
use crate::{Error, GroupOptions, Groups, Streamlines};
use anatomy::{Anatomy, Draw};

pub use tract::Tract;

/// A made-up cohort: for each subject the tracts of paper vq-diff with roughly the shape and place that they have in a
/// brain, in world coordinates, mm.
///
/// Each tract is a spline through a handful of places with a cross-section at each. Subjects differ in size, pose and
/// shear of the whole brain, and for each tract in the places, its thickness, how far its ends fan out, and how many
/// streamlines it has; streamlines differ in where they run within the cross-section, how they wander, and where they end.
/// Drawn with ChaCha8 keyed by (seed, subject, tract): any bundle can be made alone, and is the same on every machine, since
/// nothing but sums, products, quotients and square roots is taken.
///
/// It is no model of anatomy, and nothing about brains should be concluded from it: it has the tracts' sizes, places and
/// kinds of variation, so that code for real bundles runs on something like them.
///
/// ```
/// use variata_streamlines::{Phantom, Tract};
///
/// let phantom = Phantom { streamlines: 100, ..Phantom::default() };
/// let bundle = phantom.bundle(0, Tract::PytR)?;
/// assert_eq!(bundle, phantom.bundle(0, Tract::PytR)?);
/// // From the cortex, high and on the right, down to the medulla.
/// let line = bundle.get(0).unwrap();
/// let (first, last) = (line.row(0), line.row(line.nrows() - 1));
/// assert!(first[0] > 0.0 && first[2] > 30.0 && last[2] < -20.0);
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phantom {
    /// Seed of the cohort.
    pub seed: u64,
    /// Streamlines of a bundle, about: between half and double, by subject and tract.
    pub streamlines: usize,
    /// Distance of neighbouring points in mm.
    pub step: f64,
    /// Share of streamlines that run from the other end, in [0, 1]. Tractography leaves the direction to chance.
    pub reversed: f64,
}

impl Default for Phantom {
    fn default() -> Self {
        Self { seed: 0, streamlines: 640, step: 2.0, reversed: 0.0 }
    }
}

impl Phantom {
    fn check(&self) -> Result<(), Error> {
        if self.streamlines == 0 || self.streamlines > 1 << 24 {
            return Err(scalar("streamlines", self.streamlines as f64, "1 to 16777216"));
        }
        if !(self.step >= 0.01 && self.step.is_finite()) {
            return Err(scalar("step", self.step, "finite and at least 0.01"));
        }
        if !(0.0..=1.0).contains(&self.reversed) {
            return Err(scalar("reversed", self.reversed, "in [0, 1]"));
        }
        Ok(())
    }

    /// The bundle of a tract of a subject, in world coordinates, mm.
    ///
    /// # Errors
    /// [`Error::Argument`] for options outside their domain.
    pub fn bundle(&self, subject: u64, tract: Tract) -> Result<Streamlines<f32>, Error> {
        self.check()?;
        let mut draw = Draw::new(self.seed, *b"tract\0\0\0", subject, tract as u64);
        let anatomy = Anatomy::new(self.seed, subject, tract, &mut draw);
        let about = self.streamlines as f64;
        let count = (about * (1.0 + 0.2 * draw.normal())).clamp((about / 2.0).max(1.0), about * 2.0) as usize;
        let mut out = Streamlines::new();
        let (mut arc, mut resampled) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let mut line = anatomy.streamline(&mut draw);
            if draw.uniform() < self.reversed {
                line.reverse();
            }
            let points = (arc_length(&line) / self.step).round().max(1.0) as usize + 1;
            resampled.resize(points, [0.0; 3]);
            resample_into(&line, &mut arc, &mut resampled);
            for point in &resampled {
                out.point(point.map(|x| x as f32));
            }
            out.end();
        }
        Ok(out)
    }

    /// The tracts of many subjects as data of equal size; the class of a datum is its tract's index in `tracts`.
    ///
    /// Bundles are made on all cores; the data do not depend on the number of threads.
    ///
    /// # Errors
    /// [`Error::Argument`] for options outside their domain and subjects that are no `usize`.
    ///
    /// ```
    /// use variata_streamlines::{GroupOptions, Phantom, Tract};
    ///
    /// let phantom = Phantom { streamlines: 128, ..Phantom::default() };
    /// let groups = phantom.groups(0..2, &Tract::PAPER, GroupOptions::default())?.balanced();
    /// assert_eq!(groups.data().dim().1, 64);
    /// assert_eq!(groups.classes().len() % 12, 0);
    /// # Ok::<(), variata_streamlines::Error>(())
    /// ```
    pub fn groups(
        &self,
        subjects: std::ops::Range<u64>,
        tracts: &[Tract],
        options: GroupOptions,
    ) -> Result<Groups<f32>, Error> {
        self.check()?;
        let mut groups = Groups::new(options)?;
        for subject in subjects {
            let index = usize::try_from(subject).map_err(|_| scalar("subjects", subject as f64, "usize"))?;
            let bundles = collect(tracts.len(), |k| self.bundle(subject, tracts[k]));
            for (class, bundle) in bundles.into_iter().enumerate() {
                groups.add(class, index, &bundle?)?;
            }
        }
        Ok(groups)
    }
}
