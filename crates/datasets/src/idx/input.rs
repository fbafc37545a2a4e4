//! A file's content, plain or gzip, read with a limit that the caller's header sets.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use variata_files::{Content, Failure};

use crate::Error;

/// Growth step of a buffer whose final length is announced but not proved.
const STEP: usize = 1 << 16;

/// Content of one file from its first byte on, decompressed when it begins like a gzip file.
#[derive(Debug)]
pub(super) struct Input<R> {
    file: PathBuf,
    content: Content<R>,
    /// Length of the content where it is known beforehand: plain regular files.
    len: Option<u64>,
    position: u64,
}

impl Input<File> {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let io = |action| move |source| Error::Io { file: path.to_path_buf(), action, source };
        let file = File::open(path).map_err(io("open"))?;
        let meta = file.metadata().map_err(io("inspect"))?;
        Self::new(path, file, meta.is_file().then_some(meta.len()))
    }
}

impl<R: Read> Input<R> {
    /// `len`: the bytes that `reader` will give, if known.
    pub(super) fn new(name: &Path, reader: R, len: Option<u64>) -> Result<Self, Error> {
        let file = name.to_path_buf();
        match Content::new(reader) {
            Ok(content) => {
                let len = if content.is_gzip() { None } else { len };
                Ok(Self { file, content, len, position: 0 })
            }
            Err(source) => Err(Error::Io { file, action: "read", source }),
        }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.file.clone()
    }

    /// As many bytes as there are, up to the length of `buf`.
    fn fill(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        let n = self.content.fill(buf).map_err(|failure| match failure {
            Failure::Io(source) => Error::Io { file: self.file(), action: "read", source },
            Failure::Gzip { offset, reason } => Error::Gzip { file: self.file(), offset, reason },
        })?;
        self.position += n as u64;
        Ok(n)
    }

    fn truncated(&self, offset: u64, expected: u64, found: u64) -> Error {
        Error::Truncated { file: self.file(), offset, expected, found }
    }

    /// The next `buf.len()` bytes, or [`Error::Truncated`].
    pub(super) fn exact(&mut self, buf: &mut [u8]) -> Result<(), Error> {
        let offset = self.position;
        let n = self.fill(buf)?;
        if n == buf.len() { Ok(()) } else { Err(self.truncated(offset, buf.len() as u64, n as u64)) }
    }

    /// The next `n` bytes. A length that the file cannot have is refused before any memory is taken; where the length
    /// is not known (gzip, pipes) the buffer grows with what has arrived, never with what was announced.
    pub(super) fn take(&mut self, n: usize) -> Result<Vec<u8>, Error> {
        let offset = self.position;
        let mut out = Vec::new();
        if let Some(len) = self.len {
            let rest = len.saturating_sub(offset);
            if rest < n as u64 {
                return Err(self.truncated(offset, n as u64, rest));
            }
            out.reserve_exact(n);
        }
        while out.len() < n {
            let from = out.len();
            let step = if self.len.is_some() { n - from } else { from.max(STEP).min(n - from) };
            out.reserve_exact(step);
            out.resize(from + step, 0);
            let got = self.fill(&mut out[from..])?;
            if got < step {
                return Err(self.truncated(offset, n as u64, (from + got) as u64));
            }
        }
        Ok(out)
    }

    /// Whether nothing follows. On a gzip stream this also checks the sums at its end.
    pub(super) fn at_end(&mut self) -> Result<bool, Error> {
        let mut one = [0];
        Ok(self.fill(&mut one)? == 0)
    }
}
