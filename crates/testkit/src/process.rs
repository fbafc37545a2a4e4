//! Kill a program at any moment, resume it, and compare what it made with an undisturbed run, byte for byte.

mod folders;
mod run;

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub use folders::{FolderError, compare_folders};
pub use run::{Finished, KillAt, Killed, ProcessError, run_and_kill, run_to_end};

/// What was shown by [`kill_and_resume`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumed {
    /// How many kills met a running program; the others came after its end.
    pub kills: usize,
    /// How many files were equal.
    pub files: usize,
}

/// Why [`kill_and_resume`] failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResumeError {
    /// A run could not be started, watched or ended.
    Process(ProcessError),
    /// The last run did not succeed.
    Failed(Finished),
    /// The folders differ.
    Folders(FolderError),
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(error) => error.fmt(f),
            Self::Failed(finished) => write!(f, "the resumed run failed: {finished}"),
            Self::Folders(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ResumeError {}

/// Starts `command()` and kills it at `kills[0]`, starts it again and kills it at `kills[1]`, and so on; lets the last run
/// end; then compares the folder `got` with the folder `want` of an undisturbed run, leaving out files and folders whose
/// name is in `ignored`. A kill that comes too late is not an error: it is missing from [`Resumed::kills`].
///
/// # Errors
/// [`ResumeError`]: no run may last longer than `watchdog`, the last one must succeed, and the folders must be equal.
pub fn kill_and_resume(
    mut command: impl FnMut() -> Command,
    kills: &[KillAt],
    watchdog: Duration,
    got: &Path,
    want: &Path,
    ignored: &[&str],
) -> Result<Resumed, ResumeError> {
    let mut met = 0;
    for kill in kills {
        match run_and_kill(&mut command(), kill, watchdog).map_err(ResumeError::Process)? {
            Killed::Running(_) => met += 1,
            Killed::TooLate(_) => {}
        }
    }
    let last = run_to_end(&mut command(), watchdog).map_err(ResumeError::Process)?;
    if !last.status.success() {
        return Err(ResumeError::Failed(last));
    }
    let files = compare_folders(got, want, ignored).map_err(ResumeError::Folders)?;
    Ok(Resumed { kills: met, files })
}
