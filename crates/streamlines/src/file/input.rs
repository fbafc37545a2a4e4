//! A file's content, plain or gzip, read in order; positions are those of the content.

use std::io::{self, BufRead, BufReader, Chain, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::Error;

/// Bytes read at once from the file, and decompressed at once.
const BUFFER: usize = 1 << 16;

/// Counts the compressed bytes that the decoder has taken, and remembers whether the file itself failed.
#[derive(Debug)]
struct Counting<R> {
    inner: BufReader<R>,
    taken: u64,
    failed: bool,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: Read> BufRead for Counting<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.inner.fill_buf() {
            Ok(buffer) => Ok(buffer),
            Err(error) => {
                self.failed |= error.kind() != ErrorKind::Interrupted;
                Err(error)
            }
        }
    }

    fn consume(&mut self, n: usize) {
        self.taken += n as u64;
        self.inner.consume(n);
    }
}

/// The reader behind the bytes that were looked at.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

#[derive(Debug)]
enum Stream<R> {
    Plain(BufReader<Whole<R>>),
    Gzip(Box<BufReader<MultiGzDecoder<Counting<Whole<R>>>>>),
}

/// Content from its first byte on.
#[derive(Debug)]
pub(super) struct Input<R> {
    file: PathBuf,
    stream: Stream<R>,
    /// Bytes looked at and not yet taken, in front of the stream.
    ahead: Vec<u8>,
    /// Length of the content where it is known: plain regular files.
    len: Option<u64>,
    position: u64,
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
            let inner = BufReader::with_capacity(BUFFER, whole);
            let decoder = MultiGzDecoder::new(Counting { inner, taken: 0, failed: false });
            (Stream::Gzip(Box::new(BufReader::with_capacity(BUFFER, decoder))), None)
        } else {
            (Stream::Plain(BufReader::with_capacity(BUFFER, whole)), len)
        };
        Ok(Self { file: name.to_path_buf(), stream, ahead: Vec::new(), len, position: 0 })
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
        let result = match &mut self.stream {
            Stream::Plain(reader) => read_full(reader, &mut buf[first..]),
            Stream::Gzip(reader) => read_full(reader, &mut buf[first..]),
        };
        let n = first + result.map_err(|source| self.failure(source))?;
        self.position += n as u64;
        Ok(n)
    }

    fn failure(&self, source: io::Error) -> Error {
        match &self.stream {
            Stream::Gzip(reader) if !reader.get_ref().get_ref().failed => Error::Gzip {
                file: self.file(),
                offset: reader.get_ref().get_ref().taken,
                reason: source.to_string(),
            },
            _ => Error::Io { file: self.file(), action: "read", source },
        }
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

/// Reads until `buf` is full or the reader is at its end.
fn read_full(reader: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buf.len() {
        match reader.read(&mut buf[n..]) {
            Ok(0) => break,
            Ok(k) => n += k,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n)
}
