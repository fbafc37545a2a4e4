//! A file's content, plain or gzip, read in order; positions are those of the content.

use std::io::Read;
use std::path::{Path, PathBuf};

use variata_files::{Content, Failure};

use crate::Error;

/// Content from its first byte on.
#[derive(Debug)]
pub(super) struct Input<R> {
    file: PathBuf,
    content: Content<R>,
    /// Bytes looked at and not yet taken, in front of the stream.
    ahead: Vec<u8>,
    /// Length of the content where it is known: plain regular files.
    len: Option<u64>,
    position: u64,
}

impl<R: Read> Input<R> {
    /// `len`: the bytes that `reader` will give, if known.
    pub(super) fn new(name: &Path, reader: R, len: Option<u64>) -> Result<Self, Error> {
        let file = name.to_path_buf();
        match Content::new(reader) {
            Ok(content) => {
                let len = if content.is_gzip() { None } else { len };
                Ok(Self { file, content, ahead: Vec::new(), len, position: 0 })
            }
            Err(source) => Err(Error::Io { file, action: "read", source }),
        }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.file.clone()
    }

    /// Bytes taken so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes that follow, if known.
    pub(super) fn rest(&self) -> Option<u64> {
        self.len.map(|len| len.saturating_sub(self.position))
    }

    /// The next bytes without taking them; how many there are, up to the length of `buf`. Called once, at the start.
    pub(super) fn peek(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        let n = self.fill(buf)?;
        self.ahead.splice(0..0, buf[..n].iter().copied());
        self.position -= n as u64;
        Ok(n)
    }

    /// Takes as many bytes as there are, up to the length of `buf`.
    pub(super) fn fill(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        let first = self.ahead.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(self.ahead.drain(..first)) {
            *to = from;
        }
        let rest = self.content.fill(&mut buf[first..]).map_err(|failure| match failure {
            Failure::Io(source) => Error::Io { file: self.file(), action: "read", source },
            Failure::Gzip { offset, reason } => Error::Gzip { file: self.file(), offset, reason },
        })?;
        self.position += (first + rest) as u64;
        Ok(first + rest)
    }

    pub(super) fn truncated(&self, offset: u64, what: &'static str, expected: u64, found: u64) -> Error {
        Error::Truncated { file: self.file(), offset, what, expected, found }
    }

    /// The next `buf.len()` bytes, or [`Error::Truncated`].
    pub(super) fn exact(&mut self, buf: &mut [u8], what: &'static str) -> Result<(), Error> {
        let offset = self.position;
        let n = self.fill(buf)?;
        if n == buf.len() { Ok(()) } else { Err(self.truncated(offset, what, buf.len() as u64, n as u64)) }
    }

    /// Refuses a part of `expected` bytes that the file cannot hold, before any memory is taken for it.
    pub(super) fn holds(&self, what: &'static str, expected: u64) -> Result<(), Error> {
        match self.rest() {
            Some(rest) if rest < expected => Err(self.truncated(self.position, what, expected, rest)),
            _ => Ok(()),
        }
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
        let mut one = [0];
        let n = self.fill(&mut one)?;
        self.position -= n as u64;
        Ok(n == 0)
    }
}
