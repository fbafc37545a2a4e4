//! A file's content, plain or gzip, read in order, with the file's name and the part in what goes wrong; positions are those of the content.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use variata_files::Failure;

use crate::Error;

/// Content from its first byte on.
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

    /// Bytes taken so far.
    pub(super) fn position(&self) -> u64 {
        self.content.position()
    }

    /// Bytes that follow, if known.
    pub(super) fn rest(&self) -> Option<u64> {
        self.content.rest()
    }

    fn named(&self, what: &'static str, failure: Failure) -> Error {
        match failure {
            Failure::Io(source) => Error::Io { file: self.file(), action: "read", source },
            Failure::Gzip { offset, reason } => Error::Gzip { file: self.file(), offset, reason },
            Failure::Truncated { offset, expected, found } => self.truncated(offset, what, expected, found),
        }
    }

    pub(super) fn truncated(&self, offset: u64, what: &'static str, expected: u64, found: u64) -> Error {
        Error::Truncated { file: self.file(), offset, what, expected, found }
    }

    /// The next bytes without taking them; how many there are, up to the length of `buf`. Called once, at the start.
    pub(super) fn peek(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        self.content.peek(buf).map_err(|failure| self.named("the start", failure))
    }

    /// Takes as many bytes as there are, up to the length of `buf`.
    pub(super) fn fill(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        self.content.fill(buf).map_err(|failure| self.named("the content", failure))
    }

    /// The next `buf.len()` bytes, or [`Error::Truncated`].
    pub(super) fn exact(&mut self, buf: &mut [u8], what: &'static str) -> Result<(), Error> {
        self.content.exact(buf).map_err(|failure| self.named(what, failure))
    }

    /// Refuses a part of `expected` bytes that the file cannot hold, before any memory is taken for it.
    pub(super) fn holds(&self, what: &'static str, expected: u64) -> Result<(), Error> {
        self.content.holds(expected).map_err(|failure| self.named(what, failure))
    }

    /// Takes the bytes up to and with the next `\n`, or to the end, but at most `limit`, onto the end of `line`.
    pub(super) fn line(&mut self, line: &mut Vec<u8>, limit: usize) -> Result<usize, Error> {
        let from = line.len();
        while line.len() - from < limit {
            let mut byte = [0];
            if self.fill(&mut byte)? == 0 {
                break;
            }
            line.push(byte[0]);
            if byte[0] == b'\n' {
                break;
            }
        }
        Ok(line.len() - from)
    }

    /// Whether nothing follows. On a gzip stream this also checks the sums at its end.
    pub(super) fn at_end(&mut self) -> Result<bool, Error> {
        self.content.at_end().map_err(|failure| self.named("the end", failure))
    }
}
