//! The traps of tch 0.24, each closed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use variata_torch_bridge::tch::{Device, Kind, Tensor, nn};
use variata_torch_bridge::{
    DeviceChoice, Error, allow_tf32, check_floating, configure_threads, cuda_problem, grad_is_enabled, lend,
    no_grad, ordered_variables, tensor_into_array, with_grad,
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
    assert!(matches!(DeviceChoice::CudaDevice(999).resolve(), Err(Error::Cuda { .. })));
    for (text, choice) in [("cuda", DeviceChoice::Cuda), ("cuda:3", DeviceChoice::CudaDevice(3))] {
        assert_eq!(text.parse(), Ok(choice));
        assert_eq!(choice.to_string(), text);
    }
    for text in ["cuda:", "cuda:x", "cuda:-1", "cuda:+1", "cuda:01"] {
        assert!(text.parse::<DeviceChoice>().unwrap_err().to_string().contains(text));
    }
    assert_eq!((allow_tf32(true), allow_tf32(false)), (Ok(()), Ok(())));
    assert!("tpu".parse::<DeviceChoice>().unwrap_err().to_string().contains("tpu"));
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

/// The second derivative of |x| is a zero tensor without memory, whose data pointer is null.
#[test]
fn a_zero_tensor_of_autograd_is_not_lent_but_copied() {
    let x = Tensor::from_slice(&[1f64, -2.0]).set_requires_grad(true);
    let slope = Tensor::run_backward(&[x.abs().sum(Kind::Double)], &[&x], true, true);
    let second = Tensor::run_backward(&[slope[0].sum(Kind::Double)], &[&x], false, false);
    assert_eq!(
        tensor_into_array::<f64>("second", &second[0]).unwrap(),
        ndarray::ArrayD::<f64>::zeros(vec![2])
    );
    let lent = lend("second", &second[0], |v: ndarray::ArrayViewD<'_, f64>| v.sum());
    assert_eq!(lent, Err(Error::Layout { argument: "second" }));
}

#[test]
fn check_floating_names_what_is_wrong() {
    let x = Tensor::from_slice(&[1f32]);
    let sparse = Tensor::eye(2, (Kind::Float, Device::Cpu)).to_sparse_sparse_dim(2);
    assert_eq!(check_floating(&[("x", &x), ("half", &x.to_kind(Kind::Half))]), Ok(()));
    assert_eq!(check_floating(&[("x", &x), ("s", &sparse)]), Err(Error::Layout { argument: "s" }));
    assert_eq!(check_floating(&[("x", &Tensor::new())]), Err(Error::Undefined { argument: "x" }));
    let k = Tensor::from_slice(&[1i64]);
    assert_eq!(check_floating(&[("k", &k)]), Err(Error::Floating { argument: "k", got: Kind::Int64 }));
}
