#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::request::{self, Request, Scope};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives, Equivalence, Root};
use variata_models::train::{Collective, CollectiveError};

/// Numbers in one message: counts of MPI have 31 bits.
const PIECE: usize = 1 << 24;

/// How long a process that ends the others stays alive, so that its launcher can forward what it wrote: without the wait about one run in
/// forty on a busy machine lost the reason.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Variables by which launchers tell a process its number.
const LAUNCHED: [&str; 4] = ["PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK"];

/// Errors of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This process has left the others.
    #[error("this process has left the others")]
    Left,
    /// MPI can be begun once in a process.
    #[error("this process has begun MPI before")]
    BegunBefore,
    /// The library cannot be called from more than one thread.
    #[error("this MPI library allows {found:?} threads, must be Serialized or Multiple")]
    Threads {
        /// What it allows.
        found: Threading,
    },
    /// Workers have called for different sums, which a library would add all the same.
    #[error(
        "sums of {least} to {most} numbers, of which this worker has {own}: all must give as many, all f32 or all f64"
    )]
    Unequal {
        /// Numbers of this worker.
        own: usize,
        /// Numbers of the worker with the fewest.
        least: usize,
        /// Numbers of the worker with the most.
        most: usize,
    },
    /// What all workers give together is too much for one message.
    #[error("{bytes} bytes of all workers together, must be below 2^31")]
    Size {
        /// How much it is.
        bytes: usize,
    },
}

/// This process among those that were launched together. MPI ends when it [leaves](Collective::leave), which waits for the others; one that
/// is dropped without it, by an error on its way for one, ends them: they would wait for it.
pub struct Mpi {
    /// One call at a time, whichever thread it comes from.
    universe: Mutex<Option<Universe>>,
    rank: usize,
    size: usize,
    place: usize,
    neighbours: usize,
}

impl std::fmt::Debug for Mpi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mpi({} of {})", self.rank, self.size)
    }
}

/// Whether a launcher of MPI has started this process.
pub fn is_launched() -> bool {
    LAUNCHED.iter().any(|name| std::env::var_os(name).is_some())
}

/// The launcher: `VARIATA_MPIEXEC`, or the one beside the library that this crate was built with.
pub fn launcher() -> PathBuf {
    std::env::var_os("VARIATA_MPIEXEC").map_or_else(|| env!("VARIATA_MPIEXEC").into(), PathBuf::from)
}

impl Mpi {
    /// Begins MPI. A process that no launcher has started is alone.
    ///
    /// # Errors
    /// MPI was begun before, or cannot be called from more than one thread.
    pub fn join() -> Result<Self, Error> {
        let (universe, found) =
            mpi::initialize_with_threading(Threading::Serialized).ok_or(Error::BegunBefore)?;
        if !matches!(found, Threading::Serialized | Threading::Multiple) {
            return Err(Error::Threads { found });
        }
        let world = universe.world();
        let (rank, size) = (world.rank() as usize, world.size() as usize);
        let here = world.split_shared(world.rank());
        let (place, neighbours) = (here.rank() as usize, here.size() as usize);
        Ok(Self { universe: Mutex::new(Some(universe)), rank, size, place, neighbours })
    }

    /// Which of those on this machine it is, from 0 on: the number of its GPU.
    pub fn place(&self) -> usize {
        self.place
    }

    /// How many of them run on this machine.
    pub fn neighbours(&self) -> usize {
        self.neighbours
    }

    fn lock(&self) -> MutexGuard<'_, Option<Universe>> {
        // Nothing in the lock can be left half done.
        self.universe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn world(&self) -> Result<(MutexGuard<'_, Option<Universe>>, SimpleCommunicator), Error> {
        let universe = self.lock();
        let world = universe.as_ref().ok_or(Error::Left)?.world();
        Ok((universe, world))
    }

    /// Libraries add in an order that each process has the same, so that all have the same bits.
    fn sum<T: Equivalence + Copy + Default>(&self, values: &mut [T]) -> Result<(), CollectiveError> {
        let (_guard, world) = self.world()?;
        // One number that is the same for the same call, and its complement: the largest of each are equal on all workers.
        let call = (values.len() as u64) << 1 | u64::from(size_of::<T>() == size_of::<f64>());
        let (both, mut largest) = ([call, !call], [0; 2]);
        let of_all = SystemOperation::max();
        request::scope(|scope| {
            wait(world.immediate_all_reduce_into(scope, &both[..], &mut largest[..], of_all));
        });
        let (most, least) = (largest[0], !largest[1]);
        if most != least {
            let numbers = |call: u64| (call >> 1) as usize;
            let (least, most) = (numbers(least), numbers(most));
            return Err(Error::Unequal { own: values.len(), least, most }.into());
        }
        let mut own = Vec::new();
        for piece in values.chunks_mut(PIECE) {
            own.clear();
            own.extend_from_slice(piece);
            let all = SystemOperation::sum();
            request::scope(|scope| wait(world.immediate_all_reduce_into(scope, &own[..], piece, all)));
        }
        Ok(())
    }
}

/// Waits as the libraries do, without a pause, but not for long: where processes share a core, the one that is waited for needs it.
fn wait<'a, D: ?Sized, S: Scope<'a>>(mut request: Request<'a, D, S>) {
    const SPINS: u32 = 2000;
    const YIELDS: u32 = 3000;
    let mut tries = 0u32;
    while let Err(unfinished) = request.test() {
        request = unfinished;
        tries = tries.saturating_add(1);
        match tries {
            0..SPINS => std::hint::spin_loop(),
            SPINS..YIELDS => std::thread::yield_now(),
            _ => std::thread::sleep(Duration::from_micros(50)),
        }
    }
}

impl Drop for Mpi {
    /// It would wait in MPI's end for others that wait for this one.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.abort("it panicked");
        } else if self.size > 1 {
            self.abort("it ended without leaving the others");
        }
    }
}

impl Collective for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn sum_f32(&self, values: &mut [f32]) -> Result<(), CollectiveError> {
        self.sum(values)
    }

    fn sum_f64(&self, values: &mut [f64]) -> Result<(), CollectiveError> {
        self.sum(values)
    }

    fn gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CollectiveError> {
        let (_guard, world) = self.world()?;
        let mut lengths = vec![0u64; self.size];
        let length = bytes.len() as u64;
        request::scope(|scope| wait(world.immediate_all_gather_into(scope, &length, &mut lengths[..])));
        let total: usize = lengths.iter().map(|&n| n as usize).sum();
        if i32::try_from(total).is_err() {
            return Err(Error::Size { bytes: total }.into());
        }
        let counts: Vec<i32> = lengths.iter().map(|&n| n as i32).collect();
        let starts: Vec<i32> = counts
            .iter()
            .scan(0, |next, count| {
                let start = *next;
                *next += count;
                Some(start)
            })
            .collect();
        let mut all = vec![0u8; total];
        let mut parts = PartitionMut::new(&mut all[..], &counts[..], &starts[..]);
        request::scope(|scope| wait(world.immediate_all_gather_varcount_into(scope, bytes, &mut parts)));
        let parts = starts.iter().zip(&counts);
        Ok(parts.map(|(&start, &n)| all[start as usize..(start + n) as usize].to_vec()).collect())
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<(), CollectiveError> {
        let (_guard, world) = self.world()?;
        let root = world.process_at_rank(0);
        let mut length = bytes.len() as u64;
        request::scope(|scope| wait(root.immediate_broadcast_into(scope, &mut length)));
        bytes.resize(length as usize, 0);
        for piece in bytes.chunks_mut(PIECE) {
            request::scope(|scope| wait(root.immediate_broadcast_into(scope, piece)));
        }
        Ok(())
    }

    fn abort(&self, reason: &str) {
        // Another thread may hold the lock while it waits for the others, which is a reason to end them as well.
        if self.universe.try_lock().is_ok_and(|universe| universe.is_none()) {
            return;
        }
        // In one piece: the workers' lines go through one pipe.
        let line = format!("worker {}: {reason}\n", self.rank);
        let _ = io::stderr().lock().write_all(line.as_bytes());
        std::thread::sleep(LAST_WORDS);
        SimpleCommunicator::world().abort(1)
    }

    fn leave(&self) {
        *self.lock() = None;
    }
}
