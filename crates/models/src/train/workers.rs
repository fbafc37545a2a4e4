//! Several processes that train one model, each on its share of every batch.

use std::fmt::Debug;
use std::sync::Arc;

use tch::{Device, Kind, Tensor};
use variata_torch_bridge::{attach_backward, no_grad, tensor_from_slice};

use super::checkpoint::{bytes_of, tensor_of};
use crate::Error;

/// Why processes could not speak with each other.
pub type CollectiveError = Box<dyn std::error::Error + Send + Sync>;

/// What the processes of one training do together; MPI, for one, or threads in a test.
///
/// All make the same calls in the same order, and each waits for the others.
pub trait Collective: Send + Sync + Debug {
    /// Which of them this is, from 0 on.
    fn rank(&self) -> usize;

    /// How many they are, at least 1.
    fn size(&self) -> usize;

    /// The sum over all of them of each number, in place, as many on each: the same bits everywhere.
    ///
    /// # Errors
    /// The others cannot be reached.
    fn sum_f32(&self, values: &mut [f32]) -> Result<(), CollectiveError>;

    /// [`sum_f32`](Self::sum_f32) in f64.
    ///
    /// # Errors
    /// As there.
    fn sum_f64(&self, values: &mut [f64]) -> Result<(), CollectiveError>;

    /// The bytes of each, in the order of their ranks; they may be of different numbers.
    ///
    /// # Errors
    /// The others cannot be reached.
    fn gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CollectiveError>;

    /// The first one's bytes, on every one; what the others give is dropped.
    ///
    /// # Errors
    /// The others cannot be reached.
    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<(), CollectiveError>;

    /// Ends the others, which would wait for this one in vain.
    fn abort(&self, reason: &str);

    /// Called once by every process when no further collective call will follow. The default does nothing.
    fn leave(&self) {}
}

/// The workers of a training as one of them sees them: alone, or with others that train the same model.
///
/// A training with several of them takes the steps of a training by one process with the same batches, but for round-off: the
/// batch is divided by rows, and a row's noise does not depend on the share that it is in; gradients, statistics of batch norms
/// and of codebooks are summed over all of them; what compares a whole batch with a distribution sees the whole batch.
///
/// ```
/// use variata_models::train::Workers;
/// let alone = Workers::alone();
/// assert_eq!((alone.rank(), alone.size()), (0, 1));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Workers(Option<Arc<dyn Collective>>);

impl Workers {
    /// One process that does everything.
    pub const fn alone() -> Self {
        Self(None)
    }

    /// This one of several.
    pub fn new(collective: Arc<dyn Collective>) -> Self {
        Self((collective.size() > 1).then_some(collective))
    }

    /// Which of them this is, from 0 on. The first writes checkpoints and logs.
    pub fn rank(&self) -> usize {
        self.0.as_ref().map_or(0, |c| c.rank())
    }

    /// How many they are.
    pub fn size(&self) -> usize {
        self.0.as_ref().map_or(1, |c| c.size())
    }

    /// Whether this is the one that writes.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Whether there are no others.
    pub fn is_alone(&self) -> bool {
        self.0.is_none()
    }

    /// The sum of a tensor over all workers, of the same shape on each; with its gradient, the sum of the workers' gradients.
    ///
    /// # Errors
    /// The others cannot be reached, or libtorch fails.
    pub fn sum(&self, x: &Tensor) -> Result<Tensor, Error> {
        if self.is_alone() {
            return Ok(x.shallow_clone());
        }
        let value = no_grad(|| self.summed(x))?;
        let workers = self.clone();
        let backward = move |upstream: &Tensor| {
            let summed = workers.summed(upstream);
            let failed = |error: Error| variata_torch_bridge::Error::Torch { message: error.to_string() };
            Ok(vec![Some(summed.map_err(failed)?)])
        };
        Ok(attach_backward("sum over workers", value, &[x], backward)?)
    }

    /// The rows of all workers' matrices, one below the other in the order of the ranks, with their gradient: that of a worker's rows is the
    /// sum of what all workers make of them, when all make the same, as in a term that is [`whole`](crate::Term::whole).
    ///
    /// # Errors
    /// The others cannot be reached, or libtorch fails.
    pub fn gather_rows(&self, x: &Tensor) -> Result<Tensor, Error> {
        let Some(collective) = &self.0 else { return Ok(x.shallow_clone()) };
        // The others' parts of the gradient are this one's, and need not be sent.
        let count = collective.size() as f64;
        let value = no_grad(|| x.copy());
        let shared =
            attach_backward("rows of all workers", value, &[x], move |up| Ok(vec![Some(up * count)]))?;
        let mut size = x.size();
        let row: i64 = size.iter().skip(1).product();
        let own = no_grad(|| bytes_of(x))?;
        let width = usize::try_from(row).unwrap_or(0) * x.kind().elt_size_in_bytes();
        let mut parts = Vec::with_capacity(collective.size());
        for (rank, bytes) in collective.gather(&own).map_err(Error::Workers)?.iter().enumerate() {
            if rank == collective.rank() {
                parts.push(shared.shallow_clone());
                continue;
            }
            size[0] = bytes.len().checked_div(width).unwrap_or(0) as i64;
            parts.push(received(bytes, &size, x.kind())?.to_device(x.device()));
        }
        Ok(Tensor::f_cat(&parts, 0)?)
    }

    /// Ends the others, where this one has failed at something beside the training, which ends them itself.
    pub fn abort(&self, reason: &str) {
        if let Some(collective) = &self.0 {
            collective.abort(reason);
        }
    }

    /// Parts from the others, all at the same time; nothing can be done together afterwards.
    pub fn leave(&self) {
        if let Some(collective) = &self.0 {
            collective.leave();
        }
    }

    /// Sums numbers over all workers.
    pub(crate) fn sum_numbers(&self, values: &mut [f64]) -> Result<(), Error> {
        self.0.as_ref().map_or(Ok(()), |c| c.sum_f64(values).map_err(Error::Workers))
    }

    /// Whether all workers say so; each asks at the same place.
    ///
    /// # Errors
    /// The others cannot be reached.
    pub fn all(&self, yes: bool) -> Result<bool, Error> {
        let mut no = [if yes { 0.0 } else { 1.0 }];
        self.sum_numbers(&mut no)?;
        Ok(no[0] == 0.0)
    }

    /// Which of several things is so on one of them at least; each asks at the same place, of as many things.
    pub(crate) fn any(&self, own: Vec<bool>) -> Result<Vec<bool>, Error> {
        if self.is_alone() {
            return Ok(own);
        }
        let mut counts: Vec<f64> = own.into_iter().map(|yes| f64::from(u8::from(yes))).collect();
        self.sum_numbers(&mut counts)?;
        Ok(counts.into_iter().map(|count| count > 0.0).collect())
    }

    /// Refuses workers that have not all what the first has; each asks at the same place. Values travel as JSON, which has no NaN.
    ///
    /// # Errors
    /// [`Error::WorkersDiffer`], on all of them; the others cannot be reached.
    pub fn same<T>(&self, own: &T) -> Result<(), Error>
    where
        T: serde::Serialize + serde::de::DeserializeOwned + Clone + PartialEq,
    {
        let first = self.tell(|| Ok(own.clone()))?;
        let differing = self.collect(*own != first)?;
        match differing.iter().position(|differs| *differs) {
            Some(rank) => Err(Error::WorkersDiffer { rank }),
            None => Ok(()),
        }
    }

    /// What the first one knows, as every one then does.
    pub(crate) fn tell<T: serde::Serialize + serde::de::DeserializeOwned>(
        &self,
        what: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Some(collective) = &self.0 else { return what() };
        let unfit = |error: serde_json::Error| Error::Workers(error.into());
        if collective.rank() == 0 {
            let known = what()?;
            let mut bytes = serde_json::to_vec(&known).map_err(unfit)?;
            collective.broadcast(&mut bytes).map_err(Error::Workers)?;
            return Ok(known);
        }
        let mut bytes = Vec::new();
        collective.broadcast(&mut bytes).map_err(Error::Workers)?;
        serde_json::from_slice(&bytes).map_err(unfit)
    }

    /// What each one knows, in the order of ranks.
    pub(crate) fn collect<T: serde::Serialize + serde::de::DeserializeOwned>(
        &self,
        own: T,
    ) -> Result<Vec<T>, Error> {
        let Some(collective) = &self.0 else { return Ok(vec![own]) };
        let unfit = |error: serde_json::Error| Error::Workers(error.into());
        let bytes = serde_json::to_vec(&own).map_err(unfit)?;
        let all = collective.gather(&bytes).map_err(Error::Workers)?;
        all.iter().map(|bytes| serde_json::from_slice(bytes).map_err(unfit)).collect()
    }

    /// Copies the first one's tensors into those of the others, which have the same shapes and kinds.
    pub(crate) fn align<'t>(&self, tensors: impl Iterator<Item = &'t Tensor> + Clone) -> Result<(), Error> {
        let Some(collective) = &self.0 else { return Ok(()) };
        let mut all = Vec::new();
        no_grad(|| {
            if collective.rank() == 0 {
                for t in tensors.clone() {
                    all.extend(bytes_of(t)?);
                }
            }
            collective.broadcast(&mut all).map_err(Error::Workers)?;
            if collective.rank() == 0 {
                return Ok(());
            }
            let mut rest = &all[..];
            for t in tensors {
                let Some((bytes, more)) = rest.split_at_checked(t.numel() * t.kind().elt_size_in_bytes())
                else {
                    return Err(Error::Workers("the workers' models differ".into()));
                };
                let from = received(bytes, &t.size(), t.kind())?;
                t.shallow_clone().f_copy_(&from)?;
                rest = more;
            }
            Ok(())
        })
    }

    /// Sums gradients over all workers, in place, in one piece for each kind of number.
    pub(crate) fn sum_gradients(&self, gradients: &[Tensor]) -> Result<(), Error> {
        if self.is_alone() {
            return Ok(());
        }
        if let Some(other) = gradients.iter().find(|g| !matches!(g.kind(), Kind::Float | Kind::Double)) {
            return Err(Error::Workers(
                format!("a gradient of kind {:?} cannot be summed", other.kind()).into(),
            ));
        }
        for kind in [Kind::Float, Kind::Double] {
            let of_kind: Vec<&Tensor> = gradients.iter().filter(|g| g.kind() == kind).collect();
            let flat: Vec<Tensor> = of_kind.iter().map(|g| g.reshape([-1])).collect();
            if flat.is_empty() {
                continue;
            }
            let summed = self.summed(&Tensor::cat(&flat, 0))?;
            let mut start = 0;
            for g in of_kind {
                let n = g.numel() as i64;
                let part = summed.narrow(0, start, n).view(&g.size()[..]);
                g.shallow_clone().f_copy_(&part)?;
                start += n;
            }
        }
        Ok(())
    }

    /// Ends the others when this one has failed or panics. All find a term that is not finite, or that they differ, at the same time:
    /// that is nobody's alone.
    pub(crate) fn hear<T>(&self, result: &std::thread::Result<Result<T, Error>>) {
        let Some(collective) = &self.0 else { return };
        match result {
            Ok(Ok(_) | Err(Error::NonFinite { .. } | Error::WorkersDiffer { .. })) => {}
            Ok(Err(error)) => collective.abort(&error.to_string()),
            Err(_) => collective.abort("it panicked"),
        }
    }

    /// The sum in memory of its own, without a place in the graph: in f64 for f64, else in f32.
    fn summed(&self, x: &Tensor) -> Result<Tensor, Error> {
        let Some(collective) = &self.0 else { return Ok(x.shallow_clone()) };
        let summed = match x.kind() {
            Kind::Double => summed_by(x, |values: &mut [f64]| collective.sum_f64(values)),
            _ => summed_by(x, |values: &mut [f32]| collective.sum_f32(values)),
        };
        Ok(summed?.to_device(x.device()).to_kind(x.kind()))
    }
}

/// The numbers of a tensor through `sum`, on the CPU.
fn summed_by<F: variata_torch_bridge::Element + Default>(
    x: &Tensor,
    sum: impl FnOnce(&mut [F]) -> Result<(), CollectiveError>,
) -> Result<Tensor, Error> {
    let host = x.detach().to_device(Device::Cpu).to_kind(F::KIND).contiguous();
    let mut values = vec![F::default(); host.numel()];
    host.f_copy_data(&mut values, host.numel())?;
    sum(&mut values).map_err(Error::Workers)?;
    let size: Vec<usize> = host.size().iter().map(|&n| n as usize).collect();
    Ok(tensor_from_slice(&values, &size)?)
}

/// What another worker sent, which must fill the tensor exactly.
fn received(bytes: &[u8], size: &[i64], kind: Kind) -> Result<Tensor, Error> {
    if bytes.len() != size.iter().product::<i64>() as usize * kind.elt_size_in_bytes() {
        return Err(Error::Workers(format!("{} bytes for {size:?} {kind:?}", bytes.len()).into()));
    }
    tensor_of(bytes, size, kind)
}
