//! What can be wrong with a file or an argument.

use std::io;
use std::path::{Path, PathBuf};

use crate::{NpyFault, Position};

/// Errors of this crate.
///
/// Every error about the content of a file names the file and a byte offset. Offsets count bytes of the
/// *uncompressed* content, except in [`Error::Gzip`], where they count bytes of the file as stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an operation.
    #[error("{}: cannot {action}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What was tried, as in "open".
        action: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// A folder or file of a data set is not there.
    #[error("{}: not found; {hint}", path.display())]
    NotFound {
        /// What was looked for.
        path: PathBuf,
        /// What to do about it.
        hint: String,
    },
    /// A folder without image files.
    #[error("{}: no images in it; {hint}", folder.display())]
    NoImages {
        /// The folder.
        folder: PathBuf,
        /// What to do about it.
        hint: String,
    },
    /// Image files that cannot be read, all of them.
    #[error("image files that cannot be read: {}: {}", files.len(), unreadable(files))]
    Unreadable {
        /// The files, and why.
        files: Vec<(PathBuf, String)>,
    },
    /// The first four bytes are not those of an IDX file.
    #[error("{}: byte {offset}: not an IDX file: begins with {found:02x?}", file.display())]
    BadMagic {
        /// The file.
        file: PathBuf,
        /// The first byte that is wrong.
        offset: u64,
        /// The bytes found.
        found: [u8; 4],
    },
    /// The elements have another type than the caller can use.
    #[error("{}: byte {offset}: elements are {found}, expected {expected}", file.display())]
    ElementType {
        /// The file.
        file: PathBuf,
        /// Where the type is written: 2.
        offset: u64,
        /// The type that was asked for.
        expected: &'static str,
        /// The type in the file.
        found: &'static str,
    },
    /// The array has another number of axes than the caller can use.
    #[error("{}: byte {offset}: {found} axes, expected {expected}", file.display())]
    Rank {
        /// The file.
        file: PathBuf,
        /// Where the number of axes is written: 3.
        offset: u64,
        /// What is allowed.
        expected: &'static str,
        /// The number of axes in the file.
        found: usize,
    },
    /// The file ends too early.
    #[error("{}: byte {offset}: truncated: {expected} bytes expected from here, {found} found", file.display())]
    Truncated {
        /// The file.
        file: PathBuf,
        /// Where the part that is incomplete begins: in an IDX file 0 the magic number, 4 the axis lengths, then the
        /// elements.
        offset: u64,
        /// The bytes that this part needs.
        expected: u64,
        /// The bytes that are there.
        found: u64,
    },
    /// The file goes on after the last element that its header announces.
    #[error("{}: byte {offset}: more bytes than the {shape:?} elements of the header", file.display())]
    TrailingBytes {
        /// The file.
        file: PathBuf,
        /// The first byte too many.
        offset: u64,
        /// The shape in the header.
        shape: Vec<usize>,
    },
    /// The header announces more than this crate will read.
    #[error("{}: byte {offset}: shape {shape:?} needs more than {limit} bytes", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Where the axis lengths begin: 4 in an IDX file; the header in an npy file.
        offset: u64,
        /// The shape in the header.
        shape: Vec<usize>,
        /// The limit, [`MAX_IDX_BYTES`](crate::MAX_IDX_BYTES).
        limit: u64,
    },
    /// An npy file that cannot be used.
    #[error("{}: byte {offset}: {fault}", file.display())]
    Npy {
        /// The file.
        file: PathBuf,
        /// Where the part that is wrong begins: 0 the magic number, 6 the version, 8 the header with its length.
        offset: u64,
        /// What is wrong.
        fault: NpyFault,
    },
    /// The compressed stream is damaged, or ends too early, or has something else behind it.
    #[error("{}: byte {offset} of the compressed file: {reason}", file.display())]
    Gzip {
        /// The file.
        file: PathBuf,
        /// Compressed bytes that were consumed before the error.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// Two files that belong together disagree about a length.
    #[error(
        "{}: byte {offset}: {what} is {found}, but {expected} in {}", file.display(), reference.display()
    )]
    Mismatch {
        /// The file.
        file: PathBuf,
        /// Where the length is written.
        offset: u64,
        /// What disagrees, as in "number of labels".
        what: &'static str,
        /// The file that it is compared with.
        reference: PathBuf,
        /// The length in `reference`.
        expected: usize,
        /// The length in `file`.
        found: usize,
    },
    /// A label names a class that does not exist.
    #[error("{}: byte {offset}: label {index} is {label}, must be < {classes}", file.display())]
    Label {
        /// The file.
        file: PathBuf,
        /// Where the label is.
        offset: u64,
        /// Index of the label.
        index: usize,
        /// The label.
        label: i64,
        /// The number of classes.
        classes: usize,
    },
    /// A file of class names has not one for each class.
    #[error("{}: {found} names of classes, must be {classes}", file.display())]
    ClassNames {
        /// The file.
        file: PathBuf,
        /// The names found.
        found: usize,
        /// The number of classes.
        classes: usize,
    },
    /// An argument is outside its domain.
    #[error("`{argument}` is {value}, must be {must}")]
    Argument {
        /// Name of the argument.
        argument: &'static str,
        /// The value found.
        value: String,
        /// What is allowed.
        must: String,
    },
    /// An [`ExampleSource`](crate::ExampleSource) could not make a batch; ends the epoch.
    #[error("batch {} of epoch {} cannot be made: {source}", position.batch, position.epoch)]
    Made {
        /// Which batch.
        position: Position,
        /// The source's reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An [`ExampleSource`](crate::ExampleSource) made a number of arrays that is no multiple of the number of data, or
    /// none; ends the epoch.
    #[error(
        "batch {} of epoch {}: {found} arrays made of {data} data, must be {data} or a multiple of it",
        position.batch, position.epoch
    )]
    Views {
        /// Which batch.
        position: Position,
        /// The arrays made.
        found: usize,
        /// The data of the batch.
        data: usize,
    },
    /// The thread that prepares batches panicked; reported once, after which the iterator is at its end.
    #[error("the thread that prepares batches panicked: {message}")]
    WorkerPanicked {
        /// The message of the panic.
        message: String,
    },
}

/// The first few by name.
fn unreadable(files: &[(PathBuf, String)]) -> String {
    const SHOWN: usize = 10;
    let named = files.iter().take(SHOWN).map(|(file, reason)| format!("{}: {reason}", file.display()));
    let more = files.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    named.collect::<Vec<_>>().join("; ") + &rest
}

impl Error {
    pub(crate) fn argument(
        argument: &'static str,
        value: impl std::fmt::Display,
        must: impl Into<String>,
    ) -> Self {
        Self::Argument { argument, value: value.to_string(), must: must.into() }
    }
}

/// Refuses pipes and devices, which would be waited for.
pub(crate) fn no_pipe(path: &Path) -> Result<(), Error> {
    let found = std::fs::metadata(path);
    if found.is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let source = io::Error::other("it is no regular file");
        return Err(Error::Io { file: path.to_path_buf(), action: "read", source });
    }
    Ok(())
}
