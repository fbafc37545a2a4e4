//! Set-up against a folder of small wheels made here, with pins made from them: complete, repeated, killed,
//! raced, and each failure by its name. Needs python3 with pip; says so and passes where there is none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{Setup, SetupError, host, is_complete};
use crate::pins::{Kit, Pins, Wheel};

const VERSION: &str = "9.9.9";
/// Names the folder in which the test `child` does a set-up; unset, it does nothing.
const CHILD: &str = "VARIATA_TEST_SETUP_CHILD";

/// Writes two wheels and prints name, version and SHA-256 of each.
const MAKE_WHEELS: &str = r##"
import hashlib, os, sys, zipfile
folder, declared = sys.argv[1], sys.argv[2]
def wheel(name, version, tag, files):
    info = f"{name}-{version}.dist-info"
    files = dict(files)
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    files[f"{info}/RECORD"] = b""
    path = os.path.join(folder, f"{name}-{version}-{tag}.whl")
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in files.items():
            archive.writestr(member, content)
    print(name, version, hashlib.sha256(open(path, "rb").read()).hexdigest())
wheel("torch", "9.9.9", "cp311-cp311-manylinux_2_28_x86_64", {
    "torch/version.py": f"__version__ = '{declared}'\n".encode(),
    "torch/lib/libtorch_cpu.so": bytes(2_000_000),
    "torch/nn.py": b"not needed",
    **{f"torch/include/h{i}.h": b"#pragma once\n" for i in range(200)},
})
wheel("mpich", "9.9.9", "py3-none-manylinux_2_28_x86_64", {
    "mpich-9.9.9.data/data/bin/mpicc": b"#!/bin/sh\necho -lmpi\n",
    "mpich-9.9.9.data/data/bin/mpiexec": b"#!/bin/sh\n",
    "mpich-9.9.9.data/data/lib/libmpi.so.12": bytes(1000),
    "mpich-9.9.9.data/data/include/mpi.h": b"#pragma once\n",
    "mpich-9.9.9.data/scripts/other": b"not needed",
})
wheel("libclang", "9.9.9", "py2.py3-none-any", {
    "libclang-9.9.9.data/platlib/clang/native/libclang.so": bytes(1000),
    "libclang-9.9.9.data/platlib/clang/cindex.py": b"not needed",
})
wheel("fake_runtime", "1.0", "py3-none-any", {"nvidia/cu13/lib/libfake.so": bytes(1000)})
"##;

/// A folder with `wheels`, `cache` and `root`, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("variata-setup-test-{}-{number}", std::process::id()));
        for part in ["wheels", "cache", "root"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        Self(folder)
    }

    /// The set-up of this place, with wheels whose `version.py` says `declared`.
    fn setup(&self, declared: &str) -> Setup {
        let python = host::python().unwrap();
        let output = Command::new(python)
            .args(["-c", MAKE_WHEELS])
            .arg(self.0.join("wheels"))
            .arg(declared)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::write(self.0.join("pins"), &output.stdout).unwrap();
        read_setup(&self.0)
    }

    fn folder(&self) -> PathBuf {
        self.0.join("cache").join(format!("libtorch-{VERSION}-test-cpu"))
    }

    /// Names in the cache other than the finished folder and the lock.
    fn leftovers(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.join("cache")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("partial")).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // a pip whose parent was killed may still be writing
    }
}

fn read_setup(folder: &Path) -> Setup {
    read_kit(folder, Kit::Libtorch)
}

fn read_kit(folder: &Path, kit: Kit) -> Setup {
    let text = fs::read_to_string(folder.join("pins")).unwrap();
    let names = match kit {
        Kit::Libtorch => ["torch", "fake_runtime"],
        Kit::Mpi => ["mpich", "libclang"],
    };
    let wheels = text.lines().map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        Wheel { name: words[0].to_owned(), version: words[1].to_owned(), sha256: words[2].to_owned() }
    });
    let wheels = wheels.filter(|wheel| names.contains(&wheel.name.as_str()));
    let pins = Pins {
        kit,
        version: VERSION.to_owned(),
        platform: "test",
        flavour: "cpu",
        tags: vec!["manylinux_2_28_x86_64".to_owned()],
        wheels: wheels.collect(),
        download_mb: 2,
        needed_mb: 10,
    };
    let pip_env = vec![
        ("PIP_NO_INDEX", "1".to_owned()),
        ("PIP_FIND_LINKS", folder.join("wheels").to_string_lossy().into_owned()),
        ("PIP_CONFIG_FILE", "/dev/null".to_owned()),
    ];
    Setup { root: folder.join("root"), cache: folder.join("cache"), pins, richer: None, pip_env }
}

/// A place, or `None` with the reason printed where Python or pip is missing.
fn place() -> Option<Place> {
    let ready = host::python().and_then(|python| host::pip(&python));
    match ready {
        Ok(()) => Some(Place::new()),
        Err(reason) => {
            println!("skipped: {reason}");
            None
        }
    }
}

#[track_caller]
fn refused(setup: &Setup) -> SetupError {
    setup.run().unwrap_err().downcast::<SetupError>().expect("a failure that set-up names")
}

#[test]
fn a_complete_run_links_and_a_second_does_nothing() {
    let Some(place) = place() else { return };
    let setup = place.setup("9.9.9+cu1");
    assert!(setup.run().unwrap().starts_with("libtorch 9.9.9 (test, cpu) is ready"));
    let link = place.0.join("root/.libtorch");
    assert_eq!(fs::read_link(&link).unwrap(), place.folder());
    assert!(link.join("torch/lib/libtorch_cpu.so").is_file());
    assert!(link.join("nvidia/cu13/lib/libfake.so").is_file());
    assert!(!link.join("torch/nn.py").exists(), "Python code is left out");
    assert_eq!(place.leftovers(), Vec::<String>::new());

    // Without wheels it could not do anything.
    fs::remove_dir_all(place.0.join("wheels")).unwrap();
    assert_eq!(setup.run().unwrap(), "libtorch 9.9.9 (test, cpu) is set up");
    // A second clone, or a link that points elsewhere, is only linked.
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    assert_eq!(setup.run().unwrap(), "libtorch 9.9.9 (test, cpu) was in the cache; linked it");
    assert_eq!(fs::read_link(&link).unwrap(), place.folder());
}

#[test]
fn a_gpu_that_stays_idle_is_noticed() {
    let Some(place) = place() else { return };
    let mut setup = place.setup(VERSION);
    setup.run().unwrap();
    let driver = place.0.join("driver");
    assert!(!setup.leaves_idle(&driver), "no half for GPUs was left out");
    setup.richer = Some(Pins { flavour: "cuda", ..read_setup(&place.0).pins });
    assert!(!setup.leaves_idle(&driver), "no GPU");
    fs::write(&driver, "").unwrap();
    assert!(setup.leaves_idle(&driver));
    setup.link(&setup.cache.join(setup.richer.as_ref().unwrap().folder())).unwrap();
    assert!(!setup.leaves_idle(&driver), "the richer kit is linked");
}

#[test]
fn an_mpi_lies_as_it_would_be_installed_beside_libtorch() {
    use std::os::unix::fs::PermissionsExt;

    let Some(place) = place() else { return };
    place.setup(VERSION).run().unwrap();
    let setup = read_kit(&place.0, Kit::Mpi);
    assert!(setup.run().unwrap().starts_with("mpi 9.9.9 (test, cpu) is ready"));
    let link = place.0.join("root/.mpi");
    assert_eq!(fs::metadata(link.join("bin/mpicc")).unwrap().permissions().mode() & 0o111, 0o111);
    for file in ["include/mpi.h", "lib/libmpi.so.12", "clang/libclang.so"] {
        assert!(link.join(file).is_file(), "{file}");
    }
    assert!(!link.join("clang/cindex.py").exists() && !link.join("scripts").exists(), "not needed");
    assert!(place.0.join("root/.libtorch/torch/version.py").is_file());
    for file in ["bin/mpicc", "bin/mpiexec", "lib/libmpi.so.12", "clang/libclang.so"] {
        fs::write(link.join(file), "").unwrap();
        assert!(!is_complete(&place.0.join("cache/mpi-9.9.9-test-cpu"), &setup.pins), "{file} is empty");
        setup.run().unwrap();
        assert!(fs::metadata(link.join(file)).unwrap().len() > 0, "{file}");
    }
}

#[test]
fn what_has_no_marker_of_these_pins_is_not_complete() {
    let Some(place) = place() else { return };
    let setup = place.setup(VERSION);
    let torch = place.folder().join("torch");
    fs::create_dir_all(torch.join("lib")).unwrap();
    fs::write(torch.join("lib/libtorch_cpu.so"), "half of it").unwrap();
    fs::create_dir_all(place.0.join(format!("cache/libtorch-{VERSION}-test-cpu.partial-1-1/site"))).unwrap();
    assert!(!is_complete(&place.folder(), &setup.pins));
    fs::write(place.folder().join(super::MARKER), "torch==1.0 --hash=sha256:0\n").unwrap();
    assert!(!is_complete(&place.folder(), &setup.pins), "made from other pins");
    setup.run().unwrap();
    assert_eq!(fs::metadata(torch.join("lib/libtorch_cpu.so")).unwrap().len(), 2_000_000);
    assert_eq!(place.leftovers(), Vec::<String>::new());
    // A cache cleaner took the library and left the marker.
    fs::remove_file(torch.join("lib/libtorch_cpu.so")).unwrap();
    assert!(!is_complete(&place.folder(), &setup.pins));
    setup.run().unwrap();
    assert!(is_complete(&place.folder(), &setup.pins));
}

/// Not a test by itself: the process that the next test kills.
#[test]
fn child() {
    if let Some(folder) = std::env::var_os(CHILD) {
        read_setup(Path::new(&folder)).run().unwrap();
    }
}

fn start_child(place: &Place) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "setup::tests::child", "--test-threads=1"])
        .env(CHILD, &place.0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn killed_at_twenty_moments_it_leaves_nothing_that_looks_complete() {
    const MOMENTS: u32 = 20;
    let Some(place) = place() else { return };
    let setup = place.setup(VERSION);
    let start = Instant::now();
    assert!(start_child(&place).wait().unwrap().success());
    let whole = start.elapsed();
    fs::remove_dir_all(place.folder()).unwrap();

    let link = place.0.join("root/.libtorch");
    for moment in 0..MOMENTS {
        let _ = fs::remove_file(&link);
        let mut child = start_child(&place);
        std::thread::sleep(Duration::mul_f64(whole, f64::from(moment) / f64::from(MOMENTS)));
        child.kill().unwrap();
        child.wait().unwrap();
        let complete = is_complete(&place.folder(), &setup.pins);
        assert!(complete || !place.folder().exists(), "moment {moment}: half a library under its real name");
        assert!(complete || !link.exists(), "moment {moment}: linked before it was complete");
        if complete {
            fs::remove_dir_all(place.folder()).unwrap();
        }
    }
    setup.run().unwrap();
    assert!(is_complete(&place.folder(), &setup.pins));
    assert!(link.join("torch/version.py").is_file());
    assert_eq!(place.leftovers(), Vec::<String>::new());
}

#[test]
fn two_at_once_fetch_once() {
    let Some(place) = place() else { return };
    let setup = place.setup(VERSION);
    let lines = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| setup.run().unwrap()));
        both.map(|thread| thread.join().unwrap())
    });
    let ready = lines.iter().filter(|line| line.contains("is ready")).count();
    assert_eq!(ready, 1, "{lines:?}");
    assert!(is_complete(&place.folder(), &setup.pins));
    assert_eq!(place.leftovers(), Vec::<String>::new());
}

#[test]
fn each_failure_has_its_name_and_leaves_nothing() {
    let Some(place) = place() else { return };
    let good = place.setup(VERSION);

    let mut setup = read_setup(&place.0);
    setup.pins.wheels[1].sha256 = "0".repeat(64);
    let error = refused(&setup);
    assert!(matches!(&error, SetupError::HashMismatch { detail } if detail.contains("fake")), "{error:?}");

    let mut setup = read_setup(&place.0);
    setup.pins.wheels[0].version = "9.9.10".to_owned();
    let error = refused(&setup);
    assert!(matches!(&error, SetupError::NotFound { detail } if detail.contains("9.9.10")), "{error:?}");

    let mut setup = read_setup(&place.0);
    setup.pins.needed_mb = 1 << 40;
    let error = refused(&setup);
    assert!(matches!(error, SetupError::NoSpace { free_mb: Some(_), needed_mb, .. } if needed_mb == 1 << 40));

    // A port that nobody listens on stands for an index that cannot be reached.
    let mut setup = read_setup(&place.0);
    setup.pip_env = vec![
        ("PIP_INDEX_URL", "http://127.0.0.1:9/simple".to_owned()),
        ("PIP_FIND_LINKS", String::new()),
        ("PIP_CONFIG_FILE", "/dev/null".to_owned()),
        ("PIP_RETRIES", "1".to_owned()),
    ];
    let error = refused(&setup);
    assert!(matches!(&error, SetupError::NoNetwork { detail } if detail.contains("Retrying")), "{error:?}");

    // A file where the folder should be: no permission tricks, which root would not notice.
    let mut setup = read_setup(&place.0);
    setup.cache = place.0.join("pins");
    assert_eq!(refused(&setup), SetupError::ReadOnly { path: place.0.join("pins") });

    assert!(!place.folder().exists());
    assert!(!place.0.join("root/.libtorch").exists());
    assert_eq!(place.leftovers(), Vec::<String>::new());
    good.run().unwrap();
}

#[test]
fn a_wheel_of_another_version_inside_is_refused() {
    let Some(place) = place() else { return };
    let error = refused(&place.setup("9.9.8"));
    let found = Some("9.9.8".to_owned());
    assert!(matches!(&error, SetupError::Version { found: f, .. } if *f == found), "{error:?}");
    assert!(!place.folder().exists());
}
