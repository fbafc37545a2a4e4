//! What the rows of a batch say about each code: how many chose it, and their sum.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, s};
use variata_distributions::lanes::{Compute, Sample, widest};
use variata_distributions::parallel::collect;
use variata_distributions::{Real, check};

use crate::codebook::{Codebook, Metric, check_row, has_direction};
use crate::error::Error;
use crate::exact;
use crate::pack::largest;

/// Partial sums at most; their number depends on sizes alone, never on threads.
const PARTS: usize = 16;

/// Sizes `[K]` and sums [K, D] of the clusters of a batch, in f64: what an EMA step or a k-means step needs.
///
/// Micro-batches are [added](Self::add) one after the other; several workers each make their own, and [merge](Self::merge) them.
/// Under the cosine metric vectors count with their direction only: z/‖z‖.
///
/// ```
/// use ndarray::array;
/// use variata_quantize::{Clusters, Codebook, Metric};
///
/// let codebook = Codebook::new(array![[0.0], [9.0]], Metric::SquaredEuclidean)?;
/// let mut clusters = Clusters::new(&codebook);
/// clusters.add(&codebook, &array![[1.0], [8.0]], &array![0, 1])?;
/// clusters.add(&codebook, &array![[2.0]], &array![0])?;
/// assert_eq!((clusters.sizes(), clusters.sums()), (&array![2.0, 1.0], &array![[3.0], [8.0]]));
/// # Ok::<(), variata_quantize::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    allow(
        clippy::unsafe_derive_deserialize,
        reason = "it is in ndarray's macro `s!`; what is read is checked"
    )
)]
#[cfg_attr(feature = "serde", serde(try_from = "Stored"))]
pub struct Clusters {
    sizes: Array1<f64>,
    sums: Array2<f64>,
}

/// What a file may hold, before it is checked.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Stored {
    sizes: Array1<f64>,
    sums: Array2<f64>,
}

#[cfg(feature = "serde")]
impl TryFrom<Stored> for Clusters {
    type Error = Error;

    fn try_from(Stored { sizes, sums }: Stored) -> Result<Self, Error> {
        check::shape("sizes", sizes.shape(), &[sums.nrows()])?;
        for (row, (size, sum)) in sizes.iter().zip(sums.rows()).enumerate() {
            if !(*size >= 0.0 && size.is_finite()) {
                let must = "not negative and finite";
                return Err(Error::Row { argument: "sizes", row, value: *size, must });
            }
            if let Some(value) = sum.iter().copied().find(|v| !v.is_finite()) {
                return Err(Error::Row { argument: "sums", row, value, must: "finite" });
            }
            if let Some(value) = sum.iter().copied().find(|v| *size == 0.0 && *v != 0.0) {
                return Err(Error::Row { argument: "sums", row, value, must: "0 where the size is" });
            }
        }
        Ok(Self { sizes, sums })
    }
}

/// What is summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// Vectors, under the cosine metric their directions.
    Choices,
    /// z − e: sums of vectors lose what they have in common with their code.
    Gaps,
}

impl Clusters {
    /// Nothing yet, for the codes of this codebook.
    pub fn new<T: Compute>(codebook: &Codebook<T>) -> Self {
        Self { sizes: Array1::zeros(codebook.count()), sums: Array2::zeros(codebook.codes().dim()) }
    }

    /// How many vectors chose each code `[K]`.
    pub fn sizes(&self) -> &Array1<f64> {
        &self.sizes
    }

    /// The sum of the vectors that chose each code [K, D].
    pub fn sums(&self) -> &Array2<f64> {
        &self.sums
    }

    /// Adds vectors `z` [N, D] with the indices `[N]` of their codes.
    ///
    /// # Errors
    /// [`Error::Argument`] for shapes that do not fit, [`Error::Index`] for an index that is not less than K, [`Error::Row`] for a
    /// vector that [`Codebook::assign`] refuses. Nothing is added then.
    pub fn add<S: Sample>(
        &mut self,
        codebook: &Codebook<S::Compute>,
        z: &ArrayRef2<S>,
        indices: &ArrayRef1<usize>,
    ) -> Result<(), Error> {
        let found = Self::of(codebook, z, indices, Of::Choices)?;
        self.merge(&found)
    }

    /// Adds what another worker found.
    ///
    /// # Errors
    /// [`Error::Argument`] if it belongs to a codebook of another shape.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        check::shape("other", other.sums.shape(), self.sums.shape())?;
        self.sizes += &other.sizes;
        self.sums += &other.sums;
        Ok(())
    }

    /// Clusters of one batch.
    pub(crate) fn of<S: Sample>(
        codebook: &Codebook<S::Compute>,
        z: &ArrayRef2<S>,
        indices: &ArrayRef1<usize>,
        of: Of,
    ) -> Result<Self, Error> {
        let (rows, depth) = (indices.len(), codebook.dim());
        check::shape("z", z.shape(), &[rows, depth])?;
        for (position, &index) in indices.iter().enumerate() {
            codebook.check_index("indices", position, index)?;
        }
        let metric = if of == Of::Choices { codebook.metric() } else { Metric::SquaredEuclidean };
        let limit = largest::<S::Compute>();
        let parts = (rows / (4 * codebook.count())).clamp(1, PARTS);
        let size = rows.div_ceil(parts);
        let partial = collect(parts, |part| {
            let here = (part * size).min(rows)..((part + 1) * size).min(rows);
            let mut clusters = Self::new(codebook);
            let z = z.slice(s![here.clone(), ..]);
            let indices = indices.slice(s![here.clone()]);
            let mut refused = None;
            let mut buffer = vec![0.0; depth];
            for (row, (z, &k)) in z.rows().into_iter().zip(&indices).enumerate() {
                let Some(sums) = clusters.sums.row_mut(k).into_slice() else { continue };
                let fine = match z.as_slice() {
                    Some(z) if metric == Metric::SquaredEuclidean && of == Of::Choices => add(sums, z, limit),
                    _ => {
                        let mut fine = true;
                        for (to, v) in buffer.iter_mut().zip(&z) {
                            *to = v.compute().to_f64();
                            fine &= to.abs() <= limit;
                        }
                        if of == Of::Gaps {
                            let code = codebook.code(k);
                            buffer.iter_mut().zip(code).for_each(|(to, e)| *to -= e.to_f64());
                        }
                        if metric == Metric::Cosine {
                            // What has no direction is to be refused below.
                            let directed = has_direction(buffer.iter().copied());
                            let norm = exact::squared_norm(&buffer).sqrt();
                            for v in &mut buffer {
                                *v /= norm;
                            }
                            if !directed {
                                buffer[0] = f64::NAN;
                            }
                        }
                        add(sums, &buffer, 2.0 * limit) && fine
                    }
                };
                clusters.sizes[k] += 1.0;
                if !fine && refused.is_none() {
                    refused = Some(here.start + row);
                }
            }
            (clusters, refused)
        });
        let mut total = Self::new(codebook);
        for (clusters, refused) in partial {
            if let Some(row) = refused {
                check_row("z", row, &z.row(row), metric)?;
            }
            total.merge(&clusters)?;
        }
        Ok(total)
    }
}

/// sums += row; whether all of the row is finite and no larger than `limit`.
fn add<S: Sample>(sums: &mut [f64], row: &[S], limit: f64) -> bool {
    widest(
        #[inline(always)]
        || {
            // 0, or no number.
            let mut probe = [0.0; 8];
            let probed = |v: f64| if v.abs() <= limit { 0.0 } else { f64::NAN };
            let ((s8, s1), (r8, r1)) = (sums.as_chunks_mut::<8>(), row.as_chunks::<8>());
            for (sums, row) in s8.iter_mut().zip(r8) {
                for ((sum, v), probe) in sums.iter_mut().zip(row).zip(&mut probe) {
                    let v = v.compute().to_f64();
                    *sum += v;
                    *probe += probed(v);
                }
            }
            for (sum, v) in s1.iter_mut().zip(r1) {
                let v = v.compute().to_f64();
                *sum += v;
                probe[0] += probed(v);
            }
            probe.iter().sum::<f64>() == 0.0
        },
    )
}
