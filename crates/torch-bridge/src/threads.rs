//! One size for both thread pools.

use crate::Error;

/// How many threads each pool runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threads {
    /// libtorch's intra-operation threads.
    pub torch: usize,
    /// rayon's.
    pub rayon: usize,
}

/// Most threads that anybody can mean.
const LARGEST: usize = 1 << 16;

/// Sets libtorch's intra-operation threads and rayon's global pool to `n` (0: one per core).
///
/// Call it once, early, from the thread that will call libtorch, and call libtorch from that thread only: every
/// thread that does gets an OpenMP team of its own. The two pools take turns: a native kernel runs on rayon while
/// libtorch waits for it.
///
/// # Errors
/// [`Error::Threads`] when rayon's pool was already started with another size, where libtorch's is set all the same;
/// [`Error::TooManyThreads`] for more than 65,536.
pub fn configure_threads(n: usize) -> Result<Threads, Error> {
    let n = if n == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { n };
    let count = i32::try_from(n).ok().filter(|_| n <= LARGEST).ok_or(Error::TooManyThreads { asked: n })?;
    tch::set_num_threads(count);
    // Fails when the pool already runs, which is fine if it has the size; where the system refuses so many threads, the message below
    // tells how many there are.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(n).build_global();
    let rayon = rayon::current_num_threads();
    if rayon == n {
        Ok(Threads { torch: tch::get_num_threads() as usize, rayon })
    } else {
        Err(Error::Threads { pool: "rayon", got: rayon, want: n })
    }
}
