//! What can be wrong with a file or an argument.

use std::io;
use std::path::PathBuf;

use variata_distributions::ArgumentError;

/// Errors of this crate.
///
/// Every error about the content of a file names the file and a byte offset. Offsets count bytes of the *uncompressed*
/// content, except in [`Error::Gzip`], where they count bytes of the file as stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument is outside its domain or has the wrong shape.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
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
    /// The content begins neither like a TRK nor like a TCK file.
    #[error("{}: byte 0: neither TRK nor TCK: begins with {found:02x?}", file.display())]
    Magic {
        /// The file.
        file: PathBuf,
        /// The first bytes, at most 13.
        found: Vec<u8>,
    },
    /// The name of a file to be written ends neither in `.trk` nor in `.tck`, with or without `.gz`.
    #[error("{}: must end in .trk, .tck, .trk.gz or .tck.gz", file.display())]
    Extension {
        /// The file.
        file: PathBuf,
    },
    /// A field of the header has a value that it cannot have.
    #[error("{}: byte {offset}: `{field}` is {value}, must be {must}", file.display())]
    Header {
        /// The file.
        file: PathBuf,
        /// Where the field is.
        offset: u64,
        /// Name of the field, as the format's description has it.
        field: &'static str,
        /// What was found.
        value: String,
        /// What is allowed.
        must: &'static str,
    },
    /// The file ends too early.
    #[error("{}: byte {offset}: truncated: {what} need {expected} bytes from here, {found} found", file.display())]
    Truncated {
        /// The file.
        file: PathBuf,
        /// Where the part that is incomplete begins.
        offset: u64,
        /// The part, as in "points of a streamline".
        what: &'static str,
        /// The bytes that this part needs.
        expected: u64,
        /// The bytes that are there.
        found: u64,
    },
    /// The file goes on where it has to end.
    #[error("{}: byte {offset}: more bytes behind the last streamline", file.display())]
    TrailingBytes {
        /// The file.
        file: PathBuf,
        /// The first byte too many.
        offset: u64,
    },
    /// The header announces another number of streamlines than there are.
    #[error("{}: byte {offset}: {announced} streamlines announced, {found} found", file.display())]
    Count {
        /// The file.
        file: PathBuf,
        /// Where the number is written.
        offset: u64,
        /// The number in the header.
        announced: u64,
        /// The number of streamlines.
        found: u64,
    },
    /// A coordinate is not finite, and the point is no delimiter.
    #[error("{}: byte {offset}: point {point} of streamline {streamline} is not finite", file.display())]
    NonFinite {
        /// The file.
        file: PathBuf,
        /// Where the point is.
        offset: u64,
        /// Index of the streamline.
        streamline: usize,
        /// Index of the point in its streamline.
        point: usize,
    },
    /// A streamline of a TCK file runs into the end marker.
    #[error("{}: byte {offset}: streamline {streamline} has no delimiter behind it", file.display())]
    Delimiter {
        /// The file.
        file: PathBuf,
        /// Where the end marker is.
        offset: u64,
        /// Index of the streamline.
        streamline: usize,
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
    /// A name does not fit into a file's header.
    #[error("`{name}` {must}")]
    Name {
        /// The name, or what is told about all of them.
        name: String,
        /// What is required, as in "must be at most 20 characters of Latin-1".
        must: &'static str,
    },
    /// A format cannot hold something that the tractogram has.
    #[error("TCK files hold no {what}")]
    Unsupported {
        /// What would be lost.
        what: &'static str,
    },
    /// A tract has no such name.
    #[error("no tract `{name}`; there are {known}")]
    UnknownTract {
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// A folder holds no file that is named like a bundle.
    #[error("{}: no files named like sub-1001__AF_L.trk", folder.display())]
    NoBundles {
        /// The folder.
        folder: PathBuf,
    },
}

/// A shape that is not what it must be.
pub(crate) fn shape(argument: &'static str, got: &[usize], want: &str) -> Error {
    ArgumentError::Shape { argument, got: got.to_vec(), want: want.to_owned() }.into()
}

/// A scalar argument that is outside its domain.
pub(crate) fn scalar(argument: &'static str, value: f64, must: &'static str) -> Error {
    ArgumentError::Value { argument, index: None, value, must }.into()
}
