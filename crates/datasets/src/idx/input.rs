//! A file's content, plain or gzip, read with a limit that the caller's header sets.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::Error;

/// Growth step of a buffer whose final length is announced but not proved.
const STEP: usize = 1 << 16;

/// Counts the bytes taken from a reader and remembers whether it failed by itself.
#[derive(Debug)]
struct Counting<R> {
    inner: BufReader<R>,
    consumed: u64,
    failed: bool,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = {
            let mut available = self.fill_buf()?;
            available.read(buf)?
        };
        self.consume(n);
        Ok(n)
    }
}

impl<R: Read> BufRead for Counting<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let result = self.inner.fill_buf();
        if result.as_ref().is_err_and(|e| e.kind() != io::ErrorKind::Interrupted) {
            self.failed = true;
        }
        result
    }
    fn consume(&mut self, n: usize) {
        self.consumed += n as u64;
        self.inner.consume(n);
    }
}

/// The reader, with the two bytes in front that were looked at.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

#[derive(Debug)]
enum Stream<R> {
    Plain(Whole<R>),
    Gzip(Box<MultiGzDecoder<Counting<Whole<R>>>>),
}

/// Content of one file from its first byte on, decompressed when it begins like a gzip file.
#[derive(Debug)]
pub(super) struct Input<R> {
    file: PathBuf,
    stream: Stream<R>,
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
    pub(super) fn new(name: &Path, mut reader: R, len: Option<u64>) -> Result<Self, Error> {
        let mut start = vec![0; 2];
        let n = read_full(&mut reader, &mut start).map_err(|source| Error::Io {
            file: name.to_path_buf(),
            action: "read",
            source,
        })?;
        start.truncate(n);
        let gzip = start == [0x1f, 0x8b];
        let whole = Cursor::new(start).chain(reader);
        let (stream, len) = if gzip {
            let counting = Counting { inner: BufReader::new(whole), consumed: 0, failed: false };
            (Stream::Gzip(Box::new(MultiGzDecoder::new(counting))), None)
        } else {
            (Stream::Plain(whole), len)
        };
        Ok(Self { file: name.to_path_buf(), stream, len, position: 0 })
    }

    pub(super) fn file(&self) -> PathBuf {
        self.file.clone()
    }

    /// As many bytes as there are, up to the length of `buf`.
    fn fill(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        let result = match &mut self.stream {
            Stream::Plain(reader) => read_full(reader, buf),
            Stream::Gzip(reader) => read_full(reader, buf),
        };
        let n = result.map_err(|source| match &self.stream {
            Stream::Gzip(decoder) if !decoder.get_ref().failed => Error::Gzip {
                file: self.file(),
                offset: decoder.get_ref().consumed,
                reason: source.to_string(),
            },
            _ => Error::Io { file: self.file(), action: "read", source },
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

/// Reads until `buf` is full or the reader is at its end.
fn read_full(reader: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buf.len() {
        match reader.read(&mut buf[n..]) {
            Ok(0) => break,
            Ok(k) => n += k,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(n)
}
