//! New values for dead codes.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use ndarray::{Array2, ArrayRef2, ArrayView1};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};
use variata_distributions::check;
use variata_distributions::lanes::{Compute, Sample};

use crate::codebook::{Codebook, check_rows};
use crate::ema::Ema;
use crate::error::Error;
use crate::init::lower;
use crate::usage::Usage;

/// Where a dead code begins anew. Nothing is revived unless it is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Revival {
    /// At rows drawn from the batch, different ones as long as there are enough (Williams et al. 2020; Dhariwal et al. 2020).
    Batch,
    /// At the rows of the batch that are farthest from all codes, one after the other.
    Farthest,
    /// Beside the code that is used most, which shares its vectors: each half of the pair moves by `spread` times the root mean square
    /// of the code's elements, in opposite directions.
    Split {
        /// Size of the step, mostly 0.01.
        spread: f64,
    },
}

impl<T: Compute> Codebook<T> {
    /// Gives each code of `dead` a new value from the batch `z` [N, D] or from the crowded codes of `usage`, and resets all that `ema`
    /// holds of the codes it moves. Returns the indices of the codes that changed, ascending.
    ///
    /// # Errors
    /// [`Error::Index`] for a dead code that is none; [`Error::Argument`] for an empty batch where one is needed, shapes that do not fit,
    /// or a `spread` out of range; [`Error::Row`] for a row that no codebook may hold. Nothing changes then.
    ///
    /// ```
    /// use ndarray::array;
    /// use rand::SeedableRng;
    /// use variata_quantize::{Codebook, Metric, Revival, Usage};
    ///
    /// let mut codebook = Codebook::new(array![[0.0], [100.0]], Metric::SquaredEuclidean)?;
    /// let z = array![[-1.0], [1.0], [7.0]];
    /// let mut usage = Usage::new(2)?;
    /// usage.add(&codebook.assign(&z)?)?;
    /// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    /// codebook.revive(&usage.unused(), Revival::Farthest, &z, &usage, None, &mut rng)?;
    /// assert_eq!(codebook.codes(), array![[0.0], [7.0]]);
    /// # Ok::<(), variata_quantize::Error>(())
    /// ```
    pub fn revive<S: Sample<Compute = T>>(
        &mut self,
        dead: &[usize],
        revival: Revival,
        z: &ArrayRef2<S>,
        usage: &Usage,
        ema: Option<&mut Ema>,
        rng: &mut impl Rng,
    ) -> Result<Vec<usize>, Error> {
        for (position, &index) in dead.iter().enumerate() {
            self.check_index("dead", position, index)?;
        }
        check::shape("usage", &[usage.counts().len()], &[self.count()])?;
        check::shape("z", z.shape(), &[z.nrows(), self.dim()])?;
        check_rows("z", z, self.metric())?;
        if let Some(ema) = &ema {
            check::shape("ema", ema.sums().shape(), self.codes().shape())?;
        }
        let mut dead = dead.to_vec();
        dead.sort_unstable();
        dead.dedup();
        let dead = &dead[..];
        let mut next = self.clone();
        let mut changed = dead.to_vec();
        let mut splits = Vec::new();
        if let Revival::Split { spread } = revival {
            check::scalar("spread", spread, "finite and > 0", spread > 0.0 && spread.is_finite())?;
            splits = next.split(dead, spread, usage, rng)?;
            changed = splits.iter().flat_map(|&(from, to)| [from, to]).collect();
        } else if !dead.is_empty() {
            check::scalar("rows of z", z.nrows() as f64, "at least 1", z.nrows() > 0)?;
            let z = z.map(|v| v.compute()).as_standard_layout().into_owned();
            for (row, &index) in next.rows(dead, revival, &z, rng)?.into_iter().zip(dead) {
                next.set_code(index, &z.row(row))?;
            }
        }
        changed.sort_unstable();
        changed.dedup();
        if let Some(ema) = ema {
            // What a crowded code holds is shared, anything else begins anew.
            if splits.is_empty() {
                for &index in &changed {
                    ema.reset(&next, index);
                }
            }
            for &(from, to) in &splits {
                ema.split(&next, from, to);
            }
        }
        *self = next;
        Ok(changed)
    }

    /// Rows of the batch that become codes.
    fn rows(
        &self,
        dead: &[usize],
        revival: Revival,
        z: &Array2<T>,
        rng: &mut impl Rng,
    ) -> Result<Vec<usize>, Error> {
        let rows = z.nrows();
        if revival == Revival::Batch {
            // The first places of a shuffle, again and again if the batch is too small.
            let mut order: Vec<usize> = (0..rows).collect();
            return Ok((0..dead.len())
                .map(|i| {
                    let at = i % rows;
                    order.swap(at, rng.random_range(at..rows));
                    order[at]
                })
                .collect());
        }
        // Distances from the codes that live.
        let alive: Vec<usize> = (0..self.count()).filter(|k| dead.binary_search(k).is_err()).collect();
        let mut distances = if alive.is_empty() {
            ndarray::Array1::from_elem(rows, f64::INFINITY)
        } else {
            Self::new(self.codes().select(ndarray::Axis(0), &alive), self.metric())?
                .assign_with_distances(z)?
                .1
        };
        let mut chosen = Vec::with_capacity(dead.len());
        for _ in dead {
            let farthest = (1..rows).fold(0, |best, i| if distances[i] > distances[best] { i } else { best });
            chosen.push(farthest);
            lower(self.metric(), z, z.row(farthest).to_slice().unwrap_or_default(), &mut distances);
        }
        Ok(chosen)
    }

    /// Splits crowded codes; the pairs of a crowded code and the one that was dead.
    fn split(
        &mut self,
        dead: &[usize],
        spread: f64,
        usage: &Usage,
        rng: &mut impl Rng,
    ) -> Result<Vec<(usize, usize)>, Error> {
        // Of equal counts the first code's is the largest.
        let mut counts: BinaryHeap<Count> = (usage.counts().iter().enumerate())
            .filter(|(k, _)| dead.binary_search(k).is_err())
            .map(|(k, &n)| Count(n as f64, k))
            .collect();
        let mut pairs = Vec::with_capacity(dead.len());
        for &to in dead {
            let Some(Count(count, from)) = counts.pop().filter(|count| count.0 > 0.0) else {
                // Nobody has vectors to share.
                break;
            };
            let code: Vec<f64> = self.code(from).iter().map(|v| v.to_f64()).collect();
            let size = (code.iter().map(|v| v * v).sum::<f64>() / code.len() as f64).sqrt();
            let step = spread * if size > 0.0 { size } else { 1.0 };
            let noise: Vec<f64> = code.iter().map(|_| step * sample(rng)).collect();
            for (index, sign) in [(from, 1.0), (to, -1.0)] {
                let moved: Vec<T> = code.iter().zip(&noise).map(|(v, g)| T::from_f64(v + sign * g)).collect();
                self.set_code(index, &ArrayView1::from(&moved))?;
            }
            counts.extend([from, to].map(|k| Count(0.5 * count, k)));
            pairs.push((from, to));
        }
        Ok(pairs)
    }
}

/// How often a code was chosen, and the code.
#[derive(Debug, PartialEq)]
struct Count(f64, usize);

impl Eq for Count {}

impl PartialOrd for Count {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Count {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then(other.1.cmp(&self.1))
    }
}

fn sample(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}
