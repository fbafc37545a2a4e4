//! Memory that is freed serves the next tensor. A program of its own: the heaps of a test harness's threads are others.

/// Pages that this thread had to be given.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn faults() -> i64 {
    // SAFETY: zeros are a valid value of a struct of numbers, which the call fills.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage), 0);
        usage.ru_minflt
    }
}

/// Pages for twenty tensors of 48 MiB, which glibc maps anew each time unless it is told otherwise, one after the other and after ten others.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn pages() -> i64 {
    use variata_torch_bridge::tch::{Device, Kind, Tensor, set_num_threads};
    set_num_threads(1);
    let fill = || drop(Tensor::ones([12 << 20], (Kind::Float, Device::Cpu)));
    // The first ones look for their place.
    (0..10).for_each(|_| fill());
    let before = faults();
    (0..20).for_each(|_| fill());
    faults() - before
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn main() {
    let without = pages();
    if !variata_torch_bridge::keep_freed_memory() {
        println!("an older glibc, which keeps its own way");
        return;
    }
    eprintln!(
        "main {} {} thread {:?} {:?}",
        pages(),
        pages(),
        std::thread::spawn(pages).join(),
        std::thread::spawn(pages).join()
    );
    let with = pages();
    assert!(without > 20 * 12_000 && with < 1024, "{without} pages without, {with} with");
    println!("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn main() {}
