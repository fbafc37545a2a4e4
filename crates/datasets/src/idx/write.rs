//! Writing.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder};
use ndarray::{ArrayRef, Dimension};

use super::element::IdxElement;
use crate::Error;

/// How the file is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum IdxEncoding {
    /// As it is.
    #[default]
    Plain,
    /// Compressed with gzip; no time stamp, so that equal arrays give equal files.
    Gzip,
}

/// Writes an array of any memory layout as an IDX file.
///
/// The file is written beside `path`, made durable, and renamed: whoever looks at `path` sees the old file or the
/// whole new one, whatever happens on the way.
///
/// # Errors
/// [`Error::Argument`] for more than 255 axes or an axis longer than 2³² − 1, [`Error::Io`]. The temporary file is
/// removed in either case.
pub fn write_idx<T: IdxElement, D: Dimension>(
    path: impl AsRef<Path>,
    array: &ArrayRef<T, D>,
    encoding: IdxEncoding,
) -> Result<(), Error> {
    let path = path.as_ref();
    let rank = u8::try_from(array.ndim())
        .map_err(|_| Error::argument("array.ndim()", array.ndim(), "at most 255"))?;
    let mut header = vec![0, 0, T::CODE, rank];
    for &n in array.shape() {
        let n = u32::try_from(n).map_err(|_| Error::argument("array.shape()", n, "at most 4294967295"))?;
        header.extend(n.to_be_bytes());
    }
    let content = |sink: &mut dyn Write| -> io::Result<()> {
        sink.write_all(&header)?;
        array.iter().try_for_each(|x| x.encode(|bytes| sink.write_all(bytes)))
    };
    replace(path, |file| {
        let mut buffered = BufWriter::new(file);
        match encoding {
            IdxEncoding::Plain => content(&mut buffered)?,
            IdxEncoding::Gzip => {
                let mut encoder = BufWriter::new(GzBuilder::new().write(buffered, Compression::best()));
                content(&mut encoder)?;
                buffered = encoder.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
            }
        }
        buffered.flush()
    })
}

/// Temporary file in the same folder → write → sync → rename → sync the folder.
fn replace(path: &Path, write: impl FnOnce(&File) -> io::Result<()>) -> Result<(), Error> {
    let io = |action| move |source| Error::Io { file: path.to_path_buf(), action, source };
    if path.file_name().is_none() {
        return Err(Error::argument("path", path.display(), "the name of a file"));
    }
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
    File::open(folder).and_then(|f| f.sync_all()).map_err(io("sync the folder of"))?;
    Ok(())
}
