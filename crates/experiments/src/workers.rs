//! Several processes that train each model together, over MPI.

use std::io;
use std::path::Path;

use anyhow::Result;
use tempfile::TempDir;
use variata_models::train::Workers;

/// Names the folder in which workers make their temporary ones, and which who launched them removes.
const SCRATCH: &str = "VARIATA_SCRATCH";

/// What the first worker leaves there when it has come to its end.
const DONE: &str = "done";

/// A folder for what nobody reads. That of a worker that is killed goes with the launcher's, where there is one.
pub(crate) fn scratch() -> io::Result<TempDir> {
    match std::env::var_os(SCRATCH) {
        Some(folder) if Path::new(&folder).is_dir() => tempfile::tempdir_in(folder),
        _ => tempfile::tempdir(),
    }
}

/// Tells who launched this process, where somebody did, that it has come to its end.
pub(crate) fn done() -> io::Result<()> {
    match std::env::var_os(SCRATCH) {
        Some(folder) if Path::new(&folder).is_dir() => std::fs::write(Path::new(&folder).join(DONE), ""),
        _ => Ok(()),
    }
}

/// This process among those that train together; alone by default.
#[derive(Debug, Clone, Default)]
pub struct Joined {
    pub(crate) workers: Workers,
    /// How many of them share this machine's cores; 0 or 1 without others.
    pub(crate) neighbours: usize,
    /// Which of these it is.
    pub(crate) place: usize,
}

#[cfg(feature = "mpi")]
mod with_mpi {
    use std::process::Command;
    use std::sync::Arc;

    use anyhow::{Context, bail};
    use variata_models::train::Collective;

    use super::{DONE, Joined, Result, SCRATCH, Workers};
    use crate::stopping::Hold;

    /// Whether a launcher of MPI has started this process.
    pub(crate) fn are_launched() -> bool {
        variata_mpi::is_launched()
    }

    /// Joins those that were launched with this process, who must be as many as were asked for.
    ///
    /// # Errors
    /// MPI cannot be used, or they are not so many: the launcher is not that of the library.
    pub(crate) fn join(asked: Option<u32>) -> Result<Joined> {
        if !are_launched() {
            return Ok(Joined::default());
        }
        let mpi = variata_mpi::Mpi::join()?;
        if let Some(asked) = asked.filter(|&asked| asked as usize != mpi.size()) {
            bail!(
                "--workers: {asked} were asked for, the launcher started {}; it has to be that of the MPI library, {} for one",
                mpi.size(),
                variata_mpi::launcher().display()
            );
        }
        let (neighbours, place) = (mpi.neighbours(), mpi.place());
        Ok(Joined { workers: Workers::new(Arc::new(mpi)), neighbours, place })
    }

    /// Starts this program `count` times with the arguments that it was given, and waits for the end.
    ///
    /// # Errors
    /// There is no launcher, or a worker failed.
    pub(crate) fn launch(count: u32) -> Result<()> {
        let launcher = variata_mpi::launcher();
        let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(&launcher);
        command.arg("-n").arg(count.to_string()).arg(program).args(std::env::args_os().skip(1));
        let hold = Hold::default();
        let _listener = hold.until_asked()?;
        let started = hold.start(command.env(SCRATCH, scratch.path()));
        let mut started = started.with_context(|| format!("cannot start {}", launcher.display()))?;
        let status = started.wait().with_context(|| format!("cannot wait for {}", launcher.display()))?;
        if !status.success() {
            bail!(
                "the {count} workers ended with {status}; what one of them wrote is above. Where they have left checkpoints, the same \
                 command with --resume goes on, with any number of workers"
            );
        }
        if !scratch.path().join(DONE).exists() {
            bail!(
                "{} ended without an error, and no worker came to its end: it has to be the launcher of the MPI library, which \
                 VARIATA_MPIEXEC names",
                launcher.display()
            );
        }
        Ok(())
    }
}

#[cfg(not(feature = "mpi"))]
mod without_mpi {
    use anyhow::bail;

    use super::{Joined, Result};

    /// Nobody knows.
    pub(crate) fn are_launched() -> bool {
        false
    }

    /// Alone.
    ///
    /// # Errors
    /// None.
    #[expect(clippy::unnecessary_wraps, reason = "that of the other form")]
    pub(crate) fn join(_: Option<u32>) -> Result<Joined> {
        Ok(Joined::default())
    }

    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub(crate) fn launch(_: u32) -> Result<()> {
        bail!(
            "--workers: this program was built without MPI; `cargo xtask reproduce` builds it with the feature `mpi`"
        )
    }
}

#[cfg(feature = "mpi")]
pub(crate) use with_mpi::{are_launched, join, launch};
#[cfg(not(feature = "mpi"))]
pub(crate) use without_mpi::{are_launched, join, launch};
