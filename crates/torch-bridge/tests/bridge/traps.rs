//! The traps of tch 0.24, each closed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use variata_torch_bridge::tch::{Device, Kind, Tensor, nn};
use variata_torch_bridge::{
    DeviceChoice, Error, configure_threads, cuda_problem, grad_is_enabled, no_grad, ordered_variables,
    with_grad,
};

#[test]
fn gradients_are_on_again_after_a_panic() {
    assert!(grad_is_enabled());
    let caught = catch_unwind(AssertUnwindSafe(|| no_grad(|| panic!("on purpose"))));
    assert!(caught.is_err());
    assert!(grad_is_enabled());
    no_grad(|| {
        assert!(!grad_is_enabled());
        with_grad(|| assert!(grad_is_enabled()));
        assert!(!grad_is_enabled());
    });
}

#[test]
fn variables_come_in_the_order_of_their_names() {
    let store = nn::VarStore::new(Device::Cpu);
    let root = store.root();
    for name in ["zeta", "alpha", "mid", "beta", "omega"] {
        let _ = root.zeros(name, &[1]);
    }
    let names: Vec<String> = ordered_variables(&store).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["alpha", "beta", "mid", "omega", "zeta"]);
}

#[test]
fn a_machine_without_a_gpu_says_so() {
    assert_eq!(DeviceChoice::Cpu.resolve(), Ok(Device::Cpu));
    match cuda_problem() {
        Some(_) => {
            assert_eq!(DeviceChoice::Auto.resolve(), Ok(Device::Cpu));
            assert!(matches!(DeviceChoice::Cuda.resolve(), Err(Error::Cuda { .. })));
        }
        None => assert_eq!(DeviceChoice::Auto.resolve(), Ok(Device::Cuda(0))),
    }
    assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda));
    assert!("tpu".parse::<DeviceChoice>().unwrap_err().contains("tpu"));
}

#[test]
fn libtorchs_errors_are_one_line() {
    let a = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
    let error: Error = a.f_matmul(&a).unwrap_err().into();
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("shapes"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn one_calling_thread_gets_one_team() {
    // One team of two (this thread and a worker), rayon's two, and the test harness's own threads.
    let Ok(threads) = configure_threads(2) else { return };
    assert_eq!(threads.rayon, 2);
    let count = || {
        std::fs::read_to_string("/proc/self/status")
            .ok()
            .and_then(|s| s.lines().find_map(|l| l.strip_prefix("Threads:")?.trim().parse::<usize>().ok()))
    };
    let a = Tensor::ones([512, 512], (Kind::Float, Device::Cpu));
    let _ = a.matmul(&a);
    let before = count();
    for _ in 0..50 {
        let sum = variata_torch_bridge::lend("a", &a, |v: ndarray::ArrayViewD<'_, f32>| v.sum()).unwrap();
        assert_eq!(sum, 512.0 * 512.0);
        let _ = a.matmul(&a);
    }
    // Other tests of this binary come and go on the harness's threads meanwhile: allow for those.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert!(count() <= before.map(|n| n + 2 * cores), "{:?} then {:?}", before, count());
}
