//! Writing.

use std::path::Path;

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
/// whole new one, whatever happens on the way. Arrays larger than [`MAX_IDX_BYTES`](crate::MAX_IDX_BYTES) are written too, but not read.
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
    if path.file_name().is_none() {
        return Err(Error::argument("path", path.display(), "the name of a file"));
    }
    variata_files::replace_content(path, encoding == IdxEncoding::Gzip, |sink| {
        sink.write_all(&header)?;
        array.iter().try_for_each(|x| x.encode(|bytes| sink.write_all(bytes)))
    })
    .map_err(|variata_files::Error { action, source }| Error::Io {
        file: path.to_path_buf(),
        action,
        source,
    })
}
