#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[cfg(feature = "gzip")]
mod content;
mod hex;
#[cfg(feature = "gzip")]
mod input;
mod jpeg;

use std::fs::File;
use std::io;
use std::path::Path;

#[cfg(feature = "gzip")]
pub use content::{Content, Failure, replace_content};
pub use hex::hex;
#[cfg(feature = "gzip")]
pub use input::Input;
pub use jpeg::is_whole_jpeg;

/// What names of files begin with that are not whole yet.
pub const PARTIAL: &str = ".partial-";

/// What the system refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} it: {source}")]
pub struct Error {
    /// What was tried, as in "write".
    pub action: &'static str,
    /// The system's reason.
    pub source: io::Error,
}

/// Writes a file: temporary file in the same folder → `write` → sync → rename → sync of the folder. Where that fails before the
/// rename, a file of that name stays as it was, and nothing else is left; one that is replaced hands its permissions on. Of a symbolic link the
/// file that it leads to is replaced; one that leads nowhere gives way to the file.
///
/// # Errors
/// `path` has no name or is a pipe or a device, `write` fails, or the system refuses something.
pub fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), Error> {
    let refused = |action| move |source| Error { action, source };
    if path.file_name().is_none() {
        return Err(refused("name")(io::ErrorKind::InvalidInput.into()));
    }
    let before = match std::fs::metadata(path) {
        Ok(before) => Some(before),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(refused("look at")(error)),
    };
    if before.as_ref().is_some_and(|before| !before.is_file() && !before.is_dir()) {
        return Err(refused("replace")(io::Error::other("it is no regular file")));
    }
    let leads_to = match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() && before.is_some() => Some(std::fs::canonicalize(path)),
        _ => None,
    };
    let leads_to = leads_to.transpose().map_err(refused("follow"))?;
    let path = leads_to.as_deref().unwrap_or(path);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(PARTIAL);
    // Temporary files are private by default; this one becomes what any program would have made.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temporary = builder.tempfile_in(folder).map_err(refused("create"))?;
    // One that was kept from others, say, stays so.
    if let Some(before) = before {
        temporary
            .as_file()
            .set_permissions(before.permissions())
            .map_err(refused("set the permissions of"))?;
    }
    write(temporary.as_file_mut()).map_err(refused("write"))?;
    temporary.as_file().sync_all().map_err(refused("flush"))?;
    temporary.persist(path).map_err(|error| refused("rename into place")(error.error))?;
    // Folders can be opened, and synced, on Unix only, and not those that may not be read.
    #[cfg(unix)]
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
            return Err(refused("flush the folder of")(error));
        }
        _ => {}
    }
    Ok(())
}
