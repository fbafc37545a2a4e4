//! A lock between processes, so that two set-ups at once do not fetch twice or trip over each other.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result};

/// Held until dropped; the kernel lets go of it however the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits until no other process holds `path`, saying so once.
    pub(crate) fn take(path: &Path) -> Result<Self> {
        let context = || format!("cannot lock {}", path.display());
        let file =
            File::options().create(true).truncate(false).write(true).open(path).with_context(context)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                eprintln!("   another `cargo xtask` is busy with the same folder; waiting for it");
                file.lock().with_context(context)?;
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
        }
        Ok(Self { _file: file })
    }
}
