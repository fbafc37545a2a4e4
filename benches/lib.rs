//! Shared inputs of the benches.

#[cfg(feature = "torch")]
pub mod training;

use ndarray::Array2;

/// Gives each thread of rayon's pool a core of its own, where there are as many. Some virtual machines keep threads that sleep now and then
/// together on one processor, for milliseconds, in some processes and not in others.
///
/// The cores are those that the variable `VARIATA_BENCH_CORES` names (`0,1`), or else those of this thread: where libtorch is linked and
/// `OMP_PROC_BIND` is set, OpenMP has bound it to one before `main`.
///
/// # Panics
/// The variable is no list of numbers.
pub fn bind() {
    let cores = match std::env::var("VARIATA_BENCH_CORES") {
        Ok(list) => {
            let core = |id: &str| given(id.parse().map(|id| core_affinity::CoreId { id }));
            list.split(',').map(core).collect()
        }
        Err(_) => core_affinity::get_core_ids().unwrap_or_default(),
    };
    let start = move |thread: usize| {
        if let Some(core) = cores.get(thread) {
            core_affinity::set_for_current(*core);
        }
    };
    // Nothing has started the pool before; what starts threads later, such as OpenMP, may itself be bound.
    let _ = rayon::ThreadPoolBuilder::new().start_handler(start).build_global();
}

/// `main` of a bench from its groups: as criterion's, on threads that are bound.
#[macro_export]
macro_rules! bound_main {
    ($($group:path),+) => {
        fn main() {
            $crate::bind();
            $($group();)+
            criterion::Criterion::default().configure_from_args().final_summary();
        }
    };
}

/// Reproducible numbers spread evenly over [low, high), the same for every run.
pub fn spread(rows: usize, columns: usize, low: f32, high: f32, seed: u64) -> Array2<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    Array2::from_shape_simple_fn((rows, columns), || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        low + (high - low) * ((state >> 40) as f32 / (1u64 << 24) as f32)
    })
}

/// Reproducible draws from N(0, 1), by the twelve uniform numbers' sum: no tails beyond 6, and the same for every run.
pub fn normal(rows: usize, columns: usize, seed: u64) -> Array2<f32> {
    let mut sum = Array2::from_elem((rows, columns), -6.0);
    for k in 0..12 {
        sum += &spread(rows, columns, 0.0, 1.0, seed * 100 + k);
    }
    sum
}

/// What stops a bench: there is nobody to hand an error to.
///
/// # Panics
/// At an error, with its message.
pub fn given<T>(result: Result<T, impl std::fmt::Display>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
