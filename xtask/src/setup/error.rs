//! What can go wrong in set-up, each with what to do about it.

use std::fmt;
use std::path::PathBuf;

/// A failure that the user can do something about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SetupError {
    NoPython,
    NoPip { python: String },
    NoCompiler { tried: String },
    NoNetwork { detail: String },
    NoSpace { path: PathBuf, free_mb: Option<u64>, needed_mb: u64 },
    HashMismatch { detail: String },
    NotFound { detail: String },
    Pip { detail: String },
    Version { place: String, found: Option<String>, wanted: String },
    NoLibrary { path: PathBuf },
    Relative { name: &'static str, path: PathBuf },
    Mpicc { path: PathBuf, detail: String },
    NoLibclang { path: PathBuf },
    NoTorchInPython { detail: String },
    ReadOnly { path: PathBuf },
    Platform,
    NoCuda,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPython => write!(
                f,
                "no python3 on PATH. Set-up downloads libtorch and MPI with Python's pip: install Python 3.9 or newer \
                 (Debian, Ubuntu: `apt install python3 python3-pip python3-venv`), or set LIBTORCH to a \
                 libtorch of your own, and MPICC and LIBCLANG_PATH to an MPI and a libclang"
            ),
            Self::NoPip { python } => write!(
                f,
                "{python} has no pip. Install it (Debian, Ubuntu: `apt install python3-pip`; elsewhere \
                 `{python} -m ensurepip --user`)"
            ),
            Self::NoCompiler { tried } => write!(
                f,
                "no C++ compiler: `{tried}` does not run. The binding to libtorch is built from C++17 source: \
                 install one (Debian, Ubuntu: `apt install g++`; macOS: `xcode-select --install`), or set CXX"
            ),
            Self::NoNetwork { detail } => write!(
                f,
                "no network: pip cannot reach its package index. Nothing was installed; run the same command \
                 again when there is one, or set PIP_FIND_LINKS to a folder with the wheels.\n  pip: {detail}"
            ),
            Self::NoSpace { path, free_mb, needed_mb } => {
                write!(f, "not enough disk space at {}: ", path.display())?;
                if let Some(free) = free_mb {
                    write!(f, "{free} MB are free, ")?;
                }
                write!(f, "{needed_mb} MB are needed. Free some, or set XDG_CACHE_HOME to another disk")
            }
            Self::HashMismatch { detail } => write!(
                f,
                "a downloaded file is not the pinned one: its SHA-256 differs from the one in \
                 xtask/src/pins.rs. Nothing was installed. Try again; if it stays, your package index or a \
                 proxy serves something else.\n  pip: {detail}"
            ),
            Self::NotFound { detail } => {
                write!(f, "the package index does not have a pinned wheel.\n  pip: {detail}")?;
                if detail.contains("from versions: none") {
                    write!(f, "\nIt has no version at all: is it the right index, and can it be reached?")?;
                }
                Ok(())
            }
            Self::Pip { detail } => write!(f, "pip failed; nothing was installed.\n  pip: {detail}"),
            Self::Version { place, found: Some(found), wanted } => write!(
                f,
                "{place} is version {found}, but this workspace is built against {wanted}. Unset the variable \
                 or remove the folder to let set-up fetch the right one"
            ),
            Self::Version { place, found: None, wanted } => write!(
                f,
                "{place} does not say its version (no version.py, no build-version); this workspace is built \
                 against {wanted}"
            ),
            Self::NoLibrary { path } => write!(
                f,
                "{} is no libtorch: it must contain include/ and lib/ with libtorch_cpu",
                path.display()
            ),
            Self::Relative { name, path } => write!(
                f,
                "{name} is {}, must be an absolute path: builds happen in other folders",
                path.display()
            ),
            Self::Mpicc { path, detail } => write!(
                f,
                "MPICC is {}, which is no compiler of an MPI library: {detail}. Unset it to let set-up fetch one",
                path.display()
            ),
            Self::NoLibclang { path } => write!(
                f,
                "LIBCLANG_PATH is {}, which has no libclang. Unset it to let set-up fetch one",
                path.display()
            ),
            Self::NoTorchInPython { detail } => write!(
                f,
                "LIBTORCH_USE_PYTORCH is set, but python3 cannot import torch. Unset it to let set-up fetch \
                 libtorch.\n  python3: {detail}"
            ),
            Self::ReadOnly { path } => write!(
                f,
                "cannot write to {}. Make it writable; for the cache folder, XDG_CACHE_HOME can name another",
                path.display()
            ),
            Self::Platform => write!(
                f,
                "there is no pinned libtorch or MPI for {} on {}: set LIBTORCH to a libtorch {} of your own, and for what needs \
                 MPI, MPICC and LIBCLANG_PATH to an MPI and a libclang",
                std::env::consts::OS,
                std::env::consts::ARCH,
                crate::pins::TORCH
            ),
            Self::NoCuda => write!(f, "--cuda: there is no CUDA on this platform"),
        }
    }
}

impl std::error::Error for SetupError {}
