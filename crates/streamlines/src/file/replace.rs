//! Files that are there whole or not at all.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::Error;

/// `path` ends in a name. Temporary file in the same folder → write → sync → rename → sync the folder.
pub(super) fn replace(path: &Path, write: impl FnOnce(&File) -> io::Result<()>) -> Result<(), Error> {
    let io = |action| move |source| Error::Io { file: path.to_path_buf(), action, source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".tmp");
    // Temporary files are private by default; this one becomes what any program would have made.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder.tempfile_in(folder).map_err(io("create"))?;
    write(temporary.as_file()).and_then(|()| temporary.as_file().sync_all()).map_err(io("write"))?;
    temporary.persist(path).map_err(|error| io("rename to")(error.error))?;
    // Folders can be opened, and synced, on Unix only.
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io("sync the folder of"))?;
    Ok(())
}
