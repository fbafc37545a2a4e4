//! Content read in order, each part as long as it was announced.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::{Content, Failure};

/// Growth step of a buffer whose final length is announced but not proved.
const STEP: usize = 1 << 16;

/// [`Content`] with the position in it, and its length where that is known beforehand.
#[derive(Debug)]
pub struct Input<R> {
    content: Content<R>,
    /// Bytes looked at and not yet taken, in front of the stream.
    ahead: Vec<u8>,
    /// Length of the content where it is known: plain regular files.
    len: Option<u64>,
    position: u64,
}

impl Input<File> {
    /// A file from its first byte on.
    ///
    /// # Errors
    /// The system refuses.
    pub fn open(path: &Path) -> Result<Self, crate::Error> {
        let refused = |action| move |source| crate::Error { action, source };
        let file = File::open(path).map_err(refused("open"))?;
        let meta = file.metadata().map_err(refused("inspect"))?;
        Self::new(file, meta.is_file().then_some(meta.len())).map_err(refused("read"))
    }
}

impl<R: Read> Input<R> {
    /// `len`: the bytes that `reader` will give, if known.
    ///
    /// # Errors
    /// The reader fails.
    ///
    /// ```
    /// use variata_files::{Failure, Input};
    /// let mut input = Input::new(&b"four or more"[..], None)?;
    /// assert_eq!(input.take(4).unwrap(), b"four");
    /// assert!(matches!(input.take(1000), Err(Failure::Truncated { offset: 4, expected: 1000, found: 8 })));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(reader: R, len: Option<u64>) -> io::Result<Self> {
        let content = Content::new(reader)?;
        let len = if content.is_gzip() { None } else { len };
        Ok(Self { content, ahead: Vec::new(), len, position: 0 })
    }

    /// Bytes taken so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes that follow, if known.
    pub fn rest(&self) -> Option<u64> {
        self.len.map(|len| len.saturating_sub(self.position))
    }

    /// The next bytes without taking them; how many there are, up to the length of `buf`. Called once, at the start.
    ///
    /// # Errors
    /// As [`Content::fill`].
    pub fn peek(&mut self, buf: &mut [u8]) -> Result<usize, Failure> {
        let n = self.fill(buf)?;
        self.ahead.splice(0..0, buf[..n].iter().copied());
        self.position -= n as u64;
        Ok(n)
    }

    /// Takes as many bytes as there are, up to the length of `buf`.
    ///
    /// # Errors
    /// As [`Content::fill`].
    pub fn fill(&mut self, buf: &mut [u8]) -> Result<usize, Failure> {
        let first = self.ahead.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(self.ahead.drain(..first)) {
            *to = from;
        }
        let n = first + self.content.fill(&mut buf[first..])?;
        self.position += n as u64;
        Ok(n)
    }

    /// Takes the next `buf.len()` bytes.
    ///
    /// # Errors
    /// As [`Content::fill`]; [`Failure::Truncated`].
    pub fn exact(&mut self, buf: &mut [u8]) -> Result<(), Failure> {
        let offset = self.position;
        let found = self.fill(buf)? as u64;
        let expected = buf.len() as u64;
        if found == expected { Ok(()) } else { Err(Failure::Truncated { offset, expected, found }) }
    }

    /// Refuses a part of `expected` bytes that the content cannot hold, before any memory is taken for it.
    ///
    /// # Errors
    /// [`Failure::Truncated`].
    pub fn holds(&self, expected: u64) -> Result<(), Failure> {
        match self.rest() {
            Some(found) if found < expected => {
                Err(Failure::Truncated { offset: self.position, expected, found })
            }
            _ => Ok(()),
        }
    }

    /// Takes the next `n` bytes. A length that the content cannot have is refused before any memory is taken; where the length is not
    /// known (gzip, pipes) the buffer grows with what has arrived, never with what was announced.
    ///
    /// # Errors
    /// As [`exact`](Self::exact), and where there is no memory for them.
    pub fn take(&mut self, n: usize) -> Result<Vec<u8>, Failure> {
        self.holds(n as u64)?;
        let (offset, expected) = (self.position, n as u64);
        let mut out = Vec::new();
        while out.len() < n {
            let from = out.len();
            let step = if self.len.is_some() { n } else { from.max(STEP).min(n - from) };
            out.try_reserve_exact(step).map_err(|_| Failure::Io(io::ErrorKind::OutOfMemory.into()))?;
            out.resize(from + step, 0);
            let got = self.fill(&mut out[from..])?;
            if got < step {
                return Err(Failure::Truncated { offset, expected, found: (from + got) as u64 });
            }
        }
        Ok(out)
    }

    /// Whether nothing follows. On a gzip stream this also checks the sums at its end. A byte that does follow is gone.
    ///
    /// # Errors
    /// As [`Content::fill`].
    pub fn at_end(&mut self) -> Result<bool, Failure> {
        let before = self.position;
        let n = self.fill(&mut [0])?;
        self.position = before;
        Ok(n == 0)
    }
}
