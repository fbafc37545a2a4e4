//! Files that are there whole or not at all.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::Error;

/// `path` ends in a name.
pub(super) fn replace(path: &Path, write: impl FnOnce(&File) -> io::Result<()>) -> Result<(), Error> {
    variata_files::replace(path, |file| write(file)).map_err(|variata_files::Error { action, source }| {
        Error::Io { file: path.to_path_buf(), action, source }
    })
}
