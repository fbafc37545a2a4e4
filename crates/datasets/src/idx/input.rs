//! A file's content, plain or gzip, with the file's name in what goes wrong.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use variata_files::Failure;

use crate::Error;

/// Content of one file from its first byte on, decompressed when it begins like a gzip file.
#[derive(Debug)]
pub(super) struct Input<R> {
    file: PathBuf,
    content: variata_files::Input<R>,
}

impl Input<File> {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = path.to_path_buf();
        match variata_files::Input::open(path) {
            Ok(content) => Ok(Self { file, content }),
            Err(variata_files::Error { action, source }) => Err(Error::Io { file, action, source }),
        }
    }
}

impl<R: Read> Input<R> {
    /// `len`: the bytes that `reader` will give, if known.
    pub(super) fn new(name: &Path, reader: R, len: Option<u64>) -> Result<Self, Error> {
        let file = name.to_path_buf();
        match variata_files::Input::new(reader, len) {
            Ok(content) => Ok(Self { file, content }),
            Err(source) => Err(Error::Io { file, action: "read", source }),
        }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.file.clone()
    }

    fn named(&self, failure: Failure) -> Error {
        let file = self.file();
        match failure {
            Failure::Io(source) => Error::Io { file, action: "read", source },
            Failure::Gzip { offset, reason } => Error::Gzip { file, offset, reason },
            Failure::Truncated { offset, expected, found } => {
                Error::Truncated { file, offset, expected, found }
            }
        }
    }

    /// The next `buf.len()` bytes, or [`Error::Truncated`].
    pub(super) fn exact(&mut self, buf: &mut [u8]) -> Result<(), Error> {
        self.content.exact(buf).map_err(|failure| self.named(failure))
    }

    /// The next `n` bytes, or [`Error::Truncated`]; memory follows what there is, not what was announced.
    pub(super) fn take(&mut self, n: usize) -> Result<Vec<u8>, Error> {
        self.content.take(n).map_err(|failure| self.named(failure))
    }

    /// Whether nothing follows. On a gzip stream this also checks the sums at its end.
    pub(super) fn at_end(&mut self) -> Result<bool, Error> {
        self.content.at_end().map_err(|failure| self.named(failure))
    }
}
