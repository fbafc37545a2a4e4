//! Streams that fail.

use std::io::{self, Read, Write};

/// When a stream fails. Afterwards every further call fails as well, as on a full disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailAt {
    /// After this many bytes have passed; the call that crosses the limit passes what fits, as the system does.
    Byte(u64),
    /// At this call (of `write` or `read`, and of `flush`), counting from 0.
    Call(u64),
    /// Never: for the short transfers alone.
    Never,
}

/// What both streams count.
#[derive(Debug, Clone)]
struct Fuse {
    at: FailAt,
    kind: io::ErrorKind,
    most: usize,
    bytes: u64,
    calls: u64,
}

impl Fuse {
    /// How many of `wanted` bytes may pass in this call.
    fn allow(&mut self, wanted: usize) -> io::Result<usize> {
        self.call()?;
        let wanted = wanted.min(self.most);
        match self.at {
            FailAt::Byte(limit) => {
                let left = usize::try_from(limit.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
                if left == 0 && wanted > 0 { Err(self.error()) } else { Ok(wanted.min(left)) }
            }
            FailAt::Call(_) | FailAt::Never => Ok(wanted),
        }
    }

    fn call(&mut self) -> io::Result<()> {
        let call = self.calls;
        self.calls += 1;
        if matches!(self.at, FailAt::Call(at) if call >= at) { Err(self.error()) } else { Ok(()) }
    }

    fn error(&self) -> io::Error {
        io::Error::new(self.kind, format!("injected after {} bytes, {} calls", self.bytes, self.calls))
    }
}

/// A writer that passes everything on until it fails.
///
/// ```
/// use std::io::Write;
/// use variata_testkit::faults::{FailAt, FailingWriter};
///
/// let mut writer = FailingWriter::new(Vec::new(), FailAt::Byte(3));
/// assert!(writer.write_all(b"four").is_err());
/// assert_eq!(writer.into_inner(), b"fou");
/// ```
#[derive(Debug, Clone)]
pub struct FailingWriter<W> {
    inner: W,
    fuse: Fuse,
}

/// A reader that passes everything on until it fails.
#[derive(Debug, Clone)]
pub struct FailingReader<R> {
    inner: R,
    fuse: Fuse,
}

impl<W: Write> FailingWriter<W> {
    /// Fails at `at` with [`io::ErrorKind::StorageFull`].
    pub fn new(inner: W, at: FailAt) -> Self {
        let kind = io::ErrorKind::StorageFull;
        Self { inner, fuse: Fuse { at, kind, most: usize::MAX, bytes: 0, calls: 0 } }
    }

    /// Fails with this kind.
    #[must_use]
    pub fn with_kind(mut self, kind: io::ErrorKind) -> Self {
        self.fuse.kind = kind;
        self
    }

    /// Takes at most `most` (at least 1) bytes a call: a caller that ignores the count returned by `write` loses data.
    #[must_use]
    pub fn with_short_writes(mut self, most: usize) -> Self {
        self.fuse.most = most.max(1);
        self
    }

    /// Bytes passed on so far.
    pub fn bytes_written(&self) -> u64 {
        self.fuse.bytes
    }

    /// Calls so far, the failed ones included.
    pub fn calls(&self) -> u64 {
        self.fuse.calls
    }

    /// The writer behind.
    pub fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: Write> Write for FailingWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let allowed = self.fuse.allow(buffer.len())?;
        let written = self.inner.write(&buffer[..allowed])?;
        self.fuse.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.fuse.call()?;
        self.inner.flush()
    }
}

impl<R: Read> FailingReader<R> {
    /// Fails at `at` with [`io::ErrorKind::Other`].
    pub fn new(inner: R, at: FailAt) -> Self {
        Self { inner, fuse: Fuse { at, kind: io::ErrorKind::Other, most: usize::MAX, bytes: 0, calls: 0 } }
    }

    /// Fails with this kind.
    #[must_use]
    pub fn with_kind(mut self, kind: io::ErrorKind) -> Self {
        self.fuse.kind = kind;
        self
    }

    /// Gives at most `most` (at least 1) bytes a call: a caller that takes one `read` for all of it loses data.
    #[must_use]
    pub fn with_short_reads(mut self, most: usize) -> Self {
        self.fuse.most = most.max(1);
        self
    }

    /// Bytes passed on so far.
    pub fn bytes_read(&self) -> u64 {
        self.fuse.bytes
    }

    /// Calls so far, the failed ones included.
    pub fn calls(&self) -> u64 {
        self.fuse.calls
    }
}

impl<R: Read> Read for FailingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let allowed = self.fuse.allow(buffer.len())?;
        let read = self.inner.read(&mut buffer[..allowed])?;
        self.fuse.bytes += read as u64;
        Ok(read)
    }
}
